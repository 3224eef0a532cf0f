//! `--simulate`: which simulated board is meant, and what a rehearsal on it needs.

use std::{
    fs,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
    thread,
    time::Duration,
};

use m365_drv::{
    board::Probes,
    clock::Clock,
    image::{Catalog, Image, Kind},
    sim::{APP_64, APP_128, BOOT, Layout, Scenario, SimBoard},
    target::Target,
};

use super::exit::{Exit, Meaning};

/// What `--simulate` does, with all the boards that there are.
pub(super) fn help() -> String {
    format!(
        "Rehearse on a simulated board; no hardware is touched.\n\nBOARD is a scenario ({}), or a folder that holds a \
         saved board. A folder that does not exist is made from scenario `locked`, or from the one named as \
         `FOLDER:SCENARIO`; the board is written back after each command.",
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
    /// A saved board; made from the scenario where the folder does not exist.
    Folder { path: PathBuf, scenario: Scenario },
}

impl FromStr for SimulateArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(scenario) = text.parse() {
            return Ok(Self::Scenario(scenario));
        }
        let whole = Self::Folder { path: text.into(), scenario: Scenario::Locked };
        let Some((folder, name)) = text.rsplit_once(':').filter(|(folder, _)| !folder.is_empty()) else {
            return if text.is_empty() { Err("a scenario or a folder is missing".into()) } else { Ok(whole) };
        };
        match name.parse() {
            Ok(scenario) => Ok(Self::Folder { path: folder.into(), scenario }),
            // `C:\boards\mine` is a path. `mine:briked` is a slip: a folder of that name is nobody's wish.
            Err(_) if name.contains(['/', '\\']) => Ok(whole),
            Err(error) => Err(format!("{error}; there are {}", names())),
        }
    }
}

/// A simulated board on the bench, and the folder where it is kept, if it is.
pub(crate) struct Rehearsal {
    board: SimBoard,
    home: Option<PathBuf>,
    title: String,
}

impl Rehearsal {
    /// Puts the board on the bench: the named scooter's own, else one with 64 KiB.
    pub(crate) fn begin(arg: &SimulateArg, target: Option<&Target>) -> anyhow::Result<Self> {
        let layout = target.map_or(Layout::XIAOMI, layout_of);
        match arg {
            SimulateArg::Scenario(scenario) => {
                let board = SimBoard::new(*scenario, &layout);
                Ok(Self { board, home: None, title: scenario.to_string() })
            }
            SimulateArg::Folder { path, scenario } => {
                let title = path.display().to_string();
                let empty = fs::read_dir(path).map_or(true, |mut entries| entries.next().is_none());
                let board = if path.exists() && !empty {
                    SimBoard::load(path).meaning(Exit::Usage, || format!("{title} is no saved board"))?
                } else {
                    SimBoard::new(*scenario, &layout)
                };
                let rehearsal = Self { board, home: Some(path.clone()), title };
                // Before the command, not only after it: a folder that cannot be written is the user's slip, not ours.
                rehearsal.save()?;
                Ok(rehearsal)
            }
        }
    }

    /// The probe that the board hangs on, and the board's own time.
    pub(crate) fn probes(&self) -> Probes {
        Probes::new(self.board.probe_lister(), Arc::new(Lived(self.board.clock())))
    }

    /// What to call the board.
    pub(crate) fn title(&self) -> &str {
        &self.title
    }

    /// The folder in which the board is kept, if it is.
    pub(crate) fn home(&self) -> Option<&Path> {
        self.home.as_deref()
    }

    /// Our own image, for a rehearsal that was given none; `None` where the board's own can stay.
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

    /// Writes the board back to its folder.
    pub(crate) fn save(&self) -> anyhow::Result<()> {
        let Some(folder) = &self.home else { return Ok(()) };
        let saved = self.board.save(folder);
        saved.meaning(Exit::Usage, || format!("the board cannot be saved in {}", folder.display()))
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

/// The scooter's own board, with a serial number of its form.
fn layout_of(target: &Target) -> Layout {
    let serial = target.serial.example.as_bytes().try_into().unwrap_or(Layout::XIAOMI.serial);
    Layout {
        flash_kib: target.flash_kib() as u16,
        boot: target.regions.boot.start,
        drv: target.regions.drv.start,
        data: target.regions.data.start,
        serial,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(path: &str, scenario: Scenario) -> SimulateArg {
        SimulateArg::Folder { path: path.into(), scenario }
    }

    #[test]
    fn a_scenario_goes_before_a_folder_of_its_name() {
        assert_eq!("bricked".parse(), Ok(SimulateArg::Scenario(Scenario::Bricked)));
        assert_eq!("./bricked".parse(), Ok(folder("./bricked", Scenario::Locked)));
    }

    #[test]
    fn a_folder_may_name_its_scenario() {
        assert_eq!("B:bricked".parse(), Ok(folder("B", Scenario::Bricked)));
        assert_eq!("boards/b:wrp".parse(), Ok(folder("boards/b", Scenario::Wrp)));
        assert_eq!("boards/b".parse(), Ok(folder("boards/b", Scenario::Locked)));
    }

    #[test]
    fn a_drive_letter_is_part_of_the_path() {
        assert_eq!(r"C:\boards\b".parse(), Ok(folder(r"C:\boards\b", Scenario::Locked)));
        assert_eq!(r"C:\boards\b:open".parse(), Ok(folder(r"C:\boards\b", Scenario::Open)));
        assert_eq!("C:/boards/b".parse(), Ok(folder("C:/boards/b", Scenario::Locked)));
    }

    #[test]
    fn a_scenario_that_is_none_is_refused() {
        assert!("B:briked".parse::<SimulateArg>().unwrap_err().contains("half-flashed"));
        assert!("".parse::<SimulateArg>().is_err());
    }

    #[test]
    fn every_scooter_has_a_board_with_its_own_serial() {
        for target in Target::all() {
            assert_eq!(layout_of(target).serial, target.serial.example.as_bytes(), "{}", target.name);
        }
    }
}
