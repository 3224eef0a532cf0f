//! The table of contents of a zip, and the members that are read.
//!
//! The archive is outside input of the worst kind. Nothing is extracted, and only a few members are read; these have to be
//! what members of update packages are: small files, stored or deflated, whose two headers agree, and which share no byte
//! with another member. What else is in the zip is listed and left alone. Field offsets after PKWARE's APPNOTE 6.3.10,
//! sections 4.3.7, 4.3.12, 4.3.14 to 4.3.16 and 4.5.3.
//!
//! The crate `zip` (9.8) cannot stand in for this: of several members with one name it keeps the last and does not tell, and
//! it does not compare the name in a member's own header with the table (`tests/packages.rs` shows both).

use std::{io::Read as _, ops::Range};

use crc::{CRC_32_ISO_HDLC, Crc};
use flate2::read::DeflateDecoder;

/// Members that are listed at most; more cost time and belong to no update package.
const MAX_LISTED: usize = 4096;
/// Members that are read at most.
pub(super) const MAX_READ: usize = 16;
/// Unpacked bytes of one member at most: the flash of the largest board as Intel HEX is shorter.
pub(super) const MAX_MEMBER: u64 = 512 * 1024;
/// Unpacked bytes of all members that are read, at most.
const MAX_TOTAL: u64 = 1024 * 1024;
/// The same two limits for a search: a firmware collection as one zip has more images than a package.
const MAX_SEARCHED: (usize, u64) = (256, 32 * 1024 * 1024);
/// How many times smaller a member may be packed.
const MAX_RATIO: u64 = 100;

const END_SIZE: usize = 22;
const ENTRY_SIZE: usize = 46;
const LOCAL_SIZE: usize = 30;
/// The 64-bit end record without its extensible part, and the locator behind it.
const END_64_SIZE: usize = 56;
const LOCATOR_64_SIZE: usize = 20;
/// The member's CRC and sizes follow it instead of standing in its header.
const SIZES_BEHIND: u16 = 1 << 3;
/// The extra field with 64-bit sizes.
const ZIP64: u16 = 1;

/// Why a zip is refused, or a member of it that would be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryError {
    /// The records do not add up: damaged, cut off, split over several files, or crafted.
    #[error("the zip's table of contents is damaged: {0}")]
    Damaged(&'static str),
    /// More members than anybody packs by hand.
    #[error("the zip has {0} members; the limit is {MAX_LISTED}")]
    Listed(usize),
    /// More images than a package has.
    #[error("the zip has {0} members that may be firmware; the limit is {MAX_READ}")]
    Members(usize),
    /// A name that leads out of a folder.
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
    #[error("the zip's member {name:?} uses compression method {method}; only deflate is supported")]
    Method {
        /// The member's name.
        name: String,
        /// The method's number.
        method: u16,
    },
    /// A member too large for any board.
    #[error("the zip's member {name:?} is too large: {size} bytes; the limit is {limit}")]
    Size {
        /// The member's name.
        name: String,
        /// The length it claims.
        size: u64,
        /// The longest that it may be.
        limit: u64,
    },
    /// Members too large together.
    #[error("the zip's firmware members are too large: {0} bytes; the limit is {MAX_TOTAL}")]
    Total(u64),
    /// A member packed too well to be firmware.
    #[error("the zip's member {name:?} unpacks to {times} times its size; the limit is {MAX_RATIO}")]
    Ratio {
        /// The member's name.
        name: String,
        /// The factor.
        times: u64,
    },
    /// A member's own header is not what the table of contents has.
    #[error("the zip's member {0:?} does not match the table of contents")]
    Header(String),
    /// A member's bytes are another member's too.
    #[error("the zip's member {0:?} overlaps another one")]
    Overlap(String),
    /// A member that does not unpack to what its CRC and length say.
    #[error("the zip's member {0:?} is damaged")]
    Member(String),
}

use DirectoryError::Damaged;

/// One member, as the table of contents has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    /// With `/` between folders.
    pub(super) name: String,
    /// Unpacked, as claimed.
    pub(super) size: u64,
    packed: u64,
    method: u16,
    crc: u32,
    is_encrypted: bool,
    is_link: bool,
    /// Header and packed bytes; none if they are not in the file or the header differs.
    place: Option<Location>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Location {
    whole: Range<usize>,
    data: Range<usize>,
}

