//! What can go wrong between this program and a board.

use std::time::Duration;

use super::{
    Finding, ProbeEntry, Problem, Unsupported,
    finding::{Miss, NO_SUPPLY_MV, TOO_HIGH_MV},
    link::LinkError,
    registers::fpec::SR_PGERR,
};
use crate::{block::Uid, count::count};

/// A failure of the board procedure, named after what was being done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No probe is attached.
    #[error("no probe found")]
    NoProbe,
    /// The selector matches none of the attached probes.
    #[error("no attached probe matches --probe {wanted:?}")]
    ProbeNotFound {
        /// The selector.
        wanted: String,
        /// The attached probes.
        found: Vec<ProbeEntry>,
    },
    /// The selector matches more than one of the attached probes.
    #[error("{} attached probes match --probe {wanted:?}", found.len())]
    ProbeAmbiguous {
        /// The selector.
        wanted: String,
        /// Those that match.
        found: Vec<ProbeEntry>,
    },
    /// More than one probe, and none chosen.
    #[error("{} probes are attached and none is chosen", found.len())]
    SeveralProbes {
        /// Those that are there.
        found: Vec<ProbeEntry>,
    },
    /// The probe was there and is not any more.
    #[error("the probe was disconnected")]
    ProbeGone,
    /// The probe is there and cannot be used.
    #[error(transparent)]
    ProbeAccess(Problem),
    /// The probe has no clock as slow as that.
    #[error("the probe does not support an SWD clock of {khz} kHz or slower")]
    UnsupportedSpeed {
        /// What was asked for.
        khz: u32,
    },
    /// The probe works and no board answers.
    #[error(
        "{}: {} in {:.1} s{}",
        silence(*answered),
        count(*attempts, "try"),
        elapsed.as_secs_f32(),
        supply(*volts)
    )]
    NoContact {
        /// Whether it answered for a moment.
        answered: bool,
        /// Tries.
        attempts: u32,
        /// Since the first.
        elapsed: Duration,
        /// What the probe measures at the board; `None` if it measures nothing.
        volts: Option<f32>,
        /// What is wrong, as far as the probe can tell.
        finding: Option<Finding>,
        /// What the last try met.
        #[source]
        last: LinkError,
    },
    /// The board answers, though too unreliably to erase anything.
    #[error("poor contact: only {good} of the last {total} accesses succeeded")]
    PoorContact {
        /// Accesses that were right.
        good: usize,
        /// The last accesses.
        total: usize,
    },
    /// Contact was lost after it had been made.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// Not a chip that this supports.
    #[error(transparent)]
    Unsupported(Unsupported),
    /// The chip's flash is smaller than the scooter's.
    #[error("the chip has {found} KiB of flash, but this scooter's firmware needs {needed} KiB")]
    TooSmall {
        /// KiB that the chip states.
        found: u32,
        /// KiB of the flash map.
        needed: u32,
    },
    /// Another board than before is on the wires.
    #[error("expected the board with UID {expected}, but found {found}")]
    OtherBoard {
        /// The board that the run began with.
        expected: Uid,
        /// The board that answers now.
        found: Uid,
    },
    /// The core does not halt.
    #[error("the chip did not halt")]
    NotHalted,
    /// The core answers and is held in reset.
    #[error("the chip is held in reset (NRST is low)")]
    HeldInReset,
    /// The chip does not reset.
    #[error("the chip did not reset")]
    NotReset,
    /// The flash controller's registers hold what they cannot hold.
    #[error("unknown protection state (FLASH_OBR reads {obr:#010x})")]
    UnknownProtection {
        /// The register.
        obr: u32,
    },
    /// RDP holds a value that may protect the chip permanently.
    #[error("the read-out protection byte is {rdp:#04x}, which may be permanent on this chip")]
    PermanentProtection {
        /// The byte.
        rdp: u8,
    },
    /// What was loaded into SRAM did not arrive.
    #[error("poor contact: data sent to the chip did not arrive intact")]
    Loader,
    /// The flash controller reports an error.
    #[error("{what} failed near {address:#010x}: the chip reports {}", status_names(*status))]
    Flash {
        /// What was being done.
        what: &'static str,
        /// Address of the failed access, or just after it.
        address: u32,
        /// Error bits of `FLASH_SR`.
        status: u32,
    },
    /// The flash controller does not finish.
    #[error("{what} did not finish within {:.1} s", limit.as_secs_f32())]
    Stuck {
        /// What was being done.
        what: &'static str,
        /// How long was waited.
        limit: Duration,
    },
    /// The board's own firmware does not finish what it is writing to flash.
    #[error("the firmware on the board did not finish writing its flash within {:.1} s", limit.as_secs_f32())]
    SaveStuck {
        /// How long was waited.
        limit: Duration,
    },
    /// The option bytes are not what was written.
    #[error("the option bytes are {found} instead of {expected}")]
    OptionBytes {
        /// What was written, in hexadecimal.
        expected: String,
        /// What was read.
        found: String,
    },
    /// Protection is still on after the chip was reset and its power was cycled.
    #[error("read-out protection is still on")]
    StillProtected,
    /// The power cycle that unlocking needs did not happen in time.
    #[error("the board was not power-cycled within {:.0} s", limit.as_secs_f32())]
    NoPowerCycle {
        /// How long was waited.
        limit: Duration,
    },
    /// The user asked to stop.
    #[error("interrupted")]
    Interrupted,
}

