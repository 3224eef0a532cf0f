//! What reports say about firmware and data.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use serde::{Serialize, Serializer};

use crate::{
    block::{DataBlock, Summary},
    image::{Catalog, Identified, Kind, Sha256Digest, inspect, sha256},
    version::Version,
};

/// An image, by what it says of itself and what the catalog says of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Firmware {
    /// SHA-256 of the image without what only fills its region.
    pub sha256: Sha256Digest,
    /// What to call it: the catalog's name, with what is the matter with it behind ("Pro DRV 1.5.5, modified"). None if it
    /// is not made from a known image.
    pub name: Option<String>,
    /// Its version; none if that is not certain.
    pub version: Option<Version>,
    /// Whether the catalog has it, with every byte.
    pub known: bool,
}

impl Firmware {
    /// What is in these bytes, an image or a whole region of flash; `None` if that is blank.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let end = bytes.iter().rposition(|byte| *byte != 0xFF)? + 1;
        let catalog = Catalog::builtin();
        let name = catalog.title(bytes);
        let whole = catalog.identify(bytes).filter(Identified::is_whole);
        let bytes = &bytes[..end.next_multiple_of(4).min(bytes.len())];
        Some(match whole {
            Some(identified) => {
                Self { sha256: identified.entry.sha256, name, version: identified.entry.version, known: true }
            }
            None => Self { sha256: sha256(bytes), name, version: inspect(bytes).version, known: false },
        })
    }
}

/// A gate that an image or the board failed and that the user forced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ForcedGate {
    /// What the image is for; `None` if the board failed it.
    pub kind: Option<Kind>,
    /// The gate's name.
    pub gate: &'static str,
    /// What it found.
    pub detail: String,
}

impl fmt::Display for ForcedGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Some(kind) => write!(f, "{} of the {kind}: {}", self.gate, self.detail),
            None => write!(f, "{}: {}", self.gate, self.detail),
        }
    }
}

/// A path in a report. Not every path is text; a report is, and must not fail after the work.
pub(super) fn path<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}

/// A path that may be missing.
#[expect(clippy::ref_option, reason = "serde hands over the field as it is")]
pub(super) fn some_path<S: Serializer>(path: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
    path.as_ref().map(|path| path.display().to_string()).serialize(serializer)
}

/// Paths in a report.
pub(super) fn paths<S: Serializer>(paths: &[PathBuf], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(paths.iter().map(|path| path.display().to_string()))
}

/// Where a data block came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DataSource {
    /// The board's flash.
    Flash,
    /// The SRAM of the firmware that was running on it.
    Sram,
    /// A file that the user gave.
    File,
    /// A backup of this board, made before it was erased.
    Backup,
    /// The factory's template, with what the user gave filled in.
    Template,
}

/// A data block with where it was found.
#[derive(Debug, Clone, Serialize)]
pub struct Data {
    /// Where it was found.
    pub source: DataSource,
    /// What is in it.
    #[serde(flatten)]
    pub block: Summary,
}

impl Data {
    pub(super) fn new(source: DataSource, block: &DataBlock) -> Self {
        Self { source, block: block.summary() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::BOOT;

    #[test]
    fn an_image_that_lacks_its_last_zeros_is_called_so_and_goes_by_its_real_bytes() {
        let whole = Firmware::of(BOOT).unwrap();
        assert!(whole.known && whole.sha256 == sha256(BOOT));

        let mut region = vec![0xFF; 4096];
        region[..BOOT.len()].copy_from_slice(BOOT);
        assert_eq!(Firmware::of(&region), Some(whole));
        // It ends in two zeros.
        region[BOOT.len() - 2..BOOT.len()].fill(0xFF);
        let cut = Firmware::of(&region).unwrap();
        let name = "rehearsal bootloader, without its last bytes";
        assert_eq!((cut.known, cut.name.as_deref()), (false, Some(name)));
        assert_eq!(cut.sha256, sha256(&region[..BOOT.len()]));
    }
}
