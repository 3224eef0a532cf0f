//! A page of flash whose cells are worn out: what is wrong with it, and what it is needed for.

use std::fmt;

use crate::{
    board::{Board, Error},
    count::count,
    target::Target,
};

/// A page that does not take what is written to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadPage {
    /// Its first address.
    pub address: u32,
    /// Its number, counted from the beginning of flash.
    pub number: u32,
    /// Bits that stay 0 after an erase.
    pub unerased: u32,
    /// Bits that stay 1 although they are programmed.
    pub unprogrammed: u32,
    /// How often it was written.
    pub tries: u32,
    /// What is in it.
    pub purpose: Purpose,
}

/// What a page is needed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The bootloader.
    Boot,
    /// The firmware.
    Drv,
    /// The data block, which the firmware erases and writes again and again.
    Data,
    /// Nothing that makes a board run.
    Other,
}

impl BadPage {
    /// The page around this address, if it reads wrong twice in the same way: otherwise it is not the page that is bad.
    pub(super) fn at<'p>(
        address: u32,
        board: &mut Board<'_>,
        target: &Target,
        planned: impl FnOnce(u32) -> Option<&'p [u8]>,
        tries: u32,
    ) -> Result<Option<Self>, Error> {
        let number = (address - target.map.flash.start) / target.map.page;
        let first = target.map.flash.start + number * target.map.page;
        let Some(planned) = planned(first) else { return Ok(None) };
        let read = board.read(first..first + target.map.page)?;
        if board.read(first..first + target.map.page)? != read || read == planned {
            return Ok(None);
        }
        let bits = |of: fn(u8, u8) -> u8| {
            planned.iter().zip(&read).map(|(planned, read)| of(*planned, *read).count_ones()).sum()
        };
        let regions = &target.map.regions;
        let purpose = match () {
            () if regions.boot.contains(&first) => Purpose::Boot,
            () if target.data_pages().any(|page| page == first) => Purpose::Data,
            () if regions.drv.contains(&first) => Purpose::Drv,
            () => Purpose::Other,
        };
        let unerased = bits(|planned, read| planned & !read);
        let unprogrammed = bits(|planned, read| read & !planned);
        Ok(Some(Self { address: first, number, unerased, unprogrammed, tries, purpose }))
    }
}

impl fmt::Display for BadPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, number, unerased, unprogrammed, tries, .. } = self;
        write!(f, "page {number} at {address:#010x} is worn out: after {}, ", count(*tries, "try"))?;
        let bits = |bits: u32| count(bits, "bit");
        match (unerased, unprogrammed) {
            (0, _) => write!(f, "{} cannot be programmed", bits(*unprogrammed)),
            (_, 0) => write!(f, "{} cannot be erased", bits(*unerased)),
            _ => write!(f, "{} cannot be erased and {} cannot be programmed", bits(*unerased), bits(*unprogrammed)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_page_does_not_do_is_said() {
        let said = |unerased, unprogrammed| {
            let purpose = Purpose::Data;
            let page = BadPage { address: 0x0800_F800, number: 62, unerased, unprogrammed, tries: 3, purpose };
            page.to_string().split_once(": ").unwrap().1.to_owned()
        };
        assert_eq!(said(0, 1), "after 3 tries, 1 bit cannot be programmed");
        assert_eq!(said(2, 0), "after 3 tries, 2 bits cannot be erased");
        assert_eq!(said(2, 1), "after 3 tries, 2 bits cannot be erased and 1 bit cannot be programmed");
    }
}
