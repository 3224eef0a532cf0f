//! Copies of a data block that are not the same: which one the firmware uses, and what becomes of the others.

use super::data_change::in_words;
use crate::{
    block::DataBlock,
    target::{Target, Used},
};

/// What to know about the copies of the data block in this flash; `None` if there is nothing to be said.
pub(super) fn remark(target: &Target, flash: &[u8]) -> Option<String> {
    let addresses: Vec<_> = target.data_pages().collect();
    let pages = target.blocks_in(flash);
    let is_own = |block: &DataBlock| block.has_long_serial() == target.template().has_long_serial();
    if pages
        .windows(2)
        .all(|pair| pair[0] == pair[1] && pair[0].as_ref().is_some_and(|block| target.block.accepts(block)))
        || !pages.iter().flatten().any(is_own)
    {
        return None;
    }
    let place = |page: usize| {
        let data = pages[page].as_ref().map_or("no data block".into(), in_words);
        format!("{:#010x} ({data})", addresses[page])
    };
    let is_valid = |page: usize| pages[page].as_ref().is_some_and(|block| target.block.accepts(block));
    let others = |used: usize| (0..pages.len()).filter(|page| *page != used).map(place).collect::<Vec<_>>().join(", ");
    Some(match target.block.used(&pages) {
        Used::Page(used) if (0..pages.len()).all(is_valid) => format!(
            "the copies of the data block differ: the firmware uses the one at {} and overwrites the one at {}",
            place(used),
            others(used)
        ),
        Used::Page(used) => format!(
            "a copy of the data block is missing or damaged: the firmware uses the one at {} and overwrites the one at {}",
            place(used),
            others(used)
        ),
        Used::Unchecked(used) => format!(
            "every copy of the data block is damaged: the firmware uses the one at {} as it is, and not the one at {}",
            place(used),
            others(used)
        ),
        Used::Template => format!(
            "the data block at {} is damaged: the firmware would replace it with a default one (error 35)",
            place(target.block.kept(&pages)?)
        ),
    })
}
