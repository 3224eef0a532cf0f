//! Read-out protection and option bytes, PM0075 2.4 and 2.5.

use std::time::Duration;

use super::debugger::{CR, DHCSR, OBR, SR, attach, board_of, is_fault};
use crate::sim::{MILEAGE_M, Scenario, SimBoard, UID};

fn locked() -> SimBoard {
    board_of(Scenario::Locked)
}

#[test]
fn a_locked_board_runs_and_its_code_keeps_the_data_block_in_sram() {
    let board = locked();
    assert!(board.is_protected());
    let sram = board.sram();
    let live = &sram[0x70E..0x70E + 512];
    assert_eq!(live[..4], [0x5C, 0x51, 0xEE, 0x07]);
    assert_eq!(live[0x20..0x2E], *b"21886/00012345");
    assert_eq!(live[0x52..0x56], MILEAGE_M.to_le_bytes());
    assert_eq!(live[0x1B4..0x1C0], UID.map(u32::to_le_bytes).concat());
    assert_eq!(live[0x34..0x38], [0x99, 0x09, 0, 0], "version 9.9.9, no error");
    assert_eq!(live[0x8C..0x8E], [3, 0], "an ST chip");
    assert_eq!(sram[0x1A..0x1E], [0x5C, 0x51, 0xEE, 0x07], "the template, a second match for a search");
}

#[test]
fn a_debugger_can_read_everything_on_a_protected_chip_except_flash() {
    let board = locked();
    let mut debugger = attach(&board);
    assert!(is_fault(&debugger.try_read(0x0800_0000, 4).unwrap_err()));
    assert!(is_fault(&debugger.try_read(0x0000_0000, 4).unwrap_err()));
    assert_eq!(debugger.read(OBR) & 2, 2);
    assert_eq!(debugger.try_read(0x1FFF_F7E8, 3).unwrap(), UID);
    assert_eq!(debugger.read(0x1FFF_F800) & 0xFFFF, 0xFF00);
    let sram: Vec<u8> =
        debugger.try_read(0x2000_0000, 0x1400).unwrap().into_iter().flat_map(u32::to_le_bytes).collect();
    assert_eq!(sram[0x72E..0x73C], *b"21886/00012345");
}

#[test]
fn after_a_debugger_connects_the_protected_application_ends_in_its_fault_handler() {
    let board = locked();
    let mut debugger = attach(&board);
    debugger.sleep(Duration::from_millis(10));
    assert_eq!(board.pc(), 0x0800_1198);
    debugger.system_reset();
    debugger.sleep(Duration::from_millis(10));
    // The bootloader faults at its first literal, and stays in its own fault handler.
    assert!((0x0800_0120..0x0800_0200).contains(&board.pc()), "{:#010x}", board.pc());
    drop(debugger);
    board.power_cycle();
    board.clock().sleep(Duration::from_millis(50));
    assert!((0x0800_1100..0x0800_1198).contains(&board.pc()), "{:#010x}", board.pc());
}

#[test]
fn unlocking_erases_the_flash_and_takes_effect_at_the_next_reset() {
    let board = locked();
    let mut debugger = attach(&board);
    debugger.halt();
    debugger.set_protection(0xA5);
    assert!(board.flash().iter().all(|&byte| byte == 0xFF));
    assert!(is_fault(&debugger.try_read(0x0800_0000, 1).unwrap_err()), "still protected");
    debugger.system_reset();
    debugger.halt();
    assert_eq!(debugger.read(OBR) & 3, 0);
    assert_eq!(debugger.read(0x0800_0000), u32::MAX);
    assert_eq!(board.option_bytes()[..4], [0xA5, 0x5A, 0xFF, 0x00]);
    let counts = board.counts();
    assert_eq!((counts.mass_erases, counts.option_erases, counts.option_programs), (1, 1, 8));
    assert!(board.violations().is_empty(), "{:?}", board.violations());
}

#[test]
fn a_chip_that_follows_the_manual_needs_a_power_cycle_after_unlocking() {
    let board = locked();
    board.need_power_cycle();
    let mut debugger = attach(&board);
    debugger.halt();
    debugger.set_protection(0xA5);
    debugger.system_reset();
    assert!(is_fault(&debugger.try_read(0x0800_0000, 1).unwrap_err()));
    drop(debugger);
    board.power_cycle();
    assert_eq!(attach(&board).read(0x0800_0000), u32::MAX);
}

#[test]
fn a_debugger_cannot_program_a_protected_chip() {
    let board = locked();
    let before = board.flash();
    let mut debugger = attach(&board);
    debugger.halt();
    debugger.unlock_flash();
    debugger.erase_page(0x0800_8000);
    assert_eq!(debugger.read(SR) & 0x10, 0x10);
    debugger.write(CR, 1);
    debugger.write_16(0x0800_8000, 0);
    assert_eq!(board.flash(), before);
}

#[test]
fn protecting_erases_nothing_and_takes_effect_at_the_next_reset() {
    let board = board_of(Scenario::Open);
    let before = board.flash();
    let mut debugger = attach(&board);
    debugger.halt();
    debugger.set_protection(0x00);
    assert_eq!(debugger.read(0x0800_0000), 0x2000_0550);
    debugger.system_reset();
    assert!(is_fault(&debugger.try_read(0x0800_0000, 1).unwrap_err()));
    assert_eq!(board.flash(), before);
}

#[test]
fn erased_option_bytes_protect_the_chip() {
    let board = board_of(Scenario::Open);
    board.set_option_bytes([0xFF; 16]);
    assert!(board.is_protected());
    let mut debugger = attach(&board);
    assert_eq!(debugger.read(OBR) & 3, 2, "protected, without an error");
    assert_eq!(debugger.read(DHCSR) & 1 << 17, 0);
}

#[test]
fn option_bytes_cannot_be_programmed_twice() {
    let board = board_of(Scenario::Open);
    let mut debugger = attach(&board);
    debugger.halt();
    debugger.unlock_flash();
    for key in super::debugger::KEYS {
        debugger.write(super::debugger::OPTKEYR, key);
    }
    debugger.write(CR, 0x210);
    debugger.write_16(0x1FFF_F802, 0x00FE);
    assert_eq!(debugger.read(SR) & 4, 4);
    assert_eq!(board.option_bytes()[2], 0xFF);
    assert_eq!(board.violations().len(), 1);
}
