//! What the procedures refuse, what a refusal leaves unchanged, and how long the procedures retry.

use std::{fs, time::Duration};

use m365_drv::{
    block::Uid,
    board::{self, BoardState, OptionBytes, Wait},
    image::Image,
    ops::{self, Error, Exit, FlashRequest, Obstacle, Wanted},
    sim::{self, Fault, FaultKind, Lie, Scenario, SimBoard, Trigger},
};

use crate::{
    flash::assert_refused,
    setup::{Setup, image},
};

/// The `board.yaml` of the saved simulated board.
fn saved(board: &SimBoard) -> String {
    let folder = tempfile::tempdir().unwrap();
    board.save(folder.path()).unwrap();
    fs::read_to_string(folder.path().join("board.yaml")).unwrap()
}

/// Unplugging the probe is a lost link even if nothing has been changed yet.
#[test]
fn an_unplugged_probe_is_a_lost_link_and_a_missing_one_is_no_probe() {
    for nth in [30, 100, 150] {
        let (board, setup) = Setup::scenario(Scenario::Locked);
        let gone = FaultKind::ProbeGone { returns_after: None };
        let armed = board.inject(Fault { trigger: Trigger::Transfer(nth), kind: gone });
        let error = setup.flash(&setup.request()).unwrap_err();
        assert!(armed.fired());
        assert_eq!((error.exit(), error.board()), (Exit::LinkLost, BoardState::Untouched), "{error}");
    }
    let (board, mut setup) = Setup::scenario(Scenario::Locked);
    board.inject(Fault { trigger: Trigger::Transfer(1), kind: FaultKind::ProbeGone { returns_after: None } });
    setup.flash(&setup.request()).unwrap_err();
    setup.connect.wait = Wait::For(Duration::from_secs(2));
    let error = setup.flash(&setup.request()).unwrap_err();
    assert!(matches!(*error, Error::Board(board::Error::NoProbe)), "{error}");
}

/// A failure that repeats in the same way is not retried forever.
#[test]
fn a_wait_with_a_limit_ends_if_nothing_makes_progress() {
    for lie in [Lie::Stuck, Lie::Late, Lie::Ones] {
        let (board, mut setup) = Setup::scenario(Scenario::Locked);
        setup.connect.wait = Wait::For(Duration::from_secs(5));
        board.inject(Fault { trigger: Trigger::Transfer(120), kind: FaultKind::Lying(lie) });
        let began = board.counts().time;
        setup.flash(&setup.request()).unwrap_err();
        let took = board.counts().time.saturating_sub(began);
        assert!(took < Duration::from_secs(120), "{lie:?} was given {took:?}");
    }
}

/// Consent to erase one board does not cover another.
#[test]
fn only_the_expected_board_is_accepted() {
    let (_, mut setup) = Setup::scenario(Scenario::Locked);
    let before = setup.contents();
    let error = setup.flash(&FlashRequest { consent: None, ..setup.request() }).unwrap_err();
    let Error::Consent { uid, .. } = error.error else { panic!("{error}") };
    assert_eq!(uid, before.uid);
    setup.connect.expect = Some(Uid([9, 9, 9]));
    assert_refused(&setup, &before, setup.flash(&setup.request()), Exit::WrongBoard);
    setup.connect.expect = Some(uid);
    setup.flash(&setup.request()).unwrap();
}

#[test]
fn firmware_runs_on_after_a_refusal() {
    let (board, setup) = Setup::scenario(Scenario::Wrp);
    assert!(saved(&board).contains("core: running"));
    let before = setup.contents();
    let request = FlashRequest { consent: None, ..setup.request_with_data() };
    assert_refused(&setup, &before, setup.flash(&request), Exit::Consent);
    assert!(saved(&board).contains("core: running"));
}

