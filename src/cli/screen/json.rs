//! Progress with `--json`: every event is a line, of those that come often fewer.

use std::time::{Duration, Instant};

use m365_drv::board::progress::{Event, Step};

use super::{
    output::{Line, Output},
    voice::{Voice, WaitingStep},
};

/// How often there is a line while the program waits, and one about contact meanwhile.
const EVERY: Duration = Duration::from_secs(1);

/// Into how many parts the lines divide a step, at most.
const PARTS: u64 = 32;

/// The events on stdout.
pub(crate) struct JsonLines {
    output: Output,
    unit: Option<u32>,
    step: Step,
    told_bytes: u64,
    told_waiting: Option<Instant>,
    told_contact: Option<Instant>,
    /// Whether a line had the voltage.
    told_voltage: bool,
}

impl JsonLines {
    /// The lines are about the board of a batch with this number, if it is one.
    pub(crate) fn new(output: Output, unit: Option<u32>) -> Self {
        let (step, told_bytes) = (Step::Connect, 0);
        Self { output, unit, step, told_bytes, told_waiting: None, told_contact: None, told_voltage: false }
    }
}

impl Voice for JsonLines {
    fn started(&mut self, step: Step) {
        *self = Self { step, ..Self::new(self.output.clone(), self.unit) };
    }

    fn waiting(&mut self, WaitingStep { attempts, since, .. }: WaitingStep) {
        if is_due(&mut self.told_waiting) {
            let waited_ms = since.elapsed().as_millis() as u64;
            let line = Line::Waiting { step: self.step, done_bytes: 0, total_bytes: 0, attempts, waited_ms };
            self.output.emit_of(self.unit, &line);
        }
    }

    fn event(&mut self, event: &Event) {
        let is_told = match *event {
            Event::Advanced { done_bytes, total_bytes, .. } => {
                let is_due =
                    done_bytes == total_bytes || done_bytes.saturating_sub(self.told_bytes) >= total_bytes / PARTS;
                if is_due {
                    self.told_bytes = done_bytes;
                }
                is_due
            }
            Event::Waiting { .. } => false,
            Event::Contact { voltage_mv, need: Some(_), .. } => {
                let is_news = voltage_mv.is_some() && !std::mem::replace(&mut self.told_voltage, voltage_mv.is_some());
                is_due(&mut self.told_contact) || is_news
            }
            _ => true,
        };
        if is_told {
            self.output.emit_of(self.unit, &Line::Event(event));
        }
    }
}

/// Whether it is time for a line again.
fn is_due(last: &mut Option<Instant>) -> bool {
    let is_due = last.is_none_or(|last| last.elapsed() >= EVERY);
    if is_due {
        *last = Some(Instant::now());
    }
    is_due
}
