//! Contact as hands have it: lost for a moment, again and again, and good from then on.

use std::time::Duration;

use m365_drv::{
    board::{EraseConsent, Wait},
    ops::{self, Watchdog},
    sim::{Fault, FaultKind, Scenario, Trigger},
};

use crate::setup::Setup;

/// Injects as many dropouts of this length as fit below the first 200 transfers.
fn with_dropouts(gap: Duration, every: u64) -> Setup {
    let (board, mut setup) = Setup::scenario(Scenario::Locked);
    setup.connect.wait = Wait::Forever;
    for nth in (50..200).step_by(every as usize) {
        board.inject(Fault { trigger: Trigger::Transfer(nth), kind: FaultKind::Silent(gap) });
    }
    setup
}

#[test]
fn a_few_dropouts_of_a_millisecond_do_not_end_a_job() {
    for gap in [1, 2, 5, 20].map(Duration::from_millis) {
        for every in [40, 25, 10] {
            let setup = with_dropouts(gap, every);
            let report = setup.flash(&setup.request()).unwrap_or_else(|error| panic!("{gap:?}, {every}: {error}"));
            assert!(report.verified && report.mass_erased);

            let setup = with_dropouts(gap, every);
            let (consent, backups) = (Some(EraseConsent), setup.request().backups);
            let unlock = setup.run(|job| ops::unlock(job, consent, &backups, Watchdog::Keep));
            assert!(unlock.unwrap_or_else(|error| panic!("{gap:?}, {every}: {error}")).erased);
        }
    }
}
