//! `restore`: puts a backup back, option bytes included.

use std::path::Path;

use serde::Serialize;

use super::{
    BoardState, Error, Extent, FlashPlan, Job,
    backup::Backup,
    job::untouched,
    write::{self, Known, Permit},
};
use crate::{
    block::Uid,
    board::{EraseConsent, Error as BoardError, OptionBytes, progress::Step},
    target::Target,
};

/// What `restore` did.
#[derive(Debug, Clone, Serialize)]
pub struct RestoreReport {
    /// The chip's unique id.
    pub uid: Uid,
    /// Pages erased one by one.
    pub pages_erased: u32,
    /// Pages that were right already.
    pub pages_skipped: u32,
    /// Bytes programmed.
    pub bytes_programmed: u32,
    /// Whether the chip was erased as a whole, to unlock it.
    pub mass_erased: bool,
    /// Whether everything was read back and is right.
    pub verified: bool,
    /// The option bytes, as in the backup.
    pub option_bytes: OptionBytes,
}

/// Puts flash and option bytes back to what the backup says.
pub fn restore(job: &mut Job<'_>, path: &Path, consent: Option<EraseConsent>) -> Result<RestoreReport, Error> {
    let backup = Backup::open(path)?;
    let flash = backup.flash.as_deref().ok_or(Error::BackupWithoutFlash)?;
    let uid = backup.uid;
    let (board, status) = job.insist(|job, mut board| {
        if board.uid != uid {
            return Err(untouched(BoardError::OtherBoard { expected: uid, found: board.uid }));
        }
        let status = job.step(Step::Identify, |_| board.status()).map_err(untouched)?;
        Ok((board, status))
    })?;
    let target = Target::for_chip(flash.len() as u32 / 1024);
    if (board.chip.flash_kib as usize) < flash.len() / 1024 {
        let (found, needed) = (board.chip.flash_kib, flash.len() as u32 / 1024);
        return Err(untouched(BoardError::TooSmall { found, needed }));
    }
    let plan = FlashPlan::whole(target, flash);
    if let Some(what) = write::obstacle(&status, &plan, target) {
        consent.ok_or(Error::Consent { what, data: None })?;
    }

    let user = backup.option_bytes.user();
    let permit = Permit { target, consent, extent: Extent::Changes, user, known: Known { status, flash: None } };
    let mut written = write::write(job, board, &plan, &permit)?;
    let stopped = Error::stopped(BoardState::Written);
    let same = written.board.status().map_err(&stopped)?.option_bytes == backup.option_bytes.mended();
    if same {
        job.skip(Step::Lock);
    } else {
        let restore =
            |_: &mut dyn crate::board::progress::Progress| written.board.restore_options(target, backup.option_bytes);
        job.step(Step::Lock, restore).map_err(&stopped)?;
    }
    let option_bytes = backup.option_bytes;
    let write::Tally { pages_erased, pages_skipped, bytes_programmed, mass_erased, .. } = written.tally;
    job.step(Step::Reset, |_| written.board.reset()).map_err(&stopped)?;
    Ok(RestoreReport { uid, pages_erased, pages_skipped, bytes_programmed, mass_erased, verified: true, option_bytes })
}
