//! What is known of a board when a procedure fails, and what it says of why.

use m365_drv::{
    block::Uid,
    board::{ChipKind, Protection},
    ops::{self, DataSource, Error, Exit, FlashRequest, Job, Known, OTHER_SCOOTER},
    sim::{self, Fault, FaultKind, Scenario, SimBoard, Trigger},
};

use crate::{
    bench::Bench,
    setup::{Setup, mileage, target},
};

fn failing<T>(setup: &Setup, work: impl FnOnce(&mut Job<'_>) -> Result<T, Error>) -> (Error, Known) {
    let (probes, mut known) = (setup.probes(), Known::default());
    let mut silent = ();
    let mut job = Job::new(&probes, setup.connect.clone(), &mut silent, &mut known);
    let error = work(&mut job).err().expect("a failure");
    (error, known)
}

#[test]
fn a_refusal_leaves_what_was_found_by_then() {
    let (_, setup) = Setup::scenario(Scenario::Locked);
    let (error, known) = failing(&setup, |job| ops::flash(job, &FlashRequest { consent: None, ..setup.request() }));
    assert_eq!(error.exit(), Exit::Consent);
    assert_eq!((known.scooter.as_deref(), known.protection), (Some("pro"), Some(Protection::Read)));
    let board = known.board.expect("a board");
    assert_eq!((board.chip, board.uid), (ChipKind::Stm32F103, Uid(sim::UID)));
    let data = (known.serial.map(|serial| serial.to_string()), known.mileage_m.map(m365_drv::block::Mileage::metres));
    assert_eq!(data, (Some("21886/00012345".into()), Some(sim::MILEAGE_M)));
    assert_eq!((known.data_source, known.backup.as_ref()), (Some(DataSource::Sram), None));
    assert!(known.took_ms.is_some() && known.contact_ms <= known.took_ms);
}

#[test]
fn a_failure_in_the_middle_leaves_the_backup() {
    let (board, setup) = Setup::scenario(Scenario::Locked);
    let gone = FaultKind::ProbeGone { returns_after: None };
    let armed = board.inject(Fault { trigger: Trigger::MassErase(1), kind: gone });
    let (error, known) = failing(&setup, |job| ops::flash(job, &setup.request_with_data()));
    assert!(armed.fired());
    assert_eq!(error.exit(), Exit::LinkLost, "{error}");
    assert!(known.backup.is_some_and(|path| path.exists()));
    assert_eq!((known.serial, known.mileage_m), (Some(setup.serial()), Some(mileage(1234))));
}

#[test]
fn without_contact_nothing_but_what_was_given_is_known() {
    let (_, setup) = Setup::scenario(Scenario::Absent);
    let (error, known) = failing(&setup, |job| ops::flash(job, &setup.request_with_data()));
    assert_eq!(error.exit(), Exit::NoContact);
    let took = known.took_ms.expect("a time");
    let known = serde_json::to_value(&known).expect("JSON");
    let given = serde_json::json!({
        "scooter": "pro", "serial": "21886/00012345", "mileage_m": 1_234_000, "took_ms": took
    });
    assert_eq!(known, given);
}

#[test]
fn a_target_voltage_is_said_if_it_explains_the_silence() {
    for (volts, says) in [
        (0.0, "target voltage 0.0 V: the board has no supply, or pin 1 (VTref) of the probe is not connected"),
        (0.4, "target voltage 0.4 V: the board has no supply, or pin 1 (VTref) of the probe is not connected"),
        (4.9, "target voltage 4.9 V is too high: disconnect the supply; the chip tolerates 3.6 V at most"),
        (3.25, ""),
        (2.9, ""),
    ] {
        let (board, setup) = Setup::scenario(Scenario::Absent);
        board.set_target_voltage(volts);
        let error = setup.run(ops::info).expect_err("no contact").to_string();
        assert_eq!(error.contains("target voltage"), !says.is_empty(), "{error}");
        assert!(error.ends_with(&format!("({says})")) || says.is_empty(), "{error}");
    }
}

#[test]
fn info_finds_the_block_that_is_left_after_an_unlock() {
    let bench = Bench::new();
    bench.m365("--simulate=BOARD:locked unlock --erase-all").json();
    let lines = bench.m365("--simulate=BOARD info").json();
    let report = lines.report();
    assert_eq!((&report["protection"], &report["data"]["source"]), (&"none".into(), &"sram".into()));
    assert_eq!(report["data"]["serial"], "21886/00012345");
    bench
        .m365("--simulate=BOARD info")
        .stdout("...\nData block, from SRAM only: keep the board powered, or it is lost\n...\n")
        .stderr("...\n")
        .check();
    // Its backup gives as much, and is not needed for it.
    std::fs::remove_dir_all(bench.path("BOARD/backups")).expect("the backups");
    let lines = bench.m365("--simulate=BOARD flash pro").json();
    assert_eq!(lines.report()["data_source"], "sram");
}

#[test]
fn force_takes_the_other_scooter() {
    let bench = Bench::new();
    bench.m365("--simulate=BOARD:open info").json();
    let lines = bench.m365("--simulate=BOARD flash m365").exit(7).json();
    let words = "the board has the serial number 21886/00012345, so it is not a Xiaomi M365 (classic)";
    assert_eq!(lines.message(), words);
    let tip = "tip: to turn this board into a Xiaomi M365 (classic) on purpose, add --force other-scooter";
    assert_eq!(lines.result()["error"]["causes"], serde_json::json!([tip]));
    let line = format!("--simulate=BOARD flash m365 --force {OTHER_SCOOTER}");
    let lines = bench.m365(&line).json();
    assert_eq!(lines.report()["forced"][0]["gate"], OTHER_SCOOTER);
}

#[test]
fn a_block_of_the_other_flash_map_is_found() {
    // 64 KiB firmware on a chip with 128 KiB.
    let flash = SimBoard::new(Scenario::Open, target("pro")).flash();
    let board = SimBoard::with_flash(sim::SimChip::Stm32f103, 128, &flash);
    let setup = Setup::simulated(&board, "pro");
    let info = setup.run(ops::info).expect("info");
    assert!(info.data.is_some() && info.drv.is_some_and(|drv| drv.known));
    assert!(setup.flash(&setup.request()).expect("the job").verified);
}

#[test]
fn a_serial_that_was_given_is_not_held_against_the_board_afterwards() {
    let bench = Bench::new();
    for _ in 0..2 {
        // The prefix is a Pro's.
        bench.m365("--simulate=B:open flash m365 --serial 21886/00000001 --km 5").json();
    }
    bench.m365("--simulate=B flash m365").exit(7).json();
}

#[test]
fn the_protection_in_a_report_is_the_one_that_was_read_last() {
    for (trigger, expected) in [(Trigger::MassErase(1), None), (Trigger::HalfWord(20), Some(Protection::None))] {
        let (board, setup) = Setup::scenario(Scenario::Locked);
        let gone = FaultKind::ProbeGone { returns_after: None };
        let armed = board.inject(Fault { trigger, kind: gone });
        let (_, known) = failing(&setup, |job| ops::flash(job, &setup.request_with_data()));
        assert!(armed.fired());
        assert_eq!(known.protection, expected);
    }
}

#[test]
fn what_was_typed_is_reported_before_there_is_a_board() {
    let bench = Bench::new();
    bench.write("web.bin", "<html>");
    let line = "--simulate flash pro --serial 21886-00012345 --km 12 --drv web.bin";
    let lines = bench.m365(line).exit(8).json();
    let report = lines.report();
    assert_eq!((&report["scooter"], &report["serial"]), (&"pro".into(), &"21886/00012345".into()));
    assert_eq!((&report["mileage_m"], &report["files"]), (&12_000.into(), &serde_json::json!(["web.bin"])));
    let lines = bench.m365("--simulate flash pro --serial 21886-0001234 --drv web.bin").exit(9).json();
    assert_eq!(*lines.report(), serde_json::json!({ "scooter": "pro", "files": ["web.bin"] }));
    let lines = bench.m365("--simulate flash pro --serial 21886/00012345 --km x").exit(9).json();
    assert_eq!(*lines.report(), serde_json::json!({ "scooter": "pro", "serial": "21886/00012345" }));
    let lines = bench.m365("--simulate restore web.bin").exit(8).json();
    assert_eq!(lines.report()["files"], serde_json::json!(["web.bin"]));
}

#[test]
fn a_restored_backup_reports_its_serial_and_mileage() {
    let bench = Bench::new();
    bench.m365("--simulate=B:open backup b.json").json();
    let lines = bench.m365("--simulate=B restore b.json").json();
    assert_eq!(lines.report()["serial"], "21886/00012345");
    assert_eq!(lines.report()["mileage_m"], sim::MILEAGE_M);
}

#[test]
fn unlock_reads_the_serial_before_it_asks_and_reports_it() {
    let bench = Bench::new();
    let lines = bench.m365("--simulate=B:locked unlock").exit(3).json();
    assert_eq!((&lines.report()["serial"], &lines.report()["data_source"]), (&"21886/00012345".into(), &"sram".into()));
    let (_, setup) = Setup::scenario(Scenario::Locked);
    let backups = ops::BackupStore::none();
    let (error, _) = failing(&setup, |job| ops::unlock(job, None, &backups, ops::Watchdog::Keep));
    let Error::Consent { data, .. } = error else { panic!("{error}") };
    let held = data.on_board.and_then(|(serial, _)| serial).map(|serial| serial.to_string());
    assert_eq!((held.as_deref(), data.written), (Some("21886/00012345"), None));
    let lines = bench.m365("--simulate=B unlock --erase-all").json();
    assert_eq!(lines.report()["serial"], "21886/00012345");
    assert_eq!(lines.report()["mileage_m"], sim::MILEAGE_M);
}

#[test]
fn a_block_that_is_only_in_sram_is_said_to_be_lost_with_the_power() {
    let bench = Bench::new();
    bench.m365("--simulate=SAVED:locked unlock --erase-all").json();
    let saved = bench.m365("--simulate=SAVED flash pro --dry-run").json();
    assert!(saved.events("warning").all(|line| line["name"] != "data-in-sram"), "a backup has it too");
    bench.m365("--simulate=BOARD:locked unlock --erase-all --no-backup").json();
    let lines = bench.m365("--simulate=BOARD flash pro --dry-run").json();
    let words = "serial number and mileage were found only in SRAM: keep the board powered until it is flashed, or they are lost";
    assert!(lines.events("warning").any(|line| line["name"] == "data-in-sram" && line["message"] == words));
    let dry = bench.m365("--simulate=BOARD flash pro --dry-run").print();
    assert!(dry.contains("SRAM only: keep the board powered, or it is lost\n"), "{dry}");
    let done = bench.m365("--simulate=BOARD flash pro").print();
    assert!(done.contains("  SRAM\n"), "{done}");
    let locked = bench.m365("--simulate=locked flash pro --erase-all").print();
    assert!(locked.contains("  SRAM\n"), "{locked}");
}

#[test]
fn every_command_that_reads_a_board_finds_the_same() {
    for scenario in ["open", "locked", "half-flashed", "unlocked"] {
        let bench = Bench::new();
        if scenario == "unlocked" {
            bench.m365("--simulate=BOARD:locked unlock --erase-all --no-backup").json();
        } else {
            bench.m365(&format!("--simulate=BOARD:{scenario} reset")).json();
        }
        let found = |command: &str, exit| {
            let lines = bench.m365(&format!("--simulate=BOARD {command}")).exit(exit).json();
            lines
                .events("found")
                .map(|line| (line["boot"].clone(), line["drv"].clone(), line["data"].clone()))
                .collect()
        };
        let by_info: Vec<_> = found("info", 0);
        assert_eq!(by_info.len(), 1, "{scenario}");
        let is_locked = scenario == "locked";
        assert_eq!(found("backup one.json", 0), by_info, "{scenario}");
        assert_eq!(found("flash pro --dry-run --serial 21886/00012345 --km 5", 0), by_info, "{scenario}");
        assert_eq!(found("unlock", if is_locked { 3 } else { 0 }), by_info, "{scenario}");
        if !is_locked {
            assert_eq!(found("verify pro --serial 21886/00012345 --km 5", 12), by_info, "{scenario}");
            assert_eq!(found("restore one.json", 0), by_info, "{scenario}");
        }
    }
}

#[test]
fn a_board_that_differs_is_reported_as_not_verified() {
    let bench = Bench::new();
    let lines = bench.m365("--simulate=open verify pro --km 5").exit(12).json();
    assert_eq!((&lines.report()["verified"], &lines.report()["forced"]), (&false.into(), &serde_json::json!([])));
    assert!(lines.report().get("pages_erased").is_none(), "nothing is written by verify");
}
