//! How good contact has been lately.

use std::collections::VecDeque;

/// Accesses that are looked back on.
const WINDOW: usize = 50;
/// Share of them that must have been right before a chip is erased, in percent.
const ENOUGH_PERCENT: usize = 95;

/// The last accesses over all connections of a run, right or failed.
#[derive(Debug, Default)]
pub(super) struct Meter {
    recent: VecDeque<bool>,
}

impl Meter {
    pub(super) fn record(&mut self, right: bool) {
        if self.recent.len() == WINDOW {
            self.recent.pop_front();
        }
        self.recent.push_back(right);
    }

    /// Accesses that were right, and all of them.
    pub(super) fn reading(&self) -> (usize, usize) {
        (self.recent.iter().filter(|right| **right).count(), self.recent.len())
    }

    /// Whether nothing has failed, as far back as can be seen.
    pub(super) fn is_spotless(&self) -> bool {
        !self.recent.contains(&false)
    }

    /// Whether a whole window has been seen, and enough of it was right.
    pub(super) fn is_good(&self) -> bool {
        let (good, total) = self.reading();
        total == WINDOW && good * 100 >= total * ENOUGH_PERCENT
    }

    /// Whether there are fewer accesses than a window holds.
    pub(super) fn is_short(&self) -> bool {
        self.recent.len() < WINDOW
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(failures: usize, successes: usize) -> Meter {
        let mut meter = Meter::default();
        (0..failures).for_each(|_| meter.record(false));
        (0..successes).for_each(|_| meter.record(true));
        meter
    }

    #[test]
    fn two_failures_in_fifty_are_good_enough_and_three_are_not() {
        assert!(after(2, 48).is_good());
        assert!(!after(3, 47).is_good());
    }

    #[test]
    fn what_is_longer_ago_than_fifty_accesses_is_forgotten() {
        assert!(after(30, 50).is_spotless());
        assert!(!after(1, 49).is_spotless());
    }

    #[test]
    fn a_few_good_accesses_prove_nothing_after_a_failure() {
        assert!(!after(1, 10).is_good());
        assert!(after(0, 10).is_spotless());
    }
}
