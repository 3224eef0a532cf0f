//! The file in which a backup keeps a board: JSON, with a hash of everything that is bytes.

use serde::{Deserialize, Serialize};

use super::{Foreign, foreign::foreign, plain_bytes::is_whole_flash, sha256};
use crate::block::{DataBlock, Uid};

/// The version of the file's form.
const SCHEMA: u32 = 1;
/// A field that every backup has, and hardly any other JSON.
const MARK: &str = "\"option_bytes\"";
/// How a time is written.
const TIME: &str = "%Y-%m-%dT%H:%M:%SZ";

/// What a backup file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupFile {
    /// UID of the chip.
    pub uid: Uid,
    /// The 16 option bytes from 0x1FFFF800: values and complements in turn.
    pub option_bytes: [u8; 16],
    /// All of main flash from 0x08000000, if it could be read.
    pub flash: Option<Vec<u8>>,
    /// The data block, if one was found. It may come from SRAM.
    pub block: Option<DataBlock>,
}

/// Why a text is not a backup.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BackupFileError {
    /// Another text, such as the answer of a web server.
    #[error("{0}")]
    Foreign(Foreign),
    /// A backup whose JSON is cut off, or has other fields.
    #[error("its JSON is damaged or incomplete at line {0}")]
    Json(usize),
    /// A form of a later version of this program.
    #[error("it has schema {0}, but this version reads only schema {SCHEMA}")]
    Schema(u32),
    /// Bytes that were changed after the backup was made.
    #[error("the sha256 of its {0} does not match")]
    Hash(&'static str),
    /// Hexadecimal digits that are not.
    #[error("the field with its {0} is not hexadecimal")]
    Digits(&'static str),
    /// Bytes of another length than they can have.
    #[error("the field with its {0} has {1} bytes")]
    Length(&'static str, usize),
    /// 512 bytes that are not a data block.
    #[error("its data block is invalid: {0}")]
    Block(#[from] crate::block::BlockError),
    /// A UID in another form.
    #[error("its UID is invalid: {0:?}")]
    Uid(String),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    schema: u32,
    tool: String,
    created: String,
    uid: String,
    option_bytes: Bytes,
    flash: Option<Bytes>,
    block: Option<Bytes>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bytes {
    sha256: String,
    hex: String,
}

impl Bytes {
    fn new(bytes: &[u8]) -> Self {
        Self { sha256: sha256(bytes).to_string(), hex: hex::encode(bytes) }
    }

    fn decode(&self, what: &'static str) -> Result<Vec<u8>, BackupFileError> {
        let bytes = hex::decode(&self.hex).map_err(|_| BackupFileError::Digits(what))?;
        if sha256(&bytes).to_string() == self.sha256 { Ok(bytes) } else { Err(BackupFileError::Hash(what)) }
    }
}

impl BackupFile {
    /// The text of the file.
    #[expect(clippy::missing_panics_doc, reason = "strings and numbers always serialise")]
    pub fn encode(&self) -> String {
        let document = Document {
            schema: SCHEMA,
            tool: concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")).into(),
            created: jiff::Timestamp::now().strftime(TIME).to_string(),
            uid: self.uid.to_string(),
            option_bytes: Bytes::new(&self.option_bytes),
            flash: self.flash.as_deref().map(Bytes::new),
            block: self.block.as_ref().map(|block| Bytes::new(block.as_bytes())),
        };
        serde_json::to_string_pretty(&document).expect("strings and numbers serialise")
    }

    /// When the backup with this text was made, in UTC: `2026-11-26T16:30:00Z`. None if the text has no such time.
    pub fn created(text: &str) -> Option<String> {
        #[derive(Deserialize)]
        struct Created {
            created: String,
        }
        let Created { created } = serde_json::from_str(text).ok()?;
        Some(created.parse::<jiff::Timestamp>().ok()?.strftime(TIME).to_string())
    }

    /// Reads the text of a backup file, and checks every hash in it.
    pub fn decode(text: &str) -> Result<Self, BackupFileError> {
        let document: Document = serde_json::from_str(text).map_err(|error| match foreign(text.as_bytes()) {
            Some(foreign) if !text.contains(MARK) => BackupFileError::Foreign(foreign),
            _ => BackupFileError::Json(error.line()),
        })?;
        if document.schema != SCHEMA {
            return Err(BackupFileError::Schema(document.schema));
        }
        let options = document.option_bytes.decode("option bytes")?;
        let options =
            options.try_into().map_err(|bytes: Vec<u8>| BackupFileError::Length("option bytes", bytes.len()))?;
        let flash = document.flash.map(|bytes| bytes.decode("flash")).transpose()?;
        if let Some(len) = flash.as_ref().map(Vec::len).filter(|len| !is_whole_flash(*len)) {
            return Err(BackupFileError::Length("flash", len));
        }
        let block = document.block.map(|bytes| bytes.decode("data block")).transpose()?;
        let block = block.map(|bytes| DataBlock::parse(&bytes)).transpose()?;
        let uid = document.uid.parse().map_err(|_| BackupFileError::Uid(document.uid.clone()))?;
        Ok(Self { uid, option_bytes: options, flash, block })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backup() -> BackupFile {
        BackupFile {
            uid: Uid([1, 2, 3]),
            option_bytes: [0xFF; 16],
            flash: Some(vec![0x5A; 0x1_0000]),
            block: Some(DataBlock::template().with_uid(Uid([1, 2, 3]))),
        }
    }

    #[test]
    fn a_backup_is_read_as_it_was_written() {
        assert_eq!(BackupFile::decode(&backup().encode()), Ok(backup()));
        assert!(BackupFile::created(&backup().encode()).is_some_and(|time| time.ends_with('Z')));
        assert_eq!(BackupFile::created(&backup().encode().replacen("\"created\": \"", "\"created\": \"x", 1)), None);
        let locked = BackupFile { flash: None, ..backup() };
        assert_eq!(BackupFile::decode(&locked.encode()), Ok(locked));
    }

    #[test]
    fn a_changed_backup_is_refused_by_what_was_changed() {
        let text = backup().encode();
        let message = |from: &str, to: &str| BackupFile::decode(&text.replacen(from, to, 1)).unwrap_err().to_string();
        assert_eq!(message("5a5a5a5a", "5a5b5a5a"), "the sha256 of its flash does not match");
        assert_eq!(message("5a5a5a5a", "5a5x5a5a"), "the field with its flash is not hexadecimal");
        assert_eq!(message("\"schema\": 1", "\"schema\": 9"), "it has schema 9, but this version reads only schema 1");
        assert_eq!(message("00000001-", "0000000x-"), "its UID is invalid: \"0000000x-00000002-00000003\"");
        let short = BackupFile { flash: Some(vec![0; 1000]), ..backup() };
        assert_eq!(
            BackupFile::decode(&short.encode()).unwrap_err().to_string(),
            "the field with its flash has 1000 bytes"
        );
    }

    #[test]
    fn another_json_file_is_called_a_text_and_a_damaged_backup_damaged() {
        let message = |text: &str| BackupFile::decode(text).unwrap_err().to_string();
        let answer = r#"{"message":"Not Found"}"#;
        assert_eq!(message(answer), format!("a text file, not firmware: {answer:?}"));
        assert_eq!(message("{}"), "a text file, not firmware: \"{}\"");
        let text = backup().encode();
        let begin = &text[..text.len() / 2];
        let line = begin.lines().count();
        assert_eq!(message(begin), format!("its JSON is damaged or incomplete at line {line}"));
        assert!(message(&text.replacen("\"uid\"", "\"uids\"", 1)).starts_with("its JSON is damaged or incomplete"));
    }
}