/// Whether a board that cannot be reached has answered at all.
fn silence(answered: bool) -> &'static str {
    if answered { "the board answered, but not for long enough to identify its chip" } else { "no board answered" }
}

/// What a measured voltage says of the board. Probes that do not measure show about 3.3 V, so anything near that proves nothing.
fn supply(volts: Option<f32>) -> String {
    match volts {
        Some(volts) if volts * 1000.0 < NO_SUPPLY_MV.into() => {
            format!(
                " (target voltage {volts:.1} V: the board has no supply, or pin 1 (VTref) of the probe is not connected)"
            )
        }
        Some(volts) if volts * 1000.0 > TOO_HIGH_MV.into() => {
            format!(
                " (target voltage {volts:.1} V is too high: disconnect the supply; the chip tolerates 3.6 V at \
                     most)"
            )
        }
        _ => String::new(),
    }
}

/// PM0075 4.4.
fn status_names(status: u32) -> String {
    use super::registers::fpec::SR_WRPRTERR;
    let names = [(SR_PGERR, "a programming error (PGERR)"), (SR_WRPRTERR, "write protection (WRPRTERR)")];
    let names: Vec<_> = names.iter().filter(|(bit, _)| status & bit != 0).map(|(_, name)| *name).collect();
    if names.is_empty() { format!("status {status:#x}") } else { names.join(" and ") }
}

impl From<&Error> for Miss {
    fn from(error: &Error) -> Self {
        match error {
            Error::HeldInReset => Self::HeldInReset,
            Error::Link(error) => error.into(),
            _ => Self::Nonsense,
        }
    }
}

impl Error {
    /// Whether there is no probe, or not the one that was asked for.
    pub(super) fn is_absence(&self) -> bool {
        matches!(self, Self::NoProbe | Self::ProbeNotFound { .. } | Self::ProbeGone)
    }

    /// Whether a page that was to be programmed was not blank: its erase had no effect (PM0075 2.3.3).
    pub fn is_unerased(&self) -> bool {
        matches!(self, Self::Flash { status, .. } if status & SR_PGERR != 0)
    }

    /// Whether a fresh connection may help: contact or the probe was lost, or what came over the wires made no sense.
    pub fn is_link(&self) -> bool {
        match self {
            Self::Link(LinkError::Refused { .. }) => false,
            Self::Link(_)
            | Self::ProbeGone
            | Self::NotHalted
            | Self::HeldInReset
            | Self::NotReset
            | Self::Loader
            | Self::PoorContact { .. } => true,
            _ => false,
        }
    }

    /// Whether the board was not reached at all, or not well enough to begin.
    pub fn is_about_reaching(&self) -> bool {
        matches!(
            self,
            Self::NoProbe
                | Self::ProbeNotFound { .. }
                | Self::ProbeAmbiguous { .. }
                | Self::SeveralProbes { .. }
                | Self::ProbeGone
                | Self::ProbeAccess(_)
                | Self::UnsupportedSpeed { .. }
                | Self::NoContact { .. }
                | Self::HeldInReset
                | Self::PoorContact { .. }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_voltage_is_told_if_the_chip_cannot_run_at_it() {
        let told = |volts| supply(Some(volts));
        let none = " (target voltage 1.9 V: the board has no supply, or pin 1 (VTref) of the probe is not connected)";
        let high = " (target voltage 3.8 V is too high: disconnect the supply; the chip tolerates 3.6 V at most)";
        assert_eq!([1.9, 2.0, 3.7, 3.8].map(told), [none, "", "", high]);
        assert_eq!(supply(None), "");
        assert_eq!(silence(false), "no board answered");
        assert_eq!(silence(true), "the board answered, but not for long enough to identify its chip");
    }

    #[test]
    fn no_probe_is_told_from_a_probe_that_cannot_be_used() {
        let absent = [Error::NoProbe, Error::ProbeGone, Error::ProbeNotFound { wanted: "#2".into(), found: vec![] }];
        assert!(absent.iter().all(Error::is_absence));
        assert!(!Error::SeveralProbes { found: vec![] }.is_absence() && !Error::Interrupted.is_absence());
    }

    #[test]
    fn what_the_flash_controller_reports_is_named() {
        use crate::board::registers::fpec::SR_WRPRTERR;
        let said = |status| {
            let text = Error::Flash { what: "programming", address: 0x0800_1000, status }.to_string();
            text.strip_prefix("programming failed near 0x08001000: the chip reports ").unwrap().to_owned()
        };
        assert_eq!(said(SR_PGERR), "a programming error (PGERR)");
        assert_eq!(said(SR_WRPRTERR), "write protection (WRPRTERR)");
        assert_eq!(said(SR_PGERR | SR_WRPRTERR), "a programming error (PGERR) and write protection (WRPRTERR)");
        assert_eq!(said(1 << 5), "status 0x20");
    }

    #[test]
    fn an_address_that_the_chip_refuses_is_not_a_matter_of_contact() {
        assert!(!Error::from(LinkError::Refused { address: 0x0801_0000 }).is_link());
        assert!(Error::from(LinkError::Unstable { what: "flash", address: 0x0800_0000 }).is_link());
    }
}
