//! What happened on the board, for whoever asks afterwards.

/// Things counted inside the chip.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    pub(super) half_words: u64,
    pub(super) page_erases: Vec<u32>,
    pub(super) mass_erases: u32,
    pub(super) option_erases: u32,
    pub(super) option_programs: u32,
    pub(super) resets: u32,
}

/// Whom an access comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Master {
    Core,
    Debugger,
}

/// Breaches of the manuals' rules. Those of a program in flash are the vendor's affair (its firmware unlocks an unlocked
/// flash interface, for one) and stand apart.
#[derive(Debug, Default)]
pub(super) struct Violations {
    pub(super) tool: Vec<String>,
    pub(super) firmware: Vec<String>,
    /// The core executes from flash just now.
    pub(super) in_flash: bool,
}

/// A program gone wild would fill the memory with its breaches.
const LIMIT: usize = 1000;

impl Violations {
    pub(super) fn note(&mut self, master: Master, what: String) {
        let list = match master {
            Master::Core if self.in_flash => &mut self.firmware,
            Master::Core | Master::Debugger => &mut self.tool,
        };
        if list.len() < LIMIT {
            list.push(what);
        }
    }
}
