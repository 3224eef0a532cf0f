//! `flash`: the whole job.

use std::path::PathBuf;

use clap::Args;
use m365_drv::{
    board::Boot,
    ops::{self, After, BoardState, Extent, FlashReport, FlashRequest, Intent},
};

use super::{
    Context,
    backup::KeepArgs,
    consent::ConsentArg,
    data::source_in_words,
    exit::Exit,
    files::NewFile,
    info::firmware_row,
    output::{Answer, Outcome, Report},
    page::{Page, Tone},
    request::WantedArgs,
};

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
pub(crate) struct FlashArgs {
    #[command(flatten)]
    wanted: WantedArgs,

    #[command(flatten)]
    consent: ConsentArg,

    #[command(flatten)]
    keep: KeepArgs,

    /// Only read, and print the plan
    #[arg(long)]
    dry_run: bool,

    /// Write the full flash image that would be programmed to this new file
    #[arg(long, value_name = "FILE")]
    image_out: Option<PathBuf>,

    /// Program every planned page, also those that are right already
    #[arg(long)]
    full: bool,

    /// Leave the board as it was verified; do not start the firmware
    #[arg(long, conflicts_with = "lock")]
    no_run: bool,

    /// Set read-out protection when everything is verified
    #[arg(long)]
    lock: bool,
}

impl FlashArgs {
    /// The scooter to flash.
    pub(crate) fn scooter(&self) -> &'static m365_drv::target::Target {
        self.wanted.scooter
    }
}

pub(crate) fn run(context: &mut Context, args: &FlashArgs) -> Answer {
    let wanted = args.wanted.read(context)?;
    let keep = args.keep.keep(context)?;
    let len = args.scooter().flash.len();
    let image_out = args.image_out.as_deref().map(|path| NewFile::reserve(path, len, Exit::Usage)).transpose()?;
    let after = match (args.no_run, args.lock) {
        (true, _) => After::Stop,
        (false, true) => After::LockAndRun,
        (false, false) => After::Run,
    };
    let mut request = FlashRequest {
        extent: if args.full { Extent::Everything } else { Extent::Changes },
        intent: if args.dry_run { Intent::Preview } else { Intent::Write },
        keep: keep.clone(),
        after,
        ..wanted.request()
    };
    let report = args.consent.or_ask(context, &keep, |context, consent| {
        request.consent = consent;
        ops::flash(&mut context.job(), &request)
    })?;
    let changed =
        report.mass_erased || report.options_written || report.pages_erased > 0 || report.bytes_programmed > 0;
    let board = if changed && !report.preview { BoardState::Written } else { BoardState::Untouched };
    if let Some(file) = image_out {
        file.fill(&report.image, board, Exit::Internal)?;
    }
    Outcome::after(board, &report)
}

impl Report for FlashReport {
    fn text(&self, page: &mut Page) {
        if self.preview {
            page.heading("Dry run: nothing was written");
        }
        page.row("chip", self.chip).row("uid", self.uid);
        page.row("serial", self.serial).row("mileage", self.mileage_m);
        page.row("data from", source_in_words(self.data_source));
        firmware_row("boot", self.boot.as_ref(), page);
        firmware_row("drv", self.drv.as_ref(), page);
        work_rows(self, page);
        if let Some(backup) = &self.backup {
            page.row("backup", backup.display());
        }
        let seconds = |ms: u64| format!("{}.{:02} s", ms / 1000, ms % 1000 / 10);
        page.row("took", format!("{}, in contact {}", seconds(self.took_ms), seconds(self.contact_ms)));
    }
}

/// What was done, or with `--dry-run` would be.
fn work_rows(report: &FlashReport, page: &mut Page) {
    let erased = match (report.mass_erased, report.pages_erased) {
        (true, 0) => "the whole chip".to_owned(),
        (true, pages) => format!("the whole chip, {pages} pages again"),
        (false, pages) => format!("{pages} pages"),
    };
    let programmed = format!("{} bytes; {} pages right already", report.bytes_programmed, report.pages_skipped);
    if report.preview {
        page.row("would erase", erased).row("would program", programmed);
        if let Some(obstacle) = report.needs_consent {
            page.toned("needs", format!("--erase-all: the chip is {obstacle}"), Tone::Remark);
        }
        return;
    }
    page.row("erased", erased).row("programmed", programmed);
    page.toned("verified", if report.verified { "yes" } else { "no" }, Tone::Good);
    match report.boot_check {
        None => page.row("started", "not tried"),
        Some(Boot::Running { .. }) => page.toned("started", "yes", Tone::Good),
        Some(other) => page.toned("started", other, Tone::Remark),
    };
}
