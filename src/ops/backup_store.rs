//! Where backups are saved, and where those of earlier runs are found again.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf, is_separator},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use super::{
    Backup, BackupError, Job, SavedBlock, SavedBlocks,
    backup_index::{Index, SavedData},
};
use crate::{
    block::{DataBlock, Serial, Uid},
    board::{
        OptionBytes,
        progress::{Event, Step},
    },
    durable::sync_name,
};

/// Where to save a backup, and where to look for earlier ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupStore {
    destination: Destination,
    /// The folders that may hold backups of earlier runs.
    earlier: Vec<PathBuf>,
    index: Index,
}

/// Where a new backup goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// Into this folder, in a new file named after the board and the time.
    Folder(PathBuf),
    /// Into this file. If an interrupted run has left one there with the board's data, the next goes beside it; any other
    /// file is an error.
    File(PathBuf),
    /// Nowhere: the user has said that no backup is needed.
    Nowhere,
}

/// What earlier runs have saved of a board, the newest first.
#[derive(Debug, Default)]
pub(super) struct Earlier {
    backups: Vec<(PathBuf, Arc<SavedData>)>,
    /// Files that cannot be read, or that are damaged.
    pub(super) unreadable: Vec<BackupError>,
}

/// For how long backups are read before a board is reached.
const LOOK_AHEAD: Duration = Duration::from_secs(2);

/// Whether a path that a user gives for a backup means a new file in it: a folder that exists, or a path that ends with a
/// separator.
fn is_folder(path: &Path) -> bool {
    path.is_dir() || path.to_string_lossy().ends_with(is_separator)
}

impl BackupStore {
    /// Where a user's path says: in this file, or in a new one in this folder.
    ///
    /// ```
    /// use m365_drv::ops::{BackupStore, Destination};
    /// assert!(matches!(BackupStore::at("boards/").destination(), Destination::Folder(_)));
    /// assert!(matches!(BackupStore::at("board.json").destination(), Destination::File(_)));
    /// ```
    pub fn at(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        if is_folder(&path) { Self::in_folder(path) } else { Self::in_file(path) }
    }

