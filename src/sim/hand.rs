//! Several boards that come to the wires of one probe, one after the other, and the hand that changes them.
//!
//! The hand knows what a person at the bench sees: the light of the probe. When it has been still for a moment after a board
//! has answered, the board is taken away, and the next one comes. A board that does not answer at all is given up after a
//! while. The hand knows nothing of the program that uses the probe.

use std::{
    collections::VecDeque,
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{
    fault::WireContact,
    machine::{Machine, Onlooker},
    scenario::{self, Scenario},
    store,
    store_error::StoreError,
    time::Nanos,
};
use crate::target::Target;

/// The file that tells the habits of the hand.
const HAND: &str = "hand.yaml";

/// How quick the hand is, in milliseconds of the model's clock.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_field_names, reason = "the unit stands in the name")]
struct Habits {
    /// How long the probe's light is still before a board that has answered is taken away: longer than any pause between two
    /// attempts to reach it.
    still_ms: u32,
    /// How long the wires then stay without a board.
    gap_ms: u32,
    /// How long a board that does not answer stays.
    patience_ms: u32,
}

impl Default for Habits {
    fn default() -> Self {
        Self { still_ms: 200, gap_ms: 1500, patience_ms: 5000 }
    }
}

/// Changes the boards on the wires of one probe.
#[derive(Debug)]
pub(super) struct Hand {
    habits: Habits,
    /// The folder of the board on the wires.
    on: Option<PathBuf>,
    /// The boards to come.
    next: VecDeque<(PathBuf, Machine)>,
    /// The time at which the probe was last used, or the last board was taken away.
    since: Nanos,
    /// Whether the board on the wires has answered.
    answered: bool,
    /// The changes of flash when the board was last saved.
    saved: u64,
    /// Why a board could not be saved, until that is told.
    failed: Option<StoreError>,
}

fn nanos(ms: u32) -> Nanos {
    Nanos::from(ms) * 1_000_000
}

impl Onlooker for Hand {
    fn look(&mut self, machine: &mut Machine, is_open: bool) {
        let waited = machine.now().saturating_sub(self.since);
        match &self.on {
            None if waited >= nanos(self.habits.gap_ms) => self.put_next(machine),
            None => {}
            Some(_) if self.answered && is_open => self.since = machine.now(),
            Some(_) => {
                let limit = if self.answered { self.habits.still_ms } else { self.habits.patience_ms };
                if waited >= nanos(limit) {
                    self.take_away(machine);
                }
            }
        }
    }

    fn left_alone(&mut self, machine: &mut Machine) {
        if self.answered {
            self.since = machine.now();
        }
        // So that a program that is killed leaves the boards as it has made them.
        if machine.board.bus.record.flash_changes() != self.saved {
            self.keep(machine);
        }
    }

    fn sees_an_answer(&mut self) {
        self.answered = true;
    }

    fn save(&mut self, machine: &Machine) -> Result<(), StoreError> {
        self.keep(machine);
        self.failed.take().map_or(Ok(()), Err)
    }
}

impl Hand {
    fn take_away(&mut self, machine: &mut Machine) {
        self.keep(machine);
        (self.on, self.since, self.answered) = (None, machine.now(), false);
        machine.set_contact(WireContact::Absent);
    }

    fn put_next(&mut self, machine: &mut Machine) {
        let Some((folder, next)) = self.next.pop_front() else { return };
        let contact = next.contact().clone();
        machine.board = next.board;
        machine.set_contact(contact);
        self.saved = machine.board.bus.record.flash_changes();
        (self.on, self.since, self.answered) = (Some(folder), machine.now(), false);
    }

    fn keep(&mut self, machine: &Machine) {
        let Some(folder) = &self.on else { return };
        self.saved = machine.board.bus.record.flash_changes();
        if let Err(error) = store::save(machine, folder) {
            self.failed.get_or_insert(error);
        }
    }
}

/// The folders in a folder, in the order of their names.
fn folders_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut folders: Vec<_> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

fn boards_in(folder: &Path) -> Vec<PathBuf> {
    folders_in(folder).into_iter().filter(|path| store::is_board(path)).collect()
}

/// The folders of the boards of each probe.
pub(super) fn probes_in(folder: &Path) -> Vec<Vec<PathBuf>> {
    if store::is_board(folder) {
        return Vec::new();
    }
    let own = boards_in(folder);
    let rows =
        if own.is_empty() { folders_in(folder).iter().map(|probe| boards_in(probe)).collect() } else { vec![own] };
    rows.into_iter().filter(|boards| !boards.is_empty()).collect()
}

/// Saves the boards of each probe.
pub(super) fn save_row(folder: &Path, probes: &[Vec<Scenario>], target: &Target) -> Result<(), StoreError> {
    let mut number = 0;
    for (index, scenarios) in probes.iter().enumerate() {
        let row = if probes.len() > 1 { folder.join(format!("probe-{}", index + 1)) } else { folder.to_owned() };
        for (place, scenario) in scenarios.iter().enumerate() {
            let (board, contact) = scenario::build(*scenario, target, number);
            let folder = row.join(format!("{:02}-{scenario}", place + 1));
            store::save(&Machine::new(board, contact), &folder)?;
            number += 1;
        }
    }
    store::write_yaml(folder, HAND, &Habits::default())
}

/// Loads the boards of one probe, in the order in which they come to its wires.
pub(super) fn load(folder: &Path, boards: &[PathBuf]) -> Result<Machine, StoreError> {
    let habits = store::read_yaml(&folder.join(HAND))?.unwrap_or_default();
    let mut next = boards.iter().map(|board| store::load(board).map(|machine| (board.clone(), machine)));
    let first = next.next().transpose()?;
    let next = next.collect::<Result<_, _>>()?;
    let Some((on, mut machine)) = first else { return store::load(folder) };
    let (since, saved) = (machine.now(), machine.board.bus.record.flash_changes());
    machine.hand = Some(Box::new(Hand { habits, on: Some(on), next, since, answered: false, saved, failed: None }));
    Ok(machine)
}
