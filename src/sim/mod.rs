//! A board made of memory at the end of a debug probe that is none.
//!
//! [`SimBoard`] is a scooter's motor controller with its STM32F103, seen through SWD: debug port, core, flash interface,
//! option bytes. It is plugged in below probe-rs, so everything above runs as it does with a real probe. The core executes
//! the Thumb code that is in flash or SRAM; after a reset the boot loader starts the application because its code does.
//!
//! The model is stricter than the chip. Where a manual says "must", a breach is refused and noted
//! ([`SimBoard::violations`]); where a chip may do either, it does the less welcome. It knows nothing of the code it tests.
//!
//! Time is the model's own: each transfer and each USB round trip takes some, flash operations take what the data sheet
//! says, and [`SimBoard::clock`] reads it. A minute of waiting costs no minute. The core executes for all the time that
//! passes, with two short cuts: a loop in which nothing changes is skipped up to the next event, and of a program that
//! has run from flash for half a second, and is not watched by a watchdog, only the beginning of longer waits is executed.
//!
//! ```
//! use m365_drv::sim::{Layout, Scenario, SimBoard};
//! use probe_rs::probe::list::Lister;
//!
//! let board = SimBoard::new(Scenario::Locked, &Layout::XIAOMI);
//! let lister = Lister::with_lister(board.probe_lister());
//! assert_eq!(lister.list_all().len(), 1);
//! assert!(board.is_protected());
//! ```

mod board;
mod bus;
mod cells;
mod chips;
mod core;
mod dap;
mod debug;
mod dice;
mod fault;
mod flash;
mod lister;
mod log;
mod machine;
mod options;
mod peripherals;
mod port;
mod probe;
mod rom_table;
mod scenario;
mod store;
mod system;
mod thumb;
mod time;

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use probe_rs::probe::list::ProbeLister;

pub use self::{
    chips::{ChipKind, UnknownChip},
    fault::{Armed, Contact, Fault, FaultKind, Lie, Trigger},
    scenario::{APP_64, APP_128, BOOT, Layout, MILEAGE_M, Scenario, UID, UnknownScenario},
    store::StoreError,
};
use self::{machine::Machine, time::ModelClock};
use crate::clock::Clock;

/// A simulated board and the probe it hangs on. Clones are the same board.
#[derive(Debug, Clone)]
pub struct SimBoard(Arc<Mutex<Machine>>);

/// What has been done to a board since it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts {
    /// Transfers over the debug port, refused ones included.
    pub transfers: u64,
    /// Exchanges with the probe over USB.
    pub round_trips: u64,
    /// Bytes read from memory over the debug port, in whole words.
    pub bytes_read: u64,
    /// Bytes written to memory over the debug port, in whole words.
    pub bytes_written: u64,
    /// Half-words programmed into main flash; a word counts as two.
    pub half_words_programmed: u64,
    /// Erases of each page.
    pub page_erases: Vec<u32>,
    /// Mass erases, the ones that unlocking forces included.
    pub mass_erases: u32,
    /// Erases of the option bytes.
    pub option_erases: u32,
    /// Half-words (or words) programmed into the option bytes.
    pub option_programs: u32,
    /// Resets of the chip, power-on included.
    pub resets: u32,
    /// The model's clock.
    pub time: Duration,
}

/// NRST of the board, as a finger with a piece of wire moves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nrst {
    /// Held to ground.
    Low,
    /// Let go.
    Released,
}

impl SimBoard {
    /// The board of `scenario` with a flash layout as on the scooter's controller.
    pub fn new(scenario: Scenario, layout: &Layout) -> Self {
        let (board, contact) = scenario::build(scenario, layout);
        Self::from_machine(Machine::new(board, contact))
    }

    /// A board with one chip and given contents, unprotected, powered and running.
    ///
    /// `flash` is cut or filled with 0xFF to `flash_kib`.
    pub fn with_flash(chip: ChipKind, flash_kib: u16, flash: &[u8]) -> Self {
        let mut bytes = flash.to_vec();
        bytes.resize(usize::from(flash_kib) * 1024, 0xFF);
        let options = options::with_protection(options::UNPROTECTED);
        let parts = board::Parts { chip: chip.facts(), uid: UID, flash: bytes, options, flash_size: flash_kib };
        let mut board = board::Board::new(parts);
        board.power_on(0);
        Self::from_machine(Machine::new(board, Contact::Firm))
    }

    fn from_machine(machine: Machine) -> Self {
        Self(Arc::new(Mutex::new(machine)))
    }

    fn machine(&self) -> MutexGuard<'_, Machine> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads a board that [`SimBoard::save`] has written.
    pub fn load(folder: &Path) -> Result<Self, StoreError> {
        store::load(folder).map(Self::from_machine)
    }

    /// Writes the board into `folder`, which is made if need be: `flash.bin`, `sram.bin`, `option-bytes.bin` (16 bytes at
    /// 0x1FFFF800) and `board.yaml`.
    pub fn save(&self, folder: &Path) -> Result<(), StoreError> {
        let mut machine = self.machine();
        // Power stays on for what the flash has begun.
        if let Some(ends) = machine.board.bus.flash.busy_until(0) {
            let rest = ends.saturating_sub(machine.now());
            machine.pass(rest);
        }
        store::save(&machine, folder)
    }

