//! What was agreed to is all that is done, also if the board is another matter by then.

use std::time::Duration;

use m365_drv::{
    block::DataBlock,
    board::{BoardState, Consent, OptionBytes},
    ops::{self, Error, Exit, FlashRequest, Obstacle, Watchdog},
    sim::{Fault, FaultKind, Scenario, SimBoard, Trigger},
};

use crate::{
    flash::assert_refused,
    setup::{Setup, live_block},
};

fn lock(board: &SimBoard) {
    board.set_option_bytes(OptionBytes(board.option_bytes()).with_rdp(0).0);
    assert!(board.is_protected());
}

#[test]
fn a_board_that_got_locked_is_not_erased_by_somebody_who_agreed_to_an_unlock() {
    let (board, setup) = Setup::scenario(Scenario::Wrp);
    let path = setup.folder.path().join("board.json");
    setup.run(|job| ops::backup(job, &path)).expect("a backup");
    let backups = setup.request().backups;
    let agreed = Some(Consent::Unlock);
    for command in ["flash", "unlock", "restore"] {
        let run = |agreed| match command {
            "flash" => setup.flash(&FlashRequest { consent: agreed, ..setup.request() }).map(drop),
            "unlock" => setup.run(|job| ops::unlock(job, agreed, &backups, Watchdog::Keep)).map(drop),
            _ => setup.run(|job| ops::restore(job, &path, agreed, &backups, &[])).map(drop),
        };
        let open = board.option_bytes();
        lock(&board);
        let locked = setup.contents();
        let error = assert_refused(&setup, &locked, run(agreed), Exit::Consent);
        assert!(matches!(error.error, Error::Consent { obstacle: Obstacle::ReadProtected, .. }), "{command}: {error}");
        board.set_option_bytes(open);
    }
}

/// A cut while the option bytes are erased leaves the chip read-protected: RDP is blank.
#[test]
fn a_board_that_gets_locked_on_the_way_is_erased_only_if_that_was_agreed_to() {
    for command in ["flash", "unlock"] {
        let (board, setup) = Setup::scenario(Scenario::Wrp);
        let (live, flash) = (live_block(&board), board.flash());
        let backups = || setup.request().backups;
        let run = |agreed| match command {
            "flash" => setup.flash(&FlashRequest { consent: agreed, ..setup.request() }).map(drop),
            _ => setup.run(|job| ops::unlock(job, agreed, &backups(), Watchdog::Keep)).map(drop),
        };
        let kind = FaultKind::PowerLost { returns_after: Some(Duration::from_millis(200)) };
        let armed = board.inject(Fault { trigger: Trigger::OptionProgram(1), kind });
        let ended = run(Some(Consent::Unlock)).expect_err("a locked board");
        assert!(armed.fired());
        let Error::LockedMeanwhile { obstacle: Obstacle::ReadProtected, data, .. } = ended.error else {
            panic!("{command}: {ended}")
        };
        assert_eq!(data.on_board.and_then(|(serial, _)| serial), live.serial(), "{command}");
        assert_eq!((ended.exit(), ended.board()), (Exit::Flash, BoardState::Partial), "{command}");
        assert!(board.flash() == flash, "{command}");
        run(Some(Consent::Erase)).expect("what was agreed to");
        if command == "flash" {
            let block = DataBlock::parse(&board.flash()[0xF800..0xFA00]).expect("a block");
            assert_eq!((block.serial(), block.mileage()), (live.serial(), live.mileage()));
        }
    }
}
