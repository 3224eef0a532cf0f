//! `verify`: compares the board with what `flash` would write. Changes nothing.

use serde::Serialize;

use super::{
    BackupStore, Error, Job, Planned, Wanted, events,
    job::{or_resume, refused},
    watchdog,
};
use crate::{
    block::Uid,
    board::{Board, Comparison, Protection, VerifiedBy, progress::Step},
};

/// What `verify` found: a board that is as planned; another is an error.
#[derive(Debug, Clone, Serialize)]
pub struct VerifyReport {
    /// The chip's UID.
    pub uid: Uid,
    /// What was planned, and is on the board.
    #[serde(flatten)]
    pub planned: Planned,
    /// Bytes compared.
    pub bytes_compared: u64,
    /// Always true.
    pub verified: bool,
    /// How that was found out: always by reading.
    pub verified_by: VerifiedBy,
}

/// Compares every planned page. Data that `flash` would take from a backup are taken from it here too.
pub fn verify(job: &mut Job<'_>, wanted: &Wanted<'_>, backups: &BackupStore) -> Result<VerifyReport, Error> {
    job.account(|job| {
        wanted.check(job)?;
        backups.look_ahead();
        wanted.warn_of_serial(job);
        job.with_board(|job, board| compare(job, board, wanted, backups))
    })
}

fn compare<'p>(
    job: &mut Job<'p>,
    mut board: Board<'p>,
    wanted: &Wanted<'_>,
    backups: &BackupStore,
) -> Result<VerifyReport, Error> {
    let status = job.identify(&mut board)?;
    if status.protection == Protection::Read {
        return Err(refused(board, Error::Unreadable));
    }
    let decided = wanted.goal(job, &mut board, &status, backups);
    let (mut board, (goal, sources)) = or_resume(board, decided)?;
    watchdog::warn_of_damage(job, &status);
    let parts = goal.plan.parts();
    let comparison = job.step(Step::Verify, |progress| board.compare(parts, Step::Verify, progress))?;
    job.known.verified = Some(comparison == Comparison::Same);
    let uid = board.uid;
    match comparison {
        Comparison::Same => {
            // An earlier run may have been interrupted while it was writing it.
            job.probes.ledger().matches_plan();
            events::verified(job.progress, &goal.plan);
        }
        Comparison::Differs { address, expected, found, bytes } => {
            return Err(refused(board, Error::Differs { address, expected, found, bytes }));
        }
    }
    board.resume()?;
    Ok(VerifyReport {
        uid,
        planned: sources.planned,
        bytes_compared: parts.iter().map(|part| part.bytes.len() as u64).sum(),
        verified: true,
        verified_by: VerifiedBy::Read,
    })
}
