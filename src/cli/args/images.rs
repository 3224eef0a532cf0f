//! The firmware for a board: given as files, found in folders, or fetched.

use std::path::{Path, PathBuf};

use clap::Args;
use m365_drv::{
    image::{Catalog, Dump, Image, Kind, RehearsalImages},
    printable::quoted_path,
    target::{Regions, Target},
};

use crate::cli::{
    Context,
    args::{
        firmware::{AtHand, FirmwareArgs},
        question::yes_or_no,
        supply::{self, SupplyArgs},
        values::{ScooterName, gate_parser},
    },
    exit::{Exit, Meaning, refuse},
};

/// A scooter and its firmware.
#[derive(Debug, Args)]
pub(crate) struct ImageArgs {
    /// The scooter: a name that `scooters` lists, or a common one such as "mi pro 2"
    #[arg(value_name = "SCOOTER", value_parser = ScooterName)]
    pub(crate) scooter: &'static Target,

    /// The DRV firmware: bin, Intel HEX, enc or zip; by default a known one found in a firmware folder (`--firmware`), or the board's own
    #[arg(long, value_name = "FILE")]
    drv: Option<PathBuf>,

    /// The bootloader; by default a known one found in a firmware folder (`--firmware`), or the board's own if it is a known one for this scooter
    #[arg(long, value_name = "FILE")]
    boot: Option<PathBuf>,

    #[command(flatten)]
    firmware: FirmwareArgs,

    /// Fetch what is not at hand: the recommended bootloader and DRV firmware for this scooter
    #[arg(long)]
    fetch: bool,

    #[command(flatten)]
    supply: SupplyArgs,

    /// Continue even if this check (gate) fails; repeatable; `m365-drv explain` lists the names
    #[arg(long, value_name = "GATE", value_parser = gate_parser(), hide_possible_values = true)]
    force: Vec<String>,
}

/// The images of [`ImageArgs`], read and checked as far as that can be without a board.
pub(crate) struct GivenImages {
    pub(crate) target: &'static Target,
    pub(crate) boot: Vec<Image>,
    pub(crate) drv: Vec<Image>,
    pub(crate) forced: Vec<String>,
    pub(crate) rehearsal: RehearsalImages,
}

impl ImageArgs {
    /// Reads and finds the images; `data` is the file that the data block is taken from.
    pub(crate) fn read(&self, context: &mut Context, data: Option<&PathBuf>) -> anyhow::Result<GivenImages> {
        let searches = self.boot.is_none() || self.drv.is_none();
        let mut at_hand = searches.then(|| self.firmware.search(&context.probes.interrupt())).transpose()?;
        if let Some(found) = &at_hand
            && self.fetch_missing(found, context)?
        {
            at_hand = Some(self.firmware.search(&context.probes.interrupt())?);
        }
        if let Some(at_hand) = &at_hand {
            at_hand.warn_of_left_out(context);
        }
        let mut images = |kind, file: Option<&Path>| match (file, &at_hand) {
            (Some(file), _) => Ok(vec![self.image(kind, file, context)?]),
            (None, Some(at_hand)) => Ok(self.found(kind, at_hand, context)),
            (None, None) => Ok::<_, anyhow::Error>(vec![]),
        };
        let (boot, drv) = (images(Kind::Boot, self.boot.as_deref())?, images(Kind::Drv, self.drv.as_deref())?);
        for words in self.unused_parts(data) {
            context.warn("dump-not-used", words);
        }
        let (target, rehearsal) = (self.scooter, context.rehearsal_images());
        Ok(GivenImages { target, boot, drv, forced: self.force.clone(), rehearsal })
    }

