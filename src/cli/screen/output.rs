//! What the user gets: a report as text or as JSON Lines. Nothing else writes to stdout.

use std::{
    io::{self, Write},
    process::ExitCode,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use m365_drv::{
    batch::Unit,
    board::{
        BoardState,
        progress::{Event, Step},
    },
    ops::Known,
    printable::printable_lines,
};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::cli::{
    args::command_line::CommandLine,
    context::accounts::Accounts,
    exit::{self, Meaning, refuse_because},
    exit_codes::{Exit, ExitRow},
    screen::{
        failure::Failure,
        logging,
        page::{Columns, Page},
        stderr,
    },
};

/// The version of the lines' shape; `schema.json` describes it.
const SCHEMA: u32 = 2;

/// What a command reports at its end: plain data for JSON, and the same as text.
pub(crate) trait Report: Serialize {
    /// Writes the report for a person.
    fn text(&self, page: &mut Page);
}

/// How a command ended that has something to report.
pub(crate) struct Outcome {
    json: Box<RawValue>,
    page: Page,
    /// Why that is a failure, if it is one.
    error: Option<anyhow::Error>,
}

/// What a command returns.
pub(crate) type CommandResult = anyhow::Result<Outcome>;

impl Outcome {
    /// A report.
    pub(crate) fn new(report: &impl Report) -> CommandResult {
        let json = serde_json::value::to_raw_value(report)
            .meaning(Exit::Internal, || "the report cannot be written as JSON".into())?;
        let mut page = Page::default();
        report.text(&mut page);
        Ok(Self { json, page, error: None })
    }

    /// The report as a person sees it.
    pub(crate) fn page(&self) -> &Page {
        &self.page
    }

    /// A report of something that was refused.
    pub(crate) fn refused(report: &impl Report, error: anyhow::Error) -> CommandResult {
        Ok(Self { error: Some(error), ..Self::new(report)? })
    }
}

/// The two ways to report: lines of JSON on stdout, or text on stdout and stderr.
#[derive(Clone)]
pub(crate) struct Output {
    typed: Arc<CommandLine>,
    lines: Option<Arc<Mutex<Numbering>>>,
    ended: Arc<AtomicBool>,
    /// Why stdout could not be written, the first time that happened.
    unwritten: Arc<OnceLock<io::Error>>,
    /// What is done to the board, if this run uses one.
    accounts: Arc<OnceLock<Accounts>>,
}

/// Where the JSON Lines are.
#[derive(Default)]
struct Numbering {
    /// Number of the next line.
    seq: u64,
    /// Whether the result was given: nothing follows it.
    closed: bool,
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub(crate) enum Line<'a> {
    Hello {
        schema: u32,
        version: &'static str,
        command: Option<&'a str>,
        simulated: bool,
    },
    /// A step that waits; the other `progress` lines are events.
    #[serde(rename = "progress")]
    Waiting {
        step: Step,
        done_bytes: u64,
        total_bytes: u64,
        attempts: u32,
        waited_ms: u64,
    },
    Result {
        exit: u8,
        name: &'static str,
        board: BoardState,
        report: Option<&'a RawValue>,
        error: Option<&'a Failure>,
    },
    /// A board of a batch, and what became of it.
    Unit(UnitLine<'a>),
    /// Where the local page is, with the secret that opens it once.
    Address {
        url: &'a str,
    },
    /// An event, as the library has it.
    #[serde(untagged)]
    Event(&'a Event),
}

/// A board of a batch.
#[derive(Serialize)]
pub(crate) struct UnitLine<'a> {
    /// `started`, `finished`, or `skipped` if the board was done before.
    pub(crate) state: &'static str,
    /// The name of the probe, if there are several.
    pub(crate) probe: Option<&'a str>,
    /// What the log has of it.
    #[serde(flatten)]
    pub(crate) entry: &'a Unit,
}

#[derive(Serialize)]
struct Numbered<'a> {
    #[serde(flatten)]
    line: &'a Line<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<u32>,
    seq: u64,
}

impl Output {
    /// Begins the run; with `--json` this is the `hello` line.
    pub(crate) fn begin(typed: Arc<CommandLine>) -> Self {
        let lines = typed.json.then(Arc::default);
        let output = Self { typed, lines, ended: Arc::default(), unwritten: Arc::default(), accounts: Arc::default() };
        output.emit(&Line::Hello {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION"),
            command: output.typed.command.as_deref(),
            simulated: output.typed.simulated,
        });
        output
    }

    /// From now on the state of the board is taken from these accounts.
    pub(crate) fn follow(&self, accounts: &Accounts) {
        let _ = self.accounts.set(accounts.clone());
    }

    /// The command line.
    pub(crate) fn typed(&self) -> Arc<CommandLine> {
        self.typed.clone()
    }

    /// What the board is now.
    fn board(&self) -> BoardState {
        self.accounts.get().map_or(BoardState::Untouched, Accounts::board)
    }

    /// Whether this run prints JSON Lines.
    pub(crate) fn is_json(&self) -> bool {
        self.lines.is_some()
    }

    /// Writes one line of JSON; does nothing if text is printed, or after the result.
    pub(crate) fn emit(&self, line: &Line<'_>) {
        self.emit_of(None, line);
    }

    /// The same for a line about one of the boards of a batch, by its number.
    pub(crate) fn emit_of(&self, unit: Option<u32>, line: &Line<'_>) {
        let Some(lines) = &self.lines else { return };
        let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.closed {
            return;
        }
        lines.closed = matches!(line, Line::Result { .. });
        if let Ok(mut text) = serde_json::to_string(&Numbered { line, unit, seq: lines.seq }) {
            text.push('\n');
            self.put(io::stdout(), &text);
        }
        lines.seq += 1;
    }

    /// Ends the run early, before the program is ended; false if the end was reported already.
    pub(crate) fn cut_short(&self, error: impl FnOnce() -> anyhow::Error) -> bool {
        let first = !self.ended.swap(true, Ordering::SeqCst);
        if first {
            self.tell_end(Err(error()), &Known::default());
        }
        first
    }

    /// Ends the run: the report, or what went wrong, how to go on, and what was found out by then.
    pub(crate) fn end(&self, answer: CommandResult, known: &Known) -> ExitCode {
        while self.ended.swap(true, Ordering::SeqCst) {
            // It was cut short, and so will be the program.
            thread::park();
        }
        self.tell_end(answer, known)
    }

    fn tell_end(&self, answer: CommandResult, known: &Known) -> ExitCode {
        let exit = match answer {
            Ok(outcome) => {
                if !self.is_json() {
                    self.put(anstream::stdout(), &printable_lines(&outcome.page.render(Columns::of_stdout())));
                }
                match outcome.error {
                    None => self.end_well(Some(&outcome.json)),
                    Some(error) => {
                        let exit = exit::classify(&error);
                        let failure = Failure::new(exit, &error, &self.typed);
                        self.end_badly(exit, &Failure { known: Some(outcome.json), ..failure })
                    }
                }
            }
            Err(error) => {
                let exit = exit::classify(&error);
                self.end_badly(exit, &Failure::new(exit, &error, &self.typed).knowing(known))
            }
        };
        ExitCode::from(ExitRow::of(exit).code)
    }

    /// Ends a run that clap ended: help and version on request, or a command line that is wrong.
    pub(crate) fn end_by_clap(&self, error: &clap::Error) -> ExitCode {
        let text = error.render();
        let exit = if error.use_stderr() {
            if !self.is_json() {
                // Clap breaks its help, and nothing else.
                stderr::message(&text.ansi().to_string(), "  ");
            }
            let failure = Failure::of_clap(error.kind(), &text.to_string(), &self.typed);
            self.end_silently(Exit::Usage, &failure);
            Exit::Usage
        } else {
            if !self.is_json() {
                self.put(anstream::stdout(), &Columns::of_stdout().help(&text.ansi().to_string()));
            }
            let report = serde_json::value::to_raw_value(&serde_json::json!({ "text": text.to_string() }));
            self.end_well(report.ok().as_deref())
        };
        ExitCode::from(ExitRow::of(exit).code)
    }

    /// The end of a run whose work is done. A report that could not be written is a failure of its own.
    fn end_well(&self, report: Option<&RawValue>) -> Exit {
        let log = logging::unwritten();
        if self.unwritten.get().is_none() && log.is_none() {
            self.result(Exit::Ok, report, None);
        }
        let stdout = self.unwritten.get().map(|cause| ("the report could not be written".to_owned(), cause));
        let Some((message, cause)) = stdout.or(log) else {
            logging::record_end(Exit::Ok, self.board(), report.map(RawValue::get), None);
            return Exit::Ok;
        };
        let error = refuse_because(Exit::Output, &message, cause);
        let known = report.map(ToOwned::to_owned);
        let failure = Failure { known, ..Failure::new(Exit::Output, &error, &self.typed) };
        self.end_silently(Exit::Output, &failure);
        // A reader that closed the pipe needs no error, unless a board was changed.
        if cause.kind() != io::ErrorKind::BrokenPipe || self.board() != BoardState::Untouched {
            stderr::line(&failure.text(Exit::Output, self.board(), &self.typed));
        }
        Exit::Output
    }

    /// The end of a run that failed.
    fn end_badly(&self, exit: Exit, failure: &Failure) -> Exit {
        self.end_silently(exit, failure);
        // What stdout does not take is told on stderr.
        if !self.is_json() || self.unwritten.get().is_some() {
            stderr::line(&failure.text(exit, self.board(), &self.typed));
        }
        if let Some((message, cause)) = logging::unwritten().filter(|(message, _)| *message != failure.message) {
            stderr::message(&format!("warning: {message}: {cause}"), "  ");
        }
        exit
    }

    /// Tells scripts and the log how a run failed.
    fn end_silently(&self, exit: Exit, failure: &Failure) {
        self.result(exit, failure.known.as_deref(), Some(failure));
        logging::record_end(exit, self.board(), failure.known.as_deref().map(RawValue::get), Some(failure));
    }

    fn result(&self, exit: Exit, report: Option<&RawValue>, error: Option<&Failure>) {
        let row = ExitRow::of(exit);
        self.emit(&Line::Result { exit: row.code, name: row.name, board: self.board(), report, error });
    }

    /// Writes to stdout. The reader may have closed the pipe (`| head`), or the disk may be full: that must not stop a board from
    /// being written, and is told at the end.
    fn put(&self, mut stdout: impl Write, text: &str) {
        if let Err(error) = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            let _ = self.unwritten.set(error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Odd;

    impl Serialize for Odd {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("odd"))
        }
    }

    impl Report for Odd {
        fn text(&self, _page: &mut Page) {}
    }

    #[test]
    fn a_report_that_cannot_be_written_as_json_is_a_defect() {
        let error = Outcome::new(&Odd).err().unwrap();
        assert_eq!(exit::classify(&error), Exit::Internal);
    }
}
