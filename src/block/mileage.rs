//! The total mileage.

use std::fmt;

use serde::{Serialize, Serializer};

/// Total mileage in metres. A typed one stays below 2^31, because some readers of the register take it as signed
/// (ninebot-docs wiki, "ES2ESC", register 0x29).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mileage(u32);

/// Why a mileage is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MileageError {
    /// The text is not a mileage in kilometres.
    #[error(
        "invalid mileage {text:?}: needs kilometres with at most 3 decimals (for example 1234 or 1234.5); {mistake}"
    )]
    NotKm {
        /// What was typed.
        text: String,
        /// What is wrong and at which place.
        mistake: String,
    },
    /// The text is not a mileage in metres.
    #[error("invalid mileage {text:?}: needs whole metres (for example 1234500); {mistake}")]
    NotMetres {
        /// What was typed.
        text: String,
        /// What is wrong and at which place.
        mistake: String,
    },
    /// One separator before exactly three digits: thousands for some people, decimals for others.
    #[error("ambiguous mileage {text:?}: type {whole} for {whole} km, or use --mileage-m {whole} for {decimal} km")]
    Ambiguous {
        /// What was typed.
        text: String,
        /// The digits without the separator.
        whole: String,
        /// The digits with a decimal point.
        decimal: String,
    },
    /// More kilometres than fit.
    #[error("mileage {0} km is too large: the scooter stores at most {max} km", max = Mileage::MAX_KM)]
    Km(String),
    /// More metres than fit.
    #[error("mileage {0} m is too large: the scooter stores at most {max} m", max = i32::MAX)]
    Metres(String),
}

impl Mileage {
    /// The most kilometres that fit.
    pub const MAX_KM: u32 = i32::MAX as u32 / 1000;

    /// Takes whole kilometres.
    pub fn from_km(km: u32) -> Result<Self, MileageError> {
        if km > Self::MAX_KM {
            return Err(MileageError::Km(km.to_string()));
        }
        Ok(Self(km * 1000))
    }

    /// Takes metres.
    pub fn from_metres(metres: u32) -> Result<Self, MileageError> {
        if i32::try_from(metres).is_err() {
            return Err(MileageError::Metres(metres.to_string()));
        }
        Ok(Self(metres))
    }

    /// Reads kilometres as people type them: `1234`, `1234.5`, `1234,5`, `12 km`, `1 234`, `1.234,5`.
    ///
    /// One point or comma before exactly three digits (`1.234`) means 1234 km to some and 1.234 km to others, so it is
    /// refused, unless it can only be decimals (`0.500`, `1234.567`).
    ///
    /// ```
    /// use m365_drv::block::Mileage;
    /// assert_eq!(Mileage::parse_km("1234,5 km").unwrap().metres(), 1_234_500);
    /// assert!(Mileage::parse_km("1.234").is_err());
    /// ```
    pub fn parse_km(text: &str) -> Result<Self, MileageError> {
        let mistake = |mistake| MileageError::NotKm { text: text.into(), mistake };
        let groups = Groups::read(text, "km").map_err(mistake)?;
        let (whole, decimals) = match groups.number() {
            Number::Whole(whole) => (whole, String::new()),
            Number::Decimal(whole, decimals) if decimals.len() <= 3 => (whole, decimals),
            Number::Decimal(_, decimals) => return Err(mistake(format!("it has {} decimals", decimals.len()))),
            Number::Ambiguous(whole, decimals) => {
                return Err(MileageError::Ambiguous {
                    text: text.into(),
                    decimal: format!("{whole}.{decimals}"),
                    whole: whole + &decimals,
                });
            }
            Number::Odd { at } => return Err(mistake(format!("the separator at position {at} is in the wrong place"))),
        };
        let metres = number(&format!("{whole}{decimals:0<3}"));
        let fits = u32::try_from(metres).ok().and_then(|metres| Self::from_metres(metres).ok());
        let whole = without_zeros(&whole);
        fits.ok_or_else(|| {
            MileageError::Km(if decimals.is_empty() { whole.into() } else { format!("{whole}.{decimals}") })
        })
    }

