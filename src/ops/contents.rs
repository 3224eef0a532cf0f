//! The one reading of what a board holds, for every procedure that wants to know.

use std::ops::Range;

use super::{Backup, Change, DataChange, DataSource, Firmware, Job, copies, data_change::in_words, events};
use crate::{
    block::{DataBlock, LEN, Mileage, Serial, Uid},
    board::{Board, Error, LinkError, PageBefore, PageWrite, Part, Protection, Status, Stranger, progress::Step},
    image::drv_region,
    target::{FlashMap, Target},
};

/// What a board holds before anything is changed.
pub(super) struct Contents {
    /// All of main flash, if it can be read.
    pub(super) flash: Option<Vec<u8>>,
    /// The data block, and whether it comes from flash or from SRAM.
    pub(super) block: Option<(DataBlock, DataSource)>,
    /// The scooter whose flash map the data block in flash follows, if that is not the map asked for.
    pub(super) other_map: Option<&'static Target>,
    /// Data blocks of other chips in SRAM, if this one's is found nowhere.
    pub(super) strangers: Vec<Stranger>,
    /// The data block of another chip in flash, if this one's is in SRAM.
    pub(super) passed_over: Option<DataBlock>,
}

impl Contents {
    /// Reads what the board holds, the same way for every procedure, and tells it. What is likely to be in flash may be proved to
    /// be there instead.
    pub(super) fn read(
        job: &mut Job<'_>,
        board: &mut Board<'_>,
        status: &Status,
        target: &Target,
        likely: &[Part],
    ) -> Result<Self, Error> {
        let contents = job.step(Step::Rescue, |_| Self::find(board, status, target, likely))?;
        let map = &contents.other_map.unwrap_or(target).map;
        if let Some(flash) = contents.flash.as_deref() {
            job.known.found_boot = Firmware::of(region_of(map, flash, &map.regions.boot));
            job.known.found_drv = Firmware::of(&flash[drv_region(flash, &map.regions.drv)]);
        }
        if let Some((block, source)) = &contents.block {
            job.known.writes(block, Some(*source));
        }
        let (boot, drv) = (job.known.found_boot.as_ref(), job.known.found_drv.as_ref());
        events::found(job.progress, boot, drv, contents.block.as_ref());
        let target = contents.other_map.unwrap_or(target);
        if let Some(remark) = contents.flash.as_deref().and_then(|flash| copies::remark(target, flash)) {
            job.warn("data-copies", remark);
        }
        if let Some(other) = &contents.passed_over {
            let (data, uid) = (in_words(other), other.uid());
            job.warn(
                "data-of-another-chip",
                format!(
                    "the data block in flash ({data}) was made for another chip (UID {uid}); using the one in SRAM, which is this chip's"
                ),
            );
        }
        Ok(contents)
    }

    /// Reads flash if it can be read, and SRAM unless flash holds a whole data block: firmware that was stopped while it
    /// saved its block still has it there, and so has a chip that was unlocked and has kept its power since.
    fn find(board: &mut Board<'_>, status: &Status, target: &Target, likely: &[Part]) -> Result<Self, Error> {
        let mut contents = Self { flash: None, block: None, other_map: None, strangers: Vec::new(), passed_over: None };
        if status.protection == Protection::None {
            let flash = if likely.is_empty() {
                board.read_flash(&target.map)?
            } else {
                board.read_flash_like(&target.map, likely)?
            };
            contents.flash = Some(flash);
            contents.find_block(board, target)?;
        }
        if !contents.has_whole_block(board.uid) {
            let rescue = board.rescue(&target.map)?;
            match rescue.block {
                Some(block) if contents.block.is_none() || block.is_whole(board.uid) => {
                    let in_flash = contents.block.replace((block, DataSource::Sram)).map(|(block, _)| block);
                    contents.passed_over = in_flash.filter(|block| is_of_another_chip(block, board.uid));
                    contents.other_map = None;
                }
                None if contents.block.is_none() => contents.strangers = rescue.strangers,
                _ => {}
            }
        }
        Ok(contents)
    }

    /// Warns if this block, which is of `what`, replaces the board's own with another serial number or mileage.
    pub(super) fn warn_of_replaced(&self, job: &mut Job<'_>, block: &DataBlock, what: &str) {
        let Some((own, _)) = &self.block else { return };
        if own.serial() != block.serial() || own.mileage() != block.mileage() {
            let (block, own) = (in_words(block), in_words(own));
            job.warn("data-replaced", format!("the data block {what} ({block}) replaces the board's own ({own})"));
        }
    }

    /// What is at stake if all of it is erased and this is written.
    pub(super) fn data_change(&self, written: Option<(Serial, Mileage)>) -> DataChange {
        DataChange { on_board: self.block.as_ref().map(|(block, _)| (block.serial(), block.mileage())), written }
    }

