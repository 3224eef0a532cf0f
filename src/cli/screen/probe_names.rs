//! A probe in words, for the list of probes and for errors about them.

use m365_drv::board::{self, ProbeEntry};

use crate::cli::exit;

/// The probes that an error is about, one a line.
pub(crate) fn named_by(error: &anyhow::Error) -> Vec<String> {
    use board::Error::{ProbeAmbiguous, ProbeNotFound, SeveralProbes};
    match exit::of_board(error) {
        Some(ProbeNotFound { found, .. } | ProbeAmbiguous { found, .. } | SeveralProbes { found }) => {
            found.iter().map(in_a_line).collect()
        }
        _ => Vec::new(),
    }
}

fn in_a_line(probe: &ProbeEntry) -> String {
    format!("#{} {}", probe.index, in_words(probe))
}

/// A probe without its number in the list.
pub(crate) fn in_words(probe: &ProbeEntry) -> String {
    let serial = probe.serial.as_deref().map_or_else(String::new, |serial| format!(", serial {serial}"));
    format!("{}, {}{serial}", probe.kind, place(probe))
}

/// The ids of a probe, and where it is attached.
pub(crate) fn place(probe: &ProbeEntry) -> String {
    let place = probe.usb.as_deref().map_or_else(String::new, |place| format!(" at usb:{place}"));
    format!("{}:{}{place}", probe.vid, probe.pid)
}
