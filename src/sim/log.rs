//! A record of what happened on the board.

/// Counts of events inside the chip.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    pub(super) half_words: u64,
    pub(super) page_erases: Vec<u32>,
    pub(super) mass_erases: u32,
    pub(super) option_erases: u32,
    pub(super) option_programs: u32,
    pub(super) resets: u32,
}

/// The source of an access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Master {
    Core,
    Debugger,
}

/// Violations of the rules in the manuals. Those by programs in flash are listed separately, because the vendor's
/// firmware has some (for example, it unlocks the flash interface when it is already unlocked).
#[derive(Debug, Default)]
pub(super) struct Violations {
    pub(super) tool: Vec<String>,
    pub(super) firmware: Vec<String>,
    /// Whether the core is executing from flash.
    pub(super) in_flash: bool,
}

/// Length limit of each list, so that a program that runs wild cannot fill the memory.
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
