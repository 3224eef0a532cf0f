//! Watching the firmware start: only firmware that runs is called started.

use std::{slice::from_ref, time::Duration};

use m365_drv::{
    block::Uid,
    board::{
        BoardState, OptionBytes, Startup,
        progress::{Event, Progress, Step},
    },
    ops::{self, After, Error, Exit, FlashRequest, Job, Known, Wanted},
    sim::{self, Fault, FaultKind, Scenario, SimBoard, Trigger},
};
use serde_json::json;

use crate::{
    bench::Bench,
    setup::{Ended, Setup, assert_same, image, live_block, target},
};

/// Offset in our application behind all of its code; the image lies at 0x08001000.
const FREE: usize = 0x2000;

/// Our application with other code in place of its main loop. What it did at its start it still does.
fn app(main: &[u16]) -> Vec<u8> {
    app_from(sim::APP_64, main)
}

fn app_from(application: &[u8], main: &[u16]) -> Vec<u8> {
    let mut bytes = application.to_vec();
    // ldr r1,[r0]; adds r1,#1; str r1,[r0]; movs r2,#100, behind a load of the counter's address.
    let body = [0x01, 0x68, 0x01, 0x31, 0x01, 0x60, 0x64, 0x22];
    let at = bytes.windows(body.len()).position(|window| window == body).expect("the main loop") - 2;
    let mut put = |at: usize, code: &[u16]| {
        for (place, code) in bytes[at..].chunks_exact_mut(2).zip(code) {
            place.copy_from_slice(&code.to_le_bytes());
        }
    };
    put(FREE, main);
    // movw r0,#0x3001; movt r0,#0x0800; bx r0, to where nothing else is.
    put(at, &[0xF243, 0x0001, 0xF6C0, 0x0000, 0x4700]);
    bytes
}

/// Loads a register: movw and movt.
fn load(register: u16, value: u32) -> [u16; 4] {
    let half = |code: u16, value: u32| {
        let value = value as u16;
        [code | value >> 12 | (value >> 1 & 0x400), (value << 4 & 0x7000) | register << 8 | value & 0xFF]
    };
    let ([low, low_operand], [high, high_operand]) = (half(0xF240, value), half(0xF2C0, value >> 16));
    [low, low_operand, high, high_operand]
}

/// Counts for so long at 8 MHz, four cycles a round: movw, movt, subs and bne.
fn delay(ms: u32) -> Vec<u16> {
    [&load(2, ms * 2000)[..], &[0x3A01, 0xD1FD]].concat()
}

/// Erases the page of the update record, as firmware does that saves: KEYR twice, CR, AR, CR of the flash controller. The core
/// stands still meanwhile, since it runs from flash.
fn erase_a_page() -> Vec<u16> {
    put_words(0x4002_2000, &[(4, 0x4567_0123), (4, 0xCDEF_89AB), (0x10, 2), (0x14, 0x0800_FC00), (0x10, 0x42)])
}

/// Writes words to registers of a peripheral, by their offsets.
fn put_words(peripheral: u32, words: &[(u16, u32)]) -> Vec<u16> {
    // str r1,[r0,#offset]
    let put = |(offset, value): &(u16, u32)| [&load(1, *value)[..], &[0x6001 | offset << 4]].concat();
    [load(0, peripheral).to_vec(), words.iter().flat_map(put).collect()].concat()
}

/// Writes zero to a half-word.
fn clear_half_word(address: u32) -> Vec<u16> {
    // strh r1,[r0]
    [&load(0, address)[..], &load(1, 0), &[0x8001]].concat()
}

const UNDEFINED: u16 = 0xDE00;
const BRANCH_TO_ITSELF: u16 = 0xE7FE;
const WAIT_FOR_INTERRUPT: u16 = 0xBF30;
/// Back by one instruction of two bytes.
const AGAIN: u16 = 0xE7FD;

