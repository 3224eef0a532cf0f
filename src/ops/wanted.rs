//! What `flash` is asked for. `verify` is asked for the same.

use super::{BackupStore, Extent, Watchdog};
use crate::{
    block::{DataBlock, Mileage, Serial},
    board::EraseConsent,
    image::{Image, RehearsalImages},
    target::Target,
};

/// What is to be written, and what may be done for it.
#[derive(Debug)]
pub struct FlashRequest<'a> {
    /// The scooter.
    pub target: &'a Target,
    /// Bootloaders to choose from: the one that passes every gate on the chip found. Without any, the board's own is kept if
    /// possible.
    pub boot: &'a [Image],
    /// DRV firmware; likewise.
    pub drv: &'a [Image],
    /// A data block from a file. It goes before the board's own.
    pub data: Option<DataBlock>,
    /// The serial number to write, instead of the board's own.
    pub serial: Option<Serial>,
    /// The mileage to write, instead of the board's own.
    pub mileage: Option<Mileage>,
    /// Given if the chip may be erased to unlock it.
    pub consent: Option<EraseConsent>,
    /// How much to write.
    pub extent: Extent,
    /// Whether to write at all.
    pub intent: Intent,
    /// Where to save what the board holds.
    pub backups: BackupStore,
    /// What to do when everything is verified.
    pub after: After,
    /// Gates that may fail.
    pub forced: Vec<String>,
    /// What starts the chip's watchdog afterwards.
    pub watchdog: Watchdog,
    /// Whether our own images for the simulated board will do.
    pub rehearsal: RehearsalImages,
}

/// Whether to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intent {
    /// Do it.
    Write,
    /// Read only, and say what would be done.
    Preview,
}

/// What to do when everything is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// Reset the chip and watch the firmware start.
    Run,
    /// The same, with read-out protection on.
    LockAndRun,
    /// Leave the board as it was verified; the firmware has not run yet.
    Stop,
}
