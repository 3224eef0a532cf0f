//! The commands, one in each file: what a command can be given, how it runs, and its report as text.

pub(crate) mod backup;
pub(crate) mod backups;
pub(crate) mod batch;
pub(crate) mod config;
pub(crate) mod data;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod firmware;
pub(crate) mod flash;
pub(crate) mod generate;
pub(crate) mod guide;
pub(crate) mod image;
pub(crate) mod info;
pub(crate) mod probes;
pub(crate) mod protect;
pub(crate) mod report;
pub(crate) mod restore;
pub(crate) mod scooters;
pub(crate) mod verify;
