//! Watching the firmware start, without halting it.

use std::{fmt, time::Duration};

use serde::Serialize;

use super::{
    Board, Error, core,
    link::{Link, LinkError},
    registers::core::{DEMCR, DEMCR_TRCENA, DHCSR, DHCSR_S_LOCKUP, DWT_PCSR, ICSR, ICSR_VECTACTIVE},
};
use crate::target::Target;

/// How the firmware started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum Boot {
    /// The DRV firmware runs.
    Running {
        /// A sample of its program counter.
        #[serde(serialize_with = "hexadecimal")]
        pc: u32,
    },
    /// Still in the bootloader when the time was up: it found no application that it would start.
    Bootloader {
        /// A sample of its program counter.
        #[serde(serialize_with = "hexadecimal")]
        pc: u32,
    },
    /// In a fault handler.
    Fault {
        /// Number of the exception (3 HardFault, 4 MemManage, 5 BusFault, 6 UsageFault).
        exception: u32,
    },
    /// Locked up: a fault inside the fault handler.
    Lockup,
    /// Somewhere where no firmware is.
    Lost {
        /// A sample of the program counter.
        #[serde(serialize_with = "hexadecimal")]
        pc: u32,
    },
    /// The firmware could not be watched: contact ended, or the chip shows no samples. It says nothing about the firmware.
    Unseen,
}

impl fmt::Display for Boot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Running { pc } => write!(f, "the DRV firmware runs, at {pc:#010x}"),
            Self::Bootloader { pc } => write!(f, "it is still in the bootloader, at {pc:#010x}"),
            Self::Fault { exception } => write!(f, "it is in the handler of exception {exception}"),
            Self::Lockup => f.write_str("the core is locked up"),
            Self::Lost { pc } => write!(f, "it is at {pc:#010x}, where no firmware is"),
            Self::Unseen => f.write_str("it could not be watched"),
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn hexadecimal<S: serde::Serializer>(value: &u32, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{value:#010x}"))
}

/// Time for bootloader and start-up code: the vendor's bootloader jumps within milliseconds.
const LIMIT: Duration = Duration::from_secs(2);
/// Samples inside the DRV region, one after the other, that make a running firmware, and the time that they have to span:
/// long enough for a start-up that faults to have faulted.
const SAMPLES: u32 = 5;
const SPAN: Duration = Duration::from_millis(5);

impl Board<'_> {
    /// Resets the chip, lets it run and watches it by samples of its program counter.
    pub fn boot(&mut self, target: &Target) -> Result<Boot, Error> {
        core::reset_and_run(&mut self.link, &self.pace, DEMCR_TRCENA)?;
        let began = self.pace.now();
        let mut inside = (0, began);
        let mut last = Boot::Unseen;
        let seen = self.pace.poll(LIMIT, || {
            let now = self.pace.now();
            last = locate(self.link.read(DWT_PCSR)?, target);
            let Boot::Running { .. } = last else {
                inside.0 = 0;
                // A locked-up core has no program counter to show.
                let may_be_locked_up = matches!(last, Boot::Lost { .. } | Boot::Unseen);
                return Ok(if may_be_locked_up { stopped(&mut self.link)? } else { None });
            };
            inside = if inside.0 == 0 { (1, now) } else { (inside.0 + 1, inside.1) };
            if inside.0 < SAMPLES || now.saturating_sub(inside.1) < SPAN {
                return Ok(None);
            }
            // The DRV's fault handlers are in the DRV too.
            Ok(stopped(&mut self.link)?.or(Some(last)))
        })?;
        let seen = match seen {
            Some(seen) => seen,
            // A fault before the DRV has set its own vectors ends in the bootloader's handler.
            None => stopped(&mut self.link)?.unwrap_or(last),
        };
        self.link.write(DEMCR, 0)?;
        self.link.flush()?;
        Ok(seen)
    }

    /// Resets the chip and lets it run.
    pub fn reset(mut self) -> Result<(), Error> {
        core::reset_and_run(&mut self.link, &self.pace, 0)
    }

    /// Lets the core go on where it was halted.
    pub fn resume(mut self) -> Result<(), Error> {
        core::resume(&mut self.link)?;
        Ok(())
    }
}

/// Whether the core has run into something that it does not come out of.
fn stopped(link: &mut Link) -> Result<Option<Boot>, LinkError> {
    if link.read(DHCSR)? & DHCSR_S_LOCKUP != 0 {
        return Ok(Some(Boot::Lockup));
    }
    let exception = link.read(ICSR)? & ICSR_VECTACTIVE;
    // Exceptions 3 to 6 are the faults (DDI 0403E B1.5.2).
    Ok((3..=6).contains(&exception).then_some(Boot::Fault { exception }))
}

fn locate(pc: u32, target: &Target) -> Boot {
    // All ones from a core that does not run (DDI 0403E C1.8.5), zero where there are no samples.
    if [0, u32::MAX].contains(&pc) {
        Boot::Unseen
    } else if target.regions.drv.contains(&pc) {
        Boot::Running { pc }
    } else if target.regions.boot.contains(&pc) {
        Boot::Bootloader { pc }
    } else {
        Boot::Lost { pc }
    }
}
