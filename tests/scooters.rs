//! A board that holds another scooter's firmware and data is not flashed without a question.

use std::fs;

use m365_drv::{
    block::{DataBlock, Serial},
    ops::{self, BackupStore, Error, Exit, OTHER_SCOOTER, Wanted},
    sim::{Scenario, SimBoard},
    target::Target,
};

use crate::{
    bench::Bench,
    flash::assert_refused,
    setup::{Setup, assert_same, live_block, mileage, target},
};

/// The board of one scooter on the wires, and another one asked for.
fn mistaken(scenario: Scenario, scooter: &str, asked: &str) -> (SimBoard, Setup) {
    let board = SimBoard::new(scenario, target(scooter));
    let setup = Setup::simulated(&board, asked);
    (board, setup)
}

#[test]
fn a_ninebot_is_not_flashed_as_a_pro() {
    let (_, setup) = mistaken(Scenario::Open, "es2", "pro");
    let before = setup.contents();
    let request = setup.request_with_data();
    let words = "the board has firmware for 128 KiB of flash, the serial number N2GSD1234C5678 and a data block at \
                 0x0801c000, so it is not a Xiaomi M365 Pro";
    let error = assert_refused(&setup, &before, setup.flash(&request), Exit::WrongBoard);
    assert_eq!(error.to_string(), words);
    let preview = setup.run(|job| ops::preview(job, &request));
    let error = assert_refused(&setup, &before, preview, Exit::WrongBoard);
    assert_eq!(error.to_string(), words);
    let verified = setup.run(|job| ops::verify(job, &request.wanted, &request.backups));
    assert_eq!(assert_refused(&setup, &before, verified, Exit::WrongBoard).to_string(), words);
}

#[test]
fn a_locked_board_is_known_by_its_live_serial() {
    let (board, setup) = mistaken(Scenario::Locked, "pro", "m365");
    let before = setup.contents();
    let result = setup.flash(&setup.request());
    let error = assert_refused(&setup, &before, result, Exit::WrongBoard);
    let words = "the board has the serial number 21886/00012345, so it is not a Xiaomi M365 (classic)";
    assert_eq!(error.to_string(), words);
    assert!(matches!(error.error, Error::OtherScooter { .. }));

    let forced = setup.request_for(Wanted { forced: vec![OTHER_SCOOTER.into()], ..setup.wanted() });
    let serial = live_block(&board).serial();
    let (report, told) = setup.run_told(|job| ops::flash(job, &forced));
    let report = report.expect("the job");
    assert_eq!(Some(report.planned.serial), serial);
    let forced = format!("a check failed and was overridden: {OTHER_SCOOTER}: {words}");
    assert_eq!(told, [("forced-gate", forced)]);
    assert_eq!((report.forced.len(), report.forced[0].gate), (1, OTHER_SCOOTER));
}

#[test]
fn a_board_that_says_nothing_of_its_scooter_is_flashed() {
    for scenario in [Scenario::New, Scenario::Bricked, Scenario::HalfFlashed] {
        for scooter in ["m365", "pro2", "mi3"] {
            let (_, setup) = mistaken(scenario, "pro", scooter);
            let (report, told) = setup.run_told(|job| ops::flash(job, &setup.request_with_data()));
            assert!(report.expect("the job").verified && told.is_empty(), "{scenario}, {scooter}");
        }
    }
}

#[test]
fn the_right_scooter_is_not_asked_about() {
    for scooter in ["pro", "es2"] {
        for scenario in [Scenario::Open, Scenario::Locked] {
            let (_, setup) = mistaken(scenario, scooter, scooter);
            let (report, told) = setup.run_told(|job| ops::flash(job, &setup.request()));
            assert!(report.expect("the job").verified && told.is_empty(), "{scenario}, {scooter}");
        }
    }
    assert_eq!(target("es2").serial.prefixes.len(), 1);
}

fn serial(text: &str) -> Serial {
    Serial::parse(text, "#####/########").expect("a serial")
}

#[test]
fn a_serial_of_another_scooter_is_named_when_it_is_given() {
    let words = "the serial number 21886/00012345 belongs to a Xiaomi M365 Pro, not to a Xiaomi M365 (classic)";
    let expected = [("serial-of-other-scooter", words.to_owned())];
    let pros = serial("21886/00012345");
    let (_, setup) = mistaken(Scenario::New, "pro", "m365");
    let typed = setup.request_for(Wanted { serial: Some(pros), ..setup.wanted_with_data() });
    let block = DataBlock::template().with_serial(pros).with_mileage(mileage(1234));
    let in_a_file = setup.request_for(Wanted { data: Some(block), ..setup.wanted() });
    for request in [typed, in_a_file] {
        let (report, told) = setup.run_told(|job| ops::flash(job, &request));
        assert_eq!((report.expect("the job").planned.serial, &told[..]), (pros, &expected[..]));
        let (report, told) = setup.run_told(|job| ops::verify(job, &request.wanted, &request.backups));
        report.expect("the same board");
        assert_eq!(told, expected);
    }
}

