//! What an image says of itself, without a catalog.
//!
//! Found by disassembling the vendor's images and checked on all of them; addresses are those of the bootloader's flash
//! maps (`boot.bin` and `es2_boot.bin` of `M365_DRV_STLINK`).

use std::ops::Range;

use super::thumb;
use crate::{
    block::Uid,
    target::{FlashMap, Regions, artery, gigadevice},
    version::Version,
};

/// The bootloader's region, which is the same on every flash map.
pub(super) fn boot_region() -> Range<u32> {
    FlashMap::smallest().regions.boot.clone()
}

/// Where a DRV is, whichever flash map it is linked for: it begins at the same address on all of them.
pub(super) fn longest_drv() -> Range<u32> {
    FlashMap::largest().regions.drv.clone()
}

/// What every DRV for a flash map names.
fn addresses(map: &FlashMap) -> [u32; 4] {
    let Regions { data, update, staging, .. } = &map.regions;
    [data.start, update.start, staging.start, Uid::ADDRESS]
}

/// Whether a word can be a stack pointer: the bootloader's own test.
pub(super) fn is_stack_pointer(word: u32) -> bool {
    word & 0x2FFE_0000 == 0x2000_0000
}

/// What an image says of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Inspection {
    /// Initial stack pointer, the first word; none in less than 8 bytes.
    pub stack_pointer: Option<u32>,
    /// Reset vector, the second word.
    pub reset: Option<u32>,
    /// Printable text at 0x100 or 0x400, which newer DRV images carry before their code: `Scooter_Mi1S_V0`.
    pub ident: Option<String>,
    /// The version that the code writes into register 0x1A; none if that is not certain.
    pub version: Option<Version>,
    /// The flash map whose addresses the code holds; none where it holds those of neither or of both.
    pub layout: Option<&'static FlashMap>,
    /// The addresses that every DRV of that flash map names and this image does not.
    pub unnamed: Vec<u32>,
    /// True where the code compares the chip's product number with those of GD32E103 and GD32F103, as all images do
    /// that can program these chips.
    pub gd32_aware: bool,
    /// True if the code compares the chip's identification with that of an AT32F415, as all images do that run on one.
    pub at32_aware: bool,
    /// How many bytes the image has by its own start-up table; none where there is no such table.
    pub length: Option<usize>,
    /// Entropy in bits a byte: vendor code 6.0 to 7.1, encrypted images from 7.98.
    pub entropy: f32,
}

/// Looks at the bytes of one image, beginning with its vector table.
pub fn inspect(bytes: &[u8]) -> Inspection {
    let mut named = FlashMap::all().iter().filter(|map| names(bytes, map));
    let layout = named.next().filter(|_| named.next().is_none());
    let addresses = layout.into_iter().flat_map(addresses);
    let unnamed: Vec<u32> = addresses.filter(|&address| !thumb::holds(bytes, address)).collect();
    let ident = ident(bytes);
    // One store is enough in what can be nothing else than a DRV for these boards.
    let is_plain_drv = layout.is_some() && unnamed.is_empty() && ident.is_none();
    Inspection {
        stack_pointer: thumb::word(bytes, 0),
        reset: thumb::word(bytes, 4),
        version: version(bytes, is_plain_drv),
        ident,
        layout,
        unnamed,
        gd32_aware: [gigadevice::GD32E103, gigadevice::GD32F103].iter().all(|&id| thumb::holds(bytes, id)),
        at32_aware: thumb::holds(bytes, artery::AT32F415CBT7),
        length: StartUp::find(bytes).map(|start_up| start_up.length),
        entropy: entropy(bytes),
    }
}

/// True for code that names the update record and nothing else of what every DRV names: firmware of batteries does so.
pub(super) fn is_of_a_battery(bytes: &[u8]) -> bool {
    let has = |address| thumb::holds(bytes, address);
    let of = |map: &FlashMap| {
        let Regions { data, update, staging, .. } = &map.regions;
        has(update.start) && !has(data.start) && !has(staging.start)
    };
    FlashMap::all().iter().any(of) && !has(Uid::ADDRESS)
}

/// True if the code holds an address that only this map has.
fn names(bytes: &[u8], map: &FlashMap) -> bool {
    [&map.regions.data, &map.regions.update].iter().any(|region| thumb::holds(bytes, region.start))
}

fn ident(bytes: &[u8]) -> Option<String> {
    let text = |field: Range<usize>| {
        let text = bytes.get(field)?.split(|&byte| byte == 0).next()?;
        // Code is now and then printable for a few bytes; idents seen have 14 to 23 characters.
        (text.len() >= 8 && text.iter().all(u8::is_ascii_graphic)).then(|| String::from_utf8_lossy(text).into_owned())
    };
    // Mi 3, 4 Pro and newer Ninebots have it at 0x400, where others have code.
    text(0x100..0x110).or_else(|| text(0x400..0x420).filter(|text| text.contains("Scooter")))
}

