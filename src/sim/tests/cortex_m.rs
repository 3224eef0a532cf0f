//! The core: halting debug, execution, faults, reset.

use std::time::{Duration, Instant};

use super::debugger::{AIRCR, CR, DEMCR, DHCSR, HALT, RUN, attach, board_of};
use crate::sim::{ResetPin, Scenario, SimBoard, SimChip, options};

const S_HALT: u32 = 1 << 17;
const S_LOCKUP: u32 = 1 << 19;
const S_RESET_ST: u32 = 1 << 25;

fn blank() -> SimBoard {
    board_of(Scenario::New)
}

/// Little-endian half-words as words.
fn code(half_words: &[u16]) -> Vec<u32> {
    half_words.chunks(2).map(|pair| u32::from(pair[0]) | u32::from(*pair.get(1).unwrap_or(&0)) << 16).collect()
}

#[test]
fn core_registers_are_accessed_through_dcrdr_and_bit_0_of_the_pc_is_dropped() {
    let mut debugger = attach(&blank());
    debugger.halt();
    for select in 0..=12 {
        debugger.set_register(select, 0x1000 + select);
    }
    debugger.set_register(15, 0x2000_0101);
    debugger.set_register(17, 0x2000_4000);
    for select in 0..=12 {
        assert_eq!(debugger.register(select), 0x1000 + select);
    }
    assert_eq!(debugger.register(15), 0x2000_0100);
    assert_eq!(debugger.register(13), 0x2000_4000);
}

#[test]
fn loaded_code_runs_while_the_debugger_does_other_things() {
    let board = blank();
    let mut debugger = attach(&board);
    debugger.halt();
    // movs r0, #0; loop: adds r0, #1; str r0, [r1]; cmp r0, r2; bne loop; bkpt
    let program = code(&[0x2000, 0x3001, 0x6008, 0x4290, 0xD1FB, 0xBE00]);
    debugger.try_write(0x2000_0000, &program).unwrap();
    debugger.set_register(1, 0x2000_1000);
    debugger.set_register(2, 50_000);
    debugger.start(0x2000_0000);
    let first = debugger.read(0x2000_1000);
    let second = debugger.read(0x2000_1000);
    assert!(first > 0 && second > first && second < 50_000, "{first} {second}");
    debugger.sleep(Duration::from_millis(100));
    assert_ne!(debugger.read(DHCSR) & S_HALT, 0);
    assert_eq!(debugger.read(0x2000_1000), 50_000);
    assert_eq!(debugger.register(15), 0x2000_000A, "at the breakpoint instruction itself");
    assert_ne!(debugger.read(0xE000_ED30) & 2, 0, "DFSR.BKPT");
}

#[test]
fn a_step_executes_one_instruction() {
    let mut debugger = attach(&blank());
    debugger.halt();
    debugger.try_write(0x2000_0000, &code(&[0x2001, 0x2002, 0x2003])).unwrap();
    debugger.set_register(16, 1 << 24);
    debugger.set_register(15, 0x2000_0000);
    for expected in 1..=3 {
        debugger.write(DHCSR, 0xA05F_000D);
        assert_ne!(debugger.read(DHCSR) & S_HALT, 0);
        assert_eq!(debugger.register(0), expected);
    }
}

#[test]
fn a_blank_chip_is_locked_up_and_can_still_be_halted() {
    let mut debugger = attach(&blank());
    assert_eq!(debugger.read(DHCSR) & (S_LOCKUP | S_HALT), S_LOCKUP);
    debugger.halt();
    assert_eq!(debugger.register(15), 0xFFFF_FFFE);
    assert_eq!(debugger.register(13), 0xFFFF_FFFC);
}

#[test]
fn a_reset_with_vector_catch_halts_before_the_first_instruction() {
    let board = board_of(Scenario::Open);
    let mut debugger = attach(&board);
    debugger.write(DHCSR, HALT);
    debugger.write(DEMCR, 1);
    debugger.read(DHCSR);
    debugger.write(AIRCR, 0x05FA_0004);
    let status = debugger.read(DHCSR);
    assert_eq!(status & (S_HALT | S_RESET_ST), S_HALT | S_RESET_ST);
    assert_eq!(debugger.read(DHCSR) & S_RESET_ST, 0, "cleared by reading");
    assert_eq!(debugger.register(15), 0x0800_0120);
    assert_eq!(debugger.register(13), 0x2000_0550);
    assert_ne!(debugger.read(0xE000_ED30) & 8, 0, "DFSR.VCATCH");
}

