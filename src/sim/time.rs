//! Time of the model: nanoseconds since power was first applied. Nothing here reads the computer's clock.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::machine::Machine;
use crate::clock::Clock;

/// A moment or a span in the model, in nanoseconds.
pub(super) type Nanos = u64;

/// One cycle of the 8 MHz internal oscillator, on which the chip comes out of reset (RM0008 7.2.2).
pub(super) const CYCLE: Nanos = 125;

/// `FLASH_SR.BSY` after a half-word, typical (DS5319 table 29).
pub(super) const PROGRAM: Nanos = 52_500;
/// After a page erase, the least the data sheet gives (DS5319 table 29: 20 to 40 ms).
pub(super) const PAGE_ERASE: Nanos = 20_000_000;
/// After a mass erase, the least the data sheet gives.
pub(super) const MASS_ERASE: Nanos = 20_000_000;

/// A duration as the model counts it; what does not fit is for ever.
pub(super) fn nanos(duration: Duration) -> Nanos {
    Nanos::try_from(duration.as_nanos()).unwrap_or(Nanos::MAX / 2)
}

/// The board's time as the procedures above read it; sleeping lets the board run.
#[derive(Debug)]
pub(super) struct ModelClock(pub(super) Arc<Mutex<Machine>>);

impl Clock for ModelClock {
    fn now(&self) -> Duration {
        Duration::from_nanos(self.0.lock().unwrap_or_else(PoisonError::into_inner).now())
    }

    fn sleep(&self, duration: Duration) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pass(nanos(duration));
    }
}