    /// The files that were named.
    pub(crate) fn files(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.boot, &self.drv].into_iter().flatten()
    }

    /// What of a dump no option takes, a sentence for each file.
    fn unused_parts(&self, from: Option<&PathBuf>) -> Vec<String> {
        let mut files: Vec<&PathBuf> = [&self.drv, &self.boot].into_iter().flatten().collect();
        files.dedup();
        let Regions { boot, drv, data, .. } = &self.scooter.map.regions;
        let of_file = |path: &PathBuf| {
            let dump = Dump::open(path).ok().filter(Dump::is_flash)?;
            let parts = [
                ("the bootloader", "--boot", self.boot.as_ref(), dump.part(boot).is_some()),
                ("the DRV firmware", "--drv", self.drv.as_ref(), dump.part(drv).is_some()),
                ("the data block", "--data", from, !dump.blocks(data.start).is_empty()),
            ];
            let unused = parts.into_iter().filter(|(_, _, used, exists)| *exists && *used != Some(path));
            let file = quoted_path(path);
            let (names, options): (Vec<_>, Vec<_>) =
                unused.map(|(name, option, ..)| (name, format!("{option} {file}"))).unzip();
            let (names, options, count) = (names.join(" and "), options.join(" "), names.len());
            let (are, them) = if count == 1 { ("is", "it") } else { ("are", "them") };
            (count > 0).then(|| format!("{names} in {file} {are} not used; to use {them}, add {options}"))
        };
        files.into_iter().filter_map(of_file).collect()
    }

    /// The image in a file.
    fn image(&self, kind: Kind, file: &Path, context: &mut Context) -> anyhow::Result<Image> {
        let regions = &self.scooter.map.regions;
        let region = if kind == Kind::Boot { &regions.boot } else { &regions.drv };
        let image = Image::open_as(file, kind).and_then(|image| image.part(region));
        let image = image.meaning(Exit::Image, || format!("cannot use {}", quoted_path(file)))?;
        let names_none = image.package.as_ref().is_some_and(|package| package.model.is_none());
        if names_none && Catalog::builtin().identify(&image.bytes).is_none() {
            let message =
                format!("the package {} does not name its scooter; make sure that it is for yours", quoted_path(file));
            context.warn("package-scooter-unknown", message);
        }
        // Data blocks, texts and the like are refused by a gate, whose message names them.
        if kind == Kind::Drv
            && image.kind() == Kind::Drv
            && let Some(what) = custom(&image.bytes)
        {
            let risk = "if BMS communication is disabled in it, the scooter has no battery-temperature protection and no charge \
                 interlock";
            context.warn("custom-firmware", format!("{} is {what}: {risk}", quoted_path(file)));
        }
        Ok(image)
    }

    /// Fetches what no file and no folder has, before anybody holds wires: with `--fetch`, or if the person at the terminal
    /// agrees. Returns whether something was fetched.
    fn fetch_missing(&self, at_hand: &AtHand, context: &mut Context) -> anyhow::Result<bool> {
        let kinds = [(Kind::Boot, &self.boot), (Kind::Drv, &self.drv)];
        let kinds = kinds.into_iter().filter(|(_, file)| file.is_none()).map(|(kind, _)| kind);
        let missing = at_hand.missing(&self.scooter.name, kinds);
        // A rehearsal has images of its own.
        let asks = !self.fetch && context.audience().answers() && !context.is_rehearsal();
        if missing.is_empty() || !(self.fetch || asks) {
            return Ok(false);
        }
        let folder = supply::folder()?;
        let Some(supply) = self.supply.supply()? else {
            if asks {
                return Ok(false);
            }
            return Err(refuse(Exit::Image, "cannot fetch firmware: --offline is given"));
        };
        if asks {
            context.say(&supply::offer(&missing, &supply, &folder));
            if !yes_or_no(context, "Fetch what is missing?")? {
                return Ok(false);
            }
        }
        for entry in missing {
            supply::fetch(context, &supply, &folder, entry)?;
        }
        Ok(true)
    }

    /// The images at hand, among which the chip decides; in a rehearsal, if there is none, our own.
    fn found(&self, kind: Kind, at_hand: &AtHand, context: &mut Context) -> Vec<Image> {
        let found = at_hand.images(&self.scooter.name, kind);
        if found.is_empty() { context.stand_in(kind, self.scooter).into_iter().collect() } else { found }
    }
}

/// What firmware is if the catalog does not have it.
fn custom(bytes: &[u8]) -> Option<String> {
    let catalog = Catalog::builtin();
    if catalog.identify(bytes).is_some() {
        return None;
    }
    Some(match catalog.nearest(bytes) {
        Some(near) if near.is_incomplete() => near.title(),
        Some(near) => format!("{} ({})", near.title(), near.difference(bytes.len())),
        None => "unknown firmware".into(),
    })
}
