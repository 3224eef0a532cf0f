//! One board: the chip, its power supply and reset pin, and its time.

use super::{
    bus::Bus,
    cells::Cells,
    chips::ChipFacts,
    cortex_m::Core,
    dap::Dap,
    debug_registers, options, peripherals,
    seeded_random::SeededRandom,
    signals::{AccessError, AccessWidth, Master, ResetKind},
    thumb,
    time::Nanos,
};

/// Time from the cause of a reset to the first instruction: the NRST filter and the flash's wake-up, some microseconds.
const RESET_TIME: Nanos = 20_000;
/// `DBG_IWDG_STOP`, RM0008 31.16.3.
const DBG_IWDG_STOP: u32 = 1 << 8;

/// A board with its chip.
#[derive(Debug)]
pub(super) struct BoardModel {
    pub(super) chip: &'static ChipFacts,
    pub(super) bus: Bus,
    pub(super) core: Core,
    pub(super) dap: Dap,
    pub(super) dpidr: u32,
    pub(super) uid: [u32; 3],
    pub(super) flash_size: u16,
    pub(super) powered: bool,
    pub(super) nrst_low: bool,
    now: Nanos,
    random: SeededRandom,
}

/// The parts of a new board.
pub(super) struct BoardParts {
    pub(super) chip: &'static ChipFacts,
    pub(super) uid: [u32; 3],
    pub(super) flash: Vec<u8>,
    pub(super) options: [u8; options::LEN],
    pub(super) flash_size: u16,
}

impl BoardModel {
    /// Creates a board without power. Its SRAM is zero.
    pub(super) fn new(parts: BoardParts) -> Self {
        let BoardParts { chip, uid, flash, options, flash_size } = parts;
        let seed = u64::from(uid[0]) << 32 | u64::from(uid[2]);
        let cells = Cells::new(chip.flash_base(), flash, options, seed);
        let sram = vec![0; chip.sram_kib as usize * 1024];
        Self {
            chip,
            bus: Bus::new(chip, cells, sram, uid, flash_size),
            core: Core::new(),
            dap: Dap::new(),
            dpidr: chip.dpidr,
            uid,
            flash_size,
            powered: false,
            nrst_low: false,
            now: 0,
            random: SeededRandom::new(seed),
        }
    }

    pub(super) fn power_on(&mut self, now: Nanos) {
        self.powered = true;
        self.now = now;
        self.dap = Dap::new();
        self.reset(ResetKind::PowerOn, peripherals::RESET_POWER | peripherals::RESET_PIN);
    }

    /// Removes power: SRAM loses its content, and a running flash operation is interrupted.
    pub(super) fn power_off(&mut self) {
        self.powered = false;
        self.bus.flash.interrupt();
        for byte in &mut self.bus.sram {
            *byte = self.random.byte();
        }
    }

    fn reset(&mut self, kind: ResetKind, cause: u32) {
        self.bus.record.count(|counts| counts.resets += 1);
        self.bus.reset(kind, cause, self.now + RESET_TIME);
        self.core.enter_reset(kind);
        if !self.nrst_low {
            self.core.leave_reset(&mut self.bus, self.now + RESET_TIME);
        }
    }

    /// Pulls NRST low, by hand or by the probe.
    pub(super) fn set_nrst_low(&mut self) {
        let falls = !std::mem::replace(&mut self.nrst_low, true);
        if falls && self.powered {
            self.reset(ResetKind::System, peripherals::RESET_PIN);
        }
    }

    /// Releases NRST: the core starts, or halts if `VC_CORERESET` is set.
    pub(super) fn release_nrst(&mut self) {
        if std::mem::take(&mut self.nrst_low) && self.powered {
            // If the option bytes start the watchdog, it begins to count now.
            self.bus.reset(ResetKind::System, peripherals::RESET_PIN, self.now + RESET_TIME);
            self.core.leave_reset(&mut self.bus, self.now + RESET_TIME);
        }
    }

