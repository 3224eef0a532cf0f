//! Commands on simulated boards, with the rehearsal firmware.

use serde_json::{Value, json};

use crate::bench::{Bench, Lines};

const UID: &str = "48ff6e06-52665455-35392587";

fn rehearsal(name: &str) -> Vec<u8> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("firmware/rehearsal").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Flash after a whole job: bootloader at 0, DRV at 0x1000, data block at 0xF800, 0xFF elsewhere.
fn expected_flash(block: &[u8]) -> Vec<u8> {
    let mut flash = vec![0xFF; 0x1_0000];
    for (at, bytes) in [(0, &rehearsal("boot.bin")[..]), (0x1000, &rehearsal("app64.bin")), (0xF800, block)] {
        flash[at..at + bytes.len()].copy_from_slice(bytes);
    }
    flash
}

fn steps(lines: &Lines) -> Vec<String> {
    lines.events("step").map(|line| format!("{} {}", line["step"], line["state"]).replace('"', "")).collect()
}

#[test]
fn a_bricked_board_is_flashed_byte_for_byte() {
    let bench = Bench::new();
    let line = "--simulate=B:bricked flash pro --serial 21886/00012345 --km 1234 --erase-all --no-backup --no-run";
    let lines = bench.m365(line).json();
    let report = lines.report();
    assert_eq!(lines.result()["board"], "written");
    assert_eq!((&report["uid"], &report["serial"]), (&json!(UID), &json!("21886/00012345")));
    assert_eq!((&report["mileage_m"], &report["data_source"]), (&json!(1_234_000), &json!("template")));
    assert_eq!((&report["verified"], &report["backup"]), (&json!(true), &Value::Null));
    assert_eq!(lines.events("hello").next().unwrap()["simulated"], true);
    assert!(lines.events("warning").all(|line| line["name"] == "rehearsal-image"));

    let block = "data new --serial 21886/00012345 --km 1234 -o block.bin --uid";
    bench.m365(block).args([UID]).json();
    assert_eq!(bench.read("B/flash.bin"), expected_flash(&bench.read("block.bin")));
    assert_eq!(hex::encode(bench.read("B/option-bytes.bin")), "a55aff00ff00ff00ff00ff00ff00ff00");
}

#[test]
fn a_locked_board_keeps_its_serial_and_mileage() {
    let bench = Bench::new();
    let before = bench.m365("--simulate=B:locked info").json();
    let data = &before.report()["data"];
    assert_eq!((&data["source"], &before.report()["protection"]), (&json!("sram"), &json!("read")));
    let lines = bench.m365("--simulate=B flash pro --erase-all --no-run").json();
    assert_eq!(lines.report()["data_source"], "sram");
    assert_eq!((&lines.report()["serial"], &lines.report()["mileage_m"]), (&data["serial"], &data["mileage_m"]));
    let after = bench.m365("--simulate=B info").json();
    assert_eq!(
        (&after.report()["data"]["source"], &after.report()["data"]["serial"]),
        (&json!("flash"), &data["serial"])
    );
    assert_eq!(after.report()["boot"]["known"], true);
    assert_eq!(after.report()["drv"]["version"], "9.9.9");
}

#[test]
fn without_consent_nothing_changes() {
    let bench = Bench::new();
    let stderr = "simulated board \"B\": no hardware is touched\n...\n\
                  error: the chip is read-protected; unlocking erases it and needs --erase-all\n\
                  board: unchanged\n\
                  next: m365-drv --simulate=B flash pro --erase-all\n\
                  exit 3: see `m365-drv explain consent`\n";
    bench.m365("--simulate=B:locked info").json();
    let before = (bench.read("B/flash.bin"), bench.read("B/option-bytes.bin"));
    bench.m365("--simulate=B flash pro").exit(3).stderr(stderr).check();
    assert_eq!((bench.read("B/flash.bin"), bench.read("B/option-bytes.bin")), before);
}

