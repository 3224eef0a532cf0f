//! One board at the end of one probe.
//!
//! Beside [`crate::sim`] the only room that knows probe-rs. It uses probe-rs's probe drivers and its ARM debug interface,
//! not its sessions and flash loader: a session resets and resumes the core as it likes, and its loader halts the core
//! and restarts it for every page.

mod chip;
mod compare;
mod connect;
mod cortex_m;
mod diagnosis;
mod digest;
mod driverless;
mod error;
mod examination;
mod finding;
mod firmware_save;
mod ledger;
mod link;
mod link_quality;
mod loader;
mod open_probe;
mod options;
mod patience;
mod presence;
mod probe_entry;
mod probes;
mod problem;
mod program;
pub mod progress;
mod protection;
mod registers;
mod rescue;
mod selector;
mod sip_hash;
mod size;
mod startup;
mod steady;
mod stlink;
mod timer;
mod unsupported;
mod usb;

pub use self::{
    chip::{Chip, ChipKind},
    compare::{Comparison, Part},
    connect::{ConnectOptions, Method},
    digest::{VerifiedBy, Verify},
    error::Error,
    examination::{Answers, Examined},
    finding::{Finding, NO_SUPPLY_MV},
    ledger::{BoardState, Ledger},
    link::LinkError,
    options::OptionBytes,
    patience::{Patience, Wait},
    presence::Presence,
    probe_entry::ProbeEntry,
    probes::Probes,
    problem::Problem,
    program::{PageBefore, PageWrite},
    protection::{Consent, Erasure, Protection, Status},
    rescue::{Rescue, Stranger},
    selector::{Selector, SelectorError},
    size::SecondHalf,
    startup::Startup,
    unsupported::Unsupported,
};

use std::{ops::Range, time::Duration};

use self::{
    connect::{AttemptError, Contact},
    link::Link,
    loader::Loaded,
    progress::{Event, Need, Progress},
    registers::{core as scs, dbgmcu},
    timer::Timer,
};
use crate::block::Uid;

/// A board whose chip is identified, halted, and cannot be disturbed by its watchdogs or drive its motor.
#[derive(Debug)]
pub struct Board<'p> {
    probes: &'p Probes,
    options: ConnectOptions,
    method: Method,
    link: Link,
    timer: Timer,
    loaded: Loaded,
    /// How long a word took of what was last read at length.
    word_took: Duration,
    /// The probe in use.
    pub probe: ProbeEntry,
    /// SWD clock in kHz, as the probe states it.
    pub speed_khz: u32,
    /// The debug port's DPIDR.
    pub dpidr: u32,
    /// What chip it is.
    pub chip: Chip,
    /// The chip's UID.
    pub uid: Uid,
}

impl<'p> Board<'p> {
    /// Reaches the board, stops its core where it is, though not in the middle of a save, and identifies the chip. Resets
    /// nothing, unless it had to attach under reset.
    pub fn connect(probes: &'p Probes, options: &ConnectOptions, progress: &mut dyn Progress) -> Result<Self, Error> {
        connect::reach(probes, options, None, progress)
    }

    /// Stops the core and identifies the chip; another board than the expected one goes on with what it was doing.
    fn take(probes: &'p Probes, options: &ConnectOptions, contact: Contact) -> Result<Self, AttemptError> {
        let speed_khz = contact.speed_khz;
        let board = Self::identify(probes, options, contact).map_err(|error| match error {
            error if error.is_link() => AttemptError::Lost { speed_khz, error },
            error => AttemptError::Final(error),
        })?;
        match options.expect {
            Some(expected) if board.uid != expected => {
                let found = board.uid;
                let _ = board.resume();
                Err(AttemptError::Final(Error::OtherBoard { expected, found }))
            }
            _ => Ok(board),
        }
    }

    fn identify(probes: &'p Probes, options: &ConnectOptions, contact: Contact) -> Result<Self, Error> {
        let Contact { mut link, probe, method, speed_khz, cpuid, dpidr } = contact;
        let timer = probes.timer().clone();
        if chip::has_dbgmcu(cpuid) {
            link.write(dbgmcu::CR, dbgmcu::CR_WATCHDOGS_STOP | dbgmcu::CR_TIMERS_STOP)?;
        }
        if probes.ledger().board() == BoardState::Untouched {
            link.hold_core();
        }
        cortex_m::halt(&mut link, &timer)?;
        let (chip, uid) = chip::identify(&mut link, cpuid)?;
        if firmware_save::may_be_writing(&mut link)? {
            if loader::is_unfinished(&mut link, &timer)? {
                probes.ledger().found_unfinished();
            }
            firmware_save::let_finish(&mut link, &timer)?;
        }
        let (options, loaded, word_took) = (options.clone(), Loaded::default(), Duration::ZERO);
        Ok(Self { probes, options, method, link, timer, loaded, word_took, probe, speed_khz, dpidr, chip, uid })
    }

