//! Dumps that were made with other programs, put back by `restore`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use m365_drv::{
    block::{DataBlock, Uid},
    board::{BoardState, Consent, OptionBytes},
    image::Kind,
    ops::{self, BackupStore, Error, Exit, Lack, RestoreReport, Wanted},
    sim::{self, Scenario, SimBoard},
};

use crate::{
    bench::Bench,
    setup::{Ended, Setup, assert_same, mileage, target},
};

fn restore(setup: &Setup, path: &Path, consent: Option<Consent>) -> Result<RestoreReport, Ended> {
    let backups = BackupStore::in_folder(setup.folder.path().join("kept"));
    setup.run(|job| ops::restore(job, path, consent, &backups, &[]))
}

fn write(setup: &Setup, name: &str, bytes: &[u8]) -> PathBuf {
    let path = setup.folder.path().join(name);
    fs::write(&path, bytes).expect("a file");
    path
}

/// A board that was written as a dump is to find it, and what it then held.
fn written(scooter: &str) -> (SimBoard, Setup, Vec<u8>) {
    let board = SimBoard::new(Scenario::Open, target(scooter));
    let setup = Setup::simulated(&board, scooter);
    setup.flash(&setup.request()).expect("a board");
    let flash = board.flash();
    setup.flash(&setup.request_for(Wanted { mileage: Some(mileage(9)), ..setup.wanted() })).expect("another mileage");
    assert!(board.flash() != flash);
    (board, setup, flash)
}

/// Intel HEX of these parts; what is blank between them is left out.
fn hex_of(parts: &[(u32, &[u8])]) -> Vec<u8> {
    let mut records = Vec::new();
    for (address, bytes) in parts {
        for (at, value) in (*address..).step_by(32).zip(bytes.chunks(32)) {
            records.push(ihex::Record::ExtendedLinearAddress((at >> 16) as u16));
            records.push(ihex::Record::Data { offset: at as u16, value: value.into() });
        }
    }
    records.push(ihex::Record::EndOfFile);
    ihex::create_object_file_representation(&records).expect("records").into_bytes()
}

#[test]
fn a_dump_without_a_uid_is_not_said_to_be_of_another_chip() {
    let (_, setup, mut flash) = written("pro");
    for byte in [0xFF, 0x00] {
        flash[0xF800 + 0x1B4..0xF800 + 0x1C0].fill(byte);
        let path = write(&setup, "dump.bin", &flash);
        let backups = BackupStore::in_folder(setup.folder.path().join("kept"));
        let (report, told) = setup.run_told(|job| ops::restore(job, &path, None, &backups, &[]));
        report.expect("the job");
        let words =
            "the data block of the dump (serial number 21886/00012345, 2345.6 km) has no UID; it is given this chip's";
        assert!(told.contains(&("uid-replaced", words.to_owned())), "{told:?}");
    }
}

#[test]
fn what_a_dump_has_behind_the_flash_of_the_scooter_is_said_to_be_left_out() {
    let (_, setup, flash) = written("pro");
    let told = |upper: &[u8]| {
        let path = write(&setup, "dump.bin", &[&flash[..], upper].concat());
        let backups = BackupStore::in_folder(setup.folder.path().join("kept"));
        let (report, told) = setup.run_told(|job| ops::restore(job, &path, None, &backups, &[]));
        report.expect("the job");
        told.into_iter().filter(|(name, _)| *name == "dump-not-used").map(|(_, words)| words).collect::<Vec<_>>()
    };
    let mut upper = vec![0xFF; 0x1_0000];
    assert_eq!(told(&upper), [""; 0], "erased");
    assert_eq!(told(&flash), [""; 0], "a copy");
    upper[0x1234..0x1434].fill(0x77);
    let words = "not writing 2 KiB of the dump: its firmware uses only the first 64 KiB of flash";
    assert_eq!(told(&upper), [words]);
}

