//! The cipher of update files, `XiaoTea` (`NinebotTEA`), both ways.
//!
//! TEA with 32 rounds over little-endian words, chained (CBC) from a zero block, with a key that changes every 1024
//! bytes. The plain text is padded with zeros and carries a checksum at its end. There is no length, no version and no
//! authentication. After scooterhacking/NinebotTEA 3db73f5 and BotoX/xiaomi-m365-firmware-patcher `xiaotea`, which agree.

const KEY: [u8; 16] = [0xFE, 0x80, 0x1C, 0xB2, 0xD1, 0xEF, 0x41, 0xA6, 0xA4, 0x17, 0x31, 0xF5, 0xA0, 0x68, 0x24, 0xF0];
const DELTA: u32 = 0x9E37_79B9;
const ROUNDS: u32 = 32;
/// Bytes that one key serves.
const SPAN: usize = 1024;

/// Why bytes do not decrypt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CipherError {
    /// The length is not that of an encrypted file: a multiple of 8, at least 8.
    #[error("{0} bytes are not a whole number of 8-byte blocks")]
    Length(usize),
    /// The decrypted text does not carry its own checksum: it was changed, or never encrypted.
    #[error("the checksum is {found:#010x}, but the data add up to {computed:#010x}")]
    Checksum {
        /// What stands at the end of the decrypted text.
        found: u32,
        /// What the text before it adds up to.
        computed: u32,
    },
}

/// The checksum that stands behind the plain text: the words' sum with its halves swapped, inverted. A last word that
/// is not whole counts as padded with zeros.
pub fn checksum(plain: &[u8]) -> u32 {
    let mut sum = 0u32;
    for chunk in plain.chunks(4) {
        let mut word = [0; 4];
        word[..chunk.len()].copy_from_slice(chunk);
        sum = sum.wrapping_add(u32::from_le_bytes(word));
    }
    !sum.rotate_left(16)
}

/// Encrypts an image. The result is up to 11 bytes longer; decrypting it gives the image with zeros behind.
pub fn encrypt(plain: &[u8]) -> Vec<u8> {
    let mut bytes = plain.to_vec();
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    if bytes.len().is_multiple_of(8) {
        bytes.extend([0; 4]);
    }
    bytes.extend(checksum(&bytes).to_le_bytes());
    let mut chain = [0; 2];
    each_block(&mut bytes, |block, key| {
        chain = encipher([block[0] ^ chain[0], block[1] ^ chain[1]], key);
        chain
    });
    bytes
}

/// Decrypts an update file and checks it. The checksum is taken off, and with it what was padded behind it: zeros or 0xFF
/// that some tool added to the encrypted file. Zeros that were encrypted stay.
pub fn decrypt(cipher: &[u8]) -> Result<Vec<u8>, CipherError> {
    let whole = cipher.len() / 8 * 8;
    if whole == 0 {
        return Err(CipherError::Length(cipher.len()));
    }
    let mut bytes = cipher[..whole].to_vec();
    let mut chain = [0; 2];
    each_block(&mut bytes, |block, key| {
        let plain = decipher(block, key);
        let out = [plain[0] ^ chain[0], plain[1] ^ chain[1]];
        chain = block;
        out
    });
    if let Some(end) = end(cipher, &bytes) {
        bytes.truncate(end - 4);
        return Ok(bytes);
    }
    if whole != cipher.len() {
        return Err(CipherError::Length(cipher.len()));
    }
    let (plain, found) = bytes.split_at(whole - 4);
    Err(CipherError::Checksum { found: read(found), computed: checksum(plain) })
}

/// Where the decrypted text ends with its own checksum, and nothing but padding is behind that in the encrypted file. The
/// longest such text.
fn end(cipher: &[u8], plain: &[u8]) -> Option<usize> {
    let padding = cipher.last().copied().filter(|byte| [0x00, 0xFF].contains(byte));
    let padded = cipher.iter().rev().take_while(|byte| Some(**byte) == padding).count();
    let mut sum = plain.chunks_exact(4).fold(0u32, |sum, word| sum.wrapping_add(read(word)));
    let first = (cipher.len() - padded).max(8).next_multiple_of(8);
    for end in (first..=plain.len()).rev().step_by(8) {
        sum = sum.wrapping_sub(read(&plain[end - 4..]));
        if !sum.rotate_left(16) == read(&plain[end - 4..]) {
            return Some(end);
        }
        sum = sum.wrapping_sub(read(&plain[end - 8..]));
    }
    None
}

/// Replaces every 8-byte block by what `step` makes of it under the key of its span.
fn each_block(bytes: &mut [u8], mut step: impl FnMut([u32; 2], &[u32; 4]) -> [u32; 2]) {
    let mut key = KEY;
    for span in bytes.chunks_mut(SPAN) {
        let mut words = [0; 4];
        for (word, bytes) in words.iter_mut().zip(key.chunks_exact(4)) {
            *word = read(bytes);
        }
        for block in span.chunks_exact_mut(8) {
            let [first, second] = step([read(&block[..4]), read(&block[4..])], &words);
            block[..4].copy_from_slice(&first.to_le_bytes());
            block[4..].copy_from_slice(&second.to_le_bytes());
        }
        for (place, byte) in (0..).zip(&mut key) {
            *byte = byte.wrapping_add(place);
        }
    }
}

