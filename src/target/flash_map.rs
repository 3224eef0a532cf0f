//! Flash maps: the chip that a controller was made with, and what is where in its flash. One file each in
//! `targets/layouts`, which refers to a chip in `targets/chips`.

use std::{fmt, ops::Range, sync::LazyLock};

use include_dir::{Dir, include_dir};
use probe_rs_target::{ChipFamily, MemoryRegion};
use serde::{Deserialize, Serialize, Serializer};

use super::Algorithm;

const CHIPS: &str = include_str!("../../targets/chips/stm32f1.yaml");
static MAPS: Dir = include_dir!("$CARGO_MANIFEST_DIR/targets/layouts");

/// What is where on a controller. Everything that works on a board without regard to the scooter needs only this.
///
/// It is written as its name in JSON, and as the size of its flash in text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlashMap {
    /// The name of its file: `64k`.
    pub name: String,
    /// The chip that the firmware was made for, by its name in `targets/chips`.
    pub chip: String,
    /// Addresses of main flash.
    pub flash: Range<u32>,
    /// Addresses of SRAM.
    pub sram: Range<u32>,
    /// End of the part of SRAM where the firmware keeps its variables, the live data block among them.
    pub variables_end: u32,
    /// End of the live data block of the firmware that has it highest.
    pub live_end: u32,
    /// Bytes that are erased together.
    pub page: u32,
    /// What is where in flash.
    pub regions: Regions,
    /// The flash algorithm for the chip.
    pub algorithm: Algorithm,
}

/// The regions of a controller's flash: half-open address ranges that begin and end at page boundaries.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Regions {
    /// The bootloader.
    pub boot: Range<u32>,
    /// The DRV firmware; as long as the largest image that an update can bring.
    pub drv: Range<u32>,
    /// Where the running firmware puts an update before the bootloader copies it.
    pub staging: Range<u32>,
    /// The page of the 512-byte data block.
    pub data: Range<u32>,
    /// The bootloader's update record.
    pub update: Range<u32>,
}

/// A file in `targets/layouts`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MapFile {
    name: String,
    chip: String,
    variables_end: u32,
    live_end: u32,
    regions: Regions,
}

impl FlashMap {
    /// All maps, that of the smallest flash first.
    pub fn all() -> &'static [Self] {
        static ALL: LazyLock<Vec<FlashMap>> = LazyLock::new(|| {
            let family: ChipFamily = yaml_serde::from_str(CHIPS).expect("a test reads the chips");
            let read = |text| assemble(yaml_serde::from_str(text).ok()?, &family);
            let mut maps: Vec<_> = texts(&MAPS).map(|text| read(text).expect("a test reads the flash maps")).collect();
            maps.sort_by_key(|map| map.flash.len());
            maps
        });
        &ALL
    }

    /// The map of the smallest flash.
    pub fn smallest() -> &'static Self {
        &Self::all()[0]
    }

    /// The map of the largest flash.
    pub fn largest() -> &'static Self {
        &Self::all()[Self::all().len() - 1]
    }

    /// The map with this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        Self::all().iter().find(|map| map.name == name)
    }

    /// Size of main flash in KiB.
    pub fn flash_kib(&self) -> u32 {
        self.flash.len() as u32 / 1024
    }

    /// The page that holds `address`, as its first address.
    pub fn page_of(&self, address: u32) -> u32 {
        address - (address - self.flash.start) % self.page
    }
}

/// As the size of its flash: `64 KiB`.
impl fmt::Display for FlashMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} KiB", self.flash_kib())
    }
}

/// As its name: `64k`.
impl Serialize for FlashMap {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.name.serialize(serializer)
    }
}

impl Regions {
    /// Every region with its name, in address order.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Range<u32>)> {
        [
            ("boot", &self.boot),
            ("drv", &self.drv),
            ("staging", &self.staging),
            ("data", &self.data),
            ("update", &self.update),
        ]
        .into_iter()
    }
}

/// The files of a folder that is part of the binary.
pub(super) fn texts(folder: &'static Dir) -> impl Iterator<Item = &'static str> {
    folder.files().map(|file| file.contents_utf8().expect("a test reads the files"))
}

/// Puts flash map and chip together; `None` if the chip is not described as it should be.
fn assemble(file: MapFile, family: &ChipFamily) -> Option<FlashMap> {
    let chip = family.variants.iter().find(|chip| chip.name == file.chip)?;
    let algorithm = chip.flash_algorithms.first()?;
    let algorithm = family.flash_algorithms.iter().find(|a| a.name == *algorithm)?;
    let range = |range: &Range<u64>| Some(u32::try_from(range.start).ok()?..u32::try_from(range.end).ok()?);
    let MapFile { name, chip: chip_name, variables_end, live_end, regions } = file;
    Some(FlashMap {
        name,
        chip: chip_name,
        flash: range(chip.memory_map.iter().find_map(MemoryRegion::as_nvm_region).map(|r| &r.range)?)?,
        sram: range(chip.memory_map.iter().find_map(MemoryRegion::as_ram_region).map(|r| &r.range)?)?,
        variables_end,
        live_end,
        page: u32::try_from(algorithm.flash_properties.sectors.first()?.size).ok()?,
        regions,
        algorithm: Algorithm::from_description(algorithm)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_maps_agree_on_the_places_by_which_files_are_read() {
        for map in FlashMap::all() {
            assert_eq!((map.flash.start, &map.regions.boot), (0x0800_0000, &(0x0800_0000..0x0800_1000)));
            assert_eq!(map.regions.drv.start, 0x0800_1000);
            assert_eq!(
                (&map.name, map.to_string()),
                (&format!("{}k", map.flash_kib()), format!("{} KiB", map.flash_kib()))
            );
        }
    }
}
