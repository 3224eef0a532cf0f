//! What the firmware in a region of flash was made for, as far as it can be told.

use std::ops::Range;

use super::{
    Catalog, Image, Kind, Package, inspect,
    inspect::{boot_region, longest_drv},
};

/// Firmware, and the scooters that it was made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// What to call it: `Pro DRV 1.5.5`, `Pro DRV 1.5.5, modified`.
    pub name: String,
    /// By the names of the command line; names of unsupported ones are among them.
    pub scooters: Vec<String>,
}

/// Where the firmware is in flash that was read from its first address on, whichever flash map it was made for: a board may
/// hold firmware for more flash than its scooter uses.
pub fn drv_region(flash: &[u8], map: &Range<u32>) -> Range<usize> {
    let offset = |address: u32| ((address - boot_region().start) as usize).min(flash.len());
    let long = offset(longest_drv().start)..offset(longest_drv().end);
    let own = long.start..offset(map.end);
    let bytes = &flash[long.clone()];
    let known = Catalog::builtin().source(bytes).filter(|entry| entry.kind == Kind::Drv).map(|entry| entry.size);
    let length = known.or_else(|| inspect(bytes).length);
    if length.is_some_and(|length| length > own.len()) { long } else { own }
}

/// Where firmware of this kind comes from, given the bytes of a whole region; `None` if they are blank, if nothing is known
/// of them, or if they are one of the images for rehearsals, which fit every scooter.
///
/// A known image comes first, then the known image that it was made from, then its ident.
pub fn origin(region: &[u8], kind: Kind) -> Option<Origin> {
    let catalog = Catalog::builtin();
    let end = region.iter().rposition(|byte| *byte != 0xFF)? + 1;
    let bytes = &region[..end];
    let of = |name: String, scooters: &[String]| Some(Origin { name, scooters: scooters.to_vec() });
    if let Some(known) = catalog.identify(region) {
        let entry = known.entry;
        return if entry.kind == kind && !entry.is_rehearsal() { of(known.title(), &entry.scooters) } else { None };
    }
    if let Some(near) = catalog.nearest(bytes) {
        let name = near.title();
        let scooters = near.scooters().into_iter().map(Into::into).collect();
        let is_right = near.entry.kind == kind && !near.entry.is_rehearsal();
        return is_right.then_some(Origin { name, scooters });
    }
    if kind != Kind::Drv {
        return None;
    }
    let seen = inspect(bytes);
    seen.ident.and_then(|ident| of(format!("firmware with the ident {ident}"), catalog.ident(&ident)?))
}

/// The scooters that an image is for: by the catalog, by the known image it was made from, by the package around it, by
/// its ident. Empty if none of these says anything.
pub(super) fn scooters_of(image: &Image) -> Vec<&'static str> {
    let catalog = Catalog::builtin();
    if let Some(known) = catalog.identify(&image.bytes) {
        return known.entry.scooters.iter().map(String::as_str).collect();
    }
    if let Some(near) = catalog.nearest(&image.bytes) {
        return near.scooters();
    }
    let package = image.package.as_ref().map_or_else(Vec::new, Package::scooters);
    if !package.is_empty() {
        return package;
    }
    let ident = inspect(&image.bytes).ident;
    let scooters = ident.and_then(|text| catalog.ident(&text)).unwrap_or_default();
    scooters.iter().map(String::as_str).collect()
}
