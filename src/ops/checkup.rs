//! What `doctor` has found: one line a check, with values and without words.

use serde::Serialize;

use super::{DataSource, Error, Exit, Firmware};
use crate::{
    block::{DataBlock, Serial, Summary, Uid},
    board::{Answers, ChipKind, Finding, OptionBytes, ProbeEntry, Problem, Protection, Startup, Unsupported},
    target::Target,
    version::Version,
};

/// A check, in the order in which they are made and shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckName {
    /// The probe is attached, and it is clear which one is meant.
    Probe,
    /// The system lets this user open it: permission, driver.
    Access,
    /// No other program uses it.
    InUse,
    /// Its firmware is new enough.
    ProbeFirmware,
    /// It measures a supply at the board.
    Voltage,
    /// The debug port answers.
    DebugPort,
    /// The core answers and halts.
    Core,
    /// Contact is reliable.
    Contact,
    /// The chip is one of those on these boards.
    Chip,
    /// Its flash size makes sense and is enough.
    FlashSize,
    /// It has a UID.
    Uid,
    /// Read-out protection is known.
    Protection,
    /// No page is write-protected.
    WriteProtection,
    /// The option bytes have their complements.
    OptionBytes,
    /// The option bytes do not start the watchdog.
    Watchdog,
    /// There is a bootloader.
    Bootloader,
    /// There is DRV firmware, all of it, for this chip.
    Drv,
    /// There is a data block.
    DataBlock,
    /// Its serial number has the form of a scooter's, and is not a factory default (error 35).
    Serial,
    /// It was made for this chip (error 27).
    BlockUid,
    /// The firmware runs.
    Application,
    /// The running firmware has no complaint.
    ScooterError,
    /// The user's folders can be written.
    Folders,
    /// There are images to flash.
    Images,
}

impl CheckName {
    /// Those of probe and board.
    const OF_BOARD: [Self; 22] = [
        Self::Probe,
        Self::Access,
        Self::InUse,
        Self::ProbeFirmware,
        Self::Voltage,
        Self::DebugPort,
        Self::Core,
        Self::Contact,
        Self::Chip,
        Self::FlashSize,
        Self::Uid,
        Self::Protection,
        Self::WriteProtection,
        Self::OptionBytes,
        Self::Watchdog,
        Self::Bootloader,
        Self::Drv,
        Self::DataBlock,
        Self::Serial,
        Self::BlockUid,
        Self::Application,
        Self::ScooterError,
    ];

    /// The exit code that a failure of this check means.
    pub fn exit(self) -> Exit {
        match self {
            Self::Probe => Exit::NoProbe,
            Self::Access | Self::InUse | Self::ProbeFirmware => Exit::ProbeAccess,
            Self::Voltage | Self::DebugPort | Self::Core | Self::Contact => Exit::NoContact,
            Self::Chip | Self::FlashSize | Self::Uid | Self::Protection => Exit::WrongBoard,
            Self::WriteProtection | Self::OptionBytes | Self::Watchdog | Self::Application => Exit::Verify,
            Self::Bootloader | Self::Drv | Self::Images => Exit::Image,
            Self::DataBlock | Self::Serial | Self::BlockUid | Self::ScooterError => Exit::Data,
            Self::Folders => Exit::Backup,
        }
    }
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// All is well.
    Pass,
    /// It works, and something about it should be known.
    Warn,
    /// It does not work.
    Fail,
    /// It could not be tried.
    NotTried,
}

/// What a check needs that is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// A probe that can be used.
    Probe,
    /// A probe that measures voltage.
    Measurement,
    /// A board that answers.
    Board,
    /// Flash that can be read.
    ReadableFlash,
    /// A data block.
    DataBlock,
    /// The data block of running firmware.
    LiveBlock,
}

