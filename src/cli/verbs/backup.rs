//! `backup` and `restore`.

use std::path::{Path, PathBuf};

use clap::Args;
use m365_drv::{
    count::count,
    ops::{self, BackupReport, Known, RestoreReport},
};

use crate::cli::{
    Context,
    args::{
        backup_place::{self, BackupArgs},
        consent::ConsentArg,
        values::gate_parser,
    },
    screen::{CommandResult, Outcome, Page, Report, Tone},
    verbs::{flash::programmed_in_words, info::protection_row},
};

#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// The backup, or a flash dump: plain binary or Intel HEX
    file: PathBuf,
    #[command(flatten)]
    consent: ConsentArg,
    #[command(flatten)]
    backups: BackupArgs,

    /// Continue although this check (gate) fails, on the board or on the firmware in a dump; repeatable
    #[arg(long, value_name = "GATE", value_parser = gate_parser(), hide_possible_values = true)]
    force: Vec<String>,
}

pub(crate) fn backup(context: &mut Context, file: &Path) -> CommandResult {
    if file.is_dir() || file.symlink_metadata().is_err() {
        backup_place::check(file)?;
    }
    Outcome::new(&ops::backup(&mut context.job(), file)?)
}

pub(crate) fn restore(context: &mut Context, args: &RestoreArgs) -> CommandResult {
    let backups = args.backups.store(context)?;
    context.known = Known::given(None, vec![args.file.clone()], None, None);
    let restore =
        |context: &mut Context, consent| ops::restore(&mut context.job(), &args.file, consent, &backups, &args.force);
    let report = args.consent.or_ask(context, &backups, restore)?;
    Outcome::new(&report)
}

impl Report for BackupReport {
    fn text(&self, page: &mut Page) {
        page.row("uid", self.uid);
        protection_row(self.protection, self.is_protection_pending, page);
        match self.flash_bytes {
            0 => page.toned("flash", "not readable, not in the backup", Tone::Remark),
            bytes => page.row("flash", count(bytes, "byte")),
        };
        if self.data {
            page.row("data block", "saved");
        } else {
            page.toned("data block", "none found", Tone::Remark);
        }
        page.row("written to", self.backup.display());
    }
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
        page.row("programmed", programmed_in_words(self.bytes_programmed, self.pages_skipped, "were"));
        page.row("option bytes", hex::encode(self.option_bytes.0));
        if let Some(backup) = &self.backup {
            page.row("backup", backup.display());
        }
        page.toned("verified", if self.verified { "yes" } else { "no" }, Tone::Good);
    }
}