    /// Reads whole metres as people type them: `1234500`, `500 m`.
    pub fn parse_metres(text: &str) -> Result<Self, MileageError> {
        let mistake = |mistake| MileageError::NotMetres { text: text.into(), mistake };
        let groups = Groups::read(text, "m").map_err(mistake)?;
        if let Some((at, mark)) = groups.separators.first() {
            return Err(mistake(format!("{:?} at position {at} is not a digit", mark.to_string())));
        }
        let fits = u32::try_from(number(&groups.digits[0])).ok().and_then(|metres| Self::from_metres(metres).ok());
        fits.ok_or_else(|| MileageError::Metres(without_zeros(&groups.digits[0]).into()))
    }

    /// Takes whatever a block holds: an impossible mileage of a damaged block is shown, not hidden.
    pub(super) fn stored(metres: u32) -> Self {
        Self(metres)
    }

    /// False for what a damaged or erased block holds in its place: all ones, or more than any scooter can have.
    pub fn is_known(self) -> bool {
        i32::try_from(self.0).is_ok()
    }

    /// The mileage in metres.
    pub fn metres(self) -> u32 {
        self.0
    }
}

/// Digits as a number; more than fit become the largest one, which is too large for any scooter.
fn number(digits: &str) -> u64 {
    digits.bytes().fold(0, |number: u64, digit| number.saturating_mul(10).saturating_add((digit - b'0').into()))
}

/// Digits without leading zeros.
fn without_zeros(digits: &str) -> &str {
    let number = digits.trim_start_matches('0');
    if number.is_empty() { &digits[digits.len() - 1..] } else { number }
}

/// Groups of digits and the separators between them, each with its position in the text, from 1.
struct Groups {
    digits: Vec<String>,
    separators: Vec<(usize, char)>,
}

/// What groups of digits mean together.
enum Number {
    Whole(String),
    Decimal(String, String),
    Ambiguous(String, String),
    /// A separator in a wrong place.
    Odd {
        at: usize,
    },
}

/// Separates thousands and nothing else: space, thin and non-breaking spaces, apostrophes.
fn is_thousands_only(mark: char) -> bool {
    mark.is_whitespace() || mark == '\'' || mark == '\u{2019}'
}

impl Groups {
    /// Takes a text apart; the unit may stand behind the number.
    fn read(text: &str, unit: &str) -> Result<Self, String> {
        let begin = text.chars().take_while(|c| c.is_whitespace()).count();
        let trimmed = text.trim();
        let number = trimmed.trim_end_matches(char::is_alphabetic);
        let behind = &trimmed[number.len()..];
        let number = number.trim_end();
        if number.is_empty() && behind.is_empty() {
            return Err("it is empty".into());
        }
        let is_unit = behind.is_empty() || behind.eq_ignore_ascii_case(unit);
        if number.is_empty() || !is_unit {
            let at = begin + trimmed.chars().count() - behind.chars().count() + 1;
            let wanted = if number.is_empty() { "a digit" } else { unit };
            return Err(format!("{behind:?} at position {at} is not {wanted}"));
        }
        let mut groups = Self { digits: vec![String::new()], separators: Vec::new() };
        for (at, c) in number.chars().enumerate().map(|(at, c)| (begin + at + 1, c)) {
            let group = groups.digits.last_mut().filter(|group| c.is_ascii_digit() || !group.is_empty());
            match group {
                Some(group) if c.is_ascii_digit() => group.push(c),
                Some(_) if matches!(c, '.' | ',') || is_thousands_only(c) => {
                    groups.separators.push((at, c));
                    groups.digits.push(String::new());
                }
                _ => return Err(format!("{:?} at position {at} is not a digit", c.to_string())),
            }
        }
        match groups.digits.last() {
            Some(last) if last.is_empty() => Err("a digit is missing at the end".into()),
            _ => Ok(groups),
        }
    }

