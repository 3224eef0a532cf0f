//! One word that is read wrong: whatever a decision or a saved file rests on is read twice.

use std::fs;

use m365_drv::{
    block::{Mileage, Uid},
    board::{Consent, OptionBytes},
    ops::{self, Backup, BackupStore, Exit, FlashRequest, Wanted, Watchdog},
    sim::{self, Armed, Fault, FaultKind, Scenario, SimBoard, Trigger},
};

use crate::setup::{Setup, assert_same, live_block, mileage};

/// `FLASH_OBR` (PM0075 4.7) with RDPRT, and `FLASH_WRPR`.
const OBR: u32 = 0x4002_201C;
const RDPRT: u32 = 1 << 1;
const WRPR: u32 = 0x4002_2020;
/// RDP, USER and their complements.
const OPTION_BYTES: u32 = 0x1FFF_F800;
/// The first word of the UID (RM0008 30.2).
const UID: u32 = 0x1FFF_F7E8;
const CPUID: u32 = 0xE000_ED00;
const DBGMCU_IDCODE: u32 = 0xE004_2000;
/// The data block of a Pro, and its serial number.
const DATA: u32 = 0x0800_F800;
const SERIAL: u32 = DATA + 0x20;
/// The live data block of our own application and its serial number.
const LIVE_SERIAL: u32 = 0x2000_070E + 0x22;
const USER: u8 = 0xFD;

/// A board on which one word reads wrong, the `nth` time.
fn misread(scenario: Scenario, address: u32, nth: u64, flipped: u32) -> (SimBoard, Setup, Armed) {
    let (board, setup) = Setup::scenario(scenario);
    let mut options = OptionBytes(board.option_bytes()).values();
    options[1] = USER;
    board.set_option_bytes(OptionBytes::from_values(options).0);
    let armed = board.inject(Fault { trigger: Trigger::Read { address, nth }, kind: FaultKind::WrongWord { flipped } });
    (board, setup, armed)
}

/// The job with another mileage, so that the data page is erased.
fn request(setup: &Setup) -> FlashRequest<'_> {
    setup.request_for(Wanted { mileage: Some(mileage(1234)), ..setup.wanted() })
}

#[test]
fn a_protection_that_is_read_wrong_once_erases_nothing() {
    for (address, flipped) in [(OBR, RDPRT), (WRPR, 1), (OPTION_BYTES, 1), (OPTION_BYTES, 0x100)] {
        for nth in 1..=2 {
            let (board, setup, armed) = misread(Scenario::Open, address, nth, flipped);
            let report = setup.flash(&request(&setup)).unwrap_or_else(|error| panic!("{address:#x}: {error}"));
            assert!(armed.fired() && report.verified);
            assert_eq!(
                (report.done.mass_erased, report.done.pages_erased, report.done.options_written),
                (false, 1, false)
            );
            let counts = board.counts();
            assert_eq!((counts.mass_erases, counts.option_erases), (0, 0), "{address:#x}");
            assert_eq!(board.violations(), [""; 0]);

            let (board, setup, _) = misread(Scenario::Open, address, nth, flipped);
            let backups = BackupStore::in_folder(setup.folder.path());
            setup.run(|job| ops::unlock(job, Some(Consent::Erase), &backups, Watchdog::Keep)).expect("an open board");
            assert_eq!(board.counts().option_erases, 0, "{address:#x}");
        }
    }
}

#[test]
fn option_bytes_that_are_read_wrong_once_are_not_written_back() {
    for nth in 1..=2 {
        for bit in [16, 20, 24, 31] {
            let (board, setup, armed) = misread(Scenario::Locked, OPTION_BYTES, nth, 1 << bit);
            assert!(setup.flash(&setup.request()).expect("the job").verified);
            assert!(armed.fired());
            assert_eq!(board.option_bytes(), OptionBytes::open(USER).0, "bit {bit}, reading {nth}");
        }
    }
}

#[test]
fn a_data_block_that_is_read_wrong_once_is_not_written_back() {
    for (scenario, address) in [(Scenario::Locked, LIVE_SERIAL), (Scenario::Open, SERIAL)] {
        for nth in 1..=2 {
            let (board, setup, armed) = misread(scenario, address, nth, 1);
            let serial = live_block(&board).serial().expect("a serial number");
            let report = setup.flash(&request(&setup)).expect("the job");
            assert!(armed.fired());
            assert_eq!(report.planned.serial, serial, "{scenario}, reading {nth}");
        }
    }
}

