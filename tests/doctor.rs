//! `doctor` names what is wrong, from the probe to the running firmware, and changes nothing.

use std::{io, sync::Arc};

use m365_drv::{
    block::Uid,
    board::{Finding, Probes},
    clock::SystemClock,
    ops::{CheckName, Checkup, Detail, State, doctor},
    sim::{Scenario, SimBoard, WireContact},
};
use probe_rs::probe::{
    DebugProbeError, DebugProbeInfo, DebugProbeSelector, Probe, ProbeCreationError,
    list::{Accessibility, ProbeListItem, ProbeLister},
    stlink::{StLinkFactory, StlinkError},
};
use serde_json::Value;

use crate::{
    bench::{Bench, Lines},
    setup::Setup,
};

/// The names of the checks that ended like this.
fn names(lines: &Lines, state: &str) -> Vec<String> {
    let checks = lines.report()["checks"].as_array().expect("checks").iter();
    checks.filter(|check| check["state"] == state).map(|check| check["name"].as_str().unwrap().to_owned()).collect()
}

/// What a check has found.
fn found(lines: &Lines, name: &str) -> String {
    let mut checks = lines.report()["checks"].as_array().expect("checks").iter();
    checks.find(|check| check["name"] == name).expect("the check")["found"].as_str().unwrap().to_owned()
}

#[test]
fn each_board_has_its_own_failed_checks_and_the_first_gives_the_exit_code() {
    for (scenario, exit, failed) in [
        ("open", 0, &[][..]),
        ("locked", 0, &[]),
        ("wrp", 0, &[]),
        ("gd32f103", 0, &[]),
        ("gd32e103", 0, &[]),
        ("new", 8, &["bootloader", "drv", "data-block", "application"]),
        ("half-flashed", 8, &["drv", "serial", "block-uid", "scooter-error"]),
        ("bricked", 12, &["application"]),
        ("at32", 7, &["chip"]),
        ("m0", 7, &["chip"]),
        ("ble", 7, &["chip"]),
        ("absent", 6, &["debug-port"]),
    ] {
        let lines = Bench::new().m365(&format!("--simulate={scenario} doctor")).exit(exit).json();
        assert_eq!(names(&lines, "fail"), failed, "{scenario}");
        let report = lines.report();
        let checks = report["checks"].as_array().unwrap();
        assert!(checks.len() >= 16);
        // What failed or was warned of has a fix, and nothing else has.
        for check in checks {
            let needs_fix = check["state"] == "fail" || check["state"] == "warn";
            assert_eq!(check["fix"].is_string(), needs_fix, "{scenario}: {check}");
        }
        let sum: u64 =
            ["passed", "warned", "failed", "not_tried"].iter().map(|key| report[key].as_u64().unwrap()).sum();
        assert_eq!(sum, checks.len() as u64);
        assert_eq!(lines.result()["board"], "untouched");
    }
}

#[test]
fn the_causes_are_named() {
    let of = |scenario: &str, exit, name: &str| {
        found(&Bench::new().m365(&format!("--simulate={scenario} doctor")).exit(exit).json(), name)
    };
    assert_eq!(of("ble", 7, "chip"), "this is the nRF51 of the dashboard, not the motor controller");
    assert_eq!(of("ble", 7, "core"), "Cortex-M0 r0p0");
    assert_eq!(of("half-flashed", 8, "drv"), "rehearsal DRV, incomplete (8 of 16 KiB)");
    assert_eq!(of("bricked", 12, "application"), "no sign of running firmware");
    assert_eq!(
        of("locked", 0, "protection"),
        "read-protected (normal: the firmware sets it); unlocking erases the chip"
    );
    assert_eq!(of("locked", 0, "scooter-error"), "firmware 9.9.9 shows no error");
    assert_eq!(of("gd32e103", 0, "chip"), "GD32E103");
    assert_eq!(of("wrp", 0, "write-protection"), "8 pages cannot be written");
    assert_eq!(of("absent", 6, "debug-port"), "no answer in 8 tries");
}

