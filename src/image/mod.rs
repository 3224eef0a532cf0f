//! Firmware files: what people have becomes an [`Image`], and whether it may be flashed is asked of its [`gates()`].
//!
//! A file's form is found by its content, never by its name: plain binary, Intel HEX, the update cipher, an update package
//! (zip), a data block, a backup, a dump of flash in any of its forms ([`Dump`]). What an image is comes from the
//! [`Catalog`] if it is known, and from the code itself ([`inspect()`]) in any case.

mod backup_file;
mod builders;
mod catalog;
pub mod cipher;
mod derived_from;
mod digest;
mod dump;
mod excerpts;
mod find;
mod foreign;
mod gates;
mod hex;
mod inspect;
mod origin;
mod package;
mod plain_bytes;
mod reach;
mod report;
#[cfg(test)]
pub(crate) mod sample;
mod thumb;

use std::{
    fmt,
    fs::File,
    io::Read,
    ops::Range,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use self::package::Unpacked;
use crate::block::LEN;

pub use self::{
    backup_file::{BackupFile, BackupFileError},
    builders::Builder,
    catalog::{Catalog, Entry, Exactness, Identified, Protects, PublishedFile},
    derived_from::{ChangedByte, DerivedFrom},
    digest::{DigestError, Md5Digest, Sha256Digest, md5, sha256},
    dump::{Block, Dump},
    find::{FindError, FoundImage, Shelf, TooLarge, extract, find},
    foreign::Foreign,
    gates::{Fit, GATES, Gate, RehearsalImages, gates},
    hex::{HexError, intel_hex},
    inspect::{Inspection, inspect},
    origin::{Origin, drv_region, origin},
    package::{DirectoryError, FirmwareType, Generation, InfoError, Model, Package, PackageError},
    report::{ImageReport, PartReport},
};

/// The longest zip taken, in bytes: there may be anything beside the firmware, and the largest public collection has 17 MiB.
const MAX_FILE: usize = 32 * 1024 * 1024;
/// The longest other file: 128 KiB as Intel HEX is 360 KiB.
const MAX_PLAIN: usize = 1024 * 1024;

/// What an image is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The 4 KiB at the beginning of flash.
    Boot,
    /// The controller's firmware, from 0x08001000.
    Drv,
    /// The 512-byte data block.
    Data,
    /// None of these, or not to be told.
    Unknown,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Boot => "bootloader",
            Self::Drv => "DRV",
            Self::Data => "data block",
            Self::Unknown => "unknown image",
        })
    }
}

/// The form a file had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Plain bytes.
    Bin,
    /// Intel HEX.
    Hex,
    /// Under the update cipher, with the right checksum.
    #[serde(rename = "enc")]
    Encrypted,
    /// An update package.
    #[serde(rename = "zip")]
    Package,
    /// More than one region of a board's flash.
    Dump,
    /// A data block, or the page with it.
    Data,
    /// A backup of this program.
    Backup,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bin => "plain binary",
            Self::Hex => "Intel HEX",
            Self::Encrypted => "encrypted update",
            Self::Package => "update package",
            Self::Dump => "flash dump",
            Self::Data => "data block",
            Self::Backup => "backup",
        })
    }
}

/// The bytes that a file holds for flash.
#[derive(Debug, Clone)]
pub struct Image {
    /// Plain bytes: decoded, unpacked and decrypted. Of a page with a data block only the block.
    pub bytes: Vec<u8>,
    /// Address of the first byte, if the file has one or is a dump.
    pub base: Option<u32>,
    /// Offsets in `bytes` that the file holds nothing for, in order: the gaps of an Intel HEX file. They read as 0xFF.
    pub gaps: Vec<Range<usize>>,
    /// The form of the file.
    pub format: Format,
    /// The option bytes behind a dump of flash, from 0x1FFFF800, with right complements.
    pub options: Option<[u8; 16]>,
    /// What the package around it has about it, if it came in one.
    pub package: Option<Package>,
    /// Its name in the zip, if it came in one without a description.
    pub member: Option<String>,
    /// The file that it was read from, if it came from one.
    pub file: Option<PathBuf>,
    /// For an image that was found and not named: which of the places searched has it. Of several images that fit, those of
    /// the first place go first.
    pub place: Option<usize>,
    /// The chips for which it is taken if all other images that fit are preferred for other chips, by the names that the catalog
    /// gives them.
    pub preferred_for: Vec<&'static str>,
}

