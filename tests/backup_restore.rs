//! Backups, and what a restore and the next run take from them: no data of a board is ever lost.

use std::{fs, path::Path, time::Duration};

use m365_drv::{
    block::{DataBlock, Mileage, Uid},
    board::{BoardState, Consent, OptionBytes},
    ops::{self, After, Backup, BackupStore, DataSource, Exit, FlashRequest, RestoreReport, Wanted},
    sim::{Fault, FaultKind, Lie, Scenario, SimBoard, Trigger},
};

use crate::setup::{Contents, Ended, Setup, assert_same, live_block, mileage, target};

fn restore(setup: &Setup, path: &Path, consent: Option<Consent>) -> Result<RestoreReport, Ended> {
    let backups = BackupStore::in_folder(setup.folder.path());
    setup.run(|job| ops::restore(job, path, consent, &backups, &[]))
}

fn backup(setup: &Setup) -> std::path::PathBuf {
    let path = setup.folder.path().join("before.json");
    setup.run(|job| ops::backup(job, &path)).expect("a backup");
    path
}

#[track_caller]
fn assert_contents(setup: &Setup, before: &Contents) {
    let now = setup.contents();
    assert_same(now.flash.as_ref().unwrap(), before.flash.as_ref().unwrap());
    assert_eq!(hex::encode(now.options.0), hex::encode(before.options.0));
}

/// Boards with readable flash and non-default option bytes.
fn readable_boards() -> Vec<(SimBoard, Setup)> {
    let mut boards: Vec<_> =
        [Scenario::New, Scenario::Open, Scenario::HalfFlashed, Scenario::Wrp].map(Setup::scenario).into();
    let big = SimBoard::new(Scenario::Open, target("es2"));
    let setup = Setup::simulated(&big, "es2");
    boards.push((big, setup));
    for (board, _) in &boards {
        let mut options = OptionBytes(board.option_bytes()).values();
        (options[1], options[2], options[3]) = (0xFD, 0x12, 0x34);
        board.set_option_bytes(OptionBytes::from_values(options).0);
    }
    boards
}

#[test]
fn a_backup_holds_the_board_byte_for_byte_and_changes_nothing() {
    for (_, setup) in readable_boards() {
        let before = setup.contents();
        let held = Backup::open(&backup(&setup)).unwrap();
        assert!(setup.contents() == before);
        assert_eq!((held.uid, held.option_bytes), (before.uid, before.options));
        assert_same(held.flash.as_deref().unwrap(), before.flash.as_deref().unwrap());
    }
}

#[test]
fn a_board_that_holds_the_backup_already_is_told_page_by_page() {
    let (_, setup) = Setup::scenario(Scenario::Open);
    let path = backup(&setup);
    let report = restore(&setup, &path, None).expect("nothing to do");
    assert_eq!((report.done.pages_skipped, report.done.pages_erased, report.done.bytes_programmed), (64, 0, 0));
}

#[test]
fn a_restored_board_is_exactly_what_it_was() {
    for (board, setup) in readable_boards() {
        let before = setup.contents();
        let path = backup(&setup);
        setup.flash(&setup.request_with_data()).unwrap();
        assert!(setup.contents() != before);
        restore(&setup, &path, Some(Consent::Erase)).unwrap();
        assert_contents(&setup, &before);
        assert_eq!(board.violations(), [""; 0]);
    }
}

#[test]
fn a_board_locked_since_the_backup_is_restored_only_with_consent() {
    let (_, setup) = Setup::scenario(Scenario::Open);
    let before = setup.contents();
    let path = backup(&setup);
    setup.lock().unwrap();
    let locked = setup.contents();
    let error = restore(&setup, &path, None).unwrap_err();
    assert_eq!((error.exit(), error.board()), (Exit::Consent, BoardState::Untouched));
    assert!(setup.contents() == locked);
    assert!(restore(&setup, &path, Some(Consent::Erase)).unwrap().done.mass_erased);
    assert_contents(&setup, &before);
}

