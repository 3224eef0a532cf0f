//! `--simulate`: which simulated board is used.

use std::path::{Path, PathBuf};

use m365_drv::sim::Scenario;

/// The help of `--simulate`, with all scenarios.
pub(crate) fn help() -> String {
    format!(
        "Rehearse on a simulated board; no hardware is touched.\n\nBOARD is a scenario: {}. Or it is the folder of a saved \
         board; `--simulate` alone means `locked`. To make a saved board, write `./mine` (begins as `locked`) or \
         `mine:SCENARIO`. The folder is updated after each command. `shop:SCENARIO,SCENARIO` makes a folder with \
         several boards, which are connected one after the other, as in a batch; those after a `+` are on another probe.",
        explained()
    )
}

/// The scenarios, each with what it is.
fn explained() -> String {
    Scenario::all().map(|scenario| format!("{scenario} ({})", scenario.about())).collect::<Vec<_>>().join(", ")
}

fn names() -> String {
    Scenario::all().map(|scenario| scenario.to_string()).collect::<Vec<_>>().join(", ")
}

/// What `--simulate` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SimulateArg {
    /// A fresh board, forgotten at the end.
    Scenario(Scenario),
    /// A saved board, or several for each probe; made from the scenarios if the folder does not exist.
    Folder { path: PathBuf, probes: Vec<Vec<Scenario>> },
}

impl SimulateArg {
    /// Reads the value of `--simulate`. A word that is neither a scenario nor a folder is taken for a mistyped scenario: a
    /// new folder needs a separator in its name, or a scenario behind it.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        if let Ok(scenario) = text.parse() {
            return Ok(Self::Scenario(scenario));
        }
        let has_separator = |text: &str| text.contains(['/', '\\']);
        let unknown = |what: &str, ways: String| format!("unknown {what}: scenarios are {}; {ways}", names());
        // `C:\boards\mine` is a path; `mine:briked` is a mistyped scenario.
        let with_scenario = text.rsplit_once(':').filter(|(folder, name)| !folder.is_empty() && !has_separator(name));
        if let Some((folder, name)) = with_scenario {
            let scenario = |name: &str| {
                let way = || "for a saved board write FOLDER:SCENARIO".into();
                name.parse().map_err(|_| unknown(&format!("scenario {name:?}"), way()))
            };
            let boards = |names: &str| names.split(',').map(scenario).collect::<Result<Vec<_>, _>>();
            let probes = name.split('+').map(boards).collect::<Result<_, _>>()?;
            return Ok(Self::Folder { path: folder.into(), probes });
        }
        if has_separator(text) || (!text.is_empty() && Path::new(text).exists()) {
            return Ok(Self::Folder { path: text.into(), probes: vec![vec![Scenario::Locked]] });
        }
        let folder = if text.is_empty() { "FOLDER" } else { text };
        let ways = format!("for a new folder write ./{folder} or {folder}:SCENARIO");
        Err(unknown(&format!("scenario or folder {text:?}"), ways))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn folder(path: &str, scenario: Scenario) -> SimulateArg {
        SimulateArg::Folder { path: path.into(), probes: vec![vec![scenario]] }
    }

    #[test]
    fn the_readme_lists_every_scenario_in_order() {
        let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
        let list = Scenario::all().map(|scenario| format!("`{scenario}`")).collect::<Vec<_>>().join(", ");
        let readme = readme.replace('\n', " ");
        assert!(readme.contains(&format!("({list};")), "README.md does not contain this list:\n{list}");
    }

    #[test]
    fn a_scenario_goes_before_a_folder_of_its_name() {
        assert_eq!(SimulateArg::read("bricked"), Ok(SimulateArg::Scenario(Scenario::Bricked)));
        assert_eq!(SimulateArg::read("./bricked"), Ok(folder("./bricked", Scenario::Locked)));
    }

    #[test]
    fn a_folder_may_name_its_scenario() {
        assert_eq!(SimulateArg::read("B:bricked"), Ok(folder("B", Scenario::Bricked)));
        assert_eq!(SimulateArg::read("boards/b:wrp"), Ok(folder("boards/b", Scenario::Wrp)));
        assert_eq!(SimulateArg::read("boards/b"), Ok(folder("boards/b", Scenario::Locked)));
        assert_eq!(SimulateArg::read("b/"), Ok(folder("b/", Scenario::Locked)));
    }

    #[test]
    fn a_folder_may_have_several_boards_and_probes() {
        let probes = vec![vec![Scenario::Locked, Scenario::Absent], vec![Scenario::Ble]];
        assert_eq!(
            SimulateArg::read("shop:locked,absent+ble"),
            Ok(SimulateArg::Folder { path: "shop".into(), probes })
        );
        let error = SimulateArg::read("shop:locked,opne").unwrap_err();
        assert!(error.starts_with("unknown scenario \"opne\": "), "{error}");
    }

    #[test]
    fn a_drive_letter_is_part_of_the_path() {
        assert_eq!(SimulateArg::read(r"C:\boards\b"), Ok(folder(r"C:\boards\b", Scenario::Locked)));
        assert_eq!(SimulateArg::read(r"C:\boards\b:open"), Ok(folder(r"C:\boards\b", Scenario::Open)));
        assert_eq!(SimulateArg::read("C:/boards/b"), Ok(folder("C:/boards/b", Scenario::Locked)));
    }

    #[test]
    fn a_mistyped_scenario_is_not_a_new_folder() {
        let error = SimulateArg::read("lockde").unwrap_err();
        assert!(error.starts_with("unknown scenario or folder \"lockde\": scenarios are new, locked, "), "{error}");
        assert!(error.ends_with("; for a new folder write ./lockde or lockde:SCENARIO"), "{error}");
        assert!(SimulateArg::read("").unwrap_err().contains("write ./FOLDER"));
        let error = SimulateArg::read("B:briked").unwrap_err();
        assert!(error.starts_with("unknown scenario \"briked\": scenarios are new, locked, "), "{error}");
        assert_eq!(SimulateArg::read("src"), Ok(folder("src", Scenario::Locked)), "it exists");
    }
}
