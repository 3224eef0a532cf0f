//! Why the program ended, and the table of exit codes, written once: the exit itself, `--json`, `explain` and the tests all read it.

pub(crate) use m365_drv::ops::Exit;

use super::args::command_line::CommandLine;

/// One exit code: its number, its name in JSON, what it means, what the board is after it, and what to do.
pub(crate) struct ExitRow {
    pub(crate) exit: Exit,
    pub(crate) code: u8,
    pub(crate) name: &'static str,
    pub(crate) meaning: &'static str,
    /// What is known of the board; empty if nothing is.
    pub(crate) board: &'static str,
    /// What leads to it, one cause a sentence.
    pub(crate) causes: &'static [&'static str],
    /// What to do about it, in sentences.
    pub(crate) advice: &'static str,
    /// The next command to type, if the error itself does not tell a better one.
    pub(crate) next: fn(&CommandLine) -> Option<String>,
}

impl ExitRow {
    /// The row of this reason.
    pub(crate) fn of(exit: Exit) -> &'static Self {
        &TABLE[exit as usize]
    }

    /// The row of this number.
    pub(crate) fn of_code(code: u8) -> &'static Self {
        TABLE.iter().find(|row| row.code == code).unwrap_or_else(|| Self::of(Exit::Internal))
    }
}

/// What is known of the board if nothing was written to it.
const UNCHANGED: &str = "unchanged";

/// What is known of the board if it depends on when the run ended.
const DEPENDS: &str = "see the `board:` line at the end of the run";

/// The options that tell which board is used and how it is reached.
pub(crate) const TO_BOARD: [&str; 5] = ["--simulate", "--probe", "--speed", "--connect", "--wait"];

/// If there is no command that helps.
const NOTHING: fn(&CommandLine) -> Option<String> = |_| None;

/// For what the same command finishes.
const AGAIN: fn(&CommandLine) -> Option<String> = |typed| Some(typed.again(&[]));

/// For what is wrong on the command line: the help of the command.
const HELP: fn(&CommandLine) -> Option<String> = |typed| {
    Some(match typed.command.as_deref() {
        // Without a topic it lists them.
        Some(command @ "explain") => format!("m365-drv {command}"),
        Some("image check") => "m365-drv image show FILE".to_owned(),
        Some(command) => format!("m365-drv {command} --help"),
        None => "m365-drv --help".to_owned(),
    })
};

/// For what is wrong with the probes: all of them, with their problems.
const PROBES: fn(&CommandLine) -> Option<String> = |typed| match typed.command.as_deref() {
    // It tells as much.
    Some("doctor") => Some(typed.again(&[])),
    _ => Some(typed.other(&["probes"], &["--simulate"])),
};

