//! The backups of a folder, for somebody who looks for one.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::{Backup, BackupError, Data, DataSource, Firmware, Options, report::path};
use crate::{
    block::{DataBlock, Mileage, Serial, Uid},
    image::{BackupFile, Dump},
    target::Target,
};

/// A board in a backup.
#[derive(Debug, Clone, Serialize)]
pub struct SavedBoard {
    /// The backup.
    #[serde(serialize_with = "path")]
    pub file: PathBuf,
    /// When it was made, in UTC: `2026-11-26T16:30:00Z`. None if the file does not tell.
    pub created: Option<String>,
    /// The chip's UID.
    pub uid: Uid,
    /// The serial number of the board; a factory default counts as none.
    pub serial: Option<Serial>,
    /// Its mileage in metres.
    pub mileage_m: Option<Mileage>,
    /// The scooters whose serial numbers begin like this one, by their names on the command line.
    pub scooters: Vec<String>,
    /// KiB of flash in the backup; none if the board was read-protected.
    pub flash_kib: Option<usize>,
    /// The option bytes.
    pub option_bytes: Options,
    /// The bootloader in it.
    pub boot: Option<Firmware>,
    /// The DRV firmware in it.
    pub drv: Option<Firmware>,
    /// What is in its data block.
    pub data: Option<Data>,
    /// The data block.
    #[serde(skip)]
    pub block: Option<DataBlock>,
    /// All of flash.
    #[serde(skip)]
    pub flash: Option<Vec<u8>>,
}

impl SavedBoard {
    /// Reads a backup.
    pub fn open(file: &Path) -> Result<Self, BackupError> {
        let (backup, text) = Backup::read(file)?;
        let malformed = |reason: String| BackupError::Malformed { path: file.to_owned(), reason };
        let dump = Dump::from_bytes(text.as_bytes()).map_err(|error| malformed(error.to_string()))?;
        let regions = &dump.layout().regions;
        let block = dump.blocks(regions.data.start).into_iter().next().map(|found| found.block);
        let serial = block.as_ref().and_then(DataBlock::serial);
        let owners = serial.into_iter().flat_map(Target::owners);
        let firmware = |region| dump.part(region).and_then(|part| Firmware::of(&part.bytes));
        Ok(Self {
            file: file.to_owned(),
            created: BackupFile::created(&text),
            uid: backup.uid,
            serial,
            mileage_m: block.as_ref().map(DataBlock::mileage).filter(|mileage| mileage.is_known()),
            scooters: owners.map(|target| target.name.clone()).collect(),
            flash_kib: backup.flash.as_ref().map(|flash| flash.len() / 1024),
            option_bytes: backup.option_bytes.into(),
            boot: firmware(&regions.boot),
            drv: firmware(&regions.drv),
            data: block.as_ref().map(|block| Data::new(DataSource::Backup, block)),
            block,
            flash: backup.flash,
        })
    }

    /// All backups of a folder, the newest first, and why other files with their ending cannot be read. A folder that does not
    /// exist contains no backups.
    pub fn all_in(folder: &Path) -> Result<(Vec<Self>, Vec<BackupError>), BackupError> {
        let unreadable = |source| BackupError::Io { path: folder.to_owned(), what: "read", source };
        let files: Vec<PathBuf> = match fs::read_dir(folder) {
            Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect::<Result<_, _>>().map_err(unreadable)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((vec![], vec![])),
            Err(error) => return Err(unreadable(error)),
        };
        let (mut boards, mut errors) = (Vec::new(), Vec::new());
        for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "json")) {
            match Self::open(file) {
                Ok(board) => boards.push(board),
                Err(error) => errors.push(error),
            }
        }
        // The name of a file in the user's folder has the time down to the microsecond.
        boards.sort_by(|one, other| (&other.created, &other.file).cmp(&(&one.created, &one.file)));
        errors.sort_by_key(ToString::to_string);
        Ok((boards, errors))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{board::OptionBytes, sim::BOOT};

    const UID: Uid = Uid([1, 2, 3]);

    fn save(path: &Path, flash: Option<Vec<u8>>, km: u32) {
        let serial = Serial::from_bytes(b"16133/00012345").unwrap();
        let block = DataBlock::template().with_uid(UID).with_serial(serial).with_mileage(Mileage::from_km(km).unwrap());
        Backup { uid: UID, option_bytes: OptionBytes::open(0xFF), flash, block: Some(block) }.save(path).unwrap();
    }

    #[test]
    fn a_backup_tells_whose_it_is_and_what_it_holds() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        let mut flash = vec![0xFF; 0x1_0000];
        flash[..BOOT.len()].copy_from_slice(BOOT);
        save(&path, Some(flash.clone()), 12);
        let board = SavedBoard::open(&path).unwrap();
        assert_eq!((board.uid, board.flash_kib, board.flash.as_ref()), (UID, Some(64), Some(&flash)));
        assert_eq!(
            (board.serial.unwrap().to_string().as_str(), board.scooters),
            ("16133/00012345", vec!["m365".into()])
        );
        assert_eq!(board.boot.unwrap().name.as_deref(), Some("rehearsal bootloader"));
        assert_eq!((board.drv, board.mileage_m), (None, Mileage::from_km(12).ok()));
    }

    #[test]
    fn the_newest_of_a_folder_comes_first_and_what_is_damaged_is_told() {
        let folder = tempfile::tempdir().unwrap();
        for (name, km) in [("b-1.json", 1), ("b-2.json", 2)] {
            save(&folder.path().join(name), None, km);
        }
        let text = fs::read_to_string(folder.path().join("b-1.json")).unwrap();
        let at = text.find("\"created\": \"").unwrap() + 12;
        let older = format!("{}2020{}", &text[..at], &text[at + 4..]);
        fs::write(folder.path().join("z.json"), older).unwrap();
        fs::write(folder.path().join("cut.json"), &text[..text.len() / 2]).unwrap();
        fs::write(folder.path().join("note.txt"), "mine").unwrap();
        let (boards, errors) = SavedBoard::all_in(folder.path()).unwrap();
        let names: Vec<_> = boards.iter().map(|board| board.file.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["b-2.json", "b-1.json", "z.json"]);
        assert!(matches!(&errors[..], [BackupError::Malformed { path, .. }] if path.ends_with("cut.json")));
        assert!(SavedBoard::all_in(&folder.path().join("none")).unwrap().0.is_empty());
        let file = folder.path().join("note.txt");
        assert!(matches!(SavedBoard::all_in(&file), Err(BackupError::Io { path, .. }) if path == file));
    }
}
