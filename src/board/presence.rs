//! Which board is on the wires, looked at from time to time while nothing is done with it.

use std::time::Duration;

use super::{
    ConnectOptions, Error, Method, Probes, Wait, chip,
    connect::{self, AttemptError},
    progress::{Event, Need, Progress},
};
use crate::block::Uid;

/// What is on the wires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Nothing answers.
    Nobody,
    /// The board with this UID.
    Board(Uid),
    /// Something that is not a supported board.
    Stranger,
}

/// How often to look: the board is not disturbed by it, and whoever changes boards takes longer.
const INTERVAL: Duration = Duration::from_millis(250);
/// How long nothing answers before a board counts as taken away: a wire that slips is put back sooner.
const GONE: Duration = Duration::from_secs(1);

impl Presence {
    /// Waits until the board that was there is taken away or another one has come. `false` if that takes longer than the options
    /// allow.
    pub fn until_changed(
        self,
        probes: &Probes,
        options: &ConnectOptions,
        progress: &mut dyn Progress,
    ) -> Result<bool, Error> {
        let timer = probes.timer();
        let began = timer.now();
        let mut last_seen = began;
        for attempts in 1.. {
            timer.pause(INTERVAL)?;
            let now = timer.now();
            let elapsed = now.saturating_sub(began);
            match Self::look(probes, options)? {
                found if found == self => last_seen = now,
                Self::Nobody if now.saturating_sub(last_seen) < GONE => {}
                _ => return Ok(true),
            }
            if options.wait != Wait::No && elapsed >= options.wait.limit(Need::NextBoard) {
                return Ok(false);
            }
            progress.on(Event::Waiting { attempts, elapsed, need: Need::NextBoard });
        }
        Ok(false)
    }

    /// Looks once. Neither resets nor halts the board, and leaves it as it is.
    pub fn look(probes: &Probes, options: &ConnectOptions) -> Result<Self, Error> {
        let options = ConnectOptions { method: Method::Normal, wait: Wait::Forever, ..options.clone() };
        let mut contact = match connect::round(probes, &options, None, &mut 0, &mut |_| {}) {
            Ok(contact) => contact,
            Err(AttemptError::Final(Error::Interrupted)) => return Err(Error::Interrupted),
            // If the probe was unplugged, so was the board.
            Err(_) => return Ok(Self::Nobody),
        };
        match chip::identify(&mut contact.link, contact.cpuid) {
            Ok((_, uid)) => Ok(Self::Board(uid)),
            Err(Error::Unsupported(_)) => Ok(Self::Stranger),
            Err(_) => Ok(Self::Nobody),
        }
    }
}