#[test]
fn the_code_of_the_bootloader_starts_the_application() {
    let board = board_of(Scenario::Open);
    assert!((0x0800_1100..0x0800_1300).contains(&board.pc()), "{:#010x}", board.pc());
    let mut debugger = attach(&board);
    let count = debugger.read(0x2000_0004);
    debugger.sleep(Duration::from_millis(10));
    assert!(debugger.read(0x2000_0004) > count);
    debugger.write(DEMCR, 1 << 24);
    let samples: std::collections::BTreeSet<_> = (0..20).map(|_| debugger.read(0xE000_101C)).collect();
    assert!(samples.len() > 1 && samples.iter().all(|pc| (0x0800_1168..0x0800_1178).contains(pc)), "{samples:x?}");
}

#[test]
fn without_an_application_the_bootloader_loops() {
    let board = board_of(Scenario::Bricked);
    assert!((0x0800_0120..0x0800_0160).contains(&board.pc()), "{:#010x}", board.pc());
}

#[test]
fn a_bad_access_ends_in_the_fault_handler_and_a_second_one_locks_up() {
    let board = board_of(Scenario::Open);
    let mut debugger = attach(&board);
    debugger.halt();
    // ldr r0, [r1]; b .
    debugger.try_write(0x2000_1000, &code(&[0x6808, 0xE7FE])).unwrap();
    debugger.set_register(1, 0x6000_0000);
    debugger.start(0x2000_1000);
    debugger.sleep(Duration::from_millis(1));
    debugger.halt();
    assert_eq!(debugger.register(16) & 0x1FF, 3, "HardFault");
    assert_eq!(debugger.register(15), 0x0800_1198, "the application's handler");
    assert_eq!(debugger.read(0xE000_ED38), 0x6000_0000, "BFAR");
    // Again from inside the handler.
    debugger.set_register(15, 0x2000_1000);
    debugger.write(DHCSR, RUN);
    debugger.sleep(Duration::from_millis(1));
    assert_ne!(debugger.read(DHCSR) & S_LOCKUP, 0);
}

#[test]
fn vector_catch_stops_a_fault_at_its_handler() {
    let board = board_of(Scenario::Open);
    let mut debugger = attach(&board);
    debugger.halt();
    debugger.write(DEMCR, 1 << 10);
    debugger.try_write(0x2000_1000, &code(&[0xDE00, 0xE7FE])).unwrap();
    debugger.start(0x2000_1000);
    assert_ne!(debugger.read(DHCSR) & S_HALT, 0);
    assert_eq!(debugger.register(15), 0x0800_1198);
}

#[test]
fn system_timer_interrupts_are_taken_and_return() {
    let board = blank();
    let mut debugger = attach(&board);
    debugger.halt();
    // Vector table in SRAM with a handler that counts in r4: push {lr}; adds r4, #1; pop {pc}.
    debugger.try_write(0x2000_0000, &[0x2000_4000, 0, 0, 0]).unwrap();
    debugger.write(0x2000_003C, 0x2000_0101);
    debugger.try_write(0x2000_0100, &code(&[0xB500, 0x3401, 0xBD00])).unwrap();
    // wfi; adds r5, #1; b back
    debugger.try_write(0x2000_0200, &code(&[0xBF30, 0x3501, 0xE7FC])).unwrap();
    debugger.write(0xE000_ED08, 0x2000_0000);
    debugger.write(0xE000_E014, 7999);
    debugger.write(0xE000_E018, 0);
    debugger.write(0xE000_E010, 7);
    debugger.set_register(4, 0);
    debugger.set_register(5, 0);
    debugger.set_register(13, 0x2000_4000);
    debugger.set_register(16, 1 << 24);
    debugger.set_register(15, 0x2000_0200);
    debugger.write(DHCSR, RUN);
    debugger.sleep(Duration::from_millis(100));
    debugger.halt();
    let (ticks, wakes) = (debugger.register(4), debugger.register(5));
    assert!((100..110).contains(&ticks), "{ticks}");
    assert!(wakes.abs_diff(ticks) <= 1, "{wakes} {ticks}");
    assert_eq!(debugger.register(13), 0x2000_4000);
}

