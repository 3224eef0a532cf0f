//! `batch`: board after board, with a log from which it continues after any interruption.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufRead as _, BufReader},
    process::Stdio,
};

use m365_drv::batch::{STARTED, Unit, UnitLog};
use serde_json::Value;

use crate::{
    bench::{Bench, Lines},
    guide::Person,
};

/// A quick hand, so that the tests do not wait for it.
const QUICK: &str = "still_ms: 160\ngap_ms: 5\npatience_ms: 300\n";

/// A bench with these simulated boards.
fn shop(scenarios: &str) -> Bench {
    let bench = Bench::new();
    bench.m365(&format!("--simulate=shop:{scenarios} probes")).json();
    bench.write("shop/hand.yaml", QUICK);
    bench
}

/// The lines of a log.
fn log(bench: &Bench, name: &str) -> Vec<Unit> {
    UnitLog::open(&bench.path(name)).expect("a log").units
}

/// How often each board has each result, by its serial number, its UID or nothing.
fn results(units: &[Unit]) -> BTreeMap<(Option<String>, &str), usize> {
    let mut results = BTreeMap::new();
    for unit in units {
        let name = unit.serial.map(|serial| serial.to_string()).or_else(|| Some(unit.uid?.to_string()));
        *results.entry((name, &*unit.result)).or_default() += 1;
    }
    results
}

fn with_result<'u>(units: &'u [Unit], result: &str) -> Vec<&'u Unit> {
    units.iter().filter(|unit| unit.result == result).collect()
}

const LINE: &str = "--simulate=shop --wait=700ms batch pro --log log.csv --list list.csv --erase-all --backup saved/";

#[test]
fn eight_boards_one_absent_one_flaky_one_of_the_wrong_kind_and_a_kill_in_the_middle() {
    let bench = shop("locked,new,absent,flaky,open,ble,bricked,gd32e103");
    bench.write("list.csv", "serial,km\n21886/00000701,10\n21886/00000702,20,\n21886/00000703,30\n");
    // Killed when the work on the fifth board has begun.
    let mut command = bench.m365(&format!("--json {LINE}")).command();
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the program starts");
    let mut done_before = 0;
    for line in BufReader::new(child.stdout.take().expect("its output")).lines() {
        let line: Value = serde_json::from_str(&line.expect("a line")).expect("JSON");
        done_before += u32::from(line["event"] == "unit" && line["result"] == "ok");
        if done_before == 3 && line["event"] == "unit" && line["state"] == "started" {
            break;
        }
    }
    child.kill().expect("a kill");
    child.wait().expect("its end");
    let before = log(&bench, "log.csv");
    assert_eq!((with_result(&before, "ok").len(), before.last().map(|unit| &*unit.result)), (3, Some(STARTED)));
    let saved = |name: &str| bench.read(format!("shop/{name}/flash.bin"));
    let flashed = ["01-locked", "02-new", "04-flaky"].map(saved);

    let lines = bench.m365(LINE).exit(7).json();
    assert_eq!(lines.message(), "1 of 4 boards failed");
    let report = lines.report();
    assert_eq!((&report["ok"], &report["failed"], &report["already_done"]), (&3.into(), &1.into(), &3.into()));
    assert_eq!((&report["done_in_log"], &report["left_in_list"]), (&6.into(), &1.into()));
    assert_eq!(report["by_result"]["wrong-board"], 1);
    // Nothing was flashed twice, and what was done before the kill was left as it was.
    let units = log(&bench, "log.csv");
    let ok = with_result(&units, "ok");
    assert_eq!(ok.iter().map(|unit| unit.uid.unwrap().0).collect::<BTreeSet<_>>().len(), 6);
    assert_eq!(ok.len(), 6, "{:#?}", results(&units));
    assert_eq!(["01-locked", "02-new", "04-flaky"].map(saved), flashed);
    // Nothing was lost: each board has its own serial number and mileage, or those of the list.
    let data =
        ok.iter().map(|unit| (unit.serial.unwrap().to_string(), unit.mileage.unwrap().metres())).collect::<Vec<_>>();
    let expected = [
        ("21886/00012345", 2_345_678),
        ("21886/00000701", 10_000),
        ("21886/00012348", 2_345_678),
        ("21886/00012349", 2_345_678),
        ("21886/00000702", 20_000),
        ("21886/00012352", 2_345_678),
    ];
    assert_eq!(data, expected.map(|(serial, metres)| (serial.to_owned(), metres)));
    // The dashboard has no UID that is known, and the board that never answered is not in the log.
    let strangers: Vec<_> =
        units.iter().filter(|unit| unit.uid.is_none()).map(|unit| (&*unit.result, unit.is_unchanged())).collect();
    assert_eq!(strangers, [("wrong-board", true)]);
    // What can be saved is saved: all but the new board and the bricked one have something to lose.
    assert!(ok.iter().filter_map(|unit| unit.backup.as_deref()).all(|backup| bench.path(backup).is_file()));
    assert_eq!(lines.all()[0]["command"], "batch");
}

#[test]
fn a_locked_board_without_consent_is_refused_and_logged_and_the_batch_goes_on() {
    let bench = shop("locked,open");
    let line = "--simulate=shop --wait=400ms batch pro --log log.jsonl";
    let lines = bench.m365(line).exit(3).json();
    assert_eq!(lines.message(), "1 of 2 boards failed");
    assert_eq!(lines.result()["error"]["hint"], format!("m365-drv --json {line} --erase-all"));
    let units = log(&bench, "log.jsonl");
    let ends: Vec<_> = units.iter().filter(|unit| unit.result != STARTED).map(|unit| &*unit.result).collect();
    assert_eq!(ends, ["consent", "ok"]);
    assert!(with_result(&units, "consent")[0].is_unchanged());
    // With consent only the board that is left is flashed.
    let lines = bench.m365(&format!("{line} --erase-all")).json();
    assert_eq!((&lines.report()["ok"], &lines.report()["already_done"]), (&1.into(), &1.into()));
}

