//! Reads the descriptions of scooters, YAML files that are part of the binary.

use std::sync::LazyLock;

use include_dir::{Dir, include_dir};
use serde::Deserialize;

use super::{BlockRule, FlashMap, Pads, SerialRule, Target, flash_map::texts, names};

/// A new file is noticed when this file is compiled again.
static SCOOTERS: Dir = include_dir!("$CARGO_MANIFEST_DIR/targets/scooters");

/// A file in `targets/scooters`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScooterFile {
    name: String,
    title: String,
    /// Place in lists; without one behind those that have one.
    #[serde(default = "last")]
    order: u32,
    #[serde(default)]
    aliases: Vec<String>,
    #[serde(default)]
    makers: Vec<String>,
    layout: String,
    block: String,
    /// That of a scooter which shares its controller with no other is its own name.
    #[serde(default)]
    controller: Option<String>,
    #[serde(default)]
    pads: Pads,
    serial: SerialRule,
}

fn last() -> u32 {
    u32::MAX
}

/// Why a description of a scooter is refused.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// It is not valid YAML, or has unknown or missing keys.
    #[error("invalid description of a scooter")]
    Yaml(#[source] yaml_serde::Error),
    /// Its flash map does not exist.
    #[error("unknown flash map {0:?}")]
    UnknownMap(String),
    /// The rules of its data block do not exist.
    #[error("unknown data block {0:?}")]
    UnknownBlock(String),
}

pub(super) fn all() -> &'static [Target] {
    static ALL: LazyLock<Vec<Target>> = LazyLock::new(|| {
        let mut all: Vec<_> = texts(&SCOOTERS).map(|text| parse(text).expect("a test reads the scooters")).collect();
        all.sort_by_key(|(order, _)| *order);
        let all: Vec<_> = all.into_iter().map(|(_, target)| target).collect();
        assert_eq!(names::clash(&all), None, "a name of two scooters");
        all
    });
    &ALL
}

pub(super) fn read(text: &str) -> Result<Target, TargetError> {
    parse(text).map(|(_, target)| target)
}

fn parse(text: &str) -> Result<(u32, Target), TargetError> {
    let ScooterFile { name, title, order, aliases, makers, layout, block, controller, pads, serial } =
        yaml_serde::from_str(text).map_err(TargetError::Yaml)?;
    let map = FlashMap::named(&layout).ok_or(TargetError::UnknownMap(layout))?.clone();
    let block = BlockRule::named(&block).ok_or(TargetError::UnknownBlock(block))?.clone();
    let controller = controller.unwrap_or_else(|| name.clone());
    Ok((order, Target { name, title, aliases, makers, map, controller, pads, block, serial }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scooter_of_the_folder_is_built_in_and_valid() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/targets/scooters");
        let files = std::fs::read_dir(folder).unwrap().count();
        assert_eq!(
            files,
            all().len(),
            "to build a new file in, save src/target/builtin.rs or run `cargo clean -p m365-drv`"
        );
        for target in all() {
            assert_eq!(target.validate(), [], "{}", target.name);
        }
    }

    #[test]
    fn scooters_are_listed_in_the_order_that_their_files_give() {
        let names: Vec<_> = all().iter().map(|target| target.name.as_str()).collect();
        assert_eq!(names[..8], ["m365", "pro", "1s", "pro2", "lite", "mi3", "4pro", "es2"]);
    }

    fn pro() -> &'static str {
        SCOOTERS.get_file("pro.yaml").unwrap().contents_utf8().unwrap()
    }

    #[test]
    fn a_misspelt_key_is_an_error() {
        assert!(matches!(read(&pro().replace("title:", "titel:")), Err(TargetError::Yaml(_))));
    }

    #[test]
    fn an_unknown_flash_map_or_data_block_is_an_error() {
        let error = read(&pro().replace("layout: 64k", "layout: 32k")).unwrap_err();
        assert_eq!(error.to_string(), "unknown flash map \"32k\"");
        let error = read(&pro().replace("block: m365", "block: m356")).unwrap_err();
        assert_eq!(error.to_string(), "unknown data block \"m356\"");
    }
}
