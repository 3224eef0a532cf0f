//! `verify`: compares the board with what `flash` would write. Changes nothing.

use serde::Serialize;

use super::{DataSource, Error, FlashRequest, Job, events, goal::prepare, job::refused, report::Firmware, watchdog};
use crate::{
    block::{Mileage, Serial, Uid},
    board::{Board, Comparison, Protection, progress::Step},
};

/// What `verify` found: a board that is as planned; another is an error.
#[derive(Debug, Clone, Serialize)]
pub struct VerifyReport {
    /// The chip's UID.
    pub uid: Uid,
    /// The serial number that the plan has.
    pub serial: Serial,
    /// The mileage that the plan has.
    pub mileage_m: Mileage,
    /// Where serial number and mileage came from.
    pub data_source: DataSource,
    /// Whether the data block was left in SRAM by firmware that cannot start again: it is lost with the power.
    #[serde(skip)]
    pub left_in_sram: bool,
    /// The planned bootloader.
    pub boot: Option<Firmware>,
    /// The planned DRV firmware.
    pub drv: Option<Firmware>,
    /// Bytes compared.
    pub bytes_compared: u64,
    /// Always true.
    pub verified: bool,
}

/// Compares every planned page.
pub fn verify(job: &mut Job<'_>, request: &FlashRequest<'_>) -> Result<VerifyReport, Error> {
    job.account(|job| {
        request.check(job)?;
        request.warn_of_serial(job);
        job.with_board(|job, board| compare(job, board, request))
    })
}

fn compare<'p>(job: &mut Job<'p>, mut board: Board<'p>, request: &FlashRequest<'_>) -> Result<VerifyReport, Error> {
    let status = job.identify(&mut board)?;
    if status.protection == Protection::Read {
        return Err(refused(board, Error::Unreadable));
    }
    let prepared = match prepare(job, &mut board, &status, request) {
        Ok(prepared) => prepared,
        Err(error) => return Err(refused(board, error)),
    };
    watchdog::warn_of_damage(job, &status);
    let parts = prepared.plan.parts();
    let comparison = job.step(Step::Verify, |progress| board.compare(parts, Step::Verify, progress))?;
    if comparison == Comparison::Same {
        events::verified(job.progress, &prepared.plan);
    }
    let uid = board.uid;
    board.resume()?;
    match comparison {
        Comparison::Same => Ok(VerifyReport {
            uid,
            serial: prepared.serial,
            mileage_m: prepared.mileage,
            data_source: prepared.data_source,
            left_in_sram: prepared.is_left_in_sram(),
            boot: prepared.boot,
            drv: prepared.drv,
            bytes_compared: parts.iter().map(|part| part.bytes.len() as u64).sum(),
            verified: true,
        }),
        Comparison::Differs { address, expected, found, bytes } => {
            Err(Error::Differs { address, expected, found, bytes })
        }
    }
}
