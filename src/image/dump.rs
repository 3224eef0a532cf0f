//! What a file holds of a board, whatever form somebody saved it in: the one reading for every command.
//!
//! A dump may be all of flash, of a 64 KiB chip as long as 128 KiB (programmers go by the size register or by what they were
//! told), begin at the DRV, be one page, be Intel HEX, and have the option bytes behind. A backup of this program and a
//! bare data block are dumps too: they hold less, or more.

use std::{fmt, ops::Range, path::Path};

use super::{
    Image, ImageError, Kind,
    backup_file::BackupFile,
    inspect,
    inspect::{boot_region, longest_drv},
    read_file,
};
use crate::{
    block::{DataBlock, LEN, Uid},
    target::{FlashMap, Target},
};

/// What a file holds of a board.
#[derive(Debug, Clone)]
pub struct Dump {
    /// Flash, or firmware.
    image: Option<Image>,
    /// A data block that the file holds apart from flash.
    block: Option<DataBlock>,
    uid: Option<Uid>,
    upper: Upper,
}

/// The upper half of what was read as 128 KiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Upper {
    /// There is none, or it holds something else than the lower half.
    Own,
    /// Erased.
    Blank,
    /// The same as the lower half: the chip has 64 KiB, and its addresses repeat.
    Mirror,
}

/// A data block in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The block as it stands in the file.
    pub block: DataBlock,
    /// Its address in flash; none if the file holds it apart.
    pub address: Option<u32>,
}

impl Dump {
    /// Reads a file.
    pub fn open(path: &Path) -> Result<Self, ImageError> {
        let mut dump = Self::from_bytes(&read_file(path)?)?;
        if let Some(image) = &mut dump.image {
            image.file = Some(path.into());
        }
        Ok(dump)
    }

