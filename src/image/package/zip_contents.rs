//! Which members of a zip are the firmware and its description.
//!
//! People pack more than a package: the folder around it, what macOS and Windows put beside it, photos and notes. None of
//! that is read, so none of it matters.

use super::{
    ENCRYPTED, PLAIN, PackageError, Unpacked, described,
    directory::{Directory, MAX_MEMBER, Member},
    info::is_description,
};

/// Unpacked bytes of a description at most.
const MAX_INFO: u64 = 64 * 1024;
/// How the names of files end that may be firmware without a description.
const FIRMWARE_ENDINGS: [&str; 5] = [".bin", ".enc", ".hex", ".ihex", ".ihx"];

/// What a zip holds.
pub(super) enum ZipContents {
    /// A package.
    Described(Files),
    /// An image without a description.
    Loose { name: String, bytes: Vec<u8> },
}

/// The members of a package, unpacked.
pub(super) struct Files {
    pub(super) json: Option<Vec<u8>>,
    pub(super) text: Option<Vec<u8>>,
    pub(super) firmware: Result<PackedFirmware, PackageError>,
}

impl Files {
    /// Whether what has the name of a description is one.
    fn is_described(&self) -> bool {
        self.json.is_some() || self.text.as_deref().is_some_and(is_description)
    }
}

/// The firmware of a package; either may be missing.
pub(super) struct PackedFirmware {
    pub(super) plain: Option<Vec<u8>>,
    pub(super) encrypted: Option<Vec<u8>>,
}

/// Finds out what a zip holds, and unpacks it. A zip that holds nothing but a zip is opened too.
pub(super) fn read(zip: &[u8]) -> Result<ZipContents, PackageError> {
    let (name, bytes) = match open(zip)? {
        ZipContents::Loose { name, bytes } if is_zip(&bytes) => (name, bytes),
        contents => return Ok(contents),
    };
    match open(&bytes)? {
        ZipContents::Loose { bytes, .. } if is_zip(&bytes) => Err(PackageError::Nested(name)),
        contents => Ok(contents),
    }
}

fn is_zip(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04")
}

fn open(zip: &[u8]) -> Result<ZipContents, PackageError> {
    let mut directory = Directory::open(zip)?;
    let mut files = files(&directory);
    let folders = described_folders(&files);
    let described = match folders[..] {
        [] => None,
        // The top folder wins over what lies deeper.
        ["", ..] => Some(package(&mut directory, &files, "")?),
        [folder] => Some(package(&mut directory, &files, folder)?),
        ref several => return Err(PackageError::Several(several.iter().map(|name| format!("{name:?}")).collect())),
    };
    match described {
        Some(package) if package.is_described() => return Ok(ZipContents::Described(package)),
        // Some other text of that name.
        Some(_) => files.retain(|member| !is_info(&member.name)),
        None => {}
    }
    let image = loose(&files)?;
    let bytes = directory.unpack(image, MAX_MEMBER)?;
    Ok(ZipContents::Loose { name: image.name.clone(), bytes })
}

/// Finds every package and every other file in a zip that may be firmware, also in zips inside it. What cannot be unpacked
/// is left out.
pub(super) fn all(zip: &[u8]) -> Vec<Unpacked> {
    let Ok(mut directory) = Directory::open_for_search(zip) else { return vec![] };
    let files = files(&directory);
    let mut found = Vec::new();
    let mut packages = Vec::new();
    for folder in described_folders(&files) {
        // Another text may have the name of a description: then the files beside it are looked at one by one.
        if let Ok((firmware, package)) = package(&mut directory, &files, folder).and_then(described) {
            packages.push(folder);
            found.push(Unpacked::Package(firmware, package));
        }
    }
    for member in files.iter().filter(|member| !packages.contains(&folder(&member.name))) {
        let is_archive = file(&member.name).to_ascii_lowercase().ends_with(".zip");
        if !(is_image(member) || is_archive || files.len() == 1) {
            continue;
        }
        let Ok(bytes) = directory.unpack(member, MAX_MEMBER) else { continue };
        match open(&bytes) {
            _ if !is_zip(&bytes) => found.push(Unpacked::Loose { name: member.name.clone(), bytes }),
            Ok(ZipContents::Described(files)) => {
                found.extend(described(files).ok().map(|(firmware, package)| Unpacked::Package(firmware, package)));
            }
            Ok(ZipContents::Loose { name, bytes }) if !is_zip(&bytes) => found.push(Unpacked::Loose { name, bytes }),
            _ => {}
        }
    }
    found
}

/// The members that people put into a zip on purpose.
fn files(directory: &Directory<'_>) -> Vec<Member> {
    directory.members.iter().filter(|member| !is_junk(&member.name)).cloned().collect()
}

