//! The scooter's serial number as the controller keeps it.

use std::fmt;

use serde::{Serialize, Serializer};

/// Length of a serial number in bytes; no terminator follows it.
pub(super) const LEN: usize = 14;
/// Length of the serial number of a 4 Pro.
pub(super) const LONG: usize = 20;

/// The serials that the firmware itself writes into an empty block. A board with one of them shows error 35, so they
/// are refused for every scooter. Found in the images: Xiaomi, Mi Lite, 4 Pro; Ninebot ES, E, Air T15, Max, F and D, Max G2, F2.
const FACTORY_DEFAULTS: [&[u8]; 10] = [
    b"M1GCA1601C0001",
    b"M5GCA1901C0001",
    b"M1GCA1601C0000000001",
    b"N2GEA1601C0001",
    b"N2GDA1501C0001",
    b"N3GEA1901C0001",
    b"N4GEA1601C0001",
    b"N5GEA1601C0001",
    b"01GXA1601C0001",
    b"NAGR2210000001",
];

/// What people type instead of the `/` of a serial.
const SEPARATORS: [char; 6] = ['/', '-', '\u{2010}', '\u{2013}', '\u{2014}', '\\'];

/// A serial number: 14 printable ASCII characters, or 20 of a 4 Pro, and not a factory default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Serial {
    /// The characters, followed by zeros.
    bytes: [u8; LONG],
    len: u8,
}

/// Why a serial number is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SerialError {
    /// It does not have the scooter's form.
    #[error("invalid serial number {text:?}: needs {}{}; {mistake}", form_in_words(pattern), example_in_words(example.as_deref()))]
    Form {
        /// What was typed.
        text: String,
        /// The form that the scooter needs, as in [`Serial::parse`].
        pattern: String,
        /// A serial of this form, if one is known.
        example: Option<String>,
        /// What is wrong and at which place.
        mistake: String,
    },
    /// It is one of those that firmware writes into an empty block.
    #[error("serial number {0:?} is a factory default: the scooter would show error 35")]
    FactoryDefault(String),
    /// It is that of a scooter that is not supported.
    #[error("the serial number {serial} is that of a {family}, which is not supported")]
    NotSupported {
        /// What was typed.
        serial: Serial,
        /// The scooters that have such serials.
        family: &'static str,
    },
    /// The bytes are not text: an erased or damaged block.
    #[error("the serial number in the data block is not text: bytes {0}")]
    Unprintable(String),
}

impl SerialError {
    /// The same error with a serial that would be right.
    #[must_use]
    pub fn with_example(mut self, right: &str) -> Self {
        if let Self::Form { example, .. } = &mut self {
            *example = Some(right.to_owned());
        }
        self
    }
}

impl Serial {
    /// Reads a serial number as people type it: spaces and lower case do not matter, and the `/` may be a `-` or be left
    /// out. In `pattern` a `#` stands for a digit, an `@` for a digit or a capital letter, anything else for itself:
    /// `"#####/########"` is the form of the Xiaomi scooters.
    ///
    /// ```
    /// let serial = m365_drv::block::Serial::parse(" 21886-00012345", "#####/########").unwrap();
    /// assert_eq!(serial.as_str(), "21886/00012345");
    /// ```
    pub fn parse(text: &str, pattern: &str) -> Result<Self, SerialError> {
        let typed = TypedSerial::of(text, pattern);
        if let Some(serial) = typed.in_form(pattern).filter(|serial| is_length(serial.len())) {
            return Self::from_bytes(serial.as_bytes());
        }
        let plain: String = typed.0.iter().map(|(_, read, _)| *read).collect();
        if Self::is_factory_default(plain.as_bytes()) {
            return Err(SerialError::FactoryDefault(plain));
        }
        let mistake = typed.mistake(pattern);
        Err(SerialError::Form { text: text.into(), pattern: pattern.into(), example: None, mistake })
    }

    /// Reads a serial number that may have any of these forms, each a pattern with an example. An error names the form that
    /// what was typed comes closest to: by the characters that it cannot hold, and by its length. Of several it names the first.
    pub fn parse_any(text: &str, forms: &[(&str, &str)]) -> Result<Self, SerialError> {
        let answers = forms.iter().map(|(pattern, _)| Self::parse(text, pattern));
        if let Some(answer) = answers.into_iter().find(|answer| !matches!(answer, Err(SerialError::Form { .. }))) {
            return answer;
        }
        let distance = |(pattern, _): &&(&str, &str)| {
            let typed = TypedSerial::of(text, pattern);
            typed.foreign(pattern).count() + typed.0.len().abs_diff(pattern.len())
        };
        let (pattern, example) = forms.iter().min_by_key(distance).copied().unwrap_or_default();
        Self::parse(text, pattern).map_err(|error| error.with_example(example))
    }

