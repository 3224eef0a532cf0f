//! `unlock`, `lock` and `reset`.

use clap::Args;
use m365_drv::{
    block::Uid,
    ops::{self, LockReport, UnlockReport},
};
use serde::Serialize;

use crate::cli::{
    Context,
    args::{backup_place::BackupArgs, consent::ConsentArg, watchdog::WatchdogArg},
    screen::{CommandResult, Outcome, Page, Report, Tone, rows::protection_row},
};

#[derive(Debug, Args)]
pub(crate) struct UnlockArgs {
    #[command(flatten)]
    consent: ConsentArg,
    #[command(flatten)]
    backups: BackupArgs,

    #[command(flatten)]
    watchdog: WatchdogArg,
}

pub(crate) fn unlock(context: &mut Context, args: &UnlockArgs) -> CommandResult {
    let backups = args.backups.store(context)?;
    let watchdog = args.watchdog.wanted();
    let unlock = |context: &mut Context, consent| ops::unlock(&mut context.job(), consent, &backups, watchdog);
    let report = args.consent.or_ask(context, &backups, unlock)?;
    Outcome::new(&report)
}

#[derive(Debug, Args)]
pub(crate) struct LockArgs {
    #[command(flatten)]
    backups: BackupArgs,
}

pub(crate) fn lock(context: &mut Context, args: &LockArgs) -> CommandResult {
    let backups = args.backups.store(context)?;
    Outcome::new(&ops::lock(&mut context.job(), &backups)?)
}

pub(crate) fn reset(context: &mut Context) -> CommandResult {
    Outcome::new(&Reset { uid: ops::reset(&mut context.job())? })
}

impl Report for UnlockReport {
    fn text(&self, page: &mut Page) {
        page.row("uid", self.uid);
        protection_row(self.protection, false, page);
        if self.erased {
            page.toned("flash", "erased; the board does not run until it is flashed", Tone::Remark);
        } else {
            page.row("flash", "unchanged");
        }
        if let Some(backup) = &self.backup {
            page.row("backup", backup.display());
        }
        if self.serial.is_none() && self.mileage_m.is_none() {
            return;
        }
        if self.erased {
            page.blank().heading("Erased from the board, needed for flash");
        }
        if let Some(serial) = self.serial {
            page.row("serial", serial);
        }
        if let Some(mileage) = self.mileage_m {
            page.row("mileage", mileage);
        }
    }
}

impl Report for LockReport {
    fn text(&self, page: &mut Page) {
        page.row("uid", self.uid);
        protection_row(self.protection, false, page);
        if let Some(backup) = &self.backup {
            page.row("backup", backup.display());
        }
    }
}

/// What `reset` did.
#[derive(Serialize)]
struct Reset {
    uid: Uid,
}

impl Report for Reset {
    fn text(&self, page: &mut Page) {
        page.row("uid", self.uid).row("reset", "done");
    }
}
