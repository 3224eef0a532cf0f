//! Contact that lasts: what the person who holds the wires waits for.

use std::time::Duration;

use super::{
    Board, Error, LinkError, link_quality,
    progress::{Need, Progress},
    registers::core::CPUID,
};

/// How often the share of good accesses is told.
const TOLD_EVERY: Duration = Duration::from_millis(100);

impl Board<'_> {
    /// Reads from the chip over and over until contact was good for `time`. Returns the first loss of contact.
    pub fn hold_contact(&mut self, time: Duration, progress: &mut dyn Progress) -> Result<(), Error> {
        // The window is full of these accesses at the end.
        let interval = time / link_quality::WINDOW as u32;
        let began = self.timer.now();
        let mut told = began;
        loop {
            let value = self.link.read(CPUID)?;
            if value != self.chip.cpuid {
                return Err(LinkError::Nonsense { what: "CPUID", value }.into());
            }
            let now = self.timer.now();
            if now.saturating_sub(began) >= time && self.link.quality().is_good() {
                progress.on(self.contact(None));
                return Ok(());
            }
            if now.saturating_sub(told) >= TOLD_EVERY {
                told = now;
                progress.on(self.contact(Some(Need::Contact)));
            }
            self.timer.pause(interval)?;
        }
    }
}
