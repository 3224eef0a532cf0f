//! Consent to an erase: by `--erase-all`, or by the answer to a question at the terminal.

use clap::Args;
use m365_drv::{
    board::Consent,
    guide::consent::{at_stake, removing, word},
    ops::{self, BackupStore, DataChange, Destination, Obstacle},
    printable::quoted_path,
};

use crate::cli::{Context, args::question::answer};

/// The consent that lets flash be erased. It is given here and nowhere else.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct ConsentArg {
    /// Agree to unlock the chip; this erases its whole flash if it is read-protected
    #[arg(long)]
    erase_all: bool,
}

impl ConsentArg {
    /// The consent that was given on the command line.
    pub(crate) fn given(self) -> Option<Consent> {
        self.erase_all.then_some(Consent::Erase)
    }

    /// Does the work. If it stops because consent is missing, asks the person at the terminal and starts again, waiting for the
    /// board, because the person has let go of the wires to type. Only what was agreed to is done: if more is needed by then,
    /// that is asked as well.
    pub(crate) fn or_ask<T>(
        self,
        context: &mut Context,
        backups: &BackupStore,
        mut work: impl FnMut(&mut Context, Option<Consent>) -> Result<T, ops::Error>,
    ) -> Result<T, ops::Error> {
        let mut consent = self.given();
        loop {
            let ended = work(context, consent);
            let Err(ops::Error::Consent { uid, obstacle, data } | ops::Error::LockedMeanwhile { uid, obstacle, data }) =
                &ended
            else {
                return ended;
            };
            if !context.audience().answers() {
                return ended;
            }
            context.say(&question(*obstacle, *data, backups));
            if !agrees(&answer(context)?, *obstacle) {
                context.say(&format!("`{}` was not typed: the board stays as it is", word(*obstacle)));
                return ended;
            }
            context.wait_for(*uid);
            consent = Some(obstacle.consent());
        }
    }
}

/// What is lost, what is kept, and how to agree.
fn question(obstacle: Obstacle, data: DataChange, backups: &BackupStore) -> String {
    let mut lines = vec![String::new()];
    lines.push(removing(obstacle));
    lines.extend(at_stake(obstacle, data));
    lines.push(match backups.destination() {
        Destination::Folder(path) | Destination::File(path) => {
            format!("A backup of what can be read is saved first, in {}.", quoted_path(path))
        }
        Destination::Nowhere => "No backup is saved first.".into(),
    });
    lines.push(format!("Type `{}` to continue, or anything else to stop:", word(obstacle)));
    lines.join("\n")
}

/// Whether an answer agrees.
fn agrees(answer: &str, obstacle: Obstacle) -> bool {
    answer.trim().eq_ignore_ascii_case(word(obstacle))
}

#[cfg(test)]
mod tests {
    use m365_drv::block::{Mileage, Serial};

    use super::*;
    use crate::cli::screen::page::Columns;

    #[test]
    fn the_word_for_what_is_done_agrees_and_nothing_else_does() {
        let erasing = [Obstacle::ReadProtected, Obstacle::AboutToBeReadProtected];
        let other = [Obstacle::WriteProtected, Obstacle::HalfUnlocked];
        for (obstacles, word, wrong) in [(erasing, "erase", "unlock"), (other, "unlock", "erase")] {
            for obstacle in obstacles {
                let agrees = |text: &str| agrees(text, obstacle);
                assert!(agrees(&format!("{word}\n")) && agrees(&format!(" {} \r\n", word.to_uppercase())));
                for text in ["", "\n", "y\n", "yes\n", &format!("{word} all\n"), &format!("no {word}\n"), wrong] {
                    assert!(!agrees(text), "{text:?}");
                }
            }
        }
    }

    fn serial(text: &str) -> Serial {
        Serial::parse(text, "#####/########").unwrap()
    }

    /// The question about a board of which this is at stake.
    fn asked(on_board: Option<&str>, written: Option<&str>, columns: usize) -> String {
        let mileage = Mileage::from_km(1234).unwrap();
        let on_board = on_board.map(|text| (Some(serial(text)), mileage));
        let data = DataChange { on_board, written: written.map(|text| (serial(text), mileage)) };
        Columns::of(columns).message(&question(Obstacle::ReadProtected, data, &BackupStore::in_folder("backups")), "  ")
    }

    const OWN: Option<&str> = Some("21886/00012345");

    #[test]
    fn the_question_says_what_is_lost_and_what_is_kept_on_80_columns() {
        let text = "
The chip is read-protected. Unlocking it erases its whole flash: bootloader,
  firmware and data block, with all settings.
Kept and written back: serial number 21886/00012345, mileage 1234.0 km.
A backup of what can be read is saved first, in \"backups\".
Type `erase` to continue, or anything else to stop:";
        assert_eq!(asked(OWN, OWN, 80), text);
    }

    #[test]
    fn the_question_fits_on_40_columns() {
        let text = "
The chip is read-protected. Unlocking it
  erases its whole flash: bootloader,
  firmware and data block, with all
  settings.
Kept and written back: serial number
  21886/00012345, mileage 1234.0 km.
A backup of what can be read is saved
  first, in \"backups\".
Type `erase` to continue, or anything\n  else to stop:";
        assert_eq!(asked(OWN, OWN, 40), text);
    }

    #[test]
    fn what_does_not_erase_says_so() {
        for (obstacle, words) in [
            (Obstacle::WriteProtected, "The write protection is removed first; this does not erase the chip."),
            (Obstacle::HalfUnlocked, "The unlock is finished first; this does not erase the chip."),
        ] {
            let text = format!(
                "\nThe chip is {obstacle}. {words}\nNo backup is saved first.\nType `unlock` to continue, or anything else to stop:"
            );
            assert_eq!(question(obstacle, DataChange::default(), &BackupStore::none()), text);
        }
    }
}
