//! Rows that the reports of several commands have.

use m365_drv::{
    block::{Serial, Summary, Uid},
    board::{OptionBytes, Protection, VerifiedBy},
    count::count,
    ops::{DataSource, Firmware},
    target::Target,
};

use super::page::{Page, Tone};

/// Whether the chip can be read, and whether its option bytes protect it from the next reset on.
pub(crate) fn protection_row(protection: Protection, is_pending: bool, page: &mut Page) {
    match protection {
        Protection::None if is_pending => {
            page.toned("protection", "none until the next reset: the option bytes protect the chip", Tone::Remark)
        }
        Protection::None => page.toned("protection", "none", Tone::Good),
        Protection::Read => page.toned("protection", "read-protected", Tone::Remark),
    };
}

/// The option bytes. Those of a protected chip are mostly erased: the firmware erases all of them to set read-out protection, and
/// writes only RDP.
pub(crate) fn options_in_words(bytes: &OptionBytes) -> String {
    if bytes.complements_right() {
        format!("RDP {:#04x}, USER {:#04x}", bytes.rdp(), bytes.user())
    } else if bytes.protects() {
        format!("RDP {:#04x}; some are erased or damaged (normal: the firmware does this)", bytes.rdp())
    } else {
        format!("damaged: {}", hex::encode(bytes.0))
    }
}

/// An image by name, or by its hash if it is not made from a known one.
pub(crate) fn firmware_row(label: &str, firmware: Option<&Firmware>, page: &mut Page) {
    let Some(firmware) = firmware else {
        page.toned(label, "none", Tone::Remark);
        return;
    };
    match (&firmware.name, &firmware.version) {
        (Some(name), _) if firmware.known => page.row(label, name),
        (Some(name), _) => page.toned(label, name, Tone::Remark),
        (None, Some(version)) => page.toned(label, format!("unknown, version {version}"), Tone::Remark),
        (None, None) => page.toned(label, format!("unknown, sha256 {}", firmware.sha256), Tone::Remark),
    };
}

/// Where a block was found, in words.
pub(crate) fn source_in_words(source: DataSource) -> &'static str {
    match source {
        DataSource::Flash => "the board's flash",
        DataSource::Sram => "SRAM",
        DataSource::File => "a file",
        DataSource::Backup => "a backup",
        DataSource::Template => "the firmware's own template",
    }
}

/// The same for a run that may have found the block left over in SRAM, and in what tense that is.
pub(crate) fn source_row(source: DataSource, left_in_sram: bool, written: InFlash) -> String {
    let from = source_in_words(source);
    match (left_in_sram, written) {
        (false, _) => from.into(),
        (true, InFlash::No) => format!("{from} only: keep the board powered, or it is lost"),
        (true, InFlash::Yes) => from.to_owned(),
    }
}

/// Whether the block that was found is in flash by now.
#[derive(Debug, Clone, Copy)]
pub(crate) enum InFlash {
    No,
    Yes,
}

/// The named fields of a block, one in each row; `chip` is the one that holds it.
pub(crate) fn summary_rows(summary: &Summary, chip: Option<Uid>, page: &mut Page) {
    match &summary.serial {
        Some(serial) if summary.factory_serial => {
            page.toned("serial", format!("{serial} (factory default, error 35)"), Tone::Bad)
        }
        Some(serial) => page.row("serial", serial),
        None => page.toned("serial", "none", Tone::Remark),
    };
    if summary.mileage_m.is_known() {
        page.row("mileage", summary.mileage_m);
    } else {
        page.toned("mileage", "unknown", Tone::Remark);
    }
    if summary.uid.is_blank() {
        page.toned("for chip", "none yet", Tone::Remark);
    } else if chip.is_some_and(|chip| chip != summary.uid) {
        page.toned("for chip", format!("{} (another one, error 27)", summary.uid), Tone::Bad);
    } else {
        page.row("for chip", summary.uid);
    }
    page.row("PIN", summary.pin.as_deref().unwrap_or("unreadable"));
    match summary.serial.as_deref().and_then(effect_of_no_activation).filter(|_| !summary.activated) {
        Some(effect) => page.toned("activated", format!("no: {effect}"), Tone::Remark),
        None => page.row("activated", if summary.activated { "yes" } else { "no" }),
    };
    page.row("firmware", summary.version);
}

/// What the firmware of the scooter with this serial number does until it is activated, if that is known.
fn effect_of_no_activation(serial: &str) -> Option<&'static str> {
    let has_form = |target: &&Target| target.serial.forms().any(|(pattern, _)| Serial::has_form(serial, pattern));
    Target::all().iter().find(has_form)?.block.inactive.as_deref()
}

/// Whether everything was verified, and how, unless every byte was read.
pub(crate) fn verified_in_words(is_verified: bool, by: Option<VerifiedBy>) -> &'static str {
    match (is_verified, by) {
        (false, _) => "no",
        (true, Some(VerifiedBy::Digest)) => "yes, by a digest of each page",
        (true, _) => "yes",
    }
}

/// What was written, and which planned pages did not have to be.
pub(crate) fn programmed_in_words(bytes: u32, skipped: u32, verb: &str) -> String {
    let verb = match (skipped, verb) {
        (1, "were") => "was",
        (1, _) => "is",
        _ => verb,
    };
    format!("{}; {} {verb} already correct", count(bytes, "byte"), count(skipped, "page"))
}
