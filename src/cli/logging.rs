//! The log: what the library and, from `-vv`, probe-rs say about their work.

use std::{
    fs::File,
    io::{self, Write},
    path::Path,
};

use env_logger::{Builder, Logger, Target, WriteStyle};
use indicatif::MultiProgress;
use log::{LevelFilter, Log, Metadata, Record};

use super::{
    Globals,
    exit::{Exit, Meaning},
};

/// Two logs with a level each: the screen, and a file that holds everything.
struct Logs {
    screen: Logger,
    file: Option<Logger>,
}

/// Starts logging as the options say. Lines go through `bars`, so that they do not tear a progress bar.
pub(crate) fn start(globals: &Globals, bars: MultiProgress) -> anyhow::Result<()> {
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
    let file = globals.log_file.as_deref().map(log_file).transpose()?;
    let level = screen.filter().max(file.as_ref().map_or(LevelFilter::Off, Logger::filter));
    // Fails only where a logger is set already, and this is the one place that sets it.
    if log::set_boxed_logger(Box::new(Logs { screen, file })).is_ok() {
        log::set_max_level(level);
    }
    Ok(())
}

fn log_file(path: &Path) -> anyhow::Result<Logger> {
    let file = File::create(path).meaning(Exit::Usage, || format!("cannot write the log file {}", path.display()))?;
    Ok(levels(LevelFilter::Trace, LevelFilter::Debug)
        .write_style(WriteStyle::Never)
        .format_timestamp_millis()
        .target(Target::Pipe(Box::new(file)))
        .build())
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