/// A zip with its members, in the order of the table of contents.
pub(super) struct Directory<'z> {
    zip: &'z [u8],
    pub(super) members: Vec<Member>,
    read: usize,
    total: u64,
    /// How many members may be read, and how many bytes.
    limits: (usize, u64),
}

impl<'z> Directory<'z> {
    /// Reads the table of contents.
    pub(super) fn open(zip: &'z [u8]) -> Result<Self, DirectoryError> {
        let (mut table, count) = table(zip)?;
        if count > MAX_LISTED {
            return Err(DirectoryError::Listed(count));
        }
        let mut members = Vec::new();
        for _ in 0..count {
            let (member, rest) = member(zip, table)?;
            table = rest;
            members.push(member);
        }
        if !table.is_empty() {
            return Err(Damaged("it has extra bytes"));
        }
        Ok(Self { zip, members, read: 0, total: 0, limits: (MAX_READ, MAX_TOTAL) })
    }

    /// Reads the table of contents of a zip that is searched for known images.
    pub(super) fn open_for_search(zip: &'z [u8]) -> Result<Self, DirectoryError> {
        Ok(Self { limits: MAX_SEARCHED, ..Self::open(zip)? })
    }

    /// Unpacks a member of at most `limit` bytes, and checks it against its header, its length and its CRC.
    pub(super) fn unpack(&mut self, member: &Member, limit: u64) -> Result<Vec<u8>, DirectoryError> {
        let name = || member.name.clone();
        self.read += 1;
        if self.read > self.limits.0 {
            return Err(DirectoryError::Members(self.read));
        }
        if self.members.iter().filter(|other| other.name.eq_ignore_ascii_case(&member.name)).count() > 1 {
            return Err(DirectoryError::Duplicate(name()));
        }
        if member.is_encrypted {
            return Err(DirectoryError::Encrypted(name()));
        }
        if member.is_link {
            return Err(DirectoryError::Link(name()));
        }
        let (size, packed) = (member.size, member.packed);
        if size > limit {
            return Err(DirectoryError::Size { name: name(), size, limit });
        }
        match member.method {
            0 if packed != size => return Err(DirectoryError::Member(name())),
            8 if size > packed.saturating_mul(MAX_RATIO) => {
                return Err(DirectoryError::Ratio { name: name(), times: size / packed.max(1) });
            }
            0 | 8 => {}
            method => return Err(DirectoryError::Method { name: name(), method }),
        }
        self.total += size;
        if self.total > self.limits.1 {
            return Err(DirectoryError::Total(self.total));
        }
        let place = member.place.as_ref().ok_or_else(|| DirectoryError::Header(name()))?;
        // Members that share bytes are how small bombs are made.
        let others = self.members.iter().filter(|other| *other != member).filter_map(|other| other.place.as_ref());
        if others.into_iter().any(|other| {
            other.whole.start < place.whole.end && place.whole.start < other.whole.end && !other.whole.is_empty()
        }) {
            return Err(DirectoryError::Overlap(name()));
        }
        let data = &self.zip[place.data.clone()];
        let mut bytes = Vec::with_capacity(size as usize);
        let is_whole = if member.method == 0 {
            bytes.extend_from_slice(data);
            true
        } else {
            // One more than there may be, so that a member longer than it says is noticed.
            DeflateDecoder::new(data).take(size + 1).read_to_end(&mut bytes).is_ok()
        };
        let crc = Crc::<u32>::new(&CRC_32_ISO_HDLC).checksum(&bytes);
        if is_whole && bytes.len() as u64 == size && crc == member.crc {
            Ok(bytes)
        } else {
            Err(DirectoryError::Member(name()))
        }
    }
}

