//! Advice: for each way to fail, the next command to type. It stands here and nowhere else.

use m365_drv::{
    board,
    image::Kind,
    ops::{self, BackupError},
};

use super::{
    cures::{self, System},
    exit::{self, Exit},
    typed::Typed,
};

/// The options that say where a board is and how it is reached.
const TO_BOARD: [&str; 5] = ["--simulate", "--probe", "--speed", "--connect", "--wait"];

/// The next command after a run that ended like this; `None` where nothing can be typed.
pub(crate) fn next(exit: Exit, error: Option<&anyhow::Error>, typed: &Typed) -> Option<String> {
    error.and_then(|error| for_error(error, typed)).or_else(|| for_exit(exit, typed))
}

/// Where the error itself says more than its exit code.
fn for_error(error: &anyhow::Error, typed: &Typed) -> Option<String> {
    if let Some(error) = exit::of_board(error) {
        return match error {
            board::Error::ProbeAccess(problem) => cures::command(problem, System::HERE),
            board::Error::SeveralProbes { .. } if !typed.has("--probe") => Some(typed.again(&["--probe", "#1"])),
            _ => None,
        };
    }
    let missing = |option, value| if typed.has(option) { vec![] } else { vec![option, value] };
    match error.downcast_ref()? {
        ops::Error::NoSerial | ops::Error::NoMileage => {
            let km = if typed.has("--mileage-m") { vec![] } else { missing("--km", "KM") };
            Some(typed.again(&[missing("--serial", "SERIAL"), km].concat()))
        }
        ops::Error::Gate { kind, .. } => Some(typed.other(&["image", "show", typed.value(option_of(*kind))?], &[])),
        ops::Error::Backup(BackupError::Malformed { .. } | BackupError::Io { what: "read", .. }) => {
            Some("m365-drv explain backup".into())
        }
        ops::Error::BackupWithoutFlash => {
            Some(typed.other(&["flash", "SCOOTER", "--data", typed.argument()?], &TO_BOARD))
        }
        ops::Error::NoImage { kind, .. } | ops::Error::SeveralImages { kind, .. } => {
            Some(typed.again_with(option_of(*kind), "FILE"))
        }
        _ => None,
    }
}

/// The option that takes an image of this kind.
fn option_of(kind: Kind) -> &'static str {
    if kind == Kind::Boot { "--boot" } else { "--drv" }
}

fn for_exit(exit: Exit, typed: &Typed) -> Option<String> {
    let command = typed.command.as_deref();
    Some(match exit {
        // What can be typed depends on where the report was to go.
        Exit::Ok | Exit::Output => return None,
        Exit::Internal if typed.has("--log-file") => return None,
        Exit::Internal => typed.again(&["--log-file", "m365-drv.log"]),
        Exit::Usage | Exit::Data | Exit::Image => match command {
            Some(command) => format!("m365-drv {command} --help"),
            None => "m365-drv --help".to_owned(),
        },
        Exit::Consent => typed.again(&["--erase-all"]),
        Exit::NoProbe | Exit::ProbeAccess => typed.other(&["probes"], &["--simulate"]),
        Exit::NoContact if typed.has("--wait") => "m365-drv explain wiring".to_owned(),
        Exit::NoContact => typed.again(&["--wait"]),
        Exit::WrongBoard if command == Some("info") => "m365-drv explain wrong-board".to_owned(),
        Exit::WrongBoard | Exit::Locked => typed.other(&["info"], &TO_BOARD),
        Exit::Backup if matches!(command, Some("flash" | "unlock" | "restore")) => typed.again_with("--backup", "FILE"),
        Exit::Backup => "m365-drv explain backup".to_owned(),
        Exit::Verify if command == Some("verify") => typed.as_command("flash"),
        Exit::Flash | Exit::Verify | Exit::LinkLost | Exit::Interrupted => typed.again(&[]),
    })
}

/// What to do about an exit code, in sentences, for its page in `explain`.
pub(crate) fn advice(exit: Exit) -> &'static str {
    match exit {
        Exit::Ok => "",
        Exit::Internal => {
            "Run the same command again with `--log-file m365-drv.log` and send that file with your report. The last \
             lines of the run say what the board is now."
        }
        Exit::Usage => "`m365-drv --help` lists the commands, `m365-drv COMMAND --help` the options of one.",
        Exit::Consent => {
            "Serial number and mileage are read before the chip is erased, if its firmware still runs: `m365-drv info` \
             shows them. Then run the same command with `--erase-all`."
        }
        Exit::NoProbe => {
            "`m365-drv probes` lists what is attached. If there are several, choose one with `--probe`: its number as \
             '#1', its serial number, or usb:BUS-PORT."
        }
        Exit::ProbeAccess => "`m365-drv probes` says for each probe what is wrong and how to fix it.",
        Exit::NoContact => {
            "See `m365-drv explain wiring`, then run the same command with `--wait` and move the wires until the board \
             answers. If it never does, hold the reset capacitor to GND while the program waits, and let go."
        }
        Exit::WrongBoard => "`m365-drv info` shows which chip answers, `m365-drv scooters` which chips are known.",
        Exit::Image => {
            "`m365-drv image show FILE` says what a file is and which gates it fails. If you know that a gate is wrong, \
             lift it by its name: `--force GATE`."
        }
        Exit::Data => {
            "Give both: `--serial` as on the sticker of the scooter, `--km` as you know it. Or give a saved data block: \
             `--data FILE`."
        }
        Exit::Backup => "Name another place: `--backup FILE`. If you already have a backup: `--no-backup`.",
        Exit::Flash => {
            "Check the supply and run the same command again: it skips what is already correct. If the message asks for \
             it, power-cycle the board first."
        }
        Exit::Verify => {
            "After `flash`: run the same command again. After `verify`: `m365-drv flash` writes what differs."
        }
        Exit::LinkLost => "Fix the wires and run the same command again; with `--wait` it goes on by itself.",
        Exit::Locked => {
            "`m365-drv info` shows what can be read of a locked board. `m365-drv flash` saves serial number and mileage \
             first if they can be read, unlocks the chip (`--erase-all`), writes it and verifies it."
        }
        Exit::Output => {
            "The last lines of the run say what the board is now. Free some space, or let the reader take everything; \
             `m365-drv info` and `m365-drv verify` show the result again."
        }
        Exit::Interrupted => "Run the same command again: it skips what is already correct.",
    }
}