/// The whole flash of the only backup in the folder.
fn saved_flash(setup: &Setup) -> Option<Vec<u8>> {
    let files = fs::read_dir(setup.folder.path()).expect("the folder").map(|entry| entry.expect("a file").path());
    let backups: Vec<_> = files.map(|path| Backup::open(&path).expect("a backup")).collect();
    assert_eq!(backups.len(), 1);
    backups.into_iter().next().expect("one").flash
}

/// A procedure that saves flash.
type Work = fn(&Setup);

#[test]
fn a_page_that_is_read_wrong_once_is_saved_as_it_is() {
    // Not in the data block, which is read once more anyway.
    let address = DATA + 0x3F0;
    let work: [(&str, Work); 4] = [
        ("flash", |setup| drop(setup.flash(&request(setup)).expect("the job"))),
        ("lock", |setup| drop(setup.lock().expect("a lock"))),
        ("backup", |setup| {
            setup.run(|job| ops::backup(job, setup.folder.path())).expect("a backup");
        }),
        ("restore", |setup| {
            let other = tempfile::tempdir().expect("a folder");
            let path = other.path().join("before.json");
            let mut flash = setup.flash_contents();
            flash[0xFBF0] ^= 0x10;
            let (uid, option_bytes) = (Uid(sim::UID), setup.contents().options);
            Backup { uid, option_bytes, flash: Some(flash), block: None }.save(&path).expect("a file");
            let backups = BackupStore::in_folder(setup.folder.path());
            setup.run(|job| ops::restore(job, &path, None, &backups, &[])).expect("a restore");
        }),
    ];
    for (name, work) in work {
        for nth in 1..=2 {
            let (board, setup, armed) = misread(Scenario::Open, address, nth, 0x8000);
            let before = board.flash();
            work(&setup);
            assert!(armed.fired(), "{name}");
            assert_same(&saved_flash(&setup).expect("flash"), &before);
        }
    }
}

#[test]
fn a_uid_that_is_read_wrong_once_is_not_written_into_the_data_block() {
    for nth in 1..=3 {
        let (board, setup, armed) = misread(Scenario::Locked, UID, nth, 1 << 7);
        let report = setup.flash(&setup.request()).expect("the job");
        assert!(armed.fired());
        assert_eq!(report.board.uid, Uid(board.uid()), "reading {nth}");
        assert_same(&board.flash()[0xF9B4..0xF9C0], &board.uid().map(u32::to_le_bytes).concat());
    }
}

/// A wrong bit in what names the chip is poor contact, and not another chip.
#[test]
fn a_chip_whose_name_is_read_wrong_once_is_not_refused() {
    for (address, flipped) in [(CPUID, 1 << 4), (CPUID, 7 << 4), (CPUID, 1 << 24), (DBGMCU_IDCODE, 1)] {
        for nth in 1..=3 {
            let (_, setup, armed) = misread(Scenario::Locked, address, nth, flipped);
            let info = setup.run(ops::info).unwrap_or_else(|error| panic!("{address:#x}, reading {nth}: {error}"));
            assert_eq!(info.uid, Uid(sim::UID));
            assert!(armed.fired() || nth > 1, "{address:#x}");
        }
    }
}

/// The chip's name is read when contact is made, when the chip is identified and when the probe attaches again.
#[test]
fn a_chip_whose_revision_is_read_wrong_once_is_identified_again() {
    for (nth, reconnects) in [(1, 0), (2, 0), (3, 1)] {
        let (_, setup, armed) = misread(Scenario::Locked, CPUID, nth, 1);
        let report = setup.flash(&setup.request()).expect("the job");
        assert!(armed.fired());
        assert_eq!(report.reconnects, reconnects, "reading {nth}");
    }
}

/// Wires that carry all ones or all zeros for a moment.
#[test]
fn a_blank_uid_is_poor_contact() {
    for blank in [0, u32::MAX] {
        let (board, setup) = Setup::scenario(Scenario::Locked);
        for nth in 1..=2 {
            for (word, address) in board.uid().into_iter().zip((UID..).step_by(4)) {
                let kind = FaultKind::WrongWord { flipped: word ^ blank };
                board.inject(Fault { trigger: Trigger::Read { address, nth }, kind });
            }
        }
        assert_eq!(setup.run(ops::info).expect("the third reading").uid, Uid(board.uid()));
    }
}

