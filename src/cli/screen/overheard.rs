//! Progress that a listener gets as well as the person at the terminal.

use std::sync::Arc;

use m365_drv::{
    board::progress::{Event, Step},
    guide::coach::Meter,
};
use serde_json::Value;

use super::voice::{Voice, WaitingStep};

/// Is told what happens at a probe of a batch: the name of the probe, the number of the board, and the line as JSON.
pub(crate) type Listener = Arc<dyn Fn(&str, u32, &Value) + Send + Sync>;

/// A voice that a listener overhears.
pub(crate) struct Overheard {
    pub(crate) voice: Box<dyn Voice>,
    pub(crate) listener: Listener,
    pub(crate) probe: String,
    pub(crate) unit: u32,
}

impl Voice for Overheard {
    fn started(&mut self, step: Step) {
        self.voice.started(step);
    }

    fn advanced(&mut self, done_bytes: u64, total_bytes: u64) {
        self.voice.advanced(done_bytes, total_bytes);
    }

    fn waiting(&mut self, waiting: WaitingStep) {
        self.voice.waiting(waiting);
    }

    fn contact(&mut self, meter: Meter) {
        self.voice.contact(meter);
    }

    fn ended(&mut self, step: Step, how: &str) {
        self.voice.ended(step, how);
    }

    fn rest(&mut self) {
        self.voice.rest();
    }

    fn contact_free(&mut self) {
        self.voice.contact_free();
    }

    fn say(&mut self, message: &str) {
        self.voice.say(message);
    }

    fn event(&mut self, event: &Event) {
        self.voice.event(event);
        if let Ok(line) = serde_json::to_value(event) {
            (self.listener)(&self.probe, self.unit, &line);
        }
    }
}
