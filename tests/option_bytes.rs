//! USER, the option byte that starts the watchdog, outlives whatever happens to the option bytes.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use m365_drv::{
    board::{Consent, OptionBytes},
    ops::{self, BackupStore, Watchdog},
    sim::{Fault, FaultKind, Scenario, SimBoard, Trigger},
};

use crate::setup::Setup;

const USER: u8 = 0xFD;

fn board(scenario: Scenario) -> (SimBoard, Setup) {
    let (board, setup) = Setup::scenario(scenario);
    let mut options = OptionBytes(board.option_bytes()).values();
    options[1] = USER;
    board.set_option_bytes(OptionBytes::from_values(options).0);
    (board, setup)
}

fn backups(setup: &Setup) -> BackupStore {
    BackupStore::in_folder(setup.folder.path())
}

type Command = fn(&Setup) -> Result<(), crate::setup::Ended>;

/// The commands that write option bytes, with a board for each and RDP afterwards.
const COMMANDS: [(&str, Scenario, u8, Command); 4] = [
    ("flash", Scenario::Locked, 0xA5, |setup| setup.flash(&setup.request()).map(drop)),
    ("unlock", Scenario::Locked, 0xA5, |setup| {
        setup.run(|job| ops::unlock(job, Some(Consent::Erase), &backups(setup), Watchdog::Keep)).map(drop)
    }),
    ("lock", Scenario::Open, 0x00, |setup| setup.lock().map(drop)),
    ("restore", Scenario::Locked, 0xA5, |setup| {
        let path = dump(setup.folder.path());
        setup.run(|job| ops::restore(job, &path, Some(Consent::Erase), &backups(setup), &[])).map(drop)
    }),
];

/// The flash of another board of this kind: it has no option bytes.
fn dump(folder: &Path) -> PathBuf {
    let path = folder.join("dump.bin");
    std::fs::write(&path, Setup::scenario(Scenario::Open).0.flash()).expect("a file");
    path
}

#[test]
fn a_user_that_was_erased_with_the_option_bytes_is_taken_from_the_backup_made_before() {
    for (name, scenario, rdp, command) in COMMANDS {
        let (board, setup) = board(scenario);
        let kind = FaultKind::PowerLost { returns_after: None };
        let armed = board.inject(Fault { trigger: Trigger::OptionProgram(1), kind });
        command(&setup).expect_err("a loss");
        assert!(armed.fired());
        board.power_cycle();
        assert_eq!(OptionBytes(board.option_bytes()).known_user(), None, "{name}");
        command(&setup).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(OptionBytes(board.option_bytes()).values()[..2], [rdp, USER], "{name}");
    }
}

#[test]
fn option_bytes_that_do_not_take_are_never_reported_as_written() {
    for (name, scenario, rdp, command) in COMMANDS {
        for nth in 1..=8 {
            let (board, setup) = board(scenario);
            let armed = board.inject(Fault { trigger: Trigger::OptionProgram(nth), kind: FaultKind::NoEffect });
            let done = command(&setup);
            let expected = OptionBytes::from_values([rdp, USER, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]);
            assert!(done.is_err() || board.option_bytes() == expected.0, "{name}, {nth}");
            assert!(armed.fired() || done.is_ok(), "{name}, {nth}");
        }
    }
}

/// Protection that was set and not in force yet is in force after a reset on the way, and removing it erases the chip.
#[test]
fn an_erase_that_is_only_seen_in_flash_after_a_loss_is_told() {
    for trigger in
        [Trigger::MassErase(1), Trigger::OptionErase(1), Trigger::OptionProgram(1), Trigger::OptionProgram(2)]
    {
        let (board, setup) = board(Scenario::Open);
        board.put_option_bytes(OptionBytes::open(USER).with_rdp(0).0);
        let before = board.counts().mass_erases;
        let armed = board.inject(Fault { trigger, kind: FaultKind::Silent(Duration::from_millis(300)) });
        let unlocked = setup.run(|job| ops::unlock(job, Some(Consent::Erase), &backups(&setup), Watchdog::Keep));
        let unlocked = unlocked.unwrap_or_else(|error| panic!("{trigger:?}: {error}"));
        let is_blank = board.flash().iter().all(|byte| *byte == 0xFF);
        assert!(armed.fired(), "{trigger:?}");
        assert_eq!((unlocked.erased, board.counts().mass_erases > before), (is_blank, is_blank), "{trigger:?}");
    }
}

#[test]
fn a_user_that_is_as_asked_for_is_not_written() {
    let (board, setup) = Setup::scenario(Scenario::Open);
    let unlocked = setup.run(|job| ops::unlock(job, Some(Consent::Erase), &backups(&setup), Watchdog::Software));
    assert!(!unlocked.expect("an open board").options_written);
    assert_eq!(board.counts().option_erases, 0);
}
