//! What a caller is told while a procedure runs. The library prints nothing.

use std::{fmt, time::Duration};

use serde::Serialize;

/// A phase of a procedure, in the words that a user reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Find and open the probe, reach the chip.
    Connect,
    /// Find out which chip this is.
    Identify,
    /// Read what the board still holds.
    Rescue,
    /// Write what was read to a file.
    Backup,
    /// Remove read-out protection; erases the chip.
    Unlock,
    /// Compare the board with the plan, to skip what is right.
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

/// Something that went otherwise than planned and does not stop the work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// A fixed kebab-case name, for scripts.
    pub name: &'static str,
    /// One sentence.
    pub message: String,
}

impl Warning {
    /// A warning of this name.
    pub fn new(name: &'static str, message: impl Into<String>) -> Self {
        Self { name, message: message.into() }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// What happens, as it happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A step begins.
    Started {
        /// Which.
        step: Step,
    },
    /// Some bytes of the current step are done.
    Advanced {
        /// Which step.
        step: Step,
        /// Bytes so far.
        done_bytes: u64,
        /// Bytes in all.
        total_bytes: u64,
    },
    /// A step is over.
    Finished {
        /// Which.
        step: Step,
        /// How long it took.
        took: Duration,
    },
    /// A step had nothing to do.
    Skipped {
        /// Which.
        step: Step,
    },
    /// The board does not answer yet; sent after each try.
    Waiting {
        /// Tries so far.
        attempts: u32,
        /// Since the first try.
        elapsed: Duration,
        /// What the user can do about it meanwhile.
        need: Need,
    },
    /// See [`Warning`].
    Warning(Warning),
    /// Everything is written and verified: the wires are not needed any more.
    ContactFree,
}

/// What a wait is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Need {
    /// The board to answer: hold the wires, tap NRST.
    Contact,
    /// The chip's power to go away and come back.
    PowerCycle,
    /// A probe to be plugged in.
    Probe,
    /// The probe, which hangs, to be unplugged and plugged in again.
    Replug,
}

/// Receives events; `()` ignores them.
pub trait Progress {
    /// Called in order, on the thread that runs the procedure.
    fn on(&mut self, event: Event);
}

impl Progress for () {
    fn on(&mut self, _event: Event) {}
}

/// Sends a warning.
pub(crate) fn warn(progress: &mut dyn Progress, warning: Warning) {
    progress.on(Event::Warning(warning));
}
