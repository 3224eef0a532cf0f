//! The descriptions in a package: `info.json` and `info.txt`.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::super::{Catalog, digest::Md5Digest};
use crate::printable::printable;

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

/// What one of the two descriptions has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Info {
    pub(super) firmware: FirmwareType,
    /// None if it is left open.
    pub(super) model: Option<Model>,
    pub(super) title: Option<String>,
    /// Controllers it lists; empty in an `info.txt`, which lists none.
    pub(super) compatible: Vec<String>,
    /// Which members there are; none if that is left open.
    pub(super) members: Option<Members>,
    pub(super) md5: Stated,
    pub(super) md5_encrypted: Stated,
}

/// An MD5 in a description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stated {
    Nothing,
    Digest(Md5Digest),
    /// Something else in its place, as `No_MD5`.
    Garbage(String),
}

impl Stated {
    fn read(text: Option<String>) -> Self {
        let Some(text) = text else { return Self::Nothing };
        text.trim().to_ascii_lowercase().parse().map_or(Self::Garbage(text), Self::Digest)
    }
}

/// The scooter a package is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Model {
    /// `model` of an `info.json` that must not be flashed to another.
    Enforced(String),
    /// `model` of an `info.json` that lets others have it.
    Suggested(String),
    /// `models` of an `info.json` of schema 2.
    Listed(Vec<String>),
    /// `dev` of an `info.txt`.
    Device(String),
}

impl Model {
    /// The name or names, as the package has them.
    pub fn name(&self) -> String {
        match self {
            Self::Enforced(name) | Self::Suggested(name) | Self::Device(name) => name.clone(),
            Self::Listed(names) => names.join(", "),
        }
    }

    /// The scooters meant, by their names on the command line; empty if it means none of them.
    pub fn scooters(&self) -> Vec<&'static str> {
        let catalog = Catalog::builtin();
        let scooters: Vec<&[String]> = match self {
            Self::Enforced(name) | Self::Suggested(name) => vec![catalog.model(name)],
            Self::Listed(names) => names.iter().map(|name| catalog.model(name)).collect(),
            Self::Device(name) => vec![catalog.device(name)],
        };
        scooters.into_iter().flatten().map(String::as_str).collect()
    }
}

/// What builders write if they were not told the scooter: Python's and JSON's words for nothing.
fn is_nothing(name: &str) -> bool {
    ["", "none", "null"].contains(&&*name.to_ascii_lowercase())
}

/// Which members a package has by its description.
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
    /// Not JSON of the known form.
    #[error("info.json: {0}")]
    Json(String),
    /// A form of `info.json` this program does not know.
    #[error("info.json has the unknown schema version {0}")]
    Schema(u64),
    /// A field with a value outside its rule.
    #[error("{file} has an invalid {field}: {value:?}")]
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
    #[error("info.txt has {0} twice")]
    Twice(&'static str),
    /// An `info.txt` with bytes that are not UTF-8.
    #[error("info.txt is not text")]
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
    display_name: Option<String>,
    model: Option<String>,
    models: Option<Vec<String>>,
    enforce_model: Option<bool>,
    #[serde(rename = "type")]
    firmware: String,
    compatible: Option<Vec<String>>,
    encryption: Option<Members>,
    md5: Option<JsonMd5>,
}

/// Of both members, or in schema 2 of the only one.
#[derive(Deserialize)]
#[serde(untagged)]
enum JsonMd5 {
    One(String),
    Each { bin: Option<String>, enc: Option<String> },
}

impl FirmwareType {
    fn read(name: &str) -> Option<Self> {
        match name.to_ascii_uppercase().as_str() {
            "DRV" => Some(Self::Drv),
            "BLE" => Some(Self::Ble),
            "BMS" => Some(Self::Bms),
            _ => None,
        }
    }
}

