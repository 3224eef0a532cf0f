//! Which scooter: the flash map of its controller, the form of its serial number, and the chip that it was made with.
//!
//! Everything here is data: one file for each scooter in `targets/scooters`, which refers to a flash map in
//! `targets/layouts` and that to a chip in `targets/chips`. No code depends on the name of a scooter.

mod algorithm;
pub mod artery;
mod block_rule;
mod builtin;
mod check;
mod flash_map;
pub mod gigadevice;
mod names;
mod unsupported;

use std::{collections::BTreeMap, fmt};

pub use self::{
    algorithm::Algorithm,
    block_rule::{BlockRule, Used},
    builtin::TargetError,
    check::Violation,
    flash_map::{FlashMap, Regions},
    names::NameError,
};

use serde::{Deserialize, Serialize};

use crate::block::{Serial, SerialError};

/// A scooter with everything that flashing its controller needs to know.
#[derive(Debug, Clone)]
pub struct Target {
    /// The name on the command line, as `pro2`.
    pub name: String,
    /// The name that people use.
    pub title: String,
    /// Other names, in lower case without spaces and dashes.
    pub aliases: Vec<String>,
    /// Makers that people put before a name, written the same way.
    pub makers: Vec<String>,
    /// The flash map of its controller.
    pub map: FlashMap,
    /// The controller, which several scooters may share: by the name of one of them.
    pub controller: String,
    /// Where the pads are on it.
    pub pads: Pads,
    /// What its firmware wants of the data block.
    pub block: BlockRule,
    /// What a serial number looks like.
    pub serial: SerialRule,
}

/// Where the pads are on a controller: which picture shows them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pads {
    /// Not known for certain.
    #[default]
    Unknown,
    /// On the top side.
    Top,
    /// Round ones on the bottom side.
    Bottom,
    /// Those of a 4 Pro.
    #[serde(rename = "4pro")]
    FourPro,
}

/// The form that all Ninebots have.
const ANY_FORM: &str = "@@@@@@@@@@@@@@";

/// The form of a scooter's serial numbers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SerialRule {
    /// `#` stands for a digit, `@` for a digit or a capital letter, anything else for itself.
    pub pattern: String,
    /// A serial number of this form, for messages and rehearsals.
    pub example: String,
    /// Other forms that boards of this scooter have.
    #[serde(default)]
    pub also: Vec<SerialForm>,
    /// What the first characters mean, five at most, as far as it is known.
    #[serde(default)]
    pub prefixes: BTreeMap<String, String>,
    /// The first five characters that this scooter's firmware compares; each selects a region. Empty if no firmware of
    /// the scooter is known to compare any.
    #[serde(default)]
    pub compared: Vec<String>,
    /// The speed limits that the newest firmware sets by the first five characters, and that of all others under `other`. Empty
    /// if nobody looked.
    #[serde(default)]
    pub limits: BTreeMap<String, SpeedLimit>,
}

/// The speed limits of a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpeedLimit {
    /// In the normal mode, in km/h.
    pub normal: u8,
    /// In the sport mode, in km/h.
    pub sport: u8,
}

/// `20 km/h, 25 km/h in sport mode`.
impl fmt::Display for SpeedLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} km/h, {} km/h in sport mode", self.normal, self.sport)
    }
}

/// One form of serial numbers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SerialForm {
    /// As [`SerialRule::pattern`].
    pub pattern: String,
    /// A serial number of this form.
    pub example: String,
}

impl SerialRule {
    /// Every form with its example, the usual one first.
    pub fn forms(&self) -> impl Iterator<Item = (&str, &str)> {
        let also = self.also.iter().map(|form| (&*form.pattern, &*form.example));
        std::iter::once((&*self.pattern, &*self.example)).chain(also)
    }

    /// Whether a serial has one of the forms, and is not that of a scooter that is not supported.
    pub fn fits(&self, serial: Serial) -> bool {
        self.forms().any(|(pattern, _)| serial.matches(pattern)) && Target::unsupported_family(serial).is_none()
    }

    /// Reads a serial in one of the forms. That of a scooter that is not supported is refused under the scooter's name.
    ///
    /// ```
    /// let rule = &m365_drv::target::Target::builtin("m365").unwrap().serial;
    /// assert!(rule.read("16133/00012345").is_ok() && rule.read("M1GCA1606ABCDE").is_ok());
    /// assert!(rule.read("M1GCA1601C0001").is_err(), "a factory default");
    /// ```
    pub fn read(&self, text: &str) -> Result<Serial, SerialError> {
        read_serial(text, &self.forms().collect::<Vec<_>>())
    }

