//! A simulated board with a simulated debug probe.
//!
//! [`SimBoard`] models a scooter's motor controller with an STM32F103, as seen over SWD: debug port, core, flash
//! interface, option bytes. It replaces the lowest layer of probe-rs, so everything above runs as with a real probe.
//! The core executes the Thumb code in flash or SRAM: after a reset, the bootloader's own code starts the application.
//!
//! The model is stricter than the chip. If a tool violates a "must" in a manual, the model refuses the access and
//! records it ([`SimBoard::violations`]). If the chip may behave in either of two ways, the model behaves in the less
//! convenient one. The model does not depend on the code that it tests.
//!
//! The model has its own time ([`SimBoard::clock`]): transfers and USB round trips take time, flash operations take as
//! long as in the data sheet, and a simulated minute passes in a moment. The core executes for all the time that
//! passes, with two shortcuts. A loop in which nothing changes is skipped up to the next event. And once a program has
//! run from flash for half a second without a watchdog, only the beginning of longer waits is executed.
//!
//! ```
//! use m365_drv::{
//!     sim::{Scenario, SimBoard},
//!     target::Target,
//! };
//! use probe_rs::probe::list::Lister;
//!
//! let board = SimBoard::new(Scenario::Locked, Target::builtin("pro").unwrap());
//! let lister = Lister::with_lister(board.probe_lister());
//! assert_eq!(lister.list_all().len(), 1);
//! assert!(board.is_protected());
//! ```

mod board;
mod bus;
mod bus_port;
mod cells;
mod chips;
mod cortex_m;
mod dap;
mod debug_registers;
mod debug_state;
mod fault;
mod flash;
mod hand;
mod lister;
mod machine;
mod options;
mod peripherals;
mod probe;
mod read_back;
mod record;
mod rom_table;
mod scenario;
mod seeded_random;
mod signals;
mod store;
mod store_error;
mod system;
mod thumb;
mod time;
mod transfer;

use std::{
    ops::Range,
    path::Path,
    sync::{Arc, MutexGuard},
    time::Duration,
};

use probe_rs::probe::list::ProbeLister;

use self::{
    board::{BoardModel, BoardParts},
    bus::SizeQuirk,
    lister::SimLister,
    machine::{Machine, SharedMachine},
    options::LoadedOptions,
};
pub use self::{
    chips::{SimChip, UnknownChip},
    fault::{Armed, Fault, FaultKind, Lie, Trigger, WireContact},
    record::Counts,
    scenario::{APP_64, APP_128, APP_COPIES, BOOT, MILEAGE_M, Scenario, UID, UnknownScenario, application},
    store_error::StoreError,
};
use crate::{clock::Clock, target::Target};

/// A simulated board and its probe. Clones refer to the same board.
#[derive(Debug, Clone)]
pub struct SimBoard(SharedMachine);

/// State of the board's NRST pin when it is controlled by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResetPin {
    /// Held to ground.
    Low,
    /// Not held to ground.
    Released,
}

impl SimBoard {
    /// Creates the board of `scenario` as it is in a scooter of this kind, with its example as the serial number.
    pub fn new(scenario: Scenario, target: &Target) -> Self {
        let (board, contact) = scenario::build(scenario, target, 0);
        Self::from_machine(Machine::new(board, contact))
    }

    /// Puts another board in the place of this one, as [`SimBoard::new`] makes it. For a board that nobody has used.
    pub fn rebuild(&self, scenario: Scenario, target: &Target) {
        let (board, contact) = scenario::build(scenario, target, 0);
        *self.machine() = Machine::new(board, contact);
    }

    /// Creates an unprotected board with the given chip and flash content, powered and running.
    ///
    /// `flash` is truncated, or padded with 0xFF, to `flash_kib`.
    pub fn with_flash(chip: SimChip, flash_kib: u16, flash: &[u8]) -> Self {
        let mut bytes = flash.to_vec();
        bytes.resize(usize::from(flash_kib) * 1024, 0xFF);
        let options = options::with_protection(options::UNPROTECTED);
        let parts = BoardParts { chip: chip.facts(), uid: UID, flash: bytes, options, flash_size: flash_kib };
        let mut board = BoardModel::new(parts);
        board.power_on(0);
        Self::from_machine(Machine::new(board, WireContact::Firm))
    }

    fn from_machine(machine: Machine) -> Self {
        Self(SharedMachine::new(machine))
    }

