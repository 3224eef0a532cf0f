//! Address decoding for the core and the debugger. RM0008 3.3 and ARMv7-M B3.1.

use super::{
    cells::Cells,
    chips::{ChipFacts, Family, SimChip},
    flash::{self, Flash},
    options,
    peripherals::{self, Peripherals},
    read_back::ReadBack,
    record::Record,
    rom_table,
    signals::{AccessError, AccessWidth, Master, ResetKind},
    system::SystemControl,
    time::Nanos,
};

// The addresses of the manuals stand here once more, and those of the chips in `chips`, so that a wrong one in the program is
// noticed when it runs on the model.

const SRAM: u32 = 0x2000_0000;
const SRAM_BITS: u32 = 0x2200_0000;
const PERIPHERAL_BITS: u32 = 0x4200_0000;
const SYSTEM: u32 = 0xE000_E000;
const DBGMCU_IDCODE: u32 = 0xE004_2000;
const DBGMCU_CR: u32 = 0xE004_2004;
/// Flash size in KiB, and the UID: RM0008 30.1 and 30.2.
const FLASH_SIZE: u32 = 0x1FFF_F7E0;
const UID: u32 = 0x1FFF_F7E8;

/// Everything that the core and the debugger access over the bus.
#[derive(Debug)]
pub(super) struct Bus {
    chip: &'static ChipFacts,
    pub(super) flash: Flash,
    pub(super) record: Record,
    pub(super) quirk: SizeQuirk,
    pub(super) sram: Vec<u8>,
    /// Read-only memories, each with its first address and its content.
    roms: Vec<(u32, Vec<u8>)>,
    pub(super) peripherals: Peripherals,
    pub(super) system: SystemControl,
    pub(super) dbgmcu: u32,
    /// Whether the cycle counter of the DWT is on, and when it started.
    cycles_on: bool,
    cycles_from: Nanos,
    /// What programs in SRAM have read of flash.
    pub(super) summed: ReadBack,
    /// Set if something changes, or if something that changes by itself is read.
    pub(super) touched: bool,
}

impl Bus {
    pub(super) fn new(chip: &'static ChipFacts, cells: Cells, sram: Vec<u8>, uid: [u32; 3], flash_kib: u16) -> Self {
        let record = Record::default();
        let mut bus = Self {
            chip,
            flash: Flash::new(chip, cells, record.clone()),
            record,
            quirk: SizeQuirk::None,
            sram,
            roms: Vec::new(),
            peripherals: Peripherals::new(),
            system: SystemControl::new(chip.cpuid),
            dbgmcu: 0,
            cycles_on: false,
            cycles_from: 0,
            summed: ReadBack::default(),
            touched: false,
        };
        bus.roms = match chip.family {
            Family::F1 => vec![(0x1FFF_F000, vec![0xFF; 0x800])],
            Family::M0 => Vec::new(),
            Family::Nrf51 => vec![(0x1000_0000, vec![0xFF; 0x1000]), (0x1000_1000, vec![0xFF; 0x1000])],
        };
        if chip.family == Family::F1 {
            bus.set_rom(FLASH_SIZE, &flash_kib.to_le_bytes());
            for (index, word) in uid.into_iter().enumerate() {
                bus.set_rom(UID + 4 * index as u32, &word.to_le_bytes());
            }
        } else if chip.family == Family::Nrf51 {
            // FICR: CODEPAGESIZE, CODESIZE, CONFIGID of a QFAA, DEVICEID (nRF51 Series Reference Manual 5.1).
            for (offset, word) in [(0x10, 0x400), (0x14, 0x100), (0x5C, 0x003C_FFFF), (0x60, uid[0]), (0x64, uid[1])] {
                bus.set_rom(0x1000_0000 + offset, &word.to_le_bytes());
            }
        }
        bus
    }

    /// An empty bus, as a placeholder for one that was taken out.
    pub(super) fn placeholder() -> Self {
        let cells = Cells::new(0, Vec::new(), [0xFF; options::LEN], 0);
        Self::new(SimChip::CortexM0.facts(), cells, Vec::new(), [0; 3], 0)
    }

