//! The 512-byte data block: what makes a board this scooter's.
//!
//! It holds serial number, mileage, settings and the chip's UID, at 0x0800F800 on 64 KiB boards and 0x0801C000 on 128 KiB
//! boards. The firmware copies it to SRAM at start, works on that copy and writes all of it back when it saves. It checks
//! only the magic; the block has neither a checksum nor a second copy (disassembly of DRV 1.4.0, 1.5.5, 2.2.3). That of the 4 Pro also
//! checks the last half-word, and keeps a second copy in the next page but one (0.2.2, disassembled and run).
//!
//! A [`DataBlock`] keeps every byte that it was made from; a setter changes only the bytes of its own field.

mod layout;
mod mileage;
mod serial;
mod uid;

use std::fmt;

use serde::Serialize;

pub use self::{
    layout::{BlockFamily, REGISTERS, Register, Shape},
    mileage::{Mileage, MileageError},
    serial::{Serial, SerialError},
    uid::{Uid, UidError},
};
use crate::version::Version;

/// Length of a block in bytes.
pub const LEN: usize = 512;

/// The half-word that every valid block begins with.
pub const MAGIC: u16 = 0x515C;

/// The first four bytes of every block seen: the magic and the constant after it. The firmware tests the magic only.
pub const SIGNATURE: [u8; 4] = [0x5C, 0x51, 0xEE, 0x07];

/// Bit of the status register: the scooter was activated.
const ACTIVATED: u16 = 1 << 11;

/// A data block with the right magic.
#[derive(Clone, PartialEq, Eq)]
pub struct DataBlock([u8; LEN]);

/// Why bytes are not a data block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// The length is not 512.
    #[error("{0} bytes; a data block has 512")]
    Length(usize),
    /// The magic is wrong; an erased page has 0xffff.
    #[error("begins with {0:#06x}; a data block begins with 0x515c")]
    Magic(u16),
}

impl DataBlock {
    /// A block of an activated scooter without mileage, as `M365_DRV_STLINK`'s `data.bin`: the firmware's own template
    /// plus the activated bit. Serial number and UID are blank (0xFF) and have to be set.
    pub fn template() -> Self {
        let mut block = Self([0; LEN]);
        block.put(&layout::MAGIC, &MAGIC.to_le_bytes());
        block.put(&layout::CONSTANT, &SIGNATURE[2..]);
        for phase in &layout::PHASES {
            // Middle of the 12-bit ADC: no current.
            block.put(phase, &2048u16.to_le_bytes());
        }
        block.put(&layout::SERIAL, &[0xFF; serial::LEN]);
        block.put(&layout::PIN, b"000000");
        // The donor's version; each firmware writes its own over it at start.
        block.put(&layout::VERSION, &0x0134u16.to_le_bytes());
        block.put(&layout::STATUS, &ACTIVATED.to_le_bytes());
        block.put(&layout::LIMIT_NORMAL, &20_000u16.to_le_bytes());
        block.put(&layout::LIMIT_ECO, &10_000u16.to_le_bytes());
        block.put(&layout::UNKNOWN_9B, &1u16.to_le_bytes());
        block.put(&layout::QUICK_STATUS, &ACTIVATED.to_le_bytes());
        block.put(&layout::UID, &[0xFF; 12]);
        block
    }

    /// Takes exactly 512 bytes that begin with the magic.
    pub fn parse(bytes: &[u8]) -> Result<Self, BlockError> {
        let block = Self(bytes.try_into().map_err(|_| BlockError::Length(bytes.len()))?);
        match block.u16(&layout::MAGIC) {
            MAGIC => Ok(block),
            other => Err(BlockError::Magic(other)),
        }
    }

    /// The bytes as they are stored in flash.
    pub fn as_bytes(&self) -> &[u8; LEN] {
        &self.0
    }

    /// The serial number; `None` if the field is blank, is not text or holds a factory default.
    pub fn serial(&self) -> Option<Serial> {
        self.read_serial().ok()
    }

    /// The serial number, or why the field does not hold one.
    pub fn read_serial(&self) -> Result<Serial, SerialError> {
        Serial::from_bytes(self.bytes(self.serial_row()))
    }

