//! The exit codes, written once: the exit itself, `--json`, `explain` and the tests all read this table.

use std::any::Any;

use m365_drv::{
    board,
    ops::{self, BoardState, Category},
};

use super::progress::Activity;

/// Why the program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Ok,
    Internal,
    Usage,
    Consent,
    NoProbe,
    ProbeAccess,
    NoContact,
    WrongBoard,
    Image,
    Data,
    Backup,
    Flash,
    Verify,
    LinkLost,
    Interrupted,
}

/// One exit code: its number, its name in JSON, what it means, and what the board is after it.
pub(crate) struct Row {
    pub(crate) exit: Exit,
    pub(crate) code: u8,
    pub(crate) name: &'static str,
    pub(crate) meaning: &'static str,
    /// What is known of the board; empty where the code says nothing about it.
    pub(crate) board: &'static str,
    /// What leads to it, in sentences.
    pub(crate) causes: &'static str,
}

/// All exit codes, in the order of their numbers.
pub(crate) const TABLE: [Row; 15] = [
    Row {
        exit: Exit::Ok,
        code: 0,
        name: "ok",
        meaning: "done, or nothing to do",
        board: "",
        causes: "After `flash` it means that every planned byte was read back after the last write and is right.",
    },
    Row {
        exit: Exit::Internal,
        code: 1,
        name: "internal",
        meaning: "a defect of this program",
        board: "",
        causes: "Something happened that the program holds impossible. The fault is here, not with you or the board.",
    },
    Row {
        exit: Exit::Usage,
        code: 2,
        name: "usage",
        meaning: "the command line is wrong",
        board: "untouched",
        causes: "An unknown option or command, a value that does not read, an output file that exists already or \
                 cannot be written, or a folder that is no saved board. Nothing was sent to the probe.",
    },
    Row {
        exit: Exit::Consent,
        code: 3,
        name: "consent",
        meaning: "needs --erase-all or a yes that was not given",
        board: "untouched",
        causes: "The chip is read-protected, or will be at its next reset: removing that makes it erase its whole flash. \
                 Or it is write-protected or half unlocked: removing that writes its option bytes. Either is done only \
                 when you say so.",
    },
    Row {
        exit: Exit::NoProbe,
        code: 4,
        name: "no-probe",
        meaning: "no probe, or several and none chosen",
        board: "untouched",
        causes: "No ST-Link or other probe is seen on USB, none of those seen answers to --probe, or several are \
                 attached and --probe does not say which.",
    },
    Row {
        exit: Exit::ProbeAccess,
        code: 5,
        name: "probe-access",
        meaning: "probe found but not usable: permission, driver, busy, firmware too old",
        board: "untouched",
        causes: "On Linux mostly a missing udev rule; on Windows a missing WinUSB driver; anywhere another program \
                 that holds the probe, or an ST-Link whose own firmware is older than V2J26.",
    },
    Row {
        exit: Exit::NoContact,
        code: 6,
        name: "no-contact",
        meaning: "the probe works, no board answers",
        board: "untouched",
        causes: "GND, SWCLK or SWDIO has no contact or two of them are swapped, the board has no supply, or the \
                 application sleeps or has switched the debug pins off.",
    },
    Row {
        exit: Exit::WrongBoard,
        code: 7,
        name: "wrong-board",
        meaning: "not a chip or board this supports, or not the board expected",
        board: "untouched",
        causes: "Another chip answers (the dashboard has the same three pads), the chip's flash is too small for the \
                 scooter named, or another board came onto the wires in the middle of a run.",
    },
    Row {
        exit: Exit::Image,
        code: 8,
        name: "image",
        meaning: "firmware file refused",
        board: "untouched",
        causes: "The file is for another scooter or chip, is damaged or cut short, is too big, is no firmware at all, \
                 or no file was given where one is needed.",
    },
    Row {
        exit: Exit::Data,
        code: 9,
        name: "data",
        meaning: "serial, mileage or data block unknown or refused",
        board: "untouched",
        causes: "The board gave no serial and mileage and neither did the command line, a serial does not have the \
                 scooter's form or is a factory default, or a data block file is none.",
    },
    Row {
        exit: Exit::Backup,
        code: 10,
        name: "backup",
        meaning: "the backup could not be written and read back",
        board: "untouched",
        causes: "The disk is full or read-only, the file exists already, or what was read back differs from what was \
                 written.",
    },
    Row {
        exit: Exit::Flash,
        code: 11,
        name: "flash",
        meaning: "erase, program or unlock failed",
        board: "changed",
        causes: "The chip refused an erase or a write: a supply that is too weak, a worn or write-protected page, or \
                 a protection that only a power cycle lifts.",
    },
    Row {
        exit: Exit::Verify,
        code: 12,
        name: "verify",
        meaning: "the board differs from the plan",
        board: "says which",
        causes: "What was read back is not what was planned. The message names the first address that differs.",
    },
    Row {
        exit: Exit::LinkLost,
        code: 13,
        name: "link-lost",
        meaning: "contact lost on the way; the same command goes on",
        board: "says which",
        causes: "A wire slipped, the probe was unplugged, or the board lost its supply in the middle of the work.",
    },
    Row {
        exit: Exit::Interrupted,
        code: 130,
        name: "interrupted",
        meaning: "Ctrl-C",
        board: "says which",
        causes: "You stopped it. The last lines say what the board is now.",
    },
];

