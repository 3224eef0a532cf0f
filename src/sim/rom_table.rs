//! Component identification: the ROM table and the ID registers of what it points to. `ADIv5` D1 and D2, RM0008 31.6.3.

use super::chips::{ChipFacts, Family};

/// The AP register BASE of `chip`: entry present, `ADIv5` format (C2.6.1).
pub(super) fn base(chip: &ChipFacts) -> u32 {
    if chip.family == Family::Nrf51 { 0xF000_0003 } else { 0xE00F_F003 }
}

const TABLE: u32 = 0xE00F_F000;
/// Nordic's own table, which refers to ARM's.
const NORDIC: u32 = 0xF000_0000;

/// Table entries, relative to the table: SCS, DWT, FPB, ITM, TPIU, end.
const ENTRIES: [u32; 6] = [0xFFF0_F003, 0xFFF0_2003, 0xFFF0_3003, 0xFFF0_1003, 0xFFF4_1003, 0];

/// Component classes: generic IP component, and ROM table (`ADIv5` D1.2.3).
const GENERIC: u8 = 0xE0;
const ROM: u8 = 0x10;
/// ARM's designer code: continuation 4, identity 0x3B.
const ARM: (u8, u8) = (4, 0x3B);

/// The word at `address`, if that is in a ROM table or an ID register.
pub(super) fn read(chip: &ChipFacts, address: u32) -> Option<u32> {
    let offset = address & 0xFFF;
    match address & !0xFFF {
        TABLE if chip.family == Family::Nrf51 => Some(table(offset, ARM, 0x471)),
        TABLE => Some(table(offset, chip.maker, chip.part)),
        NORDIC if chip.family == Family::Nrf51 => match offset {
            // 0xE00FF000 relative to this table.
            0 => Some(0xF00F_F003),
            1..0xFCC => Some(0),
            _ => Some(id(offset, ROM, chip.maker, chip.part)),
        },
        // Part numbers of the Cortex-M3's components, Technical Reference Manual (DDI 0337) 4.1.
        0xE000_E000 if offset >= 0xFD0 => Some(id(offset, GENERIC, ARM, 0x000)),
        0xE000_1000 if offset >= 0xFD0 => Some(id(offset, GENERIC, ARM, 0x002)),
        0xE000_2000 if offset >= 0xFD0 => Some(id(offset, GENERIC, ARM, 0x003)),
        0xE000_0000 if offset >= 0xFD0 => Some(id(offset, GENERIC, ARM, 0x001)),
        0xE004_0000 if offset >= 0xFD0 => Some(id(offset, 0x90, ARM, 0x923)),
        _ => None,
    }
}

fn table(offset: u32, maker: (u8, u8), part: u16) -> u32 {
    match offset {
        // MEMTYPE: system memory is reachable.
        0xFCC => 1,
        0..0xFCC => ENTRIES.get(offset as usize / 4).copied().unwrap_or(0),
        _ => id(offset, ROM, maker, part),
    }
}

/// PIDR4..7, PIDR0..3, CIDR0..3.
fn id(offset: u32, class: u8, (continuation, identity): (u8, u8), part: u16) -> u32 {
    match offset {
        0xFD0 => u32::from(continuation),
        0xFE0 => u32::from(part & 0xFF),
        0xFE4 => u32::from(part >> 8) | u32::from(identity & 0xF) << 4,
        0xFE8 => u32::from(identity >> 4) | 1 << 3,
        0xFF0 => 0x0D,
        0xFF4 => u32::from(class),
        0xFF8 => 0x05,
        0xFFC => 0xB1,
        _ => 0,
    }
}
