//! Chips whose flash size register makes no sense: locked ones and clones show 0, 1040 or 65535 KiB.

use m365_drv::{
    board::{
        Board, BoardState, Error as BoardError, LinkError, OptionBytes, PageBefore, PageWrite, SecondHalf,
        progress::{Event, Progress},
    },
    ops::{self, Error, Exit, Job, Known},
    sim::{Fault, FaultKind, Scenario, SimBoard, SimChip, Trigger},
};

use crate::{
    flash::assert_refused,
    setup::{Setup, assert_same, target},
};

const IMPLAUSIBLE: [u16; 3] = [0, 1040, 0xFFFF];

#[test]
fn an_implausible_size_is_said_and_stops_nothing() {
    for register in IMPLAUSIBLE {
        for scenario in [Scenario::New, Scenario::Locked, Scenario::Open, Scenario::Gd32e103] {
            let (board, setup) = Setup::scenario(scenario);
            board.set_flash_size_register(register);
            let (report, told) = setup.run_told(|job| ops::flash(job, &setup.request_with_data()));
            assert!(report.expect("the job").verified, "{register}, {scenario}");
            let expected = format!("implausible flash size {register} KiB; assuming 64 KiB, which this scooter needs");
            let about_size: Vec<_> = told.into_iter().filter(|(name, _)| *name == "flash-size").collect();
            assert_eq!(about_size, [("flash-size", expected)]);
            assert_eq!(board.violations(), [""; 0], "{register}, {scenario}");
        }
    }
}

#[test]
fn info_gives_no_size_that_cannot_be() {
    for register in IMPLAUSIBLE {
        let (board, setup) = Setup::scenario(Scenario::Open);
        board.set_flash_size_register(register);
        let info = setup.run(ops::info).expect("info");
        assert_eq!((info.flash_kib, info.flash_size_register), (None, u32::from(register)));
        assert!(info.boot.is_some() && info.drv.is_some() && info.data.is_some());
    }
}

#[test]
fn a_backup_of_such_a_chip_holds_all_that_is_there() {
    for (actual, repeats, expected) in [(64, false, 64), (64, true, 64), (128, false, 128)] {
        let mut flash = vec![0x5A; actual * 1024];
        flash[0] = 1;
        let board = SimBoard::with_flash(SimChip::Stm32f103, actual as u16, &flash);
        board.set_flash_size_register(0);
        if repeats {
            board.repeat_flash();
        }
        let setup = Setup::simulated(&board, "pro");
        let path = setup.folder.path().join("board.json");
        let report = setup.run(|job| ops::backup(job, &path)).expect("a backup");
        assert_eq!(report.flash_bytes, expected * 1024, "{actual}, {repeats}");
    }
}

#[test]
fn the_second_half_is_proved_before_it_is_relied_on() {
    for scenario in [Scenario::New, Scenario::Locked, Scenario::Bricked, Scenario::Open, Scenario::HalfFlashed] {
        let board = SimBoard::new(scenario, target("es2"));
        board.set_flash_size_register(0);
        let setup = Setup::simulated(&board, "es2");
        let before = board.flash();
        let report = setup.flash(&setup.request_with_data()).expect("the job");
        let flash = board.flash();
        let block = &flash[0x1_C000..0x1_C200];
        let expected =
            if report.done.mass_erased { setup.expected_on_blank(block) } else { setup.expected(&before, block) };
        assert_same(&flash, &expected);
        assert_eq!(board.violations(), [""; 0], "{scenario}");
    }
}

#[test]
fn a_size_that_is_right_once_the_chip_is_unlocked_is_taken() {
    let board = SimBoard::new(Scenario::Locked, target("es2"));
    board.hide_flash_size_while_protected();
    let setup = Setup::simulated(&board, "es2");
    assert_eq!(setup.run(ops::info).expect("info").flash_kib, None);
    assert!(setup.flash(&setup.request()).expect("the job").verified);
    assert_eq!(setup.run(ops::info).expect("info").flash_kib, Some(128));
}

/// A board with 64 KiB of flash that is taken for an ES2's.
fn half_a_chip(flash: &[u8]) -> (SimBoard, Setup) {
    let board = SimBoard::with_flash(SimChip::Stm32f103, 64, flash);
    board.set_flash_size_register(0);
    let setup = Setup::simulated(&board, "es2");
    (board, setup)
}

