//! The guided job, as somebody at a terminal goes through it.

use std::{
    fs,
    io::{Read as _, Write as _},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use m365_drv::{
    sim::{APP_64, BOOT},
    target::Target,
};

use crate::bench::Bench;

/// What is on the screen after these lines were typed, and the exit code. The program runs in the terminal of util-linux's
/// `script`; `None` if that is missing.
fn typed(bench: &Bench, arguments: &str, lines: &str) -> Option<(String, i32)> {
    typed_on(80, bench, arguments, lines)
}

/// The same on a screen of so many columns.
fn typed_on(columns: usize, bench: &Bench, arguments: &str, lines: &str) -> Option<(String, i32)> {
    let mut child = started(bench, columns, arguments)?;
    child.stdin.take().expect("its input").write_all(lines.as_bytes()).expect("lines");
    let output = child.wait_with_output().expect("an end");
    let screen = String::from_utf8_lossy(&output.stdout).replace('\r', "");
    Some((screen, output.status.code().expect("an exit code")))
}

/// The program in a terminal of its own, with folders of its own.
fn started(bench: &Bench, columns: usize, arguments: &str) -> Option<Child> {
    let program = env!("CARGO_BIN_EXE_m365-drv");
    let mut command = Command::new("script");
    command
        .args(["-qec", &format!("stty rows 50 cols {columns}; '{program}' {arguments}"), "/dev/null"])
        .current_dir(bench.path("."));
    for name in ["HOME", "XDG_DATA_HOME"] {
        command.env(name, bench.path("home"));
    }
    let command =
        command.env("XDG_DOWNLOAD_DIR", bench.path("home/Downloads")).env("XDG_STATE_HOME", bench.path("state"));
    let command = command.env("TERM", "dumb").env_remove("M365_DRV_FIRMWARE");
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    if child.is_err() {
        eprintln!("skipped: there is no `script` here");
    }
    child.ok()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Somebody who reads the screen before typing.
pub(crate) struct Person {
    child: Child,
    keys: ChildStdin,
    screen: Arc<Mutex<String>>,
}

impl Person {
    pub(crate) fn at(bench: &Bench, arguments: &str) -> Option<Self> {
        let mut child = started(bench, 80, arguments)?;
        let (keys, mut output) = (child.stdin.take()?, child.stdout.take()?);
        let screen = Arc::new(Mutex::new(String::new()));
        let seen = screen.clone();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                seen.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..count]).replace('\r', ""));
            }
        });
        Some(Self { child, keys, screen })
    }

    pub(crate) fn types(&mut self, lines: &str) {
        self.keys.write_all(lines.as_bytes()).expect("lines");
    }

    fn screen(&self) -> String {
        self.screen.lock().unwrap().clone()
    }

    /// Waits until this is on the screen.
    pub(crate) fn sees(&self, words: &str) {
        let began = Instant::now();
        // However the lines are broken.
        while !one_line(&self.screen()).contains(words) {
            assert!(began.elapsed() < Duration::from_secs(30), "{words:?} is not on the screen:\n{}", self.screen());
            thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn leaves(mut self) -> (String, i32) {
        drop(self.keys);
        let exit = self.child.wait().expect("an end").code().expect("an exit code");
        thread::sleep(Duration::from_millis(20));
        (self.screen.lock().unwrap().clone(), exit)
    }
}

#[test]
#[cfg(target_os = "linux")]
fn custom_firmware_is_taken_from_the_downloads_folder_when_it_arrives() {
    let bench = Bench::new();
    let downloads = bench.path("home/Downloads");
    fs::create_dir_all(&downloads).unwrap();
    fs::write(downloads.join("old.bin"), APP_64).unwrap();
    let Some(mut person) = Person::at(&bench, "--simulate=B:locked guide --offline") else { return };
    person.types("2\n21\n1\n2\n2\n\n");
    person.sees("Custom firmware");
    person.sees("https://mi.cfw.sh");
    person.types("\n");
    person.sees("press Enter to stop waiting");
    fs::write(downloads.join("wrong.bin"), BOOT).unwrap();
    person.sees("still watching");
    fs::write(downloads.join("firmware.bin.part"), APP_64).unwrap();
    fs::rename(downloads.join("firmware.bin.part"), downloads.join("firmware.bin")).unwrap();
    person.sees("This will be done");
    person.types("no\n");
    let (screen, exit) = person.leaves();
    assert_eq!(exit, 0, "{screen}");
    let told = one_line(&screen);
    assert!(told.contains("wrong.bin\" cannot be used: ") && told.contains("firmware.bin\""), "{screen}");
    assert!(!screen.contains("old.bin"), "{screen}");
    assert!(screen.contains("connect   [##########] good"), "the meter\n{screen}");
}

#[test]
#[cfg(target_os = "linux")]
fn every_card_fits_on_40_columns() {
    let bench = Bench::new();
    fs::create_dir_all(bench.path("home/Downloads")).unwrap();
    let lines = "2\n21\n1\n2\n2\n\nback\n1\nerase\n2\n";
    let Some((screen, exit)) = typed_on(40, &bench, "--simulate=B:locked guide --offline", lines) else { return };
    assert!(exit == 0 && screen.contains("Reassemble"), "{screen}");
    // Addresses, commands and paths are not broken.
    let is_whole = |line: &str| line.contains("https://") || line.contains('`') || line.contains('/');
    let long: Vec<_> = screen.lines().filter(|line| line.chars().count() > 40 && !is_whole(line)).collect();
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_wait_for_a_file_is_given_up_with_enter() {
    let bench = Bench::new();
    fs::create_dir_all(bench.path("home/Downloads")).unwrap();
    let lines = "2\n21\n1\n2\n2\n\n\n\n3\n\x04";
    let Some((screen, exit)) = typed(&bench, "--simulate guide --offline", lines) else { return };
    assert_eq!(exit, 0, "{screen}");
    assert!(screen.matches("Which firmware?").count() == 2 && screen.contains("Nothing was changed."), "{screen}");
}

#[test]
#[cfg(target_os = "linux")]
fn the_simulated_board_is_one_of_the_scooter_that_was_chosen() {
    let bench = Bench::new();
    let place = Target::all().iter().position(|target| target.name == "es2").unwrap() + 1;
    let lines = format!("1\n2\n{place}\n1\nno\n");
    let Some((screen, _)) = typed(&bench, "--simulate=B:locked guide --offline", &lines) else { return };
    assert!(screen.contains("N2GSD1234C5678"), "{screen}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_flashed_board_ends_with_what_to_do_now() {
    let bench = Bench::new();
    let Some((screen, exit)) = typed(&bench, "--simulate=B:locked flash pro --erase-all --backup b.json", "") else {
        return;
    };
    assert_eq!(exit, 0, "{screen}");
    let words = ["backup", "b.json", "What to do now", "Reassemble", "off the ground", "On the bench, errors 10"];
    let places: Vec<_> = words.map(|words| screen.find(words)).into();
    assert!(places.iter().all(Option::is_some), "{places:?}\n{screen}");
    assert!(!screen.contains("safety:"), "a simulated board needs no care\n{screen}");
    // Scripts get the report alone.
    let report = bench.m365("--simulate=B flash pro --no-backup").print();
    assert!(!report.contains("What to do now"), "{report}");
}

#[test]
#[cfg(target_os = "linux")]
fn whoever_does_not_agree_is_told_that_this_is_why_nothing_happens() {
    let bench = Bench::new();
    let Some((screen, exit)) = typed(&bench, "--simulate=B:locked flash pro", "no\n") else { return };
    assert_eq!(exit, 3, "{screen}");
    assert!(screen.contains("`erase` was not typed: the board stays as it is"), "{screen}");
}

#[test]
#[cfg(target_os = "linux")]
fn safety_is_shown_in_three_lines_before_the_first_contact_of_the_day() {
    let bench = Bench::new();
    fs::write(bench.path("boot.bin"), BOOT).unwrap();
    fs::write(bench.path("drv.bin"), APP_64).unwrap();
    let flash = "flash pro --boot boot.bin --drv drv.bin --no-backup --probe usb:99-99";
    let Some((first, _)) = typed(&bench, flash, "") else { return };
    assert_eq!(first.matches("safety: ").count(), 3, "{first}");
    let (second, _) = typed(&bench, flash, "").unwrap();
    assert_eq!(second.matches("safety: ").count(), 0, "{second}");
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
        "Hold the wires\n",
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
#[cfg(target_os = "linux")]
fn ctrl_c_at_any_card_says_that_nothing_was_changed() {
    let bench = Bench::new();
    let cards = [
        ("", "Type a number from 1 to 4"),
        ("1\n", "Before a wire touches the board"),
        ("1\n2\n", "Which scooter is it?"),
        ("1\n2\n2\n", "Which firmware?"),
        ("1\n2\n2\n1\n", "Type `erase` to continue"),
    ];
    for (lines, card) in cards {
        let Some(mut person) = Person::at(&bench, "--simulate=B:locked guide --offline") else { return };
        person.types(lines);
        person.sees(card);
        person.types("\u{3}");
        person.sees("exit 130");
        let (screen, exit) = person.leaves();
        assert_eq!(exit, 130, "{screen}");
        assert!(screen.contains("stopped; nothing was changed") && !screen.contains("error:"), "{screen}");
    }
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
