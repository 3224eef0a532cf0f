//! Settings files, and `config show`.

use std::fs;

use serde_json::{Value, json};

use crate::bench::Bench;

/// The user's settings, as Linux has their place.
fn with_user_file(bench: &Bench, text: &str) {
    let folder = bench.path("home/m365-drv");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("config.toml"), text).unwrap();
}

/// Value, source and line of a setting; of several the first.
fn setting(report: &Value, name: &str) -> (Value, Value, Value) {
    let all = report["settings"].as_array().unwrap();
    let found = all.iter().find(|setting| setting["name"] == name).unwrap_or_else(|| panic!("{name}"));
    (found["value"].clone(), found["source"].clone(), found["line"].clone())
}

#[test]
#[cfg(target_os = "linux")]
fn each_setting_is_shown_with_where_it_came_from() {
    let bench = Bench::new();
    with_user_file(&bench, "speed = 100\nconnect = \"normal\"\nfirmware = \"user-fw\"\nwait = \"5s\"\n");
    bench.write("m365-drv.toml", "firmware = [\"fw\"]\n\nspeed = 200\nmirror = \"mirror\"\n");
    let report = |line: &str, speed: &str| bench.m365(line).env("M365_DRV_SPEED", speed).json().report().clone();
    let shown = report("config show", "");
    assert_eq!(setting(&shown, "speed"), (json!("200"), json!("project"), json!(3)));
    assert_eq!(setting(&shown, "connect"), (json!("normal"), json!("user"), json!(2)));
    assert_eq!(setting(&shown, "color"), (json!("auto"), json!("default"), Value::Null));
    assert_eq!(setting(&shown, "probe"), (Value::Null, json!("default"), Value::Null));
    let mirror =
        bench.path("mirror").canonicalize().unwrap_or_else(|_| bench.path("").canonicalize().unwrap().join("mirror"));
    assert_eq!(setting(&shown, "mirror"), (json!(mirror), json!("project"), json!(4)));
    assert_eq!(setting(&report("config show", "300"), "speed"), (json!("300"), json!("environment"), Value::Null));
    assert_eq!(setting(&report("config show --speed 400", "300"), "speed"), (json!("400"), json!("flag"), Value::Null));
    // Folders of all places count, the nearest first.
    let folders = shown["settings"].as_array().unwrap().iter().filter(|setting| setting["name"] == "firmware");
    let sources: Vec<_> = folders.map(|setting| setting["source"].clone()).collect();
    assert_eq!(sources, ["project", "user", "default"]);
    assert!(shown["files"]["project"].as_str().unwrap().ends_with("/m365-drv.toml"));
}

#[test]
fn a_setting_is_used_where_its_option_would_be_and_an_option_goes_before_it() {
    let bench = Bench::new();
    bench.write("m365-drv.toml", "speed = 480\nfirmware = \"fw\"\n");
    assert_eq!(bench.m365("--simulate=open info").json().report()["speed_khz"], 480);
    assert_eq!(bench.m365("--simulate=open info --speed 950").json().report()["speed_khz"], 950);
    let by_environment = bench.m365("--simulate=open info").env("M365_DRV_SPEED", "240").json();
    assert_eq!(by_environment.report()["speed_khz"], 240);
    // The folder of the file counts, not the working folder; what is not there is refused as with `--firmware`.
    let message = bench.m365("scooters").exit(8).json();
    assert_eq!(message.message(), "the firmware folders cannot be searched");
    assert!(message.result()["error"]["causes"][0].as_str().unwrap().contains("fw"));
}

#[test]
fn what_is_wrong_in_a_file_is_told_with_its_line_before_anything_is_done() {
    let bench = Bench::new();
    for (text, words) in [
        ("\nspeeed = 1\n", " line 2: unknown setting \"speeed\"; did you mean \"speed\"?"),
        ("erase-all = true\n", " line 1: \"erase-all\" cannot be set in a file: give it on the command line"),
    ] {
        bench.write("m365-drv.toml", text);
        let lines = bench.m365("--simulate=open info").exit(2).json();
        assert!(lines.message().ends_with(words), "{}", lines.message());
        assert_eq!(lines.result()["board"], "untouched");
        // Help is still to be had.
        assert_eq!(bench.m365("--help").json().result()["exit"], 0);
    }
}
