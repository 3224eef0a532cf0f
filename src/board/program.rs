//! Erasing and programming, by the flash algorithm running in the chip's SRAM.
//!
//! The loop `stream` of `targets/algorithm/stm32f1.s` is started once and then fed through a ring in SRAM while it runs.
//! Programming a half-word takes as long as sending eight, so the flash is the only thing that is waited for.

use std::{mem, ops::RangeInclusive, time::Duration};

use super::{
    Board, Error, OptionBytes,
    loader::{Loader, OPTIONS_LIMIT, RING_BYTES, Ring, words},
    progress::{Event, PageState, Progress, Step},
    timer::Silence,
};
use crate::target::FlashMap;

/// One page of flash to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageWrite {
    /// The page's first address.
    pub address: u32,
    /// What goes there, a multiple of 4 long, at most a page; the rest of the page is left blank.
    pub bytes: Vec<u8>,
    /// What the page holds now.
    pub before: PageBefore,
}

/// What a page holds before it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageBefore {
    /// All ones: it can be programmed as it is.
    Blank,
    /// Something else: it has to be erased.
    Used,
}

/// Bytes sent at once at first. The chip programs them in 13 ms.
const FIRST_CHUNK: u32 = 512;
/// Bytes sent at once at most: what every probe takes in one transfer.
const LONGEST_CHUNK: u32 = 6 * 1024;
/// Words that may be sent while the chip erases itself, before it is looked at again, for each kHz of the clock: 7 ms at the clocks
/// of a cable that is good.
const WORDS_PER_KHZ: usize = 8;
const FILLED_AT_ONCE: RangeInclusive<usize> = 128..=512;
/// Words that are enough to begin with: the chip programs them in 107 ms, and the longest chunk is sent meanwhile.
const FILLED_AHEAD: usize = 1024;
/// Programming a byte takes this long (DS5319 table 28: 52.5 us a half-word).
const PER_BYTE: Duration = Duration::from_nanos(26_250);
/// No sleep while the chip programs is longer, so that progress is shown.
const LONGEST_SLEEP: Duration = Duration::from_millis(50);
/// The chip tells how far it is in steps of so many bytes at most (`CHUNK` in the source).
const TAIL_STEP: u32 = 256;

/// The option bytes, in words of the ring.
const OPTION_WORDS: usize = 4;

/// Without any progress for this long the flash controller is looked at: a page erase takes at most 40 ms (DS5319 table 28),
/// and a chunk of half-words 256 x 70 us.
const STALL_LIMIT: Duration = Duration::from_secs(1);
/// For this long it may be busy. Worn chips and those of other makers take longer than the data sheet says.
const BUSY_LIMIT: Duration = OPTIONS_LIMIT;

