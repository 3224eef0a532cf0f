//! `restore`: puts a backup back, option bytes included, or what a dump holds.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{
    BackupStore, DataSource, Error, Extent, Job, Obstacle, Work,
    change::{self, Permit, Reading},
    contents::Contents,
    events::{self, Pages},
    job::refused,
    report,
    restore_file::RestoreFile,
    watchdog,
};
use crate::{
    block::{DataBlock, Mileage, Serial, Uid},
    board::{
        EraseConsent, Error as BoardError, OptionBytes,
        progress::{Progress, Step},
    },
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
    consent: Option<EraseConsent>,
    backups: &BackupStore,
    forced: &[String],
) -> Result<RestoreReport, Error> {
    job.account(|job| put_back(job, path, consent, backups, forced))
}

fn put_back(
    job: &mut Job<'_>,
    path: &Path,
    consent: Option<EraseConsent>,
    backups: &BackupStore,
    forced: &[String],
) -> Result<RestoreReport, Error> {
    if job.known.files.is_empty() {
        job.known.files.push(path.to_owned());
    }
    let goal = RestoreFile::open(path, forced)?;
    let (target, scooters) = (goal.target, goal.scooters());
    if let Some(block) = goal.block() {
        job.known.writes(block, None);
    }
    warn_of_doubts(job, &goal);
    let (board, status, contents, plan) = job.with_board(|job, mut board| {
        let found = board.uid;
        if let Some(expected) = goal.uid.filter(|expected| *expected != found) {
            return Err(refused(board, BoardError::OtherBoard { expected, found }));
        }
        let status = job.identify(&mut board)?;
        if let Err(error) = job.check_size(&board, target) {
            return Err(refused(board, error));
        }
        let mut plan = match goal.check(Some(board.chip.kind), forced).and_then(|()| goal.plan(board.uid)) {
            Ok(plan) => plan,
            Err(error) => return Err(refused(board, error)),
        };
        let contents = job.step(Step::Rescue, |_| Contents::read(&mut board, &status, target))?;
        contents.note(job.known, target);
        contents.tell(job.progress, job.known);
        match contents.judge(job, &scooters, goal.block().and_then(DataBlock::serial), forced) {
            Ok(None) => {}
            Ok(Some(gate)) => job.warn("forced-gate", format!("a check failed and was overridden: {gate}")),
            Err(error) => return Err(refused(board, error)),
        }
        if goal.uid.is_none() && contents.has_pending_update(target) {
            // The bootloader would copy what is staged over the firmware at its first start.
            plan.blank(target.regions.update.start);
        }
        if let Some(now) = contents.flash.as_deref().filter(|_| backups.saves()) {
            let work = plan.work_on_flash(target, now, Extent::Changes);
            contents.confirm(&mut board, target, &work)?;
        }
        Ok((board, status, contents, plan))
    })?;
    let uid = board.uid;
    if let Some(block) = goal.block() {
        job.known.writes(block, Some(DataSource::File));
        warn_of_replaced(job, block, &contents, &goal, uid);
    }
    let options = goal.options.unwrap_or_else(|| status.option_bytes.mended());
    let is_right = |contents: &[u8]| {
        plan.work_on_flash(target, contents, Extent::Changes).is_empty()
            && goal.options.is_none_or(|options| status.option_bytes == options)
    };
    let mut report = RestoreReport::unchanged(uid, &goal, plan.pages_planned(), options);
    let obstacle = change::obstacle(&status, &plan, target);
    let work =
        contents.flash.as_deref().map_or_else(Work::default, |now| plan.work_on_flash(target, now, Extent::Changes));
    Pages::of(target, &board.chip).plan(job.progress, obstacle.is_some_and(Obstacle::erases), Some((&plan, &work)));
    if contents.flash.as_deref().is_some_and(is_right) {
        // All of it has just been read.
        events::skipped(job.progress, &plan, &work);
        job.skip(Step::Program);
        board.resume()?;
        return Ok(RestoreReport { option_bytes: status.option_bytes, ..report });
    }
    if let Some(obstacle) = obstacle.filter(|_| consent.is_none()) {
        let written = goal.block().and_then(|block| Some((block.serial()?, block.mileage())));
        return Err(refused(board, Error::Consent { uid, obstacle, data: contents.data_change(written) }));
    }
    match backups.save_for(job, &contents.backup(uid, &status)) {
        Ok(path) => report.backup = path,
        Err(error) => return Err(refused(board, error)),
    }

    // Up to here nothing has been changed.
    let known = Reading { status, flash: contents.flash.as_deref() };
    let own_user = || status.option_bytes.known_user().or_else(|| backups.earlier(uid).user()).unwrap_or(0xFF);
    let user = goal.options.map_or_else(own_user, |options| options.user());
    watchdog::warn(job, user, "unlock --software-watchdog");
    let permit = Permit { target, consent, extent: Extent::Changes, user, known };
    let mut written = change::write(job, board, &plan, &permit)?;
    report.options_written = written.done.options_written;
    let found = written.board.status()?.option_bytes;
    match goal.options {
        Some(options) if found != options => {
            job.known.protection = None;
            let restore = |_: &mut dyn Progress| written.board.restore_options(target, options);
            job.step(Step::Lock, restore)?;
            job.probes.ledger().matches_plan();
            job.known.protection = Some(status.protection).filter(|_| !options.protects());
            report.options_written = true;
        }
        Some(_) => job.skip(Step::Lock),
        None => {
            report.option_bytes = found;
            job.skip(Step::Lock);
        }
    }
    let change::Done { pages_erased, pages_skipped, bytes_programmed, mass_erased, .. } = written.done;
    job.step(Step::Reset, |_| written.board.reset())?;
    Ok(RestoreReport { pages_erased, pages_skipped, bytes_programmed, mass_erased, ..report })
}

