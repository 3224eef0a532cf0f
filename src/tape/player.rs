//! The player: gives the recorded answers while the program asks the same as then.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde::de::DeserializeOwned;

use super::{
    Mishap, STEP,
    entry::{Call, FORMAT, Gave, Header, TapeLine},
    off_the_tape,
};
use crate::{clock::Clock, count::count, printable::quoted_path};

/// What is wrong with a recording.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TapeError {
    /// The file cannot be read.
    #[error("the recording {} cannot be read: {message}", quoted_path(path))]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        message: String,
    },
    /// A line is not what it should be.
    #[error("line {line} of the recording {} is invalid: {message}", quoted_path(path))]
    Line {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// Another version of the format.
    #[error("the recording has format {found}; this version replays only format {FORMAT}")]
    Format {
        /// Its version.
        found: u32,
    },
    /// The program does something else than when it was recorded.
    #[error("the recording has {recorded} in line {line}, but this run has {asked}")]
    Differs {
        /// Counted from 1.
        line: usize,
        /// What was asked then; `its end` after the last line.
        recorded: String,
        /// What is asked now.
        asked: String,
    },
    /// Something on it was not asked for.
    #[error("this run ended before line {line} of the recording: {recorded}")]
    GoesOn {
        /// Counted from 1.
        line: usize,
        /// What was asked then.
        recorded: String,
    },
    /// The recording is incomplete.
    #[error("the recording could not be written: {0}")]
    Write(String),
}

/// Plays a recording.
#[derive(Debug)]
pub(super) struct Player(Mutex<Playing>);

#[derive(Debug)]
struct Playing {
    entries: Vec<TapeLine>,
    next: usize,
    now: Duration,
    problem: Option<TapeError>,
    /// Set to end a run that does not fit: nothing on the tape would.
    interrupt: Arc<AtomicBool>,
}

impl Player {
    pub(super) fn open(path: &Path) -> Result<(Header, Self), TapeError> {
        let text = fs::read_to_string(path)
            .map_err(|error| TapeError::Read { path: path.to_owned(), message: error.to_string() })?;
        let invalid = |line: usize, error: serde_json::Error| TapeError::Line {
            path: path.to_owned(),
            line,
            message: error.to_string(),
        };
        let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
        let header: Header = serde_json::from_str(first).map_err(|error| invalid(1, error))?;
        if header.tape != FORMAT {
            return Err(TapeError::Format { found: header.tape });
        }
        let mut entries = Vec::new();
        // The last line of a run that was killed may be cut.
        for (index, line) in rest.split_inclusive('\n').filter(|line| line.ends_with('\n')).enumerate() {
            entries.push(serde_json::from_str(line).map_err(|error| invalid(index + 2, error))?);
        }
        Ok((
            header,
            Self(Mutex::new(Playing {
                entries,
                next: 0,
                now: Duration::ZERO,
                problem: None,
                interrupt: Arc::default(),
            })),
        ))
    }

    fn playing(&self) -> MutexGuard<'_, Playing> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn interrupts(&self, interrupt: Arc<AtomicBool>) {
        self.playing().interrupt = interrupt;
    }

    pub(super) fn problem(&self) -> Option<TapeError> {
        let playing = self.playing();
        let left = || {
            let is_asked = |(_, entry): &(usize, &TapeLine)| !matches!(entry, TapeLine::Clock(_));
            let mut left = playing.entries.iter().enumerate().skip(playing.next);
            left.find(is_asked).map(|(index, entry)| TapeError::GoesOn { line: index + 2, recorded: shown(entry) })
        };
        playing.problem.clone().or_else(left)
    }

    pub(super) fn note<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        self.playing().next(name, |entry| match entry {
            TapeLine::Note { name: noted, found } if noted == name => serde_json::from_value(found.clone()).ok(),
            _ => None,
        })
    }

    pub(super) fn call<T: DeserializeOwned>(&self, call: &Call) -> Result<T, Mishap> {
        let made = self.playing().next(&shown_call(call), |entry| match entry {
            TapeLine::Call { call: recorded, gave } if recorded == call && is_whole(call, gave) => match gave {
                Gave::Ok(answer) => serde_json::from_value(answer.clone()).ok().map(Ok),
                Gave::Error(failure) => Some(Err(failure.clone())),
            },
            _ => None,
        });
        made.unwrap_or_else(|| Err(off_the_tape()))
    }
}

