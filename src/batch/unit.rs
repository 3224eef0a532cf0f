//! One line of the log: a board, and what became of it.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use serde_json::Value;

use crate::{
    block::{Mileage, Serial, Uid},
    board::BoardState,
    count::count,
    target::Target,
};

/// The result of a line that was written before the work on a board began.
pub const STARTED: &str = "started";
/// The result of a board that was written and verified.
pub const OK: &str = "ok";

/// One line of the log. The names of its fields are the columns of a CSV file and the keys of a line of JSON.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unit {
    /// When the line was written, in UTC.
    pub time: String,
    /// The chip's UID; `None` if what was on the wires is not a supported board.
    #[serde(with = "text")]
    pub uid: Option<Uid>,
    /// The serial number that is on the board now, or that it was to be given.
    #[serde(with = "text")]
    pub serial: Option<Serial>,
    /// The mileage likewise, in kilometres.
    #[serde(rename = "km", with = "kilometres")]
    pub mileage: Option<Mileage>,
    /// The scooter, by its name on the command line.
    pub scooter: String,
    /// The DRV firmware.
    pub firmware: Option<String>,
    /// [`STARTED`], or the name of the exit code that `flash` would have ended with: [`OK`] if all is well.
    pub result: String,
    /// What the board was left as: `untouched`, `erased`, `partial` or `written`; `None` at the beginning.
    pub board: Option<String>,
    /// The backup that was made before.
    pub backup: Option<String>,
}

/// The name of a state in the log, which is that of `--json`.
pub(crate) fn state_name(state: BoardState) -> &'static str {
    match state {
        BoardState::Untouched => "untouched",
        BoardState::Erased => "erased",
        BoardState::Partial => "partial",
        BoardState::Written => "written",
    }
}

impl Unit {
    /// The first line of a CSV file.
    pub(super) const HEADER: &str = "time,uid,serial,km,scooter,firmware,result,board,backup";

    /// The columns whose cells are text even if they are empty.
    const TEXTS: [&str; 3] = ["time", "scooter", "result"];

    /// The cells of its line in a CSV file.
    pub(super) fn cells(&self) -> serde_json::Result<Vec<String>> {
        let values = serde_json::to_value(self)?;
        let cell = |column: &str| match &values[column] {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        Ok(Self::HEADER.split(',').map(cell).collect())
    }

    /// The unit of a line in a CSV file.
    pub(super) fn from_cells(cells: &[String]) -> Result<Self, String> {
        let columns: Vec<_> = Self::HEADER.split(',').collect();
        if cells.len() != columns.len() {
            return Err(format!("it has {} instead of {}", count(cells.len(), "cell"), columns.len()));
        }
        let value = |(column, cell): (&str, &String)| {
            let value = match (column, cell.as_str()) {
                (column, text) if Self::TEXTS.contains(&column) => text.into(),
                (_, "") => Value::Null,
                ("km", text) => text.parse::<f64>().map_err(|_| format!("invalid mileage {text:?}"))?.into(),
                (_, text) => text.into(),
            };
            Ok((column.to_owned(), value))
        };
        let values = columns.into_iter().zip(cells).map(value).collect::<Result<_, String>>()?;
        serde_json::from_value(Value::Object(values)).map_err(|error| error.to_string())
    }

    /// The beginning of the work on a board.
    pub fn started(scooter: &str, uid: Uid, serial: Option<Serial>, mileage: Option<Mileage>) -> Self {
        let (uid, scooter, result) = (Some(uid), scooter.to_owned(), STARTED.to_owned());
        Self { uid, serial, mileage, scooter, result, ..Self::default() }
    }

    /// What the board was left as.
    #[must_use]
    pub fn left_as(self, state: BoardState) -> Self {
        Self { board: Some(state_name(state).to_owned()), ..self }
    }

    /// Whether nothing was written to the board.
    pub fn is_unchanged(&self) -> bool {
        self.board.as_deref() == Some(state_name(BoardState::Untouched))
    }
}

/// A value that is text in the log.
mod text {
    use super::{Deserialize, Deserializer, Serial, Serializer, Target, Uid};

    pub(super) trait InLog: Sized + ToString {
        fn read(text: &str) -> Result<Self, String>;
    }

    impl InLog for Uid {
        fn read(text: &str) -> Result<Self, String> {
            text.parse().map_err(|error: crate::block::UidError| error.to_string())
        }
    }

    impl InLog for Serial {
        fn read(text: &str) -> Result<Self, String> {
            Target::read_any_serial(text).map_err(|error| error.to_string())
        }
    }

    #[expect(clippy::ref_option, reason = "serde calls it so")]
    pub(super) fn serialize<T: InLog, S: Serializer>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => serializer.serialize_str(&value.to_string()),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, T: InLog, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?.filter(|text| !text.is_empty());
        text.map(|text| T::read(&text).map_err(serde::de::Error::custom)).transpose()
    }
}

/// A mileage in kilometres, with all its metres.
mod kilometres {
    use super::{Deserialize, Deserializer, Mileage, Serializer, de::Error as _};

    #[expect(clippy::ref_option, clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    pub(super) fn serialize<S: Serializer>(value: &Option<Mileage>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(mileage) => serializer.serialize_f64(f64::from(mileage.metres()) / 1000.0),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Mileage>, D::Error> {
        let Some(km) = Option::<f64>::deserialize(deserializer)? else { return Ok(None) };
        let metres = (km * 1000.0).round();
        if !(0.0..=f64::from(i32::MAX)).contains(&metres) {
            return Err(D::Error::custom(format!("invalid mileage {km}")));
        }
        #[expect(clippy::cast_sign_loss, reason = "the range was checked")]
        Mileage::from_metres(metres as u32).map(Some).map_err(D::Error::custom)
    }
}
