//! Which of the images at hand goes onto the chip found: the one that passes every gate.

use super::{Error, FlashRequest};
use crate::{
    board::ChipKind,
    image::{self, Catalog, Fit, Gate, Image, Kind},
};

impl FlashRequest<'_> {
    /// Refuses what is wrong whatever the chip may be, so that nobody holds wires for it.
    pub(super) fn check_images(&self) -> Result<(), Error> {
        for kind in [Kind::Boot, Kind::Drv] {
            self.fitting(kind, None)?;
            let mut choices = ChipKind::ALL.map(|chip| self.choose(kind, chip)).into_iter();
            if let Some(Err(refusal)) = choices.next()
                && choices.all(|choice| choice.is_err())
            {
                return Err(refusal);
            }
        }
        Ok(())
    }

    /// The image of a kind for this chip; `None` where the request brings none at all.
    pub(super) fn choose(&self, kind: Kind, chip: ChipKind) -> Result<Option<&Image>, Error> {
        match self.fitting(kind, Some(chip))?[..] {
            [] => Ok(None),
            [image] => Ok(Some(image)),
            ref several => {
                Err(Error::SeveralImages { kind, fitting: several.iter().map(|image| title(image)).collect() })
            }
        }
    }

    /// The images that pass every gate. Where there are images and none does, the refusal of the last.
    fn fitting(&self, kind: Kind, chip: Option<ChipKind>) -> Result<Vec<&Image>, Error> {
        let regions = &self.target.regions;
        let (images, region) = if kind == Kind::Boot { (self.boot, &regions.boot) } else { (self.drv, &regions.drv) };
        let fit = Fit {
            kind,
            region: region.clone(),
            sram: self.target.sram.clone(),
            data_block: regions.data.start,
            scooter: &self.target.name,
            chip: chip.map(ChipKind::firmware_name),
            rehearsal: self.rehearsal,
        };
        let failed = |gate: &Gate| !gate.passed && !self.forced.iter().any(|forced| forced == gate.name);
        let mut fitting = Vec::new();
        let mut refusal = None;
        for image in images {
            match image::gates(image, &fit).into_iter().find(failed) {
                None => fitting.push(image),
                Some(Gate { name: gate, detail, .. }) => refusal = Some(Error::Gate { kind, gate, detail }),
            }
        }
        match refusal {
            Some(refusal) if fitting.is_empty() => Err(refusal),
            _ => Ok(fitting),
        }
    }
}

/// What a user knows an image by.
fn title(image: &Image) -> String {
    let name = match Catalog::builtin().identify(&image.bytes) {
        Some(known) => known.entry.to_string(),
        None => format!("unknown, sha256 {}", image.digest()),
    };
    match &image.file {
        Some(file) => format!("{name}: {}", file.display()),
        None => name,
    }
}
