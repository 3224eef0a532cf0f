//! `flash`: the whole job.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use m365_drv::{
    batch::Given,
    board::Startup,
    count::count,
    guide::ending,
    ops::{self, After, Extent, FlashPreview, FlashReport, FlashRequest, ForcedGate, WouldProgram},
};
use serde::Serialize;

use crate::cli::{
    Context,
    args::{
        asked_data::Person, backup_place::BackupArgs, consent::ConsentArg, goal::WantedArgs, verify_how::VerifyHow,
        watchdog::WatchdogArg,
    },
    exit::Exit,
    files::NewFile,
    screen::{
        CommandResult, Outcome, Page, Report, Tone,
        phases::seconds,
        rows::{InFlash, firmware_row, programmed_in_words, source_row, verified_in_words},
        safety,
    },
};

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
pub(crate) struct FlashArgs {
    #[command(flatten)]
    wanted: WantedArgs,

    #[command(flatten)]
    consent: ConsentArg,

    #[command(flatten)]
    backups: BackupArgs,

    /// Only read, and print the plan
    #[arg(long)]
    dry_run: bool,

    /// Write the full flash image that would be programmed to this new file
    #[arg(long, value_name = "FILE")]
    image_out: Option<PathBuf>,

    /// Program every planned page, even if it is already correct
    #[arg(long)]
    full: bool,

    /// Do not start the firmware after verifying
    #[arg(long, conflicts_with = "lock")]
    no_run: bool,

    #[command(flatten)]
    watchdog: WatchdogArg,

    /// Set read-out protection when everything is verified
    #[arg(long)]
    lock: bool,

    #[command(flatten)]
    pub(crate) verify: VerifyHow,
}

impl FlashArgs {
    /// The scooter to flash.
    pub(crate) fn scooter(&self) -> &'static m365_drv::target::Target {
        self.wanted.images.scooter
    }
}

pub(crate) fn run(context: &mut Context, args: &FlashArgs) -> CommandResult {
    let wanted = args.wanted.read(context)?;
    safety::tell_once_a_day(context);
    let backups = args.backups.store(context)?;
    let len = args.scooter().map.flash.len();
    let image_out = args.image_out.as_deref().map(|path| NewFile::reserve(path, len, Exit::Usage)).transpose()?;
    let after = match (args.no_run, args.lock) {
        (true, _) => After::Stop,
        (false, true) => After::LockAndRun,
        (false, false) => After::Run,
    };
    let mut request = FlashRequest {
        wanted: wanted.to_ops(),
        consent: None,
        extent: if args.full { Extent::Everything } else { Extent::Changes },
        backups: backups.clone(),
        after,
        watchdog: args.watchdog.wanted(),
    };
    let fill = |image: &[u8]| image_out.map_or(Ok(()), |file| file.fill(image, Exit::Usage));
    if args.dry_run {
        request.consent = args.consent.given();
        let preview = ops::preview(&mut context.job(), &request)?;
        fill(&preview.image)?;
        return Outcome::new(&preview);
    }
    let report = args.consent.or_ask(context, &backups, |context, consent| {
        request.consent = consent;
        flash_or_ask(context, &mut request)
    })?;
    fill(&report.image)?;
    if context.audience().reads_report() { Outcome::new(&WithNextSteps(&report)) } else { Outcome::new(&report) }
}

/// Flashes. If serial number or mileage is unknown, asks the person at the terminal and flashes again, waiting for this board.
fn flash_or_ask(context: &mut Context, request: &mut FlashRequest<'_>) -> Result<FlashReport, ops::Error> {
    let mut answers = Vec::new();
    loop {
        let ended = ops::flash(&mut context.job(), request);
        let (Err(error), Some(board)) = (&ended, context.known.board.clone()) else { return ended };
        if !context.audience().answers() {
            return ended;
        }
        let FlashRequest { wanted, .. } = request;
        let given = Given { serial: wanted.serial, mileage: wanted.mileage };
        let (known, interrupt) = (context.known.clone(), context.probes.interrupt());
        let mut say = |words: &str| context.say(words);
        let mut person = Person { say: &mut say, interrupt: &interrupt, enter: "stop" };
        let form = &wanted.target.serial;
        let read = |text: &str| form.read(text).map_err(|error| error.to_string());
        let Some(given) = person.gives(given, error, &known, &form.example, read)? else { return ended };
        let typed =
            |name: &str, old: bool, new: Option<String>| new.filter(|_| !old).map(|value| [name.to_owned(), value]);
        let serial = typed("--serial", wanted.serial.is_some(), given.serial.map(|serial| serial.to_string()));
        let mileage =
            typed("--mileage-m", wanted.mileage.is_some(), given.mileage.map(|mileage| mileage.metres().to_string()));
        answers.extend(serial.into_iter().chain(mileage).flatten());
        context.typed().answered(answers.clone());
        (wanted.serial, wanted.mileage) = (given.serial, given.mileage);
        context.wait_for(board.uid);
    }
}

