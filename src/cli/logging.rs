//! The log: what the library and, from `-vv`, probe-rs say about their work.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write},
    path::Path,
};

use env_logger::{Builder, Logger, Target, WriteStyle};
use indicatif::MultiProgress;
use log::{LevelFilter, Log, Metadata, Record};

use super::{
    Globals, Typed,
    exit::{Exit, Meaning, refuse},
};

/// Two logs with a level each: the screen, and a file that holds everything.
struct Logs {
    screen: Logger,
    file: Option<Logger>,
}

/// Starts logging as the options say. Lines go through `bars`, so that they do not tear a progress bar.
pub(crate) fn start(globals: &Globals, typed: &Typed, bars: MultiProgress) -> anyhow::Result<()> {
    let (own, others) = match (globals.quiet, globals.verbose) {
        (true, _) => (LevelFilter::Error, LevelFilter::Off),
        (false, 0) => (LevelFilter::Warn, LevelFilter::Off),
        (false, 1) => (LevelFilter::Debug, LevelFilter::Off),
        (false, _) => (LevelFilter::Trace, LevelFilter::Debug),
    };
    let screen = levels(own, others)
        // Stripped again by the stream where colours are not wanted.
        .write_style(WriteStyle::Always)
        .format_timestamp(None)
        .target(Target::Pipe(Box::new(BesideBars(bars))))
        .build();
    let file = globals.log_file.as_deref().map(|path| log_file(path, typed)).transpose()?;
    let level = screen.filter().max(file.as_ref().map_or(LevelFilter::Off, Logger::filter));
    // Fails only where a logger is set already, and this is the one place that sets it.
    if log::set_boxed_logger(Box::new(Logs { screen, file })).is_ok() {
        log::set_max_level(level);
    }
    Ok(())
}

/// A log goes on at the end of an earlier one. What is no log is not written into.
fn log_file(path: &Path, typed: &Typed) -> anyhow::Result<Logger> {
    let what = || format!("cannot write the log file {}", path.display());
    if typed.names_besides("--log-file", path) {
        return Err(refuse(
            Exit::Usage,
            format!("{} is named twice: a log goes into a file of its own", path.display()),
        ));
    }
    if !may_hold_log(path).meaning(Exit::Usage, what)? {
        return Err(refuse(Exit::Usage, format!("{} is no log of this program", path.display())));
    }
    let file = OpenOptions::new().append(true).create(true).open(path).meaning(Exit::Usage, what)?;
    Ok(levels(LevelFilter::Trace, LevelFilter::Debug)
        .write_style(WriteStyle::Never)
        .format_timestamp_millis()
        .target(Target::Pipe(Box::new(file)))
        .build())
}

/// Whether a file is a log, or nothing that could be lost. A log begins with a time, in brackets.
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
        self.screen.enabled(metadata) || self.file.as_ref().is_some_and(|file| file.enabled(metadata))
    }

    fn log(&self, record: &Record<'_>) {
        self.screen.log(record);
        if let Some(file) = &self.file {
            file.log(record);
        }
    }

    fn flush(&self) {
        self.screen.flush();
        if let Some(file) = &self.file {
            file.flush();
        }
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