#[test]
fn a_size_register_that_states_more_than_there_is_stops_nothing() {
    for scenario in [Scenario::New, Scenario::Open, Scenario::Locked, Scenario::Bricked] {
        let (board, setup) = Setup::scenario(scenario);
        board.set_flash_size_register(128);
        let (report, told) = setup.run_told(|job| ops::flash(job, &setup.request_with_data()));
        assert!(report.expect("the job").verified, "{scenario}");
        let words = "the chip reports 128 KiB of flash, but only 64 KiB can be used";
        assert!(
            board.is_protected() || told.iter().all(|(name, text)| *name == "data-replaced" || text == words),
            "{scenario}: {told:?}"
        );
        assert_eq!(board.violations(), [""; 0], "{scenario}");
        let info = setup.run(ops::info).expect("info");
        assert_eq!((info.flash_kib, info.flash_size_register), (Some(64), 128), "{scenario}");
        assert!(info.boot.is_some() && info.drv.is_some() && info.data.is_some());
        let path = setup.folder.path().join(format!("{scenario}.json"));
        assert_eq!(setup.run(|job| ops::backup(job, &path)).expect("a backup").flash_bytes, 65_536);
    }
}

#[test]
fn a_scooter_that_needs_128_kib_is_refused_if_only_64_answer() {
    let (board, setup) = half_a_chip(&vec![0xFF; 65_536]);
    board.set_flash_size_register(128);
    let before = setup.contents();
    let result = setup.flash(&setup.request_with_data());
    assert!(is_too_small(&assert_refused(&setup, &before, result, Exit::WrongBoard)));
}

/// Such a chip runs none of these scooters' firmware.
#[test]
fn a_chip_with_32_kib_that_states_64_is_too_small() {
    for options in [0xA5, 0x00] {
        let board = SimBoard::with_flash(SimChip::Stm32f103, 32, &[]);
        board.set_flash_size_register(64);
        board.set_option_bytes(OptionBytes::from_values([options, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]).0);
        let setup = Setup::simulated(&board, "pro");
        let error = setup.flash(&setup.request_with_data()).expect_err("too small");
        let Error::Board(BoardError::TooSmall { found: 32, needed: 64 }) = error.error else { panic!("{error}") };
        assert_eq!(error.exit(), Exit::WrongBoard);
        assert_eq!(board.counts().half_words_programmed, 0, "nothing was programmed");
    }
}

fn is_too_small(error: &Error) -> bool {
    matches!(error, Error::Board(BoardError::TooSmall { found: 64, needed: 128 }))
}

#[test]
fn a_second_half_that_does_not_answer_is_refused_before_anything_is_changed() {
    for flash in [vec![0xFF; 65_536], vec![0x5A; 65_536]] {
        let (_, setup) = half_a_chip(&flash);
        let before = setup.contents();
        let request = setup.request_with_data();
        let preview = setup.run(|job| ops::preview(job, &request));
        assert!(is_too_small(&assert_refused(&setup, &before, preview, Exit::WrongBoard)));
        assert!(is_too_small(&assert_refused(&setup, &before, setup.flash(&request), Exit::WrongBoard)));
    }
}

#[test]
fn a_second_half_that_repeats_the_first_is_refused_before_anything_is_erased() {
    let (board, setup) = half_a_chip(&vec![0x5A; 65_536]);
    board.repeat_flash();
    let before = setup.contents();
    let result = setup.flash(&setup.request_with_data());
    assert!(is_too_small(&assert_refused(&setup, &before, result, Exit::WrongBoard)));
}

#[test]
fn a_blank_second_half_that_repeats_the_first_is_found_out_by_one_page() {
    let (board, setup) = half_a_chip(&vec![0xFF; 65_536]);
    board.repeat_flash();
    let error = setup.flash(&setup.request_with_data()).expect_err("a refusal");
    assert!(is_too_small(&error), "{error}");
    assert_eq!((error.exit(), error.board()), (Exit::WrongBoard, BoardState::Partial));
    assert!(board.counts().half_words_programmed <= 512);
}

