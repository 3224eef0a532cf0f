//! The table of contents of a zip, read before anything is unpacked.
//!
//! The archive is outside input of the worst kind, so it is held to what update packages are: a few small files, stored
//! or deflated, in one segment, with nothing between or around them that two readers could read in two ways. Field
//! offsets after PKWARE's APPNOTE 6.3.10, sections 4.3.12 and 4.3.16.

use std::{collections::BTreeSet, ops::Range};

/// Members at most.
pub(super) const MAX_MEMBERS: usize = 16;
/// Unpacked bytes of one member at most: the flash of the largest board.
pub(super) const MAX_MEMBER: u64 = 128 * 1024;
/// Unpacked bytes of all members at most.
pub(super) const MAX_TOTAL: u64 = 1024 * 1024;
/// How many times smaller a member may be packed.
const MAX_RATIO: u64 = 100;

const END_SIZE: usize = 22;
const ENTRY_SIZE: usize = 46;
const LOCAL_SIZE: usize = 30;
/// The member's CRC and sizes follow it instead of standing in its header.
const SIZES_BEHIND: u16 = 1 << 3;

/// Why a zip is refused unopened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryError {
    /// The records do not add up: damaged, cut off, split over several files, or crafted.
    #[error("the zip's table of contents is damaged: {0}")]
    Damaged(&'static str),
    /// More members than any update package has.
    #[error("the zip has {0} members, more than {MAX_MEMBERS}")]
    Members(usize),
    /// A name that leads out of a folder, or is no plain text.
    #[error("the zip has a member named {0:?}")]
    Name(String),
    /// Two members with one name.
    #[error("the zip has two members named {0:?}")]
    Duplicate(String),
    /// A member that is a link.
    #[error("the zip's member {0:?} is a link")]
    Link(String),
    /// A member with a password.
    #[error("the zip's member {0:?} is encrypted")]
    Encrypted(String),
    /// A member packed in a way that update packages do not use.
    #[error("the zip's member {name:?} is packed by method {method}")]
    Method {
        /// Its name.
        name: String,
        /// The method's number.
        method: u16,
    },
    /// A member too large for any board.
    #[error("the zip's member {name:?} says it has {size} bytes, more than {MAX_MEMBER}")]
    Size {
        /// Its name.
        name: String,
        /// The length it claims.
        size: u64,
    },
    /// Members too large together.
    #[error("the zip's members say they have {0} bytes, more than {MAX_TOTAL}")]
    Total(u64),
    /// A member packed too well to be firmware.
    #[error("the zip's member {name:?} says it unpacks to {times} times its size, more than {MAX_RATIO}")]
    Ratio {
        /// Its name.
        name: String,
        /// The factor.
        times: u64,
    },
}

use DirectoryError::Damaged;

/// One member, as the table of contents has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) size: u64,
}

/// Reads the table of contents and refuses what no update package has.
pub(super) fn read(zip: &[u8]) -> Result<Vec<Member>, DirectoryError> {
    let (mut table, count) = table(zip)?;
    if count > MAX_MEMBERS {
        return Err(DirectoryError::Members(count));
    }
    let mut members = Vec::new();
    let mut names = BTreeSet::new();
    let mut places = Vec::new();
    let mut total = 0;
    for _ in 0..count {
        let (member, entry, rest) = member(table)?;
        table = rest;
        places.push(place(zip, entry)?);
        total += member.size;
        if total > MAX_TOTAL {
            return Err(DirectoryError::Total(total));
        }
        if !names.insert(member.name.to_ascii_lowercase()) {
            return Err(DirectoryError::Duplicate(member.name));
        }
        members.push(member);
    }
    if !table.is_empty() {
        return Err(Damaged("it is longer than its entries"));
    }
    // Members that share bytes are how small bombs are made; something before the first is another file.
    places.sort_by_key(|place| place.start);
    let apart = places.windows(2).all(|pair| pair[0].end <= pair[1].start);
    if !apart || places.first().is_some_and(|first| first.start != 0) {
        return Err(Damaged("its members do not stand side by side"));
    }
    Ok(members)
}

