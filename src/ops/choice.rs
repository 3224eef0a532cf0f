//! Which of the images at hand goes onto the chip found: the one that passes every gate.

use super::{Error, FlashRequest};
use crate::{
    board::ChipKind,
    image::{self, Catalog, Fit, Gate, Image, Kind, printable},
};

impl FlashRequest<'_> {
    /// Refuses what is wrong whatever the chip may be, so that nobody holds wires for it.
    pub(super) fn check_images(&self) -> Result<(), Error> {
        for kind in [Kind::Boot, Kind::Drv] {
            self.fitting(kind, None)?;
            let refusals: Option<Vec<_>> =
                ChipKind::ALL.into_iter().map(|chip| self.choose(kind, chip).err()).collect();
            if let Some(refusals) = refusals
                && refusals.windows(2).all(|pair| are_alike(&pair[0], &pair[1]))
            {
                return refusals.into_iter().next().map_or(Ok(()), Err);
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
                Some(Gate { name: gate, detail, .. }) => {
                    refusal = Some(Error::Gate { kind, gate, detail: with_file(detail, image) });
                }
            }
        }
        match refusal {
            Some(refusal) if fitting.is_empty() => Err(refusal),
            _ => {
                let first = fitting.iter().map(|image| image.place).min();
                fitting.retain(|image| Some(image.place) == first);
                Ok(fitting)
            }
        }
    }
}

/// True where the chip makes no difference: all images fail, or the same ones are left to choose from.
fn are_alike(one: &Error, other: &Error) -> bool {
    match (one, other) {
        (Error::SeveralImages { fitting: one, .. }, Error::SeveralImages { fitting: other, .. }) => one == other,
        (Error::SeveralImages { .. }, _) | (_, Error::SeveralImages { .. }) => false,
        _ => true,
    }
}

/// An image that the user did not name goes by its file.
fn with_file(detail: String, image: &Image) -> String {
    match (&image.file, image.place) {
        (Some(file), Some(_)) => format!("{detail}, in {}", printable(&file.display().to_string())),
        _ => detail,
    }
}

/// What a user knows an image by.
fn title(image: &Image) -> String {
    let name = match Catalog::builtin().identify(&image.bytes) {
        Some(known) => known.entry.to_string(),
        None => format!("unknown, sha256 {}", image.digest()),
    };
    match &image.file {
        Some(file) => format!("{name}: {}", printable(&file.display().to_string())),
        None => name,
    }
}
