//! Waiting: bounded, on the board's clock, and interruptible.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::Error;
use crate::clock::Clock;

/// The longest stretch of a wait in which an interrupt goes unseen.
const SLICE: Duration = Duration::from_millis(50);

/// A clock and the user's wish to stop.
#[derive(Debug, Clone)]
pub(crate) struct Pace {
    clock: Arc<dyn Clock>,
    interrupt: Arc<AtomicBool>,
}

impl Pace {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, interrupt: Arc::default() }
    }

    pub(super) fn interrupt(&self) -> Arc<AtomicBool> {
        self.interrupt.clone()
    }

    pub(crate) fn now(&self) -> Duration {
        self.clock.now()
    }

    /// An error when the user has asked to stop.
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

    /// Calls `attempt` until it has an answer; `None` when there is none within `limit`. At least one attempt is made, also
    /// of somebody who has asked to stop: what is over by then is not called interrupted.
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
