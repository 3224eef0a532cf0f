//! Hashes of a few bytes at many places of an image: they tell what an image was made from if something was changed in
//! nearly every page, so that no hash of a page is left.

use std::{fmt, ops::Range};

use serde::{Deserialize, Deserializer, de};

use super::digest::CRC;

/// Excerpts of an image, spread evenly over it.
const COUNT: usize = 64;
/// Bytes of one excerpt: so few that eight changed bytes in each KiB leave nine of ten alone.
const LEN: usize = 16;

/// The hash of each excerpt: the low half of its CRC-32, so that one of 65,536 is equal by chance.
#[derive(Clone, PartialEq, Eq, Default)]
pub(super) struct Excerpts(Vec<u16>);

/// How many excerpts of a known image are at their places in another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Shared {
    pub(super) equal: usize,
    /// Those of the known image that are not blank.
    all: usize,
}

impl Shared {
    /// True if this cannot be chance. DRV images for different scooters share 7 of 64 at most, versions for one scooter up to 59
    /// (all 85 images of the catalog that are published were compared).
    pub(super) fn is_lineage(self) -> bool {
        self.all >= COUNT / 4 && 4 * self.equal >= self.all
    }

    /// True if most of the known image is there.
    pub(super) fn is_most(self) -> bool {
        self.is_lineage() && 2 * self.equal > self.all
    }
}

impl Excerpts {
    /// Where an excerpt of an image of so many bytes is.
    fn place(index: usize, size: usize) -> Range<usize> {
        let start = (size * index / COUNT) & !3;
        start..start + LEN
    }

    /// Those of an image.
    #[cfg(test)]
    pub(super) fn of(image: &[u8]) -> Self {
        let of = |index| image.get(Self::place(index, image.len())).map_or(0, hash);
        Self((0..COUNT).map(of).collect())
    }

    /// How many of these, which are of an image of `size` bytes, some bytes have.
    pub(super) fn shared(&self, size: usize, bytes: &[u8]) -> Shared {
        let blank = [[0x00; LEN], [0xFF; LEN]].map(|blank| hash(&blank));
        let mut shared = Shared::default();
        for (index, excerpt) in self.0.iter().enumerate().filter(|(_, excerpt)| !blank.contains(excerpt)) {
            shared.all += 1;
            let is_equal = bytes.get(Self::place(index, size)).is_some_and(|bytes| hash(bytes) == *excerpt);
            shared.equal += usize::from(is_equal);
        }
        shared
    }
}

fn hash(bytes: &[u8]) -> u16 {
    CRC.checksum(bytes) as u16
}

impl fmt::Debug for Excerpts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} excerpts", self.0.len())
    }
}

/// Hexadecimal digits, four for each, with white space anywhere between two.
impl<'de> Deserialize<'de> for Excerpts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text: String = String::deserialize(deserializer)?.split_whitespace().collect();
        let bytes = hex::decode(&text).map_err(de::Error::custom)?;
        if bytes.len() != 2 * COUNT {
            return Err(de::Error::custom(format!("{} excerpts instead of {COUNT}", bytes.len() / 2)));
        }
        Ok(Self(bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        image::{Catalog, Kind},
        sim::{APP_64, APP_128, APP_COPIES},
    };

    #[test]
    fn the_catalog_has_the_excerpts_of_every_drv() {
        for entry in Catalog::builtin().entries().filter(|entry| entry.kind == Kind::Drv) {
            assert_eq!(entry.excerpts.0.len(), COUNT, "{entry}");
        }
        for app in [APP_64, APP_128, APP_COPIES] {
            let entry = Catalog::builtin().identify(app).unwrap().entry;
            assert_eq!(entry.excerpts, Excerpts::of(app), "{entry}");
        }
    }

    #[test]
    fn excerpts_are_found_at_their_places_only() {
        let excerpts = Excerpts::of(APP_64);
        let shared = |bytes: &[u8]| excerpts.shared(APP_64.len(), bytes);
        assert_eq!(shared(APP_64).equal, shared(APP_64).all);
        assert!(shared(APP_64).is_most());
        assert!(shared(&APP_64[..APP_64.len() / 3]).is_lineage() && !shared(&APP_64[..APP_64.len() / 3]).is_most());
        for other in [&[][..], &[0; 9000], &[0xFF; 9000], &APP_64[2..]] {
            assert!(!shared(other).is_lineage(), "{:?}", shared(other));
        }
    }
}
