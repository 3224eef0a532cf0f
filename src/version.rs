//! The version number of ESC firmware.

use std::fmt;

use serde::{Serialize, Serializer};

/// A firmware version as register 0x1A holds it: one hexadecimal digit a place, printed as a decimal
/// number: `0x0155` is 1.5.5, `0x016D` is 1.6.13, and `0x2018` of a Ninebot is 2.0.1.8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u16);

impl Version {
    /// Reads `"1.5.5"`: three decimal numbers of at most 15, or four if the first is not zero.
    pub fn parse(text: &str) -> Option<Self> {
        let digit = |place: &str| {
            let number = place.parse::<u16>().ok().filter(|number| *number <= 0xF)?;
            // No sign, no zeros in front.
            (number.to_string() == place).then_some(number)
        };
        let places: Vec<u16> = text.split('.').map(digit).collect::<Option<_>>()?;
        let is_version = places.len() == 3 || places.len() == 4 && places[0] != 0;
        is_version.then(|| Self(places.into_iter().fold(0, |value, place| value << 4 | place)))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, major, minor, patch] = [12, 8, 4, 0].map(|shift| self.0 >> shift & 0xF);
        if first != 0 {
            write!(f, "{first}.")?;
        }
        write!(f, "{major}.{minor}.{patch}")
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
        for text in ["1.5.5", "0.1.7", "2.5.2", "1.4.0", "1.6.13", "15.15.15", "2.0.1.8"] {
            assert_eq!(Version::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Version::parse("1.5.5"), Some(Version(0x0155)));
        assert_eq!(Version::parse("1.6.13"), Some(Version(0x016D)));
        for text in ["", "1", "1.5", "1.5.16", "1.5.d", "1.5.05", "1.5.+5", "0.1.5.5", "1.5.5.5.5", "1.5.x", "1..5"] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
    }
}
