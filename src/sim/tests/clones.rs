//! Clones of the STM32F103, and chips that are not clones of it.

use super::debugger::{CR, Debugger, KEYS, OBR, OPTKEYR, SR, attach, board_of, is_fault};
use crate::{
    sim::{Scenario, SimBoard, SimChip, UID},
    target::Target,
};

fn board(scenario: Scenario) -> SimBoard {
    board_of(scenario)
}

fn identity(debugger: &mut Debugger) -> [u32; 3] {
    [0xE000_ED00, 0xE004_2000, 0x4002_2100].map(|address| debugger.read(address))
}

#[test]
fn each_chip_has_its_own_identity() {
    for (scenario, expected, part) in [
        (Scenario::Gd32f103, [0x412F_C231, 0x1303_0410, 0x4142_4333], [0x6F, 0x17]),
        (Scenario::Gd32e103, [0x410F_C241, 0x1703_0410, 0x4842_4333], [0xC4, 0x14]),
        (Scenario::At32, [0x410F_C241, 0x7003_0109, 0], [0xC4, 0xB4]),
    ] {
        let mut debugger = attach(&board(scenario));
        assert_eq!(identity(&mut debugger), expected, "{scenario}");
        assert_eq!(debugger.try_read(0xE00F_FFE0, 2).unwrap(), part);
    }
}

#[test]
fn the_rehearsal_application_detects_the_clones() {
    for (scenario, chip) in [(Scenario::Locked, 3), (Scenario::Gd32f103, 2), (Scenario::Gd32e103, 1)] {
        let board = board(scenario);
        assert!(board.is_protected());
        assert_eq!(board.sram()[0x70E + 0x8C], chip, "{scenario}");
    }
}

/// Unlocks as the vendor's firmware for this chip does: by programming one word.
fn unlock_by_word(debugger: &mut Debugger, word: u32) {
    debugger.halt();
    debugger.unlock_flash();
    for key in KEYS {
        debugger.write(OPTKEYR, key);
    }
    debugger.write(CR, 0x220);
    debugger.write(CR, 0x260);
    debugger.wait_flash();
    debugger.write(CR, 0x210);
    debugger.write(0x1FFF_F800, word);
    debugger.wait_flash();
    debugger.write(CR, 0x80);
    debugger.system_reset();
}

#[test]
fn a_gd32e103_programs_words_in_flash_and_in_the_option_bytes() {
    let board = board(Scenario::Gd32e103);
    let mut debugger = attach(&board);
    unlock_by_word(&mut debugger, 0xFFFF_00A5);
    assert_eq!(board.option_bytes()[..4], [0xA5, 0x5A, 0xFF, 0x00]);
    assert_eq!(debugger.read(OBR) & 3, 0);
    debugger.halt();
    debugger.unlock_flash();
    debugger.write(CR, 1);
    debugger.write(0x0800_8000, 0x1234_5678);
    debugger.wait_flash();
    assert_eq!(debugger.read(0x0800_8000), 0x1234_5678);
    assert!(board.violations().is_empty(), "{:?}", board.violations());
    debugger.write_16(0x0800_8004, 0);
    assert_eq!(debugger.read(SR) & 4, 4, "PGERR");
    assert_eq!(debugger.read(0x0800_8004), u32::MAX);
    assert_eq!(board.violations().len(), 1);
}

#[test]
fn a_gd32e103_protected_with_0xcc_can_never_be_unlocked() {
    let board = board(Scenario::Gd32e103);
    let mut debugger = attach(&board);
    unlock_by_word(&mut debugger, 0xFFFF_00CC);
    assert_eq!(board.violations().len(), 1);
    unlock_by_word(&mut debugger, 0xFFFF_00A5);
    assert!(board.is_protected());
    assert_eq!(board.option_bytes()[..2], [0xCC, 0x33]);
    drop(debugger);

    let folder = tempfile::tempdir().unwrap();
    board.save(folder.path()).unwrap();
    let board = SimBoard::load(folder.path()).unwrap();
    unlock_by_word(&mut attach(&board), 0xFFFF_00A5);
    board.power_cycle();
    assert!(board.is_protected());
}

