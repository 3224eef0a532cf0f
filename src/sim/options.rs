//! Option bytes: eight bytes and their complements, PM0075 2.5.

/// Address of the first option byte.
pub(super) const BASE: u32 = 0x1FFF_F800;
/// Number of option bytes, including complements.
pub(super) const LEN: usize = 16;
/// The RDP value of an unprotected chip (PM0075 2.4.1).
pub(super) const UNPROTECTED: u8 = 0xA5;
/// The RDP value that protects chips related to the GD32E103 permanently.
pub(super) const PERMANENT: u8 = 0xCC;

/// The option bytes as loaded by the flash interface at the last reset (`FLASH_OBR`, `FLASH_WRPR`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LoadedOptions {
    pub(super) protected: bool,
    /// Whether a byte does not match its complement.
    pub(super) mismatch: bool,
    pub(super) user: u8,
    pub(super) data: [u8; 2],
    /// One bit per four pages of 1 KiB; 0 means protected.
    pub(super) wrpr: u32,
}

/// Option bytes with the given `rdp`, the others unused, and valid complements.
pub(super) fn with_protection(rdp: u8) -> [u8; LEN] {
    from_bytes([rdp, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF])
}

/// Adds the complements to eight option bytes.
pub(super) fn from_bytes(bytes: [u8; 8]) -> [u8; LEN] {
    let mut options = [0; LEN];
    for (pair, byte) in options.chunks_mut(2).zip(bytes) {
        pair.copy_from_slice(&[byte, !byte]);
    }
    options
}

impl LoadedOptions {
    /// Loads the option bytes. A byte that does not match its complement counts as 0xFF and sets OPTERR, unless both
    /// are 0xFF (erased): PM0075 2.5.
    pub(super) fn from(options: &[u8; LEN]) -> Self {
        let mut mismatch = false;
        let mut byte = |index: usize| {
            let (value, complement) = (options[2 * index], options[2 * index + 1]);
            if value == !complement {
                return value;
            }
            mismatch |= (value, complement) != (0xFF, 0xFF);
            0xFF
        };
        let rdp = byte(0);
        let user = byte(1);
        let data = [byte(2), byte(3)];
        let wrpr = u32::from_le_bytes([byte(4), byte(5), byte(6), byte(7)]);
        Self { protected: rdp != UNPROTECTED, mismatch, user, data, wrpr }
    }

    /// The value of `FLASH_OBR` (PM0075 3.7).
    pub(super) fn obr(&self) -> u32 {
        u32::from(self.mismatch)
            | u32::from(self.protected) << 1
            | (u32::from(self.user) | !7) << 2 & 0x3FC
            | u32::from(self.data[0]) << 10
            | u32::from(self.data[1]) << 18
    }

    /// Whether the watchdog starts by itself (`WDG_SW` is 0).
    pub(super) fn hardware_watchdog(&self) -> bool {
        self.user & 1 == 0
    }

    /// Whether `page` is write-protected. Medium density has one bit per four pages (PM0075 2.4.2).
    pub(super) fn write_protects(&self, page: usize) -> bool {
        self.wrpr >> (page / 4).min(31) & 1 == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn erased_option_bytes_protect_and_set_no_error() {
        let loaded = LoadedOptions::from(&[0xFF; LEN]);
        assert!(loaded.protected && !loaded.mismatch);
        assert_eq!(loaded.wrpr, u32::MAX);
        assert_eq!(loaded.obr(), 0x03FF_FFFE);
    }

    #[test]
    fn the_unprotected_value_is_valid_only_with_its_complement() {
        let mut options = with_protection(UNPROTECTED);
        assert!(!LoadedOptions::from(&options).protected);
        options[1] = 0;
        let loaded = LoadedOptions::from(&options);
        assert!(loaded.protected && loaded.mismatch);
    }

    #[test]
    fn one_bit_write_protects_four_pages() {
        let mut bytes = [0xFF; 8];
        bytes[0] = UNPROTECTED;
        bytes[4] = 0xFD;
        let loaded = LoadedOptions::from(&from_bytes(bytes));
        let protected: Vec<_> = (0..64).filter(|&page| loaded.write_protects(page)).collect();
        assert_eq!(protected, [4, 5, 6, 7]);
    }
}
