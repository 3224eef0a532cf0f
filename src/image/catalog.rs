//! The known images, and which of them some bytes are.

use std::{collections::BTreeMap, fmt, sync::LazyLock};

use serde::{Deserialize, Deserializer, Serialize, de};
use sha2::{Digest, Sha256};

use super::{
    Kind, cipher,
    digest::{Md5Digest, Sha256Digest},
    excerpts::Excerpts,
};
use crate::version::Version;

/// Zeros that the update cipher's framing puts behind an image, at most.
const MAX_PADDING: usize = 8;

/// The catalog: images, and the names that update packages use for scooters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalog {
    pub(super) images: Vec<Entry>,
    models: Vec<ModelName>,
    devices: Vec<Named>,
    idents: Vec<Named>,
    others: Vec<Other>,
}

/// One known image.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// What to call it: "Pro DRV 1.5.5".
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Its version, which bootloaders and data blocks have none of.
    #[serde(default, deserialize_with = "version")]
    pub version: Option<Version>,
    /// The scooters it was made for, by the names of the command line; names of unsupported ones stand there too.
    pub scooters: Vec<String>,
    /// The chips it runs on: `stm32f103`, `gd32f103`, `gd32e103`, `at32f415`.
    pub chips: Vec<String>,
    /// When it switches read-out protection on by itself; none where nobody looked.
    #[serde(default)]
    pub protects: Option<Protects>,
    /// Whether the serial number decides the region, and with it the speed limit; false also if nobody looked.
    #[serde(default)]
    pub regional: bool,
    /// Length in bytes, without padding and checksum.
    pub size: usize,
    /// SHA-256 of so many bytes.
    pub sha256: Sha256Digest,
    /// MD5 of so many bytes, where the image was at hand.
    #[serde(default)]
    pub md5: Option<Md5Digest>,
    /// Where it was published.
    pub origin: String,
    /// The same image as published with padding or checksum.
    #[serde(default)]
    pub files: Vec<PublishedFile>,
    /// What else is to be known.
    #[serde(default)]
    pub remarks: Option<String>,
    /// Why it is never flashed, although it may be for a scooter that is supported.
    #[serde(default)]
    pub refused: Option<String>,
    /// What to know before it goes onto one of its chips, by the chip.
    #[serde(default)]
    pub cautions: BTreeMap<String, String>,
    /// Bytes that the published image lacks at its end, by its own start-up table; 0 for a whole one.
    #[serde(default)]
    pub missing: usize,
    /// Its longest run of 0xFF or 0x00 in bytes, if there is one of more than 28; the vendor's have none.
    #[serde(default)]
    pub(super) blank: usize,
    #[serde(default)]
    tail: Option<String>,
    #[serde(default, deserialize_with = "pages")]
    pub(super) pages: Vec<u32>,
    #[serde(default)]
    pub(super) excerpts: Excerpts,
}

/// A file that holds a known image with something behind it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishedFile {
    /// Length in bytes.
    pub size: usize,
    /// SHA-256 of the file.
    pub sha256: Sha256Digest,
    /// MD5 of the file.
    pub md5: Md5Digest,
    /// Where it was published.
    pub origin: String,
}

/// When an image switches read-out protection on by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protects {
    /// At each start, on a bare bench too.
    AtStart,
    /// Once the self-test has passed, which it does not on a bare bench.
    AfterSelfTest,
    /// Never.
    Never,
}

/// What an `info.json` calls a scooter.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelName {
    name: String,
    board: String,
    scooters: Vec<String>,
}

/// What an `info.txt` or an image itself calls a scooter.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    name: String,
    scooters: Vec<String>,
}

/// A scooter that is not supported.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Other {
    name: String,
    title: String,
}

/// How bytes agree with a known image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exactness {
    /// Byte for byte, and nothing else.
    Exact,
    /// Followed by zeros or erased flash.
    Padded,
    /// Followed by the update cipher's checksum, and perhaps padding.
    WithChecksum,
    /// All but up to eight zeros at its end: a board that holds this reads 0xFF in their place.
    Stripped,
}

/// A known image found in some bytes.
#[derive(Debug, Clone, Copy)]
pub struct Identified {
    /// Its row.
    pub entry: &'static Entry,
    /// How exactly.
    pub exactness: Exactness,
}

impl Identified {
    /// False where bytes of the image are missing. Such bytes may be named after it, but do not count as right.
    pub fn is_whole(&self) -> bool {
        self.exactness != Exactness::Stripped
    }

    /// What to call it: the name in the catalog, with what is missing behind.
    pub fn title(&self) -> String {
        let missing = if self.is_whole() { "" } else { ", without its last bytes" };
        format!("{}{missing}", self.entry)
    }
}

