//! The whole job on the simulated board, through the real probe-rs stack, compared byte for byte. Functions that take a
//! [`Setup`] also run on a real board (`hardware`).

use std::{slice::from_ref, time::Duration};

use m365_drv::{
    block::{DataBlock, Uid},
    board::{
        BoardState, Consent, Error as BoardError, Method, OptionBytes, Protection, Startup, Unsupported, Wait,
        progress::{Event, Need, Progress},
    },
    image::Image,
    ops::{
        self, After, BackupStore, DataSource, Error, Exit, Extent, FlashReport, FlashRequest, Job, Known, Wanted,
        WouldErase, WouldProgram,
    },
    sim::{self, Fault, FaultKind, Scenario, SimBoard, SimChip, Trigger},
};

use crate::setup::{Contents, Ended, Setup, assert_same, image, live_block, mileage, open_options, target};

/// Asserts that the board has exactly this flash and these option bytes.
#[track_caller]
fn assert_holds(contents: &Contents, flash: &[u8], options: OptionBytes) {
    assert_same(contents.flash.as_ref().expect("flash can be read"), flash);
    assert_eq!(contents.options, options);
}

/// Asserts that the result is a refusal of this category and that the board is unchanged.
#[track_caller]
pub(crate) fn assert_refused<T>(setup: &Setup, before: &Contents, result: Result<T, Ended>, category: Exit) -> Ended {
    let Err(error) = result else { panic!("not refused") };
    assert_eq!((error.exit(), error.board()), (category, BoardState::Untouched), "{error}");
    assert!(setup.contents() == *before, "a refusal changed the board");
    error
}

// Test bodies for simulated and real boards.

/// A board with any contents ends up with exactly the images and the data block.
pub(crate) fn programs_exactly_the_images_and_the_block(setup: &Setup) -> FlashReport {
    let report = setup.flash(&setup.request_with_data()).expect("the job");
    assert!(report.verified && report.startup.is_none());
    assert_eq!((report.planned.serial, report.planned.mileage_m), (setup.serial(), mileage(1234)));
    let contents = setup.contents();
    assert_eq!(contents.uid, report.board.uid);
    let flash = contents.flash.expect("flash can be read");
    let data = (setup.target.map.regions.data.start - setup.target.map.flash.start) as usize;
    let block = DataBlock::parse(&flash[data..data + 512]).expect("a data block");
    assert_eq!((block.serial(), block.mileage(), block.uid()), (Some(setup.serial()), mileage(1234), report.board.uid));
    if report.done.mass_erased {
        assert_same(&flash, &setup.expected_on_blank(block.as_bytes()));
    } else {
        assert_same(&flash, &setup.expected(&flash, block.as_bytes()));
    }
    assert!(contents.options.complements_right() && !contents.options.protects());
    report
}

/// Repeating the job on the finished board changes nothing.
pub(crate) fn a_finished_board_is_left_alone(setup: &Setup) {
    let before = setup.contents();
    let report = setup.flash(&setup.request_with_data()).expect("the job");
    assert_eq!((report.done.pages_erased, report.done.bytes_programmed, report.done.mass_erased), (0, 0, false));
    assert_eq!((report.planned.data_source, &report.backup), (DataSource::Flash, &None));
    assert!(report.verified && setup.contents() == before);
}

/// Changing the mileage rewrites a single page.
pub(crate) fn one_changed_page_is_one_erase(setup: &Setup) {
    let before = setup.flash_contents();
    let request = setup.request_for(Wanted { mileage: Some(mileage(1235)), ..setup.wanted() });
    let report = setup.flash(&request).expect("the job");
    assert_eq!((report.done.pages_erased, report.done.mass_erased), (1, false));
    let data = (setup.target.map.regions.data.start - setup.target.map.flash.start) as usize;
    let block = DataBlock::parse(&before[data..data + 512]).expect("a data block").with_mileage(mileage(1235));
    assert_same(&setup.flash_contents(), &setup.expected(&before, block.as_bytes()));
}

