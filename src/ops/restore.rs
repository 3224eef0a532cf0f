//! `restore`: puts a backup back, option bytes included, or what a dump holds.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{
    BackupStore, Change, DataSource, Error, Extent, Job, change,
    contents::Contents,
    events::{self, Pages},
    job::{or_resume, refused},
    known::Done,
    report,
    restore_file::RestoreFile,
    watchdog,
};
use crate::{
    block::{DataBlock, Mileage, Serial, Uid},
    board::{Board, Consent, Error as BoardError, OptionBytes, Status, VerifiedBy, progress::Step},
};

/// What `restore` did.
#[derive(Debug, Clone, Serialize)]
pub struct RestoreReport {
    /// The chip's UID.
    pub uid: Uid,
    /// The serial number in the data block of the file.
    pub serial: Option<Serial>,
    /// The mileage in it, in metres.
    pub mileage_m: Option<Mileage>,
    /// What was done to the board.
    #[serde(flatten)]
    pub done: Done,
    /// Whether everything is right.
    pub verified: bool,
    /// How that was found out.
    pub verified_by: Option<VerifiedBy>,
    /// The option bytes: those of the file, with right complements, or the board's own.
    pub option_bytes: OptionBytes,
    /// The backup made before.
    #[serde(serialize_with = "report::some_path")]
    pub backup: Option<PathBuf>,
}

/// Puts back what a file holds. What the board holds now is saved first.
///
/// A backup goes to the chip that it was made of, with everything in flash and the option bytes. A dump gives bootloader,
/// firmware and data block, whichever chip it was read from; the block gets the UID of the chip it goes to. Option bytes
/// behind a dump are written too; else the board's own stay.
pub fn restore(
    job: &mut Job<'_>,
    path: &Path,
    consent: Option<Consent>,
    backups: &BackupStore,
    forced: &[String],
) -> Result<RestoreReport, Error> {
    let (uid, block, option_bytes) = job.account(|job| {
        if job.known.files.is_empty() {
            job.known.files.push(path.to_owned());
        }
        let file = RestoreFile::open(path, forced)?;
        let (board, decided) = decide(job, &file, consent, backups, forced)?;
        let uid = board.uid;
        Ok((uid, file.block().cloned(), put_back(job, &file, backups, board, &decided)?))
    })?;
    Ok(RestoreReport {
        uid,
        serial: block.as_ref().and_then(DataBlock::serial),
        mileage_m: block.as_ref().map(DataBlock::mileage),
        done: job.known.done.unwrap_or_default(),
        verified: job.known.verified == Some(true),
        verified_by: job.known.verified_by,
        option_bytes,
        backup: job.known.backup.clone(),
    })
}

/// Everything that is decided before anything is changed.
struct RestoreDecision {
    status: Status,
    contents: Contents,
    change: Change<'static>,
}

/// Reads the board and decides what is to be changed; if it will be saved, what will be erased is read twice.
fn decide<'p>(
    job: &mut Job<'p>,
    file: &RestoreFile,
    consent: Option<Consent>,
    backups: &BackupStore,
    forced: &[String],
) -> Result<(Board<'p>, RestoreDecision), Error> {
    let (target, scooters) = (file.target, file.scooters());
    if let Some(block) = file.block() {
        job.known.writes(block, None);
    }
    file.warn_of_doubts(job);
    let (board, decided) = job.with_board(|job, board| {
        let found = board.uid;
        if let Some(expected) = file.uid.filter(|expected| *expected != found) {
            return Err(refused(board, BoardError::OtherBoard { expected, found }));
        }
        let mut board = board;
        let status = job.identify(&mut board)?;
        let goal = job.check_size(&board, target).and_then(|()| file.goal(&board, forced));
        let (mut board, mut goal) = or_resume(board, goal)?;
        let contents = Contents::read(job, &mut board, &status, target, &[])?;
        let judged = contents.judge(job, &scooters, file.block().and_then(DataBlock::serial), forced);
        let (mut board, gate) = or_resume(board, judged)?;
        job.warn_of_forced(&gate);
        goal.forced.extend(gate);
        job.known.forced = Some(goal.forced.clone());
        if file.uid.is_none() && contents.has_pending_update(target) {
            // The bootloader would copy what is staged over the firmware at its first start.
            goal.plan.blank(target.map.regions.update.start);
        }
        let user = goal.options.map_or_else(|| backups.user(found, status.option_bytes), |options| options.user());
        let data = contents.data_change(file.block().and_then(|block| Some((block.serial()?, block.mileage()))));
        let change = Change::new(goal, (&status, contents.flash.as_deref()), (Extent::Changes, consent), user, data);
        if backups.saves() {
            contents.confirm(&mut board, &change)?;
        }
        Ok((board, RestoreDecision { status, contents, change }))
    })?;
    if let Some(block) = file.block() {
        job.known.writes(block, Some(DataSource::File));
        file.warn_of_replaced(job, block, &decided.contents, board.uid);
    }
    let change = &decided.change;
    Pages::of(target, &board.chip).plan(job.progress, change.erases(), &change.work);
    Ok((board, decided))
}

/// Makes the change. Returns the option bytes that the board has now.
fn put_back<'p>(
    job: &mut Job<'p>,
    file: &RestoreFile,
    backups: &BackupStore,
    board: Board<'p>,
    RestoreDecision { status, contents, change }: &RestoreDecision,
) -> Result<OptionBytes, Error> {
    let uid = board.uid;
    if change.is_empty() {
        // All of it has just been read.
        job.known.done = Some(Done { pages_skipped: change.work.skipped, ..Done::default() });
        job.known.verified = Some(true);
        job.known.verified_by = Some(VerifiedBy::Read);
        events::skipped(job.progress, &change.goal.plan, &change.work);
        job.skip(Step::Program);
        job.probes.ledger().matches_plan();
        board.resume()?;
        return Ok(status.option_bytes);
    }
    if let Some(obstacle) = change.needs_consent() {
        return Err(job.not_agreed(board, obstacle, change.data));
    }
    let saved = backups.save_for(job, &contents.backup(uid, status));
    let (board, _) = or_resume(board, saved)?;
    watchdog::warn(job, change.user, "m365-drv unlock --software-watchdog");

    // Up to here nothing has been changed.
    let mut option_bytes = status.option_bytes;
    let board = change::make(job, board, change, *status, &mut |job, board| {
        option_bytes = change::set_options(job, board, file.target, |found| file.options.unwrap_or(found))?;
        Ok(())
    })?;
    job.persist(board, |job, board| Ok(job.step(Step::Reset, |_| board.reset())?))?;
    Ok(option_bytes)
}
