//! Memory accesses over an attached probe, and what their failures mean.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use probe_rs::architecture::arm::{
    ArmDebugInterface, ArmError, FullyQualifiedApAddress,
    dp::{DpAddress, DpRegisterAddress},
    memory::ArmMemoryInterface,
};
use self_cell::{MutBorrow, self_cell};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    finding::Miss,
    link_quality::LinkQuality,
    open_probe::{OpenProbe, REAL, Taped, ask},
    registers::core::{CPUID, DEMCR, DHCSR, DHCSR_DBGKEY},
    sip_hash::SumKey,
};
use crate::{
    block::Uid,
    tape::{Call, Mishap, Tape, Words},
};

/// The AHB-AP of every chip on these boards.
const AP: FullyQualifiedApAddress = FullyQualifiedApAddress::v1_with_default_dp(0);

/// Words in one transfer at most. The buffer of an ST-Link holds 6 KiB; probe-rs keeps to that when it reads, and not when it
/// writes (0.32.0, `STLINK_MAX_WRITE_LEN`).
const MAX_WORDS: usize = 6 * 1024 / 4;
/// Words that half a second takes for each kHz of the clock: 46 bits a word and the idle clocks between (ADIv5 B4). No transfer
/// takes longer, so that an interrupt is heard within a second at any clock.
const WORDS_PER_KHZ: usize = 9;

type MemoryPort<'a> = Box<dyn ArmMemoryInterface + 'a>;

self_cell!(
    /// A debug interface with the one memory access port in use. probe-rs lets the port borrow the interface; held
    /// together they spare the port's identification, four USB round trips, before every access.
    struct Port {
        owner: MutBorrow<Box<dyn ArmDebugInterface>>,
        #[not_covariant]
        dependent: MemoryPort,
    }
);

/// An attached probe.
///
/// A core that was halted over it and that nothing has become of is let go when the link is dropped, whatever the way out.
pub(super) struct Link {
    /// Until it is closed; `None` if a tape plays it.
    port: Option<Port>,
    tape: Option<Tape>,
    is_closed: bool,
    max_words: usize,
    quality: SharedQuality,
    /// Whether a core is to be let go.
    holds_core: bool,
    /// Whether the last access got no answer.
    is_lost: bool,
}

/// The link quality over all connections that a program makes.
pub(super) type SharedQuality = Arc<Mutex<LinkQuality>>;

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Link")
    }
}

/// Why an access did not happen.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The chip answered, and refused this access.
    #[error("the chip refused access to {address:#010x}")]
    Refused {
        /// Of the access, or of the first word of several.
        address: u32,
    },
    /// The chip does not answer, or not in a way that makes sense.
    #[error("no answer from the chip{}", at(*address))]
    Wire {
        /// Of the access; `None` before there was one.
        address: Option<u32>,
        /// What the driver says.
        #[source]
        source: Box<ArmError>,
    },
    /// The probe itself does not answer.
    #[error("the probe does not answer")]
    Probe {
        /// What the driver says.
        #[source]
        source: Box<ArmError>,
    },
    /// A register has a value that no chip has: the wires carry something, but not what the chip sent.
    #[error("{what} reads as {value:#010x}, which no chip has: poor contact")]
    Nonsense {
        /// The register.
        what: &'static str,
        /// The word.
        value: u32,
    },
    /// The chip's UID is blank, which no chip's is.
    #[error("the UID is invalid (all bits are {}): poor contact", u8::from(uid.0[0] != 0))]
    BlankUid {
        /// As it was read.
        uid: Uid,
    },
    /// The same place, read twice, gave two values.
    #[error("{what} at {address:#010x} reads differently each time: poor contact")]
    Unstable {
        /// What is read there, in words.
        what: &'static str,
        /// The address.
        address: u32,
    },
}

fn at(address: Option<u32>) -> String {
    address.map_or_else(String::new, |address| format!(" at {address:#010x}"))
}

