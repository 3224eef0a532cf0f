//! The debug port and its memory access port, at the level of single transfers. ADIv5.2 (IHI 0031) part B and C2.

use super::{
    board::Board,
    flash::{Refusal, Width},
    log::Master,
    rom_table,
    time::Nanos,
};

/// Why a transfer fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// No acknowledge: there is no chip, or the protocol is out of step.
    Silence,
    /// The FAULT response.
    Fault,
    /// WAIT responses until this time.
    Wait(Nanos),
}

/// The register that a transfer accesses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Register {
    Debug(u8),
    Access(u8),
}

impl Register {
    /// Whether this is DRW, in the bank that is selected at the end of every memory access.
    pub(super) fn is_data(self) -> bool {
        self == Self::Access(0xC)
    }
}

/// The state of the wire protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wire {
    /// JTAG, in which an SWJ-DP starts (B5.2).
    Jtag,
    /// Out of step; only a line reset helps (B4.3.3).
    Lost,
    /// After a line reset, when only DPIDR may be read (B4.3.3).
    Reset,
    Ready,
}

/// `CTRL/STAT` bits, B2.2.2.
const REQUESTS: u32 = 0x5400_0F0D;
const CDBGPWRUPREQ: u32 = 1 << 28;
const CSYSPWRUPREQ: u32 = 1 << 30;
const STICKYERR: u32 = 1 << 5;
/// A line reset is at least this many ones (B4.3.3).
const LINE_RESET: u32 = 50;
/// Sequences that switch from JTAG to SWD and back (B5.2.1).
const TO_SWD: u16 = 0xE79E;
const TO_JTAG: u16 = 0xE73C;

/// CSW: size and increment (C2.6.4); the other bits have the reset value of a Cortex-M3 (DDI 0337 11.4).
const CSW_RESET: u32 = 0x2300_0042;
const CSW_KEPT: u32 = 0x7F00_0F37;
const DEVICE_ENABLED: u32 = 1 << 6;

/// Registers of the debug port and of the AHB-AP.
#[derive(Debug)]
pub(super) struct Dap {
    wire: Wire,
    ones: u32,
    last_bits: u16,
    select: u32,
    control: u32,
    sticky: bool,
    csw: u32,
    tar: u32,
}

impl Dap {
    pub(super) fn new() -> Self {
        Self { wire: Wire::Jtag, ones: 0, last_bits: 0, select: 0, control: 0, sticky: false, csw: CSW_RESET, tar: 0 }
    }

    /// Receives bits on SWDIO outside a transfer, least significant first.
    pub(super) fn sequence(&mut self, length: u8, bits: u64) {
        for index in 0..length.min(64) {
            let bit = (bits >> index & 1) as u16;
            self.last_bits = self.last_bits >> 1 | bit << 15;
            self.ones = if bit == 1 { self.ones + 1 } else { 0 };
            if self.last_bits == TO_SWD && self.wire == Wire::Jtag {
                self.wire = Wire::Lost;
            }
            if self.last_bits == TO_JTAG {
                self.wire = Wire::Jtag;
            }
            if self.ones == LINE_RESET && self.wire != Wire::Jtag {
                self.wire = Wire::Reset;
                self.select = 0;
            }
        }
    }

    /// Puts the protocol out of step, as if contact was lost in the middle of a transfer.
    pub(super) fn lose_step(&mut self) {
        if self.wire != Wire::Jtag {
            self.wire = Wire::Lost;
        }
    }

    /// Clears the sticky error flag (ABORT.STKERRCLR).
    pub(super) fn clear_sticky(&mut self) {
        self.sticky = false;
    }

    fn powered(&self) -> bool {
        self.control & CDBGPWRUPREQ != 0
    }
}

impl Board {
    /// Performs one transfer; `write` is the value to write. `Wait` means that nothing has changed.
    pub(super) fn transfer(&mut self, register: Register, write: Option<u32>) -> Result<u32, Answer> {
        match (self.dap.wire, register, write) {
            (Wire::Ready, _, _) => {}
            (Wire::Reset, Register::Debug(0), None) => self.dap.wire = Wire::Ready,
            _ => {
                self.dap.lose_step();
                return Err(Answer::Silence);
            }
        }
        match register {
            Register::Debug(address) => Ok(self.debug_port(address & 0xC, write)),
            Register::Access(_) if self.dap.sticky => Err(Answer::Fault),
            Register::Access(_) if !self.dap.powered() => Err(self.refuse()),
            Register::Access(address) => {
                let bank = (self.dap.select & 0xF0) as u8;
                if self.dap.select >> 24 == 0 {
                    self.access_port(bank | address & 0xC, write)
                } else {
                    // There is no such access port: its registers read as zero (C1.2).
                    Ok(0)
                }
            }
        }
    }

