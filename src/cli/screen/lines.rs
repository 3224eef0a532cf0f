//! Progress if no bar can move: a line for each step at its end, and one a second while it goes on.

use std::{
    io::{self, IsTerminal as _},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    thread,
    time::{Duration, Instant},
};

use m365_drv::{
    board::progress::{Need, Step},
    clock::Clock,
    guide::coach::Meter,
};

use super::{
    meter,
    phases::{kib_per_second, seconds},
    stderr,
    voice::{Voice, WaitingStep},
};

/// How long the screen may stay empty at the beginning of a run.
const SOON: Duration = Duration::from_millis(60);

/// How often a line is printed before a step ends.
const EVERY: Duration = Duration::from_secs(1);

/// How often the same is said about contact that does not change.
const SAME_EVERY: Duration = Duration::from_secs(10);

/// The lines of a run. A thread of its own prints those of a step that goes on, as long as this exists.
pub(crate) struct Lines(Arc<Mutex<CurrentStep>>);

/// The step that goes on, and what was printed.
struct CurrentStep {
    step: Option<Step>,
    /// What stands before everything, if there are several probes.
    label: String,
    /// When a line is due: by the computer's clock.
    begun: Instant,
    last_line: Option<Instant>,
    /// Whether the run has said anything.
    has_spoken: bool,
    /// The last line about contact: the same is not said again every second.
    told_contact: Option<String>,
    /// How long the step takes: by the board's clock, which is faster if it is simulated, as at the end of the step.
    clock: Arc<dyn Clock>,
    began_at: Duration,
    work: StepProgress,
}

/// What is known of a step that is not over.
#[derive(Debug, Clone, Copy)]
enum StepProgress {
    Begun,
    Advanced { done_bytes: u64, total_bytes: u64 },
    Waiting(WaitingStep),
    Contact(Meter),
}

impl Lines {
    pub(crate) fn new(clock: Arc<dyn Clock>, label: &str) -> Self {
        let label = if label.is_empty() { String::new() } else { format!("{label}  ") };
        let current = Arc::new(Mutex::new(CurrentStep { label, ..CurrentStep::new(clock) }));
        let watched = Arc::downgrade(&current);
        thread::spawn(move || watch(&watched));
        Self(current)
    }
}

impl Voice for Lines {
    fn started(&mut self, step: Step) {
        hold(&self.0).start(step);
    }

    fn advanced(&mut self, done_bytes: u64, total_bytes: u64) {
        hold(&self.0).work = StepProgress::Advanced { done_bytes, total_bytes };
    }

    /// The first try that failed is told at once: the user's hands are needed.
    fn waiting(&mut self, waiting: WaitingStep) {
        let mut current = hold(&self.0);
        if matches!(current.work, StepProgress::Contact(_)) && waiting.need == Need::Contact {
            return;
        }
        current.work = StepProgress::Waiting(waiting);
        current.tell_if(true);
    }

    /// Scripts get the line that they always had.
    fn contact(&mut self, meter: Meter) {
        if meter.need != Some(Need::Contact) || !io::stderr().is_terminal() {
            return;
        }
        let mut current = hold(&self.0);
        let is_news = !matches!(current.work, StepProgress::Contact(before) if before.finding == meter.finding);
        current.work = StepProgress::Contact(meter);
        if is_news {
            (current.last_line, current.told_contact) = (None, None);
        }
        current.tell_if(is_news);
    }

    fn ended(&mut self, step: Step, how: &str) {
        let mut current = hold(&self.0);
        if step == Step::Connect && matches!(current.work, StepProgress::Contact(_)) {
            stderr::ring();
        }
        (current.step, current.has_spoken) = (None, true);
        tell(&current.label, step, how);
    }

    fn contact_free(&mut self) {
        stderr::ring();
        stderr::line(&format!("{}you may let go now", hold(&self.0).label));
    }

    fn say(&mut self, message: &str) {
        let mut current = hold(&self.0);
        current.has_spoken = true;
        stderr::message(&format!("{}{message}", current.label), "  ");
    }
}

fn tell(label: &str, step: Step, words: &str) {
    stderr::message(&format!("{label}{:<10}{words}", step.to_string()), "          ");
}

fn hold(current: &Mutex<CurrentStep>) -> MutexGuard<'_, CurrentStep> {
    current.lock().unwrap_or_else(PoisonError::into_inner)
}

fn watch(current: &Weak<Mutex<CurrentStep>>) {
    while let Some(current) = current.upgrade() {
        let mut held = hold(&current);
        let is_due = held.is_due();
        held.tell_if(is_due);
        drop(held);
        drop(current);
        thread::sleep(SOON / 4);
    }
}

impl CurrentStep {
    fn new(clock: Arc<dyn Clock>) -> Self {
        let (begun, began_at) = (Instant::now(), clock.now());
        Self {
            step: None,
            label: String::new(),
            begun,
            last_line: None,
            has_spoken: false,
            told_contact: None,
            clock,
            began_at,
            work: StepProgress::Begun,
        }
    }

