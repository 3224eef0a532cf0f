//! Waits for contact that lasts. Changes nothing.

use std::time::Duration;

use super::{Error, Job};
use crate::board::{Board, Patience, progress::Step};

/// How long contact has to be good.
pub const STEADY: Duration = Duration::from_secs(1);

/// Reaches the board and reads from it until contact was good for [`STEADY`], then lets it go on as it was. However often
/// contact is lost, it looks for it again for as long as the job waits for a board.
pub fn contact(job: &mut Job<'_>) -> Result<(), Error> {
    let (probes, options) = (job.probes, job.connect.clone());
    let mut patience = Patience::new(options.wait);
    let held = job.step(Step::Connect, |progress| {
        loop {
            let mut board = Board::connect(probes, &options, progress)?;
            let lost = match board.hold_contact(STEADY, progress) {
                Ok(()) => return board.resume(),
                Err(error) if error.is_link() => error,
                Err(error) => return Err(error),
            };
            probes.lost(&lost, progress);
            if patience.lose(probes.timer().now()).is_none() {
                return Err(lost);
            }
        }
    });
    held.map_err(Error::from)
}
