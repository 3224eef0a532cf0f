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

/// Lists the probes of these boards while they are plugged in.
#[derive(Debug)]
pub(super) struct SimLister(pub(super) Vec<SharedMachine>);

/// The probe of the board with this index.
fn info(index: usize) -> DebugProbeInfo {
    let serial = format!("SIM{:04}", index + 1);
    DebugProbeInfo::new(NAME, VENDOR, PRODUCT, Some(serial), &SimFactory, None, false)
}

impl ProbeLister for SimLister {
    fn open(&self, selector: &DebugProbeSelector) -> Result<Probe, DebugProbeError> {
        let not_found = || DebugProbeError::from(ProbeCreationError::NotFound);
        let mut all = self.0.iter().enumerate();
        let (_, shared) = all.find(|(index, _)| selector.matches_probe(&info(*index))).ok_or_else(not_found)?;
        let mut machine = shared.lock();
        if !machine.plugged_in() {
            return Err(not_found());
        }
        match machine.open() {
            Some(session) => Ok(Probe::new(SimProbe::new(shared.clone(), session))),
            // The operating system's error for a device whose interface is claimed.
            None => Err(ProbeCreationError::Usb(io::ErrorKind::ResourceBusy.into()).into()),
        }
    }

    fn list_with_access(&self, selector: Option<&DebugProbeSelector>) -> Vec<ProbeListItem> {
        let plugged_in = self.0.iter().enumerate().filter(|(_, machine)| machine.lock().plugged_in());
        let infos = plugged_in.map(|(index, _)| info(index));
        let is_wanted = |info: &DebugProbeInfo| selector.is_none_or(|selector| selector.matches_probe(info));
        infos.filter(is_wanted).map(ProbeListItem::accessible).collect()
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