#[test]
fn a_board_that_matches_the_backup_is_not_changed() {
    for (board, setup) in readable_boards() {
        let before = setup.contents();
        let path = backup(&setup);
        let report = restore(&setup, &path, None).unwrap();
        let counts = board.counts();
        assert_eq!((report.done.pages_erased, report.done.bytes_programmed, counts.option_erases), (0, 0, 0));
        assert_eq!((report.done.options_written, report.backup), (false, None));
        assert_contents(&setup, &before);
    }
}

#[test]
fn a_restore_first_saves_what_it_overwrites() {
    let (_, setup) = Setup::scenario(Scenario::Open);
    let path = backup(&setup);
    setup.flash(&setup.request_for(Wanted { mileage: Some(mileage(77)), ..setup.wanted() })).unwrap();
    let newer = setup.contents();
    let saved = restore(&setup, &path, None).unwrap().backup.unwrap();
    restore(&setup, &saved, None).unwrap();
    assert_contents(&setup, &newer);
}

#[test]
fn a_lock_first_saves_the_flash_that_cannot_be_read_afterwards() {
    let (board, setup) = Setup::scenario(Scenario::Open);
    let before = board.flash();
    let report = setup.lock().unwrap();
    let backup = Backup::open(&report.backup.expect("a backup")).unwrap();
    assert_eq!(backup.flash.as_deref(), Some(&*before));
    assert!(backup.block.is_some() && board.is_protected());
    // There is nothing to save, because nothing is done.
    assert_eq!(setup.lock().unwrap().backup, None);
}

#[test]
fn a_lock_without_a_place_for_its_backup_does_not_lock() {
    let (board, setup) = Setup::scenario(Scenario::Open);
    let file = setup.folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let backups = BackupStore::in_folder(file.join("below"));
    let error = setup.run(|job| ops::lock(job, &backups)).unwrap_err();
    assert_eq!((error.exit(), error.board()), (Exit::Backup, BoardState::Untouched));
    assert!(!board.is_protected() && !board.is_halted());
    assert_eq!(board.counts().option_erases, 0);
}

/// Contact is lost while the option bytes are written, when flash is right already.
#[test]
fn a_restore_goes_on_after_a_loss_while_it_writes_the_option_bytes() {
    for kind in [
        FaultKind::Error,
        FaultKind::Silent(Duration::from_millis(100)),
        FaultKind::ProbeGone { returns_after: Some(Duration::from_millis(300)) },
    ] {
        let (board, setup) = Setup::scenario(Scenario::Open);
        let path = setup.folder.path().join("board.json");
        setup.run(|job| ops::backup(job, &path)).unwrap();
        let expected = (board.flash(), board.option_bytes());
        let mut values = OptionBytes(board.option_bytes()).values();
        values[2] = 0x12;
        let backups = BackupStore::none();
        let restore = || setup.run(|job| ops::restore(job, &path, Some(Consent::Erase), &backups, &[]));
        // How many transfers it takes, and at which of them the option bytes are erased.
        for trigger in [Trigger::OptionErase(1), Trigger::OptionProgram(1), Trigger::OptionProgram(8)] {
            board.put_option_bytes(OptionBytes::from_values(values).0);
            let armed = board.inject(Fault { trigger, kind });
            let report = restore().unwrap_or_else(|error| panic!("{kind:?} at {trigger:?}: {error}"));
            assert!(armed.fired() && report.verified && report.done.options_written);
            assert_eq!((board.flash(), board.option_bytes()), expected, "{kind:?} at {trigger:?}");
            assert!(!board.is_halted());
        }
    }
}

