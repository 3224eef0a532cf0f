//! Ctrl-C: before anything is done with a board it ends the program. From then on the first asks the procedure to stop at
//! a good place, a second ends the program, unless flash is being written. On Windows the same is done if the window is closed;
//! a page takes milliseconds, and the system waits five seconds for the end.

use std::{
    process,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use super::Accounts;
use crate::cli::{
    exit,
    exit_codes::{Exit, ExitRow},
    files,
    screen::output::Output,
};

/// Signals that come closer together are one: `timeout` sends two, to the process and to its group.
const APART: Duration = Duration::from_millis(200);

/// From now on Ctrl-C sets `wish`, which the board procedures look at.
pub(crate) fn obey(wish: Arc<AtomicBool>, accounts: Accounts, output: Output) {
    let first = OnceLock::new();
    let handler = Arc::new(move || {
        wish.store(true, Ordering::SeqCst);
        let again = first.get_or_init(Instant::now).elapsed() > APART;
        let at_once = again || !accounts.has_begun();
        if !at_once || accounts.is_changing() {
            return;
        }
        // Once the end is told, only a reader who takes nothing can keep the program from ending.
        if output.cut_short(exit::stopped) || again {
            files::discard();
            process::exit(ExitRow::of(Exit::Interrupted).code.into());
        }
    });
    let on_signal = handler.clone();
    if let Err(error) = ctrlc::set_handler(move || on_signal()) {
        log::warn!("cannot catch Ctrl-C; it will stop the program at once: {error}");
    }
    #[cfg(windows)]
    if let Err(error) = m365_drv_windows::on_close(move || handler()) {
        log::warn!("closing the window will stop the program at once: {error}");
    }
}
