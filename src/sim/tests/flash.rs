//! The flash interface, PM0075.

use std::time::{Duration, Instant};

use super::debugger::{AR, CR, DHCSR, KEYR, KEYS, SR, attach, board_of, is_fault, since};
use crate::sim::{Scenario, SimBoard};

fn open() -> SimBoard {
    board_of(Scenario::Open)
}

#[test]
fn two_keys_unlock_the_interface_and_a_wrong_key_locks_it_until_reset() {
    let mut debugger = attach(&open());
    assert_eq!(debugger.read(CR), 0x80);
    debugger.unlock_flash();
    assert_eq!(debugger.read(CR), 0);
    debugger.write(CR, 0x80);
    assert_eq!(debugger.read(CR), 0x80);
    let refused = debugger.try_write(KEYR, &[0x1234_5678]).unwrap_err();
    assert!(is_fault(&refused));
    assert!(debugger.try_write(KEYR, &[KEYS[0]]).is_err());
    debugger.system_reset();
    debugger.unlock_flash();
    assert_eq!(debugger.read(CR), 0);
    assert_eq!(debugger.board.violations().len(), 2);
}

#[test]
fn a_page_erase_takes_20_ms_and_changes_no_other_page() {
    let board = open();
    let before = board.flash();
    let mut debugger = attach(&board);
    debugger.halt();
    debugger.unlock_flash();
    debugger.write(CR, 2);
    debugger.write(AR, 0x0800_1400);
    let start = board.clock().now();
    debugger.write(CR, 0x42);
    assert_eq!(debugger.read(SR) & 1, 1, "busy");
    debugger.wait_flash();
    let took = since(&board, start);
    assert!(took >= Duration::from_millis(20) && took < Duration::from_millis(30), "{took:?}");
    assert_ne!(debugger.read(SR) & 1 << 5, 0, "EOP");
    let after = board.flash();
    assert!(after[0x1400..0x1800].iter().all(|&byte| byte == 0xFF));
    assert_eq!((&after[..0x1400], &after[0x1800..]), (&before[..0x1400], &before[0x1800..]));
    assert_eq!(board.counts().page_erases[5], 1);
    assert!(board.violations().is_empty());
}

#[test]
fn half_words_are_programmed_once_and_then_only_to_zero() {
    let board = open();
    let mut debugger = attach(&board);
    debugger.halt();
    debugger.unlock_flash();
    debugger.write(CR, 1);
    debugger.write_16(0x0800_8000, 0x1234);
    debugger.wait_flash();
    debugger.write_16(0x0800_8002, 0xFFFF);
    debugger.wait_flash();
    assert_eq!(debugger.read(0x0800_8000), 0xFFFF_1234);
    assert_eq!(debugger.read(SR) & 4, 0);
    debugger.write_16(0x0800_8000, 0x0034);
    assert_eq!(debugger.read(SR) & 4, 4, "PGERR");
    assert_eq!(debugger.read(0x0800_8000), 0xFFFF_1234);
    debugger.write(SR, 4);
    debugger.write_16(0x0800_8000, 0);
    debugger.wait_flash();
    assert_eq!(debugger.read(0x0800_8000), 0xFFFF_0000);
    assert_eq!(board.violations().len(), 1, "the half-word that was not erased");
    assert_eq!(board.counts().half_words_programmed, 3);
}

#[test]
fn writes_of_other_widths_fault() {
    let board = open();
    let mut debugger = attach(&board);
    debugger.halt();
    debugger.unlock_flash();
    debugger.write(CR, 1);
    assert!(is_fault(&debugger.try_write(0x0800_8000, &[0]).unwrap_err()));
    assert!(is_fault(&debugger.try_write_16(0x4002_2010, 0).unwrap_err()));
    assert_eq!(board.violations().len(), 2);
    assert_eq!(debugger.read(0x0800_8000), u32::MAX);
}

#[test]
fn a_locked_or_busy_interface_refuses_writes_and_records_violations() {
    let board = open();
    let mut debugger = attach(&board);
    debugger.halt();
    debugger.write(CR, 2);
    assert_eq!(debugger.read(CR), 0x80);
    debugger.write_16(0x0800_8000, 0);
    assert_eq!(board.violations().len(), 2);
    debugger.unlock_flash();
    debugger.write(CR, 2);
    debugger.write(AR, 0x0800_8000);
    debugger.write(CR, 0x42);
    debugger.write(CR, 0);
    assert_eq!(debugger.read(CR), 0x42, "ignored while busy");
    assert_eq!(board.violations().len(), 3);
}

#[test]
fn a_probe_waits_for_a_half_word_but_not_for_an_erase() {
    let board = open();
    let mut debugger = attach(&board);
    debugger.halt();
    debugger.unlock_flash();
    board.set_round_trip(Duration::ZERO);
    debugger.write(CR, 1);
    debugger.write_16(0x0800_8000, 0x1234);
    assert_eq!(debugger.read(0x0800_8000), 0xFFFF_1234);
    debugger.write(CR, 2);
    debugger.write(AR, 0x0800_1000);
    debugger.write(CR, 0x42);
    for address in [0x0800_1000, 0x1FFF_F800] {
        let start = board.clock().now();
        let refused = debugger.try_read(address, 1).unwrap_err();
        assert!(!is_fault(&refused));
        assert!(since(&board, start) < Duration::from_millis(5), "{refused}");
    }
    debugger.wait_flash();
    assert_eq!(debugger.read(0x0800_1000), u32::MAX);
    assert!(board.violations().is_empty(), "{:?}", board.violations());
}