/// A preview reads and reports but changes nothing.
pub(crate) fn a_preview_changes_nothing(setup: &Setup) {
    let before = setup.contents();
    let request = setup.request_for(Wanted { mileage: Some(mileage(7)), ..setup.wanted_with_data() });
    let report = setup.run(|job| ops::preview(job, &request)).expect("the preview");
    assert_eq!(report.planned.mileage_m, mileage(7));
    assert!(report.would_program.bytes > 0);
    assert!(setup.contents() == before, "a preview changed the board");
}

/// Images that are detectably wrong are refused.
pub(crate) fn wrong_images_are_refused_each_for_its_own_reason(setup: &Setup) {
    let before = setup.contents();
    let other = if setup.target.map.flash_kib() == 128 { sim::APP_64 } else { sim::APP_128 };
    let room = setup.target.map.regions.drv.len();
    let changed = |at: usize, bytes: [u8; 4]| {
        let mut image = setup.drv.bytes.clone();
        image[at..at + 4].copy_from_slice(&bytes);
        Image::from_bytes(&image).expect("an image")
    };
    let mut long = setup.drv.bytes.clone();
    long.resize(room + 4, 0x5A);
    let cases = [
        (image(other), "scooter"),
        (changed(0, [0; 4]), "stack-pointer"),
        (changed(4, setup.target.map.regions.staging.start.to_le_bytes()), "reset-vector"),
        (image(DataBlock::template().as_bytes()), "kind"),
        // On the larger map nothing that long can be a DRV alone: it is taken for a dump.
        (image(&long), if setup.target.map.flash_kib() == 128 { "kind" } else { "size" }),
        (image(&[0xFF; 2048]), "blank"),
        (setup.boot.clone(), "kind"),
    ];
    for (drv, expected) in cases {
        let request = setup.request_for(Wanted { drv: from_ref(&drv), ..setup.wanted_with_data() });
        match assert_refused(setup, &before, setup.flash(&request), Exit::Image).error {
            Error::Gate { gate, .. } => assert_eq!(gate, expected),
            other => panic!("{other:?}"),
        }
    }
}

/// Without consent to the erase that unlocking implies, the board stays locked.
pub(crate) fn a_locked_board_is_not_erased_without_consent(setup: &Setup) {
    let request = FlashRequest { consent: None, ..setup.request_with_data() };
    let error = setup.flash(&request).expect_err("a refusal");
    assert_eq!((error.exit(), error.board()), (Exit::Consent, BoardState::Untouched), "{error}");
    let info = setup.run(ops::info).expect("the board answers");
    assert_eq!(info.protection, Protection::Read);
}

// Tests on the simulated board only.

#[test]
fn a_bricked_board_gets_exactly_the_images_and_the_block() {
    let (board, setup) = Setup::scenario(Scenario::Bricked);
    let request = FlashRequest { backups: BackupStore::none(), ..setup.request_with_data() };
    let report = setup.flash(&request).unwrap();

    let vectors: serde_json::Value = serde_json::from_str(include_str!("data/data_block_vectors.json")).unwrap();
    let is_ours = |vector: &&serde_json::Value| vector["serial"] == "21886/00012345" && vector["km"] == 1234;
    let vector = vectors["vectors"].as_array().unwrap().iter().find(is_ours).unwrap();
    let block = hex::decode(vector["block_hex"].as_str().unwrap()).unwrap();
    assert_holds(&setup.contents(), &setup.expected_on_blank(&block), open_options(0xFF));
    assert_same(&report.image, &board.flash());
    assert!(report.done.mass_erased && report.backup.is_none());
    assert_eq!((report.planned.data_source, report.done.pages_erased), (DataSource::Template, 0));
    assert_eq!(board.violations(), [""; 0]);
}

#[test]
fn every_programmable_board_ends_with_exactly_the_images_and_the_block() {
    for scenario in [
        Scenario::New,
        Scenario::Locked,
        Scenario::Bricked,
        Scenario::Open,
        Scenario::HalfFlashed,
        Scenario::Wrp,
        Scenario::Gd32f103,
        Scenario::Gd32e103,
    ] {
        let (board, setup) = Setup::scenario(scenario);
        programs_exactly_the_images_and_the_block(&setup);
        assert_eq!(board.violations(), [""; 0], "{scenario}");
        a_finished_board_is_left_alone(&setup);
        one_changed_page_is_one_erase(&setup);
        assert_eq!(board.violations(), [""; 0], "{scenario}");
    }
}

