//! What the events of the running work have told so far.

use std::path::PathBuf;

use crate::{
    block::Uid,
    board::progress::{Event, Found, Need},
};

/// What is known of probe, contact and board.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) probe: Option<String>,
    pub(super) contact: Option<Meter>,
    pub(super) board: Option<SeenBoard>,
    pub(super) found: Option<Found>,
    pub(super) backup: Option<PathBuf>,
    /// Whether the user may let go of the wires.
    pub(super) is_free: bool,
}

/// How good contact is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Meter {
    pub(super) good: usize,
    pub(super) of: usize,
    pub(super) voltage_mv: Option<u32>,
    pub(super) need: Option<Need>,
}

/// The board that answers.
#[derive(Debug)]
pub(super) struct SeenBoard {
    pub(super) chip: &'static str,
    pub(super) uid: Uid,
    pub(super) protection: &'static str,
}

impl Seen {
    pub(super) fn note(&mut self, event: &Event) {
        match event {
            Event::Probe { kind, .. } => self.probe = Some(kind.clone()),
            Event::Contact { good, of, voltage_mv, need } => {
                self.contact = Some(Meter { good: *good, of: *of, voltage_mv: *voltage_mv, need: *need });
            }
            Event::Waiting { need, .. } => self.contact.get_or_insert_default().need = Some(*need),
            Event::Board { chip, uid, protection, .. } => {
                self.board = Some(SeenBoard { chip, uid: *uid, protection });
            }
            Event::Found(found) => self.found = Some((**found).clone()),
            Event::Backup { path } => self.backup = Some(path.clone()),
            Event::ContactFree => self.is_free = true,
            _ => {}
        }
    }
}

/// Target voltage below which a board has no supply: a chip of this family runs from 2.0 V (DS5319 table 9).
const NO_SUPPLY_MV: u32 = 2000;

impl Meter {
    /// What to try, from what the probe can tell.
    pub(super) fn advice(self) -> &'static str {
        match self.need {
            Some(Need::Probe) => "No probe found yet. Plug it in; if it is plugged in, try another cable or USB port.",
            Some(Need::Replug) => "The probe does not answer. Unplug it and plug it in again.",
            Some(Need::PowerCycle) => {
                "Power-cycle the board: disconnect its supply for a second, then connect it again."
            }
            _ if self.good == 0 && self.voltage_mv.is_some_and(|voltage| voltage < NO_SUPPLY_MV) => {
                "The probe measures less than 2.0 V: the board has no supply, or pin 1 (VTref) of the probe is not connected."
            }
            _ if self.good == 0 => {
                "No answer yet. Check GND first, then the supply, then whether SWCLK and SWDIO are swapped."
            }
            _ if self.good * 100 < self.of * 95 => {
                "The board answers, but not every time. Press the wires more firmly onto the pads, or use shorter ones."
            }
            _ => "Contact is good. Hold the wires still.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_try_follows_from_what_the_probe_can_tell() {
        let of = |good, voltage_mv, need| Meter { good, of: 50, voltage_mv, need }.advice();
        assert!(of(0, None, Some(Need::Probe)).starts_with("No probe"));
        assert!(of(0, Some(0), Some(Need::Contact)).contains("no supply"));
        assert!(of(50, Some(0), None).starts_with("Contact is good"), "a supply that the probe does not measure");
        assert!(of(0, Some(3300), Some(Need::Contact)).contains("swapped"));
        assert!(of(30, None, Some(Need::Contact)).contains("not every time"));
        assert!(of(50, None, None).starts_with("Contact is good"));
        assert!(of(0, None, Some(Need::PowerCycle)).starts_with("Power-cycle"));
    }
}