#[test]
fn a_board_that_lost_its_data_does_not_get_invented_data() {
    let bench = Bench::new();
    let stderr = "...\nerror: the serial number is unknown\nboard: unchanged\n\
                  next: m365-drv --simulate=B:bricked flash pro --erase-all --serial SERIAL --km KM\n\
                  exit 9: see `m365-drv explain data`\n";
    bench.m365("--simulate=B:bricked flash pro --erase-all").exit(9).stderr(stderr).check();
    let boot = rehearsal("boot.bin");
    let mut flash = vec![0xFF; 0x1_0000];
    flash[..boot.len()].copy_from_slice(&boot);
    assert_eq!(bench.read("B/flash.bin"), flash);
}

#[test]
fn a_finished_board_is_not_changed() {
    let bench = Bench::new();
    bench.m365("--simulate=B:locked flash pro --erase-all").json();
    let again = bench.m365("--simulate=B flash pro").json();
    let report = again.report();
    assert_eq!((&report["pages_erased"], &report["bytes_programmed"]), (&json!(0), &json!(0)));
    assert_eq!((&again.result()["board"], &report["verified"]), (&json!("untouched"), &json!(true)));
    bench.m365("--simulate=B verify pro").json();
    let differs = bench.m365("--simulate=B verify pro --km 1").exit(12).json();
    assert_eq!(differs.result()["error"]["hint"], "m365-drv --json --simulate=B flash pro --km 1");
}

#[test]
fn the_steps_of_a_whole_job_are_reported_in_order() {
    let lines = Bench::new().m365("--simulate flash pro --erase-all").json();
    let finished: Vec<_> = steps(&lines).into_iter().filter(|step| !step.ends_with("started")).collect();
    assert_eq!(
        finished,
        [
            "connect finished",
            "identify finished",
            "rescue finished",
            "backup skipped",
            "unlock finished",
            "examine skipped",
            "program finished",
            "verify finished",
            "boot finished",
        ]
    );
    assert_eq!(lines.events("contact-free").count(), 1);
    let last = lines.events("progress").filter(|line| line["step"] == "program").last().unwrap();
    assert_eq!(last["done_bytes"], last["total_bytes"]);
}

#[test]
fn a_dry_run_writes_the_image_and_nothing_else() {
    let bench = Bench::new();
    let lines = bench.m365("--simulate=B:locked flash pro --dry-run --image-out flash.bin").json();
    assert_eq!((&lines.result()["board"], &lines.report()["preview"]), (&json!("untouched"), &json!(true)));
    assert_eq!(bench.read("flash.bin").len(), 0x1_0000);
    assert_eq!(bench.files(), ["B", "flash.bin"]);
    bench.m365("--simulate=B flash pro --dry-run --image-out flash.bin").exit(2).json();
    bench.m365("--simulate=B flash pro --erase-all --no-run").json();
    assert_eq!(bench.read("B/flash.bin"), bench.read("flash.bin"));
}

#[test]
fn a_failed_run_leaves_no_output_image() {
    let bench = Bench::new();
    bench.m365("--simulate=bricked flash pro --erase-all --image-out flash.bin").exit(9).json();
    assert!(bench.files().is_empty());
}

#[test]
fn an_output_that_cannot_be_written_is_bad_usage_before_any_contact() {
    let bench = Bench::new();
    let lines = bench.m365("--simulate=B:open flash pro --km 77 --image-out no/flash.bin").exit(2).json();
    assert_eq!((lines.message(), steps(&lines).len()), ("cannot write \"no/flash.bin\"", 0));
    assert_eq!(lines.result()["error"]["causes"], json!(["No such file or directory (os error 2)"]));
    bench.m365("data new --serial 21886/00012345 -o no/block.bin").exit(2).json();
}

