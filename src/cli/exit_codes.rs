//! The table of exit codes, written once: the exit itself, `--json`, `explain` and the tests all read it.

use super::exit::Exit;

/// One exit code: its number, its name in JSON, what it means, and what the board is after it.
pub(crate) struct Row {
    pub(crate) exit: Exit,
    pub(crate) code: u8,
    pub(crate) name: &'static str,
    pub(crate) meaning: &'static str,
    /// What is known of the board; empty if the code says nothing about it.
    pub(crate) board: &'static str,
    /// What leads to it, one cause a sentence.
    pub(crate) causes: &'static [&'static str],
}

/// What is known of the board if nothing was written to it.
const UNCHANGED: &str = "unchanged";

/// What is known of the board if it depends on when the run ended.
const DEPENDS: &str = "the last lines of the run say what it is now";

/// All exit codes, in the order of their numbers.
pub(crate) const TABLE: [Row; 17] = [
    Row {
        exit: Exit::Ok,
        code: 0,
        name: "ok",
        meaning: "done, or nothing to do",
        board: "",
        causes: &["After `flash` it means that every planned byte was read back after the last write and is correct."],
    },
    Row {
        exit: Exit::Internal,
        code: 1,
        name: "internal",
        meaning: "a defect of this program",
        board: DEPENDS,
        causes: &[
            "Something happened that the program did not expect. The fault is in the program, not with you or the board.",
            "A result could not be written to its file after the work was done, for example because the disk is full; \
             the message names the file.",
        ],
    },
    Row {
        exit: Exit::Usage,
        code: 2,
        name: "usage",
        meaning: "the command line is wrong",
        board: UNCHANGED,
        causes: &[
            "An option or a command is unknown, a value is invalid, or an environment variable has an invalid value.",
            "The output file or the log file already exists, is used for something else too, or cannot be written.",
            "--simulate names a folder that is not a saved board, or cannot be written.",
            "The probe has no SWD clock as slow as --speed asks for.",
            "`explain` has no page on what was asked for.",
        ],
    },
    Row {
        exit: Exit::Consent,
        code: 3,
        name: "consent",
        meaning: "needs --erase-all or a yes that was not given",
        board: UNCHANGED,
        causes: &[
            "The chip is read-protected, or will be after its next reset: unlocking erases its whole flash.",
            "The chip is write-protected, or an earlier unlock was interrupted: unlocking rewrites its option bytes.",
        ],
    },
    Row {
        exit: Exit::NoProbe,
        code: 4,
        name: "no-probe",
        meaning: "no probe, or several and none chosen",
        board: UNCHANGED,
        causes: &[
            "No ST-Link, J-Link or CMSIS-DAP probe is attached to USB.",
            "No attached probe matches --probe.",
            "Several probes are attached and --probe does not choose one, or two have the same serial number.",
        ],
    },
    Row {
        exit: Exit::ProbeAccess,
        code: 5,
        name: "probe-access",
        meaning: "probe found but not usable: permission, driver, busy, firmware too old",
        board: UNCHANGED,
        causes: &[
            "Permission denied: on Linux mostly because a udev rule is missing.",
            "Another program is using the probe.",
            "On Windows the probe has no WinUSB driver.",
            "The firmware of the ST-Link is too old: at least V2J26 or V3J3 is needed.",
            "Two probes of the same kind cannot be told apart by their serial numbers: unplug one of them.",
            "The probe does not answer: unplug it and plug it in again.",
            "The driver could not open the probe for another reason, which the message gives.",
        ],
    },
    Row {
        exit: Exit::NoContact,
        code: 6,
        name: "no-contact",
        meaning: "the probe works, no board answers",
        board: UNCHANGED,
        causes: &[
            "GND, SWCLK or SWDIO has no contact, or two of them are swapped.",
            "The board has no supply.",
            "The firmware on the board sleeps, or has switched the debug pins off.",
            "The contact is too poor to erase anything: too many accesses failed.",
        ],
    },
    Row {
        exit: Exit::WrongBoard,
        code: 7,
        name: "wrong-board",
        meaning: "not a chip or board this supports, or not the board expected",
        board: UNCHANGED,
        causes: &[
            "Another chip answers: the dashboard has the same three pads, and later scooters have other chips.",
            "The chip's flash is too small for the scooter named, or its size is unknown.",
            "Another board answers than at the beginning of the run, or than the one the backup was made of.",
            "The protection of the chip is unknown or may be permanent, so nothing is written.",
        ],
    },
    Row {
        exit: Exit::Image,
        code: 8,
        name: "image",
        meaning: "firmware file refused",
        board: UNCHANGED,
        causes: &[
            "The file fails a gate: it is for another scooter or chip, damaged, cut short, too large, or not firmware.",
            "The file, or a firmware folder, cannot be read.",
            "No image was given, and the one on the board cannot stay.",
            "Several suitable images were found and none was chosen.",
        ],
    },
    Row {
        exit: Exit::Data,
        code: 9,
        name: "data",
        meaning: "serial, mileage or data block unknown or refused",
        board: UNCHANGED,
        causes: &[
            "The serial number or the mileage is unknown: neither the board, nor a backup, nor the command line gave it.",
            "The serial number has the wrong form for this scooter, or is a factory default.",
            "The mileage is too large, or the UID is invalid.",
            "The file given is not a data block and does not contain one, or cannot be read.",
        ],
    },
    Row {
        exit: Exit::Backup,
        code: 10,
        name: "backup",
        meaning: "the backup could not be written and read back",
        board: UNCHANGED,
        causes: &[
            "The disk is full or read-only, or there is no folder for backups.",
            "The file already exists: a backup is never overwritten.",
            "What was read back from the file differs from what was written.",
            "The file to restore cannot be read, is not a backup, is damaged, or contains no flash because the board was \
             read-protected when it was made.",
        ],
    },
    Row {
        exit: Exit::Flash,
        code: 11,
        name: "flash",
        meaning: "erase, program or unlock failed",
        board: "mostly changed; the last lines of the run say what it is now",
        causes: &[
            "The chip refused an erase or a write: the supply is too weak, or the page is worn out or write-protected.",
            "The chip did not finish an erase or a write in time.",
            "The option bytes differ from what was written.",
            "Read-out protection is still on after unlocking: some chips need a power-cycle, which did not happen in time.",
        ],
    },
    Row {
        exit: Exit::Verify,
        code: 12,
        name: "verify",
        meaning: "the board differs from the plan, or the firmware does not start",
        board: DEPENDS,
        causes: &[
            "What was read back differs from what was planned. The message names the first address that differs.",
            "Everything was written and verified, but the firmware does not start.",
        ],
    },
    Row {
        exit: Exit::LinkLost,
        code: 13,
        name: "link-lost",
        meaning: "contact lost on the way; the same command goes on",
        board: DEPENDS,
        causes: &[
            "A wire slipped, or what came over the wires made no sense.",
            "The probe was unplugged, or stopped answering.",
            "The board lost its supply, or did not answer a halt or a reset.",
            "The flash algorithm did not arrive intact in the chip's SRAM.",
        ],
    },
    Row {
        exit: Exit::Locked,
        code: 14,
        name: "locked",
        meaning: "flash cannot be read, so it cannot be compared or backed up in full as asked",
        board: UNCHANGED,
        causes: &["The chip is read-protected: its flash cannot be read until it is unlocked, which erases it."],
    },
    Row {
        exit: Exit::Output,
        code: 15,
        name: "output",
        meaning: "the work is done as far as told, but the report could not be written",
        board: DEPENDS,
        causes: &[
            "Standard output was closed, for example by `| head`.",
            "The disk that standard output goes to is full.",
        ],
    },
    Row {
        exit: Exit::Interrupted,
        code: 130,
        name: "interrupted",
        meaning: "Ctrl-C",
        board: DEPENDS,
        causes: &["You stopped it."],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exit_code_has_its_own_row_in_order() {
        assert!(TABLE.windows(2).all(|pair| pair[0].code < pair[1].code));
        assert!(TABLE.iter().all(|row| row.exit.row().code == row.code));
    }
}
