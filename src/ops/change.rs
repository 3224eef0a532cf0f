//! Makes a change to a board: unlocks, programs and verifies it, and continues after contact was lost.

use super::{
    Change, DataChange, Error, Extent, Job, Obstacle, Work,
    events::{self, Pages},
    job::refused,
    known::Done,
    protection,
};
use crate::{
    board::{
        Board, BoardState, Comparison, Erasure, Error as BoardError, OptionBytes, Part, SecondHalf, Status,
        progress::Step,
    },
    target::Target,
};

/// How often pages that read back wrong are written again before the chip is considered bad.
const PASSES: u32 = 3;

/// Makes the board match the plan and proves it by reading everything back over a fresh connection. `status` is what was
/// read before, if the core has not run since.
pub(super) fn make<'p>(
    job: &mut Job<'p>,
    board: Board<'p>,
    change: &Change<'_>,
    status: Status,
) -> Result<Board<'p>, Error> {
    let mut run = Run { change, before: Some(status), left: usize::MAX, told_erased: false };
    let mut wrong = 0;
    job.known.done = Some(Done::default());
    job.known.verified = Some(false);
    let board = job.persist(board, |job, mut board| {
        loop {
            let comparison;
            (board, comparison) = run.pass(job, board)?;
            match comparison {
                Comparison::Same => {
                    events::verified(job.progress, &change.goal.plan);
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
    job.known.reached(&board, job.now());
    job.known.verified = Some(true);
    job.probes.ledger().matches_plan();
    Ok(board)
}

/// Writes the option bytes of a board that has been written, unless they are right. Returns those that it has now.
pub(super) fn set_options(
    job: &mut Job<'_>,
    board: &mut Board<'_>,
    target: &Target,
    wanted: impl FnOnce(OptionBytes) -> OptionBytes,
) -> Result<OptionBytes, Error> {
    let Status { protection, option_bytes: found, .. } = board.status()?;
    let wanted = wanted(found);
    if found == wanted {
        job.skip(Step::Lock);
        return Ok(found);
    }
    job.known.protection = None;
    job.known.done().options_written = true;
    job.step(Step::Lock, |_| board.restore_options(&target.map, wanted))?;
    job.probes.ledger().matches_plan();
    job.known.protection = Some(protection).filter(|_| !wanted.protects());
    Ok(wanted)
}

/// Reads the planned pages, to find out which are right.
fn examine(board: &mut Board<'_>, change: &Change<'_>, extent: Extent) -> Result<Work, BoardError> {
    let plan = &change.goal.plan;
    let read = |part: &Part| board.read(part.address..part.address + part.bytes.len() as u32);
    let found = plan.parts().iter().map(read).collect::<Result<Vec<_>, _>>()?;
    Ok(plan.work_on(&found, extent))
}

struct Run<'c> {
    change: &'c Change<'c>,
    /// The protections, if the core has not run since they were read.
    before: Option<Status>,
    /// Pages that were wrong when last looked at.
    left: usize,
    /// Whether it was told that the chip has erased every page.
    told_erased: bool,
}

impl Run<'_> {
    /// One go from whatever the board is now. Begins by looking, so that it does the same after an interruption as at first.
    fn pass<'p>(&mut self, job: &mut Job<'p>, mut board: Board<'p>) -> Result<(Board<'p>, Comparison), Error> {
        let Self { change, .. } = *self;
        let (target, plan) = (change.goal.target, &change.goal.plan);
        let before = self.before.take();
        let status = match before {
            Some(status) => status,
            None => board.status()?,
        };
        job.known.protection = Some(status.protection);
        let obstacle = plan.obstacle(target, &status, change.consent);
        let mut erasure = Erasure::Nothing;
        if let Some(obstacle) = obstacle {
            // Asked for and given before the first pass; a board that locks itself on the way had to be erased anyway.
            let Some(consent) = change.consent else { return Err(locked_meanwhile(job, board, obstacle)) };
            (board, erasure) = protection::remove(job, board, target, status.protection, change.user, consent)?;
        } else {
            job.skip(Step::Unlock);
            if before.is_none() {
                // What runs may be the flash algorithm, from before contact was lost.
                board.reset_and_halt()?;
            }
        }

        if job.known.done().mass_erased && !self.told_erased {
            Pages::of(target, &board.chip).erased(job.progress);
            self.told_erased = true;
        }
        let extent = if job.probes.ledger().board() == BoardState::Untouched { change.extent } else { Extent::Changes };
        let mut work = if erasure == Erasure::Everything {
            job.skip(Step::Examine);
            plan.work_on_blank()
        } else if before.is_some() && !change.erases() {
            job.skip(Step::Examine);
            change.work.clone()
        } else {
            job.step(Step::Examine, |_| examine(&mut board, change, extent))?
        };
        if obstacle.is_none() && before.is_some() && !work.is_empty() {
            // The algorithm needs the clock and the peripherals as a reset leaves them.
            board.reset_and_halt()?;
        }
        if !work.is_empty() && board.second_half(&target.map)? == SecondHalf::Undecided {
            board.prove_second_half(&target.map, &work.pages, job.progress)?;
            work = job.step(Step::Examine, |_| examine(&mut board, change, Extent::Changes))?;
        }
        if work.pages.len() < self.left {
            self.left = work.pages.len();
            job.achieved();
        }
        events::skipped(job.progress, plan, &work);
        job.known.done().pages_skipped = work.skipped;
        if work.is_empty() {
            job.skip(Step::Program);
        } else {
            job.known.done().pages_erased += work.erases();
            job.known.done().bytes_programmed += work.programmed_bytes();
            job.step(Step::Program, |progress| board.program(&target.map, &work.pages, progress))?;
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
