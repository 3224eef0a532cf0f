//! Finding known images in folders full of files, by their bytes.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    fmt, fs,
    io::Read,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use walkdir::{DirEntry, WalkDir};

use super::{
    Catalog, Dump, Entry, Exactness, FirmwareType, Image, ImageError, Kind, MAX_FILE, PackageError, is_zip, package,
    read_file, sha256, tenths,
};
use crate::{printable::quoted_path, target::FlashMap};

/// Files looked at in one search, at most: a clone of a firmware collection has some hundreds.
const MAX_FILES: usize = 20_000;
/// Folders inside folders, at most.
const MAX_DEPTH: usize = 12;

/// A known image, and a file that holds it.
#[derive(Debug, Clone)]
pub struct FoundImage {
    /// Its row in the catalog.
    pub entry: &'static Entry,
    /// How exactly the file holds it.
    pub exactness: Exactness,
    /// The file: an image, a package or a dump.
    pub path: PathBuf,
    /// What it holds, ready for its region.
    pub image: Image,
}

/// Why folders cannot be searched.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// A folder that was named cannot be read.
    #[error("the folder {} cannot be read", quoted_path(path))]
    Read {
        /// The folder.
        path: PathBuf,
        /// What went wrong.
        source: std::io::Error,
    },
    /// It was told to stop.
    #[error("stopped while searching the firmware folders")]
    Interrupted,
    /// Too much to look at: somebody's home rather than a collection of firmware.
    #[error("the folder {} holds more than {MAX_FILES} files", quoted_path(path))]
    TooMany {
        /// The folder.
        path: PathBuf,
    },
}

/// The known images at hand, each once.
#[derive(Debug, Clone, Default)]
pub struct Shelf {
    found: Vec<FoundImage>,
    too_large: Vec<TooLarge>,
}

/// A zip that is too large to be searched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TooLarge {
    /// The zip.
    pub path: PathBuf,
    /// Length of the file in bytes.
    pub bytes: u64,
}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, length) = (quoted_path(&self.path), tenths(self.bytes));
        write!(f, "{path} is not searched: it has {length} MiB, and the limit for a zip is {} MiB", MAX_FILE >> 20)
    }
}

/// Looks into every file below the given folders, packages and dumps included. Hidden folders, links to folders, files
/// that are not images and unknown images are skipped; of several files with one image, the one with the
/// least against it and then the first by path is kept. Ends early where `stop` is set.
pub fn find(folders: &[PathBuf], stop: &AtomicBool) -> Result<Shelf, FindError> {
    let (mut found, mut too_large) = (Vec::new(), Vec::new());
    for folder in folders {
        for path in files(folder, stop)? {
            if stop.load(Ordering::Relaxed) {
                return Err(FindError::Interrupted);
            }
            found.extend(known_in(&path));
            too_large.extend(too_large_zip(path));
        }
    }
    let mut found = each_once(found);
    // Of two with one version the official one comes last: changed ones have a remark behind the same name.
    found.sort_by_key(|found| (found.entry.kind, found.entry.version, Reverse(&found.entry.name)));
    Ok(Shelf { found, too_large })
}

/// Each image once: the one with the least against it, and of equal ones the first.
fn each_once(found: Vec<FoundImage>) -> Vec<FoundImage> {
    let mut best: BTreeMap<_, FoundImage> = BTreeMap::new();
    for found in found {
        let worse = |kept: &FoundImage| found.faults() < kept.faults();
        if best.get(&found.entry.sha256).is_none_or(worse) {
            best.insert(found.entry.sha256, found);
        }
    }
    best.into_values().collect()
}

impl Image {
    /// Reads a file that holds an image of this kind. In a zip with several firmware files that is the only known image of
    /// the kind.
    pub fn open_as(path: &Path, kind: Kind) -> Result<Self, ImageError> {
        let several = match Self::open(path) {
            Err(several @ ImageError::Package(PackageError::Several(_))) => several,
            opened => return opened,
        };
        let mut known = each_once(known_in(path));
        known.retain(|found| found.entry.kind == kind);
        match (known.pop(), known.pop()) {
            (Some(only), None) => Ok(Self { place: None, ..only.image }),
            _ => Err(several),
        }
    }
}

