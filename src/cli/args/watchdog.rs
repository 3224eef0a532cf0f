//! What is to start the watchdog.

use clap::Args;
use m365_drv::ops::Watchdog;

/// Whether the option byte for the watchdog is changed.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct WatchdogArg {
    /// Stop the chip from starting its watchdog at every reset (see `m365-drv explain watchdog`)
    #[arg(long)]
    software_watchdog: bool,
}

impl WatchdogArg {
    /// What was chosen.
    pub(crate) fn wanted(self) -> Watchdog {
        if self.software_watchdog { Watchdog::Software } else { Watchdog::Keep }
    }
}
