//! Closing the window: Windows ends the program as soon as its handler returns, and after five seconds if it does not
//! (`HandlerRoutine`, Microsoft Learn).

use std::{io, sync::OnceLock, thread, time::Duration};

use windows_sys::{
    Win32::System::Console::{CTRL_CLOSE_EVENT, CTRL_LOGOFF_EVENT, CTRL_SHUTDOWN_EVENT, SetConsoleCtrlHandler},
    core::BOOL,
};

type Stop = Box<dyn Fn() + Send + Sync>;

static STOP: OnceLock<Stop> = OnceLock::new();

/// Calls `stop` if the window is closed or the user logs off, and keeps the program alive until it ends by itself, at most five
/// seconds. The handler that is set last is asked first, so call this after any other. Only the first call has an effect.
pub fn on_close(stop: impl Fn() + Send + Sync + 'static) -> io::Result<()> {
    if STOP.set(Box::new(stop)).is_err() {
        return Ok(());
    }
    // SAFETY: the handler is a function of this program, and stays.
    let done = unsafe { SetConsoleCtrlHandler(Some(handler), 1) };
    if done == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Windows calls it in a thread of its own.
unsafe extern "system" fn handler(event: u32) -> BOOL {
    if ![CTRL_CLOSE_EVENT, CTRL_LOGOFF_EVENT, CTRL_SHUTDOWN_EVENT].contains(&event) {
        return 0;
    }
    if let Some(stop) = STOP.get() {
        stop();
    }
    // The end of `main` ends this thread too.
    loop {
        thread::sleep(Duration::from_secs(1));
    }
}
