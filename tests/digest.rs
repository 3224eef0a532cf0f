//! Verifying by a digest that the chip computes, where reading would take long: no link and no flash that fails the test by reading
//! passes this one, and what cannot be computed is read.

use m365_drv::{
    board::{VerifiedBy, Verify},
    ops::{Error, FlashReport},
    sim::{Armed, Fault, FaultKind, Lie, Scenario, SimBoard, Trigger},
};

use crate::setup::{Ended, Setup, target};

/// Where the algorithm is loaded (`targets/algorithm/stm32f1.s`).
const ORIGIN: u32 = 0x2000_0C00;

/// The ring, where the digest finds its list of pages.
fn ring() -> u32 {
    ORIGIN + target("pro").map.algorithm.code.len() as u32
}

/// The first of the sums behind the list of this many pages.
fn sums(pages: u32) -> u32 {
    ring() + 40 + 4 * pages
}

/// A board at the end of a link on which reading flash takes seconds.
fn slow(scenario: Scenario) -> (SimBoard, Setup) {
    let (board, mut setup) = Setup::scenario(scenario);
    setup.connect.speed_khz = Some(100);
    (board, setup)
}

/// The job on a locked board over a slow link, with this fault.
fn with(fault: Fault) -> (SimBoard, Result<FlashReport, Ended>, Armed) {
    let (board, setup) = slow(Scenario::Locked);
    let armed = board.inject(fault);
    let done = setup.flash(&setup.request_with_data());
    (board, done, armed)
}

/// The planned pages of our own images.
fn planned(setup: &Setup) -> u32 {
    let pages = |bytes: usize| bytes.div_ceil(1024) as u32;
    pages(setup.boot.bytes.len()) + pages(setup.drv.bytes.len()) + 1
}

#[test]
fn a_board_that_reads_slowly_is_verified_by_a_digest_and_one_that_reads_fast_by_reading() {
    for (khz, verify, by) in [
        (4000, Verify::Auto, VerifiedBy::Read),
        (100, Verify::Auto, VerifiedBy::Digest),
        (100, Verify::Read, VerifiedBy::Read),
    ] {
        let (board, mut setup) = slow(Scenario::Locked);
        (setup.connect.speed_khz, setup.connect.verify) = (Some(khz), verify);
        let report = setup.flash(&setup.request_with_data()).expect("the job");
        assert_eq!((report.verified, report.verified_by), (true, Some(by)), "{khz} kHz");
        let drv = 0x0800_1000..0x0800_1000 + setup.drv.bytes.len() as u32 / 4 * 4;
        assert_eq!(
            (board.is_read_back(drv.clone()), board.is_summed(drv)),
            (by == VerifiedBy::Read, by == VerifiedBy::Digest)
        );
        assert_eq!(board.violations(), Vec::<String>::new());
    }
}

#[test]
fn a_second_run_over_a_slow_link_reads_only_what_it_cannot_guess() {
    let (board, setup) = slow(Scenario::Locked);
    setup.flash(&setup.request_with_data()).expect("the job");
    let before = board.counts();
    let report = setup.flash(&setup.request_with_data()).expect("the job");
    let after = board.counts();
    assert_eq!((report.done.bytes_programmed, report.verified_by), (0, Some(VerifiedBy::Digest)));
    assert_eq!(after.page_erases, before.page_erases);
    assert!(after.bytes_read - before.bytes_read < 8 * 1024, "{} bytes", after.bytes_read - before.bytes_read);
    let took = after.time.saturating_sub(before.time).as_secs_f64();
    assert!(took < 1.5, "{took} s");
}

#[test]
fn a_page_that_was_changed_since_is_found_and_written_over_a_slow_link() {
    let (board, setup) = slow(Scenario::Locked);
    setup.flash(&setup.request_with_data()).expect("the job");
    let right = board.flash();
    let mut wrong = right.clone();
    wrong[0x1400] ^= 0x10;
    board.set_flash(&wrong);
    let report = setup.flash(&setup.request_with_data()).expect("the job");
    assert_eq!((report.done.pages_erased, report.verified_by), (1, Some(VerifiedBy::Digest)));
    assert!(board.flash() == right);
}

