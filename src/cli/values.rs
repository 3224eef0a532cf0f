//! How typed values are read, and refused in plain words.

use std::ffi::OsStr;

use clap::{
    Arg, Command,
    builder::{PossibleValue, TypedValueParser},
    error::ErrorKind,
};
use m365_drv::target::Target;

/// Reads a value by a function. If the value is wrong, the user gets the words of that function and nothing else: they
/// name the value, the form and the mistake, which clap would repeat.
#[derive(Clone, Copy)]
pub(super) struct Reads<T>(pub(super) fn(&str) -> Result<T, String>);

impl<T: Clone + Send + Sync + 'static> TypedValueParser for Reads<T> {
    type Value = T;

    fn parse_ref(&self, command: &Command, _: Option<&Arg>, value: &OsStr) -> Result<T, clap::Error> {
        let read = self.0(&value.to_string_lossy());
        read.map_err(|message| command.clone().error(ErrorKind::ValueValidation, message))
    }
}

/// Reads the name of a scooter as people write it.
#[derive(Clone, Copy)]
pub(super) struct ScooterName;

impl TypedValueParser for ScooterName {
    type Value = &'static Target;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<&'static Target, clap::Error> {
        Reads(|text| Target::named(text).map_err(|error| error.to_string())).parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(Target::all().iter().map(|target| PossibleValue::new(&*target.name).help(&*target.title))))
    }
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
            "--chip",
            "--color",
            "--connect",
            "--force",
            "--km",
            "--mileage-m",
            "--probe",
            "--scooter",
            "--serial",
            "--simulate",
            "--speed",
            "--uid",
            "--wait",
            "scooter",
            "shell",
            "topic",
        ];
        assert_eq!(all.iter().map(String::as_str).collect::<Vec<_>>(), rows);
    }
}
