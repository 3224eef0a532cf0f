//! Reading back and comparing, by plain reads that have nothing in common with how flash was written.

use super::{
    Board, Error,
    progress::{Event, Progress, Step},
};

/// Bytes that belong at an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Where; a multiple of 4.
    pub address: u32,
    /// What; a multiple of 4 long.
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
        /// The first one.
        address: u32,
        /// What should be there.
        expected: u8,
        /// What is.
        found: u8,
        /// How many in all.
        bytes: usize,
    },
}

/// Bytes read at once: the longest that every probe takes in one transfer (ST-Link V2 6 KiB), in whole pages. At the slowest
/// clock they take less than the second in which an interrupt has to be heard.
pub(super) const CHUNK: usize = 6 * 1024;
/// A wire that flips a bit now and then must not fail a board that is right: a page that reads wrong is read again. A page
/// that is wrong does not become right by that.
const READINGS: usize = 3;

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
        let mut found = Vec::new();
        for _ in 0..READINGS {
            let bytes = self.read(address..address + expected.len() as u32)?;
            let pairs = (address..).zip(expected.iter().zip(bytes));
            found = pairs.filter(|(_, (e, f))| *e != f).map(|(a, (e, f))| (a, *e, f)).collect();
            if found.is_empty() {
                break;
            }
        }
        Ok(found)
    }
}
