//! The register table: what the firmware keeps in the block, and where.
//!
//! The block is an image of the ESC's register file: 256 little-endian half-words, so a register is at twice its
//! number. Every access in this crate goes through a row of [`REGISTERS`]; no offset is written anywhere else.
//!
//! Sources, by tag: `KNO` knoopx/xiaomi-m365-firmware-patcher `esc_regs.rb`; `BLEP` CamiAlfa/M365-BLE-PROTOCOL
//! `m365_register_map.h`; `W-ES2` etransport/ninebot-docs wiki "ES2ESC"; `DIS` disassembly of the vendor's images;
//! `SF` scooterteam/scooterflasher; `STL` `CamiAlfa/M365_DRV_STLINK`; `STL4` CamiAlfa/m365-Electric-Scooter-4-Pro-stlink;
//! `RESC` dnandha/m365-rescue; `ZIP3` scooterhacking/fw-zip-package-v3; `CFW` the scooterhacking.org firmware builder.

use std::{fmt, ops::Range};

/// How the bytes of a register, or of a run of registers, are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One unsigned half-word.
    U16,
    /// One signed half-word.
    S16,
    /// Two registers, low half first.
    U32,
    /// Text of this many bytes, two in each register, first character in the low byte.
    Text(u8),
    /// The 96-bit UID of the chip, six registers.
    Uid,
}

impl Shape {
    /// Length in bytes.
    pub const fn size(self) -> usize {
        match self {
            Self::U16 | Self::S16 => 2,
            Self::U32 => 4,
            Self::Text(len) => len as usize,
            Self::Uid => 12,
        }
    }
}

/// Scooters whose firmware uses the same registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockFamily {
    /// Xiaomi, up to the Mi 3.
    Xiaomi,
    /// The Xiaomi 4 Pro.
    FourPro,
    /// Ninebot.
    Ninebot,
}

/// The family as people call it.
impl fmt::Display for BlockFamily {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Xiaomi => "Xiaomi up to the Mi 3",
            Self::FourPro => "4 Pro",
            Self::Ninebot => "Ninebot",
        })
    }
}

/// One row of the register table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Register {
    /// Number of the first register, as the vendor's serial protocol counts them.
    pub number: u8,
    /// How its bytes are read.
    pub shape: Shape,
    /// Unit of the number: `"m"`, `"10 m"`, `"0.1 degC"`; empty for codes, flags and text.
    pub unit: &'static str,
    /// What it holds.
    pub meaning: &'static str,
    /// The source, by the tags in the module's documentation.
    pub source: &'static str,
    /// The families whose firmware uses it so.
    pub families: &'static [BlockFamily],
}

impl Register {
    const fn of(mut self, families: &'static [BlockFamily]) -> Self {
        self.families = families;
        self
    }

    /// The bytes this row covers inside the block.
    pub const fn range(&self) -> Range<usize> {
        let start = 2 * self.number as usize;
        start..start + self.shape.size()
    }
}

use BlockFamily::{FourPro, Ninebot, Xiaomi};
use Shape::{S16, Text, U16, U32, Uid};

const EVERY: &[BlockFamily] = &[Xiaomi, FourPro, Ninebot];

const fn reg(number: u8, shape: Shape, unit: &'static str, meaning: &'static str, source: &'static str) -> Register {
    Register { number, shape, unit, meaning, source, families: EVERY }
}

