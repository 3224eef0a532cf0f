//! Questions to the person at the terminal.

use std::{
    io,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

use m365_drv::{board, ops};

use crate::cli::Context;

/// How often a wait for the answer looks for Ctrl-C.
const GLANCE: Duration = Duration::from_millis(100);

/// The line that somebody is typing. A read from a terminal cannot be cancelled, so the next question takes it over.
static TYPING: Mutex<Option<Receiver<String>>> = Mutex::new(None);

fn begin() -> Receiver<String> {
    let (typed, line) = mpsc::channel();
    thread::spawn(move || {
        let mut line = String::new();
        let _ = io::stdin().read_line(&mut line);
        let _ = typed.send(line);
    });
    line
}

/// The line, if it is complete within this time; at the end of the input an empty one. Ctrl-C ends the wait for it.
pub(crate) fn typed_within(context: &Context, time: Duration) -> Result<Option<String>, ops::Error> {
    typed_unless(&context.probes.interrupt(), time)
}

fn typed_unless(interrupt: &AtomicBool, time: Duration) -> Result<Option<String>, ops::Error> {
    let mut typing = TYPING.lock().unwrap_or_else(PoisonError::into_inner);
    let line = match typing.get_or_insert_with(begin).recv_timeout(time) {
        Ok(line) => line,
        Err(RecvTimeoutError::Disconnected) => String::new(),
        Err(RecvTimeoutError::Timeout) if interrupt.load(Ordering::SeqCst) => {
            return Err(board::Error::Interrupted.into());
        }
        Err(RecvTimeoutError::Timeout) => return Ok(None),
    };
    *typing = None;
    Ok(Some(line))
}

/// A line that was typed; Ctrl-C ends the wait for it.
pub(crate) fn answer(context: &Context) -> Result<String, ops::Error> {
    answer_unless(&context.probes.interrupt())
}

/// The same, unless this becomes true first.
pub(crate) fn answer_unless(interrupt: &AtomicBool) -> Result<String, ops::Error> {
    loop {
        if let Some(line) = typed_unless(interrupt, GLANCE)? {
            return Ok(line);
        }
    }
}

/// Asks whether to do something harmless: Return alone agrees.
pub(crate) fn yes_or_no(context: &mut Context, question: &str) -> Result<bool, ops::Error> {
    context.say(&format!("{question} [Y/n]"));
    Ok(agrees(&answer(context)?))
}

/// At the end of the input nobody has answered.
fn agrees(line: &str) -> bool {
    line.ends_with('\n') && matches!(line.trim().to_ascii_lowercase().as_str(), "" | "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn return_y_and_yes_agree_and_nothing_else_does() {
        assert!(["\n", "y\n", "Yes\r\n", " \n"].into_iter().all(agrees));
        assert!(!["", "n\n", "no\n", "yep\n", "y"].into_iter().any(agrees));
    }
}
