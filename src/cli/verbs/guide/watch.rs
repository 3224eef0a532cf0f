//! The wait for a file that the user makes in a browser.

use std::{
    path::Path,
    time::{Duration, SystemTime},
};

use m365_drv::{
    image::{Catalog, Fit, Image, Kind},
    ops,
    printable::quoted_path,
    supply::{Arrival, Arrivals},
    target::Target,
};

use super::face::Face;
use crate::cli::Context;

/// How often the folder is looked at, and how often Enter and Ctrl-C are.
const EVERY: Duration = Duration::from_millis(300);
const GLANCE: Duration = Duration::from_millis(100);

/// The name of known firmware without changes. What is made to order is never that.
fn as_published(image: &Image) -> Option<&'static str> {
    let known = Catalog::builtin().identify(&image.bytes)?;
    (!known.entry.is_rehearsal()).then_some(known.entry.name.as_str())
}

/// Waits until DRV firmware for this scooter has arrived in the folder, now or since this time; `None` if the user gives it up. A file that does not
/// fit is named with the reason.
pub(crate) fn wait_for_file(
    context: &mut Context,
    face: &mut dyn Face,
    folder: &Path,
    (scooter, since): (&'static Target, SystemTime),
) -> Result<Result<Option<Image>, String>, ops::Error> {
    let cannot = |error: &std::io::Error| format!("cannot watch {}: {error}", quoted_path(folder));
    let fit = Fit { rehearsal: context.rehearsal_images(), ..Fit::new(scooter, Kind::Drv) };
    let mut arrivals = match Arrivals::watch(folder, since) {
        Ok(arrivals) => arrivals,
        Err(error) => return Ok(Err(cannot(&error))),
    };
    context.say(&format!("watching {} for a new firmware file; press Enter to stop waiting", quoted_path(folder)));
    loop {
        let looked = match arrivals.look(&fit) {
            Ok(looked) => looked,
            Err(error) => return Ok(Err(cannot(&error))),
        };
        for arrival in looked {
            match arrival {
                Arrival::Fits { path, image } if as_published(&image).is_some() => {
                    let name = as_published(&image).unwrap_or_default();
                    let path = quoted_path(&path);
                    face.tell(context, &format!("{path} is {name} as published, not custom firmware; still watching"));
                }
                Arrival::Fits { path, image } => {
                    face.tell(context, &format!("found {}", quoted_path(&path)));
                    return Ok(Ok(Some(*image)));
                }
                Arrival::Refused { path, why } => {
                    face.tell(context, &format!("{} cannot be used: {why}; still watching", quoted_path(&path)));
                }
            }
        }
        for _ in 0..EVERY.as_millis() / GLANCE.as_millis() {
            if face.gives_up(context, GLANCE)? {
                return Ok(Ok(None));
            }
        }
    }
}