    /// Resets the peripherals and the flash interface, and records `cause` in `RCC_CSR`.
    pub(super) fn reset(&mut self, kind: ResetKind, cause: u32, now: Nanos) {
        self.system = SystemControl::new(self.chip.cpuid);
        if kind == ResetKind::Core {
            return;
        }
        self.flash.reset(kind);
        self.peripherals.reset(cause);
        self.flash.oscillator_on = true;
        self.start_hardware_watchdog(now);
        if kind == ResetKind::PowerOn {
            // RM0008 31.16.3: a system reset leaves DBGMCU_CR alone.
            self.dbgmcu = 0;
            self.cycles_on = false;
        }
    }

    /// Starts the watchdog if the option bytes select the hardware watchdog.
    pub(super) fn start_hardware_watchdog(&mut self, now: Nanos) {
        if self.flash.loaded.hardware_watchdog() && self.chip.family == Family::F1 {
            self.peripherals.watchdog.start(now);
        }
    }

    /// Sets the flash size register. Genuine and cloned chips are known to report wrong sizes.
    pub(super) fn set_flash_size(&mut self, kib: u16) {
        self.set_rom(FLASH_SIZE, &kib.to_le_bytes());
    }

    fn set_rom(&mut self, address: u32, bytes: &[u8]) {
        for (base, content) in &mut self.roms {
            let Some(offset) = address.checked_sub(*base).map(|offset| offset as usize) else { continue };
            if let Some(place) = content.get_mut(offset..offset + bytes.len()) {
                place.copy_from_slice(bytes);
            }
        }
    }

    /// Offset into main flash, for its own address or its alias at zero (BOOT0 is tied low on these boards).
    fn flash_offset(&self, address: u32) -> Option<usize> {
        let size = self.flash.cells.bytes.len();
        let own = address.wrapping_sub(self.chip.flash_base()) as usize;
        if own < size {
            return Some(own);
        }
        if self.quirk == SizeQuirk::RepeatsFlash && own < 2 * size {
            return Some(own - size);
        }
        ((address as usize) < size).then_some(address as usize)
    }

    fn sram_offset(&self, address: u32) -> Option<usize> {
        let offset = address.wrapping_sub(SRAM) as usize;
        (offset < self.sram.len()).then_some(offset)
    }

    /// Fetches an instruction or a vector. A protected chip allows this too (published work on this chip's protection;
    /// and the vendor's protected boards do run).
    pub(super) fn fetch(&mut self, address: u32, width: AccessWidth, now: Nanos) -> Result<u32, AccessError> {
        if let Some(offset) = self.sram_offset(address) {
            return get(&self.sram, offset, width);
        }
        if let Some(offset) = self.flash_offset(address) {
            if !self.flash.is_idle()
                && let Some(until) = self.flash.busy_until(now)
            {
                return Err(AccessError::Busy(until));
            }
            return get(&self.flash.cells.bytes, offset, width);
        }
        self.read_rom(address, width)
    }

    pub(super) fn is_flash(&self, address: u32) -> bool {
        self.flash_offset(address).is_some()
    }

    pub(super) fn read(
        &mut self,
        address: u32,
        width: AccessWidth,
        master: Master,
        now: Nanos,
    ) -> Result<u32, AccessError> {
        if let Some(offset) = self.sram_offset(address) {
            return get(&self.sram, offset, width);
        }
        if let Some(offset) = self.flash_offset(address) {
            if let Some(until) = self.flash.busy_until(now) {
                return Err(AccessError::Busy(until));
            }
            if !self.flash.readable(master) {
                return Err(AccessError::Fault);
            }
            return get(&self.flash.cells.bytes, offset, width);
        }
        match address {
            SRAM_BITS..0x2400_0000 => {
                let (at, bit) = bit_band(address, SRAM_BITS, SRAM);
                Ok(self.read(at, AccessWidth::Byte, master, now)? >> bit & 1)
            }
            peripherals::BASE..0x4003_0000 if self.chip.family == Family::F1 => {
                self.read_peripheral(address, width, master, now)
            }
            PERIPHERAL_BITS..0x4260_0000 if self.chip.family == Family::F1 => {
                let (at, bit) = bit_band(address, PERIPHERAL_BITS, peripherals::BASE);
                Ok(self.read(at & !3, AccessWidth::Word, master, now)? >> (8 * (at & 3) + bit) & 1)
            }
            0xE000_0000..0xE010_0000 | 0xF000_0000..0xF000_1000 => self.read_private(address, width, now),
            _ if self.option_offset(address).is_some() => {
                if let Some(until) = self.flash.busy_until(now) {
                    return Err(AccessError::Busy(until));
                }
                get(&self.flash.cells.options, (address - options::BASE) as usize, width)
            }
            _ if self.quirk == SizeQuirk::HidesFlashSize
                && self.flash.loaded.protected
                && address & !3 == FLASH_SIZE =>
            {
                Ok(width.cut(0xFFFF_FFFF))
            }
            _ => self.read_rom(address, width),
        }
    }