#[test]
fn a_locked_board_keeps_its_serial_mileage_and_settings() {
    let (board, setup) = Setup::scenario(Scenario::Locked);
    let live = live_block(&board);
    let report = setup.flash(&setup.request()).unwrap();
    assert_eq!((report.planned.data_source, report.planned.mileage_m.metres()), (DataSource::Sram, sim::MILEAGE_M));
    assert_holds(&setup.contents(), &setup.expected_on_blank(live.as_bytes()), open_options(0xFF));
}

#[test]
fn only_the_given_serial_and_mileage_change_in_a_rescued_block() {
    let (board, setup) = Setup::scenario(Scenario::Locked);
    let block = live_block(&board).with_serial(setup.serial()).with_mileage(mileage(1234));
    setup.flash(&setup.request_with_data()).unwrap();
    assert_holds(&setup.contents(), &setup.expected_on_blank(block.as_bytes()), open_options(0xFF));
}

#[test]
fn without_a_known_serial_nothing_is_written() {
    let (_, setup) = Setup::scenario(Scenario::Bricked);
    let before = setup.contents();
    let error = assert_refused(&setup, &before, setup.flash(&setup.request()), Exit::Data);
    assert!(matches!(error.error, Error::NoSerial));
    let request = setup.request_for(Wanted { serial: Some(setup.serial()), ..setup.wanted() });
    let error = assert_refused(&setup, &before, setup.flash(&request), Exit::Data);
    assert!(matches!(error.error, Error::NoMileage));
}

#[test]
fn a_board_without_a_block_gets_the_block_from_a_file() {
    let (board, setup) = Setup::scenario(Scenario::Bricked);
    let foreign = setup.fresh_block(Uid([1, 2, 3]));
    let request = setup.request_for(Wanted { data: Some(foreign), ..setup.wanted() });
    let report = setup.flash(&request).unwrap();
    assert_eq!(report.planned.data_source, DataSource::File);
    let block = setup.fresh_block(Uid(board.uid()));
    assert_same(&board.flash(), &setup.expected_on_blank(block.as_bytes()));
}

#[test]
fn without_consent_nothing_is_erased_and_nothing_programmed() {
    for scenario in [Scenario::Locked, Scenario::Bricked, Scenario::Wrp, Scenario::Gd32e103] {
        let (board, setup) = Setup::scenario(scenario);
        let before = setup.contents();
        let request = FlashRequest { consent: None, ..setup.request_with_data() };
        assert_refused(&setup, &before, setup.flash(&request), Exit::Consent);
        let counts = board.counts();
        assert_eq!((counts.mass_erases, counts.option_erases, counts.half_words_programmed), (0, 0, 0), "{scenario}");
        assert_eq!(std::fs::read_dir(setup.folder.path()).unwrap().count(), 0);
    }
}

#[test]
fn a_locked_board_stays_locked_without_consent() {
    a_locked_board_is_not_erased_without_consent(&Setup::scenario(Scenario::Locked).1);
}

#[test]
fn wrong_images_are_refused_and_nothing_is_written() {
    for scenario in [Scenario::Locked, Scenario::Open] {
        let (board, setup) = Setup::scenario(scenario);
        wrong_images_are_refused_each_for_its_own_reason(&setup);
        assert_eq!(board.counts().transfers, 0, "a wrong image is refused without any contact");
    }
}

#[test]
fn an_image_for_another_chip_is_refused_once_the_chip_is_known() {
    let (_, setup) = Setup::scenario(Scenario::Gd32e103);
    let before = setup.contents();
    // Our application without the literals that it uses to detect GD32 chips.
    let mut bytes = sim::APP_64.to_vec();
    for id in [0x4842_4333u32, 0x4142_4333] {
        let at = bytes.windows(4).position(|window| window == id.to_le_bytes()).unwrap();
        bytes[at..at + 4].fill(0);
    }
    let drv = image(&bytes);
    let request = setup.request_for(Wanted { drv: from_ref(&drv), ..setup.wanted() });
    match assert_refused(&setup, &before, setup.flash(&request), Exit::Image).error {
        Error::Gate { gate, .. } => assert_eq!(gate, "gd32"),
        other => panic!("{other:?}"),
    }
    let forced = setup.request_for(Wanted { forced: vec!["gd32".into()], drv: from_ref(&drv), ..setup.wanted() });
    assert!(setup.flash(&forced).unwrap().verified);
}