/// Without consent to an erase, nothing is erased to get on: the loss ends the run, and flash is right.
#[test]
fn a_restore_without_consent_loses_nothing_if_contact_is_lost_while_it_writes_the_option_bytes() {
    for trigger in [Trigger::OptionErase(1), Trigger::OptionProgram(1), Trigger::OptionProgram(8)] {
        let (board, setup) = Setup::scenario(Scenario::Open);
        let path = setup.folder.path().join("board.json");
        setup.run(|job| ops::backup(job, &path)).unwrap();
        let expected = (board.flash(), board.option_bytes());
        let mut values = OptionBytes(board.option_bytes()).values();
        values[2] = 0x12;
        board.put_option_bytes(OptionBytes::from_values(values).0);
        let armed = board.inject(Fault { trigger, kind: FaultKind::Error });
        let done = setup.run(|job| ops::restore(job, &path, None, &BackupStore::none(), &[]));
        assert!(armed.fired());
        match done {
            Ok(report) => assert!(report.verified && report.done.options_written),
            Err(ended) => assert_eq!((ended.exit(), ended.board()), (Exit::Flash, BoardState::Partial), "{ended}"),
        }
        assert!(board.flash() == expected.0, "{trigger:?}");
        let again = setup.run(|job| ops::restore(job, &path, Some(Consent::Erase), &BackupStore::none(), &[]));
        assert!(again.unwrap().verified);
        assert_eq!((board.flash(), board.option_bytes()), expected, "{trigger:?}");
    }
}

#[test]
fn another_board_is_not_restored() {
    let (board, setup) = Setup::scenario(Scenario::Open);
    let path = backup(&setup);
    let kind = FaultKind::AnotherBoard { uid: [4, 5, 6], gap: Duration::ZERO };
    board.inject(Fault { trigger: Trigger::At(Duration::ZERO), kind });
    board.clock().sleep(Duration::from_millis(100));
    assert_eq!(board.uid(), [4, 5, 6]);
    let other = setup.contents();
    let error = restore(&setup, &path, Some(Consent::Erase)).unwrap_err();
    assert_eq!((error.exit(), error.board()), (Exit::WrongBoard, BoardState::Untouched));
    assert!(setup.contents() == other);
}

#[test]
fn the_backup_of_a_locked_board_holds_its_data_and_no_flash() {
    let (board, setup) = Setup::scenario(Scenario::Locked);
    let path = backup(&setup);
    let held = Backup::open(&path).unwrap();
    assert_eq!((held.flash, held.block), (None, Some(live_block(&board))));
    let before = setup.contents();
    let error = restore(&setup, &path, Some(Consent::Erase)).unwrap_err();
    assert_eq!((error.exit(), error.board()), (Exit::Image, BoardState::Untouched));
    assert!(setup.contents() == before);
}

#[test]
fn a_backup_is_never_overwritten() {
    let (board, setup) = Setup::scenario(Scenario::Locked);
    let path = setup.folder.path().join("mine");
    fs::write(&path, "something else").unwrap();
    let before = setup.contents();
    let request = FlashRequest { backups: BackupStore::in_file(path.clone()), ..setup.request() };
    let error = setup.flash(&request).unwrap_err();
    assert_eq!((error.exit(), error.board()), (Exit::Backup, BoardState::Untouched));
    let error = setup.run(|job| ops::backup(job, &path)).unwrap_err();
    assert_eq!(error.exit(), Exit::Backup);
    assert_eq!(fs::read(&path).unwrap(), b"something else");
    assert!(setup.contents() == before);
    assert_eq!(board.counts().option_erases, 0);
}

#[test]
fn every_run_that_changes_something_leaves_a_backup_of_its_own() {
    let (_, setup) = Setup::scenario(Scenario::Open);
    for (run, km) in (1..).zip([10, 20, 30]) {
        let before = setup.contents();
        let request = setup.request_for(Wanted { mileage: Some(mileage(km)), ..setup.wanted() });
        let report = setup.flash(&request).unwrap();
        let held = Backup::open(&report.backup.unwrap()).unwrap();
        assert!(held.flash == before.flash && held.option_bytes == before.options);
        assert_eq!(fs::read_dir(setup.folder.path()).unwrap().count(), run);
    }
    setup.flash(&setup.request_for(Wanted { mileage: Some(mileage(30)), ..setup.wanted() })).unwrap();
    assert_eq!(fs::read_dir(setup.folder.path()).unwrap().count(), 3);
}

