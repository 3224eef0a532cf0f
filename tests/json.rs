//! `--json`: the output follows the contract in every case.

use serde_json::{Value, json};

use crate::bench::Bench;

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
    let unknown = "unknown scooter \"prro\": choose one of m365, pro, 1s, pro2, lite, mi3, es2".to_owned();
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
    assert_eq!(names, ["m365", "pro", "1s", "pro2", "lite", "mi3", "es2"]);
}