/// Only Linux allows a path that is not valid text.
#[cfg(target_os = "linux")]
#[test]
fn a_path_that_is_not_valid_text_does_not_break_the_report() {
    use std::os::unix::ffi::OsStringExt as _;
    let bench = Bench::new();
    let path = |name: &str| std::ffi::OsString::from_vec([b"\xFF", name.as_bytes()].concat());
    for (line, name, board) in [
        ("--simulate=B:open flash pro --km 77 --backup", "a.json", "written"),
        ("--simulate=B:open backup", "b.json", "untouched"),
        ("--simulate=B lock", "", "written"),
        ("--simulate=B unlock --erase-all --backup", "c.json", "erased"),
    ] {
        let words = Some(path(name)).filter(|_| !name.is_empty());
        let lines = bench.m365(line).args(words).json();
        assert_eq!(lines.result()["board"], board, "{line}");
        if !name.is_empty() {
            assert_eq!(lines.report()["backup"], format!("\u{FFFD}{name}"), "{line}");
        }
    }
    let lines = bench.m365("--simulate=B restore --backup").args([path("d.json"), path("a.json")]).json();
    assert_eq!((&lines.result()["board"], &lines.report()["backup"]), (&json!("written"), &json!("\u{FFFD}d.json")));
}

#[test]
fn images_are_refused_before_any_contact() {
    let bench = Bench::new();
    bench.write("long.bin", [rehearsal("app64.bin"), vec![1; 20_000]].concat()).write("block.bin", [0x5C; 512]);
    bench.write("128.bin", rehearsal("app128.bin")).write("cut.bin", &rehearsal("boot.bin")[..100]);
    for option in ["--drv long.bin", "--drv 128.bin", "--drv block.bin", "--boot cut.bin", "--drv nothing.bin"] {
        let lines = bench.m365("--simulate flash pro --erase-all").args(option.split(' ')).exit(8).json();
        assert_eq!(lines.result()["board"], "untouched", "{option}");
        assert_eq!(steps(&lines), [""; 0], "{option}");
        assert_ne!(lines.message(), "", "{option}");
    }
}

#[test]
fn rehearsal_firmware_is_refused_for_a_real_board() {
    let bench = Bench::new();
    bench.write("app.bin", rehearsal("app64.bin"));
    let lines = bench.m365("flash pro --drv app.bin").exit(8).json();
    let message = "DRV image refused: rehearsal DRV cannot drive a motor: it is for the simulated board only";
    assert_eq!(lines.message(), message);
    let forced = bench.m365("flash pro --drv app.bin --force rehearsal --probe usb:99-99").exit(4).json();
    assert_eq!(forced.result()["board"], "untouched");
}

#[test]
fn other_boards_are_refused_by_name() {
    let bench = Bench::new();
    for scenario in ["ble", "m0", "at32"] {
        let line = format!("--simulate={scenario} flash pro --erase-all");
        assert_eq!(bench.m365(&line).exit(7).json().result()["board"], "untouched", "{scenario}");
    }
    let lines = bench.m365("--simulate=absent info").exit(6).json();
    assert_eq!(lines.result()["error"]["hint"], "m365-drv --json --simulate=absent info --wait");
    let causes = lines.result()["error"]["causes"].to_string();
    assert!(causes.contains("tip: nothing answers: check SWDIO and GND, then whether SWCLK and SWDIO are"), "{causes}");
}

#[test]
fn a_backup_that_cannot_be_written_is_noticed_before_any_contact() {
    let bench = Bench::new();
    bench.write("mine.json", "mine");
    for line in ["flash pro --km 7 --backup", "unlock --backup", "backup", "restore b.json --backup"] {
        for (file, message) in
            [("mine.json", "\"mine.json\" already exists"), ("no/b.json", "\"no/b.json\" cannot be written")]
        {
            let lines = bench.m365("--simulate=open").args(line.split(' ')).args([file]).exit(10).json();
            assert_eq!((lines.message(), steps(&lines).len()), (message, 0), "{line}");
        }
    }
    assert_eq!(bench.files(), ["mine.json"]);
}

