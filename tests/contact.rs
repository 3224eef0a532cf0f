//! Contact as hands have it: lost for a moment, again and again, and good from then on.

use std::time::Duration;

use m365_drv::{
    board::{
        self, BoardState, Consent, Finding, OptionBytes, Wait,
        progress::{Event, Progress, Step},
    },
    ops::{self, Exit, Job, Known, Watchdog},
    sim::{Armed, Fault, FaultKind, ResetPin, Scenario, SimBoard, Trigger, WireContact},
};

use crate::setup::Setup;

/// The transfer by which a board has answered for the first time; what is before sets up the debug port.
const FIRST_ANSWER: u64 = 25;

/// A run without `--wait` on wires that lose contact for so long at this transfer.
fn with_a_dropout(nth: u64, gap: Duration) -> (Setup, Armed) {
    let (board, setup) = Setup::scenario(Scenario::Locked);
    let armed = board.inject(Fault { trigger: Trigger::Transfer(nth), kind: FaultKind::Silent(gap) });
    (setup, armed)
}

#[test]
fn contact_that_is_lost_once_before_the_chip_is_identified_does_not_end_a_job() {
    let mut unanswered = Vec::new();
    for nth in 1..=70 {
        let (setup, armed) = with_a_dropout(nth, Duration::from_secs(2));
        let (report, told) = setup.run_told(|job| ops::flash(job, &setup.request()));
        assert!(armed.fired());
        let told: Vec<_> = told.iter().map(|(name, _)| *name).collect();
        match report {
            Ok(report) => assert!(report.verified && told.contains(&"contact-lost"), "{nth}: {told:?}"),
            // Nothing had answered yet.
            Err(error) => {
                assert!(error.to_string().starts_with("no board answered: "), "{nth}: {error}, {told:?}");
                unanswered.push(nth);
            }
        }
    }
    assert!(unanswered.iter().all(|nth| *nth < FIRST_ANSWER), "{unanswered:?}");
}

#[test]
fn a_board_that_answers_only_for_a_moment_is_told_from_one_that_never_does() {
    let (setup, _) = with_a_dropout(60, Duration::from_secs(3600));
    let (result, told) = setup.run_told(ops::info);
    let error = result.expect_err("no contact").error;
    let words = "the board answered, but not for long enough to identify its chip: ";
    assert!(error.to_string().starts_with(words) || !told.is_empty(), "{error}, {told:?}");
}

#[test]
fn one_bad_moment_at_the_start_does_not_slow_down_the_whole_job() {
    let speeds = (FIRST_ANSWER..=70).map(|nth| {
        let (setup, _) = with_a_dropout(nth, Duration::from_millis(60));
        (nth, setup.flash(&setup.request()).unwrap_or_else(|error| panic!("{nth}: {error}")).board.speed_khz)
    });
    let slow: Vec<_> = speeds.filter(|(_, speed)| *speed < 1800).collect();
    assert!(slow.is_empty(), "{slow:?}");
}

#[test]
fn a_chip_is_erased_only_after_fifty_accesses_have_shown_good_contact() {
    let mut checked = 0;
    for nth in (60..400).step_by(10) {
        let (board, setup) = Setup::scenario(Scenario::Locked);
        // After a single loss, connecting and reading again are fewer than fifty accesses.
        let losses = if nth % 20 == 0 { vec![nth] } else { vec![nth, nth + 60, nth + 120] };
        for nth in losses {
            board.inject(Fault { trigger: Trigger::Transfer(nth), kind: FaultKind::Error });
        }
        let mut seen = Contacts::default();
        let (probes, mut known) = (setup.probes(), Known::default());
        let mut job = Job::new(&probes, setup.connect.clone(), &mut seen, &mut known);
        ops::flash(&mut job, &setup.request()).expect("the job");
        let (good, of) = seen.before_unlock.expect("an unlock");
        assert!(of < 50 && good == of || of == 50 && good >= 45, "{nth}: {good} of {of}");
        checked += usize::from(good < of);
    }
    assert!(checked > 0, "no loss of contact shortly before an erase");
}

/// The last finding of a run without `--wait`, and how it failed.
fn finding(prepare: impl FnOnce(&SimBoard), scenario: Scenario) -> (Option<Finding>, Option<ops::Error>) {
    let (board, setup) = Setup::scenario(scenario);
    prepare(&board);
    let mut last = Findings::default();
    let (probes, mut known) = (setup.probes(), Known::default());
    let done = ops::info(&mut Job::new(&probes, setup.connect.clone(), &mut last, &mut known));
    (last.0, done.err())
}

#[derive(Default)]
struct Findings(Option<Finding>);

impl Progress for Findings {
    fn on(&mut self, event: Event) {
        if let Event::Contact { finding, .. } = event {
            self.0 = finding;
        }
    }
}

