//! Which board has come to the wires.

use super::{Error, Job};
use crate::{
    block::Uid,
    board::{Board, Presence, progress::Step},
};

/// Waits for a board as long as the job may, and tells its UID. The board goes on with what it was doing.
pub fn meet(job: &mut Job<'_>) -> Result<Uid, Error> {
    let (probes, options) = (job.probes, job.connect.clone());
    let board = job.step(Step::Connect, |progress| Board::connect(probes, &options, progress))?;
    let uid = board.uid;
    board.resume()?;
    Ok(uid)
}

/// Waits until this is not on the wires any more; nothing is done with it. `false` if that takes longer than the job may wait.
pub fn await_next(job: &mut Job<'_>, present: Presence) -> Result<bool, Error> {
    let (probes, options) = (job.probes, job.connect.clone());
    job.step(Step::Next, |progress| present.until_changed(probes, &options, progress)).map_err(Error::from)
}
