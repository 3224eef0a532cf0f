//! Erasing and programming, by the flash algorithm running in the chip's SRAM.
//!
//! The loop `stream` of `targets/algorithm/stm32f1.s` is started once and then fed through a ring in SRAM while it runs.
//! Programming a half-word takes as long as sending eight, so the flash is the only thing that is waited for.

use std::time::Duration;

use super::{
    Board, Error, Ledger, OptionBytes, cortex_m,
    ledger::Changing,
    link::{Link, LinkError},
    progress::{Event, PageState, Progress, Step},
    protection::OPTIONS_LIMIT,
    registers::fpec::{ACR, SR, SR_BSY},
    timer::{Silence, Timer},
};
use crate::target::{Algorithm, FlashMap};

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

/// Offset of code and control words from the beginning of SRAM: above the live data block of every known firmware, which
/// so survives an interrupted run and can be rescued by the next one.
const ORIGIN: u32 = 0xC00;
/// Offset of the ring from the code (`RING` in the source).
const RING: u32 = 0x400;
/// Bytes in the ring (`RING_BITS` in the source).
const RING_BYTES: u32 = 0x4000;
/// Bytes sent at once. The chip programs them in 54 ms, an ST-Link at 1 MHz takes 40 ms to send them, a faster one 12 ms: after
/// the first ones the flash never waits.
const CHUNK: u32 = 2048;
/// The first write is short, so that programming begins at once, and each one after it twice as long until they are long
/// enough: while the chip programs one, the next can be sent.
const FIRST_CHUNK: u32 = 512;

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

/// Without any progress for this long the flash controller is looked at: a page erase takes at most 40 ms (DS5319 table 28),
/// and a chunk of half-words 256 x 70 us.
const STALL_LIMIT: Duration = Duration::from_secs(1);
/// For this long it may be busy. Worn chips and those of other makers take longer than the data sheet says.
const BUSY_LIMIT: Duration = OPTIONS_LIMIT;

/// The algorithm in SRAM.
struct Loader<'a> {
    link: &'a mut Link,
    timer: &'a Timer,
    ledger: &'a Ledger,
    loaded: &'a mut Loaded,
    algorithm: &'a Algorithm,
    /// Bytes that the flash takes at once.
    width: u32,
    origin: u32,
}

/// Whether the algorithm is in SRAM, where a reset leaves it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Loaded {
    /// It has not been put there over this connection.
    #[default]
    No,
    /// It was put there and read back.
    Yes,
}

impl<'a> Loader<'a> {
    fn new(board: &'a mut Board<'_>, map: &'a FlashMap) -> Self {
        let Board { link, timer, loaded, probes, chip, .. } = board;
        let (algorithm, origin) = (&map.algorithm, map.sram.start + ORIGIN);
        Self { link, timer, ledger: probes.ledger(), loaded, width: chip.kind.program_width(), algorithm, origin }
    }

    fn ring(&self) -> u32 {
        self.origin + RING
    }

    fn control(&self) -> u32 {
        self.origin + self.algorithm.control
    }

    /// Loads the code, with `head` bytes of the ring declared full, checks that it has arrived, and starts it: from then on
    /// the board changes.
    fn start(&mut self, entry: u32, head: u32) -> Result<Changing, Error> {
        let mut code = words(&self.algorithm.code);
        let control = (self.algorithm.control / 4) as usize;
        code[control + HEAD as usize] = head;
        code[control + WIDTH] = self.width;
        let first = if *self.loaded == Loaded::Yes { control } else { 0 };
        let address = self.origin + 4 * first as u32;
        self.link.write_words(address, &code[first..])?;
        let mut arrived = vec![0; code.len() - first];
        self.link.read_words(address, &mut arrived)?;
        if arrived != code[first..] {
            *self.loaded = Loaded::No;
            return Err(Error::Loader);
        }
        *self.loaded = Loaded::Yes;
        self.link.leave_core();
        let changing = self.ledger.change();
        cortex_m::start(self.link, self.timer, self.origin + entry)?;
        Ok(changing)
    }

    /// Bytes taken from the ring, and whether the loop has finished.
    fn look(&mut self, what: &'static str, sent: u32) -> Result<(u32, bool), Error> {
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

impl Loader<'_> {
    /// Whether the flash controller is in the middle of an operation. Reading its registers does not disturb the algorithm.
    fn is_flash_busy(&mut self) -> Result<bool, LinkError> {
        Ok(self.link.read(ACR + 4 * SR as u32)? & SR_BSY != 0)
    }
}

impl Board<'_> {
    /// Runs `options` of the algorithm to its end, for at most this long.
    pub(super) fn run_options(&mut self, map: &FlashMap, options: OptionBytes, limit: Duration) -> Result<(), Error> {
        const WHAT: &str = "writing the option bytes";
        let mut loader = Loader::new(self, map);
        let timer = loader.timer;
        let image = words(&options.0);
        let ring = loader.ring();
        loader.link.write_words(ring, &image)?;
        let mut arrived = vec![0; image.len()];
        loader.link.read_words(ring, &mut arrived)?;
        if arrived != image {
            return Err(Error::Loader);
        }
        let _changing = loader.start(map.algorithm.options, 0)?;
        let finished = timer.poll(limit, || Ok(loader.look(WHAT, 0)?.1.then_some(())))?;
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
        let chunk = CHUNK.min(self.link.max_bytes() as u32);
        let mut loader = Loader::new(self, map);
        let timer = loader.timer;
        let ring = loader.ring();
        let mut sent = total.min(FIRST_CHUNK);
        loader.link.write_words(ring, &stream[..sent as usize / 4])?;
        let _changing = loader.start(map.algorithm.stream, sent)?;

        let mut taken = 0;
        let mut told = 0;
        let (mut stall, mut busy) = (Silence::new(STALL_LIMIT, timer.now()), Silence::new(BUSY_LIMIT, timer.now()));
        loop {
            timer.check()?;
            let next = chunk.min(sent).min(total - sent);
            if next > 0 && next <= RING_BYTES - (sent - taken) {
                // Up to the end of the ring; what is left goes to its beginning in the next turn.
                let offset = sent % RING_BYTES;
                let next = next.min(RING_BYTES - offset);
                loader.link.write_words(ring + offset, &stream[sent as usize / 4..(sent + next) as usize / 4])?;
                sent += next;
                let head = loader.control() + 4 * HEAD;
                loader.link.write(head, sent)?;
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

fn words(bytes: &[u8]) -> Vec<u32> {
    let word = |chunk: &[u8]| u32::from_le_bytes([chunk[0], chunk[1], chunk[2], chunk[3]]);
    bytes.chunks_exact(4).map(word).collect()
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

    #[test]
    fn the_loader_fits_below_its_ring_and_the_ring_into_sram() {
        for map in FlashMap::all() {
            assert!(map.algorithm.code.len() as u32 <= RING);
            assert!(map.sram.start + ORIGIN + RING + RING_BYTES <= map.sram.end);
        }
    }
}
