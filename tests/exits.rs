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
