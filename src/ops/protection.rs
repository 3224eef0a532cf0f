//! The only places that remove a protection or set one.

use super::{Error, Job};
use crate::{
    board::{
        Board, Consent, Erasure, OptionBytes, PageWrite, Protection, Status,
        progress::{Progress, Step},
    },
    target::Target,
};

/// Removes read-out and write protection. If the option bytes have been erased meanwhile, only this run knows what `user`
/// was. `next` is what will be programmed if the chip erases itself.
pub(super) fn remove<'p>(
    job: &mut Job<'p>,
    mut board: Board<'p>,
    target: &Target,
    protection: Protection,
    user: u8,
    consent: Consent,
    next: &[PageWrite],
) -> Result<(Board<'p>, Erasure), Error> {
    job.check_contact(&mut board)?;
    job.known.protection = None;
    let unlock =
        |progress: &mut dyn Progress| board.remove_protection(&target.map, protection, user, consent, next, progress);
    let removed = job.step(Step::Unlock, unlock);
    // After a loss of contact it counts as done, unless nothing has begun.
    if job.has_changed() {
        job.known.done().options_written = true;
        job.known.done().mass_erased |= protection == Protection::Read;
    }
    let (mut board, erasure) = removed?;
    job.known.protection = Some(Protection::None);
    job.known.done().mass_erased |= erasure == Erasure::Everything;
    if board.chip.flash_kib.is_none() {
        board.read_size_again()?;
    }
    board.settle_size()?;
    job.progress.on(board.event(Protection::None));
    Ok((board, erasure))
}

/// Whether read-out protection is on, beside these option bytes, and stays on.
pub(super) fn is_set(status: &Status, options: OptionBytes) -> bool {
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
    let set = job.step(Step::Lock, |_| {
        board.set_protection(&target.map, options)?;
        board.reset_and_halt()?;
        board.status().map(|status| status.protection)
    });
    if job.has_changed() {
        job.known.done().options_written = true;
    }
    let protection = set?;
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
