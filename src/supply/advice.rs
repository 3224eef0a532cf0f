//! Which of the known images to take for a scooter.

use crate::{
    image::{Catalog, Entry, Kind, Protects},
    supply::Supply,
};

/// An image that suits most owners, and why.
#[derive(Debug, Clone, Copy)]
pub struct Recommended {
    /// The image.
    pub entry: &'static Entry,
    /// Why this one.
    pub why: Why,
}

/// Why an image is recommended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It is the only one for the chip.
    Only,
    /// It is the newest one for the chip.
    Newest,
    /// It is the newest one that does not switch read-out protection on at each start.
    NewestThatDoesNotProtect,
    /// Each one without a known trouble on the chip switches read-out protection on at each start.
    NewestWithoutTrouble,
}

/// The vendor's own images of a kind for a scooter with this chip that can be had, oldest first.
pub fn newest_for(scooter: &str, kind: Kind, chip: &str) -> Vec<&'static Entry> {
    let suits = |entry: &&Entry| entry.runs_on(chip) && !Supply::offers(entry).is_empty() && !entry.is_variant();
    let mut suiting: Vec<_> = Catalog::builtin().of(scooter, kind).into_iter().filter(suits).collect();
    suiting.sort_by_key(|entry| entry.version);
    suiting
}

/// The image of a kind to take for a scooter with this chip; `None` if none can be had.
///
/// ```
/// use m365_drv::{image::Kind, supply::{Why, recommended}};
/// let of = |chip| recommended("pro2", Kind::Drv, chip).unwrap();
/// // 2.5.2 locks the chip at each start; 2.4.7 gives trouble on a GD32E103.
/// assert_eq!((&*of("stm32f103").entry.name, of("stm32f103").why), ("Pro 2 DRV 2.4.7", Why::NewestThatDoesNotProtect));
/// assert_eq!((&*of("gd32e103").entry.name, of("gd32e103").why), ("Pro 2 DRV 2.5.2", Why::NewestWithoutTrouble));
/// ```
pub fn recommended(scooter: &str, kind: Kind, chip: &str) -> Option<Recommended> {
    let all = newest_for(scooter, kind, chip);
    let is_fine = |entry: &&&Entry| entry.caution(chip).is_none();
    let is_open = |entry: &&&Entry| entry.protects != Some(Protects::AtStart);
    let newest = *all.last()?;
    let best = all.iter().rfind(|entry| is_fine(entry) && is_open(entry));
    let best = *best.or_else(|| all.iter().rfind(is_fine)).unwrap_or(&newest);
    let why = match () {
        () if all.len() == 1 => Why::Only,
        () if best.sha256 == newest.sha256 && is_open(&&newest) => Why::Newest,
        () if is_open(&&best) => Why::NewestThatDoesNotProtect,
        () => Why::NewestWithoutTrouble,
    };
    Some(Recommended { entry: best, why })
}

/// The chips that a board of a scooter may have: those that a bootloader can be had for.
pub fn chips(scooter: &str) -> Vec<&'static str> {
    let boots =
        Catalog::builtin().of(scooter, Kind::Boot).into_iter().filter(|entry| !Supply::offers(entry).is_empty());
    let mut chips: Vec<&str> = boots.flat_map(|entry| &entry.chips).map(String::as_str).collect();
    chips.sort_unstable_by_key(|chip| *chip != "stm32f103");
    chips.dedup();
    chips
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::Target;

    #[test]
    fn every_scooter_has_a_recommended_image_of_each_kind_for_its_usual_chip() {
        for target in Target::all() {
            for kind in [Kind::Boot, Kind::Drv] {
                let found =
                    recommended(&target.name, kind, "stm32f103").unwrap_or_else(|| panic!("{} {kind}", target.name));
                assert!(found.entry.is_complete() && found.entry.is_for(&target.name), "{}", found.entry.name);
            }
        }
    }

    #[test]
    fn what_locks_the_chip_at_each_start_is_recommended_only_if_nothing_else_is_without_trouble() {
        let of =
            |scooter, chip| recommended(scooter, Kind::Drv, chip).map(|found| (found.entry.name.as_str(), found.why));
        assert_eq!(of("lite", "stm32f103"), Some(("Lite DRV 2.3.1", Why::NewestThatDoesNotProtect)));
        assert_eq!(of("lite", "gd32e103"), Some(("Lite DRV 2.4.5", Why::Only)));
        assert_eq!(of("1s", "stm32f103"), Some(("1S DRV 3.1.9", Why::Newest)));
        assert_eq!(of("m365", "gd32e103"), None);
    }

    #[test]
    fn the_chips_of_a_scooter_are_those_that_a_bootloader_can_be_had_for() {
        assert_eq!(chips("pro2"), ["stm32f103", "gd32f103", "gd32e103"]);
        assert_eq!(chips("pro"), ["stm32f103", "gd32f103"]);
        assert_eq!(chips("es2"), ["stm32f103"]);
    }
}
