//! A success is proved by reading flash back, over a connection made after the last write, from the board that was written.

use std::time::Duration;

use m365_drv::{
    board::BoardState,
    ops::{After, Exit, FlashRequest, Wanted},
    sim::{Fault, FaultKind, Lie, Scenario, SimBoard, Trigger},
};

use crate::setup::{Setup, mileage};

/// The job with another mileage, so that there is something to write.
fn request(setup: &Setup) -> FlashRequest<'_> {
    setup.request_for(Wanted { mileage: Some(mileage(1234)), ..setup.wanted() })
}

/// Whether everything planned has been read back after the last write and a new attach.
fn is_proved(board: &SimBoard, setup: &Setup) -> bool {
    let regions = &setup.target.map.regions;
    let planned = |start: u32, bytes: usize| start..start + (bytes as u32).next_multiple_of(setup.target.map.page);
    [
        planned(regions.boot.start, setup.boot.bytes.len()),
        planned(regions.drv.start, setup.drv.bytes.len()),
        planned(regions.data.start, 512),
    ]
    .into_iter()
    .all(|range| board.is_read_back(range))
}

#[test]
fn every_planned_byte_is_read_back_after_the_last_write_and_a_new_attach() {
    for scenario in [Scenario::Locked, Scenario::Open, Scenario::HalfFlashed, Scenario::Gd32f103, Scenario::Gd32e103] {
        for after in [After::Stop, After::Run, After::LockAndRun] {
            let (board, setup) = Setup::scenario(scenario);
            let wanted = setup.wanted_with_data();
            let report = setup.flash(&FlashRequest { after, ..setup.request_for(wanted) }).expect("the job");
            assert!(report.verified && is_proved(&board, &setup), "{scenario}, {after:?}");
            assert_eq!(report.reconnects, 0, "{scenario}, {after:?}");
        }
    }
}

/// A J-Link keeps a copy of flash that it has read, until it attaches again.
#[test]
fn a_probe_that_remembers_what_flash_held_does_not_change_the_result() {
    for scenario in [Scenario::Open, Scenario::HalfFlashed, Scenario::Locked] {
        let (board, setup) = Setup::scenario(scenario);
        board.inject(Fault { trigger: Trigger::Transfer(1), kind: FaultKind::Lying(Lie::Remembered) });
        let report = setup.flash(&setup.request_with_data()).unwrap_or_else(|error| panic!("{scenario}: {error}"));
        assert!(report.verified && report.done.pages_erased <= 40, "{scenario}");
        assert_eq!(board.violations(), [""; 0]);
    }
}

/// Wires that slip to the board beside it: the other one answers at the first word, without a gap.
fn with_another_board(nth: u64, scenario: Scenario) -> (SimBoard, Setup, m365_drv::sim::Armed) {
    let (board, setup) = Setup::scenario(scenario);
    let kind = FaultKind::AnotherBoard { uid: [1, 2, 3], gap: Duration::ZERO };
    let armed = board.inject(Fault { trigger: Trigger::Attach(nth), kind });
    (board, setup, armed)
}

#[test]
fn another_board_that_answers_when_the_probe_attaches_again_is_neither_verified_nor_changed() {
    for (nth, after) in [(2, After::Run), (2, After::LockAndRun), (3, After::LockAndRun)] {
        let (board, setup, armed) = with_another_board(nth, Scenario::Open);
        let request = FlashRequest { after, ..request(&setup) };
        let error = setup.flash(&request).expect_err("another board");
        assert!(armed.fired());
        assert_eq!(error.exit(), Exit::WrongBoard, "{error}");
        let other = board.counts();
        let changes = (other.page_erases.iter().sum::<u32>(), other.half_words_programmed, other.option_erases);
        assert_eq!(changes, (0, 0, 0), "attach {nth}, {after:?}");
        assert!(!board.is_halted(), "it goes on with what it was doing");
        board.swap_back();
        assert_ne!(error.board(), BoardState::Untouched);
    }
}
