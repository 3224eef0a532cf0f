//! Progress events that a procedure sends to its caller. The library prints nothing.

use std::{fmt, time::Duration};

use serde::Serialize;

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
    Boot,
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
            Self::Boot => "boot",
        })
    }
}

/// Something the user should know that does not stop the work.
#[derive(Debug, Clone, PartialEq, Eq)]
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A step begins.
    Started {
        /// The step that begins.
        step: Step,
    },
    /// More bytes of the current step are done.
    Advanced {
        /// The current step.
        step: Step,
        /// Bytes done so far.
        done_bytes: u64,
        /// Total number of bytes.
        total_bytes: u64,
    },
    /// A step is finished.
    Finished {
        /// The finished step.
        step: Step,
        /// How long it took.
        took: Duration,
    },
    /// A step had nothing to do.
    Skipped {
        /// The skipped step.
        step: Step,
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
    /// A warning; see [`Warning`].
    Warning(Warning),
    /// Everything is written and verified: contact is no longer needed.
    ContactFree,
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
