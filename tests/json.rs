//! `--json`: the output follows the contract in every case.

use std::collections::{BTreeMap, BTreeSet};

use m365_drv::target::Target;
use serde_json::{Value, json};

use crate::bench::{Bench, Lines};

const PAGE: usize = 1024;

/// The flash that the `plan` and `page` events of a run make of what it was, byte for byte as the schema says; `image` is what
/// `--image-out` wrote.
fn replay(lines: &Lines, before: &[u8], image: &[u8]) -> Vec<u8> {
    let mut flash = before.to_vec();
    let offset = |line: &Value| {
        let address = line["address"].as_str().unwrap().strip_prefix("0x").unwrap();
        usize::from_str_radix(address, 16).unwrap() - 0x0800_0000
    };
    for page in lines.events("page") {
        let at = offset(page);
        match page["state"].as_str().unwrap() {
            "erased" => flash[at..at + PAGE].fill(0xFF),
            _ => flash[at..at + PAGE].copy_from_slice(&image[at..at + PAGE]),
        }
    }
    // The plan alone leads to the same flash.
    let mut planned = before.to_vec();
    for page in lines.events("plan").last().unwrap()["pages"].as_array().unwrap() {
        let at = offset(page);
        match page["action"].as_str().unwrap() {
            "keep" => {}
            "erase" => planned[at..at + PAGE].fill(0xFF),
            _ => planned[at..at + PAGE].copy_from_slice(&image[at..at + PAGE]),
        }
    }
    assert!(planned == flash, "plan and pages differ");
    flash
}

#[test]
fn plan_and_page_events_replayed_give_the_flash_byte_for_byte() {
    for (scenario, data) in [
        ("half-flashed", "--serial 21886/00012345 --km 1"),
        ("new", "--serial 21886/00012345 --km 1"),
        ("locked", ""),
        ("open", ""),
        ("wrp", ""),
    ] {
        let bench = Bench::new();
        bench.m365(&format!("--simulate=B:{scenario} info")).json();
        let before = bench.read("B/flash.bin");
        let options = format!("--erase-all --no-run --image-out image.bin {data}");
        let lines = bench.m365(&format!("--simulate=B flash pro {options}")).json();
        let after = bench.read("B/flash.bin");
        assert!(replay(&lines, &before, &bench.read("image.bin")) == after, "{scenario}");
        assert_eq!(lines.events("plan").last().unwrap()["pages"].as_array().unwrap().len(), after.len() / PAGE);
    }
}

