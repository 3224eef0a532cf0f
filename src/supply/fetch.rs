//! Fetching one image: from each place that holds it in turn, until its bytes are the catalog's.

use std::{fs, io, path::PathBuf, thread};

use ureq::tls::RootCerts;

use super::{Cause, Limits, Mirror, Source, https::Client, mirror::FilePlace, sources};
use crate::{
    image::{self, Entry},
    printable::quoted_path,
};

/// Fetches known images from a mirror.
pub struct Supply {
    mirror: Mirror,
    limits: Limits,
    /// The only certificates to trust, in tests.
    roots: Option<RootCerts>,
}

/// One file that could not be used.
#[derive(Debug)]
pub struct UnusableFile {
    /// Where it is: its address, or its path in quotes.
    pub place: String,
    /// What went wrong.
    pub cause: Cause,
}

/// Why an image could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No public file holds all of it.
    #[error("{name} cannot be fetched: {}", if *missing > 0 {
        format!("the only known file lacks its last {missing} bytes")
    } else {
        "no public file of it is known".to_owned()
    })]
    NotToBeHad {
        /// The image.
        name: String,
        /// How many bytes the known files lack.
        missing: usize,
    },
    /// None of the files that hold it could be used.
    #[error("{name} could not be fetched")]
    Failed {
        /// The image.
        name: String,
        /// Each file that was tried.
        failures: Vec<UnusableFile>,
    },
}

impl Supply {
    /// Fetches from this mirror, with these limits.
    pub fn new(mirror: Mirror, limits: Limits) -> Self {
        Self { mirror, limits, roots: None }
    }

    /// Trusts this certificate and no other.
    #[cfg(test)]
    pub(super) fn trusting(mirror: Mirror, limits: Limits, certificate: &[u8]) -> Self {
        let root = ureq::tls::Certificate::from_der(certificate).to_owned();
        Self { roots: Some(RootCerts::from([root])), ..Self::new(mirror, limits) }
    }

    /// Where it fetches from.
    pub fn mirror(&self) -> &Mirror {
        &self.mirror
    }

    /// The files that hold an image; empty if it cannot be fetched.
    pub fn offers(entry: &Entry) -> &'static [Source] {
        if entry.is_complete() && !entry.is_rehearsal() { sources(entry) } else { &[] }
    }

    /// The image itself, without what the file has behind it. `failed` is told of each file that could not be used, also if
    /// it is tried again.
    pub fn fetch(&self, entry: &Entry, failed: &mut dyn FnMut(&UnusableFile)) -> Result<Vec<u8>, FetchError> {
        Self::check(entry)?;
        let offers = Self::offers(entry);
        self.fetch_from(offers, failed, &|bytes| image::extract(entry, bytes))
            .map_err(|failures| FetchError::Failed { name: entry.name.clone(), failures })
    }

    /// Whether a public file is known that holds all of an image.
    pub fn check(entry: &Entry) -> Result<(), FetchError> {
        if Self::offers(entry).is_empty() {
            return Err(FetchError::NotToBeHad { name: entry.name.clone(), missing: entry.missing });
        }
        Ok(())
    }

    /// From the first of these files that arrives and holds what is wanted. What may have been bad luck is tried again after
    /// a pause, once all the others were tried. Returns why each file cannot be used.
    pub(super) fn fetch_from(
        &self,
        offers: &[Source],
        failed: &mut dyn FnMut(&UnusableFile),
        wanted: &dyn Fn(&[u8]) -> Option<Vec<u8>>,
    ) -> Result<Vec<u8>, Vec<UnusableFile>> {
        let client = match &self.roots {
            Some(roots) => Ok(Client::trusting(&self.limits, roots.clone())),
            None => Client::new(&self.limits),
        };
        let mut failures: Vec<UnusableFile> = Vec::new();
        let mut pauses = self.limits.pauses.iter();
        let mut left: Vec<&Source> = offers.iter().collect();
        loop {
            let mut again = Vec::new();
            for (at, source) in left.iter().enumerate() {
                let place = self.mirror.locate(source);
                let cause = match one(&client, &place, source).map(|bytes| wanted(&bytes)) {
                    Ok(Some(image)) => return Ok(image),
                    Ok(None) => Cause::OtherContent,
                    Err(cause) => cause,
                };
                let (may_pass, is_of_server) = (cause.may_pass(), cause.is_of_server());
                note(UnusableFile { place: place.to_string(), cause }, &mut failures, failed);
                match (may_pass, is_of_server) {
                    (true, false) => again.push(*source),
                    (true, true) => again.extend(&left[at..]),
                    (false, _) => {}
                }
                if is_of_server {
                    break;
                }
            }
            left = again;
            let Some(pause) = pauses.next().filter(|_| !left.is_empty()) else { return Err(failures) };
            thread::sleep(*pause);
        }
    }
}

