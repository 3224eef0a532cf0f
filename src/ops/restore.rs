//! `restore`: puts a backup back, option bytes included.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{
    BoardState, Error, Extent, FlashPlan, Job,
    backup::Backup,
    contents::Contents,
    job::{refused, untouched},
    keep::Keep,
    prepare::check_size,
    report,
    write::{self, Known, Permit},
};
use crate::{
    block::Uid,
    board::{
        EraseConsent, Error as BoardError, OptionBytes,
        progress::{Progress, Step},
    },
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
    /// Whether the option bytes were written.
    pub options_written: bool,
    /// The option bytes: those of the backup, with right complements.
    pub option_bytes: OptionBytes,
    /// The backup made before.
    #[serde(serialize_with = "report::some_path")]
    pub backup: Option<PathBuf>,
}

/// Puts flash and option bytes back to what the backup says. What the board holds now is saved first.
pub fn restore(
    job: &mut Job<'_>,
    path: &Path,
    consent: Option<EraseConsent>,
    keep: &Keep,
) -> Result<RestoreReport, Error> {
    job.account(|job| put_back(job, path, consent, keep))
}

fn put_back(
    job: &mut Job<'_>,
    path: &Path,
    consent: Option<EraseConsent>,
    keep: &Keep,
) -> Result<RestoreReport, Error> {
    let backup = Backup::open(path)?;
    let flash = backup.flash.as_deref().ok_or(Error::BackupWithoutFlash)?;
    let uid = backup.uid;
    let target = Target::for_chip(flash.len() as u32 / 1024);
    let options = backup.option_bytes.mended();
    let plan = FlashPlan::whole(target, flash);
    let (board, status, held) = job.insist(|job, mut board| {
        if board.uid != uid {
            let found = board.uid;
            return Err(refused(board, untouched(BoardError::OtherBoard { expected: uid, found })));
        }
        if let Err(error) = check_size(job, &board, target) {
            return Err(refused(board, error));
        }
        let status = job.identify(&mut board)?;
        let held = job.step(Step::Rescue, |_| Contents::read(&mut board, &status, target)).map_err(untouched)?;
        if let Some(now) = held.flash.as_deref().filter(|_| keep.keeps()) {
            let work = plan.work_on_flash(target, now, Extent::Changes);
            held.confirm(&mut board, target, &work).map_err(untouched)?;
        }
        Ok((board, status, held))
    })?;
    let is_right = |held: &[u8]| held[..flash.len()] == *flash && status.option_bytes == options;
    let mut report = RestoreReport {
        uid,
        pages_erased: 0,
        pages_skipped: flash.len() as u32 / target.page,
        bytes_programmed: 0,
        mass_erased: false,
        options_written: false,
        verified: true,
        option_bytes: options,
        backup: None,
    };
    if held.flash.as_deref().is_some_and(is_right) {
        // All of it has just been read.
        job.skip(Step::Program);
        board.resume().map_err(untouched)?;
        return Ok(report);
    }
    if let Some(obstacle) = write::obstacle(&status, &plan, target).filter(|_| consent.is_none()) {
        return Err(refused(board, Error::Consent { uid, obstacle, data: None }));
    }
    match keep.save_for(job, &held.backup(uid, &status)) {
        Ok(path) => report.backup = path,
        Err(error) => return Err(refused(board, error.into())),
    }

    // Up to here nothing has been changed.
    let known = Known { status, flash: held.flash.as_deref().map(|held| &held[..flash.len()]) };
    let permit = Permit { target, consent, extent: Extent::Changes, user: options.user(), known };
    let mut written = write::write(job, board, &plan, &permit)?;
    let stopped = Error::stopped(BoardState::Written);
    report.options_written = written.tally.options_written;
    if written.board.status().map_err(&stopped)?.option_bytes == options {
        job.skip(Step::Lock);
    } else {
        let restore = |_: &mut dyn Progress| written.board.restore_options(target, options);
        job.step(Step::Lock, restore).map_err(Error::stopped(BoardState::Partial))?;
        report.options_written = true;
    }
    let write::Tally { pages_erased, pages_skipped, bytes_programmed, mass_erased, .. } = written.tally;
    job.step(Step::Reset, |_| written.board.reset()).map_err(&stopped)?;
    Ok(RestoreReport { pages_erased, pages_skipped, bytes_programmed, mass_erased, ..report })
}
