//! Progress events that a procedure sends to its caller. The library prints nothing.

use std::{fmt, path::PathBuf, time::Duration};

use serde::{Serialize, Serializer};

use super::Finding;
use crate::{
    block::{Summary, Uid},
    version::Version,
};

/// A phase of a procedure, with the name that users see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Find and open the probe, contact the chip.
    Connect,
    /// Identify the chip.
    Identify,
    /// Read the data that the board still holds.
    Rescue,
    /// Save it to a backup file.
    Backup,
    /// Remove read-out protection; erases the chip.
    Unlock,
    /// Compare the board with the plan, to skip pages that are already correct.
    Examine,
    /// Erase and program flash.
    Program,
    /// Read everything back and compare.
    Verify,
    /// Set read-out protection.
    Lock,
    /// Reset the chip and let it run.
    Reset,
    /// Watch the firmware start.
    #[serde(rename = "boot")]
    Startup,
    /// Wait until the next board is on the wires.
    Next,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connect",
            Self::Identify => "identify",
            Self::Rescue => "rescue",
            Self::Backup => "backup",
            Self::Unlock => "unlock",
            Self::Examine => "examine",
            Self::Program => "program",
            Self::Verify => "verify",
            Self::Lock => "lock",
            Self::Reset => "reset",
            Self::Startup => "start",
            Self::Next => "next",
        })
    }
}

/// Something the user should know that does not stop the work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// A fixed kebab-case name, for scripts.
    pub name: &'static str,
    /// One sentence.
    pub message: String,
}

impl Warning {
    /// Creates a warning.
    pub fn new(name: &'static str, message: impl Into<String>) -> Self {
        Self { name, message: message.into() }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// A progress event.
///
/// An event in JSON is the line that `m365-drv --json` prints; `schema.json` describes it. Of [`Event::Advanced`] and
/// [`Event::Waiting`] it prints fewer, the latter as `progress` lines with the step that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A step begins.
    #[serde(rename = "step", serialize_with = "started")]
    Started {
        /// The step that begins.
        step: Step,
    },
    /// More bytes of the current step are done.
    #[serde(rename = "progress")]
    Advanced {
        /// The current step.
        step: Step,
        /// Bytes done so far.
        done_bytes: u64,
        /// Total number of bytes.
        total_bytes: u64,
    },
    /// A step is finished.
    #[serde(rename = "step", serialize_with = "finished")]
    Finished {
        /// The finished step.
        step: Step,
        /// How long it took.
        took: Duration,
    },
    /// A step had nothing to do.
    #[serde(rename = "step", serialize_with = "skipped")]
    Skipped {
        /// The skipped step.
        step: Step,
        /// Why; JSON does not tell.
        why: SkipReason,
    },
    /// The board or the probe does not answer yet; sent after each attempt.
    Waiting {
        /// Attempts so far.
        attempts: u32,
        /// Time since the first attempt.
        elapsed: Duration,
        /// What the user can do meanwhile.
        need: Need,
    },
    /// The probe that is used: sent before it is opened, and again when it comes back.
    Probe {
        /// What kind of probe, for example `STLink V2`.
        kind: String,
        /// Its serial number, if it has one.
        serial: Option<String>,
        /// Where it is plugged in, `BUS-PORT.PORT`, if the system tells.
        usb: Option<String>,
        /// The version of its firmware, if the driver tells.
        fw: Option<String>,
    },
    /// How reliable contact is. Sent when the board is reached and identified, before it is erased, and while waiting.
    Contact {
        /// Successful accesses among the last ones.
        good: usize,
        /// The last accesses, 50 at most, and failed attempts to reach the board.
        of: usize,
        /// Target voltage in mV, if the probe measures it. Measured once a second while waiting, and when the program gives up.
        voltage_mv: Option<u32>,
        /// What the program is waiting for, if it waits.
        need: Option<Need>,
        /// What is wrong with the contact, as far as the probe can tell; `None` before anything was tried.
        finding: Option<Finding>,
    },
    /// The board that answers. Sent again when its protection has changed.
    Board {
        /// The chip, as reports name it.
        chip: &'static str,
        /// The chip's UID.
        uid: Uid,
        /// Read-out protection in force: `none` or `read`.
        protection: &'static str,
        /// Flash size in KiB; `None` if the chip's size register makes no sense.
        flash_kib: Option<u32>,
    },
    /// What was found on the board.
    Found(Box<Found>),
    /// A backup was written and read back.
    Backup {
        /// Path of the backup file.
        #[serde(serialize_with = "display")]
        path: PathBuf,
    },
    /// What is to become of each page of flash. Sent before anything is changed.
    Plan {
        /// Every page of flash, in address order.
        pages: Vec<PlannedPage>,
    },
    /// Something became of a page of flash.
    Page {
        /// The page's first address.
        #[serde(serialize_with = "hexadecimal")]
        address: u32,
        /// What it is now.
        state: PageState,
    },
    /// A warning; see [`Warning`].
    Warning(Warning),
    /// Everything is written and verified: the user may let go of the wires.
    ContactFree,
}

/// Why a step is skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SkipReason {
    /// It has nothing to do.
    NothingToDo,
    /// The user did not want it.
    NotWanted,
}