/// Register 0x1A stands at 0x34 of the data block: the code that stores a constant there names its version. Every image
/// for these scooters does so twice, after loading the block and after replacing an invalid one.
fn version(bytes: &[u8], is_plain_drv: bool) -> Option<Version> {
    let stored = |width| {
        let mut found: Vec<u16> = thumb::constants_stored_at(bytes, 0x34, width);
        found.sort_unstable();
        // Versions run from 0.0.1 to 9.9.9, and some Ninebots' to 5.8.14.
        found.retain(|value| (1..0x1000).contains(value));
        found
    };
    let wide = stored(thumb::Encoding::Wide);
    let value = match wide[..] {
        // Below 0.1.0 (Mi 3) the constant fits a 16-bit instruction, which is too common to look for first.
        [] => only_repeated(&stored(thumb::Encoding::Narrow)),
        [once] if is_plain_drv => Some(once),
        _ => only_repeated(&wide),
    };
    value.map(Version)
}

/// The one number that stands in a sorted list more than once; none if there are two of that kind.
fn only_repeated(sorted: &[u16]) -> Option<u16> {
    let mut repeated = sorted.chunk_by(|a, b| a == b).filter(|group| group.len() > 1);
    let (first, second) = (repeated.next(), repeated.next());
    first.filter(|_| second.is_none()).map(|group| group[0])
}

/// Address of the first byte of an image, by its reset vector.
pub(super) fn base(bytes: &[u8]) -> Option<u32> {
    let (boot, drv) = (boot_region(), longest_drv());
    Some(if thumb::word(bytes, 4)? < drv.start { boot.start } else { drv.start })
}

/// The table that armcc's start-up code walks: rows of (load address, run address, length, routine).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StartUp {
    /// Offsets of the table.
    pub(super) table: Range<usize>,
    /// How many bytes the image has by it.
    length: usize,
}

impl StartUp {
    /// The code finds the two ends of the table in literals behind itself. The table's last row clears memory; its load
    /// address is where the image ends.
    pub(super) fn find(bytes: &[u8]) -> Option<Self> {
        // __scatterload: ldr r4,[pc,#24]; ldr r5,[pc,#28]; b; ldr r0,[r4,#12]; orr r3,r0,#1; ldm r4,{r0-r2}; blx r3;
        // adds r4,#16; cmp r4,r5; bcc
        const CODE: [u16; 12] =
            [0x4C06, 0x4D07, 0xE006, 0x68E0, 0xF040, 0x0301, 0xE894, 0x0007, 0x4798, 0x3410, 0x42AC, 0xD3F6];
        let base = base(bytes)?;
        let code: Vec<u8> = CODE.iter().flat_map(|half| half.to_le_bytes()).collect();
        let at = bytes.windows(code.len()).step_by(4).position(|window| window == code)? * 4;
        let (first, end) = (thumb::word(bytes, at + 28)?, thumb::word(bytes, at + 32)?);
        let offset = |address: u32| address.checked_sub(base).map(|offset| offset as usize);
        if first >= end || !(end - first).is_multiple_of(16) {
            return None;
        }
        let table = offset(first)?..offset(end)?;
        // No image is longer than the largest flash.
        let longest = FlashMap::largest().flash.len();
        if table.end > longest {
            return None;
        }
        let last_row = table.end - 16;
        // If the table itself is missing, the image needs at least the table.
        let load = thumb::word(bytes, last_row).and_then(offset);
        let length = load.filter(|load| (last_row..=longest).contains(load)).unwrap_or(table.end);
        Some(Self { table, length })
    }
}

