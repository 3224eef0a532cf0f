//! Update packages: a zip with the firmware, plain or encrypted or both, and a description of it.
//!
//! v1 and v2 describe themselves in `info.txt` (`DownG`, `BotoX`), v3 in `info.json` (scooterhacking/fw-zip-package-v3), the
//! universal form in both. Members are read by their exact names, in memory; nothing is extracted.

mod directory;
mod info;
#[cfg(test)]
pub(crate) mod sample;

use std::io::{Cursor, Read};

use serde::Serialize;
use zip::{ZipArchive, result::ZipError};

use self::info::{Info, Members};
pub use self::{
    directory::DirectoryError,
    info::{FirmwareType, InfoError, Model},
};
use super::{
    cipher::{self, CipherError},
    digest::{Md5Digest, md5},
};

const PLAIN: &str = "FIRM.bin";
const ENCRYPTED: &str = "FIRM.bin.enc";
/// Bytes of a description that are read of a package that is refused anyway.
const MAX_INFO: u64 = 4096;

/// What a package is and says, beside its firmware.
#[derive(Debug, Clone, Serialize)]
pub struct Package {
    /// Which form of package.
    pub generation: Generation,
    /// Which board the firmware is for.
    #[serde(rename = "type")]
    pub firmware: FirmwareType,
    /// Which scooter it is for.
    pub model: Model,
    /// What the `info.txt` beside an `info.json` says of that.
    #[serde(skip)]
    pub(super) second_model: Option<Model>,
    /// What its maker calls it.
    pub title: Option<String>,
    /// The controllers it lists; empty where it knows no chips (v1, v2).
    pub compatible: Vec<String>,
    /// What is wrong with the MD5s it states.
    #[serde(skip)]
    pub(super) md5_faults: Vec<String>,
    /// What is wrong with the set of its members.
    #[serde(skip)]
    pub(super) member_faults: Vec<String>,
}

/// The forms of update packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Generation {
    /// `info.txt` and a plain member.
    V1,
    /// `info.txt` and an encrypted member.
    V2,
    /// `info.json`.
    V3,
    /// Both descriptions.
    Universal,
}

