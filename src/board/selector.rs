//! Which of several probes is meant, as the user says it.

use std::fmt;

use super::ProbeEntry;

/// Which probe the user chose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// `#N`: by number in the list.
    Index(usize),
    /// `usb:BUS-PORT[.PORT]`: by the USB port.
    Usb(String),
    /// `VID:PID`: by USB ids.
    Ids(u16, u16),
    /// `VID:PID:SERIAL`: by USB ids and serial number.
    Full(u16, u16, String),
    /// A serial number or at least its first [`Selector::MIN_PREFIX`] characters.
    Serial(String),
}

/// Why a text does not name a probe.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid probe {text:?}: expected VID:PID, VID:PID:SERIAL, a serial number or at least its first {min} characters, \
     usb:BUS-PORT or #N (for example 0483:3748); {mistake}", min = Selector::MIN_PREFIX
)]
pub struct SelectorError {
    /// What was typed.
    pub text: String,
    /// What is wrong and at which place.
    pub mistake: String,
}

impl std::str::FromStr for Selector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        Self::read(text.trim()).map_err(|mistake| SelectorError { text: text.to_owned(), mistake })
    }
}

impl Selector {
    /// The shortest part of a serial number that is accepted. Fewer characters could be a mistyped `#N` or bus number, and
    /// match another probe tomorrow.
    pub const MIN_PREFIX: usize = 4;

    fn read(text: &str) -> Result<Self, String> {
        if let Some(number) = text.strip_prefix('#') {
            let index = number.parse().ok().filter(|n| *n > 0);
            return index.map(Self::Index).ok_or(format!("{number:?} after the \"#\" is not a number from 1"));
        }
        if let Some(place) = text.strip_prefix("usb:") {
            let (bus, ports) = place.split_once('-').unwrap_or((place, ""));
            let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            let is_bus = !bus.is_empty() && bus.bytes().all(|b| b.is_ascii_alphanumeric());
            return if is_bus && ports.split('.').all(is_number) {
                Ok(Self::Usb(place.to_owned()))
            } else {
                Err(format!("{place:?} after \"usb:\" is not a place such as 1-4 or 1-4.2"))
            };
        }
        let Some((vid, rest)) = text.split_once(':') else {
            return match text.chars().count() {
                0 => Err("it is empty".into()),
                1..Self::MIN_PREFIX => Err("it is too short for a serial number".into()),
                _ => Ok(Self::Serial(text.to_owned())),
            };
        };
        let (pid, serial) = rest.split_once(':').unwrap_or((rest, ""));
        let id = |part: &str, name: &str| {
            let id = Some(part).filter(|part| part.len() == 4 && part.bytes().all(|b| b.is_ascii_hexdigit()));
            let id = id.and_then(|part| u16::from_str_radix(part, 16).ok());
            id.ok_or(format!("the {name} {part:?} is not 4 hex digits"))
        };
        let (vid, pid) = (id(vid, "VID")?, id(pid, "PID")?);
        Ok(if serial.is_empty() { Self::Ids(vid, pid) } else { Self::Full(vid, pid, serial.to_owned()) })
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(index) => write!(f, "#{index}"),
            Self::Usb(place) => write!(f, "usb:{place}"),
            Self::Ids(vid, pid) => write!(f, "{vid:04x}:{pid:04x}"),
            Self::Full(vid, pid, serial) => write!(f, "{vid:04x}:{pid:04x}:{serial}"),
            Self::Serial(serial) => f.write_str(serial),
        }
    }
}

impl Selector {
    /// Whether it names this probe.
    pub fn matches(&self, entry: &ProbeEntry) -> bool {
        let ids = |vid: u16, pid: u16| entry.vid == format!("{vid:04x}") && entry.pid == format!("{pid:04x}");
        let serial = entry.serial.as_deref().unwrap_or("");
        match self {
            Self::Index(index) => entry.index == *index,
            Self::Usb(place) => entry.usb.as_deref() == Some(place),
            Self::Ids(vid, pid) => ids(*vid, *pid),
            Self::Full(vid, pid, wanted) => ids(*vid, *pid) && serial.eq_ignore_ascii_case(wanted),
            Self::Serial(wanted) => {
                serial.len() >= wanted.len()
                    && serial.is_char_boundary(wanted.len())
                    && serial[..wanted.len()].eq_ignore_ascii_case(wanted)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_reads_every_documented_form() {
        for (text, selector) in [
            ("0483:3748", Selector::Ids(0x0483, 0x3748)),
            ("0483:3748:", Selector::Ids(0x0483, 0x3748)),
            ("0483:3748:AB12", Selector::Full(0x0483, 0x3748, "AB12".into())),
            ("066D", Selector::Serial("066D".into())),
            ("usb:1-4.2", Selector::Usb("1-4.2".into())),
            ("#2", Selector::Index(2)),
        ] {
            assert_eq!(text.parse(), Ok(selector), "{text}");
        }
    }

    #[test]
    fn a_wrong_selector_is_answered_with_the_forms_and_the_place() {
        for (text, mistake) in [
            ("", "it is empty"),
            ("066", "it is too short for a serial number"),
            ("1", "it is too short for a serial number"),
            ("#0", "\"0\" after the \"#\" is not a number from 1"),
            ("#x", "\"x\" after the \"#\" is not a number from 1"),
            ("usb:", "\"\" after \"usb:\" is not a place such as 1-4 or 1-4.2"),
            ("usb:four", "\"four\" after \"usb:\" is not a place such as 1-4 or 1-4.2"),
            ("usb:1-", "\"1-\" after \"usb:\" is not a place such as 1-4 or 1-4.2"),
            ("483:3748", "the VID \"483\" is not 4 hex digits"),
            ("0483:zzzz", "the PID \"zzzz\" is not 4 hex digits"),
            ("+483:3748", "the VID \"+483\" is not 4 hex digits"),
        ] {
            let error = text.parse::<Selector>().unwrap_err().to_string();
            let forms = "expected VID:PID, VID:PID:SERIAL, a serial number or at least its first 4 characters, usb:BUS-PORT \
                         or #N (for example 0483:3748)";
            assert_eq!(error, format!("invalid probe {text:?}: {forms}; {mistake}"));
        }
    }

    #[test]
    fn a_serial_number_is_found_by_its_beginning_in_either_case() {
        let entry = ProbeEntry {
            index: 1,
            vid: "0483".into(),
            pid: "3748".into(),
            serial: Some("066DFF485550".into()),
            usb: Some("1-4".into()),
            kind: "STLink V2".into(),
            usable: true,
            problem: None,
            has_twin: false,
        };
        for text in ["066dff", "066DFF485550", "#1", "usb:1-4", "0483:3748", "0483:3748:066dff485550"] {
            assert!(text.parse::<Selector>().unwrap().matches(&entry), "{text}");
        }
        for text in ["66DFF", "066DFF4855501", "#2", "usb:1-4.1", "0483:3748:066d", "0483:374b", "0484:3748"] {
            assert!(!text.parse::<Selector>().unwrap().matches(&entry), "{text}");
        }
    }
}
