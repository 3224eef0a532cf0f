//! The peripherals at 0x40000000. They are plain memory, except for a few that programs wait for or that affect other
//! parts of the chip. RM0008: RCC (7.3), independent watchdog (19), CRC unit (4).

use std::ops::Range;

use super::{signals::AccessWidth, time::Nanos};

/// First address and size of the modelled region.
pub(super) const BASE: u32 = 0x4000_0000;
pub(super) const SIZE: u32 = 0x3_0000;

const IWDG: u32 = 0x3000;
const RCC: u32 = 0x2_1000;
const RCC_CFGR: u32 = RCC + 0x04;
const RCC_AHBENR: u32 = RCC + 0x14;
const RCC_BDCR: u32 = RCC + 0x20;
const RCC_CSR: u32 = RCC + 0x24;
const CRC: u32 = 0x2_3000;

/// Offsets without a peripheral on any chip of the medium-density chips' family: the larger gaps in RM0008 table 3.
const RESERVED: [Range<u32>; 7] = [
    0x7800..0x1_0000,
    0x1_5800..0x1_8000,
    0x1_8400..0x2_0000,
    0x2_0800..RCC,
    RCC + 0x400..0x2_2000,
    0x2_2400..CRC,
    CRC + 0x400..SIZE,
];

/// `RCC_CSR` reset flags, RM0008 7.3.10.
pub(super) const RESET_PIN: u32 = 1 << 26;
pub(super) const RESET_POWER: u32 = 1 << 27;
pub(super) const RESET_SOFTWARE: u32 = 1 << 28;
pub(super) const RESET_WATCHDOG: u32 = 1 << 29;
const RESET_FLAGS: u32 = 0xFC00_0000;
const RMVF: u32 = 1 << 24;

/// One period of the 40 kHz oscillator that clocks the watchdog.
const WATCHDOG_TICK: Nanos = 25_000;

/// The peripherals' registers.
#[derive(Debug)]
pub(super) struct Peripherals {
    memory: Vec<u8>,
    crc: u32,
    pub(super) watchdog: Iwdg,
}

/// The independent watchdog.
#[derive(Debug)]
pub(super) struct Iwdg {
    /// When it resets the chip; `None` until it is started.
    pub(super) expires: Option<Nanos>,
    unlocked: bool,
    prescaler: u32,
    reload: u32,
}

impl Iwdg {
    fn new() -> Self {
        Self { expires: None, unlocked: false, prescaler: 0, reload: 0xFFF }
    }

    fn span(&self) -> Nanos {
        // Divider 4 to 256, RM0008 19.4.2.
        let divider = 4u64 << self.prescaler.min(6);
        (u64::from(self.reload) + 1) * divider * WATCHDOG_TICK
    }

    pub(super) fn start(&mut self, now: Nanos) {
        self.expires = Some(now + self.span());
    }

    fn write(&mut self, offset: u32, value: u32, now: Nanos) {
        match (offset, value & 0xFFFF) {
            (0, key) => {
                // RM0008 19.3.2: any other key protects PR and RLR again.
                self.unlocked = key == 0x5555;
                if key == 0xCCCC || key == 0xAAAA && self.expires.is_some() {
                    self.start(now);
                }
            }
            (4, prescaler) if self.unlocked => self.prescaler = prescaler & 7,
            (8, reload) if self.unlocked => self.reload = reload & 0xFFF,
            _ => {}
        }
    }

    /// Whether this write at `offset` from [`BASE`] has no effect.
    pub(super) fn ignores_write(&self, offset: u32, value: u32) -> bool {
        offset == IWDG && value == 0xAAAA && self.expires.is_none() && !self.unlocked
    }

    fn read(&self, offset: u32) -> u32 {
        match offset {
            4 => self.prescaler,
            8 => self.reload,
            _ => 0,
        }
    }
}

/// Whether there is no peripheral at `offset` from [`BASE`].
pub(super) fn is_reserved(offset: u32) -> bool {
    RESERVED.iter().any(|gap| gap.contains(&offset))
}

impl Peripherals {
    pub(super) fn new() -> Self {
        let mut fresh = Self { memory: vec![0; SIZE as usize], crc: u32::MAX, watchdog: Iwdg::new() };
        fresh.reset(RESET_POWER | RESET_PIN);
        fresh
    }

    /// Resets the registers, and adds `cause` to the flags in `RCC_CSR`.
    pub(super) fn reset(&mut self, cause: u32) {
        let flags = self.word(RCC_CSR) & RESET_FLAGS;
        self.memory.fill(0);
        self.crc = u32::MAX;
        self.watchdog = Iwdg::new();
        // HSI on and ready; flash and SRAM clocks on (RM0008 7.3.1, 7.3.6).
        self.put(RCC, 0x83);
        self.put(RCC_AHBENR, 0x14);
        self.put(RCC_CSR, flags | cause);
    }

