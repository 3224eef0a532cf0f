//! `report`: one file for a bug report.

use serde_json::Value;

use crate::bench::Bench;

fn report(bench: &Bench, name: &str) -> (String, Value) {
    let text = String::from_utf8(bench.read(name)).unwrap();
    let value = serde_json::from_str(&text).unwrap();
    (text, value)
}

#[test]
fn a_report_after_a_failure_has_what_the_last_run_did_and_hides_whose_it_is() {
    let bench = Bench::new();
    // The PIN and the serial number of the board are in its events.
    let found = bench.m365("--simulate=locked info").json();
    let pin = found.report()["data"]["pin"].as_str().unwrap().to_owned();
    bench.m365("--simulate=locked flash pro --serial 21886/00099999").exit(3).json();
    let lines = bench.m365("report report.json").json();
    let (text, value) = report(&bench, "report.json");
    assert_eq!(lines.report()["contents"], value, "what is shown is what is written");
    let last = value["runs"][0].as_array().unwrap().iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n");
    for words in [
        "command line: m365-drv",
        "flash pro --serial SERIAL-",
        "connect: started",
        "exit 3 (consent); board: unchanged",
    ] {
        assert!(last.contains(words), "{words}:\n{last}");
    }
    assert!(value["runs"][1].as_array().unwrap().iter().any(|line| line.as_str().unwrap().contains(" info")));
    let home = bench.path("home").display().to_string();
    let pin = format!("\"pin\\\":\\\"{pin}");
    for secret in ["00099999", "00012345", &pin, &home] {
        assert!(!text.contains(secret), "{secret}:\n{text}");
    }
    assert_eq!((&value["masked"], value["program"].as_str().unwrap().starts_with("m365-drv ")), (&true.into(), true));
    // What the report does is not a run.
    bench.m365("report open.json --unmasked").json();
    let (text, value) = report(&bench, "open.json");
    assert!(text.contains("21886/00099999") && text.contains("21886/00012345") && text.contains(&pin));
    assert_eq!(value["runs"].as_array().unwrap().len(), 2);
}

#[test]
fn a_report_is_never_written_over_a_file_unless_asked_for() {
    let bench = Bench::new();
    bench.write("mine.json", "mine");
    let refused = bench.m365("report mine.json").exit(2).json();
    assert_eq!(refused.message(), "\"mine.json\" already exists; --overwrite replaces it");
    assert_eq!(bench.read("mine.json"), b"mine");
    bench.m365("report mine.json --overwrite").json();
    assert_eq!(report(&bench, "mine.json").1["runs"], Value::Array(vec![]));
}

#[test]
fn the_logs_of_the_last_three_runs_are_kept_and_only_their_user_can_read_them() {
    let bench = Bench::new();
    for scenario in ["open", "locked", "new", "ble"] {
        let _ = bench.m365(&format!("--simulate={scenario} info")).print();
    }
    let folder = if cfg!(target_os = "linux") { bench.path("home/m365-drv") } else { return };
    let mut names: Vec<_> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["last-run-1.log", "last-run-2.log", "last-run.log"]);
    let last = String::from_utf8(bench.read("home/m365-drv/last-run.log")).unwrap();
    assert!(last.contains("exit 7 (wrong-board)"), "{last}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = folder.join("last-run.log").metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0);
    }
}