impl Board<'_> {
    /// Runs `options` of the algorithm to its end, for at most this long. Meanwhile the ring is filled with the beginning of the stream
    /// that writes `next`, so that programming begins at once afterwards.
    pub(super) fn run_options(
        &mut self,
        map: &FlashMap,
        options: OptionBytes,
        next: &[PageWrite],
        limit: Duration,
    ) -> Result<(), Error> {
        const WHAT: &str = "writing the option bytes";
        let stream = if next.is_empty() { Vec::new() } else { words(&Records::new(next).stream) };
        let piece = (self.speed_khz as usize / WORDS_PER_KHZ).clamp(*FILLED_AT_ONCE.start(), *FILLED_AT_ONCE.end());
        let mut loader = Loader::new(self, map);
        let timer = loader.timer;
        let image = words(&options.0);
        let _changing = loader.start(map.algorithm.options, 0, &image, Ring::Proved)?;
        let full = stream.len().min(FILLED_AHEAD);
        // The chip may still need the option bytes at the beginning of the ring.
        let mut filled = image.len();
        let finished = timer.poll(limit, || {
            if loader.look(WHAT, 0)?.1 {
                return Ok(Some(()));
            }
            if filled < full {
                let end = full.min(filled + piece);
                loader.fill(4 * filled as u32, &stream[filled..end])?;
                filled = end;
            }
            Ok(None)
        })?;
        if filled > image.len() {
            loader.loaded.ring = stream[..filled].to_vec();
        }
        finished.ok_or(Error::Stuck { what: WHAT, limit })
    }

    /// Erases and programs the pages, in order. The core stands before its first instruction after a reset.
    pub fn program(&mut self, map: &FlashMap, pages: &[PageWrite], progress: &mut dyn Progress) -> Result<(), Error> {
        const WHAT: &str = "programming";
        if pages.is_empty() {
            return Ok(());
        }
        let records = Records::new(pages);
        let stream = words(&records.stream);
        let total = records.stream.len() as u32;
        let longest = LONGEST_CHUNK.min(self.link.max_bytes() as u32);
        let mut loader = Loader::new(self, map);
        let timer = loader.timer;
        let filled = mem::take(&mut loader.loaded.ring);
        let (mut sent, first) = if !filled.is_empty() && stream.starts_with(&filled) {
            (4 * filled.len() as u32, OPTION_WORDS)
        } else {
            (total.min(FIRST_CHUNK), total.min(FIRST_CHUNK) as usize / 4)
        };
        let _changing = loader.start(map.algorithm.stream, sent, &stream[..first], Ring::Trusted)?;

        let mut chunk = FIRST_CHUNK;
        let mut taken = 0;
        let mut told = 0;
        let (mut stall, mut busy) = (Silence::new(STALL_LIMIT, timer.now()), Silence::new(BUSY_LIMIT, timer.now()));
        loop {
            timer.check()?;
            // As much as the chip is busy with meanwhile; twice as much as before if it is nearly done with that. Towards the end less
            // and less, because what is sent last is all that the chip has left to do then.
            chunk = if sent - taken <= chunk / 2 { 2 * chunk } else { chunk.max(sent - taken) }.min(longest);
            let (left, room) = (total - sent, RING_BYTES - (sent - taken));
            let next = chunk.min((left / 2).next_multiple_of(4).max(FIRST_CHUNK)).min(left);
            if left > 0 && next <= room {
                // Up to the end of the ring; what is left goes to its beginning in the next turn.
                let offset = sent % RING_BYTES;
                let next = next.min(RING_BYTES - offset);
                loader.fill(offset, &stream[sent as usize / 4..(sent + next) as usize / 4])?;
                sent += next;
                loader.advance(sent)?;
            } else {
                // Until there is room, or for half of what is left, because some chips are faster than others.
                let ahead = if left > 0 { next - room } else { (sent - taken).saturating_sub(TAIL_STEP) / 2 };
                if ahead > 0 {
                    timer.pause((PER_BYTE * ahead).min(LONGEST_SLEEP))?;
                }
            }
            let (now_taken, finished) = loader.look(WHAT, sent)?;
            if now_taken < taken {
                return Err(Error::Loader);
            }
            if now_taken > taken {
                taken = now_taken;
                (stall, busy) = (Silence::new(STALL_LIMIT, timer.now()), Silence::new(BUSY_LIMIT, timer.now()));
                let (done_bytes, total_bytes) = (records.flash_bytes(taken), records.flash_bytes(total));
                progress.on(Event::Advanced { step: Step::Program, done_bytes, total_bytes });
                records.tell(taken, &mut told, progress);
            }
            if finished {
                // The tail is read before the state, and may have been behind it. But a header that got lost can leave the
                // zero in its place that ends the stream.
                let all = taken == total || loader.look(WHAT, sent)?.0 == total;
                if !all {
                    return Err(Error::Loader);
                }
                records.tell(total, &mut told, progress);
                return Ok(());
            }
            let (is_silent, is_stuck) = (stall.is_over(timer.now()), busy.is_over(timer.now()));
            if is_stuck || is_silent && !loader.is_flash_busy()? {
                return Err(Error::Stuck { what: WHAT, limit: if is_stuck { BUSY_LIMIT } else { STALL_LIMIT } });
            }
        }
    }
}

/// The pages as the records that `stream` takes, with the closing zero.
struct Records {
    stream: Vec<u8>,
    /// Where each record ends in the stream, and the bytes of flash that are written by then.
    ends: Vec<(u32, u64)>,
    /// What a page is from there on in the stream.
    pages: Vec<(u32, u32, PageState)>,
}

impl Records {
    /// The first word of a page is programmed last: it is the data block's magic and the initial stack pointer that the
    /// bootloader looks at, and so neither a half-written data block nor half a firmware is ever taken for a whole one.
    fn new(pages: &[PageWrite]) -> Self {
        let mut records = Self { stream: Vec::new(), ends: Vec::new(), pages: Vec::new() };
        for page in pages {
            if page.before == PageBefore::Used {
                records.stream.extend(header(page.address | 1, 0));
                // The record is taken before the erase begins, and the next word after it has ended.
                records.pages.push((records.stream.len() as u32 + 4, page.address, PageState::Erased));
            }
            // The blank end of a page, a data block's for one, is not sent.
            let used =
                page.bytes.iter().rposition(|byte| *byte != 0xFF).map_or(0, |last| (last + 1).next_multiple_of(4));
            let (first, rest) = page.bytes[..used].split_at(used.min(4));
            for (address, bytes) in [(page.address + 4, rest), (page.address, first)] {
                if !bytes.is_empty() {
                    records.stream.extend(header(address, bytes.len() as u32));
                    records.stream.extend(bytes);
                    let written = records.ends.last().map_or(0, |(_, written)| *written);
                    records.ends.push((records.stream.len() as u32, written + bytes.len() as u64));
                }
            }
            if used > 0 {
                records.pages.push((records.stream.len() as u32, page.address, PageState::Programmed));
            }
        }
        records.stream.extend(0u32.to_le_bytes());
        records
    }

