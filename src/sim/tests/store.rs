//! Saving boards to folders, and loading them.

use std::{fs, path::Path, time::Duration};

use proptest::prelude::*;

use super::debugger::{attach, board_of};
use crate::sim::{ResetPin, Scenario, SimBoard};

fn saved(scenario: Scenario) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    board_of(scenario).save(folder.path()).unwrap();
    folder
}

fn same(a: &SimBoard, b: &SimBoard) {
    assert!(a.flash() == b.flash() && a.sram() == b.sram());
    assert_eq!(a.option_bytes(), b.option_bytes());
    assert_eq!((a.uid(), a.is_protected(), a.pc()), (b.uid(), b.is_protected(), b.pc()));
}

#[test]
fn every_board_is_loaded_as_it_was_saved() {
    for scenario in Scenario::all() {
        let board = board_of(scenario);
        let folder = tempfile::tempdir().unwrap();
        board.save(&folder.path().join("deep/er")).unwrap();
        same(&board, &SimBoard::load(&folder.path().join("deep/er")).unwrap());
    }
}

#[test]
fn a_running_board_continues_where_it_was_saved() {
    let folder = saved(Scenario::Locked);
    let board = SimBoard::load(folder.path()).unwrap();
    let count = board.sram()[4..8].to_vec();
    board.clock().sleep(Duration::from_millis(50));
    assert_ne!(board.sram()[4..8], count[..]);
    assert_eq!(board.counts().resets, 1, "only the power-on while loading");
}

#[test]
fn a_halted_core_stays_halted() {
    let board = board_of(Scenario::Open);
    attach(&board).halt();
    let folder = tempfile::tempdir().unwrap();
    board.save(folder.path()).unwrap();
    let again = SimBoard::load(folder.path()).unwrap();
    again.clock().sleep(Duration::from_secs(1));
    same(&board, &again);
}

#[test]
fn a_board_saved_in_reset_starts_from_the_beginning() {
    let board = board_of(Scenario::Open);
    board.press_reset(ResetPin::Low);
    let folder = tempfile::tempdir().unwrap();
    board.save(folder.path()).unwrap();
    let again = SimBoard::load(folder.path()).unwrap();
    again.clock().sleep(Duration::from_millis(50));
    assert!((0x0800_1100..0x0800_1198).contains(&again.pc()), "{:#010x}", again.pc());
}

#[test]
fn the_saved_files_have_the_sizes_and_content_that_scripts_expect() {
    let folder = saved(Scenario::Bricked);
    let size = |name: &str| fs::metadata(folder.path().join(name)).unwrap().len();
    assert_eq!([size("flash.bin"), size("sram.bin"), size("option-bytes.bin")], [65536, 20480, 16]);
    let options = fs::read(folder.path().join("option-bytes.bin")).unwrap();
    assert_eq!(options, [0, 0xFF, 0xFF, 0, 0xFF, 0, 0xFF, 0, 0xFF, 0, 0xFF, 0, 0xFF, 0, 0xFF, 0]);
}

#[test]
fn a_board_described_by_hand_is_powered_on_when_it_is_loaded() {
    let folder = saved(Scenario::Open);
    fs::write(folder.path().join("board.yaml"), "chip: stm32f103\nflash_kib: 64\n").unwrap();
    let board = SimBoard::load(folder.path()).unwrap();
    board.clock().sleep(Duration::from_millis(50));
    assert!((0x0800_1100..0x0800_1198).contains(&board.pc()));
    assert_eq!(attach(&board).read(0xE000_ED00), 0x411F_C231);
}

#[test]
fn an_invalid_saved_board_is_refused_with_the_reason() {
    let refused = |change: &dyn Fn(&Path)| {
        let folder = saved(Scenario::Open);
        change(folder.path());
        SimBoard::load(folder.path()).unwrap_err().to_string()
    };
    let yaml = |text: &'static str| refused(&move |folder| fs::write(folder.join("board.yaml"), text).unwrap());
    assert!(yaml("chip: stm32f103\nflash_kib: 64\ncolour: red\n").contains("is not a valid board description"));
    assert!(yaml("chip: stm32f999\nflash_kib: 64\n").contains("stm32f999"));
    assert!(
        yaml("chip: stm32f103\nflash_kib: 60000\n")
            .contains("invalid flash_kib 60000: for stm32f103, expected one of [16, 32, 64, 128]")
    );
    assert!(yaml("chip: stm32f103\nflash_kib: 128\n").contains("has 65536 bytes, not 131072"));
    assert!(yaml("chip: stm32f103\nflash_kib: 64\nuid: [a, b, xyz]\n").contains("invalid uid word \"xyz\""));
    assert!(refused(&|folder| fs::remove_file(folder.join("sram.bin")).unwrap()).contains("cannot access"));
    assert!(refused(&|folder| fs::write(folder.join("flash.bin"), [0; 10]).unwrap()).contains("has 10 bytes"));
    assert!(
        refused(&|folder| fs::write(folder.join("board.yaml"), vec![b' '; 2 << 20]).unwrap())
            .contains("too large (2097152 bytes; the limit is 1048576 bytes)")
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_content_of_flash_and_sram_makes_the_board_panic(
        seed in any::<[u8; 32]>(),
        registers in prop::collection::vec(any::<u32>(), 19),
        options in any::<[u8; 16]>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let noise = |length: usize, salt: u8| -> Vec<u8> {
            (0..length).map(|index| seed[index % 32].wrapping_mul((index / 7) as u8 | 1) ^ salt ^ (index >> 3) as u8).collect()
        };
        fs::write(folder.path().join("flash.bin"), noise(65536, 1)).unwrap();
        fs::write(folder.path().join("sram.bin"), noise(20480, 2)).unwrap();
        fs::write(folder.path().join("option-bytes.bin"), options).unwrap();
        let list = registers.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
        let yaml = format!(
            "chip: stm32f103\nflash_kib: 64\nrunning:\n  protection_in_force: false\n  debugger_seen: false\n  \
             vector_table: 134217728\n  core: running\n  registers: [{list}]\n"
        );
        fs::write(folder.path().join("board.yaml"), yaml).unwrap();
        let board = SimBoard::load(folder.path()).unwrap();
        board.clock().sleep(Duration::from_millis(5));
    }
}
