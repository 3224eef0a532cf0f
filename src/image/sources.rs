//! Where the known images were published.

use std::sync::LazyLock;

use serde::Deserialize;

use super::{Entry, Sha256Digest};

/// A published file that holds a known image. It may have padding behind the image, or be an update package.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The repository on GitHub, as `CamiAlfa/M365_DRV_STLINK`.
    pub repository: String,
    /// The file in it.
    pub path: String,
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

/// `firmware/sources.yaml`.
static SOURCES: LazyLock<SourceTable> = LazyLock::new(|| {
    yaml_serde::from_str(include_str!("../../firmware/sources.yaml")).expect("a test reads the sources")
});

impl Entry {
    /// Where this image was published; empty if that is not known.
    ///
    /// ```
    /// use m365_drv::image::{Catalog, Kind};
    /// let boot = &Catalog::builtin().of("pro", Kind::Boot)[0];
    /// assert_eq!(boot.sources()[0].page(), "https://github.com/CamiAlfa/M365_DRV_STLINK");
    /// ```
    pub fn sources(&self) -> &'static [Source] {
        let published = SOURCES.images.iter().find(|published| published.sha256 == self.sha256);
        published.map_or(&[], |published| &published.files)
    }
}

impl Source {
    /// The address of the repository, for a browser.
    pub fn page(&self) -> String {
        format!("https://github.com/{}", self.repository)
    }

    /// The address of the file itself, at the commit where it was seen.
    pub fn url(&self) -> String {
        let commit = SOURCES.repositories.iter().find(|known| known.name == self.repository);
        let commit = commit.map_or("HEAD", |known| &known.commit);
        let path = self.path.replace(' ', "%20");
        format!("https://raw.githubusercontent.com/{}/{commit}/{path}", self.repository)
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
    fn every_image_of_a_supported_scooter_has_an_address() {
        for target in Target::all() {
            for kind in [Kind::Boot, Kind::Drv] {
                let entries = Catalog::builtin().of(&target.name, kind);
                let entries: Vec<_> = entries.into_iter().filter(|entry| !entry.is_rehearsal()).collect();
                assert!(!entries.is_empty(), "{} {kind}", target.name);
                for entry in entries {
                    assert!(!entry.sources().is_empty(), "{}", entry.name);
                }
            }
        }
    }

    #[test]
    fn every_address_is_of_a_known_image_and_a_known_commit() {
        let catalog = Catalog::builtin();
        for published in &SOURCES.images {
            assert!(catalog.entries().any(|entry| entry.sha256 == published.sha256), "{}", published.sha256);
            for source in &published.files {
                assert!(!source.url().contains("HEAD") && !source.url().contains(' '), "{}", source.url());
            }
        }
        let boot = &catalog.of("es2", Kind::Boot)[0].sources()[0];
        let commit = "b4e03683d5f9fe6981a615855e2e3d34c36ab844";
        let address = format!("https://raw.githubusercontent.com/CamiAlfa/M365_DRV_STLINK/{commit}/es2_boot.bin");
        assert_eq!((boot.url(), boot.path.as_str()), (address, "es2_boot.bin"));
    }
}