    /// Tells what became of pages since `told` of them were told, now that this much of the stream has been taken.
    fn tell(&self, taken: u32, told: &mut usize, progress: &mut dyn Progress) {
        for &(_, address, state) in self.pages[*told..].iter().take_while(|(end, ..)| *end <= taken) {
            progress.on(Event::Page { address, state });
            *told += 1;
        }
    }

    /// Bytes of flash that are written when this much of the stream has been taken.
    fn flash_bytes(&self, taken: u32) -> u64 {
        let whole = self.ends.partition_point(|(end, _)| *end <= taken);
        whole.checked_sub(1).map_or(0, |last| self.ends[last].1)
    }
}

/// The words that begin a record, with their check.
fn header(address: u32, bytes: u32) -> impl Iterator<Item = u8> {
    [address, bytes, !(address ^ bytes)].into_iter().flat_map(u32::to_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(before: PageBefore, bytes: &[u8]) -> PageWrite {
        PageWrite { address: 0x0800_1000, bytes: bytes.to_vec(), before }
    }

    fn stream(pages: &[PageWrite]) -> Vec<u32> {
        words(&Records::new(pages).stream)
    }

    #[test]
    fn a_used_page_is_erased_and_then_programmed() {
        let stream = stream(&[page(PageBefore::Used, &[1, 2, 3, 4])]);
        assert_eq!(stream, [0x0800_1001, 0, !0x0800_1001, 0x0800_1000, 4, !0x0800_1004, 0x0403_0201, 0]);
    }

    #[test]
    fn the_first_word_of_a_page_comes_last() {
        let stream = stream(&[page(PageBefore::Used, &[1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0])]);
        assert_eq!(stream[3..], [0x0800_1004, 8, !0x0800_100C, 2, 3, 0x0800_1000, 4, !0x0800_1004, 1, 0]);
    }

    #[test]
    fn a_page_that_is_to_be_blank_is_only_erased() {
        let stream = stream(&[page(PageBefore::Used, &[0xFF; 1024])]);
        assert_eq!(stream, [0x0800_1001, 0, !0x0800_1001, 0]);
    }

    #[test]
    fn the_blank_end_of_a_page_is_not_sent() {
        let mut bytes = [0xFF; 1024];
        bytes[..5].fill(0);
        let stream = stream(&[page(PageBefore::Blank, &bytes)]);
        assert_eq!(stream, [0x0800_1004, 4, !0x0800_1000, 0xFFFF_FF00, 0x0800_1000, 4, !0x0800_1004, 0, 0]);
    }

    #[test]
    fn progress_is_told_in_bytes_of_flash() {
        let records = Records::new(&[page(PageBefore::Used, &[0; 1024]), page(PageBefore::Used, &[0xFF; 1024])]);
        assert_eq!(records.flash_bytes(records.stream.len() as u32), 1024);
        // An erase record, the header of the first record and its 1020 bytes.
        let first = 12 + 12 + 1020;
        assert_eq!([0, 24, first - 1, first].map(|taken| records.flash_bytes(taken)), [0, 0, 0, 1020]);
    }

    #[test]
    fn each_page_is_told_once_when_it_is_erased_and_when_all_of_it_is_programmed() {
        struct Told(Vec<PageState>);
        impl Progress for Told {
            fn on(&mut self, event: Event) {
                let Event::Page { address: 0x0800_1000, state } = event else { panic!("{event:?}") };
                self.0.push(state);
            }
        }
        let records = Records::new(&[page(PageBefore::Used, &[0; 1024]), page(PageBefore::Used, &[0xFF; 1024])]);
        let (mut told, mut count) = (Told(Vec::new()), 0);
        let whole = 12 + 12 + 1020 + 12 + 4;
        for (taken, states) in [(12, 0), (16, 1), (whole - 1, 1), (whole, 2), (whole + 12, 2), (whole + 16, 3)] {
            records.tell(taken, &mut count, &mut told);
            assert_eq!(told.0.len(), states, "{taken}");
        }
        assert_eq!(told.0, [PageState::Erased, PageState::Programmed, PageState::Erased]);
    }
}
