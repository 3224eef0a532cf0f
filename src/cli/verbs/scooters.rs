//! `scooters`: what this program knows of each scooter.

use std::{collections::BTreeMap, ops::Range, sync::atomic::AtomicBool};

use m365_drv::{
    image::{Catalog, Entry, FoundImage, Kind, Sha256Digest},
    target::{SerialRule, Target},
    version::Version,
};
use serde::Serialize;

use crate::cli::{
    Context,
    args::firmware::{AtHand, FirmwareArgs},
    screen::{CommandResult, Outcome, Page, Report},
};

/// One scooter of the list.
#[derive(Serialize)]
struct ScooterEntry {
    name: &'static str,
    title: &'static str,
    chip: &'static str,
    flash_kib: u32,
    page: u32,
    regions: BTreeMap<&'static str, AddressRange>,
    /// First addresses of further pages with the same data block.
    #[serde(skip)]
    copies: &'static [u32],
    serial: &'static SerialRule,
    images: Vec<KnownImage>,
    at_hand: Vec<ImageAtHand>,
}

/// An image of the catalog.
#[derive(Serialize)]
struct KnownImage {
    name: &'static str,
    kind: Kind,
    version: Option<Version>,
    sha256: Sha256Digest,
}

/// An image that was found.
#[derive(Serialize)]
struct ImageAtHand {
    #[serde(flatten)]
    image: KnownImage,
    chips: &'static [String],
    file: String,
}

/// A half-open range of addresses.
#[derive(Serialize)]
struct AddressRange {
    start: String,
    end: String,
}

#[derive(Serialize)]
#[serde(transparent)]
struct Scooters(Vec<ScooterEntry>);

pub(crate) fn run(context: &mut Context, args: &FirmwareArgs) -> CommandResult {
    // Without a board Ctrl-C ends the program where it stands.
    let at_hand = args.search(&AtomicBool::new(false))?;
    at_hand.warn_of_left_out(context);
    Outcome::new(&Scooters(Target::all().iter().map(|target| ScooterEntry::of(target, &at_hand)).collect()))
}

impl ScooterEntry {
    fn of(target: &'static Target, at_hand: &AtHand) -> Self {
        Self {
            name: &target.name,
            title: &target.title,
            chip: &target.map.chip,
            flash_kib: target.map.flash_kib(),
            page: target.map.page,
            regions: target.map.regions.iter().map(|(name, range)| (name, AddressRange::of(range))).collect(),
            copies: &target.block.copies,
            serial: &target.serial,
            images: [Kind::Boot, Kind::Drv].into_iter().flat_map(|kind| known(&target.name, kind)).collect(),
            at_hand: [Kind::Boot, Kind::Drv].into_iter().flat_map(|kind| held(at_hand, &target.name, kind)).collect(),
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

fn known(scooter: &str, kind: Kind) -> impl Iterator<Item = KnownImage> + use<> {
    Catalog::builtin().of(scooter, kind).into_iter().filter(|entry| !entry.is_rehearsal()).map(KnownImage::of)
}

fn held(at_hand: &AtHand, scooter: &str, kind: Kind) -> impl Iterator<Item = ImageAtHand> + use<> {
    let held = |found: &FoundImage| ImageAtHand {
        image: KnownImage::of(found.entry),
        chips: &found.entry.chips,
        file: found.path.display().to_string(),
    };
    at_hand.suitable(scooter, kind).into_iter().map(held).collect::<Vec<_>>().into_iter()
}

impl KnownImage {
    fn of(entry: &'static Entry) -> Self {
        Self { name: &entry.name, kind: entry.kind, version: entry.version, sha256: entry.sha256 }
    }
}

impl AddressRange {
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
            for (name, label) in [("boot", "bootloader"), ("drv", "drv"), ("data", "data")] {
                if let Some(region) = scooter.regions.get(name) {
                    page.row(format!("  {label}"), &region.start);
                }
            }
            for copy in scooter.copies {
                page.row("  data copy", format!("{copy:#010x}"));
            }
            page.row("  serial", format!("for example {}", scooter.serial.example));
            for limit in scooter.serial.limits_in_words() {
                page.row("  limit", limit);
            }
            page.row("  known", scooter.versions());
            for held in &scooter.at_hand {
                page.row("  found", format!("{} in {}", held.image.name, held.file));
            }
        }
    }
}