/// The checkup of an open board whose data block was changed.
fn with_block(exit: i32, change: impl FnOnce(&mut [u8])) -> Lines {
    let bench = Bench::new();
    bench.m365("--simulate=B:open info").json();
    let mut flash = bench.read("B/flash.bin");
    change(&mut flash[0xF800..0xFA00]);
    bench.write("B/flash.bin", flash);
    let lines = bench.m365("--simulate=B doctor").exit(exit).json();
    assert_eq!(lines.result()["name"], if exit == 0 { "ok" } else { "data" });
    lines
}

#[test]
fn the_rules_of_the_data_block_predict_errors_27_and_35() {
    let lines = with_block(9, |block| block[0x1B4..0x1C0].fill(7));
    assert_eq!(names(&lines, "fail"), ["block-uid"], "SRAM still has the one that the firmware started with");
    let other = "made for another chip, with UID 07070707-07070707-07070707: the scooter will show error 27";
    assert_eq!(found(&lines, "block-uid"), other);
    let lines = with_block(9, |block| block[0x1B4..0x1C0].fill(0xFF));
    assert_eq!(found(&lines, "block-uid"), "the data block has no UID: the scooter will show error 27");
    let lines = with_block(9, |block| block[0x20..0x2E].copy_from_slice(b"M1GCA1601C0001"));
    assert_eq!(found(&lines, "serial"), "M1GCA1601C0001 is a factory default: the scooter will show error 35");
    let lines = with_block(9, |block| block[0x20..0x2E].copy_from_slice(b"2188600012345A"));
    assert_eq!(names(&lines, "fail"), ["serial"]);
    assert_eq!(found(&lines, "serial"), "2188600012345A does not have the form of a scooter's serial number");
    let hint = lines.result()["error"]["hint"].as_str().unwrap().to_owned();
    assert_eq!(hint, "m365-drv --simulate=B flash pro --serial SERIAL");
    let lines = with_block(9, |block| block[0x20..0x2E].fill(0));
    assert_eq!(found(&lines, "serial"), "no valid serial number in the data block");
    let lines = with_block(9, |block| block[0x20..0x2E].copy_from_slice(b"01GSD1234C5678"));
    assert_eq!(found(&lines, "serial"), "01GSD1234C5678, of a Ninebot Max G2, which is not supported");
}

#[test]
fn the_watchdog_bit_and_damaged_option_bytes_are_warned_of() {
    let bench = Bench::new();
    bench.m365("--simulate=B:open info").json();
    let mut options = bench.read("B/option-bytes.bin");
    (options[2], options[3]) = (0xFE, 0x01);
    bench.write("B/option-bytes.bin", &options);
    // Our own firmware does not feed it.
    let lines = bench.m365("--simulate=B doctor").exit(12).json();
    assert!(names(&lines, "warn").contains(&"watchdog".to_owned()), "{:?}", lines.report());
    assert!(found(&lines, "application").starts_with("it keeps resetting"));
    assert_eq!(lines.result()["error"]["hint"], "m365-drv --simulate=B flash pro --software-watchdog");
    (options[2], options[3], options[4]) = (0xFF, 0, 0);
    bench.write("B/option-bytes.bin", &options);
    let lines = bench.m365("--simulate=B doctor").json();
    assert!(found(&lines, "option-bytes").starts_with("damaged: "));
}