    /// The field that has the serial number: that of a 4 Pro if the usual one is all zeros, as the 4 Pro's firmware leaves it.
    fn serial_row(&self) -> &'static Register {
        let is_zero = |register| self.bytes(register).iter().all(|byte| *byte == 0);
        if is_zero(&layout::SERIAL) && !is_zero(&layout::LONG_SERIAL) { &layout::LONG_SERIAL } else { &layout::SERIAL }
    }

    /// Whether the block is that of a 4 Pro, which has its serial number in a field of its own.
    pub fn has_long_serial(&self) -> bool {
        self.serial_row().number == layout::LONG_SERIAL.number
    }

    /// True if the block holds a serial that the firmware wrote by itself into an empty page (error 35).
    pub fn has_factory_serial(&self) -> bool {
        Serial::is_factory_default(self.bytes(self.serial_row()))
    }

    /// The total mileage as stored, also if [`Mileage::from_metres`] would refuse it.
    pub fn mileage(&self) -> Mileage {
        Mileage::stored(self.u32(&layout::MILEAGE))
    }

    /// The UID of the chip that this block was made for.
    pub fn uid(&self) -> Uid {
        let mut bytes = [0; 12];
        bytes.copy_from_slice(self.bytes(&layout::UID));
        Uid::from_bytes(bytes)
    }

    /// Whether the block begins with the signature, has its own serial number and is made for this chip. A block that was
    /// written only in part is not.
    pub fn is_whole(&self, uid: Uid) -> bool {
        self.is_complete() && self.uid() == uid
    }

    /// The same for a block of any chip.
    pub fn is_complete(&self) -> bool {
        self.0.starts_with(&SIGNATURE) && self.serial().is_some()
    }

    /// The six characters of the Bluetooth PIN; `None` if they are not printable.
    pub fn pin(&self) -> Option<String> {
        printable(self.bytes(&layout::PIN))
    }

    /// The version of the firmware that last ran on this block.
    pub fn version(&self) -> Version {
        Version(self.u16(&layout::VERSION))
    }

    /// The error that the firmware shows, 0 for none; of use only in a live block.
    pub fn error(&self) -> u16 {
        self.u16(&layout::ERROR)
    }

    /// True if the scooter was activated; if not, the app asks for it before the first ride.
    pub fn activated(&self) -> bool {
        self.u16(&layout::STATUS) & ACTIVATED != 0
    }

    /// The block with another serial number, in the field that has its length. If the block had one in the other field,
    /// that becomes zeros.
    #[must_use]
    pub fn with_serial(self, serial: Serial) -> Self {
        self.with_serial_field(serial.as_bytes())
    }

    /// The block without a serial number, for one of this length.
    #[must_use]
    pub fn without_serial(self, len: usize) -> Self {
        self.with_serial_field(&[0xFF; serial::LONG][..len.min(serial::LONG)])
    }

    fn with_serial_field(mut self, bytes: &[u8]) -> Self {
        let (row, other) = match bytes.len() {
            serial::LONG => (&layout::LONG_SERIAL, &layout::SERIAL),
            _ => (&layout::SERIAL, &layout::LONG_SERIAL),
        };
        if self.serial_row().number == other.number {
            self.put(other, &[0; serial::LONG][..other.shape.size()]);
        }
        self.put(row, bytes);
        self
    }

    /// The half-word at an even offset; zero behind the end.
    pub fn half_word(&self, offset: u16) -> u16 {
        let at = usize::from(offset);
        self.0.get(at..at + 2).map_or(0, |bytes| u16::from_le_bytes([bytes[0], bytes[1]]))
    }

    /// The block with another half-word at an even offset. The magic stays, and so does everything if the offset is behind the end.
    #[must_use]
    pub fn with_half_word(mut self, offset: u16, value: u16) -> Self {
        let at = usize::from(offset);
        if let Some(bytes) = self.0.get_mut(at..at + 2).filter(|_| at != 0) {
            bytes.copy_from_slice(&value.to_le_bytes());
        }
        self
    }

    /// The block with another total mileage.
    #[must_use]
    pub fn with_mileage(mut self, mileage: Mileage) -> Self {
        self.put(&layout::MILEAGE, &mileage.metres().to_le_bytes());
        self
    }

    /// The block made for another chip.
    #[must_use]
    pub fn with_uid(mut self, uid: Uid) -> Self {
        self.put(&layout::UID, &uid.to_bytes());
        self
    }

    /// The block of an activated scooter; the other status bits stay.
    #[must_use]
    pub fn with_activation(mut self) -> Self {
        let status = self.u16(&layout::STATUS) | ACTIVATED;
        self.put(&layout::STATUS, &status.to_le_bytes());
        self
    }

    /// The family of scooters that the block is of, by its serial number; that of the Xiaomi if it does not say.
    pub fn family(&self) -> BlockFamily {
        let is_ninebot = || self.bytes(&layout::SERIAL)[0] == b'N';
        match self.has_long_serial() {
            true => BlockFamily::FourPro,
            false if is_ninebot() => BlockFamily::Ninebot,
            false => BlockFamily::Xiaomi,
        }
    }

    /// Every known register of the block's family with its value, in ascending order.
    pub fn registers(&self) -> impl Iterator<Item = (&'static Register, RegisterValue)> + '_ {
        let family = self.family();
        let own = REGISTERS.iter().filter(move |register| register.families.contains(&family));
        own.map(|register| (register, self.value(register)))
    }

    /// What reports tell about a block.
    pub fn summary(&self) -> Summary {
        Summary {
            serial: printable(self.bytes(self.serial_row())),
            mileage_m: self.mileage(),
            uid: self.uid(),
            pin: self.pin(),
            activated: self.activated(),
            version: self.version(),
            factory_serial: self.has_factory_serial(),
        }
    }

    fn value(&self, register: &Register) -> RegisterValue {
        match register.shape {
            Shape::U16 => RegisterValue::Number(self.u16(register).into()),
            Shape::S16 => RegisterValue::Number(self.u16(register).cast_signed().into()),
            Shape::U32 => RegisterValue::Number(self.u32(register).into()),
            Shape::Uid => RegisterValue::Uid(self.uid()),
            Shape::Text(_) => {
                let bytes = self.bytes(register);
                printable(bytes).map_or_else(|| RegisterValue::Bytes(hex::encode(bytes)), RegisterValue::Text)
            }
        }
    }

    fn bytes(&self, register: &Register) -> &[u8] {
        &self.0[register.range()]
    }

    fn u16(&self, register: &Register) -> u16 {
        let bytes = self.bytes(register);
        u16::from_le_bytes([bytes[0], bytes[1]])
    }

    fn u32(&self, register: &Register) -> u32 {
        let bytes = self.bytes(register);
        u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
    }

    fn put(&mut self, register: &Register, bytes: &[u8]) {
        self.0[register.range()].copy_from_slice(bytes);
    }
}