#[test]
fn the_core_and_the_debugger_see_the_active_exception_in_icsr() {
    const ICSR: u32 = 0xE000_ED04;
    let mut debugger = attach(&blank());
    debugger.halt();
    assert_eq!(debugger.read(ICSR), 0);
    // Vector table in SRAM, PendSV's handler: ldr r6, [r7]; b .
    debugger.write(0x2000_0038, 0x2000_0101);
    debugger.try_write(0x2000_0100, &code(&[0x683E, 0xE7FE])).unwrap();
    debugger.write(0xE000_ED08, 0x2000_0000);
    debugger.write(ICSR, 1 << 28);
    assert_eq!(debugger.read(ICSR), 0x1000_E000, "VECTPENDING");
    for (register, value) in [(7, ICSR), (13, 0x2000_4000), (16, 1 << 24), (15, 0x2000_0100)] {
        debugger.set_register(register, value);
    }
    debugger.write(DHCSR, RUN);
    debugger.sleep(Duration::from_millis(1));
    assert_eq!(debugger.read(ICSR), 0x80E, "RETTOBASE, PendSV");
    debugger.halt();
    assert_eq!(debugger.register(6), 0x80E);
    // A fault inside the handler.
    debugger.write(0x2000_000C, 0x2000_0103);
    debugger.set_register(15, 0x2000_0200);
    debugger.write(0x2000_0200, 0xDE00);
    debugger.write(DHCSR, RUN);
    debugger.sleep(Duration::from_millis(1));
    assert_eq!(debugger.read(ICSR), 3, "HardFault, on top of PendSV");
}

#[test]
fn a_breakpoint_stops_before_its_instruction() {
    let board = board_of(Scenario::Open);
    let mut debugger = attach(&board);
    debugger.write(DHCSR, RUN);
    debugger.write(0xE000_2008, 0x4000_0001 | 0x0800_116C);
    debugger.write(0xE000_2000, 3);
    assert_ne!(debugger.read(DHCSR) & S_HALT, 0);
    assert_eq!(debugger.register(15), 0x0800_116C);
    let count = debugger.register(1);
    debugger.write(DHCSR, RUN);
    debugger.sleep(Duration::from_millis(1));
    assert_eq!(debugger.register(1), count + 1, "one round of the loop");
}

#[test]
fn special_registers_are_accessed_without_armagnac() {
    let mut debugger = attach(&blank());
    debugger.halt();
    // cpsid i; mrs r0, primask; movs r1, #0; msr primask, r1; mrs r2, primask; mrs r3, control; bkpt
    let program = [0xB672, 0xF3EF, 0x8010, 0x2100, 0xF381, 0x8810, 0xF3EF, 0x8210, 0xF3EF, 0x8314, 0xBE00];
    debugger.try_write(0x2000_0000, &code(&program)).unwrap();
    debugger.start(0x2000_0000);
    debugger.sleep(Duration::from_millis(1));
    assert_eq!([0, 2, 3].map(|select| debugger.register(select)), [1, 0, 0]);
}

#[test]
fn pc_samples_of_a_waiting_program_are_spread_over_its_loop() {
    let board = blank();
    let mut debugger = attach(&board);
    debugger.halt();
    // loop: ldr r0, [r1]; nop; nop; cmp r0, #0; beq loop
    debugger.try_write(0x2000_0000, &code(&[0x6808, 0xBF00, 0xBF00, 0x2800, 0xD0FA])).unwrap();
    debugger.set_register(1, 0x2000_1000);
    debugger.write(0x2000_1000, 0);
    debugger.write(DEMCR, 1 << 24);
    debugger.start(0x2000_0000);
    let samples: std::collections::BTreeSet<_> = (0..30).map(|_| debugger.read(0xE000_101C)).collect();
    assert!(samples.len() >= 3, "{samples:x?}");
    debugger.write(0x2000_1000, 1);
    debugger.sleep(Duration::from_millis(1));
    assert!(board.pc() >= 0x2000_000A, "a write by the debugger ends the wait");
}

#[test]
fn a_delay_loop_takes_four_cycles_per_round_even_if_a_debugger_watches() {
    let board = blank();
    let mut debugger = attach(&board);
    debugger.halt();
    debugger.write(DEMCR, 1 << 24);
    debugger.write(0xE000_1000, 1);
    // ldr r3, [r2]; delay: subs r5, #1; bne delay; ldr r4, [r2]; bkpt
    debugger.try_write(0x2000_0000, &code(&[0x6813, 0x3D01, 0xD1FD, 0x6814, 0xBE00])).unwrap();
    debugger.set_register(2, 0xE000_1004);
    let mut cycles = |count: u32| {
        debugger.set_register(5, count);
        debugger.start(0x2000_0000);
        while debugger.read(DHCSR) & S_HALT == 0 {}
        assert_eq!(debugger.register(5), 0);
        debugger.register(4) - debugger.register(3)
    };
    let one = cycles(1);
    for count in [2, 3, 4, 1000, 100_003] {
        assert_eq!(cycles(count), one + 4 * (count - 1), "{count}");
    }
}

