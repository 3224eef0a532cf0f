//! Intel HEX files.

use std::{collections::BTreeMap, ops::Range};

use ihex::{ReaderError, Record};

/// The widest span of addresses taken: twice the flash of the largest board.
const MAX_SPAN: u64 = 256 * 1024;

/// Why a text is no usable Intel HEX file; lines count from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HexError {
    /// A line that is no record.
    #[error("line {line} is no record")]
    Record {
        /// The line.
        line: usize,
        /// What is wrong with it.
        source: ReaderError,
    },
    /// Data for an address that an earlier record filled.
    #[error("two records fill address {0:#010x}")]
    Overlap(u32),
    /// A record whose data run over the end of its 64 KiB segment or of the address space.
    #[error("the record of line {0} runs over the end of its segment")]
    Wraps(usize),
    /// Records too far apart: option bytes, or a file for another chip.
    #[error("the data spread over {0} bytes")]
    Span(u64),
    /// No end-of-file record: the file was cut off.
    #[error("there is no end-of-file record")]
    NoEnd,
    /// Records behind the end-of-file record.
    #[error("there are records behind the end-of-file record")]
    AfterEnd,
    /// No data at all.
    #[error("there are no data")]
    NoData,
}

/// The data of a HEX file as one run of bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Data {
    /// Address of the first byte.
    pub(super) base: u32,
    /// The bytes; erased flash (0xFF) in the gaps.
    pub(super) bytes: Vec<u8>,
    /// The offsets in `bytes` that no record fills, in order.
    pub(super) gaps: Vec<Range<usize>>,
}

/// Reads the records.
pub(super) fn read(text: &str) -> Result<Data, HexError> {
    let runs = runs(text)?;
    let (Some((&base, _)), Some((&last, tail))) = (runs.first_key_value(), runs.last_key_value()) else {
        return Err(HexError::NoData);
    };
    let span = u64::from(last - base) + tail.len() as u64;
    if span > MAX_SPAN {
        return Err(HexError::Span(span));
    }
    let mut bytes = vec![0xFF; span as usize];
    let mut gaps = Vec::new();
    let mut filled = 0;
    for (address, run) in runs {
        let start = (address - base) as usize;
        if start < filled {
            return Err(HexError::Overlap(address));
        }
        if start > filled {
            gaps.push(filled..start);
        }
        filled = start + run.len();
        bytes[start..filled].copy_from_slice(&run);
    }
    Ok(Data { base, bytes, gaps })
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
                if runs.insert(address, value).is_some() {
                    return Err(HexError::Overlap(address));
                }
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
        assert_eq!(read(&text), Ok(Data { base: 0x0800_1000, bytes, gaps: std::iter::once(2..16).collect() }));
    }

    #[test]
    fn overlapping_records_are_refused() {
        let once = (0x0800_1000, &[1u8, 2, 3, 4][..]);
        assert_eq!(read(&file(&[once, (0x0800_1002, &[3, 4, 5])])), Err(HexError::Overlap(0x0800_1002)));
        assert_eq!(read(&file(&[once, once])), Err(HexError::Overlap(0x0800_1000)));
        assert!(read(&file(&[once, (0x0800_1004, &[5])])).is_ok());
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
        let text = file(&[(0x0800_0000, &[1]), (0x1FFF_F800, &[2])]);
        assert_eq!(read(&text), Err(HexError::Span(0x17FF_F801)));
        assert_eq!(read(&file(&[(0x0800_FFFF, &[1, 2])])), Err(HexError::Wraps(2)));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(:[0-9A-F]{0,60}\n?){0,8}|\\PC*") {
            let _ = read(&text);
        }
    }
}
