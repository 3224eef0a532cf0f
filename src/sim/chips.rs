//! The chips found on boards of this family, and others that people find behind the same three pads.
//!
//! Sources: CPUID, IDCODE and ROM-table values from RM0008 31.6 (STM32F103 medium density), the `GigaDevice` and Artery
//! entries of `OpenOCD` and of the public 32F103 comparison at blaatschaap.be; the word at 0x40022100 from the chip
//! test of the vendor's own firmware (1S 3.1.9, Pro2 2.5.2). Values that no source gives are marked `chosen`.

use std::{fmt, str::FromStr};

/// The chip to simulate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SimChip {
    /// ST's STM32F103, medium density.
    Stm32f103,
    /// `GigaDevice`'s Cortex-M3 clone; programs half-words.
    Gd32f103,
    /// `GigaDevice`'s Cortex-M4; programs words, also in the option bytes.
    Gd32e103,
    /// Artery AT32F415: has the same flash registers, but is not supported by this program.
    At32f415,
    /// A Cortex-M0 without the peripherals of an STM32F1.
    CortexM0,
    /// The Nordic chip of the scooter's dashboard, which has the same three pads.
    Nrf51,
}

/// The memory map of a chip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// STM32F1 and its clones.
    F1,
    /// Flash at zero, SRAM, nothing else.
    M0,
    /// Nordic's map with the information pages.
    Nrf51,
}

/// The width in which flash is programmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Granule {
    /// Half-words only (PM0075 2.3.3).
    HalfWord,
    /// Words (GD32E103). A half-word sets PGERR and is not written (`chosen`; the vendor's code is consistent with it).
    Word,
}

impl ChipFacts {
    /// Where main flash begins.
    pub(super) fn flash_base(&self) -> u32 {
        if self.family == Family::F1 { 0x0800_0000 } else { 0 }
    }
}

/// The properties of a chip.
#[derive(Debug)]
pub(super) struct ChipFacts {
    pub(super) kind: SimChip,
    pub(super) name: &'static str,
    pub(super) family: Family,
    /// CPUID, ARMv7-M B3.2.3.
    pub(super) cpuid: u32,
    /// DPIDR, `ADIv5` B2.2.5.
    pub(super) dpidr: u32,
    /// IDR of the AHB-AP, `ADIv5` C2.6.3.
    pub(super) ap_idr: u32,
    /// `DBGMCU_IDCODE`, RM0008 31.6.1; `None` if the address faults.
    pub(super) idcode: Option<u32>,
    /// The word at 0x40022100.
    pub(super) product_id: u32,
    /// JEP106 continuation count and identity in the ROM table.
    pub(super) maker: (u8, u8),
    /// Part number in the ROM table.
    pub(super) part: u16,
    pub(super) granule: Granule,
    pub(super) sram_kib: u32,
}

const CHIPS: [ChipFacts; 6] = [
    ChipFacts {
        kind: SimChip::Stm32f103,
        name: "stm32f103",
        family: Family::F1,
        cpuid: 0x411F_C231,
        dpidr: 0x1BA0_1477,
        ap_idr: 0x1477_0011,
        idcode: Some(0x2003_6410),
        product_id: 0,
        maker: (0, 0x20),
        part: 0x410,
        granule: Granule::HalfWord,
        sram_kib: 20,
    },
    ChipFacts {
        kind: SimChip::Gd32f103,
        name: "gd32f103",
        family: Family::F1,
        cpuid: 0x412F_C231,
        dpidr: 0x2BA0_1477,
        ap_idr: 0x2477_0011,
        idcode: Some(0x1303_0410),
        product_id: 0x4142_4333,
        maker: (7, 0x51),
        part: 0x76F,
        granule: Granule::HalfWord,
        sram_kib: 20,
    },
    ChipFacts {
        kind: SimChip::Gd32e103,
        name: "gd32e103",
        family: Family::F1,
        cpuid: 0x410F_C241,
        dpidr: 0x2BA0_1477,
        ap_idr: 0x2477_0011,
        // Chosen: no source gives this value.
        idcode: Some(0x1703_0410),
        product_id: 0x4842_4333,
        maker: (7, 0x51),
        // Chosen: the Cortex-M4's own part number.
        part: 0x4C4,
        granule: Granule::Word,
        sram_kib: 20,
    },
    ChipFacts {
        kind: SimChip::At32f415,
        name: "at32f415",
        family: Family::F1,
        cpuid: 0x410F_C241,
        dpidr: 0x2BA0_1477,
        ap_idr: 0x2477_0011,
        idcode: Some(0x7003_0109),
        product_id: 0,
        maker: (4, 0x3B),
        part: 0x4C4,
        granule: Granule::HalfWord,
        sram_kib: 32,
    },
    ChipFacts {
        kind: SimChip::CortexM0,
        name: "m0",
        family: Family::M0,
        cpuid: 0x410C_C200,
        dpidr: 0x0BB1_1477,
        ap_idr: 0x0477_0021,
        idcode: None,
        product_id: 0,
        maker: (4, 0x3B),
        part: 0x471,
        granule: Granule::HalfWord,
        sram_kib: 8,
    },
    ChipFacts {
        kind: SimChip::Nrf51,
        name: "nrf51",
        family: Family::Nrf51,
        cpuid: 0x410C_C200,
        dpidr: 0x0BB1_1477,
        ap_idr: 0x0477_0021,
        idcode: None,
        product_id: 0,
        // Nordic: JEP106 bank 3, 0x44.
        maker: (2, 0x44),
        part: 0x001,
        granule: Granule::HalfWord,
        sram_kib: 16,
    },
];

impl SimChip {
    pub(super) fn facts(self) -> &'static ChipFacts {
        // The array is in the order of the enum; the test below checks this.
        &CHIPS[self as usize]
    }
}

impl fmt::Display for SimChip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.facts().name)
    }
}

/// The name of a chip that cannot be simulated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot simulate a chip named \"{0}\"")]
pub struct UnknownChip(String);

impl FromStr for SimChip {
    type Err = UnknownChip;

    fn from_str(text: &str) -> Result<Self, UnknownChip> {
        CHIPS.iter().find(|chip| chip.name == text).map(|chip| chip.kind).ok_or_else(|| UnknownChip(text.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_chip_is_found_by_its_kind_and_by_its_name() {
        for chip in &CHIPS {
            assert_eq!(chip.kind.facts().name, chip.name);
            assert_eq!(chip.name.parse(), Ok(chip.kind));
        }
        assert!("stm32".parse::<SimChip>().is_err());
    }
}