impl RestoreReport {
    /// Of a board that holds all of this already.
    fn unchanged(uid: Uid, goal: &RestoreFile, pages: u32, options: OptionBytes) -> Self {
        Self {
            uid,
            serial: goal.block().and_then(DataBlock::serial),
            mileage_m: goal.block().map(DataBlock::mileage),
            pages_erased: 0,
            pages_skipped: pages,
            bytes_programmed: 0,
            mass_erased: false,
            options_written: false,
            verified: true,
            option_bytes: options,
            backup: None,
        }
    }
}

/// Says which checks a dump failed, whether it is of several scooters, and what becomes of damaged option bytes in the file.
fn warn_of_doubts(job: &mut Job<'_>, goal: &RestoreFile) {
    for gate in &goal.forced {
        job.warn("forced-gate", format!("a check failed and was overridden: {gate}"));
    }
    if let Some((one, other)) = goal.mixed() {
        job.warn("mixed-dump", format!("the dump has {one}, but {other}"));
    }
    if let (Some(damaged), Some(options)) = (goal.damaged, goal.options) {
        let ([damaged, options], form) = ([damaged, options].map(|options| hex::encode(options.0)), goal.form());
        job.warn("option-bytes", format!("the option bytes in the {form} are damaged ({damaged}); using {options}"));
    }
}

/// Says whose data the board gets, if it is another's than the chip's or replaces what the board has.
fn warn_of_replaced(job: &mut Job<'_>, block: &DataBlock, contents: &Contents, goal: &RestoreFile, uid: Uid) {
    let in_words = |block: &DataBlock| {
        let serial = block.serial().map_or("no serial".to_owned(), |serial| format!("serial {serial}"));
        format!("{serial}, {}", block.mileage())
    };
    let form = goal.form();
    // A backup is put back as it is.
    if block.uid() != uid && goal.uid.is_none() {
        let (made_for, data) = (block.uid(), in_words(block));
        job.warn(
            "uid-replaced",
            format!(
                "the dump was made from another chip, {made_for}; its data block ({data}) gets the UID of this one"
            ),
        );
    }
    let own = contents.block.as_ref().map(|(own, _)| own);
    if let Some(own) = own.filter(|own| own.serial() != block.serial() || own.mileage() != block.mileage()) {
        let (given, own) = (in_words(block), in_words(own));
        job.warn("data-replaced", format!("the data block of the {form} ({given}) replaces the board's own ({own})"));
    }
}
