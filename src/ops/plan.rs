//! What is to be in flash, and what has to be done for that. Arithmetic only.

use crate::{
    block::DataBlock,
    board::{PageBefore, PageWrite, Part},
    target::Target,
};

/// The contents that the planned pages will have. Every page is planned whole: what an image leaves of its last page is
/// blank afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlashPlan {
    parts: Vec<Part>,
    page: u32,
}

/// What there is to do to a board for it to match a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Work {
    /// Pages to write, in address order.
    pub pages: Vec<PageWrite>,
    /// Pages that are already correct.
    pub skipped: u32,
}

/// An image that does not end before what is planned behind it. No gate that is lifted makes room for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{bytes} bytes at {address:#010x} overlap what is planned at {end:#010x}")]
pub struct Overlap {
    /// Where the image begins.
    pub address: u32,
    /// Its length.
    pub bytes: usize,
    /// Where it has to end.
    pub end: u32,
}

/// An image and the region it goes to.
#[derive(Debug, Clone, Copy)]
pub struct Placed<'a> {
    /// First address.
    pub address: u32,
    /// The image; it fits its region.
    pub bytes: &'a [u8],
}

impl FlashPlan {
    /// Plans the images, and the data block in its page.
    pub fn new(target: &Target, images: &[Placed<'_>], block: &DataBlock) -> Result<Self, Overlap> {
        let data = Placed { address: target.regions.data.start, bytes: block.as_bytes() };
        let mut plan = Self { parts: Vec::new(), page: target.page };
        for placed in images.iter().chain([&data]) {
            let mut bytes = placed.bytes.to_vec();
            bytes.resize(bytes.len().next_multiple_of(plan.page as usize), 0xFF);
            plan.parts.push(Part { address: placed.address, bytes });
        }
        plan.parts.sort_by_key(|part| part.address);
        let ends = plan.parts.iter().skip(1).map(|next| next.address).chain([target.flash.end]);
        for (part, end) in plan.parts.iter().zip(ends) {
            let room = end.saturating_sub(part.address) as usize;
            if part.bytes.len() > room {
                return Err(Overlap { address: part.address, bytes: part.bytes.len(), end });
            }
        }
        Ok(plan)
    }

    /// Plans all of flash to be this.
    pub fn whole(target: &Target, flash: &[u8]) -> Self {
        Self { parts: vec![Part { address: target.flash.start, bytes: flash.to_vec() }], page: target.page }
    }

    /// Plans this page to be blank.
    pub fn blank(&mut self, address: u32) {
        self.parts.push(Part { address, bytes: vec![0xFF; self.page as usize] });
        self.parts.sort_by_key(|part| part.address);
    }

    /// The planned contents, in address order; each part begins at a page and is whole pages long.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The whole flash as the plan leaves a board that was blank.
    pub fn image(&self, target: &Target) -> Vec<u8> {
        let mut image = vec![0xFF; target.flash.len()];
        for part in &self.parts {
            let offset = (part.address - target.flash.start) as usize;
            image[offset..offset + part.bytes.len()].copy_from_slice(&part.bytes);
        }
        image
    }

    /// How many pages are planned.
    pub(super) fn pages_planned(&self) -> u32 {
        self.pages().count() as u32
    }

    /// The first address of each planned page.
    pub(super) fn addresses(&self) -> impl Iterator<Item = u32> {
        self.pages().map(|(address, _)| address)
    }

    fn pages(&self) -> impl Iterator<Item = (u32, &[u8])> {
        let page = self.page as usize;
        self.parts.iter().flat_map(move |part| (part.address..).step_by(page).zip(part.bytes.chunks(page)))
    }

    /// What there is to do on a flash that is blank throughout.
    pub fn work_on_blank(&self) -> Work {
        let is_blank = |bytes: &[u8]| bytes.iter().all(|byte| *byte == 0xFF);
        let write =
            |(address, bytes): (u32, &[u8])| PageWrite { address, bytes: bytes.to_vec(), before: PageBefore::Blank };
        let pages: Vec<_> = self.pages().filter(|(_, bytes)| !is_blank(bytes)).map(write).collect();
        let skipped = (self.pages().count() - pages.len()) as u32;
        Work { pages, skipped }
    }

    /// What there is to do on this flash, given whole.
    pub fn work_on_flash(&self, target: &Target, flash: &[u8], extent: Extent) -> Work {
        let slice = |part: &Part| {
            let offset = (part.address - target.flash.start) as usize;
            flash[offset..offset + part.bytes.len()].to_vec()
        };
        self.work_on(&self.parts.iter().map(slice).collect::<Vec<_>>(), extent)
    }

    /// What there is to do on a flash whose planned parts hold `found`, in the order of [`FlashPlan::parts`].
    pub fn work_on(&self, found: &[Vec<u8>], extent: Extent) -> Work {
        let found = found.iter().flat_map(|bytes| bytes.chunks(self.page as usize));
        let mut work = Work::default();
        for ((address, bytes), found) in self.pages().zip(found) {
            if found == bytes && extent == Extent::Changes {
                work.skipped += 1;
                continue;
            }
            let blank = found.iter().all(|byte| *byte == 0xFF);
            let before = if blank { PageBefore::Blank } else { PageBefore::Used };
            work.pages.push(PageWrite { address, bytes: bytes.to_vec(), before });
        }
        work
    }
}

/// How much to write.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Extent {
    /// The pages that differ.
    #[default]
    Changes,
    /// Every planned page.
    Everything,
}

