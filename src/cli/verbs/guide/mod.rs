//! `guide`: the guided job in a terminal, one card below the other.

pub(crate) mod browser;
mod face;
mod tasks;
mod watch;

use std::time::{Duration, SystemTime};

use clap::Args;
use m365_drv::{
    board::{self, progress::Event},
    guide::{Card, CardName, Choosable, Guide, Question, TaskError},
    ops::{self, Destination},
};
use serde::Serialize;

use self::face::Face;
use crate::cli::{
    Context,
    args::{firmware::FirmwareArgs, question, supply::SupplyArgs},
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
            (Some(task), _) => tasks::run(context, &mut guide, (args, began), task, &mut AtTerminal)?,
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
                    answer => {
                        let was_done = guide.at() == CardName::Done;
                        guide.answer(&chosen(question, answer));
                        if was_done && !guide.is_over() {
                            context.next_board();
                        }
                    }
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

/// Somebody at the terminal.
struct AtTerminal;

impl Face for AtTerminal {
    fn on(&mut self, guide: &Guide, before: CardName, _: &Event) -> Option<String> {
        let is_new = guide.at() != before && guide.at() == CardName::Contact;
        is_new.then(|| drawn(&guide.card(), false))
    }

    fn tell(&mut self, context: &mut Context, words: &str) {
        context.say(words);
    }

    fn gives_up(&mut self, context: &Context, time: Duration) -> Result<bool, ops::Error> {
        Ok(question::typed_within(context, time)?.is_some())
    }
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