#[test]
fn nothing_is_erased_if_no_backup_can_be_written() {
    for scenario in [Scenario::Locked, Scenario::Open, Scenario::Wrp] {
        let (board, setup) = Setup::scenario(scenario);
        let file = setup.folder.path().join("a file");
        fs::write(&file, "").unwrap();
        let before = setup.contents();
        for backups in [BackupStore::in_folder(file.join("folder")), BackupStore::in_file(file.join("folder/file"))] {
            let request = FlashRequest { backups: backups.clone(), ..setup.request_with_data() };
            let error = setup.flash(&request).unwrap_err();
            assert_eq!((error.exit(), error.board()), (Exit::Backup, BoardState::Untouched));
        }
        assert!(setup.contents() == before);
        let counts = board.counts();
        assert_eq!((counts.mass_erases, counts.option_erases, counts.half_words_programmed), (0, 0, 0));
    }
}

/// Runs the job on a locked board and cuts the power after the mass erase.
fn cut_after_the_mass_erase(board: &SimBoard, setup: &Setup) {
    let cut = Fault { trigger: Trigger::HalfWord(1), kind: FaultKind::PowerLost { returns_after: None } };
    let armed = board.inject(cut);
    let error = setup.flash(&setup.request()).unwrap_err();
    assert!(armed.fired());
    assert_eq!(error.exit(), Exit::LinkLost);
    board.power_cycle();
    assert_eq!(board.counts().mass_erases, 1);
}

#[test]
fn a_run_that_ends_after_the_mass_erase_loses_neither_serial_nor_mileage() {
    for scenario in [Scenario::Locked, Scenario::Gd32f103, Scenario::Gd32e103] {
        let (board, setup) = Setup::scenario(scenario);
        let live = live_block(&board);
        cut_after_the_mass_erase(&board, &setup);
        let report = setup.flash(&setup.request()).unwrap();
        assert_eq!((report.planned.data_source, report.planned.serial), (DataSource::Backup, live.serial().unwrap()));
        assert_same(&board.flash(), &setup.expected_on_blank(live.as_bytes()));
        // The backup of the second run does not replace the data in flash.
        let report = setup.flash(&setup.request_for(Wanted { mileage: Some(mileage(1)), ..setup.wanted() })).unwrap();
        assert_eq!(report.planned.data_source, DataSource::Flash);
    }
}

#[test]
fn the_same_command_finishes_the_job_wherever_its_backup_is() {
    for named in [true, false] {
        let (board, setup) = Setup::scenario(Scenario::Locked);
        let mut options = OptionBytes(board.option_bytes()).values();
        options[1] = 0xFD;
        board.set_option_bytes(OptionBytes::from_values(options).0);
        let live = live_block(&board);
        let file = setup.folder.path().join("mine.json");
        let backups = if named {
            BackupStore::in_file(&file)
        } else {
            backup(&setup);
            let path = setup.folder.path().join("before.json");
            fs::rename(path, setup.folder.path().join(format!("{}-0.json", setup.contents().uid))).unwrap();
            BackupStore::none().with_earlier(Some(setup.folder.path().to_owned()))
        };
        let request = FlashRequest { backups, ..setup.request() };
        let cut = Fault { trigger: Trigger::HalfWord(1), kind: FaultKind::PowerLost { returns_after: None } };
        board.inject(cut);
        setup.flash(&request).unwrap_err();
        board.power_cycle();
        let report = setup.flash(&request).unwrap();
        assert_eq!(report.planned.data_source, DataSource::Backup);
        assert_same(&board.flash(), &setup.expected_on_blank(live.as_bytes()));
        assert_eq!(OptionBytes(board.option_bytes()).user(), 0xFD);
        if named {
            assert_eq!(report.backup, Some(setup.folder.path().join("mine-2.json")));
            assert_eq!(Backup::open(&file).unwrap().block, Some(live));
        }
    }
}

/// The debugger stopped the firmware while it was saving its settings: the magic is written, the rest is not.
#[test]
fn a_block_that_was_half_saved_is_rescued_from_sram() {
    let (board, setup) = Setup::scenario(Scenario::Open);
    let live = live_block(&board);
    let mut flash = board.flash();
    flash[0xF804..0xFA00].fill(0xFF);
    board.set_flash(&flash);
    let report = setup.flash(&setup.request()).unwrap();
    assert_eq!(report.planned.data_source, DataSource::Sram);
    assert_same(&board.flash()[0xF800..0xFA00], live.as_bytes());
}