#[test]
fn a_healthy_board_is_told_line_by_line() {
    let bench = Bench::new();
    let expected = "probe             pass: simulated probe, 1209:0001, serial SIM0001
access            pass: the probe can be opened
other programs    pass: no other program uses the probe
probe firmware    pass: accepted; its version is not known
target voltage    pass: 3.2 V
debug port        pass: DPIDR 0x1ba01477
core              pass: Cortex-M3 r1p1
contact           pass: [..] accesses at 4000 kHz
chip              pass: STM32F103
flash size        pass: 64 KiB
uid               pass: 48ff6e06-52665455-35392587
protection        pass: none: flash can be read
write protection  pass: none
option bytes      pass: RDP 0xa5, USER 0xff
watchdog          pass: started by software only
bootloader        pass: rehearsal bootloader
drv               pass: rehearsal DRV
data block        pass: in the board's flash, 2345.6 km
serial            pass: 21886/00012345, of Xiaomi M365 Pro
data block uid    pass: 48ff6e06-52665455-35392587
startup           pass: the firmware is running
scooter error     pass: firmware 9.9.9 shows no error
folders           pass: [..]
images            warning: bootloader or firmware for a Xiaomi M365 Pro is missing
  fix             Fetch what is missing: m365-drv firmware get pro

24 checks: 23 passed, 1 warning, 0 failed, 0 not tried
";
    bench.m365("-q --simulate=open doctor").stdout(expected).check();
}

#[test]
fn checks_that_lack_the_same_stand_in_one_row() {
    let expected = "...
debug port      FAIL: no answer in 8 tries
...
not tried       core, contact, chip, flash size, uid, protection, write protection, option bytes, watchdog, bootloader, drv, data \
                    block, serial, data block uid, startup, scooter error: needs contact with a supported board
...
";
    Bench::new().m365("--simulate=absent doctor").stdout(expected).stderr("...\nexit 6: [..]\n").exit(6).check();
}

#[test]
fn option_bytes_that_the_firmware_has_left_erased_are_not_called_damaged() {
    let (board, setup) = Setup::scenario(Scenario::Locked);
    let mut options = [0xFF; 16];
    (options[0], options[1]) = (0x00, 0xFF);
    board.set_option_bytes(options);
    let checkup = setup.run(doctor).expect("a checkup");
    assert_eq!(state_of(&checkup, CheckName::OptionBytes).0, State::Pass);
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let bench = Bench::new();
    // A file stands where the folder should be, which stops root too.
    bench.write("home", "");
    let lines = bench.m365("--simulate=open doctor").exit(10).json();
    assert_eq!(names(&lines, "fail"), ["folders"]);
    assert!(found(&lines, "folders").starts_with("cannot write to "));
}

#[test]
fn the_board_goes_on_as_it_was_and_nothing_is_written() {
    for scenario in [Scenario::Open, Scenario::Locked, Scenario::New, Scenario::HalfFlashed, Scenario::At32] {
        let (board, setup) = Setup::scenario(scenario);
        let (flash, options, resets) = (board.flash(), board.option_bytes(), board.counts().resets);
        let checkup = setup.run(doctor).expect("a checkup");
        assert!(board.flash() == flash && board.option_bytes() == options, "{scenario}");
        assert!(!board.is_halted(), "{scenario}: {checkup:?}");
        assert_eq!(board.counts().resets, resets, "{scenario}");
        assert!(board.violations().is_empty(), "{scenario}");
    }
}

fn state_of(checkup: &Checkup, name: CheckName) -> (State, Detail) {
    let check = checkup.checks.iter().find(|check| check.name == name).expect("the check");
    (check.state, check.detail.clone())
}

#[test]
fn a_missing_supply_is_a_failure_only_if_no_board_answers() {
    let check = |contact, volts| {
        let (board, setup) = Setup::scenario(Scenario::Open);
        board.set_contact(contact);
        board.set_target_voltage(volts);
        setup.run(doctor).expect("a checkup")
    };
    let voltage = |checkup: &Checkup| state_of(checkup, CheckName::Voltage).0;
    let silent = check(WireContact::Absent, 0.0);
    assert_eq!((voltage(&silent), state_of(&silent, CheckName::DebugPort).0), (State::Fail, State::Fail));
    assert_eq!(silent.first_failure().unwrap().name, CheckName::Voltage);
    assert_eq!(silent.wires, Some(Finding::NoSupply));
    // Not every probe is wired to measure.
    assert_eq!(voltage(&check(WireContact::Firm, 0.0)), State::Warn);
    assert_eq!(voltage(&check(WireContact::Firm, 3.3)), State::Pass);
    assert_eq!(voltage(&check(WireContact::Firm, 5.0)), State::Fail);
}

