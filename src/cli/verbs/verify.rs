//! `verify`: compares the board with what `flash` would write.

use m365_drv::{
    count::count,
    ops::{self, BackupStore, VerifyReport},
};

use crate::cli::{
    Context,
    args::goal::WantedArgs,
    screen::{
        CommandResult, Outcome, Page, Report, Tone,
        rows::{InFlash, firmware_row, source_row},
    },
};

pub(crate) fn run(context: &mut Context, args: &WantedArgs) -> CommandResult {
    let wanted = args.read(context)?;
    // What `flash` would find in an earlier backup, it finds too.
    let backups = BackupStore::none().with_earlier(context.backups());
    Outcome::new(&ops::verify(&mut context.job(), &wanted.to_ops(), &backups)?)
}

impl Report for VerifyReport {
    fn text(&self, page: &mut Page) {
        page.row("uid", self.uid);
        page.row("serial", self.planned.serial).row("mileage", self.planned.mileage_m);
        page.row("data from", source_row(self.planned.data_source, self.planned.left_in_sram, InFlash::No));
        firmware_row("bootloader", self.planned.boot.as_ref(), page);
        firmware_row("drv", self.planned.drv.as_ref(), page);
        page.toned("verified", format!("{}, all as planned", count(self.bytes_compared, "byte")), Tone::Good);
    }
}