    /// Takes the bytes of a block's field, 14 or 20 of them. The form is not checked: a board may carry the serial of another
    /// scooter.
    pub fn from_bytes(text: &[u8]) -> Result<Self, SerialError> {
        if !is_length(text.len()) || !text.iter().all(u8::is_ascii_graphic) {
            return Err(SerialError::Unprintable(hex::encode(text)));
        }
        let mut bytes = [0; LONG];
        bytes[..text.len()].copy_from_slice(text);
        let serial = Self { bytes, len: text.len() as u8 };
        if Self::is_factory_default(text) {
            return Err(SerialError::FactoryDefault(serial.as_str().into()));
        }
        Ok(serial)
    }

    /// True for the bytes of a serial that firmware writes by itself.
    pub fn is_factory_default(bytes: &[u8]) -> bool {
        FACTORY_DEFAULTS.contains(&bytes)
    }

    /// True if the serial has a scooter's form; `pattern` as in [`Serial::parse`].
    pub fn matches(&self, pattern: &str) -> bool {
        Self::has_form(self.as_str(), pattern)
    }

    /// True if a text has a scooter's form as it stands, whether or not it is a serial; `pattern` as in [`Serial::parse`].
    pub fn has_form(text: &str, pattern: &str) -> bool {
        text.len() == pattern.len() && pattern.chars().zip(text.chars()).all(|(place, c)| takes(place, c))
    }

    /// The first five characters, which tell model and region on Xiaomi scooters.
    pub fn prefix(&self) -> &str {
        &self.as_str()[..5]
    }

    /// The serial as text.
    #[expect(clippy::missing_panics_doc, reason = "the bytes are ASCII since they were taken")]
    pub fn as_str(&self) -> &str {
        str::from_utf8(self.as_bytes()).expect("checked to be ASCII when made")
    }

    /// The bytes as they are stored in the block.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

fn is_length(len: usize) -> bool {
    len == LEN || len == LONG
}

/// Whether a place of a pattern takes a character.
fn takes(place: char, c: char) -> bool {
    match place {
        '#' => c.is_ascii_digit(),
        '@' => c.is_ascii_digit() || c.is_ascii_uppercase(),
        literal => literal == c,
    }
}

fn is_class(place: char) -> bool {
    place == '#' || place == '@'
}

/// The characters that were typed, without spaces: each with its position in the text, from 1, as it is read (in capitals,
/// with the pattern's own separator) and as it was typed.
struct TypedSerial(Vec<(usize, char, char)>);

impl TypedSerial {
    fn of(text: &str, pattern: &str) -> Self {
        let separates = pattern.contains('/');
        let read = |c: char| if separates && SEPARATORS.contains(&c) { '/' } else { c.to_ascii_uppercase() };
        let kept = text.chars().enumerate().filter(|(_, c)| !c.is_whitespace());
        Self(kept.map(|(at, c)| (at + 1, read(c), c)).collect())
    }

    /// The serial in the pattern's form, if this is one.
    fn in_form(&self, pattern: &str) -> Option<String> {
        let has_separator = self.0.iter().any(|(_, c, _)| *c == '/');
        let mut rest = self.0.iter().map(|(_, c, _)| *c).peekable();
        let mut serial = String::new();
        for place in pattern.chars() {
            match rest.next_if(|c| takes(place, *c)) {
                Some(c) => serial.push(c),
                None if place == '/' && !has_separator => serial.push('/'),
                None => return None,
            }
        }
        rest.next().is_none().then_some(serial)
    }

    /// The characters that no place of the pattern takes, as they were typed, with their positions.
    fn foreign(&self, pattern: &str) -> impl Iterator<Item = (usize, char)> {
        let taken = |c: char| pattern.chars().any(|place| takes(place, c));
        self.0.iter().filter(move |(_, c, _)| !taken(*c)).map(|(at, _, typed)| (*at, *typed))
    }

