//! Waits until running firmware has finished writing to flash. Stopping it midway could leave half a data block that
//! looks like a whole one, or erased option bytes.

use std::time::Duration;

use super::{
    Error, cortex_m,
    link::{Link, LinkError},
    protection::OPTIONS_LIMIT,
    registers::fpec::{ACR, CR_LOCK, SR, SR_BSY},
    timer::Timer,
};

/// Number of consecutive reads that must find flash idle: it is also briefly idle between two half-words.
const LOOKS: u32 = 3;

/// Resumes the halted core until it has finished writing to flash. Most firmware locks flash after writing; the
/// vendor's bootloader leaves it unlocked, with an operation selected but none in progress. The time limit is that of
/// the longest flash operation of any chip.
pub(super) fn let_finish(link: &mut Link, timer: &Timer) -> Result<(), Error> {
    if look(link)?.1 & CR_LOCK != 0 {
        return Ok(());
    }
    cortex_m::run(link)?;
    let mut idle = 0;
    let ended = timer.poll(OPTIONS_LIMIT, || {
        idle = if look(link)?.0 & SR_BSY == 0 { idle + 1 } else { 0 };
        Ok((idle == LOOKS).then_some(()))
    })?;
    ended.ok_or(Error::SaveStuck { limit: OPTIONS_LIMIT })?;
    cortex_m::halt(link, timer)
}

/// Waits until a running core has finished writing to flash, at most for this long.
pub(super) fn await_finish(link: &mut Link, timer: &Timer, limit: Duration) -> Result<(), Error> {
    let mut idle = 0;
    timer.poll(limit, || {
        idle = if look(link)?.0 & SR_BSY == 0 { idle + 1 } else { 0 };
        Ok((idle == LOOKS).then_some(()))
    })?;
    Ok(())
}

/// Reads `FLASH_SR` and `FLASH_CR`.
fn look(link: &mut Link) -> Result<(u32, u32), LinkError> {
    let mut registers = [0; 2];
    link.read_words(ACR + 4 * SR as u32, &mut registers)?;
    Ok((registers[0], registers[1]))
}