/// All exit codes, in the order of their numbers.
pub(crate) static TABLE: [ExitRow; 17] = [
    ExitRow {
        exit: Exit::Ok,
        code: 0,
        name: "ok",
        meaning: "done, or nothing to do",
        board: "",
        causes: &["After `flash`, unless it was a dry run: every planned byte was read back after the last write and \
                   is correct."],
        advice: "",
        next: NOTHING,
    },
    ExitRow {
        exit: Exit::Internal,
        code: 1,
        name: "internal",
        meaning: "a bug in this program",
        board: DEPENDS,
        causes: &[
            "Something happened that the program did not expect. The fault is in the program, not with you or the \
                   board.",
        ],
        advice: "Send the file that `m365-drv report report.json` writes. If the command used no board, run it again with `--log-file m365-drv.log` and send that file too.",
        next: |typed| {
            let log = ["--log-file", "m365-drv.log"];
            if typed.is_kept {
                return Some("m365-drv report report.json".to_owned());
            }
            (!typed.has(log[0])).then(|| typed.again(&log))
        },
    },
    ExitRow {
        exit: Exit::Usage,
        code: 2,
        name: "usage",
        meaning: "the command line is wrong",
        board: UNCHANGED,
        causes: &[
            "An option or a command is unknown, a value is invalid, or an environment variable has an invalid value.",
            "The output file already exists or cannot be made, or the log file exists and is not a log.",
            "--simulate names a folder that is not a saved board, or cannot be made.",
            "The probe does not support an SWD clock as slow as --speed.",
            "The topic given to `explain` is unknown.",
        ],
        advice: "`m365-drv --help` lists the commands, `m365-drv COMMAND --help` the options of one.",
        next: HELP,
    },
    ExitRow {
        exit: Exit::Consent,
        code: 3,
        name: "consent",
        meaning: "needs your agreement: --erase-all, --yes or an answer at a terminal",
        board: UNCHANGED,
        causes: &[
            "The chip is read-protected, or will be after its next reset: unlocking erases its whole flash.",
            "The chip is write-protected, or an earlier unlock was interrupted: unlocking rewrites its option bytes.",
            "You have not agreed to fetch firmware (`firmware get`) or to install a udev rule (`doctor --fix`): add `--yes`.",
        ],
        advice: "`m365-drv info` shows serial number and mileage if they can be read. If they cannot, write them down from the sticker and the app first: unlocking a read-protected chip erases them. Then run the same command with `--erase-all`; for `flash` also give `--serial` and `--km` if they could not be read.",
        next: |typed| match typed.command.as_deref() {
            Some("firmware get" | "doctor") => Some(typed.again(&["--yes"])),
            _ => Some(typed.again(&["--erase-all"])),
        },
    },
    ExitRow {
        exit: Exit::NoProbe,
        code: 4,
        name: "no-probe",
        meaning: "no probe, or several and none chosen",
        board: UNCHANGED,
        causes: &[
            "No ST-Link, J-Link or CMSIS-DAP probe is attached to USB.",
            "No attached probe matches --probe.",
            "Several probes are attached and --probe does not choose one.",
        ],
        advice: "Plug in an ST-Link, J-Link or CMSIS-DAP probe; `m365-drv probes` lists those found. If there are \
             several, choose one: `--probe SERIAL`, or `--probe usb:BUS-PORT` if it has no serial number.",
        next: PROBES,
    },
    ExitRow {
        exit: Exit::ProbeAccess,
        code: 5,
        name: "probe-access",
        meaning: "probe found but not usable: permission, driver, busy, firmware too old",
        board: UNCHANGED,
        causes: &[
            "Permission denied: on Linux mostly because a udev rule is missing.",
            "Another program is using the probe.",
            "On Windows the probe has no WinUSB driver: see `m365-drv explain driver`.",
            "The firmware of the ST-Link is too old: at least V2J26 or V3J3 is needed.",
            "Two probes cannot be told apart by their serial numbers, and are not ST-Links: unplug one of them.",
            "The probe does not answer: unplug it and plug it in again.",
            "The driver could not open the probe for another reason, which the message gives.",
        ],
        advice: "`m365-drv probes` shows what is wrong with each probe and how to fix it.",
        next: PROBES,
    },
    ExitRow {
        exit: Exit::NoContact,
        code: 6,
        name: "no-contact",
        meaning: "the probe works, but no board answers",
        board: UNCHANGED,
        causes: &[
            "GND, SWCLK or SWDIO has no contact, or two of them are swapped.",
            "The board has no supply.",
            "The chip is held in reset: NRST has contact with GND.",
            "The firmware on the board sleeps, or has switched the debug pins off.",
            "The board answered only for a moment: hold the wires still, or solder them.",
            "The contact is too poor to erase anything: too many accesses failed.",
        ],
        advice: "See `m365-drv explain wiring`, then run the same command with `--wait` and move the wires until the board \
             answers. If it never does, touch the NRST end of the reset capacitor to GND for a moment.",
        next: |typed| {
            Some(if typed.has("--wait") { "m365-drv explain wiring".to_owned() } else { typed.again(&["--wait"]) })
        },
    },
    ExitRow {
        exit: Exit::WrongBoard,
        code: 7,
        name: "wrong-board",
        meaning: "unsupported chip, or not the expected board",
        board: "unchanged; if boards were swapped during the run, see the `board:` line at its end",
        causes: &[
            "Another chip answers: the dashboard has the same three pads, and later scooters have other chips.",
            "The chip's flash is too small for the scooter named.",
            "The firmware, the serial number or the data block on the board belongs to another scooter than the one named.",
            "The board is not the one this run started with, or not the one the backup was made from.",
            "The protection of the chip is unknown or may be permanent, so nothing is written.",
        ],
        advice: "`m365-drv info` shows which chip answers and what is on the board. The probe belongs on the motor \
             controller, not on the dashboard. To turn the board into another scooter on purpose, add `--force \
             other-scooter`.",
        next: |typed| match typed.command.as_deref() {
            Some("info") => Some("m365-drv explain wrong-board".to_owned()),
            _ => Some(typed.other(&["info"], &TO_BOARD)),
        },
    },
    ExitRow {
        exit: Exit::Image,
        code: 8,
        name: "image",
        meaning: "firmware missing or refused",
        board: UNCHANGED,
        causes: &[
            "The file fails a gate: it is for another scooter or chip, damaged, cut short, too large, or not firmware.",
            "The file, or a firmware folder, cannot be read.",
            "No image was given, and the one on the board cannot be kept.",
            "An image cannot be fetched: you gave `--offline`, the server cannot be reached or answers with an error, or the file has other contents.",
            "Several suitable images were found and none was chosen.",
            "The file to restore is neither a backup nor a dump, is damaged, or lacks the bootloader or the firmware.",
            "The backup to restore contains no flash because the board was read-protected when it was made.",
            "The option bytes in the file to restore would protect the chip for good (RDP 0xcc).",
        ],
        advice: "`m365-drv image show FILE` shows what a file is and which checks (gates) it fails. To override one that \
             you know to be wrong: `--force GATE`. `m365-drv firmware get SCOOTER` fetches what is missing; give your own files \
             with `--boot`, `--drv` or `--firmware`.",
        next: |typed| match typed.command.as_deref() {
            Some("firmware get") => {
                let scooter = typed.value("SCOOTER").unwrap_or_default();
                Some(typed.other(&["firmware", "list", &scooter], &[]))
            }
            _ => HELP(typed),
        },
    },
    ExitRow {
        exit: Exit::Data,
        code: 9,
        name: "data",
        meaning: "serial number, mileage or data block unknown or refused",
        board: UNCHANGED,
        causes: &[
            "The serial number or the mileage is unknown: it is not on the board, in a backup or on the command line.",
            "The serial number, typed or in a data block, has the wrong form for this scooter, or is a factory default.",
            "The backups of this chip have several serial numbers: the board was given another one, or cheap chips share \
             one UID. Choose one with `--data BACKUP`.",
            "The mileage is too large, or the UID is invalid.",
            "The file given is not a data block and does not contain one, or cannot be read.",
            "The data block given belongs to another scooter, or the dump to restore has no data block with serial \
             number and mileage.",
        ],
        advice: "Give what is missing: `--serial`, as on the sticker of the scooter, and `--km`, its total mileage. Or \
             give a saved data block: `--data FILE`.",
        next: HELP,
    },
    ExitRow {
        exit: Exit::Backup,
        code: 10,
        name: "backup",
        meaning: "backup not written, or not usable",
        board: UNCHANGED,
        causes: &[
            "The disk is full or read-only, or no folder for backups was found.",
            "The file already exists: a backup is never overwritten.",
            "What was read back from the file differs from what was written.",
            "The file was written, but cannot be read back as a backup.",
            "No backup, or backups of several boards, match the name given to `backups`; or the backup does not contain what is to be exported.",
        ],
        advice: "Give another place: `--backup FILE`. If you already have a backup: `--no-backup`. If the \
                         file to restore has no flash, use its data block: `m365-drv flash SCOOTER --data FILE`.",
        next: |typed| match typed.command.as_deref() {
            Some("flash" | "unlock" | "restore" | "lock") => Some(typed.again_with("--backup", "FILE")),
            Some("backups show" | "backups export") => Some("m365-drv backups list".to_owned()),
            _ => Some("m365-drv explain backup".to_owned()),
        },
    },
    ExitRow {
        exit: Exit::Flash,
        code: 11,
        name: "flash",
        meaning: "erasing, programming or unlocking failed",
        board: "changed; see the `board:` line at the end of the run",
        causes: &[
            "The chip refused an erase or a write: the supply is too weak, or the page is worn out or write-protected.",
            "A page of flash is worn out: it was written several times and reads back wrong. The message names the page and \
             its bits.",
            "The chip did not finish an erase or a write in time.",
            "The option bytes differ from what was written.",
            "Read-out protection is still on after unlocking: some chips need a power-cycle, which did not happen in \
             time.",
            "The chip became read-protected during the run, and you have not agreed to erase it: add `--erase-all`.",
        ],
        advice: "Check the supply, power-cycle the board and run the same command again: it skips what is already correct. If \
                 a page is worn out, follow the tip in the message instead.",
        next: AGAIN,
    },
    ExitRow {
        exit: Exit::Verify,
        code: 12,
        name: "verify",
        meaning: "the board differs from the plan, or the firmware does not start",
        board: DEPENDS,
        causes: &[
            "What was read back differs from what was planned. The message names the first address that differs.",
            "Everything on the board is as planned, but the firmware does not start.",
            "The option bytes start the watchdog at every reset, and the firmware does not feed it, so it keeps resetting \
             (`m365-drv explain watchdog`).",
        ],
        advice: "If bytes differ after `flash`, run the same command again; after `verify`, `m365-drv flash` writes what \
             differs. If the firmware does not start, power-cycle the board; if that does not help, flash another DRV \
             image. If it keeps resetting because the option bytes start the watchdog, add `--software-watchdog`.",
        next: |typed| match typed.command.as_deref() {
            Some("verify") => Some(typed.as_command("flash")),
            _ => AGAIN(typed),
        },
    },
    ExitRow {
        exit: Exit::LinkLost,
        code: 13,
        name: "link-lost",
        meaning: "contact lost during the run; run the same command again to finish",
        board: DEPENDS,
        causes: &[
            "A wire slipped, or the contact is poor: what came over the wires made no sense, or read differently each \
             time.",
            "The probe was unplugged, or stopped answering.",
            "The board lost its supply, or did not answer a halt or a reset.",
            "The firmware on the board did not finish what it was writing to its flash.",
            "Data sent to the chip did not arrive intact.",
        ],
        advice: "Fix the wires and run the same command again. The program reconnects by itself for a few \
                           seconds; with `--wait` it keeps trying.",
        next: AGAIN,
    },
    ExitRow {
        exit: Exit::Locked,
        code: 14,
        name: "locked",
        meaning: "flash is read-protected, so it cannot be compared",
        board: UNCHANGED,
        causes: &["The chip is read-protected: its flash cannot be read until it is unlocked, which erases it."],
        advice: "`m365-drv info` shows what can be read of a locked board. `m365-drv flash` saves serial number and \
             mileage first if they can be read, unlocks the chip (`--erase-all`), writes it and verifies it.",
        next: |typed| Some(typed.other(&["info"], &TO_BOARD)),
    },
    ExitRow {
        exit: Exit::Output,
        code: 15,
        name: "output",
        meaning: "the report, a result file or the log could not be written",
        board: DEPENDS,
        causes: &[
            "Standard output was closed, for example by `| head`.",
            "The disk is full: the message says what could not be written to it.",
        ],
        advice: "Free some disk space, or run the command without `| head`. The `board:` line shows what has been done to a \
             board; `m365-drv info` and `m365-drv verify` show it again.",
        next: NOTHING,
    },
    ExitRow {
        exit: Exit::Interrupted,
        code: 130,
        name: "interrupted",
        meaning: "stopped with Ctrl-C",
        board: DEPENDS,
        causes: &["You stopped it."],
        advice: "Run the same command again: it skips what is already correct.",
        next: AGAIN,
    },
];

