//! The time of the model: nanoseconds since power was first applied. It does not depend on the computer's clock.

use std::time::Duration;

/// A point in time or a duration in the model, in nanoseconds.
pub(super) type Nanos = u64;

/// One cycle of the 8 MHz internal oscillator, which clocks the chip after a reset (RM0008 7.2.2).
pub(super) const CYCLE: Nanos = 125;

/// How long programming a half-word keeps `FLASH_SR.BSY` set: the typical value (DS5319 table 29).
pub(super) const PROGRAM: Nanos = 52_500;
/// How long a page erase takes: the minimum in the data sheet (DS5319 table 29: 20 to 40 ms).
pub(super) const PAGE_ERASE: Nanos = 20_000_000;
/// How long a mass erase takes: the minimum in the data sheet.
pub(super) const MASS_ERASE: Nanos = 20_000_000;

/// Converts a duration. If it does not fit, the result is practically infinite.
pub(super) fn nanos(duration: Duration) -> Nanos {
    Nanos::try_from(duration.as_nanos()).unwrap_or(Nanos::MAX / 2)
}
