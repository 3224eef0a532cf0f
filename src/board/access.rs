//! Why an attached probe cannot be used. A cause is named only if it was found, never guessed.

use std::io;

use probe_rs::probe::{BoxedProbeError, DebugProbeError, DebugProbeInfo, ProbeCreationError, stlink::StlinkError};
use serde::Serialize;

use super::{Error, usb};

/// What keeps a probe from being used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "kebab-case", tag = "name")]
pub enum Problem {
    /// The system does not let this user open the device.
    #[error("permission denied for probe {vid}:{pid}")]
    Permission {
        /// USB vendor, four hexadecimal digits.
        vid: String,
        /// USB product.
        pid: String,
    },
    /// Another program has it.
    #[error("{} is using the probe", program.as_deref().unwrap_or("another program"))]
    Busy {
        /// The program, if the system tells.
        program: Option<String>,
    },
    /// Windows has bound a driver to it that this program cannot use.
    #[error("the probe has no WinUSB driver")]
    Driver,
    /// The firmware of the probe is too old.
    #[error(
        "the probe's firmware is too old: {}, at least {needed} is needed",
        found.as_deref().unwrap_or("unknown version")
    )]
    Firmware {
        /// The version it has, as the probe counts, for example `V2J17`.
        found: Option<String>,
        /// The oldest version that works, for example `J26`.
        needed: String,
    },
    /// It can be opened but does not answer.
    #[error("the probe does not answer")]
    Hung,
    /// Anything else, in the driver's words.
    #[error("the probe cannot be opened: {message}")]
    Other {
        /// The driver's words.
        message: String,
    },
}

/// A device node that the user may not open; the lister has tried.
pub(super) fn permission(info: &DebugProbeInfo) -> Problem {
    Problem::Permission { vid: format!("{:04x}", info.vendor_id), pid: format!("{:04x}", info.product_id) }
}

/// Sorts the error of opening a probe.
pub(super) fn diagnose(info: &DebugProbeInfo, device: Option<&nusb::DeviceInfo>, error: &DebugProbeError) -> Error {
    if let DebugProbeError::ProbeCouldNotBeCreated(ProbeCreationError::NotFound) = error {
        return Error::ProbeGone;
    }
    if let Some(StlinkError::ProbeFirmwareOutdated(version)) = specific(error) {
        let found = device.and_then(usb::stlink_version);
        return Error::ProbeAccess(Problem::Firmware { found, needed: format!("J{version}") });
    }
    let problem = match io_kind(error) {
        Some(io::ErrorKind::PermissionDenied) => permission(info),
        Some(io::ErrorKind::Unsupported) => Problem::Driver,
        Some(io::ErrorKind::ResourceBusy) => Problem::Busy { program: device.and_then(usb::holder) },
        Some(io::ErrorKind::TimedOut) => Problem::Hung,
        Some(io::ErrorKind::NotFound | io::ErrorKind::NotConnected) => return Error::ProbeGone,
        // hidapi has only words for it.
        _ if words(error).contains("Permission denied") => permission(info),
        _ => Problem::Other { message: words(error) },
    };
    Error::ProbeAccess(problem)
}

fn specific(error: &DebugProbeError) -> Option<&StlinkError> {
    let (DebugProbeError::ProbeSpecific(inner)
    | DebugProbeError::ProbeCouldNotBeCreated(ProbeCreationError::ProbeSpecific(inner))) = error
    else {
        return None;
    };
    BoxedProbeError::downcast_ref(inner)
}

/// The kind of the system's error at the end of the chain.
fn io_kind(error: &DebugProbeError) -> Option<io::ErrorKind> {
    let chain = std::iter::successors(Some(error as &(dyn std::error::Error + 'static)), |error| error.source());
    let mut found = None;
    for cause in chain {
        if let Some(io) = cause.downcast_ref::<io::Error>() {
            // The chain goes on behind the error that this one wraps: nusb's own, which alone knows "busy".
            let wrapped = io.get_ref().and_then(|wrapped| wrapped.downcast_ref());
            found = Some(wrapped.map_or_else(|| io.kind(), kind_of));
        }
        if let Some(usb) = cause.downcast_ref() {
            found = Some(kind_of(usb));
        }
    }
    found
}

fn kind_of(usb: &nusb::Error) -> io::ErrorKind {
    match usb.kind() {
        nusb::ErrorKind::Busy => io::ErrorKind::ResourceBusy,
        nusb::ErrorKind::PermissionDenied => io::ErrorKind::PermissionDenied,
        nusb::ErrorKind::Unsupported => io::ErrorKind::Unsupported,
        nusb::ErrorKind::NotFound => io::ErrorKind::NotFound,
        nusb::ErrorKind::Disconnected => io::ErrorKind::NotConnected,
        _ => io::ErrorKind::Other,
    }
}

fn words(error: &DebugProbeError) -> String {
    let chain = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    let words: Vec<_> = chain.map(|cause| cause.to_string().trim_end_matches('.').to_owned()).collect();
    words.join(": ")
}
