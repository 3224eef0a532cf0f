//! Reading and writing the files that the command line names.

use std::{
    fs::{self, File},
    io::{self, Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use directories::{ProjectDirs, UserDirs};
use m365_drv::{
    durable::{any_length, folder_of, sync_name},
    guide::Places,
    printable::quoted_path,
};
use tempfile::NamedTempFile;

use super::exit::{Exit, Meaning, refuse};

/// Nothing this program reads is bigger; a device or a disk image named by mistake must not fill the memory.
const MAX_LEN: u64 = 32 << 20;

/// The files that this run has reserved.
static RESERVED: Reserved = Reserved(Mutex::new(Vec::new()));

/// The files that are reserved and not filled: an end without unwinding has to take them away.
struct Reserved(Mutex<Vec<PathBuf>>);

impl Reserved {
    fn add(&self, path: &Path) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(path.to_owned());
    }

    fn discard(&self) {
        for path in self.0.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let _ = fs::remove_file(path);
        }
    }
}

/// The folder of this user's backups and firmware; `None` if the system has no such place.
pub(crate) fn data_folder() -> Option<PathBuf> {
    ProjectDirs::from("", "", "m365-drv").map(|folders| folders.data_dir().to_owned())
}

/// The folder for what this program remembers between runs; `None` if the system has no such place.
pub(crate) fn state_folder() -> Option<PathBuf> {
    let folders = ProjectDirs::from("", "", "m365-drv")?;
    Some(folders.state_dir().unwrap_or(folders.data_local_dir()).to_owned())
}

/// The folders of the user that people mean by `~` and "Downloads".
pub(crate) fn places() -> Places {
    let folders = UserDirs::new();
    let home = folders.as_ref().map(|folders| folders.home_dir().to_owned());
    let downloads = folders.as_ref().and_then(UserDirs::download_dir).map(ToOwned::to_owned);
    // Its usual name, if no settings file names another.
    let usual = || home.as_ref().map(|home| home.join("Downloads"));
    Places { downloads: downloads.or_else(named_downloads).or_else(usual).filter(|folder| folder.is_dir()), home }
}

/// What `XDG_DOWNLOAD_DIR` says; systems without a desktop have no settings file that does.
fn named_downloads() -> Option<PathBuf> {
    std::env::var_os("XDG_DOWNLOAD_DIR").map(PathBuf::from).filter(|folder| folder.is_absolute())
}

/// Reads a whole file; `exit` is what an unreadable one means. What has no length of its own, a pipe or a device, is read
/// as far as a file may be long.
pub(crate) fn read(path: &Path, exit: Exit) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_LEN + 1).read_to_end(&mut bytes));
    read.meaning(exit, || format!("cannot read {}", quoted_path(path)))?;
    if bytes.len() as u64 > MAX_LEN {
        return Err(refuse(exit, format!("{} is too large: the limit is {} MiB", quoted_path(path), MAX_LEN >> 20)));
    }
    Ok(bytes)
}

/// What it means that a file was made and could not be filled. The command line is right then, so a full disk is not
/// [`Exit::Usage`].
fn unfilled(exit: Exit) -> Exit {
    if exit == Exit::Usage { Exit::Output } else { exit }
}

/// Writes a new file, never over another one; `exit` is what it means that the file cannot be made.
pub(crate) fn write_new(path: &Path, bytes: &[u8], exit: Exit) -> anyhow::Result<()> {
    NewFile::reserve(path, bytes.len(), exit)?.fill(bytes, exit)
}

/// Tries whether a new file can be made here.
pub(crate) fn try_new(path: &Path) -> io::Result<()> {
    room_beside(path).map(drop)
}

/// An empty file beside this one, which is gone again when it is dropped.
fn room_beside(path: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new().prefix(".m365-drv-").make_in(folder_of(path), |path| File::create_new(path))
}

/// Takes away what is reserved and not filled.
pub(crate) fn discard() {
    RESERVED.discard();
}

/// A file that does not exist until it is filled: its room is reserved, beside it and under another name, before long work
/// whose result it will hold.
pub(crate) struct NewFile {
    path: PathBuf,
    /// The same path at any length.
    place: PathBuf,
    room: NamedTempFile,
}

impl NewFile {
    /// Takes this many bytes of the disk; `exit` is what it means that the file cannot be made.
    pub(crate) fn reserve(path: &Path, len: usize, exit: Exit) -> anyhow::Result<Self> {
        Self::reserve_in(&RESERVED, path, len, exit)
    }

    fn reserve_in(reserved: &Reserved, path: &Path, len: usize, exit: Exit) -> anyhow::Result<Self> {
        if path.symlink_metadata().is_ok() {
            return Err(refuse(Exit::Usage, format!("{} already exists", quoted_path(path))));
        }
        let what = || format!("cannot write {}", quoted_path(path));
        let place = any_length(path);
        let mut room = room_beside(&place).meaning(exit, what)?;
        reserved.add(room.path());
        let filled = room.as_file_mut().write_all(&vec![0xFF; len]).and_then(|()| room.as_file().sync_all());
        filled.meaning(unfilled(exit), what)?;
        Ok(Self { path: path.to_owned(), place, room })
    }

    /// Writes it, and gives it its name; what has that name by now stays. A failure means `exit`, or [`Exit::Output`] in
    /// place of [`Exit::Usage`].
    pub(crate) fn fill(self, bytes: &[u8], exit: Exit) -> anyhow::Result<()> {
        let Self { path, place, mut room } = self;
        let write = |file: &mut File| {
            file.rewind()?;
            file.write_all(bytes)?;
            file.set_len(bytes.len() as u64)?;
            file.sync_all()
        };
        let written = write(room.as_file_mut());
        let named = written.and_then(|()| room.persist_noclobber(&place).map_err(|failed| failed.error));
        let named = named.and_then(|_| sync_name(&place));
        named.meaning(unfilled(exit), || format!("cannot write {}", quoted_path(&path)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::exit;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_reserved_file_takes_its_room_and_has_no_name_before_it_is_filled() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        let file = NewFile::reserve(&path, 1024, Exit::Usage).unwrap();
        assert_eq!(file.room.as_file().metadata().unwrap().len(), 1024);
        assert!(!path.exists());
        file.fill(b"short", Exit::Usage).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"short");
        assert_eq!(names(folder.path()), ["a.bin"]);
    }

    #[test]
    fn a_file_that_came_meanwhile_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        let file = NewFile::reserve(&path, 4, Exit::Usage).unwrap();
        fs::write(&path, "mine").unwrap();
        let error = file.fill(b"ours", Exit::Usage).unwrap_err();
        assert_eq!(exit::classify(&error), Exit::Output);
        assert_eq!(fs::read(&path).unwrap(), b"mine");
        assert_eq!(names(folder.path()), ["a.bin"]);
    }

    #[test]
    fn what_is_reserved_is_gone_after_a_sudden_end() {
        let folder = tempfile::tempdir().unwrap();
        // Its own: the files of other tests stay.
        let reserved = Reserved(Mutex::default());
        let file = NewFile::reserve_in(&reserved, &folder.path().join("a.bin"), 4, Exit::Usage).unwrap();
        std::mem::forget(file);
        assert_eq!(names(folder.path()).len(), 1);
        reserved.discard();
        assert!(names(folder.path()).is_empty());
    }
}
