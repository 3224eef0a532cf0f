//! What a batch remembers, and what its log keeps after every interruption.

use std::{fs, path::Path};

use super::*;
use crate::{board::BoardState, target::Target};

const A: Uid = Uid([1, 2, 3]);
const B: Uid = Uid([1, 2, 4]);

fn serial(text: &str) -> Serial {
    Target::builtin("pro").unwrap().serial.read(text).unwrap()
}

fn list(text: &str) -> Result<SerialList, ListError> {
    SerialList::parse(text.as_bytes(), Target::builtin("pro").unwrap())
}

const TWO: &str = "serial,km\n21886/00000001,10\n21886/00000002,\n";

fn started(uid: Uid, number: Option<&str>) -> Unit {
    Unit { time: "2026-01-01T00:00:00Z".into(), ..Unit::started("pro", uid, number.map(serial), None) }
}

fn ended(uid: Uid, number: &str, result: &str, state: BoardState) -> Unit {
    Unit { result: result.into(), ..started(uid, Some(number)) }.left_as(state)
}

fn batch(earlier: &[Unit]) -> Batch {
    Batch::new("pro", list(TWO).unwrap(), earlier)
}

#[test]
fn a_board_that_the_log_has_as_done_is_not_flashed_again_unless_told_so() {
    let done = ended(A, "21886/00000009", OK, BoardState::Written);
    let mut batch = batch(&[started(A, None), done.clone()]);
    assert_eq!(batch.arrive(A, Again::No), BoardArrival::Done(done));
    assert_eq!(batch.arrive(B, Again::No), BoardArrival::ToDo);
    assert_eq!(batch.arrive(A, Again::Yes), BoardArrival::ToDo);
    assert_eq!(batch.done(), 1);
}

#[test]
fn a_board_that_was_done_as_another_scooter_is_not_done() {
    let other = Unit { scooter: "lite".into(), ..ended(A, "21886/00000009", OK, BoardState::Written) };
    assert_eq!(batch(&[other]).arrive(A, Again::No), BoardArrival::ToDo);
}

#[test]
fn two_boards_with_one_uid_are_not_flashed_side_by_side() {
    let mut batch = batch(&[]);
    assert_eq!(batch.arrive(A, Again::No), BoardArrival::ToDo);
    assert_eq!(batch.arrive(A, Again::Yes), BoardArrival::InWork);
    batch.ended(&ended(A, "21886/00000009", "link-lost", BoardState::Partial));
    assert_eq!(batch.arrive(A, Again::No), BoardArrival::ToDo);
}

#[test]
fn a_serial_number_of_the_list_is_never_given_to_two_boards() {
    let first = list(TWO).unwrap().rows()[0].clone();
    let given = Given { serial: Some(first.serial), mileage: first.mileage };
    let mut begun = batch(&[]);
    assert_eq!(begun.next_listed(A), Some(given));
    begun.give(A, given).unwrap();
    let second = Given { serial: Some(serial("21886/00000002")), mileage: None };
    assert_eq!(begun.next_listed(B), Some(second));
    assert_eq!(begun.give(B, given), Err(SerialTaken { serial: first.serial, uid: A }));
    // After a power failure only the beginning is in the log: the board may hold it.
    let mut after = batch(&[started(A, Some("21886/00000001"))]);
    assert_eq!(after.next_listed(B), Some(second));
    assert_eq!(after.given(A).serial, Some(first.serial));
    assert_eq!(after.unfinished(), [A]);
    // Half written, it may hold it too.
    let half = ended(A, "21886/00000001", "link-lost", BoardState::Partial);
    assert_eq!(batch(&[started(A, Some("21886/00000001")), half]).next_listed(B), Some(second));
    // Unchanged, it does not.
    let refused = ended(A, "21886/00000001", "consent", BoardState::Untouched);
    assert_eq!(batch(&[started(A, Some("21886/00000001")), refused]).next_listed(B), Some(given));
    // What a board had of its own is not given to another.
    after = batch(&[ended(A, "21886/00000001", OK, BoardState::Written)]);
    assert_eq!((after.next_listed(B), after.left_in_list()), (Some(second), 1));
}

#[test]
fn a_row_with_a_uid_is_for_that_board_only() {
    let rows = list(&format!("uid;serial;km\n{A};21886/00000001;1234,5\n;21886/00000002;\n")).unwrap();
    let batch = Batch::new("pro", rows, &[]);
    let given = batch.given(A);
    assert_eq!((given.serial, given.mileage.unwrap().metres()), (Some(serial("21886/00000001")), 1_234_500));
    assert_eq!(batch.given(B), Given::default());
    assert_eq!(batch.next_listed(B).unwrap().serial, Some(serial("21886/00000002")));
    assert_eq!(batch.owner(serial("21886/00000001")), Some(A));
}

#[test]
fn a_wrong_list_is_refused_with_its_line() {
    for (text, words) in [
        ("km\n1\n", "line 1: the list needs a first line with the names of its columns: serial, km, uid"),
        ("serial,name\n", "line 1: unknown column \"name\": the columns are uid, serial, km; only serial is needed"),
        ("serial\n21886/0000000\n", "line 2: invalid serial number \"21886/0000000\": "),
        ("serial\n21886/00000001\n\n21886/00000001\n", "line 4: the serial number 21886/00000001 is in line 2 too"),
        ("serial,km\n21886/00000001,x\n", "line 2: invalid mileage \"x\": "),
        ("serial,km\n,5\n", "line 2: it has no serial number"),
        ("serial,uid\n21886/00000001,12\n", "line 2: invalid UID \"12\": "),
        (
            "serial,uid\n21886/00000001,1 2 3\n21886/00000002,1 2 3\n",
            "line 3: the UID 00000001-00000002-00000003 is in line 2 too",
        ),
    ] {
        let error = list(text).unwrap_err().to_string();
        assert!(error.starts_with(words), "{error}");
    }
    assert_eq!(list("\u{FEFF}Serial\tkm\n\t\n 21886/00000001 \t\n").unwrap().rows().len(), 1);
}

