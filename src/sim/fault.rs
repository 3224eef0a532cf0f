//! Faults that a test puts on a board: what goes wrong, and when.
//!
//! A [`Fault`] is armed with [`SimBoard::inject`](super::SimBoard::inject), which gives back an [`Armed`] that knows whether it fired; a test
//! whose fault never fired has proved nothing. Contact by hand, which comes and goes, is [`Contact`].

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// When a fault fires. Counts begin with 1, the next one after arming.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// At the n-th transfer over the debug port.
    Transfer(u64),
    /// At the n-th half-word (or word, where the chip programs words) programmed into main flash.
    HalfWord(u64),
    /// At the n-th page erase.
    PageErase(u64),
    /// At the n-th mass erase, the one that unlocking forces included.
    MassErase(u64),
    /// At the n-th erase of the option bytes.
    OptionErase(u64),
    /// At the n-th half-word (or word) programmed into the option bytes.
    OptionProgram(u64),
    /// At this moment of the model's clock, or right away where it has passed.
    At(Duration),
}

/// What a lying link makes of the words read from memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// The first word again and again.
    Stuck,
    /// Each word is the one before.
    Late,
    /// 0xFFFFFFFF.
    Ones,
    /// 0x00000000.
    Zeros,
    /// One bit of one word in so many is wrong.
    FlippedBit {
        /// One wrong word in this many, on average.
        one_in: u32,
    },
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// One transfer fails: no acknowledge.
    Error,
    /// The probe gives up after a second.
    Timeout,
    /// The probe is pulled out of the computer. It is there again after so long, or never; either way it has to be opened
    /// anew.
    ProbeGone {
        /// Counted from the fault.
        returns_after: Option<Duration>,
    },
    /// The board loses its supply: SRAM is lost, a flash operation is cut in the middle.
    PowerLost {
        /// Counted from the fault.
        returns_after: Option<Duration>,
    },
    /// Nothing answers for so long; the chip goes on.
    Silent(Duration),
    /// From here on what is read from memory is not what is there.
    Lying(Lie),
    /// One write to memory is acknowledged and does not happen: the first at or after the trigger.
    DroppedWrite,
    /// The flash operation that triggers it is acknowledged and does nothing; its page never does it again. With any other
    /// trigger it never fires.
    NoEffect,
    /// The wires lose contact and find another board: same make, same content, another unique number.
    AnotherBoard {
        /// The other board's number.
        uid: [u32; 3],
        /// How long there is no contact in between.
        gap: Duration,
    },
}

/// A fault to be armed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// When.
    pub trigger: Trigger,
    /// What.
    pub kind: FaultKind,
}

/// A fault that has been armed.
#[derive(Debug, Clone)]
pub struct Armed(Arc<AtomicBool>);

impl Armed {
    /// Whether it has happened, and something came of it.
    pub fn fired(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// How well the wires are held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contact {
    /// Always.
    Firm,
    /// Never.
    Absent,
    /// Contact and gaps take turns, both of random length.
    Markov {
        /// Share of the time with contact, in percent; 1 to 100.
        duty_percent: u8,
        /// Length of a gap, drawn evenly from this range.
        gap: Range<Duration>,
        /// Seed of the chance.
        seed: u64,
    },
}

/// Flash operations as faults count them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Transfer,
    HalfWord,
    PageErase,
    MassErase,
    OptionErase,
    OptionProgram,
}

/// The faults that wait for their moment.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<Waiting>);

#[derive(Debug)]
struct Waiting {
    fault: Fault,
    seen: u64,
    fired: Arc<AtomicBool>,
}

/// A fault whose moment has come; [`Hit::happened`] marks it as fired.
#[derive(Debug)]
pub(super) struct Hit {
    pub(super) kind: FaultKind,
    fired: Arc<AtomicBool>,
}

impl Hit {
    pub(super) fn happened(&self) {
        self.fired.store(true, Ordering::Relaxed);
    }
}

impl Faults {
    pub(super) fn arm(&mut self, fault: Fault) -> Armed {
        let fired = Arc::new(AtomicBool::new(false));
        self.0.push(Waiting { fault, seen: 0, fired: fired.clone() });
        Armed(fired)
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Counts one `step` and gives the fault whose turn it is; a second one on the same step waits for the next.
    pub(super) fn count(&mut self, step: Step) -> Option<Hit> {
        let mut due = None;
        for (index, waiting) in self.0.iter_mut().enumerate() {
            let Some(nth) = waiting.fault.trigger.nth(step) else { continue };
            waiting.seen += 1;
            if waiting.seen >= nth && due.is_none() {
                due = Some(index);
            }
        }
        due.map(|index| self.take(index))
    }

    /// The fault whose time has come.
    pub(super) fn due(&mut self, now: Duration) -> Option<Hit> {
        let index = self.0.iter().position(|waiting| waiting.fault.trigger.moment().is_some_and(|at| at <= now))?;
        Some(self.take(index))
    }

    /// The next moment at which a fault is due.
    pub(super) fn next_moment(&self) -> Option<Duration> {
        self.0.iter().filter_map(|waiting| waiting.fault.trigger.moment()).min()
    }

    fn take(&mut self, index: usize) -> Hit {
        let waiting = self.0.remove(index);
        Hit { kind: waiting.fault.kind, fired: waiting.fired }
    }
}

impl Trigger {
    fn nth(self, step: Step) -> Option<u64> {
        match (self, step) {
            (Self::Transfer(nth), Step::Transfer)
            | (Self::HalfWord(nth), Step::HalfWord)
            | (Self::PageErase(nth), Step::PageErase)
            | (Self::MassErase(nth), Step::MassErase)
            | (Self::OptionErase(nth), Step::OptionErase)
            | (Self::OptionProgram(nth), Step::OptionProgram) => Some(nth),
            _ => None,
        }
    }

    fn moment(self) -> Option<Duration> {
        match self {
            Self::At(moment) => Some(moment),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_fires_once_at_its_count() {
        let mut faults = Faults::default();
        let armed = faults.arm(Fault { trigger: Trigger::PageErase(2), kind: FaultKind::Error });
        assert!(faults.count(Step::PageErase).is_none());
        assert!(faults.count(Step::MassErase).is_none());
        let hit = faults.count(Step::PageErase).unwrap();
        assert!(!armed.fired());
        hit.happened();
        assert!(armed.fired());
        assert!(faults.count(Step::PageErase).is_none());
    }

    #[test]
    fn a_fault_by_the_clock_fires_when_its_time_has_come() {
        let mut faults = Faults::default();
        faults.arm(Fault { trigger: Trigger::At(Duration::from_millis(5)), kind: FaultKind::Timeout });
        assert!(faults.due(Duration::from_millis(4)).is_none());
        assert_eq!(faults.next_moment(), Some(Duration::from_millis(5)));
        assert_eq!(faults.due(Duration::from_millis(5)).unwrap().kind, FaultKind::Timeout);
    }
}
