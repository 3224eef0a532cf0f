//! Which of the images at hand goes onto the chip found: the one that passes every gate.

use super::{Error, Wanted, report::ForcedGate};
use crate::{
    board::ChipKind,
    image::{self, Catalog, Fit, Gate, Image, Kind},
    printable::quoted_path,
};

/// An image that goes onto the board.
#[derive(Debug)]
pub(super) struct Chosen<'a> {
    pub(super) image: &'a Image,
    /// The gates that it fails and that were forced.
    pub(super) forced: Vec<ForcedGate>,
}

impl Wanted<'_> {
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

    /// The image of a kind for this chip; `None` if none was given.
    pub(super) fn choose(&self, kind: Kind, chip: ChipKind) -> Result<Option<Chosen<'_>>, Error> {
        let mut fitting = self.fitting(kind, Some(chip))?;
        let is_preferred = |chosen: &Chosen<'_>| chosen.image.preferred_for.contains(&chip.firmware_name());
        // An image that nothing is preferred for was put there by the user, who may want that one.
        let is_by_chip = fitting.iter().all(|chosen| !chosen.image.preferred_for.is_empty());
        if is_by_chip && fitting.iter().any(is_preferred) {
            fitting.retain(is_preferred);
        }
        if fitting.len() > 1 {
            return Err(Error::SeveralImages {
                kind,
                fitting: fitting.iter().map(|chosen| title(chosen.image)).collect(),
            });
        }
        Ok(fitting.pop())
    }

    /// The images that pass every gate that is not forced. If there are images and none passes, the refusal of the last.
    fn fitting(&self, kind: Kind, chip: Option<ChipKind>) -> Result<Vec<Chosen<'_>>, Error> {
        let images = if kind == Kind::Boot { self.boot } else { self.drv };
        let fit =
            Fit { chip: chip.map(ChipKind::firmware_name), rehearsal: self.rehearsal, ..Fit::new(self.target, kind) };
        let is_forced = |gate: &Gate| self.forced.iter().any(|forced| forced == gate.name);
        let mut fitting = Vec::new();
        let mut refusal = None;
        for image in images {
            let failed = image::gates(image, &fit).into_iter().filter(|gate| !gate.passed);
            let (forced, mut failed): (Vec<_>, Vec<_>) = failed.partition(is_forced);
            if failed.is_empty() {
                let forced = forced.into_iter().map(|gate| ForcedGate {
                    kind: Some(kind),
                    gate: gate.name,
                    detail: gate.detail,
                });
                fitting.push(Chosen { image, forced: forced.collect() });
            } else {
                let Gate { name: gate, detail, .. } = failed.swap_remove(0);
                refusal = Some(Error::Gate { kind, gate, detail: with_file(detail, image) });
            }
        }
        match refusal {
            Some(refusal) if fitting.is_empty() => Err(refusal),
            _ => {
                let first = fitting.iter().map(|chosen| chosen.image.place).min();
                fitting.retain(|chosen| Some(chosen.image.place) == first);
                Ok(fitting)
            }
        }
    }
}

/// True if the chip makes no difference: all images fail, or the same ones are left to choose from.
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
        (Some(file), Some(_)) => format!("{detail}, in {}", quoted_path(file)),
        _ => detail,
    }
}

/// What a user knows an image by.
fn title(image: &Image) -> String {
    let name = Catalog::builtin().title(&image.bytes);
    let name = name.unwrap_or_else(|| format!("unknown, sha256 {}", image.digest()));
    match &image.file {
        Some(file) => format!("{name}: {}", quoted_path(file)),
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_between_images_is_not_like_a_refusal() {
        let several = |fitting: &[&str]| {
            let fitting = fitting.iter().map(ToString::to_string).collect();
            Error::SeveralImages { kind: Kind::Drv, fitting }
        };
        let gate = |gate| Error::Gate { kind: Kind::Drv, gate, detail: String::new() };
        assert!(are_alike(&several(&["a", "b"]), &several(&["a", "b"])));
        assert!(are_alike(&gate("size"), &gate("vectors")));
        for other in [several(&["a"]), gate("size")] {
            assert!(!are_alike(&several(&["a", "b"]), &other) && !are_alike(&other, &several(&["a", "b"])));
        }
    }
}
