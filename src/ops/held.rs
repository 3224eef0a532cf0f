//! What a board holds, read before anything is changed.

use super::{Work, backup::Backup, report::Source};
use crate::{
    block::{DataBlock, LEN, Uid},
    board::{Board, Error, LinkError, PageBefore, Protection, Status, Stranger},
    target::Target,
};

/// What a board holds before anything is changed.
pub(super) struct Held {
    /// All of main flash, where it can be read.
    pub(super) flash: Option<Vec<u8>>,
    /// The data block, and whether it comes from SRAM.
    pub(super) block: Option<(DataBlock, Source)>,
    /// Data blocks of other chips in SRAM, where this one's is nowhere.
    pub(super) strangers: Vec<Stranger>,
}

impl Held {
    /// Reads flash where it can be read, and SRAM where flash does not hold a whole data block: firmware that was stopped
    /// while it saved its block still has it there.
    pub(super) fn read(board: &mut Board<'_>, status: &Status, target: &Target) -> Result<Self, Error> {
        let mut held = Self { flash: None, block: None, strangers: Vec::new() };
        if status.protection == Protection::None {
            let end = target.flash.end.max(target.flash.start + board.chip.flash_kib * 1024);
            let flash = board.read(target.flash.start..end)?;
            let start = (target.regions.data.start - target.flash.start) as usize;
            held.block = DataBlock::parse(&flash[start..start + LEN]).ok().map(|block| (block, Source::Flash));
            // One wrong bit would end up in the scooter's serial number for good.
            let data = target.regions.data.start;
            if board.read(data..data + LEN as u32)? != flash[start..start + LEN] {
                return Err(LinkError::Nonsense { what: "the data block", value: data }.into());
            }
            held.flash = Some(flash);
        }
        if !held.has_whole_block(board.uid) {
            let rescue = board.rescue(target)?;
            match rescue.block {
                Some(block) if held.block.is_none() || block.is_whole(board.uid) => {
                    held.block = Some((block, Source::Sram));
                }
                None if held.block.is_none() => held.strangers = rescue.strangers,
                _ => {}
            }
        }
        Ok(held)
    }

    /// Whether there is a data block of this chip that is not cut short.
    pub(super) fn has_whole_block(&self, uid: Uid) -> bool {
        self.block.as_ref().is_some_and(|(block, _)| block.is_whole(uid))
    }

    /// Reads the pages that are to be erased once more: what is saved of them is all that will be left.
    pub(super) fn confirm(&self, board: &mut Board<'_>, target: &Target, work: &Work) -> Result<(), Error> {
        let Some(flash) = &self.flash else { return Ok(()) };
        for pages in work.pages.chunk_by(|page, next| page.address + target.page == next.address) {
            let (first, last) = (pages[0].address, pages[pages.len() - 1].address);
            if pages.iter().all(|page| page.before == PageBefore::Blank) {
                continue;
            }
            let range = first..last + target.page;
            let held = &flash[(range.start - target.flash.start) as usize..(range.end - target.flash.start) as usize];
            if board.read(range)? != held {
                return Err(LinkError::Nonsense { what: "flash", value: first }.into());
            }
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
