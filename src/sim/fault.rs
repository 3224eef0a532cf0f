//! Faults that a test injects into a board: what goes wrong, and when.
//!
//! [`SimBoard::inject`](super::SimBoard::inject) arms a [`Fault`] and returns an [`Armed`], which tells whether the
//! fault has fired: a test whose fault never fires proves nothing. [`WireContact`] models probe wires held by hand, which
//! lose contact and find it again.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// When a fault fires. Counts start at 1: the first event after arming.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// At the n-th transfer over the debug port.
    Transfer(u64),
    /// At the n-th time that the debugger reads the word at this address.
    Read {
        /// A multiple of 4.
        address: u32,
        /// Counted from 1.
        nth: u64,
    },
    /// At the n-th time that the debugger writes the word at this address.
    Write {
        /// A multiple of 4.
        address: u32,
        /// Counted from 1.
        nth: u64,
    },
    /// At the n-th time that the probe attaches to the chip, before the chip notices.
    Attach(u64),
    /// At the n-th half-word (or word, if the chip programs words) programmed into main flash.
    HalfWord(u64),
    /// At the n-th page erase.
    PageErase(u64),
    /// At the n-th mass erase, including the one that unlocking forces.
    MassErase(u64),
    /// At the n-th erase of the option bytes.
    OptionErase(u64),
    /// At the n-th half-word (or word) programmed into the option bytes.
    OptionProgram(u64),
    /// At this time on the model's clock, or immediately if it has passed.
    At(Duration),
}

/// How a faulty link falsifies the words read from memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// Every word reads as the first one.
    Stuck,
    /// Every word reads as the previous one.
    Late,
    /// Every word reads as 0xFFFFFFFF.
    Ones,
    /// Every word reads as 0x00000000.
    Zeros,
    /// Every word of flash reads as it did when it was first read after the probe attached: the probe keeps a copy.
    Remembered,
    /// Some words have one wrong bit.
    FlippedBit {
        /// One word in this many is wrong, on average.
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
    /// The probe is unplugged from the computer. After it is plugged in again, it has to be reopened.
    ProbeGone {
        /// Time from the fault until the probe is plugged in again; `None` if it never is.
        returns_after: Option<Duration>,
    },
    /// The board loses power: SRAM is lost, and a running flash operation is interrupted.
    PowerLost {
        /// Time from the fault until power returns; `None` if it never does.
        returns_after: Option<Duration>,
    },
    /// Nothing answers for this long; the chip keeps running.
    Silent(Duration),
    /// The computer stands still for this long, as a program does that was stopped with Ctrl-Z; the chip keeps running.
    Paused(Duration),
    /// From now on, words read from memory are falsified.
    Lying(Lie),
    /// One word read from memory is wrong: the first one at or after the trigger.
    WrongWord {
        /// The bits that are wrong.
        flipped: u32,
    },
    /// One write to memory is acknowledged but lost: the first one at or after the trigger.
    DroppedWrite,
    /// The flash operation that triggers the fault is acknowledged but has no effect, and neither has any later one of
    /// its kind on that page. With a trigger that is not a flash operation, the fault never fires.
    NoEffect,
    /// The wires lose contact and then touch another board: the same chip and content, but another UID.
    AnotherBoard {
        /// UID of the other board.
        uid: [u32; 3],
        /// How long contact is lost in between.
        gap: Duration,
    },
}

/// A fault to inject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// When it fires.
    pub trigger: Trigger,
    /// What goes wrong.
    pub kind: FaultKind,
}

/// A fault that has been armed.
#[derive(Debug, Clone)]
pub struct Armed(Arc<AtomicBool>);

impl Armed {
    /// Whether the fault has happened and had an effect.
    pub fn fired(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// How well the wires make contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WireContact {
    /// Contact all the time.
    Firm,
    /// No contact at all.
    Absent,
    /// Contact and gaps alternate, both of random length.
    Markov {
        /// Share of the time with contact, in percent; 1 to 100.
        duty_percent: u8,
        /// Length of a gap, chosen uniformly from this range.
        gap: Range<Duration>,
        /// Seed of the random numbers.
        seed: u64,
    },
}

/// Events that faults count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CountedEvent {
    Transfer,
    Read(u32),
    Write(u32),
    Attach,
    HalfWord,
    PageErase,
    MassErase,
    OptionErase,
    OptionProgram,
}

/// The armed faults that have not fired yet.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<Waiting>);

#[derive(Debug)]
struct Waiting {
    fault: Fault,
    seen: u64,
    fired: Arc<AtomicBool>,
}

/// A fault that is due; [`Hit::happened`] marks it as fired.
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

    /// Counts one `step` and returns the fault that is due. If two are due, the second one waits for the next step.
    pub(super) fn count(&mut self, step: CountedEvent) -> Option<Hit> {
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

    /// Takes a fault whose time has come.
    pub(super) fn due(&mut self, now: Duration) -> Option<Hit> {
        let index = self.0.iter().position(|waiting| waiting.fault.trigger.moment().is_some_and(|at| at <= now))?;
        Some(self.take(index))
    }

    /// The next time at which a fault is due.
    pub(super) fn next_moment(&self) -> Option<Duration> {
        self.0.iter().filter_map(|waiting| waiting.fault.trigger.moment()).min()
    }

    fn take(&mut self, index: usize) -> Hit {
        let waiting = self.0.remove(index);
        Hit { kind: waiting.fault.kind, fired: waiting.fired }
    }
}

impl Trigger {
    fn nth(self, step: CountedEvent) -> Option<u64> {
        match (self, step) {
            (Self::Read { address, nth }, CountedEvent::Read(at))
            | (Self::Write { address, nth }, CountedEvent::Write(at)) => (address == at).then_some(nth),
            (Self::Transfer(nth), CountedEvent::Transfer)
            | (Self::Attach(nth), CountedEvent::Attach)
            | (Self::HalfWord(nth), CountedEvent::HalfWord)
            | (Self::PageErase(nth), CountedEvent::PageErase)
            | (Self::MassErase(nth), CountedEvent::MassErase)
            | (Self::OptionErase(nth), CountedEvent::OptionErase)
            | (Self::OptionProgram(nth), CountedEvent::OptionProgram) => Some(nth),
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
        assert!(faults.count(CountedEvent::PageErase).is_none());
        assert!(faults.count(CountedEvent::MassErase).is_none());
        let hit = faults.count(CountedEvent::PageErase).unwrap();
        assert!(!armed.fired());
        hit.happened();
        assert!(armed.fired());
        assert!(faults.count(CountedEvent::PageErase).is_none());
    }

    #[test]
    fn a_timed_fault_fires_at_its_time() {
        let mut faults = Faults::default();
        faults.arm(Fault { trigger: Trigger::At(Duration::from_millis(5)), kind: FaultKind::Timeout });
        assert!(faults.due(Duration::from_millis(4)).is_none());
        assert_eq!(faults.next_moment(), Some(Duration::from_millis(5)));
        assert_eq!(faults.due(Duration::from_millis(5)).unwrap().kind, FaultKind::Timeout);
    }
}
