//! It never lies and it never loses: faults at every point of a run on the simulated board.
//!
//! Each campaign counts the debug-port transfers or the flash operations of a run that meets no fault, then puts a fault
//! on one after the other. After each run what the program said is held against what the board holds; then the same command
//! runs again with the fault removed and has to end in the right board, with its own serial number, mileage and settings.
//!
//! In a normal test run the faults are spread. With `M365_DRV_EXHAUSTIVE=N` every N-th point is tried, with 1 all of them,
//! which takes hours; `-- --nocapture` shows what was tried.

mod contact;
mod cuts;
mod interrupt;
mod lies;
mod losses;
mod protect;
mod random;
mod scene;
mod tally;

use m365_drv::sim::Fault;

use self::{
    scene::{End, Power, Scene, Trial},
    tally::Tally,
};

/// Every how many-th point is tried, where somebody has asked for more than a normal test run.
fn stride() -> Option<u64> {
    let text = std::env::var("M365_DRV_EXHAUSTIVE").ok()?;
    Some(text.parse().ok().filter(|stride| *stride > 0).expect("M365_DRV_EXHAUSTIVE is a number above 0"))
}

/// Numbers from 1 to `last`: about `count` of them in a normal run.
fn points(last: u64, count: u64) -> impl Iterator<Item = u64> {
    let step = stride().unwrap_or_else(|| last.div_ceil(count).max(1));
    (1..=last).step_by(usize::try_from(step).expect("a small number"))
}

/// One fault, what the run made of it, and the same command again.
fn strike(scene: &'static Scene, tally: &mut Tally, kind: &'static str, fault: Fault, power: Power) {
    let mut trial = Trial::new(scene);
    let armed = trial.board.inject(fault);
    let outcome = trial.run().and_then(|end| {
        if !armed.fired() {
            return Err("the fault never fired".into());
        }
        tally.ended(kind, end);
        trial.mend(power);
        again(&mut trial, end, tally)
    });
    if let Err(what) = outcome {
        tally.failed(format!("{kind} at {:?}: {what}", fault.trigger));
    }
}

/// The same command after a run that has ended like this.
fn again(trial: &mut Trial, end: End, tally: &mut Tally) -> Result<(), String> {
    trial.run_again()?;
    if end != End::Success {
        tally.recovered();
    }
    if trial.has_lost_user() {
        tally.user_lost();
    }
    Ok(())
}
