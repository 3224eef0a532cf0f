//! What `flash` reports: what it did, or would do. Built once, at the end.

use std::path::PathBuf;

use serde::Serialize;

use super::{
    Change, DataSource, Firmware, ForcedGate, Known, Obstacle, goal::Sources, known::Reached, report::some_path,
};
use crate::{
    block::{Mileage, Serial, Uid},
    board::{ChipKind, Startup},
};

/// What `flash` did.
#[derive(Debug, Clone, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own in the report")]
pub struct FlashReport {
    /// The scooter, by its name on the command line.
    pub scooter: String,
    /// The kind of probe.
    pub probe: String,
    /// The chip.
    pub chip: ChipKind,
    /// The chip's UID.
    pub uid: Uid,
    /// The serial number written.
    pub serial: Serial,
    /// The mileage written, in metres.
    pub mileage_m: Mileage,
    /// Where the data block came from.
    pub data_source: DataSource,
    /// Whether the data block was left in SRAM by firmware that cannot start again: it was lost with the power.
    #[serde(skip)]
    pub left_in_sram: bool,
    /// The bootloader on the board.
    pub boot: Option<Firmware>,
    /// The DRV firmware on the board.
    pub drv: Option<Firmware>,
    /// The checks that failed and were overridden.
    pub forced: Vec<ForcedGate>,
    /// Whether the chip was erased as a whole, to unlock it.
    pub mass_erased: bool,
    /// Whether the option bytes were written.
    pub options_written: bool,
    /// Pages erased one by one.
    pub pages_erased: u32,
    /// Pages that were already correct.
    pub pages_skipped: u32,
    /// Bytes programmed.
    pub bytes_programmed: u32,
    /// Whether every planned byte was read back and is correct.
    pub verified: bool,
    /// Always false: a preview has a report of its own.
    pub preview: bool,
    /// How often contact was lost and made again.
    pub reconnects: u32,
    /// How the firmware started; `None` if it was not started.
    #[serde(rename = "boot_check")]
    pub startup: Option<Startup>,
    /// The backup made before anything was erased.
    #[serde(serialize_with = "some_path")]
    pub backup: Option<PathBuf>,
    /// SWD clock in kHz at the end.
    pub speed_khz: u32,
    /// Milliseconds for all of it.
    pub took_ms: u64,
    /// Milliseconds from the first contact until the user could let go of the wires.
    pub contact_ms: u64,
    /// The whole flash as planned, 0xFF wherever nothing is planned.
    #[serde(skip)]
    pub image: Vec<u8>,
}

/// What `flash` would do.
#[derive(Debug, Clone, Serialize)]
pub struct FlashPreview {
    /// The scooter, by its name on the command line.
    pub scooter: String,
    /// The kind of probe.
    pub probe: String,
    /// The chip.
    pub chip: ChipKind,
    /// The chip's UID.
    pub uid: Uid,
    /// The serial number that would be written.
    pub serial: Serial,
    /// The mileage that would be written, in metres.
    pub mileage_m: Mileage,
    /// Where the data block would come from.
    pub data_source: DataSource,
    /// Whether the data block is left in SRAM by firmware that cannot start again: it is lost with the power.
    #[serde(skip)]
    pub left_in_sram: bool,
    /// The planned bootloader.
    pub boot: Option<Firmware>,
    /// The planned DRV firmware.
    pub drv: Option<Firmware>,
    /// The checks that failed and were overridden.
    pub forced: Vec<ForcedGate>,
    /// Always true.
    pub preview: bool,
    /// What would be erased.
    pub would_erase: WouldErase,
    /// What would be programmed.
    pub would_program: WouldProgram,
    /// Whether the option bytes would be written.
    pub would_write_option_bytes: bool,
    /// The protection that has to be removed first, if that needs consent that was not given.
    pub needs: Option<Obstacle>,
    /// SWD clock in kHz.
    pub speed_khz: u32,
    /// Milliseconds for all of it.
    pub took_ms: u64,
    /// The whole flash as planned, 0xFF wherever nothing is planned.
    #[serde(skip)]
    pub image: Vec<u8>,
}

/// What a run would erase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct WouldErase {
    /// Whether unlocking would erase the chip.
    pub whole_chip: bool,
    /// Pages that would be erased one by one.
    pub pages: u32,
}

/// What a run would program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct WouldProgram {
    /// Bytes other than 0xFF.
    pub bytes: u32,
    /// Planned pages that would not have to be written.
    pub pages_already_correct: u32,
}

impl FlashReport {
    /// Of a run that has ended well.
    pub(super) fn new(board: Reached, change: Change<'_>, sources: Sources, known: &Known) -> Self {
        let done = known.done.unwrap_or_default();
        Self {
            scooter: change.goal.target.name.clone(),
            probe: board.probe,
            chip: board.chip,
            uid: board.uid,
            serial: sources.serial,
            mileage_m: sources.mileage,
            data_source: sources.data_source,
            left_in_sram: sources.is_left_in_sram(),
            boot: sources.boot,
            drv: sources.drv,
            image: change.goal.plan.image(change.goal.target),
            forced: change.goal.forced,
            mass_erased: done.mass_erased,
            options_written: done.options_written,
            pages_erased: done.pages_erased,
            pages_skipped: done.pages_skipped,
            bytes_programmed: done.bytes_programmed,
            verified: known.verified == Some(true),
            preview: false,
            reconnects: known.reconnects,
            startup: known.startup,
            backup: known.backup.clone(),
            speed_khz: board.speed_khz,
            took_ms: known.took_ms.unwrap_or_default(),
            contact_ms: known.contact_ms.unwrap_or_default(),
        }
    }
}

impl FlashPreview {
    /// Of a change that was not made.
    pub(super) fn new(board: Reached, change: Change<'_>, sources: Sources, known: &Known) -> Self {
        let Change { work, .. } = &change;
        Self {
            scooter: change.goal.target.name.clone(),
            probe: board.probe,
            chip: board.chip,
            uid: board.uid,
            serial: sources.serial,
            mileage_m: sources.mileage,
            data_source: sources.data_source,
            left_in_sram: sources.is_left_in_sram(),
            boot: sources.boot,
            drv: sources.drv,
            preview: true,
            would_erase: WouldErase { whole_chip: change.erases(), pages: work.erases() },
            would_program: WouldProgram { bytes: work.programmed_bytes(), pages_already_correct: work.skipped },
            would_write_option_bytes: change.writes_options,
            needs: change.needs_consent(),
            speed_khz: board.speed_khz,
            took_ms: known.took_ms.unwrap_or_default(),
            image: change.goal.plan.image(change.goal.target),
            forced: change.goal.forced,
        }
    }
}
