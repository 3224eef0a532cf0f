//! What the code of an image reaches, as far as that is cheap to see: from its vectors along branches, calls and literal
//! pools. Registers are not followed, so much stays unseen; what is seen is certain.

use std::ops::Range;

use super::{
    inspect::{StartUp, base, longest_drv},
    thumb::{self, Flow},
};

/// Vectors behind the sixteen of the core that are looked at: the largest chip here has 68 interrupts.
const VECTORS: usize = 16 + 68;

/// How an image comes to need a byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Way {
    /// It is part of a vector.
    Vector,
    /// It is executed.
    Code,
    /// It is part of a constant that code loads.
    Constant,
    /// Its address is in a constant that code loads.
    Address,
    /// The start-up code copies it, or reads there what to copy.
    StartUp,
}

/// Every place in an image that was found to be needed.
#[derive(Debug, Default)]
pub(super) struct Reach {
    needed: Vec<(usize, Way)>,
}

impl Way {
    /// How many bytes are needed together.
    fn width(self) -> usize {
        match self {
            Self::Code => 2,
            Self::Vector | Self::Constant | Self::StartUp => 4,
            Self::Address => 1,
        }
    }
}

impl Reach {
    /// Follows the code of one image, which begins with its vector table.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let base = base(bytes).unwrap_or(longest_drv().start);
        let mut walk = Walk { bytes, base, seen: vec![false; bytes.len().div_ceil(2)], todo: vec![], needed: vec![] };
        walk.vectors();
        if let Some(start_up) = StartUp::find(bytes) {
            walk.start_up(&start_up);
        }
        while let Some(at) = walk.todo.pop() {
            walk.run(at);
        }
        let mut needed = walk.needed;
        needed.sort_unstable();
        Self { needed }
    }

    /// How something that lies in a range of offsets as a whole is needed; the first of [`Way`] if in several ways.
    pub(super) fn way(&self, range: &Range<usize>) -> Option<Way> {
        let from = self.needed.partition_point(|(at, _)| *at < range.start);
        let inside = self.needed[from..].iter().take_while(|(at, _)| *at < range.end);
        inside.filter(|(at, way)| at + way.width() <= range.end).map(|(_, way)| *way).min()
    }
}

struct Walk<'a> {
    bytes: &'a [u8],
    base: u32,
    /// The half-words that were executed.
    seen: Vec<bool>,
    /// Where to go on.
    todo: Vec<usize>,
    needed: Vec<(usize, Way)>,
}