    /// Takes the bytes of a file.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ImageError> {
        if let Some(text) = super::backup_text(bytes) {
            let saved = BackupFile::decode(text).map_err(ImageError::Backup)?;
            let (uid, block) = (Some(saved.uid), saved.block.clone());
            let image = saved.flash.is_some().then(|| Image::of_backup(saved)).transpose()?;
            let upper = image.as_ref().map_or(Upper::Own, upper_half);
            return Ok(Self { image, block, uid, upper });
        }
        Ok(Self::of(Image::from_bytes(bytes)?))
    }

    /// Takes an image that was read already.
    pub fn of(image: Image) -> Self {
        let is_block = image.kind() == Kind::Data;
        let is_whole = image.gaps.iter().all(|gap| gap.start >= LEN);
        let block =
            image.bytes.get(..LEN).filter(|_| is_block && is_whole).and_then(|bytes| DataBlock::parse(bytes).ok());
        let upper = upper_half(&image);
        Self { image: Some(image), block, uid: None, upper }
    }

    /// The firmware or the flash in it; none in a backup of a board whose flash could not be read.
    pub fn image(&self) -> Option<&Image> {
        self.image.as_ref()
    }

    /// The chip that it was read from, in a backup.
    pub fn uid(&self) -> Option<Uid> {
        self.uid
    }

    /// The option bytes from 0x1FFFF800.
    pub fn option_bytes(&self) -> Option<[u8; 16]> {
        self.image.as_ref()?.options
    }

    /// Whether it holds more than one region of flash.
    pub fn is_flash(&self) -> bool {
        self.image.as_ref().is_some_and(Image::is_dump)
    }

    /// The flash map: by the DRV in it, else by where a data block is, else by its length.
    pub fn layout(&self) -> &'static FlashMap {
        let drv = longest_drv();
        let linked = self
            .image
            .clone()
            .and_then(|image| image.part(&drv).ok())
            .and_then(|part| inspect::inspect(&part.bytes).layout);
        let has_block = |map: &&FlashMap| Target::widest(map).data_pages().any(|page| self.block_at(page).is_some());
        let placed = || FlashMap::all().iter().find(has_block);
        let is_large =
            || self.upper == Upper::Own && self.end().is_some_and(|end| end > FlashMap::smallest().flash.end);
        linked.or_else(placed).unwrap_or(if is_large() { FlashMap::largest() } else { FlashMap::smallest() })
    }

    /// How much of it lies behind the flash that its map uses, in KiB, without erased flash and copies of the lower half. Boards
    /// of that map have no use for it.
    pub fn unused_kib(&self) -> usize {
        let Some(image) = self.image.as_ref().filter(|_| self.upper == Upper::Own) else { return 0 };
        let flash = &self.layout().flash;
        let end = flash.end.saturating_sub(image.base.unwrap_or(flash.start)) as usize;
        let behind = image.bytes.get(end..).filter(|_| image.is_dump()).unwrap_or_default();
        behind.chunks(1024).filter(|page| page.iter().any(|byte| *byte != 0xFF)).count()
    }

    /// The share of a region; none if the file begins behind it or holds nothing but erased flash for it.
    pub fn part(&self, region: &Range<u32>) -> Option<Image> {
        self.image.clone()?.part(region).ok()
    }

    /// What it does not hold of a region: what is before and behind it, and the gaps of a HEX file.
    pub fn missing(&self, region: &Range<u32>) -> Vec<Range<u32>> {
        let (Some(image), Some(base), Some(end)) = (&self.image, self.base(), self.end()) else {
            return vec![region.clone()];
        };
        let gaps = image.gaps.iter().map(|gap| base + gap.start as u32..base + gap.end as u32);
        let outside = [0..base, end..u32::MAX];
        let mut missing: Vec<Range<u32>> = gaps
            .chain(outside)
            .map(|range| range.start.max(region.start)..range.end.min(region.end))
            .filter(|range| !range.is_empty())
            .collect();
        missing.sort_by_key(|range| range.start);
        missing
    }

    /// The data blocks in it, each once and the best first: one with a serial number before one without, then the one at `place`,
    /// or that copy of it which firmware uses.
    pub fn blocks(&self, place: u32) -> Vec<Block> {
        let mut blocks: Vec<Block> = Vec::new();
        let mut best = Some(place);
        for target in FlashMap::all().iter().map(Target::widest) {
            let mut pages: Vec<_> = target.data_pages().map(|page| self.block_at(page)).collect();
            let kept = target.block.kept(&pages);
            if target.map.regions.data.start == place {
                best = kept.and_then(|kept| target.data_pages().nth(kept));
            }
            for (address, block) in target.data_pages().zip(&mut pages) {
                let Some(block) = block.take() else { continue };
                if blocks.iter().all(|found| found.block != block) {
                    blocks.push(Block { block, address: Some(address) });
                }
            }
        }
        match &self.block {
            // The flash of a backup holds the same block, unless that came from SRAM.
            Some(block) if blocks.iter().any(|found| found.block == *block) => {}
            Some(block) => blocks.insert(0, Block { block: block.clone(), address: None }),
            None => {}
        }
        blocks.sort_by_key(|found| {
            (!found.block.is_complete(), found.address.is_some_and(|address| Some(address) != best))
        });
        blocks
    }

    /// The data block at an address, if all of it is in the file.
    fn block_at(&self, address: u32) -> Option<DataBlock> {
        let region = address..address + LEN as u32;
        if !self.missing(&region).is_empty() {
            return None;
        }
        let at = (address - self.base()?) as usize;
        DataBlock::parse(&self.image.as_ref()?.bytes[at..at + LEN]).ok()
    }

    fn base(&self) -> Option<u32> {
        self.image.as_ref()?.base
    }

    /// Where it ends; what an upper half repeats does not count.
    fn end(&self) -> Option<u32> {
        let image = self.image.as_ref()?;
        let len = if self.upper == Upper::Mirror { FlashMap::smallest().flash.len() } else { image.bytes.len() };
        image.base?.checked_add(len as u32)
    }
}

impl fmt::Display for Dump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(image) = &self.image else { return f.write_str("backup of a read-protected board") };
        write!(f, "{}", image.format)?;
        if image.is_dump() {
            write!(f, ", {} KiB of flash", image.bytes.len().div_ceil(1024))?;
        }
        if let Some(base) = image.base.filter(|base| *base != boot_region().start) {
            write!(f, " from {base:#010x}")?;
        }
        f.write_str(match self.upper {
            Upper::Own => "",
            Upper::Blank => ", the upper half blank",
            Upper::Mirror => ", the upper half a copy of the lower",
        })?;
        f.write_str(if image.options.is_some() && self.uid.is_none() { ", option bytes at the end" } else { "" })
    }
}

fn upper_half(image: &Image) -> Upper {
    let half = FlashMap::smallest().flash.len();
    if image.base != Some(boot_region().start) || image.bytes.len() != 2 * half {
        return Upper::Own;
    }
    let (lower, upper) = image.bytes.split_at(half);
    match upper.iter().all(|byte| *byte == 0xFF) {
        true => Upper::Blank,
        false if lower == upper => Upper::Mirror,
        false => Upper::Own,
    }
}

