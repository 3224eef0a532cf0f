//! What the erase that unlocking means would cost: serial number and mileage, and whether they come back.

use crate::block::{DataBlock, Mileage, Serial};

/// Serial numbers and mileages that are lost and written. They are asked about before anything is erased.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DataChange {
    /// What the board holds; `None` if no data block was found. A block may have no serial number.
    pub on_board: Option<(Option<Serial>, Mileage)>,
    /// What will be written afterwards.
    pub written: Option<(Serial, Mileage)>,
}

/// The serial number and the mileage in a data block.
pub(super) fn in_words(block: &DataBlock) -> String {
    let serial = block.serial().map_or("no serial number".to_owned(), |serial| format!("serial number {serial}"));
    format!("{serial}, {}", block.mileage())
}
