//! The Cortex-M core: halt, reset, registers, run. ARMv7-M ARM (DDI 0403E) C1.6.

use std::time::Duration;

use super::{
    Error,
    link::{Link, LinkError},
    registers::core::{
        AIRCR, AIRCR_SYSRESETREQ, AIRCR_VECTKEY, DCRDR, DCRSR, DCRSR_PC, DCRSR_REGWNR, DCRSR_XPSR, DEMCR,
        DEMCR_VC_CORERESET, DHCSR, DHCSR_C_DEBUGEN, DHCSR_C_HALT, DHCSR_DBGKEY, DHCSR_S_HALT, DHCSR_S_REGRDY,
        DHCSR_S_RESET_ST, XPSR_T,
    },
    timer::Timer,
};

/// A core that has not halted by then will not.
const HALT_LIMIT: Duration = Duration::from_millis(100);
/// A system reset takes microseconds; an external capacitor on NRST stretches it.
const RESET_LIMIT: Duration = Duration::from_millis(500);

/// Stops the core where it is. A core in lock-up stops too.
pub(super) fn halt(link: &mut Link, timer: &Timer) -> Result<(), Error> {
    link.write(DHCSR, DHCSR_DBGKEY | DHCSR_C_DEBUGEN | DHCSR_C_HALT)?;
    let mut in_reset = 0;
    let halted = timer.poll(HALT_LIMIT, || {
        let status = link.read(DHCSR)?;
        // Reading clears S_RESET_ST, unless the reset lasts.
        in_reset = if status & DHCSR_S_RESET_ST == 0 { 0 } else { in_reset + 1 };
        Ok((status & DHCSR_S_HALT != 0).then_some(()))
    })?;
    halted.ok_or(if in_reset > 1 { Error::HeldInReset } else { Error::NotHalted })
}

/// Resets the chip and stops the core before its first instruction. Debug has been enabled by [`halt`]; SRAM and the debug
/// settings stay.
pub(super) fn reset_and_halt(link: &mut Link, timer: &Timer) -> Result<(), Error> {
    // What it was doing is over. If it were let go now it would start its firmware, which locks the chip.
    link.leave_core();
    reset(link, timer, DEMCR_VC_CORERESET, |_, status| Ok(status & DHCSR_S_HALT != 0))
}

/// Resets the chip, whose core is halted, and lets it run without the debugger in its way.
///
/// Out of the halt: a core that is resumed first continues what it was doing, if only for a moment, and may begin to erase a page.
/// The reset would cut that.
pub(super) fn reset_and_run(link: &mut Link, timer: &Timer, demcr: u32) -> Result<(), Error> {
    link.leave_core();
    reset(link, timer, demcr, |link, _| {
        link.write(DHCSR, DHCSR_DBGKEY)?;
        link.flush()?;
        Ok(true)
    })
}

/// Resets the chip, sees that it was reset, and calls `then` with DHCSR until that is done.
fn reset(
    link: &mut Link,
    timer: &Timer,
    demcr: u32,
    mut then: impl FnMut(&mut Link, u32) -> Result<bool, LinkError>,
) -> Result<(), Error> {
    link.write(DEMCR, demcr)?;
    // Reading clears S_RESET_ST, so that seeing it again proves this reset.
    link.read(DHCSR)?;
    link.write(AIRCR, AIRCR_VECTKEY | AIRCR_SYSRESETREQ)?;
    let mut was_reset = false;
    let mut unanswered = None;
    let mut attempt = || {
        let status = link.read(DHCSR)?;
        was_reset |= status & DHCSR_S_RESET_ST != 0;
        Ok(was_reset && then(link, status)?)
    };
    let done = timer.poll(RESET_LIMIT, || match attempt() {
        Ok(done) => Ok(done.then_some(())),
        Err(error @ LinkError::Probe { .. }) => Err(error.into()),
        // While the reset lasts the chip may not answer at all.
        Err(error) => {
            unanswered = Some(error);
            Ok(None)
        }
    })?;
    match (done, unanswered) {
        (Some(()), _) => Ok(()),
        (None, Some(error)) if !was_reset => Err(error.into()),
        (None, _) => Err(Error::NotReset),
    }
}

/// The halted core's program counter.
pub(super) fn program_counter(link: &mut Link, timer: &Timer) -> Result<u32, Error> {
    link.write(DCRSR, DCRSR_PC)?;
    let ready = timer.poll(HALT_LIMIT, || Ok((link.read(DHCSR)? & DHCSR_S_REGRDY != 0).then_some(())))?;
    ready.ok_or(Error::NotHalted)?;
    Ok(link.read(DCRDR)?)
}

/// Lets the halted core go on, to be halted again.
pub(super) fn run(link: &mut Link) -> Result<(), LinkError> {
    link.write(DHCSR, DHCSR_DBGKEY | DHCSR_C_DEBUGEN)
}

/// Starts the halted core at `entry` in Thumb state, with all interrupts disabled by the reset before.
///
/// A transfer to a register takes the halted core a few cycles (DDI 0403E C1.6.3), the next word on the wires at least 46 clocks: the
/// debugger is always behind it. That both have ended is seen once, at the end.
pub(super) fn start(link: &mut Link, timer: &Timer, entry: u32) -> Result<(), Error> {
    link.write(DCRDR, XPSR_T)?;
    // DCRDR comes right behind DCRSR.
    link.write_words(DCRSR, &[DCRSR_REGWNR | DCRSR_XPSR, entry])?;
    link.write(DCRSR, DCRSR_REGWNR | DCRSR_PC)?;
    let ready = timer.poll(HALT_LIMIT, || Ok((link.read(DHCSR)? & DHCSR_S_REGRDY != 0).then_some(())))?;
    ready.ok_or(Error::NotHalted)?;
    run(link)?;
    Ok(())
}