#[test]
fn a_gd32e103_programs_only_erased_words_and_none_while_double_words_are_selected() {
    let board = SimBoard::with_flash(SimChip::Gd32e103, 64, &[0x5A; 4]);
    let mut debugger = attach(&board);
    debugger.halt();
    debugger.unlock_flash();
    debugger.write(CR, 1);
    debugger.write(0x0800_0000, 0);
    assert_eq!(debugger.read(SR) & 4, 4, "PGERR, even for zero");
    debugger.write(SR, 4);
    debugger.write(0x4002_2000, 1 << 15);
    debugger.write(0x0800_8000, 0x1234_5678);
    assert_eq!(debugger.read(SR) & 4, 4, "PGERR, because PGW is set");
    assert_eq!(board.violations().len(), 2);
    debugger.write(SR, 4);
    debugger.write(0x4002_2000, 0);
    debugger.write(0x0800_8000, 0x1234_5678);
    debugger.wait_flash();
    assert_eq!(debugger.try_read(0x0800_0000, 1).unwrap(), [0x5A5A_5A5A]);
    assert_eq!(debugger.try_read(0x0800_8000, 1).unwrap(), [0x1234_5678]);
    assert_eq!(board.violations().len(), 2);
}

#[test]
fn a_gd32f103_is_programmed_like_an_stm32() {
    let board = board(Scenario::Gd32f103);
    let mut debugger = attach(&board);
    debugger.halt();
    debugger.set_protection(0xA5);
    debugger.system_reset();
    debugger.halt();
    debugger.unlock_flash();
    debugger.write(CR, 1);
    debugger.write_16(0x0800_0000, 0x55AA);
    debugger.wait_flash();
    assert_eq!(debugger.read(0x0800_0000), 0xFFFF_55AA);
    assert!(board.violations().is_empty());
}

#[test]
fn the_dashboard_chip_and_other_small_cores_lack_the_registers_of_an_stm32() {
    for scenario in [Scenario::Ble, Scenario::M0] {
        let board = board(scenario);
        let mut debugger = attach(&board);
        assert_eq!(debugger.read(0xE000_ED00), 0x410C_C200);
        for address in [0x0800_0000, 0x1FFF_F7E8, 0x4002_201C, 0xE004_2000] {
            assert!(is_fault(&debugger.try_read(address, 1).unwrap_err()), "{scenario} {address:#010x}");
        }
        assert!(board.violations().is_empty());
        assert!(is_fault(&debugger.try_write(0, &[0]).unwrap_err()));
        assert_eq!(board.violations().len(), 1, "a write to an unsupported chip");
    }
    let mut debugger = attach(&board(Scenario::Ble));
    assert_eq!(debugger.read(0x1000_0060), UID[0]);
    assert_eq!(debugger.try_read(0xF000_0FE0, 3).unwrap(), [0x01, 0x40, 0x0C]);
}

#[test]
fn a_chip_may_report_another_flash_size_and_dpidr() {
    let board = board(Scenario::Open);
    board.set_flash_size_register(128);
    board.set_dpidr(0x2BA0_1477);
    let mut debugger = attach(&board);
    assert_eq!(debugger.read_16(0x1FFF_F7E0), 128);
    assert!(debugger.try_read(0x0801_0000, 1).is_err());
}

#[test]
fn a_ninebot_board_has_the_larger_flash_map() {
    let board = SimBoard::new(Scenario::Locked, Target::builtin("es2").unwrap());
    assert_eq!(board.flash().len(), 128 * 1024);
    assert_eq!(board.sram()[0x72E..0x73C], *b"N2GSD1234C5678");
}
