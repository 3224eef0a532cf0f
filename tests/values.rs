//! Typed values as people type them, and what is said about wrong ones.

use crate::bench::Bench;

/// The lines after an error about data.
fn data_error(message: &str, command: &str) -> String {
    format!("error: {message}\nnext: m365-drv {command} --help\nexit 9: `m365-drv explain data` tells more\n")
}

#[test]
fn values_are_read_as_people_type_them() {
    let bench = Bench::new();
    let uid = "0x670ff34 0x3437584e 0x43244613";
    let trial = bench.m365("data new -o a.bin --serial").args([" 21886-00012345", "--km", "1234,5 km", "--uid", uid]);
    let lines = trial.json();
    let report = lines.report();
    assert_eq!((&report["serial"], &report["mileage_m"]), (&"21886/00012345".into(), &1_234_500.into()));
    assert_eq!(report["uid"], "0670ff34-3437584e-43244613");

    let trial = bench.m365("data edit a.bin -o b.bin --uid 48ff6e065266545535392587 --km 12km");
    let lines = trial.json();
    assert_eq!(
        (&lines.report()["uid"], &lines.report()["mileage_m"]),
        (&"48ff6e06-52665455-35392587".into(), &12_000.into())
    );
}

#[test]
fn values_for_a_board_are_read_as_people_type_them() {
    let bench = Bench::new();
    let line = "--simulate=bricked flash --erase-all --no-run --km 1234.5 --serial 21886-00012345";
    let lines = bench.m365(line).args(["M365 Pro"]).json();
    assert_eq!((&lines.report()["scooter"], &lines.report()["mileage_m"]), (&"pro".into(), &1_234_500.into()));
    assert_eq!(lines.report()["serial"], "21886/00012345");
}

#[test]
fn a_wrong_value_is_answered_with_the_form_an_example_and_the_place() {
    let bench = Bench::new();
    let serial = "invalid serial \"21886-0001234\": needs 5 digits, \"/\", 8 digits (for example 21886/00012345); \
                  7 digits after the \"/\"";
    bench.m365("flash pro --serial 21886-0001234").exit(9).json();
    let lines = bench.m365("verify pro --serial 21886-0001234").exit(9).json();
    assert_eq!(lines.message(), serial);

    let km = data_error(
        "invalid mileage \"12mi\": needs kilometres with at most 3 decimals (for example 1234 or 1234.5); \"mi\" at \
         position 3 is not km",
        "data new",
    );
    bench.m365("data new --serial 21886/00012345 --km 12mi -o a").exit(9).stderr(&km).check();
    let km = data_error("ambiguous mileage \"1.234\": type 1234 for 1234 km, or 1.23 for 1.23 km", "data new");
    bench.m365("data new --serial 21886/00012345 --km 1.234 -o a").exit(9).stderr(&km).check();
    let uid = data_error(
        "invalid UID \"48ff6e06-52665455\": needs 3 words of 8 hex digits (for example 48ff6e06-52665455-35392587); it \
         has 2 words",
        "data new",
    );
    bench.m365("data new --serial 21886/00012345 --uid 48ff6e06-52665455 -o a").exit(9).stderr(&uid).check();
    assert!(bench.files().is_empty());

    let usage = |message: &str| format!("error: {message}\n\nUsage: [..]\n\nFor more information, try '--help'.\n");
    for (line, message) in [
        (
            "info --speed 4MHz",
            "invalid speed \"4MHz\": needs a whole number of kHz from 1 to 50000 (for example 1000); \"MHz\" at position 2 \
             is not kHz",
        ),
        (
            "info --wait=5parsecs",
            "invalid duration \"5parsecs\": needs a whole number and ms, s, m or h (for example 30s); \"parsecs\" at \
             position 2 is not ms, s, m or h",
        ),
        (
            "info --probe 066",
            "invalid probe \"066\": expected VID:PID, VID:PID:SERIAL, a serial number or at least its first 4 characters, \
             usb:BUS-PORT or #N (for example 0483:3748); it is too short for a serial number",
        ),
        ("flash por", "unknown scooter \"por\": choose one of m365, pro, 1s, pro2, lite, mi3, es2"),
        ("flash max", "scooter \"max\" is not supported"),
    ] {
        bench.m365(line).exit(2).stderr(&usage(message)).check();
    }
    let lines = bench.m365("--simulate info --probe usb:99-99").exit(4).json();
    assert_eq!(lines.message(), "no attached probe matches --probe \"usb:99-99\"");
    let lines = bench.m365("info").env("M365_DRV_PROBE", "06").exit(2).json();
    assert!(lines.message().starts_with("environment variable M365_DRV_PROBE: invalid probe \"06\": "));
}

#[test]
fn a_wrong_gate_is_answered_with_the_list_of_gates() {
    let lines = Bench::new().m365("flash pro --force all").exit(2).json();
    assert_eq!(lines.message(), "invalid value 'all' for '--force <GATE>'");
    let causes = lines.result()["error"]["causes"].to_string();
    assert!(causes.contains("[possible values: ") && causes.contains("scooter") && !causes.contains("tip"), "{causes}");
}

#[test]
fn a_mistyped_scenario_makes_no_folder() {
    let bench = Bench::new();
    let stderr = "error: unknown scenario or folder \"lockde\": scenarios are new, locked, [..]; for a new folder write \
                  ./lockde or lockde:SCENARIO\n\nUsage: m365-drv info [OPTIONS]\n\nFor more information, try '--help'.\n";
    bench.m365("info --simulate=lockde").exit(2).stderr(stderr).check();
    assert!(bench.files().is_empty());
    bench.m365("--simulate=./lockde info").json();
    assert_eq!(bench.files(), ["lockde"]);
    bench.m365("--simulate=lockde info").json();
}
