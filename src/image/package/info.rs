//! What a package says of itself: `info.json` and `info.txt`.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::super::{Catalog, digest::Md5Digest, printable};

/// Which board a package's firmware is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum FirmwareType {
    /// The motor controller: what this program flashes.
    Drv,
    /// The dashboard's Bluetooth board.
    Ble,
    /// The battery's own controller.
    Bms,
}

impl fmt::Display for FirmwareType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Drv => "firmware of the motor controller",
            Self::Ble => "a BLE package: firmware of the dashboard's Bluetooth board, not of the motor controller",
            Self::Bms => "a BMS package: firmware of the battery's own board, not of the motor controller",
        })
    }
}

/// What a package says of itself, from one of its two files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Info {
    pub(super) firmware: FirmwareType,
    pub(super) model: Model,
    pub(super) title: Option<String>,
    /// Controllers it lists; empty in an `info.txt`, which knows no chips.
    pub(super) compatible: Vec<String>,
    /// Whether it says that there is a plain member, and an encrypted one.
    pub(super) members: Members,
    pub(super) md5: Option<Md5Digest>,
    pub(super) md5_encrypted: Option<Md5Digest>,
}

/// The scooter a package is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Model {
    /// `model` of an `info.json` that must not be flashed to another.
    Enforced(String),
    /// `model` of an `info.json` that lets others have it.
    Suggested(String),
    /// `dev` of an `info.txt`.
    Device(String),
}

impl Model {
    /// The name, as the package has it.
    pub fn name(&self) -> &str {
        match self {
            Self::Enforced(name) | Self::Suggested(name) | Self::Device(name) => name,
        }
    }

    /// The scooters meant, by their names on the command line; empty where none of those is.
    pub fn scooters(&self) -> &'static [String] {
        let catalog = Catalog::builtin();
        match self {
            Self::Enforced(name) | Self::Suggested(name) => catalog.model(name),
            Self::Device(name) => catalog.device(name),
        }
    }
}

/// Which members a package says it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Members {
    Both,
    Plain,
    Encrypted,
}

