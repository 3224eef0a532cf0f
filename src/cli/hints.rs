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
        Exit::Ok => return None,
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
        Exit::WrongBoard => typed.other(&["info"], &TO_BOARD),
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
            "Run the same command again with --log-file m365-drv.log and send that file with your report. The last \
             lines of the run say what the board is now."
        }
        Exit::Usage => "`m365-drv --help` lists the commands, `m365-drv COMMAND --help` the options of one.",
        Exit::Consent => {
            "Serial and mileage are rescued before the erasing where the application still runs; look with `m365-drv \
             info`. Then run the same command with --erase-all."
        }
        Exit::NoProbe => {
            "`m365-drv probes` lists what is attached. With several, choose one: --probe '#1', its serial, or \
             usb:BUS-PORT."
        }
        Exit::ProbeAccess => "`m365-drv probes` says for each probe what is wrong and how to put it right.",
        Exit::NoContact => {
            "Look at `m365-drv explain wiring`, then run the same command with --wait and move the wires until it \
             answers. If it never does, hold the reset capacitor to GND while it waits, and let go."
        }
        Exit::WrongBoard => "`m365-drv info` shows which chip answers; `m365-drv scooters` shows which are known.",
        Exit::Image => {
            "`m365-drv image show FILE` says what a file is and which checks it fails. A check that you know to be \
             wrong can be lifted by its name: --force GATE."
        }
        Exit::Data => {
            "Give both: --serial as on the sticker of the scooter, --km as you know it. A saved data block does as \
             well: --data FILE."
        }
        Exit::Backup => "Name another place: --backup FILE. Where you have one already: --no-backup.",
        Exit::Flash => {
            "Check the supply and run the same command again: it goes on from what is right already. Where the message \
             asks for it, take the board's power away for a few seconds before."
        }
        Exit::Verify => "After `flash`: run the same command again. After `verify`: `m365-drv flash` makes it right.",
        Exit::LinkLost => "Fix the wires and run the same command again; with --wait it goes on by itself.",
        Exit::Interrupted => "Run the same command again: it goes on from what is right already.",
    }
}
