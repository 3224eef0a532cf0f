//! Where firmware is looked for, and what of it is for a scooter.

use std::{
    env,
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use clap::Args;
use m365_drv::{
    image::{self, Entry, FindError, FoundImage, Image, Kind, Shelf},
    supply,
};

use crate::cli::{
    Context,
    exit::{Exit, Meaning, refuse},
    files, settings,
};

/// The folders that a command is given.
#[derive(Debug, Args)]
pub(crate) struct FirmwareArgs {
    /// Look for known images in this folder, also in zips; repeatable
    ///
    /// Also searches the folders in `M365_DRV_FIRMWARE` (separated as in PATH), then those in the settings files (`config show`),
    /// then `firmware` in the user's data folder; images found in an earlier folder win.
    #[arg(long, value_name = "DIR")]
    firmware: Vec<PathBuf>,
}

/// The known images at hand, by place in order of precedence. The last place is the user's own folder.
pub(crate) struct AtHand(Vec<Shelf>);

impl FirmwareArgs {
    /// Looks into all of the folders, unless `stop` is set before the end.
    pub(crate) fn search(&self, stop: &AtomicBool) -> anyhow::Result<AtHand> {
        let named = env::var_os("M365_DRV_FIRMWARE");
        let named = named.iter().flat_map(env::split_paths).filter(|path| !path.as_os_str().is_empty());
        let own = files::data_folder().map(|folder| folder.join("firmware")).filter(|folder| folder.is_dir());
        let [project, user] = settings::files().firmware();
        let places = [self.firmware.clone(), named.collect(), project, user, own.into_iter().collect()];
        let shelves = places.iter().map(|folders| image::find(folders, stop)).collect::<Result<_, _>>();
        match shelves {
            Err(stopped @ FindError::Interrupted) => Err(refuse(Exit::Interrupted, stopped.to_string())),
            shelves => shelves.map(AtHand).meaning(Exit::Image, || "the firmware folders cannot be searched".into()),
        }
    }
}

/// Images for the simulated board are not at hand for any scooter.
fn for_scooters<'s>(shelf: &'s Shelf, scooter: &str, kind: Kind) -> impl Iterator<Item = &'s FoundImage> + use<'s> {
    shelf.suitable(scooter, kind, None).into_iter().filter(|found| !found.entry.is_rehearsal())
}

impl AtHand {
    /// Warns of what was left out of the search.
    pub(crate) fn warn_of_left_out(&self, context: &mut Context) {
        for zip in self.0.iter().flat_map(Shelf::too_large) {
            context.warn("zip-not-searched", zip.to_string());
        }
    }

    /// What to fetch so that a board of this scooter can be flashed with each of its chips. What is at hand for a chip is
    /// enough.
    pub(crate) fn missing(&self, scooter: &str, kinds: impl Iterator<Item = Kind>) -> Vec<&'static Entry> {
        let mut missing: Vec<&Entry> = Vec::new();
        for kind in kinds {
            let suitable = self.suitable(scooter, kind);
            for chip in supply::chips(scooter) {
                if suitable.iter().any(|found| found.entry.runs_on(chip)) {
                    continue;
                }
                let best = supply::recommended(scooter, kind, chip).map(|best| best.entry);
                let is_new = |best: &&Entry| missing.iter().all(|entry| entry.sha256 != best.sha256);
                missing.extend(best.filter(is_new));
            }
        }
        missing
    }

    /// Every image found, each once.
    pub(crate) fn all(&self) -> impl Iterator<Item = &FoundImage> {
        let earlier =
            |place: usize, found: &FoundImage| self.0[..place].iter().any(|shelf| shelf.file_of(found.entry).is_some());
        let places = self.0.iter().enumerate();
        places.flat_map(move |(place, shelf)| shelf.all().iter().filter(move |found| !earlier(place, found)))
    }

    /// The file that holds an image.
    pub(crate) fn file_of(&self, entry: &Entry) -> Option<&Path> {
        self.0.iter().find_map(|shelf| shelf.file_of(entry))
    }

    /// What may be flashed to a scooter, newest last, with one chip or another. What earlier places have for every chip of
    /// an image hides it.
    pub(crate) fn suitable(&self, scooter: &str, kind: Kind) -> Vec<&FoundImage> {
        let mut suitable: Vec<&FoundImage> = Vec::new();
        for shelf in &self.0 {
            let served = |chip: &String| suitable.iter().any(|earlier| earlier.entry.runs_on(chip));
            let more: Vec<_> =
                for_scooters(shelf, scooter, kind).filter(|found| !found.entry.chips.iter().all(served)).collect();
            suitable.extend(more);
        }
        suitable
    }

    /// The images to choose from once the chip is known: hidden ones too, in case the others are refused. In the user's own
    /// folder, where the images for all chips of a scooter are together, those that `firmware list` recommends know their chips.
    pub(crate) fn images(&self, scooter: &str, kind: Kind) -> Vec<Image> {
        let places = self.0.iter().enumerate();
        let own = self.0.len() - 1;
        let is_recommended = move |chip: &&str, entry: &Entry| {
            supply::recommended(scooter, kind, chip).is_some_and(|best| best.entry.sha256 == entry.sha256)
        };
        let of_place = move |(place, shelf)| {
            for_scooters(shelf, scooter, kind).map(move |found| {
                let chips = if place == own { supply::chips(scooter) } else { vec![] };
                let preferred_for = chips.into_iter().filter(|chip| is_recommended(chip, found.entry)).collect();
                Image { place: Some(place), preferred_for, ..found.image.clone() }
            })
        };
        places.flat_map(of_place).collect()
    }
}
