//! `unlock` and `lock` with a loss at any transfer.

use std::{fs, path::Path};

use m365_drv::{
    block::DataBlock,
    board::{BoardState, Consent, OptionBytes},
    ops::{self, Backup, BackupStore, Exit, Watchdog},
    sim::{Fault, Scenario, SimBoard, Trigger},
};

use super::{
    counts::FaultCounts,
    fault_case::{AWAY, AWAY_FOR_A_MOMENT, End, Power},
    losses::LOSSES,
    points,
};
use crate::setup::{Contents, Ended, Setup, live_block};

pub(super) const USER: u8 = 0xFD;

pub(super) fn with_user(board: &SimBoard) {
    let mut options = OptionBytes(board.option_bytes()).values();
    options[1] = USER;
    board.set_option_bytes(OptionBytes::from_values(options).0);
}

fn board(scenario: Scenario) -> (SimBoard, Setup) {
    let (board, setup) = Setup::scenario(scenario);
    with_user(&board);
    (board, setup)
}

/// What a run reported about the board.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Says {
    Changed,
    AsItWas,
}

impl Says {
    pub(super) fn changed(changed: bool) -> Self {
        if changed { Self::Changed } else { Self::AsItWas }
    }
}

pub(super) fn unlock(setup: &Setup) -> Result<Says, Ended> {
    let backups = BackupStore::in_folder(setup.folder.path());
    let (report, state) = setup.run_to_state(|job| ops::unlock(job, Some(Consent::Erase), &backups, Watchdog::Keep));
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

/// Whether a backup in this folder holds this data block, and flash, if there was any to be read.
pub(super) fn is_saved(folder: &Path, block: &DataBlock, flash: Option<&[u8]>) -> bool {
    let files = fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("a file").path());
    let files = files.filter(|path| !path.ends_with(super::others::GOAL));
    let mut backups = files.map(|path| Backup::open(&path).expect("only whole backups"));
    backups.any(|backup| {
        backup.block.as_ref() == Some(block) && flash.is_none_or(|flash| backup.flash.as_deref() == Some(flash))
    })
}

/// Whether the board is unlocked and erased.
pub(super) fn is_unlocked(board: &SimBoard) -> bool {
    let options = OptionBytes::open(USER);
    board.option_bytes() == options.0 && !board.is_protected() && board.flash().iter().all(|byte| *byte == 0xFF)
}

/// Whether nothing was erased, or the data block is in a backup; flash of a locked board cannot be.
pub(super) fn is_erased_with_a_backup(Outcome { before, after, live, folder }: &Outcome<'_>) -> bool {
    before.flash == after.flash || is_saved(folder, live, None)
}

/// What is on a board after a run, and what was there before it.
pub(super) struct Outcome<'a> {
    pub(super) before: &'a Contents,
    pub(super) after: &'a Contents,
    pub(super) live: &'a DataBlock,
    pub(super) folder: &'a Path,
}

/// A board with a command to survive losses at this many of its transfers. `is_right` checks the final board, `is_kept` the
/// data that must never be lost.
pub(super) struct Job<'a> {
    pub(super) name: &'a str,
    pub(super) board: &'a dyn Fn() -> (SimBoard, Setup),
    pub(super) points: u64,
    pub(super) command: &'a dyn Fn(&SimBoard, &Setup) -> Result<Says, Ended>,
    pub(super) is_right: &'a dyn Fn(&SimBoard) -> bool,
    pub(super) is_kept: fn(&Outcome<'_>) -> bool,
}

/// Injects a loss at any transfer of the command, then repeats it.
pub(super) fn survive(job: &Job<'_>) {
    let Job { name, board, command, is_right, is_kept, .. } = *job;
    let (clean, setup) = board();
    let before = clean.counts().transfers;
    command(&clean, &setup).expect("a run without a fault");
    assert!(is_right(&clean), "{name}");
    let transfers = clean.counts().transfers - before;
    let mut counts = FaultCounts::new(format!("{name}, {transfers} transfers"));
    for nth in points(transfers, job.points) {
        for (fault, kind, power) in LOSSES {
            let (board, setup) = board();
            let (before, live) = (setup.contents(), live_block(&board));
            let is_kept = |after: &Contents| {
                is_kept(&Outcome { before: &before, after, live: &live, folder: setup.folder.path() })
            };
            let armed = board.inject(Fault { trigger: Trigger::Transfer(nth), kind });
            let result = command(&board, &setup);
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
            let again = command(&board, &setup);
            let failure = match again {
                _ if !armed.fired() => Some("the fault never fired".into()),
                _ if lies => Some(format!("FALSE SUCCESS or a false report: {result:?}")),
                _ if !is_kept(&after) => Some("something was lost".into()),
                Err(error) => Some(format!("run again: {error}")),
                Ok(_) if !is_right(&board) || !is_kept(&setup.contents()) => {
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
    let board = || board(Scenario::Locked);
    survive(&Job {
        name: "unlock",
        board: &board,
        points: 24,
        command: &|_, setup| unlock(setup),
        is_right: &is_unlocked,
        is_kept: is_erased_with_a_backup,
    });
}

#[test]
fn a_lock_survives_a_loss_at_any_transfer_and_touches_no_flash() {
    let is_locked =
        |board: &SimBoard| board.option_bytes() == OptionBytes::open(USER).with_rdp(0).0 && board.is_protected();
    // What cannot be read any more is in a backup.
    let is_kept = |Outcome { before, after, live, folder }: &Outcome<'_>| {
        let flash = before.flash.as_deref().expect("the simulation shows its flash");
        let block = DataBlock::parse(&flash[0xF800..0xFA00]).expect("a data block");
        let is_saved = before.options == after.options || is_saved(folder, &block, before.flash.as_deref());
        before.flash == after.flash && block.serial() == live.serial() && is_saved
    };
    let board = || board(Scenario::Open);
    survive(&Job {
        name: "lock",
        board: &board,
        points: 24,
        command: &|_, setup| lock(setup),
        is_right: &is_locked,
        is_kept,
    });
}
