//! Recordings: a run that is recorded and played again says and does the same, without a board.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::bench::Bench;

/// What a run reported, but for what it names: files and whether hardware was touched.
fn events(bench: &Bench, line: &str) -> (i32, Vec<Value>) {
    let output = bench.m365(line).args(["--json"]).command().output().expect("the program starts");
    let text = String::from_utf8(output.stdout).expect("text");
    let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    for line in &mut lines {
        let Some(fields) = line.as_object_mut() else { panic!("{line}") };
        fields.remove("simulated");
        if let Some(Value::Object(error)) = fields.get_mut("error") {
            error.remove("hint");
        }
        if let Some(Value::Object(report)) = fields.get_mut("report") {
            report.remove("backup");
        }
        if fields["event"] == "backup" {
            fields.remove("path");
        }
    }
    (output.status.code().expect("an exit code"), lines)
}

#[test]
fn a_run_that_is_played_again_reports_the_same_at_the_same_times() {
    for (scenario, command) in [
        ("locked", "flash pro --erase-all"),
        ("open", "flash pro"),
        ("wrp", "unlock --erase-all"),
        ("half-flashed", "info"),
        ("gd32e103", "flash 1s --erase-all"),
        ("flaky", "info --wait=30s"),
        ("ble", "info"),
        ("absent", "info"),
        ("bricked", "verify pro"),
        ("open", "lock"),
        ("open", "reset"),
        ("open", "probes"),
        ("open", "backup saved.json"),
    ] {
        let bench = Bench::new();
        let recorded = events(&bench, &format!("--record tape --simulate=./B:{scenario} {command}"));
        let _ = fs::remove_file(bench.path("saved.json"));
        let played = events(&bench, &format!("--replay tape {command}"));
        assert_eq!(recorded.0, played.0, "{scenario} {command}: {:?}", played.1.last());
        for (one, other) in recorded.1.iter().zip(&played.1) {
            assert_eq!(one, other, "{scenario} {command}");
        }
        assert_eq!(recorded.1.len(), played.1.len(), "{scenario} {command}");
    }
}

/// A recording of this command in the simulator.
fn recorded(bench: &Bench, line: &str) -> Vec<String> {
    bench.m365(&format!("--record tape --simulate=./B:open {line}")).command().output().expect("the program starts");
    String::from_utf8(bench.read("tape")).expect("text").lines().map(str::to_owned).collect()
}

fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}

#[test]
fn a_run_that_does_not_fit_a_recording_says_where_and_touches_nothing() {
    let bench = Bench::new();
    let lines = recorded(&bench, "info");
    let cause = |line: &str| {
        let result = bench.m365(line).exit(2).json();
        let (result, error) = (result.result(), &result.result()["error"]);
        assert_eq!(
            (&result["board"], &error["message"]),
            (&json!("untouched"), &json!("this run does not match the recording"))
        );
        (text(&error["causes"][0]), text(&error["hint"]))
    };
    let (lock, next) = cause("--replay tape lock --wait");
    assert!(lock.starts_with("the recording has a ") && lock.contains(", but this run has a "), "{lock}");
    assert_eq!(next, "m365-drv --replay tape info");
    let short = lines.join("\n").replacen("\"ok\":\"", "\"ok\":\"00000000", 1);
    bench.write("short", short + "\n");
    let (short, next) = cause("--replay short info");
    assert!(short.starts_with("the recording has a read of 1 word at"), "{short}");
    assert_eq!(next, "m365-drv info --help", "nothing else would fit");
    bench.write("cut", lines[..lines.len() / 2].join("\n") + "\n");
    assert!(cause("--replay cut info --wait").0.starts_with("the recording has its end in line "));
    assert!(cause("--replay tape probes").0.starts_with("this run ended before line "));
    let message = |line: &str| bench.m365(line).exit(2).json().message().to_owned();
    // What the recorded run had done by then was done to no board now.
    fs::remove_file(bench.path("tape")).expect("the first one");
    let flashed = recorded(&bench, "flash pro --km 5");
    bench.write("half", flashed[..flashed.len() * 9 / 10].join("\n") + "\n");
    assert!(cause("--replay half flash pro --km 5").0.starts_with("the recording has its end in line "));
    for (name, text, words) in [
        ("none", None, "the recording \"none\" cannot be read: No such file"),
        ("text", Some("not a recording\n".into()), "line 1 of the recording \"text\" is invalid"),
        ("later", Some(lines[0].replace("\"tape\":1", "\"tape\":2")), "the recording has format 2"),
        ("bad", Some(format!("{}\n{{\"clock\":-1}}\n", lines[0])), "line 2 of the recording \"bad\" is invalid"),
    ] {
        if let Some(text) = text {
            bench.write(name, text);
        }
        let found = message(&format!("--replay {name} info"));
        assert!(found.starts_with(words), "{found}");
    }
}

#[test]
fn a_recording_is_never_written_over() {
    let bench = Bench::new();
    bench.write("tape", "mine");
    let result = bench.m365("--record tape --simulate=open info").exit(2).json();
    assert_eq!(result.message(), "cannot create the recording \"tape\"");
    assert_eq!(bench.read("tape"), b"mine");
}

/// What a run that was killed has recorded.
#[test]
fn a_recording_that_is_cut_in_the_middle_of_a_line_is_played_up_to_there() {
    let bench = Bench::new();
    let whole = recorded(&bench, "info").join("\n");
    bench.write("cut", &whole[..whole.len() - 20]);
    let cause = text(&bench.m365("--replay cut info").exit(2).json().result()["error"]["causes"][0]);
    assert!(cause.starts_with("the recording has its end in line "), "{cause}");
}

/// Copies a recording that was made over USB. Returns its command line.
pub(crate) fn usb(bench: &Bench, name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tapes").join(name);
    let text = fs::read_to_string(path).expect("a recording");
    let header: Value = serde_json::from_str(text.lines().next().expect("a header")).expect("JSON");
    let command: Vec<_> =
        header["command"].as_array().expect("words").iter().map(|word| word.as_str().expect("text")).collect();
    bench.write(name, &text);
    format!("--replay {name} {}", command.join(" "))
}

#[test]
fn a_locked_board_that_was_unlocked_over_usb_is_unlocked_again() {
    let bench = Bench::new();
    let lines = bench.m365(&usb(&bench, "unlock.tape")).json();
    let report = lines.report();
    assert_eq!(report["uid"], "0670ff34-3437584e-43244613");
    assert_eq!(
        (&report["before"], &report["erased"], &report["protection"]),
        (&json!("read"), &json!(true), &json!("none"))
    );
    assert_eq!(lines.result()["board"], "erased");
    assert_eq!(bench.files(), ["unlock.tape"], "the backup is forgotten with the run");
}

#[test]
fn contact_that_was_lost_over_usb_is_found_again() {
    let bench = Bench::new();
    let lines = bench.m365(&usb(&bench, "contact-lost.tape")).json();
    let warnings: Vec<_> = lines.events("warning").map(|event| event["name"].as_str().expect("a name")).collect();
    assert_eq!(warnings, ["contact-lost"]);
    assert_eq!((&lines.report()["erased"], &lines.result()["board"]), (&json!(true), &json!("erased")));
}

#[test]
fn a_probe_with_old_firmware_is_refused_with_its_version() {
    let bench = Bench::new();
    let lines = bench.m365(&usb(&bench, "old-probe-firmware.tape")).exit(5).json();
    assert_eq!(lines.message(), "the probe's firmware is too old: V2J17; it needs J26 or later");
}
