//! Links that return wrong data or lose writes, and another board that answers in place of the first.

use std::time::Duration;

use m365_drv::{
    board::Board,
    ops::Exit,
    sim::{Fault, FaultKind, Lie, Trigger},
};

use super::{
    again,
    counts::FaultCounts,
    fault_case::{End, FAULT_CASES, FaultCase, Power, Trial},
    transfers, trial_until,
};

const LIES: [(&str, FaultKind); 7] = [
    ("stuck", FaultKind::Lying(Lie::Stuck)),
    ("late", FaultKind::Lying(Lie::Late)),
    ("ones", FaultKind::Lying(Lie::Ones)),
    ("zeros", FaultKind::Lying(Lie::Zeros)),
    ("flipped 1 in 10000", FaultKind::Lying(Lie::FlippedBit { one_in: 10_000 })),
    ("flipped 1 in 500", FaultKind::Lying(Lie::FlippedBit { one_in: 500 })),
    ("dropped write", FaultKind::DroppedWrite),
];

#[test]
fn a_corrupting_link_never_leads_to_an_undetected_wrong_board() {
    let mut counts = FaultCounts::new("lies from any transfer on");
    for case in FAULT_CASES {
        let clean = Trial::clean(case);
        for nth in transfers(case, &clean, case.share(if case.differs_from_start() { 3 } else { 6 })) {
            for (name, kind) in LIES {
                let mut trial = trial_until(case, &clean, nth);
                let armed = trial.board.inject(Fault { trigger: Trigger::Transfer(nth), kind });
                let outcome = trial.run().and_then(|end| {
                    // If there was nothing left to corrupt, this run does not count.
                    if armed.fired() {
                        counts.ended(name, end);
                    }
                    trial.mend(Power::On);
                    again(&mut trial, end, &mut counts)
                });
                if let Err(what) = outcome {
                    counts.failed(format!("{}, {name} at {nth}: {what}", case.name));
                }
            }
        }
    }
    counts.conclude();
}

#[test]
fn another_board_on_the_wires_is_not_changed() {
    let mut counts = FaultCounts::new("another board from any transfer on");
    for case in FAULT_CASES {
        let (clean, contact) = (Trial::clean(case), transfers_to_contact(case));
        for nth in transfers(case, &clean, case.share(if case.differs_from_start() { 10 } else { 40 })) {
            let mut trial = trial_until(case, &clean, nth);
            let gap = Duration::from_millis(400);
            let kind = FaultKind::AnotherBoard { uid: [1, 2, 3], gap };
            let armed = trial.board.inject(Fault { trigger: Trigger::Transfer(nth), kind });
            let result = trial.setup.flash(&trial.request());
            let other = trial.board.counts();
            let changes = other.page_erases.iter().sum::<u32>() + other.mass_erases + other.option_erases;
            trial.board.swap_back();
            let outcome = trial.judge(&result).and_then(|end| {
                counts.ended("another board", end);
                match end {
                    _ if !armed.fired() => Err("the fault never fired".into()),
                    _ if changes > 0 || other.half_words_programmed > 0 => Err("the other board was changed".into()),
                    End::Failure(Exit::NoContact, _) if nth > contact => Err(format!("ended in {end:?}")),
                    End::Failure(Exit::WrongBoard | Exit::NoContact, _) | End::Success => {
                        trial.board.clock().sleep(gap);
                        trial.mend(Power::On);
                        again(&mut trial, end, &mut counts)
                    }
                    end @ End::Failure(..) => Err(format!("ended in {end:?}")),
                }
            });
            if let Err(what) = outcome {
                counts.failed(format!("{} at {nth}: {what}", case.name));
            }
        }
    }
    counts.conclude();
}

/// Counts the transfers until the board is connected and identified.
fn transfers_to_contact(case: &'static FaultCase) -> u64 {
    let trial = Trial::new(case);
    let began = trial.board.counts().transfers;
    let probes = trial.setup.probes();
    Board::connect(&probes, &trial.setup.connect, &mut ()).expect("the board is there");
    trial.board.counts().transfers - began
}
