//! A minimal debugger on top of probe-rs's interfaces.

use std::time::Duration;

use probe_rs::{
    architecture::arm::{
        ArmDebugInterface, ArmError, DapError, FullyQualifiedApAddress, dp::DpAddress, sequences::DefaultArmSequence,
    },
    probe::list::Lister,
};

use crate::{
    sim::{Scenario, SimBoard},
    target::Target,
};

/// The board of a scenario, with 64 KiB of flash.
pub(super) fn board_of(scenario: Scenario) -> SimBoard {
    SimBoard::new(scenario, Target::builtin("pro").unwrap())
}

pub(super) const DHCSR: u32 = 0xE000_EDF0;
pub(super) const DEMCR: u32 = 0xE000_EDFC;
pub(super) const AIRCR: u32 = 0xE000_ED0C;
pub(super) const HALT: u32 = 0xA05F_0003;
pub(super) const RUN: u32 = 0xA05F_0001;
pub(super) const SYSRESETREQ: u32 = 0x05FA_0004;
pub(super) const KEYR: u32 = 0x4002_2004;
pub(super) const OPTKEYR: u32 = 0x4002_2008;
pub(super) const SR: u32 = 0x4002_200C;
pub(super) const CR: u32 = 0x4002_2010;
pub(super) const AR: u32 = 0x4002_2014;
pub(super) const OBR: u32 = 0x4002_201C;
pub(super) const KEYS: [u32; 2] = [0x4567_0123, 0xCDEF_89AB];

/// Time since `start` on the model's clock.
pub(super) fn since(board: &SimBoard, start: Duration) -> Duration {
    board.clock().now().saturating_sub(start)
}

/// An attached debugger.
pub(super) struct Debugger {
    interface: Box<dyn ArmDebugInterface>,
    pub(super) board: SimBoard,
}

/// Opens the board's probe and attaches.
pub(super) fn try_attach(board: &SimBoard) -> Result<Debugger, String> {
    let lister = Lister::with_lister(board.probe_lister());
    let info = lister.list_all().into_iter().next().ok_or("no probe")?;
    let mut probe = lister.open(&info).map_err(|error| format!("open: {error}"))?;
    probe.attach_to_unspecified().map_err(|error| format!("attach: {error}"))?;
    let mut interface = probe
        .try_into_arm_debug_interface(DefaultArmSequence::create())
        .map_err(|(_, error)| format!("interface: {error}"))?;
    interface.select_debug_port(DpAddress::Default).map_err(|error| format!("port: {error}"))?;
    Ok(Debugger { interface, board: board.clone() })
}

pub(super) fn attach(board: &SimBoard) -> Debugger {
    try_attach(board).unwrap()
}

/// Whether the chip answered with a fault.
pub(super) fn is_fault(error: &ArmError) -> bool {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        if matches!(error.downcast_ref::<DapError>(), Some(DapError::FaultResponse)) {
            return true;
        }
        cause = error.source();
    }
    false
}

impl Debugger {
    pub(super) fn try_read(&mut self, address: u32, words: usize) -> Result<Vec<u32>, ArmError> {
        let mut data = vec![0; words];
        let mut memory = self.interface.memory_interface(&FullyQualifiedApAddress::v1_with_default_dp(0))?;
        memory.read_32(address.into(), &mut data)?;
        Ok(data)
    }

    pub(super) fn try_write(&mut self, address: u32, words: &[u32]) -> Result<(), ArmError> {
        let mut memory = self.interface.memory_interface(&FullyQualifiedApAddress::v1_with_default_dp(0))?;
        memory.write_32(address.into(), words)?;
        memory.flush()
    }

    pub(super) fn try_write_16(&mut self, address: u32, value: u16) -> Result<(), ArmError> {
        let mut memory = self.interface.memory_interface(&FullyQualifiedApAddress::v1_with_default_dp(0))?;
        memory.write_16(address.into(), &[value])?;
        memory.flush()
    }

    pub(super) fn read_16(&mut self, address: u32) -> u16 {
        let mut data = [0];
        let mut memory = self.interface.memory_interface(&FullyQualifiedApAddress::v1_with_default_dp(0)).unwrap();
        memory.read_16(address.into(), &mut data).unwrap();
        data[0]
    }

    pub(super) fn read_8(&mut self, address: u32, data: &mut [u8]) {
        let mut memory = self.interface.memory_interface(&FullyQualifiedApAddress::v1_with_default_dp(0)).unwrap();
        memory.read_8(address.into(), data).unwrap();
    }

    pub(super) fn read(&mut self, address: u32) -> u32 {
        self.try_read(address, 1).unwrap()[0]
    }

    pub(super) fn write(&mut self, address: u32, value: u32) {
        self.try_write(address, &[value]).unwrap();
    }

    pub(super) fn write_16(&mut self, address: u32, value: u16) {
        self.try_write_16(address, value).unwrap();
    }

    pub(super) fn interface(&mut self) -> &mut dyn ArmDebugInterface {
        self.interface.as_mut()
    }

    pub(super) fn sleep(&self, duration: Duration) {
        self.board.clock().sleep(duration);
    }

    pub(super) fn halt(&mut self) {
        self.write(DHCSR, HALT);
        assert_ne!(self.read(DHCSR) & 1 << 17, 0, "halted");
    }

    pub(super) fn set_register(&mut self, select: u32, value: u32) {
        self.write(0xE000_EDF8, value);
        self.write(0xE000_EDF4, 1 << 16 | select);
    }

    pub(super) fn register(&mut self, select: u32) -> u32 {
        self.write(0xE000_EDF4, select);
        self.read(0xE000_EDF8)
    }

    /// Starts code at `pc` on the halted core, with the stack at the end of SRAM.
    pub(super) fn start(&mut self, pc: u32) {
        self.set_register(13, 0x2000_5000);
        self.set_register(16, 1 << 24);
        self.set_register(15, pc | 1);
        self.write(DHCSR, RUN | 8 | 2);
        self.write(DHCSR, RUN | 8);
    }

    pub(super) fn unlock_flash(&mut self) {
        for key in KEYS {
            self.write(KEYR, key);
        }
    }

    pub(super) fn wait_flash(&mut self) {
        for _ in 0..1000 {
            if self.read(SR) & 1 == 0 {
                return;
            }
        }
        panic!("the flash stays busy");
    }

    pub(super) fn erase_page(&mut self, address: u32) {
        self.write(CR, 2);
        self.write(AR, address);
        self.write(CR, 0x42);
        self.wait_flash();
        self.write(CR, 0);
    }

    /// Erases the option bytes and writes `rdp`, with the others unused.
    pub(super) fn set_protection(&mut self, rdp: u16) {
        self.unlock_flash();
        for key in KEYS {
            self.write(OPTKEYR, key);
        }
        self.write(CR, 0x220);
        self.write(CR, 0x260);
        self.wait_flash();
        self.write(CR, 0x210);
        for (index, value) in [rdp, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF].into_iter().enumerate() {
            self.write_16(0x1FFF_F800 + 2 * index as u32, value);
            self.wait_flash();
        }
        self.write(CR, 0x80);
    }

    pub(super) fn system_reset(&mut self) {
        self.write(AIRCR, SYSRESETREQ);
    }
}