    /// Looks for the data block where this scooter has it, and then where the others do.
    fn find_block(&mut self, board: &mut Board<'_>, target: &Target) -> Result<(), Error> {
        let Some(flash) = &self.flash else { return Ok(()) };
        let others = Target::all().iter().filter(|other| !other.data_pages().eq(target.data_pages()));
        for (target, other) in std::iter::once((target, None)).chain(others.map(|other| (other, Some(other)))) {
            let Some((address, block)) = target.block_in(flash) else { continue };
            // One wrong bit would end up in the scooter's serial number for good.
            if board.read(address..address + LEN as u32)? != block.as_bytes() {
                return Err(LinkError::Unstable { what: "the data block", address }.into());
            }
            (self.block, self.other_map) = (Some((block, DataSource::Flash)), other);
            break;
        }
        Ok(())
    }

    /// The data block, unless it is of a form that this scooter has no use for.
    pub(super) fn block_for(&self, target: &Target) -> Option<&(DataBlock, DataSource)> {
        let fits = |serial: Serial| target.serial.fits(serial);
        let is_own = |block: &DataBlock| self.other_map.is_none() || block.serial().is_some_and(fits);
        self.block.as_ref().filter(|(block, _)| is_own(block))
    }

    /// Whether the data block is left in SRAM from before a reset: firmware that can start again would find it in flash.
    pub(super) fn is_left_in_sram(&self) -> bool {
        self.flash.is_some() && self.block.as_ref().is_some_and(|(_, source)| *source == DataSource::Sram)
    }

    /// Whether serial number and mileage are lost with the power: flash has them in no data block, not even in that of another
    /// chip.
    pub(super) fn is_only_in_sram(&self) -> bool {
        let has = |block: &DataBlock| (block.serial(), block.mileage());
        let in_sram = self.block.as_ref().map(|(block, _)| has(block));
        self.is_left_in_sram() && self.passed_over.as_ref().map(has) != in_sram
    }

    /// Whether there is a data block of this chip that is not cut short.
    fn has_whole_block(&self, uid: Uid) -> bool {
        self.block.as_ref().is_some_and(|(block, _)| block.is_whole(uid))
    }

    /// Whether the bootloader's update record has the magic and a flag that is not zero (boot.bin, disassembled).
    pub(super) fn has_pending_update(&self, target: &Target) -> bool {
        let Some(flash) = &self.flash else { return false };
        let record = region_of(&target.map, flash, &target.map.regions.update);
        let word = |at: usize| u32::from_le_bytes([record[at], record[at + 1], record[at + 2], record[at + 3]]);
        word(0) == 0x505A && word(4) != 0
    }

    /// Reads everything that is to be erased once more: what is saved of it is all that will be left.
    pub(super) fn confirm(&self, board: &mut Board<'_>, change: &Change<'_>) -> Result<(), Error> {
        let Some(flash) = &self.flash else { return Ok(()) };
        let FlashMap { flash: Range { start, .. }, page, .. } = change.goal.target.map;
        let whole = start..start + flash.len() as u32;
        let runs = change.work.pages.chunk_by(|one, next| one.address + page == next.address);
        let is_used = |pages: &&[PageWrite]| pages.iter().any(|page| page.before == PageBefore::Used);
        let used = runs.filter(is_used).map(|pages| pages[0].address..pages[pages.len() - 1].address + page);
        let ranges = Some(whole).filter(|_| change.erases()).into_iter().chain(used);
        for range in ranges {
            let address = range.start;
            let saved = &flash[(address - start) as usize..(range.end - start) as usize];
            if board.read(range)? != saved {
                return Err(LinkError::Unstable { what: "flash", address }.into());
            }
        }
        Ok(())
    }

    /// Reads all of flash once more.
    pub(super) fn confirm_all(&self, board: &mut Board<'_>, target: &Target) -> Result<(), Error> {
        let Some(flash) = &self.flash else { return Ok(()) };
        let start = target.map.flash.start;
        if board.read(start..start + flash.len() as u32)? != *flash {
            return Err(LinkError::Unstable { what: "flash", address: start }.into());
        }
        Ok(())
    }

    /// All of it, to be saved.
    pub(super) fn backup(&self, uid: Uid, status: &Status) -> Backup {
        Backup {
            uid,
            option_bytes: status.option_bytes,
            flash: self.flash.clone(),
            block: self.block.as_ref().map(|(block, _)| block.clone()),
        }
    }
}

/// Whether a data block was made for another chip than this one. One that was made for none has no UID yet.
pub(super) fn is_of_another_chip(block: &DataBlock, uid: Uid) -> bool {
    block.uid() != uid && !block.uid().is_blank()
}

/// A region of flash that was read from its first address on.
pub(super) fn region_of<'f>(map: &FlashMap, flash: &'f [u8], region: &Range<u32>) -> &'f [u8] {
    &flash[(region.start - map.flash.start) as usize..(region.end - map.flash.start) as usize]
}
