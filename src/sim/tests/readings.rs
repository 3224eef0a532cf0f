//! Faults of single words, of a new attach and of a probe with a memory of its own; and what counts as read back.

use std::time::Duration;

use super::debugger::{AR, CR, Debugger, attach, board_of};
use crate::sim::{Armed, Fault, FaultKind, Lie, Scenario, SimBoard, Trigger};

const WORD: u32 = 0x0800_1400;
const PAGE: std::ops::Range<u32> = WORD..WORD + 0x400;
const RCC: u32 = 0x4002_1000;

fn open() -> SimBoard {
    board_of(Scenario::Open)
}

fn wrong_word(board: &SimBoard, address: u32, nth: u64) -> Armed {
    board.inject(Fault { trigger: Trigger::Read { address, nth }, kind: FaultKind::WrongWord { flipped: 0x10 } })
}

fn erase(debugger: &mut Debugger) {
    debugger.halt();
    debugger.unlock_flash();
    debugger.write(CR, 2);
    debugger.write(AR, WORD);
    debugger.write(CR, 0x42);
    debugger.wait_flash();
}

#[test]
fn one_word_is_read_wrong_at_the_given_reading_of_its_address() {
    let board = open();
    let mut debugger = attach(&board);
    let right = debugger.try_read(WORD - 4, 3).unwrap();
    let armed = wrong_word(&board, WORD, 2);
    let readings: Vec<_> = (0..3).map(|_| debugger.try_read(WORD - 4, 3).unwrap()).collect();
    assert!(armed.fired());
    let wrong = [right[0], right[1] ^ 0x10, right[2]];
    assert_eq!(readings, [right.clone(), wrong.to_vec(), right]);
}

#[test]
fn a_write_is_lost_at_the_given_writing_of_its_address() {
    let board = open();
    let mut debugger = attach(&board);
    debugger.halt();
    debugger.try_write(0x2000_1000, &[0; 4]).unwrap();
    let armed =
        board.inject(Fault { trigger: Trigger::Write { address: 0x2000_1008, nth: 1 }, kind: FaultKind::DroppedWrite });
    debugger.try_write(0x2000_1000, &[1, 2, 3, 4]).unwrap();
    assert!(armed.fired());
    assert_eq!(debugger.try_read(0x2000_1000, 4).unwrap(), [1, 2, 0, 4]);
}

#[test]
fn another_board_may_answer_a_new_attach_at_once() {
    let board = open();
    drop(attach(&board));
    let kind = FaultKind::AnotherBoard { uid: [1, 2, 3], gap: Duration::ZERO };
    let armed = board.inject(Fault { trigger: Trigger::Attach(2), kind });
    let first = attach(&board).try_read(0x1FFF_F7E8, 3).unwrap();
    assert!(!armed.fired() && first == board.uid());
    assert_eq!(attach(&board).try_read(0x1FFF_F7E8, 3).unwrap(), [1, 2, 3]);
    assert!(armed.fired());
}

#[test]
fn a_probe_that_remembers_flash_shows_a_change_only_after_a_new_attach() {
    let board = open();
    let armed = board.inject(Fault { trigger: Trigger::Transfer(1), kind: FaultKind::Lying(Lie::Remembered) });
    let mut debugger = attach(&board);
    let before = debugger.read(WORD);
    erase(&mut debugger);
    assert_eq!((debugger.read(WORD), armed.fired()), (before, true));
    drop(debugger);
    assert_eq!(attach(&board).read(WORD), u32::MAX);
}

#[test]
fn flash_is_read_back_only_over_a_connection_made_after_its_last_change() {
    let board = open();
    let mut debugger = attach(&board);
    debugger.try_read(PAGE.start, 256).unwrap();
    assert!(board.is_read_back(PAGE));
    erase(&mut debugger);
    debugger.try_read(PAGE.start, 256).unwrap();
    assert!(!board.is_read_back(PAGE));
    drop(debugger);
    let mut debugger = attach(&board);
    debugger.try_read(PAGE.start, 255).unwrap();
    assert!(!board.is_read_back(PAGE));
    debugger.try_read(PAGE.start, 256).unwrap();
    assert!(board.is_read_back(PAGE));
}

/// RM0008 3.3.3.
#[test]
fn flash_is_changed_only_while_the_internal_oscillator_is_on() {
    let board = open();
    let before = board.flash();
    let mut debugger = attach(&board);
    debugger.halt();
    debugger.write(RCC, 0x1_0000);
    erase(&mut debugger);
    assert!(board.flash() == before);
    let violations = board.violations();
    assert_eq!(violations, ["flash erased or programmed while the internal oscillator is off"]);
    debugger.system_reset();
    erase(&mut debugger);
    assert!(board.flash()[0x1400..0x1800].iter().all(|byte| *byte == 0xFF));
}
