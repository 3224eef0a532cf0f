//! `unlock` and `lock` with a loss at any transfer.

use m365_drv::{
    board::{BoardState, EraseConsent, OptionBytes},
    ops::{self, BackupStore, Exit, Watchdog},
    sim::{Fault, Scenario, SimBoard, Trigger},
};

use super::{
    counts::FaultCounts,
    fault_case::{AWAY, AWAY_FOR_A_MOMENT, End, Power},
    losses::LOSSES,
    points,
};
use crate::setup::{Contents, Ended, Setup};

const USER: u8 = 0xFD;

fn board(scenario: Scenario) -> (SimBoard, Setup) {
    let (board, setup) = Setup::scenario(scenario);
    let mut options = OptionBytes(board.option_bytes()).values();
    options[1] = USER;
    board.set_option_bytes(OptionBytes::from_values(options).0);
    (board, setup)
}

/// What a run reported about the board.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    Changed,
    AsItWas,
}

impl Says {
    fn changed(changed: bool) -> Self {
        if changed { Self::Changed } else { Self::AsItWas }
    }
}

fn unlock(setup: &Setup) -> Result<Says, Ended> {
    let backups = BackupStore::in_folder(setup.folder.path());
    let (report, state) = setup.run_to_state(|job| ops::unlock(job, Some(EraseConsent), &backups, Watchdog::Keep));
    let report = report?;
    assert_eq!(report.erased, report.options_written, "unlocking a locked board erases it");
    assert_eq!(state, if report.erased { BoardState::Erased } else { BoardState::Untouched });
    Ok(Says::changed(report.erased))
}

fn lock(setup: &Setup) -> Result<Says, Ended> {
    let backups = BackupStore::in_folder(setup.folder.path());
    let (report, state) = setup.run_to_state(|job| ops::lock(job, &backups));
    let report = report?;
    assert_eq!(state, if report.options_written { BoardState::Written } else { BoardState::Untouched });
    Ok(Says::changed(report.options_written))
}

/// Injects a loss at any transfer of `command`, then repeats the command. `is_right` checks the final board, `is_kept`
/// the data that must never be lost.
fn survive(
    name: &str,
    scenario: Scenario,
    command: fn(&Setup) -> Result<Says, Ended>,
    is_right: fn(&SimBoard) -> bool,
    is_kept: fn(&Contents, &Contents) -> bool,
) {
    let (clean, setup) = board(scenario);
    let before = clean.counts().transfers;
    command(&setup).expect("a run without a fault");
    assert!(is_right(&clean), "{name}");
    let transfers = clean.counts().transfers - before;
    let mut counts = FaultCounts::new(format!("{name}, {transfers} transfers"));
    for nth in points(transfers, 24) {
        for (fault, kind, power) in LOSSES {
            let (board, setup) = board(scenario);
            let before = setup.contents();
            let armed = board.inject(Fault { trigger: Trigger::Transfer(nth), kind });
            let result = command(&setup);
            let after = setup.contents();
            let lies = match &result {
                Ok(says) => !is_right(&board) || *says != Says::changed(after != before),
                Err(error) => {
                    let wrong_code = error.exit() != Exit::LinkLost && error.board() != BoardState::Untouched;
                    wrong_code || error.board() == BoardState::Untouched && after != before
                }
            };
            let end = match &result {
                Ok(_) => End::Success,
                Err(error) => End::Failure(error.exit(), error.board()),
            };
            counts.ended(fault, end);
            board.clear_faults();
            match power {
                Power::On => board.clock().sleep(AWAY),
                Power::Returns => board.clock().sleep(AWAY_FOR_A_MOMENT),
                Power::Lost => board.power_cycle(),
            }
            let again = command(&setup);
            let failure = match again {
                _ if !armed.fired() => Some("the fault never fired".into()),
                _ if lies => Some(format!("FALSE SUCCESS or a false report: {result:?}")),
                _ if !is_kept(&before, &after) => Some("something was lost".into()),
                Err(error) => Some(format!("run again: {error}")),
                Ok(_) if !is_right(&board) || !is_kept(&before, &setup.contents()) => {
                    Some(format!("run again, the option bytes are {}", hex::encode(board.option_bytes())))
                }
                Ok(_) => None,
            };
            match failure {
                Some(what) => counts.failed(format!("{fault} at {nth}: {what}")),
                None if end != End::Success => counts.recovered(),
                None => {}
            }
        }
    }
    counts.conclude();
}

#[test]
fn an_unlock_survives_a_loss_at_any_transfer() {
    let is_open = |board: &SimBoard| {
        let options = OptionBytes::open(USER);
        board.option_bytes() == options.0 && !board.is_protected() && board.flash().iter().all(|byte| *byte == 0xFF)
    };
    survive("unlock", Scenario::Locked, unlock, is_open, |_, _| true);
}

#[test]
fn a_lock_survives_a_loss_at_any_transfer_and_touches_no_flash() {
    let is_locked = |board: &SimBoard| {
        // If a run ended between the erase of the option bytes and their programming, USER is lost.
        let options = [USER, 0xFF].map(|user| OptionBytes::open(user).with_rdp(0).0);
        options.contains(&board.option_bytes()) && board.is_protected()
    };
    survive("lock", Scenario::Open, lock, is_locked, |before, after| before.flash == after.flash);
}