#[test]
fn what_is_wrong_with_the_wires_is_told_from_what_the_probe_sees() {
    let (found, error) = finding(|_| (), Scenario::Absent);
    assert_eq!(found, Some(Finding::Silent), "3.25 V proves nothing");
    assert!(matches!(error, Some(ops::Error::Board(board::Error::NoContact { finding: Some(Finding::Silent), .. }))));
    assert_eq!(finding(|board| board.set_target_voltage(0.0), Scenario::Absent).0, Some(Finding::NoSupply));
    assert_eq!(finding(|board| board.set_target_voltage(1.9), Scenario::Absent).0, Some(Finding::NoSupply));
    assert_eq!(finding(|board| board.set_target_voltage(5.0), Scenario::Absent).0, Some(Finding::SupplyTooHigh));
    assert_eq!(finding(|_| (), Scenario::Locked).0, Some(Finding::Good));
    let (found, error) = finding(|board| board.press_reset(ResetPin::Low), Scenario::Open);
    assert_eq!(found, Some(Finding::HeldInReset), "{error:?}");
    assert_eq!(error.unwrap().exit(), Exit::NoContact);
    let gap = Duration::from_millis(2)..Duration::from_millis(20);
    let unsteady = WireContact::Markov { duty_percent: 60, gap, seed: 1 };
    let (found, error) = finding(|board| board.set_contact(unsteady), Scenario::Open);
    assert_eq!(found, Some(Finding::Broken), "{error:?}");
}

/// The link quality that was told last before the chip is erased.
#[derive(Default)]
struct Contacts {
    last: Option<(usize, usize)>,
    before_unlock: Option<(usize, usize)>,
}

impl Progress for Contacts {
    fn on(&mut self, event: Event) {
        match event {
            Event::Contact { good, of, .. } => self.last = Some((good, of)),
            Event::Started { step: Step::Unlock, .. } => self.before_unlock = self.before_unlock.or(self.last),
            _ => {}
        }
    }
}

#[test]
fn a_board_that_is_lost_between_the_erase_and_the_first_write_is_called_erased() {
    let gone = FaultKind::ProbeGone { returns_after: None };
    let transfers_until = |trigger| {
        let (board, setup) = Setup::scenario(Scenario::Locked);
        let armed = board.inject(Fault { trigger, kind: gone });
        setup.flash(&setup.request()).expect_err("a loss");
        assert!(armed.fired());
        board.counts().transfers
    };
    let (erase, write) = (transfers_until(Trigger::MassErase(1)), transfers_until(Trigger::HalfWord(1)));
    let mut erased = 0;
    for nth in (erase..write).step_by((write - erase) as usize / 40) {
        let (board, setup) = Setup::scenario(Scenario::Locked);
        let _ = board.inject(Fault { trigger: Trigger::Transfer(nth), kind: gone });
        let (result, state) = setup.run_to_state(|job| ops::flash(job, &setup.request()));
        if state == BoardState::Erased {
            assert_eq!(result.expect_err("a loss").exit(), Exit::LinkLost);
            assert!(board.flash().iter().all(|byte| *byte == 0xFF) && !board.is_protected(), "{nth}");
            erased += 1;
        }
    }
    assert!(erased > 0, "never erased");
}

#[test]
fn an_erase_is_reported_if_contact_is_lost_while_protection_that_was_pending_is_removed() {
    let pending = || {
        let (board, setup) = Setup::scenario(Scenario::Open);
        let options = OptionBytes::from_values([0x00, 0xFF, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF]);
        board.put_option_bytes(options.0);
        (board, setup)
    };
    let unlock = |setup: &Setup| {
        let backups = setup.request().backups;
        setup.run(|job| ops::unlock(job, Some(Consent::Erase), &backups, Watchdog::Keep))
    };
    let (board, setup) = pending();
    let gone = FaultKind::ProbeGone { returns_after: None };
    let armed = board.inject(Fault { trigger: Trigger::MassErase(1), kind: gone });
    unlock(&setup).expect_err("a loss");
    assert!(armed.fired());
    let erase = board.counts().transfers;
    for nth in (erase - 20..erase + 40).step_by(2) {
        let (board, setup) = pending();
        let armed = board
            .inject(Fault { trigger: Trigger::Transfer(nth), kind: FaultKind::Silent(Duration::from_millis(100)) });
        let Ok(report) = unlock(&setup) else { continue };
        assert!(armed.fired());
        assert!(board.flash().iter().all(|byte| *byte == 0xFF) && report.erased, "{nth}: {report:?}");
    }
}

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
            assert!(report.verified && report.done.mass_erased);

            let setup = with_dropouts(gap, every);
            let (consent, backups) = (Some(Consent::Erase), setup.request().backups);
            let unlock = setup.run(|job| ops::unlock(job, consent, &backups, Watchdog::Keep));
            assert!(unlock.unwrap_or_else(|error| panic!("{gap:?}, {every}: {error}")).erased);
        }
    }
}
