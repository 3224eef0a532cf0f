//! The data block of a locked board, read from the SRAM of the firmware that has been running on it.
//!
//! Read-out protection shuts flash, not SRAM, and the firmware keeps its live data block there. It keeps its default
//! template there too, so the magic alone finds two; the live one carries the chip's own UID.

use super::{
    Board, Error,
    link::{Link, LinkError},
};
use crate::{
    block::{DataBlock, LEN, Serial, Uid},
    target::FlashMap,
};

/// What SRAM holds.
#[derive(Debug, Clone, Default)]
pub struct Rescue {
    /// The live data block of this chip.
    pub block: Option<DataBlock>,
    /// Blocks with a serial number of their own and the UID of another chip.
    pub strangers: Vec<Stranger>,
}

/// A data block that belongs to another chip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stranger {
    /// Whose it says it is.
    pub uid: Uid,
    /// The serial number in it.
    pub serial: Serial,
}

/// Bytes of SRAM that are read first. Every catalogued firmware for 64 KiB has its template within the first hundred and its
/// live block within these. With neither, no firmware has run; with both, there is nothing more to find. That of the 4 Pro
/// has its live block within these too, and behind them a buffer with the block that it saved last.
const NEAR: u32 = 0xB00;

impl Board<'_> {
    /// Looks for the live data block among the firmware's variables in SRAM. The core has been halted, not reset.
    pub fn rescue(&mut self, map: &FlashMap) -> Result<Rescue, Error> {
        let start = map.sram.start;
        let mut memory = Vec::new();
        for end in [start + NEAR, map.variables_end] {
            memory.extend(self.read(start + memory.len() as u32..end)?);
            if let Some((offset, block)) = search(&memory, self.uid).pop() {
                self.confirm(start + offset as u32, &block)?;
                return Ok(Rescue { block: Some(block), strangers: Vec::new() });
            }
            if blocks(&memory).count() != 1 && start + NEAR >= map.live_end {
                break;
            }
        }
        Ok(Rescue { block: None, strangers: strangers(&memory) })
    }

    /// The block that running firmware works with, whichever chip's UID is in it. Beside it, lower in SRAM, is the firmware's template.
    pub fn live_block(&mut self, map: &FlashMap) -> Result<Option<DataBlock>, Error> {
        let start = map.sram.start;
        let memory = self.read(start..map.variables_end)?;
        let other = || if blocks(&memory).count() > 1 { blocks(&memory).last() } else { None };
        let near = || search(&memory[..NEAR as usize], self.uid).pop();
        let Some((offset, block)) = near().or_else(|| search(&memory, self.uid).pop()).or_else(other) else {
            return Ok(None);
        };
        self.confirm(start + offset as u32, &block)?;
        Ok(Some(block))
    }

    /// Reads the block once more: one wrong bit would end up in the scooter's serial number for good.
    fn confirm(&mut self, address: u32, block: &DataBlock) -> Result<(), Error> {
        // It can begin at any even address.
        let aligned = address & !3;
        let again = self.read(aligned..(address + LEN as u32).next_multiple_of(4))?;
        let skip = (address - aligned) as usize;
        if again[skip..skip + LEN] == block.as_bytes()[..] {
            Ok(())
        } else {
            Err(LinkError::Unstable { what: "the data block in SRAM", address }.into())
        }
    }
}

/// Clears the part of SRAM in which firmware keeps its live data block.
pub(super) fn forget(link: &mut Link, map: &FlashMap) -> Result<(), LinkError> {
    link.write_words(map.sram.start, &vec![0; (map.live_end - map.sram.start) as usize / 4])
}

/// The live data block of this chip and its address, while the firmware runs and may be changing it.
pub(super) fn live(link: &mut Link, map: &FlashMap, uid: Uid) -> Result<Option<(u32, DataBlock)>, LinkError> {
    let start = map.sram.start;
    let mut memory = vec![0; NEAR as usize];
    link.read_bytes(start, &mut memory)?;
    let mut found = search(&memory, uid).pop();
    if found.is_none() && start + NEAR < map.live_end {
        memory.resize((map.live_end - start) as usize, 0);
        link.read_bytes(start + NEAR, &mut memory[NEAR as usize..])?;
        found = search(&memory, uid).pop();
    }
    Ok(found.map(|(offset, block)| (start + offset as u32, block)))
}

/// The data block at this address in SRAM.
pub(super) fn live_at(link: &mut Link, address: u32) -> Result<Option<DataBlock>, LinkError> {
    let aligned = address & !3;
    let skip = (address - aligned) as usize;
    let mut memory = vec![0; (skip + LEN).next_multiple_of(4)];
    link.read_bytes(aligned, &mut memory)?;
    Ok(DataBlock::parse(&memory[skip..skip + LEN]).ok())
}

/// Every data block with this UID, with its offset, lowest first.
fn search(memory: &[u8], uid: Uid) -> Vec<(usize, DataBlock)> {
    blocks(memory).filter(|(_, block)| block.uid() == uid).collect()
}

/// Everything that has a data block's magic and lies wholly inside.
fn blocks(memory: &[u8]) -> impl Iterator<Item = (usize, DataBlock)> {
    let last = memory.len().checked_sub(LEN);
    let offsets = last.map_or(0..0, |last| 0..last + 1).step_by(2);
    offsets.filter_map(|offset| {
        let block = DataBlock::parse(&memory[offset..offset + LEN]).ok()?;
        Some((offset, block))
    })
}

fn strangers(memory: &[u8]) -> Vec<Stranger> {
    blocks(memory)
        .filter(|(_, block)| !block.uid().is_blank())
        .filter_map(|(_, block)| Some(Stranger { uid: block.uid(), serial: block.serial()? }))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const UID: Uid = Uid([1, 2, 3]);

    fn block(uid: Uid) -> DataBlock {
        let serial = Serial::parse("21886/00012345", "#####/########").unwrap();
        DataBlock::template().with_serial(serial).with_uid(uid)
    }

    #[test]
    fn the_template_is_skipped_and_the_live_block_found() {
        let mut memory = vec![0; 0x1000];
        memory[0x10..0x210].copy_from_slice(DataBlock::template().as_bytes());
        memory[0x6EE..0x8EE].copy_from_slice(block(UID).as_bytes());
        let found = search(&memory, UID);
        assert_eq!(found.iter().map(|found| found.0).collect::<Vec<_>>(), [0x6EE]);
        assert!(search(&memory, Uid([9, 9, 9])).is_empty());
        assert_eq!(strangers(&memory).len(), 1);
    }

    #[test]
    fn a_block_that_is_cut_off_by_the_end_of_memory_is_not_found() {
        let mut memory = vec![0; 0x400];
        memory[0x202..].copy_from_slice(&block(UID).as_bytes()[..0x1FE]);
        assert!(search(&memory, UID).is_empty());
        assert!(search(&memory[..10], UID).is_empty());
    }
}
