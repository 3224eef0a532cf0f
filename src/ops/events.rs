//! What a procedure has found and what becomes of each page of flash, as events.

use super::{DataSource, Firmware, FlashPlan, Work};
use crate::{
    block::DataBlock,
    board::{
        Chip,
        progress::{Event, Found, FoundData, FoundFirmware, Memory, PageAction, PageState, PlannedPage, Progress},
    },
    target::Target,
};

/// What is on the board.
pub(super) fn found(
    progress: &mut dyn Progress,
    boot: Option<&Firmware>,
    drv: Option<&Firmware>,
    block: Option<&(DataBlock, DataSource)>,
) {
    let firmware = |firmware: &Firmware| FoundFirmware {
        sha256: firmware.sha256.to_string(),
        name: firmware.name.clone(),
        version: firmware.version,
        known: firmware.known,
    };
    let data = |(block, source): &(DataBlock, DataSource)| FoundData {
        source: if *source == DataSource::Sram { Memory::Sram } else { Memory::Flash },
        block: block.summary(),
    };
    let found = Found { boot: boot.map(firmware), drv: drv.map(firmware), data: block.map(data) };
    progress.on(Event::Found(Box::new(found)));
}

/// The flash of a board: all that the chip has, and at least what the scooter needs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pages {
    first: u32,
    page: u32,
    count: u32,
}

impl Pages {
    pub(super) fn of(target: &Target, chip: &Chip) -> Self {
        let kib = chip.flash_kib.unwrap_or(0).max(target.map.flash_kib());
        Self { first: target.map.flash.start, page: target.map.page, count: kib * 1024 / target.map.page }
    }

    fn addresses(self) -> impl Iterator<Item = u32> {
        (0..self.count).map(move |page| self.first + page * self.page)
    }

    /// What is to become of each page, if these are written, after an erase of the whole chip or without one.
    pub(super) fn plan(self, progress: &mut dyn Progress, erases: bool, work: &Work) {
        let otherwise = if erases { PageAction::Erase } else { PageAction::Keep };
        let action = |address: u32| match work.pages.iter().find(|page| page.address == address) {
            Some(page) if page.bytes.iter().any(|byte| *byte != 0xFF) => PageAction::Program,
            Some(_) => PageAction::Erase,
            None => otherwise,
        };
        let pages = self.addresses().map(|address| PlannedPage { address, action: action(address) }).collect();
        progress.on(Event::Plan { pages });
    }

    /// The chip has erased every page.
    pub(super) fn erased(self, progress: &mut dyn Progress) {
        self.addresses().for_each(|address| progress.on(Event::Page { address, state: PageState::Erased }));
    }
}

/// The planned pages that are already correct.
pub(super) fn skipped(progress: &mut dyn Progress, plan: &FlashPlan, work: &Work) {
    let is_left = |address: &u32| work.pages.iter().all(|page| page.address != *address);
    for address in plan.addresses().filter(is_left) {
        progress.on(Event::Page { address, state: PageState::Skipped });
    }
}

/// Every planned page has been read back and is correct.
pub(super) fn verified(progress: &mut dyn Progress, plan: &FlashPlan) {
    plan.addresses().for_each(|address| progress.on(Event::Page { address, state: PageState::Verified }));
}