/// Why a file is not an image.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The file cannot be read.
    #[error("the file cannot be read")]
    Read(#[source] std::io::Error),
    /// There is nothing in it.
    #[error("the file is empty")]
    Empty,
    /// No firmware of any board is that long.
    #[error("the file is too large ({} MiB; the limit is {} MiB)", tenths(*bytes), limit >> 20)]
    TooLong {
        /// Length of the file in bytes.
        bytes: u64,
        /// The longest that it may be.
        limit: usize,
    },
    /// Another kind of file.
    #[error("{0}")]
    Foreign(Foreign),
    /// It looks like Intel HEX and is broken.
    #[error("the Intel HEX file is refused")]
    Hex(#[source] HexError),
    /// A zip that cannot be used.
    #[error("the package is refused")]
    Package(#[source] PackageError),
    /// JSON that is not a backup.
    #[error("not an m365-drv backup")]
    Backup(#[source] BackupFileError),
    /// A backup of a board whose flash could not be read.
    #[error("the backup contains no flash: the board was read-protected when it was made")]
    NoFlash,
    /// The image lies elsewhere in flash.
    #[error("the image begins at {base:#010x} and has no data at {wanted:#010x}")]
    Elsewhere {
        /// Where it begins.
        base: u32,
        /// The address that was asked for.
        wanted: u32,
    },
}

/// A length in MiB with one decimal, rounded up so that what is over a limit does not look as if it were not.
fn tenths(bytes: u64) -> String {
    let tenths = (bytes * 10).div_ceil(1 << 20);
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// Reads a file, but no more of it than an image can have.
fn read_file(path: &Path) -> Result<Vec<u8>, ImageError> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(ImageError::Read)?;
    let len = file.metadata().map_err(ImageError::Read)?.len();
    file.take(MAX_FILE as u64 + 1).read_to_end(&mut bytes).map_err(ImageError::Read)?;
    if bytes.len() > MAX_FILE {
        return Err(ImageError::TooLong { bytes: len.max(bytes.len() as u64), limit: MAX_FILE });
    }
    Ok(bytes)
}

impl Image {
    /// Reads a file.
    pub fn open(path: &Path) -> Result<Self, ImageError> {
        Ok(Self { file: Some(path.into()), ..Self::from_bytes(&read_file(path)?)? })
    }

    /// Takes the bytes of a file.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ImageError> {
        if bytes.is_empty() {
            return Err(ImageError::Empty);
        }
        let is_zip = is_zip(bytes);
        let limit = if is_zip { MAX_FILE } else { MAX_PLAIN };
        if bytes.len() > limit {
            return Err(ImageError::TooLong { bytes: bytes.len() as u64, limit });
        }
        if is_zip {
            return Self::unpacked(package::read(bytes).map_err(ImageError::Package)?);
        }
        if let Some(text) = backup_text(bytes) {
            return Self::of_backup(BackupFile::decode(text).map_err(ImageError::Backup)?);
        }
        if let Some(text) = hex_text(bytes) {
            let hex::HexFile { base, mut bytes, mut gaps, options } = hex::read(text).map_err(ImageError::Hex)?;
            if plain_bytes::read(&bytes).format == Format::Data {
                // The rest of the page, as in plain bytes.
                bytes.truncate(LEN);
                gaps = gaps_within(&gaps, 0, LEN);
            }
            let options = options.filter(plain_bytes::options_are_right);
            // What was made from a binary without its address begins at 0; these chips have no flash there.
            let base =
                if base == 0 { plain_bytes::read(&bytes).base } else { Some(plain_bytes::address(base, &bytes)) };
            return Ok(Self { gaps, options, ..Self::new(bytes, base, Format::Hex) });
        }
        let raw = plain_bytes::read(bytes);
        if raw.format == Format::Bin {
            // The checksum inside makes this certain; plain code passes for encrypted once in 2^32.
            if let Ok(plain) = cipher::decrypt(bytes) {
                return Ok(Self::new(plain, None, Format::Encrypted));
            }
            if let Some(foreign) = foreign::foreign(bytes) {
                return Err(ImageError::Foreign(foreign));
            }
        }
        Ok(Self { options: raw.options, ..Self::new(raw.bytes.into(), raw.base, raw.format) })
    }

    /// What was in a zip.
    fn unpacked(unpacked: Unpacked) -> Result<Self, ImageError> {
        match unpacked {
            Unpacked::Package(bytes, package) => {
                Ok(Self { package: Some(package), ..Self::new(bytes, None, Format::Package) })
            }
            Unpacked::Loose { name, bytes } => match Self::from_bytes(&bytes) {
                Ok(image) => Ok(Self { member: Some(name), ..image }),
                Err(ImageError::Foreign(what)) => Err(ImageError::Package(PackageError::Foreign { name, what })),
                Err(error) => Err(error),
            },
        }
    }

    fn new(bytes: Vec<u8>, base: Option<u32>, format: Format) -> Self {
        Self {
            bytes,
            base,
            gaps: vec![],
            format,
            options: None,
            package: None,
            member: None,
            file: None,
            place: None,
            preferred_for: vec![],
        }
    }

    /// The flash in a backup.
    fn of_backup(saved: BackupFile) -> Result<Self, ImageError> {
        let flash = saved.flash.ok_or(ImageError::NoFlash)?;
        let options = Some(saved.option_bytes).filter(plain_bytes::options_are_right);
        Ok(Self { options, ..Self::new(flash, Some(inspect::boot_region().start), Format::Backup) })
    }

    /// Whether it holds more than one region of flash.
    pub fn is_dump(&self) -> bool {
        let Some(base) = self.base else { return false };
        let end = u64::from(base) + self.bytes.len() as u64;
        // No DRV is longer than the largest map has room for.
        let (boot, drv) = (inspect::boot_region(), inspect::longest_drv());
        boot.contains(&base) && end > boot.end.into() || base == drv.start && end > drv.end.into()
    }

    /// What it holds for a region: itself, or its share if it is a dump or a HEX file that begins before the region.
    /// Erased flash at the end of a share is left off.
    pub fn part(self, region: &Range<u32>) -> Result<Self, ImageError> {
        let Some(base) = self.base else { return Ok(self) };
        let len = (region.end - region.start) as usize;
        if base >= region.start && !self.is_dump() {
            return Ok(self);
        }
        let elsewhere = ImageError::Elsewhere { base, wanted: region.start };
        let Some(from) = region.start.checked_sub(base).and_then(|from| self.bytes.get(from as usize..)) else {
            return Err(elsewhere);
        };
        let share = &from[..from.len().min(len)];
        let Some(last) = share.iter().rposition(|&byte| byte != 0xFF) else { return Err(elsewhere) };
        // Flash is programmed by half-words.
        let bytes = share[..(last + 1).next_multiple_of(2).min(share.len())].to_vec();
        let gaps = gaps_within(&self.gaps, self.bytes.len() - from.len(), bytes.len());
        Ok(Self { bytes, base: Some(region.start), gaps, ..self })
    }

    /// SHA-256 of the plain bytes.
    pub fn digest(&self) -> Sha256Digest {
        sha256(&self.bytes)
    }

    /// What it is: by the catalog, else by its form, its reset vector, and for a DRV the addresses that every DRV names.
    pub fn kind(&self) -> Kind {
        match (Catalog::builtin().identify(&self.bytes), self.format) {
            (Some(known), _) => known.entry.kind,
            _ if self.is_dump() => Kind::Unknown,
            (None, _) if plain_bytes::read(&self.bytes).format == Format::Data => Kind::Data,
            (None, _) => match thumb::word(&self.bytes, 4) {
                Some(reset) if inspect::boot_region().contains(&reset) => Kind::Boot,
                // Firmware of batteries begins at the same address.
                Some(reset) if inspect::longest_drv().contains(&reset) => {
                    if inspect::is_of_a_battery(&self.bytes) {
                        Kind::Unknown
                    } else {
                        Kind::Drv
                    }
                }
                // Damaged vectors do not hide what it was made from.
                _ => match Catalog::builtin().nearest(&self.bytes) {
                    Some(near) if near.is_modified() => near.entry.kind,
                    _ => Kind::Unknown,
                },
            },
        }
    }
}

/// The gaps that lie in `len` bytes from `start`, counted from there.
fn gaps_within(gaps: &[Range<usize>], start: usize, len: usize) -> Vec<Range<usize>> {
    let place = |at: usize| at.saturating_sub(start).min(len);
    gaps.iter().map(|gap| place(gap.start)..place(gap.end)).filter(|gap| !gap.is_empty()).collect()
}

fn is_zip(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06")
}

/// A text of records; the first character decides, so that a broken file is called a broken HEX file.
fn hex_text(bytes: &[u8]) -> Option<&str> {
    let text = str::from_utf8(bytes).ok()?.trim_start_matches('\u{FEFF}');
    text.trim_start().starts_with(':').then_some(text)
}

/// A JSON object, as backups are.
fn backup_text(bytes: &[u8]) -> Option<&str> {
    let text = str::from_utf8(bytes).ok()?.trim_start_matches('\u{FEFF}');
    text.trim_start().starts_with('{').then_some(text)
}

#[cfg(test)]
mod tests {
    use super::{sample::Sample, *};
    use crate::block::DataBlock;

    const BOOT: Range<u32> = 0x0800_0000..0x0800_1000;
    const DRV: Range<u32> = 0x0800_1000..0x0800_8400;

    fn read(bytes: &[u8]) -> Image {
        Image::from_bytes(bytes).unwrap()
    }

    #[test]
    fn the_form_is_told_by_the_content() {
        let drv = Sample::drv(5000).bytes();
        let plain = read(&drv);
        assert_eq!((plain.format, plain.base, &plain.bytes, plain.kind()), (Format::Bin, None, &drv, Kind::Drv));

        let hex = read(intel_hex(0x0800_1000, &drv).as_bytes());
        assert_eq!((hex.format, hex.base, &hex.bytes), (Format::Hex, Some(0x0800_1000), &drv));

        let encrypted = read(&cipher::encrypt(&drv));
        assert_eq!((encrypted.format, &encrypted.bytes[..5000]), (Format::Encrypted, &drv[..]));

        let mut block = [0; 512];
        block[..2].copy_from_slice(&[0x5C, 0x51]);
        assert_eq!((read(&block).format, read(&block).kind()), (Format::Data, Kind::Data));
        assert_eq!(read(&vec![0xFF; 0x1_0000]).format, Format::Dump);
        assert_eq!(read(&Sample::boot(3000).bytes()).kind(), Kind::Boot);
        assert_eq!(read(b"hello\0").kind(), Kind::Unknown);
    }

    #[test]
    fn a_hex_file_that_counts_flash_from_0_has_its_parts_where_the_chip_has_them() {
        let drv = Sample::drv(5000).bytes();
        let hex = read(intel_hex(0x1000, &drv).as_bytes());
        assert_eq!((hex.base, &hex.bytes, hex.kind()), (Some(0x0800_1000), &drv, Kind::Drv));
        let block = DataBlock::template();
        let hex = read(intel_hex(0xF800, block.as_bytes()).as_bytes());
        assert_eq!((hex.base, &hex.bytes[..], hex.kind()), (Some(0x0800_F800), &block.as_bytes()[..], Kind::Data));
        // What leads to no place behind its own address is something else.
        let strange = read(intel_hex(0x2000, &drv).as_bytes());
        assert_eq!(strange.base, Some(0x2000));
    }

    #[test]
    fn what_is_no_image_is_refused() {
        assert!(matches!(Image::from_bytes(&[]), Err(ImageError::Empty)));
        let too_long = Image::from_bytes(&vec![0; MAX_PLAIN + 400_000]).unwrap_err().to_string();
        assert_eq!(too_long, "the file is too large (1.4 MiB; the limit is 1 MiB)");
        let zip = [&b"PK\x03\x04"[..], &vec![0; MAX_FILE]].concat();
        let too_long = Image::from_bytes(&zip).unwrap_err().to_string();
        assert_eq!(too_long, "the file is too large (32.1 MiB; the limit is 32 MiB)");
        assert!(matches!(Image::from_bytes(b":00"), Err(ImageError::Hex(_))));
        assert!(matches!(Image::from_bytes(b"PK\x03\x04"), Err(ImageError::Package(_))));
        assert!(matches!(Image::open(Path::new("/nowhere/at/all")), Err(ImageError::Read(_))));
    }

    #[test]
    fn a_dump_is_taken_apart_by_region() {
        let (boot, drv) = (Sample::boot(3000).bytes(), Sample::drv(5000).bytes());
        let mut flash = vec![0xFF; 0x1_0000];
        flash[..3000].copy_from_slice(&boot);
        flash[0x1000..0x1000 + 5000].copy_from_slice(&drv);
        let share = read(&flash).part(&DRV).unwrap();
        assert_eq!((share.bytes, share.base, share.format), (drv.clone(), Some(0x0800_1000), Format::Dump));
        assert_eq!(read(&flash).part(&BOOT).unwrap().bytes, boot);
        assert!(matches!(read(&vec![0xFF; 0x1_0000]).part(&DRV), Err(ImageError::Elsewhere { .. })));

        let hex = intel_hex(0x0800_0000, &flash[..0x4000]);
        assert_eq!(read(hex.as_bytes()).part(&DRV).unwrap().bytes, drv);
        assert_eq!(read(hex.as_bytes()).part(&BOOT).unwrap().bytes, boot);
    }

    #[test]
    fn the_gaps_of_a_share_are_counted_from_its_first_byte() {
        let drv = Sample::drv(5000).bytes();
        let mut flash = vec![0xFF; 0x1000];
        flash[..3000].copy_from_slice(&Sample::boot(3000).bytes());
        flash.extend(&drv);
        let text = intel_hex(0x0800_0000, &flash);
        // Records of 32 bytes: one inside the bootloader, erased flash between, one of the DRV.
        let lacks = |at: usize| (3008..0x1000).contains(&at) || [64, 0x1000 + 2048].contains(&at);
        let kept = text.lines().enumerate().filter(|(line, _)| *line == 0 || !lacks((line - 1) * 32));
        let whole = read(kept.map(|(_, line)| line).collect::<Vec<_>>().join("\n").as_bytes());
        assert_eq!(whole.gaps, [64..96, 3008..0x1000, 0x1800..0x1820]);
        assert_eq!(whole.clone().part(&DRV).unwrap().gaps[0], 2048..2080);
        assert_eq!(whole.part(&BOOT).unwrap().gaps[0], 64..96);
        assert!(read(intel_hex(0x0800_1000, &drv).as_bytes()).gaps.is_empty());
    }

    #[test]
    fn an_image_of_one_region_stays_whole() {
        let long = Sample::drv(29_700).bytes();
        assert_eq!(read(&long).part(&DRV).unwrap().bytes, long);
        let hex = intel_hex(0x0800_1000, &long);
        assert_eq!(read(hex.as_bytes()).part(&DRV).unwrap().bytes, long, "its length is the size gate's business");
        let boot = intel_hex(0x0800_0000, &Sample::boot(3000).bytes());
        assert!(matches!(
            read(boot.as_bytes()).part(&DRV),
            Err(ImageError::Elsewhere { base: 0x0800_0000, wanted: 0x0800_1000 })
        ));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..600)) {
            if let Ok(image) = Image::from_bytes(&bytes) {
                let _ = image.kind();
                let _ = ImageReport::new(&image);
                let _ = image.part(&DRV);
            }
        }
    }
}
