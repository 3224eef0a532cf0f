//! A batch: board after board of one kind of scooter, on one probe or several.
//!
//! [`Batch`] remembers which boards are done and which serial number was given to which board, [`SerialList`] is the list
//! that they are given from, and [`UnitLog`] the file that outlives the program. Nothing here reaches a board; what may be
//! done to one is decided by the job that flashes it.

mod list;
mod log;
mod table;
mod unit;

pub use self::{
    list::{ListError, ListRow, SerialList},
    log::{LogError, OpenedLog, UnitLog},
    unit::{OK, STARTED, Unit},
};

use std::collections::BTreeMap;

use crate::block::{Mileage, Serial, Uid};

/// What a board is given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Given {
    /// The serial number to write, instead of the board's own.
    pub serial: Option<Serial>,
    /// The mileage to write, instead of the board's own.
    pub mileage: Option<Mileage>,
}

/// What to do with a board that has come.
#[derive(Debug, Clone, PartialEq)]
pub enum BoardArrival {
    /// It is to be flashed.
    ToDo,
    /// It was flashed before, as the log says.
    Done(Unit),
    /// It is being flashed: another board with the same UID is on another probe.
    InWork,
}

/// A serial number belongs to another board.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the serial number {serial} was given to the board with UID {uid}")]
pub struct SerialTaken {
    /// The serial number.
    pub serial: Serial,
    /// The board that has it.
    pub uid: Uid,
}

/// What is known of a board.
#[derive(Debug, Clone, Default)]
struct BoardRecord {
    done: Option<Unit>,
    given: Given,
    /// The serial number that is written on it, as far as the log says.
    holds: Option<Serial>,
    in_work: bool,
    /// Whether the log tells of its beginning and not of its end.
    is_open: bool,
    /// What it was before that: it is so again if it was not changed.
    done_before: Option<Unit>,
}

/// Which boards are done, and which serial number was given to which.
#[derive(Debug)]
pub struct Batch {
    scooter: String,
    list: SerialList,
    boards: BTreeMap<[u32; 3], BoardRecord>,
}

impl Batch {
    /// Begins a batch for this scooter, or goes on with the one whose log has these units. A line without a UID tells of
    /// something that was not a board of this kind.
    pub fn new(scooter: &str, list: SerialList, earlier: &[Unit]) -> Self {
        let mut batch = Self { scooter: scooter.to_owned(), list, boards: BTreeMap::new() };
        for unit in earlier {
            batch.note(unit);
        }
        batch
    }

    /// Takes in a line of the log.
    fn note(&mut self, unit: &Unit) {
        let Some(uid) = unit.uid else { return };
        let record = self.boards.entry(uid.0).or_default();
        if unit.result == STARTED {
            record.given = Given { serial: unit.serial, mileage: unit.mileage };
            record.is_open = true;
            // Until its end is told, it may be in the middle of being written.
            record.done_before = record.done.take().or(record.done_before.take());
            return;
        }
        record.is_open = false;
        let before = record.done.take().or(record.done_before.take());
        if unit.result == OK {
            record.done = Some(unit.clone()).filter(|unit| unit.scooter == self.scooter);
            record.holds = unit.serial;
        } else if unit.is_unchanged() {
            record.done = before;
            // It does not have what it was to be given, so another board may have it.
            record.given = Given::default();
        } else {
            record.holds = unit.serial.or(record.holds);
        }
    }

    /// A board has come. If it is to be flashed, it is in work until [`Batch::ended`] or [`Batch::left`].
    pub fn arrive(&mut self, uid: Uid, flash_again: Again) -> BoardArrival {
        let record = self.boards.entry(uid.0).or_default();
        match &record.done {
            _ if record.in_work => BoardArrival::InWork,
            Some(unit) if flash_again == Again::No => BoardArrival::Done(unit.clone()),
            _ => {
                record.in_work = true;
                BoardArrival::ToDo
            }
        }
    }

    /// What this board is to be given: what it was given before, or what the list has for its UID.
    pub fn given(&self, uid: Uid) -> Given {
        let before = self.boards.get(&uid.0).map(|record| record.given).unwrap_or_default();
        let row = self.list.of_uid(uid);
        let listed = row.map(|row| Given { serial: Some(row.serial), mileage: row.mileage }).unwrap_or_default();
        Given { serial: before.serial.or(listed.serial), mileage: before.mileage.or(listed.mileage) }
    }

    /// The next of the list for a board that has no serial number: the first that no other board has.
    pub fn next_listed(&self, uid: Uid) -> Option<Given> {
        let row = self.list.without_uid().find(|row| self.owner(row.serial).is_none_or(|owner| owner == uid))?;
        Some(Given { serial: Some(row.serial), mileage: row.mileage })
    }

    /// Gives this to a board, unless another board has the serial number.
    pub fn give(&mut self, uid: Uid, given: Given) -> Result<(), SerialTaken> {
        if let Some(serial) = given.serial
            && let Some(owner) = self.owner(serial).filter(|owner| *owner != uid)
        {
            return Err(SerialTaken { serial, uid: owner });
        }
        self.boards.entry(uid.0).or_default().given = given;
        Ok(())
    }

    /// The board that a serial number was given to, or that holds it.
    pub fn owner(&self, serial: Serial) -> Option<Uid> {
        let has = |record: &BoardRecord| record.given.serial == Some(serial) || record.holds == Some(serial);
        let on_board = self.boards.iter().find(|(_, record)| has(record)).map(|(uid, _)| Uid(*uid));
        on_board.or_else(|| self.list.owner(serial))
    }

    /// The work on a board has ended as this line of the log says.
    pub fn ended(&mut self, unit: &Unit) {
        self.note(unit);
        if let Some(uid) = unit.uid {
            self.left(uid);
        }
    }

    /// Nothing is done to this board any more.
    pub fn left(&mut self, uid: Uid) {
        self.boards.entry(uid.0).or_default().in_work = false;
    }

    /// The boards that are done.
    pub fn done(&self) -> usize {
        self.boards.values().filter(|record| record.done.is_some()).count()
    }

    /// The boards whose work was begun and not ended, as after a power failure.
    pub fn unfinished(&self) -> Vec<Uid> {
        let open = self.boards.iter().filter(|(_, record)| record.is_open && !record.in_work);
        open.map(|(uid, _)| Uid(*uid)).collect()
    }

    /// The serial numbers of the list that no board has yet.
    pub fn left_in_list(&self) -> usize {
        let is_free = |row: &&ListRow| {
            self.boards
                .values()
                .all(|record| record.given.serial != Some(row.serial) && record.holds != Some(row.serial))
        };
        self.list.rows().iter().filter(is_free).count()
    }
}

/// Whether boards that are done are flashed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// They are left alone.
    No,
    /// They are flashed again.
    Yes,
}

#[cfg(test)]
mod tests;
