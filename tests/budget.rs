//! Limits on the cost of flashing the simulated board at its default 4 MHz and 1 ms per round trip. They are a few
//! percent above the counts measured when they were set. `cargo bench` shows the counts of each phase.

use std::time::Duration;

use m365_drv::{
    ops::{FlashRequest, Wanted},
    sim::{Scenario, SimBoard},
};

use crate::setup::{Setup, mileage, target};

struct Cost {
    transfers: u64,
    round_trips: u64,
    half_words: u64,
    erases: u32,
    time: Duration,
}

/// Runs the job and returns its cost.
fn cost(board: &SimBoard, setup: &Setup, request: &FlashRequest<'_>) -> Cost {
    let before = board.counts();
    setup.flash(request).expect("the job");
    let after = board.counts();
    let erases = |counts: &m365_drv::sim::Counts| counts.page_erases.iter().sum::<u32>();
    Cost {
        transfers: after.transfers - before.transfers,
        round_trips: after.round_trips - before.round_trips,
        half_words: after.half_words_programmed - before.half_words_programmed,
        erases: erases(&after) - erases(&before),
        time: after.time.saturating_sub(before.time),
    }
}

#[track_caller]
fn assert_within(cost: &Cost, transfers: u64, round_trips: u64) {
    assert!(cost.transfers <= transfers, "{} transfers of {transfers}", cost.transfers);
    assert!(cost.round_trips <= round_trips, "{} round trips of {round_trips}", cost.round_trips);
}

#[test]
fn a_locked_board_costs_little_more_than_its_flash_takes() {
    let (board, setup) = Setup::scenario(Scenario::Locked);
    let job = cost(&board, &setup, &setup.request_with_data());
    assert_eq!((job.half_words, job.erases), (8624, 0));
    assert_within(&job, 13_100, 545);
    let floor = Duration::from_nanos(job.half_words * 52_500) + Duration::from_millis(20);
    assert!(job.time < floor * 3 / 2, "{:?} of {floor:?}", job.time);
}

#[test]
fn a_finished_board_costs_two_readings() {
    let (board, setup) = Setup::scenario(Scenario::Locked);
    setup.flash(&setup.request_with_data()).expect("the job");
    let job = cost(&board, &setup, &setup.request_with_data());
    assert_eq!((job.half_words, job.erases), (0, 0));
    // The last run has left the core in the flash algorithm: it is made sure that it is at its end.
    assert_within(&job, 21_800, 148);
    assert!(job.time < Duration::from_secs(1), "{:?}", job.time);
}

#[test]
fn one_changed_page_costs_one_erase() {
    let (board, setup) = Setup::scenario(Scenario::Locked);
    setup.flash(&setup.request_with_data()).expect("the job");
    let request = setup.request_for(Wanted { mileage: Some(mileage(1235)), ..setup.wanted() });
    let job = cost(&board, &setup, &request);
    assert_eq!(job.erases, 1);
    // The data block without its 13 blank half-words is less than half a page.
    assert!(job.half_words <= 256, "{} half-words", job.half_words);
}

#[test]
fn a_bigger_firmware_costs_its_bytes() {
    let per_half_word = |scooter: &str| {
        let board = SimBoard::new(Scenario::Locked, target(scooter));
        let setup = Setup::simulated(&board, scooter);
        let job = cost(&board, &setup, &setup.request_with_data());
        job.time.as_secs_f64() / f64::from(u32::try_from(job.half_words).expect("a small count"))
    };
    let ratio = per_half_word("es2") / per_half_word("pro");
    assert!(ratio <= 1.1, "{ratio}");
}
