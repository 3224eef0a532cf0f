//! `guide`: the guided job in a terminal, one card below the other.

mod watch;

use std::{path::Path, time::SystemTime};

use clap::Args;
use m365_drv::{
    board::{self, progress::Event},
    guide::{Card, CardName, Choosable, Guide, Offer, Question, Task, TaskError},
    image::{self, Catalog, Fit, FoundImage, Image, Kind},
    ops::{self, Destination},
    printable::quoted_path,
    supply,
    target::Target,
};
use serde::Serialize;

use crate::cli::{
    Context,
    args::{
        firmware::FirmwareArgs,
        question,
        supply::{self as sources, SupplyArgs},
    },
    exit::{Exit, refuse},
    files,
    probe_fixes::{self, System},
    screen::{CommandResult, Outcome, Page, Report, Tone, failure::escaped, page::Columns, stderr},
};

#[derive(Debug, Args)]
pub(crate) struct GuideArgs {
    #[command(flatten)]
    firmware: FirmwareArgs,

    #[command(flatten)]
    supply: SupplyArgs,
}

/// What the guided job came to: its cards have told everything else.
#[derive(Serialize)]
struct GuideReport {
    /// Whether a board was written and verified.
    done: bool,
}

impl Report for GuideReport {
    fn text(&self, page: &mut Page) {
        if !self.done {
            page.line("Nothing was changed.");
        }
    }
}

pub(crate) fn run(context: &mut Context, args: &GuideArgs) -> CommandResult {
    if !context.audience().answers() {
        return Err(refuse(
            Exit::Usage,
            "the guided job needs a terminal; `m365-drv flash --help` shows how to do it in a script",
        ));
    }
    let saves = *context.backup_store()?.destination() != Destination::Nowhere;
    let mut guide = Guide::new(context.rehearsal_images(), saves).with_places(files::places());
    // What the user downloads while the guide runs may be there before the wait for it begins.
    let (began, mut done) = (SystemTime::now(), false);
    while !guide.is_over() {
        let mut card = guide.card();
        card.text.extend(guide.failure().into_iter().flat_map(fixes));
        // What is asked depends on what the task finds. The card about contact was shown while contact was looked for.
        let is_due = guide.task().is_none() || card.question.is_none();
        if is_due && card.name != CardName::Contact {
            show(&card, guide.can_go_back());
        }
        match (guide.task(), &card.question) {
            (Some(task), _) => run_task(context, &mut guide, (args, began), task)?,
            (None, None) => guide.answer(""),
            (None, Some(question)) => {
                let answer = match question::answer(context) {
                    // All is done: Ctrl-C interrupts nothing.
                    Err(error) if error.exit() == Exit::Interrupted && guide.at() == CardName::Done => break,
                    answer => answer?,
                };
                match answer.trim() {
                    // The end of the input: nobody will answer any more.
                    "" if !answer.ends_with('\n') => break,
                    "back" if guide.back() => {}
                    answer => guide.answer(&chosen(question, answer)),
                }
            }
        }
        done |= guide.report().is_some();
    }
    match guide.into_failure() {
        Some(TaskError { error, .. }) => Err(error.into()),
        None => Outcome::new(&GuideReport { done }),
    }
}

/// What makes a probe usable that is not.
fn fixes(failed: &TaskError) -> Vec<String> {
    match &failed.error {
        ops::Error::Board(board::Error::ProbeAccess(problem)) => probe_fixes::lines(problem, System::HERE),
        _ => vec![],
    }
}

/// The key of the answer with the number that was typed; without a number what was typed, and without anything the
/// preselected answer.
fn chosen(question: &Question, typed: &str) -> String {
    let Question::OneOf { options, preselected } = question else { return typed.to_owned() };
    let at = match typed {
        "" => *preselected,
        number => number.parse::<usize>().ok().and_then(|number| number.checked_sub(1)),
    };
    let key = at.and_then(|at| options.get(at)).map(|option| option.key.clone());
    key.unwrap_or_else(|| typed.to_owned())
}

/// Prints a card.
fn show(card: &Card, can_go_back: bool) {
    stderr::line(&drawn(card, can_go_back));
}