    fn number(&self) -> Number {
        let Some((last, thousands)) = self.separators.split_last() else {
            return Number::Whole(self.digits[0].clone());
        };
        let (decimals, whole) = (&self.digits[self.digits.len() - 1], &self.digits[..self.digits.len() - 1]);
        let all = |marks: &[(usize, char)], digits: &[String]| {
            // Thousands: the same mark throughout, at most three digits before the first and three behind each.
            let odd = (1..digits.len()).find(|at| digits[*at].len() != 3 || marks[at - 1].1 != marks[0].1);
            odd.or((digits.len() > 1 && digits[0].len() > 3).then_some(1)).map(|at| marks[at - 1].0)
        };
        let is_decimal = !is_thousands_only(last.1) && thousands.iter().all(|(_, mark)| *mark != last.1);
        if !is_decimal {
            return all(&self.separators, &self.digits)
                .map_or_else(|| Number::Whole(self.digits.concat()), |at| Number::Odd { at });
        }
        if let Some(at) = all(thousands, whole) {
            return Number::Odd { at };
        }
        let may_be_thousands =
            thousands.is_empty() && decimals.len() == 3 && whole[0].len() <= 3 && !whole[0].starts_with('0');
        if may_be_thousands {
            Number::Ambiguous(whole.concat(), decimals.clone())
        } else {
            Number::Decimal(whole.concat(), decimals.clone())
        }
    }
}

impl fmt::Display for Mileage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_known() {
            return write!(f, "unknown mileage ({:#010x})", self.0);
        }
        write!(f, "{}.{} km", self.0 / 1000, self.0 % 1000 / 100)
    }
}

