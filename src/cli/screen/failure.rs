//! How a run failed, in words: for a person on stderr, for scripts in the last line, for the log.

use clap::error::ErrorKind;
use m365_drv::{
    board::BoardState,
    guide::state_in_words,
    ops::{self, Known},
    printable::{printable, quoted_path},
};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::cli::{
    args::{called::as_called, command_line::CommandLine},
    exit_codes::{Exit, ExitRow},
    hints,
    screen::{page::Columns, probe_names},
};

/// What went wrong, why, and the next command to type.
#[derive(Debug, Serialize)]
pub(crate) struct Failure {
    pub(crate) name: &'static str,
    pub(crate) message: String,
    pub(crate) causes: Vec<String>,
    pub(crate) hint: Option<String>,
    /// What was found out before, as a report.
    #[serde(skip)]
    pub(crate) known: Option<Box<RawValue>>,
    /// The backup that was made before, in quotes.
    #[serde(skip)]
    pub(crate) backup: Option<String>,
    /// Whether every planned byte was read back and is correct.
    #[serde(skip)]
    pub(crate) is_verified: bool,
    /// Whether the same command can finish a board that is partly written.
    #[serde(skip)]
    pub(crate) can_finish: bool,
}

impl Failure {
    /// A run that ended with this error.
    pub(crate) fn new(exit: Exit, error: &anyhow::Error, typed: &CommandLine) -> Self {
        let chain = error.chain().skip(1).map(ToString::to_string);
        let causes = chain.chain(details(error)).chain(probe_names::named_by(error)).collect();
        let hint = hints::next(exit, Some(error), typed).map(|hint| as_called(&hint));
        let can_finish =
            !matches!(error.downcast_ref(), Some(ops::Error::BadPage(_) | ops::Error::LockedMeanwhile { .. }));
        let (name, message) = (ExitRow::of(exit).name, error.to_string());
        Self { name, message, causes, hint, known: None, backup: None, is_verified: false, can_finish }
    }

    /// A command line that clap refused: what is wrong with it, and what clap adds (missing arguments, possible
    /// values, a tip).
    pub(crate) fn of_clap(kind: ErrorKind, text: &str, typed: &CommandLine) -> Self {
        let (message, causes) = usage_in_words(kind, text);
        let hint = hints::next(Exit::Usage, None, typed).map(|hint| as_called(&hint));
        Self {
            name: ExitRow::of(Exit::Usage).name,
            message,
            causes,
            hint,
            known: None,
            backup: None,
            is_verified: false,
            can_finish: true,
        }
    }

    /// With what was found out before.
    pub(crate) fn knowing(self, known: &Known) -> Self {
        let report = (*known != Known::default()).then(|| serde_json::value::to_raw_value(known).ok()).flatten();
        let backup = known.backup.as_deref().map(quoted_path);
        Self { known: report, backup, is_verified: known.verified == Some(true), ..self }
    }

    /// The last lines of a run: what happened, what the board is now, what to type.
    pub(crate) fn text(&self, exit: Exit, board: BoardState, typed: &CommandLine) -> String {
        let (row, width) = (ExitRow::of(exit), Columns::of_stderr());
        let red = anstyle::AnsiColor::Red.on_default().bold();
        // Stopping the guided job at a question is not a failure.
        let is_stopped =
            exit == Exit::Interrupted && board == BoardState::Untouched && typed.command.as_deref() == Some("guide");
        let first = if is_stopped {
            "stopped; nothing was changed".to_owned()
        } else {
            format!("{red}error:{red:#} {}", escaped(&self.message))
        };
        let mut lines = vec![width.message(&first, "  ")];
        let in_a_line = |cause: &String| width.message(&format!("  {}{}", label(cause), escaped(cause)), "    ");
        lines.extend(self.causes.iter().map(in_a_line));
        if typed.has_board && !is_stopped {
            let state = state_in_words(board);
            let next = match board {
                BoardState::Written if self.is_verified => " and verified",
                BoardState::Partial if self.can_finish => "; run the same command again to finish",
                _ => "",
            };
            lines.push(width.message(&format!("board: {state}{next}"), "  "));
        }
        if let Some(backup) = &self.backup {
            lines.push(width.message(&format!("backup: {backup}"), "  "));
        }
        if let Some(hint) = &self.hint {
            let bold = anstyle::Style::new().bold();
            // A command to paste is not broken.
            let gap = if width.fits(&format!("next: {hint}")) { " " } else { "\n" };
            lines.push(format!("next:{gap}{bold}{hint}{bold:#}"));
        }
        lines.push(width.message(&format!("exit {}: see `m365-drv explain {}`", row.code, row.name), "  "));
        lines.join("\n")
    }
}

/// What an error is about, one a line.
fn details(error: &anyhow::Error) -> Vec<String> {
    match error.downcast_ref() {
        Some(ops::Error::SeveralImages { fitting, .. }) => fitting.clone(),
        _ => hints::published(error)
            .into_iter()
            .chain(hints::on_purpose(error))
            .chain(hints::at_the_wires(error))
            .chain(hints::with_bad_page(error))
            .collect(),
    }
}

/// What stands before a cause. Where an image is published, a tip and a list of values are not causes.
pub(crate) fn label(cause: &str) -> &'static str {
    let is_cause = ![hints::PUBLISHED, "tip: ", "["].iter().any(|other| cause.starts_with(other));
    if is_cause { "cause: " } else { "" }
}

/// Text from files and devices cannot write to the terminal.
pub(crate) fn escaped(text: &str) -> String {
    text.lines().map(printable).collect::<Vec<_>>().join("\n")
}

fn usage_in_words(kind: ErrorKind, text: &str) -> (String, Vec<String>) {
    if kind == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return ("a command is missing".into(), Vec::new());
    }
    let mut lines = text.lines();
    let message = lines.next().unwrap_or_default();
    let message = message.strip_prefix("error: ").unwrap_or(message).trim_end_matches(':').to_owned();
    let about = lines.take_while(|line| !line.starts_with("Usage:")).filter(|line| line.starts_with(' '));
    (message, about.map(|line| line.trim().to_owned()).collect())
}
