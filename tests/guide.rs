//! The guided job, as somebody at a terminal goes through it.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use crate::bench::Bench;

/// What is on the screen after these lines were typed, and the exit code. The program runs in the terminal of util-linux's
/// `script`; `None` if that is missing.
fn typed(bench: &Bench, arguments: &str, lines: &str) -> Option<(String, i32)> {
    let program = env!("CARGO_BIN_EXE_m365-drv");
    let mut command = Command::new("script");
    command.args(["-qec", &format!("'{program}' {arguments}"), "/dev/null"]).current_dir(bench.path("."));
    for name in ["HOME", "XDG_DATA_HOME"] {
        command.env(name, bench.path("home"));
    }
    let command = command.env("TERM", "dumb").env_remove("M365_DRV_FIRMWARE");
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let Ok(mut child) = child else {
        eprintln!("skipped: there is no `script` here");
        return None;
    };
    child.stdin.take().expect("its input").write_all(lines.as_bytes()).expect("lines");
    let output = child.wait_with_output().expect("an end");
    let screen = String::from_utf8_lossy(&output.stdout).replace('\r', "");
    Some((screen, output.status.code().expect("an exit code")))
}

#[test]
#[cfg(target_os = "linux")]
fn a_locked_board_is_repaired_at_a_terminal_without_any_argument() {
    let bench = Bench::new();
    let Some((screen, exit)) = typed(&bench, "--simulate=B:locked", "1\n2\n2\n1\nerase\n2\n") else { return };
    assert_eq!(exit, 0, "{screen}");
    let headings = [
        "What is wrong with the scooter?",
        "Before a wire touches the board",
        "Which scooter is it?",
        "Which firmware?",
        "Connect the probe",
        "This is the board",
        "This will be done",
        "Hold the wires",
        "you may let go now",
        "Done",
    ];
    let places: Vec<_> = headings.map(|heading| screen.find(heading)).into();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?}\n{screen}");
    assert!(screen.contains("Kept and written back: serial number 21886/00012345, mileage 2345.6 km."), "{screen}");
    let lines = bench.m365("--simulate=B info").json();
    assert_eq!(lines.report()["data"]["serial"], "21886/00012345");
}

#[test]
#[cfg(target_os = "linux")]
fn nothing_is_changed_if_the_terminal_goes_or_nobody_agrees() {
    let bench = Bench::new();
    for lines in ["1\n2\n2\n1\nno\n", "1\n2\n\x04", "4\n"] {
        let Some((screen, exit)) = typed(&bench, "--simulate=B:locked guide", lines) else { return };
        assert_eq!(exit, 0, "{screen}");
        assert!(screen.contains("Nothing was changed."), "{screen}");
    }
    let lines = bench.m365("--simulate=B info").json();
    assert_eq!(lines.report()["protection"], "read");
}

#[test]
fn without_a_terminal_the_commands_are_listed_and_guide_is_named() {
    let bench = Bench::new();
    let message = "the guided job needs a terminal; `m365-drv flash --help` shows how to do it in a script";
    assert_eq!(bench.m365("guide").exit(2).json().message(), message);
    let output = bench.m365("").command().output().expect("the program starts");
    assert_eq!(output.status.code(), Some(2));
    let help = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(help.contains("`m365-drv guide`") && help.contains("`m365-drv flash --help`"), "{help}");
}
