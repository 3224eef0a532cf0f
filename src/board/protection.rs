//! Read-out protection and the option bytes that hold it. PM0075 2.4, 2.5 and 3.4.

use std::time::Duration;

use serde::Serialize;

use super::{
    Board, ChipKind, Error, OptionBytes, PageWrite, Reclock, Wait,
    link::{Link, LinkError},
    loader::OPTIONS_LIMIT,
    patience::POWER_CYCLE,
    progress::{Event, Need, Progress},
    registers::{fpec, system},
};
use crate::target::FlashMap;

/// The caller's word that protection may be removed. Only a face makes one: from a flag, or from an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Consent {
    /// Option bytes may be written; flash stays what it is.
    Unlock,
    /// Everything in flash may be lost as well.
    Erase,
}

/// What removing protection did to main flash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Erasure {
    /// The chip erased all of it.
    Everything,
    /// It holds what it held.
    Nothing,
}

/// Whether flash can be read through the debug port, as the chip itself says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Protection {
    /// Readable.
    None,
    /// Read-out protection is on.
    Read,
}

impl Protection {
    /// The name in reports and events.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Read => "read",
        }
    }
}

/// The protections in force, and the option bytes that the next reset puts in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// In force.
    pub protection: Protection,
    /// In force: a zero bit for each group of four pages that cannot be written.
    pub write_protection: u32,
    /// As they stand in the option area.
    pub option_bytes: OptionBytes,
}

impl Status {
    /// The write-protected pages of a flash with `pages` pages. Bit 31 stands for all pages from 62 groups on (PM0075 2.4.2
    /// table 10: pages 124 to the end on medium density).
    pub fn write_protected_pages(&self, pages: u32) -> Vec<u32> {
        (0..pages).filter(|page| self.write_protection >> (page / 4).min(31) & 1 == 0).collect()
    }
}