    /// What is wrong with a text that does not have the pattern's form.
    fn mistake(&self, pattern: &str) -> String {
        if self.0.is_empty() {
            return "it is empty".into();
        }
        if let Some((at, c)) = self.foreign(pattern).next() {
            let kind = if pattern.contains('@') { "a letter or digit" } else { "a digit" };
            return format!("{:?} at position {at} is not {kind}", c.to_string());
        }
        let noun = if pattern.contains('@') { "character" } else { "digit" };
        let lengths = |text: &[char]| text.split(|c| *c == '/').map(<[char]>::len).collect::<Vec<_>>();
        let wanted = lengths(&pattern.chars().collect::<Vec<_>>());
        let found = lengths(&self.0.iter().map(|(_, c, _)| *c).collect::<Vec<_>>());
        if wanted == found {
            return self.misplaced(pattern);
        }
        if found.len() == 1 {
            return format!("it has {}", count(found[0], noun));
        }
        if found.len() > wanted.len() {
            let at = self.0.iter().filter(|(_, c, _)| *c == '/').nth(1).map_or(0, |(at, ..)| *at);
            return format!("a second separator at position {at}");
        }
        match wanted.iter().zip(&found).position(|(wanted, found)| wanted != found) {
            Some(0) => format!("{} before the \"/\"", count(found[0], noun)),
            Some(group) => format!("{} after the \"/\"", count(found[group], noun)),
            None => self.misplaced(pattern),
        }
    }

