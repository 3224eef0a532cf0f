//! Executes Thumb code with armagnac.
//!
//! armagnac decodes and executes instructions. Fetching, exceptions, time and the private peripheral bus are
//! implemented here, because armagnac's versions are incomplete (its system control space panics on most reads, and
//! faults end the run). Its processor is not `Send`, so each thread has one, and the board's plain state is swapped in
//! and out.

use std::{
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
};

use armagnac::{
    core::{ArmVersion, Condition, Config, Effect, Processor, RunError},
    decoder::{InstructionDecode, Lut16AndGrouped32InstructionDecoder},
    instructions::InstructionSize,
    registers::{CoreRegisters, Mode, RegisterIndex},
};

use super::{
    bus::Bus,
    bus_port::{BusPort, MOVE_BITS, MOVED_PRIVATE, PRIVATE},
    cortex_m::{self, Core, Derived, Escalation, Execution},
    signals::{AccessError, AccessWidth, Master},
    system::SV_CALL,
    time::{CYCLE, Nanos},
};

/// Why the core stopped executing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// It reached the time limit.
    Time,
    /// It halted at a breakpoint or a caught exception.
    Halted,
    /// It locked up.
    LockedUp,
    /// It requested a reset.
    Reset,
    /// It started the watchdog, which from now on limits how long it may run before time has to be checked.
    Watched,
    /// A flash operation triggered a fault that the caller has to handle.
    FaultDue,
}

/// A program that has run from flash for this long is assumed to be in its main loop.
const SETTLED: Nanos = 500_000_000;
/// How much of a longer wait such a program executes, at the beginning of the wait.
const SAMPLE: Nanos = 2_000_000;

/// Duration of one round of a counting loop: a subtraction and a taken branch.
const COUNT_DOWN: Nanos = 4 * CYCLE;

/// Runs the core up to `until`.
pub(super) fn run(core: &mut Core, bus: &mut Bus, until: Nanos) -> Stop {
    // A program that reloads a watchdog does so in its main loop, so no part of that is skipped.
    let watched = bus.peripherals.watchdog.expires.is_some();
    let settled_at = if watched { Nanos::MAX } else { core.started + SETTLED };
    let mut stop = Stop::Time;
    if core.time < settled_at || !bus.record.in_flash() {
        stop = slice(core, bus, until.min(settled_at.max(core.time)), u64::MAX);
    }
    if stop == Stop::Time && core.time < until {
        let rest = if bus.record.in_flash() { until.min(core.time + SAMPLE) } else { until };
        stop = slice(core, bus, rest, u64::MAX);
        if stop == Stop::Time {
            core.time = core.time.max(until);
        }
    }
    stop
}

/// Executes one instruction.
pub(super) fn step(core: &mut Core, bus: &mut Bus, now: Nanos) -> Stop {
    slice(core, bus, now + 1_000_000_000, 1)
}

thread_local! {
    static ENGINE: RefCell<Option<Engine>> = const { RefCell::new(None) };
}

fn slice(core: &mut Core, bus: &mut Bus, until: Nanos, limit: u64) -> Stop {
    ENGINE.with_borrow_mut(|engine| engine.get_or_insert_with(Engine::new).run(core, bus, until, limit))
}

/// armagnac's processor with the board's bus behind it.
struct Engine {
    processor: Processor,
    decoder: Lut16AndGrouped32InstructionDecoder,
    port: Rc<RefCell<BusPort>>,
}

/// A fetched instruction.
#[derive(Clone, Copy)]
struct Code {
    bits: u32,
    wide: bool,
}

impl Code {
    fn length(self) -> u32 {
        if self.wide { 4 } else { 2 }
    }

    /// For instructions that may access memory: the registers that may be the base address.
    fn base_registers(self) -> Option<[Option<u32>; 2]> {
        if self.wide {
            let memory = matches!(self.bits >> 24, 0xE8 | 0xE9 | 0xF8 | 0xF9);
            return memory.then_some([Some(self.bits >> 16 & 0xF), None]);
        }
        match self.bits >> 8 {
            0x50..=0x5F => Some([Some(self.bits >> 3 & 7), Some(self.bits >> 6 & 7)]),
            0x60..=0x8F => Some([Some(self.bits >> 3 & 7), None]),
            0xC0..=0xCF => Some([Some(self.bits >> 8 & 7), None]),
            // Literals and the stack.
            0x48..=0x4F | 0x90..=0x9F | 0xB4 | 0xB5 | 0xBC | 0xBD => Some([None, None]),
            _ => None,
        }
    }
}

