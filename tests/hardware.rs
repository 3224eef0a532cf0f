//! The suite for a real board: `cargo test --test main hardware -- --ignored --test-threads=1`. **It erases the board.**
//!
//! * `M365_DRV_PROBE` names the probe, in any form of `--probe`; without it nothing is touched and every test fails.
//! * `M365_DRV_SCOOTER` is the scooter's name, `pro` where it is not set.
//! * `M365_DRV_BOOT` and `M365_DRV_DRV` are its images; a DRV that protects the chip at its start is fine.
//! * `M365_DRV_CYCLES` is how often the nightly test goes round, 200 where it is not set.
//! * `M365_DRV_RELAY` is a command that takes the board's power away and brings it back; every other cycle then has a cut.
//!
//! The bodies are those of the tests on the simulated board.

use std::{env, path::PathBuf, process::Command, thread, time::Duration};

use m365_drv::{
    board::{ConnectOptions, Method, Probes, Wait},
    image::Image,
    ops::{self, After, FlashRequest},
    target::Target,
};

use crate::{
    flash,
    stand::{Stand, target},
};

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn image(name: &str) -> Image {
    let path = PathBuf::from(variable(name).unwrap_or_else(|| panic!("{name} names no image")));
    Image::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The board on the probe that the environment names.
fn stand() -> Stand {
    let probe = variable("M365_DRV_PROBE").expect("M365_DRV_PROBE names the probe of a board that may be erased");
    let target: &'static Target = target(&variable("M365_DRV_SCOOTER").unwrap_or_else(|| "pro".into()));
    let mut stand = Stand::new(Probes::usb, target, image("M365_DRV_BOOT"), image("M365_DRV_DRV"));
    stand.connect = ConnectOptions {
        selector: Some(probe.parse().expect("a form of --probe")),
        speed_khz: variable("M365_DRV_SPEED").map(|speed| speed.parse().expect("kHz")),
        method: Method::Auto,
        wait: Wait::For(Duration::from_secs(30)),
    };
    stand
}

#[test]
#[ignore = "erases the board on the probe that M365_DRV_PROBE names"]
fn the_board_gets_exactly_the_images_and_the_block() {
    let stand = stand();
    flash::programs_exactly_the_images_and_the_block(&stand);
    flash::a_finished_board_is_left_alone(&stand);
    flash::one_changed_page_is_one_erase(&stand);
    flash::a_preview_changes_nothing(&stand);
    flash::wrong_images_are_refused_each_for_its_own_reason(&stand);
}

#[test]
#[ignore = "erases the board on the probe that M365_DRV_PROBE names"]
fn a_locked_board_is_only_erased_with_consent() {
    let stand = stand();
    flash::programs_exactly_the_images_and_the_block(&stand);
    stand.run(ops::lock).expect("the board can be locked");
    flash::a_locked_board_is_not_erased_without_consent(&stand);
    assert!(flash::programs_exactly_the_images_and_the_block(&stand).mass_erased);
}

/// Lock, flash, run, and every other time a power cut at a moment that moves through the job.
#[test]
#[ignore = "erases the board on the probe that M365_DRV_PROBE names"]
fn night_after_night_no_run_lies() {
    let stand = stand();
    let cycles: u32 = variable("M365_DRV_CYCLES").map_or(200, |cycles| cycles.parse().expect("a number"));
    let relay = variable("M365_DRV_RELAY");
    let (mut recovered, mut false_successes) = (0, 0);
    for cycle in 0..cycles {
        stand.run(ops::lock).expect("the board can be locked");
        let cut = relay.as_deref().filter(|_| cycle % 2 == 1).map(|command| {
            let command = command.to_owned();
            thread::spawn(move || {
                thread::sleep(Duration::from_millis(u64::from(cycle * 37 % 1500)));
                let (shell, flag) = if cfg!(windows) { ("cmd", "/C") } else { ("sh", "-c") };
                Command::new(shell).args([flag, &command]).status().expect("the relay's command").success()
            })
        });
        let first = stand.flash(&stand.request_with_data());
        if let Some(cut) = cut {
            assert!(cut.join().expect("the relay's thread"), "the relay's command failed");
            // A success has to be one; a failure has to be mended by the same command.
            if first.is_ok() {
                let right = stand.run(|job| ops::verify(job, &stand.request_with_data()));
                false_successes += u32::from(right.is_err());
            } else {
                flash::programs_exactly_the_images_and_the_block(&stand);
                recovered += 1;
            }
        } else {
            assert!(first.expect("the job").verified);
        }
        let run = FlashRequest { after: After::Run, ..stand.request_with_data() };
        assert!(stand.flash(&run).expect("the firmware starts").boot_check.is_some());
    }
    println!("{cycles} cycles, {recovered} recovered by re-run, {false_successes} false successes");
    assert_eq!(false_successes, 0);
}
