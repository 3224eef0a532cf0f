//! What every procedure is given, and how its steps are announced.

use std::{mem, time::Duration};

use super::{DataChange, Error, ForcedGate, Known, Obstacle};
use crate::{
    board::{
        self, Board, BoardState, ConnectOptions, Patience, Probes, Protection, Recipe, Reclock, Status, Wait,
        progress::{Event, Progress, SkipReason, Step, Warning},
    },
    target::Target,
};

/// What a procedure works on, and where it reports to.
pub struct Job<'a> {
    /// The probes to choose from.
    pub probes: &'a Probes,
    /// How to reach the board.
    pub connect: ConnectOptions,
    /// Whom to tell.
    pub progress: &'a mut dyn Progress,
    /// What has been found out so far; after a failure it says what is known of the board.
    pub known: &'a mut Known,
    achieved: bool,
}

impl<'a> Job<'a> {
    /// Prepares a procedure.
    pub fn new(
        probes: &'a Probes,
        connect: ConnectOptions,
        progress: &'a mut dyn Progress,
        known: &'a mut Known,
    ) -> Self {
        Self { probes, connect, progress, known, achieved: false }
    }

    /// Does a whole procedure, keeping account of what is known and of how long it took, also if it fails.
    pub(super) fn account<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        let began = self.now();
        self.known.begin();
        let done = work(self);
        self.known.ended(began, self.now());
        done
    }

    /// Announces a step, does it, and says how long it took.
    pub(super) fn step<T, E>(
        &mut self,
        step: Step,
        work: impl FnOnce(&mut dyn Progress) -> Result<T, E>,
    ) -> Result<T, E> {
        let began = self.now();
        self.progress.on(Event::Started { step });
        let done = work(self.progress)?;
        self.progress.on(Event::Finished { step, took: self.now().saturating_sub(began) });
        Ok(done)
    }

    /// Reads the protections of a board that nothing has been done to.
    pub(super) fn identify(&mut self, board: &mut Board<'_>) -> Result<Status, Error> {
        let status = self.step(Step::Identify, |_| board.status())?;
        self.known.protection = Some(status.protection);
        if status.protection == Protection::None
            && let Some(stated) = board.settle_size()?
        {
            self.warn("flash-size", format!("the chip reports {stated} KiB of flash, but only 64 KiB can be used"));
        }
        self.progress.on(board.event(status.protection));
        self.progress.on(board.contact(None));
        Ok(status)
    }

    /// Refuses a chip that is too small. One whose size register makes no sense is not refused for it: what the scooter needs is
    /// proved before it is relied on.
    pub(super) fn check_size(&mut self, board: &Board<'_>, target: &Target) -> Result<(), Error> {
        let needed = target.map.flash_kib();
        match board.chip.flash_kib {
            Some(found) if found < needed => Err(board::Error::TooSmall { found, needed }.into()),
            Some(_) => Ok(()),
            None => {
                let register = board.chip.flash_size_register;
                self.warn(
                    "flash-size",
                    format!("implausible flash size {register} KiB; assuming {needed} KiB, which this scooter needs"),
                );
                Ok(())
            }
        }
    }

    /// Proves that contact is good enough to erase by.
    pub(super) fn check_contact(&mut self, board: &mut Board<'_>) -> Result<(), board::Error> {
        let checked = board.check_contact();
        self.progress.on(board.contact(None));
        checked
    }

    pub(super) fn skip(&mut self, step: Step) {
        self.progress.on(Event::Skipped { step, why: SkipReason::NothingToDo });
    }

    /// The user did not want this step.
    pub(super) fn leave_out(&mut self, step: Step) {
        self.progress.on(Event::Skipped { step, why: SkipReason::NotWanted });
    }

    pub(super) fn warn(&mut self, name: &'static str, message: impl Into<String>) {
        self.progress.on(Event::Warning(Warning::new(name, message)));
    }

    pub(super) fn now(&self) -> Duration {
        self.probes.timer().now()
    }

    /// The user may let go of the wires.
    pub(super) fn free_contact(&mut self) {
        let now = self.now();
        self.known.free(now);
        self.progress.on(Event::ContactFree);
    }

    /// Warns of the checks that were overridden.
    pub(super) fn warn_of_forced<'g>(&mut self, gates: impl IntoIterator<Item = &'g ForcedGate>) {
        for gate in gates {
            self.warn("forced-gate", format!("a check failed and was overridden: {gate}"));
        }
    }

    /// Reaches the board and does this with it, from the beginning whenever contact is lost on the way.
    pub(super) fn with_board<T>(
        &mut self,
        work: impl FnMut(&mut Self, Board<'a>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let (probes, options) = (self.probes, self.connect.clone());
        let board = self.step(Step::Connect, |progress| Board::connect(probes, &options, progress))?;
        self.persist(board, work)
    }

    /// Does this with a board that has been reached, and does it again whenever contact is lost on the way: the only place that
    /// continues after a loss. For work that looks before it acts, so that it does the same after an interruption as at first.
    pub(super) fn persist<T>(
        &mut self,
        board: Board<'a>,
        mut work: impl FnMut(&mut Self, Board<'a>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut board = board;
        let mut patience = Patience::new(self.connect.wait);
        loop {
            let (recipe, now) = (board.recipe(), self.now());
            self.known.reached(&board, now);
            let lost = match work(self, board) {
                Err(Error::Board(error)) if error.is_link() => error,
                Err(Error::Board(error)) => return Err(self.ended(error)),
                done => return done,
            };
            if mem::take(&mut self.achieved) {
                patience.renew();
            }
            let Some(wait) = patience.lose(self.now()) else { return Err(self.ended(lost)) };
            self.known.reconnects += 1;
            board = self.rejoin(&recipe, wait, lost)?;
        }
    }

    /// Something was achieved: losses of contact before it no longer count.
    pub(super) fn achieved(&mut self) {
        self.achieved = true;
    }

    /// Reaches a board again after contact was lost, at a slower clock; the loss itself is the error if that fails.
    fn rejoin(&mut self, recipe: &Recipe<'a>, wait: Wait, lost: board::Error) -> Result<Board<'a>, Error> {
        let patience = match wait {
            Wait::For(limit) if self.connect.wait == Wait::No => format!(" for {} s", limit.as_secs()),
            _ => String::new(),
        };
        self.warn("contact-lost", format!("{lost}; trying to reconnect{patience}"));
        let reached = self.step(Step::Connect, |progress| recipe.connect(Reclock::Slower, wait, progress));
        reached.map_err(|error| self.ended(if error.is_about_reaching() { lost } else { error }))
    }

    /// Nobody has agreed to remove this.
    pub(super) fn not_agreed(&self, board: Board<'_>, obstacle: Obstacle, data: DataChange) -> Error {
        let uid = board.uid;
        if self.has_changed() {
            // What is half written does not run.
            Error::LockedMeanwhile { uid, obstacle, data }
        } else {
            refused(board, Error::Consent { uid, obstacle, data })
        }
    }

    /// Whether the board may have been changed.
    pub(super) fn has_changed(&self) -> bool {
        self.probes.ledger().board() != BoardState::Untouched
    }

    /// The failure that ends the work. One to reach a board is another matter once it has been changed.
    fn ended(&self, error: board::Error) -> Error {
        if self.has_changed() && error.is_about_reaching() { Error::Lost(error) } else { Error::Board(error) }
    }
}

/// What was found out before anything was changed; if that is a refusal, the board resumes what it was doing.
pub(super) fn or_resume<T>(board: Board<'_>, found: Result<T, impl Into<Error>>) -> Result<(Board<'_>, T), Error> {
    match found {
        Ok(found) => Ok((board, found)),
        Err(refusal) => Err(refused(board, refusal)),
    }
}

/// A refusal before anything was changed: the board resumes what it was doing.
pub(super) fn refused(board: Board<'_>, refusal: impl Into<Error>) -> Error {
    // Even if contact is lost by now, the refusal is what the user has to know.
    let _ = board.resume();
    refusal.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ops::Exit,
        sim::{Scenario, SimBoard},
        target::Target,
    };

    #[test]
    fn a_board_that_was_changed_and_cannot_be_reached_again_is_lost() {
        let errors = || [board::Error::PoorContact { good: 40, total: 50 }, board::Error::ProbeGone];
        let board = SimBoard::new(Scenario::Open, Target::builtin("pro").unwrap());
        let probes = Probes::new(board.probe_lister(), board.clock());
        let (mut silent, mut known) = ((), Known::default());
        let job = Job::new(&probes, ConnectOptions::default(), &mut silent, &mut known);
        let exits = || errors().map(|error| job.ended(error).exit());
        assert_eq!(exits(), [Exit::NoContact, Exit::LinkLost]);
        probes.ledger().erased();
        assert_eq!(exits(), [Exit::LinkLost; 2]);
        assert!(errors().map(|error| job.ended(error)).iter().all(|error| matches!(error, Error::Lost(_))));
    }
}
