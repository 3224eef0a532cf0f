//! What the user gets: a report as text or as JSON Lines. Nothing else writes to stdout.

use std::{
    io::{self, Write},
    process::ExitCode,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use clap::error::ErrorKind;
use m365_drv::ops::BoardState;
use serde::Serialize;
use serde_json::value::RawValue;

use super::{
    exit::{self, Exit, Meaning},
    hints,
    page::{Page, Width},
    probes,
    typed::Typed,
};

/// The version of the lines' shape; `schema.json` describes it.
const SCHEMA: u32 = 1;

/// What a verb tells at its end: plain data for JSON, and the same as text.
pub(crate) trait Report: Serialize {
    /// Writes the report for a person.
    fn text(&self, page: &mut Page);
}

/// How a verb ended when it did not fail.
pub(crate) struct Outcome {
    json: Box<RawValue>,
    page: Page,
    board: BoardState,
}

/// What a verb returns.
pub(crate) type Answer = anyhow::Result<Outcome>;

impl Outcome {
    /// A report; the board is as it was.
    pub(crate) fn new(report: &impl Report) -> Answer {
        Self::after(BoardState::Untouched, report)
    }

    /// A report of work that has left the board in this state.
    pub(crate) fn after(board: BoardState, report: &impl Report) -> Answer {
        let json = serde_json::value::to_raw_value(report)
            .meaning_after(board, Exit::Internal, || "the report cannot be written as JSON".into())?;
        let mut page = Page::default();
        report.text(&mut page);
        Ok(Self { json, page, board })
    }
}

/// The two ways to tell: lines of JSON on stdout, or text on stdout and stderr.
#[derive(Clone)]
pub(crate) struct Output {
    typed: Arc<Typed>,
    lines: Option<Arc<Mutex<Lines>>>,
    ended: Arc<AtomicBool>,
}

/// The state of the JSON Lines.
#[derive(Default)]
struct Lines {
    /// Number of the next line.
    seq: u64,
    /// Whether the result was given: after it there is nothing.
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
    Step {
        step: &'a str,
        state: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        took_ms: Option<u64>,
    },
    Progress {
        step: &'a str,
        done_bytes: u64,
        total_bytes: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        attempts: Option<u32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        waited_ms: Option<u64>,
    },
    Warning {
        name: &'a str,
        message: String,
    },
    Result {
        exit: u8,
        name: &'static str,
        board: BoardState,
        report: Option<&'a RawValue>,
        error: Option<ErrorLine>,
    },
}

#[derive(Serialize)]
pub(crate) struct ErrorLine {
    name: &'static str,
    message: String,
    causes: Vec<String>,
    hint: Option<String>,
}

#[derive(Serialize)]
struct Numbered<'a> {
    #[serde(flatten)]
    line: &'a Line<'a>,
    seq: u64,
}

impl Output {
    /// Begins to tell; with `--json` this is the `hello` line.
    pub(crate) fn begin(typed: Arc<Typed>) -> Self {
        let output = Self { lines: typed.json.then(Arc::default), typed, ended: Arc::default() };
        output.emit(&Line::Hello {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION"),
            command: output.typed.command.as_deref(),
            simulated: output.typed.simulated,
        });
        output
    }

