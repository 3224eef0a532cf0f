//! What is to start the watchdog.

use clap::Args;
use m365_drv::ops::Watchdog;

/// Whether the option byte for the watchdog is changed.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct WatchdogArg {
    /// Set the option byte USER so that only software starts the watchdog
    #[arg(long)]
    software_watchdog: bool,
}

impl WatchdogArg {
    /// What was chosen.
    pub(crate) fn wanted(self) -> Watchdog {
        if self.software_watchdog { Watchdog::Software } else { Watchdog::Keep }
    }
}
