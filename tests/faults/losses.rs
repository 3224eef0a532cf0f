//! Loss of the link, the probe or the board's power at any transfer.

use m365_drv::sim::{Fault, FaultKind, Trigger};

use super::{
    counts::FaultCounts,
    fault_case::{
        AWAY, AWAY_FOR_A_MOMENT, FOUR_PRO, FaultCase, GD32E103, HALF_FLASHED, LOCKED, OPEN, OPEN_4_PRO, Power,
        RELOCKED, Trial,
    },
    strike, transfers, trial_until,
};

/// Losses of the link, the probe or the board's power, brief or lasting.
pub(super) const LOSSES: [(&str, FaultKind, Power); 6] = [
    ("error", FaultKind::Error, Power::On),
    ("timeout", FaultKind::Timeout, Power::On),
    ("probe gone", GONE, Power::On),
    ("probe gone for a moment", FaultKind::ProbeGone { returns_after: Some(AWAY_FOR_A_MOMENT) }, Power::On),
    ("power lost", FaultKind::PowerLost { returns_after: None }, Power::Lost),
    ("power lost for a moment", FaultKind::PowerLost { returns_after: Some(AWAY_FOR_A_MOMENT) }, Power::Returns),
];

const GONE: FaultKind = FaultKind::ProbeGone { returns_after: Some(AWAY) };

fn every_transfer(case: &'static FaultCase) {
    let clean = Trial::clean(case);
    let mut counts = FaultCounts::new(format!("{}, lost at {} transfers", case.name, clean.transfers));
    let count = if case.differs_from_start() { 10 } else { 50 };
    for nth in transfers(case, &clean, case.share(count)) {
        for (name, kind, power) in LOSSES {
            let trial = trial_until(case, &clean, nth);
            strike(trial, &mut counts, name, Fault { trigger: Trigger::Transfer(nth), kind }, power);
        }
    }
    counts.conclude();
}

#[test]
fn a_locked_board_survives_a_loss_at_any_transfer() {
    every_transfer(&LOCKED);
}

#[test]
fn an_open_board_survives_a_loss_at_any_transfer() {
    every_transfer(&OPEN);
}

#[test]
fn a_half_flashed_board_survives_a_loss_at_any_transfer() {
    every_transfer(&HALF_FLASHED);
}

#[test]
fn a_gd32e103_survives_a_loss_at_any_transfer() {
    every_transfer(&GD32E103);
}

#[test]
fn a_relocked_board_survives_a_loss_at_any_transfer() {
    every_transfer(&RELOCKED);
}

#[test]
fn a_locked_4_pro_survives_a_loss_at_any_transfer() {
    every_transfer(&FOUR_PRO);
}

#[test]
fn an_open_4_pro_survives_a_loss_at_any_transfer() {
    every_transfer(&OPEN_4_PRO);
}
