//! Tests on a real board: the shared test bodies of `flash`, over a real probe.
//!
//! `M365_DRV_PROBE=… cargo test --test main hardware -- --ignored --test-threads=1 --nocapture`
//!
//! **These tests erase everything on the board.** Environment variables:
//!
//! | variable | meaning |
//! |---|---|
//! | `M365_DRV_PROBE` | the probe, as `--probe` takes it |
//! | `M365_DRV_SCOOTER` | the scooter of the board; `pro` if not set |
//! | `M365_DRV_BOOT`, `M365_DRV_DRV` | firmware files; those in `firmware/rehearsal` if not set |
//! | `M365_DRV_CYCLES` | how many times the board is locked and flashed; 3 if not set |
//! | `M365_DRV_RELAY` | a command that briefly cuts the board's power, if the rig has a relay |

use std::{
    env,
    path::Path,
    process::Command,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use m365_drv::{
    block::{Mileage, Serial},
    board::Probes,
    image::Image,
    ops::{self, FlashReport},
    sim::{self, Scenario},
};

use crate::{
    flash,
    setup::{Setup, image, target},
};

/// There is only one board, so tests take turns even without `--test-threads=1`.
static WIRES: Mutex<()> = Mutex::new(());

fn with_board(test: impl FnOnce(&Setup)) {
    let _wires = WIRES.lock().unwrap_or_else(PoisonError::into_inner);
    let selector = env::var("M365_DRV_PROBE").expect("M365_DRV_PROBE names the probe");
    let target = target(&env::var("M365_DRV_SCOOTER").unwrap_or_else(|_| "pro".into()));
    let app = sim::application(target);
    let firmware = |variable: &str, ours: &[u8]| match env::var_os(variable) {
        Some(path) => Image::open(Path::new(&path)).expect("a firmware file"),
        None => image(ours),
    };
    let (boot, drv) = (firmware("M365_DRV_BOOT", sim::BOOT), firmware("M365_DRV_DRV", app));
    let mut setup = Setup::new(Probes::usb, target, boot, drv);
    setup.connect.selector = Some(selector.parse().expect("a probe selector"));
    test(&setup);
}

/// Briefly cuts the board's power.
type Relay = dyn Fn() + Sync;

/// The rig's relay, if it has one.
fn relay() -> Option<Box<Relay>> {
    let command = env::var_os("M365_DRV_RELAY")?;
    let (shell, flag) = if cfg!(windows) { ("cmd", "/C") } else { ("sh", "-c") };
    Some(Box::new(move || {
        let status = Command::new(shell).arg(flag).arg(&command).status().expect("the relay's command");
        assert!(status.success(), "the relay's command ended with {status}");
    }))
}

/// The serial number and mileage in a report.
fn identity(report: &FlashReport) -> (Serial, Mileage) {
    (report.planned.serial, report.planned.mileage_m)
}

#[test]
#[ignore = "needs a board, which it erases"]
fn a_board_gets_exactly_the_images_and_the_block() {
    with_board(|setup| {
        flash::programs_exactly_the_images_and_the_block(setup);
        flash::a_finished_board_is_left_alone(setup);
        flash::one_changed_page_is_one_erase(setup);
        flash::programs_exactly_the_images_and_the_block(setup);
    });
}

#[test]
#[ignore = "needs a board, which it erases"]
fn a_preview_and_refusals_leave_a_board_unchanged() {
    with_board(|setup| {
        flash::programs_exactly_the_images_and_the_block(setup);
        flash::a_preview_changes_nothing(setup);
        flash::wrong_images_are_refused_each_for_its_own_reason(setup);
    });
}

#[test]
#[ignore = "needs a board, which it erases"]
fn a_locked_board_is_not_erased() {
    with_board(|setup| {
        flash::programs_exactly_the_images_and_the_block(setup);
        setup.lock().expect("the board can be locked");
        flash::a_locked_board_is_not_erased_without_consent(setup);
        flash::programs_exactly_the_images_and_the_block(setup);
    });
}

#[test]
#[ignore = "needs a board, which it erases"]
fn repeated_lock_flash_and_verify_loses_nothing() {
    let cycles = env::var("M365_DRV_CYCLES").map_or(3, |text| text.parse().expect("M365_DRV_CYCLES is a number"));
    with_board(|setup| cycle(setup, cycles, relay().as_deref()));
}

#[test]
fn the_cycles_work_on_the_simulated_board() {
    let (_, setup) = Setup::scenario(Scenario::Locked);
    cycle(&setup, 3, None);
}

/// Repeats lock, flash, verify and run. With a relay, cuts the power during every second run.
fn cycle(setup: &Setup, cycles: u32, relay: Option<&Relay>) {
    let began = Instant::now();
    let first = flash::programs_exactly_the_images_and_the_block(setup);
    let (mut cuts, mut recovered, mut false_successes) = (0, 0, 0);
    for cycle in 1..=cycles {
        setup.run(ops::reset).expect("the board can be reset");
        thread::sleep(START_UP);
        setup.lock().expect("the board can be locked");
        if let Some(cut) = relay {
            // The application of a protected chip starts only at power-on.
            cut();
            thread::sleep(START_UP);
        }
        let request = setup.request();
        let result = match relay {
            Some(cut) if cycle % 2 == 0 => {
                cuts += 1;
                // At a different point each time.
                let took = Duration::from_millis(first.took_ms.max(1));
                with_power_cut(cut, took * (cycle * 37 % 100) / 100, || setup.flash(&request))
            }
            _ => setup.flash(&request),
        };
        let is_right = |report: &FlashReport| {
            identity(report) == identity(&first)
                && setup.run(|job| ops::verify(job, &request.wanted, &request.backups)).is_ok()
        };
        match result {
            Ok(report) => false_successes += u32::from(!is_right(&report)),
            Err(error) => {
                println!("cycle {cycle}: {error}");
                // The same command finishes the job.
                let again = setup.flash(&request);
                let report = again.unwrap_or_else(|error| panic!("cycle {cycle}, run again: {error}"));
                assert!(is_right(&report), "cycle {cycle}, run again: the board is not as planned");
                recovered += 1;
            }
        }
    }
    println!(
        "{cycles} cycles in {:.0} s, power cut in {cuts}, recovered by re-run {recovered}, false successes \
         {false_successes}",
        began.elapsed().as_secs_f32()
    );
    assert_eq!(false_successes, 0);
}

/// Long enough for any firmware to reach its main loop.
const START_UP: Duration = Duration::from_millis(500);

/// Runs `work` and cuts the power after the given time.
fn with_power_cut<T>(cut: &Relay, after: Duration, work: impl FnOnce() -> T) -> T {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(after);
            if !over.load(Ordering::Relaxed) {
                cut();
            }
        });
        let done = work();
        over.store(true, Ordering::Relaxed);
        done
    })
}