#[test]
fn a_protection_state_that_no_manual_knows_is_never_written_over() {
    for flipped in [1 << 26, 1 << 31] {
        let (board, setup) = Setup::scenario(Scenario::Open);
        let before = setup.contents();
        for nth in 1..=2 {
            let kind = FaultKind::WrongWord { flipped };
            board.inject(Fault { trigger: Trigger::Read { address: OBR, nth }, kind });
        }
        let error = setup.flash(&request(&setup)).expect_err("a refusal");
        assert!(error.to_string().starts_with("unknown protection state"), "{error}");
        assert!(setup.contents() == before && !board.is_halted());
        assert_eq!(board.counts().option_erases, 0);
    }
}

#[test]
fn a_mileage_that_is_read_wrong_once_does_not_choose_between_backups() {
    let (board, setup, armed) = misread(Scenario::Open, DATA + 0x50, 1, 0x4000);
    let report = setup.flash(&setup.request()).expect("the job");
    assert!(armed.fired());
    assert_eq!(report.planned.mileage_m, Mileage::from_metres(sim::MILEAGE_M).expect("a mileage"));
    assert_eq!(board.counts().page_erases.iter().sum::<u32>(), 0);
}

#[test]
fn a_protection_byte_that_may_be_permanent_is_never_written() {
    let (board, setup) = Setup::scenario(Scenario::Gd32f103);
    let probes = setup.probes();
    let before = board.option_bytes();
    let mut reached = m365_drv::board::Board::connect(&probes, &setup.connect, &mut ()).expect("a board");
    let wanted = OptionBytes::from_values([0xCC, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]);
    // One of the two bytes is enough.
    for (half, other) in [(0, None), (0, Some(1)), (1, Some(0))] {
        let mut wanted = wanted;
        if let Some(other) = other {
            wanted.0[other] = 0x12 + half;
        }
        let refused = reached.restore_options(&setup.target.map, wanted);
        assert!(matches!(refused, Err(m365_drv::board::Error::PermanentProtection { rdp: 0xCC })), "{refused:?}");
    }
    assert_eq!((board.option_bytes(), board.counts().option_erases), (before, 0));
    let (board, setup) = Setup::scenario(Scenario::Gd32e103);
    let mut values = OptionBytes(board.option_bytes()).values();
    values[0] = 0xCC;
    board.set_option_bytes(OptionBytes::from_values(values).0);
    for exit in
        [setup.flash(&setup.request()).expect_err("a refusal").exit(), setup.lock().expect_err("a refusal").exit()]
    {
        assert_eq!(exit, Exit::WrongBoard);
    }
    assert_eq!(board.counts().option_erases, 0);
}

fn wrong_words(board: &SimBoard, address: u32, flipped: impl IntoIterator<Item = (u64, u32)>) {
    for (nth, flipped) in flipped {
        board.inject(Fault { trigger: Trigger::Read { address, nth }, kind: FaultKind::WrongWord { flipped } });
    }
}

#[test]
fn a_chip_that_reads_as_another_twice_in_the_same_way_is_refused_by_its_number() {
    let (board, setup) = Setup::scenario(Scenario::Open);
    wrong_words(&board, DBGMCU_IDCODE, [(1, 1 << 2), (1, 1 << 2)]);
    let error = setup.run(ops::info).expect_err("another chip");
    assert_eq!(error.to_string(), "this is an STM32F1 with device ID 0x414; these boards have one with 0x410");
}

#[test]
fn a_chip_that_reads_as_another_each_time_or_not_at_all_is_a_matter_of_contact() {
    let (board, setup) = Setup::scenario(Scenario::Open);
    wrong_words(&board, DBGMCU_IDCODE, (0..1000).map(|turn| (1, 1 << 2 << (turn % 2))));
    let error = setup.run(ops::info).expect_err("poor contact");
    assert_eq!(error.to_string(), "the name of the chip at 0xe000ed00 reads differently each time: poor contact");

    let (board, setup) = Setup::scenario(Scenario::Open);
    for _ in 0..1000 {
        wrong_words(&board, DBGMCU_IDCODE, [(1, 1 << 2)]);
        board.inject(Fault { trigger: Trigger::Read { address: DBGMCU_IDCODE, nth: 2 }, kind: FaultKind::Error });
    }
    let error = setup.run(ops::info).expect_err("poor contact");
    assert_eq!(error.to_string(), "no answer from the chip at 0xe0042000");
}

#[test]
fn a_protection_that_reads_differently_each_time_is_told_with_its_place() {
    let (board, setup) = Setup::scenario(Scenario::Open);
    wrong_words(&board, OBR, (0..60).map(|turn| (1, RDPRT << (turn % 2))));
    let error = setup.run(ops::info).expect_err("poor contact");
    assert_eq!(error.to_string(), "the protection state at 0x4002201c reads differently each time: poor contact");
}
