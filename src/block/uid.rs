//! The UID of the chip.

use std::{fmt, str::FromStr};

use serde::{Serialize, Serializer};

use crate::count::count;

/// The UID of a chip: 96 bits that no other chip has (RM0008 30.2), as three words in address order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Uid(pub [u32; 3]);

/// Why a text is not a UID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid UID {text:?}: needs 3 words of 8 hex digits (for example 48ff6e06-52665455-35392587); {mistake}")]
pub struct UidError {
    /// What was typed.
    pub text: String,
    /// What is wrong and at which place.
    pub mistake: String,
}

impl Uid {
    /// Where the chip keeps its UID.
    pub const ADDRESS: u32 = 0x1FFF_F7E8;

    /// Takes the twelve bytes as they are stored in the chip and in the block.
    pub fn from_bytes(bytes: [u8; 12]) -> Self {
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        Self([word(0), word(4), word(8)])
    }

    /// The twelve bytes as they are stored in the chip and in the block.
    pub fn to_bytes(self) -> [u8; 12] {
        let mut bytes = [0; 12];
        for (place, word) in bytes.chunks_exact_mut(4).zip(self.0) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    /// True if all bits are the same: an erased block, or a bus that does not answer.
    pub fn is_blank(self) -> bool {
        self.0 == [0; 3] || self.0 == [u32::MAX; 3]
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second, third] = self.0;
        write!(f, "{first:08x}-{second:08x}-{third:08x}")
    }
}

/// Reads a UID as programs print it: three words in address order, each most significant digit first. The words may be
/// joined by `-` (this program) or `:`, be separated by spaces or commas (OpenOCD, with or without `0x` and the address
/// before them), or follow each other as 24 digits. Leading zeros of a word may be missing, as OpenOCD leaves them out.
/// A UID of which all bits are the same is refused: no chip has it.
///
/// ```
/// use m365_drv::block::Uid;
/// let uid: Uid = "0x670ff34 0x3437584e 0x43244613".parse().unwrap();
/// assert_eq!(uid.to_string(), "0670ff34-3437584e-43244613");
/// assert_eq!("0670ff343437584e43244613".parse(), Ok(uid));
/// ```
impl FromStr for Uid {
    type Err = UidError;

    fn from_str(text: &str) -> Result<Self, UidError> {
        let uid = words(text).map(Self).and_then(|uid| match uid.0 {
            [0, 0, 0] => Err("all bits are 0, so it is not a chip's".into()),
            [u32::MAX, u32::MAX, u32::MAX] => Err("all bits are 1, as in erased flash".into()),
            _ => Ok(uid),
        });
        uid.map_err(|mistake| UidError { text: text.into(), mistake })
    }
}

fn words(text: &str) -> Result<[u32; 3], String> {
    let separates = |c: char| c.is_whitespace() || ",;:-".contains(c);
    if let Some((at, c)) = foreign(text, separates) {
        return Err(format!("{:?} at position {at} is not a hex digit", c.to_string()));
    }
    let words = text.split(separates).filter(|word| !word.is_empty()).map(without_0x);
    let words: Vec<&str> = words.collect();
    let words = match &*words {
        [address, words @ ..] if !words.is_empty() && hex_word(address) == Some(Uid::ADDRESS) => words,
        [_, _, _, _] if text.matches(':').count() == 1 => {
            return Err(format!("only the address {:#010x} may come before the colon", Uid::ADDRESS));
        }
        words => words,
    };
    match *words {
        [] => Err("it is empty".into()),
        [all] if all.len() == 24 => Ok([0, 8, 16].map(|at| hex_word(&all[at..at + 8]).unwrap_or_default())),
        [all] => Err(format!("it has {}", count(all.len(), "hex digit"))),
        [first, second, third] => match words.iter().position(|word| word.len() > 8) {
            Some(at) => Err(format!("word {} has {} digits", at + 1, words[at].len())),
            None => Ok([first, second, third].map(|word| hex_word(word).unwrap_or_default())),
        },
        _ => Err(format!("it has {} words", words.len())),
    }
}

/// The first character that is neither a hex digit nor between words, and its position, from 1.
fn foreign(text: &str, separates: impl Fn(char) -> bool) -> Option<(usize, char)> {
    let behind = |at: usize| text[..at].chars().next_back();
    let is_x = |at: usize, c: char| {
        let zero = behind(at) == Some('0') && behind(at - 1).is_none_or(&separates);
        matches!(c, 'x' | 'X') && zero && text[at + 1..].starts_with(|c: char| c.is_ascii_hexdigit())
    };
    let wrong = |(at, c): &(usize, char)| !c.is_ascii_hexdigit() && !separates(*c) && !is_x(*at, *c);
    let (at, c) = text.char_indices().find(wrong)?;
    Some((text[..at].chars().count() + 1, c))
}

