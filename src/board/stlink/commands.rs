//! The commands of an ST-Link and their answers.
//!
//! A command has 16 bytes, followed by data in one direction. Most answers begin with a status. The answer to a memory command
//! is only the data; a second command asks for its status. Numbers are little-endian, except in the version.
//! Source: OpenOCD 0.12 `src/jtag/drivers/stlink_usb.c`.

use std::{thread, time::Duration};

use probe_rs::probe::{DebugProbeError, stlink::StlinkError};

use super::clock;

/// The connection to a probe. Tests put a scripted one in its place.
pub(super) trait Wire: std::fmt::Debug + Send {
    /// Sends a command and then `data`, and fills `answer`.
    fn exchange(&mut self, command: [u8; 16], data: &[u8], answer: &mut [u8]) -> Result<(), StlinkError>;

    /// Resets the USB device, for a probe that was left in the middle of a command.
    fn reset(&mut self) -> Result<(), StlinkError>;
}

const GET_VERSION: u8 = 0xF1;
const DEBUG: u8 = 0xF2;
const DFU: u8 = 0xF3;
const SWIM: u8 = 0xF4;
const GET_MODE: u8 = 0xF5;
const GET_VOLTAGE: u8 = 0xF7;
/// For the V3, whose answer to [`GET_VERSION`] does not contain the version of the debug firmware.
const GET_VERSION_EXTENDED: u8 = 0xFB;

/// Second bytes of [`DEBUG`] commands.
mod debug {
    pub(super) const READ_WORDS: u8 = 0x07;
    pub(super) const WRITE_WORDS: u8 = 0x08;
    pub(super) const EXIT: u8 = 0x21;
    pub(super) const ENTER: u8 = 0x30;
    /// The parameter of `ENTER`.
    pub(super) const ENTER_SWD: u8 = 0xA3;
    pub(super) const DRIVE_NRST: u8 = 0x3C;
    pub(super) const GET_MEMORY_STATUS: u8 = 0x3E;
    /// V2 only.
    pub(super) const SET_SWD_DELAY: u8 = 0x43;
    pub(super) const READ_REGISTER: u8 = 0x45;
    pub(super) const WRITE_REGISTER: u8 = 0x46;
    /// From J28.
    pub(super) const INIT_AP: u8 = 0x4B;
    /// From V3, as is `GET_CLOCKS`.
    pub(super) const SET_CLOCK: u8 = 0x61;
    pub(super) const GET_CLOCKS: u8 = 0x62;
}

/// The modes that have to be left before a debug command, by their number in the answer to [`GET_MODE`], and the command
/// that leaves each.
const MODES_TO_LEAVE: [(u8, [u8; 2]); 3] = [(0, [DFU, 0x07]), (2, [DEBUG, debug::EXIT]), (3, [SWIM, 0x01])];
/// The highest mode number.
const LAST_MODE: u8 = 3;

const STATUS_OK: u8 = 0x80;
/// The access port or the debug port answered WAIT.
const STATUS_WAIT: [u8; 2] = [0x10, 0x14];
/// How often a command is tried that is answered WAIT. The pauses begin with 0.1 ms and double: 0.4 s in all, as in probe-rs.
const TRIES: u32 = 13;

/// The oldest debug firmware of a V2 and of a V3 that probe-rs accepts.
const OLDEST: (u8, u8) = (26, 3);
/// The first V2 firmware that has more than one access port; each has to be opened.
const FIRST_WITH_INIT_AP: u8 = 28;
/// The size of a probe's buffer.
const MAX_BYTES: usize = 6 * 1024;

/// The port number of the debug port; access ports have their own numbers.
const DEBUG_PORT: u16 = 0xFFFF;
/// The only access port that is used: the AHB-AP of all chips on these boards.
pub(super) const AP: u8 = 0;

/// Which registers are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Registers {
    /// Of the debug port.
    DebugPort,
    /// Of access port [`AP`].
    AccessPort,
}

/// The level of NRST.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nrst {
    Low = 0,
    High = 1,
    /// Low for a moment.
    Pulse = 2,
}

/// What a probe is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct StlinkVersion {
    pub(super) hardware: u8,
    /// Of the debug firmware, the number after the J.
    pub(super) firmware: u8,
}

/// A probe that takes commands.
#[derive(Debug)]
pub(super) struct Commands {
    wire: Box<dyn Wire>,
    version: StlinkVersion,
    ap_is_open: bool,
}

