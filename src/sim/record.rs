//! The record of what was done to a board: counts, and violations of the rules in the manuals. Every part of the chip has
//! a handle to the one record of its board and writes to it; no part reads what another has written.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use super::signals::Master;

/// Counts of what was done to a board since it was created.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Transfers over the debug port, including refused ones.
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
    /// Mass erases, including those that unlocking forces.
    pub mass_erases: u32,
    /// Erases of the option bytes.
    pub option_erases: u32,
    /// Half-words (or words) programmed into the option bytes.
    pub option_programs: u32,
    /// Resets of the chip, including power-on.
    pub resets: u32,
    /// Time on the model's clock.
    pub time: Duration,
}

/// Violations of the rules in the manuals. Those by programs in flash are listed separately, because the vendor's
/// firmware has some (for example, it unlocks the flash interface when it is already unlocked).
#[derive(Debug, Clone, Default)]
pub(super) struct Violations {
    /// By the debugger and by programs in SRAM.
    pub(super) tool: Vec<String>,
    pub(super) firmware: Vec<String>,
}

/// Length limit of each list, so that a program that runs wild cannot fill the memory.
const LIMIT: usize = 1000;

/// A handle to the record of one board.
#[derive(Debug, Clone, Default)]
pub(super) struct Record(Arc<Books>);

#[derive(Debug, Default)]
struct Books {
    counts: Mutex<Counts>,
    violations: Mutex<Violations>,
    in_flash: AtomicBool,
    flash_changes: AtomicU64,
}

impl Record {
    /// Changes the counts: `record.count(|counts| counts.resets += 1)`.
    pub(super) fn count(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut lock(&self.0.counts));
    }

    pub(super) fn counts(&self) -> Counts {
        lock(&self.0.counts).clone()
    }

    pub(super) fn violation(&self, master: Master, what: impl Into<String>) {
        let mut violations = lock(&self.0.violations);
        let list =
            if master == Master::Core && self.in_flash() { &mut violations.firmware } else { &mut violations.tool };
        if list.len() < LIMIT {
            list.push(what.into());
        }
    }

    pub(super) fn violations(&self) -> Violations {
        lock(&self.0.violations).clone()
    }

    /// Whether the last instruction was fetched from flash, so that what the core does is the firmware's doing.
    pub(super) fn in_flash(&self) -> bool {
        self.0.in_flash.load(Ordering::Relaxed)
    }

    /// An operation on main flash begins.
    pub(super) fn change_flash(&self, master: Master) {
        if master == Master::Debugger || !self.in_flash() {
            self.0.flash_changes.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Operations on main flash by the debugger and by programs in SRAM.
    pub(super) fn flash_changes(&self) -> u64 {
        self.0.flash_changes.load(Ordering::Relaxed)
    }

    pub(super) fn set_in_flash(&self, in_flash: bool) {
        self.0.in_flash.store(in_flash, Ordering::Relaxed);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