/// What the program is waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Need {
    /// An answer from the board: hold the wires, tap NRST.
    Contact,
    /// A power-cycle of the board.
    PowerCycle,
    /// A probe that is plugged in.
    Probe,
    /// A hung probe that is unplugged and plugged in again.
    Replug,
    /// Another board on the wires.
    NextBoard,
}

/// What a board holds. Nothing of it is known if flash cannot be read, but the data block may be found in SRAM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    /// The bootloader.
    pub boot: Option<FoundFirmware>,
    /// The DRV firmware.
    pub drv: Option<FoundFirmware>,
    /// The data block.
    pub data: Option<FoundData>,
}

/// An image on a board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FoundFirmware {
    /// SHA-256, in hexadecimal.
    pub sha256: String,
    /// What to call it; `None` if it is not made from a known image.
    pub name: Option<String>,
    /// Its version; `None` if that is not certain.
    pub version: Option<Version>,
    /// Whether the catalog has it, with every byte.
    pub known: bool,
}

/// A data block on a board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FoundData {
    /// Where it was found.
    pub source: Memory,
    /// What is in it.
    #[serde(flatten)]
    pub block: Summary,
}

/// A memory of the chip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Memory {
    /// Main flash.
    Flash,
    /// SRAM.
    Sram,
}

/// A page of flash and what is to become of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PlannedPage {
    /// The page's first address.
    #[serde(serialize_with = "hexadecimal")]
    pub address: u32,
    /// What is to become of it.
    pub action: PageAction,
}

/// What is to become of a page of flash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PageAction {
    /// It stays as it is.
    Keep,
    /// It is erased, and is blank afterwards.
    Erase,
    /// It is erased if need be, and programmed with the planned contents.
    Program,
}

/// What a page of flash is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PageState {
    /// It already held the planned contents.
    Skipped,
    /// Blank.
    Erased,
    /// It holds the planned contents.
    Programmed,
    /// It was read back and holds the planned contents.
    Verified,
}

/// An address as text: `0x0800f800`.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
pub(super) fn hexadecimal<S: Serializer>(address: &u32, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{address:#010x}"))
}

/// Not every path is text; an event is.
fn display<S: Serializer>(path: &std::path::Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}

/// A step and what became of it, as JSON has it.
#[derive(Serialize)]
struct StepLine {
    step: Step,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    took_ms: Option<u128>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn started<S: Serializer>(step: &Step, serializer: S) -> Result<S::Ok, S::Error> {
    StepLine { step: *step, state: "started", took_ms: None }.serialize(serializer)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn finished<S: Serializer>(step: &Step, took: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    StepLine { step: *step, state: "finished", took_ms: Some(took.as_millis()) }.serialize(serializer)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn skipped<S: Serializer>(step: &Step, _why: &SkipReason, serializer: S) -> Result<S::Ok, S::Error> {
    StepLine { step: *step, state: "skipped", took_ms: None }.serialize(serializer)
}

/// Receives events; `()` ignores them.
pub trait Progress {
    /// Handles an event. Called in order, on the thread that runs the procedure.
    fn on(&mut self, event: Event);
}

impl Progress for () {
    fn on(&mut self, _event: Event) {}
}

/// Sends a warning.
pub(crate) fn warn(progress: &mut dyn Progress, warning: Warning) {
    progress.on(Event::Warning(warning));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_in_the_log_is_its_sentence() {
        assert_eq!(Warning::new("poor-contact", "hold the wires still").to_string(), "hold the wires still");
    }
}