/// A reason without a row does not compile, nor does a row in another place than its reason.
const _: () = {
    let mut index = 0;
    while index < TABLE.len() {
        assert!(TABLE[index].exit as usize == index);
        index += 1;
    }
    assert!(Exit::Interrupted as usize == TABLE.len() - 1);
};

#[cfg(test)]
mod tests {
    use std::{fmt::Write as _, io, path::PathBuf, time::Duration};

    use m365_drv::{
        block::{SerialError, Uid},
        board::{self, LinkError, Problem, Unsupported},
        image::{ImageError, Kind},
        ops::{self, BackupError, DataChange, Findings, Lack, Obstacle},
    };
    use probe_rs::architecture::arm::ArmError;

    use super::*;
    use crate::cli::exit::classify;

    #[test]
    fn every_exit_code_has_its_own_row_in_order() {
        assert!(TABLE.windows(2).all(|pair| pair[0].code < pair[1].code));
    }

    #[test]
    fn the_readme_lists_every_exit_code_as_the_program_explains_it() {
        let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
        let mut table = "| exit code | name | meaning |\n|---|---|---|\n".to_owned();
        for ExitRow { code, name, meaning, .. } in &TABLE {
            writeln!(table, "| {code} | `{name}` | {meaning} |").unwrap();
        }
        assert!(readme.contains(&format!("\n\n{table}\n")), "README.md does not contain this table:\n{table}");
    }

