//! What was found on a board, in words.

use std::fmt;

/// What was found on a board, one finding each: `the serial number 21886/00012345`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Findings(pub(super) Vec<String>);

impl Findings {
    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, finding) in self.0.iter().enumerate() {
            let before = match index {
                0 => "",
                _ if index + 1 == self.0.len() => " and ",
                _ => ", ",
            };
            write!(f, "{before}{finding}")?;
        }
        Ok(())
    }
}
