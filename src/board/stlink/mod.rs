//! A driver for ST's probes, opened by the place they are plugged into.
//!
//! probe-rs opens an ST-Link by USB ids and serial number, and takes the first that matches. Clones often have no serial
//! number, or all the same one, and the wrong board would be erased. This driver opens a given USB device instead, and is
//! used only if another probe answers to the same ids and serial number. It offers what this program needs: SWD, NRST, the
//! registers of the debug port, and words of memory by the probe's own memory commands.

mod arm;
mod clock;
mod commands;
#[cfg(test)]
mod script;
mod usb;

pub(super) use self::usb::open;
