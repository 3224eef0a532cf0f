//! Makes a change to a board: unlocks, programs and verifies it, and continues after contact was lost.

use std::collections::BTreeSet;

use super::{
    BadPage, Change, Error, Extent, Job, Work,
    events::{self, Pages},
    known::Done,
    protection,
};
use crate::{
    board::{
        Board, Comparison, Erasure, Error as BoardError, OptionBytes, PageBefore, SecondHalf, Status,
        progress::{Event, PageState, Progress, Step},
    },
    target::Target,
};

/// How often pages that read back wrong are written again before the chip is considered bad.
const PASSES: u32 = 3;

/// Makes the board match the plan, proves it over a fresh connection, and finishes it: what
/// `finish` writes is done again with the rest if contact is lost. `status` is what was read before, if the core has not run
/// since.
pub(super) fn make<'p>(
    job: &mut Job<'p>,
    board: Board<'p>,
    change: &Change<'_>,
    status: Status,
    finish: &mut dyn FnMut(&mut Job<'p>, &mut Board<'p>) -> Result<(), Error>,
) -> Result<Board<'p>, Error> {
    let mut run = Run {
        change,
        before: Some(status),
        left: usize::MAX,
        told_erased: false,
        begun: false,
        erased: BTreeSet::new(),
    };
    let (target, plan) = (change.goal.target, &change.goal.plan);
    let mut wrong = 0;
    job.known.done = Some(Done::default());
    job.known.verified = Some(false);
    let board = job.persist(board, |job, mut board| {
        loop {
            let comparison;
            (board, comparison) = run.pass(job, board)?;
            match comparison {
                Comparison::Same => {
                    events::verified(job.progress, plan);
                    finish(job, &mut board)?;
                    return Ok(board);
                }
                Comparison::Differs { address, expected, found, bytes } => {
                    wrong += 1;
                    if wrong == PASSES {
                        let bad = BadPage::at(address, &mut board, target, |page| plan.page_at(page), wrong)?;
                        let differs = Error::Differs { address, expected, found, bytes };
                        return Err(bad.map_or(differs, Error::BadPage));
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
    let written = job.step(Step::Lock, |_| board.restore_options(&target.map, wanted));
    job.known.done().options_written |= job.has_changed();
    written?;
    job.probes.ledger().matches_plan();
    job.known.protection = Some(protection).filter(|_| !wanted.protects());
    Ok(wanted)
}

/// Reads the planned pages, to find out which are right; `is_erased` tells which blank pages are known to be erased to the end.
fn examine(
    board: &mut Board<'_>,
    change: &Change<'_>,
    extent: Extent,
    is_erased: impl Fn(u32) -> bool,
) -> Result<Work, BoardError> {
    let plan = &change.goal.plan;
    let found = board.read_parts(&change.goal.target.map, plan.parts())?;
    Ok(plan.work_on(&found, extent, is_erased))
}

struct Run<'c> {
    change: &'c Change<'c>,
    /// The protections, if the core has not run since they were read.
    before: Option<Status>,
    /// Pages that were wrong when last looked at.
    left: usize,
    /// Whether it was told that the chip has erased every page.
    told_erased: bool,
    /// Whether anything may have been changed.
    begun: bool,
    /// Pages that are known to be erased to the end.
    erased: BTreeSet<u32>,
}

/// Notes what has been done, and passes every event on.
struct Noting<'a> {
    erased: &'a mut BTreeSet<u32>,
    /// How many pages were erased, and how many bytes of flash lie behind.
    pages: u32,
    bytes: u64,
    progress: &'a mut dyn Progress,
}

impl Progress for Noting<'_> {
    fn on(&mut self, event: Event) {
        match event {
            Event::Page { address, state: PageState::Erased } => {
                self.erased.insert(address);
                self.pages += 1;
            }
            Event::Advanced { done_bytes, .. } => self.bytes = done_bytes,
            _ => {}
        }
        self.progress.on(event);
    }
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
            let Some(consent) = change.consent.filter(|_| obstacle.is_agreed(change.consent)) else {
                return Err(job.not_agreed(board, obstacle, change.data));
            };
            self.begun = true;
            let next = plan.work_on_blank().pages;
            (board, erasure) = protection::remove(job, board, target, status.protection, change.user, consent, &next)?;
            if erasure == Erasure::Everything {
                self.erased = plan.addresses().collect();
                // Only now can it be read. Writing what is not there would end in a fault.
                let end = target.map.flash.end;
                board.read_existing(end - 4..end)?;
            }
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
        let extent = if self.begun { Extent::Changes } else { change.extent };
        let mut work = if erasure == Erasure::Everything {
            job.skip(Step::Examine);
            plan.work_on_blank()
        } else if before.is_some() && !change.erases() {
            job.skip(Step::Examine);
            change.work.clone()
        } else {
            job.step(Step::Examine, |_| examine(&mut board, change, extent, |page| self.erased.contains(&page)))?
        };
        if obstacle.is_none() && before.is_some() && !work.is_empty() {
            // The algorithm needs the clock and the peripherals as a reset leaves them.
            board.reset_and_halt()?;
        }
        if !work.is_empty() && board.second_half(&target.map)? == SecondHalf::Undecided {
            board.prove_second_half(&target.map, &work.pages, job.progress)?;
            // It has just been found blank throughout.
            work = job.step(Step::Examine, |_| examine(&mut board, change, Extent::Changes, |_| true))?;
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
            self.begun = true;
            // Those that will be erased are not until that is seen.
            for page in work.pages.iter().filter(|page| page.before == PageBefore::Used) {
                self.erased.remove(&page.address);
            }
            let mut done = (work.erases(), work.programmed_bytes());
            let programmed = job.step(Step::Program, |progress| {
                let mut noting = Noting { erased: &mut self.erased, pages: 0, bytes: 0, progress };
                let programmed = board.program(&target.map, &work.pages, &mut noting);
                if programmed.is_err() {
                    // As much of it as is known.
                    done = (noting.pages, done.1.min(noting.bytes as u32));
                }
                programmed
            });
            job.known.done().pages_erased += done.0;
            job.known.done().bytes_programmed += done.1;
            match programmed {
                // The page did not become blank. Which bits of it did not is found out by reading it back.
                Err(error) if error.is_unerased() => {}
                programmed => programmed?,
            }
        }

        let verified = job.step(Step::Verify, |progress| {
            let mut board = board.reattach()?;
            let proof = board.prove(&target.map, plan.parts(), progress)?;
            Ok::<_, BoardError>((board, proof))
        });
        let (board, (comparison, by)) = verified?;
        job.known.verified_by = Some(by);
        Ok((board, comparison))
    }
}
