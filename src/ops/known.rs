//! What a run has found out so far: after a failure it is all that can be reported.

use std::{path::PathBuf, time::Duration};

use serde::Serialize;

use super::{DataSource, Firmware, ForcedGate, report};
use crate::{
    block::{DataBlock, Mileage, Serial, Uid},
    board::{Board, ChipKind, Protection, Startup, VerifiedBy},
};

/// A board, and how it was reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reached {
    /// The kind of probe.
    pub probe: String,
    /// SWD clock in kHz.
    pub speed_khz: u32,
    /// The chip.
    pub chip: ChipKind,
    /// The chip's UID.
    pub uid: Uid,
}

impl From<&Board<'_>> for Reached {
    fn from(board: &Board<'_>) -> Self {
        let Board { probe, speed_khz, chip, uid, .. } = board;
        Self { probe: probe.kind.clone(), speed_khz: *speed_khz, chip: chip.kind, uid: *uid }
    }
}

/// What was done to the board, over all tries. After a failure that includes what may have been done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Done {
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
}

/// What is known of the board, filled in step by step. A field is empty until its step has been reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Known {
    /// The scooter, by its name on the command line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scooter: Option<String>,
    /// The files that were named.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "report::paths")]
    pub files: Vec<PathBuf>,
    /// The board that was reached.
    #[serde(flatten)]
    pub board: Option<Reached>,
    /// Read-out protection as it was last read; empty while the option bytes are being written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protection: Option<Protection>,
    /// The bootloader that was found on the board.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found_boot: Option<Firmware>,
    /// The DRV firmware that was found on the board.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found_drv: Option<Firmware>,
    /// The serial number that is to be written; before that is decided, the board's own, and before that is read, the one
    /// that was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<Serial>,
    /// The mileage that is to be written, in metres; before that is decided, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mileage_m: Option<Mileage>,
    /// Where serial number and mileage came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_source: Option<DataSource>,
    /// The checks that failed and were overridden; empty until all of them were made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forced: Option<Vec<ForcedGate>>,
    /// What was done, if writing has begun.
    #[serde(flatten)]
    pub done: Option<Done>,
    /// Whether every planned byte is in flash, if that was tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verified: Option<bool>,
    /// How that was found out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verified_by: Option<VerifiedBy>,
    /// How the firmware started, if it was started.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[serde(rename = "boot_check")]
    pub startup: Option<Startup>,
    /// How often contact was lost and made again.
    #[serde(skip_serializing_if = "is_zero")]
    pub reconnects: u32,
    /// The backup that was made.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "report::some_path")]
    pub backup: Option<PathBuf>,
    /// Milliseconds for all of it, up to the failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<u64>,
    /// Milliseconds from the first contact until the user could let go of the wires, or until the failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact_ms: Option<u64>,
    /// When the board was reached, on the job's clock.
    #[serde(skip)]
    contact: Option<Duration>,
}

impl Known {
    /// What is known before a board is reached: what was given.
    pub fn given(
        scooter: Option<&str>,
        files: Vec<PathBuf>,
        serial: Option<Serial>,
        mileage_m: Option<Mileage>,
    ) -> Self {
        Self { scooter: scooter.map(Into::into), files, serial, mileage_m, ..Self::default() }
    }

    /// Forgets all but what was given, for another run of the procedure.
    pub(super) fn begin(&mut self) {
        let Self { scooter, files, serial, mileage_m, contact, .. } = std::mem::take(self);
        if contact.is_none() {
            (self.serial, self.mileage_m) = (serial, mileage_m);
        }
        (self.scooter, self.files) = (scooter, files);
    }

    /// This is the data block.
    pub(super) fn writes(&mut self, block: &DataBlock, source: Option<DataSource>) {
        self.serial = block.serial().or(self.serial);
        self.mileage_m = Some(block.mileage()).filter(|mileage| mileage.is_known()).or(self.mileage_m);
        self.data_source = source;
    }

    /// What was done, once something is.
    pub(super) fn done(&mut self) -> &mut Done {
        self.done.get_or_insert_default()
    }

    /// The board has been reached.
    pub(super) fn reached(&mut self, board: &Board<'_>, now: Duration) {
        self.board = Some(Reached::from(board));
        self.contact.get_or_insert(now);
    }

    /// The user may let go of the wires.
    pub(super) fn free(&mut self, now: Duration) {
        self.contact_ms = self.contact.map(|contact| millis(now.saturating_sub(contact)));
    }

    /// The procedure is over.
    pub(super) fn ended(&mut self, began: Duration, now: Duration) {
        self.took_ms = Some(millis(now.saturating_sub(began)));
        if self.contact_ms.is_none() {
            self.free(now);
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// A duration as a report gives it.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
