//! Slow chips, a computer that stands still, and an algorithm that goes on after its run has ended.

use std::time::Duration;

use m365_drv::{
    board::BoardState,
    ops::{self, BackupStore, Exit, Extent, FlashRequest, Wanted},
    sim::{self, Fault, FaultKind, Scenario, Trigger},
};

use crate::setup::{Setup, assert_same, image, mileage};

/// Every page of the DRV image is another one than on the board.
fn with_other_firmware() -> (m365_drv::sim::SimBoard, Setup) {
    let (board, mut setup) = Setup::scenario(Scenario::Open);
    let mut drv = sim::APP_64.to_vec();
    for page in drv.chunks_mut(1024) {
        *page.last_mut().expect("a page has bytes") ^= 0x04;
    }
    setup.drv = image(&drv);
    (board, setup)
}

/// Every planned page, with another mileage.
fn everything(setup: &Setup) -> FlashRequest<'_> {
    let wanted = Wanted { mileage: Some(mileage(1234)), ..setup.wanted() };
    FlashRequest { extent: Extent::Everything, ..setup.request_for(wanted) }
}

#[test]
fn a_pause_of_the_computer_ends_no_job() {
    for scenario in [Scenario::Locked, Scenario::Open] {
        let job = || {
            let (board, setup) = Setup::scenario(scenario);
            (board, setup)
        };
        let (board, setup) = job();
        let before = board.counts().transfers;
        let request = everything(&setup);
        setup.flash(&request).expect("a run without a pause");
        let transfers = board.counts().transfers - before;
        for nth in (1..transfers).step_by(usize::try_from(transfers / 60).expect("a small count")) {
            let (board, setup) = job();
            let request = everything(&setup);
            let armed = board
                .inject(Fault { trigger: Trigger::Transfer(nth), kind: FaultKind::Paused(Duration::from_secs(30)) });
            let report = setup.flash(&request).unwrap_or_else(|error| panic!("{scenario}, {nth}: {error}"));
            assert!(report.verified && armed.fired(), "{scenario}, {nth}");
        }
    }
}

#[test]
fn a_chip_may_take_seconds_for_an_erase() {
    for erase in [900, 5000].map(Duration::from_millis) {
        let (board, setup) = with_other_firmware();
        board.set_erase_times(erase, erase);
        let report = setup.flash(&setup.request()).unwrap_or_else(|error| panic!("{erase:?}: {error}"));
        assert!(report.verified && report.done.pages_erased > 10);
        assert_eq!(report.reconnects, 0);
    }
}

#[test]
fn an_algorithm_that_an_earlier_run_has_left_behind_is_waited_for_and_the_board_called_partly_written() {
    let left_behind = || {
        let (board, setup) = with_other_firmware();
        board.set_erase_times(Duration::from_millis(700), Duration::from_millis(700));
        let kind = FaultKind::ProbeGone { returns_after: Some(Duration::from_secs(6)) };
        board.inject(Fault { trigger: Trigger::PageErase(2), kind });
        let error = setup.flash(&setup.request()).expect_err("the probe is gone for longer than is waited");
        assert_eq!((error.exit(), error.board()), (Exit::LinkLost, BoardState::Partial));
        board.clear_faults();
        while setup.probes().list().is_empty() {
            board.clock().sleep(Duration::from_millis(50));
        }
        (board, setup)
    };

    let (board, setup) = left_behind();
    let before = board.flash();
    let wanted = Wanted { mileage: Some(mileage(1234)), ..setup.wanted() };
    let error = setup
        .run(|job| ops::verify(job, &wanted, &BackupStore::none()))
        .expect_err("another mileage was being written");
    assert_eq!((error.exit(), error.board()), (Exit::Verify, BoardState::Partial), "{error}");
    assert!(board.flash() != before, "the algorithm has gone on");
    let at_rest = board.flash();
    board.clock().sleep(Duration::from_secs(20));
    assert_same(&board.flash(), &at_rest);

    let (_, setup) = left_behind();
    assert!(setup.flash(&setup.request()).expect("the next run").verified);
}
