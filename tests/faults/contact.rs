//! Wires held by hand: contact is lost again and again, and the program waits for it.

use std::time::Duration;

use m365_drv::sim::WireContact;

use super::{
    scene::{End, LOCKED, OPEN, Trial},
    stride,
    tally::Tally,
};

#[test]
fn an_unsteady_hand_succeeds_without_wearing_out_a_page() {
    let mut tally = Tally::new("contact that comes and goes");
    let mut longest = Duration::ZERO;
    let seeds = if stride().is_some() { 100 } else { 8 };
    for scene in [&LOCKED, &OPEN] {
        for duty_percent in [20, 40, 60, 80, 95] {
            for seed in 1..=seeds {
                let gap = Duration::from_millis(50)..Duration::from_secs(5);
                let mut trial = Trial::new(scene).waiting();
                let began = trial.board.counts().time;
                trial.board.set_contact(WireContact::Markov { duty_percent, gap, seed });
                let outcome = trial.run().and_then(|end| {
                    tally.ended(scene.name, end);
                    longest = longest.max(trial.board.counts().time.saturating_sub(began));
                    let erases = trial.board.counts().page_erases.into_iter().max().unwrap_or_default();
                    match end {
                        End::Success if erases <= 2 => Ok(()),
                        End::Success => Err(format!("a page was erased {erases} times")),
                        end @ End::Failure(..) => Err(format!("ended in {end:?}: {}", trial.said)),
                    }
                });
                if let Err(what) = outcome {
                    tally.failed(format!("{}, duty {duty_percent} %, seed {seed}: {what}", scene.name));
                }
            }
        }
    }
    println!("longest run: {longest:?} of the model's time");
    tally.conclude();
}
