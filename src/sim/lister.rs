//! Lists and opens the simulated probe through probe-rs.

use std::{fmt, io};

use probe_rs::probe::{
    DebugProbe, DebugProbeError, DebugProbeInfo, DebugProbeSelector, Probe, ProbeCreationError, ProbeFactory,
    list::{ProbeListItem, ProbeLister},
};

use super::{
    machine::SharedMachine,
    probe::{NAME, SimProbe},
};

/// A VID:PID that pid.codes reserves for tests, so that no udev rule or driver is ever bound to it.
const VENDOR: u16 = 0x1209;
const PRODUCT: u16 = 0x0001;
const SERIAL: &str = "SIM0001";

/// Lists the probe of one board while it is plugged in.
#[derive(Debug)]
pub(super) struct SimLister(pub(super) SharedMachine);

fn info() -> DebugProbeInfo {
    DebugProbeInfo::new(NAME, VENDOR, PRODUCT, Some(SERIAL.into()), &SimFactory, None, false)
}

impl ProbeLister for SimLister {
    fn open(&self, selector: &DebugProbeSelector) -> Result<Probe, DebugProbeError> {
        let mut machine = self.0.lock();
        if !selector.matches_probe(&info()) || !machine.plugged_in() {
            return Err(ProbeCreationError::NotFound.into());
        }
        match machine.open() {
            Some(session) => Ok(Probe::new(SimProbe::new(self.0.clone(), session))),
            // The operating system's error for a device whose interface is claimed.
            None => Err(ProbeCreationError::Usb(io::ErrorKind::ResourceBusy.into()).into()),
        }
    }

    fn list_with_access(&self, selector: Option<&DebugProbeSelector>) -> Vec<ProbeListItem> {
        let info = info();
        let wanted = selector.is_none_or(|selector| selector.matches_probe(&info));
        if wanted && self.0.lock().plugged_in() { vec![ProbeListItem::accessible(info)] } else { Vec::new() }
    }
}

/// The factory that each listed probe needs. It cannot open the probe, because only the lister has the board.
#[derive(Debug)]
struct SimFactory;

impl fmt::Display for SimFactory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("simulated")
    }
}

impl ProbeFactory for SimFactory {
    fn open(&self, _: &DebugProbeSelector) -> Result<Box<dyn DebugProbe>, DebugProbeError> {
        Err(ProbeCreationError::NotFound.into())
    }

    fn list_probes(&self) -> Vec<ProbeListItem> {
        Vec::new()
    }
}
