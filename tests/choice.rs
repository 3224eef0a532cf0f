//! Choosing among several images: the chip decides; if it cannot, the user has to.

use m365_drv::{
    board::BoardState,
    image::{Image, RehearsalImages},
    ops::{Error, Exit, Wanted},
    sim::{self, Scenario, SimBoard},
};

use crate::setup::{Ended, Setup, image};

/// Our own application without the literals that it uses to detect GD32 chips.
fn unaware() -> Image {
    let mut bytes = sim::APP_64.to_vec();
    for id in [0x4842_4333u32, 0x4142_4333] {
        let at = bytes.windows(4).position(|window| window == id.to_le_bytes()).expect("the literal of a chip");
        bytes[at..at + 4].fill(0);
    }
    image(&bytes)
}

/// Runs the job with these DRV images and returns the refusal.
fn refused(setup: &Setup, drv: &[Image]) -> Ended {
    let Err(error) = setup.flash(&setup.request_for(Wanted { drv, ..setup.wanted_with_data() })) else {
        panic!("not refused")
    };
    assert_eq!((error.exit(), error.board()), (Exit::Image, BoardState::Untouched), "{error}");
    error
}

fn drv_of(board: &SimBoard) -> Vec<u8> {
    board.flash()[0x1000..0x1000 + sim::APP_64.len()].to_vec()
}

#[test]
fn the_chip_decides_among_several_images() {
    let (board, setup) = Setup::scenario(Scenario::Gd32e103);
    let candidates = [image(sim::APP_64), unaware()];
    let report =
        setup.flash(&setup.request_for(Wanted { drv: &candidates, ..setup.wanted_with_data() })).expect("the job");
    assert!(report.verified);
    assert_eq!(drv_of(&board), sim::APP_64);
}

#[test]
fn several_images_that_fit_the_chip_are_listed_and_none_is_taken() {
    let (board, setup) = Setup::scenario(Scenario::Locked);
    let candidates = [unaware(), image(sim::APP_64)];
    match refused(&setup, &candidates).error {
        Error::SeveralImages { fitting, .. } => {
            assert_eq!(fitting, ["rehearsal DRV, modified", "rehearsal DRV"]);
        }
        other => panic!("{other:?}"),
    }
    assert_ne!(board.counts().transfers, 0, "the chip has to be read first");
}

#[test]
fn a_choice_that_no_chip_can_decide_is_refused_without_a_board() {
    let (board, setup) = Setup::scenario(Scenario::Locked);
    let mut other = sim::APP_64.to_vec();
    other[0x3F00] ^= 1;
    let error = refused(&setup, &[image(sim::APP_64), image(&other)]);
    assert!(matches!(error.error, Error::SeveralImages { .. }), "{error}");
    assert_eq!(board.counts().transfers, 0);
}

#[test]
fn an_image_in_the_first_folder_wins_if_it_fits() {
    let in_place = |place, image| Image { place: Some(place), ..image };
    let candidates = [in_place(1, image(sim::APP_64)), in_place(0, unaware())];
    for (scenario, drv) in [(Scenario::Locked, &candidates[1]), (Scenario::Gd32e103, &candidates[0])] {
        let (board, setup) = Setup::scenario(scenario);
        setup.flash(&setup.request_for(Wanted { drv: &candidates, ..setup.wanted_with_data() })).expect("the job");
        assert_eq!(drv_of(&board), drv.bytes);
    }
}

#[test]
fn of_several_images_in_one_folder_the_one_preferred_for_the_chip_is_taken() {
    let preferred = |chip, image| Image { place: Some(0), preferred_for: vec![chip], ..image };
    let candidates = [preferred("stm32f103", unaware()), preferred("gd32e103", image(sim::APP_64))];
    for (scenario, drv) in [(Scenario::Locked, &candidates[0]), (Scenario::Gd32e103, &candidates[1])] {
        let (board, setup) = Setup::scenario(scenario);
        setup.flash(&setup.request_for(Wanted { drv: &candidates, ..setup.wanted_with_data() })).expect("the job");
        assert_eq!(drv_of(&board), drv.bytes);
    }
    // Another one, which somebody put there, may be what they want.
    let (_, setup) = Setup::scenario(Scenario::Locked);
    let mut other = sim::APP_64.to_vec();
    other[0x3F00] ^= 1;
    let third = Image { place: Some(0), ..image(&other) };
    let error = refused(&setup, &[candidates[0].clone(), candidates[1].clone(), third]);
    assert!(matches!(error.error, Error::SeveralImages { .. }), "{error}");
}

#[test]
fn the_list_waits_for_the_chip_if_it_depends_on_it() {
    let mut other = sim::APP_64.to_vec();
    other[0x3F00] ^= 1;
    let candidates = [image(sim::APP_64), image(&other), unaware()];
    for (scenario, count) in [(Scenario::Locked, 3), (Scenario::Gd32e103, 2)] {
        let (board, setup) = Setup::scenario(scenario);
        match refused(&setup, &candidates).error {
            Error::SeveralImages { fitting, .. } => assert_eq!(fitting.len(), count),
            error => panic!("{error:?}"),
        }
        assert_ne!(board.counts().transfers, 0);
    }
}

#[test]
fn a_refused_image_found_in_a_folder_is_named_with_its_file() {
    let (_, setup) = Setup::scenario(Scenario::Locked);
    let found = Image { place: Some(0), file: Some("shelf/bad.zip".into()), ..image(sim::APP_128) };
    let error = refused(&setup, &[found]).to_string();
    assert!(error.ends_with(", in \"shelf/bad.zip\""), "{error}");
}

#[test]
fn if_no_image_fits_the_error_is_that_of_the_last_one() {
    let (board, setup) = Setup::scenario(Scenario::Locked);
    let error = refused(&setup, &[image(&[0xFF; 2048]), image(sim::APP_128)]);
    assert!(matches!(error.error, Error::Gate { gate: "scooter", .. }), "{error}");
    assert_eq!(board.counts().transfers, 0);

    let (_, setup) = Setup::scenario(Scenario::Gd32f103);
    let error = refused(&setup, &[unaware()]);
    assert!(matches!(error.error, Error::Gate { gate: "gd32", .. }), "{error}");
}

#[test]
fn rehearsal_images_are_for_the_simulated_board_only() {
    let (board, setup) = Setup::scenario(Scenario::Locked);
    let request = setup.request_for(Wanted { rehearsal: RehearsalImages::Refused, ..setup.wanted() });
    let Err(error) = setup.flash(&request) else { panic!("not refused") };
    let words =
        "bootloader image refused: rehearsal bootloader cannot drive a motor: it is for the simulated board only";
    assert_eq!((error.exit(), error.to_string().as_str()), (Exit::Image, words));
    assert_eq!(board.counts().transfers, 0);
    let forced = setup.request_for(Wanted { forced: vec!["rehearsal".into()], ..request.wanted });
    assert!(setup.flash(&forced).expect("the job").verified);
}