impl Walk<'_> {
    fn offset(&self, address: u32) -> Option<usize> {
        let offset = address.checked_sub(self.base)? as usize;
        (offset < self.bytes.len()).then_some(offset)
    }

    /// The table ends at the latest where the first code begins.
    fn vectors(&mut self) {
        let mut end = self.bytes.len();
        for at in (4..4 * VECTORS).step_by(4) {
            if at >= end {
                break;
            }
            let Some(vector) = thumb::word(self.bytes, at) else { break };
            // Some are reserved and zero, and some tables leave out the faults of the later cores.
            let is_missing = vector == u32::MAX || vector == 0 && at < 16;
            match self.offset(vector & !1).filter(|_| vector & 1 == 1) {
                Some(code) => {
                    end = end.min(code);
                    self.todo.push(code);
                    self.needed.push((at, Way::Vector));
                }
                None if is_missing => self.needed.push((at, Way::Vector)),
                None => {}
            }
        }
    }

    fn start_up(&mut self, start_up: &StartUp) {
        self.needed.extend(start_up.table.clone().step_by(4).map(|at| (at, Way::StartUp)));
        let rows = start_up.table.clone().step_by(16);
        for row in rows {
            let (load, routine) = (thumb::word(self.bytes, row), thumb::word(self.bytes, row + 12));
            // The last row's data begin behind the image.
            if let Some(load) = load.and_then(|load| self.offset(load)) {
                self.needed.push((load, Way::StartUp));
            }
            self.todo.extend(routine.and_then(|routine| self.offset(routine & !1)));
        }
    }

    /// Executes until the flow leaves for good.
    fn run(&mut self, mut at: usize) {
        let mut conditional = 0;
        // The register that the last instruction loaded, and with what.
        let mut loaded = None;
        loop {
            match self.seen.get_mut(at / 2) {
                Some(seen) if !*seen => *seen = true,
                _ => return,
            }
            self.needed.push((at, Way::Code));
            let Some((length, step)) = thumb::flow_at(self.bytes, at) else { return };
            let before = loaded.take();
            match step {
                Flow::Next => {}
                Flow::Blank => return,
                Flow::Skips(count) => conditional = count + 1,
                Flow::Branch(target) => self.todo.extend(target),
                Flow::Jump(target) => {
                    self.todo.extend(target);
                    if conditional == 0 {
                        return;
                    }
                }
                Flow::Leave => {
                    if conditional == 0 {
                        return;
                    }
                }
                Flow::JumpTo(register) | Flow::Call(register) => {
                    if let Some((_, value)) = before.filter(|(loaded, _)| *loaded == register) {
                        self.todo.extend(self.offset(value & !1));
                    }
                    if matches!(step, Flow::JumpTo(_)) && conditional == 0 {
                        return;
                    }
                }
                Flow::Constant { register, place } => loaded = self.constant(place).map(|value| (register, value)),
                Flow::Address(place) => self.needed.push((place, Way::Address)),
                Flow::Table { place, wide } => {
                    self.table(place, wide);
                    return;
                }
            }
            conditional -= i32::from(conditional > 0);
            at += length;
        }
    }

    /// A word in a literal pool. An odd one may be the address of a function; only what begins like one is followed.
    fn constant(&mut self, place: usize) -> Option<u32> {
        let value = thumb::word(self.bytes, place)?;
        self.needed.push((place, Way::Constant));
        if let Some(target) = self.offset(value) {
            self.needed.push((target & !1, Way::Address));
            if value & 1 == 1 && thumb::begins_function(self.bytes, target & !1) {
                self.todo.push(target & !1);
            }
        }
        Some(value)
    }

    /// The offsets behind a TBB or TBH; the table ends where the first of its targets begins.
    fn table(&mut self, place: usize, wide: bool) {
        let width = if wide { 2 } else { 1 };
        let mut end = self.bytes.len();
        let mut at = place;
        while at + width <= end {
            let entry = if wide { thumb::half(self.bytes, at).map(usize::from) } else { Some(self.bytes[at].into()) };
            let Some(entry) = entry else { return };
            let target = place + 2 * entry;
            // Behind a table of an odd length stands a zero.
            if target > at {
                end = end.min(target);
                self.todo.push(target);
            }
            at += width;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::sample::Sample;

    /// An image whose reset code is this, with nothing that could be followed elsewhere.
    fn image(code: &[u16]) -> Vec<u8> {
        let mut bytes = vec![0xBF; 0x1000];
        bytes[..8].copy_from_slice(&Sample::drv(0x1000).bytes()[..8]);
        let code: Vec<u8> = code.iter().flat_map(|half| half.to_le_bytes()).collect();
        bytes[0x100..0x100 + code.len()].copy_from_slice(&code);
        bytes
    }

    fn is_executed(bytes: &[u8], at: usize) -> bool {
        Reach::of(bytes).way(&(at..at + 2)) == Some(Way::Code)
    }

    #[test]
    fn the_flow_is_followed_to_its_end() {
        // cbz r0, 0x108; bx lr; nop; bl 0x200; b .
        let bytes = image(&[0xB110, 0x4770, 0xBF00, 0xBF00, 0xF000, 0xF87A, 0xE7FE]);
        for (at, expected) in
            [(0x100, true), (0x102, true), (0x104, false), (0x108, true), (0x200, true), (0x10E, false)]
        {
            assert_eq!(is_executed(&bytes, at), expected, "{at:#x}");
        }
    }

    #[test]
    fn half_of_what_is_needed_is_not_enough() {
        // udf #0, whose low byte is zero
        let bytes = image(&[0xDE00]);
        assert_eq!(Reach::of(&bytes).way(&(0x40..0x101)), None);
        assert_eq!(Reach::of(&bytes).way(&(0x40..0x102)), Some(Way::Code));
    }

    #[test]
    fn a_conditional_return_does_not_end_it() {
        // it eq; bxeq lr; movs r0, #0; bx lr; (behind it)
        let bytes = image(&[0xBF08, 0x4770, 0x2000, 0x4770, 0x2000]);
        assert_eq!([0x104, 0x106, 0x108].map(|at| is_executed(&bytes, at)), [true, true, false]);
    }

    #[test]
    fn a_pointer_that_is_called_is_followed() {
        // ldr r0, [pc, #4]; bx r0; nop; nop; the address 0x08001401, and of a function that begins with PUSH
        let bytes = image(&[0x4801, 0x4700, 0xBF00, 0xBF00, 0x1401, 0x0800]);
        assert!(is_executed(&bytes, 0x400));
        assert_eq!(Reach::of(&bytes).way(&(0x108..0x10C)), Some(Way::Constant));
        // The same, loaded and kept.
        let kept = image(&[0x4801, 0x4770, 0xBF00, 0xBF00, 0x1401, 0x0800]);
        assert_eq!(Reach::of(&kept).way(&(0x400..0x402)), Some(Way::Address));
    }

    #[test]
    fn a_table_of_jumps_is_followed() {
        // tbb [pc, r0]; 2, 3 (half the distance from 0x104); bx lr; bx lr
        let bytes = image(&[0xE8DF, 0xF000, 0x0302, 0xBF00, 0x4770, 0x4770]);
        assert_eq!([0x104, 0x106, 0x108, 0x10A].map(|at| is_executed(&bytes, at)), [false, false, true, true]);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic_or_run_for_ever(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..2000)) {
            let _ = Reach::of(&bytes);
            let mut code = image(&[]);
            let len = bytes.len();
            code[0x100..0x100 + len].copy_from_slice(&bytes);
            let _ = Reach::of(&code);
            let _ = Reach::of(&Sample::drv(3000).start_up_table().put(0x300, &bytes).bytes());
        }
    }
}
