//! The ST-Link as a probe-rs driver: those parts of probe-rs's traits that this program calls.

use std::{collections::BTreeSet, sync::Arc};

use probe_rs::{
    MemoryInterface,
    architecture::arm::{
        ArmDebugInterface, ArmError, DapAccess, DapProbe, FullyQualifiedApAddress, Pins, SwdSequence, SwoAccess,
        SwoConfig,
        ap::{ApRegister as _, BASE, CSW, IDR},
        dp::{DpAddress, DpRegisterAddress},
        memory::ArmMemoryInterface,
        sequences::ArmDebugSequence,
        valid_32bit_arm_address,
    },
    probe::{DebugProbe, DebugProbeError, Probe, WireProtocol, stlink::StlinkError},
};

use super::commands::{AP, Commands, Nrst, Registers};

const PORT: FullyQualifiedApAddress = FullyQualifiedApAddress::v1_with_default_dp(AP);
/// The class of an access port to memory, in bits 13 to 16 of its IDR (ADIv5 C2.6.7).
const CLASS_MEMORY: u32 = 8;

/// A probe, attached or not.
#[derive(Debug)]
pub(super) struct StLink {
    commands: Commands,
    speed_khz: u32,
}

impl StLink {
    pub(super) fn new(mut commands: Commands) -> Result<Self, StlinkError> {
        let speed_khz = commands.clock()?;
        Ok(Self { commands, speed_khz })
    }
}

impl Drop for StLink {
    fn drop(&mut self) {
        // Nobody is left to report an error to.
        let _ = self.commands.leave();
    }
}

impl DebugProbe for StLink {
    fn get_name(&self) -> &'static str {
        if self.commands.version().hardware < 3 { "ST-Link V2" } else { "ST-Link V3" }
    }

    fn speed_khz(&self) -> u32 {
        self.speed_khz
    }

    fn set_speed(&mut self, speed_khz: u32) -> Result<u32, DebugProbeError> {
        self.speed_khz = self.commands.set_clock(speed_khz)?;
        Ok(self.speed_khz)
    }

    fn attach(&mut self) -> Result<(), DebugProbeError> {
        self.commands.leave()?;
        self.commands.enter_swd()?;
        // Entering SWD may reset the clock to the default.
        self.set_speed(self.speed_khz)?;
        Ok(())
    }

    fn detach(&mut self) -> Result<(), probe_rs::Error> {
        self.commands.leave().map_err(|error| DebugProbeError::from(error).into())
    }

    fn target_reset(&mut self) -> Result<(), DebugProbeError> {
        Ok(self.commands.drive_nrst(Nrst::Pulse)?)
    }

    fn target_reset_assert(&mut self) -> Result<(), DebugProbeError> {
        Ok(self.commands.drive_nrst(Nrst::Low)?)
    }

    fn target_reset_deassert(&mut self) -> Result<(), DebugProbeError> {
        Ok(self.commands.drive_nrst(Nrst::High)?)
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
        _sequence: Arc<dyn ArmDebugSequence>,
    ) -> Result<Box<dyn ArmDebugInterface + 'probe>, (Box<dyn DebugProbe>, ArmError)> {
        Ok(self)
    }

    fn into_probe(self: Box<Self>) -> Box<dyn DebugProbe> {
        self
    }

    fn get_target_voltage(&mut self) -> Result<Option<f32>, DebugProbeError> {
        Ok(Some(self.commands.voltage()?))
    }
}

impl ArmDebugInterface for StLink {
    fn reinitialize(&mut self) -> Result<(), ArmError> {
        Ok(self.attach()?)
    }

    fn access_ports(&mut self, dp: DpAddress) -> Result<BTreeSet<FullyQualifiedApAddress>, ArmError> {
        self.select_debug_port(dp)?;
        Ok(BTreeSet::from([PORT]))
    }

    fn close(self: Box<Self>) -> Probe {
        Probe::from_specific_probe(self)
    }

    fn select_debug_port(&mut self, dp: DpAddress) -> Result<(), ArmError> {
        match dp {
            DpAddress::Default => Ok(()),
            DpAddress::Multidrop(_) => Err(driver(StlinkError::MultidropNotSupported)),
        }
    }

    fn current_debug_port(&self) -> Option<DpAddress> {
        Some(DpAddress::Default)
    }