/// Why the description of a package cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InfoError {
    /// No JSON of the known form.
    #[error("info.json: {0}")]
    Json(String),
    /// A form of `info.json` this program does not know.
    #[error("info.json has the unknown schema version {0}")]
    Schema(u64),
    /// A field with a value outside its rule.
    #[error("{file} has the bad {field} {value:?}")]
    Value {
        /// Which of the two files.
        file: &'static str,
        /// The field.
        field: &'static str,
        /// What stands there.
        value: String,
    },
    /// A field that must be there.
    #[error("{file} has no {field}")]
    Missing {
        /// Which of the two files.
        file: &'static str,
        /// The field.
        field: &'static str,
    },
    /// A field that stands there twice.
    #[error("info.txt has two {0}")]
    Twice(&'static str),
    /// A text file that is no text.
    #[error("info.txt is no text")]
    Text,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonVersion {
    schema_version: u64,
}

#[derive(Deserialize)]
struct Json {
    firmware: JsonFirmware,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonFirmware {
    display_name: String,
    model: String,
    enforce_model: bool,
    #[serde(rename = "type")]
    firmware: FirmwareType,
    compatible: Vec<String>,
    encryption: Members,
    md5: JsonMd5,
}

#[derive(Deserialize)]
struct JsonMd5 {
    bin: Option<Md5Digest>,
    enc: Option<Md5Digest>,
}

/// Reads an `info.json` (scooterhacking/fw-zip-package-v3). Unknown keys are let be, known ones must obey their rules.
pub(super) fn json(bytes: &[u8]) -> Result<Info, InfoError> {
    // Another schema may have other fields, so its number comes first.
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let no_json = |error: serde_json::Error| InfoError::Json(printable(&error.to_string()).into_owned());
    let JsonVersion { schema_version } = serde_json::from_slice(bytes).map_err(no_json)?;
    if schema_version != 1 {
        return Err(InfoError::Schema(schema_version));
    }
    let Json { firmware } = serde_json::from_slice(bytes).map_err(no_json)?;
    let file = "info.json";
    let model = firmware.model;
    if !(1..=10).contains(&model.len()) || !model.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(InfoError::Value { file, field: "model", value: model });
    }
    if firmware.compatible.is_empty() {
        return Err(InfoError::Missing { file, field: "compatible" });
    }
    Ok(Info {
        firmware: firmware.firmware,
        model: if firmware.enforce_model { Model::Enforced(model) } else { Model::Suggested(model) },
        title: Some(firmware.display_name),
        compatible: firmware.compatible,
        members: firmware.encryption,
        md5: firmware.md5.bin,
        md5_encrypted: firmware.md5.enc,
    })
}

/// Reads an `info.txt` of `key: value;` lines (BotoX/xiaomi-m365-firmware-patcher `web/app.py`).
pub(super) fn text(bytes: &[u8]) -> Result<Info, InfoError> {
    let file = "info.txt";
    let text = str::from_utf8(bytes).map_err(|_| InfoError::Text)?.trim_start_matches('\u{FEFF}');
    let find = |key: &'static str| {
        let mut values = text.lines().filter_map(|line| {
            let (name, value) = line.trim().trim_end_matches(';').split_once(':')?;
            name.trim().eq_ignore_ascii_case(key).then(|| value.trim().to_owned())
        });
        let value = values.next();
        // Of two, other readers take the other one.
        if values.next().is_some() { Err(InfoError::Twice(key)) } else { Ok(value) }
    };
    let need = |field: &'static str| find(field)?.ok_or(InfoError::Missing { file, field });
    let bad = |field, value| InfoError::Value { file, field, value };
    let digest = |field: &'static str| {
        let Some(value) = find(field)? else { return Ok(None) };
        value.to_ascii_lowercase().parse().map(Some).map_err(|_| bad(field, value))
    };
    let firmware = need("typ")?;
    // N and B as the patchers write them; Y is what encrypted-only packages carry.
    let members = need("enc")?;
    Ok(Info {
        firmware: match firmware.to_ascii_uppercase().as_str() {
            "DRV" => FirmwareType::Drv,
            "BLE" => FirmwareType::Ble,
            "BMS" => FirmwareType::Bms,
            _ => return Err(bad("typ", firmware)),
        },
        model: Model::Device(need("dev")?),
        title: find("nam")?,
        compatible: vec![],
        members: match members.to_ascii_uppercase().as_str() {
            "B" => Members::Both,
            "N" => Members::Plain,
            "Y" => Members::Encrypted,
            _ => return Err(bad("enc", members)),
        },
        md5: digest("md5")?,
        md5_encrypted: digest("md5e")?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::image::md5;

    const JSON: &str = r#"{"schemaVersion": 1, "firmware": {"displayName": "1.5.5", "model": "pro", "enforceModel": false,
        "type": "DRV", "compatible": ["mi_DRV_STM32F103CxT6"], "encryption": "both",
        "md5": {"bin": "d41d8cd98f00b204e9800998ecf8427e", "enc": "d41d8cd98f00b204e9800998ecf8427e"}}}"#;

    #[test]
    fn the_json_form_is_read() {
        let info = json(JSON.as_bytes()).unwrap();
        assert_eq!((info.firmware, info.model), (FirmwareType::Drv, Model::Suggested("pro".into())));
        assert_eq!((info.members, info.md5), (Members::Both, Some(md5(b""))));
        assert!(json(format!("\u{FEFF}{JSON}").as_bytes()).is_ok(), "as some editors save it");
        let enforced = json(JSON.replace("false", "true").as_bytes()).unwrap();
        assert_eq!(enforced.model, Model::Enforced("pro".into()));
    }

    #[test]
    fn the_rules_of_the_json_form_are_kept() {
        for (from, to, message) in [
            ("\"schemaVersion\": 1", "\"schemaVersion\": 2", "info.json has the unknown schema version 2"),
            ("\"pro\"", "\"\"", "info.json has the bad model \"\""),
            ("\"pro\"", "\"../../etc\"", "info.json has the bad model \"../../etc\""),
            ("[\"mi_DRV_STM32F103CxT6\"]", "[]", "info.json has no compatible"),
        ] {
            assert_eq!(json(JSON.replace(from, to).as_bytes()).unwrap_err().to_string(), message);
        }
        for (from, to) in [
            ("\"enforceModel\": false,", ""),
            ("\"both\"", "\"all\""),
            ("\"DRV\"", "\"drv\""),
            ("d41d8cd98f00b204e9800998ecf8427e", "D41D8CD98F00B204E9800998ECF8427E"),
            ("\"md5\":", "\"md5\": {}, \"md5\":"),
        ] {
            assert!(matches!(json(JSON.replace(from, to).as_bytes()), Err(InfoError::Json(_))), "{from} -> {to}");
        }
    }

    #[test]
    fn a_broken_json_form_is_told_once_and_cannot_write_to_a_terminal() {
        let error = json(JSON.replace("\"both\"", "\"\\u001b[2J\"").as_bytes()).unwrap_err();
        assert!(std::error::Error::source(&error).is_none());
        let text = error.to_string();
        assert!(text.contains(r"\u{1b}[2J") && !text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn the_text_form_is_read_as_people_write_it() {
        let info =
            text(b"dev: M365;\nnam: DRV155;\nenc: B;\ntyp: DRV;\nmd5: d41d8cd98f00b204e9800998ecf8427e;\n").unwrap();
        assert_eq!((info.model, info.title), (Model::Device("M365".into()), Some("DRV155".into())));
        assert_eq!((info.members, info.md5, info.md5_encrypted), (Members::Both, Some(md5(b"")), None));
        let sloppy = text(b"\xEF\xBB\xBFdev:ES\r\nenc : y\r\ntyp: ble").unwrap();
        assert_eq!((sloppy.firmware, sloppy.members), (FirmwareType::Ble, Members::Encrypted));
    }

    #[test]
    fn an_incomplete_text_form_is_refused() {
        for (bytes, message) in [
            (&b""[..], "info.txt has no typ"),
            (b"typ: DRV;\nenc: B;", "info.txt has no dev"),
            (b"typ: ESC;\nenc: B;", "info.txt has the bad typ \"ESC\""),
            (b"typ: DRV;\nenc: X;\ndev: ES", "info.txt has the bad enc \"X\""),
            (b"typ: DRV;\nenc: N;\ndev: ES\nmd5: 0", "info.txt has the bad md5 \"0\""),
            (b"typ: DRV;\nenc: N;\ndev: ES\nDev: M365", "info.txt has two dev"),
            (b"typ: DRV;\nenc: N;\ndev: ES\nmd5: 0\nmd5: 1", "info.txt has two md5"),
            (b"typ: \xFF", "info.txt is no text"),
        ] {
            assert_eq!(text(bytes).unwrap_err().to_string(), message);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), line in "\\PC{0,60}") {
            let _ = (json(&bytes), text(&bytes), text(line.as_bytes()), json(line.as_bytes()));
        }
    }
}
