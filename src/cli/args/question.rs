//! Questions to the person at the terminal.

use std::{
    io,
    sync::{
        atomic::Ordering,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

use m365_drv::{board, ops};

use crate::cli::Context;

/// How often a wait for the answer looks for Ctrl-C.
const GLANCE: Duration = Duration::from_millis(100);

/// A line that was typed; Ctrl-C ends the wait for it.
pub(crate) fn answer(context: &Context) -> Result<String, ops::Error> {
    let (typed, line) = mpsc::channel();
    // A read from a terminal cannot be called off: the thread is left to it.
    thread::spawn(move || {
        let mut line = String::new();
        let _ = io::stdin().read_line(&mut line);
        let _ = typed.send(line);
    });
    let interrupt = context.probes.interrupt();
    loop {
        match line.recv_timeout(GLANCE) {
            Ok(line) => return Ok(line),
            Err(RecvTimeoutError::Disconnected) => return Ok(String::new()),
            Err(RecvTimeoutError::Timeout) if interrupt.load(Ordering::SeqCst) => {
                return Err(board::Error::Interrupted.into());
            }
            Err(RecvTimeoutError::Timeout) => {}
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
