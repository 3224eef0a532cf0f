//! The user's folder of known images: one file an image, named by what it is and by its SHA-256.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use tempfile::NamedTempFile;

use crate::{
    durable::{any_length, sync_name},
    image::{Entry, sha256},
    printable::quoted_path,
};

/// Where files are written before they get their name. Searches for images skip hidden folders.
const PARTIAL: &str = ".partial";

/// What is in there for longer was left by a program that was stopped.
const STALE: Duration = Duration::from_secs(600);

/// A folder that holds known images.
#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

/// Why an image could not be put into the folder.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// A file cannot be written.
    #[error("cannot write {}", quoted_path(path))]
    Write {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// The bytes are not those of the image.
    #[error("the bytes are not those of {name}")]
    OtherContent {
        /// The image.
        name: String,
    },
}

impl Folder {
    /// This folder, which need not exist yet.
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The file that an image has in a folder of images: `pro-drv-1.5.5-d6eb4b76.bin`.
    ///
    /// ```
    /// use m365_drv::{image::Catalog, supply::Folder};
    /// let boot = Catalog::builtin().entries().find(|entry| entry.name == "Xiaomi bootloader").unwrap();
    /// assert_eq!(Folder::name_of(boot), "xiaomi-bootloader-7f5574cb.bin");
    /// ```
    pub fn name_of(entry: &Entry) -> String {
        let words = entry.name.split(|c: char| !c.is_ascii_alphanumeric() && c != '.').filter(|word| !word.is_empty());
        let words = words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-");
        let digest = entry.sha256.to_string();
        format!("{words}-{}.bin", &digest[..8])
    }

    /// Puts an image in, unless it is there. The file has its name only when all of it is on the disk.
    pub fn put(&self, entry: &Entry, image: &[u8]) -> Result<PathBuf, FolderError> {
        if sha256(image) != entry.sha256 {
            return Err(FolderError::OtherContent { name: entry.name.clone() });
        }
        let path = self.0.join(Self::name_of(entry));
        if fs::read(&path).is_ok_and(|there| there == image) {
            return Ok(path);
        }
        match self.write(&path, image) {
            Ok(()) => Ok(path),
            Err(source) => Err(FolderError::Write { path, source }),
        }
    }

    fn write(&self, path: &Path, image: &[u8]) -> io::Result<()> {
        let place = any_length(path);
        self.written(image)?.persist(&place).map_err(|failed| failed.error)?;
        let _ = fs::remove_dir(self.0.join(PARTIAL));
        // Not every file system can sync a folder.
        sync_name(&place).or(Ok(()))
    }

    /// A file without its name, all of which is on the disk.
    fn written(&self, image: &[u8]) -> io::Result<NamedTempFile> {
        let mut file = self.new_file()?;
        file.write_all(image)?;
        file.as_file().sync_all()?;
        Ok(file)
    }

    /// Another program that is done takes the folder of partial files away if it is empty.
    fn new_file(&self) -> io::Result<NamedTempFile> {
        let partial = any_length(&self.0.join(PARTIAL));
        let mut tries = 0;
        loop {
            fs::create_dir_all(&partial)?;
            clear_stale(&partial);
            tries += 1;
            match NamedTempFile::new_in(&partial) {
                Err(error) if error.kind() == io::ErrorKind::NotFound && tries < 100 => {}
                done => return done,
            }
        }
    }
}