fn printable(bytes: &[u8]) -> Option<String> {
    let text = str::from_utf8(bytes).ok()?;
    text.bytes().all(|byte| byte.is_ascii_graphic()).then(|| text.into())
}

impl fmt::Debug for DataBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DataBlock").field(&self.summary()).finish()
    }
}

/// The value of a register, read by the shape in its row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum RegisterValue {
    /// A number in the row's unit.
    Number(i64),
    /// Printable text.
    Text(String),
    /// A text field that is not printable, as hexadecimal digits.
    Bytes(String),
    /// The UID of the chip.
    Uid(Uid),
}

impl fmt::Display for RegisterValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
            Self::Bytes(hex) => write!(f, "bytes {hex}"),
            Self::Uid(uid) => write!(f, "{uid}"),
        }
    }
}

/// The fields of a block that reports contain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// The serial as it is stored, also a factory default; `None` if it is not text.
    pub serial: Option<String>,
    /// Total mileage in metres.
    pub mileage_m: Mileage,
    /// The chip the block was made for.
    pub uid: Uid,
    /// The Bluetooth PIN; `None` if it is not text.
    pub pin: Option<String>,
    /// Whether the scooter was activated.
    pub activated: bool,
    /// The firmware that last ran on the block.
    pub version: Version,
    /// Whether the serial is one that the firmware wrote by itself (error 35).
    pub factory_serial: bool,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sha2::{Digest, Sha256};

    use super::*;

    fn block() -> impl Strategy<Value = DataBlock> {
        proptest::collection::vec(any::<u8>(), LEN).prop_map(|mut bytes| {
            bytes[..2].copy_from_slice(&MAGIC.to_le_bytes());
            DataBlock::parse(&bytes).unwrap()
        })
    }

    /// The offsets of the bytes that differ.
    fn changed(before: &DataBlock, after: &DataBlock) -> Vec<usize> {
        (0..LEN).filter(|&at| before.0[at] != after.0[at]).collect()
    }

    #[test]
    fn the_template_is_that_of_the_mirror() {
        // sha256 of M365_DRV_STLINK data.bin.
        assert_eq!(
            hex::encode(Sha256::digest(DataBlock::template().as_bytes())),
            "4385da291edd2284fadd9d055ee182d2f22bb36efd28f27946206162d43d3ce6"
        );
        assert_eq!(DataBlock::template().as_bytes()[..4], SIGNATURE);
    }

    #[test]
    fn a_fresh_template_has_a_blank_serial_and_a_blank_uid() {
        let block = DataBlock::template();
        assert_eq!((block.serial(), block.mileage().metres()), (None, 0));
        assert!(block.uid().is_blank() && block.activated() && !block.has_factory_serial());
        assert_eq!((block.pin().as_deref(), block.version()), (Some("000000"), Version(0x0134)));
    }

    #[test]
    fn other_lengths_and_magics_are_refused() {
        assert_eq!(DataBlock::parse(&[]), Err(BlockError::Length(0)));
        assert_eq!(DataBlock::parse(&[0xFF; 511]), Err(BlockError::Length(511)));
        assert_eq!(DataBlock::parse(&[0xFF; 1024]), Err(BlockError::Length(1024)));
        assert_eq!(DataBlock::parse(&[0xFF; LEN]), Err(BlockError::Magic(0xFFFF)));
        assert_eq!(BlockError::Magic(0xFFFF).to_string(), "begins with 0xffff; a data block begins with 0x515c");
    }

    #[test]
    fn a_factory_serial_is_shown_but_never_used() {
        let mut bytes = *DataBlock::template().as_bytes();
        bytes[0x20..0x2E].copy_from_slice(b"M1GCA1601C0001");
        let block = DataBlock::parse(&bytes).unwrap();
        assert!(block.has_factory_serial());
        assert_eq!(block.serial(), None);
        assert_eq!(block.summary().serial.as_deref(), Some("M1GCA1601C0001"));
    }

    #[test]
    fn a_serial_of_20_characters_has_its_own_field_and_leaves_the_other_empty() {
        let serial = Serial::parse("35802/ABCD1234567890", "#####/@@@@@@@@@@@@@@").unwrap();
        let blank = DataBlock::template().without_serial(20);
        assert!(blank.has_long_serial() && blank.serial().is_none());
        assert_eq!(blank.as_bytes()[0xA8..0xBC], [0xFF; 20]);
        let block = blank.with_serial(serial);
        assert_eq!((block.serial(), block.summary().serial.as_deref()), (Some(serial), Some(serial.as_str())));
        assert_eq!((&block.as_bytes()[0x20..0x2E], &block.as_bytes()[0xA8..0xBC]), (&[0; 14][..], serial.as_bytes()));
        let short = Serial::parse("21886/00012345", "#####/########").unwrap();
        let back = block.with_serial(short);
        assert_eq!((back.serial(), back.has_long_serial()), (Some(short), false));
        assert_eq!(back.as_bytes()[0xA8..0xBC], [0; 20]);
    }

    #[test]
    fn the_summary_serialises_under_the_report_keys() {
        let block = DataBlock::template()
            .with_serial(Serial::parse("21886/00012345", "#####/########").unwrap())
            .with_mileage(Mileage::from_km(1234).unwrap())
            .with_uid(Uid([0x48FF_6E06, 0x5266_5455, 0x3539_2587]));
        assert_eq!(
            serde_json::to_value(block.summary()).unwrap(),
            serde_json::json!({
                "serial": "21886/00012345", "mileage_m": 1_234_000, "uid": "48ff6e06-52665455-35392587",
                "pin": "000000", "activated": true, "version": "1.3.4", "factory_serial": false,
            })
        );
    }

    #[test]
    fn registers_show_signed_numbers_text_and_unprintable_bytes() {
        let mut bytes = *DataBlock::template().as_bytes();
        bytes[2 * 0x3E..][..2].copy_from_slice(&(-55i16).to_le_bytes());
        let block = DataBlock::parse(&bytes).unwrap();
        let value = |number| block.registers().find(|(row, _)| row.number == number).unwrap().1;
        assert_eq!(value(0x3E), RegisterValue::Number(-55));
        assert_eq!(value(0x17), RegisterValue::Text("000000".into()));
        assert_eq!(value(0x10), RegisterValue::Bytes("ff".repeat(14)));
        assert_eq!(value(0x73), RegisterValue::Number(20_000));
        assert_eq!(serde_json::to_string(&value(0xDA)).unwrap(), "\"ffffffff-ffffffff-ffffffff\"");
        assert_eq!(block.family(), BlockFamily::Xiaomi);
        assert!(block.registers().all(|(row, _)| row.families.contains(&BlockFamily::Xiaomi)));
    }

    #[test]
    fn each_family_has_its_own_meaning_of_a_register() {
        let long = Serial::parse("35802/ABCD1234567890", "#####/@@@@@@@@@@@@@@").unwrap();
        let ninebot = Serial::parse("N4GSD1234C5678", "@@@@@@@@@@@@@@").unwrap();
        let xiaomi = Serial::parse("21886/00012345", "#####/########").unwrap();
        let meaning = |serial, number| {
            let block = DataBlock::template().with_serial(serial);
            let found = block.registers().find(|(row, _)| row.number == number);
            found.map(|(row, _)| (row.unit, row.meaning))
        };
        assert_eq!(
            [xiaomi, long, ninebot].map(|serial| meaning(serial, 0x26)),
            [Some(("m/h", "speed")), Some(("m/h", "speed")), Some(("0.1 km/h", "speed"))]
        );
        assert_eq!([xiaomi, ninebot].map(|serial| meaning(serial, 0xFF)), [None, None]);
        assert_eq!(meaning(long, 0xFF), Some(("", "1314 (0x0522), checked at each start")));
        assert_eq!((meaning(long, 0x10), meaning(xiaomi, 0x54)), (None, None));
        assert_eq!(meaning(ninebot, 0x46), Some(("", "chip: 0 STM32F103, 1 AT32F415")));
    }

    #[test]
    fn activation_sets_one_bit() {
        let mut bytes = *DataBlock::template().as_bytes();
        bytes[0x3A..0x3C].copy_from_slice(&0x4002u16.to_le_bytes());
        let before = DataBlock::parse(&bytes).unwrap();
        let after = before.clone().with_activation();
        assert!(!before.activated() && after.activated());
        assert_eq!(changed(&before, &after), [0x3B]);
        assert_eq!(after.clone().with_activation(), after, "and leaves it set");
    }

    proptest! {
        #[test]
        fn decoding_gives_back_what_was_encoded(
            block in block(), digits in "[0-9]{5}/[0-9]{8}", metres in 0..=i32::MAX as u32, words in any::<[u32; 3]>()
        ) {
            let serial = Serial::parse(&digits, "#####/########").unwrap();
            let mileage = Mileage::from_metres(metres).unwrap();
            let block = block.with_serial(serial).with_mileage(mileage).with_uid(Uid(words));
            let read = DataBlock::parse(block.as_bytes()).unwrap();
            prop_assert_eq!(read.serial(), Some(serial));
            prop_assert_eq!(read.mileage(), mileage);
            prop_assert_eq!(read.uid(), Uid(words));
            prop_assert_eq!(read, block);
        }

        #[test]
        fn one_field_changes_only_its_bytes(
            block in block(), digits in "[0-9]{5}/[0-9]{8}", metres in 0..=i32::MAX as u32, words in any::<[u32; 3]>()
        ) {
            let inside = |after: &DataBlock, field: std::ops::Range<usize>| {
                changed(&block, after).iter().all(|at| field.contains(at))
            };
            let serial = Serial::parse(&digits, "#####/########").unwrap();
            prop_assert!(inside(&block.clone().with_serial(serial), 0x20..0x2E));
            prop_assert!(inside(&block.clone().with_mileage(Mileage::from_metres(metres).unwrap()), 0x52..0x56));
            prop_assert!(inside(&block.clone().with_uid(Uid(words)), 0x1B4..0x1C0));
            prop_assert!(inside(&block.clone().with_activation(), 0x3A..0x3C));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..1030)) {
            if let Ok(block) = DataBlock::parse(&bytes) {
                let _ = (block.summary(), block.registers().count());
            }
        }

        #[test]
        fn any_block_can_be_shown(block in block()) {
            prop_assert!(block.registers().count() > REGISTERS.len() / 2);
            prop_assert!(serde_json::to_string(&block.summary()).is_ok());
        }
    }
}