/// The result of one instruction.
enum Executed {
    Next { cycles: u64 },
    Branch { cycles: u64 },
    Stalled(Nanos),
    Stop(Stop),
}

impl Engine {
    fn new() -> Self {
        let mut processor = Processor::new(Config::v7em());
        let port = BusPort::plug_into(&mut processor);
        // ARMv7E-M includes all of ARMv7-M; the clone with a Cortex-M4 needs it.
        Self { processor, decoder: Lut16AndGrouped32InstructionDecoder::new(ArmVersion::V7EM), port }
    }

    fn run(&mut self, core: &mut Core, bus: &mut Bus, until: Nanos, limit: u64) -> Stop {
        std::mem::swap(&mut self.port.borrow_mut().bus, bus);
        self.processor.registers = core.registers;
        // armagnac panics if a program does something that it does not support (some arithmetic on wild addresses).
        let stop = catch_unwind(AssertUnwindSafe(|| self.execute(core, until, limit)));
        core.registers = self.processor.registers;
        core.registers.mode = Mode::Thread;
        std::mem::swap(&mut self.port.borrow_mut().bus, bus);
        stop.unwrap_or_else(|_| {
            bus.record
                .violation(Master::Core, format!("cannot execute the instruction at {:#010x}", core.registers.pc));
            core.lock_up();
            Stop::LockedUp
        })
    }

    fn execute(&mut self, core: &mut Core, until: Nanos, limit: u64) -> Stop {
        let mut last_loop = None;
        let mut executed = 0;
        let breakpoints = core.debug.has_breakpoints();
        let resumed_at = self.processor.registers.pc;
        let watched = self.port.borrow().bus.peripherals.watchdog.expires.is_some();
        while core.time < until && executed < limit {
            self.port.borrow_mut().now = core.time;
            if let Some(stop) = self.interrupts(core, until) {
                return stop;
            }
            if core.activity == Execution::Sleeping {
                continue;
            }
            let pc = self.processor.registers.pc;
            // A core that is resumed at a breakpoint continues past it.
            if breakpoints && core.debug.stops_at(pc) && (executed > 0 || pc != resumed_at) {
                core.debug.halt_at_breakpoint();
                return Stop::Halted;
            }
            match self.instruction(core, pc) {
                Executed::Next { cycles } => core.time += cycles * CYCLE,
                Executed::Branch { cycles } => {
                    core.time += cycles * CYCLE;
                    if self.processor.registers.pc <= pc {
                        let next = self.port.borrow().bus.system.next_event();
                        let end = next.map_or(until, |event| event.min(until));
                        let left = end.saturating_sub(core.time);
                        if let Some(period) = self.steady_period(core.time, &mut last_loop) {
                            core.time += left / period * period;
                        } else if limit == u64::MAX {
                            core.time += self.count_down(pc, left / COUNT_DOWN) * COUNT_DOWN;
                        }
                    }
                }
                Executed::Stalled(ends) => {
                    core.time = core.time.max(ends.min(until));
                    continue;
                }
                Executed::Stop(stop) => return stop,
            }
            executed += 1;
            core.retired = true;
            let port = self.port.borrow();
            if port.bus.system.reset.is_some() {
                return Stop::Reset;
            }
            if port.bus.flash.fault_due.is_some() {
                return Stop::FaultDue;
            }
            if !watched && port.bus.peripherals.watchdog.expires.is_some() {
                return Stop::Watched;
            }
        }
        Stop::Time
    }

    /// If a loop starts again with the same registers, has written nothing and has read nothing that changes by itself,
    /// it repeats until something outside changes. Returns the duration of one round: whole rounds can be skipped
    /// without changing where the program counter is at a given time.
    fn steady_period(&self, time: Nanos, last: &mut Option<(CoreRegisters, Nanos)>) -> Option<Nanos> {
        let touched = std::mem::take(&mut self.port.borrow_mut().bus.touched);
        let registers = self.processor.registers;
        let before = last.replace((registers, time));
        before.filter(|(then, at)| !touched && *then == registers && *at < time).map(|(_, at)| time - at)
    }

