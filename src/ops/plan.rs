//! What is to be on a board, and what has to be changed for that. Arithmetic only.

use super::{DataChange, Error, ForcedGate, Obstacle};
use crate::{
    block::DataBlock,
    board::{Consent, OptionBytes, PageBefore, PageWrite, Part, Status},
    image::Kind,
    target::Target,
};

/// What a board is to hold: images that suit its chip, its data block, and its option bytes.
#[derive(Debug, Clone)]
pub struct Goal<'a> {
    /// The scooter.
    pub target: &'a Target,
    /// What is to be in flash.
    pub plan: FlashPlan,
    /// The option bytes, if all of them are to be these; else only what is in the way of writing is changed.
    pub options: Option<OptionBytes>,
    /// Whether protection may stay on a board that holds all of this already.
    pub may_stay_protected: bool,
    /// The checks that failed and were overridden.
    pub forced: Vec<ForcedGate>,
}

/// What has to be done to a board for it to reach a goal: computed once, shown by a preview, done by a run.
#[derive(Debug, Clone)]
pub struct Change<'a> {
    /// What the board is to hold.
    pub goal: Goal<'a>,
    /// The pages to write; if unlocking erases the chip, those to write afterwards.
    pub work: Work,
    /// How much to write.
    pub extent: Extent,
    /// What has to be removed first.
    pub obstacle: Option<Obstacle>,
    /// What may be removed.
    pub consent: Option<Consent>,
    /// What becomes of serial number and mileage.
    pub data: DataChange,
    /// The option byte USER as it is to be.
    pub user: u8,
    /// Whether the option bytes are written.
    pub writes_options: bool,
}

impl<'a> Change<'a> {
    /// What there is to do to a board with these protections and this flash, if it can be read. `user` is the option byte USER
    /// as it is to be after an unlock. With consent, an interrupted unlock is finished.
    pub fn new(
        goal: Goal<'a>,
        (status, flash): (&Status, Option<&[u8]>),
        (extent, consent): (Extent, Option<Consent>),
        user: u8,
        data: DataChange,
    ) -> Self {
        let Goal { target, plan, options, .. } = &goal;
        let other_options = options.is_some_and(|options| options != status.option_bytes);
        let is_met = flash.is_some_and(|flash| plan.work_on_flash(target, flash, Extent::Changes).is_empty());
        let stays = goal.may_stay_protected && is_met && !other_options;
        let obstacle = plan.obstacle(target, status, consent).filter(|_| !stays);
        let work = match flash {
            Some(flash) if !obstacle.is_some_and(Obstacle::erases) => plan.work_on_flash(target, flash, extent),
            _ => plan.work_on_blank(),
        };
        Self { work, extent, obstacle, consent, data, user, writes_options: obstacle.is_some() || other_options, goal }
    }

    /// Whether all of flash is erased first.
    pub fn erases(&self) -> bool {
        self.obstacle.is_some_and(Obstacle::erases)
    }

    /// What may not be removed for lack of consent.
    pub fn needs_consent(&self) -> Option<Obstacle> {
        self.obstacle.filter(|obstacle| !obstacle.is_agreed(self.consent))
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.work.is_empty() && !self.writes_options
    }
}

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

