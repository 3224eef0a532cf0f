//! Hand-made images for the tests of this room.

use super::inspect::{boot_region, longest_drv};
use crate::{block::Uid, target::FlashMap};

/// Builds an image that passes for a DRV or a bootloader without a byte of anyone's firmware.
pub(crate) struct Sample {
    bytes: Vec<u8>,
    base: u32,
}

/// Where tests put code of their own.
const CODE: usize = 0x140;
/// The literal pool with the addresses of the flash map.
const POOL: usize = 0x120;

impl Sample {
    /// A DRV for 64 KiB of flash, so many bytes long (at least 1 KiB).
    pub(crate) fn drv(len: usize) -> Self {
        Self::at(longest_drv().start, 0x2000_2300, len).layout(FlashMap::smallest())
    }

    /// A bootloader for 64 KiB of flash.
    pub(crate) fn boot(len: usize) -> Self {
        Self::at(boot_region().start, 0x2000_0550, len).layout(FlashMap::smallest())
    }

    fn at(base: u32, stack: u32, len: usize) -> Self {
        // A generator (Numerical Recipes' constants), halved in range to keep the entropy below that of a cipher.
        let mut state = 1u32;
        let noise = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 25) as u8
        };
        let mut bytes: Vec<u8> = std::iter::repeat_with(noise).take(len).collect();
        bytes[..4].copy_from_slice(&stack.to_le_bytes());
        bytes[4..8].copy_from_slice(&(base + 0x101).to_le_bytes());
        Self { bytes, base }
    }

    pub(crate) fn layout(self, map: &FlashMap) -> Self {
        let regions = &map.regions;
        let pool = [regions.data.start, regions.update.start, regions.staging.start, Uid::ADDRESS];
        self.put(POOL, &bytes_of(&pool))
    }

    /// What firmware of a battery has of a flash map.
    pub(crate) fn only_update_record(self, map: &FlashMap) -> Self {
        self.put(POOL, &[0; 16]).put(POOL, &bytes_of(&[map.regions.update.start]))
    }

    pub(crate) fn ident(self, text: &str) -> Self {
        self.put(0x100, &[0; 16]).put(0x100, text.as_bytes())
    }

    pub(crate) fn code(self, code: &[u8]) -> Self {
        self.put(CODE, code)
    }

    /// Start-up code as armcc makes it, whose table says that the image ends where it ends. The table ends 8 bytes
    /// before that.
    pub(crate) fn start_up_table(self) -> Self {
        let code = "064c074d06e0e06840f0010394e8070098471034ac42f6d3fee7";
        let len = self.bytes.len();
        let table = self.base + len as u32 - 40;
        let row = |load: u32| [load, 0x2000_0000, 16, self.base + 0x201];
        let rows = bytes_of(&[row(table + 32), row(self.base + len as u32)].concat());
        let ends = bytes_of(&[table, table + 32]);
        self.put(0x200, &hex::decode(code).expect("a literal")).put(0x21C, &ends).put(len - 40, &rows)
    }

    /// Puts bytes at an offset.
    pub(crate) fn put(mut self, at: usize, bytes: &[u8]) -> Self {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
        self
    }

    pub(crate) fn bytes(self) -> Vec<u8> {
        self.bytes
    }
}

fn bytes_of(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}
