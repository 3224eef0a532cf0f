//! How typed values are read, and refused in plain words.

use std::{ffi::OsStr, time::Duration};

use clap::{
    Arg, Command,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser},
    error::ErrorKind,
};
use m365_drv::{
    board::{Selector, SelectorError, Wait},
    image::GATES,
    ops::OTHER_SCOOTER,
    target::Target,
};

/// Reads a value by a function. If the value is wrong, the user gets the words of that function and nothing else: they
/// name the value, the form and the mistake, which clap would repeat.
#[derive(Clone, Copy)]
pub(crate) struct Reads<T>(pub(crate) fn(&str) -> Result<T, String>);

impl<T: Clone + Send + Sync + 'static> TypedValueParser for Reads<T> {
    type Value = T;

    fn parse_ref(&self, command: &Command, _: Option<&Arg>, value: &OsStr) -> Result<T, clap::Error> {
        let read = self.0(&value.to_string_lossy());
        read.map_err(|message| command.clone().error(ErrorKind::ValueValidation, message))
    }
}

/// Reads the name of a scooter as people write it.
#[derive(Clone, Copy)]
pub(crate) struct ScooterName;

impl TypedValueParser for ScooterName {
    type Value = &'static Target;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<&'static Target, clap::Error> {
        Reads(|text| Target::named(text).map_err(|error| error.to_string())).parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(Target::all().iter().map(|target| PossibleValue::new(&*target.name).help(&*target.title))))
    }
}

/// Reads the value of `--force`: a gate of images, or the one of boards.
pub(crate) fn gate_parser() -> PossibleValuesParser {
    PossibleValuesParser::new(GATES.into_iter().chain([OTHER_SCOOTER]))
}

/// Reads the value of `--probe`.
pub(crate) fn parse_probe(text: &str) -> Result<Selector, String> {
    text.parse().map_err(|error: SelectorError| error.to_string())
}

/// Reads the value of `--speed`: kHz, with or without the unit.
pub(crate) fn parse_khz(text: &str) -> Result<u32, String> {
    let (number, unit, at) = number_and_unit(text);
    let mistake = match number.parse::<u32>() {
        _ if not_a_digit(number, unit, at).is_some() => not_a_digit(number, unit, at).unwrap_or_default(),
        _ if !unit.is_empty() && !unit.eq_ignore_ascii_case("khz") => format!("{unit:?} at position {at} is not kHz"),
        Ok(khz @ 1..=50_000) => return Ok(khz),
        Ok(0) => "it is too slow".into(),
        Err(_) if number.is_empty() => "it is empty".into(),
        _ => "it is too fast".into(),
    };
    Err(format!("invalid speed {text:?}: needs a whole number of kHz from 1 to 50000 (for example 1000); {mistake}"))
}

/// Reads the value of `--port`.
pub(crate) fn parse_port(text: &str) -> Result<u16, String> {
    let port = text.trim().parse().ok().filter(|port| *port > 0);
    port.ok_or_else(|| format!("invalid port {text:?}: needs a whole number from 1 to 65535 (for example 8365)"))
}

/// Reads the value of `--wait`: a whole number with a unit; seconds without one.
pub(crate) fn parse_wait(text: &str) -> Result<Wait, String> {
    if text == "forever" {
        return Ok(Wait::Forever);
    }
    let (number, unit, at) = number_and_unit(text);
    let scale_ms = match unit {
        "ms" => Ok(1),
        "" | "s" | "sec" => Ok(1000),
        "m" | "min" => Ok(60_000),
        "h" => Ok(3_600_000),
        _ => Err(format!("{unit:?} at position {at} is not ms, s, m or h")),
    };
    let number = match not_a_digit(number, unit, at) {
        Some(mistake) => Err(mistake),
        None if number.is_empty() => Err("it is empty".to_owned()),
        None => Ok(number.parse::<u64>().unwrap_or(u64::MAX)),
    };
    match number.and_then(|number| scale_ms.map(|scale| number.saturating_mul(scale))) {
        Ok(ms) => Ok(Wait::For(Duration::from_millis(ms))),
        Err(mistake) => Err(format!(
            "invalid duration {text:?}: needs a whole number and ms, s, m or h (for example 30s); {mistake}"
        )),
    }
}

