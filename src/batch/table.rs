//! Comma-separated values (RFC 4180), as programs for tables write them.

/// A row of a table, with the number of the line that it begins in, from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TableRow {
    pub(super) line: u64,
    pub(super) cells: Vec<String>,
}

/// Takes a table apart. A cell in quotes may hold separators and line breaks; two quotes in it are one.
pub(super) fn rows(text: &str, separator: char) -> Vec<TableRow> {
    let mut rows = Vec::new();
    let mut row = TableRow { line: 1, cells: Vec::new() };
    let (mut cell, mut quoted, mut line) = (String::new(), false, 1);
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        line += u64::from(c == '\n');
        match c {
            '"' if quoted && rest.next_if_eq(&'"').is_some() => cell.push('"'),
            '"' if quoted => quoted = false,
            '"' if cell.trim().is_empty() => (quoted, cell) = (true, String::new()),
            '\r' if !quoted && rest.peek() == Some(&'\n') => {}
            '\n' if !quoted => {
                row.cells.push(std::mem::take(&mut cell));
                rows.push(std::mem::replace(&mut row, TableRow { line, cells: Vec::new() }));
            }
            c if c == separator && !quoted => row.cells.push(std::mem::take(&mut cell)),
            c => cell.push(c),
        }
    }
    if !cell.is_empty() || !row.cells.is_empty() {
        row.cells.push(cell);
        rows.push(row);
    }
    rows
}

/// One row as a line.
pub(super) fn line(cells: &[String]) -> String {
    let written = |cell: &String| {
        let needs_quotes = cell.contains([',', '"', '\n', '\r']);
        if needs_quotes { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.clone() }
    };
    format!("{}\n", cells.iter().map(written).collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cells(text: &str) -> Vec<Vec<String>> {
        rows(text, ',').into_iter().map(|row| row.cells).collect()
    }

    #[test]
    fn quotes_line_breaks_and_missing_ends_are_read_as_programs_for_tables_write_them() {
        assert_eq!(cells("a,\"b \"\"c\"\", d\"\r\n,\n"), [vec!["a", "b \"c\", d"], vec!["", ""]]);
        assert_eq!(cells("a,b"), [["a", "b"]]);
        assert_eq!(cells(""), [[""; 0]; 0]);
        let lines = rows("a\n\"b\nc\"\nd\n", ',').into_iter().map(|row| row.line).collect::<Vec<_>>();
        assert_eq!(lines, [1, 2, 4]);
    }

    proptest! {
        #[test]
        fn a_line_gives_back_its_cells(one in "[a-z,\"\n]{0,8}", two in ".{0,8}") {
            let cells = vec![one, two.replace('\r', "")];
            prop_assert_eq!(&rows(&line(&cells), ',')[0].cells, &cells);
        }
    }
}