    /// The first character of a text of the right length that its place does not take.
    fn misplaced(&self, pattern: &str) -> String {
        let mut pairs = self.0.iter().zip(pattern.chars());
        let Some(((at, _, typed), place)) = pairs.find(|((_, c, _), place)| !takes(*place, *c)) else {
            return "letters and digits are in the wrong places".into();
        };
        let wanted = match place {
            '#' => "a digit".to_owned(),
            '@' => "a letter or digit".to_owned(),
            literal => format!("{:?}", literal.to_string()),
        };
        format!("{:?} at position {at} is not {wanted}", typed.to_string())
    }
}

/// A pattern as a person reads it: `5 digits, "/", 8 digits`.
fn form_in_words(pattern: &str) -> String {
    let places: Vec<char> = pattern.chars().collect();
    let runs = places.chunk_by(|a, b| if is_class(*a) { a == b } else { !is_class(*b) });
    let in_words = |run: &[char]| match run[0] {
        '#' => count(run.len(), "digit"),
        '@' => format!("{} letters or digits", run.len()),
        _ => format!("{:?}", run.iter().collect::<String>()),
    };
    runs.map(in_words).collect::<Vec<_>>().join(", ")
}

fn example_in_words(example: Option<&str>) -> String {
    example.map_or_else(String::new, |example| format!(" (for example {example})"))
}

fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
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
        for text in ["", "21886/0001234", "21886/000123456", "2188A/00012345", "21886/0001234é", "218860/0012345"] {
            assert!(matches!(Serial::parse(text, XIAOMI), Err(SerialError::Form { .. })), "{text}");
        }
        for text in ["16133/00012345", "16133/000123456", "N2GSD-1234-C5678"] {
            assert!(Serial::parse(text, NINEBOT).is_err(), "{text}: no separator in this form");
        }
    }

    #[test]
    fn a_serial_is_read_as_people_type_it() {
        for text in [
            " 21886/00012345 ",
            "21886-00012345",
            "21886 / 00012345",
            "21886 00012345",
            "21886\u{2013}0001 2345",
            "21886\\00012345",
            "2188600012345",
            "21886/00012345\r\n",
        ] {
            assert_eq!(Serial::parse(text, XIAOMI).unwrap().as_str(), "21886/00012345", "{text}");
        }
        for text in ["n2gsd1234c5678", " N2GSD 1234 C5678"] {
            assert_eq!(Serial::parse(text, NINEBOT).unwrap().as_str(), "N2GSD1234C5678", "{text}");
        }
    }

    #[test]
    fn a_wrong_serial_is_answered_with_the_form_an_example_and_the_place() {
        let xiaomi = "needs 5 digits, \"/\", 8 digits (for example 21886/00012345)";
        let ninebot = "needs 14 letters or digits (for example N2GSD1234C5678)";
        for (text, pattern, mistake) in [
            ("21886-0001234", XIAOMI, r#"7 digits after the "/""#),
            ("2188/00012345", XIAOMI, r#"4 digits before the "/""#),
            ("218860001234", XIAOMI, "it has 12 digits"),
            ("1", XIAOMI, "it has 1 digit"),
            ("21886/0001O345", XIAOMI, r#""O" at position 11 is not a digit"#),
            (" 2188a/00012345", XIAOMI, r#""a" at position 6 is not a digit"#),
            ("21886/0001/2345", XIAOMI, "a second separator at position 11"),
            ("", XIAOMI, "it is empty"),
            ("n2gsd1234c567", NINEBOT, "it has 13 characters"),
            ("N2GSD1234C567?", NINEBOT, r#""?" at position 14 is not a letter or digit"#),
        ] {
            let (form, example) =
                if pattern == XIAOMI { (xiaomi, "21886/00012345") } else { (ninebot, "N2GSD1234C5678") };
            let error = Serial::parse(text, pattern).unwrap_err().with_example(example);
            assert_eq!(error.to_string(), format!("invalid serial number {text:?}: {form}; {mistake}"));
        }
    }

    #[test]
    fn of_several_forms_the_one_that_can_hold_the_text_is_named() {
        let forms =
            [(XIAOMI, "21886/00012345"), ("#####/@@@@@@@@@@@@@@", "35802/ABCD1234567890"), (NINEBOT, "N2GSD1234C5678")];
        let parse = |text| Serial::parse_any(text, &forms).map_err(|error| error.to_string());
        assert_eq!(parse("21886-00012345").unwrap().as_str(), "21886/00012345");
        assert_eq!(parse("n2gsd1234c5678").unwrap().as_str(), "N2GSD1234C5678");
        assert!(parse("21886-0001234").unwrap_err().ends_with("7 digits after the \"/\""));
        assert!(parse("2188600012345678").unwrap_err().ends_with("it has 16 digits"));
        assert!(parse("n2gsd1234c567").unwrap_err().ends_with("it has 13 characters"));
        assert!(parse("n2gsd1234c56.8").unwrap_err().ends_with("\".\" at position 13 is not a letter or digit"));
        assert!(parse("21886/0001b345").unwrap_err().ends_with("\"b\" at position 11 is not a digit"));
        assert!(parse("35802/abcd123456789").unwrap_err().ends_with("13 characters after the \"/\""));
        assert!(parse("m1gca1601c0001").unwrap_err().contains("factory default"));
    }

    #[test]
    fn a_form_that_begins_with_fixed_letters_is_named_with_them() {
        let error = Serial::parse("m2gCA1606ABCDE", "M1G@@@@@@@@@@@").unwrap_err().to_string();
        let form = "needs \"M1G\", 11 letters or digits; \"2\" at position 2 is not \"1\"";
        assert_eq!(error, format!("invalid serial number \"m2gCA1606ABCDE\": {form}"));
    }

    #[test]
    fn a_factory_default_is_refused_at_every_door() {
        for text in FACTORY_DEFAULTS.map(|text| str::from_utf8(text).unwrap()) {
            let refused = SerialError::FactoryDefault(text.into());
            assert_eq!(Serial::parse(text, NINEBOT), Err(refused.clone()));
            assert_eq!(Serial::parse(text, XIAOMI), Err(refused.clone()));
            assert_eq!(Serial::parse(&text.to_lowercase(), XIAOMI), Err(refused.clone()));
            assert_eq!(Serial::from_bytes(text.as_bytes()), Err(refused));
        }
    }

    #[test]
    fn a_4_pro_has_a_serial_of_20_characters() {
        let pattern = "#####/@@@@@@@@@@@@@@";
        let serial = Serial::parse("35802-abcd1234567890", pattern).unwrap();
        assert_eq!((serial.as_str(), serial.as_bytes().len()), ("35802/ABCD1234567890", 20));
        assert!(serial.matches(pattern) && !serial.matches(XIAOMI));
        assert_eq!(Serial::from_bytes(serial.as_bytes()), Ok(serial));
        assert!(Serial::from_bytes(&serial.as_bytes()[..19]).is_err(), "no field has this length");
    }

    #[test]
    fn an_erased_serial_is_refused() {
        assert!(matches!(Serial::from_bytes(&[0xFF; LEN]), Err(SerialError::Unprintable(_))));
        assert!(matches!(Serial::from_bytes(&[0; LEN]), Err(SerialError::Unprintable(_))));
    }

    proptest! {
        #[test]
        fn a_right_serial_prints_as_it_was_typed(text in "[0-9]{5}/[0-9]{8}") {
            let serial = Serial::parse(&text, XIAOMI).unwrap();
            prop_assert_eq!(serial.to_string(), text);
            prop_assert_eq!(Serial::from_bytes(serial.as_bytes()), Ok(serial));
        }

        #[test]
        fn no_text_makes_it_panic(text in any::<String>(), pattern in any::<String>()) {
            if let Err(error) = Serial::parse(&text, &pattern) {
                let _ = error.with_example("x").to_string();
            }
        }

        #[test]
        fn what_is_accepted_has_the_form(text in "[0-9 /-]{12,18}") {
            if let Ok(serial) = Serial::parse(&text, XIAOMI) {
                prop_assert!(serial.matches(XIAOMI));
                prop_assert_eq!(Serial::parse(serial.as_str(), XIAOMI), Ok(serial));
            }
        }
    }
}