#[test]
fn flash_that_has_to_be_there_and_is_not_is_measured() {
    for (kib, end, needed) in [(16, 0x0801_0000, 64), (32, 0x0801_0000, 64), (64, 0x0802_0000, 128)] {
        let board = SimBoard::with_flash(SimChip::Stm32f103, kib, &vec![0xFF; usize::from(kib) * 1024]);
        board.set_flash_size_register(128);
        let setup = Setup::simulated(&board, "es2");
        let probes = setup.probes();
        let mut reached = Board::connect(&probes, &setup.connect, &mut ()).expect("a board");
        let error = reached.read_existing(0x0800_0000..end).expect_err("less flash");
        let expected = (u32::from(kib), needed);
        assert!(matches!(error, BoardError::TooSmall { found, needed } if (found, needed) == expected), "{error}");
    }
}

#[test]
fn what_is_refused_although_the_chip_has_enough_flash_is_not_a_matter_of_size() {
    let (_, setup) = Setup::scenario(Scenario::Open);
    let probes = setup.probes();
    let mut reached = Board::connect(&probes, &setup.connect, &mut ()).expect("a board");
    // Nothing is in front of flash.
    let error = reached.read_existing(0x07FF_FFF0..0x0801_0000).expect_err("a refusal");
    assert!(matches!(error, BoardError::Link(LinkError::Refused { .. })), "{error}");
}

/// A board that states no size, with an ES2's flash map.
fn es2(flash: &[u8]) -> (SimBoard, Setup) {
    let board = SimBoard::with_flash(SimChip::Stm32f103, 128, flash);
    board.set_flash_size_register(0);
    let setup = Setup::simulated(&board, "es2");
    (board, setup)
}

#[test]
fn a_second_half_with_something_else_is_proved_by_reading() {
    let flash = [vec![0x5A; 65_536], vec![0xA5; 65_536]].concat();
    let (_, setup) = es2(&flash);
    let probes = setup.probes();
    let mut reached = Board::connect(&probes, &setup.connect, &mut ()).expect("a board");
    assert_eq!(reached.second_half(&setup.target.map).expect("readable flash"), SecondHalf::Proved);
}

#[test]
fn one_wrong_bit_does_not_prove_a_second_half() {
    for half in [0x0800_0100, 0x0801_0100] {
        let (board, setup) = half_a_chip(&vec![0xFF; 65_536]);
        board.repeat_flash();
        let probes = setup.probes();
        let mut reached = Board::connect(&probes, &setup.connect, &mut ()).expect("a board");
        let trigger = Trigger::Read { address: half, nth: 1 };
        let armed = board.inject(Fault { trigger, kind: FaultKind::WrongWord { flipped: 1 } });
        let found = reached.second_half(&setup.target.map);
        assert!(
            armed.fired() && matches!(found, Ok(SecondHalf::Undecided) | Err(BoardError::TooSmall { .. })),
            "{found:?}"
        );
    }
}

#[test]
fn one_page_proves_the_second_half_of_a_blank_chip() {
    let page = PageWrite { address: 0x0801_C000, bytes: vec![0x5A; 1024], before: PageBefore::Blank };
    let proved = |(_board, setup): (SimBoard, Setup)| {
        let probes = setup.probes();
        let mut reached = Board::connect(&probes, &setup.connect, &mut ()).expect("a board");
        reached.reset_and_halt().expect("a reset");
        reached.prove_second_half(&setup.target.map, std::slice::from_ref(&page), &mut ())
    };
    proved(es2(&vec![0xFF; 131_072])).expect("a second half");
    let half = half_a_chip(&vec![0xFF; 65_536]);
    half.0.repeat_flash();
    assert!(matches!(proved(half), Err(BoardError::TooSmall { found: 64, needed: 128 })));
}

/// The sizes of the chip, as events tell them.
struct Sizes(Vec<Option<u32>>);

impl Progress for Sizes {
    fn on(&mut self, event: Event) {
        if let Event::Board { flash_kib, .. } = event {
            self.0.push(flash_kib);
        }
    }
}

#[test]
fn the_size_is_read_again_when_the_chip_is_unlocked() {
    let board = SimBoard::new(Scenario::Locked, target("es2"));
    board.hide_flash_size_while_protected();
    let setup = Setup::simulated(&board, "es2");
    let (probes, mut known, mut sizes) = (setup.probes(), Known::default(), Sizes(Vec::new()));
    let mut job = Job::new(&probes, setup.connect.clone(), &mut sizes, &mut known);
    assert!(ops::flash(&mut job, &setup.request()).expect("the job").verified);
    assert_eq!(sizes.0, [None, Some(128)]);
}
