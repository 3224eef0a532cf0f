//! What is known of scooters that this program does not support: `targets/unsupported.yaml`.

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;

use super::Target;
use crate::block::Serial;

/// Names and serial numbers of scooters that are not supported.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UnsupportedFamilies {
    /// How serial numbers begin, and the family of scooters that has them.
    serials: BTreeMap<String, String>,
    pub(super) makers: Vec<String>,
    pub(super) groups: Vec<UnsupportedGroup>,
}

/// Scooters that are not supported for the same reason.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnsupportedGroup {
    /// Which scooters they are, in words; none if nobody needs to be told.
    #[serde(default)]
    pub title: Option<String>,
    /// Why they are not supported, if that is known: `made with an AT32F415 chip`.
    #[serde(default)]
    pub why: Option<String>,
    /// Their names, in lower case without spaces and dashes.
    pub(super) names: Vec<String>,
}

pub(super) static UNSUPPORTED: LazyLock<UnsupportedFamilies> = LazyLock::new(|| {
    yaml_serde::from_str(include_str!("../../targets/unsupported.yaml")).expect("a test reads the names")
});

impl Target {
    /// The scooters that are not supported, by the reason.
    pub fn unsupported() -> &'static [UnsupportedGroup] {
        &UNSUPPORTED.groups
    }

    /// The family of scooters that has such serial numbers, if it is known and not supported.
    ///
    /// ```
    /// use m365_drv::{block::Serial, target::Target};
    /// let serial = Serial::parse("01GXD1234C5678", "@@@@@@@@@@@@@@").unwrap();
    /// assert_eq!(Target::unsupported_family(serial), Some("Ninebot Max G2"));
    /// ```
    pub fn unsupported_family(serial: Serial) -> Option<&'static str> {
        let mut families = UNSUPPORTED.serials.iter();
        families.find(|(begin, _)| serial.as_str().starts_with(*begin)).map(|(_, family)| family.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_scooter_has_the_serial_numbers_of_an_unsupported_family() {
        for (begin, family) in &UNSUPPORTED.serials {
            let mut bytes = *b"00000000000000";
            bytes[..begin.len()].copy_from_slice(begin.as_bytes());
            let serial = Serial::from_bytes(&bytes).unwrap();
            assert_eq!(Target::unsupported_family(serial), Some(family.as_str()));
            assert_eq!(Target::owners(serial).count(), 0, "{begin}");
            assert!(!Target::all().iter().any(|target| target.serial.fits(serial)), "{begin}");
        }
    }
}
