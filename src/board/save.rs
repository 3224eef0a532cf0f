//! What writes to flash is not stopped in the middle of that: half of a data block may look like a whole one, and option
//! bytes would stay erased.

use std::time::Duration;

use super::{
    Error, core,
    link::{Link, LinkError},
    pace::Pace,
    registers::fpec::{ACR, CR_LOCK, CR_OPTPG, CR_PG, CR_STRT, SR, SR_BSY},
};

/// The page of the data block, erased and programmed: 40 ms and 256 times 70 us at most (DS5319 table 28), with the
/// firmware's own work between them. Option bytes with a mass erase take less.
const LIMIT: Duration = Duration::from_millis(100);
/// Looks that find nothing being written before that is believed: between two half-words nothing is, for a moment.
const LOOKS: u32 = 2;

/// Lets the halted core go on to the end of what it writes. Most firmware locks flash when it has written; the vendor's
/// bootloader leaves it unlocked with nothing going on.
pub(super) fn let_end(link: &mut Link, pace: &Pace) -> Result<(), Error> {
    if look(link)?.1 & CR_LOCK != 0 {
        return Ok(());
    }
    core::run(link)?;
    let mut idle = 0;
    pace.poll(LIMIT, || {
        let (status, control) = look(link)?;
        let writes = status & SR_BSY != 0 || control & (CR_PG | CR_STRT | CR_OPTPG) != 0;
        idle = if writes { 0 } else { idle + 1 };
        Ok((idle == LOOKS).then_some(()))
    })?;
    core::halt(link, pace)
}

/// `FLASH_SR` and `FLASH_CR`.
fn look(link: &mut Link) -> Result<(u32, u32), LinkError> {
    let mut registers = [0; 2];
    link.read_words(ACR + 4 * SR as u32, &mut registers)?;
    Ok((registers[0], registers[1]))
}
