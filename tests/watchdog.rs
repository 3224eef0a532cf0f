//! The option bytes: USER, which can make the chip start its watchdog at every reset, and bytes that are damaged.

use m365_drv::{
    block::Uid,
    board::{BoardState, Consent, OptionBytes, Protection},
    ops::{self, Backup, BackupStore, Exit, FlashRequest, Job, Known, RestoreReport, Watchdog},
    sim::{Scenario, SimBoard},
};

use crate::{
    bench::Bench,
    setup::{Ended, Setup, open_options},
};

const WATCHDOG: u8 = 0xFE;

/// A board whose USER starts the watchdog.
fn watched(scenario: Scenario) -> (SimBoard, Setup) {
    let (board, setup) = Setup::scenario(scenario);
    let rdp = if board.is_protected() { 0x00 } else { 0xA5 };
    board.set_option_bytes(OptionBytes::from_values([rdp, WATCHDOG, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]).0);
    (board, setup)
}

#[test]
fn a_watchdog_that_starts_at_every_reset_is_said_and_kept() {
    for scenario in [Scenario::Locked, Scenario::Open] {
        let (board, setup) = watched(scenario);
        let before = board.option_bytes();
        let request = setup.request();
        let words = "the option bytes (USER 0xfe) start the watchdog at every reset: firmware that does not feed it keeps \
                     resetting; --software-watchdog turns that off (see m365-drv explain watchdog)";
        let (preview, told) = setup.run_told(|job| ops::preview(job, &request));
        preview.expect("a preview");
        assert_eq!(told, [("hardware-watchdog", words.into())], "{scenario}");
        assert_eq!(board.option_bytes(), before);
        let (report, told) = setup.run_told(|job| ops::flash(job, &request));
        report.expect("the job");
        assert_eq!(told, [("hardware-watchdog", words.into())], "{scenario}");
        assert_eq!(board.option_bytes(), open_options(WATCHDOG).0);
    }
}

/// Option bytes that protect are in force after a reset: until then nobody knows.
#[test]
fn the_protection_that_is_known_after_option_bytes_were_written_is_that_of_the_board() {
    let known_after = |options: OptionBytes| {
        let (board, setup) = Setup::scenario(Scenario::Open);
        let path = setup.folder.path().join("board.json");
        let backup = Backup { uid: Uid(board.uid()), option_bytes: options, flash: Some(board.flash()), block: None };
        backup.save(&path).expect("a backup");
        let (probes, mut known, mut silent) = (setup.probes(), Known::default(), ());
        let mut job = Job::new(&probes, setup.connect.clone(), &mut silent, &mut known);
        let restored = ops::restore(&mut job, &path, None, &BackupStore::none(), &[]).expect("a restored board");
        assert!(restored.done.options_written);
        known.protection
    };
    assert_eq!(known_after(open_options(0xFD)), Some(Protection::None));
    assert_eq!(known_after(open_options(0xFD).with_rdp(0)), None);
}

#[test]
fn the_watchdog_is_left_to_software_on_request() {
    for scenario in [Scenario::Locked, Scenario::Open] {
        let (board, setup) = watched(scenario);
        let request = FlashRequest { watchdog: Watchdog::Software, ..setup.request() };
        let (report, told) = setup.run_told(|job| ops::flash(job, &request));
        let report = report.expect("the job");
        assert!(report.verified && report.done.options_written && report.backup.is_some() && told.is_empty());
        assert_eq!(board.option_bytes(), open_options(0xFF).0, "{scenario}");
        assert_eq!(board.violations(), [""; 0]);
        // Once is enough.
        let erases = board.counts().option_erases;
        assert!(!setup.flash(&request).expect("the job").done.options_written);
        assert_eq!(board.counts().option_erases, erases);
    }
}

#[test]
fn only_the_watchdog_s_bit_of_user_is_changed() {
    let (board, setup) = Setup::scenario(Scenario::Open);
    board.set_option_bytes(OptionBytes::from_values([0xA5, 0xF8, 1, 2, 0xFF, 0xFF, 0xFF, 0xFF]).0);
    setup.flash(&FlashRequest { watchdog: Watchdog::Software, ..setup.request() }).expect("the job");
    assert_eq!(board.option_bytes(), OptionBytes::from_values([0xA5, 0xF9, 1, 2, 0xFF, 0xFF, 0xFF, 0xFF]).0);
}

#[test]
fn unlock_says_it_and_changes_it_too() {
    for scenario in [Scenario::Locked, Scenario::Open] {
        let unlock = |setup: &Setup, watchdog| {
            let backups = BackupStore::none();
            let (report, told) = setup.run_told(|job| ops::unlock(job, Some(Consent::Erase), &backups, watchdog));
            report.expect("an unlocked board");
            told.len()
        };
        let (board, setup) = watched(scenario);
        assert_eq!(unlock(&setup, Watchdog::Keep), 1);
        assert_eq!(board.option_bytes(), open_options(WATCHDOG).0);
        assert_eq!(unlock(&setup, Watchdog::Software), 0);
        assert_eq!(board.option_bytes(), open_options(0xFF).0, "{scenario}");
    }
}