#[test]
fn a_half_flashed_board_has_pages_of_every_action_and_state() {
    let bench = Bench::new();
    let lines = bench.m365("--simulate=B:half-flashed flash pro --serial 21886/00012345 --km 1").json();
    let values = |lines: &mut dyn Iterator<Item = &Value>, key: &str| {
        lines.map(|line| line[key].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
    };
    let pages = lines.events("plan").next().unwrap()["pages"].as_array().unwrap();
    assert_eq!(values(&mut pages.iter(), "action"), ["keep", "program"].map(String::from).into());
    let states = values(&mut lines.events("page"), "state");
    assert!(["skipped", "programmed", "verified"].iter().all(|state| states.contains(*state)), "{states:?}");
    // Every page that was programmed was planned to be, and all that is planned is verified.
    let programmed = |line: &&Value| line["state"] == "programmed";
    let planned = |line: &&Value| line["action"] == "program";
    assert_eq!(
        values(&mut lines.events("page").filter(programmed), "address"),
        values(&mut pages.iter().filter(planned), "address")
    );
}

#[test]
fn the_events_of_a_whole_job_tell_probe_contact_board_contents_and_backup() {
    let bench = Bench::new();
    let lines = bench.m365("--simulate=B:locked flash pro --erase-all --backup b.json").json();
    let mut first = BTreeMap::new();
    for line in lines.all() {
        first.entry(line["event"].as_str().unwrap().to_owned()).or_insert(line);
    }
    assert_eq!(first["probe"]["kind"], lines.report()["probe"]);
    assert!(first["contact"]["good"].as_u64() > Some(0) && first["contact"]["need"].is_null());
    let board = first["board"];
    assert_eq!(
        (&board["chip"], &board["protection"], &board["flash_kib"]),
        (&json!("stm32f103"), &json!("read"), &json!(64))
    );
    assert_eq!(board["uid"], lines.report()["uid"]);
    assert_eq!(lines.events("board").last().unwrap()["protection"], "none");
    let data = &first["found"]["data"];
    assert_eq!((&data["source"], &data["serial"]), (&json!("sram"), &lines.report()["serial"]));
    assert_eq!((&first["found"]["boot"], &first["found"]["drv"]), (&Value::Null, &Value::Null));
    assert_eq!(first["backup"]["path"], "b.json");
    let order = ["probe", "contact", "board", "found", "plan", "backup", "page", "contact-free"]
        .map(|name| first[name]["seq"].as_u64());
    assert!(order.is_sorted(), "{order:?}");
}

#[test]
fn the_contents_that_are_told_are_those_of_the_report() {
    let lines = Bench::new().m365("--simulate=open info").json();
    let found = lines.events("found").next().unwrap();
    for key in ["boot", "drv", "data"] {
        assert_eq!(found[key], lines.report()[key], "{key}");
        assert!(found[key].is_object());
    }
}

#[test]
fn a_dry_run_tells_the_plan_and_no_page() {
    let lines = Bench::new().m365("--simulate=locked flash pro --dry-run").json();
    let pages = lines.events("plan").next().unwrap()["pages"].as_array().unwrap().clone();
    assert_eq!(pages.len(), 64);
    assert_eq!((&pages[0]["address"], &pages[0]["action"]), (&json!("0x08000000"), &json!("program")));
    assert!(pages.iter().any(|page| page["action"] == "erase"));
    assert_eq!((lines.events("page").count(), lines.events("contact-free").count()), (0, 0));
}

#[test]
fn an_unlock_tells_that_every_page_is_erased() {
    let lines = Bench::new().m365("--simulate=locked unlock --erase-all").json();
    let is_erased = |line: &Value| line["state"] == "erased";
    assert!(lines.events("page").all(is_erased) && lines.events("page").count() == 64);
    let kept = Bench::new().m365("--simulate=wrp unlock --erase-all").json();
    assert_eq!(kept.events("page").count(), 0);
    assert!(
        kept.events("plan").next().unwrap()["pages"].as_array().unwrap().iter().all(|page| page["action"] == "keep")
    );
}

#[test]
fn while_waiting_contact_is_told_with_what_is_needed_and_at_the_end_with_the_voltage() {
    let lines = Bench::new().m365("--simulate=absent --wait=2s info").exit(6).json();
    let contacts: Vec<_> = lines.events("contact").collect();
    assert!(contacts.iter().all(|line| line["need"] == "contact" && line["good"] == 0), "{contacts:?}");
    assert!(contacts[0]["of"].as_u64() > Some(0) && contacts[0]["voltage_mv"] == 3250);
    assert!(contacts[contacts.len() - 1]["voltage_mv"].is_number());
    assert!(contacts.iter().all(|line| line["finding"] == "silent"), "{contacts:?}");
    assert_eq!(lines.events("probe").count(), 1);
}

#[test]
fn bad_usage_is_reported_as_json_too() {
    let bench = Bench::new();
    for line in ["", "fly", "data", "data neu", "scooters --nonsense", "--speed=fast scooters", "--wait=soon scooters"]
    {
        let lines = bench.m365(line).exit(2).json();
        assert_eq!(lines.result()["name"], "usage", "{line}");
        assert_eq!(lines.result()["report"], Value::Null);
        assert_eq!(lines.stderr, "", "{line}");
        assert_ne!(lines.message(), "", "{line}");
    }
}

#[test]
fn bad_usage_names_the_command_if_it_is_known() {
    let hello = |line: &str| {
        let lines = Bench::new().m365(line).exit(2).json();
        lines.events("hello").next().unwrap()["command"].clone()
    };
    assert_eq!(hello("scooters --nonsense"), "scooters");
    assert_eq!(hello("data show"), "data show");
    assert_eq!(hello("fly"), Value::Null);
    let help = Bench::new().m365("flash --help").json();
    assert_eq!(help.events("hello").next().unwrap()["command"], "flash");
}

#[test]
fn bad_usage_names_what_is_missing_and_the_possible_values() {
    let error = |line: &str| {
        let lines = Bench::new().m365(line).exit(2).json();
        (lines.message().to_owned(), lines.result()["error"]["causes"].clone())
    };
    let missing = "the following required arguments were not provided".to_owned();
    assert_eq!(error("data new"), (missing, json!(["--serial <S>", "--output <FILE>"])));
    let scooters = Target::all().iter().map(|target| &*target.name).collect::<Vec<_>>().join(", ");
    let unknown = format!("unknown scooter \"prro\": choose one of {scooters}");
    assert_eq!(error("flash prro"), (unknown, json!([])));
    let (message, causes) = error("info --connect atuo");
    assert_eq!(message, "invalid value 'atuo' for '--connect <HOW>'");
    assert_eq!(causes[0], "[possible values: auto, normal, under-reset]");
    assert_eq!(error("data"), ("a command is missing".into(), json!([])));
}

/// A pipe without data keeps the program waiting.
#[cfg(unix)]
#[test]
fn an_interrupt_ends_a_command_without_a_board_with_a_result() {
    use std::process::{Command, Stdio};
    let bench = Bench::new();
    assert!(Command::new("mkfifo").arg(bench.path("pipe")).status().unwrap().success());
    let mut program = Command::new(env!("CARGO_BIN_EXE_m365-drv"));
    program.args(["--json", "data", "show", "pipe"]).current_dir(bench.path("")).stdout(Stdio::piped());
    let child = program.spawn().unwrap();
    // Returns only once the program has opened the pipe for reading.
    let _pipe = std::fs::OpenOptions::new().write(true).open(bench.path("pipe")).unwrap();
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let result: Value = serde_json::from_slice(output.stdout.split(|byte| *byte == b'\n').nth(1).unwrap()).unwrap();
    assert_eq!(
        (&result["event"], &result["exit"], &result["board"]),
        (&json!("result"), &json!(130), &json!("untouched"))
    );
}

#[cfg(unix)]
#[test]
fn a_pipe_is_read_like_a_file() {
    let bench = Bench::new();
    bench.m365("data new --serial 21886/00012345 -o b.bin").json();
    let script = "\"$0\" --json data show <(cat b.bin)";
    let mut shell = std::process::Command::new("bash");
    shell.args(["-c", script, env!("CARGO_BIN_EXE_m365-drv")]).current_dir(bench.path(""));
    // Not every system has this shell.
    if let Ok(output) = shell.output() {
        assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains("21886/00012345"));
    }
}

