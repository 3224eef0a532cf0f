//! What a changed image was made from, told from short hashes of its pages and of excerpts.

use std::ops::Range;

use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

use super::{
    catalog::{Catalog, Entry},
    digest::{CRC, Sha256Digest},
    excerpts::Shared,
};

/// Bytes under one short hash.
pub(super) const PAGE: usize = 1024;
/// The reflected polynomial of CRC-32.
const POLYNOMIAL: u32 = 0xEDB8_8320;

/// The known image that an unknown one shares the most with.
#[derive(Debug, Clone, Serialize)]
pub struct DerivedFrom {
    /// Its row; a report carries its name.
    #[serde(serialize_with = "name")]
    pub entry: &'static Entry,
    /// The rows that share as many pages, if there are others: which of them it was made from cannot be told.
    #[serde(serialize_with = "names")]
    pub others: Vec<&'static Entry>,
    /// Length of the known image in pages of 1 KiB.
    pub pages: usize,
    /// Pages that differ or are missing, by number.
    pub changed_pages: Vec<usize>,
    /// Each changed byte, where that can be proved: at most one a page. None where more was changed.
    pub changes: Option<Vec<ChangedByte>>,
    /// The excerpts of the known image that it has.
    #[serde(skip)]
    shared: Shared,
    /// True if all of the changed pages are blank or missing.
    #[serde(skip)]
    is_incomplete: bool,
}

/// A byte that differs from the known image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ChangedByte {
    /// Where, counted from the first byte of the image.
    pub offset: usize,
    /// What the known image has there.
    pub was: u8,
    /// What this one has.
    pub is: u8,
}

impl DerivedFrom {
    fn new(entry: &'static Entry, changed_pages: Vec<usize>) -> Self {
        let (others, pages, shared) = (vec![], entry.pages.len(), Shared::default());
        Self { entry, others, pages, changed_pages, changes: None, shared, is_incomplete: false }
    }

    /// All rows that it may be made from.
    pub fn entries(&self) -> impl Iterator<Item = &'static Entry> + '_ {
        std::iter::once(self.entry).chain(self.others.iter().copied())
    }

    /// The scooters it is for, as it inherits them from what it was made from.
    pub fn scooters(&self) -> Vec<&'static str> {
        union(self.entries().map(|entry| &*entry.scooters))
    }

    /// The chips it runs on, inherited likewise.
    pub fn chips(&self) -> Vec<String> {
        union(self.entries().map(|entry| &*entry.chips)).into_iter().map(Into::into).collect()
    }

    /// True if it was made for a scooter.
    pub fn is_for(&self, scooter: &str) -> bool {
        self.entries().any(|entry| entry.is_for(scooter))
    }

    /// True if it was made for a chip.
    pub fn runs_on(&self, chip: &str) -> bool {
        self.entries().any(|entry| entry.runs_on(chip))
    }

    /// True if most of the known image is in it: then it is that image with changes. An image that shares less comes from
    /// the same source, and is another version.
    pub fn is_modified(&self) -> bool {
        2 * self.changed_pages.len() <= self.pages || self.shared.is_most()
    }

    /// True if it is the known image with pieces missing and nothing else changed, as an interrupted write leaves it.
    pub fn is_incomplete(&self) -> bool {
        self.is_incomplete
    }

    /// What to call it, in every report and message: `Pro DRV 1.5.5, modified`, or `Pro DRV 1.5.5, incomplete (12 of 27 KiB)`;
    /// if it shares less, `firmware made from Pro DRV 1.5.5`.
    pub fn title(&self) -> String {
        let source = self.source();
        self.what().map_or_else(|| format!("firmware made from {source}"), |what| format!("{source}, {what}"))
    }

    /// In which way it differs from the known image, in a word or two; none if it shares too little with it.
    pub fn what(&self) -> Option<String> {
        if self.is_incomplete {
            let there = self.pages - self.changed_pages.len();
            return Some(format!("incomplete ({there} of {} KiB)", self.pages));
        }
        self.is_modified().then(|| "modified".to_owned())
    }

    /// What it was made from, in words: `Pro DRV 1.5.5`, or `A or B`. Rows with one version for one scooter count as one.
    pub fn source(&self) -> String {
        let mut named: Vec<&Entry> = vec![];
        for entry in self.entries() {
            if !named.iter().any(|other| (other.version, &other.scooters) == (entry.version, &entry.scooters)) {
                named.push(entry);
            }
        }
        named.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
    }

    /// What an image of so many bytes has other than the known one, in words: `2 bytes changed`.
    pub fn difference(&self, len: usize) -> String {
        let count = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        match &self.changes {
            _ if self.is_incomplete => format!("{} of {} KiB missing", self.changed_pages.len(), self.pages),
            Some(changes) if changes.is_empty() => {
                format!("{} added at the end", count(len.saturating_sub(self.entry.size), "byte"))
            }
            Some(changes) => format!("{} changed", count(changes.len(), "byte")),
            None => format!("changes in {} of {} KiB", self.changed_pages.len(), self.pages),
        }
    }

    /// True if the image ends before the known one does, and agrees with it up to there.
    pub fn is_prefix(&self, len: usize) -> bool {
        let whole = len / PAGE;
        len < self.entry.size && self.changed_pages.iter().all(|&page| page >= whole)
    }

    /// True if these offsets lie in pages that are as in the known image.
    pub(super) fn is_unchanged(&self, range: &Range<usize>) -> bool {
        let pages = range.start / PAGE..range.end.div_ceil(PAGE);
        range.end <= self.entry.size && !self.changed_pages.iter().any(|page| pages.contains(page))
    }
}