/// Every known register in ascending order, without overlap inside a family.
#[rustfmt::skip]
pub const REGISTERS: &[Register] = &[
    reg(0x00, U16, "", "magic 20828 (0x515c), checked at each start", "KNO, W-ES2, DIS"),
    reg(0x01, U16, "", "constant 2030 (0x07ee), not checked", "DIS"),
    reg(0x0D, U16, "ADC", "motor phase A current, zero offset", "KNO, DIS"),
    reg(0x0E, U16, "ADC", "motor phase B current, zero offset", "KNO, DIS"),
    reg(0x0F, U16, "ADC", "motor phase C current, zero offset", "KNO, DIS"),
    reg(0x10, Text(14), "", "serial number", "KNO, BLEP, W-ES2, DIS").of(&[Xiaomi, Ninebot]),
    reg(0x17, Text(6), "", "Bluetooth PIN", "KNO, BLEP"),
    reg(0x1A, U16, "version", "firmware version, rewritten at each start", "KNO, BLEP, W-ES2, DIS"),
    reg(0x1B, U16, "", "error code", "KNO"),
    reg(0x1C, U16, "", "warning code", "KNO"),
    reg(0x1D, U16, "bits", "status: bit 1 locked, bit 11 activated", "KNO, DIS, SF").of(&[Xiaomi, Ninebot]),
    reg(0x1D, U16, "bits", "status: bit 1 locked, bit 11 activated (without it 10 km/h and beeps)", "DIS").of(&[FourPro]),
    reg(0x1F, U16, "", "mode: 0 normal, 1 eco, 2 sport", "W-ES2"),
    reg(0x20, U16, "", "battery 1 level", "W-ES2").of(&[Ninebot]),
    reg(0x21, U16, "", "battery 2 level", "W-ES2").of(&[Ninebot]),
    reg(0x22, U16, "%", "battery level", "KNO"),
    reg(0x24, U16, "10 m", "remaining range", "KNO, W-ES2"),
    reg(0x25, U16, "10 m", "predicted range", "KNO, W-ES2"),
    reg(0x26, S16, "m/h", "speed", "KNO, DIS").of(&[Xiaomi, FourPro]),
    reg(0x26, S16, "0.1 km/h", "speed", "W-ES2").of(&[Ninebot]),
    reg(0x29, U32, "m", "total mileage", "KNO, W-ES2"),
    reg(0x2F, S16, "10 m", "mileage of this trip", "W-ES2"),
    reg(0x32, U32, "s", "total operation time", "KNO, W-ES2"),
    reg(0x34, U32, "s", "total riding time", "KNO, W-ES2"),
    reg(0x3A, U16, "s", "time since power-on", "KNO, W-ES2"),
    reg(0x3B, U16, "s", "riding time since power-on", "KNO, W-ES2"),
    reg(0x3E, S16, "0.1 degC", "controller temperature", "KNO, BLEP, W-ES2"),
    reg(0x3F, S16, "0.1 degC", "battery 1 temperature", "W-ES2").of(&[Ninebot]),
    reg(0x40, S16, "0.1 degC", "battery 2 temperature", "W-ES2").of(&[Ninebot]),
    reg(0x41, U16, "", "1 once the block was checked and completed at a start", "DIS").of(&[FourPro]),
    reg(0x41, S16, "0.1 degC", "MOSFET temperature", "W-ES2").of(&[Ninebot]),
    reg(0x43, U16, "", "2 in the factory template, meaning unknown", "DIS").of(&[FourPro]),
    reg(0x46, U16, "", "chip: 0 or 3 STM32F103, 1 GD32E103, 2 GD32F103", "ZIP3, DIS").of(&[Xiaomi, FourPro]),
    reg(0x46, U16, "", "chip: 0 STM32F103, 1 AT32F415", "ZIP3").of(&[Ninebot]),
    reg(0x47, S16, "10 mV", "supply voltage at the controller", "KNO"),
    reg(0x48, S16, "10 mV", "battery voltage from the BMS", "KNO"),
    reg(0x49, S16, "10 mA", "battery current from the BMS", "W-ES2").of(&[Ninebot]),
    reg(0x50, S16, "10 mA", "battery current from the BMS", "KNO").of(&[Xiaomi, FourPro]),
    reg(0x53, S16, "0.01 A", "motor phase current", "W-ES2"),
    reg(0x54, Text(20), "", "serial number", "STL4, RESC, DIS").of(&[FourPro]),
    reg(0x65, S16, "m/h", "average speed", "KNO"),
    reg(0x66, U16, "version", "external BMS firmware", "KNO, W-ES2"),
    reg(0x67, U16, "version", "BMS firmware", "KNO, W-ES2"),
    reg(0x68, U16, "version", "dashboard firmware", "KNO, W-ES2"),
    reg(0x69, U16, "", "set by the activation over the bus", "DIS").of(&[FourPro]),
    reg(0x70, U16, "", "lock command", "KNO"),
    reg(0x71, U16, "", "unlock command", "KNO"),
    reg(0x72, U16, "", "speed limit on or off", "W-ES2, DIS"),
    reg(0x73, U16, "m/h", "speed limit, normal (unit not confirmed)", "BLEP, W-ES2, DIS"),
    reg(0x74, U16, "m/h", "speed limit, eco (unit not confirmed)", "BLEP, W-ES2, DIS"),
    reg(0x75, U16, "", "operating mode: 1 eco, 2 sport", "BLEP, DIS"),
    reg(0x76, U16, "", "direct power control (custom firmware)", "CFW"),
    reg(0x77, U16, "", "cleared at each start", "DIS"),
    reg(0x78, U16, "", "reboot command", "KNO"),
    reg(0x79, U16, "", "power-off command", "KNO"),
    reg(0x7B, U16, "", "energy recovery (KERS): 0 weak, 1 medium, 2 strong", "BLEP, KNO"),
    reg(0x7C, U16, "", "cruise control", "BLEP, KNO"),
    reg(0x7D, U16, "", "tail light: 0 on braking, 2 always", "BLEP, KNO"),
    reg(0x7E, U16, "bits", "functions, bit 0 set at each start", "DIS"),
    reg(0x7F, U16, "", "1 once a serial number was written over the bus", "DIS").of(&[FourPro]),
    reg(0x9B, U16, "", "1 in the factory template, meaning unknown", "DIS"),
    reg(0xA0, U16, "", "1 in the factory template, meaning unknown", "DIS").of(&[Ninebot]),
    reg(0xB0, U16, "", "quick info: error code", "BLEP, KNO"),
    reg(0xB1, U16, "", "quick info: warning code", "BLEP, KNO"),
    reg(0xB2, U16, "bits", "quick info: status", "BLEP, KNO"),
    reg(0xB3, U16, "", "quick info: mode", "BLEP, KNO"),
    reg(0xB4, U16, "%", "quick info: battery level", "BLEP, KNO"),
    reg(0xB5, S16, "m/h", "quick info: speed", "BLEP, KNO"),
    reg(0xB6, S16, "m/h", "quick info: average speed", "BLEP, KNO"),
    reg(0xB7, U32, "m", "quick info: total mileage", "BLEP, KNO"),
    reg(0xB9, S16, "10 m", "quick info: mileage of this trip", "BLEP, KNO"),
    reg(0xBA, U16, "s", "quick info: time since power-on", "BLEP, KNO"),
    reg(0xBB, S16, "0.1 degC", "quick info: controller temperature", "BLEP, KNO"),
    reg(0xBC, U16, "", "quick info, meaning unknown", "BLEP, KNO"),
    reg(0xBD, U16, "", "quick info, meaning unknown", "BLEP, KNO"),
    reg(0xBE, U16, "", "quick info: previous warning", "BLEP, KNO"),
    reg(0xBF, U16, "", "quick info, meaning unknown", "BLEP, KNO"),
    reg(0xC6, U16, "", "LED mode", "DIS").of(&[Ninebot]),
    reg(0xC8, U16, "", "LED colour 1", "DIS").of(&[Ninebot]),
    reg(0xCA, U16, "", "LED colour 2", "DIS").of(&[Ninebot]),
    reg(0xCC, U16, "", "LED colour 3", "DIS").of(&[Ninebot]),
    reg(0xDA, Uid, "", "UID of the chip, compared at each start (error 27)", "KNO, DIS, STL").of(&[Xiaomi, Ninebot]),
    reg(0xDA, Uid, "", "UID of the chip, put right at each start", "DIS").of(&[FourPro]),
    reg(0xFF, U16, "", "1314 (0x0522), checked at each start", "DIS").of(&[FourPro]),
];

