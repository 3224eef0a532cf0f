//! Typed values as people type them, and what is said about wrong ones.

use m365_drv::target::Target;

use crate::bench::Bench;

/// The lines after an error about data.
fn data_error(message: &str, command: &str) -> String {
    format!("error: {message}\nnext: m365-drv {command} --help\nexit 9: see `m365-drv explain data`\n")
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
    let serial = "invalid serial number \"21886-0001234\": needs 5 digits, \"/\", 8 digits (for example 21886/00012345); \
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
    let km = data_error(
        "ambiguous mileage \"1.234\": type 1234 for 1234 km, or use --mileage-m 1234 for 1.234 km",
        "data new",
    );
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
        ("flash por", &format!("unknown scooter \"por\": choose one of {}", scooters())),
        ("flash g2", "scooter \"g2\" is not supported: made with an AT32F415 chip"),
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

/// A value that is refused with the form, an example and the place.
struct Wrong {
    line: &'static str,
    value: &'static str,
    exit: i32,
    form: &'static str,
    example: &'static str,
    place: &'static str,
}

/// The names of all scooters, in their order.
fn scooters() -> String {
    Target::all().iter().map(|target| &*target.name).collect::<Vec<_>>().join(", ")
}

#[test]
fn every_typed_value_is_answered_with_the_form_an_example_and_the_place() {
    let wrong = |line, value, exit, form, example, place| Wrong { line, value, exit, form, example, place };
    let (serial, km, metres, uid) =
        ("needs 5 digits, \"/\", 8 digits", "needs kilometres", "needs whole metres", "needs 3 words of 8 hex digits");
    let scooters: &str = Box::leak(format!("choose one of {}", scooters()).into_boxed_str());
    let all = [
        wrong("flash pro --serial", "21886/0001234b", 9, serial, "21886/00012345", "\"b\" at position 14"),
        wrong("verify es2 --serial", "n2gsd", 9, "needs \"N2\", 12 letters", "N2GSD1234C5678", "it has 5 characters"),
        wrong("data new -o a --serial", "21886/0001234x", 9, serial, "16133/00012345", "\"x\" at position 14"),
        wrong("data edit b.bin -o a --serial", "2188/00012345", 9, serial, "16133/00012345", "4 digits before"),
        wrong("flash pro --km", "12mi", 9, km, "1234.5", "\"mi\" at position 3"),
        wrong("verify pro --mileage-m", "1.5", 9, metres, "1234500", "\".\" at position 2"),
        wrong("data new --serial 21886/00012345 -o a --km", "5..5", 9, km, "1234.5", "\".\" at position 3"),
        wrong("data edit b.bin -o a --mileage-m", "5km", 9, metres, "1234500", "\"km\" at position 2"),
        wrong(
            "data new --serial 21886/00012345 -o a --uid",
            "0x1g 2 3",
            9,
            uid,
            "48ff6e06-52665455-35392587",
            "\"g\" at position 4",
        ),
        wrong("data edit b.bin -o a --uid", "1 2", 9, uid, "48ff6e06-52665455-35392587", "it has 2 words"),
        wrong("info --speed", "4MHz", 2, "needs a whole number of kHz", "1000", "\"MHz\" at position 2"),
        wrong("ui --port", "http", 2, "needs a whole number from 1 to 65535", "8365", "\"http\""),
        wrong("info --probe", "usb:x", 2, "expected VID:PID", "0483:3748", "\"x\" after \"usb:\""),
        wrong("flash", "3", 2, scooters, "mi3", "\"3\""),
        wrong("verify", "por", 2, scooters, "pro", "\"por\""),
        wrong("image check a.bin --scooter", "por", 2, scooters, "pro", "\"por\""),
        wrong("image check a.bin --chip", "stm32", 2, "possible values: ", "stm32f103", "'stm32'"),
        wrong("flash pro --force", "all", 2, "possible values: ", "scooter", "'all'"),
        wrong("info --connect", "reset", 2, "possible values: ", "under-reset", "'reset'"),
        wrong("restore b.json --verify", "fast", 2, "possible values: ", "read", "'fast'"),
        wrong("info --color", "on", 2, "possible values: ", "always", "'on'"),
        wrong("completions", "ksh", 2, "possible values: ", "bash", "'ksh'"),
        wrong("explain", "99", 2, "unknown topic", "", "\"99\""),
        wrong("backups export b.json -o a --as", "zip", 2, "possible values: ", "block", "'zip'"),
        wrong("firmware get pro --mirror", "http://x", 2, "does not begin with https://", "", "\"http://x\""),
        wrong("firmware get pro --offline", "9.9.9", 8, "no firmware 9.9.9 is known", "", "9.9.9"),
    ];
    let bench = Bench::new();
    bench.m365("data new --serial 21886/00012345 -o b.bin").json();
    for Wrong { line, value, exit, form, example, place } in all {
        let lines = bench.m365(line).args([value]).exit(exit).json();
        let error = &lines.result()["error"];
        let text = format!("{} {}", lines.message(), error["causes"].to_string().replace("\\\"", "\""));
        for part in [value, form, example, place] {
            assert!(text.contains(part), "{line} {value:?} lacks {part:?}: {text}");
        }
    }
    for (option, value, form, example, place) in [
        ("--wait", "5 parsecs", "needs a whole number and ms, s, m or h", "30s", "\"parsecs\" at position 3"),
        ("--simulate", "lockde", "scenarios are new, locked, ", "lockde:SCENARIO", "\"lockde\""),
    ] {
        let lines = bench.m365("info").args([format!("{option}={value}")]).exit(2).json();
        for part in [value, form, example, place] {
            assert!(lines.message().contains(part), "{option} lacks {part:?}: {}", lines.message());
        }
    }
    assert_eq!(bench.files(), ["b.bin"]);
}

#[test]
fn a_uid_that_no_chip_has_is_refused() {
    for uid in ["ffffffff-ffffffff-ffffffff", "0 0 0"] {
        let trial = Bench::new();
        let lines = trial.m365("data new --serial 21886/00012345 -o a --uid").args([uid]).exit(9).json();
        assert!(lines.message().contains("; all bits are "), "{}", lines.message());
    }
}

/// A data block with these characters in place of its serial number.
fn block_with(bench: &Bench, name: &str, serial: &[u8; 14]) {
    bench.m365("data new --serial 21886/00012345 -o whole.bin --km 5").json();
    let mut block = bench.read("whole.bin");
    let at = block.windows(14).position(|bytes| bytes == b"21886/00012345").unwrap();
    block[at..at + 14].copy_from_slice(serial);
    bench.write(name, block);
    std::fs::remove_file(bench.path("whole.bin")).unwrap();
}

#[test]
fn a_factory_default_in_a_data_block_is_called_that() {
    for (scooter, serial) in [("pro", b"M1GCA1601C0001"), ("lite", b"M5GCA1901C0001"), ("es2", b"N2GEA1601C0001")] {
        let bench = Bench::new();
        block_with(&bench, "a.bin", serial);
        let serial = std::str::from_utf8(serial).unwrap();
        let line = format!("--simulate=bricked flash {scooter} --erase-all --no-run --data a.bin");
        let stderr = format!(
            "...\nerror: the serial number in the data block cannot be used\n  cause: serial number \"{serial}\" is a factory \
             default: the scooter would show error 35\nboard: unchanged\nnext: m365-drv {line} --serial SERIAL\nexit 9: [..]\n"
        );
        bench.m365(&line).exit(9).stderr(&stderr).check();
    }
}

#[test]
fn the_serial_of_a_scooter_that_is_not_supported_is_refused_under_its_name() {
    let bench = Bench::new();
    block_with(&bench, "g2.bin", b"01GSD1234C5678");
    let words = "the serial number 01GSD1234C5678 is that of a Ninebot Max G2, which is not supported";
    for (scooter, right) in [("es2", " --serial N2GSD1234C5678"), ("pro", " --serial 21886/00012345")] {
        let typed = format!("--simulate=bricked flash {scooter} --erase-all --dry-run --serial 01gsd1234c5678");
        let error = bench.m365(&typed).exit(9).json().result()["error"].to_string();
        assert!(error.contains(words), "{error}");
        // Another serial in its place does not make the block one of this controller.
        for rest in ["", right] {
            let line = format!("--simulate=bricked flash {scooter} --erase-all --dry-run --data g2.bin{rest}");
            let error = bench.m365(&line).exit(9).json().result()["error"].to_string();
            assert!(error.contains(words), "{line}: {error}");
        }
    }
}

#[test]
fn a_serial_in_a_data_block_is_written_in_the_scooters_form() {
    for (scooter, serial, written) in [
        ("es2", b"n2gea1601c0002", "N2GEA1601C0002"),
        ("pro", b"21886-00012345", "21886/00012345"),
        ("m365", b"m1gca1606a1234", "M1GCA1606A1234"),
    ] {
        let bench = Bench::new();
        block_with(&bench, "a.bin", serial);
        let line = format!("--simulate=B:bricked flash {scooter} --erase-all --no-run --data a.bin");
        assert_eq!(bench.m365(&line).json().report()["serial"], written);
        assert_eq!(bench.m365("--simulate=B info").json().report()["data"]["serial"], written);
    }
}

#[test]
fn a_data_block_as_hex_with_a_record_missing_is_refused() {
    let bench = Bench::new();
    bench.m365("data new --serial 21886/00012345 --km 5 -o block.bin").print();
    let hex = m365_drv::image::intel_hex(0x0800_F800, &bench.read("block.bin"));
    bench.write("whole.hex", &hex);
    bench.m365("data show whole.hex").json();
    let torn: Vec<_> = hex.lines().filter(|line| !line.starts_with(":20F820")).collect();
    bench.write("torn.hex", torn.join("\n"));
    for line in ["data show torn.hex", "--simulate=bricked flash pro --data torn.hex"] {
        let message = bench.m365(line).exit(9).json().message().to_owned();
        assert_eq!(message, "the data block in \"torn.hex\" is incomplete: 32 bytes missing", "{line}");
    }
}
