//! A board of a Xiaomi scooter with 128 KiB of flash instead of 64: its data block is where its firmware looks for it.

use m365_drv::{
    block::DataBlock,
    board::{Consent, OptionBytes},
    ops::{self, Backup, BackupStore, Watchdog},
    sim::{Scenario, SimBoard, SimChip},
};

use crate::setup::{Setup, assert_same, live_block, target};

/// The board, running, with this value of RDP.
fn board(rdp: u8) -> (SimBoard, Setup) {
    let flash = SimBoard::new(Scenario::Open, target("pro")).flash();
    let board = SimBoard::with_flash(SimChip::Stm32f103, 128, &flash);
    board.clock().sleep(std::time::Duration::from_millis(50));
    board.set_option_bytes(OptionBytes::from_values([rdp, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]).0);
    let setup = Setup::simulated(&board, "pro");
    (board, setup)
}

fn block(flash: &[u8]) -> DataBlock {
    DataBlock::parse(&flash[0xF800..0xFA00]).expect("a data block")
}

/// The only backup in the folder.
fn saved(setup: &Setup) -> Backup {
    let files = setup.folder.path().read_dir().expect("the folder").map(|entry| entry.expect("a file").path());
    let mut backups: Vec<_> = files.map(|path| Backup::open(&path).expect("a backup")).collect();
    assert_eq!(backups.len(), 1);
    backups.remove(0)
}

#[test]
fn its_backup_holds_the_data_block_and_restores_it() {
    let (board, setup) = board(0xA5);
    let before = board.flash();
    let report = setup.run(|job| ops::backup(job, setup.folder.path())).expect("a backup");
    assert!(report.data && report.flash_bytes == 128 * 1024);
    assert_eq!(saved(&setup).block, Some(block(&before)));

    board.set_flash(&vec![0xFF; 128 * 1024]);
    let none = BackupStore::none();
    let report = setup.run(|job| ops::restore(job, &report.backup, None, &none, &[])).expect("a restore");
    assert_eq!((report.serial, report.verified), (block(&before).serial(), true));
    assert_same(&board.flash(), &before);
}

#[test]
fn an_unlock_saves_its_data_block_locked_or_not() {
    let (board, setup) = board(0x00);
    let live = live_block(&board);
    let backups = BackupStore::in_folder(setup.folder.path());
    let report = setup.run(|job| ops::unlock(job, Some(Consent::Erase), &backups, Watchdog::Keep)).expect("an unlock");
    assert_eq!((report.erased, report.serial), (true, live.serial()));
    assert_eq!(saved(&setup).block, Some(live.clone()));
    // From the backup: power and SRAM are gone.
    board.power_cycle();
    let report = setup.flash(&setup.request()).expect("the job");
    assert_eq!(Some(report.planned.serial), live.serial());
    assert_eq!(block(&board.flash()).as_bytes(), live.as_bytes());
}