/// Reads an `info.json`: schema 1 of scooterhacking/fw-zip-package-v3, and schema 2, which names its scooters in a list.
/// Unknown keys do not matter; a known one may be missing or null unless nothing can be told without it.
pub(super) fn json(bytes: &[u8]) -> Result<Info, InfoError> {
    // Another schema may have other fields, so its number comes first.
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let invalid = |error: serde_json::Error| InfoError::Json(printable(&error.to_string()).into_owned());
    let JsonVersion { schema_version } = serde_json::from_slice(bytes).map_err(invalid)?;
    if !(1..=2).contains(&schema_version) {
        return Err(InfoError::Schema(schema_version));
    }
    let Json { firmware } = serde_json::from_slice(bytes).map_err(invalid)?;
    let bad = |field, value| InfoError::Value { file: "info.json", field, value };
    let names = firmware.models.iter().flatten().chain(&firmware.model);
    for name in names.filter(|name| !is_nothing(name)) {
        if name.len() > 10 || !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(bad("model", name.clone()));
        }
    }
    let model = match (firmware.model.filter(|name| !is_nothing(name)), firmware.models) {
        (_, Some(names)) if !names.is_empty() => Some(Model::Listed(names)),
        (Some(name), _) if firmware.enforce_model == Some(false) => Some(Model::Suggested(name)),
        (name, _) => name.map(Model::Enforced),
    };
    let (md5, md5_encrypted) = match firmware.md5 {
        // Encrypted members are made on the way by the readers of schema 2.
        Some(JsonMd5::One(digest)) => (Some(digest), None),
        Some(JsonMd5::Each { bin, enc }) => (bin, enc),
        None => (None, None),
    };
    Ok(Info {
        firmware: FirmwareType::read(&firmware.firmware).ok_or_else(|| bad("type", firmware.firmware))?,
        model,
        title: firmware.display_name,
        compatible: firmware.compatible.unwrap_or_default(),
        members: firmware.encryption,
        md5: Stated::read(md5),
        md5_encrypted: Stated::read(md5_encrypted),
    })
}

