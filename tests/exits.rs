//! Exit codes: each that a simulated board or a file can lead to is reached by the program itself. `json()` checks every line
//! against the schema, and that `exit` is the exit code of the process.

use crate::{bench::Bench, tape::usb};

/// What is typed, the exit code that it leads to, and its name.
const REACHED: [(&str, i32, &str); 11] = [
    ("scooters", 0, "ok"),
    ("fly", 2, "usage"),
    ("--simulate=locked --no-input flash pro", 3, "consent"),
    ("--probe usb:99-99 --simulate info", 4, "no-probe"),
    ("--simulate=absent info", 6, "no-contact"),
    ("--simulate=ble info", 7, "wrong-board"),
    ("image show missing.bin", 8, "image"),
    ("data show missing.bin", 9, "data"),
    ("backups show x", 10, "backup"),
    ("--simulate=open verify pro --km 5", 12, "verify"),
    ("--simulate=locked verify pro", 14, "locked"),
];

/// Recordings of runs over USB, with the exit code that each leads to.
const RECORDED: [(&str, i32, &str); 2] =
    [("old-probe-firmware.tape", 5, "probe-access"), ("unplugged.tape", 13, "link-lost")];

/// It ends so again: the same command does not help.
#[test]
fn a_worn_out_page_ends_with_its_own_exit_code_and_an_honest_board() {
    let bench = Bench::new();
    bench.m365("--simulate=B:new reset").print();
    let mut board = String::from_utf8(bench.read("B/board.yaml")).expect("text");
    board += "no_program: [4]\n";
    bench.write("B/board.yaml", board);
    let line = "--simulate=B flash pro --serial 21886/00012345 --km 1";
    for _ in 0..2 {
        let lines = bench.m365(line).exit(11).json();
        let result = lines.result();
        assert_eq!((&result["name"], &result["board"]), (&"flash".into(), &"partial".into()));
        assert!(lines.message().starts_with("page 4 at 0x08001000 is worn out: "), "{}", lines.message());
    }
    let kept = String::from_utf8(bench.read("B/board.yaml")).expect("text");
    assert!(kept.contains("no_program:\n- 4\n"), "{kept}");
}

#[test]
fn every_exit_code_that_needs_no_broken_hardware_is_reached() {
    let typed = REACHED.map(|(line, exit, name)| (Bench::new(), line.to_owned(), exit, name));
    let recorded = RECORDED.map(|(file, exit, name)| {
        let bench = Bench::new();
        let line = usb(&bench, file);
        (bench, line, exit, name)
    });
    for (bench, line, exit, name) in typed.into_iter().chain(recorded) {
        let lines = bench.m365(&line).exit(exit).json();
        let result = lines.result();
        assert_eq!((&result["name"], &result["board"]), (&name.into(), &"untouched".into()), "{line}");
        // The command, the explanation and the contract agree.
        let page = Bench::new().m365(&format!("explain {name}")).json();
        assert_eq!(page.report()["code"], exit, "{name}");
    }
}
