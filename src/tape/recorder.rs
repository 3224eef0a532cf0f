//! The recorder: writes every entry at once.

use std::{
    fs::File,
    io::{self, Write as _},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde::Serialize;

use super::{
    Mishap,
    entry::{Call, Gave, Header, TapeLine},
};
use crate::clock::Clock;

/// Writes a recording.
#[derive(Debug)]
pub(super) struct Recorder(Mutex<Writing>);

#[derive(Debug)]
struct Writing {
    file: File,
    /// Why nothing more is written.
    problem: Option<String>,
}

impl Recorder {
    pub(super) fn new(mut file: File, header: &Header) -> io::Result<Self> {
        write(&mut file, header)?;
        Ok(Self(Mutex::new(Writing { file, problem: None })))
    }

    /// A recording that fails does not stop the work on the board.
    fn add(&self, entry: &TapeLine) {
        let mut writing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if writing.problem.is_none()
            && let Err(error) = write(&mut writing.file, entry)
        {
            writing.problem = Some(error.to_string());
        }
    }

    pub(super) fn problem(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).problem.clone()
    }

    pub(super) fn note(&self, name: &str, found: &impl Serialize) {
        self.add(&TapeLine::Note { name: name.to_owned(), found: value(found) });
    }

    pub(super) fn call<T: Serialize>(&self, call: Call, made: &Result<T, Mishap>) {
        let gave = match made {
            Ok(answer) => Gave::Ok(value(answer)),
            Err(failure) => Gave::Error(failure.clone()),
        };
        self.add(&TapeLine::Call { call, gave });
    }
}

/// A whole line in one write, so that none is cut by another.
fn write(file: &mut File, line: &impl Serialize) -> io::Result<()> {
    let mut bytes = serde_json::to_vec(line)?;
    bytes.push(b'\n');
    file.write_all(&bytes)
}

fn value(found: &impl Serialize) -> serde_json::Value {
    serde_json::to_value(found).expect("what is recorded is JSON")
}

/// A clock whose readings are recorded.
pub(super) fn clock(recorder: Arc<Recorder>, clock: Arc<dyn Clock>) -> Arc<dyn Clock> {
    Arc::new(RecordedClock { recorder, clock })
}

#[derive(Debug)]
struct RecordedClock {
    recorder: Arc<Recorder>,
    clock: Arc<dyn Clock>,
}

impl Clock for RecordedClock {
    fn now(&self) -> Duration {
        // To the microsecond, so that this run goes by the same time as a played one.
        let micros = self.clock.now().as_micros() as u64;
        self.recorder.add(&TapeLine::Clock(micros));
        Duration::from_micros(micros)
    }

    fn sleep(&self, duration: Duration) {
        self.clock.sleep(duration);
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::fd::OwnedFd;

    use super::*;

    #[test]
    fn a_recording_that_cannot_be_written_is_told_and_stops_nothing() {
        let (reader, writer) = io::pipe().unwrap();
        let file = File::from(OwnedFd::from(writer));
        let recorder = Recorder::new(file, &Header::new(vec![], true, false)).unwrap();
        assert_eq!(recorder.problem(), None);
        drop(reader);
        recorder.note("something", &1);
        recorder.call(Call::Flush, &Ok(()));
        assert!(recorder.problem().is_some_and(|problem| problem.starts_with("Broken pipe")));
    }
}