impl Commands {
    /// Brings a probe into a known state, and refuses it if its firmware is too old.
    pub(super) fn new(wire: Box<dyn Wire>) -> Result<Self, StlinkError> {
        let mut commands = Self::unknown(wire);
        if let Err(error) = commands.leave() {
            let StlinkError::Usb(_) = error else { return Err(error) };
            commands.wire.reset()?;
            commands.leave()?;
        }
        commands.version = commands.ask_version()?;
        match commands.version {
            StlinkVersion { firmware: 0, .. } => Err(StlinkError::JTAGNotSupportedOnProbe),
            StlinkVersion { hardware: ..3, firmware } if firmware < OLDEST.0 => {
                Err(StlinkError::ProbeFirmwareOutdated(OLDEST.0))
            }
            StlinkVersion { hardware: 3.., firmware } if firmware < OLDEST.1 => {
                Err(StlinkError::ProbeFirmwareOutdated(OLDEST.1))
            }
            _ => Ok(commands),
        }
    }

    /// Only asks for the version.
    pub(super) fn version_of(wire: Box<dyn Wire>) -> Result<StlinkVersion, StlinkError> {
        Self::unknown(wire).ask_version()
    }

    fn unknown(wire: Box<dyn Wire>) -> Self {
        Self { wire, version: StlinkVersion::default(), ap_is_open: false }
    }

    fn ask_version(&mut self) -> Result<StlinkVersion, StlinkError> {
        let mut answer = [0; 6];
        self.send(&[GET_VERSION], &[], &mut answer)?;
        // Four bits of hardware, six of debug firmware, six of the rest.
        let packed = u16::from_be_bytes([answer[0], answer[1]]);
        let (hardware, firmware) = ((packed >> 12) as u8, (packed >> 6 & 0x3F) as u8);
        if hardware < 3 {
            return Ok(StlinkVersion { hardware, firmware });
        }
        let mut answer = [0; 12];
        self.send(&[GET_VERSION_EXTENDED], &[], &mut answer)?;
        Ok(StlinkVersion { hardware, firmware: answer[2] })
    }

    pub(super) fn version(&self) -> StlinkVersion {
        self.version
    }

    /// Leaves the mode that the probe is in.
    pub(super) fn leave(&mut self) -> Result<(), StlinkError> {
        self.ap_is_open = false;
        let mut mode = [0; 2];
        self.send(&[GET_MODE], &[], &mut mode)?;
        if mode[0] > LAST_MODE {
            return Err(StlinkError::UnknownMode);
        }
        match MODES_TO_LEAVE.iter().find(|(to_leave, _)| *to_leave == mode[0]) {
            Some((_, command)) => self.send(command, &[], &mut []),
            None => Ok(()),
        }
    }

    /// Connects to the debug port over SWD.
    pub(super) fn enter_swd(&mut self) -> Result<(), StlinkError> {
        self.debug(&[debug::ENTER, debug::ENTER_SWD, 0], &mut [0; 2])
    }

    /// Sets the fastest clock that is not faster than `khz`, and returns it.
    pub(super) fn set_clock(&mut self, khz: u32) -> Result<u32, DebugProbeError> {
        let unsupported = DebugProbeError::UnsupportedSpeed(khz);
        if self.version.hardware < 3 {
            let (khz, delay) = clock::at_most(khz).ok_or(unsupported)?;
            self.debug(&[debug::SET_SWD_DELAY, delay], &mut [0; 2])?;
            return Ok(khz);
        }
        let clocks = self.clocks()?.1;
        let khz = clocks.into_iter().filter(|clock| *clock <= khz).max().ok_or(unsupported)?;
        let [a, b, c, d] = khz.to_le_bytes();
        self.debug(&[debug::SET_CLOCK, 0, 0, a, b, c, d], &mut [0; 8])?;
        Ok(khz)
    }

    /// The current clock in kHz.
    pub(super) fn clock(&mut self) -> Result<u32, StlinkError> {
        if self.version.hardware < 3 { Ok(clock::DEFAULT_KHZ) } else { Ok(self.clocks()?.0) }
    }

    /// The current clock and the available ones, in kHz.
    fn clocks(&mut self) -> Result<(u32, Vec<u32>), StlinkError> {
        // The status, the clock in use, a count, and up to ten clocks.
        let mut answer = [0; 52];
        self.debug(&[debug::GET_CLOCKS, 0], &mut answer)?;
        let mut words = answer.chunks_exact(4).map(le_word).skip(1);
        let current = words.next().unwrap_or_default();
        let count = words.next().unwrap_or_default() as usize;
        Ok((current, words.take(count).collect()))
    }

    pub(super) fn drive_nrst(&mut self, level: Nrst) -> Result<(), StlinkError> {
        self.debug(&[debug::DRIVE_NRST, level as u8], &mut [0; 2])
    }

    /// The target voltage in volts.
    pub(super) fn voltage(&mut self) -> Result<f32, StlinkError> {
        let mut answer = [0; 8];
        self.send(&[GET_VOLTAGE], &[], &mut answer)?;
        let [reference, half] = [le_word(&answer[..4]), le_word(&answer[4..])].map(|count| f32::from(count as u16));
        // Counts of a 12-bit converter: the 1.2 V reference and half the target voltage.
        if reference > 0.0 { Ok(2.0 * 1.2 * half / reference) } else { Err(StlinkError::VoltageDivisionByZero) }
    }

