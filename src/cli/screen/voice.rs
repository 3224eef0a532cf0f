//! The ways to show what a procedure does: bars on a terminal, lines, JSON Lines, or nothing.

use std::time::{Duration, Instant};

use m365_drv::{
    board::progress::{Event, Need, Step},
    count::count,
    guide::coach::Meter,
};

use super::phases::seconds;

/// One way to show what a procedure does. What a way has no method for, it does not show.
pub(crate) trait Voice: Send {
    /// A step begins.
    fn started(&mut self, _step: Step) {}

    /// The current step has done this much.
    fn advanced(&mut self, _done_bytes: u64, _total_bytes: u64) {}

    /// The current step waits; called after each try.
    fn waiting(&mut self, _waiting: WaitingStep) {}

    /// How good contact is. While the step waits this comes after each try.
    fn contact(&mut self, _meter: Meter) {}

    /// The current step ended; `how` stays on the screen.
    fn ended(&mut self, _step: Step, _how: &str) {}

    /// The procedure has ended, perhaps in the middle of a step.
    fn rest(&mut self) {}

    /// The user may let go of the wires.
    fn contact_free(&mut self) {}

    /// A message for a person, which may be coloured.
    fn say(&mut self, _message: &str) {}

    /// Any event, for programs.
    fn event(&mut self, _event: &Event) {}
}

/// Shows nothing.
pub(crate) struct Mute;

impl Voice for Mute {}

/// A step that waits for something.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WaitingStep {
    /// Tries so far.
    pub(crate) attempts: u32,
    /// The first try, by the computer's clock: a simulated board's runs faster.
    pub(crate) since: Instant,
    /// What the user can do meanwhile.
    pub(crate) need: Need,
}

impl WaitingStep {
    /// For how long the program has waited.
    pub(crate) fn so_far(self) -> String {
        format!("{}, {}", count(self.attempts, "try"), seconds(self.since.elapsed()))
    }

    /// What the user can do, and for how long the program has waited.
    pub(crate) fn in_words(self) -> String {
        words(self.attempts, self.since.elapsed(), self.need)
    }
}

fn words(attempts: u32, waited: Duration, need: Need) -> String {
    let plea = match need {
        Need::Contact => "hold the wires on the pads, or touch NRST to GND for a moment",
        Need::PowerCycle => "power-cycle the board",
        Need::Probe => "plug the probe in",
        Need::NextBoard => "disconnect this board and connect the next one",
        Need::Replug => "the probe does not answer: unplug it and plug it in again",
    };
    format!("{plea}; {}, {}", count(attempts, "try"), seconds(waited))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_try_is_singular() {
        let words = |attempts| words(attempts, Duration::from_millis(1250), Need::PowerCycle);
        assert_eq!(words(1), "power-cycle the board; 1 try, 1.2 s");
        assert_eq!(words(1200), "power-cycle the board; 1,200 tries, 1.2 s");
    }
}
