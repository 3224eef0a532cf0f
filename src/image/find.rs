//! Finding known images in folders full of files, by their bytes.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use super::{Catalog, Entry, Exactness, Format, Image, Kind, Layout, MAX_FILE, inspect};

/// Files looked at in one search, at most: a clone of a firmware collection has some hundreds.
const MAX_FILES: usize = 20_000;
/// Folders inside folders, at most.
const MAX_DEPTH: usize = 12;

/// A known image, and a file that holds it.
#[derive(Debug, Clone)]
pub struct Found {
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
    #[error("the folder {} cannot be read", path.display())]
    Read {
        /// The folder.
        path: PathBuf,
        /// What went wrong.
        source: std::io::Error,
    },
    /// Too much to look at: somebody's home rather than a collection of firmware.
    #[error("the folder {} holds more than {MAX_FILES} files", path.display())]
    TooMany {
        /// The folder.
        path: PathBuf,
    },
}

/// The known images at hand, each once.
#[derive(Debug, Clone, Default)]
pub struct Shelf {
    found: Vec<Found>,
}

/// Looks into every file below the given folders, packages and dumps included. Hidden folders, links to folders, files
/// that are no image and images that are not known are passed over; of several files with one image, the most exact and
/// then the first by path is kept.
pub fn find(folders: &[PathBuf]) -> Result<Shelf, FindError> {
    let mut best: BTreeMap<_, Found> = BTreeMap::new();
    for folder in folders {
        for path in files(folder)? {
            for found in known_in(&path) {
                let worse = |kept: &Found| (found.exactness as u8) < kept.exactness as u8;
                if best.get(&found.entry.sha256).is_none_or(worse) {
                    best.insert(found.entry.sha256, found);
                }
            }
        }
    }
    let mut found: Vec<_> = best.into_values().collect();
    // Of two with one version the official one comes last: changed ones have a remark behind the same name.
    found.sort_by_key(|found| (found.entry.kind, found.entry.version, Reverse(&found.entry.name)));
    Ok(Shelf { found })
}

impl Shelf {
    /// Everything found, by kind and then oldest first.
    pub fn all(&self) -> &[Found] {
        &self.found
    }

    /// What may be flashed to a scooter, newest last; to any chip where none is named.
    pub fn suitable(&self, scooter: &str, kind: Kind, chip: Option<&str>) -> Vec<&Found> {
        let fits = |entry: &Entry| {
            entry.kind == kind
                && entry.is_for(scooter)
                && entry.missing == 0
                && chip.is_none_or(|chip| entry.runs_on(chip))
        };
        self.found.iter().filter(|found| fits(found.entry)).collect()
    }
}

/// Every file below a folder, in the order of their paths; the folder may be a file.
fn files(folder: &Path) -> Result<Vec<PathBuf>, FindError> {
    let unreadable = |source| FindError::Read { path: folder.into(), source };
    if fs::metadata(folder).map_err(unreadable)?.is_file() {
        return Ok(vec![folder.into()]);
    }
    let mut files = vec![];
    let mut folders = vec![(folder.to_path_buf(), 0)];
    while let Some((path, depth)) = folders.pop() {
        let listing = match fs::read_dir(&path) {
            Ok(listing) => listing,
            Err(source) if depth == 0 => return Err(unreadable(source)),
            // One folder of another user does not spoil a collection.
            Err(_) => continue,
        };
        for entry in listing.flatten() {
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() && depth < MAX_DEPTH && !entry.file_name().as_encoded_bytes().starts_with(b".") {
                folders.push((entry.path(), depth + 1));
            } else if !kind.is_dir() {
                files.push(entry.path());
            }
            if files.len() > MAX_FILES {
                return Err(FindError::TooMany { path: folder.into() });
            }
        }
    }
    files.sort();
    Ok(files)
}

/// The known images in one file: one, or in a dump several.
fn known_in(path: &Path) -> Vec<Found> {
    let usable = |data: fs::Metadata| data.is_file() && data.len() <= MAX_FILE as u64;
    if !fs::metadata(path).is_ok_and(usable) {
        return vec![];
    }
    let Ok(image) = Image::open(path) else { return vec![] };
    let images = if image.format == Format::Dump {
        let layout = if image.bytes.len() > 0x1_0000 { Layout::Kib128 } else { Layout::Kib64 };
        let regions = [inspect::FLASH..inspect::DRV, inspect::DRV..layout.staging()];
        regions.into_iter().filter_map(|region| image.clone().part(&region).ok()).collect()
    } else {
        vec![image]
    };
    let found = |image: Image| {
        let known = Catalog::builtin().identify(&image.bytes)?;
        Some(Found { entry: known.entry, exactness: known.exactness, path: path.into(), image })
    };
    images.into_iter().filter_map(found).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::sample::Sample;

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
    fn files_are_found_in_folders_but_not_in_hidden_ones() {
        let folder = folder_of(&[("b/DRV.bin", b"x"), ("a.bin", b"x"), (".git/objects/c", b"x"), ("b/c/d.zip", b"x")]);
        let names: Vec<_> = files(folder.path())
            .unwrap()
            .into_iter()
            .map(|path| path.strip_prefix(folder.path()).unwrap().to_string_lossy().replace('\\', "/"))
            .collect();
        assert_eq!(names, ["a.bin", "b/DRV.bin", "b/c/d.zip"]);
        assert_eq!(files(&folder.path().join("a.bin")).unwrap().len(), 1);
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        assert!(matches!(find(&["/nowhere/at/all".into()]), Err(FindError::Read { .. })));
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
        let shelf = find(&[folder.path().into()]).unwrap();
        assert!(shelf.all().is_empty());
        assert!(shelf.suitable("pro", Kind::Drv, None).is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn links_in_a_circle_and_pipes_do_no_harm() {
        let folder = folder_of(&[("a/b.bin", b"x")]);
        std::os::unix::fs::symlink(folder.path(), folder.path().join("a/again")).unwrap();
        std::os::unix::fs::symlink("/dev/zero", folder.path().join("a/zeros")).unwrap();
        assert!(find(&[folder.path().into()]).unwrap().all().is_empty());
    }
}
