//! Progress if no bar can move: a line a second, even if a step has nothing to report.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    thread,
    time::{Duration, Instant},
};

use m365_drv::{
    board::progress::{Need, Step},
    count::count,
};

use super::{output::eprint_message, phases::kib_per_second};

/// How long a step may take before its name stands on the screen.
const SOON: Duration = Duration::from_millis(60);

/// How often a step says something after that.
const EVERY: Duration = Duration::from_secs(1);

/// The lines of a run. A thread of its own says that a step goes on, for as long as this is there.
pub(crate) struct Lines(Arc<Mutex<Standing>>);

/// How things stand. By the computer's clock: a simulated board's runs faster.
struct Standing {
    step: Option<Step>,
    begun: Instant,
    last_line: Option<Instant>,
    work: Work,
}

/// What is known of a step that is not over.
#[derive(Debug, Clone, Copy)]
enum Work {
    Begun,
    Advanced { done_bytes: u64, total_bytes: u64 },
    Waiting { attempts: u32, since: Instant, need: Need },
}

impl Lines {
    pub(crate) fn new() -> Self {
        let standing = Standing { step: None, begun: Instant::now(), last_line: None, work: Work::Begun };
        let standing = Arc::new(Mutex::new(standing));
        let watched = Arc::downgrade(&standing);
        thread::spawn(move || watch(&watched));
        Self(standing)
    }

    pub(crate) fn started(&self, step: Step) {
        *hold(&self.0) = Standing { step: Some(step), begun: Instant::now(), last_line: None, work: Work::Begun };
    }

    pub(crate) fn advanced(&self, done_bytes: u64, total_bytes: u64) {
        hold(&self.0).work = Work::Advanced { done_bytes, total_bytes };
    }

    /// The first try that failed is told at once: the user's hands are needed.
    pub(crate) fn waiting(&self, attempts: u32, since: Instant, need: Need) {
        let mut standing = hold(&self.0);
        standing.work = Work::Waiting { attempts, since, need };
        standing.tell_after(Duration::ZERO);
    }

    /// The step's last word.
    pub(crate) fn ended(&self, step: Step, words: &str) {
        hold(&self.0).step = None;
        tell(step, words);
    }
}

fn tell(step: Step, words: &str) {
    eprint_message(&format!("{:<10}{words}", step.to_string()), "          ");
}

fn hold(standing: &Mutex<Standing>) -> MutexGuard<'_, Standing> {
    standing.lock().unwrap_or_else(PoisonError::into_inner)
}

fn watch(standing: &Weak<Mutex<Standing>>) {
    while let Some(standing) = standing.upgrade() {
        hold(&standing).tell_after(SOON);
        drop(standing);
        thread::sleep(SOON / 4);
    }
}

impl Standing {
    /// Says how things stand, unless it was said just now or the step is younger than this.
    fn tell_after(&mut self, age: Duration) {
        let Some(step) = self.step else { return };
        let due = self.last_line.map_or(self.begun.elapsed() >= age, |last| last.elapsed() >= EVERY);
        if due {
            self.last_line = Some(Instant::now());
            tell(step, &self.work.in_words(self.begun.elapsed()));
        }
    }
}

impl Work {
    fn in_words(self, took: Duration) -> String {
        match self {
            Self::Begun => seconds(took),
            Self::Advanced { done_bytes, total_bytes } => {
                let kib = |bytes: u64| bytes.div_ceil(1024);
                let words = format!("{} of {} KiB", kib(done_bytes), kib(total_bytes));
                let Some(rate) = kib_per_second(done_bytes, took) else { return words };
                let to_do = u32::try_from(total_bytes.saturating_sub(done_bytes)).unwrap_or(u32::MAX);
                let left = took.saturating_mul(to_do) / u32::try_from(done_bytes).unwrap_or(u32::MAX).max(1);
                format!("{words}, {rate} KiB/s, {} left", seconds(left))
            }
            Self::Waiting { attempts, since, need } => waiting_in_words(attempts, since.elapsed(), need),
        }
    }
}

/// What the user can do while the program waits, and for how long it has waited.
pub(crate) fn waiting_in_words(attempts: u32, waited: Duration, need: Need) -> String {
    let plea = match need {
        Need::Contact => "hold the wires on, or tap NRST",
        Need::PowerCycle => "power-cycle the board",
        Need::Probe => "plug the probe in",
        Need::Replug => "the probe does not answer: unplug it and plug it in again",
    };
    format!("{plea}; {}, {}", count(attempts, "try"), seconds(waited))
}

/// A time in seconds with one decimal.
pub(crate) fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_how_far_how_fast_and_how_long() {
        let work = Work::Advanced { done_bytes: 10 * 1024, total_bytes: 30 * 1024 };
        assert_eq!(work.in_words(Duration::from_secs(2)), "10 of 30 KiB, 5.0 KiB/s, 4.0 s left");
    }

    #[test]
    fn the_time_left_is_right_within_the_first_second() {
        let work = Work::Advanced { done_bytes: 2 * 1024, total_bytes: 30 * 1024 };
        assert_eq!(work.in_words(Duration::from_millis(50)), "2 of 30 KiB, 40.0 KiB/s, 0.7 s left");
    }

    #[test]
    fn one_try_is_singular() {
        let words = |attempts| waiting_in_words(attempts, Duration::from_millis(1250), Need::PowerCycle);
        assert_eq!(words(1), "power-cycle the board; 1 try, 1.2 s");
        assert_eq!(words(1200), "power-cycle the board; 1,200 tries, 1.2 s");
    }

    #[test]
    fn a_step_that_says_nothing_is_told_soon_and_then_every_second() {
        let mut standing = Standing { step: None, begun: Instant::now(), last_line: None, work: Work::Begun };
        standing.tell_after(Duration::ZERO);
        assert!(standing.last_line.is_none(), "no step runs");
        standing.step = Some(Step::Connect);
        standing.tell_after(Duration::from_secs(60));
        assert!(standing.last_line.is_none(), "it has just begun");
        standing.tell_after(Duration::ZERO);
        let first = standing.last_line.unwrap();
        standing.tell_after(Duration::ZERO);
        assert_eq!(standing.last_line, Some(first), "it was told just now");
        standing.last_line = first.checked_sub(EVERY);
        standing.tell_after(Duration::ZERO);
        assert!(standing.last_line.unwrap() >= first);
    }
}
