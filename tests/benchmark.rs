//! `cargo bench`: measures flashing of a locked simulated board, phase by phase.
//!
//! Counts are exact and repeatable; times are those of the model (SWD clock, USB round trip, flash times of DS5319).
//! The floor is the time that the flash itself needs: 52.5 us per half-word, 20 ms for the mass erase and 20 ms for the erase of the
//! option bytes. The last table has all of them, for each clock and round trip: an ST-Link takes 1 ms, a probe behind a slow hub 8 ms,
//! a fast one 125 us; `tests/rig/speed.py` measures kinds of probes. The peer is
//! probe-rs's own flash loader with the same algorithm on the same chip, without unlocking and verifying.

use std::time::Duration;

use m365_drv::{
    board::{
        ConnectOptions, Consent, Probes, VerifiedBy,
        progress::{Event, Progress, Step},
    },
    image::{GATES, Image, RehearsalImages},
    ops::{After, BackupStore, Extent, FlashRequest, Job, Known, Wanted, Watchdog, flash},
    sim::{APP_64, APP_128, BOOT, Counts, Scenario, SimBoard, SimChip},
    target::Target,
};
use probe_rs::{Permissions, config::Registry, flashing::DownloadOptions, probe::list::Lister};

/// Sizes of the vendor's bootloader, Pro DRV 1.5.5 and ES DRV 1.3.9, in bytes.
const BOOT_BYTES: usize = 3104;
const DRV_BYTES: usize = 27_320;
const ES_DRV_BYTES: usize = 38_620;

fn main() {
    println!("locked board, bootloader {BOOT_BYTES} bytes, DRV {DRV_BYTES} bytes, data block: attach to first run\n");
    let mut table = Vec::new();
    for (khz, round_trip) in
        [(100, 1000), (480, 1000), (950, 1000), (1800, 1000), (4000, 1000), (4000, 125), (950, 8000), (4000, 8000)]
    {
        table.push(run("pro", &stretched(APP_64, DRV_BYTES), khz, Duration::from_micros(round_trip)));
    }
    println!("the same for a board of 128 KiB, DRV {ES_DRV_BYTES} bytes\n");
    table.push(run("es2", &stretched(APP_128, ES_DRV_BYTES), 4000, Duration::from_millis(1)));
    peer(4000, Duration::from_millis(1));
    println!("\n  {:22} {:>8} {:>8} {:>6} {:>12}", "", "ms", "floor ms", "ratio", "verified by");
    for line in &table {
        println!("  {line}");
    }
}

/// Extends our image to the given length with bytes that, like compiled code, contain hardly any blank half-words.
fn stretched(image: &[u8], length: usize) -> Vec<u8> {
    let mut state = 1u32;
    let noise = std::iter::repeat_with(move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8 & 0x7F
    });
    image.iter().copied().chain(noise).take(length).collect()
}

/// Records the counts at the beginning and end of each step.
struct Recorder {
    board: SimBoard,
    before: Option<Counts>,
    rows: Vec<(Step, Counts, Counts)>,
}

impl Progress for Recorder {
    fn on(&mut self, event: Event) {
        match event {
            Event::Started { .. } => self.before = Some(self.board.counts()),
            Event::Finished { step, .. } => {
                let before = self.before.take().expect("a step starts before it finishes");
                self.rows.push((step, before, self.board.counts()));
            }
            _ => {}
        }
    }
}

