//! Flash cells that are worn out, and erases that were cut short.

use m365_drv::{
    block::{DataBlock, Uid},
    board::{BoardState, OptionBytes},
    ops::{self, Backup, BackupStore, BadPage, Error, Exit, FlashRequest, Purpose, Wanted},
    sim::{self, Fault, FaultKind, Scenario, SimBoard, Trigger},
};

use crate::setup::{Setup, image, mileage};

fn other_mileage(setup: &Setup) -> FlashRequest<'_> {
    setup.request_for(Wanted { mileage: Some(mileage(1234)), ..setup.wanted() })
}

/// Makes the job on an open board fail on a page that is worn out from this operation on, and returns what is said of it.
fn bad(trigger: Trigger, change: impl FnOnce(&mut Setup)) -> (SimBoard, Setup, BadPage) {
    let (board, mut setup) = Setup::scenario(Scenario::Open);
    change(&mut setup);
    let armed = board.inject(Fault { trigger, kind: FaultKind::NoEffect });
    let request = other_mileage(&setup);
    let error = setup.flash(&request).expect_err("a page is worn out");
    assert!(armed.fired());
    assert_eq!((error.exit(), error.board()), (Exit::Flash, BoardState::Partial), "{error}");
    let Error::BadPage(page) = &*error else { panic!("{error}") };
    let page = page.clone();
    // The same in every run.
    let request = other_mileage(&setup);
    assert!(matches!(&*setup.flash(&request).expect_err("it is still worn out"), Error::BadPage(_)));
    (board, setup, page)
}

#[test]
fn a_page_that_does_not_erase_is_named_with_its_bits() {
    let (_, _, page) = bad(Trigger::PageErase(1), |_| {});
    assert_eq!((page.number, page.address, page.purpose), (62, 0x0800_F800, Purpose::Data));
    assert!(page.unerased > 0 && page.tries == 3, "{page}");
    assert!(page.to_string().starts_with("page 62 at 0x0800f800 is worn out: after 3 tries, "), "{page}");
}

/// How many bits are 1 in one of two pages and 0 in the other.
fn only_in(one: &[u8], other: &[u8]) -> u32 {
    one.iter().zip(other).map(|(one, other)| (one & !other).count_ones()).sum()
}

#[test]
fn the_bits_of_a_bad_page_are_counted_by_what_they_do_not_do() {
    let (board, _, page) = bad(Trigger::PageErase(1), |_| {});
    let found = &board.flash()[62 * 1024..][..1024];
    let mut planned = vec![0xFF; 1024];
    let block = DataBlock::parse(&found[..512]).expect("the block is as it was");
    planned[..512].copy_from_slice(block.with_mileage(mileage(1234)).as_bytes());
    let (unerased, unprogrammed) = (only_in(&planned, found), only_in(found, &planned));
    assert_eq!((page.unerased, page.unprogrammed), (unerased, unprogrammed));
    assert_eq!(
        page.to_string(),
        format!(
            "page 62 at 0x0800f800 is worn out: after 3 tries, {unerased} bits cannot be erased and {unprogrammed} bits \
             cannot be programmed"
        )
    );
}

#[test]
fn a_bad_page_of_the_bootloader_is_told_from_one_of_the_firmware() {
    for (half_word, purpose) in [(10, Purpose::Boot), (4000, Purpose::Drv)] {
        let (board, setup) = Setup::scenario(Scenario::New);
        board.inject(Fault { trigger: Trigger::HalfWord(half_word), kind: FaultKind::NoEffect });
        let error = setup.flash(&setup.request_with_data()).expect_err("a page is worn out");
        let Error::BadPage(page) = &*error else { panic!("{error}") };
        assert_eq!((page.purpose, page.unerased), (purpose, 0), "{page}");
    }
}