    /// For each variant of an error one of its kind, and words of the cause that the page of its exit code has to name. A
    /// variant without an entry does not compile.
    macro_rules! causes {
        ($name:ident: $error:ty { $($variant:pat = $sample:expr => $words:literal,)* }) => {
            fn $name() -> Vec<($error, &'static str)> {
                fn words(error: &$error) -> &'static str {
                    match error { $($variant => $words,)* }
                }
                vec![$($sample),*].into_iter().map(|error| { let words = words(&error); (error, words) }).collect()
            }
        };
    }

    const UID: Uid = Uid([1, 2, 3]);
    const TIME: Duration = Duration::from_secs(1);

    fn path() -> PathBuf {
        "a.json".into()
    }

    causes!(of_board: board::Error {
        board::Error::NoProbe = board::Error::NoProbe => "No ST-Link, J-Link or CMSIS-DAP probe is attached",
        board::Error::ProbeNotFound { .. } = board::Error::ProbeNotFound { wanted: String::new(), found: vec![] } =>
            "matches --probe",
        board::Error::ProbeAmbiguous { .. } = board::Error::ProbeAmbiguous { wanted: String::new(), found: vec![] } =>
            "Several probes",
        board::Error::SeveralProbes { .. } = board::Error::SeveralProbes { found: vec![] } => "Several probes",
        board::Error::ProbeGone = board::Error::ProbeGone => "probe was unplugged",
        board::Error::ProbeAccess(_) = board::Error::ProbeAccess(Problem::Hung) => "does not answer: unplug it",
        board::Error::UnsupportedSpeed { .. } = board::Error::UnsupportedSpeed { khz: 1 } => "does not support an SWD \
                                                                                              clock",
        board::Error::NoContact { .. } = board::Error::NoContact {
            answered: false, attempts: 1, elapsed: TIME, volts: None, finding: None, last: nonsense(),
        } => "no contact",
        board::Error::HeldInReset = board::Error::HeldInReset => "held in reset",
        board::Error::PoorContact { .. } = board::Error::PoorContact { good: 1, total: 2 } => "contact is too poor",
        board::Error::Link(_) = board::Error::Link(nonsense()) => "made no sense",
        board::Error::Unsupported(_) = board::Error::Unsupported(Unsupported::Dashboard) => "Another chip answers",
        board::Error::TooSmall { .. } = board::Error::TooSmall { found: 64, needed: 128 } => "too small",
        board::Error::OtherBoard { .. } = board::Error::OtherBoard { expected: UID, found: UID } =>
            "The board is not the one",
        board::Error::NotHalted = board::Error::NotHalted => "did not answer a halt",
        board::Error::NotReset = board::Error::NotReset => "or a reset",
        board::Error::UnknownProtection { .. } = board::Error::UnknownProtection { obr: 0 } => "protection",
        board::Error::PermanentProtection { .. } = board::Error::PermanentProtection { rdp: 0xCC } => "permanent",
        board::Error::Loader = board::Error::Loader => "did not arrive intact",
        board::Error::Flash { .. } = board::Error::Flash { what: "erase", address: 0, status: 0 } => "refused an erase",
        board::Error::Stuck { .. } = board::Error::Stuck { what: "erase", limit: TIME } => "did not finish",
        board::Error::SaveStuck { .. } = board::Error::SaveStuck { limit: TIME } => "did not finish what it was writing",
        board::Error::OptionBytes { .. } =
            board::Error::OptionBytes { expected: String::new(), found: String::new() } => "option bytes differ",
        board::Error::StillProtected = board::Error::StillProtected => "protection is still on",
        board::Error::NoPowerCycle { .. } = board::Error::NoPowerCycle { limit: TIME } => "power-cycle",
        board::Error::Interrupted = board::Error::Interrupted => "You stopped it",
    });

    causes!(of_ops: ops::Error {
        ops::Error::Board(_) = board::Error::ProbeGone.into() => "unplugged",
        ops::Error::Lost(_) = ops::Error::Lost(board::Error::NoProbe) => "unplugged",
        ops::Error::Consent { .. } =
            ops::Error::Consent { uid: UID, obstacle: Obstacle::WriteProtected, data: DataChange::default() } => "write-protected",
        ops::Error::LockedMeanwhile { .. } = ops::Error::LockedMeanwhile {
            uid: UID, obstacle: Obstacle::ReadProtected, data: DataChange::default(),
        } => "read-protected during the run",
        ops::Error::Backup(_) = BackupError::Exists(path()).into() => "already exists",
        ops::Error::BackupWithoutFlash = ops::Error::BackupWithoutFlash => "contains no flash",
        ops::Error::Dump { .. } = ops::Error::Dump { path: path(), source: ImageError::Empty } =>
            "neither a backup nor a dump",
        ops::Error::DumpLacks { .. } =
            ops::Error::DumpLacks { path: path(), form: String::new(), lacks: vec![Lack::Boot] } =>
            "lacks the bootloader",
        ops::Error::DumpLacksData { .. } =
            ops::Error::DumpLacksData { path: path(), form: String::new(), lacks: vec![Lack::Serial] } =>
            "no data block with serial number and mileage",
        ops::Error::PermanentOptions = ops::Error::PermanentOptions => "for good",
        ops::Error::OtherBlock(_) =
            ops::Error::OtherBlock(SerialError::FactoryDefault(String::new())) => "belongs to another scooter",
        ops::Error::OtherScooter { .. } =
            ops::Error::OtherScooter { found: Findings::default(), fitting: Findings::default(), title: String::new() } => "another scooter",
        ops::Error::Gate { .. } =
            ops::Error::Gate { kind: Kind::Drv, gate: "size", detail: String::new() } => "fails a gate",
        ops::Error::SeveralImages { .. } =
            ops::Error::SeveralImages { kind: Kind::Drv, fitting: vec![] } => "Several suitable images",
        ops::Error::NoImage { .. } = ops::Error::NoImage {
            kind: Kind::Drv, scooter: String::new(), chip: "", reason: "",
        } => "No image was given",
        ops::Error::BadSerial(_) =
            ops::Error::BadSerial(SerialError::FactoryDefault(String::new())) => "is a factory default",
        ops::Error::SeveralSerials(_) = ops::Error::SeveralSerials(ops::SavedBlocks(vec![])) => "several serial numbers",
        ops::Error::NoSerial = ops::Error::NoSerial => "The serial number or the mileage is unknown",
        ops::Error::NoMileage = ops::Error::NoMileage => "the mileage is unknown",
        ops::Error::Differs { .. } = ops::Error::Differs {
            address: 0, expected: 0, found: 0, bytes: 1,
        } => "differs from what was planned",
        ops::Error::BadPage(_) = ops::Error::BadPage(ops::BadPage {
            address: 0, number: 0, unerased: 1, unprogrammed: 0, tries: 3, purpose: ops::Purpose::Data,
        }) => "is worn out: it was written",
        ops::Error::Unreadable = ops::Error::Unreadable => "read-protected",
        ops::Error::DoesNotStart { .. } = ops::Error::DoesNotStart {
            board: board::BoardState::Written, how: board::Startup::Lockup
        } => "does not start",
    });

    causes!(of_backup: BackupError {
        BackupError::Io { .. } =
            BackupError::Io { path: path(), what: "written", source: io::Error::other("full") } => "disk is full",
        BackupError::Exists(_) = BackupError::Exists(path()) => "already exists",
        BackupError::Differs(_) = BackupError::Differs(path()) => "differs from what was written",
        BackupError::Malformed { .. } = BackupError::Malformed { path: path(), reason: String::new() } =>
            "cannot be read back as a backup",
    });

    causes!(of_probe: Problem {
        Problem::Permission { .. } = Problem::Permission { vid: String::new(), pid: String::new() } => "Permission \
                                                                                                        denied",
        Problem::Busy { .. } = Problem::Busy { program: None } => "Another program is using",
        Problem::Driver = Problem::Driver => "no WinUSB driver",
        Problem::Firmware { .. } = Problem::Firmware { found: None, needed: String::new() } => "is too old",
        Problem::Twin = Problem::Twin => "cannot be told apart",
        Problem::Hung = Problem::Hung => "does not answer: unplug it",
        Problem::Other { .. } = Problem::Other { message: String::new() } => "for another reason",
    });

    causes!(of_link: LinkError {
        LinkError::Refused { .. } = LinkError::Refused { address: 0 } => "made no sense",
        LinkError::Wire { .. } = LinkError::Wire { address: None, source: Box::new(ArmError::Timeout) } => "A wire \
                                                                                                            slipped",
        LinkError::Probe { .. } = LinkError::Probe { source: Box::new(ArmError::Timeout) } => "stopped answering",
        LinkError::Nonsense { .. } = nonsense() => "made no sense",
        LinkError::BlankUid { .. } = LinkError::BlankUid { uid: UID } => "made no sense",
        LinkError::Unstable { .. } = LinkError::Unstable { what: "flash", address: 0 } => "read differently",
    });

    fn nonsense() -> LinkError {
        LinkError::Nonsense { what: "CPUID", value: 0 }
    }

    /// Every error that a procedure can end in.
    fn all() -> Vec<(ops::Error, &'static str)> {
        let of_probe = of_probe().into_iter().map(|(problem, words)| (board::Error::ProbeAccess(problem), words));
        let of_link = of_link().into_iter().map(|(error, words)| (board::Error::Link(error), words));
        let of_board = of_board().into_iter().chain(of_probe).chain(of_link);
        let of_board = of_board.map(|(error, words)| (error.into(), words));
        let of_backup = of_backup().into_iter().map(|(error, words)| (error.into(), words));
        of_ops().into_iter().chain(of_backup).chain(of_board).collect()
    }

    #[test]
    fn the_page_of_an_exit_code_names_every_cause() {
        for (error, words) in all() {
            let message = error.to_string();
            let row = ExitRow::of(classify(&error.into()));
            assert!(row.causes.concat().contains(words), "{}: {message}: {words}", row.name);
        }
    }

    #[test]
    fn no_page_calls_a_board_unchanged_that_may_be_changed() {
        for (error, _) in of_board().into_iter().filter(|(error, _)| !error.is_about_reaching()) {
            let message = error.to_string();
            let exit = classify(&ops::Error::from(error).into());
            assert_ne!(ExitRow::of(exit).board, UNCHANGED, "{}: {message}", ExitRow::of(exit).name);
        }
        let lost = ops::Error::Lost(board::Error::NoProbe);
        assert_ne!(ExitRow::of(classify(&lost.into())).board, UNCHANGED);
    }
}
