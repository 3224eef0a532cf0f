//! Reading back and comparing, by plain reads that have nothing in common with how flash was written.

use super::{
    Board, Error,
    progress::{Event, Progress, Step},
};

/// Bytes that belong at an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Address of the first byte; a multiple of 4.
    pub address: u32,
    /// The bytes; their number is a multiple of 4.
    pub bytes: Vec<u8>,
}

/// The result of reading back.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Comparison {
    /// Every byte is what it should be.
    Same,
    /// At least one is not.
    Differs {
        /// Address of the first byte that differs.
        address: u32,
        /// The byte that should be there.
        expected: u8,
        /// The byte that is there.
        found: u8,
        /// Number of bytes that differ.
        bytes: usize,
    },
}

/// Bytes compared at once: the longest that every probe takes in one transfer (ST-Link V2 6 KiB), in whole pages.
const CHUNK: usize = 6 * 1024;
/// A wire that flips a bit now and then must not fail a board that is right: what reads wrong is read again, this often. But
/// flash cells that an erase or a write has left half way read now one, now the other: then only two right readings in a row
/// count.
const AGAIN: usize = 4;

impl Board<'_> {
    /// Reads every part and compares it.
    pub fn compare(&mut self, parts: &[Part], step: Step, progress: &mut dyn Progress) -> Result<Comparison, Error> {
        let total_bytes = parts.iter().map(|part| part.bytes.len() as u64).sum();
        let mut done_bytes = 0;
        let mut differences = Vec::new();
        for part in parts {
            for (expected, address) in part.bytes.chunks(CHUNK).zip((part.address..).step_by(CHUNK)) {
                differences.extend(self.differences(address, expected)?);
                done_bytes += expected.len() as u64;
                progress.on(Event::Advanced { step, done_bytes, total_bytes });
            }
        }
        Ok(match differences.first() {
            None => Comparison::Same,
            Some(&(address, expected, found)) => {
                Comparison::Differs { address, expected, found, bytes: differences.len() }
            }
        })
    }

    fn differences(&mut self, address: u32, expected: &[u8]) -> Result<Vec<(u32, u8, u8)>, Error> {
        settled(|| self.reading(address, expected))
    }

    fn reading(&mut self, address: u32, expected: &[u8]) -> Result<Vec<(u32, u8, u8)>, Error> {
        let bytes = self.read_existing(address..address + expected.len() as u32)?;
        let pairs = (address..).zip(expected.iter().zip(bytes));
        Ok(pairs.filter(|(_, (e, f))| *e != f).map(|(a, (e, f))| (a, *e, f)).collect())
    }
}

/// What is wrong, by reading until it can be told.
fn settled<T, E>(mut reading: impl FnMut() -> Result<Vec<T>, E>) -> Result<Vec<T>, E> {
    let mut found = reading()?;
    let mut was_right = false;
    for _ in 0..if found.is_empty() { 0 } else { AGAIN } {
        let again = reading()?;
        if !again.is_empty() {
            (found, was_right) = (again, false);
        } else if was_right {
            return Ok(again);
        } else {
            was_right = true;
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is made of readings that are right (`r`) or wrong, by their number, and how many of them it took.
    fn of(readings: &str) -> (String, usize) {
        let mut taken = 0;
        let found = settled(|| {
            let reading = readings.as_bytes()[taken];
            taken += 1;
            Ok::<_, ()>(if reading == b'r' { vec![] } else { vec![reading] })
        });
        (String::from_utf8(found.unwrap()).unwrap(), taken)
    }

    #[test]
    fn flash_that_reads_right_at_first_is_right() {
        assert_eq!(of("r"), (String::new(), 1));
    }

    #[test]
    fn flash_that_read_wrong_is_right_after_two_right_readings_in_a_row() {
        assert_eq!(of("1rr"), (String::new(), 3));
        assert_eq!(of("1r2rr"), (String::new(), 5));
    }

    #[test]
    fn flash_that_reads_now_right_now_wrong_is_wrong() {
        assert_eq!(of("1r2r3"), ("3".into(), 5));
        assert_eq!(of("12r3r"), ("3".into(), 5));
        assert_eq!(of("12345"), ("5".into(), 5));
    }
}
