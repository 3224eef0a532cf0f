//! What can be typed: the arguments that several commands share, how values are read, and the command line itself.

pub(crate) mod asked_data;
pub(crate) mod backup_place;
pub(crate) mod called;
pub(crate) mod command_line;
pub(crate) mod consent;
pub(crate) mod data_file;
pub(crate) mod firmware;
pub(crate) mod globals;
pub(crate) mod goal;
pub(crate) mod images;
pub(crate) mod mileage;
pub(crate) mod question;
mod quoting;
pub(crate) mod simulate;
pub(crate) mod suggestions;
pub(crate) mod supply;
pub(crate) mod values;
pub(crate) mod verify_how;
pub(crate) mod watchdog;
pub(crate) mod words;
