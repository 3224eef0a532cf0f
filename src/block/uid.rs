//! The unique number of the chip.

use std::{fmt, str::FromStr};

use serde::{Serialize, Serializer};

/// The 96-bit unique number at 0x1FFFF7E8 (RM0008 30.2), as three words in address order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Uid(pub [u32; 3]);

/// A text that is no unique number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a unique number of the form 48ff6e06-52665455-35392587")]
pub struct UidError(String);

impl Uid {
    /// Takes the twelve bytes as they stand at 0x1FFFF7E8 and in the block.
    pub fn from_bytes(bytes: [u8; 12]) -> Self {
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        Self([word(0), word(4), word(8)])
    }

    /// The twelve bytes as they stand at 0x1FFFF7E8 and in the block.
    pub fn to_bytes(self) -> [u8; 12] {
        let mut bytes = [0; 12];
        for (place, word) in bytes.chunks_exact_mut(4).zip(self.0) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    /// True where all bits are alike: an erased block, or a bus that answers nothing.
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

impl FromStr for Uid {
    type Err = UidError;

    fn from_str(text: &str) -> Result<Self, UidError> {
        let refused = || UidError(text.into());
        let mut words = [0; 3];
        let mut parts = text.split('-');
        for word in &mut words {
            let mut bytes = [0; 4];
            hex::decode_to_slice(parts.next().ok_or_else(refused)?, &mut bytes).map_err(|_| refused())?;
            *word = u32::from_be_bytes(bytes);
        }
        if parts.next().is_some() {
            return Err(refused());
        }
        Ok(Self(words))
    }
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
    fn anything_else_is_refused() {
        for text in [
            "",
            "48ff6e06",
            "48ff6e06-52665455-353925870",
            "48ff6e06-52665455-3539258",
            "48ff6e06-52665455-3539258g",
            "48ff6e06-52665455-35392587-0",
            "48ff6e0-652665455-35392587",
        ] {
            assert_eq!(text.parse::<Uid>(), Err(UidError(text.into())));
        }
    }

    proptest! {
        #[test]
        fn bytes_and_text_both_lead_back(words in any::<[u32; 3]>()) {
            let uid = Uid(words);
            prop_assert_eq!(Uid::from_bytes(uid.to_bytes()), uid);
            prop_assert_eq!(uid.to_string().parse(), Ok(uid));
        }
    }
}
