//! The state of the core's debug logic: halting debug (ARMv7-M C1.6), breakpoints (C1.11). `debug_registers` is how a
//! debugger reads and writes it.

pub(super) const C_DEBUGEN: u32 = 1;
pub(super) const C_HALT: u32 = 1 << 1;
pub(super) const C_STEP: u32 = 1 << 2;
pub(super) const C_MASKINTS: u32 = 1 << 3;
pub(super) const C_STORED: u32 = C_DEBUGEN | C_HALT | C_STEP | C_MASKINTS | 1 << 5;
const VC_CORERESET: u32 = 1;
const VC_HARDERR: u32 = 1 << 10;

// DFSR, C1.6.1.
pub(super) const HALTED: u32 = 1;
const BKPT: u32 = 1 << 1;
const VCATCH: u32 = 1 << 3;

/// The debug logic of the core. A system reset keeps most of it; power-on clears it (C1.4.2).
#[derive(Debug)]
pub(super) struct DebugState {
    pub(super) halted: bool,
    pub(super) control: u32,
    pub(super) dcrdr: u32,
    pub(super) demcr: u32,
    pub(super) dfsr: u32,
    pub(super) reset: ResetStatus,
    pub(super) fp_on: bool,
    pub(super) comparators: [u32; 8],
}

/// The state that `S_RESET_ST` reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ResetStatus {
    /// The reset lasts: NRST is low.
    Asserted,
    /// There was a reset since the last read.
    Unread,
    /// There was no reset since the last read.
    Read,
}

impl DebugState {
    pub(super) fn new() -> Self {
        Self {
            halted: false,
            control: 0,
            dcrdr: 0,
            demcr: 0,
            dfsr: 0,
            reset: ResetStatus::Read,
            fp_on: false,
            comparators: [0; 8],
        }
    }

    pub(super) fn enabled(&self) -> bool {
        self.control & C_DEBUGEN != 0
    }

    pub(super) fn masks_interrupts(&self) -> bool {
        self.enabled() && self.control & C_MASKINTS != 0
    }

    /// Every reset clears `C_HALT` (Cortex-M3 TRM, DDI 0337G 10.2) and the bits that depend on it.
    pub(super) fn enter_reset(&mut self) {
        self.control &= !(C_HALT | C_STEP | C_MASKINTS);
        (self.halted, self.reset) = (false, ResetStatus::Asserted);
    }

    /// Halts before the first instruction if `VC_CORERESET` is set or `C_HALT` was written during the reset.
    pub(super) fn leave_reset(&mut self) {
        self.reset = ResetStatus::Unread;
        if self.enabled() && self.demcr & VC_CORERESET != 0 {
            self.halt(VCATCH);
        } else if self.control & C_HALT != 0 {
            self.halt(HALTED);
        }
    }

    /// If `VC_HARDERR` is set, halts at the first instruction of the handler, or in lock-up.
    pub(super) fn catch_fault(&mut self) {
        if self.enabled() && self.demcr & VC_HARDERR != 0 {
            self.halt(VCATCH);
        }
    }

    pub(super) fn halt_at_breakpoint(&mut self) {
        self.halt(BKPT);
    }

    /// Halts as if a debugger had requested it.
    pub(super) fn halt_on_request(&mut self) {
        self.control |= C_DEBUGEN;
        self.halt(HALTED);
    }

    fn halt(&mut self, cause: u32) {
        self.halted = true;
        self.control |= C_HALT;
        self.dfsr |= cause;
    }

    pub(super) fn has_breakpoints(&self) -> bool {
        self.fp_on && self.comparators.iter().any(|word| word & 1 != 0)
    }

    /// Whether a breakpoint is set at `pc`. Flash patch unit revision 1: six comparators for code below 0x20000000.
    pub(super) fn stops_at(&self, pc: u32) -> bool {
        self.comparators[..6].iter().any(|word| {
            let half = if pc & 2 == 0 { 1 << 30 } else { 1 << 31 };
            word & 1 != 0 && word & 0x1FFF_FFFC == pc & !3 && word & half != 0
        })
    }
}
