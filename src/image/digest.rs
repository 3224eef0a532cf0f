//! Digests of images.

use std::{fmt, str::FromStr};

use crc::{CRC_32_ISO_HDLC, Crc};
use md5::Md5;
use serde::{Deserialize, Serialize, Serializer, de};
use sha2::{Digest, Sha256};

/// The checksum that the catalog has of pages and excerpts.
pub(super) static CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// A SHA-256 digest; prints and serialises as 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sha256Digest(pub [u8; 32]);

/// The SHA-256 of some bytes.
pub fn sha256(bytes: &[u8]) -> Sha256Digest {
    Sha256Digest(Sha256::digest(bytes).into())
}

/// An MD5 digest, which update packages name their members by; prints and serialises as 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Md5Digest(pub [u8; 16]);

/// The MD5 of some bytes.
pub fn md5(bytes: &[u8]) -> Md5Digest {
    Md5Digest(Md5::digest(bytes).into())
}

/// A text that is not a digest of the expected length in lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid digest `{0}`")]
pub struct DigestError(String);

fn decode<const N: usize>(text: &str) -> Result<[u8; N], DigestError> {
    let mut bytes = [0; N];
    match hex::decode_to_slice(text, &mut bytes) {
        Ok(()) if !text.bytes().any(|byte| byte.is_ascii_uppercase()) => Ok(bytes),
        _ => Err(DigestError(text.into())),
    }
}

macro_rules! as_hexadecimal {
    ($digest:ident) => {
        impl fmt::Display for $digest {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl FromStr for $digest {
            type Err = DigestError;

            fn from_str(text: &str) -> Result<Self, DigestError> {
                decode(text).map(Self)
            }
        }

        impl Serialize for $digest {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $digest {
            fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
    };
}

as_hexadecimal!(Sha256Digest);
as_hexadecimal!(Md5Digest);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_read_as_they_print() {
        let digest = sha256(b"");
        assert_eq!(digest.to_string(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert_eq!(md5(b"").to_string(), "d41d8cd98f00b204e9800998ecf8427e");
    }

    #[test]
    fn other_lengths_and_capitals_are_no_digest() {
        for text in ["", "00", "D41D8CD98F00B204E9800998ECF8427E", "g41d8cd98f00b204e9800998ecf8427e"] {
            assert_eq!(text.parse::<Md5Digest>(), Err(DigestError(text.into())));
        }
    }
}