#[test]
fn a_bad_page_that_nothing_needs_is_called_one() {
    let (board, setup) = Setup::scenario(Scenario::Open);
    let mut flash = board.flash();
    // The update record.
    flash[63 * 1024..].fill(0x5A);
    let path = setup.folder.path().join("board.json");
    let (uid, option_bytes) = (Uid(board.uid()), OptionBytes(board.option_bytes()));
    Backup { uid, option_bytes, flash: Some(flash), block: None }.save(&path).expect("a backup");
    board.inject(Fault { trigger: Trigger::HalfWord(10), kind: FaultKind::NoEffect });
    let restored = setup.run(|job| ops::restore(job, &path, None, &BackupStore::none(), &[]));
    let error = restored.expect_err("a page is worn out");
    let Error::BadPage(page) = &*error else { panic!("{error}") };
    assert_eq!((page.number, page.purpose), (63, Purpose::Other), "{page}");
}

/// What read wrong so often that the job gives up, and reads right when the page is looked at.
#[test]
fn a_page_that_reads_right_in_the_end_is_not_called_worn_out() {
    // The firmware's first page, which is right on this board.
    let trigger = Trigger::Read { address: 0x0800_1100, nth: 1 };
    let ends = (1..60).map(|reads| {
        let (board, setup) = Setup::scenario(Scenario::Open);
        for _ in 0..reads {
            board.inject(Fault { trigger, kind: FaultKind::WrongWord { flipped: 1 } });
        }
        setup.flash(&other_mileage(&setup)).map_err(|error| matches!(*error, Error::Differs { .. })).map(drop)
    });
    assert!(ends.into_iter().any(|end| end == Err(true)), "the difference is never told as what it is");
}

#[test]
fn a_page_that_does_not_program_is_named_with_its_bits() {
    let (_, _, page) = bad(Trigger::HalfWord(600), |setup| {
        let mut drv = sim::APP_64.to_vec();
        drv[0x0] ^= 0;
        drv[0x700] ^= 0x04;
        setup.drv = image(&drv);
    });
    assert_eq!((page.number, page.purpose), (62, Purpose::Data), "{page}");
    let (_, _, page) = bad(Trigger::HalfWord(100), |setup| {
        let mut drv = sim::APP_64.to_vec();
        drv[0x700] ^= 0x04;
        setup.drv = image(&drv);
    });
    assert_eq!((page.number, page.purpose, page.unerased), (5, Purpose::Drv, 0), "{page}");
    assert!(page.unprogrammed > 0 && page.to_string().ends_with("cannot be programmed"), "{page}");
}

#[test]
fn a_page_whose_erase_was_cut_short_is_erased_again_even_if_it_reads_blank() {
    let mut blank = 0;
    for nth in 1..=9 {
        let (board, mut setup) = Setup::scenario(Scenario::Open);
        let mut drv = sim::APP_64.to_vec();
        for page in drv.chunks_mut(1024) {
            *page.last_mut().expect("a page has bytes") ^= 0x04;
        }
        setup.drv = image(&drv);
        let kind = FaultKind::PowerLost { returns_after: None };
        let armed = board.inject(Fault { trigger: Trigger::PageErase(nth), kind });
        let request = || other_mileage(&setup);
        setup.flash(&request()).expect_err("the supply is gone");
        assert!(armed.fired());
        let page = usize::try_from(nth).expect("a small number") + 3;
        blank += usize::from(board.flash()[page * 1024..][..1024].iter().all(|byte| *byte == 0xFF));
        board.clear_faults();
        board.power_cycle();
        assert!(setup.flash(&request()).expect("the next run").verified);
        assert_eq!(board.violations(), [""; 0], "erase {nth}");
    }
    assert!(blank > 0, "no page read blank");
}

/// Nothing is erased twice on a chip that is blank throughout, or that this run has just erased.
#[test]
fn a_chip_that_is_blank_throughout_is_programmed_as_it_is() {
    for scenario in [Scenario::New, Scenario::Locked] {
        let (board, setup) = Setup::scenario(scenario);
        let report = setup.flash(&setup.request_with_data()).expect("the job");
        assert_eq!(report.done.pages_erased, 0, "{scenario}");
        assert!(board.counts().page_erases.iter().all(|erases| *erases == 0), "{scenario}");
    }
}
