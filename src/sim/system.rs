//! The core's system registers at 0xE000E000 as a program sees them: interrupts, system timer, vector table, fault
//! status. ARMv7-M ARM (DDI 0403E) B3.2 to B3.4. The debug registers in the same range are in `debug_registers`.

use super::{
    signals::{AccessWidth, ResetKind},
    time::{CYCLE, Nanos},
};

/// Exceptions by number, ARMv7-M B1.5.2.
pub(super) const HARD_FAULT: u32 = 3;
pub(super) const SV_CALL: u32 = 11;
const PEND_SV: u32 = 14;
const SYS_TICK: u32 = 15;

const ICSR: u32 = 0xD04;
const VTOR: u32 = 0xD08;
const AIRCR: u32 = 0xD0C;
const CCR: u32 = 0xD14;
const CFSR: u32 = 0xD28;
const HFSR: u32 = 0xD2C;
const BFAR: u32 = 0xD38;

/// The system control space.
#[derive(Debug)]
pub(super) struct SystemControl {
    cpuid: u32,
    pub(super) vtor: u32,
    ccr: u32,
    pub(super) cfsr: u32,
    pub(super) hfsr: u32,
    pub(super) bfar: u32,
    /// A copy of IPSR, which the core updates before each access.
    pub(super) active: u32,
    /// Number of exceptions that were entered and not left yet.
    pub(super) nesting: u32,
    /// Registers that are only stored: priorities, fault enables and others.
    stored: Vec<u32>,
    enabled: [u32; 8],
    pended: [u32; 8],
    pend_sv: bool,
    pend_tick: bool,
    tick: Tick,
    /// A requested reset, which the board performs.
    pub(super) reset: Option<ResetKind>,
}

/// `SysTick`, B3.3.
#[derive(Debug, Default)]
struct Tick {
    control: u32,
    reload: u32,
    /// When the counter was last at its reload value.
    since: Nanos,
    passed: bool,
}

impl Tick {
    fn is_on(&self) -> bool {
        self.control & 1 != 0 && self.reload != 0
    }

    fn step(&self) -> Nanos {
        // CLKSOURCE: the core's clock or an eighth of it (RM0008 10.1.1).
        if self.control & 4 != 0 { CYCLE } else { 8 * CYCLE }
    }

    fn period(&self) -> Nanos {
        (Nanos::from(self.reload) + 1) * self.step()
    }

    fn wraps(&mut self, now: Nanos) -> bool {
        if !self.is_on() || now < self.since + self.period() {
            return false;
        }
        self.since += (now - self.since) / self.period() * self.period();
        self.passed = true;
        true
    }

    fn value(&self, now: Nanos) -> u32 {
        if !self.is_on() {
            return 0;
        }
        self.reload - ((now.saturating_sub(self.since) / self.step()) as u32).min(self.reload)
    }
}

impl SystemControl {
    pub(super) fn new(cpuid: u32) -> Self {
        Self {
            cpuid,
            vtor: 0,
            ccr: 0x200,
            cfsr: 0,
            hfsr: 0,
            bfar: 0,
            active: 0,
            nesting: 0,
            stored: vec![0; 0x400],
            enabled: [0; 8],
            pended: [0; 8],
            pend_sv: false,
            pend_tick: false,
            tick: Tick::default(),
            reset: None,
        }
    }

    /// When the system timer raises its next interrupt.
    pub(super) fn next_event(&self) -> Option<Nanos> {
        (self.tick.is_on() && self.tick.control & 2 != 0).then(|| self.tick.since + self.tick.period())
    }

    /// Takes the pending exception with the lowest number. Priorities are not modelled: an exception waits until the
    /// previous one returns.
    pub(super) fn take_pending(&mut self, now: Nanos) -> Option<u32> {
        let number = self.pending(now)?;
        match number {
            PEND_SV => self.pend_sv = false,
            SYS_TICK => self.pend_tick = false,
            _ => {
                let interrupt = number - 16;
                self.pended[interrupt as usize / 32] &= !(1 << (interrupt % 32));
            }
        }
        Some(number)
    }

    fn pending(&mut self, now: Nanos) -> Option<u32> {
        if self.tick.wraps(now) && self.tick.control & 2 != 0 {
            self.pend_tick = true;
        }
        if self.pend_sv {
            return Some(PEND_SV);
        }
        if self.pend_tick {
            return Some(SYS_TICK);
        }
        let mut ready = (16..).step_by(32).zip(self.pended.iter().zip(&self.enabled));
        ready.find_map(|(first, (pended, enabled))| {
            let ready = pended & enabled;
            (ready != 0).then(|| first + ready.trailing_zeros())
        })
    }

    /// The value of ICSR (B3.2.4).
    fn icsr(&mut self, now: Nanos) -> u32 {
        let pending = self.pending(now).unwrap_or(0);
        let flags = [
            // RETTOBASE: this is the only active exception.
            (11, self.active != 0 && self.nesting < 2),
            // ISRPENDING.
            (22, self.pended != [0; 8]),
            (26, self.pend_tick),
            (28, self.pend_sv),
        ];
        flags.iter().fold(self.active | pending << 12, |word, &(bit, set)| word | u32::from(set) << bit)
    }

