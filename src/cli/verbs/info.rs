//! `info`: what this board is and what is on it. Read-only.

use m365_drv::{
    board::Protection,
    count::count,
    ops::{self, DataSource, InfoReport},
};

use crate::cli::{
    Context,
    screen::{
        CommandResult, Outcome, Page, Report, Tone,
        rows::{firmware_row, options_in_words, protection_row, source_in_words, summary_rows},
    },
};

pub(crate) fn run(context: &mut Context) -> CommandResult {
    Outcome::new(&ops::info(&mut context.job())?)
}

impl Report for InfoReport {
    fn text(&self, page: &mut Page) {
        if let Some(kib) = self.flash_kib {
            page.row("chip", format!("{}, {kib} KiB", self.chip));
        } else {
            let register = self.flash_size_register;
            let chip = format!("{}, implausible flash size {register} KiB", self.chip);
            page.toned("chip", chip, Tone::Remark);
        }
        page.row("uid", self.uid);
        page.row("probe", format!("{} at {} kHz", self.probe, self.speed_khz));
        protection_row(self.protection, self.option_bytes.raw.protects(), page);
        if !self.write_protected_pages.is_empty() {
            page.toned("write-protected", count(self.write_protected_pages.len(), "page"), Tone::Remark);
        }
        let options = &self.option_bytes;
        let tone = if options.complements_right || options.raw.protects() { Tone::Plain } else { Tone::Bad };
        page.toned("option bytes", options_in_words(&options.raw), tone);
        if options.hardware_watchdog {
            let watchdog = "starts at every reset; firmware that does not feed it keeps resetting";
            page.toned("watchdog", watchdog, Tone::Remark);
        }
        if self.protection == Protection::None {
            firmware_row("bootloader", self.boot.as_ref(), page);
            firmware_row("drv", self.drv.as_ref(), page);
        }
        page.blank();
        match &self.data {
            Some(data) => {
                let from = source_in_words(data.source);
                match (data.source, self.protection) {
                    // Firmware that can start again would find it in flash.
                    (DataSource::Sram, Protection::None) => {
                        page.heading(format!("Data block, from {from} only: keep the board powered, or it is lost"))
                    }
                    _ => page.heading(format!("Data block, from {from}")),
                };
                summary_rows(&data.block, Some(self.uid), page);
            }
            None => {
                page.toned("data block", none_found(self.protection), Tone::Remark);
            }
        }
    }
}

/// What is known of a data block that was not found. The firmware of a read-protected board may have one in flash.
fn none_found(protection: Protection) -> &'static str {
    match protection {
        Protection::Read => "not readable: flash is read-protected, and SRAM has none that can be used",
        Protection::None => "none found",
    }
}
