//! What the procedures refuse, what they leave as it was then, and how long they try.

use std::{fs, time::Duration};

use m365_drv::{
    block::Uid,
    board::{OptionBytes, Wait},
    ops::{self, BoardState, Category, Error, FlashRequest, Intent, Obstacle},
    sim::{self, Fault, FaultKind, Lie, Scenario, SimBoard, Trigger},
};

use crate::{
    flash::assert_refused,
    stand::{Stand, image},
};

/// The simulated board as it is kept in a folder.
fn saved(board: &SimBoard) -> String {
    let folder = tempfile::tempdir().unwrap();
    board.save(folder.path()).unwrap();
    fs::read_to_string(folder.path().join("board.yaml")).unwrap()
}

/// A probe that is pulled out before anything was changed was there all the same.
#[test]
fn a_probe_that_is_pulled_out_is_a_lost_link_and_one_that_never_was_is_none() {
    for nth in [30, 100, 150] {
        let (board, stand) = Stand::scenario(Scenario::Locked);
        let gone = FaultKind::ProbeGone { returns_after: None };
        let armed = board.inject(Fault { trigger: Trigger::Transfer(nth), kind: gone });
        let error = stand.flash(&stand.request()).unwrap_err();
        assert!(armed.fired());
        assert_eq!((error.category(), error.board()), (Category::LinkLost, BoardState::Untouched), "{error}");
    }
    let (board, mut stand) = Stand::scenario(Scenario::Locked);
    board.inject(Fault { trigger: Trigger::Transfer(1), kind: FaultKind::ProbeGone { returns_after: None } });
    stand.flash(&stand.request()).unwrap_err();
    stand.connect.wait = Wait::For(Duration::from_secs(2));
    assert_eq!(stand.flash(&stand.request()).unwrap_err().category(), Category::NoProbe);
}

/// What fails in the same way each time is not waited for without end.
#[test]
fn a_wait_with_a_limit_ends_where_nothing_gets_further() {
    for lie in [Lie::Stuck, Lie::Late, Lie::Ones] {
        let (board, mut stand) = Stand::scenario(Scenario::Locked);
        stand.connect.wait = Wait::For(Duration::from_secs(5));
        board.inject(Fault { trigger: Trigger::Transfer(120), kind: FaultKind::Lying(lie) });
        let began = board.counts().time;
        stand.flash(&stand.request()).unwrap_err();
        let took = board.counts().time.saturating_sub(began);
        assert!(took < Duration::from_secs(120), "{lie:?} was given {took:?}");
    }
}

/// Who agreed to the erase of one board has not agreed to that of another.
#[test]
fn a_board_that_is_expected_is_the_only_one_taken() {
    let (_, mut stand) = Stand::scenario(Scenario::Locked);
    let before = stand.contents();
    let error = stand.flash(&FlashRequest { consent: None, ..stand.request() }).unwrap_err();
    let Error::Consent { uid, .. } = error else { panic!("{error}") };
    assert_eq!(uid, before.uid);
    stand.connect.expect = Some(Uid([9, 9, 9]));
    assert_refused(&stand, &before, stand.flash(&stand.request()), Category::WrongBoard);
    stand.connect.expect = Some(uid);
    stand.flash(&stand.request()).unwrap();
}

#[test]
fn firmware_runs_on_after_a_refusal() {
    let (board, stand) = Stand::scenario(Scenario::Wrp);
    assert!(saved(&board).contains("core: running"));
    let before = stand.contents();
    let request = FlashRequest { consent: None, ..stand.request_with_data() };
    assert_refused(&stand, &before, stand.flash(&request), Category::Consent);
    assert!(saved(&board).contains("core: running"));
}