    /// What another serial number means for the region. `None` if the firmware of this scooter does not compare it, or if
    /// the first five characters stay the same. `from` are those of the board, if they are known.
    ///
    /// ```
    /// let rule = &m365_drv::target::Target::builtin("pro2").unwrap().serial;
    /// assert!(rule.change_of_region(Some("26354"), "30371").is_some());
    /// assert!(rule.change_of_region(Some("26354"), "26354").is_none());
    /// ```
    pub fn change_of_region(&self, from: Option<&str>, to: &str) -> Option<String> {
        if self.compared.is_empty() || from == Some(to) {
            return None;
        }
        let known = |prefix: &str| self.prefixes.get(prefix).map_or_else(String::new, |what| format!(" ({what})"));
        let new = self.limit(to);
        if !self.compared.iter().any(|prefix| prefix == to) {
            let to = format!("{to}{}", known(to));
            let limit = new.map_or_else(String::new, |limit| format!(", with a speed limit of {limit}"));
            return Some(format!(
                "the firmware does not know a region for serial numbers that begin with {to}; it uses its default region{limit}"
            ));
        }
        let from = from?;
        let effect = match (self.limit(from), new) {
            (Some(old), Some(new)) if old == new => format!("keeps the speed limit of {new}"),
            (Some(old), Some(new)) => format!("changes the speed limit from {old} to {new}"),
            _ => "may change the speed limit".to_owned(),
        };
        Some(format!(
            "the serial number selects the region: changing it from {from}{} to {to}{} {effect}",
            known(from),
            known(to)
        ))
    }

    /// The speed limit that the newest firmware sets for serial numbers that begin with these five characters.
    pub fn limit(&self, prefix: &str) -> Option<SpeedLimit> {
        self.limits.get(prefix).or_else(|| self.limits.get("other")).copied()
    }

    /// Each speed limit, with the beginnings of the serial numbers that have it.
    pub fn limits_in_words(&self) -> Vec<String> {
        let mut limits: Vec<_> = self.limits.values().copied().collect();
        limits.sort_by_key(|limit| (limit.sport, limit.normal));
        limits.dedup();
        let begins = |limit: SpeedLimit| {
            let of_it =
                self.limits.iter().filter(move |(_, other)| **other == limit).map(|(prefix, _)| match &**prefix {
                    "other" => "all others",
                    prefix => prefix,
                });
            of_it.collect::<Vec<_>>().join(", ")
        };
        limits.into_iter().map(|limit| format!("{limit}: {}", begins(limit))).collect()
    }
}

/// Reads a serial in one of these forms, unless it is that of a scooter that is not supported.
fn read_serial(text: &str, forms: &[(&str, &str)]) -> Result<Serial, SerialError> {
    if let Ok(serial) = Serial::parse(text, ANY_FORM)
        && let Some(family) = Target::unsupported_family(serial)
    {
        return Err(SerialError::NotSupported { serial, family });
    }
    Serial::parse_any(text, forms)
}

impl Target {
    /// Reads the serial number of any supported scooter.
    ///
    /// ```
    /// use m365_drv::target::Target;
    /// assert!(Target::read_any_serial("16133/00012345").is_ok());
    /// let error = Target::read_any_serial("01GXA1834C1234").unwrap_err().to_string();
    /// assert!(error.contains("Ninebot Max G2"), "{error}");
    /// ```
    pub fn read_any_serial(text: &str) -> Result<Serial, SerialError> {
        let mut forms: Vec<(&str, &str)> = Self::all().iter().flat_map(|target| target.serial.forms()).collect();
        forms.sort_unstable();
        forms.dedup_by_key(|(pattern, _)| *pattern);
        read_serial(text, &forms)
    }

