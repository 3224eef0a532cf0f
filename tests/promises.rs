//! Every promise has a test: `tests/data/promises.yaml` says which.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Promises {
    promises: Vec<Promise>,
    rows: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Promise {
    promise: String,
    tests: Vec<String>,
}

/// A row of a table in README.md, which promises something too.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    row: String,
    tests: Vec<String>,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn promises() -> Promises {
    let text = fs::read_to_string(root().join("tests/data/promises.yaml")).expect("the list of promises");
    yaml_serde::from_str(&text).expect("promises and their tests")
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let files = files.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    files.chain(folders.iter().flat_map(|folder| sources(folder))).collect()
}

/// The names of all functions behind `#[test]`, and of those in tests/flash.rs that the tests on a real board share.
fn tests() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for path in [root().join("src"), root().join("tests")].iter().flat_map(|folder| sources(folder)) {
        let text = fs::read_to_string(&path).expect("a source file");
        let is_shared = path.ends_with("tests/flash.rs");
        let mut is_test = false;
        for line in text.lines().map(str::trim_start) {
            let name = line.strip_prefix("pub(crate) ").unwrap_or(line).strip_prefix("fn ");
            match name.and_then(|name| name.split_once('(')) {
                Some((name, _)) => {
                    if is_test || is_shared && line.starts_with("pub(crate)") {
                        names.insert(name.to_owned());
                    }
                    is_test = false;
                }
                None if line.starts_with("#[test]") => is_test = true,
                None => {}
            }
        }
    }
    names
}

#[test]
fn every_promise_has_a_test() {
    let Promises { promises, rows } = promises();
    let known = tests();
    assert!(known.contains("every_promise_has_a_test"));
    let mut wrong = Vec::new();
    let listed = promises.into_iter().map(|Promise { promise, tests }| (promise, tests));
    for (what, tests) in listed.chain(rows.into_iter().map(|Row { row, tests }| (row, tests))) {
        if tests.is_empty() {
            wrong.push(format!("\"{what}\" has no test"));
        }
        wrong.extend(tests.iter().filter(|test| !known.contains(*test)).map(|test| format!("no test is named {test}")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_row_of_the_readme_has_a_test() {
    let Promises { rows, .. } = promises();
    let readme = fs::read_to_string(root().join("README.md")).expect("the readme");
    let lines: Vec<_> = readme.lines().collect();
    let is_heading = |at: usize| lines.get(at + 1).is_some_and(|next| next.starts_with("|---"));
    let table_rows = (0..lines.len()).filter(|at| lines[*at].starts_with("| ") && !is_heading(*at));
    let first_cells: Vec<_> = table_rows.map(|at| lines[at].trim_start_matches("| ").split(" | ").next()).collect();
    assert!(first_cells.len() >= rows.len());
    for cell in first_cells.into_iter().flatten() {
        // A number has to be the whole cell.
        let stands_for =
            |row: &str| cell == row || !row.starts_with(|c: char| c.is_ascii_digit()) && cell.starts_with(row);
        assert!(rows.iter().any(|Row { row, .. }| stands_for(row)), "README.md promises {cell}, and no test is named");
    }
    for Row { row, .. } in &rows {
        assert!(readme.contains(&format!("| {row}")), "README.md has no row {row}");
    }
}
