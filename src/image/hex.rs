//! Intel HEX files.

use std::{collections::BTreeMap, ops::Range};

use ihex::{ReaderError, Record};

use super::thumb;

/// The widest span of addresses taken: twice the flash of the largest board.
const MAX_SPAN: u64 = 256 * 1024;
/// The option bytes (PM0075 2.5), which programmers write behind a dump of flash.
const OPTIONS: Range<u32> = 0x1FFF_F800..0x1FFF_F810;
/// The registers of an nRF51 or nRF52 that are programmed with its flash: FICR and UICR (nRF51 reference manual 7, 8).
const NORDIC: Range<u32> = 0x1000_0000..0x1000_2000;
/// Where flash of an nRF51 or nRF52 ends at most; it begins at 0.
const NORDIC_FLASH: u32 = 0x0010_0000;

/// Why a text cannot be used as Intel HEX; lines count from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HexError {
    /// A line that is not a record.
    #[error("line {line} is not an Intel HEX record")]
    Record {
        /// Number of the line, from 1.
        line: usize,
        /// What is wrong with it.
        source: ReaderError,
    },
    /// Data for an address that an earlier record filled with something else.
    #[error("two records fill address {0:#010x} with different bytes")]
    Overlap(u32),
    /// A record whose data run over the end of its 64 KiB segment or of the address space.
    #[error("the record in line {0} runs over the end of its segment")]
    Wraps(usize),
    /// Records too far apart: a file for another chip.
    #[error("the addresses {first:#010x} and {last:#010x} are too far apart for one flash")]
    Span {
        /// The lowest address with data.
        first: u32,
        /// The highest.
        last: u32,
    },
    /// A file for the Nordic chip of a dashboard, by its address or by where its code is.
    #[error("a file for the dashboard's Nordic chip, not for the motor controller (data at {0:#010x})")]
    Nordic(u32),
    /// No end-of-file record: the file was cut off.
    #[error("the end-of-file record is missing")]
    NoEnd,
    /// Records behind the end-of-file record.
    #[error("more records follow the end-of-file record")]
    AfterEnd,
    /// No data for flash.
    #[error("no data for flash before the end of the file")]
    NoData,
}

/// The data of a HEX file as one run of bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HexFile {
    /// Address of the first byte.
    pub(super) base: u32,
    /// The bytes; erased flash (0xFF) in the gaps.
    pub(super) bytes: Vec<u8>,
    /// The offsets in `bytes` that no record fills, in order.
    pub(super) gaps: Vec<Range<usize>>,
    /// The option bytes, if the file has them.
    pub(super) options: Option<[u8; 16]>,
}

/// Reads the records.
pub(super) fn read(text: &str) -> Result<HexFile, HexError> {
    let mut runs = runs(text)?;
    if let Some(&address) = runs.keys().find(|address| NORDIC.contains(address)) {
        return Err(HexError::Nordic(address));
    }
    let options = take_options(&mut runs);
    let Some((&base, begin)) = runs.first_key_value() else { return Err(HexError::NoData) };
    // Code that begins in low memory and leads there.
    if base < NORDIC_FLASH && thumb::word(begin, 4).is_some_and(|reset| reset % 2 == 1 && reset < NORDIC_FLASH) {
        return Err(HexError::Nordic(base));
    }
    let last_end = runs.iter().map(|(address, run)| u64::from(*address) + run.len() as u64).max().unwrap_or_default();
    let span = last_end - u64::from(base);
    if span > MAX_SPAN {
        return Err(HexError::Span { first: base, last: (last_end - 1) as u32 });
    }
    let mut bytes = vec![0xFF; span as usize];
    let mut gaps = Vec::new();
    let mut filled = 0;
    for (address, run) in runs {
        let start = (address - base) as usize;
        let end = start + run.len();
        if start > filled {
            gaps.push(filled..start);
        }
        // Files that were put together may have a record twice.
        let twice = start..filled.clamp(start, end);
        if bytes[twice.clone()] != run[..twice.len()] {
            return Err(HexError::Overlap(address));
        }
        bytes[start..end].copy_from_slice(&run);
        filled = filled.max(end);
    }
    Ok(HexFile { base, bytes, gaps, options })
}

