//! Proving what is in flash without reading it: the chip computes a keyed sum of each page, where reading would take long.
//!
//! The code that does so is read back first, the key is drawn fresh, and the sums that are expected never go over the wires: a link that
//! repeats old answers, drops writes or flips bits cannot give the right ones. A sum that is wrong proves nothing, and neither does a
//! chip that does not compute it: then flash is read.

use std::{ops::Range, time::Duration};

use serde::Serialize;

use super::{
    Board, Comparison, Error, Part, cortex_m,
    loader::Loader,
    progress::{Event, Progress, Step},
    sip_hash::SumKey,
};
use crate::target::FlashMap;

/// How to prove what is in flash.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Verify {
    /// By the quicker one of both ways.
    #[default]
    Auto,
    /// By reading all of it.
    Read,
}

/// How it was proved what is in flash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum VerifiedBy {
    /// Every byte was read.
    Read,
    /// The chip has computed a keyed sum of each page.
    Digest,
}

impl VerifiedBy {
    /// The name in reports and events.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Digest => "digest",
        }
    }
}

/// What is known of the halted core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HaltedCore {
    /// It was reset and halted: any code may be run on it.
    Reset,
    /// It may stand in firmware, which must not be disturbed, or in the flash algorithm, which may.
    Unknown,
}

/// Reading that takes longer than this is avoided.
const LONG: Duration = Duration::from_millis(500);
/// Clocks for a word on the wires, with the idle clocks behind it (ADIv5 B4).
const CLOCKS_PER_WORD: u32 = 54;
/// probe-rs sends a CMSIS-DAP probe one packet at a time. At full speed one holds 64 bytes and takes at least a millisecond.
const PACKET: (usize, Duration) = (56, Duration::from_millis(1));
/// A page takes 1.1 ms at 8 MHz.
const LIMIT: Duration = Duration::from_secs(2);
/// What stands before the list of pages, in words: their number, their length, and the seed (`PAGES` in the source).
const HEADER_WORDS: usize = 10;

