//! `backup`: saves everything readable to one file.

use std::path::Path;

use m365_drv::{
    count::count,
    ops::{self, BackupReport},
};

use crate::cli::{
    Context,
    args::backup_place,
    screen::{CommandResult, Outcome, Page, Report, Tone, rows::protection_row},
};

pub(crate) fn run(context: &mut Context, file: &Path) -> CommandResult {
    if file.is_dir() || file.symlink_metadata().is_err() {
        backup_place::check(file)?;
    }
    Outcome::new(&ops::backup(&mut context.job(), file)?)
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
            let why = if self.flash_bytes == 0 { "not readable, not in the backup" } else { "none found" };
            page.toned("data block", why, Tone::Remark);
        }
        page.row("written to", self.backup.display());
    }
}