/// The bytes of the table of contents, and how many entries it has.
fn table(zip: &[u8]) -> Result<(&[u8], usize), DirectoryError> {
    let first = zip.len().saturating_sub(END_SIZE + usize::from(u16::MAX));
    let end = (first..=zip.len().saturating_sub(END_SIZE))
        .rev()
        .find(|&at| zip[at..].starts_with(b"PK\x05\x06"))
        .ok_or(Damaged("its end record is missing"))?;
    let record = &zip[end..];
    if record.len() < END_SIZE {
        return Err(Damaged("its end record is missing"));
    }
    let comment = end + END_SIZE + usize::from(u16_at(record, 20));
    // Some servers and cards pad files.
    if !zip.get(comment..).is_some_and(|behind| behind.iter().all(|byte| *byte == 0)) {
        return Err(Damaged("its comment does not reach to the end of the file"));
    }
    if u16_at(record, 4) != 0 || u16_at(record, 6) != 0 || u16_at(record, 8) != u16_at(record, 10) {
        return Err(Damaged("it is split over several files"));
    }
    let (count, size, start) = (u16_at(record, 10), u32_at(record, 12), u32_at(record, 16));
    let short = (u64::from(count), u64::from(size), u64::from(start));
    let (count, size, start, end) = match end_64(zip, end) {
        Some((long, long_end)) => {
            // What fits the short record stands there too.
            let agrees = |short: u64, all_ones: u64, long: u64| short == all_ones || short == long;
            if !agrees(short.0, 0xFFFF, long.0)
                || !agrees(short.1, 0xFFFF_FFFF, long.1)
                || !agrees(short.2, 0xFFFF_FFFF, long.2)
            {
                return Err(Damaged("its two end records differ"));
            }
            (long.0, long.1, long.2, long_end)
        }
        None => (short.0, short.1, short.2, end),
    };
    if start.checked_add(size) != Some(end as u64) {
        return Err(Damaged("its end record points to the wrong place"));
    }
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    Ok((&zip[start as usize..end], count))
}

/// Count, size and start of the table as the 64-bit end record has them, and where that record begins. Some tools write
/// it for small archives too.
fn end_64(zip: &[u8], end: usize) -> Option<((u64, u64, u64), usize)> {
    let locator = zip.get(end.checked_sub(LOCATOR_64_SIZE)?..end)?;
    let at = end.checked_sub(LOCATOR_64_SIZE + END_64_SIZE)?;
    let record = zip.get(at..at + END_64_SIZE)?;
    let is_it = locator.starts_with(b"PK\x06\x07")
        && u64_at(locator, 8) == at as u64
        && record.starts_with(b"PK\x06\x06")
        && u64_at(record, 4) == END_64_SIZE as u64 - 12
        && u64_at(record, 24) == u64_at(record, 32);
    is_it.then(|| ((u64_at(record, 32), u64_at(record, 40), u64_at(record, 48)), at))
}

/// The first entry of the rest of the table, and the rest behind it.
fn member<'t>(zip: &[u8], table: &'t [u8]) -> Result<(Member, &'t [u8]), DirectoryError> {
    if table.len() < ENTRY_SIZE || !table.starts_with(b"PK\x01\x02") {
        return Err(Damaged("an entry is missing"));
    }
    let name_len = usize::from(u16_at(table, 28));
    let extra_len = usize::from(u16_at(table, 30));
    let len = ENTRY_SIZE + name_len + extra_len + usize::from(u16_at(table, 32));
    let (entry, rest) = table.split_at_checked(len).ok_or(Damaged("an entry is cut off"))?;
    let raw_name = &entry[ENTRY_SIZE..ENTRY_SIZE + name_len];
    // Some tools for Windows write the other slash.
    let name = String::from_utf8_lossy(raw_name).replace('\\', "/");
    let leads_out = name.is_empty()
        || name.starts_with('/')
        || name.as_bytes().get(1) == Some(&b':')
        || name.split('/').any(|part| part == "..")
        || name.contains(char::is_control);
    if leads_out {
        return Err(DirectoryError::Name(String::from_utf8_lossy(raw_name).into_owned()));
    }
    let mut wide = Wide::of(&entry[ENTRY_SIZE + name_len..ENTRY_SIZE + name_len + extra_len]);
    let size = wide.size(u32_at(entry, 24));
    let packed = wide.size(u32_at(entry, 20));
    let start = wide.size(u32_at(entry, 42));
    let mut member = Member {
        name,
        size,
        packed,
        method: u16_at(entry, 10),
        crc: u32_at(entry, 16),
        is_encrypted: u16_at(entry, 8) & 1 != 0,
        // The upper half of the external attributes is st_mode if the archive was made on Unix; 0o120000 is a link.
        is_link: u32_at(entry, 38) >> 28 == 0o12,
        place: None,
    };
    member.place = place(zip, entry, raw_name, &member, start);
    Ok((member, rest))
}

