//! The simulated probe driver for probe-rs. Everything above this layer is the same as with a real probe.

use std::{
    fmt, io,
    sync::{Arc, MutexGuard},
};

use probe_rs::{
    CoreStatus,
    architecture::arm::{
        ArmCommunicationInterface, ArmDebugInterface, ArmError, DapError, DapProbe, RawDapAccess, RegisterAddress,
        sequences::ArmDebugSequence,
    },
    probe::{DebugProbe, DebugProbeError, WireProtocol},
};

use super::{
    dap::DapRegister,
    machine::{CLOCKS_KHZ, Machine, ProbeFailure, SharedMachine},
};

pub(super) const NAME: &str = "simulated probe";
/// nRESET among the pins of CMSIS-DAP's `DAP_SWJ_Pins`.
const NRESET: u32 = 1 << 7;

/// An open simulated probe. After it is dropped, the probe can be opened again.
pub(super) struct SimProbe {
    machine: SharedMachine,
    session: u64,
}

impl SimProbe {
    pub(super) fn new(machine: SharedMachine, session: u64) -> Self {
        Self { machine, session }
    }

    /// The machine, if the probe has not been unplugged since it was opened.
    fn plugged_in(&self) -> Result<MutexGuard<'_, Machine>, DebugProbeError> {
        let mut machine = self.machine.lock();
        if machine.plugged_in() && machine.is_open(self.session) { Ok(machine) } else { Err(gone()) }
    }

    fn transfer(&self, address: RegisterAddress, write: Option<u32>) -> Result<u32, ArmError> {
        let mut machine = self.plugged_in()?;
        let register = register(address);
        // A memory command is one exchange: the commands before it are sent together with it.
        if write.is_none() || register.is_data() {
            machine.round_trip();
        } else {
            machine.queue();
        }
        machine.transfer(self.session, register, write).map_err(report)
    }

    fn set_reset(&self, low: Pin) -> Result<(), DebugProbeError> {
        let mut machine = self.plugged_in()?;
        machine.round_trip();
        // These boards have no pad for NRST. The probe cannot detect that, so nothing happens.
        if machine.nrst_wired {
            match low {
                Pin::Low => machine.board.set_nrst_low(),
                Pin::High => machine.board.release_nrst(),
            }
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum Pin {
    Low,
    High,
}

fn register(address: RegisterAddress) -> DapRegister {
    match address {
        RegisterAddress::DpRegister(register) => DapRegister::Dp(register.address),
        RegisterAddress::ApRegister(address) => DapRegister::Ap(address),
    }
}

fn gone() -> DebugProbeError {
    DebugProbeError::Usb(io::Error::new(io::ErrorKind::NotConnected, "the simulated probe is unplugged"))
}

fn report(error: ProbeFailure) -> ArmError {
    match error {
        ProbeFailure::Gone => gone().into(),
        ProbeFailure::Timeout => DebugProbeError::Timeout.into(),
        ProbeFailure::NoAcknowledge => DapError::NoAcknowledge.into(),
        ProbeFailure::Wait => DapError::WaitResponse.into(),
        ProbeFailure::Fault => DapError::FaultResponse.into(),
    }
}

impl fmt::Debug for SimProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimProbe").field("session", &self.session).finish_non_exhaustive()
    }
}

impl Drop for SimProbe {
    fn drop(&mut self) {
        self.machine.lock().close(self.session);
    }
}