/// The row that begins at a register; the build fails if the table has none.
const fn row(number: u8) -> Register {
    let mut index = 0;
    while index < REGISTERS.len() {
        if REGISTERS[index].number == number {
            return REGISTERS[index];
        }
        index += 1;
    }
    panic!("the register table has no such row")
}

pub(super) const MAGIC: Register = row(0x00);
pub(super) const CONSTANT: Register = row(0x01);
pub(super) const PHASES: [Register; 3] = [row(0x0D), row(0x0E), row(0x0F)];
pub(super) const SERIAL: Register = row(0x10);
/// The serial number of a 4 Pro.
pub(super) const LONG_SERIAL: Register = row(0x54);
pub(super) const PIN: Register = row(0x17);
pub(super) const VERSION: Register = row(0x1A);
pub(super) const ERROR: Register = row(0x1B);
pub(super) const STATUS: Register = row(0x1D);
pub(super) const MILEAGE: Register = row(0x29);
pub(super) const LIMIT_NORMAL: Register = row(0x73);
pub(super) const LIMIT_ECO: Register = row(0x74);
pub(super) const UNKNOWN_9B: Register = row(0x9B);
pub(super) const QUICK_STATUS: Register = row(0xB2);
pub(super) const UID: Register = row(0xDA);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_ascend_without_overlap_inside_the_block() {
        for family in EVERY {
            let rows: Vec<_> = REGISTERS.iter().filter(|row| row.families.contains(family)).collect();
            for pair in rows.windows(2) {
                assert!(pair[0].range().end <= pair[1].range().start, "{pair:?}");
            }
        }
        assert!(REGISTERS.last().unwrap().range().end <= super::super::LEN);
    }

    #[test]
    fn the_fields_are_where_other_tools_write_them() {
        // M365_DRV_STLINK writes the serial at 0x20, the mileage at 0x52 and the UID at 0x1b4.
        assert_eq!((SERIAL.range(), MILEAGE.range(), UID.range()), (0x20..0x2E, 0x52..0x56, 0x1B4..0x1C0));
    }

    #[test]
    fn every_row_has_a_meaning_and_a_source() {
        assert!(REGISTERS.iter().all(|row| !row.meaning.is_empty() && !row.source.is_empty()));
    }
}
