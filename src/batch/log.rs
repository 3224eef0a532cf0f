//! The log of a batch: a file that gets a line for each thing that happens to a board, on the disk before anything else is
//! done. A batch uses it to continue after any interruption.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use super::{Unit, table};
use crate::{durable::sync_name, printable::quoted_path};

/// The largest log that is read, in bytes: some hundred thousand boards.
const LIMIT: u64 = 64 << 20;

/// Why a log cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The name of the file tells no format.
    #[error("invalid name {} for a log: it must end in .csv or .jsonl", quoted_path(path))]
    Extension {
        /// The file.
        path: PathBuf,
    },
    /// The file is not a log of a batch, or one of its lines was changed.
    #[error("{} is not the log of a batch: line {line}: {mistake}", quoted_path(path))]
    NotALog {
        /// The file.
        path: PathBuf,
        /// The number of the line, from 1.
        line: u64,
        /// What is wrong with it.
        mistake: String,
    },
    /// The file is longer than any log.
    #[error("the log {} is too large: at most {} MiB are read", quoted_path(path), LIMIT >> 20)]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// Another batch writes to the file.
    #[error("another batch is using the log {}", quoted_path(path))]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read or written.
    #[error("cannot {what} the log {}", quoted_path(path))]
    Io {
        /// `read` or `write`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        #[source]
        source: io::Error,
    },
}

/// The two formats, by the extension of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Csv,
    JsonLines,
}

/// The log, open for the whole batch. Nobody else can open it meanwhile.
#[derive(Debug)]
pub struct UnitLog {
    file: File,
    path: PathBuf,
    format: Format,
    len: u64,
}

/// A log with what it told when it was opened.
#[derive(Debug)]
pub struct OpenedLog {
    /// The log.
    pub log: UnitLog,
    /// Its lines.
    pub units: Vec<Unit>,
    /// A last line that was cut short, as by a power failure. It is not in the file any more.
    pub torn: Option<String>,
}

impl UnitLog {
    /// Opens a log, or makes it. A last line that was cut short is taken out of it.
    pub fn open(path: &Path) -> Result<OpenedLog, LogError> {
        let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
        let format = match extension.as_deref() {
            Some("csv") => Format::Csv,
            Some("jsonl") => Format::JsonLines,
            _ => return Err(LogError::Extension { path: path.into() }),
        };
        let failed = |what| move |source| LogError::Io { what, path: path.into(), source };
        let is_new = path.symlink_metadata().is_err();
        let opened = OpenOptions::new().read(true).append(true).create(true).open(path);
        let mut file = opened.map_err(failed("write"))?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => LogError::InUse { path: path.into() },
            TryLockError::Error(source) => LogError::Io { what: "write", path: path.into(), source },
        })?;
        let mut bytes = Vec::new();
        (&mut file).take(LIMIT + 1).read_to_end(&mut bytes).map_err(failed("read"))?;
        let wrong = |line, mistake: &str| LogError::NotALog { path: path.into(), line, mistake: mistake.into() };
        if bytes.len() as u64 > LIMIT {
            return Err(LogError::TooLarge { path: path.into() });
        }
        let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let (whole, torn) = bytes.split_at(end);
        let whole = std::str::from_utf8(whole).map_err(|_| wrong(1, "it is not text"))?;
        let torn = String::from_utf8_lossy(torn).into_owned();
        // A file of another kind is not cut.
        if whole.is_empty() && !format.may_begin(&torn) {
            return Err(wrong(1, "it does not begin as a log does"));
        }
        let units = format.read(whole).map_err(|(line, mistake)| wrong(line, &mistake))?;
        let mut log = Self { file, path: path.into(), format, len: end as u64 };
        log.file.set_len(log.len).map_err(failed("write"))?;
        if log.len == 0 && format == Format::Csv {
            log.put(&format!("{}\n", Unit::HEADER))?;
        }
        log.file.sync_all().map_err(failed("write"))?;
        if is_new {
            sync_name(path).map_err(failed("write"))?;
        }
        Ok(OpenedLog { log, units, torn: Some(torn).filter(|torn| !torn.is_empty()) })
    }

    /// Adds a line, which is on the disk when this returns. A line that could not be written whole is taken back.
    pub fn append(&mut self, unit: &Unit) -> Result<(), LogError> {
        let line = self.format.line(unit).map_err(|source| self.failed(source))?;
        self.put(&line)
    }

    fn put(&mut self, text: &str) -> Result<(), LogError> {
        let written = self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_data());
        if let Err(source) = written {
            let _ = self.file.set_len(self.len).and_then(|()| self.file.seek(SeekFrom::End(0)).map(drop));
            return Err(self.failed(source));
        }
        self.len += text.len() as u64;
        Ok(())
    }

    fn failed(&self, source: io::Error) -> LogError {
        LogError::Io { what: "write", path: self.path.clone(), source }
    }
}

impl Format {
    /// What every log of this kind begins with.
    fn beginning(self) -> &'static str {
        match self {
            Self::Csv => Unit::HEADER,
            Self::JsonLines => "{\"time\":\"",
        }
    }

    /// Whether a log that was cut short in its first line may hold this.
    fn may_begin(self, text: &str) -> bool {
        self.beginning().starts_with(text) || text.starts_with(self.beginning())
    }

    fn line(self, unit: &Unit) -> io::Result<String> {
        Ok(match self {
            Self::Csv => table::line(&unit.cells()?)?,
            Self::JsonLines => format!("{}\n", serde_json::to_string(unit)?),
        })
    }

    /// The lines of a log; a wrong one with its number, and what is wrong.
    fn read(self, text: &str) -> Result<Vec<Unit>, (u64, String)> {
        match self {
            Self::Csv if text.is_empty() => Ok(Vec::new()),
            Self::Csv => {
                // A program for tables may have put the mark of UTF-8 at the beginning.
                let text = text.trim_start_matches('\u{FEFF}');
                let mut rows = table::rows(text, b',').into_iter();
                if rows.next().is_none_or(|header| header.cells.join(",") != Unit::HEADER) {
                    return Err((1, format!("expected {}", Unit::HEADER)));
                }
                rows.map(|row| Unit::from_cells(&row.cells).map_err(|mistake| (row.line, mistake))).collect()
            }
            Self::JsonLines => {
                let lines = (1..).zip(text.lines());
                lines
                    .map(|(number, line)| serde_json::from_str(line).map_err(|error| (number, error.to_string())))
                    .collect()
            }
        }
    }
}
