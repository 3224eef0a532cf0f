//! What is known of every board that this run has used: one, or in a batch one after the other and side by side.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use m365_drv::{
    block::Uid,
    board::{BoardState, Ledger},
};

/// The accounts of a run. Copies share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Accounts(Arc<Mutex<Vec<Account>>>);

#[derive(Debug)]
struct Account {
    ledger: Ledger,
    uid: Option<Uid>,
}

impl Accounts {
    fn all(&self) -> MutexGuard<'_, Vec<Account>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on this account counts too.
    pub(crate) fn add(&self, ledger: &Ledger) {
        self.all().push(Account { ledger: ledger.clone(), uid: None });
    }

    /// An account is that of this board: what an earlier try has left of the board does not count any more.
    pub(crate) fn name(&self, ledger: &Ledger, uid: Uid) {
        let mut all = self.all();
        all.retain(|account| account.uid != Some(uid));
        if let Some(account) = all.iter_mut().rev().find(|account| account.ledger.is_same(ledger)) {
            account.uid = Some(uid);
        }
    }

    /// Nothing that was noted counts any more.
    pub(crate) fn forget(&self) {
        self.all().clear();
    }

    /// What the board is now; of several the one that needs most to be done.
    pub(crate) fn board(&self) -> BoardState {
        let urgency = |state: &BoardState| match state {
            BoardState::Untouched => 0,
            BoardState::Written => 1,
            BoardState::Erased => 2,
            BoardState::Partial => 3,
        };
        let states = self.all().iter().map(|account| account.ledger.board()).collect::<Vec<_>>();
        states.into_iter().max_by_key(urgency).unwrap_or_default()
    }

    /// Whether a procedure has begun to use a probe.
    pub(crate) fn has_begun(&self) -> bool {
        self.all().iter().any(|account| account.ledger.has_begun())
    }

    /// Whether a chip is erasing or programming at this moment.
    pub(crate) fn is_changing(&self) -> bool {
        self.all().iter().any(|account| account.ledger.is_changing())
    }
}