    pub(super) fn write(
        &mut self,
        address: u32,
        width: AccessWidth,
        value: u32,
        master: Master,
        now: Nanos,
    ) -> Result<(), AccessError> {
        let value = width.cut(value);
        if let Some(offset) = self.sram_offset(address) {
            self.touched |= get(&self.sram, offset, width) != Ok(value);
            return put(&mut self.sram, offset, width, value);
        }
        if let peripherals::BASE..0x4003_0000 = address
            && self.chip.family == Family::F1
        {
            return self.write_peripheral(address, width, value, master, now);
        }
        self.touched = true;
        if let Some(offset) = self.flash_offset(address) {
            return match self.chip.family {
                Family::F1 => self.flash.program(offset, width, value, master, now),
                Family::M0 | Family::Nrf51 => {
                    self.record.violation(master, format!("flash of an unsupported chip written at {address:#010x}"));
                    Err(AccessError::Fault)
                }
            };
        }
        match address {
            SRAM_BITS..0x2400_0000 => {
                let (at, bit) = bit_band(address, SRAM_BITS, SRAM);
                let byte = self.read(at, AccessWidth::Byte, master, now)?;
                self.write(at, AccessWidth::Byte, with_bit(byte, bit, value), master, now)
            }
            PERIPHERAL_BITS..0x4260_0000 if self.chip.family == Family::F1 => {
                let (at, bit) = bit_band(address, PERIPHERAL_BITS, peripherals::BASE);
                let word = self.read(at & !3, AccessWidth::Word, master, now)?;
                self.write(at & !3, AccessWidth::Word, with_bit(word, 8 * (at & 3) + bit, value), master, now)
            }
            0xE000_0000..0xE010_0000 => self.write_private(address, width, value, now),
            _ => match self.option_offset(address) {
                Some(offset) => self.flash.program_option(offset, width, value, master, now),
                None => Err(AccessError::Fault),
            },
        }
    }

    fn option_offset(&self, address: u32) -> Option<usize> {
        let offset = address.wrapping_sub(options::BASE) as usize;
        (self.chip.family == Family::F1 && offset < options::LEN).then_some(offset)
    }

    fn read_rom(&self, address: u32, width: AccessWidth) -> Result<u32, AccessError> {
        for (base, content) in &self.roms {
            let offset = address.wrapping_sub(*base) as usize;
            if offset < content.len() {
                return get(content, offset, width);
            }
        }
        Err(AccessError::Fault)
    }

    fn read_peripheral(
        &mut self,
        address: u32,
        width: AccessWidth,
        master: Master,
        now: Nanos,
    ) -> Result<u32, AccessError> {
        if let Some(offset) = flash_register(address) {
            self.words_only(address, width, master)?;
            if offset == flash::STATUS
                && master == Master::Core
                && let Some(until) = self.flash.busy_until(now)
            {
                // A core that reads BSY polls it until it is clear. The model skips the polling, unless a running
                // watchdog has to be reloaded meanwhile.
                if self.peripherals.watchdog.expires.is_none() {
                    return Err(AccessError::Busy(until));
                }
                self.touched = true;
            }
            return Ok(self.flash.read_register(offset, now));
        }
        self.answers(address)?;
        Ok(self.peripherals.read(address - peripherals::BASE, width))
    }

    fn write_peripheral(
        &mut self,
        address: u32,
        width: AccessWidth,
        value: u32,
        master: Master,
        now: Nanos,
    ) -> Result<(), AccessError> {
        if let Some(offset) = flash_register(address) {
            self.touched = true;
            self.words_only(address, width, master)?;
            return self.flash.write_register(offset, value, master, now);
        }
        self.answers(address)?;
        // Reloading a stopped watchdog has no effect (RM0008 19.3), so a loop that only does this is still waiting.
        let idle = self.peripherals.watchdog.ignores_write(address - peripherals::BASE, value);
        self.touched |= !idle;
        self.peripherals.write(address - peripherals::BASE, width, value, now);
        self.flash.oscillator_on = self.peripherals.is_oscillator_on();
        Ok(())
    }

