//! What stands in the way of writing, and has to be agreed to before it is removed.

use std::fmt;

use serde::Serialize;

use crate::board::{Consent, Protection, Status};

/// A protection of the chip's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Obstacle {
    /// Flash cannot be read; taking that off erases it.
    ReadProtected,
    /// As [`Self::ReadProtected`] from the next reset on: somebody was interrupted while locking.
    AboutToBeReadProtected,
    /// Pages cannot be erased or programmed.
    WriteProtected,
    /// Readable, with option bytes that are not all right: somebody was interrupted while unlocking.
    HalfUnlocked,
}

impl Obstacle {
    /// Read-out protection, in force or on its way.
    pub(super) fn to_reading(status: &Status) -> Option<Self> {
        match status.protection {
            Protection::Read => Some(Self::ReadProtected),
            Protection::None => status.option_bytes.protects().then_some(Self::AboutToBeReadProtected),
        }
    }

    /// Anything that keeps the option bytes from being those of an open chip.
    pub(super) fn to_openness(status: &Status) -> Option<Self> {
        Self::to_reading(status)
            .or_else(|| (status.write_protection != u32::MAX).then_some(Self::WriteProtected))
            .or_else(|| (!status.option_bytes.complements_right()).then_some(Self::HalfUnlocked))
    }

    /// The consent that removing it needs.
    pub fn consent(self) -> Consent {
        if self.erases() { Consent::Erase } else { Consent::Unlock }
    }

    /// Whether this consent is enough to remove it.
    pub(super) fn is_agreed(self, given: Option<Consent>) -> bool {
        given >= Some(self.consent())
    }

    /// Whether removing it erases all of flash.
    pub fn erases(self) -> bool {
        matches!(self, Self::ReadProtected | Self::AboutToBeReadProtected)
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::ReadProtected => "read-protected",
            Self::AboutToBeReadProtected => "read-protected from its next reset on",
            Self::WriteProtected => "write-protected",
            Self::HalfUnlocked => "half unlocked: an earlier unlock was interrupted",
        })
    }
}
