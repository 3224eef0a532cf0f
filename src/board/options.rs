//! Option bytes: 16 bytes outside main flash that hold the protection settings.

use serde::{Serialize, Serializer};

/// The option bytes as stored at 0x1FFFF800: eight values, each followed by its complement (PM0075 2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OptionBytes(pub [u8; 16]);

/// Positions in the option bytes, in half-words.
const RDP: usize = 0;
const USER: usize = 1;
const DATA: [usize; 2] = [2, 3];

impl OptionBytes {
    /// The RDP value that leaves flash readable (PM0075 table 9). Any other value enables read-out protection.
    pub const RDP_NONE: u8 = 0xA5;

    /// No read-out or write protection, with the given USER.
    #[must_use]
    pub fn open(user: u8) -> Self {
        Self::from_values([Self::RDP_NONE, user, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF])
    }

    /// The given eight values with their complements.
    #[must_use]
    pub fn from_values(values: [u8; 8]) -> Self {
        let mut bytes = [0; 16];
        for (pair, value) in bytes.chunks_exact_mut(2).zip(values) {
            pair.copy_from_slice(&[value, !value]);
        }
        Self(bytes)
    }

    /// The eight values, even if their complements do not match.
    pub fn values(&self) -> [u8; 8] {
        std::array::from_fn(|index| self.0[2 * index])
    }

    /// The values that the chip uses, with their complements: a damaged byte counts as 0xFF (PM0075 2.5).
    #[must_use]
    pub fn mended(self) -> Self {
        Self::from_values(std::array::from_fn(|index| if self.is_valid(index) { self.0[2 * index] } else { 0xFF }))
    }

    /// The mended option bytes with a different RDP value.
    #[must_use]
    pub fn with_rdp(self, rdp: u8) -> Self {
        let mut values = self.mended().values();
        values[RDP] = rdp;
        Self::from_values(values)
    }

    /// The mended option bytes with a different USER.
    #[must_use]
    pub fn with_user(self, user: u8) -> Self {
        let mut values = self.mended().values();
        values[USER] = user;
        Self::from_values(values)
    }

    /// Whether the stored complement of this value matches; that of an erased pair does not.
    fn is_valid(&self, index: usize) -> bool {
        self.0[2 * index] == !self.0[2 * index + 1]
    }

    /// Whether all stored complements match.
    pub fn complements_right(&self) -> bool {
        (0..8).all(|index| self.is_valid(index))
    }

    /// Whether the chip protects flash against reading after its next reset if it holds these option bytes.
    pub fn protects(&self) -> bool {
        self.0[2 * RDP] != Self::RDP_NONE || !self.is_valid(RDP)
    }

    /// Whether RDP is 0xCC, or was before one of its two bytes was damaged. On relatives of the GD32E103 nothing ever removes
    /// this protection again.
    pub fn protects_for_good(&self) -> bool {
        self.0[2 * RDP] == 0xCC || self.0[2 * RDP + 1] == !0xCC
    }

    /// What may be written to a chip that these bytes were read from while its flash was readable: damaged bytes are 0xFF,
    /// as the chip uses them, except RDP, which leaves flash readable.
    #[must_use]
    pub fn repaired(self) -> Self {
        let mended = self.mended();
        if self.is_valid(RDP) { mended } else { mended.with_rdp(Self::RDP_NONE) }
    }

    /// RDP, the read-out protection byte.
    pub fn rdp(&self) -> u8 {
        self.0[2 * RDP]
    }

    /// USER (watchdog by hardware or software, reset on stop and standby). If it is erased or damaged, 0xFF, which the
    /// chip then uses too.
    pub fn user(&self) -> u8 {
        self.known_user().unwrap_or(0xFF)
    }

    /// Bit `WDG_SW` of USER (PM0075 table 9): set if the watchdog starts only when software starts it.
    pub const WDG_SW: u8 = 1;

    /// USER, unless it is erased or damaged.
    pub fn known_user(&self) -> Option<u8> {
        self.is_valid(USER).then(|| self.0[2 * USER])
    }

    /// The two data bytes, which the application may use freely.
    pub fn data(&self) -> [u8; 2] {
        DATA.map(|index| self.0[2 * index])
    }
}

impl Serialize for OptionBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_option_bytes_are_those_of_a_new_chip() {
        let open = OptionBytes::open(0xFF);
        assert_eq!(hex::encode(open.0), "a55aff00ff00ff00ff00ff00ff00ff00");
        assert!(open.complements_right() && !open.protects());
    }

    #[test]
    fn an_erased_area_protects_and_counts_as_damaged() {
        let erased = OptionBytes([0xFF; 16]);
        assert!(erased.protects() && !erased.complements_right());
        assert_eq!(erased.user(), 0xFF);
    }

    #[test]
    fn the_right_value_with_a_wrong_complement_protects() {
        let mut bytes = OptionBytes::open(0xFF);
        bytes.0[1] = 0x5B;
        assert!(bytes.protects());
    }

    #[test]
    fn a_damaged_byte_counts_as_0xff() {
        let mut damaged = OptionBytes::from_values([0xA5, 0xFD, 1, 2, 3, 4, 5, 6]);
        (damaged.0[1], damaged.0[4]) = (0x5B, 0xFF);
        assert_eq!(damaged.mended(), OptionBytes::from_values([0xFF, 0xFD, 0xFF, 2, 3, 4, 5, 6]));
        assert_eq!(damaged.with_rdp(0).values(), [0, 0xFD, 0xFF, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn a_permanent_protection_is_seen_in_every_state_of_its_complement() {
        for (rdp, complement, is_permanent) in [
            (0xCC, 0x33, true),
            (0xCC, 0xFF, true),
            (0xCC, 0, true),
            (0xFF, 0x33, true),
            (0xFF, 0xFF, false),
            (0, 0xFF, false),
        ] {
            let mut options = OptionBytes::open(0xFF);
            (options.0[0], options.0[1]) = (rdp, complement);
            assert_eq!(options.protects_for_good(), is_permanent, "{rdp:#x} {complement:#x}");
        }
    }

    #[test]
    fn repaired_option_bytes_protect_only_if_they_did() {
        assert_eq!(OptionBytes([0xFF; 16]).repaired(), OptionBytes::open(0xFF));
        let mut damaged = OptionBytes::from_values([0, 0xFE, 1, 2, 3, 4, 5, 6]);
        damaged.0[4] = 0xFF;
        assert_eq!(damaged.repaired().values(), [0, 0xFE, 0xFF, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn a_watchdog_setting_is_kept_unless_it_is_damaged() {
        assert_eq!(OptionBytes::open(0xFE).user(), 0xFE);
        let mut damaged = OptionBytes::open(0xFE);
        damaged.0[3] = 0xFF;
        assert_eq!(damaged.user(), 0xFF);
    }
}
