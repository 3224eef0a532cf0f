//! `lock`: sets read-out protection.

use std::path::PathBuf;

use serde::Serialize;

use super::{BackupStore, Error, Job, contents::Contents, job::or_resume, protection, report};
use crate::{
    block::Uid,
    board::{Protection, Status},
    target::Target,
};

/// What `lock` did.
#[derive(Debug, Clone, Serialize)]
pub struct LockReport {
    /// The chip's UID.
    pub uid: Uid,
    /// Protection before.
    pub before: Protection,
    /// Protection now.
    pub protection: Protection,
    /// Whether the option bytes were written.
    pub options_written: bool,
    /// The backup made before: afterwards flash cannot be read any more.
    #[serde(serialize_with = "report::some_path")]
    pub backup: Option<PathBuf>,
}

/// Turns read-out protection on. The chip is reset, which puts it in force. What flash holds is saved before: afterwards it
/// cannot be read any more.
pub fn lock(job: &mut Job<'_>, backups: &BackupStore) -> Result<LockReport, Error> {
    let mut first = None;
    let mut is_saved = !backups.saves();
    let (uid, before, protection) = job.account(|job| {
        job.with_board(|job, mut board| {
            let uid = board.uid;
            let status = job.identify(&mut board)?;
            let Status { protection: before, option_bytes, .. } = *first.get_or_insert(status);
            let option_bytes = option_bytes.with_user(backups.user(uid, option_bytes));
            if !is_saved && !protection::is_set(&status, option_bytes) && job.known.done.is_none() {
                let target = Target::for_chip(board.chip.flash_kib);
                let contents = Contents::read(job, &mut board, &status, target, &[])?;
                contents.confirm_all(&mut board, target)?;
                let saved = backups.save_for(job, &contents.backup(uid, &status));
                (board, _) = or_resume(board, saved)?;
                is_saved = true;
            }
            Ok((uid, before, protection::set(job, board, &status, option_bytes)?))
        })
    })?;
    let options_written = job.known.done.is_some_and(|done| done.options_written);
    Ok(LockReport { uid, before, protection, options_written, backup: job.known.backup.clone() })
}
