//! How reliable contact has been recently.

use std::collections::VecDeque;

use super::finding::{Finding, Miss, is_good};

/// Number of recent accesses to evaluate.
pub(super) const WINDOW: usize = 50;

/// Results of the last accesses, over all connections of a run.
#[derive(Debug, Default)]
pub(super) struct LinkQuality {
    recent: VecDeque<bool>,
    /// The same with failed attempts to reach the board among them, for somebody who is looking for contact.
    shown: VecDeque<bool>,
    /// The failed tries since the last that succeeded, a few of them.
    misses: VecDeque<Miss>,
}

fn push<T>(window: &mut VecDeque<T>, newest: T) {
    if window.len() == WINDOW {
        window.pop_front();
    }
    window.push_back(newest);
}

impl LinkQuality {
    pub(super) fn record(&mut self, right: bool) {
        push(&mut self.recent, right);
        push(&mut self.shown, right);
    }

    /// An attempt to reach the board has failed before there was an access, in this way.
    pub(super) fn missed(&mut self, how: Miss) {
        push(&mut self.shown, false);
        self.failed(how);
    }

    /// An attempt to reach the board has failed in this way after there were accesses.
    pub(super) fn failed(&mut self, how: Miss) {
        push(&mut self.misses, how);
    }

    /// The board was reached.
    pub(super) fn reached(&mut self) {
        self.misses.clear();
    }

    /// What is wrong, if anything; `None` before the first try.
    pub(super) fn finding(&self, voltage_mv: Option<u32>) -> Option<Finding> {
        let (good, of) = self.shown();
        let misses: Vec<_> = self.misses.iter().copied().collect();
        Finding::of(good, of, voltage_mv, &misses)
    }

    /// What to show: number of successful accesses, and number of all accesses and failed attempts.
    pub(super) fn shown(&self) -> (usize, usize) {
        (self.shown.iter().filter(|right| **right).count(), self.shown.len())
    }

    /// Number of successful accesses and number of all accesses.
    pub(super) fn reading(&self) -> (usize, usize) {
        (self.recent.iter().filter(|right| **right).count(), self.recent.len())
    }

    /// Whether the board has answered at all.
    pub(super) fn has_answered(&self) -> bool {
        self.recent.contains(&true)
    }

    /// Whether none of the recorded accesses failed.
    pub(super) fn is_spotless(&self) -> bool {
        !self.recent.contains(&false)
    }

    /// Whether the window is full and enough accesses succeeded.
    pub(super) fn is_good(&self) -> bool {
        let (good, total) = self.reading();
        total == WINDOW && is_good(good, total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(failures: usize, successes: usize) -> LinkQuality {
        let mut quality = LinkQuality::default();
        (0..failures).for_each(|_| quality.record(false));
        (0..successes).for_each(|_| quality.record(true));
        quality
    }

    #[test]
    fn two_failures_in_fifty_are_good_enough_and_three_are_not() {
        assert!(after(2, 48).is_good());
        assert!(!after(3, 47).is_good());
    }

    #[test]
    fn failed_attempts_are_shown_and_prove_nothing_against_contact_that_is_there() {
        let mut quality = after(0, 10);
        quality.missed(Miss::Silent);
        assert_eq!((quality.shown(), quality.reading()), ((10, 11), (10, 10)));
        assert!(quality.is_spotless());
    }

    #[test]
    fn a_board_has_answered_once_an_access_was_right() {
        assert!(!LinkQuality::default().has_answered() && !after(3, 0).has_answered());
        assert!(after(3, 1).has_answered());
    }

    #[test]
    fn accesses_before_the_last_fifty_are_forgotten() {
        assert!(after(30, 50).is_spotless());
        assert!(!after(1, 49).is_spotless());
    }

    #[test]
    fn a_few_good_accesses_prove_nothing_after_a_failure() {
        assert!(!after(1, 10).is_good());
        assert!(after(0, 10).is_spotless());
    }
}