    fn machine(&self) -> MutexGuard<'_, Machine> {
        self.0.lock()
    }

    /// Loads a board that was saved with [`SimBoard::save`].
    pub fn load(folder: &Path) -> Result<Self, StoreError> {
        store::load(folder).map(Self::from_machine)
    }

    /// Makes a folder with several boards, in which each of `probes` lists those that come to its wires one after the other.
    /// Every board is saved in a folder of its own.
    pub fn save_row(folder: &Path, probes: &[Vec<Scenario>], target: &Target) -> Result<(), StoreError> {
        hand::save_row(folder, probes, target)
    }

    /// Whether this is a folder with several boards.
    pub fn is_row(folder: &Path) -> bool {
        !hand::probes_in(folder).is_empty()
    }

    /// The probes of a folder with several boards, each with its first board on the wires. A simulated hand takes a board away
    /// when the probe has been left alone for a moment, or when the board does not answer at all, and puts the next one on the
    /// wires. Each board is saved when it is taken away.
    pub fn load_row(folder: &Path) -> Result<Vec<Self>, StoreError> {
        let rows = hand::probes_in(folder);
        rows.iter().map(|boards| hand::load(folder, boards).map(Self::from_machine)).collect()
    }

    /// Saves the board to `folder`, which is created if necessary: `flash.bin`, `sram.bin`, `option-bytes.bin` (16
    /// bytes at 0x1FFFF800) and `board.yaml`.
    pub fn save(&self, folder: &Path) -> Result<(), StoreError> {
        let mut machine = self.machine();
        // Let a running flash operation finish.
        if let Some(ends) = machine.board.bus.flash.busy_until(0) {
            let rest = ends.saturating_sub(machine.now());
            machine.pass(rest);
        }
        match machine.hand.take() {
            // Each has its own folder.
            Some(mut hand) => {
                let saved = hand.save(&machine);
                machine.hand = Some(hand);
                saved
            }
            None => store::save(&machine, folder),
        }
    }

    /// A lister that lists and opens the probe; for
    /// [`Lister::with_lister`](probe_rs::probe::list::Lister::with_lister).
    pub fn probe_lister(&self) -> Box<dyn ProbeLister> {
        Self::lister_of(std::slice::from_ref(self))
    }

    /// A lister of the probes of several boards.
    pub fn lister_of(boards: &[Self]) -> Box<dyn ProbeLister> {
        Box::new(SimLister(boards.iter().map(|board| board.0.clone()).collect()))
    }

    /// The model's clock. The board runs while it sleeps.
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(self.0.clone())
    }

    /// Sets how long an exchange with the probe takes. The default is 1 ms, as on full-speed USB.
    pub fn set_round_trip(&self, duration: Duration) {
        self.machine().round_trip = time::nanos(duration);
    }

    /// Makes every second transfer fail at an SWD clock above `khz`, as with long wires.
    pub fn set_clean_khz(&self, khz: u32) {
        self.machine().clean_khz = khz;
    }

    /// Makes the probe refuse SWD clocks below `khz`.
    pub fn set_slowest_khz(&self, khz: u32) {
        self.machine().slowest_khz = khz;
    }

    /// Sets what the probe measures as the board's supply. 3.25 V at first, connected or not: clones of the ST-Link measure
    /// their own.
    pub fn set_target_voltage(&self, volts: f32) {
        self.machine().target_voltage = volts;
    }

    /// Connects the probe's reset pin to the board. Not connected by default: these boards have no pad for it.
    pub fn wire_nrst(&self) {
        self.machine().nrst_wired = true;
    }

    /// Sets how well the wires make contact from now on.
    pub fn set_contact(&self, contact: WireContact) {
        self.machine().set_contact(contact);
    }

    /// Arms a fault.
    pub fn inject(&self, fault: Fault) -> Armed {
        self.machine().arm(fault)
    }

    /// Removes all faults, and stops those that falsify what is read. What faults have done stays.
    pub fn clear_faults(&self) {
        self.machine().clear_faults();
    }

    /// Power-cycles the board: 0.1 s without power.
    pub fn power_cycle(&self) {
        self.machine().power_cycle();
    }

    /// Holds NRST low, or releases it, by hand.
    pub fn press_reset(&self, nrst: ResetPin) {
        let board = &mut self.machine().board;
        match nrst {
            ResetPin::Low => board.set_nrst_low(),
            ResetPin::Released => board.release_nrst(),
        }
    }

    /// Sets how long it takes to erase a page (or the option bytes), and the whole flash. The default is 20 ms, the
    /// minimum in the data sheet; worn chips take longer than its maximum.
    pub fn set_erase_times(&self, page: Duration, mass: Duration) {
        let flash = &mut self.machine().board.bus.flash;
        (flash.page_erase, flash.mass_erase) = (time::nanos(page), time::nanos(mass));
    }

    /// Makes the removal of protection take effect only at the next power-on, as described in PM0075 2.4.2. By default,
    /// a system reset is enough, as seen on boards.
    pub fn need_power_cycle(&self) {
        self.machine().board.bus.flash.needs_power_cycle = true;
    }

    /// Sets the flash size register, in KiB.
    pub fn set_flash_size_register(&self, kib: u16) {
        let board = &mut self.machine().board;
        board.flash_size = kib;
        board.bus.set_flash_size(kib);
    }

    /// Makes the size register read as all ones while read-out protection is in force, as on some chips.
    pub fn hide_flash_size_while_protected(&self) {
        self.machine().board.bus.quirk = SizeQuirk::HidesFlashSize;
    }

    /// Makes the addresses behind the end of flash show it over again, instead of answering with a fault.
    pub fn repeat_flash(&self) {
        self.machine().board.bus.quirk = SizeQuirk::RepeatsFlash;
    }

    /// Sets the ID of the debug port (DPIDR).
    pub fn set_dpidr(&self, dpidr: u32) {
        self.machine().board.dpidr = dpidr;
    }

    /// Sets the option bytes, including complements, as if they had been loaded at power-on.
    pub fn set_option_bytes(&self, bytes: [u8; 16]) {
        let board = &mut self.machine().board;
        let now = board.now();
        let bus = &mut board.bus;
        bus.flash.cells.options = bytes;
        bus.flash.loaded = LoadedOptions::from(&bytes);
        bus.start_hardware_watchdog(now);
    }

    /// Sets the option bytes as a write does: they take effect at the next reset.
    pub fn put_option_bytes(&self, bytes: [u8; 16]) {
        self.machine().board.bus.flash.cells.options = bytes;
    }

    /// Overwrites main flash from its beginning.
    pub fn set_flash(&self, bytes: &[u8]) {
        self.machine().board.bus.flash.cells.bytes[..bytes.len()].copy_from_slice(bytes);
    }

    /// The content of main flash.
    pub fn flash(&self) -> Vec<u8> {
        self.machine().board.bus.flash.cells.bytes.clone()
    }

    /// The content of SRAM.
    pub fn sram(&self) -> Vec<u8> {
        self.machine().board.bus.sram.clone()
    }

    /// The option bytes: 16 bytes at 0x1FFFF800.
    pub fn option_bytes(&self) -> [u8; 16] {
        self.machine().board.bus.flash.cells.options
    }

    /// The chip's UID: three words in address order.
    pub fn uid(&self) -> [u32; 3] {
        self.machine().board.uid
    }

    /// Whether read-out protection is in force, as loaded at the last reset.
    pub fn is_protected(&self) -> bool {
        self.machine().board.bus.flash.loaded.protected
    }

    /// The program counter of the core.
    pub fn pc(&self) -> u32 {
        self.machine().board.core.registers.pc
    }

    /// Whether a debugger has halted the core.
    pub fn is_halted(&self) -> bool {
        self.machine().board.core.debug.halted
    }

    /// Counts of what was done to the board.
    pub fn counts(&self) -> Counts {
        self.machine().counts()
    }

    /// Whether the debugger has read every word of this flash, over a connection that was made after the debugger or a program
    /// in SRAM last changed flash.
    pub fn is_read_back(&self, range: Range<u32>) -> bool {
        self.machine().is_read_back(range)
    }

    /// Whether a program in SRAM has read every word of this flash, after the debugger attached and nothing was changed since.
    pub fn is_summed(&self, range: Range<u32>) -> bool {
        self.machine().is_summed(range)
    }

    /// Violations of the manuals' rules by the debugger and by programs in SRAM.
    pub fn violations(&self) -> Vec<String> {
        self.machine().board.bus.record.violations().tool
    }

    /// Violations by programs in flash; the vendor's firmware has some.
    pub fn firmware_violations(&self) -> Vec<String> {
        self.machine().board.bus.record.violations().firmware
    }

    /// After [`FaultKind::AnotherBoard`], puts the first board back on the wires. Otherwise does nothing.
    pub fn swap_back(&self) {
        let mut machine = self.machine();
        if let Some(first) = machine.set_aside.take() {
            machine.board = first;
        }
    }
}

#[cfg(test)]
mod tests;
