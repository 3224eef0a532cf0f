//! Bounded, interruptible waits on the board's clock.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::Error;
use crate::clock::Clock;

/// Longest time for which a wait does not notice an interrupt.
const SLICE: Duration = Duration::from_millis(50);

/// A clock and a flag that the user sets to interrupt.
#[derive(Debug, Clone)]
pub(crate) struct Timer {
    clock: Arc<dyn Clock>,
    interrupt: Arc<AtomicBool>,
}

impl Timer {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, interrupt: Arc::default() }
    }

    pub(super) fn interrupted_by(self, interrupt: Arc<AtomicBool>) -> Self {
        Self { interrupt, ..self }
    }

    /// With this clock made of its own.
    pub(super) fn over(self, clock: impl FnOnce(Arc<dyn Clock>) -> Arc<dyn Clock>) -> Self {
        Self { clock: clock(self.clock), ..self }
    }

    pub(super) fn interrupt(&self) -> Arc<AtomicBool> {
        self.interrupt.clone()
    }

    pub(crate) fn now(&self) -> Duration {
        self.clock.now()
    }

    /// Returns an error if the user has interrupted.
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.interrupt.load(Ordering::Relaxed) { Err(Error::Interrupted) } else { Ok(()) }
    }

    pub(super) fn pause(&self, duration: Duration) -> Result<(), Error> {
        let end = self.now() + duration;
        loop {
            self.check()?;
            match end.checked_sub(self.now()) {
                Some(left) if !left.is_zero() => self.clock.sleep(left.min(SLICE)),
                _ => return Ok(()),
            }
        }
    }

    /// Calls `attempt` until it returns an answer; `None` if it does not within `limit`. Makes at least one attempt,
    /// even after an interrupt, so that an operation that has already finished is not reported as interrupted. A pause of
    /// this computer does not count as time that the chip was given.
    pub(super) fn poll<T>(
        &self,
        limit: Duration,
        mut attempt: impl FnMut() -> Result<Option<T>, Error>,
    ) -> Result<Option<T>, Error> {
        let mut silence = Silence::new(limit, self.now());
        loop {
            if let Some(answer) = attempt()? {
                return Ok(Some(answer));
            }
            self.check()?;
            if silence.is_over(self.now()) {
                return Ok(None);
            }
        }
    }
}

/// How long a chip has not done what it is watched for. Between two looks at it no more counts than a quarter of the limit:
/// what is longer is this computer's pause (Ctrl-Z, a suspended laptop), not the chip's.
#[derive(Debug)]
pub(super) struct Silence {
    limit: Duration,
    last: Duration,
    counted: Duration,
}

impl Silence {
    pub(super) fn new(limit: Duration, now: Duration) -> Self {
        Self { limit, last: now, counted: Duration::ZERO }
    }

    /// The chip was looked at once more, and has still not done it: whether that is too long.
    pub(super) fn is_over(&mut self, now: Duration) -> bool {
        self.counted += now.saturating_sub(self.last).min(self.limit / 4);
        self.last = now;
        self.counted >= self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_of_the_computer_counts_as_a_quarter_of_a_limit() {
        let seconds = Duration::from_secs;
        let mut silence = Silence::new(seconds(4), seconds(0));
        assert!(!silence.is_over(seconds(100)));
        assert!(!silence.is_over(seconds(101)));
        assert!(!silence.is_over(seconds(102)));
        assert!(silence.is_over(seconds(103)));
    }
}
