//! What a user wants a board to hold, and what may be done for it.

use super::{BackupStore, Extent, Watchdog};
use crate::{
    block::{DataBlock, Mileage, Serial},
    board::Consent,
    image::{Image, RehearsalImages},
    target::Target,
};

/// What a board is to hold, before its chip is known.
#[derive(Debug)]
pub struct Wanted<'a> {
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
    /// Gates that may fail.
    pub forced: Vec<String>,
    /// Whether our own images for the simulated board will do.
    pub rehearsal: RehearsalImages,
}

/// What `flash` is asked for.
#[derive(Debug)]
pub struct FlashRequest<'a> {
    /// What the board is to hold.
    pub wanted: Wanted<'a>,
    /// Given if the chip may be erased to unlock it.
    pub consent: Option<Consent>,
    /// How much to write.
    pub extent: Extent,
    /// Where to save what the board holds.
    pub backups: BackupStore,
    /// What to do when everything is verified.
    pub after: After,
    /// What starts the chip's watchdog afterwards.
    pub watchdog: Watchdog,
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
