//! Ctrl-C at any moment: the run ends within one second of simulated time, and the next run finishes the job.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use m365_drv::{
    board::BoardState,
    ops::{self, Exit, Job, Known},
};

use crate::setup::Ended;

use super::{
    again,
    counts::FaultCounts,
    fault_case::{End, FaultCase, LOCKED, OPEN, OPEN_4_PRO, Power, RELOCKED, Trial},
    points,
};

/// Runs the job, interrupts it at the given time, and returns how long it continued after that.
fn run_until(trial: &mut Trial, at: Duration) -> Result<(End, Duration), String> {
    let probes = trial.setup.probes();
    let (interrupt, board, over) = (probes.interrupt(), trial.board.clone(), AtomicBool::new(false));
    let now = || board.counts().time;
    let (result, late) = thread::scope(|scope| {
        let finger = scope.spawn(|| {
            while now() < at && !over.load(Ordering::Relaxed) {
                thread::yield_now();
            }
            interrupt.store(true, Ordering::Relaxed);
            // Time may have passed on the board between reading the clock and setting the flag.
            now()
        });
        let mut known = Known::default();
        let mut silent = ();
        let mut job = Job::new(&probes, trial.setup.connect.clone(), &mut silent, &mut known);
        let result = ops::flash(&mut job, &trial.request());
        let result = result.map_err(|error| Ended { error, board: probes.ledger().board() });
        let ended = now();
        over.store(true, Ordering::Relaxed);
        (result, ended.saturating_sub(finger.join().expect("the interrupting thread does not panic")))
    });
    drop(probes);
    Ok((trial.judge(&result)?, late))
}

fn at_any_moment(case: &'static FaultCase, counts: &mut FaultCounts, set: impl Fn(&mut Trial)) {
    let mut trial = Trial::new(case);
    set(&mut trial);
    let began = trial.board.counts().time;
    assert_eq!(trial.run(), Ok(End::Success));
    let took = trial.board.counts().time.saturating_sub(began);
    for millisecond in points(u64::try_from(took.as_millis()).expect("seconds"), case.share(12)) {
        let at = began + Duration::from_millis(millisecond);
        let mut trial = Trial::new(case);
        set(&mut trial);
        let outcome = run_until(&mut trial, at).and_then(|(end, late)| {
            counts.ended("Ctrl-C", end);
            if late > Duration::from_secs(1) {
                return Err(format!("it took {late:?} to end"));
            }
            match end {
                // A run may already be finished when the interrupt arrives.
                End::Success | End::Failure(Exit::Interrupted, _) => {
                    trial.mend(Power::On);
                    again(&mut trial, end, counts)
                }
                end @ End::Failure(..) => Err(format!("ended in {end:?}")),
            }
        });
        if let Err(what) = outcome {
            counts.failed(format!("{} after {millisecond} ms: {what}", case.name));
        }
    }
}

#[test]
fn an_interrupt_at_any_moment_ends_the_run_and_the_next_run_finishes() {
    let mut counts = FaultCounts::new("Ctrl-C at any moment");
    for case in [&LOCKED, &OPEN, &RELOCKED, &OPEN_4_PRO] {
        at_any_moment(case, &mut counts, |_| {});
    }
    counts.conclude();
}

#[test]
fn an_interrupt_is_noticed_at_a_low_clock_rate() {
    let mut counts = FaultCounts::new("Ctrl-C at 125 kHz");
    at_any_moment(&OPEN, &mut counts, |trial| trial.setup.connect.speed_khz = Some(125));
    at_any_moment(&LOCKED, &mut counts, |trial| trial.setup.connect.speed_khz = Some(125));
    counts.conclude();
}

#[test]
fn an_interrupt_is_noticed_while_waiting_for_a_board() {
    let mut trial = Trial::new(&LOCKED).waiting();
    trial.board.set_contact(m365_drv::sim::WireContact::Absent);
    let at = trial.board.counts().time + Duration::from_secs(30);
    let (end, late) = run_until(&mut trial, at).unwrap();
    assert!(matches!(end, End::Failure(Exit::Interrupted, BoardState::Untouched)), "{end:?}");
    assert!(late < Duration::from_secs(1), "{late:?}");
}
