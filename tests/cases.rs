//! Files as people have them, one of each kind: what every command that takes files makes of them. They are in
//! `tests/data/cases`, made from our own images and invented serials, in the form of public files and bug reports.

use std::path::{Path, PathBuf};

use crate::bench::{Bench, Lines};

fn case(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/cases").join(name)
}

/// A command with a case in the place of `FILE`.
fn run(line: &str, name: &str, exit: i32) -> Lines {
    let bench = Bench::new();
    let words = line.split_whitespace().map(|word| if word == "FILE" { case(name).into() } else { word.into() });
    bench.m365("").args(words.collect::<Vec<std::ffi::OsString>>()).exit(exit).json()
}

/// The message of the error with its causes.
fn told(lines: &Lines) -> String {
    let causes = lines.result()["error"]["causes"].as_array().cloned().unwrap_or_default();
    let causes = causes.iter().map(|cause| cause.as_str().unwrap_or_default());
    std::iter::once(lines.message()).chain(causes).collect::<Vec<_>>().join(": ")
}

fn warnings(lines: &Lines, name: &str) -> Vec<String> {
    let warnings = lines.events("warning").filter(|line| line["name"] == name);
    warnings.map(|line| line["message"].as_str().unwrap_or_default().to_owned()).collect()
}

/// The gates that `image show` reports as failed, without the one against our own images.
fn failed(lines: &Lines) -> Vec<String> {
    let gates = lines.report()["gates"].as_array().expect("gates").iter();
    let failed = gates.filter(|gate| gate["passed"] == false && gate["name"] != "rehearsal");
    failed.map(|gate| gate["name"].as_str().unwrap_or_default().to_owned()).collect()
}

const FLASH: &str = "--simulate=locked flash pro --erase-all --dry-run --drv FILE";

/// Case, format, and what `flash` for a Pro says of it: nothing if it is accepted.
const FIRMWARE: [(&str, &str, &str); 11] = [
    ("04-full-dump-64k.bin", "dump", ""),
    ("04-full-dump-64k.hex", "hex", ""),
    ("06-nested-folder.zip", "zip", ""),
    ("07-ngfw-cli.zip", "zip", ""),
    ("08-zip3.2.zip", "zip", ""),
    ("09-single-bin-inside.zip", "bin", ""),
    ("10-ble-with-bad-md5.zip", "zip", "a BLE package: firmware of the dashboard's Bluetooth board"),
    ("10-json-md5-upper-case.zip", "zip", ""),
    ("10-photo-beside.zip", "zip", ""),
    ("11-enc-and-60-zeros.enc", "enc", ""),
    ("05-block-early-serial.bin", "data", "a data block, not DRV firmware"),
];

#[test]
fn firmware_is_read_in_every_form() {
    for (name, format, refusal) in FIRMWARE {
        let shown = run("image show FILE", name, 0);
        assert_eq!(shown.report()["format"], format, "{name}");
        let flashed = run(FLASH, name, if refusal.is_empty() { 0 } else { 8 });
        assert!(told(&flashed).contains(refusal), "{name}: {}", told(&flashed));
        if refusal.is_empty() {
            assert_eq!(flashed.report()["drv"]["name"], "rehearsal DRV", "{name}");
        }
    }
}

#[test]
fn a_zip_without_a_description_says_which_file_was_taken() {
    let shown = run("image show FILE", "09-single-bin-inside.zip", 0);
    assert_eq!((&shown.report()["member"], &shown.report()["kind"]), (&"DRV999.bin".into(), &"drv".into()));
}

#[test]
fn a_package_for_no_scooter_is_accepted_and_says_so() {
    let shown = run("image show FILE", "07-ngfw-cli.zip", 0);
    let gates = shown.report()["gates"].as_array().expect("gates");
    let model = gates.iter().find(|gate| gate["name"] == "package-model").expect("the gate");
    assert_eq!((&model["passed"], &model["detail"]), (&true.into(), &"the package does not name a scooter".into()));
}

#[test]
fn what_is_not_used_in_a_zip_does_not_matter() {
    for name in ["06-nested-folder.zip", "08-zip3.2.zip", "10-json-md5-upper-case.zip", "10-photo-beside.zip"] {
        let failed = failed(&run("image show FILE", name, 0));
        assert!(failed.iter().all(|gate| gate == "package-model"), "{name}: {failed:?}");
    }
}

#[test]
fn firmware_of_a_dashboard_is_called_that_first() {
    assert_eq!(failed(&run("image show FILE", "10-ble-with-bad-md5.zip", 0))[0], "package-type");
}

