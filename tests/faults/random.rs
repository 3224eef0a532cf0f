//! Two or three random faults, in one run or in consecutive runs. A failure prints its seed; `M365_DRV_SEED` runs a
//! single seed.

use std::time::Duration;

use m365_drv::sim::{Fault, FaultKind, Lie, Trigger};

use super::{
    counts::FaultCounts,
    fault_case::{Clean, End, FAULT_CASES, Power, Rules, Trial},
    losses::LOSSES,
    stride,
};

/// The longest time for which the link is silent.
const SILENCE: Duration = Duration::from_secs(3);

/// The `SplitMix64` random number generator.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound.max(1)
    }

    fn kind(&mut self) -> FaultKind {
        match self.below(10) {
            0 => FaultKind::DroppedWrite,
            1 => FaultKind::Silent(SILENCE * self.below(100) as u32 / 100),
            2 => FaultKind::Lying(Lie::Late),
            3 => FaultKind::Lying(Lie::FlippedBit { one_in: 2000 }),
            n => LOSSES[n as usize - 4].1,
        }
    }

    fn trigger(&mut self, clean: &Clean) -> Trigger {
        match self.below(8) {
            0 if clean.page_erases > 0 => Trigger::PageErase(1 + self.below(clean.page_erases)),
            1 => Trigger::HalfWord(1 + self.below(clean.programs)),
            2 if clean.option_programs > 0 => Trigger::OptionProgram(1 + self.below(clean.option_programs)),
            3 if clean.option_erases > 0 => Trigger::OptionErase(1 + self.below(clean.option_erases)),
            _ => Trigger::Transfer(1 + self.below(clean.transfers)),
        }
    }
}

/// Runs with faults, then a run without; returns whether any fault fired.
fn trial(seed: u64, cleans: &[Clean], counts: &mut FaultCounts) -> Result<bool, String> {
    let mut chance = Chance(seed);
    let index = chance.below(FAULT_CASES.len() as u64) as usize;
    let mut trial = Trial::new(FAULT_CASES[index]).without_start();
    let count = 2 + chance.below(2);
    // All faults in one run, or some in the later runs that repair the damage.
    let runs = 1 + chance.below(count);
    let mut armed = Vec::new();
    let mut last = End::Success;
    for run in 0..runs {
        for _ in (run..count).step_by(runs as usize) {
            let fault = Fault { trigger: chance.trigger(&cleans[index]), kind: chance.kind() };
            if matches!(fault.kind, FaultKind::DroppedWrite | FaultKind::Lying(_)) {
                // The flash algorithm receives corrupted data, and the chip reports violations.
                trial.rules = Rules::Off;
            }
            armed.push(trial.board.inject(fault));
        }
        last = trial.run()?;
        counts.ended(FAULT_CASES[index].name, last);
        trial.board.clock().sleep(SILENCE);
        trial.mend(Power::Lost);
    }
    trial.run_again()?;
    if last != End::Success {
        counts.recovered();
    }
    Ok(armed.iter().any(m365_drv::sim::Armed::fired))
}

#[test]
fn several_random_faults_lose_nothing() {
    // A transfer that a run does not reach would be no fault.
    let cleans =
        FAULT_CASES.map(|case| Clean { transfers: Trial::new(case).without_start().transfers(), ..Trial::clean(case) });
    let seeds = match std::env::var("M365_DRV_SEED") {
        Ok(seed) => vec![seed.parse().expect("M365_DRV_SEED is a number")],
        Err(_) => (1..=if stride().is_some() { 1000 } else { 120 }).collect(),
    };
    let mut counts = FaultCounts::new(format!("double and triple faults, {} seeds from {}", seeds.len(), seeds[0]));
    let mut idle = 0;
    for seed in &seeds {
        match trial(*seed, &cleans, &mut counts) {
            Ok(fired) => idle += usize::from(!fired),
            Err(what) => counts.failed(format!("seed {seed}: {what}")),
        }
    }
    counts.conclude();
    // A trial without any fired fault is possible only if the faults are for operations that the run does not reach.
    assert!(idle * 10 <= seeds.len(), "in {idle} of {} trials no fault fired", seeds.len());
}
