//! What a procedure can end in, and what the board is then.

use serde::Serialize;

/// What kind of failure this is; every one has its own exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Category {
    /// A defect of this program.
    Internal,
    /// The command line asks for something that cannot be.
    Usage,
    /// Erasing was needed and not consented to.
    Consent,
    /// No probe, or several and none chosen.
    NoProbe,
    /// The probe was found and cannot be used.
    ProbeAccess,
    /// The probe works and no board answers.
    NoContact,
    /// Not a supported chip, or not the board that was expected.
    WrongBoard,
    /// A firmware file was refused.
    Image,
    /// Serial number, mileage or data block unknown or refused.
    Data,
    /// The backup could not be written and read back.
    Backup,
    /// Erasing, programming or unlocking failed.
    Flash,
    /// The board differs from the plan.
    Verify,
    /// Contact was lost on the way.
    LinkLost,
    /// Ctrl-C.
    Interrupted,
}

/// What a procedure did to the board's flash by the time it ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BoardState {
    /// Flash and option bytes are what they were.
    #[default]
    Untouched,
    /// Erased, nothing of the plan is in it yet.
    Erased,
    /// Some of the plan is in it.
    Partial,
    /// Holds the plan.
    Written,
}
