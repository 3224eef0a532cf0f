//! `backup`: saves what a board holds. Changes nothing on it.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{BackupError, BackupStore, Destination, Error, Job, contents::Contents, report};
use crate::{
    block::Uid,
    board::{
        Comparison, LinkError, Part, Protection,
        progress::{Event, Step},
    },
    target::Target,
};

/// What `backup` saved.
#[derive(Debug, Clone, Serialize)]
pub struct BackupReport {
    /// The chip's UID.
    pub uid: Uid,
    /// The file that was written.
    #[serde(serialize_with = "report::path")]
    pub backup: PathBuf,
    /// Bytes of flash in it; 0 if flash cannot be read.
    pub flash_bytes: usize,
    /// Whether a data block is in it.
    pub data: bool,
    /// Read-out protection of the board.
    pub protection: Protection,
    /// Whether the option bytes protect the chip from its next reset on.
    #[serde(skip)]
    pub is_protection_pending: bool,
}

/// Saves everything readable to a new file: this one, or one in this folder.
pub fn backup(job: &mut Job<'_>, path: &Path) -> Result<BackupReport, Error> {
    let backups = BackupStore::at(path);
    if matches!(backups.destination(), Destination::File(_)) && path.exists() {
        return Err(BackupError::Exists(path.to_owned()).into());
    }
    job.account(|job| save(job, &backups))
}

fn save(job: &mut Job<'_>, backups: &BackupStore) -> Result<BackupReport, Error> {
    let (uid, status, contents) = job.with_board(|job, mut board| {
        let status = job.identify(&mut board)?;
        let target = Target::for_chip(board.chip.flash_kib);
        let contents = Contents::read(job, &mut board, &status, target, &[])?;
        if let Some(bytes) = contents.flash.clone() {
            let parts = [Part { address: target.map.flash.start, bytes }];
            let again = job.step(Step::Verify, |progress| board.compare(&parts, Step::Verify, progress));
            if let Comparison::Differs { address, .. } = again? {
                return Err(crate::board::Error::from(LinkError::Unstable { what: "flash", address }).into());
            }
        }
        let uid = board.uid;
        board.resume()?;
        Ok((uid, status, contents))
    })?;
    let backup = contents.backup(uid, &status);
    let path = job.step(Step::Backup, |_| match backups.destination() {
        // One that is there by now is another's.
        Destination::File(path) => backup.save(path).map(|()| path.clone()),
        _ => backups.save(&backup).map(Option::unwrap_or_default),
    })?;
    job.known.backup = Some(path.clone());
    job.progress.on(Event::Backup { path: path.clone() });
    let flash_bytes = backup.flash.as_ref().map_or(0, Vec::len);
    let (data, protection) = (backup.block.is_some(), status.protection);
    Ok(BackupReport {
        uid,
        backup: path,
        flash_bytes,
        data,
        protection,
        is_protection_pending: status.option_bytes.protects(),
    })
}
