//! Who is there to answer a question.

use std::io::{self, IsTerminal};

use crate::cli::args::globals::Globals;

/// Who could answer a question.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct Audience {
    /// `--json`, `--no-input` or `--quiet` was given.
    scripted: bool,
    /// stdin is a terminal.
    types: bool,
    /// stderr is a terminal.
    reads: bool,
    /// stdout is a terminal.
    reads_report: bool,
}

impl Audience {
    /// Who is there now.
    pub(crate) fn of(globals: &Globals) -> Self {
        Self {
            scripted: globals.json || globals.no_input || globals.quiet,
            types: io::stdin().is_terminal(),
            reads: io::stderr().is_terminal(),
            reads_report: io::stdout().is_terminal(),
        }
    }

    /// Whether somebody reads the report on the screen.
    pub(crate) fn reads_report(self) -> bool {
        !self.scripted && self.reads_report
    }

    /// Whether there is somebody to ask.
    pub(crate) fn answers(self) -> bool {
        !self.scripted && self.types && self.reads
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_person_at_a_terminal_is_asked() {
        let person = Audience { scripted: false, types: true, reads: true, reads_report: false };
        assert!(person.answers() && !person.reads_report());
        assert!(Audience { reads_report: true, ..person }.reads_report());
        assert!(!Audience { scripted: true, reads_report: true, ..person }.reads_report());
        assert!(!Audience { scripted: true, ..person }.answers());
        assert!(!Audience { types: false, ..person }.answers());
        assert!(!Audience { reads: false, ..person }.answers());
    }
}