    /// Reads the register at `offset` from [`BASE`].
    pub(super) fn read(&self, offset: u32, width: AccessWidth) -> u32 {
        let word = match offset & !3 {
            at @ IWDG..0x3400 => self.watchdog.read(at - IWDG),
            CRC => self.crc,
            at => self.word(at),
        };
        width.cut(word >> (8 * (offset & 3)))
    }

    pub(super) fn write(&mut self, offset: u32, width: AccessWidth, value: u32, now: Nanos) {
        let at = offset & !3;
        let shift = 8 * (offset & 3);
        let mask = width.cut(u32::MAX) << shift;
        let value = self.word(at) & !mask | value << shift & mask;
        match at {
            IWDG..0x3400 => self.watchdog.write(at - IWDG, value, now),
            // Ready bits follow their enable bits immediately: HSI 0/1, HSE 16/17, PLL 24/25.
            RCC => self.put(at, value & !0x0202_0002 | (value & 0x0101_0001) << 1),
            // SWS follows SW.
            RCC_CFGR => self.put(at, value & !0xC | (value & 3) << 2),
            RCC_BDCR => self.put(at, value & !2 | (value & 1) << 1),
            RCC_CSR => {
                let flags = if value & RMVF == 0 { self.word(at) & RESET_FLAGS } else { 0 };
                self.put(at, value & 1 | (value & 1) << 1 | flags);
            }
            // Without its clock, the CRC unit ignores writes.
            CRC..0x2_3400 if self.word(RCC_AHBENR) & 1 << 6 == 0 => {}
            CRC => self.crc = crc32(self.crc, value),
            0x2_3008 if value & 1 != 0 => self.crc = u32::MAX,
            _ => self.put(at, value),
        }
    }

    /// Whether the internal oscillator is on and ready: HSION and HSIRDY (RM0008 7.3.1).
    pub(super) fn is_oscillator_on(&self) -> bool {
        self.word(RCC) & 3 == 3
    }

    fn word(&self, offset: u32) -> u32 {
        let at = offset as usize;
        self.memory.get(at..at + 4).map_or(0, |bytes| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    fn put(&mut self, offset: u32, value: u32) {
        let at = offset as usize;
        if let Some(bytes) = self.memory.get_mut(at..at + 4) {
            bytes.copy_from_slice(&value.to_le_bytes());
        }
    }
}

/// CRC with the Ethernet polynomial, a word at a time, most significant bit first (RM0008 4.2).
fn crc32(crc: u32, word: u32) -> u32 {
    (0..32).fold(crc ^ word, |crc, _| if crc >> 31 == 1 { crc << 1 ^ 0x04C1_1DB7 } else { crc << 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oscillators_are_ready_as_soon_as_they_are_enabled() {
        let mut chip = Peripherals::new();
        chip.write(RCC, AccessWidth::Word, 0x0101_0081, 0);
        assert_eq!(chip.read(RCC, AccessWidth::Word), 0x0303_0083);
        chip.write(RCC_CFGR, AccessWidth::Word, 2, 0);
        assert_eq!(chip.read(RCC_CFGR, AccessWidth::Word), 0xA);
    }

    #[test]
    fn the_crc_unit_computes_only_with_its_clock_on() {
        let mut chip = Peripherals::new();
        chip.write(CRC, AccessWidth::Word, 0x1234_5678, 0);
        assert_eq!(chip.read(CRC, AccessWidth::Word), u32::MAX);
        chip.write(RCC_AHBENR, AccessWidth::Word, 0x54, 0);
        chip.write(CRC, AccessWidth::Word, 0x1234_5678, 0);
        // CRC-32/MPEG-2 of 12 34 56 78.
        assert_eq!(chip.read(CRC, AccessWidth::Word), 0xDF8A_8A2B);
    }

    #[test]
    fn the_watchdog_period_follows_divider_and_reload_value() {
        let mut chip = Peripherals::new();
        chip.write(IWDG, AccessWidth::Word, 0x5555, 0);
        chip.write(IWDG + 4, AccessWidth::Word, 2, 0);
        chip.write(IWDG + 8, AccessWidth::Word, 99, 0);
        chip.write(IWDG, AccessWidth::Word, 0xCCCC, 1000);
        // 100 ticks of 40 kHz / 16.
        assert_eq!(chip.watchdog.expires, Some(1000 + 40_000_000));
    }

    #[test]
    fn every_key_except_0x5555_locks_the_watchdog_registers() {
        for key in [0xCCCC, 0xAAAA, 0] {
            let mut chip = Peripherals::new();
            chip.write(IWDG, AccessWidth::Word, 0x5555, 0);
            chip.write(IWDG, AccessWidth::Word, key, 0);
            chip.write(IWDG + 8, AccessWidth::Word, 99, 0);
            assert_eq!(chip.read(IWDG + 8, AccessWidth::Word), 0xFFF, "{key:#x}");
        }
    }
}
