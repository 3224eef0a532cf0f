//! Transfers of the debugger: the registers of the debug port (`ADIv5` B2) and of the memory access port (C2), and the
//! accesses to memory behind it.

use super::{
    board::BoardModel,
    dap::{CDBGPWRUPREQ, CSW_WRITABLE, CSYSPWRUPREQ, DEVICE_ENABLED, DapRegister, REQUESTS, STICKYERR, WireState},
    rom_table,
    signals::{AccessError, AccessWidth, Master},
    time::Nanos,
};

/// Why a transfer fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TransferError {
    /// No acknowledge: there is no chip, or the protocol is out of step.
    NoAcknowledge,
    /// The FAULT response.
    Fault,
    /// WAIT responses until this time.
    Wait(Nanos),
}

impl BoardModel {
    /// Performs one transfer; `write` is the value to write. `Wait` means that nothing has changed.
    pub(super) fn transfer(&mut self, register: DapRegister, write: Option<u32>) -> Result<u32, TransferError> {
        match (self.dap.wire, register, write) {
            (WireState::Ready, _, _) => {}
            (WireState::Reset, DapRegister::Dp(0), None) => self.dap.wire = WireState::Ready,
            _ => {
                self.dap.lose_sync();
                return Err(TransferError::NoAcknowledge);
            }
        }
        match register {
            DapRegister::Dp(address) => Ok(self.debug_port(address & 0xC, write)),
            DapRegister::Ap(_) if self.dap.sticky => Err(TransferError::Fault),
            DapRegister::Ap(_) if !self.dap.powered() => Err(self.refuse()),
            DapRegister::Ap(address) => {
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

    fn access_port(&mut self, address: u8, write: Option<u32>) -> Result<u32, TransferError> {
        match (address, write) {
            (0x00, None) => return Ok(self.dap.csw | DEVICE_ENABLED),
            (0x00, Some(value)) => self.dap.csw = value & CSW_WRITABLE,
            (0x04, None) => return Ok(self.dap.tar),
            (0x04, Some(value)) => self.dap.tar = value,
            (0x0C, write) => {
                let value = self.data(self.dap.tar, write)?;
                self.dap.increment_address();
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

    fn data(&mut self, address: u32, write: Option<u32>) -> Result<u32, TransferError> {
        let width = match self.dap.csw & 7 {
            0 => AccessWidth::Byte,
            1 => AccessWidth::Half,
            2 => AccessWidth::Word,
            _ => return Err(self.refuse()),
        };
        if !address.is_multiple_of(width.bytes() as u32) {
            self.bus.record.violation(Master::Debugger, format!("unaligned access to {address:#010x}"));
            return Err(self.refuse());
        }
        // Bytes and half-words use their own byte lanes (C2.2.6).
        let shift = 8 * (address & 3);
        let result = match write {
            None => self.read_memory(address, width).map(|value| value << shift),
            Some(value) => self.write_memory(address, width, value >> shift).map(|()| 0),
        };
        result.map_err(|refusal| match refusal {
            AccessError::Fault => self.refuse(),
            AccessError::Busy(until) => TransferError::Wait(until),
        })
    }

    fn refuse(&mut self) -> TransferError {
        self.dap.sticky = true;
        TransferError::Fault
    }
}