/// Takes away what a stopped program left; what another one is writing now stays.
fn clear_stale(partial: &Path) {
    for left in fs::read_dir(partial).into_iter().flatten().flatten() {
        let age = left.metadata().and_then(|data| data.modified()).ok().and_then(|time| time.elapsed().ok());
        if age.is_some_and(|age| age > STALE) {
            let _ = fs::remove_file(left.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Catalog;

    #[test]
    fn only_the_bytes_of_an_image_get_its_name() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::new(home.path().join("firmware"));
        let own = Catalog::builtin().entries().find(|entry| entry.is_rehearsal() && entry.version.is_none()).unwrap();
        let error = folder.put(own, b"something else").unwrap_err();
        assert_eq!(error.to_string(), format!("the bytes are not those of {}", own.name));
        assert!(!folder.path().exists());
        let path = folder.put(own, crate::sim::BOOT).unwrap();
        assert_eq!(fs::read(&path).unwrap(), crate::sim::BOOT);
        // A file that was damaged is replaced, one that is right is left.
        fs::write(&path, b"damaged").unwrap();
        assert_eq!(folder.put(own, crate::sim::BOOT).unwrap(), path);
        let before = fs::metadata(&path).unwrap().modified().unwrap();
        folder.put(own, crate::sim::BOOT).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), before);
        let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, [path.file_name().unwrap()]);
    }

    #[test]
    fn what_a_stopped_program_left_is_taken_away_after_a_while() {
        let home = tempfile::tempdir().unwrap();
        let (old, new) = (home.path().join("old"), home.path().join("new"));
        fs::write(&new, b"half").unwrap();
        let time = std::time::SystemTime::now() - STALE - STALE;
        fs::File::create(&old).unwrap().set_modified(time).unwrap();
        clear_stale(home.path());
        assert!(!old.exists() && new.exists());
    }

    /// The names in a folder, and in those below.
    fn names(folder: &Path) -> Vec<String> {
        let all = walkdir::WalkDir::new(folder).min_depth(1).into_iter().map(Result::unwrap);
        all.filter(|entry| entry.file_type().is_file())
            .map(|entry| entry.file_name().to_string_lossy().into())
            .collect()
    }

    fn own() -> &'static Entry {
        Catalog::builtin().entries().find(|entry| entry.sha256 == sha256(crate::sim::BOOT)).unwrap()
    }

    #[test]
    fn a_program_killed_before_the_rename_leaves_nothing_that_is_at_hand() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::new(home.path().join("firmware"));
        // As if killed: nothing is tidied up.
        std::mem::forget(folder.written(crate::sim::BOOT).unwrap());
        std::mem::forget(folder.written(&crate::sim::BOOT[..100]).unwrap());
        assert_eq!(names(folder.path()).len(), 2);
        let at_hand = crate::image::find(&[folder.path().into()], &false.into()).unwrap();
        assert!(at_hand.all().is_empty());
        let path = folder.put(own(), crate::sim::BOOT).unwrap();
        assert_eq!(fs::read(path).unwrap(), crate::sim::BOOT);
    }

    /// Run by the next test, on a disk that has no room.
    #[test]
    #[ignore = "needs a folder without room, which the next test makes"]
    fn on_a_full_disk() {
        let folder = Folder::new(std::env::var_os("FULL").expect("FULL").into());
        let error = folder.put(own(), crate::sim::BOOT).unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert_eq!(error.to_string(), format!("cannot write {}", quoted_path(&folder.0.join(Folder::name_of(own())))));
        assert!(cause.contains("No space left on device"), "{cause}");
        assert_eq!(names(folder.path()), ["filler"]);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn on_a_full_disk_nothing_is_left_and_the_cause_is_told() {
        use std::process::Command;

        let disk = tempfile::tempdir().unwrap();
        let alone = |script: &str| {
            let mut command = Command::new("unshare");
            command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script]).env("FULL", disk.path());
            command.output()
        };
        let mount = r#"mount -t tmpfs -o size=4k none "$FULL" && head -c 4096 /dev/zero > "$FULL/filler""#;
        if !alone(mount).is_ok_and(|output| output.status.success()) {
            eprintln!("skipped: mounting a file system is not allowed here");
            return;
        }
        let this = std::env::current_exe().unwrap();
        let test = "supply::folder::tests::on_a_full_disk --exact --include-ignored";
        let output = alone(&format!("{mount} && {} {test}", this.display())).unwrap();
        let (told, ok) = (String::from_utf8_lossy(&output.stdout), output.status.success());
        assert!(ok && told.contains("1 passed"), "{told}");
    }
}
