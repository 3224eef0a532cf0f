//! The command line, checked exactly: stdout, stderr and the exit code.

use crate::bench::Bench;

#[test]
fn version() {
    Bench::new().m365("--version").stdout(&format!("m365-drv {}\n", env!("CARGO_PKG_VERSION"))).check();
}

#[test]
fn no_command_shows_the_help_on_stderr() {
    Bench::new()
        .m365("")
        .exit(2)
        .stderr("Unbrick the motor controller[..]\n...\nUsage: m365-drv [OPTIONS] <COMMAND>\n...\n")
        .check();
}

#[test]
fn a_wrong_option_is_named() {
    let stderr = "error: unexpected argument '--fast' found\n\nUsage: m365-drv scooters [OPTIONS]\n\n\
                  For more information, try '--help'.\n";
    Bench::new().m365("scooters --fast").exit(2).stderr(stderr).check();
}

#[test]
fn a_wrong_value_is_named_with_the_valid_ones() {
    let stderr = "error: unknown scenario \"briked\": scenarios are new, locked, [..]; for a saved board write FOLDER:SCENARIO\n\n\
                  Usage: m365-drv [OPTIONS] <COMMAND>\n\nFor more information, try '--help'.\n";
    Bench::new().m365("--simulate=b:briked scooters").exit(2).stderr(stderr).check();
}

#[test]
fn a_block_is_made_shown_and_changed() {
    let bench = Bench::new();
    let made = "serial      21886/00012345\nmileage     1234.0 km\nfor chip    none yet\nPIN         000000\n\
                activated   yes\nfirmware    1.3.4\nwritten to  a.bin\n";
    bench.m365("data new --serial 21886/00012345 --km 1234 -o a.bin").stdout(made).check();

    let changed = "serial      21886/00012345\nmileage     0.5 km\nfor chip    48ff6e06-52665455-35392587\n\
                   PIN         000000\nactivated   yes\nfirmware    1.3.4\nwritten to  b.bin\n";
    let line = "data edit a.bin --mileage-m 500 --uid 48ff6e06-52665455-35392587 -o b.bin";
    bench.m365(line).stdout(changed).check();

    let shown = "serial     21886/00012345\nmileage    0.5 km\nfor chip   48ff6e06-52665455-35392587\n\
                 PIN        000000\nactivated  yes\nfirmware   1.3.4\n\nRegisters\n...\n\
                 29  500 m [..]total mileage\n...\n";
    bench.m365("data show b.bin").stdout(shown).check();
    assert_eq!((bench.read("a.bin").len(), bench.read("b.bin").len()), (512, 512));
}

#[test]
fn a_file_is_never_overwritten() {
    let bench = Bench::new();
    bench.write("a.bin", "mine");
    let stderr =
        "error: \"a.bin\" already exists\nnext: m365-drv data new --help\nexit 2: see `m365-drv explain usage`\n";
    bench.m365("data new --serial 21886/00012345 -o a.bin").exit(2).stderr(stderr).check();
    assert_eq!(bench.read("a.bin"), b"mine");
}

#[test]
fn a_log_is_appended_to_its_own_file_and_never_overwrites_another() {
    let bench = Bench::new();
    bench.write("backup.json", "{}");
    let stderr = "error: \"backup.json\" exists and is not an m365-drv log\nnext: m365-drv scooters --help\n\
                  exit 2: see `m365-drv explain usage`\n";
    bench.m365("--log-file backup.json scooters").exit(2).stderr(stderr).check();
    assert_eq!(bench.read("backup.json"), b"{}");

    let stderr = "error: \"a.bin\" is used twice: the log needs a file of its own\nnext: m365-drv data new --help\n\
                  exit 2: see `m365-drv explain usage`\n";
    bench.m365("--log-file a.bin data new --serial 21886/00012345 -o a.bin").exit(2).stderr(stderr).check();
    assert_eq!(bench.files(), ["backup.json"]);

    bench.m365("--log-file log.txt --simulate info").json();
    let first = bench.read("log.txt");
    bench.m365("--log-file log.txt --simulate info").json();
    assert!(!first.is_empty() && bench.read("log.txt").starts_with(&first));
    assert!(bench.read("log.txt").len() > first.len());
}

#[test]
fn an_empty_variable_is_ignored_and_a_wrong_one_is_named() {
    let bench = Bench::new();
    for name in ["M365_DRV_PROBE", "M365_DRV_SPEED"] {
        bench.m365("--probe usb:99-99 --simulate probes").env(name, "").json();
        bench.m365("info --probe usb:99-99").env(name, "").exit(4).json();
        // Commands that need no board ignore the variable.
        bench.m365("scooters").env(name, ":").json();
        let lines = bench.m365("info").env(name, ":").exit(2).json();
        assert!(lines.message().contains(name), "{}", lines.message());
    }
}

#[test]
fn an_invalid_serial_is_refused_and_nothing_is_written() {
    let bench = Bench::new();
    let stderr = "error: invalid serial number \"21886-0001234\": needs 5 digits, \"/\", 8 digits (for example 16133/00012345); \
                  7 digits after the \"/\"\nnext: m365-drv data new --help\n\
                  exit 9: see `m365-drv explain data`\n";
    bench.m365("data new --serial 21886-0001234 -o a.bin").exit(9).stderr(stderr).check();
    let stderr = "error: serial number \"M1GCA1601C0001\" is a factory default[..]\nnext: m365-drv data new --help\n\
                  exit 9: see `m365-drv explain data`\n";
    bench.m365("data new --serial M1GCA1601C0001 -o a.bin").exit(9).stderr(stderr).check();
    assert!(bench.files().is_empty());
}

