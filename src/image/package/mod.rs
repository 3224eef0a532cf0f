//! Update packages: a zip with the firmware, plain or encrypted or both, and a description of it.
//!
//! v1 and v2 have an `info.txt` (`DownG`, `BotoX`), v3 an `info.json` (scooterhacking/fw-zip-package-v3), the universal form
//! both. People zip packages again with the folder around them, and images without a description: that is read too.
//! Members are read in memory; nothing is extracted.

mod directory;
mod info;
#[cfg(test)]
pub(crate) mod sample;
mod zip_contents;

use serde::Serialize;

pub use self::{
    directory::DirectoryError,
    info::{FirmwareType, InfoError, Model},
};
use self::{
    info::{Info, Members, Stated},
    zip_contents::{Files, PackedFirmware, ZipContents},
};
use super::{
    Foreign,
    cipher::{self, CipherError},
    digest::md5,
};
use crate::target::FlashMap;

const PLAIN: &str = "FIRM.bin";
const ENCRYPTED: &str = "FIRM.bin.enc";

/// What a package is and what its description has, beside the firmware.
#[derive(Debug, Clone, Serialize)]
pub struct Package {
    /// Which form of package.
    pub generation: Generation,
    /// Which board the firmware is for.
    #[serde(rename = "type")]
    pub firmware: FirmwareType,
    /// Which scooter it is for; none if the description leaves it open.
    pub model: Option<Model>,
    /// The scooter in the `info.txt` beside an `info.json`.
    #[serde(skip)]
    pub(super) second_model: Option<Model>,
    /// What its maker calls it.
    pub title: Option<String>,
    /// The controllers it lists; empty if it lists none (v1, v2).
    pub compatible: Vec<String>,
    /// What is wrong with the MD5s in it.
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

/// Why a zip cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// The archive, or a member that would be read, is refused.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// Firmware of another board, too large for any motor controller.
    #[error("{0}")]
    OtherBoard(FirmwareType),
    /// A zip without an image.
    #[error("the zip contains no firmware file")]
    NoFirmware,
    /// The only file that may be firmware is not.
    #[error("the zip contains no firmware: {name:?} is {what}")]
    Foreign {
        /// The member's name.
        name: String,
        /// What it is.
        what: Foreign,
    },
    /// Several images without a description, or several packages.
    #[error("the zip contains several firmware files: {}", .0.join(", "))]
    Several(Vec<String>),
    /// A zip in a zip in a zip.
    #[error("the zip contains another zip ({0:?}): unpack it and use that one")]
    Nested(String),
    /// A description that cannot be used.
    #[error(transparent)]
    Info(#[from] InfoError),
    /// Two descriptions that name two kinds of firmware.
    #[error("info.json and info.txt differ: {json:?} and {text:?}")]
    Types {
        /// What `info.json` has.
        json: FirmwareType,
        /// What `info.txt` has.
        text: FirmwareType,
    },
    /// The only member is encrypted, and cannot be decrypted.
    #[error("{ENCRYPTED} cannot be decrypted")]
    Cipher(#[source] CipherError),
}

impl Package {
    /// The scooters it is for, by their names on the command line; empty if it is for none of those, or does not name any.
    pub fn scooters(&self) -> Vec<&'static str> {
        self.model.as_ref().map_or_else(Vec::new, Model::scooters)
    }

    /// How it differs from its own description: wrong MD5s, members that are missing or differ.
    pub fn faults(&self) -> impl Iterator<Item = &str> {
        self.md5_faults.iter().chain(&self.member_faults).map(String::as_str)
    }
}

/// What a zip holds for a board.
pub(super) enum Unpacked {
    /// Firmware with a description, plain.
    Package(Vec<u8>, Package),
    /// A file that is to be judged by its bytes.
    Loose {
        /// Its name in the zip.
        name: String,
        /// As it is there.
        bytes: Vec<u8>,
    },
}

/// Reads a zip.
pub(super) fn read(zip: &[u8]) -> Result<Unpacked, PackageError> {
    match zip_contents::read(zip)? {
        ZipContents::Described(files) => {
            described(files).map(|(firmware, package)| Unpacked::Package(firmware, package))
        }
        ZipContents::Loose { name, bytes } => Ok(Unpacked::Loose { name, bytes }),
    }
}

/// Finds everything in a zip that may be firmware, whether there is one file of that kind or many.
pub(super) fn all(zip: &[u8]) -> Vec<Unpacked> {
    zip_contents::all(zip)
}

/// The firmware of a package, plain, and what the package has about it.
fn described(files: Files) -> Result<(Vec<u8>, Package), PackageError> {
    let json = files.json.as_deref().map(info::json).transpose()?;
    let text = files.text.as_deref().map(info::text).transpose()?;
    if let (Some(json), Some(text)) = (&json, &text)
        && json.firmware != text.firmware
    {
        return Err(PackageError::Types { json: json.firmware, text: text.firmware });
    }
    let about = json.as_ref().or(text.as_ref()).ok_or(PackageError::NoFirmware)?;
    // A dashboard has more flash than a controller, so its firmware may be refused for its size; what it is comes first.
    let PackedFirmware { plain, encrypted } = files.firmware.map_err(|error| match about.firmware {
        FirmwareType::Drv => error,
        other => PackageError::OtherBoard(other),
    })?;
    for (name, bytes) in [(PLAIN, &plain), (ENCRYPTED, &encrypted)] {
        let size = bytes.as_ref().map_or(0, |bytes| bytes.len() as u64);
        let limit = FlashMap::largest().flash.len() as u64;
        if about.firmware == FirmwareType::Drv && size > limit {
            return Err(DirectoryError::Size { name: name.into(), size, limit }.into());
        }
    }
    let generation = match (&json, &text) {
        (Some(_), Some(_)) => Generation::Universal,
        (Some(_), None) => Generation::V3,
        (None, _) if encrypted.is_some() => Generation::V2,
        (None, _) => Generation::V1,
    };
    let (plain, encrypted) = (plain.as_deref(), encrypted.as_deref());
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
                Ok(_) => member_faults.push(format!("{ENCRYPTED} and {PLAIN} contain different firmware")),
                Err(error) => member_faults.push(format!("{ENCRYPTED} cannot be decrypted: {error}")),
            }
            plain.to_vec()
        }
        (None, Some(encrypted)) => cipher::decrypt(encrypted).map_err(PackageError::Cipher)?,
        (None, None) => return Err(PackageError::NoFirmware),
    };
    let second_model = json.as_ref().and(text.as_ref()).and_then(|text| text.model.clone());
    let Info { firmware: kind, model, title, compatible, .. } = json.or(text).ok_or(PackageError::NoFirmware)?;
    let package =
        Package { generation, firmware: kind, model, second_model, title, compatible, md5_faults, member_faults };
    Ok((firmware, package))
}