#[test]
fn info_shows_it() {
    let (_, setup) = watched(Scenario::Open);
    assert!(setup.run(ops::info).expect("info").option_bytes.hardware_watchdog);
    let (_, setup) = Setup::scenario(Scenario::Open);
    assert!(!setup.run(ops::info).expect("info").option_bytes.hardware_watchdog);
}

#[test]
fn the_command_line_has_an_option_for_it() {
    let bench = Bench::new();
    let lines = bench.m365("--simulate=open flash pro --software-watchdog").json();
    assert_eq!(lines.report()["options_written"], false, "nothing to change");
    bench.m365("--simulate=locked unlock --software-watchdog --erase-all").json();
}

/// Restores a backup of an open board in which the option bytes are these.
fn restore_with(options: OptionBytes) -> (SimBoard, Result<RestoreReport, Ended>, Vec<(&'static str, String)>) {
    let (board, setup) = Setup::scenario(Scenario::Open);
    let path = setup.folder.path().join("edited.json");
    let whole = setup.folder.path().join("whole.json");
    setup.run(|job| ops::backup(job, &whole)).expect("a backup");
    let backup = Backup { option_bytes: options, ..Backup::open(&whole).expect("a backup") };
    backup.save(&path).expect("a file");
    let backups = BackupStore::none();
    let (result, told) = setup.run_told(|job| ops::restore(job, &path, Some(Consent::Erase), &backups, &[]));
    (board, result, told)
}

#[test]
fn a_permanent_protection_is_never_written_whatever_its_complement_is() {
    for (rdp, complement) in [(0xCC, 0x33), (0xCC, 0xFF), (0xCC, 0x00), (0xFF, 0x33)] {
        let mut options = open_options(0xFF);
        (options.0[0], options.0[1]) = (rdp, complement);
        let (board, result, _) = restore_with(options);
        let error = result.expect_err("a refusal");
        assert_eq!((error.exit(), error.board()), (Exit::Image, BoardState::Untouched), "{rdp:#x} {complement:#x}");
        assert_eq!(board.counts().option_erases, 0);
    }
}

#[test]
fn restore_names_the_command_that_changes_the_watchdog_afterwards() {
    let (_, result, told) = restore_with(open_options(WATCHDOG));
    result.expect("a restore");
    let words = "the option bytes (USER 0xfe) start the watchdog at every reset: firmware that does not feed it keeps resetting; \
                 m365-drv unlock --software-watchdog turns that off (see m365-drv explain watchdog)";
    assert_eq!(told, [("hardware-watchdog", words.into())]);
}

#[test]
fn unlock_changes_the_watchdog_of_an_open_board_without_consent() {
    let (board, setup) = watched(Scenario::Open);
    setup.run(|job| ops::unlock(job, None, &BackupStore::none(), Watchdog::Software)).expect("an open board");
    assert_eq!((board.option_bytes(), board.counts().mass_erases), (open_options(0xFF).0, 0));
}

#[test]
fn damaged_option_bytes_of_a_backup_are_repaired_and_named() {
    let mut watched = open_options(WATCHDOG);
    (watched.0[1], watched.0[4]) = (0xFF, 0x12);
    for (damaged, written) in [(OptionBytes([0xFF; 16]), open_options(0xFF)), (watched, open_options(WATCHDOG))] {
        let (board, result, told) = restore_with(damaged);
        assert!(result.expect("a restore").verified);
        assert_eq!(board.option_bytes(), written.0, "readable as it was when the backup was made");
        let [damaged, written] = [damaged, written].map(|options| hex::encode(options.0));
        let words = format!("the option bytes in the backup are damaged ({damaged}); using {written}");
        assert!(told.contains(&("option-bytes", words)), "{told:?}");
    }
}

#[test]
fn damaged_option_bytes_of_a_finished_board_are_said_and_repaired_by_unlock() {
    let (board, setup) = Setup::scenario(Scenario::Open);
    let mut options = open_options(0xFF);
    options.0[4] = 0x12;
    board.set_option_bytes(options.0);
    let words = format!(
        "the option bytes are damaged ({}): the chip uses 0xff for a damaged one; m365-drv unlock repairs them",
        hex::encode(options.0)
    );
    let request = FlashRequest { consent: None, ..setup.request() };
    let (report, told) = setup.run_told(|job| ops::flash(job, &request));
    assert!(report.expect("the job").verified);
    assert!(told.contains(&("option-bytes", words.clone())), "{told:?}");
    let (report, told) = setup.run_told(|job| ops::verify(job, &request.wanted, &request.backups));
    assert!(report.expect("the same board").verified);
    assert_eq!(told, [("option-bytes", words)]);
    assert_eq!(board.option_bytes(), options.0);

    let before = board.flash();
    setup
        .run(|job| ops::unlock(job, Some(Consent::Erase), &BackupStore::none(), Watchdog::Keep))
        .expect("an open board");
    assert_eq!(board.option_bytes(), open_options(0xFF).0);
    assert!(board.flash() == before && board.counts().mass_erases == 0);
}