#[test]
fn a_preview_reports_the_consent_that_is_needed() {
    let needs = |scenario| {
        let (_, setup) = Setup::scenario(scenario);
        let request = FlashRequest { consent: None, ..setup.request_with_data() };
        setup.run(|job| ops::preview(job, &request)).unwrap().needs
    };
    assert_eq!(needs(Scenario::Locked), Some(Obstacle::ReadProtected));
    assert_eq!(needs(Scenario::Wrp), Some(Obstacle::WriteProtected));
    assert_eq!(needs(Scenario::Open), None);
}

/// Protection that is set but not yet in force, because locking was interrupted.
#[test]
fn a_chip_that_is_about_to_be_protected_is_erased_only_with_consent() {
    let (board, setup) = Setup::scenario(Scenario::Open);
    board.put_option_bytes(OptionBytes::open(0xFF).with_rdp(0).0);
    let request = FlashRequest { consent: None, ..setup.request() };
    let foreseen = setup.run(|job| ops::preview(job, &request)).unwrap();
    assert!(foreseen.would_erase.whole_chip);
    assert_eq!(foreseen.needs, Some(Obstacle::AboutToBeReadProtected));
    let report = setup.flash(&setup.request()).unwrap();
    assert!(report.done.mass_erased && report.done.options_written);
    assert_eq!(board.counts().mass_erases, 1);
}

/// The image's last half-words are erased instead of zero.
#[test]
fn an_image_on_the_board_that_lacks_its_end_cannot_stay() {
    let (board, setup) = Setup::scenario(Scenario::Open);
    let mut flash = board.flash();
    let boot = sim::BOOT;
    let zeros = boot.iter().rev().take_while(|byte| **byte == 0).count();
    assert!(zeros >= 2, "our own bootloader ends in zeros");
    flash[boot.len() - 2..boot.len()].fill(0xFF);
    board.set_flash(&flash);
    let before = setup.contents();
    let request = setup.request_for(Wanted { boot: &[], ..setup.wanted() });
    let error = assert_refused(&setup, &before, setup.flash(&request), Exit::Image);
    assert_eq!(error.to_string(), "no bootloader image given, and the board's own cannot be kept: its end is missing");
}

#[test]
fn forcing_the_size_gate_does_not_let_an_image_overflow() {
    let (_, mut setup) = Setup::scenario(Scenario::Locked);
    let before = setup.contents();
    let mut long = sim::APP_64.to_vec();
    long.resize(60_000, 0x5A);
    // Without its address: with one, so much is a dump.
    setup.drv = Image { base: None, ..image(&long) };
    let forced = ["size", "truncated", "encrypted"].map(String::from).to_vec();
    let error = assert_refused(
        &setup,
        &before,
        setup.flash(&setup.request_for(Wanted { forced, ..setup.wanted() })),
        Exit::Image,
    );
    assert!(matches!(error.error, Error::Gate { gate: "size", .. }), "{error}");
}

#[test]
fn a_refused_board_keeps_running() {
    let (board, mut setup) = Setup::scenario(Scenario::Open);
    setup.connect.expect = Some(Uid([1, 2, 3]));
    let error = setup.run(ops::reset).expect_err("another board");
    assert_eq!(error.exit(), Exit::WrongBoard);
    assert!(saved(&board).contains("core: running"));

    let (board, setup) = Setup::scenario(Scenario::Open);
    board.set_flash_size_register(16);
    let error = setup.flash(&setup.request()).expect_err("a chip too small");
    assert_eq!(error.exit(), Exit::WrongBoard);
    assert!(saved(&board).contains("core: running"));
}

/// A reset is never reported without having happened, whichever write is lost.
#[test]
fn a_reset_that_is_reported_has_happened() {
    let (board, setup) = Setup::scenario(Scenario::Open);
    let began = board.counts().transfers;
    setup.run(ops::reset).expect("a reset");
    for nth in 1..=board.counts().transfers - began {
        let (board, setup) = Setup::scenario(Scenario::Open);
        let armed = board.inject(Fault { trigger: Trigger::Transfer(nth), kind: FaultKind::DroppedWrite });
        let resets = board.counts().resets;
        let result = setup.run(ops::reset);
        assert!(result.is_err() || board.counts().resets > resets, "write {nth} lost, fired: {}", armed.fired());
    }
}