fn wrong_md5(info: &Info, plain: Option<&[u8]>, encrypted: Option<&[u8]>) -> Vec<String> {
    let check = |name: &str, bytes: Option<&[u8]>, stated: &Stated, is_used: bool| {
        let found = md5(bytes?);
        match stated {
            Stated::Digest(stated) if *stated != found => {
                Some(format!("the MD5 of {name} is {found}, but the package lists {stated}"))
            }
            Stated::Garbage(text) => Some(format!("the package lists {text:?} as the MD5 of {name}")),
            Stated::Nothing if is_used => Some(format!("the package lists no MD5 of {name}")),
            _ => None,
        }
    };
    // Schema 2 has one MD5, whichever member there is.
    let is_one = plain.is_none() && info.members.is_none() && info.md5_encrypted == Stated::Nothing;
    let of_encrypted = if is_one { &info.md5 } else { &info.md5_encrypted };
    [check(PLAIN, plain, &info.md5, true), check(ENCRYPTED, encrypted, of_encrypted, plain.is_none())]
        .into_iter()
        .flatten()
        .collect()
}

fn wrong_members(info: &Info, plain: bool, encrypted: bool) -> Vec<String> {
    let (says_plain, says_encrypted) = match info.members {
        None => return vec![],
        Some(Members::Both) => (true, true),
        Some(Members::Plain) => (true, false),
        Some(Members::Encrypted) => (false, true),
    };
    let missing = |name, says: bool, is: bool| (says && !is).then(|| format!("{name} is missing"));
    [missing(PLAIN, says_plain, plain), missing(ENCRYPTED, says_encrypted, encrypted)].into_iter().flatten().collect()
}