/// A card as text.
fn drawn(card: &Card, can_go_back: bool) -> String {
    let mut page = Page::default();
    page.blank().heading(&card.title);
    // What an answer lacks stands beside the question, and a failure above what to do about it.
    let (failure, objection) = match card.name {
        CardName::Failed => (card.objection.as_ref(), None),
        _ => (None, card.objection.as_ref()),
    };
    if let Some(failure) = failure {
        page.toned("problem", escaped(failure), Tone::Bad);
    }
    for text in &card.text {
        page.paragraph(text);
    }
    for (label, fact) in &card.facts {
        page.row(format!("  {label}"), fact);
    }
    if let Some(Question::OneOf { options, .. }) = &card.question {
        page.blank();
        for (at, Choosable { label, detail, .. }) in options.iter().enumerate() {
            let detail = if detail.is_empty() { String::new() } else { format!(" ({detail})") };
            page.row(format!("  {}", at + 1), format!("{label}{detail}"));
        }
    }
    if let Some(objection) = objection {
        page.blank().toned("problem", escaped(objection), Tone::Bad);
    }
    let back = if can_go_back { ", or `back` to go back" } else { "" };
    if let Some(question) = &card.question {
        page.blank().paragraph(match question {
            Question::OneOf { options, preselected } => {
                let enter = preselected.map_or_else(String::new, |at| format!(" (Enter means {})", at + 1));
                format!("Type a number from 1 to {}{enter}{back}:", options.len())
            }
            Question::Text { label, example } => format!("Type the {label} (for example {example}){back}:"),
            Question::Word { word } => format!("Type `{word}` to continue{back}; Enter alone stops:"),
        });
    }
    page.render(Columns::of_stderr()).trim_end().to_owned()
}

fn run_task(
    context: &mut Context,
    guide: &mut Guide,
    (args, began): (&GuideArgs, SystemTime),
    task: Task,
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
            let arrived = watch::wait_for_file(context, &folder, scooter, began)?;
            guide.arrived(arrived);
        }
        Task::Open(file, kind) => {
            let image = Image::open_as(&file, kind);
            guide.opened(image.map_err(|error| format!("cannot use {}: {error}", quoted_path(&file))));
        }
        Task::Contact | Task::Look | Task::Preview | Task::Flash => on_board(context, guide, &task)?,
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
fn on_board(context: &mut Context, guide: &mut Guide, task: &Task) -> anyhow::Result<()> {
    let (backups, uid) = (context.backup_store()?, guide.uid());
    let board = context.probes.ledger().clone();
    let failed = |error| TaskError { error, board: board.board() };
    let is_interrupt = |error: &ops::Error| error.exit() == Exit::Interrupted;
    if let Task::Contact = task {
        let mut live = |event: &Event| {
            let before = guide.at();
            guide.on(event);
            let is_new = guide.at() != before && guide.at() == CardName::Contact;
            is_new.then(|| drawn(&guide.card(), false))
        };
        let done = context.watched(uid, &mut live, ops::contact);
        return match done {
            Err(error) if is_interrupt(&error) => Err(error.into()),
            done => {
                guide.contacted(done.map_err(failed));
                Ok(())
            }
        };
    }
    // The guide cannot be changed while its request is in use.
    let mut events = Vec::new();
    let mut keep = |event: &Event| {
        events.push(event.clone());
        None
    };
    let request = guide.request(backups);
    match (task, &request) {
        (Task::Preview, Some(request)) => {
            let done = context.watched(uid, &mut keep, |job| ops::preview(job, request));
            tell(guide, &events);
            match done {
                Err(error) if is_interrupt(&error) => return Err(error.into()),
                done => guide.previewed(done.map_err(failed)),
            }
        }
        (Task::Flash, Some(request)) => {
            let done = context.watched(uid, &mut keep, |job| ops::flash(job, request));
            tell(guide, &events);
            match done {
                Err(error) if is_interrupt(&error) => return Err(error.into()),
                done => guide.flashed(done.map_err(failed)),
            }
        }
        _ => {
            let done = context.watched(uid, &mut keep, ops::info);
            tell(guide, &events);
            match done {
                Err(error) if is_interrupt(&error) => return Err(error.into()),
                done => guide.looked(done.map_err(failed)),
            }
        }
    }
    Ok(())
}

fn tell(guide: &mut Guide, events: &[Event]) {
    for event in events {
        guide.on(event);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_number_a_name_or_enter() {
        let option = |key: &str| Choosable { key: key.into(), label: key.into(), detail: String::new() };
        let question = Question::OneOf { options: vec![option("pro"), option("lite")], preselected: Some(1) };
        for (typed, key) in [("1", "pro"), ("2", "lite"), ("", "lite"), ("pro 2", "pro 2"), ("3", "3"), ("0", "0")] {
            assert_eq!(chosen(&question, typed), key);
        }
        assert_eq!(chosen(&Question::Word { word: "erase" }, "erase"), "erase");
    }
}