#[test]
fn info_shows_the_block_of_a_locked_board_and_names_the_firmware_of_an_open_one() {
    let (_, setup) = Setup::scenario(Scenario::Locked);
    let before = setup.contents();
    let info = setup.run(ops::info).unwrap();
    let data = serde_json::to_value(info.data.unwrap()).unwrap();
    assert_eq!((&data["source"], &data["serial"]), (&"sram".into(), &"21886/00012345".into()));
    assert_eq!((info.protection, info.boot, info.drv), (Protection::Read, None, None));
    assert!(setup.contents() == before);

    let (_, setup) = Setup::scenario(Scenario::Open);
    let before = setup.contents();
    let info = setup.run(ops::info).unwrap();
    assert_eq!(info.boot.unwrap().name.as_deref(), Some("rehearsal bootloader"));
    assert_eq!(info.drv.unwrap().version.unwrap().to_string(), "9.9.9");
    assert!(setup.contents() == before);
}

#[test]
fn a_preview_of_any_board_changes_nothing() {
    for scenario in [Scenario::New, Scenario::Locked, Scenario::Open, Scenario::HalfFlashed] {
        let (board, setup) = Setup::scenario(scenario);
        a_preview_changes_nothing(&setup);
        assert_eq!(std::fs::read_dir(setup.folder.path()).unwrap().count(), 0);
        let request = FlashRequest { consent: None, ..setup.request_with_data() };
        let foreseen = setup.run(|job| ops::preview(job, &request)).unwrap();
        let done = setup.flash(&setup.request_with_data()).unwrap();
        let erased = WouldErase { whole_chip: done.done.mass_erased, pages: done.done.pages_erased };
        let programmed =
            WouldProgram { bytes: done.done.bytes_programmed, pages_already_correct: done.done.pages_skipped };
        assert_eq!((foreseen.would_erase, foreseen.would_program), (erased, programmed), "{scenario}");
        assert_same(&foreseen.image, &done.image);
        assert_eq!(board.counts().half_words_programmed * 2, u64::from(done.done.bytes_programmed), "{scenario}");
    }
}

#[test]
fn a_preview_lets_the_application_go_on() {
    let (board, setup) = Setup::scenario(Scenario::Open);
    setup.run(|job| ops::preview(job, &setup.request())).unwrap();
    let counter = |board: &SimBoard| board.sram()[4..8].to_vec();
    let before = counter(&board);
    board.clock().sleep(Duration::from_millis(5));
    assert_ne!(counter(&board), before);
}

#[test]
fn a_128_kib_board_gets_its_own_layout() {
    let board = SimBoard::new(Scenario::Locked, target("es2"));
    let setup = Setup::simulated(&board, "es2");
    let live = live_block(&board);
    setup.flash(&setup.request()).unwrap();
    assert_same(&board.flash(), &setup.expected_on_blank(live.as_bytes()));
    assert_eq!(board.flash()[0x1_C000..0x1_C200], live.as_bytes()[..]);
    programs_exactly_the_images_and_the_block(&setup);
    a_finished_board_is_left_alone(&setup);
    one_changed_page_is_one_erase(&setup);
    wrong_images_are_refused_each_for_its_own_reason(&setup);
}

#[test]
fn a_64_kib_firmware_leaves_the_upper_half_of_a_bigger_chip_alone() {
    let mut flash = vec![0xFF; 128 * 1024];
    flash[64 * 1024..].fill(0x3C);
    let board = SimBoard::with_flash(SimChip::Stm32f103, 128, &flash);
    let setup = Setup::simulated(&board, "pro");
    setup.flash(&setup.request_with_data()).unwrap();
    let block = setup.fresh_block(Uid(board.uid()));
    assert_same(&board.flash(), &setup.expected(&flash, block.as_bytes()));
}

