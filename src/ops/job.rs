//! What every procedure is given, and how its steps are announced.

use std::time::Duration;

use super::{BoardState, Error, Known, Stopped};
use crate::board::{
    self, Board, ConnectOptions, Probes, Protection, Recipe, Reclock, Status, Wait,
    progress::{Event, Progress, Step, Warning},
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
}

/// How often contact may be lost if no waiting time was given. Each time the clock is slowed down one step.
const LOSSES: u32 = 10;

/// Losses of contact since something was achieved.
#[derive(Debug, Default)]
pub(super) struct Losses {
    count: u32,
    first: Option<Duration>,
}

impl Losses {
    /// Counts one more, and says whether it is enough.
    pub(super) fn is_enough(&mut self, job: &Job<'_>) -> bool {
        let now = job.now();
        let first = *self.first.get_or_insert(now);
        self.count += 1;
        match job.connect.wait {
            Wait::No => self.count > LOSSES,
            Wait::For(limit) => self.count > LOSSES && now.saturating_sub(first) >= limit,
            Wait::Forever => false,
        }
    }
}

impl<'a> Job<'a> {
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
        let status = self.step(Step::Identify, |_| board.status()).map_err(untouched)?;
        self.known.protection = Some(status.protection);
        if status.protection == Protection::None
            && let Some(stated) = board.settle_size().map_err(untouched)?
        {
            self.warn("flash-size", format!("the size register reads {stated} KiB, but only 64 KiB answer"));
        }
        Ok(status)
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

    /// Reaches the board and does this with it, from the beginning whenever contact is lost on the way. For work that
    /// changes nothing, or that does the same when it is done again.
    pub(super) fn insist<T>(
        &mut self,
        mut work: impl FnMut(&mut Self, Board<'a>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let (probes, options) = (self.probes, self.connect.clone());
        let mut board = self.step(Step::Connect, |progress| Board::connect(probes, &options, progress));
        let mut losses = Losses::default();
        // What the work has left behind, in whichever try.
        let mut left = BoardState::Untouched;
        loop {
            let reached = board.map_err(Error::stopped(left))?;
            let recipe = reached.recipe();
            let now = self.now();
            self.known.reached(&reached, now);
            let Stopped { board: state, error } = match work(self, reached) {
                Err(Error::Board(stopped)) if stopped.error.is_link() => stopped,
                Err(Error::Board(Stopped { board, error })) => return Err(Error::stopped(left.max(board))(error)),
                done => return done,
            };
            left = left.max(state);
            if losses.is_enough(self) {
                return Err(Error::stopped(left)(error));
            }
            board = self.rejoin(&recipe, error);
        }
    }

    /// Reaches a board again after contact was lost, at a slower clock; the loss itself is the error if that fails.
    pub(super) fn rejoin(&mut self, recipe: &Recipe<'a>, lost: board::Error) -> Result<Board<'a>, board::Error> {
        use board::Error as E;
        let (wait, patience) = match self.connect.wait {
            Wait::No => (Wait::For(PATIENCE), format!(" for {} s", PATIENCE.as_secs())),
            wait => (wait, String::new()),
        };
        self.warn("contact-lost", format!("{lost}; trying to reconnect{patience}"));
        match self.step(Step::Connect, |progress| recipe.connect(Reclock::Slower, wait, progress)) {
            Err(E::NoContact { .. } | E::NoProbe | E::ProbeNotFound { .. } | E::ProbeGone | E::ProbeAccess(_)) => {
                Err(lost)
            }
            reached => reached,
        }
    }
}

/// How long contact may be lost if no waiting time was given.
const PATIENCE: Duration = Duration::from_secs(5);

/// A refusal before anything was changed: the board resumes what it was doing.
pub(super) fn refused(board: Board<'_>, refusal: Error) -> Error {
    // Even if contact is lost by now, the refusal is what the user has to know.
    let _ = board.resume();
    refusal
}

/// A failure before anything was changed.
pub(super) fn untouched(error: board::Error) -> Error {
    Error::stopped(BoardState::Untouched)(error)
}