#[test]
fn running_firmware_says_which_error_it_shows() {
    let (board, setup) = Setup::scenario(Scenario::Open);
    let mut flash = board.flash();
    flash[0xF800 + 0x1B4..0xF800 + 0x1C0].fill(7);
    let board = SimBoard::with_flash(m365_drv::sim::SimChip::Stm32f103, 64, &flash);
    drop(setup);
    let setup = Setup::simulated(&board, "pro");
    let checkup = setup.run(doctor).expect("a checkup");
    assert_eq!(state_of(&checkup, CheckName::BlockUid).1, Detail::BlockOfOtherChip(Uid([0x0707_0707; 3])));
    assert_eq!(state_of(&checkup, CheckName::Application).0, State::Pass, "it runs all the same");
    assert_eq!(checkup.scooter_error, Some(27));
    assert_eq!(state_of(&checkup, CheckName::ScooterError).0, State::Fail);
}

/// An ST-Link that cannot be opened.
#[derive(Debug)]
struct Unusable(Accessibility, fn() -> DebugProbeError);

impl ProbeLister for Unusable {
    fn open(&self, _: &DebugProbeSelector) -> Result<Probe, DebugProbeError> {
        Err(self.1())
    }

    fn list_with_access(&self, _: Option<&DebugProbeSelector>) -> Vec<ProbeListItem> {
        let info = DebugProbeInfo::new("STLink V2", 0x0483, 0x3748, Some("0".into()), &StLinkFactory, None, false);
        vec![ProbeListItem { info, accessibility: self.0 }]
    }
}

#[test]
fn a_probe_that_cannot_be_used_fails_the_check_that_it_is_about() {
    let busy = || ProbeCreationError::Usb(io::ErrorKind::ResourceBusy.into()).into();
    let driver = || ProbeCreationError::Usb(io::ErrorKind::Unsupported.into()).into();
    let old = || StlinkError::ProbeFirmwareOutdated(26).into();
    for (access, open, name, passed) in [
        (Accessibility::PermissionDenied, busy as fn() -> DebugProbeError, CheckName::Access, 1),
        (Accessibility::Accessible, driver, CheckName::Access, 1),
        (Accessibility::Accessible, busy, CheckName::InUse, 2),
        (Accessibility::Accessible, old, CheckName::ProbeFirmware, 3),
    ] {
        let (_, setup) = Setup::scenario(Scenario::Open);
        let probes = move || Probes::new(Box::new(Unusable(access, open)), Arc::new(SystemClock::new()));
        let setup = Setup::new(probes, setup.target, setup.boot.clone(), setup.drv.clone());
        let checkup = setup.run(doctor).expect("a checkup");
        let failed = checkup.first_failure().expect("a failure");
        assert!(matches!(failed.detail, Detail::Problem(_)), "{failed:?}");
        assert_eq!((failed.name, checkup.count(State::Pass), checkup.count(State::Fail)), (name, passed, 1));
        assert_eq!(checkup.checks.len(), 22);
    }
}

#[test]
fn without_a_probe_everything_else_about_the_board_is_not_tried() {
    let lines = Bench::new().m365("--probe usb:99-99 --simulate doctor").exit(4).json();
    assert_eq!(names(&lines, "fail"), ["probe"]);
    assert_eq!(names(&lines, "not-tried").len(), 21);
    assert_eq!(lines.message(), "1 check failed: probe");
    let causes = &lines.result()["error"]["causes"];
    assert_eq!(causes[0], "no attached probe matches --probe \"usb:99-99\"");
}

#[test]
fn a_rehearsal_needs_no_udev_rule() {
    let bench = Bench::new();
    let lines = bench.m365("--simulate doctor --fix");
    if cfg!(target_os = "linux") {
        assert_eq!(lines.json().report()["failed"], Value::from(0));
    } else {
        assert_eq!(lines.exit(2).json().result()["name"], "usage");
    }
}
