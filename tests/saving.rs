//! Firmware that is halted, reset or locked while it is saving its data block.

use std::time::Duration;

use m365_drv::{
    ops::{self, After, FlashRequest},
    sim::{self, Scenario, SimBoard},
};

use crate::setup::{Setup, assert_same, image, live_block};

/// Offset of our application's main loop, which is replaced by a branch to [`SAVE`].
const MAIN: usize = 0x168;
const BRANCH: [u16; 2] = [0xF000, 0xBA4A];
const SAVE: usize = 0x600;

/// Saves the live data block in an endless loop, as the vendor's firmware does from time to time. Flash is locked after
/// the erase, after programming, and for 10 ms between two saves. For 0.25 ms before the erase, flash is unlocked and
/// ready.
///
/// ```text
/// save:   ldr     r0, =0x40022000         @ FPEC
///         ldr     r1, =0x0800F800
///         ldr     r4, =0x2000070E         @ the live block
///         ldr     r5, =0x45670123
///         ldr     r6, =0xCDEF89AB
///         ldr     r2, =20000
/// 1:      subs    r2, #1
///         bne     1b
///         str     r5, [r0, #4]
///         str     r6, [r0, #4]
///         movs    r2, #2                  @ PER
///         str     r2, [r0, #0x10]
///         str     r1, [r0, #0x14]
///         ldr     r2, =500
/// 2:      subs    r2, #1
///         bne     2b
///         movs    r2, #0x42               @ PER, STRT
///         str     r2, [r0, #0x10]
/// 3:      ldr     r2, [r0, #0x0C]
///         lsls    r2, #31
///         bne     3b
///         movs    r2, #0x80               @ LOCK
///         str     r2, [r0, #0x10]
///         str     r5, [r0, #4]
///         str     r6, [r0, #4]
///         movs    r2, #1                  @ PG
///         str     r2, [r0, #0x10]
///         movs    r3, #0
/// 4:      ldrh    r2, [r4, r3]
///         strh    r2, [r1, r3]
/// 5:      ldr     r2, [r0, #0x0C]
///         lsls    r2, #31
///         bne     5b
///         adds    r3, #2
///         lsrs    r2, r3, #9
///         beq     4b
///         movs    r2, #0x80
///         str     r2, [r0, #0x10]
///         b       save
/// ```
const SAVING: [u16; 52] = [
    0x4814, 0x4915, 0x4C15, 0x4D16, 0x4E16, 0xF644, 0x6220, 0x3A01, 0xD1FD, 0x6045, 0x6046, 0x2202, 0x6102, 0x6141,
    0xF44F, 0x72FA, 0x3A01, 0xD1FD, 0x2242, 0x6102, 0x68C2, 0x07D2, 0xD1FC, 0x2280, 0x6102, 0x6045, 0x6046, 0x2201,
    0x6102, 0x2300, 0x5AE2, 0x52CA, 0x68C2, 0x07D2, 0xD1FC, 0x3302, 0x0A5A, 0xD0F7, 0x2280, 0x6102, 0xE7D6, 0x0000,
    0x2000, 0x4002, 0xF800, 0x0800, 0x070E, 0x2000, 0x0123, 0x4567, 0x89AB, 0xCDEF,
];

/// The same, but it never locks flash, and leaves the last operation selected, as the vendor's firmware does.
fn saving_unlocked() -> Vec<u16> {
    const LOCK: [u16; 2] = [0x2280, 0x6102];
    const NOP: u16 = 0xBF00;
    let mut code = SAVING.to_vec();
    while let Some(at) = code.windows(2).position(|pair| pair == LOCK) {
        code[at..at + 2].fill(NOP);
    }
    code
}

/// A board with firmware that saves like this, the given time after its start.
fn saving(code: &[u16], moment: Duration) -> (SimBoard, Setup) {
    let (board, mut setup) = Setup::scenario(Scenario::Open);
    let mut drv = sim::APP_64.to_vec();
    for (at, code) in [(MAIN, &BRANCH[..]), (SAVE, code)] {
        for (place, half_word) in drv[at..].chunks_exact_mut(2).zip(code) {
            place.copy_from_slice(&half_word.to_le_bytes());
        }
    }
    setup.drv = image(&drv);
    let mut flash = board.flash();
    flash[0x1000..0x1000 + drv.len()].copy_from_slice(&drv);
    board.set_flash(&flash);
    board.power_cycle();
    board.clock().sleep(moment);
    (board, setup)
}

