//! The option byte USER, which can make the chip start its watchdog at every reset, and option bytes that are damaged.

use super::Job;
use crate::board::{OptionBytes, Status};

/// What becomes of the bit of USER that says what starts the watchdog.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Watchdog {
    /// It stays as it is.
    #[default]
    Keep,
    /// Only software starts the watchdog.
    Software,
}

impl Watchdog {
    /// USER as it is to be.
    pub(super) fn applied_to(self, user: u8) -> u8 {
        match self {
            Self::Keep => user,
            Self::Software => user | OptionBytes::WDG_SW,
        }
    }
}

/// Whether the chip starts its watchdog at every reset.
pub(super) fn starts_at_reset(user: u8) -> bool {
    user & OptionBytes::WDG_SW == 0
}

/// Warns of option bytes whose complements are wrong. Whatever lets flash be written leaves them as they are: erasing and
/// programming them is a risk that the user has to take.
pub(super) fn warn_of_damage(job: &mut Job<'_>, status: &Status) {
    let options = status.option_bytes;
    if !options.complements_right() && !options.protects() {
        let bytes = hex::encode(options.0);
        job.warn(
            "option-bytes",
            format!(
                "the option bytes are damaged ({bytes}): the chip uses 0xff for a damaged one; m365-drv unlock repairs them"
            ),
        );
    }
}

/// Warns of a board that is to have its watchdog started at every reset; `change` is what to type against that.
pub(super) fn warn(job: &mut Job<'_>, user: u8, change: &str) {
    if starts_at_reset(user) {
        job.warn(
            "hardware-watchdog",
            format!(
                "the option bytes (USER {user:#04x}) start the watchdog at every reset: firmware that does not feed it keeps \
                 resetting; {change} turns that off (see m365-drv explain watchdog)"
            ),
        );
    }
}