/// One file.
fn one(client: &Result<Client, String>, place: &FilePlace, source: &Source) -> Result<Vec<u8>, Cause> {
    match (place, client) {
        (FilePlace::Files(paths), _) => read(paths, source),
        (FilePlace::Address(address), Ok(client)) => client.get(address, source.size),
        (FilePlace::Address(_), Err(why)) => Err(Cause::Certificates(why.clone())),
    }
}

/// Keeps the last failure of each file, and tells it unless it is the same as before.
fn note(new: UnusableFile, failures: &mut Vec<UnusableFile>, failed: &mut dyn FnMut(&UnusableFile)) {
    let before = failures.iter().position(|failure| failure.place == new.place);
    let is_told = before.is_some_and(|at| failures[at].cause.to_string() == new.cause.to_string());
    if !is_told {
        failed(&new);
    }
    match before {
        Some(at) => failures[at] = new,
        None => failures.push(new),
    }
}

/// The first of these files that exists.
fn read(paths: &[PathBuf], source: &Source) -> Result<Vec<u8>, Cause> {
    let path = paths.iter().find(|path| path.is_file()).ok_or(Cause::NoFile)?;
    let length = fs::metadata(path).map_err(Cause::Read)?.len();
    if length > source.size as u64 {
        return Err(Cause::TooLong(source.size));
    }
    fs::read(path).map_err(|error: io::Error| Cause::Read(error))
}

impl std::fmt::Display for FilePlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address(address) => f.write_str(address),
            Self::Files(paths) => {
                let found = paths.iter().find(|path| path.is_file()).or_else(|| paths.get(1));
                f.write_str(&found.map_or_else(String::new, |path| quoted_path(path)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::image::Catalog;

    fn entry(name: &str) -> &'static Entry {
        Catalog::builtin().entries().find(|entry| entry.name == name).unwrap()
    }

    fn failures(folder: &Path) -> Vec<(String, String)> {
        let supply = Supply::new(Mirror::Folder(folder.to_owned()), Limits::default());
        let mut told = Vec::new();
        let result = supply.fetch(entry("Xiaomi bootloader"), &mut |failure| {
            let place = failure.place.replace(folder.to_str().unwrap(), "").replace('\\', "/");
            told.push((place.trim_matches('"').to_owned(), failure.cause.to_string()));
        });
        assert!(matches!(result, Err(FetchError::Failed { .. })));
        told
    }

    #[test]
    fn a_folder_is_searched_for_each_public_file_in_turn() {
        let folder = tempfile::tempdir().unwrap();
        let no_file = |place: &str| (place.to_owned(), "there is no such file".to_owned());
        let second = "/scooterteam/scooterflasher/binaries/bootloader/mi_DRV.bin";
        let none = [no_file("/CamiAlfa/M365_DRV_STLINK/boot.bin"), no_file(second)];
        assert_eq!(failures(folder.path()), none);
        let clone = folder.path().join("M365_DRV_STLINK");
        fs::create_dir_all(&clone).unwrap();
        fs::write(clone.join("boot.bin"), vec![0x55; 3104]).unwrap();
        let other = ("/M365_DRV_STLINK/boot.bin".to_owned(), "the file does not contain this image".to_owned());
        assert_eq!(failures(folder.path()), [other, no_file(second)]);
        fs::write(clone.join("boot.bin"), vec![0x55; 3105]).unwrap();
        let long = ("/M365_DRV_STLINK/boot.bin".to_owned(), "the file is longer than 3,104 bytes".to_owned());
        assert_eq!(failures(folder.path()), [long, no_file(second)]);
    }

    #[test]
    fn an_image_of_which_every_file_is_cut_short_is_not_to_be_had() {
        let supply = Supply::new(Mirror::github(), Limits::default());
        let error = supply.fetch(entry("Pro DRV 1.6.0"), &mut |_| panic!("nothing is tried")).unwrap_err();
        assert_eq!(error.to_string(), "Pro DRV 1.6.0 cannot be fetched: the only known file lacks its last 36 bytes");
        let own = Catalog::builtin().entries().find(|entry| entry.is_rehearsal()).unwrap();
        assert!(Supply::offers(own).is_empty());
    }
}