/// Times spread over two saves.
fn moments() -> impl Iterator<Item = Duration> {
    (0..180).map(|turn| Duration::from_millis(60) + turn * Duration::from_micros(530))
}

/// Runs `work` on a board with this firmware at each of these times and then checks the data page.
#[track_caller]
fn keeps_the_data_block_of(code: &[u16], moments: impl Iterator<Item = Duration>, work: impl Fn(&Setup)) {
    for moment in moments {
        let (board, setup) = saving(code, moment);
        let live = live_block(&board);
        work(&setup);
        let flash = board.flash();
        assert_same(&flash[0xF800..0xFA00], live.as_bytes());
        assert_eq!(board.violations(), [""; 0]);
    }
}

/// The same with firmware of either kind.
#[track_caller]
fn keeps_the_data_block(work: impl Fn(&Setup)) {
    keeps_the_data_block_of(&SAVING, moments(), &work);
    keeps_the_data_block_of(&saving_unlocked(), moments().step_by(4), &work);
}

/// An erase may begin between the last look at the running core and its halt.
#[test]
fn a_reset_of_firmware_that_leaves_flash_unlocked_never_cuts_a_save() {
    keeps_the_data_block_of(&saving_unlocked(), moments(), |setup| {
        setup.run(ops::reset).expect("a reset");
    });
}

#[test]
fn a_reset_waits_until_a_save_has_finished() {
    keeps_the_data_block(|setup| {
        setup.run(ops::reset).expect("a reset");
    });
}

#[test]
fn a_lock_waits_until_a_save_has_finished() {
    keeps_the_data_block(|setup| {
        setup.lock().expect("a lock");
    });
}

#[test]
fn a_lock_after_flashing_waits_until_a_save_has_finished() {
    keeps_the_data_block(|setup| {
        let request = FlashRequest { after: After::LockAndRun, ..setup.request() };
        setup.flash(&request).expect("the job");
    });
}

/// The same with another pause between two saves, in rounds of its loop.
fn with_pause(code: &[u16], rounds: u16) -> Vec<u16> {
    // MOVW (ARMv7-M A7.7.76, encoding T3).
    let movw =
        |value: u16| [0xF240 | (value >> 11 & 1) << 10 | value >> 12, (value >> 8 & 7) << 12 | 0x200 | value & 0xFF];
    let at = code.windows(2).position(|pair| pair == movw(20_000)).expect("the pause");
    let mut code = code.to_vec();
    code[at..at + 2].copy_from_slice(&movw(rounds));
    code
}

/// The job starts the firmware anew, so it comes at the same time in its life whenever the job begins: only another pause lets
/// it come at another place in a save.
#[test]
fn a_lock_after_flashing_waits_wherever_a_save_is() {
    for rounds in (8_000..18_000).step_by(500) {
        let code = with_pause(&saving_unlocked(), rounds);
        keeps_the_data_block_of(&code, [Duration::from_millis(60)].into_iter(), |setup| {
            let request = FlashRequest { after: After::LockAndRun, ..setup.request() };
            setup.flash(&request).expect("the job");
        });
    }
}

/// Chips of other makers erase more slowly.
#[test]
fn a_reset_waits_for_a_slow_erase() {
    for moment in moments() {
        let (board, setup) = saving(&SAVING, moment);
        let live = live_block(&board);
        board.set_erase_times(Duration::from_millis(400), Duration::from_millis(400));
        setup.run(ops::reset).expect("a reset");
        assert_same(&board.flash()[0xF800..0xFA00], live.as_bytes());
    }
}

/// Firmware that was halted just before a page erase does not reach it before the reset.
#[test]
fn a_finished_board_keeps_its_data_block_whenever_it_is_flashed_again() {
    keeps_the_data_block(|setup| {
        let request = FlashRequest { after: After::Run, ..setup.request() };
        setup.flash(&request).expect("the job");
    });
}
