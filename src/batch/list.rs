//! The list that serial numbers are given from: a CSV file with the columns `serial` and, if wanted, `km` and `uid`.

use super::table::{self, TableRow};
use crate::{
    block::{Mileage, Serial, Uid, UidError},
    target::Target,
};

/// One row of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListRow {
    /// The number of its line in the file, from 1.
    pub line: u64,
    /// The board that it is for; without one it is for any board that has no serial number.
    pub uid: Option<Uid>,
    /// The serial number.
    pub serial: Serial,
    /// The mileage; without one the board's own.
    pub mileage: Option<Mileage>,
}

/// The rows of a list, in the order of the file. No serial number and no UID is in it twice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SerialList(Vec<ListRow>);

/// Why a list cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {mistake}")]
pub struct ListError {
    /// The number of the line, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub mistake: String,
}

/// The columns that a list may have.
const COLUMNS: [&str; 3] = ["uid", "serial", "km"];

impl SerialList {
    /// Reads a list for boards of this scooter. Columns may be separated by commas, semicolons or tabs.
    pub fn parse(bytes: &[u8], target: &Target) -> Result<Self, ListError> {
        let wrong = |line, mistake: String| ListError { line, mistake };
        let text = std::str::from_utf8(bytes).map_err(|_| wrong(1, "the list is not UTF-8 text".into()))?;
        let text = text.trim_start_matches('\u{FEFF}');
        let header = text.lines().next().unwrap_or_default();
        let separator = [b';', b'\t'].into_iter().find(|mark| header.as_bytes().contains(mark)).unwrap_or(b',');
        let mut records = table::rows(text, separator).into_iter();
        let header = records.next().map(|row| row.cells).unwrap_or_default();
        let names: Vec<_> = header.iter().map(|name| name.trim().to_lowercase()).collect();
        if let Some(unknown) = names.iter().find(|name| !COLUMNS.contains(&&***name)) {
            let columns = COLUMNS.join(", ");
            return Err(wrong(
                1,
                format!("unknown column {unknown:?}: the columns are {columns}; only serial is needed"),
            ));
        }
        let column = |name: &str| names.iter().position(|column| column == name);
        let Some(serial) = column("serial") else {
            return Err(wrong(1, "the list needs a first line with the names of its columns: serial, km, uid".into()));
        };
        let (km, uid) = (column("km"), column("uid"));
        let mut rows: Vec<ListRow> = Vec::new();
        for TableRow { line, cells } in records {
            let cell = |at: Option<usize>| {
                at.and_then(|at| cells.get(at)).map(|text| text.trim()).filter(|text| !text.is_empty())
            };
            let Some(text) = cell(Some(serial)) else {
                if cells.iter().all(|cell| cell.trim().is_empty()) {
                    continue;
                }
                return Err(wrong(line, "it has no serial number".into()));
            };
            let row = ListRow {
                line,
                serial: target.serial.read(text).map_err(|error| wrong(line, error.to_string()))?,
                uid: cell(uid).map(str::parse).transpose().map_err(|error: UidError| wrong(line, error.to_string()))?,
                mileage: cell(km).map(Mileage::parse_km).transpose().map_err(|error| wrong(line, error.to_string()))?,
            };
            if let Some(first) = rows.iter().find(|first| first.serial == row.serial) {
                return Err(wrong(line, format!("the serial number {} is in line {} too", row.serial, first.line)));
            }
            if let (Some(first), Some(uid)) =
                (rows.iter().find(|first| first.uid.is_some() && first.uid == row.uid), row.uid)
            {
                return Err(wrong(line, format!("the UID {uid} is in line {} too", first.line)));
            }
            rows.push(row);
        }
        Ok(Self(rows))
    }

    /// All rows.
    pub fn rows(&self) -> &[ListRow] {
        &self.0
    }

    /// The row of this board.
    pub(super) fn of_uid(&self, uid: Uid) -> Option<&ListRow> {
        self.0.iter().find(|row| row.uid == Some(uid))
    }

    /// The rows that are for any board.
    pub(super) fn without_uid(&self) -> impl Iterator<Item = &ListRow> {
        self.0.iter().filter(|row| row.uid.is_none())
    }

    /// The board that a serial number is meant for.
    pub(super) fn owner(&self, serial: Serial) -> Option<Uid> {
        self.0.iter().find(|row| row.serial == serial)?.uid
    }
}
