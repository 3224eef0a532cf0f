//! What to do when a board is written and verified.

/// What to do then, in order.
pub const NEXT_STEPS: [&str; 3] = [
    "Disconnect the probe and its supply from the board.",
    "Reassemble: motor and dashboard first, the battery last.",
    "Make the first start on a stand, with the driven wheel off the ground.",
];

/// What the firmware shows before everything is connected, and what to look at if it goes on after that.
pub const NORMAL_ERRORS: &str = "On the bench, errors 10 (no dashboard), 18 (no motor), 21 (no battery data) and 24 \
                                 (no battery voltage) are normal. If one remains when everything is connected, see \
                                 `m365-drv explain CODE`.";

/// What to read before the first contact of a day: the six points of [`super::SAFETY`] in three lines.
pub const SAFETY_IN_SHORT: [&str; 3] = [
    "safety: unplug the battery and discharge the main capacitor first",
    "safety: use one supply only; never 5 V on a 3.3 V pad, or 3.3 V on the 5V pad",
    "safety: driven wheel off the ground at the first start; see `m365-drv explain safety`",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{board::Startup, guide::scooter_errors};

    #[test]
    fn the_errors_that_are_called_normal_are_those_that_the_report_calls_so() {
        let named = |code: u8| NORMAL_ERRORS.contains(&format!(" {code} ("));
        for row in scooter_errors::TABLE {
            let is_normal = Startup::is_normal_on_a_bench(row.code.into());
            assert!(!is_normal || named(row.code), "{}", row.code);
        }
        assert!(named(21));
    }
}