impl Link {
    /// Takes an attached probe and reaches its memory access port.
    pub(super) fn new((interface, tape): Taped, speed_khz: u32, quality: SharedQuality) -> Result<Self, LinkError> {
        let max_words = (speed_khz as usize * WORDS_PER_KHZ).clamp(1, MAX_WORDS);
        let mut interface = interface;
        let select = || interface.as_mut().expect(REAL).select_debug_port(DpAddress::Default);
        ask(tape.as_ref(), || Call::SelectDebugPort, select).map_err(|e| LinkError::from_arm(None, e))?;
        let mut port = None;
        let reach = || {
            let interface = MutBorrow::new(interface.expect(REAL));
            port = Some(Port::try_new(interface, |interface| interface.borrow_mut().memory_interface(&AP))?);
            Ok(())
        };
        ask(tape.as_ref(), || Call::Memory, reach).map_err(|e| LinkError::from_arm(Some(CPUID), e))?;
        Ok(Self { port, tape, is_closed: false, max_words, quality, holds_core: false, is_lost: false })
    }

    /// Where this connection records its accesses.
    pub(super) fn quality(&self) -> MutexGuard<'_, LinkQuality> {
        self.quality.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One access, counted.
    fn access<T: Serialize + DeserializeOwned>(
        &mut self,
        address: impl Into<Option<u32>>,
        call: impl FnOnce() -> Call,
        access: impl FnOnce(&mut dyn ArmMemoryInterface) -> Result<T, ArmError>,
    ) -> Result<T, LinkError> {
        let port = &mut self.port;
        let access = || port.as_mut().expect(REAL).with_dependent_mut(|_, memory| access(&mut **memory));
        let done = ask(self.tape.as_ref(), call, access);
        let done = done.map_err(|error| LinkError::from_arm(address.into(), error));
        self.is_lost = !matches!(done, Ok(_) | Err(LinkError::Refused { .. }));
        self.quality().record(!self.is_lost);
        done
    }

    /// Gives the probe back, still open.
    pub(super) fn close(mut self) -> OpenProbe {
        self.is_closed = true;
        let probe = self.port.take().map(|port| port.into_owner().into_inner().close());
        OpenProbe::new(probe, self.tape.take())
    }

    /// A fresh key, or the one of the recording that is played.
    pub(super) fn key(&self) -> SumKey {
        let key = self.tape.as_ref().map(|tape| tape.note("key", || SumKey::random().0));
        key.flatten().map_or_else(SumKey::random, SumKey)
    }

    /// From now on the core is let go when the link is dropped.
    pub(super) fn hold_core(&mut self) {
        self.holds_core = true;
    }

    /// From now on the core stays as it is when the link is dropped.
    pub(super) fn leave_core(&mut self) {
        self.holds_core = false;
    }

    /// Lets the halted core go on, without the debugger in its way.
    pub(super) fn resume_core(&mut self) -> Result<(), LinkError> {
        self.leave_core();
        self.write(DEMCR, 0)?;
        self.write(DHCSR, DHCSR_DBGKEY)?;
        self.flush()
    }

    pub(super) fn read(&mut self, address: u32) -> Result<u32, LinkError> {
        let mut word = [0];
        self.read_words(address, &mut word)?;
        Ok(word[0])
    }

    pub(super) fn read_words(&mut self, address: u32, words: &mut [u32]) -> Result<(), LinkError> {
        for (words, address) in words.chunks_mut(self.max_words).zip((address..).step_by(4 * self.max_words)) {
            let read = || Call::Read { address, words: words.len() };
            let mut found = Words(vec![0; words.len()]);
            found = self.access(address, read, |memory| {
                memory.read_32(address.into(), &mut found.0)?;
                Ok(found)
            })?;
            words.copy_from_slice(&found.0);
        }
        Ok(())
    }

    /// Bytes that go into one transfer at this clock.
    pub(super) fn max_bytes(&self) -> usize {
        4 * self.max_words
    }