/// Decrypting leaves the zeros that encrypting added.
fn same(plain: &[u8], decrypted: &[u8]) -> bool {
    decrypted.strip_prefix(plain).is_some_and(|rest| rest.len() < 8 && rest.iter().all(|&byte| byte == 0))
}

#[cfg(test)]
mod tests {
    use super::{
        sample::{ZipMember, zip},
        *,
    };

    fn read(zip: &[u8]) -> Result<(Vec<u8>, Package), PackageError> {
        match super::read(zip)? {
            Unpacked::Package(firmware, package) => Ok((firmware, package)),
            Unpacked::Loose { .. } => Err(PackageError::NoFirmware),
        }
    }

    fn text(members: &str, md5s: &str) -> ZipMember {
        ZipMember::new("info.txt", format!("dev: M365;\nnam: Test;\nenc: {members};\ntyp: DRV;\n{md5s}").as_bytes())
    }

    fn both(plain: &[u8], encrypted: &[u8]) -> Vec<ZipMember> {
        let md5s = format!("md5: {};\nmd5e: {};\n", md5(plain), md5(encrypted));
        vec![ZipMember::new(PLAIN, plain), ZipMember::new(ENCRYPTED, encrypted), text("B", &md5s)]
    }

    #[test]
    fn the_plain_member_is_taken_and_the_other_compared() {
        let plain = b"some firmware".repeat(100);
        let (firmware, package) = read(&zip(&both(&plain, &cipher::encrypt(&plain)))).unwrap();
        assert_eq!((firmware, package.generation), (plain.clone(), Generation::V2));
        assert!(package.md5_faults.is_empty() && package.member_faults.is_empty());

        let (_, package) = read(&zip(&both(&plain, &cipher::encrypt(b"another firmware")))).unwrap();
        assert_eq!(package.member_faults, ["FIRM.bin.enc and FIRM.bin contain different firmware"]);
        let (_, package) = read(&zip(&both(&plain, &plain[..64]))).unwrap();
        assert!(package.member_faults[0].starts_with("FIRM.bin.enc cannot be decrypted: the checksum is "));
    }

    #[test]
    fn an_encrypted_member_alone_is_decrypted() {
        let plain = b"some firmware!!!".repeat(64);
        let encrypted = cipher::encrypt(&plain);
        let member = ZipMember::new(ENCRYPTED, &encrypted);
        let (firmware, package) =
            read(&zip(&[member.clone(), text("Y", &format!("md5e: {};", md5(&encrypted)))])).unwrap();
        assert_eq!(firmware, [&plain[..], &[0; 4]].concat());
        assert!(package.md5_faults.is_empty() && package.member_faults.is_empty());

        let (_, package) = read(&zip(&[member, text("Y", "")])).unwrap();
        assert_eq!(package.md5_faults, ["the package lists no MD5 of FIRM.bin.enc"]);
        let garbage = ZipMember::new(ENCRYPTED, &[7; 64]);
        assert!(matches!(read(&zip(&[garbage, text("Y", "")])), Err(PackageError::Cipher(_))));
    }

    #[test]
    fn a_wrong_md5_is_a_fault() {
        let plain = b"some firmware";
        let (_, package) =
            read(&zip(&[ZipMember::new(PLAIN, plain), text("N", &format!("md5: {};", md5(b"other")))])).unwrap();
        assert_eq!(package.generation, Generation::V1);
        assert_eq!(package.md5_faults.len(), 1);
        assert!(package.md5_faults[0].contains(&md5(plain).to_string()));
    }

    #[test]
    fn a_promised_member_that_is_missing_is_a_fault() {
        let plain = b"some firmware";
        let (_, package) =
            read(&zip(&[ZipMember::new(PLAIN, plain), text("B", &format!("md5: {};", md5(plain)))])).unwrap();
        assert_eq!(package.member_faults, ["FIRM.bin.enc is missing"]);
    }