impl FoundImage {
    /// What is against it, the gravest first: a package that a gate refuses whatever the scooter, or an image without its
    /// last bytes; any package, which a gate may refuse for its scooter; what stands behind the image.
    fn faults(&self) -> (bool, bool, u8) {
        let package = self.image.package.as_ref();
        let refused =
            package.is_some_and(|package| package.firmware != FirmwareType::Drv || package.faults().next().is_some());
        (refused || self.exactness == Exactness::Stripped, package.is_some(), self.exactness as u8)
    }
}

impl Shelf {
    /// The zips that were left out.
    pub fn too_large(&self) -> &[TooLarge] {
        &self.too_large
    }

    /// Everything found, by kind and then oldest first.
    pub fn all(&self) -> &[FoundImage] {
        &self.found
    }

    /// The file that holds an image.
    pub fn file_of(&self, entry: &Entry) -> Option<&Path> {
        self.found.iter().find(|found| found.entry.sha256 == entry.sha256).map(|found| &*found.path)
    }

    /// What may be flashed to a scooter, newest last; to any chip where none is named.
    pub fn suitable(&self, scooter: &str, kind: Kind, chip: Option<&str>) -> Vec<&FoundImage> {
        let fits = |entry: &Entry| {
            entry.kind == kind
                && entry.is_for(scooter)
                && entry.is_complete()
                && entry.refused.is_none()
                && chip.is_none_or(|chip| entry.runs_on(chip))
        };
        self.found.iter().filter(|found| fits(found.entry)).collect()
    }
}

/// Every file below a folder, in the order of their paths; the folder may be a file.
fn files(folder: &Path, stop: &AtomicBool) -> Result<Vec<PathBuf>, FindError> {
    let unreadable = |source| FindError::Read { path: folder.into(), source };
    if fs::metadata(folder).map_err(unreadable)?.is_file() {
        return Ok(vec![folder.into()]);
    }
    let is_hidden =
        |entry: &DirEntry| entry.file_type().is_dir() && entry.file_name().as_encoded_bytes().starts_with(b".");
    // Links are not followed: they could lead in a circle.
    let walk = WalkDir::new(folder).min_depth(1).max_depth(MAX_DEPTH + 1);
    let mut files = vec![];
    for entry in walk.into_iter().filter_entry(|entry| entry.depth() == 0 || !is_hidden(entry)) {
        if stop.load(Ordering::Relaxed) {
            return Err(FindError::Interrupted);
        }
        match entry {
            Ok(entry) if entry.file_type().is_dir() => {}
            Ok(entry) => files.push(entry.into_path()),
            Err(error) if error.depth() == 0 => return Err(unreadable(error.into())),
            // One folder of another user does not spoil a collection.
            Err(_) => {}
        }
        if files.len() > MAX_FILES {
            return Err(FindError::TooMany { path: folder.into() });
        }
    }
    files.sort();
    Ok(files)
}

/// The known images in one file: one, or in a dump or a zip several.
fn known_in(path: &Path) -> Vec<FoundImage> {
    let usable = |data: fs::Metadata| {
        data.is_file() && data.len() <= MAX_FILE as u64 && (data.len() <= longest_dump() || may_be_longer(path))
    };
    if !fs::metadata(path).is_ok_and(usable) {
        return vec![];
    }
    let Ok(bytes) = read_file(path) else { return vec![] };
    let found = |image: Image| {
        let known = Catalog::builtin().identify(&image.bytes)?;
        let image = Image { place: Some(0), file: Some(path.into()), ..image };
        Some(FoundImage { entry: known.entry, exactness: known.exactness, path: path.into(), image })
    };
    images_in(&bytes).into_iter().filter_map(found).collect()
}

