//! A driver for ST's probes, opened by the place they are plugged into.
//!
//! probe-rs opens the first ST-Link with the right USB ids and serial number. Clones often have no serial number, or all the
//! same one, so the wrong board could be erased. This driver opens a given USB device instead. It is used only if probe-rs
//! could open another probe, and does only what this program needs: SWD, NRST, the registers of the debug port, and words of
//! memory with the probe's own memory commands.

mod arm;
mod clock;
mod commands;
#[cfg(test)]
mod script;
mod usb;

pub(super) use self::usb::{open, version};
