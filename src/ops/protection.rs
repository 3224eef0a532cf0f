//! `unlock`, `lock` and `reset`.

use std::path::PathBuf;

use serde::Serialize;

use super::{
    BackupStore, Error, Job, Obstacle, Work,
    contents::Contents,
    data_change::DataChange,
    events::Pages,
    job::{or_resume, refused},
    report,
    watchdog::{self, Watchdog},
};
use crate::{
    block::{Mileage, Serial, Uid},
    board::{
        Board, EraseConsent, Erasure, OptionBytes, Protection, Status,
        progress::{Progress, Step},
    },
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

/// What `lock` did.
#[derive(Debug, Clone, Serialize)]
pub struct LockReport {
    /// The chip's UID.
    pub uid: Uid,
    /// Protection before.
    pub before: Protection,
    /// Protection now.
    pub protection: Protection,
    /// Whether the option bytes were written.
    pub options_written: bool,
}

/// What was found and done before contact was lost: what the board holds by now may be another thing.
#[derive(Debug)]
struct Begun {
    status: Status,
    /// Whether the option bytes may have been written.
    wrote: bool,
    /// The serial number and the mileage that were found.
    data: (Option<Serial>, Option<Mileage>),
    backup: Option<PathBuf>,
}

impl Begun {
    fn new(status: Status) -> Self {
        Self { status, wrote: false, data: (None, None), backup: None }
    }

    /// The end of an unlock. What this try found open may have been erased by an earlier one, before contact was lost.
    fn unlocked(&self, job: &mut Job<'_>, pages: &Pages, uid: Uid, erasure: Erasure) -> UnlockReport {
        let erased = erasure == Erasure::Everything || self.status.protection == Protection::Read;
        if erased {
            job.probes.ledger().erased();
            pages.erased(job.progress);
        } else {
            job.probes.ledger().matches_plan();
        }
        UnlockReport {
            uid,
            before: self.status.protection,
            protection: Protection::None,
            erased,
            options_written: self.wrote,
            serial: self.data.0,
            mileage_m: self.data.1,
            backup: self.backup.clone(),
        }
    }
}

/// Removes read-out and write protection; erases the chip if read-out protection was on.
pub fn unlock(
    job: &mut Job<'_>,
    consent: Option<EraseConsent>,
    backups: &BackupStore,
    watchdog: Watchdog,
) -> Result<UnlockReport, Error> {
    let mut begun = None;
    job.account(|job| job.with_board(|job, board| remove(job, board, (consent, watchdog), backups, &mut begun)))
}

fn remove<'p>(
    job: &mut Job<'p>,
    mut board: Board<'p>,
    (consent, watchdog): (Option<EraseConsent>, Watchdog),
    backups: &BackupStore,
    begun: &mut Option<Begun>,
) -> Result<UnlockReport, Error> {
    let uid = board.uid;
    let status = job.identify(&mut board)?;
    let begun = begun.get_or_insert_with(|| Begun::new(status));
    let now = status.protection;
    let user = watchdog.applied_to(backups.user(uid, begun.status.option_bytes));
    watchdog::warn(job, user, "--software-watchdog");
    let target = Target::for_chip(board.chip.flash_kib);
    let mut contents = None;
    if begun.backup.is_none() && !begun.wrote {
        // Before the question is asked: it says what would be lost.
        contents = Some(Contents::read(job, &mut board, &status, target)?);
        begun.data = (job.known.serial, job.known.mileage_m);
    }
    let pages = Pages::of(target, &board.chip);
    let obstacle = Obstacle::to_openness(&status);
    pages.plan(job.progress, obstacle.is_some_and(Obstacle::erases), &Work::default());
    let Some(obstacle) = obstacle else {
        if watchdog == Watchdog::Software && status.option_bytes.user() != user {
            begun.wrote = true;
            let options = status.option_bytes.with_user(user);
            job.known.protection = None;
            job.step(Step::Unlock, |_| board.restore_options(&target.map, options))?;
            job.known.protection = Some(now);
            job.step(Step::Reset, |_| board.reset())?;
        } else {
            job.skip(Step::Unlock);
            board.resume()?;
        }
        return Ok(begun.unlocked(job, &pages, uid, Erasure::Nothing));
    };
    let Some(consent) = consent else {
        let data = contents.map_or_else(DataChange::default, |contents| contents.data_change(None));
        return Err(refused(board, Error::Consent { uid, obstacle, data }));
    };
    if let Some(contents) = contents {
        (board, begun.backup) = or_resume(board, backups.save_for(job, &contents.backup(uid, &status)))?;
    }
    job.check_contact(&mut board)?;

    // Up to here nothing has been changed.
    begun.wrote = true;
    job.known.protection = None;
    let remove = |progress: &mut dyn Progress| board.remove_protection(&target.map, now, user, consent, progress);
    let (board, erasure) = job.step(Step::Unlock, remove)?;
    job.known.protection = Some(Protection::None);
    job.progress.on(board.event(Protection::None));
    job.step(Step::Reset, |_| board.reset())?;
    Ok(begun.unlocked(job, &pages, uid, erasure))
}

/// Turns read-out protection on. The chip is reset, which puts it in force.
pub fn lock(job: &mut Job<'_>) -> Result<LockReport, Error> {
    let mut begun = None;
    job.account(|job| job.with_board(|job, board| lock_again(job, board, &mut begun)))
}

fn lock_again<'p>(job: &mut Job<'p>, mut board: Board<'p>, begun: &mut Option<Begun>) -> Result<LockReport, Error> {
    let uid = board.uid;
    let status = job.identify(&mut board)?;
    let begun = begun.get_or_insert_with(|| Begun::new(status));
    let Status { protection: before, option_bytes: options, .. } = begun.status;
    begun.wrote |= !is_set(&status, options);
    let protection = set(job, board, &status, options)?;
    Ok(LockReport { uid, before, protection, options_written: begun.wrote })
}

/// Whether read-out protection is on, beside these option bytes, and stays on.
fn is_set(status: &Status, options: OptionBytes) -> bool {
    let now = status.option_bytes;
    status.protection == Protection::Read && now.protects() && now.complements_right() && now.user() == options.user()
}

/// Turns read-out protection on, beside these option bytes, unless it is, and lets the chip run. Returns the protection in
/// force.
pub(super) fn set<'p>(
    job: &mut Job<'p>,
    mut board: Board<'p>,
    status: &Status,
    options: OptionBytes,
) -> Result<Protection, Error> {
    if is_set(status, options) {
        job.skip(Step::Lock);
        board.resume()?;
        // An earlier try may have set it before contact was lost.
        job.probes.ledger().matches_plan();
        return Ok(Protection::Read);
    }
    let target = Target::for_chip(board.chip.flash_kib);
    job.known.protection = None;
    let protection = job.step(Step::Lock, |_| {
        board.set_protection(&target.map, options)?;
        board.reset_and_halt()?;
        board.status().map(|status| status.protection)
    })?;
    job.known.protection = Some(protection);
    job.progress.on(board.event(protection));
    if protection == Protection::None {
        // The option bytes have been read back: they are right.
        job.warn("power-cycle", "protection is set; power-cycle the board to make it take effect");
    }
    job.step(Step::Reset, |_| board.reset())?;
    job.probes.ledger().matches_plan();
    Ok(protection)
}

/// Resets the chip and lets it run.
pub fn reset(job: &mut Job<'_>) -> Result<Uid, Error> {
    job.account(|job| {
        job.with_board(|job, board| {
            let uid = board.uid;
            job.step(Step::Reset, |_| board.reset())?;
            Ok(uid)
        })
    })
}
