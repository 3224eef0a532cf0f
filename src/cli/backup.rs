//! `backup` and `restore`.

use std::path::{Path, PathBuf};

use clap::Args;
use m365_drv::ops::{self, BackupReport, BoardState, Keep, RestoreReport};

use super::{
    Context,
    consent::ConsentArg,
    info::protection_row,
    output::{Answer, Outcome, Report},
    page::{Page, Tone},
};

/// Where to keep what the board holds before it is changed.
#[derive(Debug, Args)]
pub(crate) struct KeepArgs {
    /// Save what the board holds in this new file; by default in the user's data folder
    #[arg(long, value_name = "FILE", conflicts_with = "no_backup")]
    backup: Option<PathBuf>,

    /// Save nothing before the first change
    #[arg(long)]
    no_backup: bool,
}

impl KeepArgs {
    /// What was chosen.
    pub(crate) fn keep(&self, context: &Context) -> anyhow::Result<Keep> {
        Ok(match &self.backup {
            _ if self.no_backup => Keep::Nothing,
            Some(file) => Keep::AsFile(file.clone()),
            None => context.keep()?,
        })
    }
}

#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// The backup
    file: PathBuf,
    #[command(flatten)]
    consent: ConsentArg,
}

pub(crate) fn backup(context: &mut Context, file: &Path) -> Answer {
    Outcome::new(&ops::backup(&mut context.job(), file)?)
}

pub(crate) fn restore(context: &mut Context, args: &RestoreArgs) -> Answer {
    let restore = |context: &mut Context, consent| ops::restore(&mut context.job(), &args.file, consent);
    let report = args.consent.or_ask(context, &Keep::Nothing, restore)?;
    Ok(Outcome::new(&report)?.on_board(BoardState::Written))
}

impl Report for BackupReport {
    fn text(&self, page: &mut Page) {
        page.row("uid", self.uid);
        protection_row(self.protection, page);
        match self.flash_bytes {
            0 => page.toned("flash", "not readable, not in the backup", Tone::Remark),
            bytes => page.row("flash", format!("{bytes} bytes")),
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
        page.row("programmed", format!("{} bytes; {} pages right already", self.bytes_programmed, self.pages_skipped));
        page.row("option bytes", hex::encode(self.option_bytes.0));
        page.toned("verified", if self.verified { "yes" } else { "no" }, Tone::Good);
    }
}