/// The place of a member; `None` if its header is not there or differs from the entry in the table.
fn place(zip: &[u8], entry: &[u8], raw_name: &[u8], member: &Member, start: u64) -> Option<Location> {
    let start = usize::try_from(start).ok()?;
    let local = zip.get(start..)?;
    if local.len() < LOCAL_SIZE || !local.starts_with(b"PK\x03\x04") {
        return None;
    }
    let (name_len, extra_len) = (usize::from(u16_at(local, 26)), usize::from(u16_at(local, 28)));
    let header = LOCAL_SIZE + name_len + extra_len;
    let len = header.checked_add(usize::try_from(member.packed).ok()?)?;
    if len > local.len() {
        return None;
    }
    let mut wide = Wide::of(&local[LOCAL_SIZE + name_len..header]);
    let size = wide.size(u32_at(local, 22));
    let packed = wide.size(u32_at(local, 18));
    // If they stand behind the member, macOS fills in some of them all the same.
    let behind = u16_at(entry, 8) & SIZES_BEHIND != 0;
    let same = |own: u64, stated: u64| own == stated || behind && own == 0;
    let is_same = local[6..10] == entry[8..12]
        && local[LOCAL_SIZE..LOCAL_SIZE + name_len] == *raw_name
        && same(u32_at(local, 14).into(), member.crc.into())
        && same(size, member.size)
        && same(packed, member.packed);
    is_same.then(|| Location { whole: start..start + len, data: start + header..start + len })
}

/// The 64-bit sizes of an extra field: one for each size that is all ones in its own place, in their order.
struct Wide<'e>(&'e [u8]);

impl<'e> Wide<'e> {
    fn of(mut extra: &'e [u8]) -> Self {
        while extra.len() >= 4 {
            let (tag, len) = (u16_at(extra, 0), usize::from(u16_at(extra, 2)));
            let Some((field, rest)) = extra[4..].split_at_checked(len) else { break };
            if tag == ZIP64 {
                return Self(field);
            }
            extra = rest;
        }
        Self(&[])
    }

    fn size(&mut self, short: u32) -> u64 {
        if short != u32::MAX {
            return short.into();
        }
        let Some((size, rest)) = self.0.split_at_checked(8) else { return short.into() };
        self.0 = rest;
        u64_at(size, 0)
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::image::package::sample::{ZipMember, zip};

    fn file(name: &str) -> ZipMember {
        ZipMember::new(name, b"firmware")
    }

    /// All members, unpacked.
    fn read(zip: &[u8]) -> Result<Vec<(String, Vec<u8>)>, DirectoryError> {
        let mut directory = Directory::open(zip)?;
        let members = directory.members.clone();
        members.iter().map(|member| Ok((member.name.clone(), directory.unpack(member, 131_072)?))).collect()
    }

    fn refused(members: &[ZipMember]) -> DirectoryError {
        read(&zip(members)).unwrap_err()
    }

    #[test]
    fn a_search_reads_more_members_than_a_package_may_have() {
        let names: Vec<_> = (0..=MAX_READ).map(|number| format!("{number}.bin")).collect();
        let zip = zip(&names.iter().map(|name| file(name)).collect::<Vec<_>>());
        let read = |mut directory: Directory<'_>| {
            let members = directory.members.clone();
            members.iter().try_for_each(|member| directory.unpack(member, 8).map(drop))
        };
        assert_eq!(read(Directory::open(&zip).unwrap()), Err(DirectoryError::Members(MAX_READ + 1)));
        assert_eq!(read(Directory::open_for_search(&zip).unwrap()), Ok(()));
    }

