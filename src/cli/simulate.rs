//! `--simulate`: which simulated board is meant.

use std::{path::PathBuf, str::FromStr};

/// What `--simulate` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SimulateArg {
    /// A fresh board, forgotten at the end.
    Scenario(String),
    /// A saved board; made from the scenario where the folder does not exist.
    Folder { path: PathBuf, scenario: String },
}

/// The scenario of a folder that does not exist and names none.
const DEFAULT: &str = "locked";

const SCENARIOS: [&str; 7] = ["new", "locked", "bricked", "open", "half-flashed", "wrp", "absent"];

impl FromStr for SimulateArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if SCENARIOS.contains(&text) {
            return Ok(Self::Scenario(text.into()));
        }
        match text.rsplit_once(':') {
            Some((folder, scenario)) if SCENARIOS.contains(&scenario) && !folder.is_empty() => {
                Ok(Self::Folder { path: folder.into(), scenario: scenario.into() })
            }
            // `C:\boards\mine` is a path. `mine:briked` is a slip: a folder of that name is nobody's wish.
            Some((folder, scenario)) if !scenario.contains(['/', '\\']) && !folder.is_empty() => {
                Err(format!("no scenario is named `{scenario}`; there are {}", SCENARIOS.join(", ")))
            }
            _ if text.is_empty() => Err("a scenario or a folder is missing".into()),
            _ => Ok(Self::Folder { path: text.into(), scenario: DEFAULT.into() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(path: &str, scenario: &str) -> Result<SimulateArg, String> {
        Ok(SimulateArg::Folder { path: path.into(), scenario: scenario.into() })
    }

    #[test]
    fn a_scenario_goes_before_a_folder_of_its_name() {
        assert_eq!("bricked".parse(), Ok(SimulateArg::Scenario("bricked".into())));
        assert_eq!("./bricked".parse(), folder("./bricked", "locked"));
    }

    #[test]
    fn a_folder_may_name_its_scenario() {
        assert_eq!("B:bricked".parse(), folder("B:bricked".strip_suffix(":bricked").unwrap(), "bricked"));
        assert_eq!("boards/b:wrp".parse(), folder("boards/b", "wrp"));
        assert_eq!("boards/b".parse(), folder("boards/b", "locked"));
    }

    #[test]
    fn a_drive_letter_is_part_of_the_path() {
        assert_eq!(r"C:\boards\b".parse(), folder(r"C:\boards\b", "locked"));
        assert_eq!(r"C:\boards\b:open".parse(), folder(r"C:\boards\b", "open"));
        assert_eq!("C:/boards/b".parse(), folder("C:/boards/b", "locked"));
    }

    #[test]
    fn a_scenario_that_is_none_is_refused() {
        assert!("B:briked".parse::<SimulateArg>().unwrap_err().contains("half-flashed"));
        assert!("".parse::<SimulateArg>().is_err());
    }
}
