//! The flash algorithm on its way to the chip and at work: a word that gets lost is noticed before anything is wrong.

use m365_drv::{
    board::{Board, Error, OptionBytes, PageBefore, PageWrite, Probes},
    sim::{Armed, Fault, FaultKind, Scenario, SimBoard, Trigger},
};

use crate::setup::{Setup, target};

/// Where the algorithm is loaded, where its ring of data begins, and which word of its control words is which; the source is
/// `targets/algorithm/stm32f1.s`.
const ORIGIN: u32 = 0x2000_0C00;
const RING: u32 = ORIGIN + 0x3A0;
const TAIL: u32 = 4;
/// The page that is written.
const PAGE: u32 = 0x0800_F800;

fn map() -> &'static m365_drv::target::FlashMap {
    &target("pro").map
}

fn page() -> PageWrite {
    let bytes = (0..1024u32).map(|at| (at * 7 + 1) as u8).collect();
    PageWrite { address: PAGE, bytes, before: PageBefore::Used }
}

/// A board that is halted after a reset, without anything of the algorithm in SRAM.
fn with_board<T>(fault: Fault, work: impl FnOnce(&SimBoard, &mut Board<'_>) -> T) -> (T, Armed) {
    let (board, setup) = Setup::scenario(Scenario::Bricked);
    board.set_option_bytes(OptionBytes::open(0xFF).0);
    let probes: Probes = setup.probes();
    let mut reached = Board::connect(&probes, &setup.connect, &mut ()).expect("a board");
    reached.reset_and_halt().expect("a reset");
    let armed = board.inject(fault);
    let done = work(&board, &mut reached);
    (done, armed)
}

fn lost(address: u32) -> Fault {
    Fault { trigger: Trigger::Write { address, nth: 1 }, kind: FaultKind::DroppedWrite }
}

#[test]
fn a_word_of_the_algorithm_that_is_lost_is_noticed_before_it_runs() {
    let code = &map().algorithm.code[..map().algorithm.control as usize];
    for (word, address) in code.chunks(4).zip((ORIGIN..).step_by(4)).step_by(5) {
        if word != [0; 4] {
            let (done, armed) = with_board(lost(address), |board, reached| {
                let done = reached.program(map(), &[page()], &mut ());
                assert_eq!((board.counts().page_erases.iter().sum::<u32>(), board.violations()), (0, vec![]));
                assert!(board.is_halted());
                done
            });
            assert!(armed.fired() && matches!(done, Err(Error::Loader)), "{address:#x}: {done:?}");
        }
    }
}

#[test]
fn option_bytes_that_are_lost_on_their_way_are_not_written() {
    for address in [RING, RING + 4, RING + 8, RING + 12] {
        let (done, armed) = with_board(lost(address), |board, reached| {
            let done = reached.restore_options(map(), OptionBytes::open(0xFE));
            assert_eq!(board.counts().option_erases, 0);
            done
        });
        assert!(armed.fired() && matches!(done, Err(Error::Loader)), "{address:#x}: {done:?}");
    }
}

/// A zero where a record begins ends the stream.
#[test]
fn a_stream_that_ends_before_all_of_it_was_taken_is_not_done() {
    let (done, armed) = with_board(lost(RING + 12), |board, reached| {
        let done = reached.program(map(), &[page()], &mut ());
        assert!(board.flash()[0xF800..0xFC00].iter().all(|byte| *byte == 0xFF));
        done
    });
    assert!(armed.fired() && matches!(done, Err(Error::Loader)), "{done:?}");
}

#[test]
fn a_record_with_a_wrong_word_in_its_header_is_poor_contact() {
    for word in [4, 8] {
        let (done, armed) = with_board(lost(RING + 12 + word), |_, reached| reached.program(map(), &[page()], &mut ()));
        assert!(armed.fired() && matches!(done, Err(Error::Loader)), "{word}: {done:?}");
    }
}

/// The page that the record was for is right in the next pass, but what comes over such wires is not to be trusted.
#[test]
fn a_job_over_wires_that_garble_a_record_connects_anew() {
    let (board, setup) = Setup::scenario(Scenario::Open);
    let armed = board.inject(lost(RING + 8));
    let report = setup.flash(&setup.request_with_data()).expect("the job");
    assert!(armed.fired() && report.verified);
    assert_eq!(report.reconnects, 1);
}

#[test]
fn progress_that_cannot_be_is_poor_contact() {
    let control = ORIGIN + map().algorithm.control;
    for (word, flipped, nth) in [(0, 1 << 3, 2), (TAIL, 1 << 30, 2), (TAIL, 1 << 4, 2), (TAIL, 1 << 9, 2)] {
        let fault =
            Fault { trigger: Trigger::Read { address: control + word, nth }, kind: FaultKind::WrongWord { flipped } };
        let (done, armed) = with_board(fault, |_, reached| reached.program(map(), &[page()], &mut ()));
        assert!(armed.fired() && matches!(done, Err(Error::Loader)), "word {word}, reading {nth}: {done:?}");
    }
}

#[test]
fn a_core_that_does_not_run_is_given_up_after_a_second() {
    // DHCSR: the algorithm is not started.
    let (done, armed) = with_board(lost(0xE000_EDF0), |_, reached| reached.program(map(), &[page()], &mut ()));
    let second = std::time::Duration::from_secs(1);
    assert!(armed.fired() && matches!(done, Err(Error::Stuck { limit, .. }) if limit == second), "{done:?}");
}
