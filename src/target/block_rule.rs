//! What a family's firmware wants of its data block: which half-words it checks, how many copies it keeps, and what is in its
//! own template. One file each in `targets/blocks`.

use std::{collections::BTreeMap, sync::LazyLock};

use include_dir::{Dir, include_dir};
use serde::Deserialize;

use super::{Target, flash_map::texts};
use crate::block::{DataBlock, LEN};

static RULES: Dir = include_dir!("$CARGO_MANIFEST_DIR/targets/blocks");

/// The rules of one family's data block.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockRule {
    /// The name of its file: `m365`.
    pub name: String,
    /// First addresses of the further pages that hold the same block, in the order in which firmware looks at them.
    #[serde(default)]
    pub copies: Vec<u32>,
    /// Offsets of the half-words, beside the magic, that have to be as in the template, or firmware takes the block for damaged.
    #[serde(default)]
    pub checked: Vec<u16>,
    /// The half-words in which the template differs from that of the M365, by their offset.
    #[serde(default)]
    pub template: BTreeMap<u16, u16>,
    /// What the firmware does as long as the scooter is not activated, if that is known.
    #[serde(default)]
    pub inactive: Option<String>,
}

/// Which of its data pages firmware takes its block from when it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Used {
    /// The first one that passes every check. It writes the others anew from it.
    Page(usize),
    /// The last one, which only has the magic, because none passes. It writes none of them when it starts.
    Unchecked(usize),
    /// None: it writes its template, with a default serial number, to all of them.
    Template,
}

impl BlockRule {
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        Self::all().iter().find(|rule| rule.name == name)
    }

    fn all() -> &'static [Self] {
        static ALL: LazyLock<Vec<BlockRule>> = LazyLock::new(|| {
            texts(&RULES).map(|text| yaml_serde::from_str(text).expect("a test reads the block rules")).collect()
        });
        &ALL
    }

    /// Whether firmware accepts a block, which has the magic.
    pub fn accepts(&self, block: &DataBlock) -> bool {
        self.checked.iter().all(|offset| block.half_word(*offset) == self.word(*offset))
    }

    /// The block as firmware accepts it.
    #[must_use]
    pub fn completed(&self, block: DataBlock) -> DataBlock {
        self.checked.iter().fold(block, |block, offset| block.with_half_word(*offset, self.word(*offset)))
    }

    /// What firmware does with these data pages, of which those without the magic are `None`.
    ///
    /// Run on an emulated chip with 4 Pro 0.2.2, which has two; with one page it is what every other firmware does.
    pub fn used(&self, pages: &[Option<DataBlock>]) -> Used {
        let accepted = pages.iter().position(|page| page.as_ref().is_some_and(|block| self.accepts(block)));
        match (accepted, pages.last()) {
            (Some(page), _) => Used::Page(page),
            (None, Some(Some(_))) => Used::Unchecked(pages.len() - 1),
            _ => Used::Template,
        }
    }

    /// The page to keep: what firmware would use, and rather a block that it would refuse than none. If the first is that of
    /// another family, whose firmware knows no other page, it is that one.
    pub fn kept(&self, pages: &[Option<DataBlock>]) -> Option<usize> {
        let is_of_other_family =
            |block: &DataBlock| !self.accepts(block) && block.is_complete() && !block.has_long_serial();
        if pages.first()?.as_ref().is_some_and(is_of_other_family) {
            return Some(0);
        }
        match self.used(pages) {
            Used::Page(page) | Used::Unchecked(page) => Some(page),
            Used::Template => pages.iter().position(Option::is_some),
        }
    }

    fn word(&self, offset: u16) -> u16 {
        self.template.get(&offset).copied().unwrap_or_default()
    }
}

impl Target {
    /// First addresses of the pages that hold the data block, in the order in which firmware looks at them.
    ///
    /// ```
    /// let pro = m365_drv::target::Target::builtin("pro").unwrap();
    /// assert_eq!(pro.data_pages().collect::<Vec<_>>(), [0x0800_f800]);
    /// ```
    pub fn data_pages(&self) -> impl Iterator<Item = u32> + '_ {
        std::iter::once(self.map.regions.data.start).chain(self.block.copies.iter().copied())
    }

    /// The data blocks in these bytes of flash, which begin at its first address, one for each of [`Self::data_pages`].
    pub fn blocks_in(&self, flash: &[u8]) -> Vec<Option<DataBlock>> {
        let at = |page: u32| (page - self.map.flash.start) as usize;
        let block = |page| DataBlock::parse(flash.get(at(page)..at(page) + LEN)?).ok();
        self.data_pages().map(block).collect()
    }

    /// The data block to keep of these bytes of flash, and its address.
    pub fn block_in(&self, flash: &[u8]) -> Option<(u32, DataBlock)> {
        let mut pages = self.blocks_in(flash);
        let kept = self.block.kept(&pages)?;
        self.data_pages().nth(kept).zip(pages.swap_remove(kept))
    }

    /// A block of an activated scooter without mileage: the firmware's own template with the activated bit. Serial number and
    /// UID are blank (0xFF) and have to be set.
    pub fn template(&self) -> DataBlock {
        let words = self.block.template.iter();
        let block = words.fold(DataBlock::template(), |block, (offset, value)| block.with_half_word(*offset, *value));
        block.without_serial(self.serial.pattern.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_of_the_folder_belongs_to_a_scooter() {
        for rule in BlockRule::all() {
            assert!(Target::all().iter().any(|target| target.block == *rule), "{}", rule.name);
        }
    }
}
