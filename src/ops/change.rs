//! The part of `flash` that changes the board, and that continues after contact was lost.

use super::{
    DataChange, Error, Extent, FlashPlan, Job, Obstacle, Work,
    events::{self, Pages},
    job::refused,
};
use crate::{
    board::{
        Board, BoardState, Comparison, EraseConsent, Erasure, Error as BoardError, Protection, SecondHalf, Status,
        progress::{Progress, Step},
    },
    target::Target,
};

/// What writing needs to know beside the plan.
pub(super) struct Permit<'a> {
    /// The scooter.
    pub(super) target: &'a Target,
    /// Given if the chip may be erased to unlock it.
    pub(super) consent: Option<EraseConsent>,
    /// How much to write.
    pub(super) extent: Extent,
    /// The option byte USER as it was before anything was changed.
    pub(super) user: u8,
    /// What has been read since the core was halted.
    pub(super) known: Reading<'a>,
}

/// What is known of a board whose core has not run since it was read.
#[derive(Clone, Copy)]
pub(super) struct Reading<'a> {
    /// The protections.
    pub(super) status: Status,
    /// Main flash.
    pub(super) flash: Option<&'a [u8]>,
}

/// What was done to reach the plan, and the board in the state in which it was verified.
pub(super) struct Written<'p> {
    pub(super) board: Board<'p>,
    pub(super) done: Done,
}

impl Written<'_> {
    /// Writes USER, unless unlocking has done so.
    pub(super) fn set_user(&mut self, job: &mut Job<'_>, target: &Target, user: u8) -> Result<(), Error> {
        let options = self.board.status()?.option_bytes;
        let wanted = options.with_user(user);
        if options != wanted {
            self.done.options_written = true;
            let write = |_: &mut dyn Progress| self.board.restore_options(target, wanted);
            job.step(Step::Lock, write)?;
            job.probes.ledger().matches_plan();
        }
        Ok(())
    }
}

/// What was done, over all passes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Done {
    pub(super) mass_erased: bool,
    pub(super) options_written: bool,
    pub(super) pages_erased: u32,
    pub(super) pages_skipped: u32,
    pub(super) bytes_programmed: u32,
    pub(super) reconnects: u32,
}

/// How often pages that read back wrong are written again before the chip is considered bad.
const PASSES: u32 = 3;

/// Makes the board match the plan and proves it by reading everything back over a fresh connection.
pub(super) fn write<'p>(
    job: &mut Job<'p>,
    board: Board<'p>,
    plan: &FlashPlan,
    permit: &Permit<'_>,
) -> Result<Written<'p>, Error> {
    let mut run = Run { done: Done::default(), left: usize::MAX, known: Some(permit.known), told_erased: false };
    let mut wrong = 0;
    let before = job.reconnects;
    let board = job.persist(board, |job, board| {
        let mut board = board;
        loop {
            let comparison;
            (board, comparison) = run.pass(job, board, plan, permit)?;
            match comparison {
                Comparison::Same => {
                    events::verified(job.progress, plan);
                    return Ok(board);
                }
                Comparison::Differs { address, expected, found, bytes } => {
                    wrong += 1;
                    if wrong == PASSES {
                        return Err(Error::Differs { address, expected, found, bytes });
                    }
                }
            }
        }
    })?;
    job.probes.ledger().matches_plan();
    Ok(Written { board, done: Done { reconnects: job.reconnects - before, ..run.done } })
}

/// What has to be removed before the plan can be written.
pub(super) fn obstacle(status: &Status, plan: &FlashPlan, target: &Target) -> Option<Obstacle> {
    Obstacle::to_reading(status)
        .or_else(|| is_write_protected(status, plan, target).then_some(Obstacle::WriteProtected))
}

/// Whether an unlock was interrupted after it had opened flash, and may be finished.
pub(super) fn is_unfinished(status: &Status, consent: Option<EraseConsent>) -> bool {
    consent.is_some() && !status.option_bytes.complements_right()
}

/// Whether a planned page cannot be written as the chip is now.
fn is_write_protected(status: &Status, plan: &FlashPlan, target: &Target) -> bool {
    let pages = target.flash.len() as u32 / target.page;
    let protected = status.write_protected_pages(pages);
    plan.parts().iter().any(|part| {
        let first = (part.address - target.flash.start) / target.page;
        let last = first + part.bytes.len() as u32 / target.page;
        protected.iter().any(|page| (first..last).contains(page))
    })
}

/// Reads the planned pages, to find out which are right.
fn examine(board: &mut Board<'_>, plan: &FlashPlan, extent: Extent) -> Result<Work, BoardError> {
    let read = |part: &crate::board::Part| board.read(part.address..part.address + part.bytes.len() as u32);
    let found = plan.parts().iter().map(read).collect::<Result<Vec<_>, _>>()?;
    Ok(plan.work_on(&found, extent))
}