impl Board<'_> {
    /// Whether reading this many bytes takes long.
    fn reads_slowly(&self, bytes: usize) -> bool {
        let words = (bytes / 4) as u32;
        let wires = Duration::from_micros(u64::from(words * CLOCKS_PER_WORD) * 1000 / u64::from(self.speed_khz.max(1)));
        let is_dap = self.probe.kind.contains("CMSIS-DAP");
        let packets = if is_dap { PACKET.1 * (bytes / PACKET.0) as u32 } else { Duration::ZERO };
        wires.max(packets).max(self.word_took * words) > LONG
    }

    /// Which of these pages hold these bytes, by their sums, if that is quicker than to read them; `None` if they have to be read.
    /// Afterwards the core is halted.
    pub(super) fn proved(
        &mut self,
        map: &FlashMap,
        pages: &[(u32, &[u8])],
        core: HaltedCore,
    ) -> Result<Option<Vec<bool>>, Error> {
        let addresses: Vec<_> = pages.iter().map(|(address, _)| *address).collect();
        let Some((key, sums)) = self.sums(map, &addresses, core)? else { return Ok(None) };
        Ok(Some(pages.iter().zip(sums).map(|((address, bytes), found)| sum(key, *address, bytes) == found).collect()))
    }

    /// Proves that every part is in flash: by sums if reading takes long, and by reading if it does not, or if any sum is wrong. The
    /// probe was attached anew.
    pub fn prove(
        &mut self,
        map: &FlashMap,
        parts: &[Part],
        progress: &mut dyn Progress,
    ) -> Result<(Comparison, VerifiedBy), Error> {
        let pages: Vec<_> = pages_of(map, parts).collect();
        let proved = self.proved(map, &pages, HaltedCore::Unknown)?;
        if proved.is_some_and(|proved| proved.iter().all(|is_right| *is_right)) {
            let bytes = parts.iter().map(|part| part.bytes.len() as u64).sum();
            progress.on(Event::Advanced { step: Step::Verify, done_bytes: bytes, total_bytes: bytes });
            return Ok((Comparison::Same, VerifiedBy::Digest));
        }
        Ok((self.compare(parts, Step::Verify, progress)?, VerifiedBy::Read))
    }

    /// Reads pages that are there. One that is proved to be blank, or to hold what `guess` gives for it, is not read.
    pub(super) fn read_pages(
        &mut self,
        map: &FlashMap,
        pages: &[u32],
        core: HaltedCore,
        guess: impl Fn(u32) -> Option<Vec<u8>>,
    ) -> Result<Vec<Vec<u8>>, Error> {
        let blank = vec![0xFF; map.page as usize];
        let sums = self.sums(map, pages, core)?;
        let known: Vec<Option<Vec<u8>>> = match sums {
            None => vec![None; pages.len()],
            Some((key, sums)) => {
                let holds = |address, found| {
                    let mut guesses = guess(address).into_iter().chain([blank.clone()]);
                    guesses.find(|bytes| sum(key, address, bytes) == found)
                };
                pages.iter().zip(sums).map(|(address, found)| holds(*address, found)).collect()
            }
        };
        let mut found = Vec::new();
        for run in pages
            .iter()
            .copied()
            .zip(known)
            .collect::<Vec<_>>()
            .chunk_by(|(one, known), (next, other)| known.is_none() && other.is_none() && one + map.page == *next)
        {
            if let [(_, Some(bytes))] = run {
                found.push(bytes.clone());
            } else {
                let range = run[0].0..run[run.len() - 1].0 + map.page;
                found.extend(self.read_existing(range)?.chunks(map.page as usize).map(<[u8]>::to_vec));
            }
        }
        Ok(found)
    }

    /// Reads what these parts are to hold. A page that is proved to hold it is not read. The core was reset and halted.
    pub fn read_parts(&mut self, map: &FlashMap, parts: &[Part]) -> Result<Vec<Vec<u8>>, Error> {
        let planned: Vec<_> = pages_of(map, parts).collect();
        let addresses: Vec<_> = planned.iter().map(|(address, _)| *address).collect();
        let guess = |address| planned.iter().find(|(page, _)| *page == address).map(|(_, bytes)| bytes.to_vec());
        let mut found = self.read_pages(map, &addresses, HaltedCore::Reset, guess)?.into_iter();
        let lengths = parts.iter().map(|part| part.bytes.len().div_ceil(map.page as usize));
        Ok(lengths.map(|pages| found.by_ref().take(pages).flatten().collect()).collect())
    }

    /// The sums of these pages, and their key.
    fn sums(&mut self, map: &FlashMap, pages: &[u32], core: HaltedCore) -> Result<Option<(SumKey, Vec<u64>)>, Error> {
        const WHAT: &str = "computing sums";
        let page = map.page;
        let there = self.flash_there(map);
        let is_there = |address: &u32| there.contains(address) && address.is_multiple_of(page);
        let is_slow = self.reads_slowly(pages.len() * page as usize);
        if self.options.verify == Verify::Read || !is_slow || !pages.iter().all(is_there) {
            return Ok(None);
        }
        let key = self.link.key();
        let list = [pages.len() as u32, page].into_iter().chain(key.seed()).chain(pages.iter().copied());
        let list: Vec<u32> = list.collect();
        let entry = map.algorithm.digest;
        let mut loader = Loader::new(self, map);
        if core == HaltedCore::Unknown && !(loader.has_core()? && loader.is_there(entry)?) {
            return Ok(None);
        }
        loader.loaded.ring.clear();
        let mut run = || {
            loader.start_harmless(entry, &list)?;
            let done = loader.timer.poll(LIMIT, || Ok(loader.look(WHAT, 0)?.1.then_some(())))?;
            let Some(()) = done else { return Ok(None) };
            let mut sums = vec![0; 2 * pages.len()];
            loader.drain(4 * (HEADER_WORDS + pages.len()) as u32, &mut sums)?;
            Ok(Some(
                sums.as_chunks::<2>().0.iter().map(|[low, high]| u64::from(*high) << 32 | u64::from(*low)).collect(),
            ))
        };
        let sums = match run() {
            Ok(sums) => sums,
            Err(Error::Loader | Error::Flash { .. } | Error::NotHalted) => None,
            Err(error) => return Err(error),
        };
        cortex_m::halt(&mut self.link, &self.timer)?;
        log::info!("sums of {} pages: {}", pages.len(), if sums.is_some() { "computed" } else { "none" });
        Ok(sums.map(|sums: Vec<u64>| (key, sums)))
    }

    /// The flash that is known to be there.
    fn flash_there(&self, map: &FlashMap) -> Range<u32> {
        let kib = self.chip.flash_kib.unwrap_or(FlashMap::smallest().flash_kib());
        map.flash.start..map.flash.start + kib * 1024
    }
}

/// What the chip gives for a page that holds these bytes: its address and length are summed with it, so that no page is taken for
/// another one that holds the same.
fn sum(key: SumKey, address: u32, bytes: &[u8]) -> u64 {
    let head = [address, bytes.len() as u32].into_iter().flat_map(u32::to_le_bytes);
    key.sum(&head.chain(bytes.iter().copied()).collect::<Vec<_>>())
}

/// The pages of these parts, with what they are to hold.
pub(super) fn pages_of<'p>(map: &FlashMap, parts: &'p [Part]) -> impl Iterator<Item = (u32, &'p [u8])> {
    let page = map.page as usize;
    parts.iter().flat_map(move |part| (part.address..).step_by(page).zip(part.bytes.chunks(page)))
}
