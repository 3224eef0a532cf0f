//! Which silicon is at the end of the wires.

use std::fmt;

use serde::Serialize;

use super::{
    Error, Unsupported,
    link::{Link, LinkError},
    registers::{core, dbgmcu, system},
};
use crate::{
    block::Uid,
    target::{artery, gigadevice},
};

/// A supported chip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ChipKind {
    /// ST's, medium density.
    Stm32F103,
    /// GigaDevice's with a Cortex-M3; programs like the STM32.
    Gd32F103,
    /// GigaDevice's with a Cortex-M4; programs words.
    Gd32E103,
    /// Somebody else's copy of the STM32F103 (CKS32, CS32, APM32), recognised by a ROM table that is not ST's.
    #[serde(rename = "f103-clone")]
    F103Clone,
}

impl ChipKind {
    /// Every supported chip.
    pub const ALL: [Self; 4] = [Self::Stm32F103, Self::Gd32F103, Self::Gd32E103, Self::F103Clone];

    /// The name that image catalog, packages and reports use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stm32F103 => "stm32f103",
            Self::Gd32F103 => "gd32f103",
            Self::Gd32E103 => "gd32e103",
            Self::F103Clone => "f103-clone",
        }
    }

    /// The chip that firmware for this one is made for.
    pub fn firmware_name(self) -> &'static str {
        if self == Self::F103Clone { Self::Stm32F103.name() } else { self.name() }
    }

    /// Bytes that the flash takes at once (PM0075 2.3.3; for the GD32E103 the vendor's own firmware).
    pub(super) fn program_width(self) -> u32 {
        if self == Self::Gd32E103 { 4 } else { 2 }
    }

    /// The RDP value that the vendor's own firmware protects this chip with. Never 0xCC: on relatives of the GD32E103 it
    /// protects permanently.
    pub(super) fn rdp_protected(self) -> u8 {
        if self == Self::Gd32E103 { 0xBB } else { 0x00 }
    }
}

impl fmt::Display for ChipKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stm32F103 => "STM32F103",
            Self::Gd32F103 => "GD32F103",
            Self::Gd32E103 => "GD32E103",
            Self::F103Clone => "STM32F103 clone",
        })
    }
}

/// What the identification registers say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Chip {
    /// Which of the supported chips it is.
    pub kind: ChipKind,
    /// Flash size by the chip's register, in KiB, if that is a size such a chip can have; many that give 64 have 128.
    pub flash_kib: Option<u32>,
    /// The register as it reads.
    pub flash_size_register: u32,
    /// SCS CPUID.
    #[serde(skip)]
    pub cpuid: u32,
    /// `DBGMCU_IDCODE`.
    #[serde(skip)]
    pub idcode: u32,
}

// CPUID, part number (DDI 0403E B3.2.3): the part that tells Cortex-M cores apart.
const PART_M3: u32 = 0xC23;
const PART_M4: u32 = 0xC24;
const PART_M0: [u32; 2] = [0xC20, 0xC60];
/// `DBGMCU_IDCODE`, device id of the medium-density devices (RM0008 31.6.1).
const DEVICE_MEDIUM_DENSITY: u32 = 0x410;
/// JEP106 designer of the ROM table: continuation code and identity, ST (RM0008 31.8).
const DESIGNER_ST: u32 = 0x020;
const DESIGNER_GIGADEVICE: u32 = 0x751;
const DESIGNER_NORDIC: u32 = 0x244;

/// Sizes that are believed, in KiB: those of low and medium density devices (RM0008 2.3.3).
const PLAUSIBLE_KIB: [u32; 4] = [16, 32, 64, 128];

/// Whether a chip with this core has ST's MCU debug component, or whatever a clone has in its place.
pub(super) fn has_dbgmcu(cpuid: u32) -> bool {
    [PART_M3, PART_M4].contains(&(cpuid >> 4 & 0xFFF))
}

