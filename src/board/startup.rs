//! Watching the firmware start, without halting it.

use std::{fmt, time::Duration};

use serde::Serialize;

use super::{
    Board, Error, cortex_m, firmware_save,
    link::{Link, LinkError},
    progress::hexadecimal,
    registers::{
        core::{
            DEMCR, DEMCR_TRCENA, DHCSR, DHCSR_DBGKEY, DHCSR_S_LOCKUP, DHCSR_S_RESET_ST, DHCSR_S_SLEEP, DWT_PCSR, ICSR,
            ICSR_VECTACTIVE,
        },
        fpec::{ACR, OBR, OBR_WDG_SW},
    },
    rescue,
    timer::Timer,
};
use crate::target::FlashMap;

/// How the firmware started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum Startup {
    /// The DRV firmware runs, and its live data block is in SRAM.
    Running {
        /// A sample of its program counter.
        #[serde(serialize_with = "hexadecimal")]
        pc: u32,
        /// The firmware's own error register; 0 if it has no complaint.
        error: u16,
    },
    /// The DRV firmware runs, but no data block of this chip has appeared in SRAM.
    NoBlock {
        /// A sample of its program counter.
        #[serde(serialize_with = "hexadecimal")]
        pc: u32,
    },
    /// Stays at one instruction, awake and outside of every handler.
    Stuck {
        /// Its program counter.
        #[serde(serialize_with = "hexadecimal")]
        pc: u32,
    },
    /// Resets again and again: a watchdog that is not fed.
    Resetting {
        /// Resets that were seen.
        resets: u32,
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
    /// Somewhere outside of bootloader and firmware.
    Lost {
        /// A sample of the program counter.
        #[serde(serialize_with = "hexadecimal")]
        pc: u32,
    },
    /// The firmware could not be watched: contact ended, or the chip gives no samples. It says nothing about the firmware.
    Unseen,
}

impl Startup {
    /// Whether a board on a bench, without motor, battery and dashboard, shows this error however well it was flashed: 18
    /// without hall sensors, 24 without supply voltage, 10 without dashboard (every vendor image, run in an emulator).
    pub fn is_normal_on_a_bench(error: u16) -> bool {
        [10, 18, 24].contains(&error)
    }
}

impl fmt::Display for Startup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Running { error: 0, .. } => f.write_str("the DRV firmware is running"),
            Self::Running { error, .. } => write!(f, "the DRV firmware is running and shows error {error}"),
            Self::NoBlock { pc } => write!(f, "no data block in SRAM yet (it runs at {pc:#010x})"),
            Self::Stuck { pc } => write!(f, "it is stuck at {pc:#010x}"),
            Self::Resetting { resets } => {
                write!(
                    f,
                    "it keeps resetting ({resets} times while it was watched): the firmware does not feed the watchdog"
                )
            }
            Self::Bootloader { pc } => write!(f, "it is still in the bootloader, at {pc:#010x}"),
            Self::Fault { exception } => write!(f, "it crashed ({})", fault_name(*exception)),
            Self::Lockup => f.write_str("it crashed and stopped the chip (lockup)"),
            Self::Lost { pc } => write!(f, "it is at {pc:#010x}, outside the firmware"),
            Self::Unseen => f.write_str("contact was lost"),
        }
    }
}

/// The name of a fault exception (DDI 0403E B1.5.2).
fn fault_name(exception: u32) -> &'static str {
    match exception {
        4 => "MemManage fault",
        5 => "BusFault",
        6 => "UsageFault",
        _ => "HardFault",
    }
}

// How long the firmware is watched was measured with 500 images of three vendor versions, each with 16 bytes or 1 KiB missing
// somewhere. On a bare bench, where the self-test stops with an error 10 ms after the start, all that fault at all did so
// within 21 ms. With motor, battery and dashboard attached the self-test passes, and then the last faults come when the main
// loop begins, up to 766 ms after the start.