/// The images in the bytes of one file: one, or in a dump or a zip several.
fn images_in(bytes: &[u8]) -> Vec<Image> {
    let images: Vec<_> = if is_zip(bytes) {
        package::all(bytes).into_iter().filter_map(|unpacked| Image::unpacked(unpacked).ok()).collect()
    } else {
        Image::from_bytes(bytes).into_iter().collect()
    };
    let parts = |image: Image| {
        if !image.is_dump() {
            return vec![image];
        }
        let regions = &Dump::of(image.clone()).layout().regions;
        [&regions.boot, &regions.drv].into_iter().filter_map(|region| image.clone().part(region).ok()).collect()
    };
    images.into_iter().flat_map(parts).collect()
}

/// This known image in the bytes of a file, whatever its form, without what stands behind it; `None` if it is not in there
/// byte for byte.
pub fn extract(entry: &Entry, bytes: &[u8]) -> Option<Vec<u8>> {
    let own = |mut image: Image| {
        image.bytes.truncate(entry.size);
        (sha256(&image.bytes) == entry.sha256).then_some(image.bytes)
    };
    images_in(bytes).into_iter().find_map(own)
}

/// The same file if it is a zip that is too large.
fn too_large_zip(path: PathBuf) -> Option<TooLarge> {
    let data = fs::metadata(&path).ok().filter(fs::Metadata::is_file)?;
    let is_zip = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("zip"));
    (is_zip && data.len() > MAX_FILE as u64).then_some(TooLarge { path, bytes: data.len() })
}

/// The longest file that is an image or a dump as it stands, option bytes included; only packages and Intel HEX files are
/// longer.
fn longest_dump() -> u64 {
    FlashMap::largest().flash.len() as u64 + 16
}

