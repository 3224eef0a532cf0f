//! Counts of the faults that a campaign tried and of their results.

use std::{collections::BTreeMap, fmt, time::Instant};

use super::fault_case::End;

/// The counts of one campaign.
#[derive(Debug)]
pub(crate) struct FaultCounts {
    name: String,
    began: Instant,
    tried: BTreeMap<&'static str, u32>,
    ends: BTreeMap<String, u32>,
    successes: u32,
    errors: u32,
    recovered: u32,
    failures: Vec<String>,
}

impl FaultCounts {
    pub(crate) fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            began: Instant::now(),
            tried: BTreeMap::new(),
            ends: BTreeMap::new(),
            successes: 0,
            errors: 0,
            recovered: 0,
            failures: Vec::new(),
        }
    }

    /// Records a fault and the result of the run, whose report was true.
    pub(crate) fn ended(&mut self, kind: &'static str, end: End) {
        *self.tried.entry(kind).or_default() += 1;
        match end {
            End::Success => self.successes += 1,
            End::Failure(category, state) => {
                self.errors += 1;
                *self.ends.entry(format!("{category:?}/{state:?}")).or_default() += 1;
            }
        }
    }

    /// Records that repeating the command produced the correct board.
    pub(crate) fn recovered(&mut self) {
        self.recovered += 1;
    }

    pub(crate) fn failed(&mut self, what: String) {
        self.failures.push(what);
    }

    /// Prints the counts and panics if there were failures.
    #[track_caller]
    pub(crate) fn conclude(self) {
        println!("{self}");
        assert!(
            self.failures.is_empty(),
            "{}: {} failures, the first of them: {:#?}",
            self.name,
            self.failures.len(),
            &self.failures[..self.failures.len().min(25)]
        );
        assert!(!self.tried.is_empty(), "nothing was tried");
    }
}

impl fmt::Display for FaultCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |map: Vec<(String, u32)>| {
            let items: Vec<_> = map.into_iter().map(|(name, count)| format!("{name} {count}")).collect();
            items.join(", ")
        };
        let tried = self.tried.iter().map(|(kind, count)| ((*kind).to_owned(), *count)).collect();
        let ends = self.ends.iter().map(|(end, count)| (end.clone(), *count)).collect();
        let false_successes = self.failures.iter().filter(|failure| failure.contains("FALSE SUCCESS")).count();
        write!(
            f,
            "{}: tried {} ({}); clean errors {} ({}); successes {}; recovered by re-run {}; false successes \
             {false_successes}; {:.0} s",
            self.name,
            self.tried.values().sum::<u32>(),
            list(tried),
            self.errors,
            list(ends),
            self.successes,
            self.recovered,
            self.began.elapsed().as_secs_f32(),
        )
    }
}
