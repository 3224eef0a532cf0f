//! What passes between the parts of the chip: accesses over the bus, and resets.

use super::time::Nanos;

/// The source of an access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Master {
    Core,
    Debugger,
}

/// Width of an access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AccessWidth {
    Byte,
    Half,
    Word,
}

impl AccessWidth {
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::Byte => 1,
            Self::Half => 2,
            Self::Word => 4,
        }
    }

    /// Truncates `value` to this width.
    pub(super) fn cut(self, value: u32) -> u32 {
        match self {
            Self::Byte => value & 0xFF,
            Self::Half => value & 0xFFFF,
            Self::Word => value,
        }
    }
}

/// Why an access returns no data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AccessError {
    /// Bus error.
    Fault,
    /// The flash stalls the bus until this time.
    Busy(Nanos),
}

/// How much a reset covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ResetKind {
    /// Power-on: everything.
    PowerOn,
    /// SYSRESETREQ, watchdog or NRST: core and peripherals, not the debug logic.
    System,
    /// VECTRESET: only the core (ARMv7-M B1.5.16).
    Core,
}
