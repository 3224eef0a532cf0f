//! `explain`: a page on an exit code, a gate, an error code that the scooter shows, or on wiring and safety.

mod gates;

use clap::Args;
use m365_drv::{
    guide::{
        SAFETY, WIRING,
        scooter_errors::{self, ErrorCode},
    },
    image::Builder,
};
use serde::Serialize;

use self::gates::GatePage;
use crate::cli::{
    exit::{Exit, refuse},
    exit_codes::{self, ExitRow},
    screen::{CommandResult, Outcome, Page, Report},
};

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// An exit code's name (`consent`, `exit-3`), a gate's name (`hole`), a scooter's error code (`21`), `wiring`, `safety`,
    /// `driver`, `watchdog`; lists all topics if omitted
    #[arg(value_name = "NAME or NUMBER")]
    topic: Option<String>,
}

/// The texts that are shown by name.
const CARDS: [(&str, &str, &str); 4] = [
    ("driver", "how Windows opens a probe", include_str!("driver.txt")),
    ("safety", "read before a wire touches the board", SAFETY),
    ("watchdog", "why firmware may keep resetting", include_str!("watchdog.txt")),
    ("wiring", "which pad goes where", WIRING),
];

pub(crate) fn run(args: &ExplainArgs) -> CommandResult {
    on(args.topic.as_deref())
}

/// The page on a topic, or the list of topics.
pub(crate) fn on(topic: Option<&str>) -> CommandResult {
    match topic {
        None => Outcome::new(&TopicList::all()),
        Some(topic) => Outcome::new(&page_on(topic)?),
    }
}

fn page_on(topic: &str) -> anyhow::Result<Topic> {
    let by_exit =
        |matches: &dyn Fn(&ExitRow) -> bool| exit_codes::TABLE.iter().find(|row| matches(row)).map(ExitPage::new);
    let number = topic.parse::<u8>().ok();
    let shown =
        topic.strip_prefix(['e', 'E']).and_then(|rest| rest.trim_start_matches("rror").trim().parse::<u8>().ok());
    let scooter = number.or(shown).and_then(scooter_errors::find).copied();
    let exit = match topic.strip_prefix("exit-") {
        Some(number) => by_exit(&|row| row.code.to_string() == number),
        None => by_exit(&|row| row.name == topic || Some(row.code) == number),
    };
    if let Some((name, _, text)) = CARDS.iter().find(|(name, _, _)| *name == topic) {
        return Ok(Topic::Card { name, text });
    }
    if let Some(gate) = gates::find(topic) {
        return Ok(Topic::Gate(*gate));
    }
    match (scooter, exit) {
        (Some(scooter), also) => Ok(Topic::Scooter {
            scooter,
            builders: scooter_errors::builders(scooter.code),
            also: also.map(|page| page.exit),
        }),
        (None, Some(exit)) => Ok(Topic::Exit(exit)),
        (None, None) => Err(refuse(Exit::Usage, format!("unknown topic {topic:?}"))),
    }
}

/// The page on one topic.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum Topic {
    Exit(ExitPage),
    Gate(GatePage),
    Scooter {
        #[serde(flatten)]
        scooter: ErrorCode,
        /// The web builders whose firmware cures it.
        #[serde(skip_serializing_if = "<[_]>::is_empty")]
        builders: &'static [Builder],
        /// The exit code of the same number.
        #[serde(skip)]
        also: Option<Exit>,
    },
    Card {
        name: &'static str,
        text: &'static str,
    },
}

#[derive(Serialize)]
struct ExitPage {
    code: u8,
    name: &'static str,
    meaning: &'static str,
    board: &'static str,
    causes: &'static [&'static str],
    next: &'static str,
    #[serde(skip)]
    exit: Exit,
}

impl ExitPage {
    fn new(row: &ExitRow) -> Self {
        let ExitRow { exit, code, name, meaning, board, advice, causes, .. } = *row;
        Self { code, name, meaning, board, causes, next: advice, exit }
    }
}

impl Report for Topic {
    fn text(&self, page: &mut Page) {
        match self {
            Self::Exit(exit) => {
                page.heading(format!("exit code {}: {}", exit.code, exit.name)).paragraph(exit.meaning).blank();
                if !exit.board.is_empty() {
                    page.row("board", exit.board).blank();
                }
                for cause in exit.causes {
                    page.item(*cause);
                }
                if !exit.next.is_empty() {
                    page.blank().paragraph(exit.next);
                }
            }
            Self::Gate(gate) => {
                page.heading(format!("gate {}", gate.name))
                    .paragraph(format!("This check passes if {}.", gate.passes_if))
                    .blank()
                    .paragraph(gate.forced);
                page.blank().paragraph(format!("To override it: `--force {}`.", gate.name));
            }
            Self::Scooter { scooter, builders, also } => {
                page.heading(format!("error {} on the scooter", scooter.code)).paragraph(scooter.meaning).blank();
                if scooter_errors::BOOTLOADER.contains(&scooter.code) {
                    page.paragraph(scooter_errors::BOOTLOADER_SHOWS).blank();
                }
                page.row("confidence", kebab(scooter.confidence));
                for text in [scooter.cause, scooter.remedy].into_iter().flatten() {
                    page.blank().paragraph(text);
                }
                for builder in *builders {
                    page.blank().item(builder.for_scooters());
                    page.paragraph(format!("  More: {}", builder.more));
                }
                if let Some(exit) = also {
                    let row = ExitRow::of(*exit);
                    page.blank().paragraph(format!(
                        "For exit code {} of this program ({}) see `m365-drv explain {}`.",
                        row.code, row.name, row.name
                    ));
                }
            }
            Self::Card { text, .. } => text.lines().for_each(|line| {
                page.line(line);
            }),
        }
    }
}

fn kebab(confidence: scooter_errors::Confidence) -> &'static str {
    match confidence {
        scooter_errors::Confidence::Sure => "sure",
        scooter_errors::Confidence::Likely => "likely (one good source)",
        scooter_errors::Confidence::Unsure => "unsure (mentioned once, or unclear in the sources)",
    }
}

/// The list of all topics, shown if none is named.
#[derive(Serialize)]
struct TopicList {
    exit_codes: Vec<ExitPage>,
    gates: &'static [GatePage],
    scooter_codes: &'static [ErrorCode],
    cards: Vec<&'static str>,
}

impl TopicList {
    fn all() -> Self {
        Self {
            exit_codes: exit_codes::TABLE.iter().map(ExitPage::new).collect(),
            gates: &gates::TABLE,
            scooter_codes: scooter_errors::TABLE,
            cards: CARDS.iter().map(|(name, ..)| *name).collect(),
        }
    }
}

impl Report for TopicList {
    fn text(&self, page: &mut Page) {
        page.heading("Topics");
        for (name, about, _) in CARDS {
            page.row(format!("  {name}"), about);
        }
        page.blank().heading("Exit codes of this program");
        for exit in &self.exit_codes {
            page.row(format!("  {:>3} {}", exit.code, exit.name), exit.meaning);
        }
        page.blank().heading("Checks (gates) that --force overrides").paragraph("Each passes if:");
        for gate in self.gates {
            page.row(format!("  {}", gate.name), gate.passes_if);
        }
        page.blank().heading("Error codes that the scooter shows");
        for code in self.scooter_codes {
            page.row(format!("  {:>3}", code.code), code.meaning);
        }
    }
}
