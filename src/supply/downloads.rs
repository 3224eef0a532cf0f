//! A folder that is watched for a firmware file to arrive: where a browser puts what the user downloads.
//!
//! Only files that come, or change, after a given time are opened, and of those only files whose names end like firmware.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use crate::image::{self, Fit, Image};

/// How the names of firmware files end.
const FIRMWARE: [&str; 4] = ["zip", "bin", "hex", "enc"];

/// What browsers add to the name of a file that they have not finished.
const UNFINISHED: [&str; 4] = ["part", "crdownload", "download", "opdownload"];

/// A folder and the files that it had before.
#[derive(Debug)]
pub struct Arrivals {
    folder: PathBuf,
    /// The files that are not opened: those that were there before, and those that were.
    known: BTreeMap<OsString, Stamp>,
    /// The files that have come and may still be growing.
    growing: BTreeMap<OsString, Stamp>,
}

/// What changes when a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    len: u64,
    modified: Option<SystemTime>,
}

/// A file that has come.
#[derive(Debug)]
pub enum Arrival {
    /// An image that passes every gate.
    Fits {
        /// The file.
        path: PathBuf,
        /// What it holds.
        image: Box<Image>,
    },
    /// A file that cannot be used.
    Refused {
        /// The file.
        path: PathBuf,
        /// Why: one fact.
        why: String,
    },
}

impl Arrivals {
    /// Begins to watch. What the folder held before `since` is not opened, unless it changes.
    pub fn watch(folder: &Path, since: SystemTime) -> io::Result<Self> {
        let mut known = firmware_in(folder)?;
        known.retain(|_, stamp| stamp.modified.is_none_or(|modified| modified < since));
        Ok(Self { folder: folder.to_owned(), known, growing: BTreeMap::new() })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What has come since the last look, and is complete: not empty, not marked as unfinished by a browser, and as long as it
    /// was at the last look.
    pub fn look(&mut self, fit: &Fit<'_>) -> io::Result<Vec<Arrival>> {
        let now = firmware_in(&self.folder)?;
        // A file that was deleted and comes again is a new one.
        self.known.retain(|name, _| now.contains_key(name));
        self.growing.retain(|name, _| now.contains_key(name));
        let mut arrivals = Vec::new();
        for (name, stamp) in now {
            if self.known.get(&name) == Some(&stamp) || stamp.len == 0 || is_unfinished(&self.folder, &name) {
                continue;
            }
            if self.growing.insert(name.clone(), stamp) == Some(stamp) {
                self.growing.remove(&name);
                let path = self.folder.join(&name);
                self.known.insert(name, stamp);
                arrivals.push(match fitting(&path, fit) {
                    Ok(image) => Arrival::Fits { path, image: Box::new(image) },
                    Err(why) => Arrival::Refused { path, why },
                });
            }
        }
        Ok(arrivals)
    }
}

/// The image in a file, if it passes every gate.
fn fitting(path: &Path, fit: &Fit<'_>) -> Result<Image, String> {
    let opened = Image::open_as(path, fit.kind).and_then(|image| image.part(&fit.region()));
    let image = opened.map_err(|error| in_full(&error))?;
    match image::gates(&image, fit).into_iter().find(|gate| !gate.passed) {
        None => Ok(image),
        Some(gate) => Err(gate.detail),
    }
}

/// The complete firmware files directly in a folder that pass every gate, by name. At most `limit` files are opened.
pub fn fitting_in(folder: &Path, fit: &Fit<'_>, limit: usize) -> io::Result<Vec<(PathBuf, Image)>> {
    let names = firmware_in(folder)?.into_keys().filter(|name| !is_unfinished(folder, name));
    let paths = names.take(limit).map(|name| folder.join(name));
    Ok(paths.filter_map(|path| fitting(&path, fit).ok().map(|image| (path, image))).collect())
}

/// The regular files of a folder that are named like firmware. Links are left alone.
fn firmware_in(folder: &Path) -> io::Result<BTreeMap<OsString, Stamp>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let Ok(entry) = entry else { continue };
        let name = entry.file_name();
        let extension = Path::new(&name).extension().map(OsStr::to_ascii_lowercase);
        if !extension.is_some_and(|extension| FIRMWARE.iter().any(|known| extension == *known)) {
            continue;
        }
        // Of a directory entry: it does not follow links.
        if let Ok(metadata) = entry.metadata()
            && metadata.is_file()
        {
            found.insert(name, Stamp { len: metadata.len(), modified: metadata.modified().ok() });
        }
    }
    Ok(found)
}

/// Whether a browser's mark stands beside the file.
fn is_unfinished(folder: &Path, name: &OsStr) -> bool {
    UNFINISHED.iter().any(|mark| {
        let mut marked = name.to_owned();
        marked.push(".");
        marked.push(mark);
        folder.join(marked).symlink_metadata().is_ok()
    })
}

