//! What to do about a check that did not pass. Advice that stands elsewhere is taken from there.

use m365_drv::{
    board::{self, Finding, Problem, Protection, Startup, Unsupported},
    guide::{coach, scooter_errors},
    ops::{Check, CheckName, Checkup, Detail, Error, State},
};

use crate::cli::{
    args::command_line::CommandLine,
    exit::Exit,
    exit_codes::{ExitRow, TO_BOARD},
    probe_fixes::{self, System},
};

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fix {
    /// In words.
    pub(super) words: String,
    /// The command to type, if one helps.
    pub(super) next: Option<String>,
}

impl Fix {
    fn words(words: impl Into<String>) -> Self {
        Self { words: words.into(), next: None }
    }

    /// Words that end in the command.
    fn command(words: &str, command: String) -> Self {
        Self {
            words: format!("{words}{} `{command}`", if words.ends_with("see") { "" } else { ":" }),
            next: Some(command),
        }
    }
}

/// The fix of a check; `None` if it passed, was not tried, or nothing is known to help.
pub(super) fn of(check: &Check, known: &Checkup, error: Option<&Error>, typed: &CommandLine) -> Option<Fix> {
    if !matches!(check.state, State::Warn | State::Fail) {
        return None;
    }
    let scooter = known.scooter.map_or("SCOOTER", |scooter| &*scooter.name);
    let erase: &[&str] = if known.protection == Some(Protection::Read) { &["--erase-all"] } else { &[] };
    let flash = |more: &[&str]| typed.other(&[&["flash", scooter], erase, more].concat(), &TO_BOARD);
    let unlock = || typed.other(&["unlock", "--erase-all"], &TO_BOARD);
    // What the board cannot give has to be typed.
    let fails = |name: CheckName| known.checks.iter().any(|check| check.name == name && check.state == State::Fail);
    // The mileage beside an unusable serial number may not be usable either.
    let data: &[&str] = if fails(CheckName::DataBlock) || fails(CheckName::Serial) {
        &["--serial", "SERIAL", "--km", "KM"]
    } else {
        &[]
    };
    let is_unclear =
        matches!(error, Some(Error::Board(board::Error::SeveralProbes { .. } | board::Error::ProbeAmbiguous { .. })));
    Some(match (check.name, &check.detail) {
        (CheckName::Probe, _) if is_unclear => Fix::words("Choose one with `--probe`: `m365-drv probes` lists them."),
        (_, Detail::Problem(problem)) => return problem_fix(problem),
        (CheckName::Voltage, Detail::Volts { finding, .. }) => Fix::words(coach::advice((*finding)?)),
        (CheckName::DebugPort, Detail::Silence(_)) => Fix::words(coach::advice(known.wires.unwrap_or(Finding::Silent))),
        (CheckName::Chip, Detail::Chip(_)) => {
            Fix::command("Flash only firmware that is made for this chip", format!("m365-drv firmware list {scooter}"))
        }
        (CheckName::Chip, Detail::Unsupported(chip)) if *chip != Unsupported::Dashboard => {
            Fix::command("This program does not support this chip; see", explain(Exit::WrongBoard))
        }
        (CheckName::Chip, _) => {
            Fix::command("The probe belongs on the motor controller; see", explain(Exit::WrongBoard))
        }
        (CheckName::Contact | CheckName::Core | CheckName::FlashSize | CheckName::Uid, _) => {
            let wires = known.wires.filter(|wires| *wires != Finding::Good);
            Fix::words(coach::advice(wires.unwrap_or(Finding::Broken)))
        }
        (CheckName::Protection, Detail::Protection { .. }) => {
            Fix::command("Save what can still be read", typed.other(&["backup", "FILE"], &TO_BOARD))
        }
        (CheckName::Protection, _) => Fix::command("Nothing is written to such a chip; see", explain(Exit::WrongBoard)),
        (CheckName::WriteProtection | CheckName::OptionBytes, _) if known.protection == Some(Protection::Read) => {
            Fix::command(
                "Unlocking removes write protection and repairs the option bytes, but erases the chip; see",
                explain(Exit::Consent),
            )
        }
        (CheckName::WriteProtection | CheckName::OptionBytes, _) => {
            Fix::command("Repair the option bytes (this does not erase the chip)", unlock())
        }
        (CheckName::Watchdog, _) => Fix::command(
            "If the firmware keeps resetting, turn off the hardware watchdog",
            flash(&["--software-watchdog"]),
        ),
        (CheckName::Bootloader | CheckName::Drv, _) if typed.simulated => Fix::command("Flash the board", flash(data)),
        (CheckName::Bootloader | CheckName::Drv, _) => {
            let get = format!("m365-drv firmware get {scooter}");
            Fix {
                words: format!("Type `{get}`, then `{}`", flash(data)),
                next: Some(format!("{get}, then {}", flash(data))),
            }
        }
        (CheckName::DataBlock, _) => Fix::command(
            "Give the serial number from the sticker and the mileage from the app",
            flash(&["--serial", "SERIAL", "--km", "KM"]),
        ),
        (CheckName::Serial, Detail::FactorySerial(_)) => remedy(35, flash(&["--serial", "SERIAL"]))?,
        (CheckName::Serial, _) => Fix::command("Give the one on the scooter's sticker", flash(&["--serial", "SERIAL"])),
        (CheckName::BlockUid, _) => remedy(27, flash(&[]))?,
        (CheckName::ScooterError, Detail::ScooterError { code, .. }) => {
            remedy(u8::try_from(*code).ok()?, format!("m365-drv explain {code}"))?
        }
        (CheckName::Application, Detail::Startup(Startup::Resetting { .. })) => {
            Fix::command("Turn off the hardware watchdog", flash(&["--software-watchdog"]))
        }
        (CheckName::Application, Detail::NoSignOfLife) => {
            let words = "Power-cycle the board; if that does not help, find the serial number on the sticker and the mileage in the app, then unlock and flash the board";
            Fix::command(words, flash(&["--serial", "SERIAL", "--km", "KM"]))
        }
        (CheckName::Application, _) => Fix::command("Power-cycle the board; if that does not help", flash(&[])),
        (CheckName::Folders, _) => Fix::words("Make the folder writable, or save backups elsewhere: `--backup FILE`."),
        (CheckName::Images, _) => Fix::command("Fetch what is missing", format!("m365-drv firmware get {scooter}")),
        _ => {
            let advice = error.map(|error| ExitRow::of(error.exit()).advice)?;
            Fix::words(advice)
        }
    })
}

fn explain(exit: Exit) -> String {
    format!("m365-drv explain {}", ExitRow::of(exit).name)
}

/// What makes the probe usable. The udev rule can be installed by this program.
fn problem_fix(problem: &Problem) -> Option<Fix> {
    if probe_fixes::command(problem, System::HERE).is_some() {
        return Some(Fix::command("Install a udev rule", "m365-drv doctor --fix".into()));
    }
    let lines = probe_fixes::lines(problem, System::HERE);
    (!lines.is_empty()).then(|| Fix::words(lines.join(" ")))
}

/// What the table of the scooter's error codes says.
fn remedy(code: u8, next: String) -> Option<Fix> {
    let row = scooter_errors::find(code)?;
    let words = row.remedy.map_or_else(|| format!("See `m365-drv explain {code}`."), str::to_owned);
    Some(Fix { words, next: Some(next) })
}
