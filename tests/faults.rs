//! Faults at every point of a run on the simulated board: no report may be wrong and no data may be lost.
//!
//! Each campaign counts the debug-port transfers or flash operations of a run without a fault, then injects a fault at
//! one of them after another. After each run, the test compares the program's report with the contents of the board.
//! Then it removes the fault and repeats the command, which must produce the correct board, with its own serial number,
//! mileage and settings.
//!
//! A normal test run tries only some of the points. `M365_DRV_EXHAUSTIVE=N` tries every N-th point, 1 all of them,
//! which takes hours; `-- --nocapture` prints the counts.

mod contact;
mod counts;
mod cuts;
mod fault_case;
mod interrupt;
mod lies;
mod losses;
mod others;
mod protect;
mod random;

use m365_drv::sim::Fault;

use self::{
    counts::FaultCounts,
    fault_case::{Clean, End, FaultCase, Power, Trial},
};

/// The N of `M365_DRV_EXHAUSTIVE=N`; `None` in a normal test run.
fn stride() -> Option<u64> {
    let text = std::env::var("M365_DRV_EXHAUSTIVE").ok()?;
    Some(text.parse().ok().filter(|stride| *stride > 0).expect("M365_DRV_EXHAUSTIVE is a number above 0"))
}

/// Numbers from 1 to `last`: about `count` of them in a normal test run.
fn points(last: u64, count: u64) -> impl Iterator<Item = u64> {
    let step = stride().unwrap_or_else(|| last.div_ceil(count).max(1));
    (1..=last).step_by(usize::try_from(step).expect("a small number"))
}

/// The same among the transfers of a job.
fn transfers(case: &FaultCase, clean: &Clean, count: u64) -> impl Iterator<Item = u64> {
    let first = if case.differs_from_start() { clean.to_start } else { 0 };
    points(clean.transfers - first, count).map(move |nth| first + nth)
}

/// A trial with a fault at this transfer.
fn trial_until(case: &'static FaultCase, clean: &Clean, nth: u64) -> Trial {
    let trial = Trial::new(case);
    if nth < clean.to_start { trial.without_start() } else { trial }
}

/// Injects one fault, judges the run, and repeats the same command without the fault.
fn strike(mut trial: Trial, counts: &mut FaultCounts, kind: &'static str, fault: Fault, power: Power) {
    let armed = trial.board.inject(fault);
    let outcome = trial.run().and_then(|end| {
        if !armed.fired() {
            return Err("the fault never fired".into());
        }
        counts.ended(kind, end);
        trial.mend(power);
        again(&mut trial, end, counts)
    });
    if let Err(what) = outcome {
        counts.failed(format!("{kind} at {:?}: {what}", fault.trigger));
    }
}

/// Repeats the command after a run that ended with `end`.
fn again(trial: &mut Trial, end: End, counts: &mut FaultCounts) -> Result<(), String> {
    trial.run_again()?;
    if end != End::Success {
        counts.recovered();
    }
    Ok(())
}
