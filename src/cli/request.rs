//! What shall be on a board: the arguments that `flash` and `verify` share.

use std::{
    env,
    path::{Path, PathBuf},
};

use clap::{
    Args,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser},
};
use m365_drv::{
    block::{DataBlock, LEN, Mileage, Serial},
    image::{self, Catalog, Found, GATES, Image, Kind},
    ops::{After, Backup, Extent, FlashRequest, Intent, Keep},
    target::Target,
};

use super::{
    Context,
    data::MileageArgs,
    exit::{Exit, Meaning, refuse, refuse_among},
    files,
};

/// The origin of images that are for the simulated board only.
pub(crate) const REHEARSAL: &str = "rehearsal";

/// A scooter, its firmware and its data.
#[derive(Debug, Args)]
pub(crate) struct WantedArgs {
    /// Which scooter
    #[arg(value_name = "SCOOTER", value_parser = scooter_parser())]
    pub(crate) scooter: &'static Target,

    /// The DRV firmware: bin, Intel HEX, enc or zip
    #[arg(long, value_name = "FILE")]
    drv: Option<PathBuf>,

    /// The bootloader; without it the board's own stays where it is readable, known and right
    #[arg(long, value_name = "FILE")]
    boot: Option<PathBuf>,

    /// Look for both in this folder, by hash; repeatable, and `M365_DRV_FIRMWARE` names more
    #[arg(long, value_name = "DIR")]
    firmware: Vec<PathBuf>,

    /// Serial number, as on the sticker of the scooter; without it the board's own
    #[arg(long, value_name = "S")]
    serial: Option<String>,

    #[command(flatten)]
    mileage: MileageArgs,

    /// A data block for a board that gives none: a block file, a backup or a dump of flash
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,

    /// Let an image pass although it fails this gate; repeatable, one name each
    #[arg(long, value_name = "GATE", value_parser = PossibleValuesParser::new(GATES), hide_possible_values = true)]
    force: Vec<String>,
}

/// Everything of [`WantedArgs`], read and checked as far as that can be without a board.
pub(crate) struct Wanted {
    target: &'static Target,
    boot: Option<Image>,
    drv: Option<Image>,
    data: Option<DataBlock>,
    serial: Option<Serial>,
    mileage: Option<Mileage>,
    forced: Vec<String>,
}

/// The names of the known scooters, and what they stand for.
fn scooter_parser() -> impl TypedValueParser<Value = &'static Target> {
    let value = |target: &'static Target| PossibleValue::new(&*target.name).help(&*target.title);
    let names = PossibleValuesParser::new(Target::all().iter().map(value));
    names.map(|name| Target::builtin(&name).unwrap_or(&Target::all()[0]))
}

impl WantedArgs {
    /// Reads the files and the values.
    pub(crate) fn read(&self, context: &mut Context) -> anyhow::Result<Wanted> {
        let target = self.scooter;
        let serial = self.serial.as_deref().map(|text| Serial::parse(text, &target.serial.pattern));
        let serial = serial.transpose().map_err(|error| refuse(Exit::Data, error.to_string()))?;
        if let Some(serial) = &serial {
            context.warn_of_region(target, serial);
        }
        let mileage = self.mileage.mileage()?;
        let data = self.data.as_deref().map(|path| data_block(path, target)).transpose()?;
        let boot = self.image(Kind::Boot, self.boot.as_deref(), context)?;
        let drv = self.image(Kind::Drv, self.drv.as_deref(), context)?;
        Ok(Wanted { target, boot, drv, data, serial, mileage, forced: self.force.clone() })
    }

    /// The image of a kind: the file named, else the one found, else in a rehearsal our own.
    fn image(&self, kind: Kind, file: Option<&Path>, context: &mut Context) -> anyhow::Result<Option<Image>> {
        let target = self.scooter;
        let Some(path) = file else {
            let found = self.found(kind)?;
            return Ok(found.or_else(|| context.stand_in(kind, target)));
        };
        let region = if kind == Kind::Boot { &target.regions.boot } else { &target.regions.drv };
        let image = Image::open(path).and_then(|image| image.part(region));
        let image = image.meaning(Exit::Image, || format!("{} is refused", path.display()))?;
        let known = Catalog::builtin().identify(&image.bytes);
        if known.is_some_and(|known| known.entry.origin == REHEARSAL) && !context.is_rehearsal() {
            let message = format!("{} drives no motor: it is for the simulated board only", path.display());
            return Err(refuse(Exit::Image, message));
        }
        Ok(Some(image))
    }

    /// The one suitable image in the firmware folders.
    fn found(&self, kind: Kind) -> anyhow::Result<Option<Image>> {
        let named = env::var_os("M365_DRV_FIRMWARE");
        let named = named.iter().flat_map(env::split_paths).filter(|path| !path.as_os_str().is_empty());
        let folders: Vec<_> = self.firmware.iter().cloned().chain(named).collect();
        if folders.is_empty() {
            return Ok(None);
        }
        let at_hand =
            image::find(&folders).meaning(Exit::Image, || "the firmware folders cannot be searched".into())?;
        let mut suitable = at_hand.suitable(&self.scooter.name, kind, None);
        suitable.retain(|found| found.entry.origin != REHEARSAL);
        if kind == Kind::Boot && suitable.len() > 1 {
            // There is one for each kind of chip, and nearly all boards have the STM32.
            suitable.retain(|found| found.entry.runs_on("stm32f103"));
        }
        match suitable[..] {
            [] => Ok(None),
            [found] => Ok(Some(found.image.clone())),
            _ => Err(refuse_among(Exit::Image, format!("several {kind} images are suitable"), list(&suitable))),
        }
    }
}

fn list(found: &[&Found]) -> Vec<String> {
    found.iter().map(|found| format!("{}: {}", found.entry, found.path.display())).collect()
}

/// The data block in a block file, a backup or a dump.
fn data_block(path: &Path, target: &Target) -> anyhow::Result<DataBlock> {
    let bytes = files::read(path, Exit::Data)?;
    let what = || format!("{} holds no data block", path.display());
    if bytes.starts_with(b"{") {
        let backup = Backup::open(path).meaning(Exit::Data, what)?;
        return backup.block.ok_or_else(|| refuse(Exit::Data, what()));
    }
    let place = (target.regions.data.start - target.flash.start) as usize;
    let block = if bytes.len() == target.flash.len() { &bytes[place..place + LEN] } else { &bytes[..] };
    DataBlock::parse(block).meaning(Exit::Data, what)
}

impl Wanted {
    /// A request that changes nothing; `flash` fills in what may be done.
    pub(crate) fn request(&self) -> FlashRequest<'_> {
        FlashRequest {
            target: self.target,
            boot: self.boot.as_ref(),
            drv: self.drv.as_ref(),
            data: self.data.clone(),
            serial: self.serial,
            mileage: self.mileage,
            consent: None,
            extent: Extent::Changes,
            intent: Intent::Preview,
            keep: Keep::Nothing,
            after: After::Stop,
            forced: self.forced.clone(),
        }
    }
}
