//! The checks in words: what each is called, and what it has found.

use m365_drv::{
    board::{Protection, Startup},
    count::count,
    guide::scooter_errors,
    ops::{CheckName, Detail, Error, Firmware, Missing, State},
    target::Target,
    version::Version,
};

use crate::cli::screen::{
    probe_names,
    rows::{options_in_words, source_in_words},
};

/// What a check is called.
pub(super) fn title(name: CheckName) -> &'static str {
    match name {
        CheckName::Probe => "probe",
        CheckName::Access => "access",
        CheckName::InUse => "other programs",
        CheckName::ProbeFirmware => "probe firmware",
        CheckName::Voltage => "target voltage",
        CheckName::DebugPort => "debug port",
        CheckName::Core => "core",
        CheckName::Contact => "contact",
        CheckName::Chip => "chip",
        CheckName::FlashSize => "flash size",
        CheckName::Uid => "uid",
        CheckName::Protection => "protection",
        CheckName::WriteProtection => "write protection",
        CheckName::OptionBytes => "option bytes",
        CheckName::Watchdog => "watchdog",
        CheckName::Bootloader => "bootloader",
        CheckName::Drv => "drv",
        CheckName::DataBlock => "data block",
        CheckName::Serial => "serial",
        CheckName::BlockUid => "data block uid",
        CheckName::Application => "startup",
        CheckName::ScooterError => "scooter error",
        CheckName::Folders => "folders",
        CheckName::Images => "images",
    }
}

/// How a check ended.
pub(super) fn state(state: State) -> &'static str {
    match state {
        State::Pass => "pass",
        State::Warn => "warning",
        State::Fail => "FAIL",
        State::NotTried => "not tried",
    }
}

/// Whether a failed check tells what ended the checkup, rather than something of its own.
pub(super) fn is_of_error(detail: &Detail) -> bool {
    matches!(detail, Detail::Error | Detail::Problem(_) | Detail::Unsupported(_) | Detail::Silence(_))
}

/// What a check has found.
pub(super) fn found(detail: &Detail, error: Option<&Error>) -> String {
    match detail {
        Detail::Error => error.map_or_else(String::new, ToString::to_string),
        Detail::Missing(missing) => in_words(*missing).into(),
        Detail::Probe(entry) => probe_names::in_words(entry),
        Detail::Problem(problem) => problem.to_string(),
        Detail::Opened => "the probe can be opened".into(),
        Detail::Free => "no other program uses the probe".into(),
        Detail::ProbeFirmware(Some(version)) => version.clone(),
        Detail::ProbeFirmware(None) => "accepted; its version is not known".into(),
        Detail::Volts { volts, .. } => format!("{volts:.1} V"),
        Detail::DebugPort { dpidr } => format!("DPIDR {dpidr:#010x}"),
        Detail::Silence(answers) => format!("no answer in {}", count(answers.tries, "try")),
        Detail::Core { cpuid } => core(*cpuid),
        Detail::Contact { good, of, reconnects: 0, khz } => format!("{good} of {of} accesses at {khz} kHz"),
        Detail::Contact { good, of, reconnects, khz } => {
            format!("{good} of {of} accesses at {khz} kHz; lost {}", times(*reconnects))
        }
        Detail::Chip(kind) => kind.to_string(),
        Detail::Unsupported(chip) => chip.to_string(),
        Detail::FlashSize { kib: Some(kib), .. } => format!("{kib} KiB"),
        Detail::FlashSize { register, kib: None } => format!("implausible flash size {register} KiB"),
        Detail::Protection { protection: Protection::Read, .. } => {
            "read-protected (normal: the firmware sets it); unlocking erases the chip".into()
        }
        Detail::Protection { is_pending: true, .. } => {
            "none until the next reset: the option bytes protect the chip".into()
        }
        Detail::Protection { is_pending: false, .. } => "none: flash can be read".into(),
        Detail::WriteProtection { pages: 0 } => "none".into(),
        Detail::WriteProtection { pages } => format!("{} cannot be written", count(*pages, "page")),
        Detail::OptionBytes { bytes } => options_in_words(bytes),
        Detail::Watchdog { starts: false, .. } => "started by software only".into(),
        Detail::Watchdog { user, starts: true } => {
            format!("starts at every reset (USER {user:#04x}); firmware that does not feed it keeps resetting")
        }
        Detail::Image(firmware) => image(firmware),
        Detail::ImageOfOtherChip(firmware, chip) => format!("{}: does not run on a {chip}", image(firmware)),
        Detail::NoImage => "blank".into(),
        Detail::Block(source, summary) if summary.mileage_m.is_known() => {
            format!("in {}, {}", source_in_words(*source), summary.mileage_m)
        }
        Detail::Block(source, _) => format!("in {}, mileage unknown", source_in_words(*source)),
        Detail::NoBlock => {
            "none in flash or SRAM: the firmware will create one with a factory default serial number and without UID, and show errors 27 and 35"
                .into()
        }
        Detail::Serial(serial, scooters) if scooters.is_empty() => serial.to_string(),
        Detail::Serial(serial, scooters) => format!("{serial}, of {}", scooters.join(" or ")),
        Detail::SerialOfOther(serial, family) => format!("{serial}, of a {family}, which is not supported"),
        Detail::WrongForm(serial) => format!("{serial} does not have the form of a scooter's serial number"),
        Detail::FactorySerial(serial) => format!("{serial} is a factory default: the scooter will show error 35"),
        Detail::NoSerial => "no valid serial number in the data block".into(),
        Detail::BlockUid(uid) if uid.is_blank() => "the data block has no UID: the scooter will show error 27".into(),
        Detail::Uid(uid) | Detail::BlockUid(uid) => uid.to_string(),
        Detail::BlockOfOtherChip(uid) => format!("made for another chip, with UID {uid}: the scooter will show error 27"),
        Detail::Startup(Startup::Running { .. } | Startup::NoBlock { .. }) => "the firmware is running".into(),
        Detail::Startup(Startup::Unseen) => "contact was lost before the firmware could be watched".into(),
        Detail::Startup(startup) => startup.to_string(),
        Detail::HasRun => "the firmware has run since the board was powered".into(),
        Detail::NoSignOfLife => "no sign of running firmware".into(),
        Detail::ScooterError { code, version } => scooter_error(*code, *version),
        Detail::Told(words) => words.clone(),
    }
}

