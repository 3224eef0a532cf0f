//! The work at one probe: wait for a board, flash it, log it, wait for the next.

use std::{
    path::Path,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

use m365_drv::{
    batch::{Batch, BoardArrival, Given, OK, Unit, UnitLog},
    block::{Serial, Uid},
    board::{self, BoardState, ConnectOptions, Presence, Wait},
    guide::state_in_words,
    ops::{self, BackupStore, Extent, FlashRequest},
    printable::printable,
};

use super::{
    BatchArgs, firmware_name, stamped,
    summary::{BatchSummary, Key, Tally},
};
use crate::cli::{
    args::{asked_data::Person, images::GivenImages},
    context::station::{Station, Visit},
    exit::{Exit, Meaning},
    exit_codes::ExitRow,
    screen::{
        audience::Audience,
        output::{Line, Output, UnitLine},
        overheard::Listener,
    },
};

/// What the probes of a batch have in common.
pub(super) struct Shop<'a> {
    pub(super) args: &'a BatchArgs,
    pub(super) images: &'a GivenImages,
    pub(super) backups: BackupStore,
    pub(super) batch: Mutex<Batch>,
    pub(super) log: Mutex<UnitLog>,
    pub(super) tally: Mutex<Tally>,
    pub(super) output: Output,
    /// Who else is told about the boards.
    pub(super) listener: Option<Listener>,
    pub(super) audience: Audience,
    /// How long the next board is waited for if the command line does not say.
    pub(super) patience: Wait,
    /// Boards that have come.
    pub(super) units: AtomicU32,
    /// Whether no other board is begun.
    pub(super) stop: AtomicBool,
    /// Held while a person is asked: one question at a time.
    pub(super) asking: Mutex<()>,
}

fn hold<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether to go on at this probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    GoOn,
    End,
}

