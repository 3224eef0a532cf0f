//! `reset`: resets the chip.

use super::{Error, Job};
use crate::{block::Uid, board::progress::Step};

/// Resets the chip and lets it run.
pub fn reset(job: &mut Job<'_>) -> Result<Uid, Error> {
    job.account(|job| {
        job.with_board(|job, board| {
            let uid = board.uid;
            job.step(Step::Reset, |_| board.reset())?;
            Ok(uid)
        })
    })
}
