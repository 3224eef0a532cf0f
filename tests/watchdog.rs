//! The option byte USER, which can make the chip start its watchdog at every reset.

use m365_drv::{
    board::{EraseConsent, OptionBytes},
    ops::{self, FlashRequest, Intent, Keep, Watchdog},
    sim::{Scenario, SimBoard},
};

use crate::{
    bench::Bench,
    stand::{Stand, open_options},
};

const WATCHDOG: u8 = 0xFE;

/// A board whose USER starts the watchdog.
fn watched(scenario: Scenario) -> (SimBoard, Stand) {
    let (board, stand) = Stand::scenario(scenario);
    let rdp = if board.is_protected() { 0x00 } else { 0xA5 };
    board.set_option_bytes(OptionBytes::from_values([rdp, WATCHDOG, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]).0);
    (board, stand)
}

#[test]
fn a_watchdog_that_starts_at_every_reset_is_said_and_kept() {
    for scenario in [Scenario::Locked, Scenario::Open] {
        for intent in [Intent::Preview, Intent::Write] {
            let (board, stand) = watched(scenario);
            let before = board.option_bytes();
            let request = FlashRequest { intent, ..stand.request() };
            let (report, told) = stand.run_told(|job| ops::flash(job, &request));
            report.expect("the job");
            let words = "option byte USER 0xfe starts the watchdog at every reset: firmware that does not feed it keeps \
                         resetting (--software-watchdog changes that)";
            assert_eq!(told, [("hardware-watchdog", words.into())], "{scenario}");
            let expected = if intent == Intent::Write { open_options(WATCHDOG).0 } else { before };
            assert_eq!(board.option_bytes(), expected);
        }
    }
}

#[test]
fn the_watchdog_is_left_to_software_on_request() {
    for scenario in [Scenario::Locked, Scenario::Open] {
        let (board, stand) = watched(scenario);
        let request = FlashRequest { watchdog: Watchdog::Software, ..stand.request() };
        let (report, told) = stand.run_told(|job| ops::flash(job, &request));
        let report = report.expect("the job");
        assert!(report.verified && report.options_written && report.backup.is_some() && told.is_empty());
        assert_eq!(board.option_bytes(), open_options(0xFF).0, "{scenario}");
        assert_eq!(board.violations(), [""; 0]);
        // Once is enough.
        let erases = board.counts().option_erases;
        assert!(!stand.flash(&request).expect("the job").options_written);
        assert_eq!(board.counts().option_erases, erases);
    }
}

#[test]
fn only_the_watchdog_s_bit_of_user_is_changed() {
    let (board, stand) = Stand::scenario(Scenario::Open);
    board.set_option_bytes(OptionBytes::from_values([0xA5, 0xF8, 1, 2, 0xFF, 0xFF, 0xFF, 0xFF]).0);
    stand.flash(&FlashRequest { watchdog: Watchdog::Software, ..stand.request() }).expect("the job");
    assert_eq!(board.option_bytes(), OptionBytes::from_values([0xA5, 0xF9, 1, 2, 0xFF, 0xFF, 0xFF, 0xFF]).0);
}

#[test]
fn unlock_says_it_and_changes_it_too() {
    for scenario in [Scenario::Locked, Scenario::Open] {
        let unlock = |stand: &Stand, watchdog| {
            let keep = Keep::nothing();
            let (report, told) = stand.run_told(|job| ops::unlock(job, Some(EraseConsent), &keep, watchdog));
            report.expect("an unlocked board");
            told.len()
        };
        let (board, stand) = watched(scenario);
        assert_eq!(unlock(&stand, Watchdog::Keep), 1);
        assert_eq!(board.option_bytes(), open_options(WATCHDOG).0);
        assert_eq!(unlock(&stand, Watchdog::Software), 0);
        assert_eq!(board.option_bytes(), open_options(0xFF).0, "{scenario}");
    }
}

#[test]
fn info_shows_it() {
    let (_, stand) = watched(Scenario::Open);
    assert!(stand.run(ops::info).expect("info").option_bytes.hardware_watchdog);
    let (_, stand) = Stand::scenario(Scenario::Open);
    assert!(!stand.run(ops::info).expect("info").option_bytes.hardware_watchdog);
}

#[test]
fn the_command_line_has_an_option_for_it() {
    let bench = Bench::new();
    let lines = bench.m365("--simulate=open flash pro --software-watchdog").json();
    assert_eq!(lines.report()["options_written"], false, "nothing to change");
    bench.m365("--simulate=locked unlock --software-watchdog --erase-all").json();
}
