//! The gates as a user meets them: images with a hole, images made from those of another scooter, `image check`.

use std::fmt::Write as _;

use m365_drv::{
    board::BoardState,
    image::Catalog,
    ops::{Error, Exit, Wanted},
    sim::{self, Scenario},
};
use serde_json::{Value, json};

use crate::{
    bench::{Bench, Lines},
    setup::{Setup, image},
};

const FLASH: &str = "--simulate=open flash pro --drv changed.bin --no-backup";

/// An Intel HEX file of records of 16 bytes, without those that lie in a range of offsets.
fn hex_file(bytes: &[u8], missing: std::ops::Range<usize>) -> String {
    hex_file_at(0x1000, bytes, missing)
}

fn hex_file_at(start: u16, bytes: &[u8], missing: std::ops::Range<usize>) -> String {
    let mut text = String::from(":020000040800F2\n");
    for (at, chunk) in bytes.chunks(16).enumerate().map(|(at, chunk)| (16 * at, chunk)) {
        if missing.contains(&at) {
            continue;
        }
        let address = start + at as u16;
        let mut record = vec![chunk.len() as u8, (address >> 8) as u8, address as u8, 0];
        record.extend(chunk);
        let sum = record.iter().fold(0u8, |sum, byte| sum.wrapping_sub(*byte));
        record.push(sum);
        writeln!(text, ":{}", hex::encode_upper(record)).unwrap();
    }
    text + ":00000001FF\n"
}

/// The scooters that the rehearsal DRV for 128 KiB is for.
fn ninebots() -> String {
    Catalog::builtin().identify(sim::APP_128).expect("a known image").entry.scooters.join(", ")
}

/// Our application for 128 KiB boards with the addresses of the other flash map: made from firmware of an ES2, and it runs on
/// a Xiaomi.
fn of_an_es2() -> Vec<u8> {
    let mut bytes = sim::APP_128.to_vec();
    for (was, is) in [(0x0801_C000u32, 0x0800_F800u32), (0x0801_F800, 0x0800_FC00), (0x0800_E800, 0x0800_8400)] {
        let at = bytes.windows(4).position(|window| window == was.to_le_bytes()).expect("an address of the flash map");
        bytes[at..at + 4].copy_from_slice(&is.to_le_bytes());
    }
    bytes
}

/// Our application with a text in it changed.
fn changed() -> Vec<u8> {
    let mut bytes = sim::APP_64.to_vec();
    bytes[0x1D4..0x1DC].copy_from_slice(b"modified");
    bytes
}

