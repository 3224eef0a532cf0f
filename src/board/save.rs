//! What writes to flash is not stopped in the middle of that: half of a data block may look like a whole one, and option
//! bytes would stay erased.

use std::time::Duration;

use super::{
    Error, core,
    link::{Link, LinkError},
    pace::Pace,
    registers::fpec::{ACR, CR, CR_LOCK, CR_OPTWRE},
};

/// The page of the data block, erased and programmed: 40 ms and 256 times 70 us at most (DS5319 table 28), with the
/// firmware's own work between them; option bytes with a mass erase take less. Some firmware never locks flash again.
const LIMIT: Duration = Duration::from_millis(100);
/// Main flash, where firmware runs and the flash algorithm does not.
const FLASH_END: u32 = 0x2000_0000;

/// Lets the halted core go on to the end of a save, or of the option bytes, where it is at that. Pages that an earlier run's
/// flash algorithm still writes are written again anyway.
pub(super) fn let_end(link: &mut Link, pace: &Pace) -> Result<(), Error> {
    let control = control(link)?;
    if control & CR_LOCK != 0 || control & CR_OPTWRE == 0 && core::pc(link, pace)? >= FLASH_END {
        return Ok(());
    }
    core::run(link)?;
    pace.poll(LIMIT, || Ok((self::control(link)? & CR_LOCK != 0).then_some(())))?;
    core::halt(link, pace)
}

/// `FLASH_CR`. It counts as locked when it is twice: between erase and programming the vendor's firmware locks it too, for
/// some instructions.
fn control(link: &mut Link) -> Result<u32, LinkError> {
    let address = ACR + 4 * CR as u32;
    let control = link.read(address)?;
    if control & CR_LOCK == 0 { Ok(control) } else { link.read(address) }
}
