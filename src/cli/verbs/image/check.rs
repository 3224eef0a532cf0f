//! `image check`: the gates of `flash` as a test.

use std::path::{Path, PathBuf};

use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser},
};
use m365_drv::{
    board::ChipKind,
    count::count,
    image::{self, Fit, Gate, Image, ImageReport, Kind, RehearsalImages},
    target::{Target, artery},
};
use serde::Serialize;

use crate::cli::{
    Context,
    args::values::ScooterName,
    exit::{Exit, refuse},
    screen::{CommandResult, Outcome, Page, Report, Tone},
};

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The files: bin, Intel HEX, enc, zip, or flash dumps
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Check for this scooter; by default, the first scooter that each file fits
    #[arg(long, value_name = "SCOOTER", value_parser = ScooterName)]
    scooter: Option<&'static Target>,

    /// Check for this chip; by default, checks that depend on the chip are skipped
    #[arg(long, value_name = "CHIP", value_parser = chip_parser())]
    chip: Option<&'static str>,
}

/// The chips that firmware is made for, including the one that this program cannot flash.
fn chip_parser() -> impl TypedValueParser<Value = &'static str> {
    let own = ChipKind::ALL.into_iter().filter(|chip| chip.name() == chip.firmware_name()).map(ChipKind::name);
    let all: Vec<_> = own.chain([artery::NAME]).collect();
    let names = all.clone();
    PossibleValuesParser::new(all)
        .map(move |typed| names.iter().find(|name| **name == typed).copied().unwrap_or_default())
}

/// What was found about all files.
#[derive(Serialize)]
struct CheckReport {
    passed: usize,
    failed: usize,
    files: Vec<Checked>,
}

/// What was found about one.
#[derive(Serialize)]
struct Checked {
    file: String,
    passed: bool,
    name: Option<String>,
    kind: Kind,
    scooter: Option<String>,
    chip: Option<&'static str>,
    /// Why it is not an image at all.
    error: Option<String>,
    gates: Vec<Gate>,
}

pub(crate) fn run(context: &Context, args: &CheckArgs) -> CommandResult {
    let files: Vec<_> = args.files.iter().map(|path| args.check(path, context.rehearsal_images())).collect();
    let passed = files.iter().filter(|file| file.passed).count();
    let report = CheckReport { passed, failed: files.len() - passed, files };
    if report.failed == 0 {
        return Outcome::new(&report);
    }
    let what = if report.failed == 1 { "does not pass" } else { "do not pass" };
    let message = format!("{} of {} {what}", report.failed, count(report.files.len(), "file"));
    Outcome::refused(&report, refuse(Exit::Image, message))
}

impl CheckArgs {
    fn check(&self, path: &Path, rehearsal: RehearsalImages) -> Checked {
        let chip = self.chip;
        let checked = Checked {
            file: path.display().to_string(),
            passed: false,
            name: None,
            kind: Kind::Unknown,
            scooter: self.scooter.map(|target| target.name.clone()),
            chip,
            error: None,
            gates: vec![],
        };
        let (image, fit) = match open(path).and_then(|image| self.fit(image)) {
            Ok((image, fit)) => (image, Fit { chip, rehearsal, ..fit }),
            Err(error) => return Checked { error: Some(format!("{:#}", anyhow::Error::new(error))), ..checked },
        };
        let report = ImageReport::fitting(&image, &fit);
        Checked {
            passed: report.gates.iter().all(|gate| gate.passed),
            name: report.name,
            kind: report.kind,
            scooter: Some(fit.scooter.to_owned()).filter(|scooter| !scooter.is_empty()),
            gates: report.gates,
            ..checked
        }
    }

    /// The image as `flash` would take it, and what it has to fit.
    fn fit(&self, image: Image) -> Result<(Image, Fit<'static>), image::ImageError> {
        let assumed = Fit::assumed(&image);
        let Some(target) = self.scooter.or_else(|| Target::builtin(assumed.scooter)) else {
            return Ok((image, assumed));
        };
        // A file that holds more than a bootloader is taken for its DRV, as `--drv` takes it.
        let is_short = image.bytes.len() <= target.map.regions.boot.len();
        let kind = if assumed.kind == Kind::Boot && !is_short { Kind::Drv } else { assumed.kind };
        let fit = Fit::new(target, kind);
        Ok((image.part(&fit.region())?, fit))
    }
}

/// Opens a file as `--drv` takes it, and if that holds no DRV firmware as `--boot` does.
fn open(path: &Path) -> Result<Image, image::ImageError> {
    Image::open_as(path, Kind::Drv).or_else(|error| Image::open_as(path, Kind::Boot).map_err(|_| error))
}

/// What to call an image that is not in the catalog.
pub(crate) fn unknown(kind: Kind) -> String {
    match kind {
        // No catalog lists data blocks: each has its own serial.
        Kind::Unknown | Kind::Data => kind.to_string(),
        Kind::Boot | Kind::Drv => format!("unknown {kind}"),
    }
}

impl Report for CheckReport {
    fn text(&self, page: &mut Page) {
        for file in &self.files {
            let what = file.name.clone().unwrap_or_else(|| unknown(file.kind));
            let place = [file.scooter.as_deref(), file.chip].into_iter().flatten().collect::<Vec<_>>().join(", ");
            let what = if place.is_empty() { what } else { format!("{what}, checked for {place}") };
            match &file.error {
                Some(error) => page.toned("FAIL", format!("{}: {error}", file.file), Tone::Bad),
                None if file.passed => page.row("ok", format!("{}: {what}", file.file)),
                None => page.toned("FAIL", format!("{}: {what}", file.file), Tone::Bad),
            };
            for gate in file.gates.iter().filter(|gate| !gate.passed) {
                page.row(format!("  {}", gate.name), &gate.detail);
            }
        }
    }
}
