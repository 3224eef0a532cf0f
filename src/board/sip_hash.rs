//! SipHash-2-4 (Aumasson and Bernstein, 2012): a 64-bit sum that nobody can give who has not both the key and the bytes.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

/// A key of 128 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SumKey(pub(super) [u64; 2]);

impl SumKey {
    /// A key that nobody can know beforehand: the standard library seeds its hash maps with it.
    pub(super) fn random() -> Self {
        Self([(); 2].map(|()| RandomState::new().build_hasher().finish()))
    }

    /// What the computation begins with, as eight words: v0 to v3, each with its lower half first.
    pub(super) fn seed(self) -> [u32; 8] {
        let state = self.state();
        std::array::from_fn(|word| (state[word / 2] >> (word % 2 * 32)) as u32)
    }

    fn state(self) -> [u64; 4] {
        let [k0, k1] = self.0;
        // "somepseudorandomlygeneratedbytes"
        [k0 ^ 0x736f_6d65_7073_6575, k1 ^ 0x646f_7261_6e64_6f6d, k0 ^ 0x6c79_6765_6e65_7261, k1 ^ 0x7465_6462_7974_6573]
    }

    /// The sum of these bytes.
    pub(super) fn sum(self, bytes: &[u8]) -> u64 {
        let mut state = self.state();
        let (whole, rest) = bytes.as_chunks::<8>();
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        last[7] = bytes.len() as u8;
        for block in whole.iter().chain([&last]) {
            let block = u64::from_le_bytes(*block);
            state[3] ^= block;
            (0..2).for_each(|_| round(&mut state));
            state[0] ^= block;
        }
        state[2] ^= 0xFF;
        (0..4).for_each(|_| round(&mut state));
        state.into_iter().fold(0, |sum, word| sum ^ word)
    }
}

fn round(v: &mut [u64; 4]) {
    v[0] = v[0].wrapping_add(v[1]);
    v[1] = v[1].rotate_left(13) ^ v[0];
    v[0] = v[0].rotate_left(32);
    v[2] = v[2].wrapping_add(v[3]);
    v[3] = v[3].rotate_left(16) ^ v[2];
    v[0] = v[0].wrapping_add(v[3]);
    v[3] = v[3].rotate_left(21) ^ v[0];
    v[2] = v[2].wrapping_add(v[1]);
    v[1] = v[1].rotate_left(17) ^ v[2];
    v[2] = v[2].rotate_left(32);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of the reference implementation (`vectors.h`): the key and the bytes count up from 0.
    #[test]
    fn the_sums_are_those_of_the_reference() {
        let key = SumKey([0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908]);
        let sum = |length: u8| key.sum(&(0..length).collect::<Vec<_>>()).to_le_bytes();
        assert_eq!(sum(0), [0x31, 0x0e, 0x0e, 0xdd, 0x47, 0xdb, 0x6f, 0x72]);
        assert_eq!(sum(8), [0x62, 0x24, 0x93, 0x9a, 0x79, 0xf5, 0xf5, 0x93]);
        assert_eq!(sum(15), [0xe5, 0x45, 0xbe, 0x49, 0x61, 0xca, 0x29, 0xa1]);
    }

    #[test]
    fn no_two_keys_are_alike() {
        assert_ne!(SumKey::random(), SumKey::random());
    }
}
