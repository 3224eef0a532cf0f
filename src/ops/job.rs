//! What every procedure is given, and how its steps are announced.

use std::time::Duration;

use super::{BoardState, Error};
use crate::board::{
    self, Board, ConnectOptions, Probes,
    progress::{Event, Progress, Step, Warning},
};

/// Where to do it and whom to tell.
pub struct Job<'a> {
    /// The probes to choose from.
    pub probes: &'a Probes,
    /// How to reach the board.
    pub connect: ConnectOptions,
    /// Whom to tell.
    pub progress: &'a mut dyn Progress,
}

impl<'a> Job<'a> {
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

    pub(super) fn skip(&mut self, step: Step) {
        self.progress.on(Event::Skipped { step });
    }

    pub(super) fn warn(&mut self, name: &'static str, message: impl Into<String>) {
        self.progress.on(Event::Warning(Warning::new(name, message)));
    }

    pub(super) fn now(&self) -> Duration {
        self.probes.pace().now()
    }

    /// Reaches the board; nothing has been changed yet.
    pub(super) fn reach(&mut self) -> Result<Board<'a>, Error> {
        let (probes, options) = (self.probes, self.connect.clone());
        self.step(Step::Connect, |progress| Board::connect(probes, &options, progress)).map_err(untouched)
    }
}

/// A failure before anything was changed.
pub(super) fn untouched(error: board::Error) -> Error {
    Error::stopped(BoardState::Untouched)(error)
}