    /// Whether this run speaks JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.lines.is_some()
    }

    /// Writes one line of JSON; does nothing in a run that speaks text, or after the result.
    pub(crate) fn emit(&self, line: &Line<'_>) {
        let Some(lines) = &self.lines else { return };
        let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.closed {
            return;
        }
        lines.closed = matches!(line, Line::Result { .. });
        if let Ok(mut text) = serde_json::to_string(&Numbered { line, seq: lines.seq }) {
            text.push('\n');
            put(io::stdout(), &text);
        }
        lines.seq += 1;
    }

    /// Ends the run before it is over, for who then ends the program; false where it has told its end already.
    pub(crate) fn cut_short(&self, error: impl FnOnce() -> anyhow::Error) -> bool {
        let first = !self.ended.swap(true, Ordering::SeqCst);
        if first {
            self.tell_end(Err(error()));
        }
        first
    }

    /// Ends the run: the report, or what went wrong and how to go on.
    pub(crate) fn end(&self, answer: Answer) -> ExitCode {
        while self.ended.swap(true, Ordering::SeqCst) {
            // It was cut short, and so will be the program.
            thread::park();
        }
        self.tell_end(answer)
    }

    fn tell_end(&self, answer: Answer) -> ExitCode {
        let (report, board, error) = match answer {
            Ok(outcome) => (Some((outcome.json, outcome.page)), outcome.board, None),
            Err(error) => (None, exit::classify(&error).1, Some(error)),
        };
        let exit = error.as_ref().map_or(Exit::Ok, |error| exit::classify(error).0);
        let (json, page) = report.unzip();
        if self.is_json() {
            let error = error.map(|error| self.error_line(exit, &error));
            self.result(exit, board, json.as_deref(), error);
        } else {
            if let Some(page) = page {
                put(anstream::stdout(), &page.render(Width::of_stdout()));
            }
            if let Some(error) = error {
                put(anstream::stderr(), &self.failure(exit, board, &error));
            }
        }
        ExitCode::from(exit.row().code)
    }

    /// Ends a run that clap ended: help and version on request, or a command line that is wrong.
    pub(crate) fn end_by_clap(&self, error: &clap::Error) -> ExitCode {
        let text = error.render();
        let exit = if error.use_stderr() { Exit::Usage } else { Exit::Ok };
        match (self.is_json(), exit) {
            (false, Exit::Ok) => put(anstream::stdout(), &text.ansi().to_string()),
            (false, _) => put(anstream::stderr(), &text.ansi().to_string()),
            (true, Exit::Ok) => {
                let report = serde_json::value::to_raw_value(&serde_json::json!({ "text": text.to_string() }));
                self.result(exit, BoardState::Untouched, report.ok().as_deref(), None);
            }
            (true, _) => {
                let (message, causes) = usage_in_words(error.kind(), &text.to_string());
                let hint = hints::next(exit, None, &self.typed);
                let error = ErrorLine { name: exit.row().name, message, causes, hint };
                self.result(exit, BoardState::Untouched, None, Some(error));
            }
        }
        ExitCode::from(exit.row().code)
    }

    fn result(&self, exit: Exit, board: BoardState, report: Option<&RawValue>, error: Option<ErrorLine>) {
        let row = exit.row();
        self.emit(&Line::Result { exit: row.code, name: row.name, board, report, error });
    }

    fn error_line(&self, exit: Exit, error: &anyhow::Error) -> ErrorLine {
        ErrorLine {
            name: exit.row().name,
            message: error.to_string(),
            causes: causes(error),
            hint: hints::next(exit, Some(error), &self.typed),
        }
    }

    /// The last lines of a run that failed: what happened, what the board is now, what to type.
    fn failure(&self, exit: Exit, board: BoardState, error: &anyhow::Error) -> String {
        use std::fmt::Write as _;
        let red = anstyle::AnsiColor::Red.on_default().bold();
        let bold = anstyle::Style::new().bold();
        let mut text = format!("{red}error:{red:#} {error}\n");
        for cause in causes(error) {
            let _ = writeln!(text, "  cause: {cause}");
        }
        if self.typed.has_board {
            let _ = writeln!(text, "board: {}", state_in_words(board));
        }
        if let Some(hint) = hints::next(exit, Some(error), &self.typed) {
            let _ = writeln!(text, "next: {bold}{hint}{bold:#}");
        }
        let row = exit.row();
        let _ = writeln!(text, "exit {}: `m365-drv explain {}` tells more", row.code, row.name);
        text
    }
}

/// What led to an error, and what it was about.
fn causes(error: &anyhow::Error) -> Vec<String> {
    let chain = error.chain().skip(1).map(ToString::to_string);
    chain.chain(exit::details(error).iter().cloned()).chain(probes::named_by(error)).collect()
}

/// What is wrong with a command line, and what clap says to it: missing arguments, possible values, a tip.
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

/// Whoever reads may have gone (`| head`): that must not stop a board from being written.
fn put(mut stream: impl Write, text: &str) {
    let _ = stream.write_all(text.as_bytes()).and_then(|()| stream.flush());
}

/// Prints a line on stderr, through anstream, which knows whether colours are wanted.
pub(crate) fn eprint_line(line: &str) {
    put(anstream::stderr(), &format!("{line}\n"));
}

fn state_in_words(board: BoardState) -> &'static str {
    match board {
        BoardState::Untouched => "untouched, as it was before",
        BoardState::Erased => "erased, it does not run until it is flashed",
        BoardState::Partial => "changed, and not finished: the same command goes on",
        BoardState::Written => "written",
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
    fn a_report_that_is_no_json_does_not_forget_the_board() {
        let error = Outcome::after(BoardState::Written, &Odd).err().unwrap();
        assert_eq!(exit::classify(&error), (Exit::Internal, BoardState::Written));
    }
}