/// The bytes of a member with its header, which has to say what the entry in the table says.
fn place(zip: &[u8], entry: &[u8]) -> Result<Range<usize>, DirectoryError> {
    let start = u32_at(entry, 42) as usize;
    let local = zip.get(start..).filter(|local| local.len() >= LOCAL_SIZE).ok_or(Damaged("a member is missing"))?;
    let name_len = usize::from(u16_at(local, 26));
    let len = LOCAL_SIZE + name_len + usize::from(u16_at(local, 28)) + u32_at(entry, 20) as usize;
    if !local.starts_with(b"PK\x03\x04") || len > local.len() {
        return Err(Damaged("a member is missing"));
    }
    // Flags, method, time and date; then CRC and sizes; then the name.
    let same_kind = local[6..14] == entry[8..16];
    // Where they stand behind the member, macOS fills in some of them all the same.
    let behind = u16_at(entry, 8) & SIZES_BEHIND != 0;
    let same = |(own, stated): (&[u8], &[u8])| own == stated || behind && own == [0; 4];
    let same_sizes = local[14..26].chunks(4).zip(entry[16..28].chunks(4)).all(same);
    let name = &entry[ENTRY_SIZE..ENTRY_SIZE + usize::from(u16_at(entry, 28))];
    if !same_kind || !same_sizes || local[LOCAL_SIZE..LOCAL_SIZE + name_len] != *name {
        return Err(Damaged("a member's own header says something else"));
    }
    Ok(start..start + len)
}

/// The bytes of the table of contents, and how many entries it has.
fn table(zip: &[u8]) -> Result<(&[u8], usize), DirectoryError> {
    let first = zip.len().saturating_sub(END_SIZE + usize::from(u16::MAX));
    let end = (first..=zip.len().saturating_sub(END_SIZE))
        .rev()
        .find(|&at| zip[at..].starts_with(b"PK\x05\x06"))
        .ok_or(Damaged("it has no end"))?;
    let record = &zip[end..];
    if record.len() < END_SIZE {
        return Err(Damaged("it has no end"));
    }
    if end + END_SIZE + usize::from(u16_at(record, 20)) != zip.len() {
        return Err(Damaged("the comment is not the rest of the file"));
    }
    if u16_at(record, 4) != 0 || u16_at(record, 6) != 0 || u16_at(record, 8) != u16_at(record, 10) {
        return Err(Damaged("it is split over several files"));
    }
    let (size, start) = (u32_at(record, 12) as usize, u32_at(record, 16) as usize);
    if start.checked_add(size) != Some(end) {
        return Err(Damaged("it does not stand where its end says"));
    }
    Ok((&zip[start..end], usize::from(u16_at(record, 10))))
}

