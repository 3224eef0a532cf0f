//! The clock that every wait and timeout uses.
//!
//! All waits and timeouts go through [`Clock`], so a rehearsal runs on the simulated board's own time: losing contact for
//! five seconds costs a test nothing, and the durations in a report are simulated ones.

use std::{
    fmt::Debug,
    time::{Duration, Instant},
};

/// A monotonic clock that can also wait.
pub trait Clock: Debug + Send + Sync {
    /// Time since a fixed moment before the first call.
    fn now(&self) -> Duration;

    /// Waits for at least `duration`.
    fn sleep(&self, duration: Duration);
}

/// The computer's clock.
#[derive(Debug)]
pub struct SystemClock(Instant);

impl SystemClock {
    /// Creates a clock that reads zero now.
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
