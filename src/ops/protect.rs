//! `unlock`, `lock` and `reset`.

use std::path::PathBuf;

use serde::Serialize;

use super::{
    BoardState, Error, Job,
    backup::{Held, Keep},
    job::untouched,
};
use crate::{
    block::Uid,
    board::{Board, EraseConsent, OptionBytes, Protection, Status, progress::Step},
    target::Target,
};

/// What `unlock` did.
#[derive(Debug, Clone, Serialize)]
pub struct UnlockReport {
    /// The chip's unique id.
    pub uid: Uid,
    /// Protection before.
    pub before: Protection,
    /// Protection now.
    pub protection: Protection,
    /// Whether the flash was erased by it.
    pub erased: bool,
    /// The backup made before.
    pub backup: Option<PathBuf>,
}

/// What `lock` did.
#[derive(Debug, Clone, Serialize)]
pub struct LockReport {
    /// The chip's unique id.
    pub uid: Uid,
    /// Protection before.
    pub before: Protection,
    /// Protection now.
    pub protection: Protection,
}

/// Removes read-out and write protection; erases the chip where read-out protection was on.
pub fn unlock(job: &mut Job<'_>, consent: Option<EraseConsent>, keep: &Keep) -> Result<UnlockReport, Error> {
    let mut saved = None;
    job.insist(|job, board| remove(job, board, consent, keep, &mut saved))
}

/// `saved` is the backup made before contact was lost: what the board holds by now is not what was to be kept.
fn remove<'p>(
    job: &mut Job<'p>,
    mut board: Board<'p>,
    consent: Option<EraseConsent>,
    keep: &Keep,
    saved: &mut Option<PathBuf>,
) -> Result<UnlockReport, Error> {
    let uid = board.uid;
    let status = job.step(Step::Identify, |_| board.status()).map_err(untouched)?;
    let before = status.protection;
    let options = status.option_bytes;
    let will_protect = options.protects();
    if before == Protection::None && status.write_protection == u32::MAX && options.complements_right() && !will_protect
    {
        job.skip(Step::Unlock);
        board.resume().map_err(untouched)?;
        return Ok(UnlockReport { uid, before, protection: before, erased: false, backup: saved.clone() });
    }
    let what = match before {
        Protection::None if will_protect => "about to be read-protected",
        Protection::None if status.write_protection == u32::MAX => "half unlocked",
        Protection::None => "write-protected",
        Protection::Read => "read-protected",
    };
    let consent = consent.ok_or(Error::Consent { what, data: None })?;
    let target = Target::for_chip(board.chip.flash_kib);
    if saved.is_none() {
        let held = job.step(Step::Rescue, |_| Held::read(&mut board, &status, target)).map_err(untouched)?;
        *saved = job.step(Step::Backup, |_| keep.save(&held.backup(uid, &status)))?;
    }
    board.check_contact().map_err(untouched)?;
    let user = options.known_user().or_else(|| keep.earlier_user(uid)).unwrap_or(0xFF);
    let status = Status { option_bytes: OptionBytes::open(user), ..status };

    // Up to here nothing has been changed.
    let changed = Error::stopped(BoardState::Partial);
    let board = job
        .step(Step::Unlock, |progress| board.remove_protection(target, &status, consent, progress))
        .map_err(&changed)?;
    job.step(Step::Reset, |_| board.reset()).map_err(&changed)?;
    Ok(UnlockReport {
        uid,
        before,
        protection: Protection::None,
        erased: before == Protection::Read || will_protect,
        backup: saved.clone(),
    })
}

/// Turns read-out protection on. The chip is reset, which puts it in force.
pub fn lock(job: &mut Job<'_>) -> Result<LockReport, Error> {
    let mut found = None;
    job.insist(|job, board| set(job, board, &mut found))
}

/// `found` is the state before contact was lost: the option bytes may have been erased by then.
fn set<'p>(job: &mut Job<'p>, mut board: Board<'p>, found: &mut Option<Status>) -> Result<LockReport, Error> {
    let uid = board.uid;
    let status = job.step(Step::Identify, |_| board.status()).map_err(untouched)?;
    let Status { protection: before, option_bytes: options, .. } = *found.get_or_insert(status);
    if status.protection == Protection::Read && status.option_bytes.complements_right() {
        job.skip(Step::Lock);
        board.resume().map_err(untouched)?;
        return Ok(LockReport { uid, before, protection: Protection::Read });
    }
    let target = Target::for_chip(board.chip.flash_kib);
    let changed = Error::stopped(BoardState::Partial);
    let protection = job
        .step(Step::Lock, |_| {
            board.set_protection(target, options)?;
            board.reset_and_halt()?;
            board.status().map(|status| status.protection)
        })
        .map_err(&changed)?;
    if protection == Protection::None {
        return Err(changed(crate::board::Error::NotLocked));
    }
    job.step(Step::Reset, |_| board.reset()).map_err(&changed)?;
    Ok(LockReport { uid, before, protection })
}

/// Resets the chip and lets it run.
pub fn reset(job: &mut Job<'_>) -> Result<Uid, Error> {
    job.insist(|job, board| {
        let uid = board.uid;
        job.step(Step::Reset, |_| board.reset()).map_err(untouched)?;
        Ok(uid)
    })
}