#[test]
fn a_mileage_beyond_the_register_is_refused() {
    let stderr = "error: mileage 2147484 km is too large: the scooter stores at most 2147483 km\nnext: m365-drv data new --help\n\
                  exit 9: see `m365-drv explain data`\n";
    Bench::new().m365("data new --serial 21886/00012345 --km 2147484 -o a").exit(9).stderr(stderr).check();
    for (option, unit) in
        [("--km 5000000000", "km"), ("--km 99999999999999999999", "km"), ("--mileage-m 5000000000", "m")]
    {
        let line = format!("data new --serial 21886/00012345 {option} -o a");
        let lines = Bench::new().m365(&line).exit(9).json();
        assert!(lines.message().contains(&format!(" {unit} is too large")), "{}", lines.message());
    }
}

#[test]
fn a_serial_in_small_letters_is_written_in_capitals() {
    let lines = Bench::new().m365("data new --serial n2gea1601c0002 -o a").json();
    assert_eq!(lines.report()["serial"], "N2GEA1601C0002");
}

#[test]
fn bytes_that_are_not_a_data_block_are_refused() {
    let bench = Bench::new();
    bench.write("short.bin", [0; 511]).write("blank.bin", [0xFF; 512]);
    let refused = |why: &str| {
        format!("error: no data block in \"[..]\"\n  cause: {why}\nnext: m365-drv data show --help\nexit 9: [..]\n")
    };
    bench.m365("data show short.bin").exit(9).stderr(&refused("511 bytes; a data block has 512")).check();
    bench
        .m365("data show blank.bin")
        .exit(9)
        .stderr(&refused("begins with 0xffff; a data block begins with 0x515c"))
        .check();
}

#[cfg(unix)]
#[test]
fn an_endless_file_is_read_only_up_to_the_size_limit() {
    let stderr = "error: \"/dev/zero\" is too large: the limit is 32 MiB\nnext: m365-drv data show --help\n\
                  exit 9: see `m365-drv explain data`\n";
    Bench::new().m365("data show /dev/zero").exit(9).stderr(stderr).check();
}

#[test]
fn a_number_is_the_scooters_code_before_it_is_an_exit_code() {
    let bench = Bench::new();
    let scooter = "error 3 on the scooter\nprogramming an update failed\n...\nFor exit code 3 of this program \
                   (consent) see `m365-drv explain consent`.\n";
    bench.m365("explain 3").stdout(scooter).check();
    bench.m365("explain exit-3").stdout("exit code 3: consent\n...\n").check();
    bench.m365("explain 7").stdout("exit code 7: wrong-board\n...\n").check();
    for topic in ["e21", "E21", "error21"] {
        assert_eq!(bench.m365(&format!("explain {topic}")).print(), bench.m365("explain 21").print());
    }
    bench.m365("explain 21").stdout("error 21 on the scooter\nno communication with the battery (BMS)\n...\n").check();
}

#[test]
fn an_unknown_topic_is_refused() {
    let stderr = "error: unknown topic \"99\"\nnext: m365-drv explain\n\
                  exit 2: see `m365-drv explain usage`\n";
    Bench::new().m365("explain 99").exit(2).stderr(stderr).check();
}

#[test]
fn wiring_and_safety_can_be_read_on_40_columns() {
    for card in ["wiring", "safety"] {
        let lines = Bench::new().m365("explain").args([card]).json();
        let text = lines.report()["text"].as_str().unwrap();
        assert!(text.lines().all(|line| line.chars().count() <= 40), "{text}");
    }
}

#[test]
fn colours_are_used_only_if_asked_for() {
    let bench = Bench::new();
    bench.m365("explain ok").stdout("exit code 0: ok\n...\n").check();
    bench.m365("--color always explain ok").stdout("\u{1b}[1mexit code 0: ok\u{1b}[0m\n...\n").check();
    let plain = "error: unknown topic \"99\"\n...\n";
    bench.m365("--color never explain 99").env("CLICOLOR_FORCE", "1").exit(2).stderr(plain).check();
}

#[test]
fn a_block_is_shown_on_40_columns() {
    let bench = Bench::new();
    bench.m365("data new --serial 21886/00012345 -o b.bin").json();
    let expected = "...\n00  20828           magic 20828\n                    (0x515c), checked at\n                    each start\n...\n";
    bench.m365("data show b.bin").env("COLUMNS", "40").stdout(expected).check();
}

#[test]
fn the_help_names_every_scenario_and_the_manual_every_option() {
    let bench = Bench::new();
    let text = |line: &str| bench.m365(line).json().report()["text"].as_str().unwrap().replace('\\', "");
    let help = text("--help");
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let all = "new (blank), locked (read-protected, firmware running), bricked (read-protected, no firmware), open \
               (programmed and readable), half-flashed (half of the firmware written), wrp (write-protected), copies-differ (4 Pro with \
               two data blocks that differ), gd32f103 \
               (locked, with this chip), gd32e103 (locked, with this chip), at32 (unsupported chip), m0 (unsupported chip), ble \
               (the dashboard), flaky (locked, with poor contact), absent (no board)";
    assert!(help.contains(all), "{help}");
    let manual = text("man");
    for option in ["--image-out", "--no-backup", "--uid", "--erase-all", "--simulate"] {
        assert!(manual.contains(option), "{option}");
    }
    assert!(manual.contains("m365-drv data edit"));
}

#[test]
fn forty_columns_are_enough() {
    let bench = Bench::new();
    let lines = "no-probe      no probe, or several and\n                    none chosen\n";
    let expected = format!("...\n    4 {lines}...\n");
    bench.m365("explain").env("COLUMNS", "44").stdout(&expected).check();
}
