//! Wires held by hand: contact is lost again and again, and the program waits for it.

use std::{ops::Range, time::Duration};

use m365_drv::sim::WireContact;

use super::{
    counts::FaultCounts,
    fault_case::{End, LOCKED, OPEN, OPEN_4_PRO, Trial},
    stride,
};

#[test]
fn an_unsteady_hand_succeeds_without_wearing_out_a_page() {
    let gap = Duration::from_millis(50)..Duration::from_secs(5);
    by_hand("contact that comes and goes", &[20, 40, 60, 80, 95], &gap, 8);
}

/// Hands that tremble: contact is lost for a moment, several times a second.
#[test]
fn a_trembling_hand_succeeds_without_wearing_out_a_page() {
    let gap = Duration::from_millis(1)..Duration::from_millis(50);
    by_hand("contact that is lost for milliseconds", &[95, 98], &gap, 4);
}

fn by_hand(name: &str, duties: &[u8], gap: &Range<Duration>, seeds: u64) {
    let mut counts = FaultCounts::new(name);
    let mut longest = Duration::ZERO;
    let seeds = if stride().is_some() { 100 } else { seeds };
    for case in [&LOCKED, &OPEN, &OPEN_4_PRO] {
        for &duty_percent in duties {
            for seed in 1..=case.share(seeds) {
                let mut trial = Trial::new(case).waiting();
                let began = trial.board.counts().time;
                trial.board.set_contact(WireContact::Markov { duty_percent, gap: gap.clone(), seed });
                let outcome = trial.run().and_then(|end| {
                    counts.ended(case.name, end);
                    longest = longest.max(trial.board.counts().time.saturating_sub(began));
                    let erases = trial.board.counts().page_erases.into_iter().max().unwrap_or_default();
                    match end {
                        End::Success if erases <= 2 => Ok(()),
                        End::Success => Err(format!("a page was erased {erases} times")),
                        end @ End::Failure(..) => Err(format!("ended in {end:?}: {}", trial.said)),
                    }
                });
                if let Err(what) = outcome {
                    counts.failed(format!("{}, duty {duty_percent} %, seed {seed}: {what}", case.name));
                }
            }
        }
    }
    println!("longest run: {longest:?} of the model's time");
    counts.conclude();
}
