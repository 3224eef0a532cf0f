//! The rules for a target; the rest of the program relies on them.

use super::{SerialRule, Target, names};
use crate::block::Serial;

/// A rule that a target breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A region lies partly or wholly outside of flash, or is empty.
    #[error("region {0:?} is not inside flash")]
    RegionOutside(&'static str),
    /// A region does not begin and end at a page.
    #[error("region {0:?} does not begin and end at a page")]
    RegionUnaligned(&'static str),
    /// A region begins before the one before it ends.
    #[error("region {0:?} overlaps the one before it")]
    RegionOverlap(&'static str),
    /// The region of the data block is not exactly one page.
    #[error("the data region is not one page")]
    DataNotOnePage,
    /// A copy of the data block is not in a page of its own behind the data region and before the update record.
    #[error("a copy of the data block is not in a page of its own")]
    Copy,
    /// The example does not have the form that the pattern asks for.
    #[error("the example serial does not have the form of the pattern")]
    Example,
    /// A prefix is empty or longer than five characters, or one that firmware compares is not five characters long.
    #[error("a serial prefix has the wrong length")]
    Prefix,
    /// A name or a maker is not in lower case, or contains spaces, dashes or a general word as "scooter".
    #[error("a name is not written as names are compared")]
    Name,
    /// The firmware's variables do not end inside SRAM, or the live data block does not end among them.
    #[error("the variables do not end inside SRAM")]
    Variables,
    /// The loader with its ring does not fit into SRAM above the live data block.
    #[error("the flash algorithm has no room for its control words")]
    Algorithm,
}

pub(super) fn violations(target: &Target) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut previous_end = target.map.flash.start;
    for (name, region) in target.map.regions.iter() {
        if region.is_empty() || region.start < target.map.flash.start || region.end > target.map.flash.end {
            found.push(Violation::RegionOutside(name));
        }
        if !region.start.is_multiple_of(target.map.page) || !region.end.is_multiple_of(target.map.page) {
            found.push(Violation::RegionUnaligned(name));
        }
        if region.start < previous_end {
            found.push(Violation::RegionOverlap(name));
        }
        previous_end = region.end;
    }
    if target.map.regions.data.len() != target.map.page as usize {
        found.push(Violation::DataNotOnePage);
    }
    let regions = &target.map.regions;
    let room = regions.data.end..regions.update.start;
    if target.block.copies.iter().any(|copy| !room.contains(copy) || !copy.is_multiple_of(target.map.page)) {
        found.push(Violation::Copy);
    }
    if target.serial.forms().any(|(pattern, example)| !Serial::has_form(example, pattern)) {
        found.push(Violation::Example);
    }
    let SerialRule { prefixes, compared, .. } = &target.serial;
    if prefixes.keys().any(|prefix| !(1..=5).contains(&prefix.len())) || compared.iter().any(|prefix| prefix.len() != 5)
    {
        found.push(Violation::Prefix);
    }
    let mut names = std::iter::once(&target.name).chain(&target.aliases).chain(&target.makers);
    if !names.all(|name| names::is_key(name)) {
        found.push(Violation::Name);
    }
    let (live_end, variables_end) = (target.map.live_end, target.map.variables_end);
    if !target.map.sram.contains(&variables_end) || !(target.map.sram.start..=variables_end).contains(&live_end) {
        found.push(Violation::Variables);
    }
    // Five control words, as in the source of the algorithm.
    if target.map.algorithm.code.len() != target.map.algorithm.control as usize + 5 * 4 {
        found.push(Violation::Algorithm);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_broken_rule_is_named() {
        let good = Target::builtin("pro").unwrap();
        let broken = |change: fn(&mut Target)| {
            let mut target = good.clone();
            change(&mut target);
            target.validate()
        };
        assert_eq!(broken(|t| t.map.regions.update.end += 0x400), [Violation::RegionOutside("update")]);
        assert_eq!(broken(|t| t.map.regions.boot.start += 2), [Violation::RegionUnaligned("boot")]);
        assert_eq!(broken(|t| t.map.regions.drv.start -= 0x400), [Violation::RegionOverlap("drv")]);
        assert_eq!(
            broken(|t| t.map.regions.data.start -= 0x400),
            [Violation::RegionOverlap("data"), Violation::DataNotOnePage]
        );
        assert_eq!(broken(|t| t.block.copies.push(t.map.regions.data.start)), [Violation::Copy]);
        assert_eq!(broken(|t| t.serial.example.push('0')), [Violation::Example]);
        assert_eq!(broken(|t| t.serial.compared.push("263".into())), [Violation::Prefix]);
        assert_eq!(broken(|t| t.aliases.push("Pro 2".into())), [Violation::Name]);
        assert_eq!(broken(|t| t.makers.push(String::new())), [Violation::Name]);
        assert_eq!(broken(|t| t.map.variables_end = 0), [Violation::Variables]);
        assert_eq!(broken(|t| t.map.algorithm.code.truncate(64)), [Violation::Algorithm]);
    }
}
