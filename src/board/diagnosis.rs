//! Why an attached probe cannot be used. A cause is named only if it was detected, never guessed.

use std::io;

use probe_rs::probe::{BoxedProbeError, DebugProbeError, DebugProbeInfo, ProbeCreationError, stlink::StlinkError};

use super::{Error, Problem, stlink, usb};

/// The problem of a device that the lister failed to open for lack of permission.
pub(super) fn permission(info: &DebugProbeInfo) -> Problem {
    Problem::Permission { vid: format!("{:04x}", info.vendor_id), pid: format!("{:04x}", info.product_id) }
}

/// Classifies an error from opening a probe.
pub(super) fn diagnose(info: &DebugProbeInfo, device: Option<&nusb::DeviceInfo>, error: &DebugProbeError) -> Error {
    if let DebugProbeError::ProbeCouldNotBeCreated(ProbeCreationError::NotFound) = error {
        return Error::ProbeGone;
    }
    if let Some(StlinkError::ProbeFirmwareOutdated(version)) = specific(error) {
        let found = device.and_then(stlink::version);
        return Error::ProbeAccess(Problem::Firmware { found, needed: format!("J{version}") });
    }
    let problem = match io_kind(error) {
        Some(io::ErrorKind::PermissionDenied) => permission(info),
        // A driver that did not get an answer resets the device, which Windows' driver cannot do (nusb 0.2.9,
        // platform/windows_winusb/device.rs).
        Some(io::ErrorKind::Unsupported) if words(error).contains("reset not supported") => Problem::Hung,
        Some(io::ErrorKind::Unsupported) => Problem::Driver,
        Some(io::ErrorKind::ResourceBusy) => Problem::Busy { program: device.and_then(usb::holder) },
        Some(io::ErrorKind::TimedOut) => Problem::Hung,
        Some(io::ErrorKind::NotFound | io::ErrorKind::NotConnected) => return Error::ProbeGone,
        // hidapi reports this only as text.
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

/// The kind of the innermost system error. nusb wraps its own error, which distinguishes "busy", in an `io::Error`.
fn io_kind(error: &DebugProbeError) -> Option<io::ErrorKind> {
    let chain = std::iter::successors(Some(error as &(dyn std::error::Error + 'static)), |error| error.source());
    let mut found = None;
    for cause in chain {
        if let Some(io) = cause.downcast_ref::<io::Error>() {
            // `source()` skips the wrapped nusb error, which is the only one that distinguishes "busy".
            let wrapped = io.get_ref().and_then(|wrapped| wrapped.downcast_ref());
            found = Some(wrapped.map_or_else(|| io.kind(), |usb: &nusb::Error| kind_of(usb.kind())));
        }
        if let Some(usb) = cause.downcast_ref::<nusb::Error>() {
            found = Some(kind_of(usb.kind()));
        }
    }
    found
}

fn kind_of(usb: nusb::ErrorKind) -> io::ErrorKind {
    match usb {
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

#[cfg(test)]
mod tests {
    use probe_rs::probe::stlink::StLinkFactory;

    use super::*;

    fn diagnosed(error: &DebugProbeError) -> Error {
        let info = DebugProbeInfo::new("STLink V2", 0x0483, 0x3748, None, &StLinkFactory, None, false);
        diagnose(&info, None, error)
    }

    #[test]
    fn a_probe_that_cannot_be_opened_is_diagnosed_by_the_systems_error() {
        let of = |kind: io::ErrorKind| match diagnosed(&DebugProbeError::Usb(kind.into())) {
            Error::ProbeAccess(problem) => Some(problem),
            Error::ProbeGone => None,
            other => panic!("{other}"),
        };
        let permission = Problem::Permission { vid: "0483".into(), pid: "3748".into() };
        assert_eq!(of(io::ErrorKind::PermissionDenied), Some(permission));
        assert_eq!(of(io::ErrorKind::Unsupported), Some(Problem::Driver));
        assert_eq!(of(io::ErrorKind::ResourceBusy), Some(Problem::Busy { program: None }));
        assert_eq!(of(io::ErrorKind::TimedOut), Some(Problem::Hung));
        assert_eq!(of(io::ErrorKind::NotFound), None);
        assert_eq!(of(io::ErrorKind::NotConnected), None);
        let Some(Problem::Other { message }) = of(io::ErrorKind::BrokenPipe) else { panic!("another cause") };
        assert!(message.ends_with("broken pipe"), "{message}");
    }

    #[test]
    fn a_hung_probe_on_windows_is_told_from_one_without_a_driver() {
        let unsupported = |message: &str| {
            let error = DebugProbeError::Usb(io::Error::new(io::ErrorKind::Unsupported, message.to_owned()));
            match diagnosed(&error) {
                Error::ProbeAccess(problem) => problem,
                other => panic!("{other}"),
            }
        };
        assert_eq!(unsupported("reset not supported by WinUSB"), Problem::Hung);
        assert_eq!(unsupported("incompatible driver is installed for this device"), Problem::Driver);
    }

    #[test]
    fn a_missing_permission_is_found_in_the_text_of_an_error_too() {
        let error = DebugProbeError::Other("hidapi error: Permission denied (os error 13).".into());
        assert!(matches!(diagnosed(&error), Error::ProbeAccess(Problem::Permission { .. })));
        let error = DebugProbeError::Other("hidapi error.".into());
        let Error::ProbeAccess(Problem::Other { message }) = diagnosed(&error) else { panic!("another cause") };
        assert_eq!(message, "hidapi error");
    }

    #[test]
    fn the_firmware_that_an_outdated_probe_needs_is_named() {
        let error = DebugProbeError::from(StlinkError::ProbeFirmwareOutdated(26));
        let expected = Problem::Firmware { found: None, needed: "J26".into() };
        assert!(matches!(diagnosed(&error), Error::ProbeAccess(problem) if problem == expected));
    }

    #[test]
    fn an_error_of_the_usb_library_counts_as_the_systems() {
        for (usb, kind) in [
            (nusb::ErrorKind::Busy, io::ErrorKind::ResourceBusy),
            (nusb::ErrorKind::PermissionDenied, io::ErrorKind::PermissionDenied),
            (nusb::ErrorKind::Unsupported, io::ErrorKind::Unsupported),
            (nusb::ErrorKind::NotFound, io::ErrorKind::NotFound),
            (nusb::ErrorKind::Disconnected, io::ErrorKind::NotConnected),
            (nusb::ErrorKind::Other, io::ErrorKind::Other),
        ] {
            assert_eq!(kind_of(usb), kind);
        }
    }
}
