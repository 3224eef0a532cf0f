//! Faults: each one has its documented effect and reports that it fired.

use std::time::Duration;

use super::debugger::{AR, CR, DHCSR, Debugger, HALT, SR, attach, board_of, is_fault, since, try_attach};
use crate::sim::{Armed, Fault, FaultKind, Lie, Scenario, SimBoard, Trigger, WireContact};

fn open() -> SimBoard {
    board_of(Scenario::Open)
}

fn next_transfer(board: &SimBoard, kind: FaultKind) -> Armed {
    board.inject(Fault { trigger: Trigger::Transfer(1), kind })
}

fn erase(debugger: &mut Debugger, address: u32) {
    debugger.write(CR, 2);
    debugger.write(AR, address);
    debugger.write(CR, 0x42);
}

#[test]
fn an_error_fails_exactly_one_transfer() {
    let board = open();
    let mut debugger = attach(&board);
    let armed = board.inject(Fault { trigger: Trigger::Transfer(20), kind: FaultKind::Error });
    let failed = (0..20).filter(|_| debugger.try_read(0x2000_0000, 1).is_err()).count();
    assert_eq!(failed, 1);
    assert!(armed.fired());
}

#[test]
fn a_timeout_takes_a_second() {
    let board = open();
    let mut debugger = attach(&board);
    let armed = next_transfer(&board, FaultKind::Timeout);
    let start = board.clock().now();
    let error = debugger.try_read(0x2000_0000, 1).unwrap_err();
    assert!(!is_fault(&error) && armed.fired());
    assert!(since(&board, start) >= Duration::from_secs(1));
    // probe-rs no longer knows which bank it last selected, so a new session is needed.
    drop(debugger);
    attach(&board).read(0x2000_0000);
}

#[test]
fn an_unplugged_probe_works_again_once_it_is_plugged_in_and_reopened() {
    let board = open();
    let mut debugger = attach(&board);
    let armed = next_transfer(&board, FaultKind::ProbeGone { returns_after: Some(Duration::from_millis(500)) });
    assert!(debugger.try_read(0x2000_0000, 1).is_err());
    assert!(armed.fired());
    assert!(board.probe_lister().list(None).is_empty());
    assert!(try_attach(&board).is_err());
    board.clock().sleep(Duration::from_millis(500));
    assert_eq!(board.probe_lister().list(None).len(), 1);
    assert!(debugger.try_read(0x2000_0000, 1).is_err(), "the old session stays dead");
    drop(debugger);
    attach(&board).read(0x2000_0000);
}

#[test]
fn a_board_without_power_does_not_answer_and_loses_its_sram() {
    let board = open();
    let mut debugger = attach(&board);
    debugger.write(DHCSR, HALT);
    debugger.write(0x2000_4000, 0xCAFE_F00D);
    let armed = next_transfer(&board, FaultKind::PowerLost { returns_after: Some(Duration::from_millis(300)) });
    assert!(debugger.try_read(0x2000_4000, 1).is_err());
    assert!(armed.fired());
    drop(debugger);
    assert!(try_attach(&board).is_err());
    board.clock().sleep(Duration::from_millis(400));
    let mut debugger = attach(&board);
    assert_ne!(debugger.read(0x2000_4000), 0xCAFE_F00D);
    assert_eq!(debugger.read(DHCSR) & 3, 0, "debug logic is reset");
}

#[test]
fn power_loss_during_a_page_erase_leaves_a_mixture_of_old_and_new() {
    let board = open();
    let before = board.flash();
    let mut debugger = attach(&board);
    debugger.halt();
    debugger.unlock_flash();
    let armed =
        board.inject(Fault { trigger: Trigger::PageErase(1), kind: FaultKind::PowerLost { returns_after: None } });
    debugger.write(CR, 2);
    debugger.write(AR, 0x0800_1400);
    let _ = debugger.try_write(CR, &[0x42]);
    assert!(armed.fired());
    let after = board.flash();
    let page = 0x1400..0x1800;
    assert_ne!(after[page.clone()], before[page.clone()]);
    assert!(after[page.clone()].iter().any(|&byte| byte != 0xFF));
    assert_eq!((&after[..page.start], &after[page.end..]), (&before[..page.start], &before[page.end..]));
    drop(debugger);
    assert!(try_attach(&board).is_err(), "power does not come back by itself");
    board.power_cycle();
    attach(&board);
}

#[test]
fn power_loss_while_option_bytes_are_written_leaves_them_half_erased_or_half_written() {
    for (trigger, erased) in [(Trigger::OptionErase(1), false), (Trigger::OptionProgram(1), true)] {
        let board = open();
        let mut debugger = attach(&board);
        debugger.halt();
        debugger.unlock_flash();
        for key in super::debugger::KEYS {
            debugger.write(super::debugger::OPTKEYR, key);
        }
        let armed = board.inject(Fault { trigger, kind: FaultKind::PowerLost { returns_after: None } });
        debugger.write(CR, 0x220);
        let _ = debugger.try_write(CR, &[0x260]);
        if erased {
            debugger.wait_flash();
            debugger.write(CR, 0x210);
            let _ = debugger.try_write_16(0x1FFF_F800, 0xA5);
        }
        assert!(armed.fired());
        let options = board.option_bytes();
        assert_ne!(options[..2], [0xA5, 0x5A]);
        assert_eq!(options[2..].iter().all(|&byte| byte == 0xFF), erased, "{options:02x?}");
    }
}

