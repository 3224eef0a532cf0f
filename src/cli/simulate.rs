//! `--simulate`: which simulated board is used, and what a rehearsal on it needs.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

use m365_drv::{
    board::Probes,
    clock::Clock,
    image::{Catalog, Image, Kind},
    printable::{quoted, quoted_path},
    sim::{APP_64, APP_128, BOOT, Scenario, SimBoard},
    target::Target,
};

use super::{exit::Meaning, exit_codes::Exit};

/// The help of `--simulate`, with all scenarios.
pub(super) fn help() -> String {
    format!(
        "Rehearse on a simulated board; no hardware is touched.\n\nBOARD is a scenario ({}), or the folder of a saved \
         board; `--simulate` alone means `locked`. To make a saved board, write `./mine` (begins as `locked`) or \
         `mine:SCENARIO`. The folder is updated after each command.",
        names()
    )
}

fn names() -> String {
    Scenario::all().map(|scenario| scenario.to_string()).collect::<Vec<_>>().join(", ")
}

/// What `--simulate` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SimulateArg {
    /// A fresh board, forgotten at the end.
    Scenario(Scenario),
    /// A saved board; made from the scenario if the folder does not exist.
    Folder { path: PathBuf, scenario: Scenario },
}

impl SimulateArg {
    /// Reads the value of `--simulate`. A word that is neither a scenario nor a folder is taken for a mistyped scenario: a
    /// new folder needs a separator in its name, or a scenario behind it.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        if let Ok(scenario) = text.parse() {
            return Ok(Self::Scenario(scenario));
        }
        let has_separator = |text: &str| text.contains(['/', '\\']);
        let unknown = |what: &str, ways: String| format!("unknown {what}: scenarios are {}; {ways}", names());
        // `C:\boards\mine` is a path; `mine:briked` is a mistyped scenario.
        let with_scenario = text.rsplit_once(':').filter(|(folder, name)| !folder.is_empty() && !has_separator(name));
        if let Some((folder, name)) = with_scenario {
            return match name.parse() {
                Ok(scenario) => Ok(Self::Folder { path: folder.into(), scenario }),
                Err(_) => Err(unknown(&format!("scenario {name:?}"), "for a saved board write FOLDER:SCENARIO".into())),
            };
        }
        if has_separator(text) || (!text.is_empty() && Path::new(text).exists()) {
            return Ok(Self::Folder { path: text.into(), scenario: Scenario::Locked });
        }
        let folder = if text.is_empty() { "FOLDER" } else { text };
        let ways = format!("for a new folder write ./{folder} or {folder}:SCENARIO");
        Err(unknown(&format!("scenario or folder {text:?}"), ways))
    }
}

/// A simulated board, and its folder if it is saved.
pub(crate) struct Rehearsal {
    board: SimBoard,
    home: Option<PathBuf>,
    title: String,
}

impl Rehearsal {
    /// Prepares the board: that of the named scooter, else that of a Pro.
    pub(crate) fn begin(arg: &SimulateArg, target: Option<&Target>) -> anyhow::Result<Self> {
        let target = target.or_else(|| Target::builtin("pro")).unwrap_or(&Target::all()[0]);
        match arg {
            SimulateArg::Scenario(scenario) => {
                let board = SimBoard::new(*scenario, target);
                Ok(Self { board, home: None, title: quoted(scenario) })
            }
            SimulateArg::Folder { path, scenario } => {
                let title = quoted_path(path);
                let empty = fs::read_dir(path).map_or(true, |mut entries| entries.next().is_none());
                let board = if path.exists() && !empty {
                    SimBoard::load(path).meaning(Exit::Usage, || format!("{title} is not a saved board"))?
                } else {
                    SimBoard::new(*scenario, target)
                };
                let rehearsal = Self { board, home: Some(path.clone()), title };
                // Before the command, not only after it, so that a folder that cannot be written is refused early.
                rehearsal.save(Exit::Usage)?;
                Ok(rehearsal)
            }
        }
    }

    /// The board's clock.
    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        self.board.clock()
    }

    /// The board's probe and clock.
    pub(crate) fn probes(&self) -> Probes {
        Probes::new(self.board.probe_lister(), Arc::new(Lived(self.board.clock())))
    }

    /// What to call the board, in quotes.
    pub(crate) fn title(&self) -> &str {
        &self.title
    }

    /// The folder of a saved board.
    pub(crate) fn home(&self) -> Option<&Path> {
        self.home.as_deref()
    }

    /// Our own image, for a rehearsal without one; `None` if the image on the board can stay.
    pub(crate) fn stand_in(&self, kind: Kind, target: &Target) -> Option<Image> {
        let (region, bytes) = match kind {
            Kind::Boot => (&target.regions.boot, BOOT),
            _ if target.flash_kib() > 64 => (&target.regions.drv, APP_128),
            _ => (&target.regions.drv, APP_64),
        };
        let flash = self.board.flash();
        let place = (region.start - target.flash.start) as usize..(region.end - target.flash.start) as usize;
        let own = flash.get(place).filter(|_| !self.board.is_protected());
        let known = own.and_then(|bytes| Catalog::builtin().identify(bytes));
        let stays = known.is_some_and(|known| known.entry.kind == kind && known.entry.is_for(&target.name));
        Image::from_bytes(bytes).ok().filter(|_| !stays)
    }

    /// Writes the board back to its folder; `exit` is what a failure means.
    pub(crate) fn save(&self, exit: Exit) -> anyhow::Result<()> {
        let Some(folder) = &self.home else { return Ok(()) };
        let saved = self.board.save(folder);
        saved.meaning(exit, || format!("cannot save the board to {}", quoted_path(folder)))
    }
}

/// The board's own time, in which a wait takes as long as it would with a real board: whoever rehearses sees seconds pass.
#[derive(Debug)]
struct Lived(Arc<dyn Clock>);

impl Clock for Lived {
    fn now(&self) -> Duration {
        self.0.now()
    }

    fn sleep(&self, duration: Duration) {
        thread::sleep(duration);
        self.0.sleep(duration);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(path: &str, scenario: Scenario) -> SimulateArg {
        SimulateArg::Folder { path: path.into(), scenario }
    }

    #[test]
    fn the_readme_lists_every_scenario_in_order() {
        let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
        let list = Scenario::all().map(|scenario| format!("`{scenario}`")).collect::<Vec<_>>().join(", ");
        let readme = readme.replace('\n', " ");
        assert!(readme.contains(&format!("({list})")), "README.md does not contain this list:\n{list}");
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