    /// In this folder, with all the others.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        let folder = folder.into();
        Self { destination: Destination::Folder(folder.clone()), earlier: vec![folder], index: Index::default() }
    }

    /// In this file.
    pub fn in_file(path: impl Into<PathBuf>) -> Self {
        Self { destination: Destination::File(path.into()), earlier: vec![], index: Index::default() }
    }

    /// Not at all.
    pub fn none() -> Self {
        Self { destination: Destination::Nowhere, earlier: vec![], index: Index::default() }
    }

    /// With another folder that may hold those of earlier runs.
    #[must_use]
    pub fn with_earlier(mut self, folder: Option<PathBuf>) -> Self {
        self.earlier.extend(folder);
        self.earlier.dedup();
        self
    }

    /// Where a new one goes.
    pub fn destination(&self) -> &Destination {
        &self.destination
    }

    /// Whether anything is kept.
    pub(super) fn saves(&self) -> bool {
        self.destination != Destination::Nowhere
    }

    /// Writes the backup; `None` if nothing is to be saved.
    pub(super) fn save(&self, backup: &Backup) -> Result<Option<PathBuf>, BackupError> {
        match &self.destination {
            Destination::Nowhere => Ok(None),
            Destination::File(path) => match backup.save(path) {
                Err(BackupError::Exists(_)) if continues(path, backup) => save_beside(path, backup).map(Some),
                saved => saved.map(|()| Some(path.clone())),
            },
            Destination::Folder(folder) => save_in(folder, backup).map(Some),
        }
    }

    /// The same as a step of a job, which is skipped if nothing is to be saved.
    pub(super) fn save_for(&self, job: &mut Job<'_>, backup: &Backup) -> Result<Option<PathBuf>, BackupError> {
        if self.destination == Destination::Nowhere {
            job.leave_out(Step::Backup);
            return Ok(None);
        }
        let saved = job.step(Step::Backup, |_| self.save(backup))?;
        job.known.backup.clone_from(&saved);
        if let Some(path) = &saved {
            job.progress.on(Event::Backup { path: path.clone() });
        }
        Ok(saved)
    }

    /// The option byte USER of this board: as it reads now, else as the newest run that could read it has found it, else as a
    /// chip is delivered.
    pub(super) fn user(&self, uid: Uid, now: OptionBytes) -> u8 {
        now.known_user().or_else(|| self.earlier(uid).user()).unwrap_or(0xFF)
    }

    /// Reads what earlier runs have saved, the newest first, before a board is reached: with the wires in hand there is no time for
    /// it. What is not read by then, in folders with very many, is read when it is needed.
    pub(super) fn look_ahead(&self) {
        let began = Instant::now();
        let (files, _) = self.files(|name| Path::new(name).extension().is_some_and(|extension| extension == "json"));
        for path in files {
            if began.elapsed() > LOOK_AHEAD {
                break;
            }
            // What cannot be read is told when it is needed.
            let _ = self.index.read(&path);
        }
    }

    /// What earlier runs have saved of this board.
    pub(super) fn earlier(&self, uid: Uid) -> Earlier {
        let mut earlier = Earlier::default();
        if let Destination::File(path) = &self.destination
            && path.exists()
        {
            earlier.take(path.clone(), self.index.read(path), uid);
        }
        let (files, unreadable) = self.files(|name| name.starts_with(&prefix(uid)));
        earlier.unreadable.extend(unreadable);
        for path in files {
            let read = self.index.read(&path);
            earlier.take(path, read, uid);
        }
        earlier
    }

    /// The files in the folders with such names, the newest first, and the folders that cannot be read.
    fn files(&self, is_wanted: impl Fn(&str) -> bool) -> (Vec<PathBuf>, Vec<BackupError>) {
        let (mut files, mut unreadable) = (Vec::new(), Vec::new());
        let named = |path: &PathBuf| path.file_name().is_some_and(|name| is_wanted(&name.to_string_lossy()));
        for folder in &self.earlier {
            match fs::read_dir(folder) {
                Ok(entries) => files.extend(entries.filter_map(|entry| Some(entry.ok()?.path())).filter(named)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => unreadable.push(BackupError::Io { path: folder.clone(), what: "read", source }),
            }
        }
        // The time in the name sorts as text; of several boards the newest of each come first.
        let time = |path: &PathBuf| {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            name.rsplit_once('-').map_or(name.clone(), |(_, time)| time.to_owned())
        };
        files.sort_by_cached_key(|path| (time(path), path.clone()));
        files.reverse();
        (files, unreadable)
    }
}

impl Earlier {
    fn take(&mut self, path: PathBuf, read: Result<Arc<SavedData>, BackupError>, uid: Uid) {
        match read {
            Ok(backup) if backup.uid == uid => self.backups.push((path, backup)),
            Ok(_) => {}
            Err(error) => self.unreadable.push(error),
        }
    }

    /// Of the data blocks of which this is true, the one with the highest mileage: a clock may be set back, and an old file
    /// may be named again. If there are several serial numbers, only those with this one count. An error if there are still
    /// several: the board has been given another one, or cheap chips share one UID.
    pub(super) fn block(
        &self,
        serial: Option<Serial>,
        is_wanted: impl Fn(&DataBlock) -> bool,
    ) -> Result<Option<SavedBlock>, SavedBlocks> {
        let in_backup = |(path, backup): &(PathBuf, Arc<SavedData>)| {
            let wanted: Vec<_> = backup.blocks.iter().filter(|block| is_wanted(block)).cloned().collect();
            let path = path.clone();
            wanted.into_iter().map(move |block| SavedBlock { path: path.clone(), block })
        };
        // The highest of each serial number; of equal ones the newest.
        let mut highest: Vec<SavedBlock> = Vec::new();
        for saved in self.backups.iter().flat_map(in_backup) {
            match highest.iter_mut().find(|other| other.block.serial() == saved.block.serial()) {
                Some(other) if saved.mileage() > other.mileage() => *other = saved,
                Some(_) => {}
                None => highest.push(saved),
            }
        }
        if serial.is_some() && highest.iter().any(|saved| saved.block.serial() == serial) {
            highest.retain(|saved| saved.block.serial() == serial);
        }
        if highest.len() > 1 { Err(SavedBlocks(highest)) } else { Ok(highest.pop()) }
    }

