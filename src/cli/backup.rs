//! `backup` and `restore`.

use std::path::{Path, PathBuf};

use clap::Args;
use m365_drv::{
    count::count,
    ops::{self, Backup, BackupReport, Keep, Known, OTHER_SCOOTER, Place, RestoreReport},
    printable::quoted_path,
};

use super::{
    Context,
    consent::ConsentArg,
    exit::{Exit, Meaning, refuse},
    files,
    flash::programmed_in_words,
    info::protection_row,
    output::{Answer, Outcome, Report},
    page::{Page, Tone},
};

/// Where to keep what the board holds before it is changed.
#[derive(Debug, Args)]
pub(crate) struct KeepArgs {
    /// Save what the board holds in this new file, or in a new file in this folder; by default in the user's data folder
    #[arg(long, value_name = "FILE|DIR", conflicts_with = "no_backup")]
    backup: Option<PathBuf>,

    /// Save nothing before the first change
    #[arg(long)]
    no_backup: bool,
}

impl KeepArgs {
    /// What was chosen.
    pub(crate) fn keep(&self, context: &Context) -> anyhow::Result<Keep> {
        Ok(match &self.backup {
            _ if self.no_backup => Keep::nothing().with_earlier(context.backups()),
            Some(path) => {
                check(path)?;
                Keep::at(path).with_earlier(context.backups())
            }
            None => context.keep()?,
        })
    }
}

#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// The backup, or a flash dump: plain binary or Intel HEX
    file: PathBuf,
    #[command(flatten)]
    consent: ConsentArg,
    #[command(flatten)]
    keep: KeepArgs,

    /// Write a dump although the board is another scooter's
    #[arg(long, value_name = "GATE", value_parser = [OTHER_SCOOTER])]
    force: Vec<String>,
}

/// Finds out whether a backup can be written before anybody holds wires for it. A file that is there may be of an
/// interrupted run of the same command, which only the board can tell.
fn check(file: &Path) -> anyhow::Result<()> {
    if let Place::Folder(folder) = Keep::at(file).place() {
        // The folder is made if it is missing, and those above it.
        let above = folder.ancestors().find(|above| above.is_dir()).unwrap_or(Path::new("."));
        return files::try_new(&above.join("x"))
            .meaning(Exit::Backup, || format!("{} cannot be written", quoted_path(file)));
    }
    if file.symlink_metadata().is_err() {
        return files::try_new(file).meaning(Exit::Backup, || format!("{} cannot be written", quoted_path(file)));
    }
    Backup::open(file).map(drop).map_err(|_| refuse(Exit::Backup, format!("{} already exists", quoted_path(file))))
}

pub(crate) fn backup(context: &mut Context, file: &Path) -> Answer {
    if file.is_dir() || file.symlink_metadata().is_err() {
        check(file)?;
    }
    Outcome::new(&ops::backup(&mut context.job(), file)?)
}

pub(crate) fn restore(context: &mut Context, args: &RestoreArgs) -> Answer {
    let keep = args.keep.keep(context)?;
    context.known = Known::given(None, vec![args.file.clone()], None, None);
    let restore =
        |context: &mut Context, consent| ops::restore(&mut context.job(), &args.file, consent, &keep, &args.force);
    let report = args.consent.or_ask(context, &keep, restore)?;
    Outcome::new(&report)
}

impl Report for BackupReport {
    fn text(&self, page: &mut Page) {
        page.row("uid", self.uid);
        protection_row(self.protection, page);
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
