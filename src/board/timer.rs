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
    /// even after an interrupt, so that an operation that has already finished is not reported as interrupted.
    pub(super) fn poll<T>(
        &self,
        limit: Duration,
        mut attempt: impl FnMut() -> Result<Option<T>, Error>,
    ) -> Result<Option<T>, Error> {
        let end = self.now() + limit;
        loop {
            if let Some(answer) = attempt()? {
                return Ok(Some(answer));
            }
            self.check()?;
            if self.now() >= end {
                return Ok(None);
            }
        }
    }
}