impl Shop<'_> {
    /// Works until the user stops it or no board comes any more. An error ends the whole batch.
    pub(super) fn work(&self, station: &Station) -> anyhow::Result<()> {
        while !self.stop.load(Ordering::SeqCst) {
            match self.serve(station) {
                Ok(Next::GoOn) => {}
                Ok(Next::End) => break,
                Err(error) => {
                    self.stop.store(true, Ordering::SeqCst);
                    station.interrupt().store(true, Ordering::SeqCst);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Between boards the program waits as long as it takes, unless the command line says otherwise.
    fn patient(&self, options: &ConnectOptions) -> ConnectOptions {
        let wait = if options.wait == Wait::No { self.patience } else { options.wait };
        ConnectOptions { wait, ..options.clone() }
    }

    /// Serves one board, and waits until it is gone.
    fn serve(&self, station: &Station) -> anyhow::Result<Next> {
        let number = self.units.fetch_add(1, Ordering::SeqCst) + 1;
        let mut visit = station.visit(number);
        let patient = self.patient(station.options());
        let present = match ops::meet(&mut visit.job(&patient)) {
            Ok(uid) => {
                self.board(station, &mut visit, number, uid)?;
                Presence::Board(uid)
            }
            Err(error) if error.exit() == Exit::Interrupted => return Ok(Next::End),
            Err(error @ ops::Error::Board(board::Error::Unsupported(_))) => {
                self.stranger(station, &mut visit, number, &error)?;
                Presence::Stranger
            }
            Err(error) if matches!(error.exit(), Exit::NoContact | Exit::LinkLost) => {
                return Ok(if patient.wait == Wait::Forever { Next::GoOn } else { Next::End });
            }
            Err(error) => return Err(error.into()),
        };
        if self.stop.load(Ordering::SeqCst) {
            return Ok(Next::End);
        }
        match ops::await_next(&mut visit.job(&patient), present) {
            Ok(true) => Ok(Next::GoOn),
            Ok(false) => Ok(Next::End),
            Err(error) if error.exit() == Exit::Interrupted => Ok(Next::End),
            Err(error) => Err(error.into()),
        }
    }

    /// A board has come.
    fn board(&self, station: &Station, visit: &mut Visit, number: u32, uid: Uid) -> anyhow::Result<()> {
        let arrival = hold(&self.batch).arrive(uid, self.args.flash_again());
        match arrival {
            BoardArrival::ToDo => self.flash(station, visit, number, uid),
            BoardArrival::Done(unit) => {
                hold(&self.tally).skipped(uid);
                self.emit(station, number, "skipped", &unit, None);
                let serial = unit.serial.map_or_else(String::new, |serial| format!(", serial number {serial}"));
                let firmware = unit.firmware.map_or_else(String::new, |firmware| format!(", {firmware}"));
                visit.say(&format!("board {number}: already done according to the log (UID {uid}{serial}{firmware}); add --again to flash it again"));
                Ok(())
            }
            BoardArrival::InWork => {
                visit.say(&format!(
                    "board {number}: another probe is flashing a board with the same UID {uid}; connect this one when that one is done"
                ));
                Ok(())
            }
        }
    }

    /// What is on the wires is not a board that could be flashed.
    fn stranger(&self, station: &Station, visit: &mut Visit, number: u32, error: &ops::Error) -> anyhow::Result<()> {
        let scooter = self.images.target.name.clone();
        let result = ExitRow::of(error.exit()).name.to_owned();
        let unit = stamped(Unit { scooter, result, ..Unit::default() }.left_as(visit.board()));
        self.ended(station, visit, (number, Key::Stranger(number)), &unit, Some(error))
    }

    /// Flashes a board by the same job as `flash`, and logs what became of it.
    fn flash(&self, station: &Station, visit: &mut Visit, number: u32, uid: Uid) -> anyhow::Result<()> {
        station.name(visit, uid);
        let scooter = &self.images.target.name;
        let mut options = ConnectOptions { expect: Some(uid), ..station.options().clone() };
        let mut given = hold(&self.batch).given(uid);
        let done = loop {
            self.give(visit, uid, &mut given)?;
            let started = stamped(Unit::started(scooter, uid, given.serial, given.mileage));
            self.append(&started)?;
            self.emit(station, number, "started", &started, None);
            let wanted = ops::Wanted { serial: given.serial, mileage: given.mileage, ..self.images.to_ops() };
            let request = FlashRequest {
                wanted,
                consent: self.args.consent.given(),
                extent: Extent::Changes,
                backups: self.backups.clone(),
                after: self.args.after(),
                watchdog: self.args.watchdog.wanted(),
            };
            let done = ops::flash(&mut visit.job(&options), &request);
            match &done {
                Err(error) => match self.more(station, visit, uid, (given, error)) {
                    Ok(Some(more)) => {
                        given = more;
                        // The person who was asked may have let go of the wires.
                        options = self.patient(&options);
                    }
                    Ok(None) => break done,
                    Err(stopped) => break Err(stopped),
                },
                Ok(_) => break done,
            }
        };
        let (uid, scooter) = (Some(uid), scooter.clone());
        let unit = match &done {
            Ok(report) => Unit {
                uid,
                serial: Some(report.planned.serial),
                mileage: Some(report.planned.mileage_m).filter(|mileage| mileage.is_known()),
                scooter,
                firmware: firmware_name(report.planned.drv.as_ref()),
                result: OK.to_owned(),
                backup: report.backup.as_deref().map(in_log),
                ..Unit::default()
            },
            Err(error) => Unit {
                uid,
                serial: visit.known.serial,
                mileage: visit.known.mileage_m,
                scooter,
                result: ExitRow::of(error.exit()).name.to_owned(),
                backup: visit.known.backup.as_deref().map(in_log),
                ..Unit::default()
            },
        };
        let unit = stamped(unit.left_as(visit.board()));
        let key = uid.map_or(Key::Stranger(number), |uid| Key::Board(uid.0));
        self.ended(station, visit, (number, key), &unit, done.as_ref().err())
    }

    /// Notes what the board is given. What another board has is not given; the board is flashed without it.
    fn give(&self, visit: &mut Visit, uid: Uid, given: &mut Given) -> anyhow::Result<()> {
        if let Err(taken) = hold(&self.batch).give(uid, *given) {
            visit.warn("serial-taken", taken.to_string());
            given.serial = None;
            hold(&self.batch).give(uid, *given).meaning(Exit::Internal, || "the serial number is taken".into())?;
        }
        Ok(())
    }

    /// What else there is to give to a board whose serial number or mileage is unknown: the next of the list, or what a
    /// person types. An error if the person stops the batch instead.
    fn more(
        &self,
        station: &Station,
        visit: &mut Visit,
        uid: Uid,
        (given, error): (Given, &ops::Error),
    ) -> Result<Option<Given>, ops::Error> {
        if matches!(error, ops::Error::NoSerial) && given.serial.is_none() {
            let listed = hold(&self.batch).next_listed(uid);
            if listed.is_some() {
                return Ok(listed);
            }
        }
        if !self.audience.answers() {
            return Ok(None);
        }
        let _one_at_a_time = hold(&self.asking);
        let known = visit.known.clone();
        let (interrupt, mut say) = (station.interrupt(), |words: &str| visit.say(words));
        let mut person = Person { say: &mut say, interrupt, enter: "skip this board" };
        person.gives(given, error, &known, &self.images.target.serial.example, |text| self.free_serial(uid, text))
    }

    /// A typed serial number that no other board has.
    fn free_serial(&self, uid: Uid, text: &str) -> Result<Serial, String> {
        let serial = self.images.target.serial.read(text).map_err(|error| error.to_string())?;
        match hold(&self.batch).owner(serial).filter(|owner| *owner != uid) {
            Some(owner) => Err(format!("the serial number {serial} was given to the board with UID {owner}")),
            None => Ok(serial),
        }
    }

    /// Logs, counts and tells how the work on a board has ended.
    fn ended(
        &self,
        station: &Station,
        visit: &mut Visit,
        (number, key): (u32, Key),
        unit: &Unit,
        error: Option<&ops::Error>,
    ) -> anyhow::Result<()> {
        self.append(unit)?;
        hold(&self.batch).ended(unit);
        let exit = error.map_or(Exit::Ok, ops::Error::exit);
        hold(&self.tally).ended(key, exit);
        if exit == Exit::Interrupted {
            self.stop.store(true, Ordering::SeqCst);
        }
        self.emit(station, number, "finished", unit, error);
        visit.say(&match error {
            None => {
                let serial = unit.serial.map(|serial| format!(", serial number {serial}")).unwrap_or_default();
                let mileage = unit.mileage.map(|mileage| format!(", {mileage}")).unwrap_or_default();
                format!("board {number}: ok{serial}{mileage}")
            }
            Some(error) => {
                let row = ExitRow::of(exit);
                let board = visit.board();
                // Another try would wear a bad page out further.
                let can_finish = matches!(board, BoardState::Erased | BoardState::Partial)
                    && !matches!(error, ops::Error::BadPage(_));
                let again = if can_finish { "; connect it again to finish" } else { "" };
                format!(
                    "board {number}: failed ({}, exit {}): {}; board: {}{again}",
                    row.name,
                    row.code,
                    printable(&error.to_string()),
                    state_in_words(board)
                )
            }
        });
        Ok(())
    }

    fn append(&self, unit: &Unit) -> anyhow::Result<()> {
        let written = hold(&self.log).append(unit);
        written.meaning(Exit::Output, || "the log of the batch could not be written".into())
    }

    fn emit(&self, station: &Station, number: u32, state: &'static str, entry: &Unit, error: Option<&ops::Error>) {
        let probe = Some(station.label()).filter(|label| !label.is_empty());
        let line = Line::Unit(UnitLine { state, probe, entry });
        self.output.emit_of(Some(number), &line);
        if let (Some(listener), Ok(mut line)) = (&self.listener, serde_json::to_value(&line)) {
            line["message"] = error.map(ToString::to_string).into();
            listener(station.label(), number, &line);
        }
    }

    /// What the batch came to.
    pub(super) fn summary(&self) -> BatchSummary {
        let batch = hold(&self.batch);
        hold(&self.tally).summary(self.args, batch.done(), batch.left_in_list())
    }
}

/// A path in one line of the log.
fn in_log(path: &Path) -> String {
    printable(&path.display().to_string()).into_owned()
}
