//! Access to the core by a debugger: the registers of halting debug (ARMv7-M C1.6) and of the breakpoints (C1.11), the
//! core registers (C1.6.3), PC sampling (C1.8.7).

use armagnac::registers::RegisterIndex;

use super::{
    bus::Bus,
    cortex_m::{Core, Execution, LOCKUP_PC},
    debug_state::{C_HALT, C_MASKINTS, C_STEP, C_STORED, HALTED, ResetStatus},
    signals::Master,
    system::HARD_FAULT,
    thumb,
    time::Nanos,
};

const DFSR: u32 = 0xE000_ED30;
const DHCSR: u32 = 0xE000_EDF0;
const DCRSR: u32 = 0xE000_EDF4;
const DCRDR: u32 = 0xE000_EDF8;
const DEMCR: u32 = 0xE000_EDFC;
const FP_CTRL: u32 = 0xE000_2000;
const FP_COMP: u32 = 0xE000_2008;
const DWT_PCSR: u32 = 0xE000_101C;

/// Whether `address` is a register that this module handles.
pub(super) fn is_debug_register(address: u32) -> bool {
    matches!(address & !3, DFSR | DHCSR | DCRSR | DCRDR | DEMCR | DWT_PCSR | FP_CTRL..0xE000_2040)
}

impl Core {
    pub(super) fn read_debug(&mut self, address: u32) -> u32 {
        match address & !3 {
            DFSR => self.debug.dfsr,
            DHCSR => self.status(),
            DCRDR => self.debug.dcrdr,
            DEMCR => self.debug.demcr,
            // Without TRCENA the DWT has no clock.
            DWT_PCSR if self.debug.demcr & 1 << 24 == 0 => 0,
            DWT_PCSR if self.debug.halted => u32::MAX,
            DWT_PCSR if self.activity == Execution::LockedUp => LOCKUP_PC,
            DWT_PCSR => self.registers.pc,
            FP_CTRL => 0x260 | u32::from(self.debug.fp_on),
            at @ FP_COMP..0xE000_2028 => self.debug.comparators[((at - FP_COMP) / 4) as usize],
            _ => 0,
        }
    }

    fn status(&mut self) -> u32 {
        let reset = self.debug.reset;
        if reset == ResetStatus::Unread {
            self.debug.reset = ResetStatus::Read;
        }
        let flags = [
            (16, true),
            (17, self.debug.halted),
            (18, self.activity == Execution::Sleeping),
            (19, self.activity == Execution::LockedUp && !self.debug.halted),
            (24, std::mem::take(&mut self.retired)),
            (25, reset != ResetStatus::Read),
        ];
        flags.iter().fold(self.debug.control, |status, &(bit, set)| status | u32::from(set) << bit)
    }

    pub(super) fn write_debug(&mut self, bus: &mut Bus, address: u32, value: u32, now: Nanos) {
        match address & !3 {
            DFSR => self.debug.dfsr &= !value,
            DHCSR if value >> 16 == 0xA05F => self.write_control(bus, value, now),
            DHCSR => {}
            DCRSR => self.transfer_register(bus, value),
            DCRDR => self.debug.dcrdr = value,
            DEMCR => self.debug.demcr = value & 0x010F_07F1,
            // Bit 1 is the key.
            FP_CTRL if value & 2 != 0 => self.debug.fp_on = value & 1 != 0,
            at @ FP_COMP..0xE000_2028 => self.debug.comparators[((at - FP_COMP) / 4) as usize] = value,
            _ => {}
        }
    }

    /// Writes DHCSR (C1.6.2).
    fn write_control(&mut self, bus: &mut Bus, value: u32, now: Nanos) {
        let was_halted = self.debug.halted;
        let before = std::mem::replace(&mut self.debug.control, value & C_STORED);
        if !self.debug.enabled() {
            self.debug.control = 0;
        }
        let masks_change = self.debug.enabled() && (before ^ self.debug.control) & C_MASKINTS != 0;
        if masks_change && before & self.debug.control & C_HALT == 0 {
            bus.record.violation(Master::Debugger, "C_MASKINTS changed while C_HALT was not set both before and after");
        }
        // A core in reset does not enter debug state.
        if self.debug.reset == ResetStatus::Asserted {
            return;
        }
        let halt = self.debug.control & C_HALT != 0;
        if halt && !was_halted {
            self.debug.halted = true;
            self.debug.dfsr |= HALTED;
        }
        if was_halted && !halt {
            self.debug.halted = false;
            self.time = now;
            self.started = now;
            // A locked-up core that leaves debug state continues at the PC, which the debugger may have changed.
            if self.activity == Execution::LockedUp && self.registers.pc != LOCKUP_PC {
                self.activity = Execution::Running;
            }
            if self.debug.control & C_STEP != 0 {
                self.single_step(bus, now);
            }
        }
    }

    fn single_step(&mut self, bus: &mut Bus, now: Nanos) {
        if self.activity == Execution::Running {
            let _ = thumb::step(self, bus, now);
        }
        self.debug.halt_on_request();
    }

    /// Writes DCRSR (C1.6.3): REGWNR and REGSEL.
    fn transfer_register(&mut self, bus: &mut Bus, value: u32) {
        if !self.debug.halted {
            bus.record.violation(Master::Debugger, "core register accessed while the core is running");
            return;
        }
        let select = value & 0x7F;
        if value & 1 << 16 == 0 {
            self.debug.dcrdr = self.register(select);
        } else {
            self.set_register(select, self.debug.dcrdr);
        }
    }

    pub(super) fn register(&self, select: u32) -> u32 {
        let r = &self.registers;
        match select {
            0..=14 => r[RegisterIndex::new_main(select)],
            15 => r.pc,
            16 => r.psr.get(),
            17 => r.msp,
            18 => r.psp,
            20 => {
                let masks = u32::from(r.primask.pm()) | u32::from(self.basepri) << 8;
                masks | u32::from(r.faultmask.pm()) << 16 | (r.control.read() & 3) << 24
            }
            _ => 0,
        }
    }

    pub(super) fn set_register(&mut self, select: u32, value: u32) {
        let r = &mut self.registers;
        match select {
            13 => *r.sp_mut() = value & !3,
            0..=14 => r.set(RegisterIndex::new_main(select), value),
            // probe-rs writes function addresses, which have bit 0 set; the PC does not have that bit.
            15 => r.pc = value & !1,
            16 => r.psr.set(value),
            17 => r.msp = value & !3,
            18 => r.psp = value & !3,
            20 => {
                r.primask.set_pm(value & 1 != 0);
                self.basepri = (value >> 8) as u8;
                r.faultmask.set_pm(value >> 16 & 1 != 0);
                r.control.set_privileged_bit(value >> 24 & 1 != 0);
                r.control.set_spsel(value >> 25 & 1 != 0 && r.psr.ipsr() != HARD_FAULT);
            }
            _ => {}
        }
    }
}
