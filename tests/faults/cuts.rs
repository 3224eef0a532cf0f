//! Loss of power or of the probe during flash operations, and flash operations that have no effect.

use m365_drv::{
    ops::Exit,
    sim::{Fault, FaultKind, Trigger},
};

use super::{
    again,
    counts::FaultCounts,
    fault_case::{AWAY, Clean, End, FAULT_CASES, FaultCase, LOCKED, Power, Rules, Trial},
    points, strike,
};

/// The kinds of flash operation in a run, with their triggers.
fn operations(clean: &Clean) -> [Operation; 5] {
    let operation = |name, trigger, count| Operation { name, trigger, all: clean.all_of(trigger), count };
    [
        operation("page erase", Trigger::PageErase, 6),
        operation("programming", Trigger::HalfWord, 40),
        operation("mass erase", Trigger::MassErase, 1),
        operation("option erase", Trigger::OptionErase, 2),
        operation("option programming", Trigger::OptionProgram, 8),
    ]
}

struct Operation {
    name: &'static str,
    trigger: fn(u64) -> Trigger,
    /// How many of them a run has.
    all: u64,
    /// How many of them a normal test run tries.
    count: u64,
}

fn each_operation(
    case: &'static FaultCase,
    counts: &mut FaultCounts,
    mut strike: impl FnMut(&mut FaultCounts, &'static str, Trigger),
) {
    for Operation { name, trigger, all, count } in operations(&Trial::clean(case)) {
        // A board that is locked again is a locked one until its option bytes are written the second time.
        let first = if case.differs_from_start() { Trial::clean(&LOCKED).all_of(trigger).min(all) } else { 0 };
        for nth in points(all - first, case.share(count)) {
            strike(counts, name, trigger(first + nth));
        }
    }
}

#[test]
fn a_board_survives_power_lost_inside_any_operation() {
    let mut counts = FaultCounts::new("power lost inside an operation");
    for case in FAULT_CASES {
        each_operation(case, &mut counts, |counts, name, trigger| {
            let kind = FaultKind::PowerLost { returns_after: None };
            strike(Trial::new(case).without_start(), counts, name, Fault { trigger, kind }, Power::Lost);
        });
    }
    counts.conclude();
}

/// Tries the half-words of the data pages, which are written last, more densely than the other operations.
#[test]
fn a_board_survives_power_lost_anywhere_in_its_data_block() {
    let mut counts = FaultCounts::new("power lost inside the data block");
    for case in FAULT_CASES.into_iter().filter(|case| !case.differs_from_start()) {
        let programs = Trial::clean(case).programs;
        let pages = case.data_pages();
        let step = if super::stride().is_some() { 1 } else { 19 * pages as usize };
        let inside = (programs.saturating_sub(256 * pages)..=programs).rev().step_by(step);
        // Right before and at the first half-word of a page that follows another one.
        let between = (1..pages).flat_map(|page| [programs - 256 * page, programs - 256 * page + 1]);
        for nth in inside.chain(between) {
            let fault = Fault { trigger: Trigger::HalfWord(nth), kind: FaultKind::PowerLost { returns_after: None } };
            strike(Trial::new(case).without_start(), &mut counts, "programming", fault, Power::Lost);
        }
    }
    counts.conclude();
}

/// The chip finishes an operation that it has begun, even without a probe.
#[test]
fn a_board_survives_the_probe_gone_during_any_operation() {
    let mut counts = FaultCounts::new("probe gone during an operation");
    let mut turn = 0;
    for case in FAULT_CASES {
        each_operation(case, &mut counts, |counts, name, trigger| {
            turn += 1;
            if super::stride().is_some() || turn % 4 == 0 {
                let kind = FaultKind::ProbeGone { returns_after: Some(AWAY) };
                strike(Trial::new(case).without_start(), counts, name, Fault { trigger, kind }, Power::On);
            }
        });
    }
    counts.conclude();
}

/// A page that is worn out must be reported as such every time.
#[test]
fn an_operation_without_effect_is_noticed() {
    let mut counts = FaultCounts::new("operations that do nothing");
    for case in FAULT_CASES {
        each_operation(case, &mut counts, |counts, name, trigger| {
            let mut trial = Trial::new(case).without_start();
            trial.rules = Rules::Off;
            if trial.board.is_protected() && matches!(trigger, Trigger::MassErase(_) | Trigger::OptionProgram(1)) {
                // The chip performs both as one operation.
                return;
            }
            let armed = trial.board.inject(Fault { trigger, kind: FaultKind::NoEffect });
            let outcome = trial.run().and_then(|end| {
                counts.ended(name, end);
                trial.mend(Power::On);
                let is_worn = matches!(trigger, Trigger::PageErase(_) | Trigger::HalfWord(_));
                match (end, is_worn) {
                    // The page was blank: nobody can tell that it was not erased, and nothing is wrong with it.
                    (End::Success, true) if !armed.fired() && matches!(trigger, Trigger::PageErase(_)) => Ok(()),
                    _ if !armed.fired() => Err("the fault never fired".into()),
                    (End::Failure(Exit::Verify | Exit::Flash, _), true) => match trial.run()? {
                        End::Failure(Exit::Verify | Exit::Flash, _) => Ok(()),
                        end => Err(format!("a worn-out page ended in {end:?}")),
                    },
                    (End::Success, true) => Err("a worn-out page was not noticed".into()),
                    (end, true) => Err(format!("a worn-out page ended in {end:?}")),
                    (end, false) => again(&mut trial, end, counts),
                }
            });
            if let Err(what) = outcome {
                counts.failed(format!("{}, {name} at {trigger:?}: {what}", case.name));
            }
        });
    }
    counts.conclude();
}