    fn memory_interface(
        &mut self,
        access_port: &FullyQualifiedApAddress,
    ) -> Result<Box<dyn ArmMemoryInterface + '_>, ArmError> {
        match self.read_raw_ap_register(access_port, IDR::ADDRESS)? {
            0 => Err(ArmError::ApDoesNotExist(PORT)),
            idr if idr >> 13 & 0xF != CLASS_MEMORY => Err(ArmError::WrongApType),
            _ => Ok(Box::new(StlinkMemory { probe: self })),
        }
    }
}

impl DapAccess for StLink {
    fn read_raw_dp_register(&mut self, dp: DpAddress, register: DpRegisterAddress) -> Result<u32, ArmError> {
        self.select_debug_port(dp)?;
        self.commands.read_register(Registers::DebugPort, unbanked(register)?).map_err(driver)
    }

    fn write_raw_dp_register(
        &mut self,
        dp: DpAddress,
        register: DpRegisterAddress,
        value: u32,
    ) -> Result<(), ArmError> {
        self.select_debug_port(dp)?;
        self.commands.write_register(Registers::DebugPort, unbanked(register)?, value).map_err(driver)
    }

    fn read_raw_ap_register(&mut self, ap: &FullyQualifiedApAddress, address: u64) -> Result<u32, ArmError> {
        self.commands.read_register(only(ap)?, address as u8).map_err(driver)
    }

    fn write_raw_ap_register(
        &mut self,
        ap: &FullyQualifiedApAddress,
        address: u64,
        value: u32,
    ) -> Result<(), ArmError> {
        self.commands.write_register(only(ap)?, address as u8, value).map_err(driver)
    }

    fn try_dap_probe(&self) -> Option<&dyn DapProbe> {
        None
    }

    fn try_dap_probe_mut(&mut self) -> Option<&mut dyn DapProbe> {
        None
    }
}

fn driver(error: StlinkError) -> ArmError {
    DebugProbeError::from(error).into()
}

/// The number of a debug-port register. Firmware before J32 knows no banks, and none are needed.
fn unbanked(register: DpRegisterAddress) -> Result<u8, ArmError> {
    match register.bank {
        None | Some(0) => Ok(register.address),
        Some(_) => Err(driver(StlinkError::BanksNotAllowedOnDPRegister)),
    }
}

/// The one access port that this driver knows.
fn only(ap: &FullyQualifiedApAddress) -> Result<Registers, ArmError> {
    if *ap == PORT { Ok(Registers::AccessPort) } else { Err(ArmError::ApDoesNotExist(ap.clone())) }
}

impl SwdSequence for StLink {
    fn swj_sequence(&mut self, _bit_len: u8, _bits: u64) -> Result<(), DebugProbeError> {
        Err(DebugProbeError::CommandNotSupportedByProbe { command_name: "swj_sequence" })
    }

    /// Of the pins only NRST can be driven, and none can be read.
    fn swj_pins(&mut self, pin_out: u32, pin_select: u32, _pin_wait: u32) -> Result<u32, DebugProbeError> {
        let mut nrst = Pins(0);
        nrst.set_nreset(true);
        if pin_select != u32::from(nrst.0) {
            return Err(DebugProbeError::CommandNotSupportedByProbe { command_name: "swj_pins" });
        }
        self.commands.drive_nrst(if pin_out & pin_select == 0 { Nrst::Low } else { Nrst::High })?;
        Ok(u32::MAX)
    }
}

impl SwoAccess for StLink {
    fn enable_swo(&mut self, _config: &SwoConfig) -> Result<(), ArmError> {
        Err(ArmError::NotImplemented("SWO"))
    }

    fn disable_swo(&mut self) -> Result<(), ArmError> {
        Err(ArmError::NotImplemented("SWO"))
    }

    fn read_swo_timeout(&mut self, _timeout: std::time::Duration) -> Result<Vec<u8>, ArmError> {
        Err(ArmError::NotImplemented("SWO"))
    }
}

/// The memory behind the access port, in words only, because `board::link` uses nothing else.
struct StlinkMemory<'probe> {
    probe: &'probe mut StLink,
}

impl SwdSequence for StlinkMemory<'_> {
    fn swj_sequence(&mut self, bit_len: u8, bits: u64) -> Result<(), DebugProbeError> {
        self.probe.swj_sequence(bit_len, bits)
    }

    fn swj_pins(&mut self, pin_out: u32, pin_select: u32, pin_wait: u32) -> Result<u32, DebugProbeError> {
        self.probe.swj_pins(pin_out, pin_select, pin_wait)
    }
}