/// Flashes a board, prints every phase, and returns the line of the table.
fn run(scooter: &str, drv: &[u8], khz: u32, round_trip: Duration) -> String {
    let target = Target::builtin(scooter).expect("a known scooter");
    let board = SimBoard::new(Scenario::Locked, target);
    board.set_round_trip(round_trip);
    let probes = Probes::new(board.probe_lister(), board.clock());
    let (boot, drv) = ([image(&stretched(BOOT, BOOT_BYTES))], [image(drv)]);
    let request = FlashRequest {
        wanted: Wanted {
            target,
            boot: &boot,
            drv: &drv,
            data: None,
            serial: None,
            mileage: None,
            forced: GATES.iter().map(ToString::to_string).collect(),
            rehearsal: RehearsalImages::Allowed,
        },
        consent: Some(Consent::Erase),
        extent: Extent::Changes,
        after: After::Stop,
        watchdog: Watchdog::Keep,
        backups: BackupStore::none(),
    };
    let began = board.counts();
    let mut recorder = Recorder { board: board.clone(), before: None, rows: Vec::new() };
    let connect = ConnectOptions { speed_khz: Some(khz), ..ConnectOptions::default() };
    let mut known = Known::default();
    let mut job = Job::new(&probes, connect, &mut recorder, &mut known);
    let report = flash(&mut job, &request).expect("a locked board can be flashed");
    let end = board.counts();

    println!("{scooter}, {khz} kHz, {round_trip:?} a round trip");
    println!("  {:10} {:>9} {:>11} {:>9} {:>9} {:>8}", "step", "transfers", "round trips", "read", "written", "ms");
    for (step, before, after) in &recorder.rows {
        row(&step.to_string(), before, after);
    }
    row("all", &began, &end);
    let half_words = end.half_words_programmed - began.half_words_programmed;
    let floor = (Duration::from_nanos(half_words * 52_500) + Duration::from_millis(40)).as_secs_f64();
    let took = end.time.saturating_sub(began.time).as_secs_f64();
    let ratio = took / floor;
    println!("  floor {:.0} ms ({half_words} half-words and two erases), ratio {ratio:.2}\n", floor * 1e3);
    let name = format!("{scooter}, {khz} kHz, {round_trip:?}");
    let by = report.verified_by.map_or("nothing", VerifiedBy::name);
    format!("{name:22} {:>8.0} {:>8.0} {ratio:>6.2} {by:>12}", took * 1e3, floor * 1e3)
}

fn image(bytes: &[u8]) -> Image {
    Image::from_bytes(bytes).expect("plain bytes are an image")
}

fn row(name: &str, before: &Counts, after: &Counts) {
    println!(
        "  {name:10} {:>9} {:>11} {:>9} {:>9} {:>8.1}",
        after.transfers - before.transfers,
        after.round_trips - before.round_trips,
        after.bytes_read - before.bytes_read,
        after.bytes_written - before.bytes_written,
        after.time.saturating_sub(before.time).as_secs_f64() * 1e3,
    );
}

/// Programs the same images on a blank chip with probe-rs's own session and flash loader.
fn peer(khz: u32, round_trip: Duration) {
    let board = SimBoard::with_flash(SimChip::Stm32f103, 64, &[]);
    board.set_round_trip(round_trip);
    let mut registry = Registry::new();
    registry
        .add_target_family_from_yaml(include_str!("../targets/chips/stm32f1.yaml"))
        .expect("the description is probe-rs's own form");
    let lister = Lister::with_lister(board.probe_lister());
    let mut probe = lister.open(&lister.list_all()[0]).expect("the simulated probe opens");
    probe.set_speed(khz).expect("the simulated probe has every clock");
    let before = board.counts();
    let mut session =
        probe.attach_with_registry("STM32F103C8", Permissions::new(), &registry).expect("a blank chip attaches");
    let mut loader = session.target().flash_loader();
    loader.add_data(0x0800_0000, &stretched(BOOT, BOOT_BYTES)).expect("inside flash");
    loader.add_data(0x0800_1000, &stretched(APP_64, DRV_BYTES)).expect("inside flash");
    loader.add_data(0x0800_F800, &[0x5A; 512]).expect("inside flash");
    let mut options = DownloadOptions::default();
    options.skip_erase = true;
    loader.commit(&mut session, options).expect("a blank chip programs");
    let after = board.counts();
    println!("peer: probe-rs's flash loader, {khz} kHz, {} ms a round trip, blank chip", round_trip.as_millis());
    row("all", &before, &after);
}