impl Exit {
    /// The row of this exit code.
    pub(crate) fn row(self) -> &'static Row {
        TABLE.iter().find(|row| row.exit == self).unwrap_or(&TABLE[1])
    }
}

/// An error that this command line raises itself, with the exit code that it means.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Refusal {
    exit: Exit,
    board: BoardState,
    message: String,
}

impl Refusal {
    fn new(exit: Exit, board: BoardState, message: impl Into<String>) -> Self {
        Self { exit, board, message: message.into() }
    }
}

/// Refuses with an exit code, the board being untouched; the message is one fact in lower case, without a full stop.
pub(crate) fn refuse(exit: Exit, message: impl Into<String>) -> anyhow::Error {
    Refusal::new(exit, BoardState::Untouched, message).into()
}

/// What an error is about, one a line.
pub(crate) fn details(error: &anyhow::Error) -> &[String] {
    match error.downcast_ref() {
        Some(ops::Error::SeveralImages { fitting, .. }) => fitting,
        _ => &[],
    }
}

/// What went wrong between this program and the board, where an error is about that.
pub(crate) fn of_board(error: &anyhow::Error) -> Option<&board::Error> {
    match error.downcast_ref()? {
        ops::Error::Board(stopped) => Some(&stopped.error),
        _ => None,
    }
}

/// The error of a panic, from what it carried: the program ends as orderly as it can, and says what may have become of
/// the board.
pub(crate) fn defect(payload: &(dyn Any + Send), activity: &Activity) -> anyhow::Error {
    let text = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let message = format!("the program failed: {}", text.unwrap_or("no message"));
    Refusal::new(Exit::Internal, activity.board(), message).into()
}

/// The error of a second Ctrl-C, which ends the program where it stands.
pub(crate) fn stopped(activity: &Activity) -> anyhow::Error {
    Refusal::new(Exit::Interrupted, activity.board(), "stopped at once").into()
}

/// Attaches an exit code to an error that does not know its own.
pub(crate) trait Meaning<T> {
    /// `message` says what was attempted; the error itself becomes the cause. The board is untouched.
    fn meaning(self, exit: Exit, message: impl FnOnce() -> String) -> anyhow::Result<T>
    where
        Self: Sized,
    {
        self.meaning_after(BoardState::Untouched, exit, message)
    }

    /// The same, when the board has become this.
    fn meaning_after(self, board: BoardState, exit: Exit, message: impl FnOnce() -> String) -> anyhow::Result<T>;
}

impl<T, E: Into<anyhow::Error>> Meaning<T> for Result<T, E> {
    fn meaning_after(self, board: BoardState, exit: Exit, message: impl FnOnce() -> String) -> anyhow::Result<T> {
        self.map_err(|error| error.into().context(Refusal::new(exit, board, message())))
    }
}

/// What an error means: the exit code, and what the board is now.
///
/// An error of a procedure knows both; anything raised before one ran left the board alone.
pub(crate) fn classify(error: &anyhow::Error) -> (Exit, BoardState) {
    if let Some(error) = error.downcast_ref::<ops::Error>() {
        return (error.category().into(), error.board());
    }
    let refusal = error.downcast_ref::<Refusal>();
    refusal.map_or((Exit::Internal, BoardState::Untouched), |refusal| (refusal.exit, refusal.board))
}

impl From<Category> for Exit {
    fn from(category: Category) -> Self {
        match category {
            Category::Usage => Self::Usage,
            Category::Consent => Self::Consent,
            Category::NoProbe => Self::NoProbe,
            Category::ProbeAccess => Self::ProbeAccess,
            Category::NoContact => Self::NoContact,
            Category::WrongBoard => Self::WrongBoard,
            Category::Image => Self::Image,
            Category::Data => Self::Data,
            Category::Backup => Self::Backup,
            Category::Flash => Self::Flash,
            Category::Verify => Self::Verify,
            Category::LinkLost => Self::LinkLost,
            Category::Interrupted => Self::Interrupted,
            Category::Internal => Self::Internal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exit_code_has_its_own_row_in_order() {
        assert!(TABLE.windows(2).all(|pair| pair[0].code < pair[1].code));
        assert!(TABLE.iter().all(|row| row.exit.row().code == row.code));
    }

    #[test]
    fn an_error_nobody_named_is_a_defect_of_the_program() {
        assert_eq!(classify(&anyhow::anyhow!("odd")), (Exit::Internal, BoardState::Untouched));
    }

    #[test]
    fn a_named_error_keeps_its_exit_code_and_its_cause() {
        let error = Err::<(), _>(std::io::Error::other("disk on fire"))
            .meaning(Exit::Data, || "cannot write x".into())
            .unwrap_err();
        assert_eq!(classify(&error), (Exit::Data, BoardState::Untouched));
        assert_eq!(error.chain().map(ToString::to_string).collect::<Vec<_>>(), ["cannot write x", "disk on fire"]);
    }

    #[test]
    fn a_failure_after_the_work_does_not_forget_the_board() {
        let full = Err::<(), _>(std::io::Error::other("the disk is full"));
        let error = full.meaning_after(BoardState::Written, Exit::Internal, || "cannot write x".into()).unwrap_err();
        assert_eq!(classify(&error), (Exit::Internal, BoardState::Written));
    }
}