impl MemoryInterface<ArmError> for StlinkMemory<'_> {
    fn supports_native_64bit_access(&mut self) -> bool {
        false
    }

    fn read_64(&mut self, _address: u64, _data: &mut [u64]) -> Result<(), ArmError> {
        Err(ArmError::UnsupportedTransferWidth(64))
    }

    fn read_32(&mut self, address: u64, data: &mut [u32]) -> Result<(), ArmError> {
        self.probe.commands.read_words(valid_32bit_arm_address(address)?, data).map_err(driver)
    }

    fn read_16(&mut self, _address: u64, _data: &mut [u16]) -> Result<(), ArmError> {
        Err(ArmError::UnsupportedTransferWidth(16))
    }

    fn read_8(&mut self, _address: u64, _data: &mut [u8]) -> Result<(), ArmError> {
        Err(ArmError::UnsupportedTransferWidth(8))
    }

    fn write_64(&mut self, _address: u64, _data: &[u64]) -> Result<(), ArmError> {
        Err(ArmError::UnsupportedTransferWidth(64))
    }

    fn write_32(&mut self, address: u64, data: &[u32]) -> Result<(), ArmError> {
        self.probe.commands.write_words(valid_32bit_arm_address(address)?, data).map_err(driver)
    }

    fn write_16(&mut self, _address: u64, _data: &[u16]) -> Result<(), ArmError> {
        Err(ArmError::UnsupportedTransferWidth(16))
    }

    fn write_8(&mut self, _address: u64, _data: &[u8]) -> Result<(), ArmError> {
        Err(ArmError::UnsupportedTransferWidth(8))
    }

    fn supports_8bit_transfers(&self) -> Result<bool, ArmError> {
        Ok(false)
    }

    fn flush(&mut self) -> Result<(), ArmError> {
        Ok(())
    }
}