    /// Advances time to `to`. Returns early if a flash operation triggers a fault outside the chip.
    pub(super) fn advance(&mut self, to: Nanos) {
        while self.now < to {
            if !self.powered || self.nrst_low {
                self.bus.flash.finish_due(to);
                self.core.time = to;
                self.now = to;
                return;
            }
            let halted = self.core.debug.halted;
            let limit = match self.bus.peripherals.watchdog.expires {
                Some(_) if halted && self.bus.dbgmcu & DBG_IWDG_STOP != 0 => {
                    let passing = to - self.now;
                    self.bus.peripherals.watchdog.expires =
                        self.bus.peripherals.watchdog.expires.map(|at| at + passing);
                    to
                }
                Some(at) => to.min(at.max(self.now)),
                None => to,
            };
            self.run_core(limit);
            self.bus.flash.finish_due(self.now);
            if self.bus.flash.fault_due.is_some() {
                return;
            }
            if self.bus.peripherals.watchdog.expires.is_some_and(|at| at <= self.now) {
                self.reset(ResetKind::System, peripherals::RESET_WATCHDOG);
            }
        }
    }

    /// Runs the core until `limit`, or until it stops.
    fn run_core(&mut self, limit: Nanos) {
        if !self.core.can_run() {
            self.core.time = self.core.time.max(limit);
            self.now = limit;
            return;
        }
        match thumb::run(&mut self.core, &mut self.bus, limit) {
            thumb::Stop::Time => self.now = limit,
            thumb::Stop::Halted | thumb::Stop::LockedUp | thumb::Stop::FaultDue | thumb::Stop::Watched => {
                self.now = self.core.time.clamp(self.now, limit);
            }
            thumb::Stop::Reset => {
                self.now = self.core.time.clamp(self.now, limit);
                self.do_requested_reset();
            }
        }
    }

    fn do_requested_reset(&mut self) {
        if let Some(kind) = self.bus.system.reset.take() {
            self.reset(kind, peripherals::RESET_SOFTWARE | peripherals::RESET_PIN);
        }
    }

    /// Reads memory for the debugger.
    pub(super) fn read_memory(&mut self, address: u32, width: AccessWidth) -> Result<u32, AccessError> {
        self.reachable(address)?;
        if debug_registers::is_debug_register(address) {
            return Ok(self.core.read_debug(address));
        }
        self.bus.system.active = self.core.registers.psr.ipsr();
        self.bus.read(address, width, Master::Debugger, self.now)
    }

    /// Writes memory for the debugger.
    pub(super) fn write_memory(&mut self, address: u32, width: AccessWidth, value: u32) -> Result<(), AccessError> {
        self.reachable(address)?;
        if debug_registers::is_debug_register(address) {
            self.core.write_debug(&mut self.bus, address, value, self.now);
        } else {
            self.bus.write(address, width, value, Master::Debugger, self.now)?;
        }
        self.do_requested_reset();
        Ok(())
    }

    /// While NRST is low, only the core's private bus answers.
    fn reachable(&self, address: u32) -> Result<(), AccessError> {
        if self.nrst_low && address >> 20 != 0xE00 { Err(AccessError::Fault) } else { Ok(()) }
    }

    pub(super) fn now(&self) -> Nanos {
        self.now
    }

    /// Creates another board that differs only in its UID and in the copy of the UID in the data block.
    pub(super) fn with_uid(&self, uid: [u32; 3], now: Nanos) -> Self {
        let cells = &self.bus.flash.cells;
        let bytes = |uid: [u32; 3]| uid.map(u32::to_le_bytes).concat();
        let (ours, theirs) = (bytes(self.uid), bytes(uid));
        let mut flash = cells.bytes.clone();
        for at in 0..flash.len().saturating_sub(ours.len()) {
            if flash[at..].starts_with(&ours) {
                flash[at..at + ours.len()].copy_from_slice(&theirs);
            }
        }
        let parts = BoardParts { chip: self.chip, uid, flash, options: cells.options, flash_size: self.flash_size };
        let mut other = Self::new(parts);
        other.dpidr = self.dpidr;
        other.power_on(now);
        other
    }
}