/// What the first entry of the rest of the table says, the entry, and the rest behind it.
fn member(table: &[u8]) -> Result<(Member, &[u8], &[u8]), DirectoryError> {
    if table.len() < ENTRY_SIZE || !table.starts_with(b"PK\x01\x02") {
        return Err(Damaged("an entry is missing"));
    }
    let name_len = usize::from(u16_at(table, 28));
    let len = ENTRY_SIZE + name_len + usize::from(u16_at(table, 30)) + usize::from(u16_at(table, 32));
    let (entry, rest) = table.split_at_checked(len).ok_or(Damaged("an entry is cut off"))?;
    let raw_name = &entry[ENTRY_SIZE..ENTRY_SIZE + name_len];
    let name = String::from_utf8_lossy(raw_name).into_owned();
    let plain = raw_name.iter().all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'\\' | b':'));
    if !plain || name.split('/').enumerate().any(|(at, part)| part == ".." || at == 0 && part.is_empty()) {
        return Err(DirectoryError::Name(name));
    }
    if u16_at(entry, 8) & 1 != 0 {
        return Err(DirectoryError::Encrypted(name));
    }
    // The upper half of the external attributes is st_mode where the archive was made on Unix; 0o120000 is a link.
    if u32_at(entry, 38) >> 28 == 0o12 {
        return Err(DirectoryError::Link(name));
    }
    let (packed, size) = (u64::from(u32_at(entry, 20)), u64::from(u32_at(entry, 24)));
    if size > MAX_MEMBER {
        return Err(DirectoryError::Size { name, size });
    }
    match u16_at(entry, 10) {
        0 if packed == size => {}
        0 => return Err(Damaged("a stored member has two sizes")),
        8 if size <= packed.saturating_mul(MAX_RATIO) => {}
        8 => return Err(DirectoryError::Ratio { name, times: size / packed.max(1) }),
        method => return Err(DirectoryError::Method { name, method }),
    }
    Ok((Member { name, size }, entry, rest))
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::image::package::sample::{Raw, zip};

    fn refused(members: &[Raw]) -> DirectoryError {
        read(&zip(members)).unwrap_err()
    }

    fn file(name: &str) -> Raw {
        Raw::new(name, b"firmware")
    }

    #[test]
    fn members_are_listed_in_order() {
        let members = read(&zip(&[file("FIRM.bin"), file("info.txt")])).unwrap();
        let listed: Vec<_> = members.iter().map(|member| (member.name.as_str(), member.size)).collect();
        assert_eq!(listed, [("FIRM.bin", 8), ("info.txt", 8)]);
        assert_eq!(read(&zip(&[])), Ok(vec![]));
    }

    #[test]
    fn names_that_lead_out_are_refused() {
        for name in
            ["../FIRM.bin", "/FIRM.bin", "a/../../FIRM.bin", "..", "..\\FIRM.bin", "C:FIRM.bin", "FIRM\0.bin", ""]
        {
            assert_eq!(refused(&[file(name)]), DirectoryError::Name(name.into()));
        }
        assert!(read(&zip(&[file("a/FIRM..bin")])).is_ok());
    }

    #[test]
    fn two_members_of_one_name_are_refused() {
        assert_eq!(refused(&[file("FIRM.bin"), file("FIRM.bin")]), DirectoryError::Duplicate("FIRM.bin".into()));
        assert_eq!(refused(&[file("FIRM.bin"), file("firm.BIN")]), DirectoryError::Duplicate("firm.BIN".into()));
    }

    #[test]
    fn links_passwords_and_strange_packing_are_refused() {
        assert_eq!(refused(&[Raw { mode: 0o120_777, ..file("FIRM.bin") }]), DirectoryError::Link("FIRM.bin".into()));
        assert_eq!(refused(&[Raw { flags: 1, ..file("FIRM.bin") }]), DirectoryError::Encrypted("FIRM.bin".into()));
        let lzma = DirectoryError::Method { name: "FIRM.bin".into(), method: 14 };
        assert_eq!(refused(&[Raw { method: 14, ..file("FIRM.bin") }]), lzma);
    }

    #[test]
    fn sizes_that_no_board_has_are_refused_by_their_claim_alone() {
        let size = |size| Raw { size, method: 8, ..file("FIRM.bin") };
        let too_large = |size| DirectoryError::Size { name: "FIRM.bin".into(), size };
        assert_eq!(refused(&[size(3 << 30)]), too_large(3 << 30));
        assert_eq!(refused(&[size(u32::MAX)]), too_large(0xFFFF_FFFF), "zip64");
        assert_eq!(refused(&[size(131_073)]), too_large(131_073));
        assert_eq!(refused(&[size(900)]), DirectoryError::Ratio { name: "FIRM.bin".into(), times: 112 });
        let many: Vec<_> = (0..17).map(|at| file(&format!("{at}"))).collect();
        assert_eq!(refused(&many), DirectoryError::Members(17));
        let large: Vec<_> = (0..9).map(|at| Raw::new(&format!("{at}"), &vec![7; 131_072])).collect();
        assert_eq!(refused(&large), DirectoryError::Total(9 * 131_072));
    }

    #[test]
    fn whatever_could_be_read_in_two_ways_is_refused() {
        let zip = zip(&[file("FIRM.bin")]);
        assert!(read(&zip).is_ok());
        assert!(read(&[&b"MZ"[..], &zip].concat()).is_err(), "something before");
        for at in (6..26).chain(30..38) {
            let mut two_headers = zip.clone();
            two_headers[at] ^= 1;
            assert!(read(&two_headers).is_err(), "{at}");
        }
        assert!(read(&[&zip[..], b"x"].concat()).is_err(), "something behind");
        for len in 0..zip.len() {
            assert!(matches!(read(&zip[..len]), Err(Damaged(_))), "{len}");
        }
    }

    #[test]
    fn sizes_behind_a_member_may_stand_before_it_too() {
        let zip = zip(&[Raw { flags: SIZES_BEHIND, ..file("FIRM.bin") }]);
        for field in [14, 18, 22] {
            let mut none = zip.clone();
            none[field..field + 4].fill(0);
            assert!(read(&none).is_ok(), "{field}");
            none[field] = 77;
            assert!(matches!(read(&none), Err(Damaged(_))), "{field}");
        }
    }

    #[test]
    fn members_that_share_their_bytes_are_refused() {
        let mut zip = zip(&[file("FIRM.bin"), Raw::new("info.txt", b"FIRMWARE")]);
        let second = zip.windows(4).rposition(|window| window == b"PK\x01\x02").unwrap();
        zip[second + 42] = 0;
        assert!(matches!(read(&zip), Err(Damaged(_))));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(at in any::<prop::sample::Index>(), value in any::<u8>(), bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut zip = zip(&[file("FIRM.bin"), file("info.txt")]);
            let at = at.index(zip.len());
            zip[at] = value;
            let _ = read(&zip);
            let _ = read(&bytes);
        }
    }
}
