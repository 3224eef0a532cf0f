//! Time, as the board procedure sees it.
//!
//! Every wait and every timeout goes through [`Clock`], so that a rehearsal runs on the simulated board's own time: a
//! lost contact of five seconds costs a test nothing, and the durations in a report are those of the model.

use std::{
    fmt::Debug,
    time::{Duration, Instant},
};

/// A monotonic clock that can also wait.
pub trait Clock: Debug + Send + Sync {
    /// Time since some fixed moment before the first call.
    fn now(&self) -> Duration;

    /// Waits; returns no earlier than `duration` later.
    fn sleep(&self, duration: Duration);
}

/// The computer's clock.
#[derive(Debug)]
pub struct SystemClock(Instant);

impl SystemClock {
    /// A clock that starts at zero now.
    pub fn new() -> Self {
        Self(Instant::now())
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration);
    }
}