    /// Whether the serial number of this block is in one of them, with its mileage or a higher one.
    pub(super) fn has(&self, block: &DataBlock) -> bool {
        let (serial, mileage) = (block.serial(), block.mileage());
        let has =
            |saved: &DataBlock| saved.serial() == serial && saved.mileage().is_known() && saved.mileage() >= mileage;
        self.backups.iter().any(|(_, backup)| backup.blocks.iter().any(has))
    }

    /// The newest option byte USER that could be read.
    fn user(&self) -> Option<u8> {
        self.backups.iter().find_map(|(_, backup)| backup.user)
    }
}

fn prefix(uid: Uid) -> String {
    format!("{uid}-")
}

/// Whether the file holds the data of the board that is to be saved: an interrupted run has made it.
fn continues(path: &Path, backup: &Backup) -> bool {
    let has_newer = |saved: &Backup| {
        backup.block != saved.block && backup.block.as_ref().is_some_and(|block| block.is_whole(backup.uid))
    };
    Backup::open(path).is_ok_and(|saved| saved.uid == backup.uid && !has_newer(&saved))
}

/// Beside a file that stays: `board.json`, `board-2.json`, `board-3.json`.
fn save_beside(path: &Path, backup: &Backup) -> Result<PathBuf, BackupError> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let extension = path.extension().map(|extension| format!(".{}", extension.to_string_lossy())).unwrap_or_default();
    let mut number = 2;
    loop {
        let path = path.with_file_name(format!("{stem}-{number}{extension}"));
        match backup.save(&path) {
            Err(BackupError::Exists(_)) => number += 1,
            saved => return saved.map(|()| path),
        }
    }
}

fn save_in(folder: &Path, backup: &Backup) -> Result<PathBuf, BackupError> {
    make(folder).map_err(|source| BackupError::Io { path: folder.to_owned(), what: "written", source })?;
    loop {
        let time = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S%.6fZ").to_string();
        let path = folder.join(format!("{}{time}.json", prefix(backup.uid)));
        match backup.save(&path) {
            // Another of the same microsecond, or of as long as the system's clock stands still.
            Err(BackupError::Exists(_)) => thread::sleep(Duration::from_millis(1)),
            saved => return saved.map(|()| path),
        }
    }
}