    /// Skips rounds of a delay loop (`subs rN, #1` and `bne` back to it), which only counts. There is time for `rounds`
    /// rounds; all but the last are skipped, and the last one is executed, so that the flags are right. Returns the
    /// number of skipped rounds.
    fn count_down(&mut self, branch: u32, rounds: u64) -> u64 {
        let start = self.processor.registers.pc;
        if start.wrapping_add(2) != branch || rounds < 2 {
            return 0;
        }
        let code = self.port.borrow_mut().bus.fetch(start, AccessWidth::Word, 0);
        let Some(register) = code.ok().filter(|code| code & 0xFFFF_F8FF == 0xD1FD_3801).map(|code| code >> 8 & 7)
        else {
            return 0;
        };
        let register = RegisterIndex::new_main(register);
        let count = self.processor.registers[register];
        let skipped = u64::from(count).min(rounds).saturating_sub(1);
        self.processor.registers.set(register, count - skipped as u32);
        skipped
    }

    /// Enters a pending exception, or lets time pass if the core sleeps.
    fn interrupts(&mut self, core: &mut Core, until: Nanos) -> Option<Stop> {
        let registers = &mut self.processor.registers;
        let mut port = self.port.borrow_mut();
        let bus = &mut port.bus;
        let masked = core.debug.masks_interrupts() || registers.faultmask.pm() || cortex_m::in_handler(registers);
        if bus.system.may_be_pending()
            && (!masked && !registers.primask.pm() || core.activity == Execution::Sleeping)
            && let Some(number) = bus.system.take_pending(core.time)
        {
            core.activity = Execution::Running;
            let pc = registers.pc;
            if !masked && !registers.primask.pm() && cortex_m::enter(registers, bus, number, pc, core.time).is_err() {
                return Self::raise(core, registers, bus, pc);
            }
        }
        if core.activity == Execution::Sleeping {
            core.time = bus.system.next_event().map_or(until, |event| event.min(until)).max(core.time + CYCLE);
        }
        None
    }

    fn raise(core: &mut Core, registers: &mut CoreRegisters, bus: &mut Bus, return_to: u32) -> Option<Stop> {
        match cortex_m::fault(registers, bus, return_to, core.time) {
            Escalation::Entered => {
                core.debug.catch_fault();
                core.debug.halted.then_some(Stop::Halted)
            }
            Escalation::LockUp => {
                core.activity = Execution::LockedUp;
                registers.pc = cortex_m::LOCKUP_PC;
                core.debug.catch_fault();
                Some(if core.debug.halted { Stop::Halted } else { Stop::LockedUp })
            }
        }
    }

    /// Raises a fault of the instruction at `pc`.
    fn fault(&mut self, core: &mut Core, pc: u32, status: u32, address: Option<u32>) -> Executed {
        let mut port = self.port.borrow_mut();
        let bus = &mut port.bus;
        // Usage and bus fault status, B3.2.15.
        bus.system.cfsr |= status;
        if let Some(address) = address {
            bus.system.bfar = address;
            bus.system.cfsr |= BFARVALID;
        }
        match Self::raise(core, &mut self.processor.registers, bus, pc) {
            None => Executed::Next { cycles: 12 },
            Some(stop) => Executed::Stop(stop),
        }
    }

