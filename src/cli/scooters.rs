//! `scooters`: what this program knows of each scooter.

use std::{collections::BTreeMap, ops::Range};

use m365_drv::{
    image::{Catalog, Kind, Sha256Digest},
    target::{SerialRule, Target},
    version::Version,
};
use serde::Serialize;

use super::{
    output::{Answer, Outcome, Report},
    page::Page,
    request::REHEARSAL,
};

/// One scooter of the list.
#[derive(Serialize)]
struct Scooter {
    name: &'static str,
    title: &'static str,
    chip: &'static str,
    flash_kib: u32,
    page: u32,
    regions: BTreeMap<&'static str, Region>,
    serial: &'static SerialRule,
    images: Vec<Known>,
}

/// An image of the catalog.
#[derive(Serialize)]
struct Known {
    name: &'static str,
    kind: Kind,
    version: Option<Version>,
    sha256: Sha256Digest,
}

/// A half-open range of addresses.
#[derive(Serialize)]
struct Region {
    start: String,
    end: String,
}

#[derive(Serialize)]
#[serde(transparent)]
struct Scooters(Vec<Scooter>);

pub(crate) fn run() -> Answer {
    Outcome::new(&Scooters(Target::all().iter().map(Scooter::of).collect()))
}

impl Scooter {
    fn of(target: &'static Target) -> Self {
        Self {
            name: &target.name,
            title: &target.title,
            chip: &target.chip,
            flash_kib: target.flash_kib(),
            page: target.page,
            regions: target.regions.iter().map(|(name, range)| (name, Region::of(range))).collect(),
            serial: &target.serial,
            images: [Kind::Boot, Kind::Drv].into_iter().flat_map(|kind| known(&target.name, kind)).collect(),
        }
    }

    /// The versions of the DRV images, each once; some exist in several forms.
    fn versions(&self) -> String {
        let drv = self.images.iter().filter(|image| image.kind == Kind::Drv);
        let mut versions: Vec<_> = drv.filter_map(|image| image.version).collect();
        versions.dedup();
        versions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }
}

fn known(scooter: &str, kind: Kind) -> impl Iterator<Item = Known> + use<> {
    // Rehearsal images are for no scooter.
    let images = Catalog::builtin().of(scooter, kind).into_iter().filter(|entry| entry.origin != REHEARSAL);
    images.map(move |entry| Known { name: &entry.name, kind, version: entry.version, sha256: entry.sha256 })
}

impl Region {
    fn of(range: &Range<u32>) -> Self {
        Self { start: format!("{:#010x}", range.start), end: format!("{:#010x}", range.end) }
    }
}

impl Report for Scooters {
    fn text(&self, page: &mut Page) {
        for (index, scooter) in self.0.iter().enumerate() {
            if index > 0 {
                page.blank();
            }
            page.heading(format!("{}: {}", scooter.name, scooter.title));
            page.row("  chip", format!("{}, {} KiB", scooter.chip, scooter.flash_kib));
            for name in ["boot", "drv", "data"] {
                if let Some(region) = scooter.regions.get(name) {
                    page.row(format!("  {name}"), &region.start);
                }
            }
            page.row("  serial", format!("as {}", scooter.serial.example));
            page.row("  known", scooter.versions());
        }
    }
}