#[test]
fn what_is_not_firmware_is_called_what_it_is() {
    let nordic = "a file for the dashboard's Nordic chip, not for the motor controller";
    for (name, words) in [("13-html.bin", "a web page, not firmware"), ("14-nrf-with-uicr.hex", nordic)] {
        for (line, exit) in [("image show FILE", 8), (FLASH, 8), ("data show FILE", 9)] {
            let told = told(&run(line, name, exit));
            assert!(told.contains(words), "{line}: {told}");
        }
    }
    let bench = Bench::new();
    bench.write("155.bin", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 27316\n");
    let told = told(&bench.m365("image show 155.bin").exit(8).json());
    assert!(told.ends_with("a Git LFS pointer, not the file that it stands for"), "{told}");
}

#[test]
fn the_data_block_of_a_dump_is_shown_with_its_place() {
    for (name, form) in [("bin", "flash dump, 64 KiB of flash"), ("hex", "Intel HEX, 64 KiB of flash")] {
        let shown = run("data show FILE", &format!("04-full-dump-64k.{name}"), 0);
        let report = shown.report();
        assert_eq!((&report["form"], &report["address"]), (&form.into(), &"0x0800f800".into()));
        assert_eq!((&report["serial"], &report["mileage_m"]), (&"21886/00012345".into(), &1_234_567.into()));
    }
    let lines = run("data show FILE", "09-single-bin-inside.zip", 9);
    assert!(
        lines.message().starts_with("no data block in \"") && lines.message().ends_with("(plain binary)"),
        "{}",
        lines.message()
    );
}

#[test]
fn the_data_block_given_goes_before_the_boards_own() {
    let lines = run("--simulate=locked flash pro --erase-all --dry-run --data FILE", "04-full-dump-64k.bin", 0);
    let report = lines.report();
    assert_eq!((&report["data_source"], &report["mileage_m"]), (&"file".into(), &1_234_567.into()));
    let told = warnings(&lines, "data-replaced");
    let message = "the data block from --data (serial number 21886/00012345, 1234.5 km) replaces the board's own (serial number \
                   21886/00012345, 2345.6 km)";
    assert_eq!(told, [message]);
    // The command line goes before the file.
    let line = "--simulate=locked flash pro --erase-all --dry-run --data FILE --serial 21886/00077777 --km 7";
    let lines = run(line, "04-full-dump-64k.bin", 0);
    assert_eq!((&lines.report()["serial"], &lines.report()["mileage_m"]), (&"21886/00077777".into(), &7000.into()));
}

#[test]
fn a_serial_or_mileage_that_replaces_the_boards_own_is_said() {
    let told = |more: &str| {
        let lines = run(&format!("--simulate=locked flash pro --erase-all --dry-run {more}"), "", 0);
        warnings(&lines, "data-replaced")
    };
    let serial = "serial number 21886/00077777 replaces the board's own 21886/00012345";
    let mileage = "mileage 7.0 km replaces the board's own 2345.6 km";
    assert_eq!(told("--serial 21886/00077777"), [serial]);
    assert_eq!(told("--km 7"), [mileage]);
    assert_eq!(told("--serial 21886/00077777 --km 7"), [format!("{serial}; {mileage}")]);
    assert!(told("--serial 21886/00012345 --km 2345.6").is_empty());
    assert!(told("").is_empty());
}

#[test]
fn consent_that_is_given_is_not_needed_any_more() {
    let bench = Bench::new();
    let line = "--simulate=locked flash pro --dry-run";
    let report = bench.m365(line).json().report().clone();
    assert_eq!((&report["needs"], &report["would_erase"]["whole_chip"]), (&"read-protected".into(), &true.into()));
    let report = bench.m365(&format!("{line} --erase-all")).json().report().clone();
    let erases = (&report["would_erase"]["whole_chip"], &report["would_write_option_bytes"]);
    assert_eq!((&report["needs"], erases), (&serde_json::Value::Null, (&true.into(), &true.into())));
    assert!(bench.m365(line).print().contains("--erase-all, because the chip is read-protected"));
    assert!(!bench.m365(&format!("{line} --erase-all")).print().contains("--erase-all"));
}

#[test]
fn option_bytes_that_protect_from_the_next_reset_on_are_said() {
    let bench = Bench::new();
    bench.m365("--simulate=B:open info").json();
    for options in ["ff".repeat(16), format!("00ff00ff{}", "ff00".repeat(6)), format!("cc33ff00{}", "ff00".repeat(6))] {
        bench.write("B/option-bytes.bin", hex::decode(&options).expect("hexadecimal"));
        let shown = bench.m365("--simulate=B info").print();
        let words = "protection    none until the next reset: the option bytes protect the chip\n";
        assert!(shown.contains(words), "{options}: {shown}");
        let report = bench.m365("--simulate=B info").json().report().clone();
        assert_eq!((&report["protection"], &report["option_bytes"]["raw"]), (&"none".into(), &options.as_str().into()));
        let shown = bench.m365(&format!("--simulate=B backup {}.json", &options[..4])).print();
        assert!(shown.contains("none until the next reset: the option bytes protect the chip\n"), "{shown}");
    }
}

#[test]
fn a_block_of_another_family_is_refused_as_its_serial_is() {
    let ninebot = run("--simulate=locked flash pro --dry-run --data FILE", "05-block-of-a-ninebot.bin", 9);
    let typed = run("--simulate=locked flash pro --dry-run --serial N2GSD1834C1234", "", 9);
    assert_eq!(told(&ninebot), format!("the data block is refused: {}", told(&typed)));
    assert_eq!((&ninebot.result()["board"], ninebot.events("step").count()), (&"untouched".into(), 0));
    // Another serial does not make it a Xiaomi's.
    let line = "--simulate=locked flash pro --dry-run --data FILE --serial 21886/00012345";
    run(line, "05-block-of-a-ninebot.bin", 9);
    run("--simulate=locked flash es2 --erase-all --dry-run --data FILE", "05-block-of-a-ninebot.bin", 0);

    let xiaomi = run("--simulate=locked flash es2 --dry-run --data FILE", "04-full-dump-64k.bin", 9);
    let typed = run("--simulate=locked flash es2 --dry-run --serial 21886/00012345", "", 9);
    assert_eq!(told(&xiaomi), format!("the data block is refused: {}", told(&typed)));
}

#[test]
fn the_early_serials_have_one_rule() {
    let line = "--simulate=locked flash m365 --erase-all --dry-run";
    let lines = run(&format!("{line} --data FILE"), "05-block-early-serial.bin", 0);
    assert_eq!(lines.report()["serial"], "M1GCA1606ABCDE");
    let lines = run(&format!("{line} --serial m1gca1606abcde"), "", 0);
    assert_eq!(lines.report()["serial"], "M1GCA1606ABCDE");
    for default in ["M1GCA1601C0001", "M5GCA1901C0001", "N2GEA1601C0001"] {
        let told = told(&run(&format!("{line} --serial {default}"), "", 9));
        assert!(told.contains("factory default"), "{told}");
    }
    // No other scooter has them.
    run("--simulate=locked flash pro --dry-run --data FILE", "05-block-early-serial.bin", 9);
    run("--simulate=locked flash pro --dry-run --serial M1GCA1606ABCDE", "", 9);
}

#[test]
fn a_mileage_of_all_ones_is_asked_for() {
    let bench = Bench::new();
    let mut block = std::fs::read(case("04-full-dump-64k.bin")).expect("a case")[0xF800..0xFA00].to_vec();
    block[0x52..0x56].fill(0xFF);
    bench.write("b.bin", &block);
    let shown = bench.m365("data show b.bin").json();
    assert_eq!(shown.report()["mileage_m"], serde_json::Value::Null);
    bench.m365("data show b.bin").stdout("serial     21886/00012345\nmileage    unknown\n...\n").check();
    let lines = bench.m365("--simulate=locked flash pro --dry-run --data b.bin").exit(9).json();
    assert_eq!(lines.message(), "the mileage is unknown");
    let hint = "m365-drv --json --simulate=locked flash pro --dry-run --data b.bin --km KM";
    assert_eq!(lines.result()["error"]["hint"], hint);
    bench.m365("--simulate=locked flash pro --erase-all --dry-run --data b.bin --km 5").json();
}

#[test]
fn a_raw_dump_is_restored_with_the_uid_of_the_chip() {
    for name in ["04-full-dump-64k.bin", "04-full-dump-64k.hex"] {
        let bench = Bench::new();
        let words = ["--simulate=B:locked", "restore", "--erase-all"].map(std::ffi::OsString::from);
        let lines = bench.m365("").args(words).args([case(name)]).json();
        assert_eq!(
            (&lines.result()["board"], &lines.report()["serial"]),
            (&"written".into(), &"21886/00012345".into())
        );
        let told = warnings(&lines, "uid-replaced");
        assert!(told[0].contains("(serial number 21886/00012345, 1234.5 km) is changed to this chip's"), "{told:?}");
        let (flash, mut dump) =
            (bench.read("B/flash.bin"), std::fs::read(case("04-full-dump-64k.bin")).expect("a case"));
        let uid = 0xF800 + 0x1B4..0xF800 + 0x1C0;
        assert!(flash[uid.clone()] != dump[uid.clone()]);
        dump[uid.clone()].copy_from_slice(&flash[uid]);
        assert!(flash == dump, "{name}");
        let shown = bench.m365("--simulate=B info").json();
        assert_eq!(shown.report()["data"]["uid"], shown.report()["uid"]);
    }
}

#[test]
fn a_backup_gives_bootloader_firmware_and_data() {
    let bench = Bench::new();
    bench.m365("--simulate=A:locked flash pro --erase-all --km 77").json();
    bench.m365("--simulate=A backup b.json").json();
    let shown = bench.m365("image show b.json").json();
    assert_eq!((&shown.report()["format"], &shown.report()["version"]), (&"backup".into(), &"9.9.9".into()));
    let shown = bench.m365("data show b.json").json();
    assert_eq!(
        (&shown.report()["form"], &shown.report()["mileage_m"]),
        (&"backup, 64 KiB of flash".into(), &77_000.into())
    );
    bench.m365("data edit b.json --km 78 -o c.bin").json();
    assert_eq!(bench.m365("data show c.bin").json().report()["mileage_m"], 78_000);
    let line = "--simulate=C:locked flash pro --boot b.json --drv b.json --data b.json --erase-all --no-run";
    let lines = bench.m365(line).json();
    assert_eq!((&lines.report()["data_source"], &lines.report()["mileage_m"]), (&"file".into(), &77_000.into()));
    assert!(bench.read("C/flash.bin")[..0xF800] == bench.read("A/flash.bin")[..0xF800]);
}

#[test]
fn of_two_blocks_in_a_file_the_other_is_named() {
    let bench = Bench::new();
    let mut dump = std::fs::read(case("04-full-dump-64k.bin")).expect("a case");
    dump.resize(0x2_0000, 0xFF);
    dump.copy_within(0xF800..0xFA00, 0x1_C000);
    dump[0x1_C052..0x1_C056].copy_from_slice(&5000u32.to_le_bytes());
    bench.write("d.bin", &dump);
    let shown = bench.m365("data show d.bin").json();
    assert_eq!((&shown.report()["address"], &shown.report()["other_blocks"]), (&"0x0800f800".into(), &1.into()));
    let lines = bench.m365("--simulate=locked flash pro --erase-all --dry-run --data d.bin").json();
    let message = "\"d.bin\" contains 2 data blocks: using the one at 0x0800f800 (serial number 21886/00012345, 1234.5 km), not the \
                   one at 0x0801c000 (serial number 21886/00012345, 5.0 km)";
    assert_eq!(warnings(&lines, "several-data-blocks"), [message]);
}

#[test]
fn a_backup_goes_into_a_folder_under_a_name_of_its_own() {
    let bench = Bench::new();
    std::fs::create_dir(bench.path("there")).expect("a folder");
    let names = |folder: &str| {
        let entries = std::fs::read_dir(bench.path(folder)).expect("a folder");
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect::<Vec<_>>()
    };
    for folder in ["there", "new/below/"] {
        let lines = bench.m365("--simulate=open backup").args([folder]).json();
        let uid = lines.report()["uid"].as_str().expect("a UID").to_owned();
        assert!(matches!(&names(folder)[..], [name] if name.starts_with(&uid) && name.ends_with("Z.json")), "{folder}");
    }
    let lines = bench.m365("--simulate=open flash pro --km 5 --no-run --backup there").json();
    assert!(lines.report()["backup"].as_str().is_some_and(|path| bench.path(path).is_file()));
    assert_eq!(names("there").len(), 2);
}

#[test]
fn what_a_dump_lacks_is_asked_for_with_the_command_that_gives_it() {
    let bench = Bench::new();
    let dump = std::fs::read(case("04-full-dump-64k.bin")).expect("a case");
    bench.write("later.bin", &dump[0x1000..]).write("half.bin", &dump[..0x8400]);
    let lines = bench.m365("--simulate=locked restore later.bin").exit(8).json();
    assert_eq!(lines.message(), "\"later.bin\" has no bootloader: flash dump, 60 KiB of flash from 0x08001000");
    let hint = "m365-drv --simulate=locked flash SCOOTER --boot BOOT --drv later.bin --data later.bin";
    assert_eq!(lines.result()["error"]["hint"], hint);
    let lines = bench.m365("--simulate=locked restore half.bin").exit(9).json();
    let words = "\"half.bin\" has no data block: flash dump, 33 KiB of flash";
    assert_eq!(lines.message(), words);
    let hint = "m365-drv --simulate=locked flash SCOOTER --boot half.bin --drv half.bin --serial SERIAL --km KM";
    assert_eq!(lines.result()["error"]["hint"], hint);
}
