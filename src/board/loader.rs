//! The flash algorithm in the chip's SRAM: how it gets there, is started, and tells how far it is.

use std::time::Duration;

use super::{
    Board, Error, Ledger, cortex_m,
    ledger::Changing,
    link::{Link, LinkError},
    registers::fpec::{ACR, SR, SR_BSY},
    timer::Timer,
};
use crate::target::{Algorithm, FlashMap};

/// Offset of code and control words from the beginning of SRAM: above the live data block of every known firmware, which
/// so survives an interrupted run and can be rescued by the next one.
const ORIGIN: u32 = 0xC00;
/// Bytes in the ring (`RING_BITS` in the source), which begins right behind the control words.
pub(super) const RING_BYTES: u32 = 0x4000;

// The control words, in words from the symbol `control`.
const HEAD: u32 = 0;
const TAIL: usize = 1;
const STATE: usize = 2;
const FAULT: usize = 3;
const WIDTH: usize = 4;
const CONTROL_WORDS: usize = 5;

const FINISHED: u32 = 1;
/// A record's check is wrong (GARBLED in the source).
const GARBLED: u32 = 1 << 8;

/// Time for everything that `options` in the flash algorithm does: an erase of the option area, a mass erase, eight
/// half-words; DS5319 table 28 gives 40 ms at most for each erase. Worn chips and those of other makers take longer, by as
/// much as seconds.
pub(super) const OPTIONS_LIMIT: Duration = Duration::from_secs(20);

/// What is in SRAM of the algorithm, where a reset leaves it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Loaded {
    /// The offset from which on the code has been read over this connection, and was right.
    proved: Option<u32>,
    /// The beginning of the next stream, if it is in the ring already; its first words, which give way to the option bytes, are not.
    pub(super) ring: Vec<u32>,
}

/// Whether what is written into the ring before the start has to be read back: what ends up in flash is verified there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ring {
    /// It has.
    Proved,
    /// It has not.
    Trusted,
}

/// The algorithm in SRAM.
pub(super) struct Loader<'a> {
    link: &'a mut Link,
    pub(super) timer: &'a Timer,
    ledger: &'a Ledger,
    pub(super) loaded: &'a mut Loaded,
    algorithm: &'a Algorithm,
    /// Bytes that the flash takes at once.
    width: u32,
    origin: u32,
}

impl<'a> Loader<'a> {
    pub(super) fn new(board: &'a mut Board<'_>, map: &'a FlashMap) -> Self {
        let Board { link, timer, loaded, probes, chip, .. } = board;
        let (algorithm, origin) = (&map.algorithm, map.sram.start + ORIGIN);
        Self { link, timer, ledger: probes.ledger(), loaded, width: chip.kind.program_width(), algorithm, origin }
    }

    fn control(&self) -> u32 {
        self.origin + self.algorithm.control
    }

    fn ring(&self) -> u32 {
        self.origin + self.algorithm.code.len() as u32
    }

    /// Loads the code, with these words at the beginning of the ring and `head` bytes of it declared full, checks that it has
    /// arrived, and starts it: from then on the board changes.
    pub(super) fn start(&mut self, entry: u32, head: u32, ring: &[u32], proof: Ring) -> Result<Changing, Error> {
        self.load(0, head, ring, proof)?;
        self.link.leave_core();
        let changing = self.ledger.change();
        cortex_m::start(self.link, self.timer, self.origin + entry)?;
        Ok(changing)
    }

    /// Starts an entry that writes to SRAM only, and that needs nothing of the code that stands before it.
    pub(super) fn start_harmless(&mut self, entry: u32, ring: &[u32]) -> Result<(), Error> {
        self.load(entry, 0, ring, Ring::Proved)?;
        cortex_m::start(self.link, self.timer, self.origin + entry)?;
        Ok(())
    }

    fn load(&mut self, entry: u32, head: u32, ring: &[u32], proof: Ring) -> Result<(), Error> {
        let mut image = words(&self.algorithm.code);
        let (length, control) = (image.len(), (self.algorithm.control / 4) as usize);
        image[control + HEAD as usize] = head;
        image[control + WIDTH] = self.width;
        image.extend(ring);
        let is_proved = self.loaded.proved.is_some_and(|proved| proved <= entry);
        let first = if is_proved { control } else { (entry / 4) as usize };
        let address = self.origin + 4 * first as u32;
        self.link.write_words(address, &image[first..])?;
        let end = if proof == Ring::Proved { image.len() } else { length };
        let mut arrived = vec![0; end - first];
        self.link.read_words(address, &mut arrived)?;
        if arrived != image[first..end] {
            *self.loaded = Loaded::default();
            return Err(Error::Loader);
        }
        self.loaded.proved = Some(self.loaded.proved.map_or(entry, |proved| proved.min(entry)));
        Ok(())
    }

