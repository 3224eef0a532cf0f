//! Progress on a terminal: a bar for the current step, a line for each step that ended.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use m365_drv::{
    board::progress::{Need, Step},
    guide::coach::Meter,
};

use super::{
    meter,
    page::Columns,
    stderr,
    voice::{Voice, WaitingStep},
};

/// What the second line of a step begins with.
const HANG: &str = "            ";

/// The bars, and the one of the current step.
pub(crate) struct Bars {
    all: MultiProgress,
    bar: ProgressBar,
    /// What stands before everything, if there are several probes.
    label: String,
    step: Step,
    /// What the step waits for, and whether that is contact.
    waiting: Option<WaitingStep>,
    looks_for_contact: bool,
}

impl Bars {
    pub(crate) fn new(all: MultiProgress, label: &str) -> Self {
        let label = if label.is_empty() { String::new() } else { format!("{label}  ") };
        let (bar, step) = (ProgressBar::hidden(), Step::Connect);
        Self { all, bar, label, step, waiting: None, looks_for_contact: false }
    }
}

impl Voice for Bars {
    fn started(&mut self, step: Step) {
        (self.step, self.waiting, self.looks_for_contact) = (step, None, false);
        self.bar =
            self.all.add(ProgressBar::new_spinner().with_message(format!("{}{:<10}", self.label, step.to_string())));
        self.bar.set_style(style("{spinner} {msg}"));
        self.bar.enable_steady_tick(Duration::from_millis(100));
    }

    fn advanced(&mut self, done_bytes: u64, total_bytes: u64) {
        if self.bar.length() != Some(total_bytes) {
            self.bar.set_length(total_bytes);
            self.bar.set_style(style("{spinner} {msg}{wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}"));
        }
        self.bar.set_position(done_bytes);
    }

    fn waiting(&mut self, waiting: WaitingStep) {
        self.waiting = Some(waiting);
        let line = format!("  {}{:<10}{}", self.label, self.step.to_string(), waiting.in_words());
        self.bar.set_message(Columns::of_stderr().message(&line, HANG).trim_start().to_owned());
    }

    fn contact(&mut self, meter: Meter) {
        if meter.need != Some(Need::Contact) {
            return;
        }
        self.looks_for_contact = true;
        let mut lines = vec![format!("  {:<10}{}", self.step.to_string(), meter::in_a_line(meter))];
        lines.push(format!("{HANG}{}", meter.advice()));
        lines.extend(self.waiting.map(|waiting| format!("{HANG}{}", waiting.so_far())));
        let columns = Columns::of_stderr();
        let lines: Vec<_> = lines.iter().map(|line| columns.message(line, HANG)).collect();
        self.bar.set_message(lines.join("\n").trim_start().to_owned());
    }

    fn ended(&mut self, step: Step, how: &str) {
        if step == Step::Connect && std::mem::take(&mut self.looks_for_contact) {
            stderr::ring();
        }
        self.bar.finish_and_clear();
        self.all.remove(&self.bar);
        let line = format!("  {}{:<10}{how}", self.label, step.to_string());
        self.all.suspend(|| stderr::message(&line, HANG));
    }

    fn rest(&mut self) {
        self.bar.finish_and_clear();
        self.all.remove(&self.bar);
    }

    fn contact_free(&mut self) {
        self.all.suspend(|| {
            stderr::ring();
            stderr::line(&format!("  {}you may let go now", self.label));
        });
    }

    fn say(&mut self, message: &str) {
        self.all.suspend(|| stderr::message(&format!("{}{message}", self.label), "  "));
    }
}

impl Drop for Bars {
    /// A procedure that failed in the middle of a step leaves its bar; it must not stand above the error.
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}