#[test]
fn the_backup_step_is_skipped_without_a_backup() {
    let bench = Bench::new();
    bench.m365("--simulate=open backup b.json").json();
    for line in ["flash pro --km 7", "unlock", "restore b.json"] {
        let lines =
            bench.m365("--simulate=wrp --no-input").args(line.split(' ')).args(["--no-backup", "--erase-all"]).json();
        assert!(steps(&lines).contains(&"backup skipped".to_owned()), "{line}: {:?}", steps(&lines));
    }
}

#[test]
fn the_consent_message_names_what_will_be_done() {
    let message = |line: &str| Bench::new().m365(line).exit(3).json().message().to_owned();
    let erases = "the chip is read-protected; unlocking erases it and needs --erase-all";
    assert_eq!(message("--simulate=locked unlock"), erases);
    let keeps =
        "the chip is write-protected; removing the write protection does not erase the chip, but needs --erase-all";
    assert_eq!(message("--simulate=wrp unlock"), keeps);
    assert_eq!(message("--simulate=wrp flash pro"), keeps);
}

/// `script` runs a program in a new terminal. Passes if the system does not have it.
#[cfg(target_os = "linux")]
#[test]
fn a_terminal_gets_the_bell_with_or_without_colours_and_a_dumb_one_gets_plain_lines() {
    let bench = Bench::new();
    let line = format!("{} --simulate=open flash pro --km 7 --no-backup", env!("CARGO_BIN_EXE_m365-drv"));
    for (name, value) in [("NO_COLOR", "1"), ("TERM", "dumb"), ("TERM", "xterm")] {
        let mut script = std::process::Command::new("script");
        script.args(["-qec", &line, "/dev/null"]).current_dir(bench.path("")).env("TERM", "xterm").env(name, value);
        let Ok(output) = script.output() else { return };
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains('\u{7}'), "{name}={value}: {text}");
        let dumb = value == "dumb";
        assert_eq!(text.contains("\r\nprogram   ") && !text.contains('\u{1b}'), dumb, "{name}={value}: {text}");
    }
}

#[test]
fn a_rehearsal_ignores_the_probe_of_the_environment() {
    let bench = Bench::new();
    bench.m365("--simulate info").env("M365_DRV_PROBE", "usb:99-99").json();
    bench.m365("--simulate info --probe usb:99-99").exit(4).json();
}

#[test]
fn a_hint_is_for_the_same_board() {
    let bench = Bench::new();
    let hint = |line: &str, exit: i32| bench.m365(line).exit(exit).json().result()["error"]["hint"].clone();
    bench.write("mine.json", "mine");
    bench.m365("--simulate=open backup b.json").json();
    for (line, next) in [
        ("unlock --backup mine.json --erase-all", "unlock --backup FILE --erase-all"),
        ("flash pro --erase-all --backup=mine.json", "flash pro --erase-all --backup=FILE"),
        ("restore --backup mine.json --erase-all b.json", "restore --backup FILE --erase-all b.json"),
    ] {
        assert_eq!(hint(&format!("--simulate {line}"), 10), format!("m365-drv --json --simulate {next}"));
    }
    assert_eq!(hint("--simulate=ble flash pro --erase-all", 7), "m365-drv explain wrong-board");
    assert_eq!(hint("--simulate info --probe usb:99-99", 4), "m365-drv --simulate probes");
    bench.m365("--simulate=L:locked backup l.json").json();
    assert_eq!(
        hint("--simulate=L restore --probe #1 l.json", 8),
        "m365-drv --simulate=L --probe '#1' flash SCOOTER --data l.json"
    );
}

