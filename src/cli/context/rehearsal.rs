//! A rehearsal: the simulated board that takes the place of a real one, and what it needs besides.

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

use crate::cli::{
    args::simulate::SimulateArg,
    exit::{Exit, Meaning},
};

/// A simulated board, and its folder if it is saved.
pub(crate) struct Rehearsal {
    board: SimBoard,
    home: Option<PathBuf>,
    title: String,
    /// What a board was made from that is new in this run.
    new: Option<Scenario>,
}

impl Rehearsal {
    /// Prepares the board: that of the named scooter, else that of a Pro.
    pub(crate) fn begin(arg: &SimulateArg, target: Option<&Target>) -> anyhow::Result<Self> {
        let target = target.or_else(|| Target::builtin("pro")).unwrap_or(&Target::all()[0]);
        match arg {
            SimulateArg::Scenario(scenario) => {
                let board = SimBoard::new(*scenario, target);
                Ok(Self { board, home: None, title: quoted(scenario), new: Some(*scenario) })
            }
            SimulateArg::Folder { path, scenario } => {
                let title = quoted_path(path);
                let empty = fs::read_dir(path).map_or(true, |mut entries| entries.next().is_none());
                let is_saved = path.exists() && !empty;
                let board = if is_saved {
                    SimBoard::load(path).meaning(Exit::Usage, || format!("{title} is not a saved board"))?
                } else {
                    SimBoard::new(*scenario, target)
                };
                let new = (!is_saved).then_some(*scenario);
                let rehearsal = Self { board, home: Some(path.clone()), title, new };
                // Before the command, not only after it, so that a folder that cannot be written is refused early.
                rehearsal.save(Exit::Usage)?;
                Ok(rehearsal)
            }
        }
    }

    /// Makes a new board one of this scooter.
    pub(crate) fn become_of(&mut self, target: &Target) -> anyhow::Result<()> {
        let Some(scenario) = self.new else { return Ok(()) };
        self.board.rebuild(scenario, target);
        self.save(Exit::Usage)
    }

    /// The board's clock.
    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        self.board.clock()
    }

    /// The board's probe and clock.
    pub(crate) fn probes(&self) -> Probes {
        Probes::new(self.board.probe_lister(), Arc::new(RealTime(self.board.clock())))
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
            Kind::Boot => (&target.map.regions.boot, BOOT),
            _ if target.map.flash_kib() > 64 => (&target.map.regions.drv, APP_128),
            _ => (&target.map.regions.drv, APP_64),
        };
        let flash = self.board.flash();
        let place = (region.start - target.map.flash.start) as usize..(region.end - target.map.flash.start) as usize;
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