fn in_words(missing: Missing) -> &'static str {
    match missing {
        Missing::Probe => "needs a probe that can be used",
        Missing::Measurement => "the probe does not measure it",
        Missing::Board => "needs contact with a supported board",
        Missing::ReadableFlash => "flash is read-protected",
        Missing::DataBlock => "needs a data block",
        Missing::LiveBlock => "needs the data block of running firmware",
    }
}

fn times(number: u32) -> String {
    if number == 1 { "once".into() } else { format!("{number} times") }
}

/// Part number, variant and revision of a core (DDI 0403E B3.2.3).
fn core(cpuid: u32) -> String {
    let name = match cpuid >> 4 & 0xFFF {
        0xC20 => "Cortex-M0",
        0xC60 => "Cortex-M0+",
        0xC23 => "Cortex-M3",
        0xC24 => "Cortex-M4",
        _ => return format!("unknown (CPUID {cpuid:#010x})"),
    };
    format!("{name} r{}p{}", cpuid >> 20 & 0xF, cpuid & 0xF)
}

fn image(firmware: &Firmware) -> String {
    match (&firmware.name, &firmware.version) {
        (Some(name), _) => name.clone(),
        (None, Some(version)) => format!("unknown, version {version}"),
        (None, None) => "unknown".into(),
    }
}

/// What the scooter itself thinks.
fn scooter_error(code: u16, version: Version) -> String {
    let of = format!("firmware {version}");
    let meaning = u8::try_from(code).ok().and_then(scooter_errors::find).map(|row| row.meaning);
    match (code, meaning) {
        (0, _) => format!("{of} shows no error"),
        (code, Some(meaning)) if Startup::is_normal_on_a_bench(code) => {
            format!("{of} shows error {code}: {meaning}; normal on a bench")
        }
        (code, Some(meaning)) => format!("{of} shows error {code}: {meaning}"),
        (code, None) => format!("{of} shows error {code}"),
    }
}

/// Whether there are images to flash for the scooter, or for any.
pub(super) fn images(scooter: Option<&Target>, ready: &[&str]) -> (State, String) {
    match (scooter, ready) {
        (Some(scooter), []) => (State::Warn, format!("bootloader or firmware for a {} is missing", scooter.title)),
        (None, []) => (State::Warn, "bootloader or firmware is missing for every scooter".into()),
        (_, ready) => (State::Pass, format!("bootloader and firmware for {}", ready.join(", "))),
    }
}
