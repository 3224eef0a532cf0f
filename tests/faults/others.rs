//! Losses at any transfer of other procedures and on other boards: a restore, the 128 KiB flash map, a GD32F103, and a chip that
//! needs a power-cycle to be unlocked.

use std::time::Duration;

use m365_drv::{
    board::{BoardState, Consent, OptionBytes},
    ops::{self, Backup, BackupStore, FlashRequest},
    sim::{Fault, FaultKind, Scenario, SimBoard, Trigger},
};

use super::protect::{
    Job, Outcome, Says, USER, is_erased_with_a_backup, is_saved, is_unlocked, survive, unlock, with_user,
};
use crate::setup::{Ended, Setup, live_block, target};

/// The backup that is restored, in the folder of those that are made.
pub(super) const GOAL: &str = "goal";

/// A board of this scooter in this scenario.
fn board(scenario: Scenario, scooter: &str) -> (SimBoard, Setup) {
    let board = SimBoard::new(scenario, target(scooter));
    with_user(&board);
    let setup = Setup::simulated(&board, scooter);
    (board, setup)
}

fn flash(setup: &Setup) -> Result<Says, Ended> {
    let request = FlashRequest { consent: Some(Consent::Erase), ..setup.request() };
    let (report, state) = setup.run_to_state(|job| ops::flash(job, &request));
    assert!(report?.verified);
    Ok(Says::changed(state == BoardState::Written))
}

/// A flash job on a locked board.
fn survive_flash(name: &str, scenario: Scenario, scooter: &str) {
    let (first, setup) = board(scenario, scooter);
    let expected = setup.expected_on_blank(live_block(&first).as_bytes());
    let is_right = |board: &SimBoard| {
        board.flash() == expected && board.option_bytes() == OptionBytes::open(USER).0 && !board.is_protected()
    };
    let board = || board(scenario, scooter);
    let is_kept = is_erased_with_a_backup;
    survive(&Job { name, board: &board, points: 4, command: &|_, setup| flash(setup), is_right: &is_right, is_kept });
}

#[test]
fn a_board_with_128_kib_survives_a_loss_at_any_transfer() {
    survive_flash("flash es2", Scenario::Locked, "es2");
}

#[test]
fn a_gd32f103_survives_a_loss_at_any_transfer() {
    survive_flash("flash gd32f103", Scenario::Gd32f103, "pro");
}

fn restore(setup: &Setup) -> Result<Says, Ended> {
    let (path, backups) = (setup.folder.path().join(GOAL), BackupStore::in_folder(setup.folder.path()));
    let (report, state) = setup.run_to_state(|job| ops::restore(job, &path, None, &backups, &[]));
    assert!(report?.verified);
    Ok(Says::changed(state == BoardState::Written))
}

#[test]
fn a_restore_survives_a_loss_at_any_transfer() {
    const DATA: [u8; 2] = [0x12, 0x34];
    let options = OptionBytes::from_values([0xA5, USER, DATA[0], DATA[1], 0xFF, 0xFF, 0xFF, 0xFF]);
    let goal = |flash: &[u8]| {
        let mut flash = flash.to_vec();
        for at in [0x300, 0x1234, 0x2345, 0x6000, 0xF900] {
            flash[at] ^= 0x08;
        }
        flash
    };
    let expected = goal(&board(Scenario::Open, "pro").0.flash());
    let with_goal = || {
        let (board, setup) = board(Scenario::Open, "pro");
        let uid = setup.contents().uid;
        let backup = Backup { uid, option_bytes: options, flash: Some(goal(&board.flash())), block: None };
        backup.save(&setup.folder.path().join(GOAL)).expect("a backup");
        (board, setup)
    };
    let is_right = |board: &SimBoard| board.flash() == expected && board.option_bytes() == options.0;
    let is_kept = |Outcome { before, after, folder, .. }: &Outcome<'_>| {
        let flash = before.flash.as_deref().expect("the simulation shows its flash");
        let block = m365_drv::block::DataBlock::parse(&flash[0xF800..0xFA00]).expect("a data block");
        before.flash == after.flash || is_saved(folder, &block, before.flash.as_deref())
    };
    survive(&Job {
        name: "restore",
        board: &with_goal,
        points: 6,
        command: &|_, setup| restore(setup),
        is_right: &is_right,
        is_kept,
    });
}

/// Somebody power-cycles the board from time to time.
fn unlock_with_power_cycles(board: &SimBoard, setup: &Setup) -> Result<Says, Ended> {
    let now = board.counts().time;
    for seconds in [20, 50, 80, 110] {
        let kind = FaultKind::PowerLost { returns_after: Some(Duration::from_millis(300)) };
        board.inject(Fault { trigger: Trigger::At(now + Duration::from_secs(seconds)), kind });
    }
    unlock(setup)
}

#[test]
fn an_unlock_that_needs_a_power_cycle_survives_a_loss_at_any_transfer() {
    let board = || {
        let (board, setup) = board(Scenario::Locked, "pro");
        board.need_power_cycle();
        (board, setup)
    };
    let (command, is_kept) = (&unlock_with_power_cycles, is_erased_with_a_backup);
    survive(&Job { name: "unlock", board: &board, points: 8, command, is_right: &is_unlocked, is_kept });
}