#[test]
fn what_flash_does_not_take_from_a_dump_is_named_with_the_options_that_take_it() {
    let bench = Bench::new();
    bench.write("dump.bin", include_bytes!("data/cases/04-full-dump-64k.bin"));
    let told = |options: &str| {
        let lines = bench.m365(&format!("--simulate=locked flash pro --erase-all --dry-run {options}")).json();
        let warnings = lines.events("warning").filter(|line| line["name"] == "dump-not-used");
        warnings.map(|line| line["message"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    let words = "the bootloader and the data block in \"dump.bin\" are not used; to use them, add --boot \"dump.bin\" \
                 --data \"dump.bin\"";
    assert_eq!(told("--drv dump.bin"), [words]);
    let words = "the data block in \"dump.bin\" is not used; to use it, add --data \"dump.bin\"";
    assert_eq!(told("--boot dump.bin --drv dump.bin"), [words]);
    assert_eq!(told("--boot dump.bin --drv dump.bin --data dump.bin"), [""; 0]);
    assert_eq!(told("--data dump.bin"), [""; 0], "a data block was asked for, and the dump is taken for that");
}

#[test]
fn a_dump_in_any_form_is_put_back() {
    let (board, setup, flash) = written("pro");
    let newer = board.flash();
    let options = OptionBytes::from_values([0xA5, 0xFD, 1, 2, 0xFF, 0xFF, 0xFF, 0xFF]);
    let own = OptionBytes(board.option_bytes());
    let forms: [(&str, Vec<u8>, OptionBytes); 6] = [
        ("64 KiB", flash.clone(), own),
        ("128 KiB, blank", [&flash[..], &vec![0xFF; 0x1_0000]].concat(), own),
        ("128 KiB, mirrored", [&flash[..], &flash].concat(), own),
        ("HEX", hex_of(&[(0x0800_0000, &flash)]), own),
        ("with option bytes", [&flash[..], &options.0].concat(), options),
        ("HEX with option bytes", hex_of(&[(0x0800_0000, &flash), (0x1FFF_F800, &options.0)]), options),
    ];
    for (form, bytes, options) in forms {
        board.set_flash(&newer);
        board.set_option_bytes(own.0);
        board.power_cycle();
        let report = restore(&setup, &write(&setup, "dump", &bytes), None).expect(form);
        assert_same(&board.flash(), &flash);
        assert_eq!(OptionBytes(board.option_bytes()), options, "{form}");
        assert_eq!((report.verified, report.serial), (true, Some(setup.serial())), "{form}");
        let again = restore(&setup, &write(&setup, "dump", &bytes), None).expect(form);
        assert_eq!(
            (again.done.pages_erased, again.done.bytes_programmed, again.done.options_written),
            (0, 0, false),
            "{form}"
        );
        assert_eq!(board.violations(), [""; 0]);
    }
}

#[test]
fn a_dump_of_a_large_board_is_put_back() {
    let (board, setup, flash) = written("es2");
    restore(&setup, &write(&setup, "dump", &flash), None).expect("a restore");
    assert_same(&board.flash(), &flash);
}

#[test]
fn a_dump_of_another_chip_gets_the_uid_of_this_one() {
    let (board, setup, mut flash) = written("pro");
    let block = DataBlock::parse(&flash[0xF800..0xFA00]).expect("a block");
    flash[0xF800..0xFA00].copy_from_slice(block.clone().with_uid(Uid([7, 8, 9])).as_bytes());
    restore(&setup, &write(&setup, "dump", &flash), None).expect("a restore");
    assert_same(&board.flash()[0xF800..0xFA00], block.as_bytes());
}

#[test]
fn a_dump_on_a_locked_board_needs_consent_and_keeps_what_was_there() {
    let (board, setup, flash) = written("pro");
    setup.lock().expect("a lock");
    let path = write(&setup, "dump", &flash);
    let error = restore(&setup, &path, None).expect_err("no consent");
    assert_eq!((error.exit(), error.board()), (Exit::Consent, BoardState::Untouched));
    let Error::Consent { data, .. } = error.error else { panic!("{error}") };
    assert_eq!(data.written.map(|(serial, _)| serial), Some(setup.serial()));
    let report = restore(&setup, &path, Some(Consent::Erase)).expect("a restore");
    assert!(report.done.mass_erased && report.backup.is_some());
    assert_same(&board.flash(), &flash);
    assert!(!OptionBytes(board.option_bytes()).protects());
}

#[test]
fn what_a_dump_lacks_is_asked_for() {
    let (board, setup, flash) = written("pro");
    let before = setup.contents();
    let mut no_serial = flash.clone();
    no_serial[0xF820..0xF82E].fill(0xFF);
    let mut no_boot = flash.clone();
    no_boot[..0x1000].fill(0xFF);
    let cases: [(&[u8], &[Lack], Exit); 6] = [
        (&flash[0x1000..], &[Lack::Boot], Exit::Image),
        (&no_boot, &[Lack::Boot], Exit::Image),
        (&flash[..0x8400], &[Lack::Block], Exit::Data),
        (&no_serial, &[Lack::Serial], Exit::Data),
        (&flash[0xF800..0xFC00], &[Lack::Boot, Lack::Drv], Exit::Image),
        (&setup.drv.bytes, &[Lack::Boot, Lack::Block], Exit::Image),
    ];
    for (bytes, expected, category) in cases {
        let error = restore(&setup, &write(&setup, "dump", bytes), Some(Consent::Erase)).expect_err("a lack");
        assert_eq!((error.exit(), error.board()), (category, BoardState::Untouched), "{error}");
        let (Error::DumpLacks { lacks, .. } | Error::DumpLacksData { lacks, .. }) = error.error else {
            panic!("{error}")
        };
        assert_eq!(lacks, expected);
    }
    let error = restore(&setup, &write(&setup, "dump", b"<html>"), None).expect_err("not a dump");
    assert_eq!(error.exit(), Exit::Image);
    assert!(setup.contents() == before && board.counts().option_erases == 0);
}

#[test]
fn damaged_firmware_in_a_dump_is_refused() {
    let (_, setup, flash) = written("pro");
    let before = setup.contents();
    let mut no_vectors = flash.clone();
    no_vectors[0x1000..0x1008].fill(0);
    let error = restore(&setup, &write(&setup, "dump", &no_vectors), None).expect_err("no vectors");
    assert_eq!((error.exit(), error.board()), (Exit::Image, BoardState::Untouched), "{error}");
    assert!(setup.contents() == before);
}

#[test]
fn a_dump_with_a_record_missing_is_refused() {
    let (_, setup, flash) = written("pro");
    let before = setup.contents();
    let text = String::from_utf8(hex_of(&[(0x0800_0000, &flash)])).expect("text");
    // 32 bytes of the firmware's code.
    let kept: Vec<_> = text.lines().filter(|line| !line.starts_with(":20148000")).collect();
    assert_eq!(kept.len() + 1, text.lines().count());
    let error = restore(&setup, &write(&setup, "dump", kept.join("\n").as_bytes()), None).expect_err("a hole");
    assert!(matches!(error.error, Error::Gate { gate: "hole", .. }), "{error}");
    assert_eq!((error.exit(), error.board()), (Exit::Image, BoardState::Untouched));
    assert!(setup.contents() == before);
}

/// On relatives of the GD32E103 nothing removes it again.
#[test]
fn option_bytes_that_protect_for_good_are_never_written() {
    let (board, setup, flash) = written("pro");
    let options = OptionBytes::from_values([0xCC, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]);
    let dump = write(&setup, "dump", &[&flash[..], &options.0].concat());
    let uid = setup.contents().uid;
    let saved = m365_drv::image::BackupFile { uid, option_bytes: options.0, flash: Some(flash), block: None };
    let backup = write(&setup, "backup.json", saved.encode().as_bytes());
    let before = setup.contents();
    for path in [dump, backup] {
        let error = restore(&setup, &path, Some(Consent::Erase)).expect_err("RDP 0xcc");
        assert_eq!((error.exit(), error.board()), (Exit::Image, BoardState::Untouched), "{error}");
    }
    assert!(setup.contents() == before && board.counts().option_erases == 0);
}

#[test]
fn restoring_what_is_there_reports_the_option_bytes_of_the_board() {
    let bench = Bench::new();
    bench.m365("--simulate=B:open info").json();
    let mut options = bench.read("B/option-bytes.bin");
    // The complements of what nobody uses are not programmed.
    options[4..].fill(0xFF);
    bench.write("B/option-bytes.bin", &options).write("dump.bin", bench.read("B/flash.bin"));
    let lines = bench.m365("--simulate=B restore dump.bin").json();
    assert_eq!(lines.report()["option_bytes"], hex::encode(options));
}

#[test]
fn what_is_not_firmware_is_named_with_its_file() {
    let bench = Bench::new();
    let only = |name: &str, bytes: &[u8]| {
        let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        writer.start_file(name, zip::write::SimpleFileOptions::default()).expect("a member");
        std::io::Write::write_all(&mut writer, bytes).expect("memory");
        writer.finish().expect("a zip").into_inner()
    };
    bench.write("404.bin", "404: Not Found").write("notes.json", "{\"message\": \"Not Found\"}");
    bench.write("notes.zip", only("readme.txt", b"hello there"));
    let again = "download the file again; on GitHub with the button \"Download raw file\"";
    for (file, cause, hint) in [
        ("404.bin", "a text file, not firmware: \"404: Not Found\"", again),
        ("notes.json", "not an m365-drv backup", again),
        ("notes.json", "a text file, not firmware: \"{\\\"message\\\": \\\"Not Found\\\"}\"", again),
        ("notes.zip", "the zip contains no firmware: \"readme.txt\" is a text file, not firmware: \"hello there\"", ""),
    ] {
        for (line, message) in [
            ("image show", format!("cannot use {file:?}")),
            ("--simulate=new flash pro --drv", format!("cannot use {file:?}")),
            ("--simulate=new restore", format!("cannot restore {file:?}")),
        ] {
            let lines = bench.m365(&format!("{line} {file}")).exit(8).json();
            assert_eq!(lines.message(), message);
            let error = &lines.result()["error"];
            let causes: Vec<_> = error["causes"].as_array().expect("a list").iter().collect();
            assert!(causes.iter().any(|found| found.as_str() == Some(cause)), "{line} {file}: {causes:?}");
            assert!(hint.is_empty() || error["hint"] == hint, "{line} {file}: {error}");
        }
    }
}

#[test]
fn a_data_block_and_a_text_are_not_called_unknown_firmware() {
    let bench = Bench::new();
    bench.m365("data new --serial 21886/00012345 --km 5 -o block.bin").json();
    bench.write("notes.bin", "not firmware\0");
    for file in ["block.bin", "notes.bin"] {
        let lines = bench.m365(&format!("--simulate=open flash pro --no-backup --drv {file}")).exit(8).json();
        assert!(lines.events("warning").all(|line| line["name"] != "custom-firmware"), "{file}");
    }
}

#[test]
fn a_dump_without_its_last_pages_gives_its_firmware() {
    let bench = Bench::new();
    let mut flash = vec![0xFF; 0x1_0000];
    flash[0x1000..0x1000 + sim::APP_64.len()].copy_from_slice(sim::APP_64);
    bench.write("dump.bin", &flash[0x1000..0xF800]);
    let report = bench.m365("--simulate image check dump.bin --scooter pro").json().report().clone();
    assert_eq!((&report["passed"], &report["files"][0]["name"]), (&1.into(), &"rehearsal DRV".into()));
}

#[test]
fn a_dump_with_damaged_firmware_is_refused_before_the_rest_is_asked_for() {
    let bench = Bench::new();
    let mut flash = vec![0xFF; 0xF000];
    flash[..sim::APP_64.len()].copy_from_slice(sim::APP_64);
    flash[0x800..0xC00].fill(0xFF);
    bench.write("later.bin", &flash);
    let lines = bench.m365("--simulate=locked restore later.bin").exit(8).json();
    let place = "at 0x08001800, where rehearsal DRV has something else";
    assert_eq!(lines.message(), format!("DRV image refused: 1024 bytes of 0xff {place}"));
    assert_eq!(lines.result()["error"]["hint"], "m365-drv image show later.bin");
}

#[test]
fn a_backup_with_neither_flash_nor_data_is_not_proposed_as_data() {
    let bench = Bench::new();
    bench.m365("--simulate=bricked backup empty.json").json();
    let lines = bench.m365("--simulate=bricked restore empty.json").exit(8).json();
    let hint = "m365-drv --simulate=bricked flash SCOOTER --serial SERIAL --km KM";
    assert_eq!(lines.result()["error"]["hint"], hint);
}

#[test]
fn a_hint_names_no_file_that_would_be_refused() {
    let case =
        |name| fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/cases").join(name)).expect("a case");
    let mut other = sim::APP_64.to_vec();
    other[0x100..0x110].copy_from_slice(b"NineBotScooter\0\0");
    let bench = Bench::new();
    for (name, bytes, drv) in
        [("06", case("06-nested-folder.zip"), "drv"), ("09", case("09-single-bin-inside.zip"), "drv")]
    {
        bench.write("drv", bytes);
        let lines = bench.m365("--simulate=new restore drv").exit(8).json();
        let form = if name.starts_with("06") { "update package" } else { "plain binary" };
        let words = format!("\"drv\" has no bootloader and no data block: {form}");
        assert_eq!(lines.message(), words, "{name}");
        let hint = format!("m365-drv --simulate=new flash SCOOTER --boot BOOT --drv {drv} --serial SERIAL --km KM");
        assert_eq!(lines.result()["error"]["hint"], hint, "{name}");
    }
    // What no scooter here can run is refused before the rest is asked for.
    bench.write("drv", other);
    let lines = bench.m365("--simulate=new restore drv").exit(8).json();
    assert!(lines.message().starts_with("DRV image refused: its ident"), "{}", lines.message());
}

#[test]
fn a_dump_with_the_block_of_another_family_is_refused() {
    let (board, setup, mut flash) = written("pro");
    flash[0xF820..0xF82E].copy_from_slice(b"N2GSD1234C5678");
    let before = board.flash();
    let error = restore(&setup, &write(&setup, "dump", &flash), None).expect_err("a refusal");
    assert!(matches!(error.error, Error::OtherBlock(_)), "{error}");
    assert_eq!((error.exit(), error.board()), (Exit::Data, BoardState::Untouched));
    assert!(board.flash() == before);
    // And the other way round.
    let (_, setup, mut flash) = written("es2");
    flash[0x1_C020..0x1_C02E].copy_from_slice(b"21886/00012345");
    let error = restore(&setup, &write(&setup, "dump", &flash), None).expect_err("a refusal");
    assert!(matches!(error.error, Error::OtherBlock(_)), "{error}");
}

#[test]
fn a_dump_with_a_changed_bootloader_is_put_back_only_if_that_is_forced() {
    let (_, setup, mut flash) = written("pro");
    flash[0x40] ^= 1;
    let path = write(&setup, "dump", &flash);
    let error = restore(&setup, &path, None).expect_err("a changed bootloader");
    assert_eq!((error.exit(), error.board()), (Exit::Image, BoardState::Untouched));
    assert!(matches!(error.error, Error::Gate { kind: Kind::Boot, gate: "boot-known", .. }), "{error}");
    let (backups, forced) = (BackupStore::in_folder(setup.folder.path().join("kept")), ["boot-known".to_owned()]);
    let (report, told) = setup.run_told(|job| ops::restore(job, &path, None, &backups, &forced));
    assert!(report.expect("a restore").verified);
    assert!(told.iter().any(|(name, what)| *name == "forced-gate" && what.contains("bootloader")), "{told:?}");
}

#[test]
fn what_the_data_block_of_a_dump_lacks_is_named() {
    let (_, setup, flash) = written("pro");
    let lacks = |at: usize, len: usize| {
        let mut changed = flash.clone();
        changed[0xF800 + at..0xF800 + at + len].fill(0xFF);
        let error = restore(&setup, &write(&setup, "dump", &changed), None).expect_err("a lack");
        assert_eq!(error.exit(), Exit::Data);
        let (Error::DumpLacks { lacks, .. } | Error::DumpLacksData { lacks, .. }) = error.error else {
            panic!("{error}")
        };
        lacks
    };
    // Serial number and total mileage, by the register table.
    assert_eq!((lacks(0x20, 14), lacks(0x52, 4)), (vec![Lack::Serial], vec![Lack::Mileage]));
}
