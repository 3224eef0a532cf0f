//! Waits until running firmware has finished writing to flash. Stopping it midway could leave half a data block that
//! looks like a whole one, or erased option bytes.

use std::time::Duration;

use super::{
    Error, cortex_m,
    link::{Link, LinkError},
    loader::OPTIONS_LIMIT,
    registers::fpec::{ACR, CR_LOCK, SR, SR_BSY},
    timer::Timer,
};

/// Number of consecutive reads that must find flash idle: it is also briefly idle between two half-words.
const LOOKS: u32 = 3;
/// No page erase is shorter than this (DS5319 table 29: 20 ms). One that began after the last read of a running core has
/// not ended by the first read of the halted one, if that is sooner.
const SHORTEST_ERASE: Duration = Duration::from_millis(18);
/// Number of halts that a slow link is given to be sooner.
const SLOW_HALTS: u32 = 5;

/// What the flash controller shows.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Look {
    status: u32,
    control: u32,
    address: u32,
}

impl Look {
    fn is_busy(self) -> bool {
        self.status & SR_BSY != 0
    }

    fn is_locked(self) -> bool {
        self.control & CR_LOCK != 0
    }
}

/// Whether the halted core may be in the middle of writing to flash. Most firmware locks flash after writing; the vendor's
/// firmware leaves it unlocked, with an operation selected but none in progress.
pub(super) fn may_be_writing(link: &mut Link) -> Result<bool, LinkError> {
    let now = look(link)?;
    Ok(now.is_busy() || !now.is_locked())
}

/// Resumes the halted core until it has finished writing to flash, and halts it again. It may begin to write just before it is
/// halted: then it is resumed once more. The time limit is that of the longest flash operation of any chip.
pub(super) fn let_finish(link: &mut Link, timer: &Timer) -> Result<(), Error> {
    let began = timer.now();
    let mut slow = 0;
    loop {
        cortex_m::run(link)?;
        let (mut idle, mut seen, mut looked) = (0, None, timer.now());
        let ended = timer.poll(OPTIONS_LIMIT, || {
            looked = timer.now();
            let now = look(link)?;
            idle = if now.is_busy() { 0 } else { idle + 1 };
            seen = Some(now);
            Ok((idle >= LOOKS).then_some(()))
        })?;
        ended.ok_or(Error::SaveStuck { limit: OPTIONS_LIMIT })?;
        cortex_m::halt(link, timer)?;
        if Some(look(link)?) == seen {
            slow += 1;
            if timer.now().saturating_sub(looked) < SHORTEST_ERASE || slow == SLOW_HALTS {
                return Ok(());
            }
        }
        if timer.now().saturating_sub(began) > OPTIONS_LIMIT {
            return Err(Error::SaveStuck { limit: OPTIONS_LIMIT });
        }
    }
}

/// Waits until a running core has finished writing to flash, at most for this long.
pub(super) fn await_finish(link: &mut Link, timer: &Timer, limit: Duration) -> Result<(), Error> {
    let mut idle = 0;
    timer.poll(limit, || {
        idle = if look(link)?.is_busy() { 0 } else { idle + 1 };
        Ok((idle == LOOKS).then_some(()))
    })?;
    Ok(())
}

/// Reads `FLASH_SR`, `FLASH_CR` and `FLASH_AR`.
fn look(link: &mut Link) -> Result<Look, LinkError> {
    let mut registers = [0; 3];
    link.read_words(ACR + 4 * SR as u32, &mut registers)?;
    let [status, control, address] = registers;
    Ok(Look { status, control, address })
}