    #[test]
    fn members_that_share_bytes_are_refused() {
        let inner = file("b");
        let record = zip(std::slice::from_ref(&inner));
        let outer = ZipMember::new("a", &record);
        let mut bytes = zip(&[outer, inner]);
        // The second entry of the table points to the record inside the first member.
        let second = bytes.windows(4).rposition(|window| window == b"PK\x01\x02").unwrap();
        bytes[second + 42..second + 46].copy_from_slice(&(LOCAL_SIZE as u32 + 1).to_le_bytes());
        assert_eq!(read(&bytes), Err(DirectoryError::Overlap("a".into())));
    }

    #[test]
    fn a_zip_that_is_split_is_refused_by_every_sign_of_it() {
        let whole = zip(&[file("FIRM.bin")]);
        let end = whole.len() - END_SIZE;
        for at in [4, 6, 8] {
            let mut bytes = whole.clone();
            bytes[end + at] += 1;
            assert_eq!(read(&bytes), Err(Damaged("it is split over several files")), "{at}");
        }
    }

    #[test]
    fn members_are_listed_in_order() {
        let members = read(&zip(&[file("FIRM.bin"), file("info.txt")])).unwrap();
        let expected = [("FIRM.bin".to_owned(), b"firmware".to_vec()), ("info.txt".to_owned(), b"firmware".to_vec())];
        assert_eq!(members, expected);
        assert_eq!(read(&zip(&[])), Ok(vec![]));
    }

    #[test]
    fn names_that_lead_out_are_refused() {
        for name in
            ["../FIRM.bin", "/FIRM.bin", "a/../../FIRM.bin", "..", "..\\FIRM.bin", "C:FIRM.bin", "FIRM\0.bin", ""]
        {
            assert_eq!(refused(&[file(name)]), DirectoryError::Name(name.into()));
        }
        for (name, read_as) in [("a/FIRM..bin", "a/FIRM..bin"), ("a\\FIRM.bin", "a/FIRM.bin"), ("für.txt", "für.txt")]
        {
            assert_eq!(read(&zip(&[file(name)])).unwrap()[0].0, read_as);
        }
    }

    #[test]
    fn two_members_of_one_name_are_refused() {
        assert_eq!(refused(&[file("FIRM.bin"), file("FIRM.bin")]), DirectoryError::Duplicate("FIRM.bin".into()));
        assert_eq!(refused(&[file("FIRM.bin"), file("firm.BIN")]), DirectoryError::Duplicate("FIRM.bin".into()));
    }

    #[test]
    fn links_passwords_and_strange_packing_are_refused() {
        assert_eq!(
            refused(&[ZipMember { mode: 0o120_777, ..file("FIRM.bin") }]),
            DirectoryError::Link("FIRM.bin".into())
        );
        assert_eq!(
            refused(&[ZipMember { flags: 1, ..file("FIRM.bin") }]),
            DirectoryError::Encrypted("FIRM.bin".into())
        );
        let lzma = DirectoryError::Method { name: "FIRM.bin".into(), method: 14 };
        assert_eq!(refused(&[ZipMember { method: 14, ..file("FIRM.bin") }]), lzma);
    }

    #[test]
    fn sizes_that_no_board_has_are_refused_by_their_claim_alone() {
        let size = |size| ZipMember { size, method: 8, ..file("FIRM.bin") };
        let too_large = |size| DirectoryError::Size { name: "FIRM.bin".into(), size, limit: 131_072 };
        assert_eq!(refused(&[size(3 << 30)]), too_large(3 << 30));
        assert_eq!(refused(&[size(u32::MAX)]), too_large(0xFFFF_FFFF), "zip64 without its field");
        assert_eq!(refused(&[size(131_073)]), too_large(131_073));
        assert_eq!(refused(&[size(900)]), DirectoryError::Ratio { name: "FIRM.bin".into(), times: 112 });
        let many: Vec<_> = (0..17).map(|at| file(&format!("{at}"))).collect();
        assert_eq!(refused(&many), DirectoryError::Members(17));
        let large: Vec<_> = (0..9).map(|at| ZipMember::new(&format!("{at}"), &vec![7; 131_072])).collect();
        assert_eq!(refused(&large), DirectoryError::Total(9 * 131_072));
    }