/// A block with another chip's UID causes error 27 but still is the board's own.
#[test]
fn an_older_backup_does_not_replace_a_block_with_another_uid() {
    let (board, setup) = Setup::scenario(Scenario::Open);
    let place = 0xF800..0xFA00;
    let own = DataBlock::parse(&board.flash()[place.clone()]).unwrap();
    let foreign = |km| own.clone().with_uid(Uid([7, 7, 7])).with_mileage(mileage(km));
    let put = |block: &DataBlock| {
        let mut flash = board.flash();
        flash[place.clone()].copy_from_slice(block.as_bytes());
        board.set_flash(&flash);
        board.power_cycle();
    };
    put(&foreign(1000));
    let armed =
        board.inject(Fault { trigger: Trigger::PageErase(1), kind: FaultKind::PowerLost { returns_after: None } });
    setup.flash(&setup.request_for(Wanted { mileage: Some(mileage(1)), ..setup.wanted() })).unwrap_err();
    assert!(armed.fired());
    put(&foreign(1200));
    let report = setup.flash(&setup.request()).unwrap();
    assert_eq!((report.planned.data_source, report.planned.mileage_m), (DataSource::Flash, mileage(1200)));
}

/// Puts the UID of another chip into the data block in flash.
fn put_foreign_uid(board: &SimBoard, mileage: Mileage) {
    let mut flash = board.flash();
    let place = 0xF800..0xFA00;
    let block = DataBlock::parse(&flash[place.clone()]).unwrap().with_uid(Uid([7, 7, 7])).with_mileage(mileage);
    flash[place].copy_from_slice(block.as_bytes());
    board.set_flash(&flash);
}

/// What `flash` says on its way to a data block with the chip's own UID.
fn told_of_the_uid(board: &SimBoard, setup: &Setup) -> Vec<(&'static str, String)> {
    let (report, told) = setup.run_told(|job| ops::flash(job, &setup.request()));
    assert_eq!(DataBlock::parse(&board.flash()[0xF800..0xFA00]).unwrap().uid(), report.expect("the job").board.uid);
    told
}

#[test]
fn the_uid_of_another_chip_in_a_data_block_is_not_replaced_without_a_word() {
    let (board, setup) = Setup::scenario(Scenario::Open);
    put_foreign_uid(&board, mileage(77));
    board.power_cycle();
    let words = "the board's data block (serial number 21886/00012345, 77.0 km) was made for another chip \
                 (UID 00000007-00000007-00000007); its UID is changed to this chip's";
    assert_eq!(told_of_the_uid(&board, &setup), [("uid-replaced", words.to_owned())]);
}

#[test]
fn a_data_block_of_another_chip_in_flash_is_not_hidden_by_one_in_sram() {
    let other = |mileage: Mileage| {
        format!(
            "the data block in flash (serial number 21886/00012345, {mileage}) was made for another chip (UID \
             00000007-00000007-00000007); using the one in SRAM, which is this chip's"
        )
    };
    let lost = "serial number and mileage were found only in SRAM: keep the board powered until it is flashed, or they are lost";
    let (board, setup) = Setup::scenario(Scenario::Open);
    let live = live_block(&board).mileage();
    // What is in flash too is not lost with the power, under whatever UID.
    put_foreign_uid(&board, live);
    assert_eq!(told_of_the_uid(&board, &setup), [("data-of-another-chip", other(live))]);
    // Nor what a backup has.
    put_foreign_uid(&board, mileage(5));
    assert_eq!(told_of_the_uid(&board, &setup), [("data-of-another-chip", other(mileage(5)))]);
    let (board, setup) = Setup::scenario(Scenario::Open);
    put_foreign_uid(&board, mileage(5));
    assert_eq!(
        told_of_the_uid(&board, &setup),
        [("data-of-another-chip", other(mileage(5))), ("data-in-sram", lost.to_owned())]
    );
}

