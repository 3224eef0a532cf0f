//! Access to the core by a debugger: halting debug (ARMv7-M C1.6), breakpoints (C1.11), PC sampling (C1.8.7).

use armagnac::registers::RegisterIndex;

use super::{
    bus::Bus,
    core::{Activity, Core, LOCKUP_PC},
    log::Master,
    system::HARD_FAULT,
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

const C_DEBUGEN: u32 = 1;
const C_HALT: u32 = 1 << 1;
const C_STEP: u32 = 1 << 2;
const C_MASKINTS: u32 = 1 << 3;
const C_KEEP: u32 = C_DEBUGEN | C_HALT | C_STEP | C_MASKINTS | 1 << 5;
const VC_CORERESET: u32 = 1;
const VC_HARDERR: u32 = 1 << 10;

// DFSR, C1.6.1.
const HALTED: u32 = 1;
const BKPT: u32 = 1 << 1;
const VCATCH: u32 = 1 << 3;

/// The debug logic of the core. A system reset keeps most of it; power-on clears it (C1.4.2).
#[derive(Debug)]
pub(super) struct DebugState {
    pub(super) halted: bool,
    control: u32,
    dcrdr: u32,
    pub(super) demcr: u32,
    dfsr: u32,
    reset: Reset,
    fp_on: bool,
    comparators: [u32; 8],
}

/// The state that `S_RESET_ST` reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reset {
    /// The reset lasts: NRST is low.
    Lasts,
    /// There was a reset since the last read.
    Was,
    /// There was no reset since the last read.
    Told,
}

impl DebugState {
    pub(super) fn new() -> Self {
        Self {
            halted: false,
            control: 0,
            dcrdr: 0,
            demcr: 0,
            dfsr: 0,
            reset: Reset::Told,
            fp_on: false,
            comparators: [0; 8],
        }
    }

    pub(super) fn enabled(&self) -> bool {
        self.control & C_DEBUGEN != 0
    }

    pub(super) fn masks_interrupts(&self) -> bool {
        self.enabled() && self.control & C_MASKINTS != 0
    }

    /// Every reset clears `C_HALT` (Cortex-M3 TRM, DDI 0337G 10.2) and the bits that depend on it.
    pub(super) fn enter_reset(&mut self) {
        self.control &= !(C_HALT | C_STEP | C_MASKINTS);
        (self.halted, self.reset) = (false, Reset::Lasts);
    }

    /// Halts before the first instruction if `VC_CORERESET` is set or `C_HALT` was written during the reset.
    pub(super) fn leave_reset(&mut self) {
        self.reset = Reset::Was;
        if self.enabled() && self.demcr & VC_CORERESET != 0 {
            self.halt(VCATCH);
        } else if self.control & C_HALT != 0 {
            self.halt(HALTED);
        }
    }

    /// If `VC_HARDERR` is set, halts at the first instruction of the handler, or in lock-up.
    pub(super) fn catch_fault(&mut self) {
        if self.enabled() && self.demcr & VC_HARDERR != 0 {
            self.halt(VCATCH);
        }
    }

    pub(super) fn halt_at_breakpoint(&mut self) {
        self.halt(BKPT);
    }

    /// Halts as if a debugger had requested it.
    pub(super) fn halt_on_request(&mut self) {
        self.control |= C_DEBUGEN;
        self.halt(HALTED);
    }

    fn halt(&mut self, cause: u32) {
        self.halted = true;
        self.control |= C_HALT;
        self.dfsr |= cause;
    }

    pub(super) fn has_breakpoints(&self) -> bool {
        self.fp_on && self.comparators.iter().any(|word| word & 1 != 0)
    }

    /// Whether a breakpoint is set at `pc`. Flash patch unit revision 1: six comparators for code below 0x20000000.
    pub(super) fn stops_at(&self, pc: u32) -> bool {
        self.comparators[..6].iter().any(|word| {
            let half = if pc & 2 == 0 { 1 << 30 } else { 1 << 31 };
            word & 1 != 0 && word & 0x1FFF_FFFC == pc & !3 && word & half != 0
        })
    }
}

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
            DWT_PCSR if self.activity == Activity::LockedUp => LOCKUP_PC,
            DWT_PCSR => self.registers.pc,
            FP_CTRL => 0x260 | u32::from(self.debug.fp_on),
            at @ FP_COMP..0xE000_2028 => self.debug.comparators[((at - FP_COMP) / 4) as usize],
            _ => 0,
        }
    }

    fn status(&mut self) -> u32 {
        let reset = self.debug.reset;
        if reset == Reset::Was {
            self.debug.reset = Reset::Told;
        }
        let flags = [
            (16, true),
            (17, self.debug.halted),
            (18, self.activity == Activity::Sleeping),
            (19, self.activity == Activity::LockedUp && !self.debug.halted),
            (24, std::mem::take(&mut self.retired)),
            (25, reset != Reset::Told),
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
        let before = std::mem::replace(&mut self.debug.control, value & C_KEEP);
        if !self.debug.enabled() {
            self.debug.control = 0;
        }
        let masks_change = self.debug.enabled() && (before ^ self.debug.control) & C_MASKINTS != 0;
        if masks_change && before & self.debug.control & C_HALT == 0 {
            bus.flash
                .violations
                .note(Master::Debugger, "C_MASKINTS changed while C_HALT was not set both before and after".into());
        }
        // A core in reset does not enter debug state.
        if self.debug.reset == Reset::Lasts {
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
            if self.activity == Activity::LockedUp && self.registers.pc != LOCKUP_PC {
                self.activity = Activity::Running;
            }
            if self.debug.control & C_STEP != 0 {
                self.single_step(bus, now);
            }
        }
    }

    fn single_step(&mut self, bus: &mut Bus, now: Nanos) {
        if self.activity == Activity::Running {
            let _ = super::thumb::step(self, bus, now);
        }
        self.debug.halt_on_request();
    }

    /// Writes DCRSR (C1.6.3): REGWNR and REGSEL.
    fn transfer_register(&mut self, bus: &mut Bus, value: u32) {
        if !self.debug.halted {
            bus.flash.violations.note(Master::Debugger, "core register accessed while the core is running".into());
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