#[test]
fn a_reset_ends_halting_unless_vector_catch_is_on() {
    let board = board_of(Scenario::Open);
    let mut debugger = attach(&board);
    debugger.halt();
    // C_MASKINTS and C_STEP.
    debugger.write(DHCSR, HALT | 0xC);
    debugger.system_reset();
    assert_eq!(debugger.read(DHCSR) & (S_HALT | 0xF), 1, "only C_DEBUGEN");
    debugger.sleep(Duration::from_millis(50));
    assert!((0x0800_1100..0x0800_1198).contains(&board.pc()));
}

#[test]
fn while_reset_is_held_the_core_is_stopped_and_only_its_private_bus_answers() {
    for (demcr, cause) in [(1, 8), (0, 1)] {
        let board = board_of(Scenario::Open);
        board.press_reset(ResetPin::Low);
        let mut debugger = attach(&board);
        assert!(debugger.try_read(0x2000_0000, 1).is_err());
        debugger.write(DHCSR, HALT);
        debugger.write(DEMCR, demcr);
        for _ in 0..2 {
            assert_eq!(debugger.read(DHCSR) & (S_HALT | S_RESET_ST), S_RESET_ST, "no debug state during reset");
        }
        let resets = board.counts().resets;
        board.press_reset(ResetPin::Released);
        assert_eq!(board.counts().resets, resets, "the release is not another reset");
        assert_eq!(debugger.read(DHCSR) & (S_HALT | S_RESET_ST), S_HALT | S_RESET_ST);
        assert_eq!(debugger.read(DHCSR) & S_RESET_ST, 0);
        assert_eq!(debugger.register(15), 0x0800_0120, "no instruction was executed");
        assert_eq!(debugger.read(0xE000_ED30) & 9, cause, "DFSR");
    }
}

#[test]
fn a_board_powered_on_while_reset_is_held_starts_when_reset_is_released() {
    let board = board_of(Scenario::Open);
    board.press_reset(ResetPin::Low);
    board.power_cycle();
    board.clock().sleep(Duration::from_millis(50));
    assert_eq!(board.pc(), 0);
    board.press_reset(ResetPin::Released);
    board.clock().sleep(Duration::from_millis(50));
    assert!((0x0800_1100..0x0800_1198).contains(&board.pc()));
}

#[test]
fn a_watchdog_resets_the_chip_unless_the_debugger_stops_it() {
    let board = board_of(Scenario::Open);
    let mut debugger = attach(&board);
    debugger.halt();
    debugger.write(0x4000_3000, 0xCCCC);
    debugger.write(0xE004_2004, 0x300);
    let resets = board.counts().resets;
    debugger.sleep(Duration::from_secs(2));
    assert_eq!(board.counts().resets, resets, "frozen");
    debugger.write(0xE004_2004, 0);
    debugger.sleep(Duration::from_secs(2));
    assert!(board.counts().resets > resets);
    assert_ne!(debugger.read(0x4002_1024) & 1 << 29, 0, "IWDGRSTF");
}

#[test]
fn the_debugger_stops_a_watchdog_only_while_the_core_is_halted() {
    let board = blank();
    let mut debugger = attach(&board);
    debugger.halt();
    // str r1, [r0]; b .
    debugger.try_write(0x2000_0000, &code(&[0x6001, 0xE7FE])).unwrap();
    debugger.set_register(0, 0x4000_3000);
    debugger.set_register(1, 0xCCCC);
    debugger.write(0xE004_2004, 0x300);
    debugger.start(0x2000_0000);
    let resets = board.counts().resets;
    debugger.sleep(Duration::from_millis(300));
    debugger.write(DHCSR, HALT | 8);
    debugger.sleep(Duration::from_secs(2));
    debugger.write(DHCSR, RUN | 8);
    debugger.sleep(Duration::from_millis(90));
    assert_eq!(board.counts().resets, resets);
    debugger.sleep(Duration::from_millis(30));
    assert_eq!(board.counts().resets, resets + 1, "4096 periods of 40 kHz / 4 are 410 ms");
}

#[test]
fn a_watchdog_started_by_the_option_bytes_runs_again_after_every_reset() {
    let board = board_of(Scenario::Open);
    board.set_option_bytes(options::from_bytes([0xA5, 0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]));
    let resets = board.counts().resets;
    board.clock().sleep(Duration::from_millis(2100));
    assert_eq!(board.counts().resets, resets + 5);
    let mut debugger = attach(&board);
    debugger.write(0xE004_2004, 0x100);
    debugger.halt();
    let resets = board.counts().resets;
    debugger.sleep(Duration::from_secs(2));
    assert_eq!(board.counts().resets, resets);
}