/// The folders with a description in them.
fn described_folders(files: &[Member]) -> Vec<&str> {
    let mut folders: Vec<&str> = files.iter().filter(|member| is_info(&member.name)).map(|m| folder(&m.name)).collect();
    folders.sort_unstable();
    folders.dedup();
    folders
}

/// The package in a folder of the zip.
fn package(directory: &mut Directory<'_>, files: &[Member], folder: &str) -> Result<Files, PackageError> {
    let inside = |member: &&Member| self::folder(&member.name) == folder;
    let find = |name: &str| files.iter().filter(inside).find(|m| file(&m.name).eq_ignore_ascii_case(name));
    let ending = |ending: &str| {
        let mut found = files.iter().filter(inside).filter(|m| file(&m.name).to_ascii_lowercase().ends_with(ending));
        found.next().filter(|_| found.next().is_none())
    };
    let (mut plain, mut encrypted) = (find(PLAIN), find(ENCRYPTED));
    if plain.is_none() && encrypted.is_none() {
        // Some name the members after the version.
        (plain, encrypted) = (ending(".bin"), ending(".enc"));
    }
    let mut unpack = |member: Option<&Member>, limit| member.map(|member| directory.unpack(member, limit)).transpose();
    let (json, text) = (unpack(find("info.json"), MAX_INFO)?, unpack(find("info.txt"), MAX_INFO)?);
    let plain = unpack(plain, MAX_MEMBER);
    let firmware = plain.and_then(|plain| Ok(PackedFirmware { plain, encrypted: unpack(encrypted, MAX_MEMBER)? }));
    Ok(Files { json, text, firmware: firmware.map_err(PackageError::Directory) })
}

/// The image of a zip without a description: the only file that may be one.
fn loose(files: &[Member]) -> Result<&Member, PackageError> {
    if let [only] = files {
        return Ok(only);
    }
    let lower = |member: &Member| file(&member.name).to_ascii_lowercase();
    let images: Vec<&Member> = files.iter().filter(|member| is_image(member)).collect();
    match images[..] {
        [] => Err(PackageError::NoFirmware),
        [only] => Ok(only),
        // Both forms of one image: the plain one.
        [first, second] if lower(second) == format!("{}.enc", lower(first)) => Ok(first),
        [first, second] if lower(first) == format!("{}.enc", lower(second)) => Ok(second),
        _ => Err(PackageError::Several(images.iter().map(|member| format!("{:?}", member.name)).collect())),
    }
}

/// Whether a file may be firmware, by how its name ends.
fn is_image(member: &Member) -> bool {
    let name = file(&member.name).to_ascii_lowercase();
    FIRMWARE_ENDINGS.iter().any(|ending| name.ends_with(ending))
}

/// Folders, and what systems put into archives by themselves.
fn is_junk(name: &str) -> bool {
    let junk = |part: &str| part.starts_with("._") || ["__MACOSX", ".DS_Store"].contains(&part);
    let file = file(name);
    file.is_empty() || name.split('/').any(junk) || ["thumbs.db", "desktop.ini"].contains(&&*file.to_ascii_lowercase())
}

fn is_info(name: &str) -> bool {
    ["info.json", "info.txt"].iter().any(|info| file(name).eq_ignore_ascii_case(info))
}

/// The folder of a member, empty for the top.
fn folder(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn file(name: &str) -> &str {
    name.rsplit_once('/').map_or(name, |(_, file)| file)
}

#[cfg(test)]
mod tests {
    use super::{
        super::sample::{ZipMember, zip},
        *,
    };

    #[test]
    fn a_zip_in_a_zip_is_searched_and_one_inside_that_is_not() {
        let around = |name: &str, bytes: &[u8]| zip(&[ZipMember::new(name, bytes)]);
        let names = |zip: &[u8]| {
            let name = |unpacked| match unpacked {
                Unpacked::Loose { name, bytes } => (name, bytes),
                Unpacked::Package(..) => panic!("a package"),
            };
            all(zip).into_iter().map(name).collect::<Vec<_>>()
        };
        let image = vec![0x5A; 64];
        let inner = around("a.bin", &image);
        assert_eq!(names(&inner), [("a.bin".to_owned(), image.clone())]);
        let outer = around("inner.zip", &inner);
        assert_eq!(names(&outer), [("a.bin".to_owned(), image)]);
        assert_eq!(names(&around("outer.zip", &outer)), []);
        assert!(matches!(read(&outer), Ok(ZipContents::Loose { name, .. }) if name == "a.bin"));
        let nested = read(&around("outer.zip", &outer));
        assert!(matches!(nested, Err(PackageError::Nested(name)) if name == "outer.zip"));
    }
}
