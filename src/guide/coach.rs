//! What to do about poor contact: one sentence for each thing that the probe can tell.

use crate::{
    board::{
        Finding,
        progress::{Event, Need},
    },
    count::count,
};

/// How good contact is, and what is wrong with it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Meter {
    /// Accesses that succeeded among the last ones.
    pub good: usize,
    /// The last accesses and failed tries, 50 at most.
    pub of: usize,
    /// Target voltage in mV, if the probe measures it.
    pub voltage_mv: Option<u32>,
    /// What the program waits for, if it waits.
    pub need: Option<Need>,
    /// What is wrong, as far as the probe can tell.
    pub finding: Option<Finding>,
    /// Whether the next of several boards is waited for, so that there need not be one.
    pub is_between_boards: bool,
}

impl Meter {
    /// The meter after this event, if the event is about contact.
    pub fn of(event: &Event) -> Option<Self> {
        match *event {
            Event::Contact { good, of, voltage_mv, need, finding } => {
                Some(Self { good, of, voltage_mv, need, finding, is_between_boards: false })
            }
            _ => None,
        }
    }

    /// Contact in one word.
    pub fn word(self) -> &'static str {
        match self.finding {
            None => "not tried",
            Some(Finding::Good) => "good",
            Some(_) if self.good == 0 => "none",
            Some(_) => "poor",
        }
    }

    /// Share of good accesses, in words; `None` before there was one.
    pub fn share(self) -> Option<String> {
        (self.of > 0).then(|| format!("{} of {}", self.good, count(self.of, "read")))
    }

    /// The target voltage, in words.
    pub fn voltage(self) -> Option<String> {
        self.voltage_mv.map(|voltage| format!("{}.{} V", voltage / 1000, voltage % 1000 / 100))
    }

    /// Which wire to suspect, and what to do.
    pub fn advice(self) -> &'static str {
        match (self.need, self.finding) {
            (Some(Need::Probe), _) => "No probe found yet. Plug it in, or try another cable or USB port.",
            (Some(Need::Replug), _) => "The probe does not answer. Unplug it and plug it in again.",
            (Some(Need::PowerCycle), _) => {
                "Power-cycle the board: disconnect its supply for a second, then connect it again."
            }
            (_, Some(Finding::Silent)) if self.is_between_boards => "Connect the next board. Ctrl-C ends the batch.",
            (_, None) => "Hold the wires on the pads. The job continues once contact has been good for 1 second.",
            (_, Some(finding)) => advice(finding),
        }
    }
}

/// What to do about this.
pub fn advice(finding: Finding) -> &'static str {
    match finding {
        Finding::Good => "Contact is good. Hold the wires still.",
        Finding::NoSupply => {
            "The board has no supply: check the 5V wire and GND. Some probes need pin 1 (VTref) connected to 3.3 V to \
             measure it."
        }
        Finding::SupplyTooHigh => "The supply is too high: disconnect it. The chip tolerates 3.6 V at most.",
        Finding::Silent => {
            "Nothing answers: check SWDIO and GND, then whether SWCLK and SWDIO are swapped, then the supply."
        }
        Finding::Broken => {
            "Contact is poor: press the wires on more firmly, use shorter wires, or use a slower clock (`--speed 480`)."
        }
        Finding::Protected => {
            "The wires are fine, but the chip refuses debug access. It may not be the chip of this scooter."
        }
        Finding::HeldInReset => "The chip is held in reset: remove whatever connects NRST to GND.",
        Finding::Asleep => {
            "The chip answers, but its core sleeps: power-cycle the board, or touch NRST to GND for a moment."
        }
    }
}

/// Why a good reading of the target voltage may be wrong.
pub const CLONES: &str = "Some ST-Link clones always show 3.3 V: measure the supply at the board.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_finding_has_its_own_advice_and_what_is_waited_for_goes_first() {
        let of = |need, finding| Meter { need, finding, ..Meter::default() }.advice();
        let all: Vec<_> = Finding::ALL.into_iter().map(|finding| of(Some(Need::Contact), Some(finding))).collect();
        assert!(all.iter().enumerate().all(|(at, text)| !all[..at].contains(text)), "{all:?}");
        assert!(of(Some(Need::Probe), Some(Finding::Silent)).starts_with("No probe"));
        assert!(of(Some(Need::PowerCycle), Some(Finding::Good)).starts_with("Power-cycle"));
        let between = Meter { finding: Some(Finding::Silent), is_between_boards: true, ..Meter::default() };
        assert!(between.advice().starts_with("Connect the next board"));
        assert!(Meter { finding: Some(Finding::Broken), ..between }.advice().starts_with("Contact is poor"));
        assert!(of(None, None).starts_with("Hold the wires on"));
    }

    #[test]
    fn the_meter_is_a_word_and_numbers() {
        let meter = Meter {
            good: 12,
            of: 50,
            voltage_mv: Some(3260),
            need: None,
            finding: Some(Finding::Broken),
            is_between_boards: false,
        };
        assert_eq!(
            (meter.word(), meter.share().unwrap(), meter.voltage().unwrap()),
            ("poor", "12 of 50 reads".into(), "3.2 V".into())
        );
        assert_eq!(Meter { good: 0, finding: Some(Finding::Silent), ..meter }.word(), "none");
        assert_eq!((Meter::default().word(), Meter::default().share()), ("not tried", None));
    }
}