/// Starts the flash operation in r2, and reloads the watchdog while it waits. r0: flash registers, r1: the watchdog's
/// key register, r3: the reload key.
const PATIENT: [u16; 6] = [
    0x6102, // str r2, [r0, #16]
    0x600B, // again: str r3, [r1]
    0x68C4, // ldr r4, [r0, #12]
    0x07E4, // lsls r4, r4, #31
    0xD1FB, // bne again
    0xBE00, // bkpt
];

#[test]
fn a_program_that_reloads_the_watchdog_can_wait_for_a_long_flash_operation() {
    for (reload, survives) in [(0x600B, true), (0xBF00, false)] {
        let board = board_of(Scenario::Open);
        board.set_erase_times(Duration::from_millis(40), Duration::from_millis(900));
        let mut debugger = attach(&board);
        debugger.halt();
        debugger.unlock_flash();
        let mut patient = PATIENT;
        patient[1] = reload;
        debugger.try_write(0x2000_3000, &code(&patient)).unwrap();
        debugger.write(CR, 4);
        for (register, value) in [(0, 0x4002_2000), (1, 0x4000_3000), (2, 0x44), (3, 0xAAAA)] {
            debugger.set_register(register, value);
        }
        debugger.write(0x4000_3000, 0xCCCC);
        let resets = board.counts().resets;
        debugger.start(0x2000_3000);
        debugger.sleep(Duration::from_secs(1));
        assert_eq!(board.counts().resets == resets, survives);
        assert_eq!(board.flash().iter().all(|&byte| byte == 0xFF), survives);
        assert_eq!(debugger.read(DHCSR) & S_HALT != 0, survives);
    }
}

/// A program at the beginning of flash that starts the watchdog and reloads it every 8 ms.
const WATCHED: [u16; 20] = [
    0x1000, 0x2000, 0x0009, 0x0800, // stack, reset vector
    0x2040, 0x0600, // r0 = 0x40000000
    0x2130, 0x0209, // r1 = 0x3000
    0x1840, // adds r0, r0, r1
    0xF64C, 0x41CC, // movw r1, #0xCCCC
    0x6001, // str r1, [r0]
    0xF64A, 0x22AA, // movw r2, #0xAAAA
    0x6002, // again: str r2, [r0]
    0xF643, 0x2398, // movw r3, #15000
    0x3B01, // wait: subs r3, #1
    0xD1FD, // bne wait
    0xE7F9, // b again
];

#[test]
fn firmware_that_reloads_its_watchdog_is_never_reset() {
    let flash: Vec<u8> = WATCHED.into_iter().flat_map(u16::to_le_bytes).collect();
    let board = SimBoard::with_flash(SimChip::Stm32f103, 64, &flash);
    board.clock().sleep(Duration::from_secs(3));
    assert_eq!(board.counts().resets, 1);
    assert!((0x0800_001C..0x0800_0028).contains(&board.pc()), "{:#010x}", board.pc());
}

#[test]
fn firmware_that_does_not_reload_its_watchdog_is_reset_again_and_again() {
    let mut flash: Vec<u8> = WATCHED.into_iter().flat_map(u16::to_le_bytes).collect();
    // b . instead of the first reload.
    flash[28..30].copy_from_slice(&[0xFE, 0xE7]);
    let board = SimBoard::with_flash(SimChip::Stm32f103, 64, &flash);
    board.clock().sleep(Duration::from_secs(3));
    assert_eq!(board.counts().resets, 1 + 7, "every 410 ms");
}

#[test]
fn c_maskints_may_change_only_while_halted_and_not_in_the_write_that_resumes() {
    let board = board_of(Scenario::Open);
    let mut debugger = attach(&board);
    for good in [HALT, HALT | 8, RUN | 8, HALT | 8, HALT, RUN] {
        debugger.write(DHCSR, good);
    }
    assert!(board.violations().is_empty(), "{:?}", board.violations());
    for bad in [RUN | 8, HALT, RUN | 8] {
        debugger.write(DHCSR, bad);
    }
    assert_eq!(board.violations().len(), 3);
}

#[test]
fn waiting_for_a_running_application_takes_almost_no_real_time() {
    let board = board_of(Scenario::Open);
    let start = Instant::now();
    for _ in 0..100 {
        board.clock().sleep(Duration::from_secs(1));
    }
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
}