    fn instruction(&mut self, core: &mut Core, pc: u32) -> Executed {
        if pc >= MOVED_PRIVATE && cortex_m::in_handler(&self.processor.registers) {
            return self.exception_return(core, pc);
        }
        if !self.processor.registers.psr.t() {
            return self.fault(core, pc, INVSTATE, None);
        }
        let fetched = match self.fetch(pc, core.time) {
            Ok(fetched) => fetched,
            Err(AccessError::Busy(until)) => return Executed::Stalled(until),
            Err(AccessError::Fault) => return self.fault(core, pc, IBUSERR, None),
        };
        let it = self.processor.registers.psr.it_state();
        let size = if fetched.wide { InstructionSize::Ins32 } else { InstructionSize::Ins16 };
        // SVC, MRS and MSR are executed here: armagnac's versions use its own exceptions, or panic.
        let special = Special::of(fetched);
        let instruction = if special.is_some() { None } else { self.decoder.try_decode(fetched.bits, size, it).ok() };
        if instruction.is_none() && special.is_none() {
            return self.fault(core, pc, UNDEFINSTR, None);
        }
        let before = self.processor.registers;
        self.port.borrow_mut().bus.system.active = before.psr.ipsr();
        self.processor.registers.pc = pc.wrapping_add(4);
        let condition = instruction.as_ref().and_then(|instruction| instruction.condition());
        let condition = condition.or(it.current_condition()).unwrap_or(Condition::Always);
        let mut next_it = it;
        next_it.advance();
        self.processor.registers.psr.set_it_state(next_it);
        if !before.psr.test(condition) {
            self.processor.registers.pc = pc + fetched.length();
            return Executed::Next { cycles: 1 };
        }
        if let Some(special) = special {
            self.processor.registers.pc = pc + fetched.length();
            return self.special(core, special);
        }
        let memory = fetched.base_registers();
        let moved = memory.map_or([None; 2], |bases| bases.map(|base| self.move_private(base)));
        let result = match &instruction {
            Some(instruction) => instruction.execute(&mut self.processor),
            None => Err(RunError::InstructionUnknown),
        };
        for register in moved.into_iter().flatten() {
            self.move_back(register);
        }
        self.finish(core, fetched, pc, &before, memory.is_some(), result)
    }

    fn finish(
        &mut self,
        core: &mut Core,
        fetched: Code,
        pc: u32,
        before: &CoreRegisters,
        memory: bool,
        result: Result<Effect, RunError>,
    ) -> Executed {
        let cycles = 1 + u64::from(memory);
        // armagnac handles an unaligned access by entering its own exception.
        if self.processor.registers.mode == Mode::Handler {
            self.processor.registers = *before;
            return self.fault(core, pc, UNALIGNED, None);
        }
        match result {
            Ok(Effect::Branch) => Executed::Branch { cycles: cycles + 2 },
            Ok(Effect::Break(_)) => {
                self.processor.registers.pc = pc;
                if core.debug.enabled() {
                    core.debug.halt_at_breakpoint();
                    return Executed::Stop(Stop::Halted);
                }
                self.fault(core, pc, 0, None)
            }
            Ok(effect) => {
                self.processor.registers.pc = pc + fetched.length();
                if matches!(effect, Effect::WaitForEvent | Effect::WaitForInterrupt) {
                    core.activity = Execution::Sleeping;
                }
                Executed::Next { cycles }
            }
            Err(error) => {
                // Undo the instruction: it will be executed again, or its address is pushed on the stack.
                self.processor.registers = *before;
                let refused = self.port.borrow_mut().refused.take();
                match (error, refused) {
                    (_, Some((AccessError::Busy(until), _))) => Executed::Stalled(until),
                    (_, Some((AccessError::Fault, address))) => self.fault(core, pc, PRECISERR, Some(address)),
                    (RunError::MemRead { address, .. } | RunError::MemWrite { address, .. }, None) => {
                        self.fault(core, pc, PRECISERR, Some(address))
                    }
                    (_, None) => self.fault(core, pc, UNDEFINSTR, None),
                }
            }
        }
    }

    fn fetch(&mut self, pc: u32, now: Nanos) -> Result<Code, AccessError> {
        let mut port = self.port.borrow_mut();
        let bus = &mut port.bus;
        let first = bus.fetch(pc, AccessWidth::Half, now)?;
        bus.record.set_in_flash(bus.is_flash(pc));
        if first >> 11 < 0b11101 {
            return Ok(Code { bits: first, wide: false });
        }
        let second = bus.fetch(pc + 2, AccessWidth::Half, now)?;
        Ok(Code { bits: first << 16 | second, wide: true })
    }

    fn exception_return(&mut self, core: &mut Core, pc: u32) -> Executed {
        let mut port = self.port.borrow_mut();
        let registers = &mut self.processor.registers;
        let result = cortex_m::leave(registers, &mut port.bus, pc | 1, core.time);
        drop(port);
        match result {
            Ok(()) => Executed::Next { cycles: 10 },
            Err(Derived::Busy(until)) => Executed::Stalled(until),
            Err(Derived::Fault) => self.fault(core, pc, INVPC, None),
        }
    }

