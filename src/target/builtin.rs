//! Reads the YAML files, which are part of the binary.

use std::{ops::Range, sync::LazyLock};

use probe_rs_target::{ChipFamily, MemoryRegion};
use serde::Deserialize;

use super::{Algorithm, Regions, SerialRule, Target, names};

const CHIPS: &str = include_str!("../../targets/chips/stm32f1.yaml");
const LAYOUTS: [&str; 2] =
    [include_str!("../../targets/layouts/64k.yaml"), include_str!("../../targets/layouts/128k.yaml")];
const SCOOTERS: [&str; 7] = [
    include_str!("../../targets/scooters/m365.yaml"),
    include_str!("../../targets/scooters/pro.yaml"),
    include_str!("../../targets/scooters/1s.yaml"),
    include_str!("../../targets/scooters/pro2.yaml"),
    include_str!("../../targets/scooters/lite.yaml"),
    include_str!("../../targets/scooters/mi3.yaml"),
    include_str!("../../targets/scooters/es2.yaml"),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scooter {
    name: String,
    title: String,
    #[serde(default)]
    aliases: Vec<String>,
    #[serde(default)]
    makers: Vec<String>,
    layout: String,
    serial: SerialRule,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Layout {
    name: String,
    chip: String,
    variables_end: u32,
    regions: RegionTable,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RegionTable {
    boot: Range<u32>,
    drv: Range<u32>,
    staging: Range<u32>,
    data: Range<u32>,
    update: Range<u32>,
}

/// Why a description of a scooter is refused.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// It is not valid YAML, or has unknown or missing keys.
    #[error("invalid description of a scooter")]
    Yaml(#[source] yaml_serde::Error),
    /// Its flash map does not exist, or the chip of that map does not.
    #[error("unknown flash map {0:?}")]
    UnknownLayout(String),
}

/// What the descriptions of scooters refer to.
struct Maps {
    family: ChipFamily,
    layouts: [Layout; 2],
}

static MAPS: LazyLock<Maps> = LazyLock::new(|| Maps {
    family: yaml_serde::from_str(CHIPS).expect("a test reads the chips"),
    layouts: LAYOUTS.map(|text| yaml_serde::from_str(text).expect("a test reads the layouts")),
});

pub(super) fn all() -> &'static [Target] {
    static ALL: LazyLock<Vec<Target>> = LazyLock::new(|| {
        let all: Vec<_> = SCOOTERS.map(|text| read(text).expect("a test reads the scooters")).into();
        assert_eq!(names::clash(&all), None, "a name of two scooters");
        all
    });
    &ALL
}

pub(super) fn read(text: &str) -> Result<Target, TargetError> {
    let scooter: Scooter = yaml_serde::from_str(text).map_err(TargetError::Yaml)?;
    let layout = scooter.layout.clone();
    assemble(scooter, &MAPS.layouts, &MAPS.family).ok_or(TargetError::UnknownLayout(layout))
}

/// Puts scooter, flash map and chip together; `None` if one of them does not exist.
fn assemble(scooter: Scooter, layouts: &[Layout], family: &ChipFamily) -> Option<Target> {
    let layout = layouts.iter().find(|layout| layout.name == scooter.layout)?;
    let chip = family.variants.iter().find(|chip| chip.name == layout.chip)?;
    let algorithm = chip.flash_algorithms.first()?;
    let algorithm = family.flash_algorithms.iter().find(|a| a.name == *algorithm)?;
    let range = |range: &Range<u64>| Some(u32::try_from(range.start).ok()?..u32::try_from(range.end).ok()?);
    let regions = &layout.regions;
    Some(Target {
        name: scooter.name,
        title: scooter.title,
        aliases: scooter.aliases,
        makers: scooter.makers,
        chip: layout.chip.clone(),
        flash: range(chip.memory_map.iter().find_map(MemoryRegion::as_nvm_region).map(|r| &r.range)?)?,
        sram: range(chip.memory_map.iter().find_map(MemoryRegion::as_ram_region).map(|r| &r.range)?)?,
        variables_end: layout.variables_end,
        page: u32::try_from(algorithm.flash_properties.sectors.first()?.size).ok()?,
        regions: Regions {
            boot: regions.boot.clone(),
            drv: regions.drv.clone(),
            staging: regions.staging.clone(),
            data: regions.data.clone(),
            update: regions.update.clone(),
        },
        serial: scooter.serial,
        algorithm: Algorithm::from_description(algorithm)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scooter_of_the_folder_is_built_in_and_valid() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/targets/scooters");
        let files = std::fs::read_dir(folder).unwrap().count();
        assert_eq!(files, all().len());
        for target in all() {
            assert_eq!(target.validate(), [], "{}", target.name);
        }
    }

    #[test]
    fn a_misspelt_key_is_an_error() {
        assert!(matches!(read(&SCOOTERS[0].replace("title:", "titel:")), Err(TargetError::Yaml(_))));
    }

    #[test]
    fn an_unknown_layout_is_an_error() {
        let error = read(&SCOOTERS[0].replace("layout: 64k", "layout: 32k")).unwrap_err();
        assert_eq!(error.to_string(), "unknown flash map \"32k\"");
    }
}