impl FlashPlan {
    /// Plans these images and the data block, each at the start of its region, and the copies that the scooter has of the block. An image that does not end before what is
    /// planned behind it is refused: forcing a gate does not make room for it.
    pub fn new(target: &Target, boot: &[u8], drv: &[u8], block: &DataBlock) -> Result<Self, Error> {
        let (regions, page) = (&target.map.regions, target.map.page);
        let whole_pages = |address: u32, bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            bytes.resize(bytes.len().next_multiple_of(page as usize), 0xFF);
            Part { address, bytes }
        };
        let images = [(regions.boot.start, boot), (regions.drv.start, drv)];
        let data = target.data_pages().map(|page| (page, &block.as_bytes()[..]));
        let mut parts: Vec<_> =
            images.into_iter().chain(data).map(|(start, bytes)| whole_pages(start, bytes)).collect();
        parts.sort_by_key(|part| part.address);
        let ends = parts.iter().skip(1).map(|next| next.address).chain([target.map.flash.end]);
        for (Part { address, bytes }, end) in parts.iter().zip(ends) {
            if bytes.len() > end.saturating_sub(*address) as usize {
                let kind = if *address == regions.boot.start { Kind::Boot } else { Kind::Drv };
                let detail = format!("{} bytes at {address:#010x} overlap what is planned at {end:#010x}", bytes.len());
                return Err(Error::Gate { kind, gate: "size", detail });
            }
        }
        Ok(Self { parts, page })
    }

    /// Plans all of flash to be this.
    pub fn whole(target: &Target, flash: &[u8]) -> Self {
        Self { parts: vec![Part { address: target.map.flash.start, bytes: flash.to_vec() }], page: target.map.page }
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
        let mut image = vec![0xFF; target.map.flash.len()];
        for part in &self.parts {
            let offset = (part.address - target.map.flash.start) as usize;
            image[offset..offset + part.bytes.len()].copy_from_slice(&part.bytes);
        }
        image
    }

    /// What the page at this address will hold, if it is planned.
    pub(super) fn page_at(&self, address: u32) -> Option<&[u8]> {
        self.pages().find(|(page, _)| *page == address).map(|(_, bytes)| bytes)
    }

    /// The first address of each planned page.
    pub(super) fn addresses(&self) -> impl Iterator<Item = u32> {
        self.pages().map(|(address, _)| address)
    }

    fn pages(&self) -> impl Iterator<Item = (u32, &[u8])> {
        let page = self.page as usize;
        self.parts.iter().flat_map(move |part| (part.address..).step_by(page).zip(part.bytes.chunks(page)))
    }

    /// What has to be removed before this can be written. With consent, an interrupted unlock counts.
    pub(super) fn obstacle(&self, target: &Target, status: &Status, consent: Option<Consent>) -> Option<Obstacle> {
        let is_unfinished = consent.is_some() && !status.option_bytes.complements_right();
        Obstacle::to_reading(status)
            .or_else(|| self.is_write_protected(target, status).then_some(Obstacle::WriteProtected))
            .or_else(|| is_unfinished.then_some(Obstacle::HalfUnlocked))
    }

    /// Whether a planned page cannot be written as the chip is now.
    fn is_write_protected(&self, target: &Target, status: &Status) -> bool {
        let protected = status.write_protected_pages(target.map.flash.len() as u32 / target.map.page);
        self.addresses().any(|address| protected.contains(&((address - target.map.flash.start) / target.map.page)))
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
    ///
    /// A page that reads all ones among others that do not may be one whose erase was cut short, and is erased again.
    pub fn work_on_flash(&self, target: &Target, flash: &[u8], extent: Extent) -> Work {
        let is_blank = flash.iter().all(|byte| *byte == 0xFF);
        let slice = |part: &Part| {
            let offset = (part.address - target.map.flash.start) as usize;
            flash[offset..offset + part.bytes.len()].to_vec()
        };
        self.work_on(&self.parts.iter().map(slice).collect::<Vec<_>>(), extent, |_| is_blank)
    }

    /// What there is to do on a flash whose planned parts hold `found`, in the order of [`FlashPlan::parts`]. `is_erased`
    /// tells whether a page that reads all ones is known to have been erased to the end.
    pub fn work_on(&self, found: &[Vec<u8>], extent: Extent, is_erased: impl Fn(u32) -> bool) -> Work {
        let found = found.iter().flat_map(|bytes| bytes.chunks(self.page as usize));
        let mut work = Work::default();
        for ((address, bytes), found) in self.pages().zip(found) {
            if found == bytes && extent == Extent::Changes {
                work.skipped += 1;
                continue;
            }
            let blank = found.iter().all(|byte| *byte == 0xFF);
            let before = if blank && is_erased(address) { PageBefore::Blank } else { PageBefore::Used };
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
    use crate::board::Protection;

    fn pro() -> &'static Target {
        Target::builtin("pro").unwrap()
    }

    fn plan(boot: &[u8], drv: &[u8]) -> FlashPlan {
        FlashPlan::new(pro(), boot, drv, &DataBlock::template()).unwrap()
    }

    #[test]
    fn an_image_that_reaches_into_the_next_is_never_planned() {
        let refused = |boot: usize, drv: usize| {
            let plan = FlashPlan::new(pro(), &vec![1; boot], &vec![2; drv], &DataBlock::template());
            plan.err().map(|error| error.to_string())
        };
        assert_eq!(refused(0x1000, 0xE800), None);
        for (boot, drv, words) in [
            (0x1001, 100, "bootloader image refused: 5120 bytes at 0x08000000 overlap what is planned at 0x08001000"),
            (100, 0xE801, "DRV image refused: 60416 bytes at 0x08001000 overlap what is planned at 0x0800f800"),
        ] {
            assert_eq!(refused(boot, drv).as_deref(), Some(words));
        }
        assert!(refused(100, 200_000).is_some());
    }

    /// The change of a board with these option bytes and all of its flash blank, or unreadable.
    fn change(options: OptionBytes, consent: Option<Consent>, may_stay_protected: bool, met: bool) -> Change<'static> {
        let protection = if options.protects() { Protection::Read } else { Protection::None };
        let status = Status { protection, write_protection: u32::MAX, option_bytes: options };
        let plan = plan(&[1; 3104], &vec![2; 27_320]);
        let flash = if met { plan.image(pro()) } else { vec![0xFF; 65_536] };
        let flash = Some(&*flash).filter(|_| protection == Protection::None);
        let goal = Goal { target: pro(), plan, options: None, may_stay_protected, forced: vec![] };
        Change::new(goal, (&status, flash), (Extent::Everything, consent), 0xFF, DataChange::default())
    }

    #[test]
    fn a_locked_chip_is_erased_and_written_as_a_blank_one() {
        let change = change(OptionBytes::open(0xFF).with_rdp(0), None, false, false);
        assert_eq!((change.obstacle, change.needs_consent()), (Some(Obstacle::ReadProtected), change.obstacle));
        assert!(change.erases() && change.writes_options);
        assert_eq!(change.work, change.goal.plan.work_on_blank());
    }

    #[test]
    fn an_interrupted_unlock_is_finished_with_consent_and_left_without() {
        let mut damaged = OptionBytes::open(0xFF);
        damaged.0[3] ^= 1;
        let unfinished = |consent| change(damaged, consent, false, true);
        let (with, without) = (unfinished(Some(Consent::Erase)), unfinished(None));
        assert_eq!((with.obstacle, with.needs_consent()), (Some(Obstacle::HalfUnlocked), None));
        assert_eq!((without.obstacle, without.writes_options), (None, false));
        assert!(!with.erases() && with.writes_options);
        assert!(!change(damaged, Some(Consent::Erase), true, true).writes_options, "a restore leaves them");
    }

    #[test]
    fn everything_is_written_on_request_and_only_what_differs_else() {
        let change = change(OptionBytes::open(0xFF), None, false, true);
        assert_eq!((change.work.pages.len(), change.is_empty()), (32, false));
    }

    fn contents(plan: &FlashPlan) -> Vec<Vec<u8>> {
        plan.parts().iter().map(|part| part.bytes.clone()).collect()
    }

    #[test]
    fn each_planned_page_is_found_by_its_address() {
        let plan = plan(&[1; 2048], &[2; 1000]);
        assert_eq!(plan.page_at(0x0800_0400), Some(&[1; 1024][..]));
        assert_eq!(plan.page_at(0x0800_1000), Some(&[&[2; 1000][..], &[0xFF; 24]].concat()[..]));
        assert_eq!((plan.page_at(0x0800_0800), plan.page_at(0x0800_0401)), (None, None));
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
        let work = plan.work_on(&found, Extent::Changes, |_| true);
        assert_eq!(work.pages.iter().map(|page| page.address).collect::<Vec<_>>(), [0x0800_1000 + 4096]);
        assert_eq!((work.erases(), work.skipped), (1, 31));
    }

    #[test]
    fn a_page_that_reads_blank_is_erased_unless_that_is_known_to_have_been_done() {
        let plan = plan(&[1; 3104], &[2; 1000]);
        let mut flash = plan.image(pro());
        assert!(plan.work_on_flash(pro(), &flash, Extent::Changes).is_empty());
        flash[..1024].fill(0xFF);
        let work = plan.work_on_flash(pro(), &flash, Extent::Changes);
        assert_eq!((work.pages.len(), work.erases()), (1, 1));
        let work = plan.work_on_flash(pro(), &vec![0xFF; 65_536], Extent::Changes);
        assert_eq!((work.pages.len(), work.erases()), (6, 0));
    }

    #[test]
    fn everything_means_every_planned_page() {
        let plan = plan(&[1; 3104], &vec![2; 27_320]);
        let work = plan.work_on(&contents(&plan), Extent::Everything, |_| true);
        assert_eq!((work.pages.len(), work.skipped), (32, 0));
    }

    #[test]
    fn a_pending_update_record_is_planned_blank() {
        let mut plan = plan(&[1; 16], &[2; 16]);
        plan.blank(pro().map.regions.update.start);
        let mut found = contents(&plan);
        found[3][..4].copy_from_slice(&0x505Au32.to_le_bytes());
        let work = plan.work_on(&found, Extent::Changes, |_| true);
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
            let regions = [&pro().map.regions.boot, &pro().map.regions.drv, &pro().map.regions.data];
            for (address, bytes) in plan.pages() {
                prop_assert_eq!(bytes.len(), 1024);
                prop_assert!(regions.iter().any(|region| region.contains(&address) && address + 1024 <= region.end));
            }
        }

        #[test]
        fn a_plan_that_is_met_leaves_nothing_to_do(boot in proptest::collection::vec(any::<u8>(), 1..4096)) {
            let plan = plan(&boot, &[2; 100]);
            let work = plan.work_on(&contents(&plan), Extent::Changes, |_| true);
            prop_assert!(work.is_empty());
        }

        #[test]
        fn the_work_makes_any_flash_match_the_plan(found in proptest::collection::vec(any::<u8>(), 4096), boot in 1..4096usize) {
            let plan = plan(&vec![0x5A; boot], &[2; 100]);
            let mut flash = contents(&plan);
            let len = flash[0].len();
            flash[0].copy_from_slice(&found[..len]);
            for page in plan.work_on(&flash.clone(), Extent::Changes, |_| true).pages {
                let part = plan.parts().iter().position(|p| (p.address..p.address + p.bytes.len() as u32).contains(&page.address)).unwrap();
                let offset = (page.address - plan.parts()[part].address) as usize;
                flash[part][offset..offset + page.bytes.len()].copy_from_slice(&page.bytes);
            }
            prop_assert_eq!(flash, contents(&plan));
        }
    }
}