/// An error with its causes.
fn in_full(error: &dyn std::error::Error) -> String {
    let chain = std::iter::successors(Some(error), |error| error.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        image::{Kind, RehearsalImages},
        sim::{APP_64, BOOT},
        target::Target,
    };

    fn fit() -> Fit<'static> {
        let target = Target::builtin("pro").unwrap();
        Fit { rehearsal: RehearsalImages::Allowed, ..Fit::new(target, Kind::Drv) }
    }

    /// What has come, by name, and why it was refused.
    fn names(arrivals: Vec<Arrival>) -> Vec<(String, Option<String>)> {
        let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
        let named = |arrival| match arrival {
            Arrival::Fits { path, .. } => (name(&path), None),
            Arrival::Refused { path, why } => (name(&path), Some(why)),
        };
        arrivals.into_iter().map(named).collect()
    }

    #[test]
    fn a_firmware_file_that_comes_is_taken_when_it_is_complete() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
        put("before.bin", APP_64);
        let mut arrivals = Arrivals::watch(folder.path(), now()).unwrap();
        let mut look = || names(arrivals.look(&fit()).unwrap());
        assert!(look().is_empty(), "it was there before");
        put("firmware.bin", &APP_64[..1000]);
        assert!(look().is_empty(), "it may grow");
        put("firmware.bin", APP_64);
        assert!(look().is_empty(), "it has grown");
        assert_eq!(look(), [("firmware.bin".to_owned(), None)]);
        assert!(look().is_empty(), "it was taken");
    }

    /// Behind the time of every file until now: a file system's clock is coarse.
    fn now() -> SystemTime {
        SystemTime::now() + Duration::from_secs(1)
    }

    #[test]
    fn a_file_that_came_just_before_the_watch_is_taken_too() {
        let folder = tempfile::tempdir().unwrap();
        let began = SystemTime::now() - Duration::from_secs(1);
        fs::write(folder.path().join("firmware.bin"), APP_64).unwrap();
        let mut arrivals = Arrivals::watch(folder.path(), began).unwrap();
        assert!(arrivals.look(&fit()).unwrap().is_empty(), "it may grow");
        assert_eq!(names(arrivals.look(&fit()).unwrap()), [("firmware.bin".to_owned(), None)]);
    }

    #[test]
    fn what_a_browser_has_not_finished_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
        let mut arrivals = Arrivals::watch(folder.path(), now()).unwrap();
        let mut look = || names(arrivals.look(&fit()).unwrap());
        for mark in ["part", "crdownload"] {
            let name = format!("{mark}.bin");
            put(&name, b"");
            put(&format!("{name}.{mark}"), APP_64);
            assert!(look().is_empty() && look().is_empty(), "{mark}: empty");
            put(&name, APP_64);
            assert!(look().is_empty() && look().is_empty(), "{mark}: marked");
            fs::remove_file(folder.path().join(format!("{name}.{mark}"))).unwrap();
            look();
            assert_eq!(look(), [(name, None)]);
        }
    }

    #[test]
    fn a_file_that_does_not_fit_is_named_with_the_reason_and_the_watch_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
        let mut arrivals = Arrivals::watch(folder.path(), now()).unwrap();
        let mut look = || names(arrivals.look(&fit()).unwrap());
        put("boot.bin", BOOT);
        put("page.zip", b"<!DOCTYPE html><html></html>");
        put("letter.txt", APP_64);
        look();
        let refused = look();
        assert_eq!(refused.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["boot.bin", "page.zip"]);
        assert!(refused.iter().all(|(_, why)| why.as_ref().is_some_and(|why| !why.is_empty())), "{refused:?}");
        assert!(look().is_empty(), "each is named once");
        put("firmware.BIN", APP_64);
        look();
        assert_eq!(look(), [("firmware.BIN".to_owned(), None)]);
    }

    #[test]
    #[cfg(unix)]
    fn links_and_pipes_are_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        let outside = tempfile::NamedTempFile::new().unwrap();
        fs::write(outside.path(), APP_64).unwrap();
        let mut arrivals = Arrivals::watch(folder.path(), now()).unwrap();
        std::os::unix::fs::symlink(outside.path(), folder.path().join("link.bin")).unwrap();
        fs::create_dir(folder.path().join("folder.zip")).unwrap();
        assert!((0..3).all(|_| arrivals.look(&fit()).unwrap().is_empty()));
    }

    #[test]
    fn the_firmware_files_of_a_folder_that_fit_are_found() {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in [("a.bin", APP_64), ("b.bin", BOOT), ("c.txt", APP_64)] {
            fs::write(folder.path().join(name), bytes).unwrap();
        }
        let found = fitting_in(folder.path(), &fit(), 64).unwrap();
        assert_eq!(found.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>(), [folder.path().join("a.bin")]);
        assert!(fitting_in(&folder.path().join("none"), &fit(), 64).is_err());
    }
}