#[test]
fn write_protected_pages_are_freed_and_the_rest_is_not_erased() {
    let (board, mut setup) = Setup::scenario(Scenario::Wrp);
    let before = board.flash();
    setup.drv = app_changed_at(&[0x3000]);
    let request = setup.request_for(Wanted { mileage: Some(mileage(5)), ..setup.wanted() });
    let report = setup.flash(&request).unwrap();
    assert_eq!((report.done.mass_erased, report.done.pages_erased), (false, 2));
    assert_eq!(board.counts().mass_erases, 0);
    let block = DataBlock::parse(&before[0xF800..0xFA00]).unwrap().with_mileage(mileage(5));
    assert_same(&board.flash(), &setup.expected(&before, block.as_bytes()));
    assert_eq!(board.option_bytes(), open_options(0xFF).0);
}

/// Our application with changes at these offsets.
fn app_changed_at(offsets: &[usize]) -> Image {
    let mut bytes = sim::APP_64.to_vec();
    for &at in offsets {
        bytes[at] ^= 0x10;
    }
    image(&bytes)
}

#[test]
fn one_changed_page_of_the_firmware_is_one_erase_and_one_page_programmed() {
    let (board, mut setup) = Setup::scenario(Scenario::Open);
    let before = board.flash();
    setup.drv = app_changed_at(&[0x2345]);
    let request = FlashRequest { consent: None, ..setup.request() };
    let report = setup.flash(&request).unwrap();
    assert_eq!((report.done.pages_erased, report.done.bytes_programmed), (1, 1024));
    let counts = board.counts();
    assert_eq!((counts.page_erases.iter().sum::<u32>(), counts.half_words_programmed), (1, 512));
    assert_same(&board.flash(), &setup.expected(&before, &before[0xF800..0xFA00]));
}

#[test]
fn full_programs_every_page_even_if_it_is_already_correct() {
    let (board, setup) = Setup::scenario(Scenario::Open);
    let before = board.flash();
    let report = setup.flash(&FlashRequest { extent: Extent::Everything, ..setup.request() }).unwrap();
    assert_eq!((report.done.pages_erased, report.done.pages_skipped), (1 + 16 + 1, 0));
    assert_same(&board.flash(), &before);
}

#[test]
fn parts_that_are_not_given_stay_if_they_are_known() {
    let (board, setup) = Setup::scenario(Scenario::Open);
    let before = board.flash();
    let request = setup.request_for(Wanted { boot: &[], drv: &[], mileage: Some(mileage(9)), ..setup.wanted() });
    let report = setup.flash(&request).unwrap();
    assert_eq!(report.done.pages_erased, 1);
    let block = DataBlock::parse(&before[0xF800..0xFA00]).unwrap().with_mileage(mileage(9));
    assert_same(&board.flash(), &setup.expected(&before, block.as_bytes()));

    for scenario in [Scenario::Locked, Scenario::New, Scenario::HalfFlashed] {
        let (_, setup) = Setup::scenario(scenario);
        let before = setup.contents();
        let request = setup.request_for(Wanted { drv: &[], ..setup.wanted_with_data() });
        assert_refused(&setup, &before, setup.flash(&request), Exit::Image);
    }
}

#[test]
fn a_pending_update_is_not_copied_over_the_firmware() {
    let (board, setup) = Setup::scenario(Scenario::Open);
    let mut flash = board.flash();
    flash[0xFC00..0xFC0C].copy_from_slice(&[0x5A, 0x50, 0, 0, 1, 0, 0, 0, 0, 0x70, 0, 0]);
    let board = SimBoard::with_flash(SimChip::Stm32f103, 64, &flash);
    let setup = Setup::simulated(&board, &setup.target.name);
    setup.flash(&setup.request()).unwrap();
    flash[0xFC00..].fill(0xFF);
    assert_same(&board.flash(), &flash);
}

#[test]
fn the_firmware_is_seen_to_start() {
    let (board, setup) = Setup::scenario(Scenario::Locked);
    let report = setup.flash(&FlashRequest { after: After::Run, ..setup.request() }).unwrap();
    assert!(
        matches!(report.startup, Some(Startup::Running { pc, error: 0 }) if (0x0800_1000..0x0800_5000).contains(&pc))
    );
    // The firmware compares the UID in its block with the chip's and reports error 27 (register 0x1B) if they differ.
    assert_eq!(live_block(&board).as_bytes()[0x36..0x38], [0, 0]);
}