#[test]
fn selecting_several_operations_is_a_violation_and_lock_prevents_a_start() {
    for (control, starts) in [(0x41, false), (0x50, false), (0x46, false), (0x43, true), (0xC2, false), (0xC4, false)] {
        let board = open();
        let mut debugger = attach(&board);
        debugger.halt();
        debugger.unlock_flash();
        debugger.write(AR, 0x0800_1000);
        debugger.write(CR, control);
        assert_eq!(debugger.read(SR) & 1, u32::from(starts), "{control:#x}");
        assert!(!board.violations().is_empty(), "{control:#x}");
        let counts = board.counts();
        assert_eq!(counts.page_erases.iter().sum::<u32>() + counts.mass_erases, u32::from(starts), "{control:#x}");
    }
}

#[test]
fn erases_take_the_time_that_was_set() {
    let board = open();
    board.set_erase_times(Duration::from_millis(40), Duration::from_millis(700));
    let mut debugger = attach(&board);
    debugger.halt();
    debugger.unlock_flash();
    for (operation, least) in [(2, 40), (4, 700)] {
        debugger.write(CR, operation);
        debugger.write(AR, 0x0800_1000);
        debugger.write(CR, 0x40 | operation);
        debugger.sleep(Duration::from_millis(least - 5));
        assert_eq!(debugger.read(SR) & 1, 1);
        debugger.sleep(Duration::from_millis(5));
        assert_eq!(debugger.read(SR) & 1, 0);
    }
}

#[test]
fn a_mass_erase_clears_everything_except_the_option_bytes() {
    let board = open();
    let options = board.option_bytes();
    let mut debugger = attach(&board);
    debugger.halt();
    debugger.unlock_flash();
    debugger.write(CR, 4);
    debugger.write(CR, 0x44);
    debugger.wait_flash();
    assert!(board.flash().iter().all(|&byte| byte == 0xFF));
    assert_eq!(board.option_bytes(), options);
    assert_eq!(board.counts().mass_erases, 1);
}

/// Programs half-words and polls BSY after each one. r0: source, r1: destination, r2: number of half-words, r3: flash
/// registers.
const LOADER: [u16; 12] = [
    0x2401, // movs r4, #1
    0x611C, // str r4, [r3, #16]   FLASH_CR = PG
    0x8804, // loop: ldrh r4, [r0]
    0x800C, // strh r4, [r1]
    0x68DC, // wait: ldr r4, [r3, #12]
    0x07E4, // lsls r4, r4, #31
    0xD1FC, // bne wait
    0x3002, // adds r0, #2
    0x3102, // adds r1, #2
    0x3A01, // subs r2, #1
    0xD1F6, // bne loop
    0xBE00, // bkpt
];

#[test]
fn a_resident_loader_programs_at_the_speed_of_the_flash() {
    let board = board_of(Scenario::New);
    let mut debugger = attach(&board);
    debugger.halt();
    debugger.unlock_flash();
    let program: Vec<u32> = LOADER.chunks(2).map(|pair| u32::from(pair[0]) | u32::from(pair[1]) << 16).collect();
    debugger.try_write(0x2000_0000, &program).unwrap();
    let data: Vec<u32> = (0..4096).map(|index: u32| index.wrapping_mul(0x9E37_79B9) | 1).collect();
    let real = Instant::now();
    let start = board.clock().now();
    for (index, chunk) in data.chunks(2048).enumerate() {
        let done = 8192 * index as u32;
        debugger.try_write(0x2000_0400, chunk).unwrap();
        for (register, value) in [(0, 0x2000_0400), (1, 0x0800_0000 + done), (2, 4096), (3, 0x4002_2000)] {
            debugger.set_register(register, value);
        }
        debugger.start(0x2000_0000);
        while debugger.read(DHCSR) & 1 << 17 == 0 {}
    }
    let took = since(&board, start);
    let floor = Duration::from_micros(8192 * 525 / 10);
    assert!(took > floor && took < floor * 2, "{took:?}");
    let bytes: Vec<u8> = data.iter().flat_map(|word| word.to_le_bytes()).collect();
    assert_eq!(board.flash()[..bytes.len()], bytes);
    assert_eq!(board.violations(), Vec::<String>::new());
    assert_eq!(board.counts().half_words_programmed, 8192);
    assert!(real.elapsed() < Duration::from_secs(2), "{:?}", real.elapsed());
}

#[test]
fn write_protected_pages_prevent_their_erase_and_a_mass_erase() {
    let board = board_of(Scenario::Wrp);
    let before = board.flash();
    let mut debugger = attach(&board);
    debugger.halt();
    debugger.unlock_flash();
    debugger.erase_page(0x0800_0000);
    assert_eq!(debugger.read(SR) & 0x10, 0x10, "WRPRTERR");
    debugger.write(SR, 0x10);
    debugger.write(CR, 4);
    debugger.write(CR, 0x44);
    assert_eq!(debugger.read(SR) & 0x11, 0x10);
    assert_eq!(board.flash(), before);
    debugger.write(SR, 0x10);
    debugger.erase_page(0x0800_1000);
    assert_eq!(debugger.read(SR) & 0x10, 0);
    assert_eq!(debugger.read(0x4002_2020), 0xFFFF_7FFE);
}

#[test]
fn a_reset_during_an_erase_leaves_a_mixture_of_old_and_new() {
    let board = open();
    let before = board.flash();
    let mut debugger = attach(&board);
    debugger.halt();
    debugger.unlock_flash();
    debugger.write(CR, 2);
    debugger.write(AR, 0x0800_1400);
    debugger.write(CR, 0x42);
    debugger.system_reset();
    let page = &board.flash()[0x1400..0x1800];
    assert_ne!(page, &before[0x1400..0x1800]);
    assert!(page.iter().any(|&byte| byte != 0xFF));
}