    /// What it takes to reach this same board again, should contact be lost.
    pub fn recipe(&self) -> Recipe<'p> {
        // The same probe, even if others are plugged in meanwhile; into whichever port it is plugged, if it has a serial
        // number of its own.
        let selector = match (&self.probe.serial, &self.probe.usb) {
            (Some(serial), _) if !self.probe.has_twin => Selector::Serial(serial.clone()),
            (_, Some(place)) => Selector::Usb(place.clone()),
            (_, None) => self.options.selector.clone().unwrap_or(Selector::Index(self.probe.index)),
        };
        // A chip that was reached without reset can be again, and must not be reset in the middle of its work.
        let method = if self.method == Method::Normal { Method::Normal } else { self.options.method };
        let options =
            ConnectOptions { selector: Some(selector), method, expect: Some(self.uid), ..self.options.clone() };
        Recipe { probes: self.probes, options, speed_khz: self.speed_khz }
    }

    /// Attaches anew over the open probe, so that what is read from then on shares no state with what was done before.
    pub fn reattach(self) -> Result<Self, Error> {
        let Self { probes, options, method, link, timer, word_took, probe, chip, uid, .. } = self;
        let Contact { mut link, probe, speed_khz, cpuid, dpidr, .. } =
            connect::again(link.close(), probe, probes.quality())?;
        if probes.ledger().board() == BoardState::Untouched {
            link.hold_core();
        }
        cortex_m::halt(&mut link, &timer)?;
        if chip::read_size_and_uid(&mut link)?.1 != uid || cpuid != chip.cpuid {
            // Either another board, or a wire that flipped a bit: connecting anew tells them apart.
            return Err(LinkError::Unstable { what: "the UID", address: Uid::ADDRESS }.into());
        }
        let loaded = Loaded::default();
        Ok(Self { probes, options, method, link, timer, loaded, word_took, probe, speed_khz, dpidr, chip, uid })
    }

    /// Lets what runs come to the end of what it writes to flash; the core is halted before and after.
    pub fn let_firmware_save_finish(&mut self) -> Result<(), Error> {
        if firmware_save::may_be_writing(&mut self.link)? {
            firmware_save::let_finish(&mut self.link, &self.timer)?;
        }
        Ok(())
    }

    /// Leaves the core halted as it is.
    pub fn leave_halted(mut self) {
        self.link.leave_core();
    }

    /// Stops the chip before its first instruction after a reset.
    pub fn reset_and_halt(&mut self) -> Result<(), Error> {
        cortex_m::reset_and_halt(&mut self.link, &self.timer)
    }

    /// Proves that contact is good enough to erase by: nothing has failed lately, or else enough of fifty accesses were right.
    pub fn check_contact(&mut self) -> Result<(), Error> {
        if self.link.quality().is_spotless() {
            return Ok(());
        }
        // Dropouts that are over by now are left behind by as many accesses as count for the link quality.
        for _ in 0..PROOF {
            if self.link.quality().is_good() {
                return Ok(());
            }
            self.link.read(scs::CPUID)?;
            self.timer.check()?;
        }
        let (good, total) = self.link.quality().reading();
        Err(Error::PoorContact { good, total })
    }

    /// Reads flash or SRAM; the range begins and ends at multiples of 4.
    pub fn read(&mut self, range: Range<u32>) -> Result<Vec<u8>, Error> {
        let mut bytes = vec![0; range.len()];
        let chunk = self.link.max_bytes();
        for (bytes, address) in bytes.chunks_mut(chunk).zip((range.start..).step_by(chunk)) {
            let began = self.timer.now();
            self.link.read_bytes(address, bytes)?;
            if bytes.len() >= TELLING {
                self.word_took = self.timer.now().saturating_sub(began) / (bytes.len() / 4) as u32;
            }
            self.timer.check()?;
        }
        Ok(bytes)
    }

    /// How reliable contact has been, as an event.
    pub fn contact(&self, need: Option<Need>) -> Event {
        self.probes.contact(None, need)
    }

    /// What board this is, as an event.
    pub fn event(&self, protection: Protection) -> Event {
        let Chip { kind, flash_kib, .. } = self.chip;
        Event::Board { chip: kind.name(), uid: self.uid, protection: protection.name(), flash_kib }
    }

    /// The chip's clock since some moment, for durations in reports.
    pub fn now(&self) -> Duration {
        self.timer.now()
    }
}