/// Asks the chip who it is, reading only, and takes its UID on the way.
pub(super) fn identify(link: &mut Link, cpuid: u32) -> Result<(Chip, Uid), Error> {
    let (kind, idcode) = match kind(link, cpuid) {
        // One wrong bit makes another chip of it.
        Err(Error::Unsupported(chip)) => {
            let again = link.read(core::CPUID)?;
            return Err(match kind(link, again) {
                Err(Error::Unsupported(other)) if other == chip => Error::Unsupported(chip),
                Err(error) if error.is_link() => error,
                _ => LinkError::Unstable { what: "the name of the chip", address: core::CPUID }.into(),
            });
        }
        found => found?,
    };
    let (flash_size_register, uid) = read_size_and_uid(link)?;
    // Everything that follows rests on these, and on the word that proved contact: they have to read the same twice.
    if uid.is_blank() {
        return Err(LinkError::BlankUid { uid }.into());
    }
    if read_size_and_uid(link)? != (flash_size_register, uid) {
        return Err(LinkError::Unstable { what: "the UID", address: Uid::ADDRESS }.into());
    }
    if link.read(core::CPUID)? != cpuid {
        return Err(LinkError::Unstable { what: "the CPUID", address: core::CPUID }.into());
    }
    let flash_kib = plausible(flash_size_register);
    Ok((Chip { kind, flash_kib, flash_size_register, cpuid, idcode }, uid))
}

/// Which of the supported chips it is, and its `DBGMCU_IDCODE`.
fn kind(link: &mut Link, cpuid: u32) -> Result<(ChipKind, u32), Error> {
    let part = cpuid >> 4 & 0xFFF;
    if PART_M0.contains(&part) {
        let designer = link.rom_table_base().and_then(|base| designer(link, base + 0xFD0));
        let nordic = designer.is_ok_and(|designer| designer == DESIGNER_NORDIC);
        return Err(Error::Unsupported(if nordic { Unsupported::Dashboard } else { Unsupported::CortexM0 }));
    }
    if part != PART_M3 && part != PART_M4 {
        return Err(Error::Unsupported(Unsupported::Core(cpuid)));
    }
    let idcode = link.read(dbgmcu::IDCODE)?;
    if idcode >> 16 == artery::FAMILY {
        return Err(Error::Unsupported(Unsupported::At32));
    }
    // Nothing is at this address on an STM32F103: it may as well refuse.
    let product = match link.read(gigadevice::PRODUCT_ID) {
        Err(LinkError::Refused { .. }) => 0,
        answer => answer?,
    };
    if part == PART_M4 {
        if product != gigadevice::GD32E103 {
            return Err(Error::Unsupported(Unsupported::CortexM4(idcode)));
        }
        return Ok((ChipKind::Gd32E103, idcode));
    }
    if idcode & 0xFFF != DEVICE_MEDIUM_DENSITY {
        return Err(Error::Unsupported(Unsupported::OtherStm32(idcode & 0xFFF)));
    }
    let kind = match (product, designer(link, core::ROM_TABLE_PIDR4)?) {
        (gigadevice::GD32F103, _) | (_, DESIGNER_GIGADEVICE) => ChipKind::Gd32F103,
        (_, DESIGNER_ST) => ChipKind::Stm32F103,
        _ => ChipKind::F103Clone,
    };
    Ok((kind, idcode))
}

/// The size that the register gives, in KiB, if it can be.
pub(super) fn plausible(register: u32) -> Option<u32> {
    Some(register).filter(|kib| PLAUSIBLE_KIB.contains(kib))
}

/// The flash size register, and the UID.
pub(super) fn read_size_and_uid(link: &mut Link) -> Result<(u32, Uid), LinkError> {
    let mut words = [0; system::WORDS];
    link.read_words(system::FLASH_SIZE, &mut words)?;
    let uid = [words[system::UID], words[system::UID + 1], words[system::UID + 2]];
    Ok((words[0] & 0xFFFF, Uid(uid)))
}

/// JEP106 code of who made the component whose identification registers, from PIDR4 on, are at `address`: four bits of
/// continuation and seven of identity (ADIv5 D1.2.3).
fn designer(link: &mut Link, address: u32) -> Result<u32, LinkError> {
    // PIDR4 to PIDR7, then PIDR0 to PIDR3.
    let mut pidr = [0; 8];
    link.read_words(address, &mut pidr)?;
    Ok((pidr[0] & 0xF) << 8 | (pidr[6] & 0x7) << 4 | pidr[5] >> 4 & 0xF)
}
