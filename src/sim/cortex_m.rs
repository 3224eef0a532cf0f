//! The state of the core: registers, halt and lock-up, reset, exception entry and return. ARMv7-M ARM (DDI 0403E).
//! Execution is in `thumb`, access by a debugger in `debug_registers`.

use armagnac::registers::{CoreRegisters, RegisterIndex};

use super::{
    bus::Bus,
    debug_state::DebugState,
    signals::{AccessError, AccessWidth, Master, ResetKind},
    system::HARD_FAULT,
    time::Nanos,
};

/// The PC of a locked-up core (ARMv7-M B1.5.15).
pub(super) const LOCKUP_PC: u32 = 0xFFFF_FFFE;

/// Whether the core executes, and if not, why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Execution {
    Running,
    /// In WFI or WFE, until the next exception.
    Sleeping,
    /// After a fault inside the fault handler.
    LockedUp,
}

/// The Cortex-M core.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) registers: CoreRegisters,
    pub(super) basepri: u8,
    pub(super) activity: Execution,
    /// The time up to which it has executed: a little ahead of the board's time after an instruction, never behind it.
    pub(super) time: Nanos,
    /// When it last started to run, after a reset or a resume.
    pub(super) started: Nanos,
    pub(super) debug: DebugState,
    /// Whether instructions were executed since the debugger last read `S_RETIRE_ST`.
    pub(super) retired: bool,
}

impl Core {
    pub(super) fn new() -> Self {
        Self {
            registers: CoreRegisters::new(),
            basepri: 0,
            activity: Execution::Running,
            time: 0,
            started: 0,
            debug: DebugState::new(),
            retired: false,
        }
    }

    /// Enters reset (B1.5.5).
    pub(super) fn enter_reset(&mut self, kind: ResetKind) {
        if kind == ResetKind::PowerOn {
            self.debug = DebugState::new();
        }
        self.registers = CoreRegisters::new();
        self.registers.lr = u32::MAX;
        self.basepri = 0;
        self.activity = Execution::Running;
        self.debug.enter_reset();
    }

    /// Leaves reset: loads SP and PC from the vectors at address zero, where main flash is mapped.
    pub(super) fn leave_reset(&mut self, bus: &mut Bus, now: Nanos) {
        self.time = now;
        self.started = now;
        let mut vector = |index: u32| bus.fetch(4 * index, AccessWidth::Word, now);
        match (vector(0), vector(1)) {
            (Ok(stack), Ok(entry)) => {
                self.registers.msp = stack & !3;
                self.registers.pc = entry & !1;
                self.registers.psr.set_t(entry & 1 == 1);
            }
            _ => self.lock_up(),
        }
        self.debug.leave_reset();
    }

    pub(super) fn lock_up(&mut self) {
        self.activity = Execution::LockedUp;
        self.registers.pc = LOCKUP_PC;
    }

    /// Whether the core executes as time passes.
    pub(super) fn can_run(&self) -> bool {
        !self.debug.halted && self.activity != Execution::LockedUp
    }
}

/// Why an exception could not be entered or left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Derived {
    /// An access to the stack or the vector table faults.
    Fault,
    /// The stack or the vector table is in busy flash.
    Busy(Nanos),
}

impl From<AccessError> for Derived {
    fn from(refusal: AccessError) -> Self {
        match refusal {
            AccessError::Fault => Self::Fault,
            AccessError::Busy(until) => Self::Busy(until),
        }
    }
}

/// Whether the core is in an exception handler.
pub(super) fn in_handler(registers: &CoreRegisters) -> bool {
    registers.psr.ipsr() != 0
}

/// Enters an exception (B1.5.6): pushes eight words and reads the vector from the table at VTOR.
pub(super) fn enter(
    registers: &mut CoreRegisters,
    bus: &mut Bus,
    number: u32,
    return_to: u32,
    now: Nanos,
) -> Result<(), Derived> {
    let before = *registers;
    let sp = registers.sp();
    let align = sp & 4;
    let frame = sp.wrapping_sub(0x20) & !7;
    let r = |index| registers[RegisterIndex::new_main(index)];
    let psr = registers.psr.get() & !0x200 | align << 7;
    let words = [r(0), r(1), r(2), r(3), r(12), registers.lr, return_to, psr];
    for (index, word) in (0..).zip(words) {
        bus.write(frame.wrapping_add(4 * index), AccessWidth::Word, word, Master::Core, now)?;
    }
    let vector = bus.fetch(bus.system.vtor.wrapping_add(4 * number), AccessWidth::Word, now)?;
    *registers.sp_mut() = frame;
    registers.lr = match (in_handler(&before), before.control.spsel()) {
        (true, _) => 0xFFFF_FFF1,
        (false, false) => 0xFFFF_FFF9,
        (false, true) => 0xFFFF_FFFD,
    };
    registers.control.set_spsel(false);
    registers.psr.set_ici_it(0).set_t(vector & 1 == 1);
    registers.psr.set_ipsr(number);
    registers.pc = vector & !1;
    registers.event = true;
    bus.system.nesting += 1;
    Ok(())
}

/// Returns from an exception (B1.5.8). `target` is the `EXC_RETURN` value that was branched to.
pub(super) fn leave(registers: &mut CoreRegisters, bus: &mut Bus, target: u32, now: Nanos) -> Result<(), Derived> {
    let spsel = match target & 0xF {
        0x1 | 0x9 => false,
        0xD => true,
        _ => return Err(Derived::Fault),
    };
    let frame = if spsel { registers.psp } else { registers.msp };
    let mut words = [0; 8];
    for (index, word) in (0..).zip(&mut words) {
        *word = bus.read(frame.wrapping_add(4 * index), AccessWidth::Word, Master::Core, now)?;
    }
    let [r0, r1, r2, r3, r12, lr, pc, psr] = words;
    let back_to_thread = target & 0xF != 1;
    let exception = psr & 0x1FF;
    if back_to_thread != matches!(exception, 0) {
        return Err(Derived::Fault);
    }
    for (index, value) in [(0, r0), (1, r1), (2, r2), (3, r3), (12, r12)] {
        registers.set(RegisterIndex::new_main(index), value);
    }
    registers.lr = lr;
    registers.pc = pc & !1;
    registers.psr.set(psr);
    registers.control.set_spsel(spsel);
    *registers.sp_mut() = frame.wrapping_add(0x20) | (psr >> 9 & 1) << 2;
    registers.event = true;
    bus.system.nesting = bus.system.nesting.saturating_sub(1);
    Ok(())
}

/// The result of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Escalation {
    Entered,
    LockUp,
}

/// Takes a fault. Every fault escalates to `HardFault` (B1.5.14; the firmware of these boards enables no other fault
/// handler); a fault inside `HardFault` locks the core up.
pub(super) fn fault(registers: &mut CoreRegisters, bus: &mut Bus, return_to: u32, now: Nanos) -> Escalation {
    let active = registers.psr.ipsr();
    if active == HARD_FAULT || active == 2 || registers.faultmask.pm() {
        return Escalation::LockUp;
    }
    // FORCED, B3.2.16.
    bus.system.hfsr |= 1 << 30;
    let mut attempt = enter(registers, bus, HARD_FAULT, return_to, now);
    if let Err(Derived::Busy(until)) = attempt {
        attempt = enter(registers, bus, HARD_FAULT, return_to, until);
    }
    if attempt.is_ok() { Escalation::Entered } else { Escalation::LockUp }
}
