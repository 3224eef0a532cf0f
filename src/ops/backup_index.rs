//! What has been read of earlier backups, so that each file is read once.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use super::{Backup, BackupError};
use crate::block::{DataBlock, Uid};

/// What a later run may need of a backup.
#[derive(Debug)]
pub(super) struct SavedData {
    /// The UID of the chip that it was made of.
    pub(super) uid: Uid,
    /// Its data blocks.
    pub(super) blocks: Vec<DataBlock>,
    /// The option byte USER, unless it is erased or damaged.
    pub(super) user: Option<u8>,
}

impl From<Backup> for SavedData {
    fn from(backup: Backup) -> Self {
        let (uid, user) = (backup.uid, backup.option_bytes.known_user());
        Self { uid, blocks: backup.blocks().collect(), user }
    }
}

/// Length and time of the last change of a file: with another one it is read again.
type Stamp = (u64, Option<SystemTime>);

/// Files that have been read. Copies of it share them; it says nothing of which files there are.
#[derive(Debug, Clone, Default)]
pub(super) struct Index(Arc<Mutex<Files>>);

/// Each file with what was in it.
type Files = HashMap<PathBuf, (Stamp, Arc<SavedData>)>;

impl PartialEq for Index {
    fn eq(&self, _: &Self) -> bool {
        // What has been read already makes no difference.
        true
    }
}

impl Eq for Index {}

impl Index {
    fn files(&self) -> MutexGuard<'_, Files> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads a backup, unless it was read before and has not changed since.
    pub(super) fn read(&self, path: &Path) -> Result<Arc<SavedData>, BackupError> {
        let stamp = path.metadata().ok().map(|file| (file.len(), file.modified().ok()));
        let known = self.files().get(path).cloned();
        if let (Some(stamp), Some((then, data))) = (stamp, known)
            && stamp == then
        {
            return Ok(data);
        }
        let data = Arc::new(SavedData::from(Backup::open(path)?));
        if let Some(stamp) = stamp {
            self.files().insert(path.to_owned(), (stamp, data.clone()));
        }
        Ok(data)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{block::Mileage, board::OptionBytes};

    #[test]
    fn a_backup_that_was_replaced_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        let of = |km| {
            let block = DataBlock::template().with_mileage(Mileage::from_km(km).unwrap());
            Backup { uid: Uid([1, 2, 3]), option_bytes: OptionBytes::open(0xFE), flash: None, block: Some(block) }
        };
        of(1).save(&path).unwrap();
        let index = Index::default();
        let mileage = |data: Arc<SavedData>| data.blocks[0].mileage();
        let first = index.read(&path).unwrap();
        assert!(Arc::ptr_eq(&first, &index.clone().read(&path).unwrap()));
        assert_eq!((mileage(first.clone()), first.user), (Mileage::from_km(1).unwrap(), Some(0xFE)));
        fs::remove_file(&path).unwrap();
        assert!(index.read(&path).is_err());
        // Of another length, because the clock of the file system may stand still.
        Backup { flash: Some(vec![0; 65_536]), ..of(2000) }.save(&path).unwrap();
        assert_eq!(mileage(index.read(&path).unwrap()), Mileage::from_km(2000).unwrap());
    }
}