/// The report for somebody who stands at the bench.
#[derive(Serialize)]
#[serde(transparent)]
struct WithNextSteps<'a>(&'a FlashReport);

impl Report for WithNextSteps<'_> {
    fn text(&self, page: &mut Page) {
        self.0.text(page);
        page.blank().heading("What to do now");
        for step in ending::NEXT_STEPS {
            page.item(step);
        }
        page.blank().paragraph(ending::NORMAL_ERRORS);
    }
}

impl Report for FlashPreview {
    fn text(&self, page: &mut Page) {
        page.heading("Dry run: nothing was written");
        page.row("chip", self.board.chip).row("uid", self.board.uid);
        page.row("serial", self.planned.serial).row("mileage", self.planned.mileage_m);
        page.row("data from", source_row(self.planned.data_source, self.planned.left_in_sram, InFlash::No));
        firmware_row("bootloader", self.planned.boot.as_ref(), page);
        firmware_row("drv", self.planned.drv.as_ref(), page);
        forced_rows(&self.forced, page);
        page.row("would erase", erased_in_words(self.would_erase.whole_chip, self.would_erase.pages));
        let WouldProgram { bytes, pages_already_correct } = self.would_program;
        page.row("would program", programmed_in_words(bytes, pages_already_correct, "are"));
        if self.would_write_option_bytes {
            page.row("would write", "the option bytes");
        }
        if let Some(obstacle) = self.needs {
            page.toned("needs", format!("--erase-all, because the chip is {obstacle}"), Tone::Remark);
        }
        page.row("took", seconds(Duration::from_millis(self.took_ms)));
    }
}

impl Report for FlashReport {
    fn text(&self, page: &mut Page) {
        page.row("chip", self.board.chip).row("uid", self.board.uid);
        page.row("serial", self.planned.serial).row("mileage", self.planned.mileage_m);
        page.row("data from", source_row(self.planned.data_source, self.planned.left_in_sram, InFlash::Yes));
        firmware_row("bootloader", self.planned.boot.as_ref(), page);
        firmware_row("drv", self.planned.drv.as_ref(), page);
        forced_rows(&self.forced, page);
        page.row("erased", erased_in_words(self.done.mass_erased, self.done.pages_erased));
        page.row("programmed", programmed_in_words(self.done.bytes_programmed, self.done.pages_skipped, "were"));
        page.toned("verified", verified_in_words(self.verified, self.verified_by), Tone::Good);
        match self.startup {
            None => page.row("started", "not tried"),
            Some(Startup::Running { error: 0, .. }) => page.toned("started", "yes", Tone::Good),
            Some(Startup::Running { error, .. }) if Startup::is_normal_on_a_bench(error) => {
                let started = format!("yes; shows error {error}, which is normal without motor, battery and dashboard");
                page.toned("started", started, Tone::Good)
            }
            Some(Startup::Running { error, .. }) => {
                page.toned("started", format!("yes, but the firmware shows error {error}"), Tone::Remark)
            }
            Some(other) => page.toned("started", format!("not confirmed: {other}"), Tone::Remark),
        };
        if let Some(backup) = &self.backup {
            page.row("backup", backup.display());
        }
        let [took, contact] = [self.took_ms, self.contact_ms].map(|ms| seconds(Duration::from_millis(ms)));
        page.row("took", format!("{took}, wires needed for {contact}"));
    }
}

/// The gates that failed and were forced.
fn forced_rows(forced: &[ForcedGate], page: &mut Page) {
    for gate in forced {
        page.toned("forced", gate, Tone::Remark);
    }
}

fn erased_in_words(whole_chip: bool, pages: u32) -> String {
    match (whole_chip, pages) {
        (true, 0) => "the whole chip".to_owned(),
        (true, pages) => format!("the whole chip, then {} again", count(pages, "page")),
        (false, pages) => count(pages, "page"),
    }
}