fn open(path: &Path) -> OpenedLog {
    UnitLog::open(path).unwrap()
}

/// A unit with everything that can stand in a line.
fn full() -> Unit {
    Unit {
        mileage: Mileage::from_metres(12_345).ok(),
        firmware: Some("Pro DRV 1.5.5, modified".into()),
        backup: Some("a \"b\", c.json".into()),
        ..ended(A, "21886/00000009", OK, BoardState::Written)
    }
}

/// What the log of a board comes to.
fn is_done(units: &[Unit]) -> bool {
    let mut batch = Batch::new("pro", SerialList::default(), units);
    let counted = batch.done();
    let is_done = matches!(batch.arrive(A, Again::No), BoardArrival::Done(_));
    assert_eq!(counted, usize::from(is_done));
    is_done
}

#[test]
fn a_board_is_done_only_if_nothing_was_done_to_it_afterwards() {
    let ok = ended(A, "21886/00000009", OK, BoardState::Written);
    let failed = |result, board| ended(A, "21886/00000009", result, board);
    let other = Unit { scooter: "lite".into(), ..ok.clone() };
    let begun = started(A, None);
    assert!(is_done(&[begun.clone(), ok.clone()]));
    assert!(!is_done(&[ok.clone(), begun.clone()]), "it was killed in the middle");
    assert!(!is_done(&[ok.clone(), begun.clone(), failed("interrupted", BoardState::Partial)]));
    assert!(!is_done(&[ok.clone(), failed("link-lost", BoardState::Erased)]));
    assert!(!is_done(&[ok.clone(), begun.clone(), other]), "it is another scooter's now");
    for unchanged in ["interrupted", "image", "consent"] {
        assert!(is_done(&[ok.clone(), begun.clone(), failed(unchanged, BoardState::Untouched)]));
    }
    assert!(is_done(&[ok.clone(), begun.clone(), begun.clone(), failed("data", BoardState::Untouched)]));
    assert!(is_done(&[ok.clone(), begun.clone(), failed("link-lost", BoardState::Partial), begun, ok]));
}

#[test]
fn both_kinds_of_log_give_back_what_was_written() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["log.csv", "log.jsonl"] {
        let path = folder.path().join(name);
        let units = [started(A, None), full(), Unit { uid: None, serial: None, ..started(B, None) }];
        let mut log = open(&path).log;
        for unit in &units {
            log.append(unit).unwrap();
        }
        drop(log);
        let opened = open(&path);
        assert_eq!((&opened.units[..], opened.torn), (&units[..], None), "{name}");
    }
    let csv = fs::read_to_string(folder.path().join("log.csv")).unwrap();
    assert!(csv.starts_with("time,uid,serial,km,scooter,firmware,result,board,backup\n"), "{csv}");
    assert!(csv.contains(
        "2026-01-01T00:00:00Z,00000001-00000002-00000003,21886/00000009,12.345,pro,\"Pro DRV 1.5.5, modified\",ok,written,"
    ));
}

#[test]
fn a_log_that_was_cut_anywhere_goes_on_and_no_line_is_merged_with_another() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["log.csv", "log.jsonl"] {
        let whole = folder.path().join(name);
        let mut log = open(&whole).log;
        log.append(&started(A, None)).unwrap();
        log.append(&full()).unwrap();
        drop(log);
        let bytes = fs::read(&whole).unwrap();
        let cut_off = folder.path().join(format!("cut-{name}"));
        for len in (0..=bytes.len()).step_by(7).chain([bytes.len()]) {
            fs::write(&cut_off, &bytes[..len]).unwrap();
            let lines = String::from_utf8_lossy(&bytes[..len]).matches('\n').count();
            let units = if name == "log.csv" { lines.saturating_sub(1) } else { lines };
            let OpenedLog { mut log, units: found, torn } = open(&cut_off);
            assert_eq!(found, [started(A, None), full()][..units], "{name} cut at {len}");
            assert_eq!(torn.is_some(), len > 0 && bytes[len - 1] != b'\n', "{name} cut at {len}");
            log.append(&started(B, None)).unwrap();
            drop(log);
            let again = open(&cut_off);
            assert_eq!((again.units.len(), again.torn), (units + 1, None), "{name} cut at {len}");
            assert_eq!(again.units[units], started(B, None));
        }
    }
}

#[test]
fn a_file_that_is_not_a_log_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in
        [("notes.csv", "a shopping list"), ("table.csv", "a,b\n1,2\n"), ("x.jsonl", "{\"a\":1}\n"), ("y.jsonl", "x")]
    {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        let error = UnitLog::open(&path).unwrap_err();
        assert!(matches!(error, LogError::NotALog { line: 1, .. }), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
    assert!(matches!(UnitLog::open(&folder.path().join("log.txt")), Err(LogError::Extension { .. })));
    assert!(!folder.path().join("log.txt").exists());
}

#[test]
fn two_batches_do_not_share_a_log() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.csv");
    let first = open(&path);
    assert!(matches!(UnitLog::open(&path), Err(LogError::InUse { .. })));
    drop(first);
    open(&path);
}
