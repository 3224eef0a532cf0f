//! The log. The screen shows what `-v` asks for; the log file holds everything that the program did, as a bug report needs
//! it: command line, version and system, every event, the result, and the lines of the library and of probe-rs.

use std::{
    env,
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write},
    path::Path,
    sync::OnceLock,
};

use env_logger::{Builder, Logger, Target, WriteStyle};
use indicatif::MultiProgress;
use log::{LevelFilter, Log, Metadata, Record};
use m365_drv::{
    board::{BoardState, progress::Event},
    guide::state_in_words,
    printable::quoted_path,
};

use crate::cli::{
    args::{command_line::CommandLine, globals::Globals},
    exit::{Meaning, refuse, refuse_because},
    exit_codes::{Exit, ExitRow},
    screen::{
        failure::{Failure, escaped, label},
        last_run,
        page::Columns,
    },
};

/// What only the file holds: the screen has it in other words.
const RUN: &str = "m365_drv::run";

/// Logs with a level each: the screen, a file that holds everything, and what is kept of the run for a report.
struct Logs {
    screen: Logger,
    files: Vec<Logger>,
}

/// Starts logging as the command line asks for; `globals` are missing if it was refused. Lines go through `bars`, so that
/// they do not tear a progress bar.
pub(crate) fn start(globals: Option<&Globals>, typed: &CommandLine, bars: MultiProgress) -> anyhow::Result<()> {
    let (own, others) = match globals.map_or((true, 0), |globals| (globals.quiet, globals.verbose)) {
        (true, _) => (LevelFilter::Error, LevelFilter::Off),
        (false, 0) => (LevelFilter::Warn, LevelFilter::Off),
        (false, 1) => (LevelFilter::Debug, LevelFilter::Off),
        (false, _) => (LevelFilter::Trace, LevelFilter::Debug),
    };
    let screen = levels(own, others)
        .filter_module(RUN, LevelFilter::Off)
        // Stripped again by the stream if colours are not wanted.
        .write_style(WriteStyle::Always)
        .format(|line, record| {
            let (level, text) = (record.level(), escaped(&record.args().to_string()));
            let style = line.default_level_style(level);
            let text = format!("[{style}{level:<5}{style:#} {}] {text}", record.target());
            writeln!(line, "{}", Columns::of_stderr().message(&text, "    "))
        })
        .target(Target::Pipe(Box::new(BesideBars(bars))))
        .build();
    let file = typed.log_file.as_deref().map(|path| log_file(path, typed)).transpose()?;
    let kept =
        if typed.is_kept { last_run::begin().map(|kept| lines_to(LevelFilter::Warn, Box::new(kept))) } else { None };
    let files: Vec<Logger> = file.into_iter().chain(kept).collect();
    let level = files.iter().map(Logger::filter).fold(screen.filter(), Ord::max);
    // Fails only if a logger is set already, and this is the one place that sets it.
    if log::set_boxed_logger(Box::new(Logs { screen, files })).is_ok() {
        log::set_max_level(level);
    }
    log::info!(target: RUN, "m365-drv {} on {}", env!("CARGO_PKG_VERSION"), system());
    log::info!(target: RUN, "command line: {}", typed.again(&[]));
    // A log that was asked for and has no room is refused before anything is done.
    match unwritten() {
        Some((message, cause)) => Err(refuse_because(Exit::Output, message, cause)),
        None => Ok(()),
    }
}

/// Why the log file is not complete, the first time that happened.
static UNWRITTEN: OnceLock<(String, io::Error)> = OnceLock::new();

/// What to say if the log file could not be written, with the cause.
pub(crate) fn unwritten() -> Option<(String, &'static io::Error)> {
    UNWRITTEN.get().map(|(message, cause)| (message.clone(), cause))
}

/// The log file. The logger drops the errors of whatever it writes to, so they are kept here.
struct LogFile {
    file: File,
    name: String,
}

