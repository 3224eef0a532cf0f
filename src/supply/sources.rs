//! The public files that hold known images, as `firmware/sources.yaml` has them.

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;

use crate::image::{Entry, Sha256Digest};

/// A published file that holds a known image. It may have padding behind the image, or be an update package.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The repository on GitHub, as `CamiAlfa/M365_DRV_STLINK`.
    pub repository: String,
    /// The file in it.
    pub path: String,
    /// The length of the file in bytes.
    pub size: usize,
    /// The commit in which the file was seen, 40 hexadecimal digits.
    #[serde(skip)]
    pub commit: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SourceTable {
    repositories: Vec<Repository>,
    images: Vec<Published>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Repository {
    name: String,
    commit: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Published {
    sha256: Sha256Digest,
    files: Vec<Source>,
}

/// The public files of each image, by the image's SHA-256.
static SOURCES: LazyLock<BTreeMap<Sha256Digest, Vec<Source>>> = LazyLock::new(|| {
    let sources: SourceTable =
        yaml_serde::from_str(include_str!("../../firmware/sources.yaml")).expect("a test reads the sources");
    let commits: BTreeMap<_, _> = sources.repositories.into_iter().map(|known| (known.name, known.commit)).collect();
    let with_commit = |source: Source| Source { commit: commits[&source.repository].clone(), ..source };
    let files = |published: Published| (published.sha256, published.files.into_iter().map(with_commit).collect());
    sources.images.into_iter().map(files).collect()
});

/// The public files that hold an image, the best one first; empty if none is known.
///
/// ```
/// use m365_drv::{image::{Catalog, Kind}, supply};
/// let boot = &Catalog::builtin().of("pro", Kind::Boot)[0];
/// assert_eq!(supply::sources(boot)[0].page(), "https://github.com/CamiAlfa/M365_DRV_STLINK");
/// ```
pub fn sources(entry: &Entry) -> &'static [Source] {
    SOURCES.get(&entry.sha256).map_or(&[], Vec::as_slice)
}

impl Source {
    /// The address of the repository, for a browser.
    pub fn page(&self) -> String {
        format!("https://github.com/{}", self.repository)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        image::{Catalog, Kind},
        target::Target,
    };

    #[test]
    fn every_image_of_a_supported_scooter_has_a_public_file() {
        for target in Target::all() {
            for kind in [Kind::Boot, Kind::Drv] {
                let entries = Catalog::builtin().of(&target.name, kind);
                let entries: Vec<_> = entries.into_iter().filter(|entry| !entry.is_rehearsal()).collect();
                assert!(!entries.is_empty(), "{} {kind}", target.name);
                for entry in entries {
                    assert!(!sources(entry).is_empty(), "{}", entry.name);
                }
            }
        }
    }

    #[test]
    fn every_public_file_is_of_a_known_image_and_long_enough_for_it() {
        for (sha256, files) in &*SOURCES {
            let entry = Catalog::builtin().entries().find(|entry| entry.sha256 == *sha256);
            let entry = entry.unwrap_or_else(|| panic!("{sha256}"));
            for source in files {
                assert!(source.size >= entry.size && source.size < 128 << 10, "{source:?}");
                assert!(source.commit.len() == 40, "{source:?}");
            }
        }
    }
}
