//! What a file, a folder or a command line says cannot write to the terminal; scripts get it as it is.

use std::{fs, process::Output};

use crate::{
    bench::{Bench, Trial},
    guide::Person,
};

/// Sets the title of a terminal, clears it in two ways, and turns the direction of writing.
const HOSTILE: &str = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}2J\u{202e}";

/// Output without the colours that the program itself uses.
fn without_colours(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';');
        match rest.strip_prefix('m') {
            Some(rest) => plain.push_str(rest),
            None => plain.extend(["\u{1b}[", part]),
        }
    }
    plain
}

#[track_caller]
fn is_harmless(line: &str, output: &Output) {
    let all = [&output.stdout[..], &output.stderr].concat();
    let all = without_colours(&String::from_utf8(all).expect("text"));
    let obeyed = |c: char| c != '\n' && c.is_control() || c == '\u{202e}';
    assert!(!all.contains(obeyed), "{line}: {all:?}");
    let is_shown = all.contains("owned");
    assert!(is_shown || line.contains("restore backup"), "{line} does not show what was said: {all}");
}

/// A board and files that say hostile things, each with the command that reads it.
fn cases(bench: &Bench) -> Vec<(&'static str, Vec<String>)> {
    bench.m365("--simulate=B:open backup whole.json").json();
    let backup = String::from_utf8(bench.read("whole.json")).expect("text");
    let field = serde_json::to_string(HOSTILE).expect("JSON");
    bench.write("backup.json", backup.replacen('{', &format!("{{{field}: 1,"), 1));
    fs::create_dir(bench.path("C")).expect("a folder");
    for file in bench.path("B").read_dir().expect("a folder").map(|entry| entry.expect("a file").path()) {
        if file.is_file() {
            fs::copy(&file, bench.path("C").join(file.file_name().expect("a name"))).expect("a copy");
        }
    }
    let yaml = String::from_utf8(bench.read("B/board.yaml")).expect("text");
    let key =
        HOSTILE.chars().map(|c| if c.is_ascii_graphic() { c.to_string() } else { format!("\\u{:04x}", c as u32) });
    bench.write("C/board.yaml", format!("{yaml}\n\"{}\": 1\n", key.collect::<String>()));
    bench.write("info.json", format!("{{{field}: 1}}"));
    bench.write("block.bin", [0x41; 100]);
    let words = |line: &str| line.split(' ').map(|word| word.replace("HOSTILE", HOSTILE)).collect();
    [
        "--simulate=B restore backup.json",
        "--simulate=C info",
        "image show HOSTILE",
        "data show HOSTILE",
        "--simulate=open flash pro --firmware HOSTILE",
        "--simulate=open flash pro --serial HOSTILE",
        "--simulate=open flash HOSTILE",
        "--simulate=HOSTILE info",
        "--simulate=open --probe HOSTILE info",
        "explain HOSTILE",
        "HOSTILE",
        "info --HOSTILE",
        "--simulate=open restore HOSTILE",
        "--simulate=open backup none/HOSTILE",
    ]
    .map(|line| (line, words(line)))
    .to_vec()
}

fn run<'a>(bench: &'a Bench, words: &[String]) -> Trial<'a> {
    bench.m365("--color always").args(words)
}

#[test]
fn nothing_that_a_file_or_a_folder_says_is_obeyed_by_the_terminal() {
    let bench = Bench::new();
    for (line, words) in cases(&bench) {
        is_harmless(line, &run(&bench, &words).command().output().expect("the program starts"));
    }
}

#[test]
fn scripts_get_a_text_as_it_is() {
    let bench = Bench::new();
    for (line, words) in cases(&bench).into_iter().skip(1).take(1) {
        let output = run(&bench, &words).args(["--json"]).command().output().expect("the program starts");
        let text = String::from_utf8(output.stdout).expect("text");
        let last: serde_json::Value = serde_json::from_str(text.lines().last().expect("a result")).expect("JSON");
        let error = last["error"].to_string();
        let said = serde_json::to_string(HOSTILE).expect("JSON");
        assert!(error.contains(said.trim_matches('"')), "{line}: {error}");
    }
}

/// As the guided job does.
#[test]
#[cfg(target_os = "linux")]
fn flash_asks_for_serial_number_and_mileage_together_and_then_waits_for_the_board() {
    let bench = Bench::new();
    let Some(mut person) = Person::at(&bench, "--simulate=B:bricked flash pro") else { return };
    person.sees("the serial number is unknown; you may let go of the wires");
    person.types("1\n");
    person.sees("invalid serial number \"1\"");
    person.types("21886/00054321\n");
    person.sees("Total mileage in km, or Enter to stop:");
    person.types("77,5\n");
    person.sees("Type `erase` to continue");
    person.types("erase\n");
    let (screen, exit) = person.leaves();
    assert_eq!(exit, 0, "{screen}");
    let shown = bench.m365("--simulate=B info").print();
    assert!(shown.contains("21886/00054321") && shown.contains("77.5 km"), "{shown}");

    let Some(mut person) = Person::at(&bench, "--simulate=C:bricked flash pro") else { return };
    person.sees("Enter to stop:");
    person.types("\n");
    let (screen, exit) = person.leaves();
    assert_eq!(exit, 9, "{screen}");
    assert!(screen.contains("board: unchanged"), "{screen}");

    let Some(mut person) = Person::at(&bench, "--simulate=D:bricked flash pro") else { return };
    person.sees("Enter to stop:");
    person.types("21886/00054321\n77,5\n");
    person.sees("Type `erase` to continue");
    person.types("no\n");
    let (screen, exit) = person.leaves();
    assert_eq!(exit, 3, "{screen}");
    let next = "m365-drv --simulate=D:bricked flash pro --serial 21886/00054321 --mileage-m 77500 --erase-all";
    assert!(screen.contains(next), "what was typed is not lost\n{screen}");
}
