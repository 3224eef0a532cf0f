//! Ctrl-C: the first asks the procedure to stop at a good place, a second ends the program, unless flash is
//! being written.

use std::{
    process,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{
    exit::{self, Exit},
    output::Output,
    progress::Activity,
};

/// From now on Ctrl-C sets `wish`, which the board procedures look at.
pub(crate) fn obey(wish: Arc<AtomicBool>, activity: Activity, output: Output) {
    let handler = move || {
        let again = wish.swap(true, Ordering::SeqCst);
        if again && !activity.is_writing() {
            let _ = output.end(Err(exit::stopped(&activity)));
            process::exit(Exit::Interrupted.row().code.into());
        }
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        log::warn!("Ctrl-C ends the program at once: {error}");
    }
}