#[test]
fn after_silence_the_debugger_has_to_attach_again() {
    let board = open();
    let mut debugger = attach(&board);
    let armed = next_transfer(&board, FaultKind::Silent(Duration::from_millis(300)));
    assert!(debugger.try_read(0x2000_0000, 1).is_err());
    assert!(armed.fired());
    drop(debugger);
    assert!(try_attach(&board).err().unwrap().starts_with("attach"));
    board.clock().sleep(Duration::from_millis(300));
    attach(&board).read(0x2000_0000);
}

#[test]
fn a_lying_link_changes_only_what_is_read() {
    let words: Vec<u32> = (1..=100).collect();
    for lie in [Lie::Stuck, Lie::Late, Lie::Ones, Lie::Zeros, Lie::FlippedBit { one_in: 10 }] {
        let board = open();
        let mut debugger = attach(&board);
        debugger.write(DHCSR, HALT);
        debugger.try_write(0x2000_1000, &words).unwrap();
        let armed = next_transfer(&board, FaultKind::Lying(lie));
        let read = debugger.try_read(0x2000_1000, 100).unwrap();
        assert!(armed.fired());
        match lie {
            Lie::Stuck => assert!(read.iter().all(|&word| word == 1)),
            Lie::Late => assert_eq!(read[1..], words[..99]),
            Lie::Ones => assert!(read.iter().all(|&word| word == u32::MAX)),
            Lie::Zeros => assert!(read.iter().all(|&word| word == 0)),
            Lie::Remembered => unreachable!("it changes only what is read of flash"),
            Lie::FlippedBit { .. } => {
                let wrong: Vec<_> = read.iter().zip(&words).filter(|(a, b)| a != b).collect();
                assert!((2..30).contains(&wrong.len()));
                assert!(wrong.iter().all(|(a, b)| (*a ^ *b).is_power_of_two()));
            }
        }
        board.clear_faults();
        assert_eq!(debugger.try_read(0x2000_1000, 100).unwrap(), words);
    }
}

#[test]
fn a_dropped_write_is_acknowledged_but_lost() {
    let board = open();
    let mut debugger = attach(&board);
    debugger.write(DHCSR, HALT);
    debugger.try_write(0x2000_1000, &[0; 4]).unwrap();
    // The first transfer writes TAR, so the first data word is dropped.
    let armed = next_transfer(&board, FaultKind::DroppedWrite);
    debugger.try_write(0x2000_1000, &[1, 2, 3, 4]).unwrap();
    assert!(armed.fired());
    assert_eq!(debugger.try_read(0x2000_1000, 4).unwrap(), [0, 2, 3, 4]);
}

#[test]
fn a_worn_page_can_be_neither_erased_nor_programmed() {
    let board = open();
    let mut debugger = attach(&board);
    debugger.halt();
    debugger.unlock_flash();
    let before = board.flash();
    let armed = board.inject(Fault { trigger: Trigger::PageErase(1), kind: FaultKind::NoEffect });
    for _ in 0..2 {
        erase(&mut debugger, 0x0800_1400);
        debugger.wait_flash();
        assert_eq!(debugger.read(SR) & 0x34, 0x20, "EOP, no error");
    }
    assert!(armed.fired());
    assert_eq!(board.flash(), before);
    let armed = board.inject(Fault { trigger: Trigger::HalfWord(1), kind: FaultKind::NoEffect });
    debugger.write(CR, 1);
    debugger.write_16(0x0800_8000, 0x1234);
    debugger.wait_flash();
    assert!(armed.fired());
    assert_eq!(debugger.read(0x0800_8000), u32::MAX);
}

#[test]
fn slipping_wires_may_touch_another_board() {
    let board = board_of(Scenario::Locked);
    let first = board.uid();
    let mut debugger = attach(&board);
    let gap = Duration::from_millis(200);
    let armed = next_transfer(&board, FaultKind::AnotherBoard { uid: [1, 2, 3], gap });
    assert!(debugger.try_read(0x1FFF_F7E8, 3).is_err());
    assert!(armed.fired());
    drop(debugger);
    board.clock().sleep(gap);
    assert_eq!(attach(&board).try_read(0x1FFF_F7E8, 3).unwrap(), [1, 2, 3]);
    assert!(board.is_protected());
    board.swap_back();
    assert_eq!(board.uid(), first);
}

#[test]
fn contact_by_hand_holds_for_about_the_given_share_of_the_time() {
    let board = open();
    board.set_contact(WireContact::Markov {
        duty_percent: 70,
        gap: Duration::from_millis(50)..Duration::from_millis(150),
        seed: 7,
    });
    let mut good = 0;
    for _ in 0..1000 {
        good += usize::from(try_attach(&board).is_ok());
        board.clock().sleep(Duration::from_millis(20));
    }
    // Attaching takes a while, so it succeeds less often than there is contact.
    assert!((500..720).contains(&good), "{good}");
    let again = open();
    again.set_contact(WireContact::Markov { duty_percent: 100, gap: Duration::ZERO..Duration::ZERO, seed: 7 });
    attach(&again);
}

#[test]
fn transfers_fail_above_the_clean_clock_frequency() {
    let board = open();
    board.set_clean_khz(950);
    assert!(try_attach(&board).is_err(), "1800 kHz by default");
}

#[test]
fn a_timed_fault_happens_between_transfers_too() {
    let board = open();
    let moment = board.clock().now() + Duration::from_millis(50);
    let armed = board.inject(Fault {
        trigger: Trigger::At(moment),
        kind: FaultKind::PowerLost { returns_after: Some(Duration::from_millis(10)) },
    });
    let resets = board.counts().resets;
    board.clock().sleep(Duration::from_millis(49));
    assert!(!armed.fired());
    board.clock().sleep(Duration::from_millis(20));
    assert!(armed.fired());
    assert_eq!(board.counts().resets, resets + 1);
}
