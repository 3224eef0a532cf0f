//! The part of `flash` that changes the board, and that goes on after contact was lost.

use super::{BoardState, Error, Extent, FlashPlan, FlashRequest, Job, Work};
use crate::{
    board::{Board, Comparison, Error as BoardError, Protection, Reclock, Recipe, Status, Wait, progress::Step},
    target::Target,
};
use std::time::Duration;

/// What was done to reach the plan.
pub(super) struct Written<'p> {
    pub(super) board: Board<'p>,
    pub(super) mass_erased: bool,
    pub(super) pages_erased: u32,
    pub(super) pages_skipped: u32,
    pub(super) bytes_programmed: u32,
    pub(super) reconnects: u32,
}

/// How long contact may be lost where no waiting time was asked for.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often contact may be lost where no waiting time was asked for. Each time the clock goes down a step.
const LOSSES: u32 = 10;
/// How often pages that read back wrong are written again, before the chip is called bad.
const PASSES: u32 = 3;

/// Makes the board match the plan and proves it by reading everything back over a fresh connection.
pub(super) fn write<'p>(
    job: &mut Job<'p>,
    board: Board<'p>,
    plan: &FlashPlan,
    request: &FlashRequest<'_>,
) -> Result<Written<'p>, Error> {
    let mut run = Run { recipe: board.recipe(), state: BoardState::Untouched, tally: Tally::default() };
    let mut board = board;
    let mut wrong = 0;
    loop {
        match run.pass(job, board, plan, request) {
            Ok((board, Comparison::Same)) => {
                let Tally { mass_erased, pages_erased, pages_skipped, bytes_programmed, reconnects } = run.tally;
                return Ok(Written { board, mass_erased, pages_erased, pages_skipped, bytes_programmed, reconnects });
            }
            Ok((again, Comparison::Differs { address, expected, found, bytes })) => {
                wrong += 1;
                if wrong == PASSES {
                    return Err(Error::Differs { board: BoardState::Partial, address, expected, found, bytes });
                }
                board = again;
            }
            Err(error) => board = run.recover(job, error)?,
        }
    }
}

/// Whether a planned page cannot be written as the chip is now.
pub(super) fn is_write_protected(status: &Status, plan: &FlashPlan, target: &Target) -> bool {
    let pages = target.flash.len() as u32 / target.page;
    let protected = status.write_protected_pages(pages);
    plan.parts().iter().any(|part| {
        let first = (part.address - target.flash.start) / target.page;
        let last = first + part.bytes.len() as u32 / target.page;
        protected.iter().any(|page| (first..last).contains(page))
    })
}

/// Reads the planned pages, to find out which are right.
pub(super) fn examine(board: &mut Board<'_>, plan: &FlashPlan, extent: Extent) -> Result<Work, BoardError> {
    let read = |part: &crate::board::Part| board.read(part.address..part.address + part.bytes.len() as u32);
    let found = plan.parts().iter().map(read).collect::<Result<Vec<_>, _>>()?;
    Ok(plan.work_on(&found, extent))
}

#[derive(Default)]
struct Tally {
    mass_erased: bool,
    pages_erased: u32,
    pages_skipped: u32,
    bytes_programmed: u32,
    reconnects: u32,
}

struct Run<'p> {
    recipe: Recipe<'p>,
    state: BoardState,
    tally: Tally,
}

impl<'p> Run<'p> {
    /// One go from whatever the board is now. Begins by looking, so that it does the same after an interruption as at first.
    fn pass(
        &mut self,
        job: &mut Job<'p>,
        mut board: Board<'p>,
        plan: &FlashPlan,
        request: &FlashRequest<'_>,
    ) -> Result<(Board<'p>, Comparison), BoardError> {
        let target = request.target;
        let status = board.status()?;
        let locked = status.protection == Protection::Read;
        if locked || is_write_protected(&status, plan, target) {
            // Asked for and given before the first pass; a board that locks itself on the way had to be erased anyway.
            let Some(consent) = request.consent else { return Err(BoardError::StillProtected) };
            self.state = self.state.max(BoardState::Partial);
            board = job.step(Step::Unlock, |progress| board.remove_protection(target, consent, progress))?;
            self.tally.mass_erased |= locked;
            if locked {
                self.state = BoardState::Erased;
            }
        } else {
            job.skip(Step::Unlock);
            board.reset_and_halt()?;
        }

        let work = if locked {
            job.skip(Step::Examine);
            plan.work_on_blank()
        } else {
            let first = self.state == BoardState::Untouched;
            let extent = if first { request.extent } else { Extent::Changes };
            job.step(Step::Examine, |_| examine(&mut board, plan, extent))?
        };
        self.tally.pages_skipped = work.skipped;
        if work.is_empty() {
            job.skip(Step::Program);
        } else {
            self.state = BoardState::Partial;
            self.tally.pages_erased += work.erases();
            self.tally.bytes_programmed += work.programmed_bytes();
            job.step(Step::Program, |progress| board.program(target, &work.pages, progress))?;
        }

        job.step(Step::Verify, |progress| {
            let mut board = board.reattach()?;
            let comparison = board.compare(plan.parts(), Step::Verify, progress)?;
            Ok((board, comparison))
        })
    }

    /// Reaches the board again, if that is what it takes.
    fn recover(&mut self, job: &mut Job<'p>, error: BoardError) -> Result<Board<'p>, Error> {
        let board = self.state;
        let wait = job.connect.wait;
        if !error.is_link() || wait == Wait::No && self.tally.reconnects == LOSSES {
            return Err(Error::stopped(board)(error));
        }
        self.tally.reconnects += 1;
        job.warn("contact-lost", format!("{error}; going on as soon as the board answers again"));
        let patience = if wait == Wait::No { Wait::For(PATIENCE) } else { wait };
        let recipe = &self.recipe;
        let reached = job
            .step(Step::Connect, |progress| recipe.connect(Reclock::Slower, patience, progress))
            .map_err(Error::stopped(board))?;
        self.recipe = reached.recipe();
        Ok(reached)
    }
}
