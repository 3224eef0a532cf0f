//! Runs the parsers on every file that the fuzzer has kept in `tests/fuzz/corpus`, without a fuzzer.

#[expect(unreachable_pub, reason = "the fuzzing crate exports them")]
#[path = "fuzz/src/targets.rs"]
mod targets;

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

type Target = fn(&[u8]);

/// Each fuzz target with the name of its corpus folder.
const TARGETS: [(&str, Target); 10] = [
    ("zip", targets::zip),
    ("info_json", targets::info_json),
    ("info_txt", targets::info_txt),
    ("hex", targets::hex),
    ("gates", targets::gates_of_code),
    ("scooter", targets::scooter),
    ("saved_board", targets::saved_board),
    ("backup", targets::backup),
    ("dump", targets::dump),
    ("serial", targets::serial),
];

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz")
}

fn names(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(fuzz().join(folder)).expect("a folder");
    let name = |entry: fs::DirEntry| Some(Path::new(&entry.file_name()).file_stem()?.to_str()?.to_owned());
    let mut names: Vec<_> = entries.filter_map(|entry| name(entry.expect("an entry"))).collect();
    names.sort();
    names
}

#[test]
fn every_fuzz_target_has_a_corpus() {
    let mut targets = TARGETS.map(|(name, _)| name.to_owned()).to_vec();
    targets.sort();
    assert_eq!(targets, names("corpus"));
    assert_eq!(targets, names("fuzz_targets"));
}

#[test]
fn no_file_in_the_corpus_breaks_a_parser() {
    for (name, target) in TARGETS {
        let files = fs::read_dir(fuzz().join("corpus").join(name)).expect("a corpus");
        let mut count = 0;
        for file in files.map(|entry| entry.expect("an entry").path()) {
            let bytes = fs::read(&file).expect("a file");
            let began = Instant::now();
            target(&bytes);
            // The fuzzer allows one second; a busy machine and an unoptimised build get more.
            assert!(began.elapsed() < Duration::from_secs(10), "{} takes too long", file.display());
            count += 1;
        }
        assert!(count > 0, "{name} has an empty corpus");
    }
}
