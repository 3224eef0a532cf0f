//! What writes to flash is not stopped in the middle of that: half of a data block may look like a whole one, and option
//! bytes would stay erased.

use super::{
    Error, core,
    link::{Link, LinkError},
    pace::Pace,
    protection::OPTIONS_LIMIT,
    registers::fpec::{ACR, CR_LOCK, SR, SR_BSY},
};

/// Looks that find the flash idle before that is believed: between two half-words it is, for a moment.
const LOOKS: u32 = 3;

/// Lets the halted core go on to the end of what it writes. Most firmware locks flash when it has written; the vendor's
/// bootloader leaves it unlocked, with an operation selected and none going on. The limit is that of the longest thing that a
/// chip does to its flash.
pub(super) fn let_end(link: &mut Link, pace: &Pace) -> Result<(), Error> {
    if look(link)?.1 & CR_LOCK != 0 {
        return Ok(());
    }
    core::run(link)?;
    let mut idle = 0;
    let ended = pace.poll(OPTIONS_LIMIT, || {
        idle = if look(link)?.0 & SR_BSY == 0 { idle + 1 } else { 0 };
        Ok((idle == LOOKS).then_some(()))
    })?;
    ended.ok_or(Error::Stuck { what: "what the board was writing", limit: OPTIONS_LIMIT })?;
    core::halt(link, pace)
}

/// `FLASH_SR` and `FLASH_CR`.
fn look(link: &mut Link) -> Result<(u32, u32), LinkError> {
    let mut registers = [0; 2];
    link.read_words(ACR + 4 * SR as u32, &mut registers)?;
    Ok((registers[0], registers[1]))
}