    pub(super) fn read_register(&mut self, registers: Registers, address: u8) -> Result<u32, StlinkError> {
        let [low, high] = self.port(registers)?.to_le_bytes();
        let mut answer = [0; 8];
        self.debug(&[debug::READ_REGISTER, low, high, address, 0], &mut answer)?;
        Ok(le_word(&answer[4..]))
    }

    pub(super) fn write_register(&mut self, registers: Registers, address: u8, value: u32) -> Result<(), StlinkError> {
        let [low, high] = self.port(registers)?.to_le_bytes();
        let [a, b, c, d] = value.to_le_bytes();
        self.debug(&[debug::WRITE_REGISTER, low, high, address, 0, a, b, c, d], &mut [0; 2])
    }

    fn port(&mut self, registers: Registers) -> Result<u16, StlinkError> {
        match registers {
            Registers::DebugPort => Ok(DEBUG_PORT),
            Registers::AccessPort => self.open_ap().map(|()| u16::from(AP)),
        }
    }

    /// Reads words from an address that is a multiple of 4.
    pub(super) fn read_words(&mut self, address: u32, words: &mut [u32]) -> Result<(), StlinkError> {
        for (words, address) in words.chunks_mut(MAX_BYTES / 4).zip((address..).step_by(MAX_BYTES)) {
            let mut bytes = vec![0; 4 * words.len()];
            let command = memory(debug::READ_WORDS, address, bytes.len())?;
            self.open_ap()?;
            self.patiently(|commands| {
                commands.send(&command, &[], &mut bytes)?;
                commands.memory_status()
            })?;
            for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(4)) {
                *word = le_word(bytes);
            }
        }
        Ok(())
    }

    /// Writes words to an address that is a multiple of 4.
    pub(super) fn write_words(&mut self, address: u32, words: &[u32]) -> Result<(), StlinkError> {
        for (words, address) in words.chunks(MAX_BYTES / 4).zip((address..).step_by(MAX_BYTES)) {
            let bytes: Vec<_> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            let command = memory(debug::WRITE_WORDS, address, bytes.len())?;
            self.open_ap()?;
            self.patiently(|commands| {
                commands.send(&command, &bytes, &mut [])?;
                commands.memory_status()
            })?;
        }
        Ok(())
    }

    /// The status of the last memory command.
    fn memory_status(&mut self) -> Result<u8, StlinkError> {
        let mut answer = [0; 12];
        self.send(&[DEBUG, debug::GET_MEMORY_STATUS], &[], &mut answer)?;
        Ok(answer[0])
    }

    fn open_ap(&mut self) -> Result<(), StlinkError> {
        let has_only_one = self.version.hardware < 3 && self.version.firmware < FIRST_WITH_INIT_AP;
        if !self.ap_is_open && !has_only_one {
            self.debug(&[debug::INIT_AP, AP], &mut [0; 2])?;
            self.ap_is_open = true;
        }
        Ok(())
    }

    /// A debug command whose answer begins with its status.
    fn debug(&mut self, command: &[u8], answer: &mut [u8]) -> Result<(), StlinkError> {
        let command = [&[DEBUG], command].concat();
        self.patiently(|commands| {
            commands.send(&command, &[], answer)?;
            Ok(answer[0])
        })
    }

    /// Repeats an attempt while its status is WAIT.
    fn patiently(&mut self, mut attempt: impl FnMut(&mut Self) -> Result<u8, StlinkError>) -> Result<(), StlinkError> {
        let mut status = attempt(self)?;
        for retry in 0..TRIES - 1 {
            if !STATUS_WAIT.contains(&status) {
                break;
            }
            thread::sleep(Duration::from_micros(100 << retry));
            status = attempt(self)?;
        }
        // probe-rs's error type, so that the errors of both drivers are sorted alike.
        if status == STATUS_OK { Ok(()) } else { Err(StlinkError::CommandFailed(status.into())) }
    }

    fn send(&mut self, command: &[u8], data: &[u8], answer: &mut [u8]) -> Result<(), StlinkError> {
        let mut padded = [0; 16];
        padded[..command.len()].copy_from_slice(command);
        self.wire.exchange(padded, data, answer)
    }
}

/// A command on `length` bytes of memory.
fn memory(command: u8, address: u32, length: usize) -> Result<[u8; 9], StlinkError> {
    if !address.is_multiple_of(4) {
        return Err(StlinkError::UnalignedAddress);
    }
    let [a, b, c, d] = address.to_le_bytes();
    let [low, high] = (length as u16).to_le_bytes();
    Ok([DEBUG, command, a, b, c, d, low, high, AP])
}

fn le_word(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte))
}

#[cfg(test)]
mod tests;
