//! What is done between two cards, in whichever face the cards are shown.

use std::{path::Path, time::SystemTime};

use m365_drv::{
    board::progress::Event,
    guide::{Guide, Offer, Task, TaskError},
    image::{self, Catalog, Fit, FoundImage, Image, Kind},
    ops,
    printable::quoted_path,
    supply,
    target::Target,
};

use super::{GuideArgs, face::Face, watch};
use crate::cli::{Context, args::supply as sources, exit::Exit};

/// Does a task, and hands over what came of it. Ctrl-C is an error.
pub(crate) fn run(
    context: &mut Context,
    guide: &mut Guide,
    (args, began): (&GuideArgs, SystemTime),
    task: Task,
    face: &mut dyn Face,
) -> anyhow::Result<()> {
    match task {
        Task::Search(scooter) => {
            context.rehearse(scooter)?;
            let at_hand = args.firmware.search(&context.probes.interrupt())?;
            let [boot, drv] = [Kind::Boot, Kind::Drv].map(|kind| {
                let offers: Vec<_> = at_hand.suitable(&scooter.name, kind).into_iter().map(offer).collect();
                if offers.is_empty() { stand_in(context, kind, scooter) } else { offers }
            });
            let missing = at_hand.missing(&scooter.name, [Kind::Boot, Kind::Drv].into_iter());
            let supply = args.supply.supply()?.filter(|_| !missing.is_empty());
            let to_fetch = supply.map(|supply| {
                let names: Vec<_> = missing.iter().map(ToString::to_string).collect();
                format!(
                    "{} from {}; the vendor's firmware, no licence comes with it",
                    names.join(", "),
                    supply.mirror()
                )
            });
            guide.at_hand(boot, drv, to_fetch);
        }
        Task::Fetch(scooter) => {
            let fetched = fetch(context, args, scooter);
            guide.fetched(fetched.map_err(|error| format!("{error:#}")));
        }
        Task::Open(folder, kind) if folder.is_dir() => {
            let found = in_folder(context, &folder, kind, guide.scooter());
            guide.found_in_folder(found);
        }
        Task::Watch(folder, scooter) => {
            let arrived = watch::wait_for_file(context, face, &folder, (scooter, began))?;
            guide.arrived(arrived);
        }
        Task::Open(file, kind) => {
            let image = Image::open_as(&file, kind);
            guide.opened(image.map_err(|error| format!("cannot use {}: {error}", quoted_path(&file))));
        }
        Task::Contact | Task::Look | Task::Preview | Task::Flash => on_board(context, guide, &task, face)?,
    }
    Ok(())
}

/// Fetches what is not at hand for a scooter.
fn fetch(context: &mut Context, args: &GuideArgs, scooter: &Target) -> anyhow::Result<()> {
    let folder = sources::folder()?;
    let Some(supply) = args.supply.supply()? else { return Ok(()) };
    let at_hand = args.firmware.search(&context.probes.interrupt())?;
    for entry in at_hand.missing(&scooter.name, [Kind::Boot, Kind::Drv].into_iter()) {
        sources::fetch(context, &supply, &folder, entry)?;
    }
    Ok(())
}

/// The images of this kind in a folder: known ones also further inside, others if every gate passes.
fn in_folder(
    context: &Context,
    folder: &Path,
    kind: Kind,
    scooter: Option<&'static Target>,
) -> Result<Vec<Offer>, String> {
    let Some(scooter) = scooter else { return Ok(vec![]) };
    let shelf = image::find(&[folder.to_owned()], &context.probes.interrupt()).map_err(|error| error.to_string())?;
    let known = shelf.suitable(&scooter.name, kind, None).into_iter().filter(|found| !found.entry.is_rehearsal());
    let mut offers: Vec<_> = known.map(offer).collect();
    let fit = Fit { rehearsal: context.rehearsal_images(), ..Fit::new(scooter, kind) };
    let cannot = |error| format!("cannot read {}: {error}", quoted_path(folder));
    for (path, image) in supply::fitting_in(folder, &fit, MAX_FILES).map_err(cannot)? {
        if offers.iter().all(|offer| offer.image.digest() != image.digest()) {
            let name = Catalog::builtin().title(&image.bytes).unwrap_or_else(|| format!("custom {kind}"));
            offers.push(Offer { name, place: quoted_path(&path), image });
        }
    }
    Ok(offers)
}

/// Firmware files of a folder that are opened at most.
const MAX_FILES: usize = 100;

/// Does a task with the board, and hands over what came of it.
fn on_board(context: &mut Context, guide: &mut Guide, task: &Task, face: &mut dyn Face) -> anyhow::Result<()> {
    let (chosen, uid) = (guide.chosen(), guide.uid());
    let request = guide.request(&chosen, context.backup_store()?);
    let board = context.probes.ledger().clone();
    let failed = |error| TaskError { error, board: board.board() };
    let mut live = |event: &Event| {
        let before = guide.at();
        guide.on(event);
        face.on(guide, before, event)
    };
    // Ctrl-C ends the whole job.
    macro_rules! hand_over {
        ($done:expr, $to:ident) => {
            match $done {
                Err(error) if error.exit() == Exit::Interrupted => Err(error.into()),
                done => {
                    guide.$to(done.map_err(failed));
                    Ok(())
                }
            }
        };
    }
    match (task, &request) {
        (Task::Contact, _) => hand_over!(context.watched(uid, &mut live, ops::contact), contacted),
        (Task::Preview, Some(request)) => {
            hand_over!(context.watched(uid, &mut live, |job| ops::preview(job, request)), previewed)
        }
        (Task::Flash, Some(request)) => {
            hand_over!(context.watched(uid, &mut live, |job| ops::flash(job, request)), flashed)
        }
        _ => hand_over!(context.watched(uid, &mut live, ops::info), looked),
    }
}

fn offer(found: &FoundImage) -> Offer {
    Offer { name: found.entry.name.clone(), place: quoted_path(&found.path), image: found.image.clone() }
}

/// Our own image, for a rehearsal without another.
fn stand_in(context: &mut Context, kind: Kind, scooter: &Target) -> Vec<Offer> {
    let image = context.stand_in(kind, scooter);
    let name = |image: &Image| Catalog::builtin().title(&image.bytes).unwrap_or_default();
    image
        .map(|image| Offer { name: name(&image), place: "for the simulated board only".into(), image })
        .into_iter()
        .collect()
}