impl ArmMemoryInterface for StlinkMemory<'_> {
    fn fully_qualified_address(&self) -> FullyQualifiedApAddress {
        PORT
    }

    fn base_address(&mut self) -> Result<u64, ArmError> {
        let base = BASE::from_raw(self.probe.read_raw_ap_register(&PORT, BASE::ADDRESS)?);
        if !base.present() {
            return Err(ArmError::Other("debug entry not present".into()));
        }
        Ok(u64::from(base.BASEADDR()) << 12)
    }

    fn get_arm_debug_interface(&mut self) -> Result<&mut dyn ArmDebugInterface, DebugProbeError> {
        Ok(self.probe)
    }

    fn generic_status(&mut self) -> Result<CSW, ArmError> {
        Ok(CSW::from_raw(self.probe.read_raw_ap_register(&PORT, CSW::ADDRESS)?))
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::{
        super::script::{ASK_STATUS, Script, memory_status},
        *,
    };
    use crate::board::link::{Link, LinkError, SharedQuality};

    const READ_FLASH: [u8; 9] = [0xF2, 0x07, 0, 0, 0, 0x08, 4, 0, 0];

    /// A probe with a Cortex-M3 behind it, and what is asked for until its memory can be read.
    fn with_memory(idr: u32) -> Script {
        let [a, b, c, d] = idr.to_le_bytes();
        let script = Script::v2(37).then(&[0xF2, 0x4B, 0], &[], &[0x80, 0]);
        script.then(&[0xF2, 0x45, 0, 0, 0xFC, 0], &[], &[0x80, 0, 0, 0, a, b, c, d])
    }

    fn link(script: Script) -> (Result<Link, LinkError>, Script) {
        let (commands, script) = script.opened();
        let probe = Box::new(StLink::new(commands).unwrap());
        (Link::new((Some(probe), None), 4000, SharedQuality::default()), script)
    }

    #[test]
    fn memory_is_read_and_written_by_the_probe_s_own_commands() {
        let script = with_memory(0x1477_0011)
            .then(&READ_FLASH, &[], &[0x78, 0x56, 0x34, 0x12])
            .then(&ASK_STATUS, &[], &memory_status(0x80))
            .then(&[0xF2, 0x08, 0, 0, 0, 0x20, 4, 0, 0], &[0xEF, 0xBE, 0xAD, 0xDE], &[])
            .then(&ASK_STATUS, &[], &memory_status(0x80))
            .then(&[0xF2, 0x45, 0xFF, 0xFF, 0, 0], &[], &[0x80, 0, 0, 0, 0x77, 0x14, 0xA0, 0x1B])
            .then(&[0xF2, 0x45, 0, 0, 0xF8, 0], &[], &[0x80, 0, 0, 0, 0x03, 0xF0, 0x0F, 0xE0])
            .then(&[0xF2, 0x3C, 1], &[], &[0x80, 0])
            // Dropped, it leaves debug mode.
            .then(&[0xF5], &[], &[2, 0])
            .then(&[0xF2, 0x21], &[], &[]);
        let (link, script) = link(script);
        let mut link = link.unwrap();
        assert_eq!(link.read(0x0800_0000).unwrap(), 0x1234_5678);
        link.write(0x2000_0000, 0xDEAD_BEEF).unwrap();
        assert_eq!(link.dpidr().unwrap(), 0x1BA0_1477);
        assert_eq!(link.rom_table_base().unwrap(), 0xE00F_F000);
        link.release_reset().unwrap();
        link.flush().unwrap();
        drop(link.close());
        assert!(script.is_over());
    }

    #[test]
    fn failures_are_sorted_as_those_of_the_other_driver() {
        let failing = |status| {
            let script = with_memory(0x1477_0011).then(&READ_FLASH, &[], &[0; 4]);
            let script = script.then(&ASK_STATUS, &[], &memory_status(status)).then(&[0xF5], &[], &[1, 0]);
            link(script).0.unwrap().read(0x0800_0000).unwrap_err()
        };
        assert!(matches!(failing(0x11), LinkError::Refused { address: 0x0800_0000 }));
        for status in [0x12, 0x13, 0x16, 0x19] {
            assert!(matches!(failing(status), LinkError::Wire { address: Some(0x0800_0000), .. }), "{status:#x}");
        }
        for kind in [io::ErrorKind::TimedOut, io::ErrorKind::NotConnected] {
            let script = with_memory(0x1477_0011).then_fails(&READ_FLASH, kind).then_fails(&[0xF5], kind);
            let error = link(script).0.unwrap().read(0x0800_0000).unwrap_err();
            assert!(matches!(error, LinkError::Probe { .. }), "{kind}");
        }
    }

    #[test]
    fn an_access_port_that_is_absent_or_leads_to_no_memory_is_an_error() {
        // The second is a JTAG access port (ADIv5 C2.6.7).
        for idr in [0, 0x1476_0010] {
            let (commands, _) = with_memory(idr).then(&[0xF5], &[], &[1, 0]).opened();
            let mut probe = StLink::new(commands).unwrap();
            let refused = probe.memory_interface(&PORT).err().unwrap();
            assert_eq!(matches!(refused, ArmError::ApDoesNotExist(_)), idr == 0, "{refused}");
            let (refused, script) = link(with_memory(idr).then(&[0xF5], &[], &[1, 0]));
            assert!(matches!(refused, Err(LinkError::Wire { .. })), "{idr:#x}");
            assert!(script.is_over());
        }
    }

    /// The end of every script: dropped, the probe is asked for its mode.
    fn over(script: Script) -> Script {
        script.then(&[0xF5], &[], &[1, 0])
    }

    #[test]
    fn the_reset_line_is_pulsed_pulled_low_and_let_go() {
        let script = [2, 0, 1, 0, 1].into_iter().fold(Script::v2(37), |script, level| {
            let command = [0xF2, 0x3C, level];
            script.then(&command, &[], &[0x80, 0])
        });
        let (commands, script) = over(script).opened();
        let mut probe = StLink::new(commands).unwrap();
        probe.target_reset().unwrap();
        probe.target_reset_assert().unwrap();
        probe.target_reset_deassert().unwrap();
        assert_eq!(probe.swj_pins(0, 1 << 7, 0).unwrap(), u32::MAX);
        let mut memory = StlinkMemory { probe: &mut probe };
        assert_eq!(memory.swj_pins(1 << 7, 1 << 7, 0).unwrap(), u32::MAX);
        assert!(memory.swj_pins(1, 1, 0).is_err(), "another pin");
        drop(probe);
        assert!(script.is_over());
    }

    #[test]
    fn registers_are_written_by_commands_and_read_only_where_there_are_any() {
        let script = Script::v2(37)
            .then(&[0xF2, 0x46, 0xFF, 0xFF, 4, 0, 0x78, 0x56, 0x34, 0x12], &[], &[0x80, 0])
            .then(&[0xF2, 0x4B, 0], &[], &[0x80, 0])
            .then(&[0xF2, 0x46, 0, 0, 4, 0, 1, 0, 0, 0], &[], &[0x80, 0])
            .then(&[0xF2, 0x45, 0, 0, 0, 0], &[], &[0x80, 0, 0, 0, 0x52, 0, 0, 0x23]);
        let (commands, script) = over(script).opened();
        let mut probe = StLink::new(commands).unwrap();
        let register = |bank| DpRegisterAddress { address: 4, bank };
        probe.write_raw_dp_register(DpAddress::Default, register(Some(0)), 0x1234_5678).unwrap();
        probe.write_raw_ap_register(&PORT, 4, 1).unwrap();
        assert_eq!(
            u32::from_le_bytes([0x52, 0, 0, 0x23]),
            StlinkMemory { probe: &mut probe }.generic_status().unwrap().0
        );
        assert!(probe.read_raw_dp_register(DpAddress::Default, register(Some(1))).is_err(), "another bank");
        assert!(probe.write_raw_dp_register(DpAddress::Multidrop(1), register(None), 0).is_err(), "another port");
        let other = FullyQualifiedApAddress::v1_with_default_dp(1);
        assert!(probe.read_raw_ap_register(&other, 0).is_err() && probe.write_raw_ap_register(&other, 0, 0).is_err());
        drop(probe);
        assert!(script.is_over());
    }

    #[test]
    fn a_probe_tells_what_it_is_and_the_target_voltage() {
        // 1.2 V count as 1500, and half of 3.3 V.
        let script = Script::v2(37).then(&[0xF7], &[], &[0xDC, 5, 0, 0, 0x0E, 8, 0, 0]);
        let (commands, script) = over(script).opened();
        let mut probe = StLink::new(commands).unwrap();
        assert_eq!((probe.get_name(), probe.active_protocol()), ("ST-Link V2", Some(WireProtocol::Swd)));
        assert!(probe.has_arm_interface() && probe.current_debug_port() == Some(DpAddress::Default));
        assert!(probe.select_protocol(WireProtocol::Jtag).is_err());
        assert_eq!(probe.access_ports(DpAddress::Default).unwrap(), BTreeSet::from([PORT]));
        assert!(probe.access_ports(DpAddress::Multidrop(1)).is_err());
        let volts = probe.get_target_voltage().unwrap().unwrap();
        assert!((3.29..3.31).contains(&volts), "{volts}");
        drop(probe);
        assert!(script.is_over());
    }

    #[test]
    fn attaching_anew_and_detaching_leave_debug_mode() {
        let script = Script::v2(37)
            .then(&[0xF5], &[], &[2, 0])
            .then(&[0xF2, 0x21], &[], &[])
            .then(&[0xF2, 0x30, 0xA3, 0], &[], &[0x80, 0])
            .then(&[0xF2, 0x43, 1], &[], &[0x80, 0])
            .then(&[0xF5], &[], &[2, 0])
            .then(&[0xF2, 0x21], &[], &[]);
        let (commands, script) = over(script).opened();
        let mut probe = StLink::new(commands).unwrap();
        probe.reinitialize().unwrap();
        probe.detach().unwrap();
        drop(probe);
        assert!(script.is_over());
    }

    #[test]
    fn what_the_driver_does_not_do_is_an_error() {
        let (commands, _) = over(Script::v2(37)).opened();
        let mut probe = StLink::new(commands).unwrap();
        assert!(probe.swj_sequence(8, 0).is_err() && probe.disable_swo().is_err());
        assert!(probe.enable_swo(&SwoConfig::new(0)).is_err());
        assert!(probe.read_swo_timeout(std::time::Duration::ZERO).is_err());
        let mut memory = StlinkMemory { probe: &mut probe };
        assert!(!memory.supports_native_64bit_access() && !memory.supports_8bit_transfers().unwrap());
        assert!(memory.swj_sequence(8, 0).is_err());
        assert!(memory.read_64(0, &mut [0]).is_err() && memory.write_64(0, &[0]).is_err());
        assert!(memory.read_16(0, &mut [0]).is_err() && memory.write_16(0, &[0]).is_err());
        assert!(memory.read_8(0, &mut [0]).is_err() && memory.write_8(0, &[0]).is_err());
    }

    #[test]
    fn a_clock_that_was_set_is_set_again_after_attaching() {
        let (commands, script) = Script::v2(37)
            .then(&[0xF2, 0x43, 3], &[], &[0x80, 0])
            .then(&[0xF5], &[], &[1, 0])
            .then(&[0xF2, 0x30, 0xA3, 0], &[], &[0x80, 0])
            .then(&[0xF2, 0x43, 3], &[], &[0x80, 0])
            .then(&[0xF5], &[], &[1, 0])
            .opened();
        let mut probe = Probe::new(StLink::new(commands).unwrap());
        probe.select_protocol(WireProtocol::Swd).unwrap();
        assert_eq!(probe.set_speed(1000).unwrap(), 950);
        probe.attach_to_unspecified().unwrap();
        assert_eq!(probe.speed_khz(), 950);
        drop(probe);
        assert!(script.is_over());
    }
}