/// Metres; null if it is not known.
impl Serialize for Mileage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Some(self.0).filter(|_| self.is_known()).serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn metres(text: &str) -> Result<u32, String> {
        Mileage::parse_km(text).map(Mileage::metres).map_err(|error| error.to_string())
    }

    #[test]
    fn of_zeros_one_is_left() {
        assert_eq!(["0", "000", "0012", "70"].map(without_zeros), ["0", "0", "12", "70"]);
    }

    #[test]
    fn kilometres_become_metres_up_to_the_signed_bound() {
        assert_eq!(Mileage::from_km(1234).unwrap().metres(), 1_234_000);
        assert_eq!(Mileage::from_km(2_147_483).unwrap().metres(), 2_147_483_000);
        assert_eq!(Mileage::from_km(2_147_484), Err(MileageError::Km("2147484".into())));
        assert_eq!(Mileage::from_km(u32::MAX), Err(MileageError::Km(u32::MAX.to_string())));
        assert!(Mileage::from_metres(i32::MAX as u32).is_ok());
        let error = Mileage::from_metres(i32::MAX as u32 + 1).unwrap_err();
        assert_eq!(error.to_string(), "mileage 2147483648 m is too large: the scooter stores at most 2147483647 m");
    }

    #[test]
    fn kilometres_are_read_as_people_type_them() {
        for (text, expected) in [
            ("0", 0),
            ("1234", 1_234_000),
            ("1234.5", 1_234_500),
            ("1234,5", 1_234_500),
            ("1234.56", 1_234_560),
            ("1234.567", 1_234_567),
            ("0.500", 500),
            ("0,123", 123),
            ("12km", 12_000),
            ("12 km", 12_000),
            (" 12,5 KM ", 12_500),
            ("1 234", 1_234_000),
            ("1\u{202f}234,5 km", 1_234_500),
            ("1'234.5", 1_234_500),
            ("1.234,5", 1_234_500),
            ("1,234.5", 1_234_500),
            ("1 234.567", 1_234_567),
            ("1,234,567", 1_234_567_000),
            ("2147483", 2_147_483_000),
        ] {
            assert_eq!(metres(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_point_before_three_digits_is_not_guessed() {
        for text in ["1.234", "1,234", "12.345", "123,456 km", "999.999"] {
            assert!(matches!(Mileage::parse_km(text), Err(MileageError::Ambiguous { .. })), "{text}");
        }
        let error = "ambiguous mileage \"1.234\": type 1234 for 1234 km, or use --mileage-m 1234 for 1.234 km";
        assert_eq!(metres("1.234"), Err(error.into()));
        assert_eq!((metres("1234"), metres("1.23")), (Ok(1_234_000), Ok(1_230)));
    }

    #[test]
    fn a_wrong_mileage_is_answered_with_the_form_an_example_and_the_place() {
        for (text, mistake) in [
            ("", "it is empty"),
            ("km", "\"km\" at position 1 is not a digit"),
            ("-5", "\"-\" at position 1 is not a digit"),
            ("12a4", "\"a\" at position 3 is not a digit"),
            ("12 mi", "\"mi\" at position 4 is not km"),
            ("500m", "\"m\" at position 4 is not km"),
            (".5", "\".\" at position 1 is not a digit"),
            ("5.", "a digit is missing at the end"),
            ("5..5", "\".\" at position 3 is not a digit"),
            ("1.2345", "it has 4 decimals"),
            ("12 34", "the separator at position 3 is in the wrong place"),
            ("1.23.456", "the separator at position 2 is in the wrong place"),
            ("1234.567,8", "the separator at position 5 is in the wrong place"),
            ("1.234 567", "the separator at position 6 is in the wrong place"),
        ] {
            let text = text.to_owned();
            let error = "needs kilometres with at most 3 decimals (for example 1234 or 1234.5)";
            assert_eq!(metres(&text), Err(format!("invalid mileage {text:?}: {error}; {mistake}")));
        }
        let error = "mileage 2147484 km is too large: the scooter stores at most 2147483 km";
        assert_eq!(metres("2147484"), Err(error.into()));
        for (text, km) in [
            ("99999999999999999999999 km", "99999999999999999999999"),
            ("2147483.9", "2147483.9"),
            ("003 000 000,5", "3000000.5"),
        ] {
            let error = format!("mileage {km} km is too large: the scooter stores at most 2147483 km");
            assert_eq!(metres(text), Err(error));
        }
    }

    #[test]
    fn metres_are_whole() {
        let metres = |text| Mileage::parse_metres(text).map(Mileage::metres).map_err(|error| error.to_string());
        assert_eq!((metres("500"), metres(" 500 m")), (Ok(500), Ok(500)));
        for (text, mistake) in [
            ("1.234", "\".\" at position 2 is not a digit"),
            ("12km", "\"km\" at position 3 is not m"),
            ("x", "\"x\" at position 1 is not a digit"),
        ] {
            let error = format!("invalid mileage {text:?}: needs whole metres (for example 1234500); {mistake}");
            assert_eq!(metres(text), Err(error));
        }
        assert!(metres("5000000000").unwrap_err().starts_with("mileage 5000000000 m is too large"));
    }

    #[test]
    fn it_prints_in_kilometres_and_serialises_in_metres() {
        let mileage = Mileage::from_metres(1_234_567).unwrap();
        assert_eq!(mileage.to_string(), "1234.5 km");
        assert_eq!(Mileage::from_km(1234).unwrap().to_string(), "1234.0 km");
        assert_eq!(serde_json::to_string(&mileage).unwrap(), "1234567");
    }

    #[test]
    fn the_mileage_of_an_erased_block_is_unknown() {
        for metres in [u32::MAX, 0x8000_0000] {
            let erased = Mileage::stored(metres);
            assert_eq!((erased.is_known(), serde_json::to_string(&erased).unwrap().as_str()), (false, "null"));
        }
        assert_eq!(Mileage::stored(u32::MAX).to_string(), "unknown mileage (0xffffffff)");
        assert!(Mileage::stored(i32::MAX as u32).is_known());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in any::<String>(), typed in "[0-9., 'km-]{0,14}") {
            for text in [text, typed] {
                let _ = (metres(&text), Mileage::parse_metres(&text));
            }
        }

        #[test]
        fn what_it_prints_it_reads(metres in 0..=i32::MAX as u32) {
            let mileage = Mileage::from_metres(metres / 100 * 100).unwrap();
            prop_assert_eq!(Mileage::parse_km(&mileage.to_string()), Ok(mileage));
        }
    }
}
