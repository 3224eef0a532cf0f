//! What the probe can tell of the wires: one judgement for everybody who asks.

use serde::Serialize;

/// Below this a chip of this family does not run (DS5319 5.3.1: 2.0 V at least): the board has no supply. What is left is what
/// the probe adds through its own pins.
pub const NO_SUPPLY_MV: u16 = 2000;
/// The chip takes 3.6 V at most (DS5319 5.3.1); the rest is for the probe's measuring.
pub(super) const TOO_HIGH_MV: u16 = 3700;

/// Share of the last accesses that must have succeeded before a chip is erased, in percent.
const ENOUGH_PERCENT: usize = 95;

/// Failed tries in a row that show the same before it is believed.
const ALIKE: usize = 3;

/// What is wrong with the contact, or that nothing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finding {
    /// At least 95 % of the last accesses succeeded.
    Good,
    /// The probe measures less than [`NO_SUPPLY_MV`] at the board. A probe that always shows 3.3 V proves nothing.
    NoSupply,
    /// The probe measures more than 3.7 V at the board.
    SupplyTooHigh,
    /// Nothing answers at all: SWDIO or GND has no contact, or SWCLK and SWDIO are swapped.
    Silent,
    /// Something answers, but not every time, or what arrives makes no sense: poor contact, or wires too long for the clock.
    Broken,
    /// The debug port answers every time and the chip refuses what is behind it: its debug access is protected.
    Protected,
    /// The core answers and is held in reset.
    HeldInReset,
    /// The debug port answers every time and nothing behind it does: the core has no clock.
    Asleep,
}

impl Finding {
    /// Every finding.
    pub const ALL: [Self; 8] = [
        Self::Good,
        Self::NoSupply,
        Self::SupplyTooHigh,
        Self::Silent,
        Self::Broken,
        Self::Protected,
        Self::HeldInReset,
        Self::Asleep,
    ];

    /// What is wrong with the supply by the measured voltage alone, which proves nothing against a board that answers.
    pub fn of_supply(voltage_mv: u32) -> Option<Self> {
        let too_high = (voltage_mv > TOO_HIGH_MV.into()).then_some(Self::SupplyTooHigh);
        if voltage_mv < NO_SUPPLY_MV.into() { Some(Self::NoSupply) } else { too_high }
    }

    /// The judgement.
    ///
    /// `good` of the last `of` accesses and tries succeeded; `misses` are the last failed tries since the last one that
    /// succeeded, the newest last; `voltage_mv` is what the probe measures. `None` before there was anything to judge by.
    pub fn of(good: usize, of: usize, voltage_mv: Option<u32>, misses: &[Miss]) -> Option<Self> {
        let supply = voltage_mv.and_then(Self::of_supply);
        let Some(last) = misses.last() else {
            return (of > 0).then(|| if is_good(good, of) { Self::Good } else { Self::Broken });
        };
        if let Some(supply) = supply {
            return Some(supply);
        }
        let lately = &misses[misses.len().saturating_sub(ALIKE)..];
        let is_sure = lately.len() == ALIKE && lately.iter().all(|miss| miss == last);
        Some(match last {
            Miss::HeldInReset => Self::HeldInReset,
            Miss::Silent if good == 0 => Self::Silent,
            Miss::Refused if is_sure => Self::Protected,
            Miss::Unanswered if is_sure => Self::Asleep,
            _ => Self::Broken,
        })
    }
}

/// Whether this share counts as good contact: the same that has to be there before a chip is erased.
pub(super) fn is_good(good: usize, of: usize) -> bool {
    of > 0 && good * 100 >= of * ENOUGH_PERCENT
}

/// How a try to reach the board failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Miss {
    /// Nothing answered.
    Silent,
    /// What arrived makes no sense.
    Nonsense,
    /// The debug port answered, and the chip refused an access behind it.
    Refused,
    /// The debug port answered, and nothing behind it did.
    Unanswered,
    /// The core answered and is held in reset.
    HeldInReset,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_follows_from_what_the_probe_can_tell() {
        use Finding::{Asleep, Broken, Good, HeldInReset, NoSupply, Protected, Silent, SupplyTooHigh};
        let judge = |good, voltage, misses: &[Miss]| Finding::of(good, 50, voltage, misses);
        let thrice = |miss| [miss; 3];
        assert_eq!(Finding::of(0, 0, None, &[]), None, "nothing was tried");
        assert_eq!(judge(50, None, &[]), Some(Good));
        assert_eq!(judge(50, Some(0), &[]), Some(Good), "a supply that the probe does not measure");
        assert_eq!(judge(47, None, &[]), Some(Broken));
        assert_eq!(judge(0, Some(0), &[Miss::Silent]), Some(NoSupply));
        assert_eq!(judge(0, Some(1999), &[Miss::Silent]), Some(NoSupply));
        assert_eq!(judge(0, Some(5000), &[Miss::Silent]), Some(SupplyTooHigh));
        assert_eq!(judge(0, Some(3300), &[Miss::Silent]), Some(Silent), "3.3 V proves nothing");
        assert_eq!(judge(0, None, &[Miss::Silent]), Some(Silent));
        assert_eq!(judge(30, None, &[Miss::Silent]), Some(Broken), "it answered a moment ago");
        assert_eq!(judge(30, None, &thrice(Miss::Silent)), Some(Broken));
        assert_eq!(judge(0, None, &thrice(Miss::Nonsense)), Some(Broken));
        assert_eq!(judge(3, None, &thrice(Miss::Refused)), Some(Protected));
        assert_eq!(judge(3, None, &[Miss::Silent, Miss::Silent, Miss::Refused]), Some(Broken));
        assert_eq!(judge(3, None, &thrice(Miss::Unanswered)), Some(Asleep));
        assert_eq!(judge(3, None, &[Miss::HeldInReset]), Some(HeldInReset));
    }
}
