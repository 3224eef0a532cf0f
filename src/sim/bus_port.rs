//! Routes armagnac's memory accesses to the board's bus.

use std::{cell::RefCell, rc::Rc};

use armagnac::{
    core::Processor,
    memory::{Env, MemoryAccessError, MemoryInterface, MemoryReadResult, MemoryWriteResult},
};

use super::{
    bus::Bus,
    signals::{AccessError, AccessWidth, Master},
    time::Nanos,
};

/// The private peripheral bus, and the address at which armagnac accesses it: armagnac's own system registers occupy
/// the original address and cannot be unmapped. A base register that points there is changed for one instruction.
pub(super) const PRIVATE: u32 = 0xE000_0000;
pub(super) const MOVED_PRIVATE: u32 = 0xF000_0000;
pub(super) const MOVE_BITS: u32 = PRIVATE ^ MOVED_PRIVATE;
const PRIVATE_SIZE: u32 = 0x0010_0000;

/// The board's bus while the core executes.
pub(super) struct BusPort {
    pub(super) bus: Bus,
    pub(super) now: Nanos,
    /// Why the last access was refused, and its address.
    pub(super) refused: Option<(AccessError, u32)>,
}

impl BusPort {
    /// Connects `processor` to a bus, for now the empty one.
    pub(super) fn plug_into(processor: &mut Processor) -> Rc<RefCell<Self>> {
        let port = Rc::new(RefCell::new(Self { bus: Bus::placeholder(), now: 0, refused: None }));
        for (at, base, size) in [(0, 0, PRIVATE), (MOVED_PRIVATE, PRIVATE, PRIVATE_SIZE)] {
            let window = Window { port: port.clone(), base, size };
            processor
                .map_iface(at, Rc::new(RefCell::new(window)))
                .expect("armagnac itself maps only 0xE000E000 to 0xE000EFFF");
        }
        port
    }

    fn read(&mut self, address: u32, width: AccessWidth) -> MemoryReadResult<u32> {
        if width == AccessWidth::Word && !self.bus.record.in_flash() {
            let changes = self.bus.record.flash_changes();
            self.bus.summed.read(address, changes);
        }
        self.bus.read(address, width, Master::Core, self.now).map_err(|refusal| self.refuse(refusal, address))
    }

    fn write(&mut self, address: u32, width: AccessWidth, value: u32) -> MemoryWriteResult {
        let written = self.bus.write(address, width, value, Master::Core, self.now);
        written.map_err(|refusal| self.refuse(refusal, address))
    }

    fn refuse(&mut self, refusal: AccessError, address: u32) -> MemoryAccessError {
        self.refused = Some((refusal, address));
        MemoryAccessError::HardwareError
    }
}

/// A region of armagnac's address space that is mapped to the bus.
struct Window {
    port: Rc<RefCell<BusPort>>,
    /// The bus address of the window's first byte.
    base: u32,
    size: u32,
}

impl MemoryInterface for Window {
    fn read_u8(&mut self, address: u32, _: &mut Env) -> MemoryReadResult<u8> {
        self.port.borrow_mut().read(self.base + address, AccessWidth::Byte).map(|value| value as u8)
    }

    fn read_u16le(&mut self, address: u32, _: &mut Env) -> MemoryReadResult<u16> {
        self.port.borrow_mut().read(self.base + address, AccessWidth::Half).map(|value| value as u16)
    }

    fn read_u32le(&mut self, address: u32, _: &mut Env) -> MemoryReadResult<u32> {
        self.port.borrow_mut().read(self.base + address, AccessWidth::Word)
    }

    fn write_u8(&mut self, address: u32, value: u8, _: &mut Env) -> MemoryWriteResult {
        self.port.borrow_mut().write(self.base + address, AccessWidth::Byte, value.into())
    }

    fn write_u16le(&mut self, address: u32, value: u16, _: &mut Env) -> MemoryWriteResult {
        self.port.borrow_mut().write(self.base + address, AccessWidth::Half, value.into())
    }

    fn write_u32le(&mut self, address: u32, value: u32, _: &mut Env) -> MemoryWriteResult {
        self.port.borrow_mut().write(self.base + address, AccessWidth::Word, value)
    }

    fn size(&self) -> u32 {
        self.size
    }
}
