//! How much flash the chip has. Its size register is not always right: locked chips and clones show 0, 1040 or 65535 KiB.

use std::ops::Range;

use super::{
    Board, Error, PageWrite, Part,
    chip::{plausible, read_size_and_uid},
    digest::{HaltedCore, pages_of},
    link::LinkError,
    progress::Progress,
};
use crate::target::FlashMap;

/// Bytes that are read again if the halves differ there.
const SAMPLE: usize = 1024;

impl Board<'_> {
    /// Reads all of main flash, which is readable: as much as the chip has, and at least what this scooter needs. If the size
    /// register does not help, the second half is tried and left out if it is not there or repeats the first.
    pub fn read_flash(&mut self, map: &FlashMap) -> Result<Vec<u8>, Error> {
        let start = map.flash.start;
        if let Some(kib) = self.chip.flash_kib {
            return self.read_existing(start..map.flash.end.max(start + kib * 1024));
        }
        let needs_both = map.flash.end > start + half();
        let mut flash = self.read_existing(start..start + half())?;
        match self.read(start + half()..start + 2 * half()) {
            Ok(upper) if upper != flash || needs_both && is_blank(&flash) => flash.extend(upper),
            Ok(_) | Err(Error::Link(LinkError::Refused { .. })) if !needs_both => {}
            Ok(_) | Err(Error::Link(LinkError::Refused { .. })) => return Err(too_small(map)),
            Err(error) => return Err(error),
        }
        Ok(flash)
    }

    /// The same, without reading the pages that are proved to hold what these parts would put there, or to be blank. That needs
    /// a core that stands in the flash algorithm, as an earlier run has left it.
    pub fn read_flash_like(&mut self, map: &FlashMap, parts: &[Part]) -> Result<Vec<u8>, Error> {
        let Some(kib) = self.chip.flash_kib else { return self.read_flash(map) };
        let start = map.flash.start;
        let pages: Vec<_> = (start..map.flash.end.max(start + kib * 1024)).step_by(map.page as usize).collect();
        let guess = |address| {
            let mut page = vec![0xFF; map.page as usize];
            let (_, bytes) = pages_of(map, parts).find(|(page, _)| *page == address)?;
            page[..bytes.len()].copy_from_slice(bytes);
            Some(page)
        };
        Ok(self.read_pages(map, &pages, HaltedCore::Unknown, guess)?.concat())
    }

    /// Reads flash that has to be there on a chip that is readable. If the chip refuses it twice, it is too small, whatever its
    /// size register says.
    pub fn read_existing(&mut self, range: Range<u32>) -> Result<Vec<u8>, Error> {
        let refused = match self.read(range.clone()) {
            Err(error @ Error::Link(LinkError::Refused { .. })) => error,
            read => return read,
        };
        let start = FlashMap::smallest().flash.start;
        let mut answers = |kib| self.read(start + kib * 1024 - 4..start + kib * 1024).is_ok();
        let found = [64, 32, 16].into_iter().find(|kib| answers(*kib));
        match found {
            Some(found) if start + found * 1024 < range.end => {
                let needed = if found < half() / 1024 { half() / 1024 } else { 2 * half() / 1024 };
                Err(Error::TooSmall { found, needed })
            }
            _ => Err(refused),
        }
    }

    /// Finds out whether a chip that is readable has as much flash as its size register says. If the second half does not
    /// answer, the first is all there is; gives the size that the register says then, in KiB.
    pub fn settle_size(&mut self) -> Result<Option<u32>, Error> {
        let Some(stated) = self.chip.flash_kib.filter(|kib| kib * 1024 > half()) else { return Ok(None) };
        let second_half = FlashMap::smallest().flash.end;
        for _ in 0..2 {
            match self.read(second_half..second_half + 4) {
                Err(Error::Link(LinkError::Refused { .. })) => {}
                other => return other.map(|_| None),
            }
        }
        self.chip.flash_kib = Some(half() / 1024);
        Ok(Some(stated))
    }

    /// Reads the size register again: on some chips it is only right once read-out protection is off.
    pub fn read_size_again(&mut self) -> Result<(), Error> {
        let (register, _) = read_size_and_uid(&mut self.link)?;
        self.chip.flash_size_register = register;
        self.chip.flash_kib = plausible(register);
        Ok(())
    }

    /// Whether all the flash that this scooter needs is known to be there, on a chip that is readable: by the size register,
    /// or because the second half answers and does not repeat the first.
    pub fn second_half(&mut self, map: &FlashMap) -> Result<SecondHalf, Error> {
        if let Some(found) = self.chip.flash_kib {
            let needed = map.flash_kib();
            return if found < needed { Err(Error::TooSmall { found, needed }) } else { Ok(SecondHalf::Proved) };
        }
        let start = map.flash.start;
        if map.flash.end <= start + half() {
            return Ok(SecondHalf::Proved);
        }
        let flash = self.read_flash(map)?;
        let (lower, upper) = flash.split_at(half() as usize);
        let chunks = lower.chunks(SAMPLE).zip(upper.chunks(SAMPLE)).zip((start..).step_by(SAMPLE));
        for ((lower, upper), address) in chunks {
            // One wrong bit on the way would make a difference as well.
            if lower != upper
                && self.read(address..address + SAMPLE as u32)? == lower
                && self.read(address + half()..address + half() + SAMPLE as u32)? == upper
            {
                return Ok(SecondHalf::Proved);
            }
        }
        Ok(SecondHalf::Undecided)
    }

    /// Finds out by writing one of these pages on a chip that is blank: one that lies in the second half must not appear in
    /// the first.
    pub fn prove_second_half(
        &mut self,
        map: &FlashMap,
        pages: &[PageWrite],
        progress: &mut dyn Progress,
    ) -> Result<(), Error> {
        let second_half = map.flash.start + half();
        let page = pages.iter().find(|page| page.address >= second_half).ok_or_else(|| too_small(map))?;
        self.program(map, std::slice::from_ref(page), progress)?;
        let mirror = page.address - half();
        let stays_blank = is_blank(&self.read(mirror..mirror + map.page)?);
        // What is programmed next begins from a reset.
        self.reset_and_halt()?;
        if stays_blank { Ok(()) } else { Err(too_small(map)) }
    }
}

/// What is known of the second half of flash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecondHalf {
    /// It is there, or it is not needed.
    Proved,
    /// Both halves answer and are blank: the second may still be the first over again.
    Undecided,
}

/// Half of the flash of the largest chip on these boards, and all of it on most.
fn half() -> u32 {
    FlashMap::smallest().flash.len() as u32
}

fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0xFF)
}

fn too_small(map: &FlashMap) -> Error {
    Error::TooSmall { found: half() / 1024, needed: map.flash_kib() }
}
