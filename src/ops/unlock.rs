//! `unlock`: removes read-out and write protection.

use std::path::PathBuf;

use serde::Serialize;

use super::{
    BackupStore, DataChange, Error, Job, Obstacle, Work,
    contents::Contents,
    events::Pages,
    job::or_resume,
    protection, report,
    watchdog::{self, Watchdog},
};
use crate::{
    block::{Mileage, Serial, Uid},
    board::{Board, Consent, Protection, Status, progress::Step},
    target::Target,
};

/// What `unlock` did.
#[derive(Debug, Clone, Serialize)]
pub struct UnlockReport {
    /// The chip's UID.
    pub uid: Uid,
    /// Protection before.
    pub before: Protection,
    /// Protection now.
    pub protection: Protection,
    /// Whether the flash was erased by it.
    pub erased: bool,
    /// Whether the option bytes were written.
    pub options_written: bool,
    /// The serial number that the board had; `None` if none was found.
    pub serial: Option<Serial>,
    /// The mileage that the board had, in metres.
    pub mileage_m: Option<Mileage>,
    /// The backup made before.
    #[serde(serialize_with = "report::some_path")]
    pub backup: Option<PathBuf>,
}

/// Removes read-out and write protection; erases the chip if read-out protection was on.
pub fn unlock(
    job: &mut Job<'_>,
    consent: Option<Consent>,
    backups: &BackupStore,
    watchdog: Watchdog,
) -> Result<UnlockReport, Error> {
    let mut first = None;
    let (uid, before) =
        job.account(|job| job.with_board(|job, board| open(job, board, (consent, watchdog), backups, &mut first)))?;
    let done = job.known.done.unwrap_or_default();
    Ok(UnlockReport {
        uid,
        before,
        protection: Protection::None,
        erased: done.mass_erased,
        options_written: done.options_written,
        serial: job.known.serial,
        mileage_m: job.known.mileage_m,
        backup: job.known.backup.clone(),
    })
}

/// What the board was when it was reached first.
#[derive(Clone, Copy)]
struct First {
    status: Status,
    data: DataChange,
}

/// Opens the chip, from whatever it is now.
fn open<'p>(
    job: &mut Job<'p>,
    mut board: Board<'p>,
    (consent, watchdog): (Option<Consent>, Watchdog),
    backups: &BackupStore,
    first: &mut Option<First>,
) -> Result<(Uid, Protection), Error> {
    let uid = board.uid;
    let status = job.identify(&mut board)?;
    let target = Target::for_chip(board.chip.flash_kib);
    let mut contents = None;
    if job.known.backup.is_none() && job.known.done.is_none() {
        // Before the question is asked: it says what would be lost.
        contents = Some(Contents::read(job, &mut board, &status, target, &[])?);
    }
    let data = contents.as_ref().map_or_else(DataChange::default, |contents| contents.data_change(None));
    let First { status: first, data } = *first.get_or_insert(First { status, data });
    let user = watchdog.applied_to(backups.user(uid, first.option_bytes));
    watchdog::warn(job, user, "--software-watchdog");
    if job.known.done.is_some() && status.protection == Protection::None && Obstacle::to_reading(&first).is_some() {
        // Protection that was set and not in force yet comes into force on the way, and removing it erases the chip. If contact
        // was lost behind that, only flash shows it.
        let is_blank = board.read_flash(&target.map)?.iter().all(|byte| *byte == 0xFF);
        job.known.done().mass_erased |= is_blank;
    }
    let pages = Pages::of(target, &board.chip);
    let obstacle = Obstacle::to_openness(&status);
    pages.plan(job.progress, obstacle.is_some_and(Obstacle::erases), &Work::default());
    match obstacle {
        None if watchdog == Watchdog::Software && status.option_bytes.user() != user => {
            job.known.protection = None;
            let options = status.option_bytes.with_user(user);
            let written = job.step(Step::Unlock, |_| board.restore_options(&target.map, options));
            if job.has_changed() {
                job.known.done().options_written = true;
            }
            written?;
            job.known.protection = Some(status.protection);
            job.step(Step::Reset, |_| board.reset())?;
        }
        None => {
            job.skip(Step::Unlock);
            board.resume()?;
        }
        Some(obstacle) => {
            let Some(consent) = consent.filter(|_| obstacle.is_agreed(consent)) else {
                return Err(job.not_agreed(board, obstacle, data));
            };
            if let Some(contents) = contents {
                let saved = backups.save_for(job, &contents.backup(uid, &status));
                board = or_resume(board, saved)?.0;
            }
            // Up to here nothing has been changed.
            (board, _) = protection::remove(job, board, target, status.protection, user, consent, &[])?;
            job.step(Step::Reset, |_| board.reset())?;
        }
    }
    // What is open now may have been erased before contact was lost.
    if job.known.done.is_some_and(|done| done.mass_erased) {
        job.probes.ledger().erased();
        pages.erased(job.progress);
    } else {
        job.probes.ledger().matches_plan();
    }
    Ok((uid, first.protection))
}
