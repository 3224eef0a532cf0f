//! A backup is complete or absent, no matter how the program ends or the disk fails.
//!
//! These tests run the shipped program and use system features that a test cannot produce inside its own process: a
//! kill, a limit on file sizes, a full or read-only disk.
#![cfg(unix)]

use std::{
    fs,
    os::unix::process::ExitStatusExt as _,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Instant,
};

use m365_drv::ops::Backup;

use crate::{bench::Bench, setup::skip};

/// SIGKILL and SIGXFSZ: signal(7).
const KILL: i32 = 9;
const FILE_SIZE: i32 = 25;

/// The program with a command line, run in the folder of a bench.
fn m365(bench: &Bench, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_m365-drv"));
    command.args(line.split_whitespace()).current_dir(bench.path("")).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// The same, started by a shell that first runs `preparation`.
fn m365_after(bench: &Bench, preparation: &str, line: &str) -> Command {
    let mut command = Command::new("sh");
    let script = format!("{preparation} && exec \"$0\" \"$@\"");
    command.arg("-c").arg(script).arg(env!("CARGO_BIN_EXE_m365-drv")).args(line.split_whitespace());
    command.current_dir(bench.path("")).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Counts the backups in a folder, and checks that every file named like a backup can be opened.
fn backups(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    let named: Vec<_> = entries.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect();
    for path in &named {
        Backup::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
    named.len()
}

/// Copies the files of a saved board. The simulated board is saved only at the end of a run, so a killed run leaves it
/// unchanged or half saved.
fn put_back(board: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in fs::read_dir(board).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
        fs::copy(&file, to.join(file.file_name().unwrap())).unwrap();
    }
}

#[test]
fn a_run_killed_at_any_moment_leaves_whole_backups_and_the_next_keeps_the_data() {
    const LINE: &str = "--json --simulate=B flash pro --erase-all";
    let bench = Bench::new();
    bench.m365("--simulate=locked-board:locked info").json();
    let (board, trial) = (bench.path("locked-board"), bench.path("B"));
    put_back(&board, &trial);
    let began = Instant::now();
    assert!(m365(&bench, LINE).status().unwrap().success());
    let whole = began.elapsed();

    let mut killed = 0;
    for part in 0..10 {
        put_back(&board, &trial);
        let before = backups(&trial.join("backups"));
        let mut child = m365(&bench, LINE).spawn().unwrap();
        thread::sleep(whole * part / 10);
        child.kill().unwrap();
        killed += u32::from(child.wait().unwrap().signal() == Some(KILL));
        let left = backups(&trial.join("backups"));
        assert!((before..=before + 1).contains(&left), "killed at {part} tenths");

        put_back(&board, &trial);
        let lines = bench.m365("--simulate=B flash pro --erase-all").json();
        let (serial, metres) = (&lines.report()["serial"], &lines.report()["mileage_m"]);
        assert_eq!((serial.as_str(), metres.as_u64()), (Some("21886/00012345"), Some(2_345_678)));
        assert_eq!(backups(&trial.join("backups")), left + 1, "killed at {part} tenths");
    }
    assert!(killed >= 5, "only {killed} of 10 runs were killed");
}

/// The system kills the program at the first write beyond the limit, so the limits cover each stage of writing the
/// file.
#[test]
fn a_backup_killed_while_it_is_written_leaves_no_file() {
    let bench = Bench::new();
    bench.m365("--simulate=open backup whole.json").json();
    // POSIX `ulimit -f` counts blocks of 512 bytes.
    let blocks = bench.read("whole.json").len().div_ceil(512);
    for limit in (0..blocks).step_by(blocks / 12) {
        let status =
            m365_after(&bench, &format!("ulimit -f {limit}"), "--simulate=open backup b.json").status().unwrap();
        assert_eq!(status.signal(), Some(FILE_SIZE), "{status} at {limit} of {blocks} blocks");
        assert!(!bench.path("b.json").exists(), "a backup was left at {limit} of {blocks} blocks");
    }
    let status = m365_after(&bench, &format!("ulimit -f {blocks}"), "--simulate=open backup b.json").status().unwrap();
    assert!(status.success() && backups(&bench.path("")) == 2);
}

/// A shell that may mount file systems that only it can see.
fn apart(bench: &Bench) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c"]).current_dir(bench.path(""));
    command
}

/// The command that mounts a temporary file system, which disappears when the shell ends; `None` if the system does not
/// allow it.
fn mounted(options: &str) -> Option<String> {
    let mount = format!("mount -t tmpfs -o {options} none disk");
    let probe = Bench::new();
    fs::create_dir(probe.path("disk")).unwrap();
    let allowed = apart(&probe).arg(&mount).stderr(Stdio::null()).status();
    if allowed.is_ok_and(|status| status.success()) {
        return Some(mount);
    }
    skip("mounting a file system is not allowed here");
    None
}

/// Each file of a saved board is either the old or the new one, never a part of it.
#[test]
fn a_run_killed_while_saving_the_board_leaves_it_whole() {
    let bench = Bench::new();
    bench.m365("--simulate=B:open info").json();
    for limit in [0, 1, 64, 127] {
        let status =
            m365_after(&bench, &format!("ulimit -f {limit}"), "--simulate=B flash pro --km 9").status().unwrap();
        assert_eq!(status.signal(), Some(FILE_SIZE), "{status} at {limit} blocks");
        assert_eq!(bench.read("B/flash.bin").len(), 0x1_0000, "at {limit} blocks");
        bench.m365("--simulate=B info").json();
    }
}

/// The disk space is reserved before the work begins, so that the output cannot fail after the board has been written.
#[test]
fn an_output_image_that_does_not_fit_on_the_disk_is_refused_before_any_contact() {
    let Some(mount) = mounted("size=16k") else { return };
    let bench = Bench::new();
    fs::create_dir(bench.path("disk")).unwrap();
    let line = "--json --simulate=open flash pro --km 77 --no-backup --image-out disk/flash.bin";
    let script = format!("{mount} && \"$0\" \"$@\"; code=$?; ls -A disk >&2; exit $code");
    let words = line.split_whitespace();
    let output = apart(&bench).arg(script).arg(env!("CARGO_BIN_EXE_m365-drv")).args(words).output().unwrap();
    let (stdout, stderr) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!((output.status.code(), stderr.as_str()), (Some(15), ""), "{stdout}");
    assert!(
        stdout.contains(r#"cannot write \"disk/flash.bin\""#) && !stdout.contains("\"event\":\"step\""),
        "{stdout}"
    );
}

/// The file appears under its name only when it is complete, so that the same command can be run again.
#[test]
fn an_output_image_has_its_name_only_when_it_is_complete() {
    let bench = Bench::new();
    let line = "--simulate=open flash pro --km 77 --no-backup --image-out flash.bin";
    for part in 1..5 {
        let mut child = m365(&bench, line).spawn().unwrap();
        thread::sleep(std::time::Duration::from_millis(20 * part));
        child.kill().unwrap();
        child.wait().unwrap();
        let size = fs::metadata(bench.path("flash.bin")).map(|file| file.len()).ok();
        assert!(size.is_none_or(|size| size == 0x1_0000), "{size:?}");
        let _ = fs::remove_file(bench.path("flash.bin"));
    }
}

#[test]
fn a_full_or_read_only_disk_is_reported_and_nothing_is_erased() {
    for options in ["size=4k", "ro"] {
        let Some(mount) = mounted(options) else { return };
        let bench = Bench::new();
        fs::create_dir(bench.path("disk")).unwrap();
        bench.m365("--simulate=B:open info").json();
        let board = ["flash.bin", "option-bytes.bin"].map(|file| bench.read(format!("B/{file}")));
        let line = "--json --simulate=B flash pro --km 77 --backup disk/b.json";
        let script = format!("{mount} && \"$0\" \"$@\"; code=$?; ls -A disk >&2; exit $code");
        let words = line.split_whitespace();
        let output = apart(&bench).arg(script).arg(env!("CARGO_BIN_EXE_m365-drv")).args(words).output().unwrap();
        let (stdout, stderr) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert_eq!(output.status.code(), Some(10), "{options}: {stdout}{stderr}");
        let result = stdout.lines().last().unwrap();
        assert!(result.contains("cannot be written") && result.contains("\"board\":\"untouched\""), "{result}");
        assert!(!stderr.contains("b.json") && !stderr.contains(".m365-drv-"), "left on the disk: {stderr}");
        assert_eq!(board, ["flash.bin", "option-bytes.bin"].map(|file| bench.read(format!("B/{file}"))));
    }
}
