//! `restore`: writes a backup or a dump to the board.

use std::path::PathBuf;

use clap::Args;
use m365_drv::ops::{self, Known, RestoreReport};

use crate::cli::{
    Context,
    args::{backup_place::BackupArgs, consent::ConsentArg, values::gate_parser, verify_how::VerifyHow},
    screen::{
        CommandResult, Outcome, Page, Report, Tone,
        rows::{programmed_in_words, verified_in_words},
    },
};

#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// The backup, or a flash dump: plain binary or Intel HEX
    file: PathBuf,
    #[command(flatten)]
    consent: ConsentArg,
    #[command(flatten)]
    backups: BackupArgs,

    /// Continue even if this check (gate) fails, on the board or on the firmware in a dump; repeatable
    #[arg(long, value_name = "GATE", value_parser = gate_parser(), hide_possible_values = true)]
    force: Vec<String>,

    #[command(flatten)]
    pub(crate) verify: VerifyHow,
}

pub(crate) fn run(context: &mut Context, args: &RestoreArgs) -> CommandResult {
    let backups = args.backups.store(context)?;
    context.known = Known::given(None, vec![args.file.clone()], None, None);
    let restore =
        |context: &mut Context, consent| ops::restore(&mut context.job(), &args.file, consent, &backups, &args.force);
    let report = args.consent.or_ask(context, &backups, restore)?;
    Outcome::new(&report)
}

impl Report for RestoreReport {
    fn text(&self, page: &mut Page) {
        page.row("uid", self.uid);
        if let Some(serial) = self.serial {
            page.row("serial", serial);
        }
        if let Some(mileage) = self.mileage_m {
            page.row("mileage", mileage);
        }
        page.row("programmed", programmed_in_words(self.done.bytes_programmed, self.done.pages_skipped, "were"));
        page.row("option bytes", hex::encode(self.option_bytes.0));
        if let Some(backup) = &self.backup {
            page.row("backup", backup.display());
        }
        page.toned("verified", verified_in_words(self.verified, self.verified_by), Tone::Good);
    }
}
