//! A core that was halted and not changed is let go on every way out.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use m365_drv::{
    board::{
        Board, BoardState, Method, OptionBytes,
        progress::{Event, Progress},
    },
    ops::{self, Error, Exit, FlashRequest, Job, Known},
    sim::{Fault, FaultKind, Scenario, SimBoard, Trigger},
};

use crate::setup::Setup;

/// Presses Ctrl-C at one of the events.
struct Finger {
    interrupt: Arc<AtomicBool>,
    left: usize,
}

impl Progress for Finger {
    fn on(&mut self, _: Event) {
        self.left = self.left.saturating_sub(1);
        if self.left == 0 {
            self.interrupt.store(true, Ordering::Relaxed);
        }
    }
}

/// Runs a procedure that is interrupted at its n-th event.
fn interrupted<T>(
    setup: &Setup,
    nth: usize,
    work: impl FnOnce(&mut Job<'_>) -> Result<T, Error>,
) -> (Result<T, Error>, BoardState) {
    let probes = setup.probes();
    let mut finger = Finger { interrupt: probes.interrupt(), left: nth };
    let done = work(&mut Job::new(&probes, setup.connect.clone(), &mut finger, &mut Known::default()));
    (done, probes.ledger().board())
}

/// The procedures that read before they do anything.
fn each(setup: &Setup, nth: usize, turn: usize) -> (Result<(), Error>, BoardState) {
    let path = setup.folder.path().join("board.json");
    let request = FlashRequest { consent: None, ..setup.request() };
    match turn {
        0 => interrupted(setup, nth, |job| ops::backup(job, &path).map(drop)),
        1 => interrupted(setup, nth, |job| ops::info(job).map(drop)),
        2 => interrupted(setup, nth, |job| ops::doctor(job).map(drop)),
        3 => interrupted(setup, nth, |job| ops::verify(job, &request.wanted, &request.backups).map(drop)),
        _ => interrupted(setup, nth, |job| ops::flash(job, &request).map(drop)),
    }
}

#[test]
fn ctrl_c_while_a_board_is_read_lets_its_core_go() {
    for scenario in [Scenario::Open, Scenario::Locked] {
        for turn in 0..5 {
            let mut ended = 0;
            for nth in 1..40 {
                let (board, setup) = Setup::scenario(scenario);
                let (done, state) = each(&setup, nth, turn);
                if state == BoardState::Untouched {
                    assert!(!board.is_halted(), "{scenario}, procedure {turn}, event {nth}: {done:?}");
                }
                ended += usize::from(matches!(done, Err(error) if error.exit() == Exit::Interrupted));
            }
            assert!(ended > 0, "{scenario}, procedure {turn}: never interrupted");
        }
    }
}

#[test]
fn a_refused_chip_goes_on_with_what_it_was_doing() {
    let is_refused = |board: SimBoard, setup: Setup| {
        let error = setup.run(ops::info).expect_err("a refusal");
        assert_eq!((error.exit(), error.board()), (Exit::WrongBoard, BoardState::Untouched));
        assert!(!board.is_halted(), "{error}");
    };
    let (board, setup) = Setup::scenario(Scenario::Gd32e103);
    let mut values = OptionBytes(board.option_bytes()).values();
    values[0] = 0xCC;
    board.set_option_bytes(OptionBytes::from_values(values).0);
    is_refused(board, setup);

    let (board, setup) = Setup::scenario(Scenario::At32);
    is_refused(board, setup);
}

/// What was read twice and differed is an error of the link, though every access succeeded.
#[test]
fn a_run_that_gives_up_over_wrong_readings_lets_the_core_go() {
    let (board, setup) = Setup::scenario(Scenario::Open);
    let kind = FaultKind::Lying(m365_drv::sim::Lie::FlippedBit { one_in: 300 });
    board.inject(Fault { trigger: Trigger::Transfer(200), kind });
    let path = setup.folder.path().join("board.json");
    if setup.run(|job| ops::backup(job, &path)).is_err() {
        assert!(!board.is_halted());
    }
}

/// What is said of contact that ends at a reset and comes back: that nothing answered, or that the chip was not reset.
#[test]
fn a_reset_that_is_not_seen_to_end_is_told_from_one_that_is_not_answered() {
    let told = |trigger| {
        let (board, setup) = Setup::scenario(Scenario::Open);
        let armed = board.inject(Fault { trigger, kind: FaultKind::Silent(Duration::from_millis(900)) });
        let (done, told) = setup.run_told(ops::reset);
        done.unwrap_or_else(|error| panic!("{trigger:?}: {error}"));
        assert!(armed.fired() || told.is_empty());
        told.into_iter().map(|(_, words)| words).collect::<String>()
    };
    // AIRCR and DHCSR.
    let unanswered = told(Trigger::Write { address: 0xE000_ED0C, nth: 1 });
    assert!(unanswered.starts_with("no answer"), "{unanswered}");
    let at_the_control_register = (1..12).map(|nth| told(Trigger::Write { address: 0xE000_EDF0, nth }));
    assert!(at_the_control_register.into_iter().any(|words| words.starts_with("the chip did not reset")));
}

#[test]
fn under_reset_the_core_stops_before_its_first_instruction() {
    let (board, mut setup) = Setup::scenario(Scenario::Open);
    board.wire_nrst();
    setup.connect.method = Method::UnderReset;
    let probes = setup.probes();
    let reached = Board::connect(&probes, &setup.connect, &mut ()).expect("a board");
    let entry = u32::from_le_bytes(board.flash()[4..8].try_into().expect("four bytes"));
    assert_eq!((board.is_halted(), board.pc()), (true, entry & !1));
    drop(reached);
}
