//! `lock`: sets read-out protection.

use serde::Serialize;

use super::{Error, Job, protection};
use crate::{
    block::Uid,
    board::{Protection, Status},
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
}

/// Turns read-out protection on. The chip is reset, which puts it in force.
pub fn lock(job: &mut Job<'_>) -> Result<LockReport, Error> {
    let mut first = None;
    let (uid, before, protection) = job.account(|job| {
        job.with_board(|job, mut board| {
            let uid = board.uid;
            let status = job.identify(&mut board)?;
            let Status { protection: before, option_bytes, .. } = *first.get_or_insert(status);
            Ok((uid, before, protection::set(job, board, &status, option_bytes)?))
        })
    })?;
    Ok(LockReport { uid, before, protection, options_written: job.known.done.is_some_and(|done| done.options_written) })
}
