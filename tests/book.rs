//! The book in `docs`: its pages are listed, its commands are right, and its tables are those of the program.
//!
//! `SNAPSHOTS=overwrite cargo test --test main book` writes the tables anew.

use std::{
    env,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use m365_drv::{
    block::{REGISTERS, Shape},
    target::{FlashMap, Target},
};
use serde_json::Value;

use crate::bench::Bench;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/src")
}

/// The pages, by the names of their files.
fn pages() -> Vec<(String, String)> {
    let entries = fs::read_dir(folder()).expect("the book");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut pages: Vec<_> = paths.map(|path| (name(&path), fs::read_to_string(path).expect("a page"))).collect();
    pages.sort();
    pages
}

/// The lines of the code blocks of this kind.
fn code(text: &str, kind: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut inside = None;
    for line in text.lines().map(str::trim) {
        match (line.strip_prefix("```"), inside) {
            (Some(opened), None) => inside = Some(opened == kind),
            (Some(_), Some(_)) => inside = None,
            (None, Some(true)) => lines.push(line.to_owned()),
            (None, _) => {}
        }
    }
    lines
}

/// Runs a command of the book in the folder of the bench.
fn run(bench: &Bench, line: &str, more: &[&str]) -> std::process::Output {
    let words = line.strip_prefix("m365-drv ").unwrap_or_else(|| panic!("not a command of the program: {line}"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_m365-drv"));
    command.args(words.split_whitespace()).args(more).current_dir(bench.path("")).env("HOME", bench.path("home"));
    command.env("XDG_DATA_HOME", bench.path("home")).env("XDG_STATE_HOME", bench.path("home"));
    command.env("XDG_CONFIG_HOME", bench.path("home")).output().expect("the program")
}

#[test]
fn the_table_of_contents_has_every_page_once() {
    let pages = pages();
    let (_, contents) = pages.iter().find(|(name, _)| name == "SUMMARY.md").expect("a table of contents");
    for (name, text) in pages.iter().filter(|(name, _)| name != "SUMMARY.md") {
        assert_eq!(contents.matches(&format!("]({name})")).count(), 1, "{name}");
        assert!(text.starts_with("# "), "{name} has no heading");
    }
    assert_eq!(contents.matches("](").count(), pages.len() - 1);
}

#[test]
fn links_between_pages_lead_to_a_page() {
    let pages = pages();
    for (name, text) in &pages {
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = link.split('#').next().unwrap_or_default();
            let is_page = pages.iter().any(|(page, _)| page == file);
            assert!(link.starts_with("https://") || is_page, "{name}: {link}");
        }
    }
}

#[test]
fn the_commands_of_the_book_that_rehearse_run_as_they_stand() {
    let mut count = 0;
    for (name, text) in pages() {
        let bench = Bench::new();
        for line in code(&text, "sh") {
            let output = run(&bench, &line, &["--no-input"]);
            let told = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{name}: {line}: {}\n{told}", output.status);
            count += 1;
        }
    }
    assert!(count >= 25, "{count} commands");
}

#[test]
fn the_commands_of_the_book_that_need_a_board_are_right_as_far_as_they_can_be_read() {
    let bench = Bench::new();
    let mut count = 0;
    for (name, text) in pages() {
        for line in code(&text, "console") {
            let line = line.strip_prefix("$ ").unwrap_or_else(|| panic!("{name}: not a command: {line}"));
            let output = run(&bench, line, &["--help"]);
            assert!(output.status.success(), "{name}: {line}: {}", String::from_utf8_lossy(&output.stderr));
            count += 1;
        }
    }
    assert!(count >= 10, "{count} commands");
}

#[test]
fn the_tables_of_the_book_are_those_of_the_program() {
    let tables = [
        ("commands", commands()),
        ("exit-codes", exit_codes()),
        ("events", events()),
        ("memory-map", memory_map()),
        ("data-block", data_block()),
    ];
    for (table, content) in tables {
        let (begin, pages) = (format!("<!-- generated: {table} -->\n"), pages());
        let (name, text) = pages.iter().find(|(_, text)| text.contains(&begin)).expect("a page with the table");
        let (before, rest) = text.split_once(&begin).expect("its beginning");
        let (old, after) = rest.split_once("<!-- end -->").expect("its end");
        let new = format!("\n{content}\n");
        if env::var("SNAPSHOTS").is_ok_and(|wish| wish == "overwrite") {
            fs::write(folder().join(name), format!("{before}{begin}{new}<!-- end -->{after}")).expect("the page");
        } else {
            assert!(old == new, "{name}: the table {table} is old:\n{old}\n{new}");
        }
    }
}

fn program(arguments: &str) -> String {
    let bench = Bench::new();
    let output = run(&bench, &format!("m365-drv {arguments}"), &[]);
    String::from_utf8(output.stdout).expect("text")
}

/// The report of a command, from its last line.
fn report(arguments: &str) -> Value {
    let last: Value = serde_json::from_str(program(arguments).lines().last().expect("a line")).expect("JSON");
    last["report"].clone()
}

fn commands() -> String {
    let mut table = "| command | what it does |\n|---|---|\n".to_owned();
    let help = program("-h");
    let listed = help.lines().skip_while(|line| !line.starts_with("Commands:")).skip(1);
    let mut rows: Vec<(String, String)> = Vec::new();
    for line in listed.take_while(|line| !line.is_empty()) {
        // The description of a long one goes on in the next line.
        match line.strip_prefix("  ").filter(|line| !line.starts_with(' ')) {
            Some(row) => {
                let (name, about) = row.split_once(' ').expect("a name and a description");
                rows.push((name.into(), about.trim().into()));
            }
            None => rows.last_mut().expect("a row").1.extend([" ", line.trim()]),
        }
    }
    for (name, about) in rows.into_iter().filter(|(name, _)| name != "help") {
        writeln!(table, "| `{name}` | {about} |").unwrap();
    }
    table
}

fn exit_codes() -> String {
    let mut table = "| code | name | meaning |\n|---|---|---|\n".to_owned();
    for row in report("--json explain")["exit_codes"].as_array().expect("the list") {
        let text = |key: &str| row[key].as_str().expect("text").to_owned();
        writeln!(table, "| {} | `{}` | {} |", row["code"], text("name"), text("meaning")).unwrap();
    }
    table
}

/// The kinds of lines, from the schema.
fn events() -> String {
    let schema: Value = serde_json::from_str(include_str!("../src/cli/schema.json")).expect("valid JSON");
    let mut list = String::new();
    for row in schema["oneOf"].as_array().expect("the kinds") {
        let kind = row["$ref"].as_str().and_then(|name| name.rsplit('/').next()).expect("a name");
        let about = schema["$defs"][kind]["description"].as_str();
        writeln!(list, "- `{kind}`{}", about.map_or_else(String::new, |about| format!(": {about}"))).unwrap();
    }
    list
}

fn memory_map() -> String {
    let mut text = String::new();
    for map in FlashMap::all() {
        let scooters: Vec<_> = Target::all().iter().filter(|target| target.map.name == map.name).collect();
        let names: Vec<_> = scooters.iter().map(|target| format!("`{}`", target.name)).collect();
        writeln!(text, "**{} KiB** ({}):\n", map.flash_kib(), names.join(", ")).unwrap();
        writeln!(text, "| what | from | up to | KiB |\n|---|---|---|---|").unwrap();
        let regions = &map.regions;
        let mut rows = vec![
            ("bootloader".to_owned(), regions.boot.clone()),
            ("DRV firmware".to_owned(), regions.drv.clone()),
            ("staging area of an update".to_owned(), regions.staging.clone()),
            ("data block".to_owned(), regions.data.clone()),
            ("update record of the bootloader".to_owned(), regions.update.clone()),
            ("SRAM".to_owned(), map.sram.clone()),
        ];
        for target in &scooters {
            let copies = target.block.copies.iter().map(|copy| *copy..*copy + map.page);
            rows.extend(copies.map(|copy| (format!("copy of the data block (`{}` only)", target.name), copy)));
        }
        rows.sort_by_key(|(_, range)| range.start);
        for (what, range) in rows {
            let kib = f64::from(range.end - range.start) / 1024.0;
            writeln!(text, "| {what} | `{:#010x}` | `{:#010x}` | {kib} |", range.start, range.end).unwrap();
        }
        text.push('\n');
    }
    text.trim_end().to_owned() + "\n"
}

fn data_block() -> String {
    let mut table = "| register | bytes | kind | unit | meaning | scooters |\n|---|---|---|---|---|---|\n".to_owned();
    for row in REGISTERS {
        let families = if row.families.len() == 3 {
            "all".to_owned()
        } else {
            row.families.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        };
        let kind = match row.shape {
            Shape::U16 => "unsigned, 16 bits".to_owned(),
            Shape::S16 => "signed, 16 bits".to_owned(),
            Shape::U32 => "unsigned, 32 bits".to_owned(),
            Shape::Text(length) => format!("text, {length} characters"),
            Shape::Uid => "UID, 96 bits".to_owned(),
        };
        let bytes = row.range();
        writeln!(
            table,
            "| `0x{:02X}` | {} to {} | {kind} | {} | {} | {families} |",
            row.number,
            bytes.start,
            bytes.end - 1,
            row.unit,
            row.meaning
        )
        .unwrap();
    }
    table
}