#[test]
fn a_preview_says_what_has_to_be_agreed_to() {
    let needs = |scenario| {
        let (_, stand) = Stand::scenario(scenario);
        let request = FlashRequest { intent: Intent::Preview, consent: None, ..stand.request_with_data() };
        stand.flash(&request).unwrap().needs_consent
    };
    assert_eq!(needs(Scenario::Locked), Some(Obstacle::ReadProtected));
    assert_eq!(needs(Scenario::Wrp), Some(Obstacle::WriteProtected));
    assert_eq!(needs(Scenario::Open), None);
}

/// Protection that is set and not in force yet: somebody was interrupted while locking.
#[test]
fn a_chip_that_is_about_to_be_protected_is_erased_knowingly() {
    let (board, stand) = Stand::scenario(Scenario::Open);
    board.put_option_bytes(OptionBytes::open(0xFF).with_rdp(0).0);
    let preview = FlashRequest { intent: Intent::Preview, ..stand.request() };
    let foreseen = stand.flash(&preview).unwrap();
    assert!(foreseen.mass_erased);
    assert_eq!(foreseen.needs_consent, Some(Obstacle::AboutToBeReadProtected));
    let report = stand.flash(&stand.request()).unwrap();
    assert!(report.mass_erased && report.options_written);
    assert_eq!(board.counts().mass_erases, 1);
}

/// Its last half-words are erased flash instead of the zeros that belong there.
#[test]
fn an_image_on_the_board_that_lacks_its_end_cannot_stay() {
    let (board, stand) = Stand::scenario(Scenario::Open);
    let mut flash = board.flash();
    let boot = sim::BOOT;
    let zeros = boot.iter().rev().take_while(|byte| **byte == 0).count();
    assert!(zeros >= 2, "our own bootloader ends in zeros");
    flash[boot.len() - 2..boot.len()].fill(0xFF);
    board.set_flash(&flash);
    let before = stand.contents();
    let request = FlashRequest { boot: &[], ..stand.request() };
    let error = assert_refused(&stand, &before, stand.flash(&request), Category::Image);
    assert_eq!(error.to_string(), "no bootloader image, and the board's own cannot stay: its end is missing");
}

#[test]
fn a_lifted_size_gate_makes_no_room() {
    let (_, mut stand) = Stand::scenario(Scenario::Locked);
    let before = stand.contents();
    let mut long = sim::APP_64.to_vec();
    long.resize(60_000, 0x5A);
    stand.drv = image(&long);
    let forced = ["size", "truncated", "encrypted"].map(String::from).to_vec();
    let error =
        assert_refused(&stand, &before, stand.flash(&FlashRequest { forced, ..stand.request() }), Category::Image);
    assert!(matches!(error, Error::Gate { gate: "size", .. }), "{error}");
}

#[test]
fn a_board_that_is_refused_goes_on_with_what_it_did() {
    let (board, mut stand) = Stand::scenario(Scenario::Open);
    stand.connect.expect = Some(Uid([1, 2, 3]));
    let error = stand.run(ops::reset).expect_err("another board");
    assert_eq!(error.category(), Category::WrongBoard);
    assert!(saved(&board).contains("core: running"));

    let (board, stand) = Stand::scenario(Scenario::Open);
    board.set_flash_size_register(16);
    let error = stand.run(ops::reset).expect_err("a chip too small");
    assert_eq!(error.category(), Category::WrongBoard);
    assert!(saved(&board).contains("core: running"));
}

/// Whichever write is lost on the way: who says that the board was reset has reset it.
#[test]
fn a_reset_that_is_reported_has_happened() {
    let (board, stand) = Stand::scenario(Scenario::Open);
    let began = board.counts().transfers;
    stand.run(ops::reset).expect("a reset");
    for nth in 1..=board.counts().transfers - began {
        let (board, stand) = Stand::scenario(Scenario::Open);
        let armed = board.inject(Fault { trigger: Trigger::Transfer(nth), kind: FaultKind::DroppedWrite });
        let resets = board.counts().resets;
        let result = stand.run(ops::reset);
        assert!(result.is_err() || board.counts().resets > resets, "a write lost at {nth}, {}", armed.fired());
    }
}