#[test]
fn help_and_version_are_reports() {
    let bench = Bench::new();
    let version = bench.m365("--version").json();
    assert_eq!(version.report(), &json!({ "text": format!("m365-drv {}\n", env!("CARGO_PKG_VERSION")) }));
    for line in ["--help", "help", "data --help", "help data new", "man", "completions bash"] {
        assert!(bench.m365(line).json().report()["text"].as_str().unwrap().len() > 100, "{line}");
    }
}

#[test]
fn a_failure_has_name_message_causes_and_hint() {
    let lines = Bench::new().m365("data show missing.bin").exit(9).json();
    assert_eq!(
        lines.result()["error"],
        json!({
            "name": "data",
            "message": "cannot read \"missing.bin\"",
            "causes": ["No such file or directory (os error 2)"],
            "hint": "m365-drv data show --help",
        })
    );
    assert_eq!(lines.result()["board"], "untouched");
}

#[test]
fn the_list_of_exit_codes_is_that_of_the_contract() {
    let explained = Bench::new().m365("explain").json();
    let codes = explained.report()["exit_codes"].as_array().unwrap().iter();
    let codes: Vec<_> = codes.map(|row| (row["code"].as_u64().unwrap(), row["name"].as_str().unwrap())).collect();
    assert_eq!(
        codes,
        [
            (0, "ok"),
            (1, "internal"),
            (2, "usage"),
            (3, "consent"),
            (4, "no-probe"),
            (5, "probe-access"),
            (6, "no-contact"),
            (7, "wrong-board"),
            (8, "image"),
            (9, "data"),
            (10, "backup"),
            (11, "flash"),
            (12, "verify"),
            (13, "link-lost"),
            (14, "locked"),
            (15, "output"),
            (130, "interrupted"),
        ]
    );
}

#[test]
fn every_page_of_explain_can_be_opened() {
    let bench = Bench::new();
    let all = bench.m365("explain").json();
    let names = |list: &str, key: &str| {
        let rows = all.report()[list].as_array().unwrap().iter();
        rows.map(|row| row[key].as_str().map_or_else(|| row[key].to_string(), str::to_owned)).collect::<Vec<_>>()
    };
    let exits = names("exit_codes", "code").into_iter().map(|code| format!("exit-{code}"));
    for topic in names("exit_codes", "name").into_iter().chain(exits) {
        assert_eq!(bench.m365("explain").args([&topic]).json().report()["kind"], "exit", "{topic}");
    }
    for topic in names("scooter_codes", "code") {
        assert_eq!(bench.m365("explain").args([&topic]).json().report()["kind"], "scooter", "{topic}");
    }
}

#[test]
fn a_block_is_reported_under_the_keys_of_the_contract() {
    let bench = Bench::new();
    let uid = "48ff6e06-52665455-35392587";
    bench.m365("data new --serial 21886/00012345 --km 1234 --uid").args([uid, "-o", "b.bin"]).json();
    let shown = bench.m365("data show b.bin").json();
    let report = shown.report();
    assert_eq!(report["source"], "file");
    assert_eq!(report["serial"], "21886/00012345");
    assert_eq!(report["mileage_m"], 1_234_000);
    assert_eq!(report["uid"], uid);
    assert_eq!(report["pin"], "000000");
    assert_eq!(report["activated"], true);
    assert_eq!(report["version"], "1.3.4");
    let registers = report["registers"].as_array().unwrap();
    assert!(registers.iter().any(|row| row["register"] == "29" && row["value"] == 1_234_000 && row["unit"] == "m"));
}

#[test]
fn the_scooters_are_those_of_the_contract() {
    let lines = Bench::new().m365("scooters").json();
    let names: Vec<_> = lines.report().as_array().unwrap().iter().map(|row| row["name"].clone()).collect();
    assert_eq!(names[..8], ["m365", "pro", "1s", "pro2", "lite", "mi3", "4pro", "es2"]);
    assert_eq!(names.len(), Target::all().len());
}
