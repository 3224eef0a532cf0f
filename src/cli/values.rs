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