impl Write for LogFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Err(error) = self.file.write_all(bytes) {
            let _ = UNWRITTEN.set((format!("the log file {} could not be written", self.name), error));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// The operating system with its version, as far as known.
pub(crate) fn system() -> String {
    let version = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")).unwrap_or_default();
    let words = [env::consts::OS, version.trim(), env::consts::ARCH, name.trim_matches('"')];
    words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Puts an event into the log file.
pub(crate) fn record(event: &Event) {
    match event {
        Event::Started { step } => log::info!(target: RUN, "{step}: started"),
        Event::Finished { step, took } => log::info!(target: RUN, "{step}: finished after {:.3} s", took.as_secs_f64()),
        Event::Skipped { step, .. } => log::info!(target: RUN, "{step}: skipped"),
        Event::Advanced { step, done_bytes, total_bytes } => {
            log::debug!(target: RUN, "{step}: {done_bytes} of {total_bytes} bytes");
        }
        Event::Waiting { attempts, elapsed, need } => {
            log::debug!(target: RUN, "waiting: {need:?}, try {attempts}, {:.1} s", elapsed.as_secs_f64());
        }
        Event::Warning(warning) => log::warn!(target: RUN, "{}: {warning}", warning.name),
        Event::ContactFree => log::info!(target: RUN, "the wires are not needed any more"),
        // The others for programs have no other words.
        other => {
            log::debug!(target: RUN, "{}", serde_json::to_string(other).unwrap_or_else(|_| format!("{other:?}")));
        }
    }
}

/// Puts the end of the run into the log file.
pub(crate) fn record_end(exit: Exit, board: BoardState, report: Option<&str>, failure: Option<&Failure>) {
    if let Some(failure) = failure {
        log::error!(target: RUN, "{}", failure.message);
        for cause in &failure.causes {
            log::error!(target: RUN, "{}{cause}", label(cause));
        }
        if let Some(hint) = &failure.hint {
            log::info!(target: RUN, "next: {hint}");
        }
    }
    if let Some(report) = report {
        log::info!(target: RUN, "report: {report}");
    }
    let row = ExitRow::of(exit);
    log::info!(target: RUN, "exit {} ({}); board: {}", row.code, row.name, state_in_words(board));
    log::logger().flush();
}

/// A log is appended to an earlier one. A file that is not a log is not written to.
fn log_file(path: &Path, typed: &CommandLine) -> anyhow::Result<Logger> {
    let what = || format!("cannot write the log file {}", quoted_path(path));
    if typed.names_besides_log(path) {
        let message = format!("{} is used twice: the log needs a file of its own", quoted_path(path));
        return Err(refuse(Exit::Usage, message));
    }
    if !may_hold_log(path).meaning(Exit::Usage, what)? {
        let message = format!("{} exists and is not an m365-drv log", quoted_path(path));
        return Err(refuse(Exit::Usage, message));
    }
    let file = OpenOptions::new().append(true).create(true).open(path).meaning(Exit::Usage, what)?;
    Ok(lines_to(LevelFilter::Debug, Box::new(LogFile { file, name: quoted_path(path) })))
}

/// A log of everything that this program does, and of other crates down to this level.
fn lines_to(others: LevelFilter, file: Box<dyn Write + Send>) -> Logger {
    levels(LevelFilter::Trace, others)
        .write_style(WriteStyle::Never)
        .format(|line, record| {
            let (time, text) = (line.timestamp_millis(), escaped(&record.args().to_string()));
            writeln!(line, "[{time} {:<5} {}] {text}", record.level(), record.target())
        })
        .target(Target::Pipe(file))
        .build()
}

/// Whether a file is a log, or holds nothing that could be lost. A log begins with a time in brackets.
fn may_hold_log(path: &Path) -> io::Result<bool> {
    let file = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        found => found?,
    };
    if !file.is_file() || file.len() == 0 {
        return Ok(true);
    }
    let mut head = Vec::new();
    File::open(path)?.take(64).read_to_end(&mut head)?;
    let head = String::from_utf8_lossy(&head);
    let time = head.strip_prefix('[').and_then(|rest| rest.split_once(' ')).map(|(time, _)| time);
    Ok(time.is_some_and(|time| time.parse::<jiff::Timestamp>().is_ok()))
}

fn levels(own: LevelFilter, others: LevelFilter) -> Builder {
    let mut builder = Builder::new();
    builder.filter_level(others).filter_module("m365_drv", own);
    builder
}

impl Log for Logs {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.screen.enabled(metadata) || self.files.iter().any(|file| file.enabled(metadata))
    }

    fn log(&self, record: &Record<'_>) {
        self.screen.log(record);
        self.files.iter().for_each(|file| file.log(record));
    }

    fn flush(&self) {
        self.screen.flush();
        self.files.iter().for_each(Log::flush);
    }
}

/// Writes to stderr while the bars are off the screen.
struct BesideBars(MultiProgress);

impl Write for BesideBars {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.suspend(|| anstream::stderr().write_all(bytes))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        anstream::stderr().flush()
    }
}