/// How long the firmware has to have run before it is judged.
const WATCH: Duration = Duration::from_millis(100);
/// How long if it shows no error by then: it may not have reached its main loop. Also if the option bytes start the watchdog,
/// which bites after 273 to 546 ms (DS5319 table 37: LSI 30 to 60 kHz; RM0008 19.3.2: 4096 steps of a fourth).
const LONG_WATCH: Duration = Duration::from_secs(1);
/// How long to wait for the firmware to have run that long. The vendor's bootloader jumps within milliseconds.
const LIMIT: Duration = Duration::from_secs(2);
/// So many resets are not an accident of contact.
const RESETS: u32 = 3;
/// So many samples in a row at one place, of a core that is awake, make one that may be stuck. Waiting loops of two or three
/// instructions can look the same: only a branch to itself is a stop.
const SAME: u32 = 10;
/// `b .` (DDI 0403E A7.7.12, encoding T2).
const BRANCH_TO_ITSELF: u32 = 0xE7FE;
/// The same, if that place is the handler of a fault.
const SAME_IN_HANDLER: u32 = 3;
/// What the firmware writes when it starts is over by then: a page erase and its half-words, or the option bytes.
const SAVE_LIMIT: Duration = Duration::from_millis(300);

/// How long the firmware is watched once more after that, at least.
const AFTER_SAVE: Duration = Duration::from_millis(30);
/// In so many samples at least, even if the link is slow: those that a fault handler is known by, and one before.
const LOOKS_AFTER_SAVE: u32 = SAME_IN_HANDLER + 2;

impl Board<'_> {
    /// Resets the chip, lets it run and watches it: by samples of its program counter, by the exception it is in, and by the
    /// data block that it copies to SRAM.
    pub fn start(&mut self, map: &FlashMap) -> Result<Startup, Error> {
        // Out of whatever the core was stopped in, which would go on without its code or variables if contact ended now: the
        // flash algorithm lies in the part of SRAM that is cleared.
        cortex_m::reset_and_halt(&mut self.link, &self.timer)?;
        // A live block that is found afterwards is a new one.
        rescue::forget(&mut self.link, map)?;
        let obr = self.link.read(ACR + 4 * OBR as u32)?;
        let handlers = fault_handlers(&mut self.link, map)?;
        cortex_m::reset_and_run(&mut self.link, &self.timer, DEMCR_TRCENA)?;
        let mut seen = self.watch(map, handlers.clone(), obr & OBR_WDG_SW == 0)?;
        if matches!(seen, Startup::Running { .. } | Startup::NoBlock { .. }) {
            firmware_save::await_finish(&mut self.link, &self.timer, SAVE_LIMIT)?;
            // While flash was busy the core stood still: what it does next has not been seen yet.
            let (link, timer) = (&mut self.link, &self.timer);
            let mut watched = Watched { handlers, ..Watched::default() };
            let mut looks = 0;
            let mut stopped = timer.poll(AFTER_SAVE, || {
                looks += 1;
                watched.look(link, timer, map)
            })?;
            while stopped.is_none() && looks < LOOKS_AFTER_SAVE {
                looks += 1;
                stopped = watched.look(link, timer, map)?;
            }
            seen = stopped.unwrap_or(seen);
            // Hands may take the supply away as soon as this is over.
            firmware_save::await_finish(&mut self.link, &self.timer, SAVE_LIMIT)?;
        }
        self.link.write(DEMCR, 0)?;
        self.link.flush()?;
        Ok(seen)
    }

    /// Lets the core go on and watches what runs, as after a start, but without a reset. The core goes on running afterwards.
    pub fn observe(&mut self, map: &FlashMap) -> Result<Startup, Error> {
        let obr = self.link.read(ACR + 4 * OBR as u32)?;
        let handlers = fault_handlers(&mut self.link, map)?;
        self.link.write(DEMCR, DEMCR_TRCENA)?;
        // Reading clears S_RESET_ST: a reset before this moment is not one that was watched.
        self.link.read(DHCSR)?;
        self.link.write(DHCSR, DHCSR_DBGKEY)?;
        self.link.flush()?;
        let seen = self.watch(map, handlers, obr & OBR_WDG_SW == 0)?;
        self.link.write(DEMCR, 0)?;
        self.link.flush()?;
        Ok(seen)
    }

    /// Where the halted core was stopped, and the number of the exception that it was in; 0 if it was in none.
    pub fn stopped_at(&mut self) -> Result<(u32, u32), Error> {
        let pc = cortex_m::program_counter(&mut self.link, &self.timer)?;
        Ok((pc, self.link.read(ICSR)? & ICSR_VECTACTIVE))
    }

    fn watch(&mut self, map: &FlashMap, handlers: Vec<(u32, u32)>, is_watchdog_on: bool) -> Result<Startup, Error> {
        let (link, timer, uid) = (&mut self.link, &self.timer, self.uid);
        let mut watched = Watched { handlers, ..Watched::default() };
        let mut needed = if is_watchdog_on { LONG_WATCH } else { WATCH };
        let seen = timer.poll(LIMIT, || {
            if let Some(stopped) = watched.look(link, timer, map)? {
                return Ok(Some(stopped));
            }
            let Some((pc, ran)) = watched.ran(timer.now()) else { return Ok(None) };
            if ran < needed {
                return Ok(None);
            }
            if watched.same >= SAME && branches_to_itself(link, pc)? {
                return Ok(Some(Startup::Stuck { pc }));
            }
            let live = rescue::live(link, map, uid)?;
            let error = live.as_ref().map(|(_, block)| block.error());
            if error.unwrap_or(0) == 0 && needed < LONG_WATCH {
                needed = LONG_WATCH;
                return Ok(None);
            }
            let (Some((address, _)), Some(error)) = (live, error) else {
                return Ok(Some(Startup::NoBlock { pc }));
            };
            // One wrong bit would be another error.
            let again = rescue::live_at(link, address)?.map(|block| block.error());
            Ok((again == Some(error)).then_some(Startup::Running { pc, error }))
        })?;
        Ok(seen.unwrap_or(match (watched.resets, watched.last) {
            // It came and went.
            (0, Startup::Running { .. }) => Startup::Unseen,
            (0, last) => last,
            (resets, _) => Startup::Resetting { resets },
        }))
    }

    /// Resets the chip and lets it run.
    pub fn reset(mut self) -> Result<(), Error> {
        cortex_m::reset_and_run(&mut self.link, &self.timer, 0)
    }

    /// Resumes the core at the place where it was halted.
    pub fn resume(mut self) -> Result<(), Error> {
        self.link.resume_core()?;
        Ok(())
    }
}