/// The values of a key in the lines of an event.
fn values(lines: &Lines, event: &str, key: &str) -> BTreeSet<String> {
    lines.events(event).map(|line| line[key].to_string()).collect()
}

#[test]
fn several_probes_work_side_by_side_and_each_line_tells_its_board() {
    let bench = shop("locked,new+locked,open");
    bench.write("list.csv", "serial\n21886/00000701\n");
    let line = "--wait=400ms batch pro --log log.csv --erase-all";
    let lines = bench.m365(&format!("--simulate=shop {line} --list list.csv --all-probes")).exit(9).json();
    // The new board has a serial number from the list and no mileage.
    assert_eq!((&lines.report()["ok"], &lines.report()["by_result"]["data"]), (&3.into(), &1.into()));
    assert_eq!(values(&lines, "unit", "probe"), ["\"SIM0001\"", "\"SIM0002\""].map(String::from).into());
    let events =
        lines.all().iter().filter(|line| !["hello", "result", "warning"].contains(&line["event"].as_str().unwrap()));
    assert!(events.clone().all(|line| line["unit"].as_u64() > Some(0)));
    // The boards of the first probe alone; those of the second are not touched.
    let bench = shop("open+open");
    let lines = bench.m365(&format!("--simulate=shop {line} --probe SIM0001")).json();
    assert_eq!(lines.report()["ok"], 1);
    let several = bench.m365(&format!("--simulate=shop {line} --probe SIM0001 --probe SIM0002")).json();
    assert_eq!((&several.report()["ok"], &several.report()["already_done"]), (&1.into(), &1.into()));
}

#[test]
fn the_same_board_put_back_is_said_and_not_flashed_again_unless_told_so() {
    let bench = shop("open,open");
    let line = "--simulate=shop --wait=400ms batch pro --log log.csv";
    bench.m365(line).json();
    let again = bench.m365(line).json();
    assert_eq!((&again.report()["ok"], &again.report()["already_done"]), (&0.into(), &2.into()));
    assert_eq!(values(&again, "unit", "state"), ["\"skipped\"".to_owned()].into());
    let output = bench.m365(line).command().output().expect("the program starts");
    let screen = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(screen.contains("board 1: already done according to the log (UID 48ff6e06-52665455-35392587, serial number 21886/00012345, rehearsal DRV); add --again to flash it again"), "{screen}");
    let told = bench.m365(&format!("{line} --again")).json();
    assert_eq!((&told.report()["ok"], &told.report()["already_done"]), (&2.into(), &0.into()));
}

#[test]
fn the_next_simulated_board_comes_although_the_probe_looks_for_it_meanwhile() {
    let bench = shop("open,open");
    bench.write("shop/hand.yaml", "gap_ms: 400\n");
    let lines = bench.m365("--simulate=shop --wait=900ms batch pro --log log.csv").json();
    assert_eq!(lines.report()["ok"], 2);
}

#[test]
fn a_batch_is_refused_before_any_board_is_reached() {
    let bench = Bench::new();
    bench.write("other.csv", "a,b\n").write("list.csv", "serial\n12\n");
    for (arguments, exit, words) in [
        ("--log log.txt", 2, "invalid name \"log.txt\" for a log: it must end in .csv or .jsonl"),
        ("--log other.csv", 2, "\"other.csv\" is not the log of a batch: line 1: expected time,uid,serial,km,scooter,"),
        ("--log log.csv --list list.csv", 9, "the list \"list.csv\" cannot be used"),
        ("--log log.csv --backup one.json", 2, "a batch needs a folder for its backups: --backup FOLDER/"),
        ("--log log.csv --probe SIM0009 --probe SIM0001", 4, "no attached probe matches --probe \"SIM0009\""),
        ("--log log.csv --probe SIM0001 --probe SIM0001", 2, "--probe \"SIM0001\" names a probe that is named already"),
    ] {
        let lines = bench.m365(&format!("--simulate=open batch pro {arguments}")).exit(exit).json();
        assert!(lines.message().starts_with(words), "{}", lines.message());
        assert_eq!(lines.result()["board"], "untouched");
    }
    let lines = bench.m365("--simulate=open info --probe SIM0001 --probe SIM0002").exit(2).json();
    assert_eq!(lines.message(), "the argument '--probe <SEL>' can be used only once; `batch` takes several probes");
    assert_eq!(fs::read(bench.path("other.csv")).unwrap(), b"a,b\n");
}

/// Somebody who stops at a question has not failed to flash a board.
#[test]
#[cfg(target_os = "linux")]
fn ctrl_c_at_a_question_ends_the_batch_and_no_board_has_failed() {
    let bench = shop("new");
    let line = "--simulate=shop --wait=3s batch pro --log log.csv --erase-all --boot boot.bin --drv drv.bin";
    bench.write("boot.bin", m365_drv::sim::BOOT).write("drv.bin", m365_drv::sim::APP_64);
    let Some(mut person) = Person::at(&bench, line) else { return };
    person.sees("the serial number is unknown; you may let go of the wires");
    person.sees("or Enter to skip this board:");
    person.types("\u{3}");
    person.sees("exit 130");
    let (screen, exit) = person.leaves();
    assert_eq!(exit, 130, "{screen}");
    let units = log(&bench, "log.csv");
    let ends: Vec<_> = units.iter().filter(|unit| unit.result != STARTED).map(|unit| &*unit.result).collect();
    assert_eq!(ends, ["interrupted"], "{screen}");
    assert!(units.last().expect("a line").is_unchanged());
}
