//! One probe of the list of those that are attached.

use serde::{Deserialize, Serialize};

use super::{Problem, progress::Event};

/// One attached probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeEntry {
    /// Its number in the list, from 1; `--probe '#1'`.
    pub index: usize,
    /// USB vendor, four hexadecimal digits.
    pub vid: String,
    /// USB product, four hexadecimal digits.
    pub pid: String,
    /// Serial number, in hexadecimal if the probe's own is not printable; `None` if it has none.
    pub serial: Option<String>,
    /// Where it is plugged in, `BUS-PORT.PORT`; `None` if the system does not tell.
    pub usb: Option<String>,
    /// What kind of probe, as `STLink V2`.
    pub kind: String,
    /// Whether it can be used. A list from [`super::Probes::list`] has tried, the lists in errors have not.
    pub usable: bool,
    /// Why it cannot be used.
    pub problem: Option<Problem>,
    /// Whether probe-rs's drivers could open another probe instead: one with the same USB ids and serial number, or any with
    /// the same ids if this one has no serial number.
    #[serde(skip)]
    pub has_twin: bool,
}

impl ProbeEntry {
    /// The event that tells which probe is used. No driver tells the version of the probe's firmware.
    pub(super) fn event(&self) -> Event {
        let Self { kind, serial, usb, .. } = self.clone();
        Event::Probe { kind, serial, usb, fw: None }
    }
}
