//! Where firmware is looked for, and what of it is for a scooter.

use std::{env, path::PathBuf};

use clap::Args;
use m365_drv::image::{self, Found, Kind, Shelf};

use super::{
    exit::{Exit, Meaning},
    files,
};

/// The folders that a command is given.
#[derive(Debug, Args)]
pub(crate) struct FirmwareArgs {
    /// Look for images in this folder, by hash; repeatable
    ///
    /// Then `M365_DRV_FIRMWARE` (folders as in PATH) is looked at, then `firmware` in the user's data folder; what an
    /// earlier place has for a chip goes before what a later one has.
    #[arg(long, value_name = "DIR")]
    firmware: Vec<PathBuf>,
}

/// The known images at hand, the places that go first first.
pub(crate) struct AtHand(Vec<Shelf>);

impl FirmwareArgs {
    /// Looks into all of the folders.
    pub(crate) fn search(&self) -> anyhow::Result<AtHand> {
        let named = env::var_os("M365_DRV_FIRMWARE");
        let named = named.iter().flat_map(env::split_paths).filter(|path| !path.as_os_str().is_empty());
        let own = files::data_folder().map(|folder| folder.join("firmware")).filter(|folder| folder.is_dir());
        let places = [self.firmware.clone(), named.collect(), own.into_iter().collect()];
        let shelves = places.iter().map(|folders| image::find(folders)).collect::<Result<_, _>>();
        shelves.map(AtHand).meaning(Exit::Image, || "the firmware folders cannot be searched".into())
    }
}

impl AtHand {
    /// What may be flashed to a scooter, newest last, with one chip or another. Images for the simulated board are not at
    /// hand for any scooter.
    pub(crate) fn suitable(&self, scooter: &str, kind: Kind) -> Vec<&Found> {
        let mut suitable: Vec<&Found> = Vec::new();
        for shelf in &self.0 {
            let served = |found: &&Found| {
                suitable.iter().any(|earlier| found.entry.chips.iter().any(|chip| earlier.entry.runs_on(chip)))
            };
            let fits = |found: &&Found| !found.entry.is_rehearsal() && !served(found);
            let more: Vec<_> = shelf.suitable(scooter, kind, None).into_iter().filter(fits).collect();
            suitable.extend(more);
        }
        suitable
    }
}