/// Why a zip is no usable package.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// Its table of contents is refused.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// Firmware of another board, too large for any motor controller.
    #[error("{0}")]
    OtherBoard(FirmwareType),
    /// The zip cannot be read.
    #[error("the zip is damaged")]
    Zip(#[source] ZipError),
    /// A member cannot be unpacked, or is not what the table of contents says.
    #[error("the zip's member {name:?} is damaged")]
    Member {
        /// Its name.
        name: String,
        /// What went wrong.
        source: std::io::Error,
    },
    /// No description: a zip, but no update package.
    #[error("the zip has neither info.json nor info.txt")]
    NoInfo,
    /// A description without firmware.
    #[error("the zip has neither {PLAIN} nor {ENCRYPTED}")]
    NoFirmware,
    /// A description that cannot be used.
    #[error(transparent)]
    Info(#[from] InfoError),
    /// Two descriptions that name two kinds of firmware.
    #[error("info.json says {json:?}, info.txt says {text:?}")]
    Types {
        /// What `info.json` says.
        json: FirmwareType,
        /// What `info.txt` says.
        text: FirmwareType,
    },
    /// The only member is encrypted, and does not decrypt.
    #[error("{ENCRYPTED} does not decrypt")]
    Cipher(#[source] CipherError),
}

impl Package {
    /// The scooters it is for, by their names on the command line; empty where none of those is meant.
    pub fn scooters(&self) -> &'static [String] {
        self.model.scooters()
    }

    /// Where it does not hold what it says: wrong MD5s, members that are missing or differ.
    pub fn faults(&self) -> impl Iterator<Item = &str> {
        self.md5_faults.iter().chain(&self.member_faults).map(String::as_str)
    }
}

/// The firmware of a package, plain, and what the package says of it.
pub(super) fn read(zip: &[u8]) -> Result<(Vec<u8>, Package), PackageError> {
    let members = unpack(zip).map_err(|error| other_board(zip).map_or(error, PackageError::OtherBoard))?;
    let find = |name: &str| members.iter().find(|(found, _)| found == name).map(|(_, bytes)| bytes.as_slice());
    let json = find("info.json").map(info::json).transpose()?;
    let text = find("info.txt").map(info::text).transpose()?;
    let (plain, encrypted) = (find(PLAIN), find(ENCRYPTED));
    let generation = match (&json, &text) {
        (Some(json), Some(text)) if json.firmware != text.firmware => {
            return Err(PackageError::Types { json: json.firmware, text: text.firmware });
        }
        (Some(_), Some(_)) => Generation::Universal,
        (Some(_), None) => Generation::V3,
        (None, Some(_)) if encrypted.is_some() => Generation::V2,
        (None, Some(_)) => Generation::V1,
        (None, None) => return Err(PackageError::NoInfo),
    };
    let mut md5_faults = Vec::new();
    let mut member_faults = Vec::new();
    for info in [&json, &text].into_iter().flatten() {
        md5_faults.extend(wrong_md5(info, plain, encrypted));
        member_faults.extend(wrong_members(info, plain.is_some(), encrypted.is_some()));
    }
    let firmware = match (plain, encrypted) {
        (Some(plain), None) => plain.to_vec(),
        (Some(plain), Some(encrypted)) => {
            match cipher::decrypt(encrypted) {
                Ok(decrypted) if same(plain, &decrypted) => {}
                Ok(_) => member_faults.push(format!("{ENCRYPTED} decrypts to something else than {PLAIN}")),
                Err(error) => member_faults.push(format!("{ENCRYPTED} does not decrypt: {error}")),
            }
            plain.to_vec()
        }
        (None, Some(encrypted)) => cipher::decrypt(encrypted).map_err(PackageError::Cipher)?,
        (None, None) => return Err(PackageError::NoFirmware),
    };
    let second_model = json.as_ref().and(text.as_ref()).map(|text| text.model.clone());
    let Info { firmware: kind, model, title, compatible, .. } = json.or(text).ok_or(PackageError::NoInfo)?;
    let package =
        Package { generation, firmware: kind, model, second_model, title, compatible, md5_faults, member_faults };
    Ok((firmware, package))
}

/// What a package of large members is, where its description says so: dashboards have more flash than controllers.
fn other_board(zip: &[u8]) -> Option<FirmwareType> {
    if !matches!(directory::read(zip), Err(DirectoryError::Size { .. })) {
        return None;
    }
    let mut archive = ZipArchive::new(Cursor::new(zip)).ok()?;
    let mut read = |name: &str| {
        let mut bytes = Vec::new();
        archive.by_name(name).ok()?.take(MAX_INFO).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    };
    let json = read("info.json").and_then(|bytes| info::json(&bytes).ok());
    let info = json.or_else(|| info::text(&read("info.txt")?).ok())?;
    Some(info.firmware).filter(|firmware| *firmware != FirmwareType::Drv)
}

/// All members, each checked against its CRC.
fn unpack(zip: &[u8]) -> Result<Vec<(String, Vec<u8>)>, PackageError> {
    let members = directory::read(zip)?;
    let mut archive = ZipArchive::new(Cursor::new(zip)).map_err(PackageError::Zip)?;
    members
        .into_iter()
        .map(|member| {
            let mut bytes = Vec::with_capacity(member.size as usize);
            let file = archive.by_name(&member.name).map_err(PackageError::Zip)?;
            // One more than there may be, so that a member longer than it says is noticed.
            let read = file.take(member.size + 1).read_to_end(&mut bytes);
            let fault = match read {
                Ok(len) if len as u64 == member.size => return Ok((member.name, bytes)),
                Ok(_) => std::io::ErrorKind::InvalidData.into(),
                Err(error) => error,
            };
            Err(PackageError::Member { name: member.name, source: fault })
        })
        .collect()
}

fn wrong_md5(info: &Info, plain: Option<&[u8]>, encrypted: Option<&[u8]>) -> Vec<String> {
    let check = |name: &str, bytes: Option<&[u8]>, stated: Option<Md5Digest>, used: bool| {
        let found = md5(bytes?);
        match stated {
            Some(stated) if stated != found => Some(format!("the MD5 of {name} is {found}, stated is {stated}")),
            None if used => Some(format!("no MD5 of {name} is stated")),
            _ => None,
        }
    };
    [check(PLAIN, plain, info.md5, true), check(ENCRYPTED, encrypted, info.md5_encrypted, plain.is_none())]
        .into_iter()
        .flatten()
        .collect()
}

fn wrong_members(info: &Info, plain: bool, encrypted: bool) -> Vec<String> {
    let (says_plain, says_encrypted) = match info.members {
        Members::Both => (true, true),
        Members::Plain => (true, false),
        Members::Encrypted => (false, true),
    };
    let missing =
        |name, says: bool, is: bool| (says && !is).then(|| format!("there should be a {name}, there is none"));
    [missing(PLAIN, says_plain, plain), missing(ENCRYPTED, says_encrypted, encrypted)].into_iter().flatten().collect()
}

/// Decrypting leaves the zeros that encrypting added.
fn same(plain: &[u8], decrypted: &[u8]) -> bool {
    decrypted.strip_prefix(plain).is_some_and(|rest| rest.len() < 8 && rest.iter().all(|&byte| byte == 0))
}

#[cfg(test)]
mod tests {
    use super::{
        sample::{Raw, zip},
        *,
    };

    fn text(members: &str, md5s: &str) -> Raw {
        Raw::new("info.txt", format!("dev: M365;\nnam: Test;\nenc: {members};\ntyp: DRV;\n{md5s}").as_bytes())
    }

    fn both(plain: &[u8], encrypted: &[u8]) -> Vec<Raw> {
        let md5s = format!("md5: {};\nmd5e: {};\n", md5(plain), md5(encrypted));
        vec![Raw::new(PLAIN, plain), Raw::new(ENCRYPTED, encrypted), text("B", &md5s)]
    }

    #[test]
    fn the_plain_member_is_taken_and_the_other_compared() {
        let plain = b"some firmware".repeat(100);
        let (firmware, package) = read(&zip(&both(&plain, &cipher::encrypt(&plain)))).unwrap();
        assert_eq!((firmware, package.generation), (plain.clone(), Generation::V2));
        assert!(package.md5_faults.is_empty() && package.member_faults.is_empty());

        let (_, package) = read(&zip(&both(&plain, &cipher::encrypt(b"another firmware")))).unwrap();
        assert_eq!(package.member_faults, ["FIRM.bin.enc decrypts to something else than FIRM.bin"]);
        let (_, package) = read(&zip(&both(&plain, &plain[..64]))).unwrap();
        assert!(package.member_faults[0].starts_with("FIRM.bin.enc does not decrypt: the checksum is "));
    }

    #[test]
    fn an_encrypted_member_alone_is_decrypted() {
        let plain = b"some firmware!!!".repeat(64);
        let encrypted = cipher::encrypt(&plain);
        let member = Raw::new(ENCRYPTED, &encrypted);
        let (firmware, package) =
            read(&zip(&[member.clone(), text("Y", &format!("md5e: {};", md5(&encrypted)))])).unwrap();
        assert_eq!(firmware, [&plain[..], &[0; 4]].concat());
        assert!(package.md5_faults.is_empty() && package.member_faults.is_empty());

        let (_, package) = read(&zip(&[member, text("Y", "")])).unwrap();
        assert_eq!(package.md5_faults, ["no MD5 of FIRM.bin.enc is stated"]);
        let garbage = Raw::new(ENCRYPTED, &[7; 64]);
        assert!(matches!(read(&zip(&[garbage, text("Y", "")])), Err(PackageError::Cipher(_))));
    }

    #[test]
    fn a_wrong_md5_is_a_fault() {
        let plain = b"some firmware";
        let (_, package) =
            read(&zip(&[Raw::new(PLAIN, plain), text("N", &format!("md5: {};", md5(b"other")))])).unwrap();
        assert_eq!(package.generation, Generation::V1);
        assert_eq!(package.md5_faults.len(), 1);
        assert!(package.md5_faults[0].contains(&md5(plain).to_string()));
    }

    #[test]
    fn a_promised_member_that_is_missing_is_a_fault() {
        let plain = b"some firmware";
        let (_, package) = read(&zip(&[Raw::new(PLAIN, plain), text("B", &format!("md5: {};", md5(plain)))])).unwrap();
        assert_eq!(package.member_faults, ["there should be a FIRM.bin.enc, there is none"]);
    }

    #[test]
    fn a_package_of_another_board_is_called_so_though_it_is_too_large() {
        let large = vec![7; 140_000];
        let info = |kind| Raw::new("info.txt", format!("dev: M365;\nenc: N;\ntyp: {kind};\n").as_bytes());
        let message = |kind| read(&zip(&[Raw::new(PLAIN, &large), info(kind)])).unwrap_err().to_string();
        assert_eq!(
            message("BLE"),
            "a BLE package: firmware of the dashboard's Bluetooth board, not of the motor controller"
        );
        assert_eq!(message("BMS"), "a BMS package: firmware of the battery's own board, not of the motor controller");
        assert!(message("DRV").contains("says it has 140000 bytes"));
    }

    #[test]
    fn a_zip_that_is_no_package_is_refused() {
        assert!(matches!(read(&zip(&[Raw::new("a.txt", b"x")])), Err(PackageError::NoInfo)));
        assert!(matches!(read(&zip(&[text("N", "")])), Err(PackageError::NoFirmware)));
        let in_a_folder = Raw::new("a/FIRM.bin", b"x");
        assert!(matches!(read(&zip(&[text("N", ""), in_a_folder])), Err(PackageError::NoFirmware)));
    }

    #[test]
    fn a_member_changed_behind_its_crc_is_refused() {
        let plain = b"some firmware".repeat(10);
        let good = zip(&both(&plain, &cipher::encrypt(&plain)));
        let start = good.windows(plain.len()).position(|window| window == plain).unwrap();
        for at in start..start + plain.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert!(matches!(read(&bad), Err(PackageError::Member { .. })), "{at}");
        }
    }

    #[test]
    fn every_changed_byte_of_a_package_is_noticed_or_changes_nothing() {
        let plain = b"some firmware".repeat(10);
        let good = zip(&both(&plain, &cipher::encrypt(&plain)));
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            if let Ok((firmware, package)) = read(&bad) {
                let faults = [package.md5_faults, package.member_faults].concat();
                assert!(firmware == plain || !faults.is_empty(), "{at}");
            }
        }
    }

    #[test]
    fn a_member_longer_than_it_says_is_refused() {
        let long = deflated(&[0x55; 100]);
        let lying = Raw { size: 50, method: 8, data: long, ..Raw::new(PLAIN, &[0x55; 100]) };
        assert!(matches!(read(&zip(&[lying, text("N", "")])), Err(PackageError::Member { .. })));
    }

    fn deflated(bytes: &[u8]) -> Vec<u8> {
        // One stored block (RFC 1951 3.2.4) is a valid deflate stream.
        let len = u16::try_from(bytes.len()).unwrap();
        [&[1], &len.to_le_bytes()[..], &(!len).to_le_bytes()[..], bytes].concat()
    }
}
