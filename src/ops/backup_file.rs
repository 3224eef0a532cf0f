//! What a board held, in a file that survives whatever happens to the board.

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use crate::{
    block::{DataBlock, Uid},
    board::OptionBytes,
    durable::{any_length, folder_of, sync_name},
    image::{BackupFile, BackupFileError},
    printable::quoted_path,
    target::{FlashMap, Target},
};

/// A board's contents before anything was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// The UID of the chip that it was made of.
    pub uid: Uid,
    /// The option bytes.
    pub option_bytes: OptionBytes,
    /// All of main flash, from 0x08000000, if it could be read.
    pub flash: Option<Vec<u8>>,
    /// The data block, if one was found.
    pub block: Option<DataBlock>,
}

/// A file cannot be written or read back as a backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The system refuses.
    #[error("{} cannot be {what}", quoted_path(path))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried: `written`, `read`.
        what: &'static str,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// There is one already, and a backup is never overwritten.
    #[error("{} already exists", quoted_path(.0))]
    Exists(PathBuf),
    /// What was read back differs from what was written.
    #[error("what was read back from {} differs from what was written", quoted_path(.0))]
    Differs(PathBuf),
    /// Not a backup.
    #[error("{} is not an m365-drv backup: {reason}", quoted_path(path))]
    Malformed {
        /// The file that is not a backup.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// The longest file that can be a backup: 128 KiB of flash in hexadecimal, and some room for the rest.
const MAX_FILE: u64 = 512 * 1024;

impl Backup {
    /// The text of the file.
    fn encode(&self) -> String {
        let Self { uid, option_bytes: OptionBytes(option_bytes), flash, block } = self.clone();
        BackupFile { uid, option_bytes, flash, block }.encode()
    }

    /// Reads the text of a backup file.
    pub fn decode(text: &str) -> Result<Self, BackupFileError> {
        let BackupFile { uid, option_bytes, flash, block } = BackupFile::decode(text)?;
        Ok(Self { uid, option_bytes: OptionBytes(option_bytes), flash, block })
    }

    /// The data blocks in it: the one that was found on the board, and whatever is in its flash where any scooter's flash map
    /// has the block.
    pub(super) fn blocks(&self) -> impl Iterator<Item = DataBlock> {
        let in_flash = self.flash.iter().flat_map(|flash| blocks_in(flash));
        self.block.clone().into_iter().chain(in_flash)
    }

    /// Reads a backup file.
    pub fn open(path: &Path) -> Result<Self, BackupError> {
        Self::read(path).map(|(backup, _)| backup)
    }

    /// Reads a backup file, and gives its text too.
    pub(super) fn read(path: &Path) -> Result<(Self, String), BackupError> {
        let io = |source| BackupError::Io { path: path.to_owned(), what: "read", source };
        let malformed = |reason| BackupError::Malformed { path: path.to_owned(), reason };
        // To open a pipe would wait for somebody who writes to it.
        if !path.metadata().map_err(io)?.is_file() {
            return Err(malformed("it is not a file".into()));
        }
        let mut text = String::new();
        File::open(path).map_err(io)?.take(MAX_FILE + 1).read_to_string(&mut text).map_err(io)?;
        if text.len() as u64 > MAX_FILE {
            return Err(malformed("it is too long".into()));
        }
        let backup = Self::decode(&text).map_err(|error| malformed(error.to_string()))?;
        Ok((backup, text))
    }

    /// Writes the file so that after a crash at any moment there is either a whole one or none, and reads it again.
    pub fn save(&self, path: &Path) -> Result<(), BackupError> {
        self.save_through(path, File::write_all)
    }

    /// The same over a disk that may give back something else than it was given.
    fn save_through(
        &self,
        path: &Path,
        write: impl FnOnce(&mut File, &[u8]) -> io::Result<()>,
    ) -> Result<(), BackupError> {
        let io = |source| BackupError::Io { path: path.to_owned(), what: "written", source };
        if path.exists() {
            return Err(BackupError::Exists(path.to_owned()));
        }
        let place = any_length(path);
        let mut file = tempfile::Builder::new().prefix(".m365-drv-").tempfile_in(folder_of(&place)).map_err(io)?;
        write(file.as_file_mut(), self.encode().as_bytes()).map_err(io)?;
        file.as_file().sync_all().map_err(io)?;
        if Self::open(file.path())? != *self {
            return Err(BackupError::Differs(path.to_owned()));
        }
        file.persist_noclobber(&place).map_err(|error| match error.error.kind() {
            io::ErrorKind::AlreadyExists => BackupError::Exists(path.to_owned()),
            _ => io(error.error),
        })?;
        sync_name(&place).map_err(io)
    }
}

/// The data blocks in this flash: of each flash map the one that firmware would use.
pub(super) fn blocks_in(flash: &[u8]) -> impl Iterator<Item = DataBlock> {
    let found = FlashMap::all().iter().filter_map(|map| Target::widest(map).block_in(flash));
    found.map(|(_, block)| block)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn backup() -> Backup {
        Backup {
            uid: Uid([1, 2, 3]),
            option_bytes: OptionBytes::open(0xFE),
            flash: Some(vec![0x5A; 65_536]),
            block: Some(DataBlock::template().with_uid(Uid([1, 2, 3]))),
        }
    }

    #[test]
    fn a_backup_reads_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        backup().save(&path).unwrap();
        assert_eq!(Backup::open(&path).unwrap(), backup());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    #[cfg(unix)]
    fn a_pipe_with_the_name_of_a_backup_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let error = Backup::open(&path).unwrap_err().to_string();
        assert!(error.ends_with("a.json\" is not an m365-drv backup: it is not a file"), "{error}");
    }

    #[test]
    fn a_backup_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        fs::write(&path, "mine").unwrap();
        assert!(matches!(backup().save(&path), Err(BackupError::Exists(_))));
        assert_eq!(fs::read(&path).unwrap(), b"mine");
    }

    #[test]
    fn a_backup_that_reads_otherwise_than_it_was_written_gets_no_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        let other_mileage = || {
            let block = backup().block.map(|block| block.with_mileage(crate::block::Mileage::from_km(1).unwrap()));
            Backup { block, ..backup() }.encode()
        };
        let other_user = || Backup { option_bytes: OptionBytes::open(0xFF), ..backup() }.encode();
        for text in [other_mileage(), other_user()] {
            let refused = backup().save_through(&path, |file, _| file.write_all(text.as_bytes()));
            assert!(matches!(refused, Err(BackupError::Differs(_))), "{refused:?}");
        }
        let lost = backup().save_through(&path, |file, text| file.write_all(&text[..text.len() / 2]));
        assert!(matches!(lost, Err(BackupError::Malformed { .. })), "{lost:?}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_as_long_as_the_longest_backup_is_read_and_a_longer_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        let refused = |length: u64| {
            fs::write(&path, vec![b' '; usize::try_from(length).unwrap()]).unwrap();
            Backup::open(&path).unwrap_err().to_string()
        };
        assert!(!refused(MAX_FILE).ends_with("it is too long"));
        assert!(refused(MAX_FILE + 1).ends_with("it is too long"));
    }

    /// A rename from another folder could be one from another file system, which does not exist.
    #[test]
    fn a_backup_is_written_beside_its_place_before_it_gets_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        let files = || fs::read_dir(folder.path()).unwrap().count();
        backup()
            .save_through(&path, |file, text| {
                assert_eq!((files(), path.exists()), (1, false));
                file.write_all(text)
            })
            .unwrap();
        assert_eq!((files(), path.exists()), (1, true));
    }

    #[test]
    fn a_file_that_gets_the_name_while_a_backup_is_written_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        let saved = backup().save_through(&path, |file, text| {
            fs::write(&path, "mine")?;
            file.write_all(text)
        });
        assert!(matches!(saved, Err(BackupError::Exists(_))), "{saved:?}");
        assert_eq!(fs::read(&path).unwrap(), b"mine");
    }

    #[test]
    fn one_flipped_digit_of_the_flash_is_noticed() {
        let text = backup().encode().replacen("5a5a", "5a5b", 1);
        assert!(Backup::decode(&text).is_err());
    }
}