fn entropy(bytes: &[u8]) -> f32 {
    let mut counts = [0u32; 256];
    for &byte in bytes {
        counts[usize::from(byte)] += 1;
    }
    #[expect(clippy::cast_precision_loss, reason = "images are far shorter than 2^24 bytes")]
    let share = |count: u32| count as f32 / bytes.len() as f32;
    counts.into_iter().filter(|&count| count > 0).map(|count| -share(count) * share(count).log2()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::sample::Sample;

    #[test]
    fn vectors_ident_and_layout_are_read() {
        let image = Sample::drv(2000).ident("Scooter_Mi1S_V0").bytes();
        let seen = inspect(&image);
        assert_eq!((seen.stack_pointer, seen.reset), (Some(0x2000_2300), Some(0x0800_1101)));
        assert_eq!((seen.ident.as_deref(), seen.layout), (Some("Scooter_Mi1S_V0"), Some(FlashMap::smallest())));
        assert!(!seen.gd32_aware);
        let wide = inspect(&Sample::drv(2000).layout(FlashMap::largest()).bytes());
        assert_eq!((wide.layout, wide.unnamed), (Some(FlashMap::largest()), vec![]));
        let battery = Sample::drv(2000).only_update_record(FlashMap::smallest()).bytes();
        assert!(is_of_a_battery(&battery) && !is_of_a_battery(&image) && !is_of_a_battery(&[]));
        let other = inspect(&battery);
        assert_eq!(
            (other.layout, other.unnamed),
            (Some(FlashMap::smallest()), vec![0x0800_F800, 0x0800_8400, Uid::ADDRESS])
        );
    }

    #[test]
    fn an_ident_may_stand_behind_the_first_code() {
        let later = |text: &[u8]| {
            let mut bytes = Sample::drv(2000).bytes();
            bytes[0x400..0x400 + text.len()].copy_from_slice(text);
            inspect(&bytes).ident
        };
        assert_eq!(later(b"Scooter_Mi4P_ST_F103_V8\0").as_deref(), Some("Scooter_Mi4P_ST_F103_V8"));
        assert_eq!(later(b"printable_code\0"), None);
    }

    #[test]
    fn the_version_is_what_the_code_stores_in_register_1a() {
        // movw r0, #0x155; strh r0, [r4, #0x34]
        let wide = [0x40, 0xF2, 0x55, 0x10, 0xA0, 0x86];
        assert_eq!(inspect(&Sample::drv(2000).code(&wide).bytes()).version, Some(Version(0x155)));
        // mov.w r0, #0x140, another instruction, strh r0, [r4, #0x34]
        let modified = [0x4F, 0xF4, 0xA0, 0x70, 0x00, 0xBF, 0xA0, 0x86];
        assert_eq!(inspect(&Sample::drv(2000).code(&modified).bytes()).version, Some(Version(0x140)));
        // movs r1, #0x17; strh r1, [r2, #0x34], twice
        let narrow = [0x17, 0x21, 0x91, 0x86];
        assert_eq!(inspect(&Sample::drv(2000).code(&narrow).bytes()).version, None, "once is chance");
        let twice = [narrow, narrow].concat();
        assert_eq!(inspect(&Sample::drv(2000).code(&twice).bytes()).version, Some(Version(0x017)));
    }

    #[test]
    fn no_version_is_invented() {
        let version = |sample: Sample, code: &[u8]| inspect(&sample.code(code).bytes()).version;
        // movw r0, #0x155; strh r0, [r4, #0x34], and the same with 0x555
        let (once, other) = ([0x40, 0xF2, 0x55, 0x10, 0xA0, 0x86], [0x40, 0xF2, 0x55, 0x50, 0xA0, 0x86]);
        let twice = [once, once].concat();
        let ident = || Sample::drv(2000).ident("NineBotScooter");
        let battery = || Sample::drv(2000).only_update_record(FlashMap::smallest());
        assert_eq!(version(Sample::drv(2000), &once), Some(Version(0x155)));
        for sample in [ident(), battery()] {
            assert_eq!(version(sample, &once), None);
        }
        assert_eq!(version(ident(), &twice), Some(Version(0x155)));
        assert_eq!(version(Sample::drv(2000), &[once, other].concat()), None);
        assert_eq!(version(Sample::drv(2000), &[once, other, once].concat()), Some(Version(0x155)));
        assert_eq!(version(Sample::drv(2000), &[once, other, once, other].concat()), None);
    }

    #[test]
    fn gd32_awareness_needs_both_product_numbers() {
        let one = 0x4842_4333u32.to_le_bytes();
        let both = [one, 0x4142_4333u32.to_le_bytes()].concat();
        assert!(!inspect(&Sample::drv(2000).code(&one).bytes()).gd32_aware);
        assert!(inspect(&Sample::drv(2000).code(&both).bytes()).gd32_aware);
        // movw r1, #0x4333; movt r1, #0x4842; movw r2, #0x4333; movt r2, #0x4142
        let built = hex::decode("44f23331c4f6420144f23332c4f24212").unwrap();
        assert!(inspect(&Sample::drv(2000).code(&built).bytes()).gd32_aware);
    }

    #[test]
    fn awareness_of_the_at32_is_its_identification_in_the_code() {
        assert!(!inspect(&Sample::drv(2000).bytes()).at32_aware);
        assert!(inspect(&Sample::drv(2000).code(&0x7003_01C5u32.to_le_bytes()).bytes()).at32_aware);
        // movw r1, #0x01C5; movt r1, #0x7003
        let built = hex::decode("40f2c511c7f20301").unwrap();
        assert!(inspect(&Sample::drv(2000).code(&built).bytes()).at32_aware);
    }

    #[test]
    fn the_start_up_table_tells_the_length() {
        let image = Sample::drv(2000).start_up_table().bytes();
        assert_eq!(inspect(&image).length, Some(2000));
        assert_eq!(inspect(&image[..1500]).length, Some(2000 - 8), "the table's end");
        assert_eq!(inspect(&Sample::drv(2000).bytes()).length, None);
    }

    #[test]
    fn nothing_is_read_from_nothing() {
        let seen = inspect(&[]);
        assert_eq!((seen.stack_pointer, seen.reset, seen.ident, seen.version), (None, None, None, None));
        assert_eq!((seen.layout, seen.length), (None, None));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..700)) {
            let _ = inspect(&bytes);
            let _ = inspect(&Sample::drv(2000).code(&bytes[..bytes.len() & !1]).bytes());
        }
    }
}
