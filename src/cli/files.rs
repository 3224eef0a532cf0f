//! Reading and writing the files that the command line names.

use std::{
    fs::{self, File},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
};

use directories::ProjectDirs;

use super::exit::{Exit, Meaning, refuse};

/// Nothing this program reads is bigger; a device or a disk image named by mistake must not fill the memory.
const MAX_LEN: u64 = 16 << 20;

/// Where this user's backups and firmware are; `None` where the system has no such place.
pub(crate) fn data_folder() -> Option<PathBuf> {
    ProjectDirs::from("", "", "m365-drv").map(|folders| folders.data_dir().to_owned())
}

/// Reads a whole file; `exit` is what an unreadable one means.
pub(crate) fn read(path: &Path, exit: Exit) -> anyhow::Result<Vec<u8>> {
    let what = || format!("cannot read {}", path.display());
    let len = fs::metadata(path).meaning(exit, what)?.len();
    if len > MAX_LEN {
        return Err(refuse(exit, format!("{} is too big: {len} bytes", path.display())));
    }
    fs::read(path).meaning(exit, what)
}

/// Writes a new file, never over another one; `exit` is what a failure means.
pub(crate) fn write_new(path: &Path, bytes: &[u8], exit: Exit) -> anyhow::Result<()> {
    NewFile::reserve(path, exit)?.fill(bytes)
}

/// A file that did not exist and does not exist again until it is filled: reserved before long work whose result it
/// shall hold.
pub(crate) struct NewFile {
    path: PathBuf,
    file: File,
    exit: Exit,
    filled: bool,
}

impl NewFile {
    /// Makes the file, empty; `exit` is what a failure means.
    pub(crate) fn reserve(path: &Path, exit: Exit) -> anyhow::Result<Self> {
        match File::create_new(path) {
            Ok(file) => Ok(Self { path: path.to_owned(), file, exit, filled: false }),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                Err(refuse(Exit::Usage, format!("{} exists already", path.display())))
            }
            Err(error) => Err(error).meaning(exit, || format!("cannot write {}", path.display())),
        }
    }

    /// Writes it.
    pub(crate) fn fill(mut self, bytes: &[u8]) -> anyhow::Result<()> {
        let written = self.file.write_all(bytes).and_then(|()| self.file.sync_all());
        self.filled = written.is_ok();
        written.meaning(self.exit, || format!("cannot write {}", self.path.display()))
    }
}

impl Drop for NewFile {
    /// Half a file looks like a whole one to the next command.
    fn drop(&mut self) {
        if !self.filled {
            let _ = fs::remove_file(&self.path);
        }
    }
}
