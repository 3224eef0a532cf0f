//! What a driver's failure says about the wires.

use std::{io, iter};

use probe_rs::{
    architecture::arm::{ArmError, DapError},
    probe::DebugProbeError,
};
use serde::{Deserialize, Serialize};

/// A driver's failure, sorted by what it says about the wires, with the driver's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Mishap {
    /// The chip answered, and refused this access.
    Refused,
    /// The probe itself does not answer.
    Probe(String),
    /// The probe has no such clock, in kHz.
    Speed(u32),
    /// The chip does not answer, or not in a way that makes sense.
    Wire(String),
}

impl Mishap {
    /// Sorts a driver's error. Drivers differ in where they put what it says about the wires, so the whole chain of causes is
    /// searched.
    pub(crate) fn of(error: &ArmError) -> Self {
        if let ArmError::Probe(DebugProbeError::UnsupportedSpeed(khz)) = error {
            Self::Speed(*khz)
        } else if is_refusal(error) {
            Self::Refused
        } else if is_probe(error) {
            Self::Probe(chain(error).last().map(ToString::to_string).unwrap_or_default())
        } else {
            Self::Wire(words(error))
        }
    }
}

impl From<Mishap> for ArmError {
    fn from(failure: Mishap) -> Self {
        match failure {
            Mishap::Refused => DapError::FaultResponse.into(),
            Mishap::Probe(words) => {
                Self::Probe(DebugProbeError::Usb(io::Error::new(io::ErrorKind::NotConnected, words)))
            }
            Mishap::Speed(khz) => Self::Probe(DebugProbeError::UnsupportedSpeed(khz)),
            Mishap::Wire(words) => Self::Other(words),
        }
    }
}

type Cause = dyn std::error::Error + 'static;

fn chain(error: &ArmError) -> impl Iterator<Item = &Cause> {
    iter::successors(Some(error as &Cause), |error| error.source())
}

fn words(error: &ArmError) -> String {
    chain(error).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn is_refusal(error: &ArmError) -> bool {
    chain(error).any(|cause| {
        matches!(cause.downcast_ref::<DapError>(), Some(DapError::FaultResponse))
            // ST-Link's status type cannot be named from outside; its text can be read.
            || cause.to_string().contains("SwdApFault")
    })
}

fn is_probe(error: &ArmError) -> bool {
    chain(error).any(|cause| {
        cause.downcast_ref::<io::Error>().is_some()
            || matches!(
                cause.downcast_ref::<DebugProbeError>(),
                Some(DebugProbeError::Usb(_) | DebugProbeError::ProbeCouldNotBeCreated(_))
            )
    })
}
