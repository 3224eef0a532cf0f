//! One probe of several, or the only one: where a batch puts board after board.

use std::sync::{Arc, atomic::AtomicBool};

use m365_drv::{
    block::Uid,
    board::{
        BoardState, ConnectOptions, Probes,
        progress::{Event, Progress as _, Warning},
    },
    ops::{Job, Known},
    sim::SimBoard,
};

use super::{Accounts, Voices, rehearsal};
use crate::cli::screen::progress::Teller;

/// A probe to which boards come one after the other. It can be used on a thread of its own.
pub(crate) struct Station {
    /// The simulated boards, and which of them is on this probe.
    simulated: Option<(Vec<SimBoard>, usize)>,
    options: ConnectOptions,
    voices: Voices,
    label: String,
    interrupt: Arc<AtomicBool>,
    accounts: Accounts,
}

/// What one board is done with: it has an account of its own.
pub(crate) struct Visit {
    probes: Probes,
    teller: Teller,
    /// What the procedure has found out.
    pub(crate) known: Known,
}

impl Station {
    pub(super) fn new(
        simulated: Option<(Vec<SimBoard>, usize)>,
        options: ConnectOptions,
        voices: Voices,
        (interrupt, accounts): (Arc<AtomicBool>, Accounts),
    ) -> Self {
        let label = String::new();
        Self { simulated, options, voices, label, interrupt, accounts }
    }

    /// The same with a name in front of what it tells.
    pub(crate) fn labelled(self, label: &str) -> Self {
        Self { label: label.to_owned(), ..self }
    }

    /// What tells it from other probes; empty if it is the only one.
    pub(crate) fn label(&self) -> &str {
        &self.label
    }

    /// How to reach boards, as the command line says.
    pub(crate) fn options(&self) -> &ConnectOptions {
        &self.options
    }

    /// The user's wish to stop.
    pub(crate) fn interrupt(&self) -> &AtomicBool {
        &self.interrupt
    }

    /// Begins with the next board; `unit` is its number.
    pub(crate) fn visit(&self, unit: u32) -> Visit {
        let (probes, clock) = rehearsal::probes_of(self.simulated.as_ref());
        let probes = probes.interrupted_by(self.interrupt.clone());
        self.accounts.add(probes.ledger());
        let mut teller = Teller::new(self.voices.voice(clock, &self.label, Some(unit)));
        teller.awaits_a_board(true);
        if self.simulated.is_some() {
            teller.rehearses();
        }
        Visit { probes, teller, known: Known::default() }
    }

    /// From now on this visit is to the board with this UID.
    pub(crate) fn name(&self, visit: &mut Visit, uid: Uid) {
        visit.teller.awaits_a_board(false);
        self.accounts.name(visit.probes.ledger(), uid);
    }
}

impl Visit {
    /// What a procedure needs to reach a board in this way.
    pub(crate) fn job(&mut self, options: &ConnectOptions) -> Job<'_> {
        Job::new(&self.probes, options.clone(), &mut self.teller, &mut self.known)
    }

    /// What was made of the board.
    pub(crate) fn board(&self) -> BoardState {
        self.probes.ledger().board()
    }

    /// Warns; the work continues.
    pub(crate) fn warn(&mut self, name: &'static str, message: String) {
        self.teller.on(Event::Warning(Warning::new(name, message)));
    }

    /// Tells a person something.
    pub(crate) fn say(&mut self, words: &str) {
        self.teller.rest();
        self.teller.say(words);
    }
}