impl Catalog {
    /// The catalog that is part of this program, `firmware/catalog.yaml`.
    pub fn builtin() -> &'static Self {
        static CATALOG: LazyLock<Catalog> = LazyLock::new(|| {
            yaml_serde::from_str(include_str!("../../firmware/catalog.yaml")).expect("the catalog is tested")
        });
        &CATALOG
    }

    /// All rows, as they stand in the file.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.images.iter()
    }

    /// The images of a scooter that may be flashed, oldest first.
    pub fn of(&self, scooter: &str, kind: Kind) -> Vec<&Entry> {
        let may_be = |entry: &&Entry| entry.kind == kind && entry.is_for(scooter) && entry.refused.is_none();
        let mut entries: Vec<_> = self.entries().filter(may_be).collect();
        entries.sort_by_key(|entry| entry.version);
        entries
    }

    /// The known image that these bytes are, from their first to their last: a file, or a region read from flash.
    pub fn identify(&'static self, bytes: &[u8]) -> Option<Identified> {
        // Erased flash behind an image; the AT32 bootloader ends in some of its own.
        let end = bytes.iter().rposition(|&byte| byte != 0xFF)? + 1;
        let data = &bytes[..end];
        let whole = self.prefixes(bytes).find_map(|entry| {
            let exactness = entry.rest(data, bytes.len())?;
            Some(Identified { entry, exactness })
        });
        whole.or_else(|| Some(Identified { entry: self.stripped(data)?, exactness: Exactness::Stripped }))
    }

    /// The rows whose digest is that of the first bytes. One pass over the bytes.
    fn prefixes<'a>(&'static self, bytes: &'a [u8]) -> impl Iterator<Item = &'static Entry> + 'a {
        let mut rows: Vec<&'static Entry> = self.images.iter().filter(|row| row.size <= bytes.len()).collect();
        rows.sort_by_key(|row| row.size);
        let mut hasher = Sha256::new();
        let mut done = 0;
        rows.into_iter().filter(move |row| {
            hasher.update(&bytes[done..row.size]);
            done = row.size;
            Sha256Digest(hasher.clone().finalize().into()) == row.sha256
        })
    }

    /// The row whose digest is that of all these bytes with up to [`MAX_PADDING`] zeros added.
    fn stripped(&'static self, data: &[u8]) -> Option<&'static Entry> {
        let lengths = data.len() + 1..=data.len() + MAX_PADDING;
        let mut rows = self.images.iter().filter(|row| lengths.contains(&row.size)).peekable();
        rows.peek()?;
        let hasher = Sha256::new_with_prefix(data);
        rows.find(|row| {
            let zeros = &[0; MAX_PADDING][..row.size - data.len()];
            Sha256Digest(hasher.clone().chain_update(zeros).finalize().into()) == row.sha256
        })
    }

    /// The full name of a scooter that is not supported; none for the supported ones.
    pub fn other(&self, scooter: &str) -> Option<&str> {
        self.others.iter().find(|other| other.name == scooter).map(|other| &*other.title)
    }

    /// The scooters that an `info.json` means.
    pub(super) fn model(&self, name: &str) -> &[String] {
        let model = self.models.iter().find(|model| model.name.eq_ignore_ascii_case(name));
        model.map_or(&[], |model| &model.scooters)
    }

    /// How the controllers of a scooter are called in packages.
    pub(super) fn board(&self, scooter: &str) -> Option<&str> {
        let model = self.models.iter().find(|model| model.scooters.iter().any(|name| name == scooter))?;
        Some(&model.board)
    }

    /// The scooters whose images carry an ident, unsupported ones too; none if nobody has seen it.
    pub fn ident(&self, text: &str) -> Option<&[String]> {
        self.idents.iter().find(|ident| ident.name == text).map(|ident| &*ident.scooters)
    }

    /// The scooters that an `info.txt` means; capitals do not matter.
    pub(super) fn device(&self, name: &str) -> &[String] {
        let device = self.devices.iter().find(|device| device.name.eq_ignore_ascii_case(name));
        device.map_or(&[], |device| &device.scooters)
    }
}

impl Entry {
    /// True where the image was made for a scooter.
    pub fn is_for(&self, scooter: &str) -> bool {
        self.scooters.iter().any(|name| name == scooter)
    }

    /// What to know before the image goes onto a chip that it runs on.
    pub fn caution(&self, chip: &str) -> Option<&str> {
        self.cautions.get(chip).map(String::as_str)
    }

