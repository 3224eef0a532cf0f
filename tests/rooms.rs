//! Checks which modules import which: dependencies point one way, which the compiler does not enforce.

mod circles;
mod paths;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use self::paths::Paths;

/// Each module ("room") and the modules that it may import in addition to [`FOR_EVERYONE`].
const TABLE: [(&str, &[&str]); 11] = [
    ("block", &[]),
    ("image", &["target", "block"]),
    ("target", &["block"]),
    ("page", &[]),
    ("tape", &[]),
    ("board", &["target", "block", "tape"]),
    ("sim", &["target", "block"]),
    ("supply", &["image"]),
    ("batch", &["board", "target", "block"]),
    ("ops", &["image", "board", "target", "block"]),
    ("guide", &["ops", "image", "board", "target", "block"]),
];

const FOR_EVERYONE: [&str; 5] = ["clock", "count", "durable", "printable", "version"];

/// Crates and macros that only the command line may use.
const COMMAND_LINE_ONLY: [&str; 7] = ["anyhow::", "clap::", "indicatif::", "println!", "eprintln!", "print!(", "dbg!("];

/// Maximum length of a file, in lines.
const WALL: usize = 600;

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// All Rust files under a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// Reads all Rust files under a folder of `src`, without comments and without unit tests: those at the end and those in
/// folders of their own.
fn code(folder: &Path) -> Vec<(PathBuf, String)> {
    let is_test = |path: &Path| path.strip_prefix(src()).is_ok_and(|path| path.iter().any(|part| part == "tests"));
    let text = |path: &Path| {
        let text = fs::read_to_string(path).expect("a source file");
        let lines = text.lines().take_while(|line| *line != "#[cfg(test)]");
        lines.map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
    };
    files(folder).into_iter().filter(|path| !is_test(path)).map(|path| (path.clone(), text(&path))).collect()
}

/// The modules of the crate that a file imports, except in its unit tests.
fn imports(path: &Path) -> BTreeSet<String> {
    let paths = Paths::of(&fs::read_to_string(path).expect("a source file")).all;
    paths.into_iter().filter(|path| path[0] == "crate").filter_map(|path| path.into_iter().nth(1)).collect()
}

#[test]
fn each_room_imports_only_what_it_may() {
    for (room, allowed) in TABLE {
        for (path, _) in code(&src().join(room)) {
            for name in imports(&path) {
                let fine = name == room || allowed.contains(&&*name) || FOR_EVERYONE.contains(&&*name);
                assert!(fine, "{} imports {name}", path.display());
            }
        }
    }
}

#[test]
fn only_board_and_the_rooms_beside_it_use_probe_rs() {
    for room in ["block", "image", "target", "ops", "guide", "cli"] {
        for (path, text) in code(&src().join(room)) {
            assert!(!text.contains("probe_rs::"), "{} uses probe_rs", path.display());
        }
    }
}

#[test]
fn only_supply_and_the_page_use_the_network() {
    for (path, text) in code(&src()) {
        let (is_supply, is_page) = (path.starts_with(src().join("supply")), path.starts_with(src().join("page")));
        for name in ["ureq", "rustls", "UdpSocket", "UnixListener"] {
            assert!(is_supply || !text.contains(name), "{} uses {name}", path.display());
        }
        for name in ["axum", "hyper", "tokio", "TcpStream", "TcpListener"] {
            assert!(is_page || !text.contains(name), "{} uses {name}", path.display());
        }
    }
}

#[test]
fn the_library_is_silent() {
    for (room, _) in TABLE {
        for (path, text) in code(&src().join(room)) {
            for word in COMMAND_LINE_ONLY {
                assert!(!text.contains(word), "{} uses {word}", path.display());
            }
        }
    }
}

#[test]
fn every_room_is_in_the_table() {
    let rooms = fs::read_dir(src()).expect("src").map(|entry| entry.expect("an entry").path());
    for room in rooms.filter(|path| path.is_dir()) {
        let name = room.file_name().expect("a name").to_string_lossy().into_owned();
        assert!(name == "cli" || TABLE.iter().any(|(room, _)| *room == name), "{name} is missing from the table");
    }
}

/// The names of the structs, enums and traits that a file defines.
fn types(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| {
        let line = line.trim_start();
        let line = line.strip_prefix("pub").map_or(line, |rest| rest.trim_start_matches(|c| c != ' ').trim_start());
        let (kind, rest) = line.split_once(' ')?;
        let name = rest.split(|c: char| !c.is_alphanumeric()).next()?;
        ["struct", "enum", "trait"].contains(&kind).then_some(name)
    })
}

/// Each of the two has its own: of a probe or a board, and of a procedure.
const NAMES_OF_TWO: [&str; 1] = ["Error"];

#[test]
fn no_type_has_the_name_of_another() {
    let mut places = BTreeMap::<_, Vec<_>>::new();
    for (path, text) in code(&src()) {
        types(&text)
            .filter(|name| !NAMES_OF_TWO.contains(name))
            .for_each(|name| places.entry(name.to_owned()).or_default().push(path.clone()));
    }
    places.retain(|_, paths| paths.len() > 1);
    assert!(places.is_empty(), "{places:#?}");
}

#[test]
fn no_file_is_longer_than_the_wall() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    for folder in [src(), tests] {
        for path in files(&folder) {
            let lines = fs::read_to_string(&path).expect("a source file").lines().count();
            assert!(lines <= WALL, "{} has {lines} lines", path.display());
        }
    }
}
