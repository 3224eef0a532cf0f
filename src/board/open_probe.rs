//! An open probe, before it is attached and after it is detached. What its driver is asked goes onto the tape, if there is one.

use probe_rs::{
    architecture::arm::{ArmDebugInterface, ArmError, sequences::DefaultArmSequence},
    probe::{DebugProbeError, Probe, WireProtocol},
};
use serde::{Serialize, de::DeserializeOwned};

use crate::tape::{Call, Mishap, Tape};

/// The debug interface of a probe; `None` if a tape plays it.
pub(super) type Taped = (Option<Box<dyn ArmDebugInterface>>, Option<Tape>);

/// Asks a driver for something, over a tape if there is one.
pub(super) fn ask<T: Serialize + DeserializeOwned>(
    tape: Option<&Tape>,
    call: impl FnOnce() -> Call,
    driver: impl FnOnce() -> Result<T, ArmError>,
) -> Result<T, ArmError> {
    match tape {
        None => driver(),
        Some(tape) => tape.call(call, || driver().map_err(|error| Mishap::of(&error))).map_err(ArmError::from),
    }
}

/// A probe that is open.
#[derive(Debug)]
pub(super) struct OpenProbe {
    /// `None` if a tape plays it.
    probe: Option<Probe>,
    tape: Option<Tape>,
}

impl OpenProbe {
    pub(super) fn new(probe: Option<Probe>, tape: Option<Tape>) -> Self {
        Self { probe, tape }
    }

    fn ask<T: Serialize + DeserializeOwned>(
        &mut self,
        call: Call,
        driver: impl FnOnce(&mut Probe) -> Result<T, ArmError>,
    ) -> Result<T, ArmError> {
        let probe = &mut self.probe;
        ask(self.tape.as_ref(), || call, || driver(probe.as_mut().expect(REAL)))
    }

    fn ask_probe<T: Serialize + DeserializeOwned>(
        &mut self,
        call: Call,
        driver: impl FnOnce(&mut Probe) -> Result<T, DebugProbeError>,
    ) -> Result<T, ArmError> {
        self.ask(call, |probe| driver(probe).map_err(ArmError::Probe))
    }

    /// The voltage that the probe measures at the board, if it can.
    pub(super) fn voltage(&mut self) -> Result<Option<f32>, ArmError> {
        self.ask_probe(Call::Voltage, Probe::get_target_voltage)
    }

    pub(super) fn select_swd(&mut self) -> Result<(), ArmError> {
        self.ask_probe(Call::Protocol, |probe| probe.select_protocol(WireProtocol::Swd))
    }

    /// Sets the clock; a probe may choose a slower one.
    pub(super) fn set_speed(&mut self, khz: u32) -> Result<(), ArmError> {
        self.ask_probe(Call::Speed(khz), |probe| probe.set_speed(khz).map(drop))
    }

    /// The clock that the probe uses.
    pub(super) fn speed_khz(&mut self) -> Result<u32, ArmError> {
        self.ask_probe(Call::ReadSpeed, |probe| Ok(probe.speed_khz()))
    }

    /// Drives NRST low.
    pub(super) fn hold_reset(&mut self) -> Result<(), ArmError> {
        self.ask_probe(Call::ResetLow, Probe::target_reset_assert)
    }

    /// Lets go of NRST.
    pub(super) fn release_reset(&mut self) -> Result<(), ArmError> {
        self.ask_probe(Call::ResetHigh, Probe::target_reset_deassert)
    }

    pub(super) fn attach(&mut self) -> Result<(), ArmError> {
        self.ask(Call::Attach, |probe| probe.attach_to_unspecified().map_err(of_arm))
    }

    pub(super) fn detach(&mut self) -> Result<(), ArmError> {
        self.ask(Call::Detach, |probe| probe.detach().map_err(of_arm))
    }

    /// The debug interface of a probe that is attached.
    pub(super) fn into_interface(mut self) -> Result<Taped, ArmError> {
        let (probe, tape) = (self.probe.take(), self.tape.take());
        let mut interface = None;
        ask(
            tape.as_ref(),
            || Call::Interface,
            || {
                let taken = probe.expect(REAL).try_into_arm_debug_interface(DefaultArmSequence::create());
                interface = Some(taken.map_err(|(_, error)| error)?);
                Ok(())
            },
        )?;
        Ok((interface, tape))
    }
}

/// A player asks no driver.
pub(super) const REAL: &str = "there is a driver unless a tape is played";

fn of_arm(error: probe_rs::Error) -> ArmError {
    match error {
        probe_rs::Error::Arm(error) => error,
        probe_rs::Error::Probe(error) => ArmError::Probe(error),
        other => ArmError::Other(other.to_string()),
    }
}