impl Board<'_> {
    /// Reads the protections, twice: one wrong bit could erase a chip, or end up in its option bytes.
    pub fn status(&mut self) -> Result<Status, Error> {
        let (obr, write_protection, option_bytes) = self.protections()?;
        if self.protections()? != (obr, write_protection, option_bytes) {
            return Err(LinkError::Unstable {
                what: "the protection state",
                address: fpec::ACR + 4 * fpec::OBR as u32,
            }
            .into());
        }
        if obr & fpec::OBR_RESERVED != 0 && self.chip.kind != ChipKind::Gd32E103 || obr == u32::MAX {
            return Err(Error::UnknownProtection { obr });
        }
        if self.chip.kind == ChipKind::Gd32E103 && option_bytes.rdp() == 0xCC {
            return Err(Error::PermanentProtection { rdp: option_bytes.rdp() });
        }
        Ok(Status { protection: protection(obr), write_protection, option_bytes })
    }

    /// OBR, WRPR and the option bytes.
    fn protections(&mut self) -> Result<(u32, u32, OptionBytes), LinkError> {
        let mut registers = [0; fpec::WORDS];
        self.link.read_words(fpec::ACR, &mut registers)?;
        Ok((registers[fpec::OBR], registers[fpec::WRPR], read_option_bytes(&mut self.link)?))
    }

    /// Removes read-out protection, whose state is given as [`Board::status`] read it, and write protection; USER is kept.
    /// If read-out protection is in force, this erases the whole flash.
    ///
    /// Afterwards the core stands before its first instruction, and protection and UID have been read again. If the chip
    /// needs a power-cycle first, waits for that. What is to be programmed then, `next`, is sent ahead while the chip erases itself.
    pub fn remove_protection(
        self,
        map: &FlashMap,
        before: Protection,
        user: u8,
        consent: Consent,
        next: &[PageWrite],
        progress: &mut dyn Progress,
    ) -> Result<(Self, Erasure), Error> {
        let mut board = self;
        board.prepare_options()?;
        // What was set and not in force yet is by now, except on chips that wait for a power-on.
        let erases = before == Protection::Read || board.status()?.protection == Protection::Read;
        if erases && consent < Consent::Erase {
            return Err(Error::StillProtected);
        }
        board.write_options(map, OptionBytes::open(user), if erases { next } else { &[] })?;
        board.reset_and_halt()?;
        // One reading is enough here: a wrong one is found out by waiting, or by programming.
        if protection(board.link.read(fpec::ACR + 4 * fpec::OBR as u32)?) == Protection::Read {
            board = board.await_power_cycle(progress)?;
        }
        if !erases {
            return Ok((board, Erasure::Nothing));
        }
        board.probes.ledger().erased();
        Ok((board, Erasure::Everything))
    }

    /// Turns read-out protection on, beside these option bytes; it is in force after the next reset, on some chips after the
    /// next power-on.
    pub fn set_protection(&mut self, map: &FlashMap, options: OptionBytes) -> Result<(), Error> {
        self.prepare_options()?;
        self.write_options(map, options.with_rdp(self.chip.kind.rdp_protected()), &[])
    }

    /// Writes these option bytes, mended; they are in force after the next reset.
    pub fn restore_options(&mut self, map: &FlashMap, options: OptionBytes) -> Result<(), Error> {
        let is_permanent = options.protects_for_good();
        let options = options.mended();
        if is_permanent {
            // Whatever it means to this chip.
            return Err(Error::PermanentProtection { rdp: 0xCC });
        }
        self.prepare_options()?;
        self.write_options(map, options, &[])
    }

    /// Puts clock and peripherals into the state after a reset, for the flash algorithm.
    fn prepare_options(&mut self) -> Result<(), Error> {
        self.timer.check()?;
        self.reset_and_halt()
    }

    /// Erases the option bytes and programs all of them, in one go on the chip itself: once begun it ends even if contact
    /// is lost, so that the option area is never left erased by a slipped wire.
    fn write_options(&mut self, map: &FlashMap, options: OptionBytes, next: &[PageWrite]) -> Result<(), Error> {
        self.run_options(map, options, next, OPTIONS_LIMIT)?;
        let found = read_option_bytes(&mut self.link)?;
        if found == options {
            Ok(())
        } else {
            Err(Error::OptionBytes { expected: hex::encode(options.0), found: hex::encode(found.0) })
        }
    }

    /// Waits until the chip has lost its power and come back without protection.
    fn await_power_cycle(self, progress: &mut dyn Progress) -> Result<Self, Error> {
        let mut board = self;
        let limit = board.options.wait.limit(Need::PowerCycle);
        let began = board.now();
        let mut attempts = 0;
        loop {
            attempts += 1;
            let elapsed = board.now().saturating_sub(began);
            if elapsed >= limit {
                return Err(Error::NoPowerCycle { limit });
            }
            progress.on(Event::Waiting { attempts, elapsed, need: Need::PowerCycle });
            progress.on(board.contact(Some(Need::PowerCycle)));
            board.timer.pause(Duration::from_millis(200))?;
            board = match board.status() {
                Ok(status) if status.protection == Protection::None => {
                    board.reset_and_halt()?;
                    return Ok(board);
                }
                Ok(_) => board,
                Err(error) if error.is_link() => {
                    let recipe = board.recipe();
                    drop(board);
                    recipe.connect(Reclock::Same, Wait::For(POWER_CYCLE), progress)?
                }
                Err(error) => return Err(error),
            };
        }
    }
}

/// What `FLASH_OBR` says of reading (PM0075 4.7).
fn protection(obr: u32) -> Protection {
    if obr & fpec::OBR_RDPRT == 0 { Protection::None } else { Protection::Read }
}

fn read_option_bytes(link: &mut Link) -> Result<OptionBytes, LinkError> {
    let mut bytes = [0; 16];
    link.read_bytes(system::OPTION_BYTES, &mut bytes)?;
    Ok(OptionBytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn write_protection_bits_stand_for_groups_of_four_pages() {
        let status = |write_protection| Status {
            protection: Protection::None,
            write_protection,
            option_bytes: OptionBytes::open(0xFF),
        };
        assert!(status(u32::MAX).write_protected_pages(64).is_empty());
        assert_eq!(status(!1).write_protected_pages(64), [0, 1, 2, 3]);
        assert_eq!(status(!(1 << 15)).write_protected_pages(64), [60, 61, 62, 63]);
        assert_eq!(status(!(1 << 31)).write_protected_pages(128), [124, 125, 126, 127]);
    }
}