/// Intel HEX of these bytes at this address, in records of 32 bytes.
///
/// ```
/// let hex = m365_drv::image::intel_hex(0x0800_F800, &[0x5C, 0x51]);
/// assert_eq!(hex, ":020000040800F2\n:02F800005C5159\n:00000001FF\n");
/// ```
#[expect(clippy::missing_panics_doc, reason = "records of 32 bytes can always be written")]
pub fn intel_hex(base: u32, bytes: &[u8]) -> String {
    let mut records = Vec::new();
    let mut segment = None;
    for (address, value) in (base..).step_by(32).zip(bytes.chunks(32)) {
        let upper = (address >> 16) as u16;
        if segment.replace(upper) != Some(upper) {
            records.push(Record::ExtendedLinearAddress(upper));
        }
        records.push(Record::Data { offset: address as u16, value: value.into() });
    }
    records.push(Record::EndOfFile);
    ihex::create_object_file_representation(&records).expect("records of 32 bytes")
}

/// Takes out the records of the option bytes; none if there are not all of them.
fn take_options(runs: &mut BTreeMap<u32, Vec<u8>>) -> Option<[u8; 16]> {
    let addresses: Vec<u32> = runs.range(OPTIONS).map(|(address, _)| *address).collect();
    let mut options = Vec::new();
    for address in addresses {
        if address as usize != OPTIONS.start as usize + options.len() {
            options.clear();
        }
        options.extend(runs.remove(&address)?);
    }
    options.first_chunk().copied()
}

/// Adds a record. Of two from one address, with the same bytes as far as both go, the longer one stays.
fn insert(runs: &mut BTreeMap<u32, Vec<u8>>, address: u32, value: Vec<u8>) -> Result<(), HexError> {
    let kept = runs.entry(address).or_default();
    if !value.starts_with(kept) && !kept.starts_with(&value) {
        return Err(HexError::Overlap(address));
    }
    if value.len() > kept.len() {
        *kept = value;
    }
    Ok(())
}

/// The data records by address. Where they overlap, the later start is inside the earlier run.
fn runs(text: &str) -> Result<BTreeMap<u32, Vec<u8>>, HexError> {
    let mut runs = BTreeMap::new();
    let mut segment = 0u32;
    let mut ended = false;
    for (line, record) in text.lines().map(str::trim).enumerate().filter(|(_, record)| !record.is_empty()) {
        let line = line + 1;
        if ended {
            return Err(HexError::AfterEnd);
        }
        match Record::from_record_string(record).map_err(|source| HexError::Record { line, source })? {
            Record::Data { value, .. } if value.is_empty() => {}
            Record::Data { offset, value } => {
                if usize::from(offset) + value.len() > 0x1_0000 {
                    return Err(HexError::Wraps(line));
                }
                let address = segment.checked_add(offset.into()).ok_or(HexError::Wraps(line))?;
                insert(&mut runs, address, value)?;
            }
            Record::ExtendedLinearAddress(high) => segment = u32::from(high) << 16,
            Record::ExtendedSegmentAddress(paragraph) => segment = u32::from(paragraph) << 4,
            Record::EndOfFile => ended = true,
            // Where to start is the vector table's business.
            Record::StartSegmentAddress { .. } | Record::StartLinearAddress(_) => {}
        }
    }
    if ended { Ok(runs) } else { Err(HexError::NoEnd) }
}

#[cfg(test)]
mod tests {
    use ihex::create_object_file_representation;
    use proptest::prelude::*;

    use super::*;

    fn file(records: &[(u32, &[u8])]) -> String {
        let mut list = Vec::new();
        for (address, bytes) in records {
            list.push(Record::ExtendedLinearAddress((address >> 16) as u16));
            list.push(Record::Data { offset: *address as u16, value: bytes.to_vec() });
        }
        list.push(Record::EndOfFile);
        create_object_file_representation(&list).unwrap()
    }

    #[test]
    fn gaps_are_erased_flash_and_are_told() {
        let text = file(&[(0x0800_1010, &[3, 4]), (0x0800_1000, &[1, 2]), (0x0800_1012, &[5])]);
        let mut bytes = vec![0xFF; 19];
        (bytes[0], bytes[1], bytes[16], bytes[17], bytes[18]) = (1, 2, 3, 4, 5);
        assert_eq!(
            read(&text),
            Ok(HexFile { base: 0x0800_1000, bytes, gaps: std::iter::once(2..16).collect(), options: None })
        );
    }

