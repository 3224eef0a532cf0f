//! Recordings of everything between this program and a probe, and a player for them.
//!
//! A recording is a text file, one JSON object a line: first a [`Header`], then a line for every probe list, every call of
//! a probe's driver with what it gave, and every reading of the clock. A [`Tape`] that plays one gives the same answers at the
//! same times, so that what happened at a user's bench happens again anywhere, without a probe. The program has to ask the same
//! in the same order: if it does not, the player says at which entry, and answers nothing from there on.
//!
//! A recording holds all that was read from the board and written to it: firmware, serial number, UID, PIN.

mod entry;
mod mishap;
mod player;
mod recorder;

use std::{
    path::Path,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use serde::{Serialize, de::DeserializeOwned};

pub use self::{entry::Header, player::TapeError};
pub(crate) use self::{
    entry::{Call, Words},
    mishap::Mishap,
};
use self::{player::Player, recorder::Recorder};
use crate::clock::Clock;

/// Records what passes between this program and a probe, or plays it.
#[derive(Debug, Clone)]
pub struct Tape(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Recorder(Arc<Recorder>),
    Player(Arc<Player>),
}

impl Tape {
    /// Begins a recording. Each entry is written at once, so that the recording of a run that is killed is complete until then.
    ///
    /// Fails if the header cannot be written.
    pub fn record(file: std::fs::File, header: &Header) -> std::io::Result<Self> {
        Ok(Self(Kind::Recorder(Arc::new(Recorder::new(file, header)?))))
    }

    /// Opens a recording to play it.
    pub fn play(path: &Path) -> Result<(Header, Self), TapeError> {
        let (header, player) = Player::open(path)?;
        Ok((header, Self(Kind::Player(Arc::new(player)))))
    }

    /// What went wrong with it: a recording that could not be written, or one that does not fit what the program does.
    pub fn problem(&self) -> Option<TapeError> {
        match &self.0 {
            Kind::Recorder(recorder) => recorder.problem().map(TapeError::Write),
            Kind::Player(player) => player.problem(),
        }
    }

    /// Whether it is being played.
    pub(crate) fn is_playing(&self) -> bool {
        matches!(self.0, Kind::Player(_))
    }

    /// Sets this if a run does not fit the recording, so that it ends.
    pub(crate) fn interrupts(&self, interrupt: Arc<AtomicBool>) {
        if let Kind::Player(player) = &self.0 {
            player.interrupts(interrupt);
        }
    }

    /// Something that this program finds out by itself: `find` is not called if it is played. `None` if the recording has
    /// something else here.
    pub fn note<T: Serialize + DeserializeOwned>(&self, name: &str, find: impl FnOnce() -> T) -> Option<T> {
        match &self.0 {
            Kind::Recorder(recorder) => {
                let found = find();
                recorder.note(name, &found);
                Some(found)
            }
            Kind::Player(player) => player.note(name),
        }
    }

    /// The clock that a board lives by, recorded or played.
    pub(crate) fn clock(&self, clock: Arc<dyn Clock>) -> Arc<dyn Clock> {
        match &self.0 {
            Kind::Recorder(recorder) => recorder::clock(recorder.clone(), clock),
            Kind::Player(player) => player::clock(player.clone()),
        }
    }

    /// One call of the driver: made and recorded, or played.
    pub(crate) fn call<T: Serialize + DeserializeOwned>(
        &self,
        call: impl FnOnce() -> Call,
        ask: impl FnOnce() -> Result<T, Mishap>,
    ) -> Result<T, Mishap> {
        match &self.0 {
            Kind::Recorder(recorder) => {
                let call = call();
                let answer = ask();
                recorder.call(call, &answer);
                answer
            }
            Kind::Player(player) => player.call(&call()),
        }
    }
}

/// What a player says when it has no answer.
fn off_the_tape() -> Mishap {
    Mishap::Wire("the recording continues differently".into())
}

/// Longest step of a played clock that nothing on the tape tells: a wait ends, however long it was.
const STEP: Duration = Duration::from_millis(1);