impl Work {
    /// Pages that are erased one by one.
    pub fn erases(&self) -> u32 {
        self.pages.iter().filter(|page| page.before == PageBefore::Used).count() as u32
    }

    /// Bytes that are programmed: half-words that are not all ones.
    pub fn programmed_bytes(&self) -> u32 {
        let half_words = self.pages.iter().flat_map(|page| page.bytes.chunks(2));
        2 * half_words.filter(|half_word| **half_word != [0xFF; 2]).count() as u32
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pro() -> &'static Target {
        Target::builtin("pro").unwrap()
    }

    fn plan(boot: &[u8], drv: &[u8]) -> FlashPlan {
        let regions = &pro().regions;
        let images =
            [Placed { address: regions.boot.start, bytes: boot }, Placed { address: regions.drv.start, bytes: drv }];
        FlashPlan::new(pro(), &images, &DataBlock::template()).unwrap()
    }

    #[test]
    fn an_image_that_reaches_into_the_next_is_never_planned() {
        let regions = &pro().regions;
        let overlap = |boot: usize, drv: usize| {
            let (boot, drv) = (vec![1; boot], vec![2; drv]);
            let images = [
                Placed { address: regions.boot.start, bytes: &boot },
                Placed { address: regions.drv.start, bytes: &drv },
            ];
            FlashPlan::new(pro(), &images, &DataBlock::template()).map_err(|overlap| overlap.end)
        };
        assert!(overlap(0x1000, 0xE800).is_ok());
        assert_eq!(overlap(0x1001, 100), Err(regions.drv.start));
        assert_eq!(overlap(100, 0xE801), Err(regions.data.start));
        assert_eq!(overlap(100, 200_000), Err(regions.data.start));
    }

    fn contents(plan: &FlashPlan) -> Vec<Vec<u8>> {
        plan.parts().iter().map(|part| part.bytes.clone()).collect()
    }

    #[test]
    fn a_blank_chip_is_programmed_without_a_page_erase() {
        let work = plan(&[1; 3104], &vec![2; 27_320]).work_on_blank();
        assert_eq!((work.pages.len(), work.erases(), work.skipped), (4 + 27 + 1, 0, 0));
        let half_words = 3104 / 2 + 27_320 / 2 + 256;
        // The template's serial number and UID are blank: 14 and 12 bytes of 0xFF.
        assert_eq!(work.programmed_bytes(), 2 * (half_words - 13));
    }

    #[test]
    fn one_changed_byte_is_one_page() {
        let plan = plan(&[1; 3104], &vec![2; 27_320]);
        let mut found = contents(&plan);
        found[1][5000] ^= 0x10;
        let work = plan.work_on(&found, Extent::Changes);
        assert_eq!(work.pages.iter().map(|page| page.address).collect::<Vec<_>>(), [0x0800_1000 + 4096]);
        assert_eq!((work.erases(), work.skipped), (1, 31));
    }

    #[test]
    fn everything_means_every_planned_page() {
        let plan = plan(&[1; 3104], &vec![2; 27_320]);
        let work = plan.work_on(&contents(&plan), Extent::Everything);
        assert_eq!((work.pages.len(), work.skipped), (32, 0));
    }

    #[test]
    fn a_pending_update_record_is_planned_blank() {
        let mut plan = plan(&[1; 16], &[2; 16]);
        plan.blank(pro().regions.update.start);
        let mut found = contents(&plan);
        found[3][..4].copy_from_slice(&0x505Au32.to_le_bytes());
        let work = plan.work_on(&found, Extent::Changes);
        assert_eq!((work.pages.len(), work.erases(), work.programmed_bytes()), (1, 1, 0));
    }

    proptest! {
        #[test]
        fn the_plan_covers_each_page_once_and_never_leaves_its_regions(boot in 1..=4096usize, drv in 1..=29_696usize) {
            let plan = plan(&vec![1; boot], &vec![2; drv]);
            let addresses: Vec<_> = plan.pages().map(|(address, _)| address).collect();
            let mut unique = addresses.clone();
            unique.dedup();
            prop_assert_eq!(&addresses, &unique);
            let regions = [&pro().regions.boot, &pro().regions.drv, &pro().regions.data];
            for (address, bytes) in plan.pages() {
                prop_assert_eq!(bytes.len(), 1024);
                prop_assert!(regions.iter().any(|region| region.contains(&address) && address + 1024 <= region.end));
            }
        }

        #[test]
        fn a_plan_that_is_met_leaves_nothing_to_do(boot in proptest::collection::vec(any::<u8>(), 1..4096)) {
            let plan = plan(&boot, &[2; 100]);
            let work = plan.work_on(&contents(&plan), Extent::Changes);
            prop_assert!(work.is_empty());
        }

        #[test]
        fn the_work_makes_any_flash_match_the_plan(found in proptest::collection::vec(any::<u8>(), 4096), boot in 1..4096usize) {
            let plan = plan(&vec![0x5A; boot], &[2; 100]);
            let mut flash = contents(&plan);
            let len = flash[0].len();
            flash[0].copy_from_slice(&found[..len]);
            for page in plan.work_on(&flash.clone(), Extent::Changes).pages {
                let part = plan.parts().iter().position(|p| (p.address..p.address + p.bytes.len() as u32).contains(&page.address)).unwrap();
                let offset = (page.address - plan.parts()[part].address) as usize;
                flash[part][offset..offset + page.bytes.len()].copy_from_slice(&page.bytes);
            }
            prop_assert_eq!(flash, contents(&plan));
        }
    }
}