/// Makes the folder and those above it, each of which is durable when the one above it is.
fn make(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let above = folder.parent().filter(|above| !above.as_os_str().is_empty());
    above.map_or(Ok(()), make)?;
    match fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists || File::open(folder).is_err() => Err(error),
        _ => sync_name(folder),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{block::Mileage, printable::quoted_path, target::Target};

    const UID: Uid = Uid([1, 2, 3]);

    fn backup() -> Backup {
        let block = DataBlock::template().with_uid(UID);
        Backup { uid: UID, option_bytes: OptionBytes::open(0xFE), flash: None, block: Some(block) }
    }

    fn whole() -> DataBlock {
        let serial = Serial::from_bytes(b"21886/00012345").unwrap();
        DataBlock::template().with_uid(UID).with_serial(serial)
    }

    fn is_whole(block: &DataBlock) -> bool {
        block.is_whole(UID)
    }

    fn found(earlier: &Earlier, is_wanted: impl Fn(&DataBlock) -> bool) -> Option<(PathBuf, DataBlock)> {
        earlier.block(None, is_wanted).unwrap().map(|saved| (saved.path, saved.block))
    }

    #[test]
    fn the_highest_mileage_of_all_backups_wins_whatever_their_dates_and_order() {
        let folder = tempfile::tempdir().unwrap();
        let of = |km| Backup { block: Some(whole().with_mileage(Mileage::from_km(km).unwrap())), ..backup() };
        let named = folder.path().join("a.json");
        of(2345).save(&named).unwrap();
        let before = folder.path().join(format!("{UID}-20200101T000000.000000Z.json"));
        of(9999).save(&before).unwrap();
        of(5000).save(&folder.path().join(format!("{UID}-20260101T000000.000000Z.json"))).unwrap();
        let in_folder = BackupStore::in_folder(folder.path());
        let named_again = BackupStore::in_file(&named).with_earlier(Some(folder.path().to_owned()));
        for backups in [in_folder, named_again] {
            let saved = backups.earlier(UID).block(None, is_whole).unwrap().unwrap();
            assert_eq!((saved.path, saved.block.mileage()), (before.clone(), Mileage::from_km(9999).unwrap()));
        }
    }

    #[test]
    fn backups_of_one_uid_with_several_serial_numbers_are_not_chosen_from() {
        let folder = tempfile::tempdir().unwrap();
        let other = Serial::from_bytes(b"21886/00099999").unwrap();
        let save = |day: u32, block| {
            let path = folder.path().join(format!("{UID}-2026010{day}T000000.000000Z.json"));
            Backup { block: Some(block), ..backup() }.save(&path).unwrap();
            path
        };
        let km = |km| Mileage::from_km(km).unwrap();
        let one = save(1, whole().with_mileage(km(10)));
        let two = save(2, whole().with_serial(other).with_mileage(km(20)));
        save(3, whole().with_mileage(km(5)));
        let earlier = BackupStore::in_folder(folder.path()).earlier(UID);
        let refused = earlier.block(None, is_whole).unwrap_err().to_string();
        let words = [
            format!("serial number 21886/00012345, 10.0 km in {} of 2026-01-01", quoted_path(&one)),
            format!("serial number 21886/00099999, 20.0 km in {} of 2026-01-02", quoted_path(&two)),
        ];
        assert!(words.iter().all(|words| refused.contains(words)), "{refused}");
        let given = earlier.block(Some(other), is_whole).unwrap().unwrap();
        assert_eq!(given.path, two);
        let neither = Serial::from_bytes(b"21886/00000001").unwrap();
        assert!(earlier.block(Some(neither), is_whole).is_err());
    }

    #[test]
    fn a_backup_without_a_data_block_is_searched_where_every_scooter_has_it() {
        let folder = tempfile::tempdir().unwrap();
        for map in Target::all() {
            let mut flash = vec![0xFF; 128 * 1024];
            let at = (map.map.regions.data.start - map.map.flash.start) as usize;
            flash[at..at + 512].copy_from_slice(whole().as_bytes());
            let path = folder.path().join(format!("{}.json", map.name));
            Backup { flash: Some(flash), block: None, ..backup() }.save(&path).unwrap();
            let earlier = BackupStore::in_file(&path).earlier(UID);
            assert_eq!(found(&earlier, is_whole), Some((path, whole())), "{}", map.name);
        }
    }

    #[test]
    fn the_newest_backup_with_a_data_block_of_this_board_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let backups = BackupStore::in_folder(folder.path());
        backups.save(&backup()).unwrap();
        let second = backups.save(&backup()).unwrap().unwrap();
        backups.save(&Backup { block: None, ..backup() }).unwrap();
        backups.save(&Backup { uid: Uid([9, 9, 9]), ..backup() }).unwrap();
        let (path, block) = found(&backups.earlier(UID), |_| true).unwrap();
        assert_eq!((path, Some(block)), (second, backup().block));
        assert_eq!(backups.earlier(UID).user(), Some(0xFE));
    }

    #[test]
    fn a_whole_block_is_found_behind_newer_ones_that_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let backups = BackupStore::in_folder(folder.path());
        let first = backups.save(&Backup { block: Some(whole()), ..backup() }).unwrap().unwrap();
        backups.save(&backup()).unwrap();
        assert_eq!(found(&backups.earlier(UID), is_whole), Some((first, whole())));
    }

    #[test]
    fn a_damaged_backup_is_passed_over_and_told() {
        let folder = tempfile::tempdir().unwrap();
        let backups = BackupStore::in_folder(folder.path());
        let first = backups.save(&Backup { block: Some(whole()), ..backup() }).unwrap().unwrap();
        let second = backups.save(&backup()).unwrap().unwrap();
        fs::write(&second, "{").unwrap();
        let earlier = backups.earlier(UID);
        assert_eq!(found(&earlier, is_whole), Some((first, whole())));
        assert_eq!(earlier.unreadable.len(), 1);
    }

    #[test]
    fn a_file_of_the_same_run_is_gone_on_with_and_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("board.json");
        let backups = BackupStore::in_file(&path);
        let first = Backup { block: Some(whole()), ..backup() };
        assert_eq!(backups.save(&first).unwrap().as_ref(), Some(&path));
        let text = fs::read(&path).unwrap();
        // The board was erased on the way, then it was written again.
        let erased = Backup { block: None, ..backup() };
        assert_eq!(backups.save(&erased).unwrap(), Some(folder.path().join("board-2.json")));
        assert_eq!(backups.save(&first).unwrap(), Some(folder.path().join("board-3.json")));
        assert_eq!(found(&backups.earlier(UID), is_whole), Some((path.clone(), whole())));

        let newer = whole().with_mileage(crate::block::Mileage::from_km(5).unwrap());
        assert!(matches!(backups.save(&Backup { block: Some(newer), ..backup() }), Err(BackupError::Exists(_))));
        let other = Backup { uid: Uid([9, 9, 9]), block: None, ..backup() };
        assert!(matches!(backups.save(&other), Err(BackupError::Exists(_))));
        assert_eq!(fs::read(&path).unwrap(), text);
    }

    #[test]
    fn without_a_new_backup_earlier_ones_are_found_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        BackupStore::in_folder(folder.path()).save(&Backup { block: Some(whole()), ..backup() }).unwrap();
        let backups = BackupStore::none().with_earlier(Some(folder.path().to_owned()));
        assert_eq!(backups.save(&backup()).unwrap(), None);
        assert!(found(&backups.earlier(UID), is_whole).is_some());
    }

    #[test]
    fn a_folder_that_a_user_gives_gets_a_new_file_and_the_others_are_found_too() {
        let (mine, usual) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let first =
            BackupStore::in_folder(usual.path()).save(&Backup { block: Some(whole()), ..backup() }).unwrap().unwrap();
        let backups = BackupStore::at(mine.path()).with_earlier(Some(usual.path().into()));
        assert_eq!(found(&backups.earlier(UID), is_whole), Some((first, whole())));
        let newer = whole().with_mileage(crate::block::Mileage::from_km(5).unwrap());
        let second = backups.save(&Backup { block: Some(newer.clone()), ..backup() }).unwrap().unwrap();
        assert_eq!(second.parent(), Some(mine.path()));
        assert_eq!(found(&backups.earlier(UID), is_whole), Some((second, newer)), "the newest of all folders");
        let below = BackupStore::at(format!("{}/new/", mine.path().display())).save(&backup()).unwrap().unwrap();
        assert_eq!(below.parent(), Some(&*mine.path().join("new")));
        assert!(matches!(BackupStore::at(mine.path().join("b.json")).destination(), Destination::File(_)));
    }

    #[test]
    fn a_folder_of_earlier_backups_may_be_missing_but_not_unreadable() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let unreadable = |path: PathBuf| BackupStore::none().with_earlier(Some(path)).earlier(UID).unreadable.len();
        assert_eq!(unreadable(folder.path().join("missing")), 0);
        assert_eq!(unreadable(file), 1);
    }

    #[test]
    fn a_file_of_another_board_counts_for_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("board.json");
        Backup { block: Some(whole()), ..backup() }.save(&path).unwrap();
        let earlier = BackupStore::in_file(&path).earlier(Uid([9, 9, 9]));
        assert_eq!((earlier.backups.len(), earlier.unreadable.len()), (0, 0));
    }

    #[test]
    #[cfg(unix)]
    fn a_folder_that_exists_by_now_is_taken_and_a_link_to_nowhere_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "").unwrap();
        // Looked at and missing, then made by somebody else: for a moment that is how a file looks as well.
        make(&file).unwrap();
        std::os::unix::fs::symlink("nowhere", &link).unwrap();
        assert_eq!(make(&link).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(BackupStore::in_folder(file.join("below")).save(&backup()).is_err());
        BackupStore::in_folder(folder.path().join("a/b/c")).save(&backup()).unwrap();
    }
}
