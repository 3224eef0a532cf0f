//! The state of the debug port and its memory access port, and the wire protocol outside transfers. ADIv5.2 (IHI 0031)
//! part B and C2. Transfers are in `transfer`.

/// The register that a transfer accesses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DapRegister {
    Dp(u8),
    Ap(u8),
}

impl DapRegister {
    /// Whether this is DRW, in the bank that is selected at the end of every memory access.
    pub(super) fn is_data(self) -> bool {
        self == Self::Ap(0xC)
    }
}

/// The state of the wire protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WireState {
    /// JTAG, in which an SWJ-DP starts (B5.2).
    Jtag,
    /// Out of step; only a line reset helps (B4.3.3).
    OutOfSync,
    /// After a line reset, when only DPIDR may be read (B4.3.3).
    Reset,
    Ready,
}

/// `CTRL/STAT` bits, B2.2.2.
pub(super) const REQUESTS: u32 = 0x5400_0F0D;
pub(super) const CDBGPWRUPREQ: u32 = 1 << 28;
pub(super) const CSYSPWRUPREQ: u32 = 1 << 30;
pub(super) const STICKYERR: u32 = 1 << 5;
/// A line reset is at least this many ones (B4.3.3).
const LINE_RESET: u32 = 50;
/// Sequences that switch from JTAG to SWD and back (B5.2.1).
const TO_SWD: u16 = 0xE79E;
const TO_JTAG: u16 = 0xE73C;

/// CSW: size and increment (C2.6.4); the other bits have the reset value of a Cortex-M3 (DDI 0337 11.4).
const CSW_RESET: u32 = 0x2300_0042;
pub(super) const CSW_WRITABLE: u32 = 0x7F00_0F37;
pub(super) const DEVICE_ENABLED: u32 = 1 << 6;

/// Registers of the debug port and of the AHB-AP.
#[derive(Debug)]
pub(super) struct Dap {
    pub(super) wire: WireState,
    ones: u32,
    last_bits: u16,
    pub(super) select: u32,
    pub(super) control: u32,
    pub(super) sticky: bool,
    pub(super) csw: u32,
    pub(super) tar: u32,
}

impl Dap {
    pub(super) fn new() -> Self {
        Self {
            wire: WireState::Jtag,
            ones: 0,
            last_bits: 0,
            select: 0,
            control: 0,
            sticky: false,
            csw: CSW_RESET,
            tar: 0,
        }
    }

    /// Receives bits on SWDIO outside a transfer, least significant first.
    pub(super) fn sequence(&mut self, length: u8, bits: u64) {
        for index in 0..length.min(64) {
            let bit = (bits >> index & 1) as u16;
            self.last_bits = self.last_bits >> 1 | bit << 15;
            self.ones = if bit == 1 { self.ones + 1 } else { 0 };
            if self.last_bits == TO_SWD && self.wire == WireState::Jtag {
                self.wire = WireState::OutOfSync;
            }
            if self.last_bits == TO_JTAG {
                self.wire = WireState::Jtag;
            }
            if self.ones == LINE_RESET && self.wire != WireState::Jtag {
                self.wire = WireState::Reset;
                self.select = 0;
            }
        }
    }

    /// Puts the protocol out of step, as if contact was lost in the middle of a transfer.
    pub(super) fn lose_sync(&mut self) {
        if self.wire != WireState::Jtag {
            self.wire = WireState::OutOfSync;
        }
    }

    /// Increments TAR as an access to DRW does.
    pub(super) fn increment_address(&mut self) {
        if self.csw >> 4 & 3 != 0 {
            let step = 1 << (self.csw & 3);
            // C2.2.2: only the low ten bits are guaranteed to increment.
            self.tar = self.tar & !0x3FF | self.tar.wrapping_add(step) & 0x3FF;
        }
    }

    /// Clears the sticky error flag (ABORT.STKERRCLR).
    pub(super) fn clear_sticky(&mut self) {
        self.sticky = false;
    }

    pub(super) fn powered(&self) -> bool {
        self.control & CDBGPWRUPREQ != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wire_starts_in_jtag_and_needs_the_switch_sequence_and_a_line_reset() {
        let mut dap = Dap::new();
        dap.sequence(54, 0x0007_FFFF_FFFF_FFFF);
        assert_eq!(dap.wire, WireState::Jtag);
        dap.sequence(16, u64::from(TO_SWD));
        assert_eq!(dap.wire, WireState::OutOfSync);
        dap.sequence(1, 0);
        dap.sequence(49, u64::MAX);
        dap.sequence(3, 0);
        assert_eq!(dap.wire, WireState::OutOfSync, "49 ones are not a line reset");
        dap.sequence(54, 0x0007_FFFF_FFFF_FFFF);
        assert_eq!(dap.wire, WireState::Reset);
    }
}