    /// Reads `bytes` from an address that is a multiple of 4, by whole words.
    pub(super) fn read_bytes(&mut self, address: u32, bytes: &mut [u8]) -> Result<(), LinkError> {
        let mut words = vec![0; bytes.len().div_ceil(4)];
        self.read_words(address, &mut words)?;
        for (bytes, word) in bytes.chunks_mut(4).zip(words) {
            bytes.copy_from_slice(&word.to_le_bytes()[..bytes.len()]);
        }
        Ok(())
    }

    pub(super) fn write(&mut self, address: u32, value: u32) -> Result<(), LinkError> {
        self.write_words(address, &[value])
    }

    pub(super) fn write_words(&mut self, address: u32, words: &[u32]) -> Result<(), LinkError> {
        for (words, address) in words.chunks(self.max_words).zip((address..).step_by(4 * self.max_words)) {
            let write = || Call::Write { address, data: Words(words.to_vec()) };
            self.access(address, write, |memory| memory.write_32(address.into(), words))?;
        }
        Ok(())
    }

    /// The debug port's identification (ADIv5 B2.2.5).
    pub(super) fn dpidr(&mut self) -> Result<u32, LinkError> {
        let address = DpRegisterAddress { address: 0, bank: None };
        let read = || Call::ReadDebugPort(address.address);
        self.interface(read, |interface| interface.read_raw_dp_register(DpAddress::Default, address))
    }

    /// Lets go of NRST, which the probe was told to hold low.
    pub(super) fn release_reset(&mut self) -> Result<(), LinkError> {
        // Pin 7 of DAP_SWJ_Pins is nRESET.
        let nreset = 1 << 7;
        let drive = || Call::Pins { out: nreset, select: nreset };
        self.interface(drive, |interface| interface.swj_pins(nreset, nreset, 0).map_err(ArmError::from))?;
        Ok(())
    }

    fn interface<T: Serialize + DeserializeOwned>(
        &mut self,
        name: impl FnOnce() -> Call,
        call: impl FnOnce(&mut dyn ArmDebugInterface) -> Result<T, ArmError>,
    ) -> Result<T, LinkError> {
        self.access(None, name, |memory| call(memory.get_arm_debug_interface()?))
    }

    /// Where the ROM table lies, as the access port says.
    pub(super) fn rom_table_base(&mut self) -> Result<u32, LinkError> {
        self.access(None, || Call::RomTable, |memory| memory.base_address()).map(|base| base as u32)
    }

    /// Sends what a driver has gathered and not sent yet.
    pub(super) fn flush(&mut self) -> Result<(), LinkError> {
        self.access(None, || Call::Flush, |memory| memory.flush())
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // Over a link that was lost the next try to reach the board is soon enough.
        if self.holds_core && !self.is_closed && !self.is_lost {
            let _ = self.resume_core();
        }
    }
}

impl From<&LinkError> for Miss {
    fn from(error: &LinkError) -> Self {
        match error {
            LinkError::Refused { .. } => Self::Refused,
            // An access has an address only behind the debug port.
            LinkError::Wire { address: Some(_), .. } => Self::Unanswered,
            LinkError::Wire { address: None, .. } | LinkError::Probe { .. } => Self::Silent,
            LinkError::Nonsense { .. } | LinkError::BlankUid { .. } | LinkError::Unstable { .. } => Self::Nonsense,
        }
    }
}

impl LinkError {
    /// Sorts a driver's error by what it says about the wires.
    pub(super) fn from_arm(address: Option<u32>, error: ArmError) -> Self {
        match Mishap::of(&error) {
            Mishap::Refused => Self::Refused { address: address.unwrap_or_default() },
            Mishap::Probe(_) => Self::Probe { source: Box::new(error) },
            Mishap::Speed(_) | Mishap::Wire(_) => Self::Wire { address, source: Box::new(error) },
        }
    }
}