#[test]
fn firmware_that_is_written_but_does_not_start_is_an_error() {
    // An undefined instruction at the address in the reset vector, and one after the store that sets the vector table:
    // the first fault ends in the bootloader's handler, the second in the firmware's own. Both handlers loop within
    // firmware.
    for at in [0x100, 0x106] {
        let (board, setup) = Setup::scenario(Scenario::Open);
        let mut bytes = sim::APP_64.to_vec();
        bytes[at..at + 2].copy_from_slice(&[0x00, 0xDE]);
        let drv = image(&bytes);
        let request =
            FlashRequest { after: After::Run, ..setup.request_for(Wanted { drv: from_ref(&drv), ..setup.wanted() }) };
        let error = setup.flash(&request).unwrap_err();
        let Error::DoesNotStart { how, .. } = &error.error else { panic!("{error}") };
        assert_eq!(*how, Startup::Fault { exception: 3 }, "{at:#x}");
        assert_eq!((error.exit(), error.board()), (Exit::Verify, BoardState::Written));
        assert_eq!(board.flash()[0x1000..0x5000], bytes[..]);
    }
}

#[test]
fn a_board_is_locked_again_on_request() {
    for (scenario, rdp) in [(Scenario::Locked, 0x00), (Scenario::Gd32e103, 0xBB)] {
        let (board, setup) = Setup::scenario(scenario);
        let live = live_block(&board);
        setup.flash(&FlashRequest { after: After::LockAndRun, ..setup.request() }).unwrap();
        let options = OptionBytes::from_values([rdp, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]);
        assert_holds(&setup.contents(), &setup.expected_on_blank(live.as_bytes()), options);
        assert!(board.is_protected());
    }
}

#[test]
fn the_watchdog_setting_survives_the_unlock() {
    let (board, setup) = Setup::scenario(Scenario::Locked);
    board.set_option_bytes(OptionBytes::from_values([0, 0xFD, 1, 2, 0xFF, 0xFF, 0xFF, 0xFF]).0);
    setup.flash(&setup.request()).unwrap();
    assert_eq!(board.option_bytes(), open_options(0xFD).0);
}

/// Flashes boards whose option bytes start the watchdog. It resets the chip after 410 ms unless it is reloaded, and the
/// debugger stops it only while the core is halted.
fn flashes_watched_boards(mass_erase: Duration) {
    for scenario in [Scenario::Locked, Scenario::Bricked, Scenario::Gd32e103] {
        let (board, setup) = Setup::scenario(scenario);
        board.set_option_bytes(OptionBytes::from_values([0, 0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]).0);
        board.set_erase_times(Duration::from_millis(40), mass_erase);
        let report = setup.flash(&setup.request_with_data()).unwrap();
        assert!(report.verified && report.done.mass_erased, "{scenario}");
        let flash = board.flash();
        assert_holds(&setup.contents(), &setup.expected_on_blank(&flash[0xF800..0xFA00]), open_options(0xFE));
        assert_eq!(board.violations(), [""; 0], "{scenario}");
    }
}

#[test]
fn a_watchdog_started_by_the_option_bytes_does_not_interfere() {
    flashes_watched_boards(Duration::from_millis(40));
}

#[test]
fn a_watchdog_started_by_the_option_bytes_does_not_interrupt_a_slow_mass_erase() {
    flashes_watched_boards(Duration::from_millis(600));
}

