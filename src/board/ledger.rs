//! What a run has made of the board: kept in one place, and read by errors, reports, Ctrl-C and panics.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU8, Ordering},
};

use serde::Serialize;

/// What a run has done to the board's flash and option bytes so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum BoardState {
    /// Flash and option bytes are what they were.
    #[default]
    Untouched,
    /// Flash is erased, and nothing of the plan is in it yet.
    Erased,
    /// Some of the plan may be in it.
    Partial,
    /// The board holds what was planned.
    Written,
}

/// Every state, by its number.
const STATES: [BoardState; 4] = [BoardState::Untouched, BoardState::Erased, BoardState::Partial, BoardState::Written];

/// The account of one run. Copies of it share one state: the procedure writes, others read.
#[derive(Debug, Clone, Default)]
pub struct Ledger(Arc<Entries>);

#[derive(Debug, Default)]
struct Entries {
    begun: AtomicBool,
    changing: AtomicBool,
    board: AtomicU8,
}

impl Ledger {
    /// What the board is now, as far as this run has changed it.
    pub fn board(&self) -> BoardState {
        STATES[usize::from(self.0.board.load(Ordering::SeqCst))]
    }

    /// Whether this is the account of the same run.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Whether a procedure has begun to use a probe. From then on it notices an interrupt.
    pub fn has_begun(&self) -> bool {
        self.0.begun.load(Ordering::SeqCst)
    }

    /// Whether the chip is erasing or programming at this moment.
    pub fn is_changing(&self) -> bool {
        self.0.changing.load(Ordering::SeqCst)
    }

    pub(super) fn begin(&self) {
        self.0.begun.store(true, Ordering::SeqCst);
    }

    /// An earlier run has left the board in the middle of what it was writing, and some of it may be written only now.
    pub(super) fn found_unfinished(&self) {
        if self.board() == BoardState::Untouched {
            self.set(BoardState::Partial);
        }
    }

    /// The next access changes the board.
    pub(super) fn change(&self) -> Changing {
        self.set(BoardState::Partial);
        self.0.changing.store(true, Ordering::SeqCst);
        Changing(self.clone())
    }

    /// The chip has erased its whole flash, and nothing is in it yet.
    pub(crate) fn erased(&self) {
        self.set(BoardState::Erased);
    }

    /// What was planned has been read back. A board that was not changed stays untouched.
    pub(crate) fn matches_plan(&self) {
        if self.board() != BoardState::Untouched {
            self.set(BoardState::Written);
        }
    }

    fn set(&self, board: BoardState) {
        self.0.board.store(board as u8, Ordering::SeqCst);
    }
}

/// Held while the chip is erasing or programming.
#[must_use]
pub(super) struct Changing(Ledger);

impl Drop for Changing {
    fn drop(&mut self) {
        self.0.0.changing.store(false, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_board_is_untouched_until_the_first_change_and_written_only_after_one() {
        let ledger = Ledger::default();
        ledger.matches_plan();
        assert_eq!((ledger.board(), ledger.is_changing()), (BoardState::Untouched, false));
        let changing = ledger.clone().change();
        assert_eq!((ledger.board(), ledger.is_changing()), (BoardState::Partial, true));
        drop(changing);
        ledger.erased();
        assert_eq!((ledger.board(), ledger.is_changing()), (BoardState::Erased, false));
        ledger.matches_plan();
        assert_eq!(ledger.board(), BoardState::Written);
    }

    #[test]
    fn a_run_has_begun_when_it_begins_to_use_a_probe() {
        let ledger = Ledger::default();
        assert!(!ledger.has_begun());
        ledger.clone().begin();
        assert!(ledger.has_begun());
    }

    #[test]
    fn every_state_has_its_number() {
        assert!(STATES.iter().enumerate().all(|(number, state)| *state as usize == number));
    }
}
