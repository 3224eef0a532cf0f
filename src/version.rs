//! The version number of ESC firmware.

use std::fmt;

use serde::{Serialize, Serializer};

/// A firmware version as register 0x1A holds it: one hexadecimal digit a place, `0x0155` is 1.5.5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u16);

impl Version {
    /// Reads `"1.5.5"`; each of the three places is one hexadecimal digit.
    pub fn parse(text: &str) -> Option<Self> {
        let mut places = text.split('.');
        let mut value = 0u16;
        for _ in 0..3 {
            let mut digits = places.next()?.chars();
            let digit = digits.next()?.to_digit(16)?;
            if digits.next().is_some() {
                return None;
            }
            value = value << 4 | digit as u16;
        }
        places.next().is_none().then_some(Self(value))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = [self.0 >> 8, self.0 >> 4 & 0xF, self.0 & 0xF];
        write!(f, "{major:x}.{minor:x}.{patch:x}")
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_reads_as_it_prints() {
        for text in ["1.5.5", "0.1.7", "2.5.2", "1.4.0"] {
            assert_eq!(Version::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Version::parse("1.5.5"), Some(Version(0x0155)));
        for text in ["", "1", "1.5", "1.5.55", "1.5.5.5", "1.5.x", "1..5"] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
    }
}
