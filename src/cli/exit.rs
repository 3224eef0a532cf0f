//! Why the program ended, and which errors mean what.

use std::{any::Any, fmt::Display};

use m365_drv::{
    board,
    ops::{self, BoardState, Category},
};

use super::{
    exit_codes::{Row, TABLE},
    hints,
    progress::Activity,
};

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
    Locked,
    Output,
    Interrupted,
}

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

/// The same when the board is in this state, with what led to it.
pub(crate) fn refuse_after(
    board: BoardState,
    exit: Exit,
    message: impl Into<String>,
    cause: impl Display,
) -> anyhow::Error {
    anyhow::anyhow!("{cause}").context(Refusal::new(exit, board, message))
}

/// What an error is about, one a line.
pub(crate) fn details(error: &anyhow::Error) -> Vec<String> {
    match error.downcast_ref() {
        Some(ops::Error::SeveralImages { fitting, .. }) => fitting.clone(),
        _ => hints::published(error),
    }
}

/// What went wrong between this program and the board, if an error is about that.
pub(crate) fn of_board(error: &anyhow::Error) -> Option<&board::Error> {
    match error.downcast_ref()? {
        ops::Error::Board(stopped) => Some(&stopped.error),
        _ => None,
    }
}

/// The error of a panic, from its payload: the program ends as orderly as it can, and says what the board may be now.
pub(crate) fn defect(payload: &(dyn Any + Send), activity: &Activity) -> anyhow::Error {
    let text = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let message = format!("internal error: {}", text.unwrap_or("no message"));
    Refusal::new(Exit::Internal, activity.board(), message).into()
}

/// The error of a second Ctrl-C, which ends the program immediately.
pub(crate) fn stopped(activity: &Activity) -> anyhow::Error {
    Refusal::new(Exit::Interrupted, activity.board(), "stopped immediately").into()
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
            Category::Locked => Self::Locked,
            Category::Interrupted => Self::Interrupted,
            Category::Internal => Self::Internal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
