//! Web builders of custom firmware, from `firmware/builders.yaml`.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::target::Target;

/// A web page that makes firmware to order. This program cannot fetch from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Builder {
    /// What it is called.
    pub name: String,
    /// What to open in a browser.
    pub address: String,
    /// Where it is described.
    pub more: String,
    /// The scooters that it makes firmware for, by their names on the command line.
    pub scooters: Vec<String>,
    /// What to do there for firmware without BMS communication, in order.
    pub steps: Vec<String>,
}

impl Builder {
    /// All of them.
    pub fn all() -> &'static [Self] {
        static ALL: LazyLock<Vec<Builder>> = LazyLock::new(|| {
            yaml_serde::from_str(include_str!("../../firmware/builders.yaml")).expect("a test reads it")
        });
        &ALL
    }

    /// The one for this scooter.
    pub fn of(scooter: &str) -> Option<&'static Self> {
        Self::all().iter().find(|builder| builder.scooters.iter().any(|name| name == scooter))
    }

    /// What to do there, as a sentence.
    pub fn in_words(&self) -> String {
        format!("Open {} in a browser, {}.", self.address, self.steps.join(", then "))
    }

    /// The same, with the scooters that it makes firmware for.
    pub fn for_scooters(&self) -> String {
        let titles = self.scooters.iter().filter_map(|name| Target::builtin(name)).map(|target| target.title.as_str());
        let titles: Vec<_> = titles.collect();
        format!("{}: open {} in a browser, {}.", titles.join(", "), self.address, self.steps.join(", then "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_builder_is_for_scooters_that_are_known_and_says_what_to_tick() {
        for builder in Builder::all() {
            assert!(builder.address.starts_with("https://") && builder.more.starts_with("https://"), "{builder:?}");
            assert!(builder.scooters.iter().all(|name| Target::builtin(name).is_some()), "{builder:?}");
            assert!(builder.in_words().contains("tick \""), "{builder:?}");
        }
        assert_eq!(Builder::of("pro").unwrap().address, "https://mi.cfw.sh");
        assert!(Builder::of("lite").is_none());
    }
}