/// Firmware that runs cannot be stopped for a while to compute something else.
#[test]
fn a_core_that_runs_firmware_computes_nothing() {
    let (board, mut setup) = slow(Scenario::Open);
    setup.flash(&setup.request_with_data()).expect("the job");
    board.power_cycle();
    board.clock().sleep(std::time::Duration::from_millis(100));
    setup.connect.verify = Verify::Auto;
    let before = board.sram();
    let report = setup.flash(&setup.request_with_data()).expect("the job");
    assert_eq!(report.verified_by, Some(VerifiedBy::Read));
    let code = &target("pro").map.algorithm.code[..64];
    assert!(!board.sram().windows(64).any(|window| window == code) || before.windows(64).any(|window| window == code));
}

#[test]
fn a_wrong_sum_is_not_believed_and_flash_is_read() {
    let (_, setup) = slow(Scenario::Locked);
    let pages = planned(&setup);
    for (address, flipped) in [(sums(pages), 1), (sums(pages) + 4, 1 << 31), (sums(pages) + 8 * pages - 4, 1 << 7)] {
        let trigger = Trigger::Read { address, nth: 1 };
        let (board, done, armed) = with(Fault { trigger, kind: FaultKind::WrongWord { flipped } });
        let report = done.expect("the job");
        assert!(armed.fired());
        assert_eq!((report.verified_by, report.reconnects), (Some(VerifiedBy::Read), 0), "{address:#x}");
        assert_eq!(board.violations(), Vec::<String>::new());
    }
}

#[test]
fn code_that_reads_wrong_computes_nothing() {
    let address = ORIGIN + target("pro").map.algorithm.digest + 16;
    // Read for the first time when it is loaded, for the second after the probe has attached anew.
    let trigger = Trigger::Read { address, nth: 2 };
    let (_, done, armed) = with(Fault { trigger, kind: FaultKind::WrongWord { flipped: 1 } });
    assert!(armed.fired());
    assert_eq!(done.expect("the job").verified_by, Some(VerifiedBy::Read));
}

#[test]
fn no_lie_of_the_link_is_taken_for_a_digest() {
    let lies = [Lie::Stuck, Lie::Late, Lie::Ones, Lie::Zeros, Lie::Remembered].map(FaultKind::Lying);
    let flipped = [10_000, 500, 50].map(|one_in| FaultKind::Lying(Lie::FlippedBit { one_in }));
    for kind in lies.into_iter().chain(flipped) {
        let (board, done, armed) = with(Fault { trigger: Trigger::Attach(2), kind });
        // What a probe remembers of flash it does not use, because none of flash is read; and few words are read at all.
        let is_rare = matches!(kind, FaultKind::Lying(Lie::Remembered | Lie::FlippedBit { .. }));
        assert!(armed.fired() || is_rare, "{kind:?}");
        if let Ok(report) = done {
            let right = board.flash()[0x1000..0x1400] == Setup::scenario(Scenario::Locked).1.drv.bytes[..1024];
            assert!(right && report.verified, "{kind:?}");
        }
    }
}

#[test]
fn a_write_that_is_lost_on_its_way_to_the_digest_makes_it_be_read() {
    let (_, setup) = slow(Scenario::Locked);
    let entry = 40 + 4 * (planned(&setup) - 1);
    // The number of pages, their length, the seed, the list.
    for offset in [0, 4, 8, 36, 40, entry] {
        let mut nth = 1;
        loop {
            let trigger = Trigger::Write { address: ring() + offset, nth };
            let (board, done, armed) = with(Fault { trigger, kind: FaultKind::DroppedWrite });
            if !armed.fired() {
                assert!(nth > 1, "nothing is written at {offset}");
                break;
            }
            done.unwrap_or_else(|error| panic!("{offset} {nth}: {error}"));
            assert_eq!(board.violations(), Vec::<String>::new());
            nth += 1;
        }
    }
}

#[test]
fn a_cell_that_does_not_take_what_is_written_is_found_by_the_digest() {
    for half_word in [1, 700, 5000] {
        let trigger = Trigger::HalfWord(half_word);
        let (_, done, armed) = with(Fault { trigger, kind: FaultKind::NoEffect });
        let error = done.expect_err("a page is worn out");
        assert!(armed.fired() && matches!(&*error, Error::BadPage(_)), "{half_word}: {error}");
    }
}
