//! The lines of a recording.

use serde::{Deserialize, Serialize};

/// The version of the format.
pub(super) const FORMAT: u32 = 1;

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The version of the format.
    pub tape: u32,
    /// The version of the program that recorded it.
    pub program: String,
    /// The command line, without the program's name.
    pub command: Vec<String>,
    /// Whether the board was a simulated one.
    pub simulated: bool,
    /// Whether the run had a folder for backups: what is saved is read twice.
    pub has_backups: bool,
}

impl Header {
    /// The header of a recording that begins now.
    pub fn new(command: Vec<String>, simulated: bool, has_backups: bool) -> Self {
        Self { tape: FORMAT, program: env!("CARGO_PKG_VERSION").to_owned(), command, simulated, has_backups }
    }
}

/// Every other line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum TapeLine {
    /// The clock was read: microseconds.
    Clock(u64),
    /// Something that the program found out by itself.
    Note {
        /// What it is.
        name: String,
        /// What was found.
        found: serde_json::Value,
    },
    /// The driver was called, and gave this.
    Call {
        /// What was asked for.
        call: Call,
        /// What came of it.
        gave: Gave,
    },
}

/// What a call came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Gave {
    /// It succeeded with this.
    Ok(serde_json::Value),
    /// It failed.
    Error(super::Mishap),
}

/// A call of a probe's driver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Call {
    /// Measure the target's supply.
    Voltage,
    /// Choose SWD.
    Protocol,
    /// Set the clock, in kHz.
    Speed(u32),
    /// Read the clock that is set.
    ReadSpeed,
    /// Enter SWD.
    Attach,
    /// Leave SWD.
    Detach,
    /// Drive NRST low.
    ResetLow,
    /// Let go of NRST.
    ResetHigh,
    /// Take the debug port.
    Interface,

    /// Select the debug port.
    SelectDebugPort,
    /// Take the access port to memory.
    Memory,
    /// Read a register of the debug port.
    ReadDebugPort(u8),
    /// Drive pins, as `DAP_SWJ_Pins` does.
    Pins {
        /// Their levels.
        out: u32,
        /// Which pins.
        select: u32,
    },
    /// Read words of memory.
    Read {
        /// The first address.
        #[serde(with = "address")]
        address: u32,
        /// How many.
        words: usize,
    },
    /// Write words of memory.
    Write {
        /// The first address.
        #[serde(with = "address")]
        address: u32,
        /// The words.
        data: Words,
    },
    /// Send what has been gathered.
    Flush,
    /// Read where the ROM table lies.
    RomTable,
}

/// An address, as hexadecimal digits behind `0x`.
mod address {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
    pub(super) fn serialize<S: Serializer>(address: &u32, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{address:#010x}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits = text.strip_prefix("0x").ok_or_else(|| D::Error::custom("an address begins with 0x"))?;
        u32::from_str_radix(digits, 16).map_err(D::Error::custom)
    }
}

/// Words of memory, as the hexadecimal digits of their bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Words(pub(crate) Vec<u32>);

impl From<Words> for String {
    fn from(Words(words): Words) -> Self {
        hex::encode(words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>())
    }
}

impl TryFrom<String> for Words {
    type Error = String;

    fn try_from(digits: String) -> Result<Self, String> {
        let bytes = hex::decode(digits).map_err(|error| error.to_string())?;
        if bytes.len() % 4 != 0 {
            return Err(format!("{} bytes are not whole words", bytes.len()));
        }
        let words = bytes.as_chunks().0;
        Ok(Self(words.iter().map(|word| u32::from_le_bytes(*word)).collect()))
    }
}