impl Catalog {
    /// The known image that these bytes were most likely made from.
    pub fn nearest(&'static self, bytes: &[u8]) -> Option<DerivedFrom> {
        nearest(&self.images, bytes)
    }

    /// The row that some bytes are, or else are made from.
    pub fn source(&'static self, bytes: &[u8]) -> Option<&'static Entry> {
        self.identify(bytes).map(|known| known.entry).or_else(|| Some(self.nearest(bytes)?.entry))
    }

    /// What to call the image in some bytes: `Pro DRV 1.5.5`, with what is the matter with it behind. None if it is not
    /// made from a known one.
    pub fn title(&'static self, bytes: &[u8]) -> Option<String> {
        match self.identify(bytes) {
            Some(known) => Some(known.title()),
            None => Some(self.nearest(bytes)?.title()),
        }
    }
}

/// Every name once, in the order of the lists.
fn union(lists: impl Iterator<Item = &'static [String]>) -> Vec<&'static str> {
    let mut all: Vec<&str> = vec![];
    for name in lists.flatten() {
        if !all.contains(&&**name) {
            all.push(name);
        }
    }
    all
}

/// The rows that share the most at the same places: two pages at least, or one if there is but one, or else many excerpts.
/// No two images of the catalog for different scooters share a page, so this is lineage and not chance.
fn nearest(images: &'static [Entry], bytes: &[u8]) -> Option<DerivedFrom> {
    let whole: Vec<u32> = bytes.chunks(PAGE).map(|page| CRC.checksum(page)).collect();
    // Any two images may share a blank page.
    let blank: Vec<bool> = bytes.chunks(PAGE).map(is_blank).collect();
    // Erased flash behind the last byte does not make a page whole.
    let data = &bytes[..bytes.iter().rposition(|byte| *byte != 0xFF).map_or(0, |last| last + 1)];
    let near = |entry: &'static Entry| {
        let changed_pages: Vec<usize> = (0..entry.pages.len())
            .filter(|&page| {
                let end = entry.size.min((page + 1) * PAGE);
                // The known image's last page ends where that image ends, whatever stands behind it here.
                let found = if end.is_multiple_of(PAGE) || end == bytes.len() {
                    whole.get(page).copied()
                } else {
                    bytes.get(page * PAGE..end).map(|bytes| CRC.checksum(bytes))
                };
                found != Some(entry.pages[page])
            })
            .collect();
        let equal = (0..entry.pages.len())
            .filter(|page| !changed_pages.contains(page) && blank.get(*page) != Some(&true))
            .count();
        let there = entry.pages.len().min(whole.len());
        let shared = entry.excerpts.shared(entry.size, bytes);
        if equal < there.clamp(1, 2) && !shared.is_lineage() {
            return None;
        }
        // The page in which the bytes end counts as missing: only its beginning is there.
        let is_gone = |page: &usize| {
            let end = entry.size.min((page + 1) * PAGE);
            data.len() < end || blank.get(*page) == Some(&true)
        };
        let is_incomplete = !changed_pages.is_empty() && changed_pages.iter().all(is_gone);
        Some((equal, DerivedFrom { shared, is_incomplete, ..DerivedFrom::new(entry, changed_pages) }))
    };
    let found: Vec<_> = images.iter().filter_map(near).collect();
    let rank =
        |(equal, near): &(usize, DerivedFrom)| (near.shared.equal, *equal, usize::MAX - near.changed_pages.len());
    let best = found.iter().map(rank).max()?;
    let mut nearest: Vec<DerivedFrom> =
        found.into_iter().filter(|found| rank(found) == best).map(|(_, near)| near).collect();
    for near in &mut nearest {
        near.changes = proved(near, bytes);
    }
    if nearest.iter().any(|near| near.changes.is_some()) {
        nearest.retain(|near| near.changes.is_some());
    }
    let mut nearest = nearest.into_iter();
    let first = nearest.next()?;
    Some(DerivedFrom { others: nearest.map(|near| near.entry).collect(), ..first })
}

fn is_blank(page: &[u8]) -> bool {
    matches!(page[0], 0x00 | 0xFF) && page.iter().all(|&byte| byte == page[0])
}

/// The changed bytes, if there is one a page. Undoing them must give the known image's SHA-256.
fn proved(near: &DerivedFrom, bytes: &[u8]) -> Option<Vec<ChangedByte>> {
    let mut image = bytes.get(..near.entry.size)?.to_vec();
    let mut changes = Vec::new();
    for &page in &near.changed_pages {
        let start = page * PAGE;
        let end = near.entry.size.min(start + PAGE);
        let (at, flipped) = single_change(&image[start..end], near.entry.pages[page])?;
        let offset = start + at;
        changes.push(ChangedByte { offset, was: image[offset] ^ flipped, is: image[offset] });
        image[offset] ^= flipped;
    }
    (Sha256Digest(Sha256::digest(&image).into()) == near.entry.sha256).then_some(changes)
}

/// The byte, and the bits of it, that have to be flipped for a page to have another CRC. A CRC is linear: the
/// difference of two depends on the flipped bits and their distance from the end only.
fn single_change(page: &[u8], wanted: u32) -> Option<(usize, u8)> {
    let difference = CRC.checksum(page) ^ wanted;
    let mut effects = [0u32; 8];
    for (bit, effect) in effects.iter_mut().enumerate() {
        *effect = behind_a_byte(1 << bit);
    }
    for at in (0..page.len()).rev() {
        let mut by_value = [0u32; 256];
        for value in 1..256usize {
            by_value[value] = by_value[value & (value - 1)] ^ effects[value.trailing_zeros() as usize];
            if by_value[value] == difference {
                return Some((at, value as u8));
            }
        }
        effects = effects.map(behind_a_byte);
    }
    None
}

/// The register of the CRC after another byte of zeros.
fn behind_a_byte(register: u32) -> u32 {
    (0..8).fold(register, |register, _| if register & 1 == 1 { register >> 1 ^ POLYNOMIAL } else { register >> 1 })
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature is serde's")]
fn name<S: Serializer>(entry: &&'static Entry, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&entry.name)
}

fn names<S: Serializer>(entries: &[&'static Entry], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(entries.iter().map(|entry| &entry.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{Kind, sample::Sample, sha256};

    fn rows(images: &[&[u8]]) -> &'static [Entry] {
        let rows = images.iter().enumerate().map(|(at, bytes)| {
            let pages = bytes.chunks(PAGE).map(|page| CRC.checksum(page)).map(|page| format!("{page:08x}"));
            let yaml = format!(
                "{{ name: sample {at}, kind: drv, scooters: [], chips: [], size: {}, sha256: '{}', origin: x, pages: '{}' }}",
                bytes.len(),
                sha256(bytes),
                pages.collect::<Vec<_>>().join(" ")
            );
            yaml_serde::from_str(&yaml).unwrap()
        });
        Box::leak(rows.collect())
    }

    #[test]
    fn a_changed_byte_is_found_and_proved() {
        let image = Sample::drv(10_000).bytes();
        let rows = rows(&[&Sample::boot(3000).bytes(), &image]);
        for offset in [0, 1023, 1024, 5922, 9999] {
            let mut changed = image.clone();
            changed[offset] ^= 0x81;
            let near = nearest(rows, &changed).unwrap();
            let change = ChangedByte { offset, was: image[offset], is: changed[offset] };
            assert_eq!((near.entry.name.as_str(), near.entry.kind), ("sample 1", Kind::Drv));
            assert_eq!(near.difference(changed.len()), "1 byte changed");
            assert_eq!((near.pages, near.changed_pages, near.changes), (10, vec![offset / 1024], Some(vec![change])));
        }
    }

    #[test]
    fn more_changes_are_counted_in_pages() {
        let image = Sample::drv(10_000).bytes();
        let rows = rows(&[&image]);
        let mut changed = image.clone();
        changed[5000..5004].copy_from_slice(&[1, 2, 3, 4]);
        changed[7000] ^= 1;
        let near = nearest(rows, &changed).unwrap();
        assert_eq!(near.difference(changed.len()), "changes in 2 of 10 KiB");
        assert_eq!((near.changed_pages, near.changes), (vec![4, 6], None));
        changed[7000] ^= 1;
        changed[5000..5004].copy_from_slice(&image[5000..5004]);
        changed.extend([0; 8]);
        let near = nearest(rows, &changed).unwrap();
        assert_eq!((near.difference(changed.len()), near.changes), ("8 bytes added at the end".into(), Some(vec![])));
    }

    #[test]
    fn an_image_that_ends_early_is_a_prefix() {
        let image = Sample::drv(10_000).bytes();
        let rows = rows(&[&image]);
        for len in [2048, 5000, 9999] {
            assert!(nearest(rows, &image[..len]).unwrap().is_prefix(len), "{len}");
        }
        assert!(!nearest(rows, &image).unwrap().is_prefix(10_000));
        let mut changed = image[..5000].to_vec();
        changed[100] ^= 1;
        assert!(!nearest(rows, &changed).unwrap().is_prefix(5000));
    }

    #[test]
    fn an_image_of_its_own_is_near_none() {
        let rows = rows(&[&Sample::drv(10_000).bytes()]);
        assert!(nearest(rows, &[0; 10_000]).is_none());
        assert!(nearest(rows, &[]).is_none());
        assert!(nearest(rows, &Sample::drv(10_000).bytes()[1..]).is_none());
    }
}