    /// The scooter with exactly this name.
    ///
    /// ```
    /// let pro = m365_drv::target::Target::builtin("pro").unwrap();
    /// assert_eq!(pro.map.regions.data.start, 0x0800_f800);
    /// ```
    pub fn builtin(name: &str) -> Option<&'static Self> {
        Self::all().iter().find(|target| target.name == name)
    }

    /// The scooter that people mean by a name: case, spaces and dashes do not matter, and a maker may stand before it.
    ///
    /// ```
    /// use m365_drv::target::{NameError, Target};
    /// assert_eq!(Target::named("Mi Electric Scooter Pro 2").unwrap().name, "pro2");
    /// assert!(matches!(Target::named("4 Lite"), Err(NameError::NotSupported { .. })));
    /// ```
    pub fn named(text: &str) -> Result<&'static Self, NameError> {
        names::find(text)
    }

    /// Reads the description of a scooter: YAML, as in `targets/scooters`. [`Target::validate`] tells whether it makes
    /// sense.
    pub fn from_yaml(text: &str) -> Result<Self, TargetError> {
        builtin::read(text)
    }

    /// All scooters, in the order of lists: Xiaomi's first, as they came to market.
    pub fn all() -> &'static [Self] {
        builtin::all()
    }

    /// A scooter whose flash map is for a chip of this many KiB, for work that depends on the chip only: of several the first of
    /// those with the most data pages. Chips of another or an unknown size get the smallest map.
    pub fn for_chip(flash_kib: impl Into<Option<u32>>) -> &'static Self {
        let flash_kib = flash_kib.into();
        let maps = FlashMap::all();
        Self::widest(maps.iter().find(|map| Some(map.flash_kib()) == flash_kib).unwrap_or(&maps[0]))
    }

    /// The first scooter with this flash map of those with the most data pages.
    pub fn widest(map: &FlashMap) -> &'static Self {
        let same = Self::all().iter().filter(|target| target.map == *map);
        same.rev().max_by_key(|target| target.block.copies.len()).unwrap_or(&Self::all()[0])
    }

    /// The scooters whose serial numbers are known to begin like this one.
    ///
    /// ```
    /// use m365_drv::{block::Serial, target::Target};
    /// let serial = Serial::parse("21886/00012345", "#####/########").unwrap();
    /// assert_eq!(Target::owners(serial).map(|target| &*target.name).collect::<Vec<_>>(), ["pro"]);
    /// ```
    pub fn owners(serial: Serial) -> impl Iterator<Item = &'static Self> {
        let begins = move |prefix: &String| serial.as_str().starts_with(prefix);
        let is_supported = Self::unsupported_family(serial).is_none();
        Self::all().iter().filter(move |target| {
            let rule = &target.serial;
            is_supported && rule.prefixes.keys().chain(&rule.compared).any(begins)
        })
    }

    /// Whether this scooter has the controller of another one, or is that one: people run the firmware of one on the other.
    pub fn is_kin(&self, other: &Self) -> bool {
        self.controller == other.controller
    }

    /// Every rule that this target breaks; a built-in one breaks none.
    pub fn validate(&self) -> Vec<Violation> {
        check::violations(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(scooter: &str, from: Option<&str>, to: &str) -> Option<String> {
        Target::builtin(scooter).unwrap().serial.change_of_region(from, to)
    }

    #[test]
    fn a_serial_matters_only_to_firmware_that_compares_it() {
        assert_eq!(change("pro", Some("21886"), "18832"), None);
        assert_eq!(change("m365", None, "99999"), None);
        assert_eq!(change("es2", None, "N2GSD"), None);
    }

    #[test]
    fn another_prefix_is_another_region() {
        let words = "the serial number selects the region: changing it from 26354 (Europe) to 30371 (Mercedes edition) keeps \
                     the speed limit of 20 km/h, 25 km/h in sport mode";
        assert_eq!(change("pro2", Some("26354"), "30371").as_deref(), Some(words));
        let words = "the serial number selects the region: changing it from 26354 (Europe) to 25701 changes the speed limit \
                     from 20 km/h, 25 km/h in sport mode to 15 km/h, 20 km/h in sport mode";
        assert_eq!(change("pro2", Some("26354"), "25701").as_deref(), Some(words));
        assert_eq!(change("pro2", None, "30371"), None, "not known to change");
        assert_eq!(change("1s", Some("11111"), "11111"), None, "the board's own");
    }

    #[test]
    fn a_prefix_that_the_firmware_does_not_compare_is_named() {
        let words = "the firmware does not know a region for serial numbers that begin with 21886; it uses its default region, \
                     with a speed limit of 20 km/h, 25 km/h in sport mode";
        assert_eq!(change("1s", None, "21886").as_deref(), Some(words));
        let words = "the firmware does not know a region for serial numbers that begin with 25600 (global); it uses its default \
                     region, with a speed limit of 15 km/h, 20 km/h in sport mode";
        assert_eq!(change("lite", Some("25702"), "25600").as_deref(), Some(words));
    }
}