/// What has been seen of a core since its reset.
struct Watched {
    /// The first instructions of fault handlers, with the number of the exception.
    handlers: Vec<(u32, u32)>,
    /// Since when it has been in the firmware.
    since: Option<Duration>,
    /// Where it was last, and for how many samples in a row.
    pc: u32,
    same: u32,
    resets: u32,
    last: Startup,
}

impl Default for Watched {
    fn default() -> Self {
        Self { handlers: Vec::new(), since: None, pc: 0, same: 0, resets: 0, last: Startup::Unseen }
    }
}

impl Watched {
    /// Takes a sample; gives what the core does not come out of.
    fn look(&mut self, link: &mut Link, timer: &Timer, map: &FlashMap) -> Result<Option<Startup>, Error> {
        let status = link.read(DHCSR)?;
        if status & DHCSR_S_RESET_ST != 0 {
            self.resets += 1;
            (self.since, self.same) = (None, 0);
            if self.resets == RESETS {
                return Ok(Some(Startup::Resetting { resets: RESETS }));
            }
        }
        if let Some(stopped) = stopped_by(link, status)? {
            // One wrong bit must not make a fault.
            let status = link.read(DHCSR)?;
            let again = stopped_by(link, status)?;
            return Ok(again.filter(|again| *again == stopped));
        }
        let pc = link.read(DWT_PCSR)?;
        let is_asleep = status & DHCSR_S_SLEEP != 0;
        self.same = if pc == self.pc && !is_asleep { self.same + 1 } else { 0 };
        self.pc = pc;
        // An endless loop, which is how the handlers of these firmwares end.
        if self.same >= SAME_IN_HANDLER
            && let Some(&(_, exception)) = self.handlers.iter().find(|(handler, _)| pc.wrapping_sub(*handler) < HANDLER)
        {
            return Ok(Some(Startup::Fault { exception }));
        }
        self.note(locate(pc, map), pc, is_asleep, timer.now());
        Ok(None)
    }

    /// Notes where a sample was seen.
    fn note(&mut self, seen: Startup, pc: u32, is_asleep: bool, now: Duration) {
        self.last = match seen {
            // It may give no samples while it sleeps.
            Startup::Unseen if is_asleep => Startup::Running { pc, error: 0 },
            seen => seen,
        };
        self.since = match self.last {
            Startup::Running { .. } => self.since.or(Some(now)),
            _ => None,
        };
    }