    fn debug_port(&mut self, address: u8, write: Option<u32>) -> u32 {
        let bank = self.dap.select & 0xF;
        match (address, write) {
            (0x0, None) => return self.dpidr,
            // ABORT: STKERRCLR.
            (0x0, Some(value)) if value & 1 << 2 != 0 => self.dap.sticky = false,
            (0x4, None) if bank == 0 => {
                let control = self.dap.control;
                let acknowledged = (control & (CDBGPWRUPREQ | CSYSPWRUPREQ)) << 1;
                let sticky = if self.dap.sticky { STICKYERR } else { 0 };
                return control | acknowledged | sticky;
            }
            (0x4, Some(value)) if bank == 0 => {
                self.dap.control = value & REQUESTS;
                if self.dap.powered() {
                    self.bus.flash.debugged = true;
                }
            }
            (0x8, Some(value)) => self.dap.select = value,
            _ => {}
        }
        0
    }

    fn access_port(&mut self, address: u8, write: Option<u32>) -> Result<u32, Answer> {
        match (address, write) {
            (0x00, None) => return Ok(self.dap.csw | DEVICE_ENABLED),
            (0x00, Some(value)) => self.dap.csw = value & CSW_KEPT,
            (0x04, None) => return Ok(self.dap.tar),
            (0x04, Some(value)) => self.dap.tar = value,
            (0x0C, write) => {
                let value = self.data(self.dap.tar, write)?;
                self.skip_data();
                return Ok(value);
            }
            // Banked data registers: the four words around TAR.
            (0x10..=0x1C, write) => return self.data(self.dap.tar & !0xF | u32::from(address - 0x10), write),
            (0xF8, None) => return Ok(rom_table::base(self.chip)),
            (0xFC, None) => return Ok(self.chip.ap_idr),
            _ => {}
        }
        Ok(0)
    }

    /// Increments TAR as an access to DRW does.
    pub(super) fn skip_data(&mut self) {
        if self.dap.csw >> 4 & 3 != 0 {
            let step = 1 << (self.dap.csw & 3);
            // C2.2.2: only the low ten bits are guaranteed to increment.
            self.dap.tar = self.dap.tar & !0x3FF | self.dap.tar.wrapping_add(step) & 0x3FF;
        }
    }

    fn data(&mut self, address: u32, write: Option<u32>) -> Result<u32, Answer> {
        let width = match self.dap.csw & 7 {
            0 => Width::Byte,
            1 => Width::Half,
            2 => Width::Word,
            _ => return Err(self.refuse()),
        };
        if !address.is_multiple_of(width.bytes() as u32) {
            self.bus.flash.violations.note(Master::Debugger, format!("unaligned access to {address:#010x}"));
            return Err(self.refuse());
        }
        // Bytes and half-words use their own byte lanes (C2.2.6).
        let shift = 8 * (address & 3);
        let result = match write {
            None => self.read_memory(address, width).map(|value| value << shift),
            Some(value) => self.write_memory(address, width, value >> shift).map(|()| 0),
        };
        result.map_err(|refusal| match refusal {
            Refusal::Fault => self.refuse(),
            Refusal::Busy(until) => Answer::Wait(until),
        })
    }

    fn refuse(&mut self) -> Answer {
        self.dap.sticky = true;
        Answer::Fault
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wire_starts_in_jtag_and_needs_the_switch_sequence_and_a_line_reset() {
        let mut dap = Dap::new();
        dap.sequence(54, 0x0007_FFFF_FFFF_FFFF);
        assert_eq!(dap.wire, Wire::Jtag);
        dap.sequence(16, u64::from(TO_SWD));
        assert_eq!(dap.wire, Wire::Lost);
        dap.sequence(1, 0);
        dap.sequence(49, u64::MAX);
        dap.sequence(3, 0);
        assert_eq!(dap.wire, Wire::Lost, "49 ones are not a line reset");
        dap.sequence(54, 0x0007_FFFF_FFFF_FFFF);
        assert_eq!(dap.wire, Wire::Reset);
    }
}