struct Run<'k> {
    done: Done,
    /// Pages that were wrong when last looked at.
    left: usize,
    known: Option<Reading<'k>>,
    /// Whether it was told that the chip has erased every page.
    told_erased: bool,
}

impl Run<'_> {
    /// One go from whatever the board is now. Begins by looking, so that it does the same after an interruption as at first.
    fn pass<'p>(
        &mut self,
        job: &mut Job<'p>,
        mut board: Board<'p>,
        plan: &FlashPlan,
        permit: &Permit<'_>,
    ) -> Result<(Board<'p>, Comparison), Error> {
        let target = permit.target;
        let known = self.known.take();
        let status = match known {
            Some(known) => known.status,
            None => board.status()?,
        };
        job.known.protection = Some(status.protection);
        let to_unlock = Obstacle::to_reading(&status).is_some()
            || is_unfinished(&status, permit.consent)
            || is_write_protected(&status, plan, target);
        let mut erasure = Erasure::Nothing;
        if to_unlock {
            // Asked for and given before the first pass; a board that locks itself on the way had to be erased anyway.
            let Some(consent) = permit.consent else {
                let obstacle = obstacle(&status, plan, target).unwrap_or(Obstacle::HalfUnlocked);
                return Err(locked_meanwhile(job, board, obstacle));
            };
            job.check_contact(&mut board)?;
            self.done.options_written = true;
            self.done.mass_erased |= status.protection == Protection::Read;
            job.known.protection = None;
            // If the option bytes have been erased meanwhile, only this run knows what USER was.
            let unlock = |progress: &mut dyn Progress| {
                board.remove_protection(target, status.protection, permit.user, consent, progress)
            };
            (board, erasure) = job.step(Step::Unlock, unlock)?;
            job.known.protection = Some(Protection::None);
            if board.chip.flash_kib.is_none() {
                board.read_size_again()?;
            }
            board.settle_size()?;
            if erasure == Erasure::Everything {
                self.done.mass_erased = true;
            }
            job.progress.on(board.event(Protection::None));
        } else {
            job.skip(Step::Unlock);
            if known.is_none() {
                // What runs may be the flash algorithm, from before contact was lost.
                board.reset_and_halt()?;
            }
        }

        if self.done.mass_erased && !self.told_erased {
            Pages::of(target, &board.chip).erased(job.progress);
            self.told_erased = true;
        }
        let extent = if job.probes.ledger().board() == BoardState::Untouched { permit.extent } else { Extent::Changes };
        let mut work = match known.and_then(|known| known.flash) {
            _ if erasure == Erasure::Everything => {
                job.skip(Step::Examine);
                plan.work_on_blank()
            }
            Some(flash) => {
                job.skip(Step::Examine);
                plan.work_on_flash(target, flash, extent)
            }
            None => job.step(Step::Examine, |_| examine(&mut board, plan, extent))?,
        };
        if !to_unlock && known.is_some() && !work.is_empty() {
            // The algorithm needs the clock and the peripherals as a reset leaves them.
            board.reset_and_halt()?;
        }
        if !work.is_empty() && board.second_half(target)? == SecondHalf::Undecided {
            board.prove_second_half(target, &work.pages, job.progress)?;
            work = job.step(Step::Examine, |_| examine(&mut board, plan, Extent::Changes))?;
        }
        if work.pages.len() < self.left {
            self.left = work.pages.len();
            job.achieved();
        }
        self.done.pages_skipped = work.skipped;
        events::skipped(job.progress, plan, &work);
        if work.is_empty() {
            job.skip(Step::Program);
        } else {
            self.done.pages_erased += work.erases();
            self.done.bytes_programmed += work.programmed_bytes();
            job.step(Step::Program, |progress| board.program(target, &work.pages, progress))?;
        }

        let verified = job.step(Step::Verify, |progress| {
            let mut board = board.reattach()?;
            let comparison = board.compare(plan.parts(), Step::Verify, progress)?;
            Ok::<_, BoardError>((board, comparison))
        });
        Ok(verified?)
    }
}

/// The board has locked itself since it was looked at, and nobody has agreed to an erase.
fn locked_meanwhile(job: &Job<'_>, board: Board<'_>, obstacle: Obstacle) -> Error {
    if job.probes.ledger().board() != BoardState::Untouched {
        return BoardError::StillProtected.into();
    }
    let uid = board.uid;
    refused(board, Error::Consent { uid, obstacle, data: DataChange::default() })
}
