//! Progress while a procedure runs: bars on a terminal, otherwise a line a second, events with `--json`.

use std::{
    env,
    io::{self, IsTerminal as _, Write as _},
    sync::Arc,
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use m365_drv::{
    board::progress::{Event, Need, Progress, Step, Warning},
    clock::Clock,
};

use crate::cli::screen::{
    failure::escaped,
    lines::{Lines, seconds, waiting_in_words},
    logging,
    output::{Line, Output, eprint_line, eprint_message},
    page::Width,
    phases::{Phases, kib_per_second},
};

/// How often the lines of JSON say that the program waits.
const EVERY: Duration = Duration::from_secs(1);

/// Into how many parts the progress lines of JSON divide a step, at most.
const PARTS: u64 = 32;

/// Tells the user what a procedure does.
pub(crate) struct Teller {
    voice: Voice,
    phases: Phases,
    step: Step,
    /// Since when the step waits, and when JSON was last told. By the computer's clock: a simulated board's runs faster.
    waits_since: Option<Instant>,
    last_line: Option<Instant>,
    last_contact: Option<Instant>,
    warned: Vec<Warning>,
    done_bytes: u64,
    told_bytes: u64,
}

enum Voice {
    Quiet,
    Json(Output),
    Lines(Lines),
    Bars(MultiProgress, ProgressBar),
}

impl Teller {
    /// Bars if stderr is a terminal that can move its cursor, unless JSON or silence is wanted.
    pub(crate) fn new(output: &Output, quiet: bool, bars: MultiProgress, clock: Arc<dyn Clock>) -> Self {
        let voice = if output.is_json() {
            Voice::Json(output.clone())
        } else if quiet {
            Voice::Quiet
        } else if io::stderr().is_terminal() && env::var_os("TERM").is_none_or(|term| term != "dumb") {
            Voice::Bars(bars, ProgressBar::hidden())
        } else {
            bars.set_draw_target(ProgressDrawTarget::hidden());
            Voice::Lines(Lines::new(clock))
        };
        Self {
            voice,
            phases: Phases::default(),
            step: Step::Connect,
            waits_since: None,
            last_line: None,
            last_contact: None,
            warned: Vec::new(),
            done_bytes: 0,
            told_bytes: 0,
        }
    }

    /// Says something for a person to know; scripts know it from the hello line.
    pub(crate) fn say(&self, words: &str) {
        match &self.voice {
            Voice::Quiet | Voice::Json(_) => {}
            Voice::Lines(lines) => {
                lines.spoke();
                eprint_message(&escaped(words), "  ");
            }
            Voice::Bars(bars, _) => bars.suspend(|| eprint_message(&escaped(words), "  ")),
        }
    }

    /// The table of the phases so far, which is for the eye: scripts have the `step` lines.
    pub(crate) fn tell_phases(&self) {
        if !self.phases.is_empty() {
            eprint_line(&self.phases.to_string());
        }
    }

    fn started(&mut self, step: Step) {
        (self.step, self.done_bytes, self.told_bytes) = (step, 0, 0);
        (self.waits_since, self.last_line, self.last_contact) = (None, None, None);
        match &mut self.voice {
            Voice::Quiet => {}
            Voice::Lines(lines) => lines.started(step),
            Voice::Json(output) => {
                output.emit(&Line::Step { step: &step.to_string(), state: "started", took_ms: None });
            }
            Voice::Bars(bars, bar) => {
                *bar = bars.add(ProgressBar::new_spinner().with_message(format!("{step:<10}")));
                bar.set_style(style("{spinner} {msg}"));
                bar.enable_steady_tick(Duration::from_millis(100));
            }
        }
    }

    fn finished(&mut self, step: Step, took: Duration) {
        let rate = kib_per_second(self.done_bytes, took).map_or_else(String::new, |rate| format!(", {rate} KiB/s"));
        self.ended(step, &format!("{}{rate}", seconds(took)), "finished", Some(took));
    }

    /// The end of a step, which stays on the screen.
    fn ended(&mut self, step: Step, words: &str, state: &'static str, took: Option<Duration>) {
        match &self.voice {
            Voice::Quiet => {}
            Voice::Json(output) => {
                let took_ms = took.map(|took| took.as_millis() as u64);
                output.emit(&Line::Step { step: &step.to_string(), state, took_ms });
            }
            Voice::Lines(lines) => lines.ended(step, words),
            Voice::Bars(bars, bar) => {
                bar.finish_and_clear();
                bars.remove(bar);
                let line = format!("  {:<10}{words}", step.to_string());
                bars.suspend(|| eprint_message(&line, "            "));
            }
        }
    }

    fn advanced(&mut self, step: Step, done_bytes: u64, total_bytes: u64) {
        self.done_bytes = done_bytes;
        match &self.voice {
            Voice::Quiet => {}
            Voice::Json(output) => {
                let due =
                    done_bytes == total_bytes || done_bytes.saturating_sub(self.told_bytes) >= total_bytes / PARTS;
                if due {
                    self.told_bytes = done_bytes;
                    output.emit(&Line::Progress {
                        step: &step.to_string(),
                        done_bytes,
                        total_bytes,
                        attempts: None,
                        waited_ms: None,
                    });
                }
            }
            Voice::Lines(lines) => lines.advanced(done_bytes, total_bytes),
            Voice::Bars(_, bar) => {
                if bar.length() != Some(total_bytes) {
                    bar.set_length(total_bytes);
                    bar.set_style(style("{spinner} {msg}{wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}"));
                }
                bar.set_position(done_bytes);
            }
        }
    }

    fn waiting(&mut self, attempts: u32, need: Need) {
        let since = *self.waits_since.get_or_insert_with(Instant::now);
        match &self.voice {
            Voice::Quiet => {}
            Voice::Bars(_, bar) => {
                let words = waiting_in_words(attempts, since.elapsed(), need);
                let line = format!("  {:<10}{words}", self.step.to_string());
                bar.set_message(Width::of_stderr().message(&line, "            ").trim_start().to_owned());
            }
            Voice::Lines(lines) => lines.waiting(attempts, since, need),
            Voice::Json(output) => {
                if self.last_line.is_none_or(|last| last.elapsed() >= EVERY) {
                    self.last_line = Some(Instant::now());
                    output.emit(&Line::Progress {
                        step: &self.step.to_string(),
                        done_bytes: 0,
                        total_bytes: 0,
                        attempts: Some(attempts),
                        waited_ms: Some(since.elapsed().as_millis() as u64),
                    });
                }
            }
        }
    }

    /// Whether scripts are to be told again how contact is while the program waits.
    fn is_due(&mut self) -> bool {
        let is_due = self.last_contact.is_none_or(|last| last.elapsed() >= EVERY);
        if is_due {
            self.last_contact = Some(Instant::now());
        }
        is_due
    }

    /// Whether a warning was not given yet. Work that is done again after a question or after contact was lost would give it
    /// again; only that contact was lost is news each time.
    fn is_news(&mut self, warning: &Warning) -> bool {
        let is_news = warning.name == "contact-lost" || !self.warned.contains(warning);
        if is_news {
            self.warned.push(warning.clone());
        }
        is_news
    }

    fn warning(&mut self, warning: &Warning) {
        if !self.is_news(warning) {
            return;
        }
        let yellow = anstyle::AnsiColor::Yellow.on_default().bold();
        let line = format!("{yellow}warning:{yellow:#} {}", escaped(&warning.message));
        match &self.voice {
            Voice::Quiet => {}
            Voice::Json(output) => {
                output.emit(&Line::Warning { name: warning.name, message: warning.message.clone() });
            }
            Voice::Lines(lines) => {
                lines.spoke();
                eprint_message(&line, "  ");
            }
            Voice::Bars(bars, _) => bars.suspend(|| eprint_message(&line, "  ")),
        }
    }

    fn contact_free(&self) {
        match &self.voice {
            Voice::Quiet => {}
            Voice::Json(output) => output.emit(&Line::Event(&Event::ContactFree)),
            Voice::Lines(_) => {
                ring();
                eprint_line("you may let go now");
            }
            Voice::Bars(bars, _) => bars.suspend(|| {
                ring();
                eprint_line("  you may let go now");
            }),
        }
    }
}

impl Progress for Teller {
    fn on(&mut self, event: Event) {
        self.phases.note(&event);
        logging::record(&event);
        match event {
            Event::Started { step } => self.started(step),
            Event::Advanced { step, done_bytes, total_bytes } => self.advanced(step, done_bytes, total_bytes),
            Event::Finished { step, took } => self.finished(step, took),
            Event::Skipped { step } => self.ended(step, "nothing to do", "skipped", None),
            Event::Waiting { attempts, need, .. } => self.waiting(attempts, need),
            Event::Warning(warning) => self.warning(&warning),
            Event::ContactFree => self.contact_free(),
            Event::Contact { voltage_mv: None, need: Some(_), .. } if !self.is_due() => {}
            // For programs; a person sees the steps.
            event => {
                if let Voice::Json(output) = &self.voice {
                    output.emit(&Line::Event(&event));
                }
            }
        }
    }
}

impl Drop for Teller {
    /// A procedure that failed in the middle of a step leaves its bar; it must not stand above the error.
    fn drop(&mut self) {
        if let Voice::Bars(_, bar) = &self.voice {
            bar.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

/// Rings the terminal's bell, also if colours are off.
fn ring() {
    let mut stderr = io::stderr();
    if stderr.is_terminal() {
        let _ = stderr.write_all(b"\x07");
    }
}

#[cfg(test)]
mod tests {
    use m365_drv::clock::SystemClock;

    use super::*;
    use crate::cli::args::command_line::Typed;

    #[test]
    fn a_warning_is_given_once_and_lost_contact_each_time() {
        let output = Output::begin(Arc::new(Typed::read(&[]).0));
        let mut teller = Teller::new(&output, true, MultiProgress::new(), Arc::new(SystemClock::new()));
        let mut is_news = |name, message| teller.is_news(&Warning::new(name, message));
        assert!(is_news("region", "one") && is_news("region", "another"));
        assert!(!is_news("region", "one"));
        assert!(is_news("contact-lost", "a wire") && is_news("contact-lost", "a wire"));
    }
}