#[test]
fn locking_a_finished_board_makes_a_backup_first() {
    let (board, setup) = Setup::scenario(Scenario::Locked);
    setup.flash(&setup.request()).unwrap();
    let erases = board.counts().option_erases;
    let report = setup.flash(&FlashRequest { after: After::LockAndRun, ..setup.request() }).unwrap();
    assert!(report.backup.is_some() && report.done.options_written);
    assert_eq!((report.done.bytes_programmed, board.counts().option_erases), (0, erases + 1));
}

#[test]
fn an_erased_board_without_its_backup_needs_a_serial() {
    let (board, setup) = Setup::scenario(Scenario::Locked);
    cut_after_the_mass_erase(&board, &setup);
    let before = setup.contents();
    let elsewhere = tempfile::tempdir().unwrap();
    let backups = BackupStore::in_folder(elsewhere.path().to_owned());
    let error = setup.flash(&FlashRequest { backups, ..setup.request() }).unwrap_err();
    assert_eq!((error.exit(), error.board()), (Exit::Data, BoardState::Untouched));
    assert!(setup.contents() == before);
}

#[test]
fn a_damaged_backup_is_skipped_for_an_earlier_one() {
    let (board, setup) = Setup::scenario(Scenario::Locked);
    let live = live_block(&board);
    cut_after_the_mass_erase(&board, &setup);
    let whole = fs::read_dir(setup.folder.path()).unwrap().next().unwrap().unwrap().path();
    let later = whole.with_file_name(whole.file_name().unwrap().to_str().unwrap().replace("-20", "-30"));
    let text = fs::read_to_string(&whole).unwrap();
    fs::write(later, &text[..text.len() / 2]).unwrap();
    setup.flash(&setup.request()).unwrap();
    assert_same(&board.flash(), &setup.expected_on_blank(live.as_bytes()));
}

#[test]
fn the_next_run_finishes_an_interrupted_restore() {
    for scenario in [Scenario::Open, Scenario::Wrp] {
        let changed = || {
            let (board, setup) = Setup::scenario(scenario);
            let before = setup.contents();
            let path = backup(&setup);
            setup.flash(&setup.request_with_data()).unwrap();
            (board, setup, before, path)
        };
        let (board, setup, _, path) = changed();
        let start = board.counts().transfers;
        restore(&setup, &path, Some(Consent::Erase)).unwrap();
        let transfers = board.counts().transfers - start;
        for nth in (1..=transfers).step_by(transfers as usize / 12) {
            let (board, setup, before, path) = changed();
            let kind = FaultKind::PowerLost { returns_after: None };
            let armed = board.inject(Fault { trigger: Trigger::Transfer(nth), kind });
            let cut = restore(&setup, &path, Some(Consent::Erase));
            assert!(armed.fired());
            match cut {
                Ok(_) => assert_contents(&setup, &before),
                Err(error) if error.board() == BoardState::Written => {
                    assert_same(&board.flash(), before.flash.as_ref().unwrap());
                }
                Err(_) => {}
            }
            board.power_cycle();
            restore(&setup, &path, Some(Consent::Erase)).unwrap();
            assert_contents(&setup, &before);
        }
    }
}

#[test]
fn a_backup_over_a_link_that_flips_bits_is_correct_or_absent() {
    let mut written = 0;
    for nth in (1..20_000).step_by(1500) {
        for one_in in [300, 5000] {
            let (board, setup) = Setup::scenario(Scenario::Open);
            let before = setup.contents();
            let kind = FaultKind::Lying(Lie::FlippedBit { one_in });
            board.inject(Fault { trigger: Trigger::Transfer(nth), kind });
            let path = setup.folder.path().join("flipped.json");
            match setup.run(|job| ops::backup(job, &path)) {
                Ok(_) => {
                    written += 1;
                    let held = Backup::open(&path).unwrap();
                    assert!(held.flash == before.flash && held.option_bytes == before.options);
                }
                Err(error) => {
                    assert_eq!(error.board(), BoardState::Untouched, "{error}");
                    assert!(!path.exists());
                }
            }
        }
    }
    assert!(written > 0);
}