    #[test]
    fn a_package_of_another_board_is_called_so_though_it_is_too_large() {
        let large = vec![7; 140_000];
        let info = |kind| ZipMember::new("info.txt", format!("dev: M365;\nenc: N;\ntyp: {kind};\n").as_bytes());
        let of = |large: &[u8], kind| read(&zip(&[ZipMember::new(PLAIN, large), info(kind)]));
        let (_, package) = of(&large, "BLE").expect("the Max G2's dashboard has firmware of that length");
        assert_eq!(package.firmware, FirmwareType::Ble);
        let message = |kind| of(&vec![7; if kind == "DRV" { 140_000 } else { 600_000 }], kind).unwrap_err().to_string();
        assert_eq!(
            message("BLE"),
            "a BLE package: firmware of the dashboard's Bluetooth board, not of the motor controller"
        );
        assert_eq!(message("BMS"), "a BMS package: firmware of the battery's own board, not of the motor controller");
        assert_eq!(message("DRV"), "the zip's member \"FIRM.bin\" is too large: 140000 bytes; the limit is 131072");
    }

    #[test]
    fn a_package_may_be_in_a_folder_with_other_things_beside() {
        let plain = b"some firmware";
        let info = text("N", &format!("md5: {};", md5(plain)));
        let named = |name: &str, raw: &ZipMember| ZipMember { name: name.into(), ..raw.clone() };
        let firm = ZipMember::new(PLAIN, plain);
        let junk = [
            ZipMember::new("__MACOSX/1.5.5/._FIRM.bin", b"junk"),
            ZipMember::new("1.5.5/.DS_Store", b"junk"),
            ZipMember::new("1.5.5/Anleitung f\u{fc}r alle.txt", b"junk"),
            ZipMember { size: 5_000_000, method: 8, ..ZipMember::new("photo.jpg", &deflated(&vec![7; 60_000])) },
        ];
        for (folder, separator) in [("1.5.5", "/"), ("a/b", "/"), ("1.5.5", "\\")] {
            let inside = |name: &str| format!("{folder}{separator}{name}");
            let members =
                [named(&inside(PLAIN), &firm), named(&inside("info.txt"), &info), ZipMember::new("1.5.5/", b"")];
            let (firmware, package) = read(&zip(&[&members[..], &junk].concat())).unwrap();
            assert_eq!((&firmware[..], package.faults().count()), (&plain[..], 0), "{folder}");
        }
        let version = [named("2.0.1/2.0.1.bin", &firm), named("2.0.1/info.txt", &info)];
        assert_eq!(read(&zip(&version)).unwrap().0, plain);
        let two = [named("a/FIRM.bin", &firm), named("a/info.txt", &info), named("b/info.txt", &info)];
        let message = read(&zip(&two)).unwrap_err().to_string();
        assert_eq!(message, "the zip contains several firmware files: \"a\", \"b\"");
        let outside = [text("N", ""), named("a/FIRM.bin", &firm)];
        assert!(matches!(read(&zip(&outside)), Err(PackageError::NoFirmware)), "beside its description, not below");
    }

    #[test]
    fn an_image_without_a_description_is_taken_if_it_is_the_only_one() {
        let file = |name: &str| ZipMember::new(name, name.as_bytes());
        let image = |members: &[ZipMember]| match super::read(&zip(members)) {
            Ok(Unpacked::Loose { name, bytes }) if bytes == name.as_bytes() => Ok(name),
            Ok(_) => panic!("another member"),
            Err(error) => Err(error.to_string()),
        };
        assert_eq!(image(&[file("DRV999")]).unwrap(), "DRV999");
        assert_eq!(image(&[file("für.bin"), file("lies mich.txt"), file("__MACOSX/._x.bin")]).unwrap(), "für.bin");
        assert_eq!(image(&[file("a/x.BIN.enc"), file("a/x.bin")]).unwrap(), "a/x.bin");
        assert_eq!(image(&[file("a.txt"), file("b.txt")]).unwrap_err(), "the zip contains no firmware file");
        assert_eq!(image(&[]).unwrap_err(), "the zip contains no firmware file");
        let several = "the zip contains several firmware files: \"a.bin\", \"b.hex\"";
        assert_eq!(image(&[file("a.bin"), file("b.hex")]).unwrap_err(), several);
        assert!(matches!(read(&zip(&[text("N", "")])), Err(PackageError::NoFirmware)));
    }