    #[test]
    fn records_that_overlap_and_differ_are_refused() {
        let once = (0x0800_1000, &[1u8, 2, 3, 4][..]);
        let error = read(&file(&[once, (0x0800_1002, &[3, 5, 5])])).unwrap_err();
        assert_eq!(error.to_string(), "two records fill address 0x08001002 with different bytes");
        assert_eq!(read(&file(&[once, (0x0800_1000, &[1, 2, 3, 5])])), Err(HexError::Overlap(0x0800_1000)));
        assert_eq!(read(&file(&[once, (0x0800_1000, &[2])])), Err(HexError::Overlap(0x0800_1000)));
        assert!(read(&file(&[once, (0x0800_1004, &[5])])).is_ok());
    }

    #[test]
    fn a_record_that_stands_there_twice_counts_once() {
        let data = |records: &[(u32, &[u8])]| read(&file(records)).map(|data| (data.base, data.bytes, data.gaps));
        let once: (u32, &[u8]) = (0x0800_1000, &[1, 2, 3, 4]);
        assert_eq!(data(&[once, once]), data(&[once]));
        for again in [(0x0800_1000, &[1u8, 2][..]), (0x0800_1001, &[2, 3]), (0x0800_1002, &[3, 4])] {
            assert_eq!(data(&[once, again]), data(&[once]), "inside");
            assert_eq!(data(&[again, once]), data(&[once]), "inside, before");
        }
        let longer = (0x0800_1000, vec![1, 2, 3, 4, 5], vec![]);
        assert_eq!(data(&[once, (0x0800_1003, &[4, 5])]), Ok(longer.clone()));
        assert_eq!(data(&[once, (0x0800_1000, &[1, 2, 3, 4, 5])]), Ok(longer));
    }

    #[test]
    fn a_cut_or_continued_file_is_refused() {
        let text = file(&[(0x0800_1000, &[1, 2])]);
        let cut = text.lines().take(2).collect::<Vec<_>>().join("\n");
        assert_eq!(read(&cut), Err(HexError::NoEnd));
        assert_eq!(read(&format!("{text}\n{text}")), Err(HexError::AfterEnd));
        assert_eq!(read(":00000001FF"), Err(HexError::NoData));
        assert!(matches!(read(&text.replace("0102", "0103")), Err(HexError::Record { line: 2, .. })));
    }

    #[test]
    fn far_apart_and_wrapping_records_are_refused() {
        let text = file(&[(0x0800_0000, &[1]), (0x2000_0000, &[2])]);
        let error = read(&text).unwrap_err();
        assert_eq!(error, HexError::Span { first: 0x0800_0000, last: 0x2000_0000 });
        assert_eq!(error.to_string(), "the addresses 0x08000000 and 0x20000000 are too far apart for one flash");
        assert_eq!(read(&file(&[(0x0800_FFFF, &[1, 2])])), Err(HexError::Wraps(2)));
    }

    #[test]
    fn option_bytes_behind_a_dump_are_taken_apart() {
        let options: Vec<u8> = (0..16).collect();
        let with = |records: &[(u32, &[u8])]| read(&file(&[&[(0x0800_0000, &[1u8][..])], records].concat())).unwrap();
        let data = with(&[(0x1FFF_F800, &options)]);
        assert_eq!((data.base, &data.bytes[..], data.gaps), (0x0800_0000, &[1][..], vec![]));
        assert_eq!(data.options.map(Vec::from), Some(options.clone()));
        let halves = with(&[(0x1FFF_F800, &options[..8]), (0x1FFF_F808, &options[8..])]);
        assert_eq!(halves.options, data.options);
        assert_eq!(with(&[(0x1FFF_F800, &options[..4])]).options, None, "not all of them");
        assert_eq!(read(&file(&[(0x1FFF_F800, &options)])), Err(HexError::NoData));
    }

    #[test]
    fn a_file_for_a_dashboard_is_called_so() {
        let code = [0x00, 0x20, 0x00, 0x20, 0xD1, 0x06, 0x00, 0x00];
        assert_eq!(read(&file(&[(0, &code)])), Err(HexError::Nordic(0)));
        let error = read(&file(&[(0, &[0; 16]), (0x1000_1014, &[0; 4])])).unwrap_err();
        let words = "a file for the dashboard's Nordic chip, not for the motor controller (data at 0x10001014)";
        assert_eq!(error.to_string(), words);
        let ours = [0x00, 0x20, 0x00, 0x20, 0x01, 0x11, 0x00, 0x08];
        assert!(read(&file(&[(0, &ours)])).is_ok(), "a controller's, without its address");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(:[0-9A-F]{0,60}\n?){0,8}|\\PC*") {
            let _ = read(&text);
        }
    }
}
