//! Which errors mean which exit code.

use std::{any::Any, fmt::Display};

use m365_drv::{board, ops};

pub(crate) use super::exit_codes::Exit;

/// An error that this command line raises itself, with the exit code that it means.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Refusal {
    exit: Exit,
    message: String,
    /// The next command to type, if the exit code does not tell.
    next: Option<String>,
}

impl Refusal {
    fn new(exit: Exit, message: impl Into<String>) -> Self {
        refusal(exit, message, None)
    }
}

/// A refusal that knows the next command to type.
pub(crate) fn refusal(exit: Exit, message: impl Into<String>, next: Option<String>) -> Refusal {
    Refusal { exit, message: message.into(), next }
}

/// The next command to type, if the refusal itself knows it.
pub(crate) fn next_of(error: &anyhow::Error) -> Option<String> {
    error.downcast_ref::<Refusal>()?.next.clone()
}

/// Refuses with an exit code; the message is one fact in lower case, without a full stop.
pub(crate) fn refuse(exit: Exit, message: impl Into<String>) -> anyhow::Error {
    Refusal::new(exit, message).into()
}

/// The same, with what led to it.
pub(crate) fn refuse_because(exit: Exit, message: impl Into<String>, cause: impl Display) -> anyhow::Error {
    anyhow::anyhow!("{cause}").context(Refusal::new(exit, message))
}

/// What went wrong between this program and the board, if an error is about that.
pub(crate) fn of_board(error: &anyhow::Error) -> Option<&board::Error> {
    match error.downcast_ref()? {
        ops::Error::Board(error) | ops::Error::Lost(error) => Some(error),
        _ => None,
    }
}

/// The error of a panic, from its payload: the program ends as orderly as it can.
pub(crate) fn defect(payload: &(dyn Any + Send)) -> anyhow::Error {
    let text = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    refuse(Exit::Internal, format!("internal error: {}", text.unwrap_or("no message")))
}

/// The error of a second Ctrl-C, which ends the program immediately.
pub(crate) fn stopped() -> anyhow::Error {
    refuse(Exit::Interrupted, "stopped immediately")
}

/// Attaches an exit code to an error that does not know its own.
pub(crate) trait Meaning<T> {
    /// `message` says what was attempted; the error itself becomes the cause.
    fn meaning(self, exit: Exit, message: impl FnOnce() -> String) -> anyhow::Result<T>;
}

impl<T, E: Into<anyhow::Error>> Meaning<T> for Result<T, E> {
    fn meaning(self, exit: Exit, message: impl FnOnce() -> String) -> anyhow::Result<T> {
        self.map_err(|error| error.into().context(Refusal::new(exit, message())))
    }
}

/// The exit code that an error means.
pub(crate) fn classify(error: &anyhow::Error) -> Exit {
    if let Some(error) = error.downcast_ref::<ops::Error>() {
        return error.exit();
    }
    error.downcast_ref::<Refusal>().map_or(Exit::Internal, |refusal| refusal.exit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_nobody_named_is_a_defect_of_the_program() {
        assert_eq!(classify(&anyhow::anyhow!("odd")), Exit::Internal);
    }

    #[test]
    fn a_named_error_keeps_its_exit_code_and_its_cause() {
        let error = Err::<(), _>(std::io::Error::other("disk on fire"))
            .meaning(Exit::Data, || "cannot write x".into())
            .unwrap_err();
        assert_eq!(classify(&error), Exit::Data);
        assert_eq!(error.chain().map(ToString::to_string).collect::<Vec<_>>(), ["cannot write x", "disk on fire"]);
    }
}