/// Whether a text has a line of an `info.txt` that says something of firmware: other texts may have the name too.
pub(super) fn is_description(bytes: &[u8]) -> bool {
    let is_known = |line: &[u8]| {
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default().trim_ascii();
        line.contains(&b':')
            && ["typ", "enc", "dev", "md5", "md5e"].iter().any(|key| name.eq_ignore_ascii_case(key.as_bytes()))
    };
    let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    text.split(|byte| *byte == b'\n').any(is_known)
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
    let firmware = need("typ")?;
    let firmware = FirmwareType::read(&firmware).ok_or_else(|| bad("typ", firmware))?;
    // N and B as the patchers write them; Y is what encrypted-only packages carry.
    let members = need("enc")?;
    let device = need("dev")?;
    Ok(Info {
        firmware,
        model: (!is_nothing(&device)).then_some(Model::Device(device)),
        title: find("nam")?,
        compatible: vec![],
        members: match members.to_ascii_uppercase().as_str() {
            "B" => Some(Members::Both),
            "N" => Some(Members::Plain),
            "Y" => Some(Members::Encrypted),
            _ => return Err(bad("enc", members)),
        },
        md5: Stated::read(find("md5")?),
        md5_encrypted: Stated::read(find("md5e")?),
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
        assert_eq!((info.firmware, info.model), (FirmwareType::Drv, Some(Model::Suggested("pro".into()))));
        assert_eq!((info.members, info.md5), (Some(Members::Both), Stated::Digest(md5(b""))));
        assert!(json(format!("\u{FEFF}{JSON}").as_bytes()).is_ok(), "as some editors save it");
        let enforced = json(JSON.replace("false", "true").as_bytes()).unwrap();
        assert_eq!(enforced.model, Some(Model::Enforced("pro".into())));
        let capitals = JSON.replace("d41d8cd98f00b204e9800998ecf8427e", "D41D8CD98F00B204E9800998ECF8427E");
        assert_eq!(json(capitals.as_bytes()).unwrap().md5, Stated::Digest(md5(b"")));
    }

    #[test]
    fn the_rules_of_the_json_form_are_kept() {
        for (from, to, message) in [
            ("\"schemaVersion\": 1", "\"schemaVersion\": 3", "info.json has the unknown schema version 3"),
            ("\"pro\"", "\"../../etc\"", "info.json has an invalid model: \"../../etc\""),
            ("\"DRV\"", "\"ESC\"", "info.json has an invalid type: \"ESC\""),
        ] {
            assert_eq!(json(JSON.replace(from, to).as_bytes()).unwrap_err().to_string(), message);
        }
        for (from, to) in [
            ("\"both\"", "\"all\""),
            ("\"type\": \"DRV\",", ""),
            ("\"md5\":", "\"md5\": {}, \"md5\":"),
            ("\"schemaVersion\": 1", "\"schemaVersion\": \"one\""),
        ] {
            assert!(matches!(json(JSON.replace(from, to).as_bytes()), Err(InfoError::Json(_))), "{from} -> {to}");
        }
    }

    /// As the command line of a patcher writes it if it was not told the scooter.
    #[test]
    fn what_a_json_form_leaves_open_is_left_open() {
        for open in ["null", "\"\"", "\"None\""] {
            let info =
                json(JSON.replace("\"pro\"", open).replace("[\"mi_DRV_STM32F103CxT6\"]", "[]").as_bytes()).unwrap();
            assert_eq!((info.model, info.compatible), (None, vec![]), "{open}");
        }
        let bare = r#"{"schemaVersion": 1, "firmware": {"type": "drv"}}"#;
        let info = json(bare.as_bytes()).unwrap();
        assert_eq!((info.model, info.members, info.md5), (None, None, Stated::Nothing));
        let unsaid = json(JSON.replace("\"enforceModel\": false,", "").as_bytes()).unwrap();
        assert_eq!(unsaid.model, Some(Model::Enforced("pro".into())), "the stricter one");
    }

    #[test]
    fn an_empty_list_of_models_says_nothing() {
        let info = json(JSON.replace("\"model\"", "\"models\": [], \"model\"").as_bytes()).unwrap();
        assert_eq!(info.model, Some(Model::Suggested("pro".into())));
    }

    #[test]
    fn schema_2_has_a_list_of_models_and_one_md5() {
        let text = r#"{"schemaVersion": 2, "firmware": {"displayName": "test", "type": "drv",
            "compatible": ["mi_DRV_STM32F103CxT6"], "md5": "d41d8cd98f00b204e9800998ecf8427e", "models": ["pro", "1s"]}}"#;
        let info = json(text.as_bytes()).unwrap();
        let model = info.model.unwrap();
        assert_eq!((model.name(), model.scooters()), ("pro, 1s".into(), vec!["pro", "1s"]));
        assert_eq!((info.firmware, info.members), (FirmwareType::Drv, None));
        assert_eq!((info.md5, info.md5_encrypted), (Stated::Digest(md5(b"")), Stated::Nothing));
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
        assert_eq!((info.model, info.title), (Some(Model::Device("M365".into())), Some("DRV155".into())));
        assert_eq!((info.members, info.md5), (Some(Members::Both), Stated::Digest(md5(b""))));
        let sloppy = text(b"\xEF\xBB\xBFdev:ES\r\nenc : y\r\ntyp: ble").unwrap();
        assert_eq!((sloppy.firmware, sloppy.members), (FirmwareType::Ble, Some(Members::Encrypted)));
        let open = text(b"dev: None;\nenc: N;\ntyp: DRV;\nmd5: No_MD5;\n").unwrap();
        assert_eq!((open.model, open.md5), (None, Stated::Garbage("No_MD5".into())));
    }

    #[test]
    fn an_incomplete_text_form_is_refused() {
        for (bytes, message) in [
            (&b""[..], "info.txt has no typ"),
            (b"typ: DRV;\nenc: B;", "info.txt has no dev"),
            (b"typ: ESC;\nenc: B;", "info.txt has an invalid typ: \"ESC\""),
            (b"typ: DRV;\nenc: X;\ndev: ES", "info.txt has an invalid enc: \"X\""),
            (b"typ: DRV;\nenc: N;\ndev: ES\nDev: M365", "info.txt has dev twice"),
            (b"typ: DRV;\nenc: N;\ndev: ES\nmd5: 0\nmd5: 1", "info.txt has md5 twice"),
            (b"typ: \xFF", "info.txt is not text"),
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