fn warnings(lines: &Lines, name: &str) -> Vec<String> {
    let named = lines.events("warning").filter(|line| line["name"] == name);
    named.map(|line| line["message"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn an_image_with_a_missing_piece_is_refused_as_hex_and_as_binary() {
    let bench = Bench::new();
    let app = sim::APP_64;
    let missing = [0x800..0xC00, 0x1230..0x1240];
    for gap in missing {
        bench.write("hole.hex", hex_file(app, gap.clone()));
        let lines = bench.m365("--simulate=open flash pro --drv hole.hex --no-backup").exit(8).json();
        let (len, address) = (gap.len(), 0x0800_1000 + gap.start);
        let words = format!("DRV image refused: {len} bytes at {address:#010x} are not in the file");
        assert_eq!((lines.message(), &lines.result()["board"]), (words.as_str(), &json!("untouched")));
    }
    for value in [0xFF, 0x00] {
        let mut bytes = app.to_vec();
        bytes[0x800..0xC00].fill(value);
        bench.write("hole.bin", &bytes);
        let lines = bench.m365("--simulate=open flash pro --drv hole.bin --no-backup").exit(8).json();
        let place = "at 0x08001800, where rehearsal DRV has something else";
        assert_eq!(lines.message(), format!("DRV image refused: 1024 bytes of {value:#04x} {place}"));
    }
    bench.write("whole.hex", hex_file(app, 0..0));
    bench.m365("--simulate=open flash pro --drv whole.hex --no-backup").json();
    bench.write("hole.hex", hex_file(app, 0x800..0xC00));
    let lines = bench.m365("--simulate=open flash pro --drv hole.hex --no-backup --force hole").json();
    assert_eq!(lines.report()["forced"][0]["gate"], "hole");
}

#[test]
fn firmware_made_from_that_of_another_scooter_is_refused_until_it_is_forced() {
    let bench = Bench::new();
    bench.write("changed.bin", of_an_es2());
    let detail = format!("made from rehearsal DRV for 128 KiB, which is for {}, not for pro", ninebots());
    let lines = bench.m365(FLASH).exit(8).json();
    assert_eq!(lines.message(), format!("DRV image refused: {detail}"));

    let forced = json!([{ "kind": "drv", "gate": "scooter", "detail": detail }]);
    let lines = bench.m365(&format!("{FLASH} --force scooter")).json();
    assert_eq!((&lines.report()["forced"], &lines.report()["verified"]), (&forced, &json!(true)));
    let warning = format!("a check failed and was overridden: scooter of the DRV: {detail}");
    assert_eq!(warnings(&lines, "forced-gate"), [warning]);
    let lines = bench.m365(&format!("{FLASH} --force scooter --dry-run")).json();
    assert_eq!(lines.report()["forced"], forced);
}

#[test]
fn a_gate_that_is_forced_and_passes_leaves_no_trace() {
    let bench = Bench::new();
    bench.write("changed.bin", changed());
    let lines = bench.m365(&format!("{FLASH} --force scooter --force hole")).json();
    assert_eq!((&lines.report()["forced"], warnings(&lines, "forced-gate").len()), (&json!([]), 0));
}

#[test]
fn the_report_on_the_screen_has_a_row_for_a_forced_gate() {
    let bench = Bench::new();
    bench.write("changed.bin", of_an_es2());
    let output = bench.m365(&format!("-q {FLASH} --force scooter")).command().output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let row =
        format!("scooter of the DRV: made from rehearsal DRV for 128 KiB, which is for {}, not for pro", ninebots());
    assert!(text.lines().any(|line| line.starts_with("forced") && line.ends_with(&row)), "{text}");
}

#[test]
fn changed_firmware_is_called_by_what_it_was_made_from_everywhere() {
    let bench = Bench::new();
    bench.write("changed.bin", changed());
    let line = "--simulate=B:open flash pro --drv changed.bin --no-backup --no-run";
    let lines = bench.m365(line).json();
    let is_so = |drv: &Value| (drv["name"].clone(), drv["known"].clone(), drv["version"].clone());
    let expected = (json!("rehearsal DRV, modified"), json!(false), json!("9.9.9"));
    assert_eq!(is_so(&lines.report()["drv"]), expected);
    let custom = "\"changed.bin\" is rehearsal DRV, modified (changes in 1 of 16 KiB): if BMS communication is disabled in it, \
                  the scooter has no battery-temperature protection and no charge interlock";
    assert_eq!(warnings(&lines, "custom-firmware"), [custom]);
    assert_eq!(is_so(&bench.m365("--simulate=B info").json().report()["drv"]), expected);
    assert_eq!(is_so(bench.m365("image show changed.bin").json().report()), expected);
    let text = bench.m365("--simulate=B info").command().output().unwrap().stdout;
    assert!(String::from_utf8(text).unwrap().contains("rehearsal DRV, modified"));
}

#[test]
fn firmware_inherits_its_chips() {
    let (_, setup) = Setup::scenario(Scenario::Gd32e103);
    let mut bytes = changed();
    let request = |image| setup.request_for(Wanted { drv: image, ..setup.wanted_with_data() });
    assert!(setup.flash(&request(&[image(&bytes)])).expect("the job").verified);
    // What it was made from supports the GD32 chips; this does not any more.
    let at = bytes.windows(4).position(|window| window == 0x4842_4333u32.to_le_bytes()).expect("the literal of a chip");
    bytes[at..at + 4].fill(0x55);
    let (_, setup) = Setup::scenario(Scenario::Gd32e103);
    let candidates = [image(&bytes)];
    let Err(error) = setup.flash(&setup.request_for(Wanted { drv: &candidates, ..setup.wanted_with_data() })) else {
        panic!("not refused")
    };
    assert!(matches!(error.error, Error::Gate { gate: "gd32", .. }), "{error}");
    assert_eq!((error.exit(), error.board()), (Exit::Image, BoardState::Untouched));
}

#[test]
fn an_image_of_an_unknown_scooter_gets_its_idents_meaning_and_no_version() {
    let bench = Bench::new();
    // One store of a version word, as in our application, and the ident of a Ninebot; from no known image.
    let mut bytes: Vec<u8> = sim::APP_64.iter().map(|byte| byte ^ 0x01).collect();
    bytes[..0x200].copy_from_slice(&sim::APP_64[..0x200]);
    bytes[0x100..0x110].copy_from_slice(b"NineBotScooter\0\0");
    bench.write("other.bin", &bytes);
    let report = bench.m365("image show other.bin").json().report().clone();
    assert_eq!((&report["kind"], &report["version"], &report["known"]), (&json!("drv"), &Value::Null, &json!(false)));
    let gate = report["gates"].as_array().unwrap().iter().find(|gate| gate["name"] == "ident").unwrap();
    let words = "its ident NineBotScooter is that of Ninebot Max G2, Ninebot F2, not of any scooter supported here";
    assert_eq!((&gate["passed"], gate["detail"].as_str()), (&json!(false), Some(words)));
}

#[test]
fn image_check_ends_with_0_if_every_file_passes() {
    let bench = Bench::new();
    bench.write("drv.bin", sim::APP_64).write("boot.bin", sim::BOOT).write("changed.bin", changed());
    bench
        .m365("--simulate image check drv.bin boot.bin changed.bin --scooter pro --chip gd32e103")
        .stdout(
            "\
ok  drv.bin: rehearsal DRV, checked for pro, gd32e103
ok  boot.bin: rehearsal bootloader, checked for pro, gd32e103
ok  changed.bin: rehearsal DRV, modified, checked for pro, gd32e103
",
        )
        .check();
    let report = bench.m365("--simulate image check drv.bin").json().report().clone();
    let file = &report["files"][0];
    assert_eq!((&report["passed"], &report["failed"], &file["passed"]), (&json!(1), &json!(0), &json!(true)));
    assert_eq!((&file["scooter"], &file["chip"], &file["error"]), (&json!("m365"), &Value::Null, &Value::Null));
    assert!(file["gates"].as_array().unwrap().iter().all(|gate| gate["passed"] == true));
}

#[test]
fn image_check_ends_with_8_and_the_reasons_if_one_fails() {
    let bench = Bench::new();
    bench.write("drv.bin", sim::APP_64).write("es2.bin", of_an_es2()).write("broken.hex", ":00");
    let lines = bench.m365("--simulate image check drv.bin es2.bin broken.hex absent.bin --scooter pro").exit(8).json();
    assert_eq!(lines.message(), "3 of 4 files do not pass");
    let files = lines.report()["files"].as_array().unwrap();
    assert_eq!(files.iter().map(|file| file["passed"] == true).collect::<Vec<_>>(), [true, false, false, false]);
    let failed: Vec<_> = files[1]["gates"].as_array().unwrap().iter().filter(|gate| gate["passed"] == false).collect();
    assert_eq!(failed.iter().map(|gate| gate["name"].as_str().unwrap()).collect::<Vec<_>>(), ["scooter"]);
    assert!(files[2]["error"].as_str().unwrap().contains("HEX") && files[3]["error"].is_string());

    let trial = bench.m365("--simulate image check drv.bin es2.bin --scooter pro").exit(8);
    trial
        .stdout(
            "\
ok         drv.bin: rehearsal DRV, checked for pro
FAIL       es2.bin: rehearsal DRV for 128 KiB, modified, checked for pro
  scooter  made from rehearsal DRV for 128 KiB, which is for [..], not for pro
",
        )
        .stderr(
            "\
error: 1 of 2 files does not pass
...
",
        )
        .check();
}

#[test]
fn image_show_ends_with_0_where_image_check_fails() {
    let bench = Bench::new();
    bench.write("hello.bin", "hello\0");
    bench.m365("image show hello.bin").json();
    bench.m365("image check hello.bin").exit(8).json();
}

#[test]
fn image_check_takes_the_drv_out_of_a_dump() {
    let bench = Bench::new();
    let mut flash = vec![0xFF; 0x1_0000];
    flash[..sim::BOOT.len()].copy_from_slice(sim::BOOT);
    flash[0x1000..0x1000 + sim::APP_64.len()].copy_from_slice(sim::APP_64);
    bench.write("dump.bin", &flash);
    let lines = bench.m365("--simulate image check dump.bin --scooter pro").json();
    assert_eq!(lines.report()["files"][0]["name"], "rehearsal DRV");
}

/// Our application with a byte changed in every KiB, several in most.
fn changed_everywhere(step: usize) -> Vec<u8> {
    let mut bytes = sim::APP_64.to_vec();
    for at in (0x1D4..bytes.len()).step_by(step) {
        // Not the addresses that tell the flash map, nor a vector.
        if !bytes[at & !3..].starts_with(&[0x00]) && bytes[at] != 0xFF && bytes[(at & !3) + 3] & 0xF7 != 0 {
            bytes[at] ^= 0x01;
        }
    }
    bytes
}

#[test]
fn firmware_with_a_change_in_every_kib_is_still_known_by_what_it_was_made_from() {
    let bench = Bench::new();
    for step in [1021, 127] {
        bench.write("changed.bin", changed_everywhere(step));
        let report = bench.m365("--simulate image show changed.bin").json().report().clone();
        assert_eq!((&report["name"], &report["known"]), (&json!("rehearsal DRV, modified"), &json!(false)), "{step}");
    }
    // What is made from firmware of an ES2 stays firmware of an ES2.
    let mut bytes = of_an_es2();
    for at in (0x1000..bytes.len()).step_by(509) {
        bytes[at] ^= 0x01;
    }
    bench.write("changed.bin", &bytes);
    let lines = bench.m365(FLASH).exit(8).json();
    let detail = format!("made from rehearsal DRV for 128 KiB, which is for {}, not for pro", ninebots());
    assert_eq!(lines.message(), format!("DRV image refused: {detail}"));
}

/// A board as it was saved, with other bytes in flash from this address on.
fn with_flash(bench: &Bench, scenario: &str, at: usize, bytes: &[u8]) -> Value {
    bench.m365(&format!("--simulate=B:{scenario} info")).json();
    let mut flash = bench.read("B/flash.bin");
    flash[at..at + bytes.len()].copy_from_slice(bytes);
    bench.write("B/flash.bin", &flash);
    bench.m365("--simulate=B info").json().report()["drv"].clone()
}

#[test]
fn firmware_for_more_flash_than_the_board_uses_is_called_by_its_name() {
    // As long as the firmware of a 4 Pro: it goes on behind the end of the region that the smaller map has for a DRV.
    let long = [sim::APP_128, &vec![0x55; 0x9000 - sim::APP_128.len()]].concat();
    let drv = with_flash(&Bench::new(), "open", 0x1000, sim::APP_128);
    assert_eq!(drv["name"], "rehearsal DRV for 128 KiB");
    let drv = with_flash(&Bench::new(), "open", 0x1000, &long);
    assert_eq!((&drv["name"], &drv["known"]), (&json!("rehearsal DRV for 128 KiB, modified"), &json!(false)));
}

#[test]
fn firmware_that_was_written_in_part_is_called_incomplete() {
    let blank = vec![0xFF; 0x4000];
    let name = |at| with_flash(&Bench::new(), "open", at, &blank)["name"].clone();
    assert_eq!(name(0x1000 + 0x1400), "rehearsal DRV, incomplete (5 of 16 KiB)");
    assert_eq!(name(0x1000 + 0x1600), "rehearsal DRV, incomplete (5 of 16 KiB)");
    let drv = with_flash(&Bench::new(), "open", 0x1000, &[0xFF; 1024]);
    assert_eq!((&drv["name"], &drv["version"]), (&json!("rehearsal DRV, incomplete (15 of 16 KiB)"), &Value::Null));
    let bench = Bench::new();
    bench.write("half.bin", &sim::APP_64[..0x1600]);
    let report = bench.m365("--simulate image show half.bin").json().report().clone();
    assert_eq!(report["name"], "rehearsal DRV, incomplete (5 of 16 KiB)");
}

#[test]
fn image_check_judges_a_data_block_in_every_form() {
    let bench = Bench::new();
    bench.m365("data new --serial 21886/00012345 --km 5 -o own.bin").json();
    let block = bench.read("own.bin");
    let page = [&block[..], &[0xFF; 512]].concat();
    let as_hex = |bytes: &[u8]| hex_file_at(0xF800, bytes, 0..0);
    bench.write("page.bin", &page).write("own.hex", as_hex(&block)).write("page.hex", as_hex(&page));
    for file in ["own.bin", "page.bin", "own.hex", "page.hex"] {
        bench
            .m365(&format!("image check {file} --scooter pro"))
            .stdout(&format!("ok  {file}: data block, checked for pro\n"))
            .check();
        let lines = bench.m365(&format!("image check {file} --scooter pro2")).json();
        assert_eq!(lines.report()["passed"], 1, "the form is the same");
        let lines = bench.m365(&format!("image check {file}")).json();
        assert_eq!(lines.report()["files"][0]["kind"], "data");
    }
    bench.m365("image check own.bin --scooter es2").exit(8).json();
    let far = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/cases/05-block-of-a-ninebot.bin");
    let lines = bench.m365("image check --scooter m365").args([far]).exit(8).json();
    let gates = lines.report()["files"][0]["gates"].as_array().unwrap().clone();
    let failed: Vec<_> = gates.iter().filter(|gate| gate["passed"] == false).map(|gate| &gate["name"]).collect();
    assert_eq!(failed, ["data-block"]);
}
