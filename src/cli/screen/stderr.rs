//! Writing to stderr.

use std::io::{self, IsTerminal as _, Write as _};

use m365_drv::printable::printable_lines;

use super::page::Columns;

/// Prints a line, through anstream, which knows whether colours are wanted. Nothing in it is obeyed by a terminal but colours.
pub(crate) fn line(line: &str) {
    let line = printable_lines(line);
    let mut stderr = anstream::stderr();
    let _ = stderr.write_all(format!("{line}\n").as_bytes()).and_then(|()| stderr.flush());
}

/// Prints a message broken at words; its other lines begin with `hang`.
pub(crate) fn message(message: &str, hang: &str) {
    line(&Columns::of_stderr().message(message.trim_end_matches('\n'), hang));
}

/// Rings the terminal's bell, also if colours are off.
pub(crate) fn ring() {
    let mut stderr = io::stderr();
    if stderr.is_terminal() {
        let _ = stderr.write_all(b"\x07");
    }
}
