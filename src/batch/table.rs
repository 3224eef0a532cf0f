//! Comma-separated values (RFC 4180), as programs for tables write them.

use std::io;

/// A row of a table, with the number of the line that it begins in, from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TableRow {
    pub(super) line: u64,
    pub(super) cells: Vec<String>,
}

/// Takes a table apart. Rows may have different numbers of cells.
pub(super) fn rows(text: &str, separator: u8) -> Vec<TableRow> {
    let mut reader = csv::ReaderBuilder::new();
    let reader = reader.has_headers(false).flexible(true).delimiter(separator);
    let records = reader.from_reader(text.as_bytes()).into_records();
    // What is text and in memory cannot fail to be read.
    let records = records.filter_map(Result::ok);
    records
        .map(|record| TableRow { line: first_line(text, &record), cells: record.iter().map(str::to_owned).collect() })
        .collect()
}

/// The line that a record begins in. The crate gives the end of the record before it, and skips empty lines after that.
fn first_line(text: &str, record: &csv::StringRecord) -> u64 {
    let position = record.position().cloned().unwrap_or_else(csv::Position::new);
    let rest = text.bytes().skip(usize::try_from(position.byte()).unwrap_or(usize::MAX));
    let skipped = rest.take_while(|byte| matches!(byte, b'\r' | b'\n')).filter(|byte| *byte == b'\n').count();
    position.line() + skipped as u64
}

/// One row as a line.
pub(super) fn line(cells: &[String]) -> io::Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(cells)?;
    let bytes = writer.into_inner().map_err(csv::IntoInnerError::into_error)?;
    String::from_utf8(bytes).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cells(text: &str) -> Vec<Vec<String>> {
        rows(text, b',').into_iter().map(|row| row.cells).collect()
    }

    #[test]
    fn quotes_line_breaks_and_missing_ends_are_read_as_programs_for_tables_write_them() {
        assert_eq!(cells("a,\"b \"\"c\"\", d\"\r\n,\n"), [vec!["a", "b \"c\", d"], vec!["", ""]]);
        assert_eq!(cells("a,b"), [["a", "b"]]);
        assert_eq!(cells(""), [[""; 0]; 0]);
        let lines = rows("a\n\"b\nc\"\n\r\nd\n", b',').into_iter().map(|row| row.line).collect::<Vec<_>>();
        assert_eq!(lines, [1, 2, 5]);
    }

    proptest! {
        #[test]
        fn a_line_gives_back_its_cells(one in "[a-z,\"\n]{0,8}", two in ".{0,8}") {
            let cells = vec![one, two.replace('\r', "")];
            prop_assert_eq!(&rows(&line(&cells).unwrap(), b',')[0].cells, &cells);
        }
    }
}