    #[test]
    fn a_member_that_is_not_read_may_be_anything() {
        let beside = [
            ZipMember { flags: 1, ..file("secret") },
            ZipMember { mode: 0o120_777, ..file("link") },
            ZipMember { method: 14, ..file("lzma") },
            ZipMember { size: 3 << 30, method: 8, ..file("film") },
            file("photo"),
            file("PHOTO"),
        ];
        let zip = zip(&[&[file("FIRM.bin")], &beside[..]].concat());
        let mut directory = Directory::open(&zip).unwrap();
        let member = directory.members[0].clone();
        assert_eq!(directory.unpack(&member, 100), Ok(b"firmware".to_vec()));
        for member in directory.members.clone().iter().skip(1) {
            assert!(directory.unpack(member, 100).is_err(), "{}", member.name);
        }
    }

    #[test]
    fn headers_that_differ_are_refused() {
        let zip = zip(&[file("FIRM.bin")]);
        assert!(read(&zip).is_ok());
        assert!(read(&[&b"MZ"[..], &zip].concat()).is_err(), "something before");
        // Flags and method; CRC and sizes; name. The time may differ.
        for at in (6..10).chain(14..28).chain(30..38) {
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
        let zip = zip(&[ZipMember { flags: SIZES_BEHIND, ..file("FIRM.bin") }]);
        for field in [14, 18, 22] {
            let mut none = zip.clone();
            none[field..field + 4].fill(0);
            assert!(read(&none).is_ok(), "{field}");
            none[field] = 77;
            assert_eq!(read(&none), Err(DirectoryError::Header("FIRM.bin".into())), "{field}");
        }
    }

    #[test]
    fn sizes_may_be_64_bits_wide_in_either_header_and_at_the_end() {
        let wide = [&[1, 0, 16, 0][..], &8u64.to_le_bytes(), &8u64.to_le_bytes()].concat();
        let plain = file("FIRM.bin");
        for (local, central) in [(&wide[..], &b""[..]), (b"", &wide), (&wide, &wide)] {
            let zip = zip(&[ZipMember { wide_local: local.into(), wide_central: central.into(), ..plain.clone() }]);
            assert_eq!(read(&zip).unwrap()[0].1, b"firmware");
        }
        let lying = [&wide[..4], &9u64.to_le_bytes(), &8u64.to_le_bytes()].concat();
        let lying = ZipMember { wide_local: lying, ..plain.clone() };
        assert_eq!(refused(&[lying]), DirectoryError::Header("FIRM.bin".into()));
        let short = zip(&[plain]);
        let end = short.len() - END_SIZE;
        let (size, start) = (u64::from(u32_at(&short, end + 12)), u64::from(u32_at(&short, end + 16)));
        let record = [
            &b"PK\x06\x06"[..],
            &44u64.to_le_bytes(),
            &[45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            &1u64.to_le_bytes(),
            &1u64.to_le_bytes(),
            &size.to_le_bytes(),
            &start.to_le_bytes(),
            b"PK\x06\x07\0\0\0\0",
            &(end as u64).to_le_bytes(),
            &[1, 0, 0, 0],
        ]
        .concat();
        let mut long = [&short[..end], &record, &short[end..]].concat();
        assert_eq!(read(&long), read(&short));
        let at = long.len() - END_SIZE + 16;
        long[at..at + 4].fill(0xFF);
        assert_eq!(read(&long), read(&short));
        for (at, len) in [(8, 4), (12, 4), (16, 4)] {
            let mut lying = long.clone();
            lying[long.len() - END_SIZE + at..][..len].fill(2);
            assert_eq!(read(&lying), Err(Damaged("its two end records differ")), "{at}");
        }
    }

    #[test]
    fn members_that_share_their_bytes_are_refused() {
        let mut zip = zip(&[file("FIRM.bin"), file("FIRM.bi2")]);
        let second = zip.windows(4).rposition(|window| window == b"PK\x01\x02").unwrap();
        zip[second + 42] = 0;
        zip[second + 46 + 7] = b'n';
        assert!(matches!(read(&zip), Err(DirectoryError::Duplicate(_))));
        zip[second + 46 + 7] = b'2';
        assert_eq!(read(&zip).unwrap_err(), DirectoryError::Header("FIRM.bi2".into()));
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
