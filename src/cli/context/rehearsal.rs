//! A rehearsal: the simulated board that takes the place of a real one, and what it needs besides.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

use m365_drv::{
    board::{Probes, Selector},
    clock::{Clock, SystemClock},
    image::{Catalog, Image, Kind},
    printable::{quoted, quoted_path},
    sim::{self, BOOT, Scenario, SimBoard},
    target::Target,
};

use crate::cli::{
    args::simulate::SimulateArg,
    exit::{Exit, Meaning},
};

/// A simulated board, and its folder if it is saved; or several probes, each with boards that come one after the other.
pub(crate) struct Rehearsal {
    /// What is on the wires of each probe.
    boards: Vec<SimBoard>,
    /// Which of them is used, if the command uses one.
    used: usize,
    /// Whether other boards follow.
    is_row: bool,
    home: Option<PathBuf>,
    title: String,
    /// What a board was made from that is new in this run.
    new: Option<Scenario>,
}

impl Rehearsal {
    /// Prepares the board: that of the named scooter, else of the one that the scenario is usually about.
    pub(crate) fn begin(arg: &SimulateArg, target: Option<&Target>) -> anyhow::Result<Self> {
        let (path, probes) = match arg {
            SimulateArg::Scenario(scenario) => {
                let target = target.unwrap_or_else(|| scenario.usual_scooter());
                let boards = vec![SimBoard::new(*scenario, target)];
                return Ok(Self {
                    boards,
                    used: 0,
                    is_row: false,
                    home: None,
                    title: quoted(scenario),
                    new: Some(*scenario),
                });
            }
            SimulateArg::Folder { path, probes } => (path, probes),
        };
        let target = target.unwrap_or_else(|| probes[0][0].usual_scooter());
        let title = quoted_path(path);
        let empty = fs::read_dir(path).map_or(true, |mut entries| entries.next().is_none());
        let is_new = !path.exists() || empty;
        if is_new && *probes != [[probes[0][0]]] {
            let saved = SimBoard::save_row(path, probes, target);
            saved.meaning(Exit::Usage, || format!("cannot save the boards to {title}"))?;
        }
        let is_row = SimBoard::is_row(path);
        let boards = if is_row {
            SimBoard::load_row(path).meaning(Exit::Usage, || format!("{title} is not a folder of saved boards"))?
        } else if is_new {
            vec![SimBoard::new(probes[0][0], target)]
        } else {
            vec![SimBoard::load(path).meaning(Exit::Usage, || format!("{title} is not a saved board"))?]
        };
        let new = (is_new && !is_row).then_some(probes[0][0]);
        let rehearsal = Self { boards, used: 0, is_row, home: Some(path.clone()), title, new };
        // Before the command, not only after it, so that a folder that cannot be written is refused early.
        rehearsal.save(Exit::Usage)?;
        Ok(rehearsal)
    }

    /// Makes a new board one of this scooter.
    pub(crate) fn become_of(&mut self, target: &Target) -> anyhow::Result<()> {
        let Some(scenario) = self.new else { return Ok(()) };
        self.boards[self.used].rebuild(scenario, target);
        self.save(Exit::Usage)
    }

    /// The clock of the board that is used.
    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        self.boards[self.used].clock()
    }

    /// The probes, on the clock of the board whose probe is chosen, which is the one that is used from now on.
    pub(crate) fn probes(&mut self, selector: Option<&Selector>) -> Probes {
        self.used = self.on_probe(selector).1;
        probes_of(Some(&(self.boards.clone(), self.used))).0
    }

    /// The boards, and which of them is on the chosen probe.
    pub(crate) fn on_probe(&self, selector: Option<&Selector>) -> (Vec<SimBoard>, usize) {
        let probes = Probes::new(SimBoard::lister_of(&self.boards), self.boards[0].clock());
        (self.boards.clone(), chosen(&probes, selector).unwrap_or_default())
    }

    /// What to call the board, in quotes.
    pub(crate) fn title(&self) -> &str {
        &self.title
    }

    /// The folder of a saved board.
    pub(crate) fn home(&self) -> Option<&Path> {
        self.home.as_deref()
    }

    /// Whether our own image is needed if none is given: not if the image on the board can stay.
    pub(crate) fn needs(&self, kind: Kind, target: &Target) -> bool {
        if self.is_row {
            return true;
        }
        let region = if kind == Kind::Boot { &target.map.regions.boot } else { &target.map.regions.drv };
        let board = &self.boards[self.used];
        let flash = board.flash();
        let place = (region.start - target.map.flash.start) as usize..(region.end - target.map.flash.start) as usize;
        let own = flash.get(place).filter(|_| !board.is_protected());
        let known = own.and_then(|bytes| Catalog::builtin().identify(bytes));
        known.is_none_or(|known| known.entry.kind != kind || !known.entry.is_for(&target.name))
    }

    /// Writes the board back to its folder; `exit` is what a failure means.
    pub(crate) fn save(&self, exit: Exit) -> anyhow::Result<()> {
        let Some(folder) = &self.home else { return Ok(()) };
        let saved = self.boards.iter().try_for_each(|board| board.save(folder));
        saved.meaning(exit, || format!("cannot save the board to {}", quoted_path(folder)))
    }
}

/// Our own image, for a rehearsal without one.
pub(super) fn own_image(kind: Kind, target: &Target) -> Option<Image> {
    let bytes = match kind {
        Kind::Boot => BOOT,
        _ => sim::application(target),
    };
    Image::from_bytes(bytes).ok()
}

/// The probes of these simulated boards, on the clock of one of them; without boards those of the computer's USB.
pub(super) fn probes_of(simulated: Option<&(Vec<SimBoard>, usize)>) -> (Probes, Arc<dyn Clock>) {
    match simulated {
        Some((boards, used)) => {
            let clock = boards[*used].clock();
            (Probes::new(SimBoard::lister_of(boards), Arc::new(RealTime(clock.clone()))), clock)
        }
        None => (Probes::usb(), Arc::new(SystemClock::new())),
    }
}

/// The board's own time, in which a wait takes as long as with a real board, so that the user sees the seconds pass.
#[derive(Debug)]
struct RealTime(Arc<dyn Clock>);

impl Clock for RealTime {
    fn now(&self) -> Duration {
        self.0.now()
    }

    fn sleep(&self, duration: Duration) {
        thread::sleep(duration);
        self.0.sleep(duration);
    }
}

/// The probe that a selector names, of these.
fn chosen(probes: &Probes, selector: Option<&Selector>) -> Option<usize> {
    let selector = selector?;
    probes.list().iter().position(|entry| selector.matches(entry))
}