/// The firmware in a dump; none if that is blank, or if the image is not a dump.
pub(super) fn firmware_of(image: &Image) -> Option<Image> {
    let region = &Dump::of(image.clone()).layout().regions.drv;
    image.is_dump().then(|| image.clone().part(region).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        block::{Mileage, Serial},
        image::sample::Sample,
    };

    const FLASH: u32 = 0x0800_0000;
    const BOOT: Range<u32> = 0x0800_0000..0x0800_1000;
    const DRV: Range<u32> = 0x0800_1000..0x0800_8400;
    const PLACE: u32 = 0x0800_F800;

    fn block(digits: &str) -> DataBlock {
        let serial = Serial::parse(&format!("21886/{digits}"), "#####/########").unwrap();
        DataBlock::template().with_serial(serial).with_mileage(Mileage::from_km(7).unwrap()).with_uid(Uid([1, 2, 3]))
    }

    fn flash_of(map: &FlashMap) -> Vec<u8> {
        let mut flash = vec![0xFF; map.flash.len()];
        flash[..3000].copy_from_slice(&Sample::boot(3000).bytes());
        flash[0x1000..0x1000 + 5000].copy_from_slice(&Sample::drv(5000).layout(map).bytes());
        let at = (map.regions.data.start - FLASH) as usize;
        flash[at..at + 512].copy_from_slice(block("00012345").as_bytes());
        flash
    }

    fn flash() -> Vec<u8> {
        flash_of(FlashMap::smallest())
    }

    fn read(bytes: &[u8]) -> Dump {
        Dump::from_bytes(bytes).unwrap()
    }

    fn hex_of(parts: &[(u32, &[u8])]) -> String {
        let mut records = Vec::new();
        for (address, bytes) in parts {
            for (at, value) in (*address..).step_by(32).zip(bytes.chunks(32)) {
                records.push(ihex::Record::ExtendedLinearAddress((at >> 16) as u16));
                records.push(ihex::Record::Data { offset: at as u16, value: value.into() });
            }
        }
        records.push(ihex::Record::EndOfFile);
        ihex::create_object_file_representation(&records).unwrap()
    }

    fn options() -> [u8; 16] {
        [0xA5, 0x5A, 0xFE, 0x01, 0xFF, 0, 0xFF, 0, 0xFF, 0, 0xFF, 0, 0xFF, 0, 0xFF, 0]
    }

    #[test]
    fn the_block_is_found_in_every_form() {
        let flash = flash();
        let saved = |flash: Option<&[u8]>| {
            let option_bytes = options();
            BackupFile {
                uid: Uid([1, 2, 3]),
                option_bytes,
                flash: flash.map(Vec::from),
                block: Some(block("00012345")),
            }
            .encode()
            .into_bytes()
        };
        let page = &flash[0xF800..0xFC00];
        let forms: [(Vec<u8>, Option<u32>, &str); 13] = [
            (page[..512].to_vec(), None, "data block"),
            (page.to_vec(), None, "data block"),
            (flash[0xF800..].to_vec(), None, "data block"),
            (flash.clone(), Some(PLACE), "flash dump, 64 KiB of flash"),
            (
                [&flash[..], &vec![0xFF; 0x1_0000]].concat(),
                Some(PLACE),
                "flash dump, 128 KiB of flash, the upper half blank",
            ),
            (
                [&flash[..], &flash].concat(),
                Some(PLACE),
                "flash dump, 128 KiB of flash, the upper half a copy of the lower",
            ),
            ([&flash[..], &options()].concat(), Some(PLACE), "flash dump, 64 KiB of flash, option bytes at the end"),
            (flash[0x1000..].to_vec(), Some(PLACE), "flash dump, 60 KiB of flash from 0x08001000"),
            (hex_of(&[(FLASH, &flash)]).into(), Some(PLACE), "Intel HEX, 64 KiB of flash"),
            (
                hex_of(&[(FLASH, &flash[..0x3000]), (PLACE, page), (0x1FFF_F800, &options())]).into(),
                Some(PLACE),
                "Intel HEX, 63 KiB of flash, option bytes at the end",
            ),
            (hex_of(&[(PLACE, page)]).into(), Some(PLACE), "Intel HEX from 0x0800f800"),
            (saved(Some(&flash)), Some(PLACE), "backup, 64 KiB of flash"),
            (saved(None), None, "backup of a read-protected board"),
        ];
        for (bytes, address, form) in forms {
            let dump = read(&bytes);
            assert_eq!(dump.blocks(PLACE), [Block { block: block("00012345"), address }], "{form}");
            assert_eq!((dump.to_string().as_str(), dump.layout()), (form, FlashMap::smallest()));
        }
    }

    #[test]
    fn a_large_board_has_its_block_elsewhere() {
        let dump = read(&flash_of(FlashMap::largest()));
        assert_eq!((dump.layout(), dump.blocks(0x0801_C000)[0].address), (FlashMap::largest(), Some(0x0801_C000)));
        let half = read(&flash_of(FlashMap::largest())[..0x1_0000]);
        assert_eq!((half.layout(), half.blocks(0x0801_C000).len()), (FlashMap::largest(), 0));
        let place = 0x0801_C000..0x0801_C400;
        assert_eq!(half.missing(&place), std::slice::from_ref(&place));
    }

    #[test]
    fn of_two_blocks_the_whole_one_goes_first_and_then_the_one_at_its_place() {
        let mut flash = vec![0xFF; 0x2_0000];
        let mut put = |at: usize, block: &DataBlock| flash[at..at + 512].copy_from_slice(block.as_bytes());
        put(0xF800, &block("00000001"));
        put(0x1_C000, &block("00000002"));
        let first = |flash: &[u8], place| read(flash).blocks(place)[0].address;
        assert_eq!(read(&flash).blocks(PLACE).len(), 2);
        assert_eq!((first(&flash, PLACE), first(&flash, 0x0801_C000)), (Some(PLACE), Some(0x0801_C000)));
        flash[0xF820..0xF82E].fill(0xFF);
        assert_eq!(first(&flash, PLACE), Some(0x0801_C000), "without a serial number");
    }

    #[test]
    fn a_rescued_block_goes_before_the_one_in_the_flash_of_a_backup() {
        let rescued = block("00000009");
        let saved = BackupFile {
            uid: Uid([1, 2, 3]),
            option_bytes: options(),
            flash: Some(flash()),
            block: Some(rescued.clone()),
        };
        let found = read(saved.encode().as_bytes()).blocks(PLACE);
        assert_eq!((&found[0].block, found[1].address), (&rescued, Some(PLACE)));
    }

    #[test]
    fn what_is_missing_is_told_by_address() {
        let flash = flash();
        assert_eq!(read(&flash).missing(&DRV), []);
        assert_eq!(read(&flash[..0x3000]).missing(&DRV)[0], 0x0800_3000..0x0800_8400);
        let later = read(&flash[0x1000..]);
        assert_eq!((later.missing(&BOOT), later.missing(&DRV)), (vec![BOOT], vec![]));
        assert!(later.part(&BOOT).is_none() && later.part(&DRV).is_some());
        let holes = read(hex_of(&[(FLASH, &flash[..0x2000]), (0x0800_2400, &flash[0x2400..])]).as_bytes());
        assert_eq!(holes.missing(&DRV)[0], 0x0800_2000..0x0800_2400);
        assert_eq!(read(&flash[0xF800..]).missing(&BOOT), [BOOT]);
    }

    #[test]
    fn every_form_gives_its_images() {
        let flash = flash();
        for bytes in
            [&flash[..], &[&flash[..], &flash].concat(), &flash[0x1000..], &hex_of(&[(FLASH, &flash)]).into_bytes()]
        {
            let part = read(bytes).part(&DRV).unwrap();
            assert_eq!(part.bytes, Sample::drv(5000).bytes());
        }
        assert_eq!(read(&flash).part(&BOOT).unwrap().bytes, Sample::boot(3000).bytes());
        assert!(read(&flash[0xF800..]).image().is_some_and(|image| !image.is_dump()));
    }

    #[test]
    fn what_holds_nothing_of_a_board_has_no_block() {
        assert!(read(&Sample::drv(5000).bytes()).blocks(PLACE).is_empty());
        assert!(read(&vec![0xFF; 0x1_0000]).blocks(PLACE).is_empty());
        assert!(Dump::from_bytes(b"{}").is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(at in 0..0x1_0000usize, len in 0..0x1_0010usize, value in proptest::prelude::any::<u8>()) {
            let mut flash = flash();
            flash[at] = value;
            flash.resize(len.max(1), value);
            if let Ok(dump) = Dump::from_bytes(&flash) {
                let _ = (dump.to_string(), dump.layout(), dump.blocks(PLACE), dump.missing(&DRV));
            }
        }
    }
}