#[test]
fn unsupported_boards_are_refused_by_name() {
    let expected = [
        (Scenario::At32, Unsupported::At32),
        (Scenario::M0, Unsupported::CortexM0),
        (Scenario::Ble, Unsupported::Dashboard),
    ];
    for (scenario, expected) in expected {
        let (_, setup) = Setup::scenario(scenario);
        let before = setup.contents();
        let result = setup.flash(&setup.request_with_data());
        match assert_refused(&setup, &before, result, Exit::WrongBoard).error {
            Error::Board(BoardError::Unsupported(found)) => assert_eq!(found, expected),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_chip_whose_flash_is_too_small_is_refused() {
    let (board, setup) = Setup::scenario(Scenario::Locked);
    board.set_flash_size_register(32);
    let before = setup.contents();
    assert_refused(&setup, &before, setup.flash(&setup.request()), Exit::WrongBoard);
    let board = SimBoard::new(Scenario::Locked, target("pro"));
    let setup = Setup::simulated(&board, "es2");
    let before = setup.contents();
    let result = setup.flash(&setup.request_with_data());
    match assert_refused(&setup, &before, result, Exit::WrongBoard).error {
        Error::Board(BoardError::TooSmall { found: 64, needed: 128 }) => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(setup.target.name, target("es2").name);
}

#[test]
fn a_board_that_is_reached_under_reset_keeps_its_block() {
    let (board, mut setup) = Setup::scenario(Scenario::Locked);
    let live = live_block(&board);
    board.wire_nrst();
    setup.connect.method = Method::UnderReset;
    setup.flash(&setup.request()).unwrap();
    assert_holds(&setup.contents(), &setup.expected_on_blank(live.as_bytes()), open_options(0xFF));
    assert_eq!(board.violations(), [""; 0]);
}

#[test]
fn a_probe_without_a_board_is_no_contact() {
    let (_, setup) = Setup::scenario(Scenario::Absent);
    let before = setup.contents();
    assert_refused(&setup, &before, setup.flash(&setup.request_with_data()), Exit::NoContact);
}

/// How often the power-cycle was looked for, by each event.
struct Waits(Vec<u32>);

impl Progress for Waits {
    fn on(&mut self, event: Event) {
        if let Event::Waiting { attempts, need: Need::PowerCycle, .. } = event {
            self.0.push(attempts);
        }
    }
}

#[test]
fn the_program_waits_for_a_power_cycle_if_the_chip_needs_one() {
    let (board, setup) = Setup::scenario(Scenario::Locked);
    let live = live_block(&board);
    board.need_power_cycle();
    let cut = FaultKind::PowerLost { returns_after: Some(Duration::from_millis(300)) };
    let armed = board.inject(Fault { trigger: Trigger::At(board.counts().time + Duration::from_secs(20)), kind: cut });
    let (probes, mut known, mut waits) = (setup.probes(), Known::default(), Waits(Vec::new()));
    let report = ops::flash(&mut Job::new(&probes, setup.connect.clone(), &mut waits, &mut known), &setup.request());
    let report = report.unwrap();
    assert!(armed.fired() && report.done.mass_erased);
    assert_eq!(report.reconnects, 0, "power that goes away is what is waited for");
    assert!(waits.0.len() > 50 && waits.0.iter().copied().eq(1..=waits.0.len() as u32), "{:?}", waits.0);
    assert_holds(&setup.contents(), &setup.expected_on_blank(live.as_bytes()), open_options(0xFF));
}

#[test]
fn a_missing_power_cycle_is_reported_and_the_next_run_finishes() {
    let (board, setup) = Setup::scenario(Scenario::Locked);
    let live = live_block(&board);
    board.need_power_cycle();
    let error = setup.flash(&setup.request()).unwrap_err();
    let Error::Board(BoardError::NoPowerCycle { .. }) = error.error else { panic!("{error:?}") };
    board.power_cycle();
    let report = setup.flash(&setup.request()).unwrap();
    assert_eq!(report.planned.data_source, DataSource::Backup);
    assert_holds(&setup.contents(), &setup.expected_on_blank(live.as_bytes()), open_options(0xFF));
}

#[test]
fn a_job_with_an_unsteady_hand_ends_in_a_correct_board() {
    let (board, mut setup) = Setup::scenario(Scenario::Flaky);
    setup.connect.wait = Wait::Forever;
    let live = live_block(&board);
    setup.flash(&setup.request()).unwrap();
    assert_same(&board.flash(), &setup.expected_on_blank(live.as_bytes()));
}

#[test]
fn consent_is_not_needed_if_nothing_is_locked() {
    let (_, setup) = Setup::scenario(Scenario::HalfFlashed);
    let request = FlashRequest { consent: None::<Consent>, ..setup.request_with_data() };
    assert!(setup.flash(&request).unwrap().verified);
}