    /// True for our own, which are for the simulated board only.
    pub fn is_rehearsal(&self) -> bool {
        self.origin == "rehearsal"
    }

    /// Whether the published files hold all of the image.
    pub fn is_complete(&self) -> bool {
        self.missing == 0
    }

    /// Whether it is another form of an image of the same version: its name ends in what is different, in brackets.
    pub fn is_variant(&self) -> bool {
        self.name.ends_with(')')
    }

    /// True where the image runs on a chip.
    pub fn runs_on(&self, chip: &str) -> bool {
        self.chips.iter().any(|name| name == chip)
    }

    /// What stands behind the image; none where it is more than padding and checksum. `data` ends where erased flash
    /// begins, `len` counts that too.
    fn rest(&self, data: &[u8], len: usize) -> Option<Exactness> {
        let rest = data.get(self.size..).unwrap_or_default();
        let zeros = rest.iter().take_while(|&&byte| byte == 0).count();
        if zeros == rest.len() {
            return Some(if len == self.size { Exactness::Exact } else { Exactness::Padded });
        }
        let own = cipher::checksum(&data[..self.size]).to_le_bytes();
        let tail = self.tail.as_ref().and_then(|tail| hex::decode(tail).ok());
        // The checksum's own first bytes may be zeros.
        let found = (0..=zeros.min(MAX_PADDING)).any(|skip| {
            let (checksum, behind) = rest[skip..].split_at_checked(4).unwrap_or_default();
            (checksum == own || tail.as_deref() == Some(checksum)) && behind.iter().all(|byte| matches!(byte, 0 | 0xFF))
        });
        found.then_some(Exactness::WithChecksum)
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

fn version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Version>, D::Error> {
    let text = String::deserialize(deserializer)?;
    Version::parse(&text).map(Some).ok_or_else(|| de::Error::custom(format!("invalid version `{text}`")))
}

fn pages<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u32>, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.split_whitespace().map(|page| u32::from_str_radix(page, 16).map_err(de::Error::custom)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn catalog_of(images: &[(&[u8], Option<&str>)]) -> &'static Catalog {
        let rows = images.iter().enumerate().map(|(at, (bytes, tail))| Entry {
            name: format!("sample {at}"),
            kind: Kind::Drv,
            version: None,
            scooters: vec!["pro".into()],
            chips: vec![],
            protects: None,
            regional: false,
            size: bytes.len(),
            sha256: super::super::sha256(bytes),
            md5: None,
            origin: "here".into(),
            files: vec![],
            remarks: None,
            refused: None,
            cautions: BTreeMap::new(),
            missing: 0,
            blank: 0,
            tail: tail.map(Into::into),
            pages: vec![],
            excerpts: Excerpts::default(),
        });
        Box::leak(Box::new(Catalog {
            images: rows.collect(),
            models: vec![],
            devices: vec![],
            idents: vec![],
            others: vec![],
        }))
    }

    fn exactness(catalog: &'static Catalog, bytes: &[u8]) -> Option<(&'static str, Exactness)> {
        catalog.identify(bytes).map(|found| (found.entry.name.as_str(), found.exactness))
    }

    #[test]
    fn the_catalog_reads_and_keeps_its_own_rules() {
        let catalog = Catalog::builtin();
        let mut names = BTreeSet::new();
        let mut digests = BTreeSet::new();
        for entry in catalog.entries() {
            assert!(names.insert(&entry.name), "{entry} stands twice");
            assert!(digests.insert(entry.sha256), "{entry} is another row's image");
            assert!(matches!(entry.kind, Kind::Boot | Kind::Drv | Kind::Data), "{entry}");
            assert!(entry.files.iter().all(|file| file.size > entry.size), "{entry}");
            assert!(entry.pages.is_empty() || entry.pages.len() == entry.size.div_ceil(1024), "{entry}");
            assert!(!entry.origin.is_empty() && !entry.chips.is_empty(), "{entry}");
            let is_ours = entry.scooters.iter().any(|scooter| catalog.board(scooter).is_some());
            assert!(entry.version.is_some() || entry.kind != Kind::Drv || !is_ours, "{entry}");
            let is_named = |scooter: &String| catalog.board(scooter).is_some() != catalog.other(scooter).is_some();
            assert!(entry.scooters.iter().all(is_named), "{entry}");
            assert!(entry.cautions.keys().all(|chip| entry.runs_on(chip)), "{entry}");
        }
        for scooter in ["m365", "pro", "1s", "pro2", "lite", "mi3", "es2"] {
            assert!(!catalog.of(scooter, Kind::Boot).is_empty(), "{scooter}");
            assert!(catalog.of(scooter, Kind::Drv).is_sorted_by_key(|entry| entry.version), "{scooter}");
            assert!(catalog.board(scooter).is_some() && !catalog.device(scooter).is_empty() || scooter == "es2");
        }
        assert_eq!(catalog.ident("Scooter_Mi1S_V0"), Some(&["1s".to_owned(), "lite".into(), "pro".into()][..]));
        assert_eq!(catalog.device("M365").len(), 6);
        assert_eq!(catalog.device("ES"), ["es2"]);
    }

    #[test]
    fn an_image_is_known_by_all_its_bytes() {
        let catalog = catalog_of(&[(b"alpha!", None), (b"alpha!beta", None)]);
        assert_eq!(exactness(catalog, b"alpha!"), Some(("sample 0", Exactness::Exact)));
        assert_eq!(exactness(catalog, b"alpha!beta"), Some(("sample 1", Exactness::Exact)));
        for other in [&b""[..], b"\xFF\xFF", b"alpha", b"alpha?", b"alpha!beta?", b"alpha!bet"] {
            assert_eq!(exactness(catalog, other), None, "{other:?}");
        }
    }

    #[test]
    fn padding_and_erased_flash_behind_an_image_do_not_hide_it() {
        let catalog = catalog_of(&[(b"alpha!", None)]);
        let padded = Some(("sample 0", Exactness::Padded));
        assert_eq!(exactness(catalog, b"alpha!\0\0"), padded);
        assert_eq!(exactness(catalog, b"alpha!\xFF\xFF\xFF"), padded);
        assert_eq!(exactness(catalog, b"alpha!\0\0\xFF\xFF"), padded);
        assert_eq!(exactness(catalog, b"alpha!\0\x01"), None);
    }

    #[test]
    fn zeros_missing_at_the_end_do_not_hide_it() {
        let catalog = catalog_of(&[(b"alpha\0\0\0", None), (b"beta\0\0\0\0\0\0\0\0\0", None)]);
        let stripped = |name| Some((name, Exactness::Stripped));
        assert_eq!(exactness(catalog, b"alpha"), stripped("sample 0"));
        assert_eq!(exactness(catalog, b"alpha\0"), stripped("sample 0"));
        assert_eq!(exactness(catalog, b"alpha\xFF\xFF"), stripped("sample 0"));
        assert_eq!(exactness(catalog, b"beta"), None, "nine are too many");
        assert_eq!(exactness(catalog, b"beta\0"), stripped("sample 1"));
    }

    #[test]
    fn an_image_without_its_last_zeros_is_not_whole() {
        let catalog = catalog_of(&[(b"alpha\0\0\0", None)]);
        let is_whole = |bytes: &[u8]| catalog.identify(bytes).map(|known| known.is_whole());
        for whole in [&b"alpha\0\0\0"[..], b"alpha\0\0\0\0", b"alpha\0\0\0\xFF\xFF"] {
            assert_eq!(is_whole(whole), Some(true), "{whole:?}");
        }
        for cut in [&b"alpha\0\0"[..], b"alpha\0\0\xFF", b"alpha\xFF\xFF\xFF\xFF\xFF"] {
            assert_eq!(is_whole(cut), Some(false), "{cut:?}");
        }
    }

    #[test]
    fn an_image_that_ends_in_erased_flash_is_known() {
        let catalog = catalog_of(&[(b"alpha\xFF\xFF", None)]);
        assert_eq!(exactness(catalog, b"alpha\xFF\xFF"), Some(("sample 0", Exactness::Exact)));
        assert_eq!(exactness(catalog, b"alpha\xFF\xFF\xFF"), Some(("sample 0", Exactness::Padded)));
        assert_eq!(exactness(catalog, b"alpha\xFF"), None);
        assert_eq!(exactness(catalog, b"alpha"), None);
    }

    #[test]
    fn the_checksum_of_an_update_file_may_follow() {
        let image = b"alpha beta gamma";
        let catalog = catalog_of(&[(image, Some("0badf00d"))]);
        let with = |rest: &[u8]| exactness(catalog, &[&image[..], rest].concat());
        let found = Some(("sample 0", Exactness::WithChecksum));
        let own = cipher::checksum(image).to_le_bytes();
        assert_eq!(with(&own), found);
        assert_eq!(with(&[&[0; 4], &own[..], &[0; 4], &[0xFF; 9]].concat()), found);
        assert_eq!(with(&[0x0B, 0xAD, 0xF0, 0x0D]), found, "the row's own tail");
        assert_eq!(with(&[1, 2, 3, 4]), None);
        assert_eq!(with(&[&own[..], &[1]].concat()), None);
    }
}
