//! What is planned for a board, as the reports of `flash` and `verify` give it.

use serde::Serialize;

use super::{DataSource, Firmware};
use crate::block::{Mileage, Serial};

/// The data and the images planned for a board.
#[derive(Debug, Clone, Serialize)]
pub struct Planned {
    /// The serial number.
    pub serial: Serial,
    /// The mileage, in metres.
    pub mileage_m: Mileage,
    /// Where the data block comes from.
    pub data_source: DataSource,
    /// Whether the data block was left in SRAM by firmware that cannot start again: it is lost with the power.
    #[serde(skip)]
    pub left_in_sram: bool,
    /// The bootloader.
    pub boot: Option<Firmware>,
    /// The DRV firmware.
    pub drv: Option<Firmware>,
}