impl Playing {
    /// The next entry, if it is the one that is asked for. Readings of the clock that nobody asked for are left out.
    fn next<T>(&mut self, asked: &str, fits: impl FnOnce(&TapeLine) -> Option<T>) -> Option<T> {
        while let Some(TapeLine::Clock(micros)) = self.entries.get(self.next) {
            self.now = Duration::from_micros(*micros);
            self.next += 1;
        }
        if self.problem.is_some() {
            return None;
        }
        let recorded = self.entries.get(self.next);
        let answer = recorded.and_then(fits);
        if answer.is_some() {
            self.next += 1;
        } else {
            let recorded = recorded.map_or_else(|| "its end".into(), shown);
            self.problem = Some(TapeError::Differs { line: self.next + 2, recorded, asked: asked.to_owned() });
            self.interrupt.store(true, Ordering::Relaxed);
        }
        answer
    }

    fn now(&mut self) -> Duration {
        match self.entries.get(self.next) {
            Some(TapeLine::Clock(micros)) if self.problem.is_none() => {
                self.next += 1;
                self.now = Duration::from_micros(*micros);
            }
            // A wait has to end.
            _ => self.now += STEP,
        }
        self.now
    }
}

/// Whether as many words were read as are asked for: the file may have been edited.
fn is_whole(call: &Call, gave: &Gave) -> bool {
    match (call, gave) {
        (Call::Read { words, .. }, Gave::Ok(serde_json::Value::String(digits))) => digits.len() == 8 * words,
        _ => true,
    }
}

fn shown(entry: &TapeLine) -> String {
    match entry {
        TapeLine::Clock(micros) => format!("the time {micros} us"),
        TapeLine::Note { name, .. } => name.clone(),
        TapeLine::Call { call, .. } => shown_call(call),
    }
}

fn shown_call(call: &Call) -> String {
    match call {
        Call::Read { address, words } => format!("a read of {} at {address:#010x}", count(*words, "word")),
        Call::Write { address, data } => match &data.0[..] {
            [word] => format!("a write of {word:#010x} at {address:#010x}"),
            words => format!("a write of {} at {address:#010x}", count(words.len(), "word")),
        },
        Call::ReadDebugPort(_) => "a read of the debug port".into(),
        Call::Voltage => "a measurement of the target voltage".into(),
        Call::Speed(khz) => format!("a clock of {khz} kHz"),
        Call::Attach => "an attach".into(),
        Call::Detach => "a detach".into(),
        Call::ResetLow => "NRST low".into(),
        Call::ResetHigh => "NRST high".into(),
        Call::Flush => "a flush".into(),
        Call::RomTable => "the place of the ROM table".into(),
        Call::Protocol
        | Call::ReadSpeed
        | Call::Interface
        | Call::SelectDebugPort
        | Call::Memory
        | Call::Pins { .. } => "another call of the driver".into(),
    }
}

/// The clock as it was read then.
pub(super) fn clock(player: Arc<Player>) -> Arc<dyn Clock> {
    Arc::new(PlayedClock(player))
}

#[derive(Debug)]
struct PlayedClock(Arc<Player>);

impl Clock for PlayedClock {
    fn now(&self) -> Duration {
        self.0.playing().now()
    }

    fn sleep(&self, duration: Duration) {
        let mut playing = self.0.playing();
        if playing.problem.is_some() {
            playing.now += duration;
        }
    }
}
