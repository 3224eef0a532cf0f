//! What `flash` reports: what it did, or would do. Built once, at the end.

use std::path::PathBuf;

use serde::Serialize;

use super::{
    Change, DataChange, Done, ForcedGate, Known, Obstacle, Planned, Reached, goal::Sources, report::some_path,
};
use crate::board::{Startup, VerifiedBy};

/// What `flash` did.
#[derive(Debug, Clone, Serialize)]
pub struct FlashReport {
    /// The scooter, by its name on the command line.
    pub scooter: String,
    /// The board, and how it was reached at the end.
    #[serde(flatten)]
    pub board: Reached,
    /// What was planned, and is on the board now.
    #[serde(flatten)]
    pub planned: Planned,
    /// The checks that failed and were overridden.
    pub forced: Vec<ForcedGate>,
    /// What was done to the board.
    #[serde(flatten)]
    pub done: Done,
    /// Whether every planned byte is in flash.
    pub verified: bool,
    /// How that was found out.
    pub verified_by: Option<VerifiedBy>,
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
    /// The board, and how it was reached.
    #[serde(flatten)]
    pub board: Reached,
    /// What would be on the board.
    #[serde(flatten)]
    pub planned: Planned,
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
    /// What becomes of serial number and mileage.
    #[serde(skip)]
    pub data_change: DataChange,
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
    /// The report of a run that succeeded.
    pub(super) fn new(board: Reached, change: Change<'_>, sources: Sources, known: &Known) -> Self {
        let goal = change.goal;
        Self {
            scooter: goal.target.name.clone(),
            board,
            planned: sources.planned,
            image: goal.plan.image(goal.target),
            forced: goal.forced,
            done: known.done.unwrap_or_default(),
            verified: known.verified == Some(true),
            verified_by: known.verified_by,
            preview: false,
            reconnects: known.reconnects,
            startup: known.startup,
            backup: known.backup.clone(),
            took_ms: known.took_ms.unwrap_or_default(),
            contact_ms: known.contact_ms.unwrap_or_default(),
        }
    }
}

impl FlashPreview {
    /// Of a change that was not made.
    pub(super) fn new(board: Reached, change: Change<'_>, sources: Sources, known: &Known) -> Self {
        let work = &change.work;
        Self {
            data_change: change.data,
            scooter: change.goal.target.name.clone(),
            board,
            planned: sources.planned,
            preview: true,
            would_erase: WouldErase { whole_chip: change.erases(), pages: work.erases() },
            would_program: WouldProgram { bytes: work.programmed_bytes(), pages_already_correct: work.skipped },
            would_write_option_bytes: change.writes_options,
            needs: change.needs_consent(),
            took_ms: known.took_ms.unwrap_or_default(),
            image: change.goal.plan.image(change.goal.target),
            forced: change.goal.forced,
        }
    }
}