impl DebugProbe for SimProbe {
    fn get_name(&self) -> &'static str {
        NAME
    }

    fn get_target_voltage(&mut self) -> Result<Option<f32>, DebugProbeError> {
        let mut machine = self.plugged_in()?;
        machine.round_trip();
        Ok(Some(machine.target_voltage))
    }

    fn speed_khz(&self) -> u32 {
        self.machine.lock().khz
    }

    fn set_speed(&mut self, speed_khz: u32) -> Result<u32, DebugProbeError> {
        let mut machine = self.plugged_in()?;
        let slowest = machine.slowest_khz;
        let khz = CLOCKS_KHZ.into_iter().find(|&khz| khz <= speed_khz && khz >= slowest);
        machine.khz = khz.ok_or(DebugProbeError::UnsupportedSpeed(speed_khz))?;
        machine.round_trip();
        Ok(machine.khz)
    }

    /// Fails if no chip answers, as an ST-Link does when it enters SWD.
    fn attach(&mut self) -> Result<(), DebugProbeError> {
        let mut machine = self.plugged_in()?;
        machine.round_trip();
        machine.attach();
        if machine.is_connected() { Ok(()) } else { Err(DebugProbeError::TargetNotFound) }
    }

    fn detach(&mut self) -> Result<(), probe_rs::Error> {
        self.plugged_in()?.round_trip();
        Ok(())
    }

    fn target_reset(&mut self) -> Result<(), DebugProbeError> {
        self.set_reset(Pin::Low)?;
        self.set_reset(Pin::High)
    }

    fn target_reset_assert(&mut self) -> Result<(), DebugProbeError> {
        self.set_reset(Pin::Low)
    }

    fn target_reset_deassert(&mut self) -> Result<(), DebugProbeError> {
        self.set_reset(Pin::High)
    }

    fn select_protocol(&mut self, protocol: WireProtocol) -> Result<(), DebugProbeError> {
        match protocol {
            WireProtocol::Swd => Ok(()),
            WireProtocol::Jtag => Err(DebugProbeError::UnsupportedProtocol(protocol)),
        }
    }

    fn active_protocol(&self) -> Option<WireProtocol> {
        Some(WireProtocol::Swd)
    }

    fn has_arm_interface(&self) -> bool {
        true
    }

    fn try_get_arm_debug_interface<'probe>(
        self: Box<Self>,
        sequence: Arc<dyn ArmDebugSequence>,
    ) -> Result<Box<dyn ArmDebugInterface + 'probe>, (Box<dyn DebugProbe>, ArmError)> {
        Ok(ArmCommunicationInterface::create(self, sequence, false))
    }

    fn into_probe(self: Box<Self>) -> Box<dyn DebugProbe> {
        self
    }

    fn try_as_dap_probe(&mut self) -> Option<&mut dyn DapProbe> {
        Some(self)
    }
}

impl DapProbe for SimProbe {}

impl RawDapAccess for SimProbe {
    fn raw_read_register(&mut self, address: RegisterAddress) -> Result<u32, ArmError> {
        self.transfer(address, None)
    }

    fn raw_read_block(&mut self, address: RegisterAddress, values: &mut [u32]) -> Result<(), ArmError> {
        let mut machine = self.plugged_in()?;
        machine.round_trip();
        for value in values {
            *value = machine.transfer(self.session, register(address), None).map_err(report)?;
        }
        Ok(())
    }

    fn raw_write_register(&mut self, address: RegisterAddress, value: u32) -> Result<(), ArmError> {
        self.transfer(address, Some(value)).map(drop)
    }

    fn raw_write_block(&mut self, address: RegisterAddress, values: &[u32]) -> Result<(), ArmError> {
        let mut machine = self.plugged_in()?;
        machine.round_trip();
        for &value in values {
            machine.transfer(self.session, register(address), Some(value)).map_err(report)?;
        }
        Ok(())
    }

    fn raw_flush(&mut self) -> Result<(), ArmError> {
        self.plugged_in()?.flush();
        Ok(())
    }

    fn jtag_sequence(&mut self, _: u8, _: bool, _: u64) -> Result<(), DebugProbeError> {
        Err(DebugProbeError::UnsupportedProtocol(WireProtocol::Jtag))
    }

    fn swj_sequence(&mut self, bit_len: u8, bits: u64) -> Result<(), DebugProbeError> {
        let sent = self.plugged_in()?.sequence(bit_len, bits);
        sent.map_err(|_| DebugProbeError::TargetNotFound)
    }

    fn swj_pins(&mut self, pin_out: u32, pin_select: u32, _: u32) -> Result<u32, DebugProbeError> {
        if pin_select & NRESET != 0 {
            self.set_reset(if pin_out & NRESET == 0 { Pin::Low } else { Pin::High })?;
        }
        let machine = self.plugged_in()?;
        Ok(if machine.nrst_wired && machine.board.nrst_low { 0 } else { NRESET })
    }

    fn into_probe(self: Box<Self>) -> Box<dyn DebugProbe> {
        self
    }

    fn core_status_notification(&mut self, _: CoreStatus) -> Result<(), DebugProbeError> {
        Ok(())
    }
}