/// The digits that a text begins with, what follows them, and the position of that, from 1.
fn number_and_unit(text: &str) -> (&str, &str, usize) {
    let typed = text.trim();
    let number = typed.trim_start_matches(|c: char| c.is_ascii_digit());
    let number = &typed[..typed.len() - number.len()];
    let unit = typed[number.len()..].trim_start();
    let at = text.trim_end().chars().count() - unit.chars().count() + 1;
    (number, unit, at)
}

/// What is wrong if no unit can be meant: no number stands before it, or it does not begin with a letter.
fn not_a_digit(number: &str, unit: &str, at: usize) -> Option<String> {
    let first = unit.chars().next().filter(|first| number.is_empty() || !first.is_alphabetic())?;
    Some(format!("{:?} at position {at} is not a digit", first.to_string()))
}

#[cfg(test)]
mod tests {
    use std::{any::TypeId, collections::BTreeSet, path::PathBuf};

    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    /// Every argument that takes a value and is not a file or folder.
    fn values(command: &Command, all: &mut BTreeSet<String>) {
        let takes_value = |arg: &&Arg| arg.get_action().takes_values();
        let is_path = |arg: &Arg| arg.get_value_parser().type_id() == TypeId::of::<PathBuf>();
        let args = command.get_arguments().filter(takes_value).filter(|arg| !is_path(arg));
        all.extend(args.map(|arg| arg.get_long().map_or(arg.get_id().to_string(), |long| format!("--{long}"))));
        for inner in command.get_subcommands() {
            values(inner, all);
        }
    }

    #[test]
    fn every_typed_value_is_known_to_the_test_of_their_errors() {
        let mut all = BTreeSet::new();
        values(&Cli::command(), &mut all);
        // Each of them is a row of `every_typed_value_is_answered_with_the_form_an_example_and_the_place`.
        let rows = [
            "--as",
            "--chip",
            "--color",
            "--connect",
            "--force",
            "--km",
            "--mileage-m",
            "--mirror",
            "--port",
            "--probe",
            "--scooter",
            "--serial",
            "--simulate",
            "--speed",
            "--uid",
            "--verify",
            "--wait",
            "scooter",
            "shell",
            "topic",
            "version",
        ];
        assert_eq!(all.iter().map(String::as_str).collect::<Vec<_>>(), rows);
    }

    #[test]
    fn a_wait_is_a_number_with_a_unit() {
        let seconds = |seconds| Ok(Wait::For(Duration::from_secs(seconds)));
        assert_eq!(parse_wait("30"), seconds(30));
        assert_eq!(parse_wait("30s"), seconds(30));
        assert_eq!(parse_wait("5m"), seconds(300));
        assert_eq!(parse_wait("500ms"), Ok(Wait::For(Duration::from_millis(500))));
        assert_eq!(parse_wait("forever"), Ok(Wait::Forever));
        assert_eq!((parse_wait(" 30 s"), parse_wait("2min")), (seconds(30), seconds(120)));
        assert!(matches!(parse_wait("99999999999999999999h"), Ok(Wait::For(_))));
    }

    #[test]
    fn a_wrong_duration_is_answered_with_the_form_an_example_and_the_place() {
        for (text, mistake) in [
            ("", "it is empty"),
            ("s", "\"s\" at position 1 is not a digit"),
            ("-1", "\"-\" at position 1 is not a digit"),
            ("1.5s", "\".\" at position 2 is not a digit"),
            ("5 parsecs", "\"parsecs\" at position 3 is not ms, s, m or h"),
        ] {
            let form = "needs a whole number and ms, s, m or h (for example 30s)";
            assert_eq!(parse_wait(text), Err(format!("invalid duration {text:?}: {form}; {mistake}")));
        }
    }

    #[test]
    fn a_speed_is_in_khz_and_a_wrong_one_is_answered_with_the_form() {
        assert_eq!((parse_khz("1000"), parse_khz("950 kHz"), parse_khz("50000khz")), (Ok(1000), Ok(950), Ok(50_000)));
        for (text, mistake) in [
            ("", "it is empty"),
            ("0", "it is too slow"),
            ("50001", "it is too fast"),
            ("99999999999999", "it is too fast"),
            ("4MHz", "\"MHz\" at position 2 is not kHz"),
            ("x", "\"x\" at position 1 is not a digit"),
            ("-1", "\"-\" at position 1 is not a digit"),
            ("1.5 kHz", "\".\" at position 2 is not a digit"),
        ] {
            let form = "needs a whole number of kHz from 1 to 50000 (for example 1000)";
            assert_eq!(parse_khz(text), Err(format!("invalid speed {text:?}: {form}; {mistake}")));
        }
    }
}