    /// Whether [`SystemControl::take_pending`] may return an exception. Cheap, because it is called for every instruction.
    pub(super) fn may_be_pending(&self) -> bool {
        self.tick.control & 1 != 0 || self.pend_sv || self.pend_tick || self.pended != [0; 8]
    }

    /// Reads the register at `offset` from 0xE000E000. The second value is true if the register changes with time.
    pub(super) fn read(&mut self, offset: u32, width: AccessWidth, now: Nanos) -> (u32, bool) {
        let (word, volatile) = match offset & !3 {
            0x010 => {
                self.tick.wraps(now);
                (self.tick.control | u32::from(std::mem::take(&mut self.tick.passed)) << 16, true)
            }
            0x014 => (self.tick.reload, false),
            0x018 => (self.tick.value(now), true),
            at @ (0x100..0x120 | 0x180..0x1A0) => (self.enabled[(at as usize >> 2) & 7], false),
            at @ (0x200..0x220 | 0x280..0x2A0) => (self.pended[(at as usize >> 2) & 7], false),
            0xD00 => (self.cpuid, false),
            ICSR => (self.icsr(now), false),
            VTOR => (self.vtor, false),
            AIRCR => (0xFA05_0000 | self.stored(AIRCR) & 0x700, false),
            CCR => (self.ccr, false),
            CFSR => (self.cfsr, false),
            HFSR => (self.hfsr, false),
            BFAR => (self.bfar, false),
            at => (self.stored(at), false),
        };
        (width.cut(word >> (8 * (offset & 3))), volatile)
    }

    pub(super) fn write(&mut self, offset: u32, width: AccessWidth, value: u32, now: Nanos) {
        if width != AccessWidth::Word {
            return self.write_narrow(offset, width, value);
        }
        let index = (offset as usize >> 2) & 7;
        match offset & !3 {
            0x010 => {
                if value & 1 != 0 && self.tick.control & 1 == 0 {
                    self.tick.since = now;
                }
                self.tick.control = value & 7;
            }
            0x014 => self.tick.reload = value & 0x00FF_FFFF,
            0x018 => {
                self.tick.since = now;
                self.tick.passed = false;
            }
            0x100..0x120 => self.enabled[index] |= value,
            0x180..0x1A0 => self.enabled[index] &= !value,
            0x200..0x220 => self.pended[index] |= value,
            0x280..0x2A0 => self.pended[index] &= !value,
            ICSR => {
                self.pend_sv = (self.pend_sv || value & 1 << 28 != 0) && value & 1 << 27 == 0;
                self.pend_tick = (self.pend_tick || value & 1 << 26 != 0) && value & 1 << 25 == 0;
            }
            VTOR => self.vtor = value & 0x3FFF_FF80,
            AIRCR if value >> 16 == 0x05FA => {
                self.put(AIRCR, value & 0x700);
                if value & 4 != 0 {
                    self.reset = Some(ResetKind::System);
                } else if value & 1 != 0 {
                    self.reset = Some(ResetKind::Core);
                }
            }
            AIRCR => {}
            CCR => self.ccr = value & 0x31F,
            CFSR => self.cfsr &= !value,
            HFSR => self.hfsr &= !value,
            at => self.put(at, value),
        }
    }

    /// Writes a part of a register, as for priorities, which are written byte by byte.
    fn write_narrow(&mut self, offset: u32, width: AccessWidth, value: u32) {
        let shift = 8 * (offset & 3);
        let mask = width.cut(u32::MAX) << shift;
        let word = self.stored(offset) & !mask | value << shift & mask;
        self.put(offset, word);
    }

    fn stored(&self, offset: u32) -> u32 {
        self.stored.get(offset as usize >> 2).copied().unwrap_or(0)
    }

    fn put(&mut self, offset: u32, value: u32) {
        if let Some(word) = self.stored.get_mut(offset as usize >> 2) {
            *word = value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_timer_counts_down_and_wraps() {
        let mut system = SystemControl::new(0);
        system.write(0x014, AccessWidth::Word, 7999, 0);
        system.write(0x018, AccessWidth::Word, 0, 0);
        system.write(0x010, AccessWidth::Word, 7, 0);
        assert_eq!(system.read(0x018, AccessWidth::Word, 1000 * CYCLE).0, 6999);
        assert_eq!(system.take_pending(7999 * CYCLE), None);
        assert_eq!(system.take_pending(8000 * CYCLE), Some(SYS_TICK));
        assert_eq!(system.read(0x010, AccessWidth::Word, 8000 * CYCLE).0, 0x1_0007);
        assert_eq!(system.read(0x010, AccessWidth::Word, 8001 * CYCLE).0, 7);
    }

    #[test]
    fn a_reset_needs_the_key() {
        let mut system = SystemControl::new(0);
        system.write(AIRCR, AccessWidth::Word, 4, 0);
        assert_eq!(system.reset, None);
        system.write(AIRCR, AccessWidth::Word, 0x05FA_0004, 0);
        assert_eq!(system.reset, Some(ResetKind::System));
    }
}
