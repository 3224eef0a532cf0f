//! Firmware that leaves the clock in another state than a reset does. Flash can be changed only while the internal oscillator
//! is on, so the chip is reset before it is written.

use std::time::Duration;

use m365_drv::{
    board::Consent,
    ops::{self, BackupStore, Exit, FlashRequest, Wanted, Watchdog},
    sim::{self, Fault, FaultKind, Scenario, SimBoard, Trigger},
};

use crate::setup::{Setup, image, mileage};

/// Offset of our application's main loop, which is replaced by a branch to [`EXTERNAL`].
const MAIN: usize = 0x168;
const BRANCH: [u16; 2] = [0xF000, 0xBA4A];
const EXTERNAL: usize = 0x600;

/// Changes to the external oscillator, turns the internal one off, and waits.
///
/// ```text
///         ldr     r0, =0x40021000         @ RCC
///         ldr     r1, =0x00010083         @ HSEON, HSION
///         str     r1, [r0]
///         movs    r1, #1                  @ SW = HSE
///         str     r1, [r0, #4]
///         ldr     r1, =0x00010000         @ HSEON
///         str     r1, [r0]
///         b       .
/// ```
const CODE: [u16; 14] =
    [0x4803, 0x4904, 0x6001, 0x2101, 0x6041, 0x4903, 0x6001, 0xE7FE, 0x1000, 0x4002, 0x0083, 0x0001, 0x0000, 0x0001];

fn firmware() -> Vec<u8> {
    let mut drv = sim::APP_64.to_vec();
    for (at, code) in [(MAIN, &BRANCH[..]), (EXTERNAL, &CODE[..])] {
        for (place, half_word) in drv[at..].chunks_exact_mut(2).zip(code) {
            place.copy_from_slice(&half_word.to_le_bytes());
        }
    }
    drv
}

/// A board on which such firmware runs.
fn running(scenario: Scenario) -> (SimBoard, Setup) {
    let (board, mut setup) = Setup::scenario(scenario);
    setup.drv = image(&firmware());
    let mut flash = board.flash();
    flash[0x1000..0x1000 + setup.drv.bytes.len()].copy_from_slice(&setup.drv.bytes);
    board.set_flash(&flash);
    board.power_cycle();
    board.clock().sleep(Duration::from_millis(60));
    (board, setup)
}

fn request(setup: &Setup) -> FlashRequest<'_> {
    setup.request_for(Wanted { mileage: Some(mileage(1234)), ..setup.wanted() })
}

#[test]
fn a_board_whose_firmware_has_turned_the_internal_oscillator_off_is_written_after_a_reset() {
    for scenario in [Scenario::Open, Scenario::Locked] {
        let (board, setup) = running(scenario);
        let report = setup.flash(&request(&setup)).expect("the job");
        assert!(report.verified && report.done.bytes_programmed > 0);
        assert_eq!(board.violations(), [""; 0], "{scenario}");

        let (board, setup) = running(scenario);
        let backups = BackupStore::in_folder(setup.folder.path());
        setup.run(|job| ops::unlock(job, Some(Consent::Erase), &backups, Watchdog::Keep)).expect("an unlock");
        assert_eq!(board.violations(), [""; 0], "{scenario}");

        let (board, setup) = running(scenario);
        setup.lock().expect("a lock");
        assert_eq!(board.violations(), [""; 0], "{scenario}");
    }
}

/// After a moment without power the firmware runs again.
#[test]
fn a_board_whose_power_was_gone_for_a_moment_is_written_after_a_reset() {
    let (board, setup) = running(Scenario::Open);
    let kind = FaultKind::PowerLost { returns_after: Some(Duration::from_millis(300)) };
    // While the data page is written: the firmware is whole.
    let armed = board.inject(Fault { trigger: Trigger::HalfWord(5), kind });
    let report = setup.flash(&request(&setup)).expect("the job");
    assert!(armed.fired() && report.verified && report.reconnects == 1);
    assert_eq!(board.violations(), [""; 0]);
}

#[test]
fn a_clock_that_the_probe_does_not_have_is_passed_over_unless_it_was_asked_for() {
    let end = |speed_khz| {
        let (board, mut setup) = Setup::scenario(Scenario::Absent);
        board.set_slowest_khz(950);
        setup.connect.speed_khz = speed_khz;
        setup.run(ops::info).expect_err("no board").exit()
    };
    assert_eq!(end(None), Exit::NoContact);
    assert_eq!(end(Some(480)), Exit::Usage);
}