fn without_0x(word: &str) -> &str {
    word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")).unwrap_or(word)
}

fn hex_word(word: &str) -> Option<u32> {
    u32::from_str_radix(without_0x(word), 16).ok()
}

impl Serialize for Uid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_are_in_address_order_and_little_endian() {
        let uid: Uid = "48ff6e06-52665455-35392587".parse().unwrap();
        assert_eq!(uid.0, [0x48FF_6E06, 0x5266_5455, 0x3539_2587]);
        assert_eq!(hex::encode(uid.to_bytes()), "066eff485554665287253935");
        assert_eq!("48FF6E06-52665455-35392587".parse(), Ok(uid));
        assert!(!uid.is_blank() && Uid([0; 3]).is_blank() && Uid([u32::MAX; 3]).is_blank());
    }

    #[test]
    fn a_uid_is_read_as_openocd_prints_it_and_as_24_digits() {
        let uid = Uid([0x0670_FF34, 0x3437_584E, 0x4324_4613]);
        for text in [
            "0670ff34-3437584e-43244613",
            "0x670ff34 0x3437584e 0x43244613",
            "0x0670FF34, 0x3437584E, 0x43244613",
            "0670ff34 3437584e 43244613",
            "670ff34,3437584e,43244613",
            "0x1ffff7e8: 0670ff34 3437584e 43244613 ",
            "0670ff343437584e43244613",
            "0x0670ff343437584e43244613",
            "0x670ff34-0x3437584e-0x43244613",
            "670ff34-3437584e-43244613",
            "670ff34:3437584e:43244613",
            "0x1FFFF7E8: 0x670ff34:0x3437584e:0x43244613",
            "0x1ffff7e8 0670ff343437584e43244613",
        ] {
            assert_eq!(text.parse(), Ok(uid), "{text}");
        }
    }

    #[test]
    fn a_wrong_uid_is_answered_with_the_form_an_example_and_the_place() {
        for (text, mistake) in [
            ("", "it is empty"),
            ("48ff6e06", "it has 8 hex digits"),
            ("48ff6e065266545535392", "it has 21 hex digits"),
            ("48ff6e06-52665455", "it has 2 words"),
            ("48ff6e06-52665455-353925870", "word 3 has 9 digits"),
            ("48ff6e0-652665455-35392587", "word 2 has 9 digits"),
            ("f", "it has 1 hex digit"),
            ("00000000-00000000-00000000", "all bits are 0, so it is not a chip's"),
            ("0 0 0", "all bits are 0, so it is not a chip's"),
            ("ffffffffffffffffffffffff", "all bits are 1, as in erased flash"),
            ("48ff6e06-52665455-3539258g", "\"g\" at position 26 is not a hex digit"),
            ("48ff6e06-52665455-35392587-0", "it has 4 words"),
            ("x 1 2", "\"x\" at position 1 is not a hex digit"),
            ("1x2 1 2", "\"x\" at position 2 is not a hex digit"),
            ("00x2 1 2", "\"x\" at position 3 is not a hex digit"),
            ("0x 1 2 3", "\"x\" at position 2 is not a hex digit"),
            ("0x1ffff000: 1 2 3", "only the address 0x1ffff7e8 may come before the colon"),
        ] {
            let error = text.parse::<Uid>().unwrap_err().to_string();
            let form = "needs 3 words of 8 hex digits (for example 48ff6e06-52665455-35392587)";
            assert_eq!(error, format!("invalid UID {text:?}: {form}; {mistake}"));
        }
    }

    proptest! {
        #[test]
        fn bytes_and_text_both_lead_back(words in any::<[u32; 3]>()) {
            let uid = Uid(words);
            prop_assert_eq!(Uid::from_bytes(uid.to_bytes()), uid);
            prop_assert_eq!(uid.to_string().parse(), Ok(uid));
        }

        #[test]
        fn no_text_makes_it_panic(text in any::<String>(), typed in "[0-9a-fx:, -]{0,32}") {
            let _ = (text.parse::<Uid>(), typed.parse::<Uid>());
        }

        #[test]
        fn words_without_leading_zeros_are_read(words in any::<[u32; 3]>()) {
            let [first, second, third] = words;
            prop_assert_eq!(format!("{first:#x} {second:#x} {third:#x}").parse(), Ok(Uid(words)));
        }
    }
}
