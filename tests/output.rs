//! Output to a full device or a closed pipe, and the contents of the log file.

use serde_json::json;

use crate::bench::Bench;

const FULL: &str = "/dev/full";

/// Runs the program with stdout to a full device or a closed pipe; returns the exit code and stderr.
#[cfg(target_os = "linux")]
fn into(bench: &Bench, target: &str, line: &str) -> (Option<i32>, String) {
    let mut command = bench.m365(line).command();
    if target == FULL {
        command.stdout(std::fs::OpenOptions::new().write(true).open(FULL).unwrap());
    } else {
        // A pipe whose reader is closed.
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        command.stdout(writer);
    }
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[cfg(target_os = "linux")]
#[test]
fn a_report_that_cannot_be_written_ends_with_15_and_stderr_names_the_board_state() {
    let bench = Bench::new();
    for (target, cause) in [(FULL, "No space left on device (os error 28)"), ("pipe", "Broken pipe (os error 32)")] {
        for json in ["", "--json "] {
            let line = format!("{json}--simulate=B:open flash pro --km 77 --no-backup --full");
            let (exit, stderr) = into(&bench, target, &line);
            let end = format!(
                "error: the report could not be written\n  cause: {cause}\nboard: written\nexit 15: see `m365-drv explain \
                 output`\n"
            );
            assert!(stderr.ends_with(&end), "{line}: {stderr}");
            assert_eq!(exit, Some(15), "{line}");
            assert_eq!(bench.m365("--simulate=B info").json().report()["data"]["mileage_m"], 77_000, "{line}");
            std::fs::remove_dir_all(bench.path("B")).unwrap();
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_failed_run_keeps_its_exit_code_if_stdout_is_full() {
    let bench = Bench::new();
    let error = "error: cannot read \"missing.bin\"\n  cause: No such file or directory (os error 2)\n";
    for line in ["--json data show missing.bin", "data show missing.bin"] {
        let (exit, stderr) = into(&bench, FULL, line);
        assert_eq!(exit, Some(9), "{line}: {stderr}");
        assert!(stderr.starts_with(error), "{line}: {stderr}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_closed_pipe_causes_no_error_message_for_a_list() {
    for line in ["explain", "--help", "--json scooters"] {
        assert_eq!(into(&Bench::new(), "pipe", line), (Some(15), String::new()), "{line}");
        let (exit, stderr) = into(&Bench::new(), FULL, line);
        assert_eq!(exit, Some(15), "{line}");
        assert!(stderr.starts_with("error: the report could not be written\n"), "{line}: {stderr}");
    }
}

#[test]
fn unreadable_flash_is_not_reported_as_different() {
    let lines = Bench::new().m365("--simulate=locked verify pro").exit(14).json();
    let result = lines.result();
    assert_eq!((&result["name"], &result["board"]), (&json!("locked"), &json!("untouched")));
    assert_eq!(result["error"]["hint"], "m365-drv --simulate=locked info");
}

/// The program's own lines in the log, without their times.
fn log(bench: &Bench) -> String {
    let text = String::from_utf8(bench.read("log.txt")).unwrap();
    let own = text.lines().filter_map(|line| Some(line.split_once(" m365_drv::run] ")?.1));
    own.flat_map(|line| [line, "\n"]).collect()
}

#[test]
fn the_log_file_holds_what_the_program_did() {
    let bench = Bench::new();
    bench.m365("--log-file log.txt --simulate=open flash pro --km 77 --no-backup").json();
    let log = log(&bench);
    let version = format!("m365-drv {} on {}", env!("CARGO_PKG_VERSION"), std::env::consts::OS);
    assert!(log.starts_with(&version), "{log}");
    for line in [
        "\ncommand line: m365-drv --json --log-file log.txt --simulate=open flash pro --km 77 --no-backup\n",
        "\nconnect: started\n{\"event\":\"probe\",\"kind\":\"simulated probe\",\"serial\":\"SIM0001\",\"usb\":null,\"fw\":null}\n",
        "\nconnect: finished after ",
        "\n{\"event\":\"page\",\"address\":\"0x0800f800\",\"state\":\"verified\"}\n",
        "\nbackup: skipped\n",
        "\nprogram: started\n",
        "\nthe wires are not needed any more\n",
        "\nreport: {\"",
        "\nexit 0 (ok); board: written\n",
    ] {
        assert!(log.contains(line), "{line:?} in {log}");
    }
    let all = String::from_utf8(bench.read("log.txt")).unwrap();
    assert!(all.contains("m365_drv::board::connect] probe #1 "), "{all}");
}

#[test]
fn the_log_file_holds_refusals_and_bad_usage() {
    let bench = Bench::new();
    let end = |line: &str, exit: i32, expected: &str| {
        bench.m365(line).exit(exit).json();
        let log = log(&bench);
        assert!(log.contains(&format!("\ncommand line: m365-drv --json {line}\n")), "{log}");
        assert!(log.ends_with(expected), "{log}");
        std::fs::remove_file(bench.path("log.txt")).unwrap();
    };
    end(
        "fly --log-file log.txt",
        2,
        "unrecognized subcommand 'fly'\nnext: m365-drv --help\nexit 2 (usage); board: unchanged\n",
    );
    end("--simulate=bricked unlock --log-file=log.txt", 3, "\nexit 3 (consent); board: unchanged\n");
    end(
        "--log-file log.txt data show missing.bin",
        9,
        "\ncannot read \"missing.bin\"\ncause: No such file or directory (os error 2)\nnext: m365-drv data show --help\n\
         exit 9 (data); board: unchanged\n",
    );
}

#[test]
fn a_dry_run_speaks_of_what_would_be_done() {
    let bench = Bench::new();
    let lines = bench.m365("--simulate=locked flash pro --dry-run").json();
    let report = lines.report();
    assert_eq!(report["would_erase"], json!({ "whole_chip": true, "pages": 0 }));
    assert_eq!(report["would_program"], json!({ "bytes": 17_248, "pages_already_correct": 0 }));
    assert_eq!(report["would_write_option_bytes"], true);
    assert_eq!((&report["needs"], &report["preview"]), (&json!("read-protected"), &json!(true)));
    assert_eq!((&report["scooter"], &report["probe"]), (&json!("pro"), &json!("simulated probe")));
    let deeds = [
        "mass_erased",
        "options_written",
        "pages_erased",
        "pages_skipped",
        "bytes_programmed",
        "verified",
        "boot_check",
        "backup",
        "reconnects",
        "contact_ms",
    ];
    for deed in deeds {
        assert!(report.get(deed).is_none(), "{deed}");
    }
    let text = "Dry run: nothing was written\nchip           STM32F103\n...\nwould erase    the whole chip\n\
                would program  17,248 bytes; 0 pages are already correct\nwould write    the option bytes\n\
                needs          --erase-all, because the chip is read-protected\ntook           0.[..] s\n";
    bench.m365("-q --simulate=locked flash pro --dry-run").stdout(text).check();

    bench.m365("--simulate=B:open flash pro --km 77 --no-backup").json();
    let same = "...\nwould erase    0 pages\nwould program  0 bytes; [..] pages are already correct\ntook           0.[..] s\n";
    bench.m365("-q --simulate=B flash pro --dry-run").stdout(same).check();
}

#[test]
fn one_page_is_not_one_pages() {
    let bench = Bench::new();
    bench.m365("--simulate=B:open flash pro --km 77 --no-backup").json();
    let text = "...\nerased      1 page\nprogrammed  [..] bytes; [..] pages were already correct\n...\n";
    bench.m365("-q --simulate=B flash pro --km 78 --no-backup --no-run").stdout(text).check();
}

#[test]
fn a_rehearsal_waits_in_real_time() {
    let began = std::time::Instant::now();
    let lines = Bench::new().m365("--simulate=absent --wait=2s info").exit(6).json();
    let took = began.elapsed().as_millis();
    assert!((1000..20_000).contains(&took), "{took} ms");
    let waited: Vec<_> = lines.events("progress").map(|line| line["waited_ms"].as_u64().unwrap()).collect();
    assert!(waited.len() >= 2 && waited.iter().all(|waited| u128::from(*waited) <= took), "{waited:?} in {took} ms");
}

#[test]
fn errors_fit_on_40_columns_and_a_command_to_paste_stays_whole() {
    let stderr = "simulated board \"bricked\": no hardware\n  is touched\n...\nerror: the serial number is unknown\n\
                  board: unchanged\nnext:\nm365-drv --simulate=bricked flash pro --erase-all --serial SERIAL --km KM\n\
                  exit 9: see `m365-drv explain data`\n";
    let line = "--simulate=bricked flash pro --erase-all";
    Bench::new().m365(line).env("COLUMNS", "40").exit(9).stderr(stderr).check();

    let stderr = "error: unexpected argument\n  '--fast' found\n\nUsage: m365-drv scooters\n  [OPTIONS]\n\n\
                  For more information, try\n  '--help'.\n";
    Bench::new().m365("scooters --fast").env("COLUMNS", "30").exit(2).stderr(stderr).check();
}

#[test]
fn a_refusal_reports_what_was_found_out_before() {
    let lines = Bench::new().m365("--simulate=locked flash pro").exit(3).json();
    let report = lines.report();
    assert_eq!((&report["scooter"], &report["chip"]), (&json!("pro"), &json!("stm32f103")));
    assert_eq!(report["uid"], "48ff6e06-52665455-35392587");
    assert_eq!((&report["serial"], &report["mileage_m"]), (&json!("21886/00012345"), &json!(2_345_678)));
    assert_eq!((&report["protection"], &report["probe"]), (&json!("read"), &json!("simulated probe")));
    assert!(report["took_ms"].as_u64() >= report["contact_ms"].as_u64() && report["contact_ms"].is_u64(), "{report}");
    assert!(report.get("backup").is_none());
    // Nothing was found out.
    assert_eq!(Bench::new().m365("data show missing.bin").exit(9).json().report(), &json!(null));
}

#[test]
fn a_failure_names_the_backup_that_was_made_before() {
    let bench = Bench::new();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("firmware/rehearsal");
    let mut app = std::fs::read(folder.join("app64.bin")).unwrap();
    // At the reset vector, 0x08001101: an undefined instruction.
    app[0x100..0x102].copy_from_slice(&0xDE00_u16.to_le_bytes());
    bench.write("bad.bin", app);
    let line = "--simulate=B:open flash pro --km 77 --drv bad.bin";
    let stderr = "...\nerror: [..]firmware [..]written and verified[..]\n...\nboard: written and verified\nbackup: \"B/backups/48ff6e06-[..].json\"\n\
                  next: m365-drv --simulate=B:open flash pro --km 77 --drv FILE\n...\n";
    bench.m365(line).exit(12).stderr(stderr).check();
    std::fs::remove_dir_all(bench.path("B")).unwrap();
    let lines = bench.m365(line).exit(12).json();
    let backup = lines.report()["backup"].as_str().unwrap();
    assert!(bench.path(backup).is_file(), "{backup}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_log_file_that_cannot_be_written_is_refused_before_any_contact() {
    let bench = Bench::new();
    let stderr = "error: the log file \"/dev/full\" could not be written\n  \
                  cause: No space left on device (os error 28)\nboard: unchanged\n\
                  exit 15: see `m365-drv explain output`\n";
    let line = "--log-file /dev/full --simulate=B:open flash pro --km 77 --no-backup";
    bench.m365(line).exit(15).stderr(stderr).check();
    assert!(bench.files().is_empty());
    assert_eq!(bench.m365(line).exit(15).json().result()["board"], "untouched");
}

/// No file may have a byte: as on a full disk, files can be made and not filled.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_not_a_mistake_on_the_command_line() {
    let bench = Bench::new();
    bench.write("plain.bin", m365_drv::sim::APP_64);
    for line in [
        "data new --serial 21886/00012345 --km 1 -o new.bin",
        "image encrypt plain.bin -o new.bin",
        "--simulate=locked flash pro --erase-all --dry-run --image-out new.bin",
    ] {
        let run = bench.m365(line).command();
        let mut limited = std::process::Command::new("sh");
        limited
            .args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\""])
            .arg(run.get_program())
            .args(run.get_args());
        limited.envs(run.get_envs().filter_map(|(name, value)| Some((name, value?)))).current_dir(bench.path(""));
        let output = limited.output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        let end = "error: cannot write \"new.bin\"\n  cause: File too large (os error 27)\nboard: unchanged\n\
                   exit 15: see `m365-drv explain output`\n";
        let end = if line.contains("flash") { end.to_owned() } else { end.replace("board: unchanged\n", "") };
        assert!(stderr.ends_with(&end), "{line}: {stderr}");
        assert_eq!(output.status.code(), Some(15), "{line}");
        assert_eq!(bench.files(), ["plain.bin"]);
    }
}

#[test]
fn a_tip_is_not_logged_as_a_cause() {
    let bench = Bench::new();
    bench.m365("inof --log-file log.txt").exit(2).json();
    let log = log(&bench);
    assert!(log.contains("\ntip: a similar subcommand exists: 'info'\n") && !log.contains("cause:"), "{log}");
}

#[test]
fn a_step_has_one_line_if_stderr_is_not_a_terminal() {
    let bench = Bench::new();
    for line in ["--simulate=locked flash pro --erase-all --no-run", "--simulate=open verify pro"] {
        let stderr = bench.m365(line).command().output().unwrap().stderr;
        let stderr = String::from_utf8(stderr).unwrap();
        let names: Vec<_> = stderr.lines().filter(|line| line.contains(" s") && line.find(' ') < Some(10)).collect();
        for step in ["connect", "identify", "rescue", "verify"] {
            let lines: Vec<_> = names.iter().filter(|line| line.split(' ').next() == Some(step)).collect();
            assert!(lines.len() <= 1, "{line}: {lines:?}");
        }
        let connect = stderr.lines().find(|line| line.starts_with("connect")).expect(&stderr);
        assert!(connect.ends_with(" s"), "no rate: {connect}");
    }
}