    /// How long the firmware has been running, and where it was last.
    fn ran(&self, now: Duration) -> Option<(u32, Duration)> {
        match (self.since, self.last) {
            (Some(since), Startup::Running { pc, .. }) => Some((pc, now.saturating_sub(since))),
            _ => None,
        }
    }
}

/// Where the fault handlers of bootloader and firmware begin, by their vector tables, with the number of the exception. Of several
/// that share one the lowest counts.
fn fault_handlers(link: &mut Link, map: &FlashMap) -> Result<Vec<(u32, u32)>, LinkError> {
    let mut handlers = Vec::new();
    for image in [&map.regions.drv, &map.regions.boot] {
        let mut vectors = [0; FAULTS.len()];
        link.read_words(image.start + 4 * FAULTS[0], &mut vectors)?;
        handlers.extend(vectors.into_iter().map(|vector| vector & !1).zip(FAULTS));
    }
    Ok(handlers)
}

/// Bytes of a vendor's handler: a call that switches the motor off, and an endless loop.
const HANDLER: u32 = 8;
/// Whether the instruction at an address jumps to itself. If flash cannot be read by now, nothing is known to.
fn branches_to_itself(link: &mut Link, pc: u32) -> Result<bool, LinkError> {
    match link.read(pc & !3) {
        Ok(word) => Ok(word >> (8 * (pc & 2)) & 0xFFFF == BRANCH_TO_ITSELF),
        Err(LinkError::Refused { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// HardFault, MemManage, BusFault and UsageFault (DDI 0403E B1.5.2).
const FAULTS: [u32; 4] = [3, 4, 5, 6];

/// Whether the core, whose DHCSR is `status`, has run into something that it does not come out of.
fn stopped_by(link: &mut Link, status: u32) -> Result<Option<Startup>, LinkError> {
    if status & DHCSR_S_LOCKUP != 0 {
        return Ok(Some(Startup::Lockup));
    }
    let exception = link.read(ICSR)? & ICSR_VECTACTIVE;
    Ok(FAULTS.contains(&exception).then_some(Startup::Fault { exception }))
}

fn locate(pc: u32, map: &FlashMap) -> Startup {
    // All ones from a core that does not run (DDI 0403E C1.8.5), zero if there are no samples.
    if [0, u32::MAX].contains(&pc) {
        Startup::Unseen
    } else if map.regions.drv.contains(&pc) {
        Startup::Running { pc, error: 0 }
    } else if map.regions.boot.contains(&pc) {
        Startup::Bootloader { pc }
    } else {
        Startup::Lost { pc }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_core_that_sleeps_runs_even_if_it_gives_no_samples() {
        let (second, ran) = (Duration::from_secs, |watched: &Watched| watched.ran(Duration::from_secs(9)));
        let mut watched = Watched::default();
        watched.note(Startup::Unseen, u32::MAX, true, second(1));
        watched.note(Startup::Unseen, u32::MAX, true, second(2));
        assert_eq!(ran(&watched), Some((u32::MAX, second(8))));
        watched.note(Startup::Unseen, u32::MAX, false, second(3));
        assert_eq!((ran(&watched), watched.last), (None, Startup::Unseen));
    }

    #[test]
    fn the_firmware_has_been_running_since_it_was_last_elsewhere() {
        let (second, ran) = (Duration::from_secs, |watched: &Watched| watched.ran(Duration::from_secs(9)));
        let (pc, boot) = (0x0800_2000, 0x0800_0100);
        let mut watched = Watched::default();
        watched.note(Startup::Running { pc, error: 0 }, pc, false, second(1));
        watched.note(Startup::Bootloader { pc: boot }, boot, true, second(2));
        assert_eq!((ran(&watched), watched.last), (None, Startup::Bootloader { pc: boot }));
        watched.note(Startup::Running { pc, error: 0 }, pc, false, second(3));
        watched.note(Startup::Running { pc, error: 0 }, pc, true, second(4));
        assert_eq!(ran(&watched), Some((pc, second(6))));
    }

    #[test]
    fn each_fault_has_its_name() {
        let names = FAULTS.map(|exception| Startup::Fault { exception }.to_string());
        let expected = ["HardFault", "MemManage fault", "BusFault", "UsageFault"];
        assert_eq!(names, expected.map(|name| format!("it crashed ({name})")));
    }
}