    /// Refuses the gaps between ST's peripherals. The clones have peripherals there.
    fn answers(&self, address: u32) -> Result<(), AccessError> {
        let reserved = self.chip.kind == SimChip::Stm32f103 && peripherals::is_reserved(address - peripherals::BASE);
        if reserved { Err(AccessError::Fault) } else { Ok(()) }
    }

    /// PM0075 3: "the peripheral registers have to be accessed by words".
    fn words_only(&mut self, address: u32, width: AccessWidth, master: Master) -> Result<(), AccessError> {
        if width == AccessWidth::Word {
            return Ok(());
        }
        let what = format!("{}-byte access to flash register {address:#010x}", width.bytes());
        self.record.violation(master, what);
        Err(AccessError::Fault)
    }

    /// Reads the private peripheral bus, except the debug registers, which need the core (`debug_registers`).
    fn read_private(&mut self, address: u32, width: AccessWidth, now: Nanos) -> Result<u32, AccessError> {
        if let Some(word) = rom_table::read(self.chip, address & !3) {
            return Ok(lane(word, address, width));
        }
        match address & !3 {
            DBGMCU_IDCODE => self.chip.idcode.map(|word| lane(word, address, width)).ok_or(AccessError::Fault),
            DBGMCU_CR if self.chip.idcode.is_some() => Ok(lane(self.dbgmcu, address, width)),
            0xE004_2000..0xE00F_E000 | 0xF000_0000..0xF000_1000 => Err(AccessError::Fault),
            // DWT: control with four comparators, cycle counter.
            0xE000_1000 => Ok(0x4000_0000 | u32::from(self.cycles_on)),
            0xE000_1004 => {
                self.touched = true;
                let since = if self.cycles_on { now.saturating_sub(self.cycles_from) } else { 0 };
                Ok((since / super::time::CYCLE) as u32)
            }
            at @ SYSTEM..0xE000_F000 => {
                let (value, volatile) = self.system.read(at - SYSTEM + (address & 3), width, now);
                self.touched |= volatile;
                Ok(value)
            }
            _ => Ok(0),
        }
    }

    fn write_private(&mut self, address: u32, width: AccessWidth, value: u32, now: Nanos) -> Result<(), AccessError> {
        match address {
            DBGMCU_CR if self.chip.idcode.is_some() => self.dbgmcu = value,
            0xE004_2000..0xE00F_E000 => return Err(AccessError::Fault),
            0xE000_1000 => {
                self.cycles_on = value & 1 != 0;
                self.cycles_from = now;
            }
            0xE000_1004 => self.cycles_from = now,
            at @ SYSTEM..0xE000_F000 => self.system.write(at - SYSTEM, width, value, now),
            _ => {}
        }
        Ok(())
    }
}

/// What a chip does otherwise than the manual says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SizeQuirk {
    None,
    /// Addresses behind the end of flash, as many as flash has, show it over again: an address line is ignored.
    RepeatsFlash,
    /// While protection is in force the flash size register reads as all ones.
    HidesFlashSize,
}

fn flash_register(address: u32) -> Option<u32> {
    let offset = address.wrapping_sub(flash::REGISTERS);
    (offset < 0x400).then_some(offset)
}

/// The byte and the bit that an address in a bit-band region maps to, ARMv7-M B3.1 (RM0008 3.3.2).
fn bit_band(address: u32, alias: u32, base: u32) -> (u32, u32) {
    let offset = address - alias;
    (base + offset / 32, offset / 4 % 8)
}

fn with_bit(word: u32, bit: u32, value: u32) -> u32 {
    word & !(1 << bit) | (value & 1) << bit
}

fn lane(word: u32, address: u32, width: AccessWidth) -> u32 {
    width.cut(word >> (8 * (address & 3)))
}

fn get(bytes: &[u8], offset: usize, width: AccessWidth) -> Result<u32, AccessError> {
    let bytes = bytes.get(offset..offset + width.bytes()).ok_or(AccessError::Fault)?;
    Ok(match *bytes {
        [a] => u32::from(a),
        [a, b] => u32::from(u16::from_le_bytes([a, b])),
        [a, b, c, d] => u32::from_le_bytes([a, b, c, d]),
        _ => 0,
    })
}

fn put(bytes: &mut [u8], offset: usize, width: AccessWidth, value: u32) -> Result<(), AccessError> {
    let place = bytes.get_mut(offset..offset + width.bytes()).ok_or(AccessError::Fault)?;
    place.copy_from_slice(&value.to_le_bytes()[..width.bytes()]);
    Ok(())
}
