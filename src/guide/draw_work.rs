//! The cards of the work and after it.

use super::{
    Card, Guide, Picture, coach,
    draw::{choice, name_of},
    ending, in_full,
};
use crate::{
    board::{self, BoardState, ProbeEntry, Startup, Unsupported},
    ops,
};

impl Guide {
    pub(super) fn work(&self, card: &mut Card) {
        card.title = if self.seen.is_free { "You may let go now" } else { "Hold the wires" }.into();
        card.picture = Some(Picture::Memory);
        if let Some(backup) = &self.seen.backup {
            card.facts.push(("backup", backup.display().to_string()));
        }
        if !self.seen.is_free {
            card.text.push("If a wire slips, put it back on its pad: the work continues by itself.".into());
        }
    }

    pub(super) fn done(&self, card: &mut Card) {
        let Some(report) = &self.report else { return };
        card.title = "Done".into();
        let planned = &report.planned;
        card.facts.push(("firmware", name_of(planned.drv.as_ref())));
        card.facts.push(("serial number", planned.serial.to_string()));
        card.facts.push(("mileage", planned.mileage_m.to_string()));
        card.facts.push(("verified", if report.verified { "every byte" } else { "no" }.to_owned()));
        if let Some(backup) = &report.backup {
            card.facts.push(("backup", backup.display().to_string()));
        }
        card.text.push(match report.startup {
            Some(Startup::Running { error: 0, .. }) => "The firmware runs and shows no error.".into(),
            Some(Startup::Running { error, .. }) if Startup::is_normal_on_a_bench(error) => format!(
                "The firmware runs and shows error {error}, which is normal without motor, battery and dashboard."
            ),
            Some(Startup::Running { error, .. }) => {
                format!("The firmware runs, but shows error {error}: see `m365-drv explain {error}`.")
            }
            Some(other) => format!("Could not confirm that the firmware started: {other}."),
            None => "The firmware was not started.".into(),
        });
        card.text.extend(ending::NEXT_STEPS.map(Into::into));
        card.text.push(ending::NORMAL_ERRORS.into());
        card.question = Some(choice(1, [("another", "Another board", ""), ("end", "Finish", "")]));
    }

    pub(super) fn failed(&self, card: &mut Card) {
        let Some(failed) = &self.failed else { return };
        card.title = "That did not work".into();
        card.objection = Some(in_full(&failed.error));
        card.facts.push(("board", state_in_words(failed.board).into()));
        if let Some(backup) = &self.seen.backup {
            card.facts.push(("backup", backup.display().to_string()));
        }
        match &failed.error {
            ops::Error::Board(board::Error::SeveralProbes { found } | board::Error::ProbeAmbiguous { found, .. }) => {
                let name = |probe: &ProbeEntry| {
                    let serial =
                        probe.serial.as_ref().map_or("no serial number".into(), |serial| format!("serial {serial}"));
                    let place = probe.usb.as_ref().map_or_else(String::new, |usb| format!(", usb:{usb}"));
                    format!("{}, {serial}{place}", probe.kind)
                };
                card.facts.extend(found.iter().map(|probe| ("probe", name(probe))));
                card.text.push("Unplug the probes that you do not need, then try again.".into());
            }
            ops::Error::Board(board::Error::Unsupported(Unsupported::Dashboard)) => card.text.push(
                "The dashboard has the same three pads: move the wires to the motor controller, then try again.".into(),
            ),
            ops::Error::Board(board::Error::Unsupported(_)) => {
                card.text.push("This program does not support this chip, so another try will not help.".into());
                card.question = Some(choice(1, [("again", "Try again", ""), ("end", "Stop", "")]));
                return;
            }
            ops::Error::Board(board::Error::NoContact { finding: Some(finding), .. }) => {
                card.text.push(coach::advice(*finding).into());
            }
            _ => {}
        }
        let ends = match &failed.error {
            ops::Error::BadPage(_) => Some("Another try would wear the page out further."),
            ops::Error::DoesNotStart { .. } => {
                Some("Another try will not help: stop here, and choose other DRV firmware.")
            }
            _ => None,
        };
        if let Some(why) = ends {
            card.text.push(why.into());
            card.question = Some(choice(1, [("again", "Try again all the same", ""), ("end", "Stop", "")]));
            return;
        }
        if [BoardState::Erased, BoardState::Partial].contains(&failed.board) {
            card.text.push("Try again to finish; what is already correct is skipped.".into());
        }
        card.question = Some(choice(0, [("again", "Try again", ""), ("end", "Stop", "")]));
    }
}

/// What the board is now, in words.
pub fn state_in_words(board: BoardState) -> &'static str {
    match board {
        BoardState::Untouched => "unchanged",
        BoardState::Erased => "erased; the board does not run until it is flashed",
        BoardState::Partial => "partly written",
        BoardState::Written => "written",
    }
}