    /// Reads the code from `entry` on, unless that was done over this connection; whether it is there as it should be.
    pub(super) fn is_there(&mut self, entry: u32) -> Result<bool, LinkError> {
        if self.loaded.proved.is_some_and(|proved| proved <= entry) {
            return Ok(true);
        }
        let code = words(&self.algorithm.code[entry as usize..self.algorithm.control as usize]);
        let mut found = vec![0; code.len()];
        self.link.read_words(self.origin + entry, &mut found)?;
        self.loaded.proved = Some(entry).filter(|_| found == code);
        Ok(found == code)
    }

    /// Whether the halted core stands in the code, and so belongs to this program.
    pub(super) fn has_core(&mut self) -> Result<bool, Error> {
        let code = self.origin..self.control();
        Ok(code.contains(&cortex_m::program_counter(self.link, self.timer)?))
    }

    /// Writes words at this offset of the ring.
    pub(super) fn fill(&mut self, offset: u32, words: &[u32]) -> Result<(), LinkError> {
        self.link.write_words(self.ring() + offset, words)
    }

    /// Reads words from this offset of the ring.
    pub(super) fn drain(&mut self, offset: u32, words: &mut [u32]) -> Result<(), LinkError> {
        self.link.read_words(self.ring() + offset, words)
    }

    /// Tells the loop that this many bytes have been sent.
    pub(super) fn advance(&mut self, head: u32) -> Result<(), LinkError> {
        self.link.write(self.control() + 4 * HEAD, head)
    }

    /// Bytes taken from the ring, and whether the loop has finished.
    pub(super) fn look(&mut self, what: &'static str, sent: u32) -> Result<(u32, bool), Error> {
        let mut control = [0; CONTROL_WORDS];
        self.link.read_words(self.control(), &mut control)?;
        if control[HEAD as usize] != sent || control[TAIL] > sent {
            // Only this side writes the head, and the loop cannot take what was not sent.
            return Err(Error::Loader);
        }
        match control[STATE] {
            0 => Ok((control[TAIL], false)),
            FINISHED => Ok((control[TAIL], true)),
            GARBLED => Err(Error::Loader),
            status => Err(Error::Flash { what, address: control[FAULT], status }),
        }
    }

    /// Whether the flash controller is in the middle of an operation. Reading its registers does not disturb the algorithm.
    pub(super) fn is_flash_busy(&mut self) -> Result<bool, LinkError> {
        Ok(self.link.read(ACR + 4 * SR as u32)? & SR_BSY != 0)
    }
}

/// Whether the halted core was in the middle of this algorithm, which an earlier run has started and not seen the end of.
pub(super) fn is_unfinished(link: &mut Link, timer: &Timer) -> Result<bool, Error> {
    let FlashMap { algorithm, sram, .. } = FlashMap::smallest();
    let code = words(&algorithm.code[..algorithm.control as usize]);
    let origin = sram.start + ORIGIN;
    if !(origin..origin + algorithm.control).contains(&cortex_m::program_counter(link, timer)?) {
        return Ok(false);
    }
    let mut found = vec![0; code.len() + CONTROL_WORDS];
    link.read_words(origin, &mut found)?;
    let (found, control) = found.split_at(code.len());
    Ok(found == code && control[STATE] != FINISHED)
}

/// The words of these bytes, whose number is a multiple of 4.
pub(super) fn words(bytes: &[u8]) -> Vec<u32> {
    let word = |chunk: &[u8]| u32::from_le_bytes([chunk[0], chunk[1], chunk[2], chunk[3]]);
    bytes.chunks_exact(4).map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loader_and_its_ring_fit_into_sram() {
        for map in FlashMap::all() {
            let code = &map.algorithm.code;
            assert_eq!(code.len() as u32, map.algorithm.control + 4 * CONTROL_WORDS as u32);
            assert!(map.sram.start + ORIGIN + code.len() as u32 + RING_BYTES <= map.sram.end);
        }
    }
}
