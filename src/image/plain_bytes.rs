//! Files of plain bytes: what is in them, and which address they begin at, told by their own contents.

use std::ops::Range;

use super::{
    Format,
    inspect::{boot_region, is_stack_pointer, longest_drv},
    thumb,
};
use crate::{
    block::{LEN, MAGIC, SIGNATURE},
    target::FlashMap,
};

/// Length of the option bytes.
const OPTIONS: usize = 16;

/// What a file of plain bytes is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PlainBytes<'b> {
    /// Without what stands behind: option bytes, or the rest of the data block's page.
    pub(super) bytes: &'b [u8],
    pub(super) base: Option<u32>,
    pub(super) format: Format,
    pub(super) options: Option<[u8; OPTIONS]>,
}

/// Looks at plain bytes. An image of one region gets no address: plain bytes do not have one.
pub(super) fn read(bytes: &[u8]) -> PlainBytes<'_> {
    let raw = |bytes, base, format| PlainBytes { bytes, base, format, options: None };
    // 512 bytes may have the magic alone, which is all that the firmware asks for.
    if bytes.len() == LEN && bytes.starts_with(&MAGIC.to_le_bytes())
        || bytes.len() > LEN && bytes.starts_with(&SIGNATURE)
    {
        return raw(&bytes[..LEN], None, Format::Data);
    }
    let (flash, options) = without_options(bytes);
    match base(flash) {
        Some(base) => PlainBytes { options, ..raw(flash, Some(base), Format::Dump) },
        None => raw(bytes, None, Format::Bin),
    }
}

/// A dump may have the option bytes behind it. They are known by their complements; what is behind a whole flash in their
/// place is left off all the same.
fn without_options(bytes: &[u8]) -> (&[u8], Option<[u8; OPTIONS]>) {
    let Some((flash, tail)) = bytes.split_last_chunk::<OPTIONS>() else { return (bytes, None) };
    let are_right = options_are_right(tail);
    if flash.len() % 1024 == 0 && (are_right || is_whole_flash(flash.len())) {
        (flash, are_right.then_some(*tail))
    } else {
        (bytes, None)
    }
}

/// Whether each value is followed by its complement, as the chip demands (PM0075 2.5).
pub(super) fn options_are_right(options: &[u8; OPTIONS]) -> bool {
    options.chunks_exact(2).all(|pair| pair[0] == !pair[1])
}

/// Whether a chip on these boards has as much flash.
pub(super) fn is_whole_flash(len: usize) -> bool {
    FlashMap::all().iter().any(|map| map.flash.len() == len)
}

/// The address at which a dump of more than one region begins; none for an image of one region.
fn base(bytes: &[u8]) -> Option<u32> {
    let (boot, drv) = (boot_region(), longest_drv());
    let drv_at = |at: usize| starts_in(bytes, at, &drv);
    let is_blank = |at: usize| bytes[at..].iter().take(1024).all(|byte| *byte == 0xFF);
    if drv_at(0) && !drv_at(boot.len()) {
        // No DRV is longer than the larger map has room for.
        return (bytes.len() > drv.len()).then_some(drv.start);
    }
    let has_more = bytes.len() > boot.len() && (drv_at(boot.len()) || is_blank(boot.len()));
    (is_whole_flash(bytes.len()) || starts_in(bytes, 0, &boot) && has_more).then_some(boot.start)
}

/// The address in flash of bytes that a HEX file has at `base`. Flash is also seen from address 0 while a chip runs from it
/// (RM0008 3.4), and some programs count from there.
pub(super) fn address(base: u32, bytes: &[u8]) -> u32 {
    let flash = &FlashMap::largest().flash;
    if u64::from(base) + bytes.len() as u64 > flash.len() as u64 {
        return base;
    }
    let is_ours = starts_in(bytes, 0, &(flash.start + base..flash.end)) || bytes.starts_with(&SIGNATURE);
    if is_ours { flash.start + base } else { base }
}

/// Whether a vector table stands there that leads into this region.
fn starts_in(bytes: &[u8], at: usize, region: &Range<u32>) -> bool {
    let word = |at| thumb::word(bytes, at);
    let (Some(stack), Some(reset)) = (word(at), word(at + 4)) else { return false };
    is_stack_pointer(stack) && reset % 2 == 1 && region.contains(&reset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::sample::Sample;

    const FLASH: u32 = 0x0800_0000;
    const DRV: u32 = 0x0800_1000;

    fn flash() -> Vec<u8> {
        let mut flash = vec![0xFF; 0x1_0000];
        flash[..3000].copy_from_slice(&Sample::boot(3000).bytes());
        flash[0x1000..0x1000 + 5000].copy_from_slice(&Sample::drv(5000).bytes());
        flash[0xF800..0xF804].copy_from_slice(&SIGNATURE);
        flash
    }

    fn seen(bytes: &[u8]) -> (usize, Option<u32>, Format) {
        let raw = read(bytes);
        (raw.bytes.len(), raw.base, raw.format)
    }

    #[test]
    fn a_dump_is_told_from_an_image_by_where_it_leads() {
        let flash = flash();
        assert_eq!(seen(&flash), (0x1_0000, Some(FLASH), Format::Dump));
        assert_eq!(seen(&[&flash[..], &flash].concat()), (0x2_0000, Some(FLASH), Format::Dump));
        assert_eq!(seen(&flash[0x1000..]), (0xF000, Some(DRV), Format::Dump));
        assert_eq!(seen(&[&flash[0x1000..], &[0xFF; 0x1000]].concat()), (0x1_0000, Some(DRV), Format::Dump));
        assert_eq!(seen(&flash[0x1000..0xF800]), (0xE800, Some(DRV), Format::Dump), "without its last pages");
        assert_eq!(seen(&flash[..0x8000]), (0x8000, Some(FLASH), Format::Dump));
        assert_eq!(seen(&flash[..0xFA00]), (0xFA00, Some(FLASH), Format::Dump));
        assert_eq!(seen(&vec![0xFF; 0x1_0000]), (0x1_0000, Some(FLASH), Format::Dump));
        for image in [&flash[..3000], &flash[..0x1000], &flash[0x1000..0x8400], &Sample::drv(55_296).bytes()] {
            assert_eq!(seen(image), (image.len(), None, Format::Bin));
        }
    }

    #[test]
    fn a_block_is_known_with_the_rest_of_its_page_and_more() {
        let flash = flash();
        for len in [512, 1024, 2048] {
            assert_eq!(seen(&flash[0xF800..0xF800 + len]), (512, None, Format::Data), "{len}");
        }
        assert_eq!(seen(&[&[0x5C, 0x51][..], &[0; 510]].concat()).2, Format::Data, "the magic is enough");
        assert_eq!(seen(&[&[0x5C, 0x51][..], &[0; 1022]].concat()).2, Format::Bin);
    }

    #[test]
    fn option_bytes_behind_a_dump_are_known_by_their_complements() {
        let flash = flash();
        let options: [u8; 16] = [0xA5, 0x5A, 0xFE, 0x01, 0xFF, 0, 0xFF, 0, 0xFF, 0, 0xFF, 0, 0xFF, 0, 0xFF, 0];
        for dump in [&flash[..], &flash[0x1000..], &flash[..0x8000]] {
            let behind = [dump, &options].concat();
            let raw = read(&behind);
            assert_eq!((raw.bytes, raw.options), (dump, Some(options)));
        }
        let garbage = [&flash[..], &[0x12; 16]].concat();
        assert_eq!((read(&garbage).bytes, read(&garbage).options), (&flash[..], None));
    }
}