    fn move_private(&mut self, base: Option<u32>) -> Option<RegisterIndex> {
        let register = RegisterIndex::new_main(base.filter(|&base| base < 13)?);
        let value = self.processor.registers[register];
        (value >> 20 == PRIVATE >> 20).then(|| {
            self.processor.registers.set(register, value ^ MOVE_BITS);
            register
        })
    }

    /// Undoes `move_private`. The instruction may have changed the register meanwhile, by a load or by write-back.
    fn move_back(&mut self, register: RegisterIndex) {
        let value = self.processor.registers[register];
        if value >> 20 == MOVED_PRIVATE >> 20 {
            self.processor.registers.set(register, value ^ MOVE_BITS);
        }
    }

    fn special(&mut self, core: &mut Core, special: Special) -> Executed {
        let registers = &mut self.processor.registers;
        match special {
            Special::Call => {
                let mut port = self.port.borrow_mut();
                let return_to = registers.pc;
                let masked = cortex_m::in_handler(registers) || registers.primask.pm();
                let entered =
                    !masked && cortex_m::enter(registers, &mut port.bus, SV_CALL, return_to, core.time).is_ok();
                let stop = if entered { None } else { Self::raise(core, registers, &mut port.bus, return_to) };
                stop.map_or(Executed::Next { cycles: 12 }, Executed::Stop)
            }
            Special::Read { to, from } => {
                let value = match from {
                    0..=3 | 5..=7 => {
                        let interrupt = if from & 1 == 1 { registers.psr.ipsr() } else { 0 };
                        let flags = if from & 4 == 0 { registers.psr.get() & 0xF800_0000 } else { 0 };
                        interrupt | flags
                    }
                    8 => registers.msp,
                    9 => registers.psp,
                    16 => registers.primask.pm().into(),
                    17 | 18 => core.basepri.into(),
                    19 => registers.faultmask.pm().into(),
                    20 => registers.control.read() & 3,
                    _ => 0,
                };
                registers.set(RegisterIndex::new_main(to), value);
                Executed::Next { cycles: 2 }
            }
            Special::Write { to, from } => {
                let value = registers[RegisterIndex::new_main(from)];
                match to {
                    0..=3 => {
                        let kept = registers.psr.get() & !0xF800_0000;
                        registers.psr.set(kept | value & 0xF800_0000);
                    }
                    8 => registers.msp = value & !3,
                    9 => registers.psp = value & !3,
                    16 => registers.primask.set_pm(value & 1 != 0),
                    17 | 18 => core.basepri = value as u8,
                    19 => registers.faultmask.set_pm(value & 1 != 0),
                    20 => {
                        registers.control.set_privileged_bit(value & 1 != 0);
                        if !cortex_m::in_handler(registers) {
                            registers.control.set_spsel(value & 2 != 0);
                        }
                    }
                    _ => {}
                }
                Executed::Next { cycles: 2 }
            }
        }
    }
}

/// Instructions that armagnac does not execute.
#[derive(Clone, Copy)]
enum Special {
    Call,
    Read { to: u32, from: u32 },
    Write { to: u32, from: u32 },
}

impl Special {
    /// SVC (A7.7.175), MRS (B5.2.2), MSR (B5.2.3).
    fn of(code: Code) -> Option<Self> {
        if !code.wide {
            return (code.bits & 0xFF00 == 0xDF00).then_some(Self::Call);
        }
        match code.bits & 0xFFE0_D000 {
            0xF3E0_8000 if code.bits & 0xF00 != 0xD00 => {
                Some(Self::Read { to: code.bits >> 8 & 0xF, from: code.bits & 0xFF })
            }
            0xF380_8000 => Some(Self::Write { to: code.bits & 0xFF, from: code.bits >> 16 & 0xF }),
            _ => None,
        }
    }
}

// CFSR, B3.2.15.
const IBUSERR: u32 = 1 << 8;
const PRECISERR: u32 = 1 << 9;
const BFARVALID: u32 = 1 << 15;
const UNDEFINSTR: u32 = 1 << 16;
const INVSTATE: u32 = 1 << 17;
const INVPC: u32 = 1 << 18;
const UNALIGNED: u32 = 1 << 24;