/// Flashes this application and lets it run.
fn start(board: &SimBoard, setup: &Setup, app: &[u8]) -> (Result<Startup, Ended>, Vec<(&'static str, String)>) {
    let drv = image(app);
    let request = FlashRequest {
        after: After::Run,
        ..setup.request_for(Wanted { drv: from_ref(&drv), ..setup.wanted_with_data() })
    };
    let (report, told) = setup.run_told(|job| ops::flash(job, &request));
    assert_eq!(board.violations(), [""; 0]);
    (report.map(|report| report.startup.expect("it was let run")), told)
}

fn started(app: &[u8]) -> Result<Startup, Ended> {
    let (board, setup) = Setup::scenario(Scenario::Open);
    start(&board, &setup, app).0
}

#[track_caller]
fn assert_does_not_start(result: Result<Startup, Ended>, expected: &str) {
    let error = result.expect_err("a failure");
    let Error::DoesNotStart { board, how } = &error.error else { panic!("{error}") };
    assert_eq!(*board, BoardState::Written);
    assert!(how.to_string().contains(expected), "{how}");
    assert_eq!((error.exit(), error.board()), (Exit::Verify, BoardState::Written));
}

#[test]
fn firmware_that_was_on_the_board_already_is_not_called_written_if_it_does_not_start() {
    let (board, setup) = Setup::scenario(Scenario::Open);
    let app = app(&[UNDEFINED]);
    assert_does_not_start(start(&board, &setup, &app).0, "it crashed (HardFault)");
    let error = start(&board, &setup, &app).0.expect_err("a failure");
    assert_eq!(error.board(), BoardState::Untouched);
    let words = "firmware verified (it was on the board already), but it does not start: ";
    assert!(error.error.to_string().starts_with(words), "{error}");
}

#[test]
fn a_fault_some_time_after_the_start_is_seen() {
    for ms in [1, 5, 21, 50, 140, 200, 600, 766] {
        let app = app(&[delay(ms), vec![UNDEFINED]].concat());
        assert_does_not_start(started(&app), "it crashed (HardFault)");
    }
}

#[test]
fn a_failure_to_start_reports_what_was_written_before() {
    let (_, setup) = Setup::scenario(Scenario::Locked);
    let drv = image(&app(&[UNDEFINED]));
    let wanted = Wanted { drv: from_ref(&drv), ..setup.wanted() };
    let request = FlashRequest { after: After::Run, ..setup.request_for(wanted) };
    let (probes, mut known, mut silent) = (setup.probes(), Known::default(), ());
    let mut job = Job::new(&probes, setup.connect.clone(), &mut silent, &mut known);
    assert_eq!(ops::flash(&mut job, &request).expect_err("a fault").exit(), Exit::Verify);
    let report = serde_json::to_value(&known).expect("JSON");
    let of = |key: &str| report[key].clone();
    assert_eq!((of("verified"), of("mass_erased"), of("options_written")), (true.into(), true.into(), true.into()));
    assert_eq!((of("forced"), of("pages_erased"), of("pages_skipped")), (json!([]), 0.into(), 0.into()));
    assert_eq!((of("bytes_programmed"), &of("boot_check")["state"]), (17_248.into(), &"fault".into()));
}

#[test]
fn a_fault_right_after_a_save_is_seen() {
    // The watch ends 100 ms after the start, because the firmware shows an error, or after a second; a save that begins
    // before and ends after that hides what the firmware does next.
    let shows_18 = [&load(0, 0x2000_0744)[..], &[0x2112, 0x8001]].concat();
    for (before, ms) in [(shows_18, 85), (vec![], 985)] {
        let app = app(&[before, delay(ms), erase_a_page(), vec![UNDEFINED]].concat());
        let (board, setup) = Setup::scenario(Scenario::Open);
        board.set_erase_times(Duration::from_millis(40), Duration::from_millis(40));
        assert_does_not_start(start(&board, &setup, &app).0, "it crashed (HardFault)");
    }
}

#[test]
fn a_fault_right_after_a_save_is_seen_over_a_slow_link() {
    let (board, setup) = Setup::scenario(Scenario::Open);
    board.set_erase_times(Duration::from_millis(200), Duration::from_millis(200));
    board.set_round_trip(Duration::from_millis(10));
    // To the handler without an exception, so that only its place gives it away: ldr r0,[r0]; bx r0.
    let to_handler = [&load(0, 0x0800_100C)[..], &[0x6800, 0x4700]].concat();
    let app = app(&[delay(600), erase_a_page(), to_handler].concat());
    assert_does_not_start(start(&board, &setup, &app).0, "it crashed (HardFault)");
}

#[test]
fn firmware_that_stays_at_one_instruction_is_stuck() {
    assert_does_not_start(started(&app(&[BRANCH_TO_ITSELF])), "stuck at 0x0800");
}

#[test]
fn firmware_that_sleeps_runs() {
    let boot = started(&app(&[WAIT_FOR_INTERRUPT, AGAIN])).expect("a start");
    assert!(matches!(boot, Startup::Running { error: 0, .. }), "{boot}");
}

/// Writes 0xCCCC to `IWDG_KR` at 0x40003000, and so starts a watchdog that nobody feeds.
const START_WATCHDOG: [u16; 9] = [0xF243, 0x0000, 0xF2C4, 0x0000, 0xF64C, 0x41CC, 0x6001, 0xBF00, 0xBF00];

#[test]
fn a_watchdog_that_is_not_fed_is_a_loop_of_resets() {
    let main = [&START_WATCHDOG[..], &[0x3101, AGAIN]].concat();
    assert_does_not_start(started(&app(&main)), "keeps resetting (3 times");
}

#[test]
fn a_watchdog_of_the_option_bytes_that_is_not_fed_is_a_loop_of_resets() {
    let (board, setup) = Setup::scenario(Scenario::Open);
    board.set_option_bytes(OptionBytes::from_values([0xA5, 0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]).0);
    // A bench error ends the watching early, and must not do so here.
    let (result, _) = start(&board, &setup, &shows(18));
    assert_does_not_start(result, "keeps resetting (3 times");
}

/// An application that shows an error, whatever it finds: strh to register 0x1B of the live block, and on with counting.
fn shows(error: u16) -> Vec<u8> {
    // movw r0,#0x744; movt r0,#0x2000; movs r1,#error; strh r1,[r0]; then adds r1,#1 for ever.
    app(&[0xF240, 0x7044, 0xF2C2, 0x0000, 0x2100 | error, 0x8001, 0x3101, AGAIN])
}

#[test]
fn the_error_that_the_firmware_shows_is_reported() {
    for (error, warnings) in [(18, 0), (24, 0), (10, 0), (27, 1), (35, 1)] {
        let (board, setup) = Setup::scenario(Scenario::Open);
        let (result, told) = start(&board, &setup, &shows(error));
        assert!(matches!(result, Ok(Startup::Running { error: shown, .. }) if shown == error), "{error}: {result:?}");
        let errors = told.iter().filter(|(name, _)| *name == "firmware-error").count();
        assert_eq!(errors, warnings, "{told:?}");
    }
}

#[test]
fn firmware_without_a_live_data_block_is_not_called_started() {
    let (board, setup) = Setup::scenario(Scenario::Locked);
    // It writes another UID into its live block; the one of the firmware before it must not be taken for it.
    // movw r0,#0x8C2 (UID); movt r0,#0x2000; strh r1,[r0]; then adds r1,#1 for ever.
    let code = [0xF640, 0x00C2, 0xF2C2, 0x0000, 0x8001, 0x3101, AGAIN];
    let (result, told) = start(&board, &setup, &app(&code));
    assert!(matches!(result, Ok(Startup::NoBlock { .. })), "{result:?}");
    assert!(told.iter().any(|(name, _)| *name == "boot-unconfirmed"), "{told:?}");
    assert_eq!(Uid(board.uid()), Uid(sim::UID));
}

#[test]
fn the_wires_are_let_go_only_when_the_firmware_was_seen_to_start() {
    let (board, setup) = Setup::scenario(Scenario::Open);
    let request = FlashRequest { after: After::Run, ..setup.request_with_data() };
    let before = board.counts().time;
    let report = setup.flash(&request).expect("the job");
    let took = board.counts().time.saturating_sub(before);
    assert!(u128::from(report.contact_ms) + 50 >= took.as_millis(), "{} of {took:?}", report.contact_ms);
    assert!(matches!(report.startup, Some(Startup::Running { error: 0, .. })));
}

#[test]
fn a_board_on_a_bench_is_watched_for_a_fifth_of_a_second() {
    let cost = |after| {
        let (board, setup) = Setup::scenario(Scenario::Open);
        let drv = image(&shows(18));
        let request =
            FlashRequest { after, ..setup.request_for(Wanted { drv: from_ref(&drv), ..setup.wanted_with_data() }) };
        let before = board.counts().time;
        setup.flash(&request).expect("the job");
        board.counts().time.saturating_sub(before)
    };
    let boot = cost(After::Run).saturating_sub(cost(After::Stop));
    assert!(boot < Duration::from_millis(200), "{boot:?}");
}

#[test]
fn a_vector_that_points_to_the_end_of_memory_does_no_harm_while_the_firmware_is_watched() {
    let bench = Bench::new();
    let mut firmware = sim::APP_64.to_vec();
    // The vector of the HardFault.
    firmware[0x0C..0x10].fill(0xFF);
    bench.write("drv.bin", firmware);
    let lines = bench.m365("--simulate=locked flash pro --erase-all --drv drv.bin --force hole").json();
    assert_eq!(lines.report()["verified"], true);
}

#[test]
fn the_start_is_watched_over_a_slow_link_too() {
    let (board, setup) = Setup::scenario(Scenario::Open);
    board.set_round_trip(Duration::from_millis(8));
    let request = FlashRequest { after: After::Run, ..setup.request_with_data() };
    let report = setup.flash(&request).expect("the job");
    assert!(matches!(report.startup, Some(Startup::Running { .. })), "{:?}", report.startup);
}

/// `DWT_PCSR` (DDI 0403E C1.8.5).
const PROGRAM_COUNTER: u32 = 0xE000_101C;

#[test]
fn contact_that_is_lost_while_the_firmware_is_watched_is_not_a_failure() {
    let (board, setup) = Setup::scenario(Scenario::Open);
    let trigger = Trigger::Read { address: PROGRAM_COUNTER, nth: 3 };
    let armed = board.inject(Fault { trigger, kind: FaultKind::ProbeGone { returns_after: None } });
    let request = FlashRequest { after: After::Run, ..setup.request_with_data() };
    let (report, told) = setup.run_told(|job| ops::flash(job, &request));
    assert!(armed.fired());
    assert_eq!(report.expect("the job").startup, Some(Startup::Unseen));
    let words = "contact was lost before the firmware was seen to start; run the same command again to check";
    assert!(told.contains(&("boot-unseen", words.into())), "{told:?}");
}

/// Interrupts when the firmware is about to be watched.
struct AtTheStart(std::sync::Arc<std::sync::atomic::AtomicBool>);

impl Progress for AtTheStart {
    fn on(&mut self, event: Event) {
        if let Event::Started { step: Step::Startup } = event {
            self.0.store(true, std::sync::atomic::Ordering::Relaxed);
        }
    }
}

#[test]
fn an_interrupt_while_the_firmware_is_watched_ends_the_job_as_one() {
    let (_, setup) = Setup::scenario(Scenario::Open);
    let (probes, mut known) = (setup.probes(), Known::default());
    let mut finger = AtTheStart(probes.interrupt());
    let request = FlashRequest { after: After::Run, ..setup.request_with_data() };
    let mut job = Job::new(&probes, setup.connect.clone(), &mut finger, &mut known);
    assert_eq!(ops::flash(&mut job, &request).expect_err("an interrupt").exit(), Exit::Interrupted);
}

#[test]
fn firmware_that_stops_at_any_place_is_stuck() {
    // Behind an instruction of two bytes.
    assert_does_not_start(started(&app(&[0xBF00, BRANCH_TO_ITSELF])), "it is stuck at 0x08003002");
}

/// The first time it comes by, which a word in SRAM tells, it resets the chip.
#[test]
fn firmware_that_resets_once_is_not_one_that_keeps_resetting() {
    let skip = [0x6802, 0x428A, 0xD00A];
    let reset = [&[0x6001][..], &load(3, 0xE000_ED0C), &load(2, 0x05FA_0004), &[0x601A, BRANCH_TO_ITSELF]].concat();
    let main = [&load(0, 0x2000_4000)[..], &load(1, 0x600D_600D), &skip, &reset, &[0xBF00, AGAIN]].concat();
    assert!(matches!(started(&app(&main)), Ok(Startup::Running { .. })));
}

/// A half-word of the 4 Pro's flash that no job writes.
const MARK: u32 = 0x0801_8000;

/// An application that does at its start what 4 Pro 0.2.2 does, and leaves a mark in flash: 5 ms after its first instruction it
/// writes the option bytes anew with read-out protection, which takes 20 ms; later it starts its watchdog of 4.8 s (prescaler 64,
/// 3000 steps) and reloads it from then on.
fn like_4_pro() -> Vec<u8> {
    const FPEC: u32 = 0x4002_2000;
    const WATCHDOG: u32 = 0x4000_3000;
    let unlock = put_words(FPEC, &[(4, 0x4567_0123), (4, 0xCDEF_89AB), (8, 0x4567_0123), (8, 0xCDEF_89AB)]);
    let mark = [put_words(FPEC, &[(0x10, 0x201)]), clear_half_word(MARK)].concat();
    let erase = put_words(FPEC, &[(0x10, 0x220), (0x10, 0x260)]);
    let protect = [put_words(FPEC, &[(0x10, 0x210)]), clear_half_word(0x1FFF_F800)].concat();
    let watchdog = put_words(WATCHDOG, &[(0, 0x5555), (4, 4), (8, 3000), (0, 0xAAAA), (0, 0xCCCC)]);
    // str r1,[r0] and back to it, with the address and 0xAAAA loaded.
    let feed = [&load(0, WATCHDOG)[..], &load(1, 0xAAAA), &[0x6001, AGAIN]].concat();
    let main = [delay(5), unlock, mark, erase, protect, delay(60), watchdog, feed].concat();
    app_from(sim::APP_COPIES, &main)
}

/// A board of a 4 Pro with such an application, running.
fn board_like_4_pro() -> (SimBoard, Setup) {
    let board = SimBoard::new(Scenario::Open, target("4pro"));
    let mut setup = Setup::simulated(&board, "4pro");
    setup.drv = image(&like_4_pro());
    let mut flash = board.flash();
    flash[0x1000..][..setup.drv.bytes.len()].copy_from_slice(&setup.drv.bytes);
    board.set_flash(&flash);
    // It protects itself at its first start, which takes effect at the second.
    for _ in 0..2 {
        board.power_cycle();
        board.clock().sleep(Duration::from_millis(200));
    }
    assert!(board.is_protected());
    (board, setup)
}

fn is_marked(board: &SimBoard) -> bool {
    let at = (MARK - 0x0800_0000) as usize;
    board.flash()[at..at + 2] == [0, 0]
}

#[test]
fn nothing_runs_between_programming_and_verifying_although_firmware_protects_itself_at_once() {
    let (board, setup) = board_like_4_pro();
    let live = live_block(&board);
    let report = setup.flash(&setup.request()).expect("the job");
    assert!(report.verified && report.done.mass_erased);
    // Not one instruction of the firmware, which would have left its mark and option bytes of its own.
    assert!(!is_marked(&board) && board.option_bytes().starts_with(&[0xA5]));
    for page in setup.target.data_pages() {
        assert!(board.is_read_back(page..page + 1024), "{page:#010x}");
    }
    assert_same(&board.flash(), &setup.expected_on_blank(live.as_bytes()));
    assert_eq!(board.violations(), [""; 0]);
}

#[test]
fn the_start_of_firmware_that_protects_itself_and_starts_a_watchdog_is_seen_to_its_end() {
    let (board, setup) = board_like_4_pro();
    let live = live_block(&board);
    let report = setup.flash(&FlashRequest { after: After::Run, ..setup.request() }).expect("the job");
    assert!(matches!(report.startup, Some(Startup::Running { error: 0, .. })), "{:?}", report.startup);
    // It was verified first: the mark came later. And the option bytes are whole when the wires are let go.
    assert!(report.verified && is_marked(&board));
    assert_eq!(board.option_bytes()[..2], [0x00, 0xFF]);
    // The watchdog does not bite a core that nobody halts.
    board.clock().sleep(Duration::from_secs(6));
    assert_eq!(live_block(&board).mileage(), live.mileage());
    // The next run finds a protected board, and keeps the data again.
    board.power_cycle();
    board.clock().sleep(Duration::from_millis(200));
    let report = setup.flash(&setup.request()).expect("the next run");
    assert!(report.done.mass_erased && report.verified);
    assert_eq!(report.planned.mileage_m, live.mileage());
}

#[test]
fn the_watchdog_of_running_firmware_does_not_reset_the_chip_during_a_job() {
    let (board, setup) = board_like_4_pro();
    // Slower than the 4.8 s of the watchdog.
    board.set_round_trip(Duration::from_millis(60));
    let before = board.counts().time;
    let report = setup.flash(&setup.request()).expect("the job");
    assert!(board.counts().time.saturating_sub(before) > Duration::from_secs(5));
    assert!(report.verified && !is_marked(&board));
    assert_eq!(board.violations(), [""; 0]);
}

/// A word of the flash algorithm in SRAM. The algorithm ends in a loop, in which the core stands when the firmware is to be started.
const ALGORITHM: u32 = 0x2000_0C40;

#[test]
fn contact_lost_while_sram_is_cleared_leaves_nothing_that_would_run_without_its_code() {
    fn request(setup: &Setup) -> FlashRequest<'_> {
        FlashRequest { after: After::Run, ..setup.request() }
    }
    for scooter in ["es2", "4pro"] {
        let mut fired = 0;
        // The algorithm is written there once or twice, and zeros last.
        for nth in 1..=3 {
            let board = SimBoard::new(Scenario::Locked, target(scooter));
            let setup = Setup::simulated(&board, scooter);
            let kind = FaultKind::ProbeGone { returns_after: Some(Duration::from_secs(6)) };
            let gone = board.inject(Fault { trigger: Trigger::Write { address: ALGORITHM, nth }, kind });
            let _ = setup.flash(&request(&setup));
            fired += u32::from(gone.fired());
            board.clear_faults();
            board.clock().sleep(Duration::from_secs(7));
            let report = setup.flash(&request(&setup)).expect("the next run");
            assert!(
                matches!(report.startup, Some(Startup::Running { error: 0, .. })),
                "{scooter}, {nth}: {:?}",
                report.startup
            );
            assert_eq!(board.violations(), [""; 0], "{scooter}, {nth}");
        }
        assert!(fired > 1, "{scooter}: {fired}");
    }
}
