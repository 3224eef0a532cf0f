//! How long the program looks for a board, and how often contact may be lost.

use std::time::Duration;

use super::progress::Need;

/// How long to try to reach a board that does not answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Wait {
    /// A few tries.
    #[default]
    No,
    /// Until this time is over.
    For(Duration),
    /// Until the user stops it.
    Forever,
}

/// How long a user has to plug a hanging probe in again, if no waiting time was given.
const REPLUG: Duration = Duration::from_secs(30);
/// How long a user has to power-cycle the board, at least.
pub(super) const POWER_CYCLE: Duration = Duration::from_secs(60);
/// How long contact may stay lost if no waiting time was given.
const AFTER_A_LOSS: Duration = Duration::from_secs(5);
/// How often contact may be lost if no waiting time was given. Each time the clock is slowed down one step.
const LOSSES: u32 = 10;

impl Wait {
    /// How long to wait for this.
    pub(super) fn limit(self, need: Need) -> Duration {
        let unasked = match need {
            Need::Contact | Need::Probe | Need::NextBoard => Duration::ZERO,
            Need::Replug => REPLUG,
            Need::PowerCycle => POWER_CYCLE,
        };
        match self {
            Self::No => unasked,
            Self::For(limit) if need == Need::PowerCycle => limit.max(unasked),
            Self::For(limit) => limit,
            Self::Forever => Duration::MAX,
        }
    }
}

impl Wait {
    /// How long to look for a board that has answered before, and whose chip is not identified yet.
    pub(super) fn limit_after_an_answer(self) -> Duration {
        if self == Self::No { AFTER_A_LOSS } else { self.limit(Need::Contact) }
    }
}

/// Counts losses of contact since something was achieved.
#[derive(Debug)]
pub struct Patience {
    wait: Wait,
    losses: u32,
    first: Option<Duration>,
}

impl Patience {
    /// As patient as the user is.
    pub fn new(wait: Wait) -> Self {
        Self { wait, losses: 0, first: None }
    }

    /// Something was achieved: what was lost before no longer counts.
    pub fn renew(&mut self) {
        (self.losses, self.first) = (0, None);
    }

    /// Contact was lost once more. Returns how long to look for the board now; `None` if it was lost too often.
    pub fn lose(&mut self, now: Duration) -> Option<Wait> {
        let first = *self.first.get_or_insert(now);
        self.losses += 1;
        let often = self.losses > LOSSES;
        match self.wait {
            Wait::No => (!often).then_some(Wait::For(AFTER_A_LOSS)),
            Wait::For(limit) => (!often || now.saturating_sub(first) < limit).then_some(self.wait),
            Wait::Forever => Some(self.wait),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn contact_may_be_lost_ten_times_and_again_after_an_achievement() {
        let mut patience = Patience::new(Wait::No);
        for _ in 0..2 {
            assert!((0..10).all(|_| patience.lose(SECOND) == Some(Wait::For(AFTER_A_LOSS))));
            assert_eq!(patience.lose(SECOND), None);
            patience.renew();
        }
    }

    #[test]
    fn a_waiting_time_counts_from_the_first_loss_and_ten_losses_are_always_allowed() {
        let wait = Wait::For(10 * SECOND);
        let mut patience = Patience::new(wait);
        assert!((0..10).all(|n| patience.lose(n * 100 * SECOND) == Some(wait)));
        assert_eq!(patience.lose(2000 * SECOND), None);
        let mut patience = Patience::new(wait);
        assert!((0..100).all(|_| patience.lose(5 * SECOND) == Some(wait)));
        assert_eq!(patience.lose(15 * SECOND), None, "as long as was asked for");
        let mut patience = Patience::new(Wait::Forever);
        assert!((0..100).all(|n| patience.lose(n * SECOND) == Some(Wait::Forever)));
    }

    #[test]
    fn a_power_cycle_takes_a_minute_even_if_less_was_asked_for() {
        assert_eq!(Wait::For(SECOND).limit(Need::PowerCycle), POWER_CYCLE);
        assert_eq!(Wait::For(SECOND).limit(Need::Contact), SECOND);
        assert_eq!(Wait::No.limit(Need::Contact), Duration::ZERO);
        assert_eq!(Wait::Forever.limit(Need::Probe), Duration::MAX);
        assert_eq!(Wait::No.limit_after_an_answer(), AFTER_A_LOSS);
        assert_eq!(Wait::For(SECOND).limit_after_an_answer(), SECOND);
    }
}