    #[test]
    fn a_text_named_as_a_description_that_describes_nothing_makes_no_package() {
        let note = ZipMember::new("info.txt", b"Tested on my Pro: works.\nhttps://example.org/\n");
        let (one, other) = (ZipMember::new("a.bin", b"some firmware"), ZipMember::new("b.bin", b"other firmware"));
        let read = |members: &[ZipMember]| super::read(&zip(members));
        let Ok(Unpacked::Loose { name, .. }) = read(&[note.clone(), one.clone()]) else { panic!("the only image") };
        assert_eq!(name, "a.bin");
        let several = read(&[note.clone(), one.clone(), other.clone()]).err().map(|error| error.to_string());
        assert_eq!(several.as_deref(), Some("the zip contains several firmware files: \"a.bin\", \"b.bin\""));
        let inside = super::all(&zip(&[note, one.clone(), other]));
        assert_eq!(inside.len(), 2);
        // One that begins to describe firmware is a description, and damaged.
        let damaged = ZipMember::new("info.txt", b"dev: M365;\nenc: N;\n");
        assert!(matches!(read(&[damaged, one]), Err(PackageError::Info(_))));
    }

    #[test]
    fn a_zip_that_was_zipped_again_is_opened_once() {
        let plain = b"some firmware".repeat(100);
        let inner = zip(&both(&plain, &cipher::encrypt(&plain)));
        let outer = zip(&[ZipMember::new("package.zip", &inner)]);
        assert_eq!(read(&outer).unwrap().0, plain);
        let message = read(&zip(&[ZipMember::new("outer.zip", &outer)])).unwrap_err().to_string();
        assert_eq!(message, "the zip contains another zip (\"outer.zip\"): unpack it and use that one");
    }

    #[test]
    fn the_one_md5_of_schema_2_is_of_the_member_there_is() {
        let plain = b"some firmware!!!".repeat(64);
        let encrypted = cipher::encrypt(&plain);
        let info = |digest| {
            let text = format!(
                r#"{{"schemaVersion": 2, "firmware": {{"type": "drv", "md5": "{digest}", "models": ["pro"]}}}}"#
            );
            ZipMember::new("info.json", text.as_bytes())
        };
        let faults = |members: &[ZipMember]| read(&zip(members)).unwrap().1.md5_faults.len();
        assert_eq!(faults(&[ZipMember::new(PLAIN, &plain), info(md5(&plain))]), 0);
        assert_eq!(faults(&[ZipMember::new(ENCRYPTED, &encrypted), info(md5(&encrypted))]), 0);
        assert_eq!(
            faults(&[ZipMember::new(PLAIN, &plain), ZipMember::new(ENCRYPTED, &encrypted), info(md5(&plain))]),
            0
        );
        assert_eq!(faults(&[ZipMember::new(PLAIN, &plain), info(md5(b""))]), 1);
    }

    #[test]
    fn firmware_of_a_dashboard_is_called_so_whatever_else_is_wrong() {
        let info = ZipMember::new("info.txt", b"dev: M365;\nnam: x;\nenc: N;\ntyp: BLE;\nmd5: No_MD5;\n");
        let (_, package) = read(&zip(&[ZipMember::new(PLAIN, b"x"), info])).unwrap();
        assert_eq!(package.firmware, FirmwareType::Ble);
        assert_eq!(package.md5_faults, ["the package lists \"No_MD5\" as the MD5 of FIRM.bin"]);
    }

    #[test]
    fn a_member_changed_behind_its_crc_is_refused() {
        let plain = b"some firmware".repeat(10);
        let good = zip(&both(&plain, &cipher::encrypt(&plain)));
        let start = good.windows(plain.len()).position(|window| window == plain).unwrap();
        for at in start..start + plain.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            let damaged = PackageError::Directory(DirectoryError::Member(PLAIN.into())).to_string();
            assert_eq!(read(&bad).unwrap_err().to_string(), damaged, "{at}");
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
        let lying = ZipMember { size: 50, method: 8, data: long, ..ZipMember::new(PLAIN, &[0x55; 100]) };
        let error = read(&zip(&[lying, text("N", "")])).unwrap_err();
        assert_eq!(error.to_string(), "the zip's member \"FIRM.bin\" is damaged");
    }

    fn deflated(bytes: &[u8]) -> Vec<u8> {
        // One stored block (RFC 1951 3.2.4) is a valid deflate stream.
        let len = u16::try_from(bytes.len()).unwrap();
        [&[1], &len.to_le_bytes()[..], &(!len).to_le_bytes()[..], bytes].concat()
    }
}