/// What a check has found.
#[derive(Debug, Clone, PartialEq)]
pub enum Detail {
    /// The error that ended the checkup: [`Checkup::error`].
    Error,
    /// It could not be made.
    Missing(Missing),
    /// The probe.
    Probe(ProbeEntry),
    /// Why the probe cannot be used, or who else uses it.
    Problem(Problem),
    /// The probe can be opened.
    Opened,
    /// No other program uses the probe.
    Free,
    /// The version of the probe's firmware, if its driver tells.
    ProbeFirmware(Option<String>),
    /// Measured at the board.
    Volts {
        /// The voltage.
        volts: f32,
        /// What is wrong with it.
        finding: Option<Finding>,
    },
    /// The debug port.
    DebugPort {
        /// DPIDR.
        dpidr: u32,
    },
    /// The debug port does not answer, or not in a way that makes sense.
    Silence(Answers),
    /// The core.
    Core {
        /// CPUID.
        cpuid: u32,
    },
    /// How reliable contact was.
    Contact {
        /// Successful accesses among the last ones.
        good: usize,
        /// The last accesses.
        of: usize,
        /// How often contact was lost and made again.
        reconnects: u32,
        /// SWD clock.
        khz: u32,
    },
    /// The chip.
    Chip(ChipKind),
    /// Another chip.
    Unsupported(Unsupported),
    /// The flash size register.
    FlashSize {
        /// As it reads.
        register: u32,
        /// In KiB, if it makes sense.
        kib: Option<u32>,
    },
    /// The chip's UID.
    Uid(Uid),
    /// Read-out protection.
    Protection {
        /// In force.
        protection: Protection,
        /// Whether it is in force after the next reset.
        is_pending: bool,
    },
    /// Write-protected pages.
    WriteProtection {
        /// How many.
        pages: usize,
    },
    /// The option bytes.
    OptionBytes {
        /// All of them.
        bytes: OptionBytes,
    },
    /// What starts the watchdog.
    Watchdog {
        /// USER.
        user: u8,
        /// Whether every reset does.
        starts: bool,
    },
    /// An image in flash.
    Image(Firmware),
    /// An image in flash that does not run on this chip.
    ImageOfOtherChip(Firmware, ChipKind),
    /// A region of flash is blank.
    NoImage,
    /// The data block.
    Block(DataSource, Box<Summary>),
    /// Neither flash nor SRAM has a data block.
    NoBlock,
    /// A serial number, and the scooters whose numbers begin so.
    Serial(Serial, Vec<String>),
    /// The serial number of a scooter that is not supported.
    SerialOfOther(Serial, String),
    /// A serial number that no scooter has.
    WrongForm(Serial),
    /// A factory default.
    FactorySerial(String),
    /// The data block has a serial number that cannot be read.
    NoSerial,
    /// The UID in the data block: the chip's own, or blank.
    BlockUid(Uid),
    /// The UID in the data block is another chip's.
    BlockOfOtherChip(Uid),
    /// What was seen of the firmware.
    Startup(Startup),
    /// Protected firmware has left its data block in SRAM.
    HasRun,
    /// Protected firmware has left nothing in SRAM.
    NoSignOfLife,
    /// The error register of the firmware, and its version.
    ScooterError {
        /// The code that the scooter shows; 0 for none.
        code: u16,
        /// The firmware's version of itself.
        version: Version,
    },
    /// Something about the user's computer, in words of the command line.
    Told(String),
}

/// One check.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    /// Which one.
    pub name: CheckName,
    /// How it ended.
    pub state: State,
    /// What it found.
    pub detail: Detail,
}

/// All checks, in order, and what is known of the board.
#[derive(Debug, Default)]
pub struct Checkup {
    /// In the order of their names.
    pub checks: Vec<Check>,
    /// What ended the checkup before its end.
    pub error: Option<Error>,
    /// What is wrong with the wires, if the board was not reached.
    pub wires: Option<Finding>,
    /// The chip.
    pub chip: Option<ChipKind>,
    /// Its UID.
    pub uid: Option<Uid>,
    /// Read-out protection.
    pub protection: Option<Protection>,
    /// The scooter that firmware or serial number belongs to, if that is clear.
    pub scooter: Option<&'static Target>,
    /// The error register of the running firmware; 0 if it has no complaint.
    pub scooter_error: Option<u16>,
    /// The version of the running firmware.
    pub version: Option<Version>,
}

impl Checkup {
    /// Adds a check.
    pub fn add(&mut self, name: CheckName, state: State, detail: Detail) {
        self.checks.push(Check { name, state, detail });
    }

    pub(super) fn pass(&mut self, name: CheckName, detail: Detail) {
        self.add(name, State::Pass, detail);
    }

    pub(super) fn warn(&mut self, name: CheckName, detail: Detail) {
        self.add(name, State::Warn, detail);
    }

    pub(super) fn fail(&mut self, name: CheckName, detail: Detail) {
        self.add(name, State::Fail, detail);
    }

    /// An error has ended the checkup in the middle of this check.
    pub(super) fn stopped(&mut self, name: CheckName) {
        self.checks.retain(|check| check.name != name);
        self.fail(name, Detail::Error);
    }

    /// The running firmware's own view. Errors 27 and 35 are about the data block; the rest is about the scooter around the board.
    pub(super) fn scooter_thinks(&mut self, live: &DataBlock) {
        let (code, version) = (live.error(), live.version());
        (self.scooter_error, self.version) = (Some(code), Some(version));
        let state = match code {
            0 => State::Pass,
            27 | 35 => State::Fail,
            code if Startup::is_normal_on_a_bench(code) => State::Pass,
            _ => State::Warn,
        };
        self.add(CheckName::ScooterError, state, Detail::ScooterError { code, version });
    }

    /// Puts the checks of probe and board in order; those that are not there could not be made.
    pub(super) fn close(&mut self) {
        let has = |checks: &[Check], name| checks.iter().any(|check: &Check| check.name == name);
        let missing = if has(&self.checks, CheckName::DebugPort) { Missing::Board } else { Missing::Probe };
        for name in CheckName::OF_BOARD {
            if !has(&self.checks, name) {
                self.add(name, State::NotTried, Detail::Missing(missing));
            }
        }
        self.checks.sort_by_key(|check| check.name);
    }

    /// The first check that failed.
    pub fn first_failure(&self) -> Option<&Check> {
        self.checks.iter().find(|check| check.state == State::Fail)
    }

    /// How many checks ended like this.
    pub fn count(&self, state: State) -> usize {
        self.checks.iter().filter(|check| check.state == state).count()
    }
}
