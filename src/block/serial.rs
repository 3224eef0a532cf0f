//! The scooter's serial number as the controller keeps it.

use std::fmt;

use serde::{Serialize, Serializer};

/// Length of a serial number in bytes; it is not terminated.
pub(super) const LEN: usize = 14;

/// The serials that the firmware itself writes into an empty block. A board that carries one shows error 35, so they
/// are refused for every scooter (found in the images: Xiaomi, Mi Lite, Ninebot ES).
const FACTORY_DEFAULTS: [&[u8; LEN]; 3] = [b"M1GCA1601C0001", b"M5GCA1901C0001", b"N2GEA1601C0001"];

/// A serial number: 14 printable ASCII characters, none of the factory's defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Serial([u8; LEN]);

/// Why a serial number is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SerialError {
    /// It does not have the scooter's form.
    #[error("serial `{text}` is not of the form {pattern} (# a digit, @ a digit or capital letter)")]
    Form {
        /// What was given.
        text: String,
        /// What the scooter wants.
        pattern: String,
    },
    /// It is one of the three that the firmware writes into an empty block.
    #[error("serial `{0}` is a factory default, which the scooter answers with error 35")]
    FactoryDefault(String),
    /// The bytes are no text: an erased or damaged block.
    #[error("the serial's bytes are not printable: {0}")]
    Unprintable(String),
}

impl Serial {
    /// Reads a serial in the form a scooter wants: in `pattern` a `#` stands for a digit, an `@` for a digit or a
    /// capital letter, anything else for itself. `"#####/########"` is the form of the Xiaomi scooters.
    pub fn parse(text: &str, pattern: &str) -> Result<Self, SerialError> {
        match <[u8; LEN]>::try_from(text.as_bytes()) {
            Ok(bytes) if matches(&bytes, pattern) => Self::from_bytes(bytes),
            Ok(bytes) if Self::is_factory_default(&bytes) => Err(SerialError::FactoryDefault(text.into())),
            _ => Err(SerialError::Form { text: text.into(), pattern: pattern.into() }),
        }
    }

    /// Takes the bytes of a block. The form is not checked: a board may carry the serial of another scooter.
    pub fn from_bytes(bytes: [u8; LEN]) -> Result<Self, SerialError> {
        if !bytes.iter().all(u8::is_ascii_graphic) {
            return Err(SerialError::Unprintable(hex::encode(bytes)));
        }
        let serial = Self(bytes);
        if Self::is_factory_default(&bytes) {
            return Err(SerialError::FactoryDefault(serial.as_str().into()));
        }
        Ok(serial)
    }

    /// True for the bytes of the three serials that the firmware writes by itself.
    pub fn is_factory_default(bytes: &[u8]) -> bool {
        FACTORY_DEFAULTS.iter().any(|default| bytes == *default)
    }

    /// True where the serial has a scooter's form; `pattern` as in [`Serial::parse`].
    pub fn matches(&self, pattern: &str) -> bool {
        matches(&self.0, pattern)
    }

    /// The first five characters, which tell model and region on Xiaomi scooters.
    pub fn prefix(&self) -> &str {
        &self.as_str()[..5]
    }

    /// The serial as text.
    #[expect(clippy::missing_panics_doc, reason = "the bytes are ASCII since they were taken")]
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).expect("checked to be ASCII when made")
    }

    /// The bytes as they stand in the block.
    pub fn as_bytes(&self) -> &[u8; LEN] {
        &self.0
    }
}

fn matches(bytes: &[u8], pattern: &str) -> bool {
    bytes.len() == pattern.len()
        && pattern.bytes().zip(bytes).all(|(place, byte)| match place {
            b'#' => byte.is_ascii_digit(),
            b'@' => byte.is_ascii_digit() || byte.is_ascii_uppercase(),
            literal => literal == *byte,
        })
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Serial {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const XIAOMI: &str = "#####/########";
    const NINEBOT: &str = "@@@@@@@@@@@@@@";

    #[test]
    fn the_form_is_the_scooters() {
        let serial = Serial::parse("21886/00012345", XIAOMI).unwrap();
        assert_eq!((serial.to_string().as_str(), serial.prefix()), ("21886/00012345", "21886"));
        assert!(serial.matches(XIAOMI) && !serial.matches(NINEBOT));
        assert!(Serial::parse("N2GSD1234C5678", NINEBOT).is_ok());
        for text in ["", "21886/0001234", "21886/000123456", "21886-00012345", "2188A/00012345", "21886/0001234é"] {
            assert!(matches!(Serial::parse(text, XIAOMI), Err(SerialError::Form { .. })), "{text}");
        }
        assert!(Serial::parse("n2gsd1234c5678", NINEBOT).is_err(), "small letters");
    }

    #[test]
    fn a_factory_default_is_refused_at_every_door() {
        for text in ["M1GCA1601C0001", "M5GCA1901C0001", "N2GEA1601C0001"] {
            let refused = SerialError::FactoryDefault(text.into());
            assert_eq!(Serial::parse(text, NINEBOT), Err(refused.clone()));
            assert_eq!(Serial::parse(text, XIAOMI), Err(refused.clone()));
            assert_eq!(Serial::from_bytes(text.as_bytes().try_into().unwrap()), Err(refused));
        }
    }

    #[test]
    fn an_erased_serial_is_no_serial() {
        assert!(matches!(Serial::from_bytes([0xFF; LEN]), Err(SerialError::Unprintable(_))));
        assert!(matches!(Serial::from_bytes([0; LEN]), Err(SerialError::Unprintable(_))));
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_prints_as_it_was_given(text in "[0-9]{5}/[0-9]{8}") {
            let serial = Serial::parse(&text, XIAOMI).unwrap();
            prop_assert_eq!(serial.to_string(), text);
            prop_assert_eq!(Serial::from_bytes(*serial.as_bytes()), Ok(serial));
        }

        #[test]
        fn no_text_makes_it_panic(text in any::<String>(), pattern in any::<String>()) {
            let _ = Serial::parse(&text, &pattern);
        }
    }
}