/// Bytes that tell how fast reading is, in one transfer.
const TELLING: usize = 1024;

/// Accesses that have to show good contact: twice as many as count for the link quality.
const PROOF: usize = 2 * link_quality::WINDOW;

/// How to reach a board again that has been reached before.
#[derive(Debug, Clone)]
pub struct Recipe<'p> {
    probes: &'p Probes,
    options: ConnectOptions,
    speed_khz: u32,
}

/// Which clock to reconnect at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reclock {
    /// The one in use.
    Same,
    /// The next slower one, as long as it is not slower than a wire held by hand bears.
    Slower,
}

impl Reclock {
    /// The fastest clock to try after this one, in kHz.
    fn limit(self, speed_khz: u32) -> u32 {
        match self {
            Self::Same => speed_khz,
            // Slower did not help.
            Self::Slower if speed_khz <= connect::SLOWEST => BORNE_BY_HAND,
            Self::Slower if speed_khz < BORNE_BY_HAND => speed_khz - 1,
            Self::Slower => (speed_khz - 1).max(BORNE_BY_HAND),
        }
    }
}

/// Contact that comes and goes is not cured by going slower than this, in kHz, and a longer job meets more of it. Where
/// nothing answers at this clock the slower ones are tried all the same.
const BORNE_BY_HAND: u32 = 950;

impl<'p> Recipe<'p> {
    /// Opens the probe anew and reaches the board. Another board than before is an error.
    pub fn connect(&self, clock: Reclock, wait: Wait, progress: &mut dyn Progress) -> Result<Board<'p>, Error> {
        let limit = clock.limit(self.speed_khz);
        let options = ConnectOptions { wait, ..self.options.clone() };
        let mut board = connect::reach(self.probes, &options, Some(limit), progress)?;
        board.options.wait = self.options.wait;
        Ok(board)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        sim::{Scenario, SimBoard},
        target::Target,
    };

    /// How a board is reached again whose probe is this one, and that was reached in this way.
    fn recipe(options: &ConnectOptions, method: Method, change: impl FnOnce(&mut ProbeEntry)) -> ConnectOptions {
        let simulated = SimBoard::new(Scenario::Open, Target::builtin("pro").unwrap());
        let probes = Probes::new(simulated.probe_lister(), simulated.clock());
        let mut board = Board::connect(&probes, options, &mut ()).unwrap();
        (board.method, board.options.method) = (method, Method::Auto);
        change(&mut board.probe);
        let recipe = board.recipe();
        assert_eq!((recipe.options.expect, recipe.speed_khz), (Some(board.uid), board.speed_khz));
        recipe.options
    }

    #[test]
    fn a_lost_board_is_looked_for_on_the_same_probe() {
        let named = ConnectOptions { selector: Some(Selector::Index(1)), ..ConnectOptions::default() };
        let selector = |options, serial: Option<&str>, usb: Option<&str>, has_twin| {
            let change = |probe: &mut ProbeEntry| {
                (probe.serial, probe.usb, probe.has_twin) = (serial.map(Into::into), usb.map(Into::into), has_twin);
                probe.index = 7;
            };
            recipe(options, Method::Normal, change).selector.unwrap()
        };
        assert_eq!(selector(&named, Some("A"), Some("1-4"), false), Selector::Serial("A".into()));
        assert_eq!(selector(&named, Some("A"), Some("1-4"), true), Selector::Usb("1-4".into()));
        assert_eq!(selector(&named, None, Some("1-4"), false), Selector::Usb("1-4".into()));
        assert_eq!(selector(&named, Some("A"), None, true), Selector::Index(1));
        assert_eq!(selector(&ConnectOptions::default(), None, None, false), Selector::Index(7));
    }

    #[test]
    fn a_board_that_was_reached_without_reset_is_not_reset_when_it_is_lost() {
        let options = ConnectOptions::default();
        assert_eq!(recipe(&options, Method::Normal, |_| ()).method, Method::Normal);
        assert_eq!(recipe(&options, Method::UnderReset, |_| ()).method, Method::Auto);
    }

    #[test]
    fn a_lost_board_is_looked_for_at_a_slower_clock_until_slower_does_not_help() {
        let limits = |speeds: [u32; 6]| speeds.map(|speed| Reclock::Slower.limit(speed));
        assert_eq!(limits([4000, 951, 950, 949, 126, 125]), [3999, 950, 950, 948, 125, 950]);
        assert_eq!(Reclock::Same.limit(4000), 4000);
    }
}