    fn start(&mut self, step: Step) {
        (self.step, self.last_line, self.work) = (Some(step), None, StepProgress::Begun);
        self.told_contact = None;
        (self.begun, self.began_at) = (Instant::now(), self.clock.now());
    }

    /// Whether a step that has told nothing should: at once if the screen is empty, otherwise if it takes long. What ends soon
    /// has one line, at its end.
    fn is_due(&self) -> bool {
        self.begun.elapsed() >= if self.has_spoken { EVERY } else { SOON }
    }

    /// Says how things stand, if that is due and was not said just now.
    fn tell_if(&mut self, is_due: bool) {
        let Some(step) = self.step else { return };
        if self.last_line.map_or(is_due, |last| last.elapsed() >= EVERY) {
            let words = self.work.in_words(self.clock.now().saturating_sub(self.began_at));
            if matches!(self.work, StepProgress::Contact(_)) {
                let is_old = self.told_contact.as_ref() == Some(&words);
                if is_old && self.last_line.is_some_and(|last| last.elapsed() < SAME_EVERY) {
                    return;
                }
                self.told_contact = Some(words.clone());
            }
            (self.last_line, self.has_spoken) = (Some(Instant::now()), true);
            tell(&self.label, step, &words);
        }
    }
}

impl StepProgress {
    fn in_words(self, took: Duration) -> String {
        match self {
            Self::Begun if took < EVERY => "started".into(),
            Self::Begun => seconds(took),
            Self::Advanced { done_bytes, total_bytes } => {
                let kib = |bytes: u64| bytes.div_ceil(1024);
                let words = format!("{} of {} KiB", kib(done_bytes), kib(total_bytes));
                let Some(rate) = kib_per_second(done_bytes, took) else { return words };
                let to_do = u32::try_from(total_bytes.saturating_sub(done_bytes)).unwrap_or(u32::MAX);
                let left = took.saturating_mul(to_do) / u32::try_from(done_bytes).unwrap_or(u32::MAX).max(1);
                format!("{words}, {rate} KiB/s, {} left", seconds(left))
            }
            Self::Waiting(waiting) => waiting.in_words(),
            Self::Contact(meter) => format!("{}: {}", meter::in_a_line(meter), meter.advice()),
        }
    }
}

#[cfg(test)]
mod tests {
    use m365_drv::clock::SystemClock;

    use super::*;

    #[test]
    fn a_line_tells_how_far_how_fast_and_how_long() {
        let work = StepProgress::Advanced { done_bytes: 10 * 1024, total_bytes: 30 * 1024 };
        assert_eq!(work.in_words(Duration::from_secs(2)), "10 of 30 KiB, 5.0 KiB/s, 4.0 s left");
    }

    #[test]
    fn the_time_left_is_right_within_the_first_second() {
        let work = StepProgress::Advanced { done_bytes: 2 * 1024, total_bytes: 30 * 1024 };
        assert_eq!(work.in_words(Duration::from_millis(100)), "2 of 30 KiB, 20.0 KiB/s, 1.4 s left");
        assert_eq!(work.in_words(Duration::from_millis(20)), "2 of 30 KiB", "too short to tell a rate");
    }

    fn current() -> CurrentStep {
        CurrentStep::new(Arc::new(SystemClock::new()))
    }

    #[test]
    fn a_step_that_ends_soon_says_nothing_before_its_end() {
        let mut current = current();
        current.tell_if(true);
        assert!(current.last_line.is_none(), "no step runs");
        current.start(Step::Connect);
        current.has_spoken = true;
        current.begun -= SOON;
        assert!(!current.is_due());
        current.begun -= EVERY;
        assert!(current.is_due());
    }

    #[test]
    fn the_first_step_is_named_soon_so_that_the_screen_is_not_empty() {
        let mut current = current();
        current.start(Step::Connect);
        assert!(!current.is_due(), "it has just begun");
        current.begun -= SOON;
        assert!(current.is_due());
        assert_eq!(current.work.in_words(SOON), "started");
        current.tell_if(true);
        assert!(!current.is_due(), "it was told");
    }

    #[test]
    fn contact_that_does_not_change_is_not_told_every_second() {
        let mut current = current();
        current.start(Step::Connect);
        let meter = Meter { good: 0, of: 50, ..Meter::default() };
        let tell = |current: &mut CurrentStep, meter| {
            current.work = StepProgress::Contact(meter);
            let before = current.last_line.and_then(|last| last.checked_sub(EVERY));
            current.last_line = before;
            current.tell_if(true);
            current.last_line != before
        };
        assert!(tell(&mut current, meter));
        assert!(!tell(&mut current, meter), "the same");
        assert!(tell(&mut current, Meter { good: 1, ..meter }));
    }

    #[test]
    fn a_long_step_has_a_line_a_second() {
        let mut current = current();
        current.start(Step::Connect);
        current.tell_if(false);
        assert!(current.last_line.is_none());
        current.tell_if(true);
        let first = current.last_line.unwrap();
        current.tell_if(true);
        assert_eq!(current.last_line, Some(first), "it was told just now");
        current.last_line = first.checked_sub(EVERY);
        current.tell_if(false);
        assert!(current.last_line.unwrap() >= first);
    }
}
