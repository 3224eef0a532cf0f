//! What a run has found out so far: after a failure it is all that can be reported.

use std::{path::PathBuf, time::Duration};

use serde::Serialize;

use super::{DataSource, report};
use crate::{
    block::{Mileage, Serial, Uid},
    board::{Board, ChipKind, Protection},
};

/// What is known of the board, filled in step by step. A field is empty until its step has been reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Known {
    /// The scooter, by its name on the command line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scooter: Option<String>,
    /// The kind of probe.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe: Option<String>,
    /// SWD clock in kHz.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed_khz: Option<u32>,
    /// The chip.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chip: Option<ChipKind>,
    /// The chip's UID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<Uid>,
    /// Read-out protection before anything was changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protection: Option<Protection>,
    /// The serial number that is to be written; before that is decided, the board's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<Serial>,
    /// The mileage that is to be written, in metres; before that is decided, the board's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mileage_m: Option<Mileage>,
    /// Where serial number and mileage came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_source: Option<DataSource>,
    /// The backup that was made.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "report::some_path")]
    pub backup: Option<PathBuf>,
    /// Milliseconds for all of it, up to the failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<u64>,
    /// Milliseconds from the first contact until the wires were no longer needed, or until the failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact_ms: Option<u64>,
    /// When the board was reached, on the job's clock.
    #[serde(skip)]
    contact: Option<Duration>,
}

impl Known {
    /// The board has been reached.
    pub(super) fn reached(&mut self, board: &Board<'_>, now: Duration) {
        self.probe = Some(board.probe.kind.clone());
        self.speed_khz = Some(board.speed_khz);
        self.chip = Some(board.chip.kind);
        self.uid = Some(board.uid);
        self.contact = Some(now);
    }

    /// The wires are no longer needed.
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

/// A duration as a report gives it.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
