//! The cells of main flash and option bytes, and how finished and interrupted operations change them.

use std::collections::BTreeSet;

use super::{options, seeded_random::SeededRandom, signals::AccessWidth, time::Nanos};

/// An operation of the flash interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    /// An operation on worn cells: takes time and has no effect.
    Nothing,
    Program {
        offset: usize,
        width: AccessWidth,
        value: u32,
    },
    ErasePage(usize),
    EraseAll,
    EraseOptions,
    ProgramOption {
        offset: usize,
        width: AccessWidth,
        value: u32,
    },
    /// Mass erase, then programming the first option byte.
    Unprotect {
        width: AccessWidth,
        value: u32,
    },
}

/// A running operation and when it ends.
#[derive(Debug)]
pub(super) struct Ongoing {
    pub(super) operation: Operation,
    pub(super) ends: Nanos,
}

/// Main flash and option bytes.
#[derive(Debug)]
pub(super) struct Cells {
    pub(super) bytes: Vec<u8>,
    pub(super) options: [u8; options::LEN],
    base: u32,
    page: usize,
    /// Pages that can no longer be erased, and pages that can no longer be programmed.
    pub(super) no_erase: BTreeSet<usize>,
    pub(super) no_program: BTreeSet<usize>,
    /// Pages whose last erase was cut short. Some of them read as if it had not been, but do not hold what is programmed.
    cut_short: BTreeSet<usize>,
    random: SeededRandom,
}

impl Cells {
    /// Creates cells from whole pages of 1 KiB. `base` is the address of the first byte.
    pub(super) fn new(base: u32, bytes: Vec<u8>, options: [u8; options::LEN], seed: u64) -> Self {
        let page = 1024;
        Self {
            bytes,
            options,
            base,
            page,
            no_erase: BTreeSet::new(),
            no_program: BTreeSet::new(),
            cut_short: BTreeSet::new(),
            random: SeededRandom::new(seed),
        }
    }

    pub(super) fn page_size(&self) -> usize {
        self.page
    }

    pub(super) fn pages(&self) -> usize {
        self.bytes.len() / self.page
    }

    /// The page that contains `address`.
    pub(super) fn page_at(&self, address: u32) -> Option<usize> {
        let offset = address.checked_sub(self.base)? as usize;
        (offset < self.bytes.len()).then_some(offset / self.page)
    }

    /// Whether `operation` erases a page that is blank already.
    pub(super) fn is_idle(&self, operation: &Operation) -> bool {
        let Operation::ErasePage(page) = *operation else { return false };
        self.bytes[page * self.page..][..self.page].iter().all(|byte| *byte == 0xFF)
    }

    /// Makes the page of `operation` silently ignore such operations from now on.
    pub(super) fn wear_out(&mut self, operation: &Operation) {
        match *operation {
            Operation::Program { offset, .. } => {
                self.no_program.insert(offset / self.page);
            }
            Operation::ErasePage(page) => {
                self.no_erase.insert(page);
            }
            _ => {}
        }
    }

    /// Applies a finished operation.
    pub(super) fn apply(&mut self, operation: &Operation) {
        match *operation {
            Operation::Nothing => {}
            Operation::Program { offset, width, value } => self.program(offset, width, value),
            Operation::ErasePage(page) => self.erase(page),
            Operation::EraseAll => (0..self.pages()).for_each(|page| self.erase(page)),
            Operation::EraseOptions => self.options = [0xFF; options::LEN],
            Operation::ProgramOption { offset, width, value } => self.program_option(offset, width, value),
            Operation::Unprotect { width, value } => {
                (0..self.pages()).for_each(|page| self.erase(page));
                self.program_option(0, width, value);
            }
        }
    }

    /// Applies an interrupted operation: some bits have reached their new state, others have not.
    pub(super) fn apply_partly(&mut self, operation: &Operation) {
        match *operation {
            Operation::Nothing => {}
            Operation::Program { offset, width, value } => {
                // Programming only clears bits; some of them are not cleared yet.
                let late = self.random.next() as u32;
                self.program(offset, width, value | late);
            }
            Operation::ErasePage(page) => self.erase_partly(page),
            Operation::EraseAll | Operation::Unprotect { .. } => {
                let done = self.random.below(self.pages() as u64) as usize;
                (0..done).for_each(|page| self.erase(page));
                self.erase_partly(done);
            }
            Operation::EraseOptions => {
                for byte in &mut self.options {
                    *byte |= self.random.byte();
                }
            }
            Operation::ProgramOption { offset, width, .. } => {
                for byte in &mut self.options[offset..offset + width.bytes()] {
                    *byte &= self.random.byte();
                }
            }
        }
    }

    fn program(&mut self, offset: usize, width: AccessWidth, value: u32) {
        if self.no_program.contains(&(offset / self.page)) {
            return;
        }
        for (cell, byte) in self.bytes[offset..].iter_mut().zip(&value.to_le_bytes()[..width.bytes()]) {
            *cell &= byte;
        }
    }

    /// The hardware writes the complements itself (PM0075 2.5).
    fn program_option(&mut self, offset: usize, width: AccessWidth, value: u32) {
        for (pair, byte) in
            self.options[offset..offset + width.bytes()].chunks_mut(2).zip(value.to_le_bytes().chunks(2))
        {
            pair.copy_from_slice(&[byte[0], !byte[0]]);
        }
    }

    /// Whether the page has to be erased before it holds what is programmed.
    pub(super) fn is_cut_short(&self, page: usize) -> bool {
        self.cut_short.contains(&page)
    }

    fn erase(&mut self, page: usize) {
        self.cut_short.remove(&page);
        if !self.no_erase.contains(&page) {
            self.page_mut(page).fill(0xFF);
        }
    }

    fn erase_partly(&mut self, page: usize) {
        if self.no_erase.contains(&page) {
            return;
        }
        self.cut_short.insert(page);
        let mut random = self.random.clone();
        // Near its end an erase has turned every bit.
        let nearly_done = (random.below(3) + page as u64).is_multiple_of(3);
        for byte in self.page_mut(page) {
            *byte |= if nearly_done { 0xFF } else { random.byte() };
        }
        self.random = random;
    }

    fn page_mut(&mut self, page: usize) -> &mut [u8] {
        let start = page * self.page;
        let end = (start + self.page).min(self.bytes.len());
        self.bytes.get_mut(start..end).unwrap_or_default()
    }
}
