//! Zips made by hand for the tests, right ones and crooked ones.

use crc::{CRC_32_ISO_HDLC, Crc};

/// One member as it stands in the archive; what the fields claim need not be true.
#[derive(Clone)]
pub(crate) struct ZipMember {
    pub(crate) name: String,
    /// As packed.
    pub(crate) data: Vec<u8>,
    /// Claimed unpacked length.
    pub(crate) size: u32,
    pub(crate) crc: u32,
    pub(crate) method: u16,
    pub(crate) flags: u16,
    pub(crate) mode: u32,
    /// Extra field of the header before the member; with one, the sizes there are all ones.
    pub(crate) wide_local: Vec<u8>,
    /// The same in the table of contents.
    pub(crate) wide_central: Vec<u8>,
}

impl ZipMember {
    /// A stored member without a lie.
    pub(crate) fn new(name: &str, data: &[u8]) -> Self {
        let crc = Crc::<u32>::new(&CRC_32_ISO_HDLC).checksum(data);
        Self {
            name: name.into(),
            data: data.into(),
            size: data.len() as u32,
            crc,
            method: 0,
            flags: 0,
            mode: 0o100_644,
            wide_local: vec![],
            wide_central: vec![],
        }
    }

    /// From the flags up to the length of the extra field, which local and central headers share.
    fn common(&self, wide: &[u8]) -> Vec<u8> {
        let size = |size: u32| if wide.is_empty() { size } else { u32::MAX }.to_le_bytes();
        let (packed, size) = (size(self.data.len() as u32), size(self.size));
        let (name_len, extra_len) = ((self.name.len() as u16).to_le_bytes(), (wide.len() as u16).to_le_bytes());
        let (method, flags, crc) = (self.method.to_le_bytes(), self.flags.to_le_bytes(), self.crc.to_le_bytes());
        [&flags[..], &method, &[0, 0, 0x21, 0], &crc, &packed, &size, &name_len, &extra_len].concat()
    }
}

/// An archive of these members.
pub(crate) fn zip(members: &[ZipMember]) -> Vec<u8> {
    let mut archive = Vec::new();
    let mut table = Vec::new();
    for member in members {
        let start = archive.len() as u32;
        let ZipMember { name, data, wide_local, wide_central, .. } = member;
        let header = member.common(wide_local);
        archive.extend([&b"PK\x03\x04\x14\x00"[..], &header, name.as_bytes(), wide_local, data].concat());
        table.extend(b"PK\x01\x02\x14\x03\x14\x00");
        table.extend(member.common(wide_central));
        table.extend([0; 6]);
        table.extend((member.mode << 16).to_le_bytes());
        table.extend(start.to_le_bytes());
        table.extend([name.as_bytes(), wide_central].concat());
    }
    let (start, size, count) = (archive.len() as u32, table.len() as u32, members.len() as u16);
    archive.extend(table);
    archive.extend(b"PK\x05\x06\0\0\0\0");
    archive.extend([count.to_le_bytes(), count.to_le_bytes()].concat());
    archive.extend([size.to_le_bytes(), start.to_le_bytes()].concat());
    archive.extend([0, 0]);
    archive
}
