//! Seeded random numbers. The same seed gives the same run on every computer.

/// Marsaglia's xorshift with 64 bits of state.
#[derive(Debug, Clone)]
pub(super) struct SeededRandom(u64);

impl SeededRandom {
    pub(super) fn new(seed: u64) -> Self {
        // Zero is the only invalid state; the constant (2^64 over the golden ratio) spreads small seeds.
        Self((seed ^ 0x9E37_79B9_7F4A_7C15).max(1))
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number less than `bound`, or 0 if `bound` is 0.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        // Drop the low bits, which are the weaker ones in xorshift.
        (self.next() >> 16) % bound.max(1)
    }

    pub(super) fn byte(&mut self) -> u8 {
        (self.next() >> 32) as u8
    }
}
