//! A board that holds another scooter's firmware and data is not flashed without a question.

use m365_drv::{
    ops::{self, Category, Error, FlashRequest, Intent, OTHER_SCOOTER},
    sim::{Scenario, SimBoard},
};

use crate::{
    flash::assert_refused,
    stand::{Stand, live_block, target},
};

/// The board of one scooter on the wires, and another one asked for.
fn mistaken(scenario: Scenario, scooter: &str, asked: &str) -> (SimBoard, Stand) {
    let board = SimBoard::new(scenario, target(scooter));
    let stand = Stand::simulated(&board, asked);
    (board, stand)
}

#[test]
fn a_ninebot_is_not_flashed_as_a_pro() {
    let (_, stand) = mistaken(Scenario::Open, "es2", "pro");
    let before = stand.contents();
    let request = stand.request_with_data();
    let words = "the board holds firmware for 128 KiB of flash, the serial N2GSD1234C5678 and a data block at \
                 0x0801c000; this is not a Xiaomi M365 Pro";
    let error = assert_refused(&stand, &before, stand.flash(&request), Category::WrongBoard);
    assert_eq!(error.to_string(), words);
    let preview = FlashRequest { intent: Intent::Preview, ..stand.request_with_data() };
    let error = assert_refused(&stand, &before, stand.flash(&preview), Category::WrongBoard);
    assert_eq!(error.to_string(), words);
    let verified = stand.run(|job| ops::verify(job, &request));
    assert_eq!(assert_refused(&stand, &before, verified, Category::WrongBoard).to_string(), words);
}

#[test]
fn a_locked_board_is_known_by_its_live_serial() {
    let (board, stand) = mistaken(Scenario::Locked, "pro", "m365");
    let before = stand.contents();
    let result = stand.flash(&stand.request());
    let error = assert_refused(&stand, &before, result, Category::WrongBoard);
    let words = "the board holds the serial 21886/00012345; this is not a Xiaomi M365 (classic)";
    assert_eq!(error.to_string(), words);
    assert!(matches!(error, Error::OtherScooter { .. }));

    let forced = FlashRequest { forced: vec![OTHER_SCOOTER.into()], ..stand.request() };
    let serial = live_block(&board).serial();
    let (report, told) = stand.run_told(|job| ops::flash(job, &forced));
    let report = report.expect("the job");
    assert_eq!(Some(report.serial), serial);
    let forced = format!("forced although it failed: {OTHER_SCOOTER}: {words}");
    assert_eq!(told, [("forced-gate", forced)]);
    assert_eq!((report.forced.len(), report.forced[0].gate), (1, OTHER_SCOOTER));
}

#[test]
fn a_board_that_says_nothing_of_its_scooter_is_flashed() {
    for scenario in [Scenario::New, Scenario::Bricked, Scenario::HalfFlashed] {
        for scooter in ["m365", "pro2", "mi3"] {
            let (_, stand) = mistaken(scenario, "pro", scooter);
            let (report, told) = stand.run_told(|job| ops::flash(job, &stand.request_with_data()));
            assert!(report.expect("the job").verified && told.is_empty(), "{scenario}, {scooter}");
        }
    }
}

#[test]
fn the_right_scooter_is_not_asked_about() {
    for scooter in ["pro", "es2"] {
        for scenario in [Scenario::Open, Scenario::Locked] {
            let (_, stand) = mistaken(scenario, scooter, scooter);
            let (report, told) = stand.run_told(|job| ops::flash(job, &stand.request()));
            assert!(report.expect("the job").verified && told.is_empty(), "{scenario}, {scooter}");
        }
    }
    assert_eq!(target("es2").serial.prefixes.len(), 1);
}
