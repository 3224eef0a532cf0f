//! `guide`: the guided job in a terminal, one card below the other.

use clap::Args;
use m365_drv::{
    board::progress::Event,
    guide::{Card, Choosable, Guide, Offer, Question, Task, TaskError},
    image::{Catalog, FoundImage, Image, Kind},
    ops::{self, Destination},
    printable::quoted_path,
    target::Target,
};
use serde::Serialize;

use crate::cli::{
    Context,
    args::{
        firmware::FirmwareArgs,
        question,
        supply::{self, SupplyArgs},
    },
    exit::{Exit, refuse},
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
    let mut guide = Guide::new(context.rehearsal_images(), saves);
    let mut done = false;
    while !guide.is_over() {
        let card = guide.card();
        // What is asked depends on what the task finds.
        if guide.task().is_none() || card.question.is_none() {
            show(&card, guide.can_go_back());
        }
        match (guide.task(), &card.question) {
            (Some(task), _) => run_task(context, &mut guide, args, task)?,
            (None, None) => guide.answer(""),
            (None, Some(question)) => {
                let answer = question::answer(context)?;
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
    let mut page = Page::default();
    page.blank().heading(&card.title);
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
    if let Some(objection) = &card.objection {
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
    stderr::line(page.render(Columns::of_stderr()).trim_end());
}

fn run_task(context: &mut Context, guide: &mut Guide, args: &GuideArgs, task: Task) -> anyhow::Result<()> {
    match task {
        Task::Search(scooter) => {
            let at_hand = args.firmware.search(&context.probes.interrupt())?;
            let [boot, drv] = [Kind::Boot, Kind::Drv].map(|kind| {
                let offers: Vec<_> = at_hand.suitable(&scooter.name, kind).into_iter().map(offer).collect();
                if offers.is_empty() { stand_in(context, kind, scooter) } else { offers }
            });
            let missing = at_hand.missing(&scooter.name, [Kind::Boot, Kind::Drv].into_iter());
            let supply = args.supply.supply()?.filter(|_| !missing.is_empty() && !context.is_rehearsal());
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
        Task::Open(file, kind) => {
            let image = Image::open_as(&file, kind);
            guide.opened(image.map_err(|error| format!("cannot use {}: {error}", quoted_path(&file))));
        }
        Task::Look | Task::Preview | Task::Flash => on_board(context, guide, &task)?,
    }
    Ok(())
}

/// Fetches what is not at hand for a scooter.
fn fetch(context: &mut Context, args: &GuideArgs, scooter: &Target) -> anyhow::Result<()> {
    let folder = supply::folder()?;
    let Some(supply) = args.supply.supply()? else { return Ok(()) };
    let at_hand = args.firmware.search(&context.probes.interrupt())?;
    for entry in at_hand.missing(&scooter.name, [Kind::Boot, Kind::Drv].into_iter()) {
        supply::fetch(context, &supply, &folder, entry)?;
    }
    Ok(())
}

/// Does a task with the board, and hands over what came of it.
fn on_board(context: &mut Context, guide: &mut Guide, task: &Task) -> anyhow::Result<()> {
    let (backups, uid) = (context.backup_store()?, guide.uid());
    let board = context.probes.ledger().clone();
    let failed = |error| TaskError { error, board: board.board() };
    let is_interrupt = |error: &ops::Error| error.exit() == Exit::Interrupted;
    let request = guide.request(backups);
    match (task, &request) {
        (Task::Preview, Some(request)) => {
            let (done, events) = context.watched(uid, |job| ops::preview(job, request));
            tell(guide, &events);
            match done {
                Err(error) if is_interrupt(&error) => return Err(error.into()),
                done => guide.previewed(done.map_err(failed)),
            }
        }
        (Task::Flash, Some(request)) => {
            let (done, events) = context.watched(uid, |job| ops::flash(job, request));
            tell(guide, &events);
            match done {
                Err(error) if is_interrupt(&error) => return Err(error.into()),
                done => guide.flashed(done.map_err(failed)),
            }
        }
        _ => {
            let (done, events) = context.watched(uid, ops::info);
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