    /// What lists and opens the probe; for [`Lister::with_lister`](probe_rs::probe::list::Lister::with_lister).
    pub fn probe_lister(&self) -> Box<dyn ProbeLister> {
        Box::new(lister::SimLister(self.0.clone()))
    }

    /// The model's time. Sleeping lets the board run.
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(ModelClock(self.0.clone()))
    }

    /// Sets how long an exchange with the probe takes. 1 ms at first, as on full-speed USB.
    pub fn set_round_trip(&self, duration: Duration) {
        self.machine().round_trip = time::nanos(duration);
    }

    /// Makes every second transfer fail at an SWD clock above `khz`, as with long wires.
    pub fn set_clean_khz(&self, khz: u32) {
        self.machine().clean_khz = khz;
    }

    /// Connects the probe's reset pin to the board. The pads of these boards have none, and it is not connected at first.
    pub fn wire_nrst(&self) {
        self.machine().nrst_wired = true;
    }

    /// Sets how well the wires are held from now on.
    pub fn set_contact(&self, contact: Contact) {
        self.machine().set_contact(contact);
    }

    /// Arms a fault.
    pub fn inject(&self, fault: Fault) -> Armed {
        self.machine().arm(fault)
    }

    /// Takes back every fault that has not fired and ends every lie. What faults have done stays.
    pub fn clear_faults(&self) {
        self.machine().clear_faults();
    }

    /// Takes the supply away for a tenth of a second.
    pub fn power_cycle(&self) {
        self.machine().power_cycle();
    }

    /// Moves NRST by hand.
    pub fn press_reset(&self, nrst: Nrst) {
        let board = &mut self.machine().board;
        match nrst {
            Nrst::Low => board.set_nrst_low(),
            Nrst::Released => board.release_nrst(),
        }
    }

    /// Sets how long the flash takes to erase a page, or the option bytes, and everything. 20 ms at first, the least that the
    /// data sheet gives; worn chips take longer than its most.
    pub fn set_erase_times(&self, page: Duration, mass: Duration) {
        let flash = &mut self.machine().board.bus.flash;
        (flash.page_erase, flash.mass_erase) = (time::nanos(page), time::nanos(mass));
    }

    /// Makes new option bytes that take the protection off count only from the next power-on, as PM0075 2.4.2 words it.
    /// A system reset is enough at first, as seen on boards.
    pub fn need_power_cycle(&self) {
        self.machine().board.bus.flash.needs_power_cycle = true;
    }

    /// Sets what the flash size register says, in KiB.
    pub fn set_flash_size_register(&self, kib: u16) {
        let board = &mut self.machine().board;
        board.flash_size = kib;
        board.bus.set_flash_size(kib);
    }

    /// Sets what the debug port says it is.
    pub fn set_dpidr(&self, dpidr: u32) {
        self.machine().board.dpidr = dpidr;
    }

    /// Overwrites option bytes as if they had been so at power-on, complements included.
    pub fn set_option_bytes(&self, bytes: [u8; 16]) {
        let board = &mut self.machine().board;
        let now = board.now();
        let bus = &mut board.bus;
        bus.flash.cells.options = bytes;
        bus.flash.loaded = options::Loaded::from(&bytes);
        bus.start_hardware_watchdog(now);
    }

    /// Overwrites option bytes as a write does: they are in force from the next reset on.
    pub fn put_option_bytes(&self, bytes: [u8; 16]) {
        self.machine().board.bus.flash.cells.options = bytes;
    }

    /// Overwrites main flash, from its beginning.
    pub fn set_flash(&self, bytes: &[u8]) {
        self.machine().board.bus.flash.cells.bytes[..bytes.len()].copy_from_slice(bytes);
    }

    /// Main flash.
    pub fn flash(&self) -> Vec<u8> {
        self.machine().board.bus.flash.cells.bytes.clone()
    }

    /// SRAM.
    pub fn sram(&self) -> Vec<u8> {
        self.machine().board.bus.sram.clone()
    }

    /// The 16 bytes at 0x1FFFF800.
    pub fn option_bytes(&self) -> [u8; 16] {
        self.machine().board.bus.flash.cells.options
    }

    /// The chip's unique number, words in the order of their addresses.
    pub fn uid(&self) -> [u32; 3] {
        self.machine().board.uid
    }

    /// Whether read-out protection is in force, as the last reset loaded it.
    pub fn is_protected(&self) -> bool {
        self.machine().board.bus.flash.loaded.protected
    }

    /// Where the core is, or was when it halted.
    pub fn pc(&self) -> u32 {
        self.machine().board.core.registers.pc
    }

    /// What has been done to the board.
    pub fn counts(&self) -> Counts {
        self.machine().counts()
    }

    /// Breaches of the manuals' rules by the debugger and by programs in SRAM.
    pub fn violations(&self) -> Vec<String> {
        self.machine().board.bus.flash.violations.tool.clone()
    }

    /// Breaches by programs in flash; the vendor's firmware commits some.
    pub fn firmware_violations(&self) -> Vec<String> {
        self.machine().board.bus.flash.violations.firmware.clone()
    }

    /// After [`FaultKind::AnotherBoard`]: takes the first board back onto the wires. Nothing happens without one.
    pub fn swap_back(&self) {
        let mut machine = self.machine();
        if let Some(first) = machine.set_aside.take() {
            machine.board = first;
        }
    }
}

#[cfg(test)]
mod tests;