/// A board, and a dump of it that has another serial number.
fn dump_with(text: &str) -> (SimBoard, Setup, std::path::PathBuf) {
    let (board, setup) = Setup::scenario(Scenario::Open);
    let mut flash = board.flash();
    flash[0xF820..0xF82E].copy_from_slice(text.as_bytes());
    let path = setup.folder.path().join("dump.bin");
    fs::write(&path, flash).expect("a file");
    (board, setup, path)
}

#[test]
fn a_dump_of_another_scooter_is_refused() {
    let (board, setup, path) = dump_with("16133/00012345");
    let before = setup.contents();
    let restore = |forced: &[String]| {
        let backups = BackupStore::in_folder(setup.folder.path().join("kept"));
        setup.run_told(|job| ops::restore(job, &path, None, &backups, forced))
    };
    let words = "the board has the serial number 21886/00012345, so it is not a Xiaomi M365 (classic)";
    let error = assert_refused(&setup, &before, restore(&[]).0, Exit::WrongBoard);
    assert_eq!(error.to_string(), words);

    let (report, told) = restore(&[OTHER_SCOOTER.into()]);
    report.expect("a restore");
    assert!(told.contains(&("forced-gate", format!("a check failed and was overridden: {OTHER_SCOOTER}: {words}"))));
    assert_eq!(&board.flash()[0xF820..0xF82E], b"16133/00012345");
    // It is the scooter of the dump by now.
    assert!(restore(&[]).0.is_ok());
}

#[test]
fn a_dump_of_the_same_scooter_is_put_back() {
    let (_, setup, path) = dump_with("21886/00054321");
    let backups = BackupStore::in_folder(setup.folder.path().join("kept"));
    let (report, told) = setup.run_told(|job| ops::restore(job, &path, None, &backups, &[]));
    report.expect("a restore");
    assert!(told.iter().all(|(name, _)| *name == "data-replaced"), "{told:?}");
}

#[test]
fn a_refusal_reports_the_serial_and_the_firmware_that_were_found() {
    let bench = Bench::new();
    bench.m365("--simulate=BOARD:open info").json();
    let lines = bench.m365("--simulate=BOARD flash m365").exit(7).json();
    let report = lines.report();
    assert_eq!((&report["serial"], &report["scooter"]), (&"21886/00012345".into(), &"m365".into()));
    assert_eq!(report["found_boot"]["name"], "rehearsal bootloader");
    assert_eq!(report["found_drv"]["name"], "rehearsal DRV");
}

#[test]
fn every_gate_that_force_takes_is_a_topic_of_explain() {
    let bench = Bench::new();
    for gate in m365_drv::image::GATES.into_iter().chain([OTHER_SCOOTER]) {
        let lines = bench.m365("explain").args([gate]).json();
        assert_eq!((&lines.report()["kind"], &lines.report()["name"]), (&"gate".into(), &gate.into()));
    }
}

#[test]
fn a_scooter_is_added_by_its_description_alone() {
    let text = "name: test\ntitle: Test scooter\nlayout: 64k\nblock: m365\nserial:\n  pattern: \"TST/##########\"\n  example: TST/0123456789\n";
    let target: &'static Target = Box::leak(Box::new(Target::from_yaml(text).expect("a description")));
    let board = SimBoard::new(Scenario::New, target);
    let mut setup = Setup::simulated(&board, "pro");
    setup.target = target;
    // The catalog's rows say which scooters an image is for, and none says this one.
    let refused = setup.flash(&setup.request_with_data()).expect_err("images of other scooters").exit();
    assert_eq!(refused, Exit::Image);
    let request = setup.request_for(Wanted { forced: vec!["scooter".into()], ..setup.wanted_with_data() });
    let report = setup.flash(&request).expect("the job");
    assert_eq!((report.scooter.as_str(), report.planned.serial.to_string().as_str()), ("test", "TST/0123456789"));
    assert_same(&setup.flash_contents(), &setup.expected_on_blank(setup.fresh_block(report.board.uid).as_bytes()));
}