fn read(bytes: &[u8]) -> u32 {
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

fn encipher([mut y, mut z]: [u32; 2], key: &[u32; 4]) -> [u32; 2] {
    let mut sum = 0u32;
    for _ in 0..ROUNDS {
        sum = sum.wrapping_add(DELTA);
        y = y.wrapping_add(mix(z, sum, key[0], key[1]));
        z = z.wrapping_add(mix(y, sum, key[2], key[3]));
    }
    [y, z]
}

fn decipher([mut y, mut z]: [u32; 2], key: &[u32; 4]) -> [u32; 2] {
    let mut sum = DELTA.wrapping_mul(ROUNDS);
    for _ in 0..ROUNDS {
        z = z.wrapping_sub(mix(y, sum, key[2], key[3]));
        y = y.wrapping_sub(mix(z, sum, key[0], key[1]));
        sum = sum.wrapping_sub(DELTA);
    }
    [y, z]
}

fn mix(word: u32, sum: u32, first: u32, second: u32) -> u32 {
    (word << 4).wrapping_add(first) ^ word.wrapping_add(sum) ^ (word >> 5).wrapping_add(second)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::sha256, *};

    /// Made with `NinebotTEA` 3db73f5: plain text, length, SHA-256, first and last bytes of the cipher text.
    #[test]
    fn the_vectors_of_the_reference_come_out() {
        let ramp = |len: usize| (0..len).map(|i| (i * 7 + 3) as u8).collect::<Vec<_>>();
        let count = |len: u8| (0..len).collect::<Vec<_>>();
        let vectors: [(Vec<u8>, usize, &str, &str, &str); 6] = [
            (
                count(0x40),
                72,
                "31276923f224de27f781742663eec8976ded57e2c2b3eba2e4a76cc598ed123d",
                "f3d94c15a303eee053f456c55fa4df85",
                "764b3c8f406771b7",
            ),
            (
                count(0x3C),
                64,
                "b87c18f3c5434f38db8714984f3fd4fc1813dc7edfd42db9d20a870b7fafdc1c",
                "f3d94c15a303eee053f456c55fa4df85",
                "67d6a80d53fbd687",
            ),
            (
                vec![0xAA],
                8,
                "dc88acb4eb498d099370ed057c74b27a01faa5db32d2b9c2797e591606a8e0e6",
                "cb7b9ad04c3ebb7d",
                "cb7b9ad04c3ebb7d",
            ),
            (
                ramp(1024),
                1032,
                "627baf16210e6a60fdcfc3f91ac3ff13e5013a1c343e1675d12c6b09c4797c07",
                "f7a7a11eed471b10e87ae95d621e9bc5",
                "49e540529664fcaa",
            ),
            (
                ramp(2050),
                2056,
                "3a5475b662fb93e07d95b0af49e0f3efbc054d56cfdc0a071f71c045b3c314eb",
                "f7a7a11eed471b10e87ae95d621e9bc5",
                "76a25895f5574e3f",
            ),
            (
                vec![0; 4096],
                4104,
                "e9430877240428339e373ae6600ec4a8ed84413362b5ab00f6b970f018a9abb8",
                "ca6887ce285122864fe7d596fa5ba468",
                "ef7bedda5258fec7",
            ),
        ];
        for (plain, len, digest, first, last) in vectors {
            let cipher = encrypt(&plain);
            assert_eq!((cipher.len(), sha256(&cipher).to_string().as_str()), (len, digest));
            let text = hex::encode(&cipher);
            assert!(text.starts_with(first) && text.ends_with(last), "{text}");
            let back = decrypt(&cipher).unwrap();
            assert!(back.starts_with(&plain) && back[plain.len()..].iter().all(|&byte| byte == 0));
        }
    }

    #[test]
    fn other_lengths_are_refused() {
        assert_eq!(decrypt(&[]), Err(CipherError::Length(0)));
        assert_eq!(decrypt(&[0; 4]), Err(CipherError::Length(4)));
        assert_eq!(decrypt(&[1; 1025]), Err(CipherError::Length(1025)));
    }

    #[test]
    fn what_was_padded_behind_the_checksum_is_left_off() {
        let plain = b"some firmware!!!".repeat(100);
        let cipher = encrypt(&plain);
        let padded = [&plain[..], &[0; 4]].concat();
        for padding in [0, 1, 4, 8, 60, 1000] {
            for byte in [0x00, 0xFF] {
                let longer = [&cipher[..], &vec![byte; padding]].concat();
                assert_eq!(decrypt(&longer), Ok(padded.clone()), "{padding} bytes {byte:#04x}");
            }
        }
        assert!(decrypt(&[&cipher[..], &[1; 8]].concat()).is_err(), "something else behind");
        assert!(decrypt(&cipher[..cipher.len() - 8]).is_err());
    }

    proptest! {
        #[test]
        fn decrypting_gives_back_what_was_encrypted(plain in proptest::collection::vec(any::<u8>(), 0..3000)) {
            let back = decrypt(&encrypt(&plain)).unwrap();
            prop_assert!(back.starts_with(&plain));
            prop_assert!(back.len() - plain.len() < 8 && back[plain.len()..].iter().all(|&byte| byte == 0));
        }

        #[test]
        fn a_flipped_bit_is_noticed(
            plain in proptest::collection::vec(any::<u8>(), 16..1200), at in any::<prop::sample::Index>(), bit in 0..8
        ) {
            let mut cipher = encrypt(&plain);
            let at = at.index(cipher.len());
            cipher[at] ^= 1u8 << bit;
            let noticed = matches!(decrypt(&cipher), Err(CipherError::Checksum { .. }));
            prop_assert!(noticed);
        }
    }
}