/// True for the beginning of a zip or of an Intel HEX file.
fn may_be_longer(path: &Path) -> bool {
    let mut begin = [0; 16];
    let read = fs::File::open(path).and_then(|mut file| file.read(&mut begin));
    let begin = read.map_or(&[][..], |len| &begin[..len]);
    let text = begin.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(begin);
    begin.starts_with(b"PK") || text.trim_ascii_start().starts_with(b":")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{
        md5,
        package::sample::{ZipMember, zip},
        sample::Sample,
    };

    static GO_ON: AtomicBool = AtomicBool::new(false);

    fn folder_of(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        folder
    }

    #[test]
    fn a_zip_that_is_too_large_to_search_is_named() {
        let folder = folder_of(&[("small.zip", b"x"), ("large.bin", b"x")]);
        for (name, bytes) in
            [("large.bin", MAX_FILE as u64 + 1), ("large.ZIP", MAX_FILE as u64 + 1), ("just.zip", MAX_FILE as u64)]
        {
            fs::File::create(folder.path().join(name)).unwrap().set_len(bytes).unwrap();
        }
        let shelf = find(&[folder.path().into()], &GO_ON).unwrap();
        let words: Vec<_> = shelf.too_large().iter().map(ToString::to_string).collect();
        let path = quoted_path(&folder.path().join("large.ZIP"));
        assert_eq!(words, [format!("{path} is not searched: it has 32.1 MiB, and the limit for a zip is 32 MiB")]);
    }

    #[test]
    fn files_are_found_in_folders_but_not_in_hidden_ones() {
        let folder = folder_of(&[("b/DRV.bin", b"x"), ("a.bin", b"x"), (".git/objects/c", b"x"), ("b/c/d.zip", b"x")]);
        let names: Vec<_> = files(folder.path(), &GO_ON)
            .unwrap()
            .into_iter()
            .map(|path| path.strip_prefix(folder.path()).unwrap().to_string_lossy().replace('\\', "/"))
            .collect();
        assert_eq!(names, ["a.bin", "b/DRV.bin", "b/c/d.zip"]);
        assert_eq!(files(&folder.path().join("a.bin"), &GO_ON).unwrap().len(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_is_named_by_a_link_is_searched_and_links_in_it_are_not() {
        let folder = folder_of(&[("real/a.bin", b"x"), ("real/b/c.bin", b"x")]);
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path().join("real"), &link).unwrap();
        std::os::unix::fs::symlink(folder.path().join("real/b"), link.join("again")).unwrap();
        let found = files(&link, &GO_ON).unwrap();
        assert_eq!(found, ["a.bin", "again", "b/c.bin"].map(|name| link.join(name)));
        assert_eq!(known_in(&link.join("again")).len(), 0, "a link to a folder is not a file");
    }

    #[test]
    fn folders_are_searched_down_to_a_depth() {
        let deep = |depth| "d/".repeat(depth) + "a.bin";
        let (inside, outside) = (deep(MAX_DEPTH), deep(MAX_DEPTH + 1));
        let folder = folder_of(&[(&inside, b"x"), (&outside, b"x")]);
        assert_eq!(files(folder.path(), &GO_ON).unwrap(), [folder.path().join(inside)]);
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        assert!(matches!(find(&["/nowhere/at/all".into()], &GO_ON), Err(FindError::Read { .. })));
    }

    #[test]
    fn a_search_can_be_stopped() {
        let folder = folder_of(&[("a.bin", b"x")]);
        assert!(matches!(find(&[folder.path().into()], &AtomicBool::new(true)), Err(FindError::Interrupted)));
    }

    #[test]
    fn only_zips_and_hex_files_may_be_longer_than_a_flash() {
        let folder =
            folder_of(&[("a.zip", b"PK\x03\x04"), ("a.hex", b"\xEF\xBB\xBF\r\n:10"), ("a.mkv", b"\x1AE"), ("b", b"")]);
        let longer = |name| may_be_longer(&folder.path().join(name));
        assert_eq!(["a.zip", "a.hex", "a.mkv", "b", "c"].map(longer), [true, true, false, false, false]);
    }

    #[test]
    fn a_package_that_is_refused_does_not_hide_the_same_image_elsewhere() {
        let drv = crate::sim::APP_64;
        let info =
            |digest| ZipMember::new("info.txt", format!("dev: ES;\nenc: N;\ntyp: DRV;\nmd5: {digest};\n").as_bytes());
        let package = |digest| zip(&[ZipMember::new("FIRM.bin", drv), info(digest)]);
        let (bad, good) = (package(md5(b"")), package(md5(drv)));
        let padded = [drv, &[0xFF; 8]].concat();
        let found = |files: &[(&str, &[u8])]| {
            let folder = folder_of(files);
            let shelf = find(&[folder.path().into()], &GO_ON).unwrap();
            let [found] = shelf.all() else { panic!("{:?}", shelf.all()) };
            found.path.file_name().unwrap().to_str().unwrap().to_owned()
        };
        assert_eq!(found(&[("a.zip", &bad), ("b.zip", &good)]), "b.zip");
        assert_eq!(found(&[("a.zip", &good), ("b.bin", &padded)]), "b.bin");
        assert_eq!(found(&[("a.bin", &padded), ("b.bin", drv)]), "b.bin");
        assert_eq!(found(&[("a.bin", drv), ("b.bin", drv)]), "a.bin");
    }

    #[test]
    fn every_known_image_in_a_zip_with_several_files_is_found() {
        let (boot, drv) = (crate::sim::BOOT, crate::sim::APP_64);
        let info = format!("dev: ES;\nenc: N;\ntyp: DRV;\nmd5: {};\n", md5(drv));
        let package = zip(&[ZipMember::new("FIRM.bin", drv), ZipMember::new("info.txt", info.as_bytes())]);
        let boot_file = ZipMember::new("repo-main/boot.bin", boot);
        let dashboard = ZipMember::new("repo-main/BLE072.bin", &vec![7; 60_000]);
        let others =
            [ZipMember::new("repo-main/README.md", b"# Firmware"), ZipMember::new("repo-main/a.png", b"\x89PNG")];
        let of = |more: &[ZipMember]| {
            let members = [&[boot_file.clone(), dashboard.clone()], &others[..], more].concat();
            let folder = folder_of(&[("repo.zip", &zip(&members))]);
            let shelf = find(&[folder.path().into()], &GO_ON).unwrap();
            shelf.all().iter().map(|found| (found.entry.kind, found.image.member.clone())).collect::<Vec<_>>()
        };
        let loose = |kind, name: &str| (kind, Some(name.to_owned()));
        let boot = loose(Kind::Boot, "repo-main/boot.bin");
        let drv_file = ZipMember::new("repo-main/DRV155.bin", drv);
        assert_eq!(of(std::slice::from_ref(&drv_file)), [boot.clone(), loose(Kind::Drv, "repo-main/DRV155.bin")]);
        let note = ZipMember::new("repo-main/info.txt", b"where it comes from");
        assert_eq!(of(&[note, drv_file]), [boot.clone(), loose(Kind::Drv, "repo-main/DRV155.bin")]);
        assert_eq!(of(&[ZipMember::new("repo-main/1.5.5.zip", &package)]), [boot, (Kind::Drv, None)]);
    }

    #[test]
    fn of_several_firmware_files_in_a_zip_only_a_single_known_one_is_taken() {
        let opened = |members: &[(&str, &[u8])], kind| {
            let members: Vec<_> = members.iter().map(|(name, bytes)| ZipMember::new(name, bytes)).collect();
            let folder = folder_of(&[("a.zip", &zip(&members))]);
            Image::open_as(&folder.path().join("a.zip"), kind).map(|image| image.member)
        };
        let (boot, drv) = (crate::sim::BOOT, crate::sim::APP_64);
        let own = Sample::drv(5000).bytes();
        let both: [(&str, &[u8]); 3] = [("boot.bin", boot), ("DRV.bin", drv), ("own.bin", &own)];
        assert_eq!(opened(&both, Kind::Boot).unwrap().as_deref(), Some("boot.bin"));
        assert_eq!(opened(&both, Kind::Drv).unwrap().as_deref(), Some("DRV.bin"));
        let is_refused = |members: &[(&str, &[u8])]| {
            matches!(opened(members, Kind::Drv), Err(ImageError::Package(PackageError::Several(_))))
        };
        assert!(is_refused(&[("boot.bin", boot), ("own.bin", &own)]), "none is known");
        assert!(is_refused(&[("DRV.bin", drv), ("other.bin", crate::sim::APP_128)]), "two are known");
    }

    #[test]
    fn an_image_says_in_which_place_it_was_found() {
        let folder = folder_of(&[("a.bin", crate::sim::APP_64)]);
        let shelf = find(&[folder.path().into()], &GO_ON).unwrap();
        assert_eq!(shelf.all()[0].image.place, Some(0));
    }

    #[test]
    fn what_is_no_known_image_is_passed_over() {
        let folder = folder_of(&[
            ("README.md", b"# Firmware"),
            ("empty.bin", b""),
            ("broken.zip", b"PK\x03\x04"),
            ("broken.hex", b":00"),
            ("own.bin", &Sample::drv(5000).bytes()),
            ("dump.bin", &vec![0xFF; 0x1_0000]),
        ]);
        let shelf = find(&[folder.path().into()], &GO_ON).unwrap();
        assert!(shelf.all().is_empty());
        assert!(shelf.suitable("pro", Kind::Drv, None).is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn links_in_a_circle_and_pipes_do_no_harm() {
        let folder = folder_of(&[("a/b.bin", b"x")]);
        std::os::unix::fs::symlink(folder.path(), folder.path().join("a/again")).unwrap();
        std::os::unix::fs::symlink("/dev/zero", folder.path().join("a/zeros")).unwrap();
        assert!(find(&[folder.path().into()], &GO_ON).unwrap().all().is_empty());
    }
}