#[test]
fn a_backup_is_restored_exactly() {
    let bench = Bench::new();
    bench.m365("--simulate=B:open backup a.json").json();
    let before = bench.read("B/flash.bin");
    bench.m365("--simulate=B flash pro --serial 21886/00099999 --km 7 --no-run").json();
    assert_ne!(bench.read("B/flash.bin"), before);
    let lines = bench.m365("--simulate=B restore a.json").json();
    assert_eq!(lines.report()["verified"], true);
    assert_eq!(bench.read("B/flash.bin"), before);
    let again = bench.m365("--simulate=B backup a.json").exit(10).json();
    assert_eq!(again.message(), "\"a.json\" already exists");
}

#[test]
fn locking_and_unlocking_are_reported() {
    let bench = Bench::new();
    let locked = format!("uid         {UID}\nprotection  read-protected\nbackup      B/backups/{UID}-[..].json\n");
    bench.m365("-q --simulate=B:open lock").stdout(&locked).check();
    bench.m365("-q --simulate=B unlock").exit(3).stderr("error: [..]\n...\n").check();
    let lines = bench.m365("--simulate=B unlock --erase-all").json();
    assert_eq!((&lines.result()["board"], &lines.report()["erased"]), (&json!("erased"), &json!(true)));
    assert!(bench.read("B/flash.bin").iter().all(|byte| *byte == 0xFF));
    let done = format!("uid    {UID}\nreset  done\n");
    bench.m365("-q --simulate=B reset").stdout(&done).check();
}

#[test]
fn the_simulated_probe_is_listed() {
    let lines = Bench::new().m365("--simulate probes").json();
    let probe = &lines.report()[0];
    assert_eq!((&probe["index"], &probe["usable"], &probe["problem"]), (&json!(1), &json!(true), &Value::Null));
    for key in ["vid", "pid", "serial", "usb", "kind"] {
        assert!(probe.get(key).is_some(), "{key}");
    }
}

#[test]
fn a_folder_that_is_not_a_saved_board_is_never_written_to() {
    let bench = Bench::new();
    std::fs::create_dir(bench.path("mine")).unwrap();
    bench.write("mine/letter.txt", "dear");
    let lines = bench.m365("--simulate=mine info").exit(2).json();
    assert_eq!(lines.message(), "\"mine\" is not a saved board");
    assert_eq!(std::fs::read_dir(bench.path("mine")).unwrap().count(), 1);
}

#[test]
fn the_board_has_the_flash_of_the_named_scooter() {
    let bench = Bench::new();
    bench.m365("--simulate=E:locked flash es2 --erase-all --no-run").json();
    assert_eq!(bench.read("E/flash.bin").len(), 0x2_0000);
    assert_eq!(bench.m365("--simulate=E info").json().report()["flash_kib"], 128);
}

#[test]
fn a_table_of_the_phases_is_printed_on_request() {
    let stderr = "...\nyou may let go now\nstep            ms    bytes   KiB/s\nconnect  [..]\nidentify [..]\n\
                  rescue   [..]\nunlock   [..]\nprogram  [..] 17248 [..].[..]\nverify   [..] 18432 [..].[..]\n\
                  start    [..]\nall      [..]\n";
    Bench::new().m365("-v --simulate flash pro --erase-all").stdout("...\n").stderr(stderr).check();
}

#[test]
fn the_log_of_probe_rs_is_shown_only_if_verbose_is_given_twice() {
    let bench = Bench::new();
    let words = |line: &str| bench.m365(line).json().stderr.contains("probe_rs::");
    assert!(!words("-v --simulate info"));
    assert!(words("-vv --simulate info"));
    bench.m365("--log-file log.txt --simulate info").json();
    assert!(String::from_utf8(bench.read("log.txt")).expect("a log is text").contains("probe_rs::"));
}

#[test]
fn there_is_no_question_if_nobody_can_answer() {
    let bench = Bench::new();
    for line in ["--simulate flash pro", "--no-input --simulate flash pro", "-q --simulate unlock"] {
        assert_eq!(bench.m365(line).exit(3).json().result()["board"], "untouched", "{line}");
    }
}
