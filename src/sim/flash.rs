//! The flash interface (FPEC) and its registers, according to PM0075. How operations change the cells is in `cells`.

use super::{
    cells::{Cells, Ongoing, Operation},
    chips::{ChipFacts, Granule},
    fault::{CountedEvent, FaultKind, Faults, Hit},
    options::{self, LoadedOptions},
    record::Record,
    signals::{AccessError, AccessWidth, Master, ResetKind},
    time::{MASS_ERASE, Nanos, PAGE_ERASE, PROGRAM},
};

/// First address of the registers, RM0008 3.3.
pub(super) const REGISTERS: u32 = 0x4002_2000;
/// `FLASH_SR`.
pub(super) const STATUS: u32 = 0x0C;
/// Product number of `GigaDevice` chips, which the vendor's chip test reads.
const PRODUCT_ID: u32 = 0x100;

const KEY1: u32 = 0x4567_0123;
const KEY2: u32 = 0xCDEF_89AB;

// PM0075 3.4 (FLASH_SR) and 3.5 (FLASH_CR).
const SR_BSY: u32 = 1;
const SR_PGERR: u32 = 1 << 2;
const SR_WRPRTERR: u32 = 1 << 4;
const SR_EOP: u32 = 1 << 5;
const CR_PG: u32 = 1;
const CR_PER: u32 = 1 << 1;
const CR_MER: u32 = 1 << 2;
const CR_OPTPG: u32 = 1 << 4;
const CR_OPTER: u32 = 1 << 5;
const CR_STRT: u32 = 1 << 6;
const CR_LOCK: u32 = 1 << 7;
const CR_OPTWRE: u32 = 1 << 9;
/// `FMC_WS.PGW` of the GD32E103, which programs double words. Same address as `FLASH_ACR`.
const WS_PGW: u32 = 1 << 15;
const CR_OPERATIONS: u32 = CR_PG | CR_PER | CR_MER | CR_OPTPG | CR_OPTER;
/// The bits that read back as written: operations and interrupt enables.
const CR_PLAIN: u32 = CR_OPERATIONS | 1 << 10 | 1 << 12;

/// Progress of a two-key sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lock {
    Closed,
    FirstKey,
    Open,
    /// Locked until the next reset because of a wrong key (PM0075 2.3.2).
    UntilReset,
}

/// Flash, option bytes and the interface to them.
#[derive(Debug)]
pub(super) struct Flash {
    pub(super) cells: Cells,
    granule: Granule,
    product_id: u32,
    /// Whether the internal oscillator (HSI) runs.
    pub(super) oscillator_on: bool,
    pub(super) loaded: LoadedOptions,
    /// Whether a debugger has connected since power-on. If so, a protected chip also refuses data reads by the core.
    pub(super) debugged: bool,
    /// Whether removing protection needs a power-on reset (PM0075 2.4.2) or only a system reset, as seen on boards.
    pub(super) needs_power_cycle: bool,
    lock: Lock,
    option_lock: Lock,
    acr: u32,
    sr: u32,
    cr: u32,
    ar: u32,
    ongoing: Option<Ongoing>,
    pub(super) page_erase: Nanos,
    pub(super) mass_erase: Nanos,
    record: Record,
    pub(super) faults: Faults,
    /// A fault that was triggered by an operation and acts outside the chip.
    pub(super) fault_due: Option<Hit>,
}

impl Flash {
    pub(super) fn new(chip: &ChipFacts, cells: Cells, record: Record) -> Self {
        record.count(|counts| counts.page_erases = vec![0; cells.pages()]);
        let loaded = LoadedOptions::from(&cells.options);
        Self {
            cells,
            granule: chip.granule,
            product_id: chip.product_id,
            oscillator_on: true,
            loaded,
            debugged: false,
            needs_power_cycle: false,
            lock: Lock::Closed,
            option_lock: Lock::Closed,
            acr: 0x30,
            sr: 0,
            cr: CR_LOCK,
            ar: 0,
            ongoing: None,
            page_erase: PAGE_ERASE,
            mass_erase: MASS_ERASE,
            record,
            faults: Faults::default(),
            fault_due: None,
        }
    }

    /// Resets the registers and loads the option bytes (PM0075 2.5). Interrupts a running operation.
    pub(super) fn reset(&mut self, kind: ResetKind) {
        self.interrupt();
        let before = self.loaded;
        self.loaded = LoadedOptions::from(&self.cells.options);
        let stays_protected = self.needs_power_cycle && kind != ResetKind::PowerOn && before.protected;
        if stays_protected {
            self.loaded.protected = true;
        }
        if kind == ResetKind::PowerOn {
            self.debugged = false;
        }
        (self.lock, self.option_lock) = (Lock::Closed, Lock::Closed);
        (self.acr, self.sr, self.cr, self.ar) = (0x30, 0, CR_LOCK, 0);
    }

    /// Interrupts a running operation, which leaves its cells in a mixture of old and new.
    pub(super) fn interrupt(&mut self) {
        if let Some(ongoing) = self.ongoing.take() {
            self.cells.apply_partly(&ongoing.operation);
        }
    }

    /// Finishes the operation if its time has come.
    pub(super) fn finish_due(&mut self, now: Nanos) {
        if self.ongoing.as_ref().is_some_and(|ongoing| ongoing.ends <= now)
            && let Some(ongoing) = self.ongoing.take()
        {
            self.cells.apply(&ongoing.operation);
            self.sr |= SR_EOP;
            // PM0075 3.5: STRT is reset together with BSY.
            self.cr &= !CR_STRT;
        }
    }

    /// When the running operation ends, if there is one.
    pub(super) fn busy_until(&mut self, now: Nanos) -> Option<Nanos> {
        self.finish_due(now);
        self.ongoing.as_ref().map(|ongoing| ongoing.ends)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.ongoing.is_none()
    }

    /// Whether `master` may read main flash as data. On a protected chip, a debugger may not (PM0075 2.4.1), and once a
    /// debugger has connected, the core may not either until the next power-on (published work on this chip's
    /// protection).
    pub(super) fn readable(&self, master: Master) -> bool {
        !self.loaded.protected || (master == Master::Core && !self.debugged)
    }

    pub(super) fn read_register(&mut self, offset: u32, now: Nanos) -> u32 {
        self.finish_due(now);
        match offset {
            0x00 => self.acr,
            STATUS if self.ongoing.is_some() => self.sr | SR_BSY,
            STATUS => self.sr,
            0x10 => self.cr,
            0x14 => self.ar,
            0x1C => self.loaded.obr(),
            0x20 => self.loaded.wrpr,
            PRODUCT_ID => self.product_id,
            _ => 0,
        }
    }

    pub(super) fn write_register(
        &mut self,
        offset: u32,
        value: u32,
        master: Master,
        now: Nanos,
    ) -> Result<(), AccessError> {
        self.finish_due(now);
        match offset {
            // Prefetch, half cycle and latency; PRFTBS (bit 5) follows PRFTBE.
            0x00 => {
                let width = if self.granule == Granule::Word { value & WS_PGW } else { 0 };
                self.acr = width | value & 0x1F | (value & 0x10) << 1;
            }
            0x04 => return self.write_key(value, master),
            0x08 => return self.write_option_key(value, master),
            // Flags are cleared by writing 1.
            STATUS => self.sr &= !(value & (SR_PGERR | SR_WRPRTERR | SR_EOP)),
            0x10 => self.write_control(value, master, now),
            0x14 if self.ongoing.is_some() => self.record.violation(master, "FLASH_AR written while the flash is busy"),
            0x14 => self.ar = value,
            0x1C | 0x20 => self.record.violation(master, "write to a read-only flash register"),
            _ => {}
        }
        Ok(())
    }

    fn write_key(&mut self, value: u32, master: Master) -> Result<(), AccessError> {
        self.lock = match (self.lock, value) {
            // No manual describes this; the vendor's firmware does it at every save, and it works.
            (Lock::Open, _) => Lock::Open,
            (Lock::Closed, KEY1) => Lock::FirstKey,
            (Lock::FirstKey, KEY2) => {
                self.cr &= !CR_LOCK;
                Lock::Open
            }
            _ => {
                self.record.violation(master, "wrong key: the flash interface is locked until the next reset");
                self.lock = Lock::UntilReset;
                return Err(AccessError::Fault);
            }
        };
        Ok(())
    }

    fn write_option_key(&mut self, value: u32, master: Master) -> Result<(), AccessError> {
        if self.lock != Lock::Open {
            self.record.violation(master, "FLASH_OPTKEYR written while the flash interface is locked");
            return Ok(());
        }
        self.option_lock = match (self.option_lock, value) {
            (Lock::Open, _) => Lock::Open,
            (Lock::Closed, KEY1) => Lock::FirstKey,
            (Lock::FirstKey, KEY2) => {
                self.cr |= CR_OPTWRE;
                Lock::Open
            }
            _ => {
                self.record.violation(master, "wrong option key: option bytes are locked until the next reset");
                self.option_lock = Lock::UntilReset;
                return Err(AccessError::Fault);
            }
        };
        Ok(())
    }

    fn write_control(&mut self, value: u32, master: Master, now: Nanos) {
        if self.ongoing.is_some() {
            return self.record.violation(master, "FLASH_CR written while the flash is busy");
        }
        if self.lock != Lock::Open {
            // Locking again is allowed.
            if value & !(CR_LOCK | CR_OPTWRE) != 0 {
                self.record.violation(master, "FLASH_CR written while locked");
            }
            return;
        }
        // OPTWRE is set only by the keys, and cleared by writing 0.
        self.cr = value & CR_PLAIN | self.cr & value & CR_OPTWRE;
        if self.cr & CR_OPTWRE == 0 && self.option_lock == Lock::Open {
            self.option_lock = Lock::Closed;
        }
        // PM0075 3.5: only one operation may be selected, and LOCK is written on its own.
        if (value & CR_OPERATIONS).count_ones() > 1 {
            self.record.violation(master, "more than one operation selected in FLASH_CR");
        }
        if value & CR_LOCK != 0 {
            self.cr |= CR_LOCK;
            self.lock = Lock::Closed;
            if value & CR_STRT != 0 {
                self.record.violation(master, "STRT written together with LOCK");
            }
        } else if value & CR_STRT != 0 {
            self.start(master, now);
            if self.ongoing.is_some() {
                self.cr |= CR_STRT;
            }
        }
    }

    /// Starts the selected operation (CR.STRT).
    fn start(&mut self, master: Master, now: Nanos) {
        match self.cr & (CR_PER | CR_MER | CR_OPTER) {
            CR_PER => match self.cells.page_at(self.ar) {
                None => {
                    self.record.violation(master, format!("page erase at {:#010x}, which is not in flash", self.ar));
                }
                Some(page) if self.refuses(page, master) => self.sr |= SR_WRPRTERR,
                Some(page) => {
                    self.record.count(|counts| counts.page_erases[page] += 1);
                    self.begin(Operation::ErasePage(page), CountedEvent::PageErase, master, now, self.page_erase);
                }
            },
            // PM0075 2.4.2: a write-protected page prevents a mass erase; pages 0 to 3 of a read-protected chip do not.
            CR_MER if (0..self.cells.pages()).any(|page| self.loaded.write_protects(page)) => self.sr |= SR_WRPRTERR,
            CR_MER => {
                self.record.count(|counts| counts.mass_erases += 1);
                self.begin(Operation::EraseAll, CountedEvent::MassErase, master, now, self.mass_erase);
            }
            CR_OPTER if self.cr & CR_OPTWRE == 0 => self.record.violation(master, "option bytes erased without OPTWRE"),
            CR_OPTER if self.is_permanent() => self.sr |= SR_WRPRTERR,
            CR_OPTER => {
                self.record.count(|counts| counts.option_erases += 1);
                self.begin(Operation::EraseOptions, CountedEvent::OptionErase, master, now, self.page_erase);
            }
            _ => self.record.violation(master, "STRT written without exactly one of PER, MER and OPTER"),
        }
    }

    /// Whether the option bytes can never be changed again (`chosen`; documented for chips related to the GD32E103).
    fn is_permanent(&self) -> bool {
        self.granule == Granule::Word && self.cells.options[..2] == [options::PERMANENT, !options::PERMANENT]
    }

    /// Whether `page` is protected from changes by `master` (PM0075 2.4.1 and 2.4.2): any page in a write-protected
    /// group, and on a read-protected chip pages 0 to 3, or all pages if a debugger is connected.
    fn refuses(&self, page: usize, master: Master) -> bool {
        self.loaded.write_protects(page)
            || self.loaded.protected && (page < 4 || self.debugged || master == Master::Debugger)
    }

    /// Handles a write to the address range of main flash.
    pub(super) fn program(
        &mut self,
        offset: usize,
        width: AccessWidth,
        value: u32,
        master: Master,
        now: Nanos,
    ) -> Result<(), AccessError> {
        self.check_width(width, offset, master, "flash")?;
        self.wait_idle(master, now)?;
        if self.lock != Lock::Open || self.cr & CR_PG == 0 {
            self.record.violation(master, format!("flash written at offset {offset:#x} without PG or while locked"));
            return Ok(());
        }
        if self.refuses(offset / self.cells.page_size(), master) {
            self.sr |= SR_WRPRTERR;
            return Ok(());
        }
        if !self.fits(width, master) {
            return Ok(());
        }
        // PM0075 2.3.3: only an erased half-word can be programmed, except that any can be programmed to zero. No
        // manual mentions that exception for words.
        let erased = self.cells.bytes[offset..offset + width.bytes()].iter().all(|&byte| byte == 0xFF);
        let to_zero = value == 0 && self.granule == Granule::HalfWord;
        if !erased && !to_zero {
            self.sr |= SR_PGERR;
            self.record.violation(master, format!("flash programmed at offset {offset:#x} while not erased"));
            return Ok(());
        }
        let page = offset / self.cells.page_size();
        if self.cells.is_cut_short(page) {
            self.record.violation(master, format!("page {page} programmed after an erase of it was cut short"));
        }
        self.record.count(|counts| counts.half_words_programmed += width.bytes() as u64 / 2);
        self.begin(Operation::Program { offset, width, value }, CountedEvent::HalfWord, master, now, PROGRAM);
        Ok(())
    }

    /// Handles a write to the address range of the option bytes.
    pub(super) fn program_option(
        &mut self,
        offset: usize,
        width: AccessWidth,
        value: u32,
        master: Master,
        now: Nanos,
    ) -> Result<(), AccessError> {
        self.check_width(width, offset, master, "option bytes")?;
        self.wait_idle(master, now)?;
        if self.lock != Lock::Open || self.cr & (CR_OPTPG | CR_OPTWRE) != CR_OPTPG | CR_OPTWRE {
            self.record.violation(master, "option bytes written without OPTPG and OPTWRE");
            return Ok(());
        }
        if !self.fits(width, master) {
            return Ok(());
        }
        if self.cells.options[offset..offset + width.bytes()].iter().any(|&byte| byte != 0xFF) {
            self.sr |= SR_PGERR;
            self.record.violation(master, format!("option byte {} programmed while not erased", offset / 2));
            return Ok(());
        }
        self.record.count(|counts| counts.option_programs += 1);
        let low = value as u8;
        if offset == 0 && self.granule == Granule::Word && low == options::PERMANENT {
            self.record.violation(master, "0xcc programmed as RDP, which protects a GD32 permanently");
        }
        let program = Operation::ProgramOption { offset, width, value };
        // PM0075 2.4.2: unprotecting "first forces a mass erase of the main flash memory".
        if offset == 0 && low == options::UNPROTECTED && self.loaded.protected {
            self.record.count(|counts| counts.mass_erases += 1);
            self.begin(Operation::EraseAll, CountedEvent::MassErase, master, now, self.mass_erase + PROGRAM);
            let both = self.ongoing.as_mut().filter(|ongoing| ongoing.operation == Operation::EraseAll);
            if let Some(ongoing) = both {
                ongoing.operation = Operation::Unprotect { width, value };
            } else if let Some(ongoing) = &mut self.ongoing {
                ongoing.operation = program;
            }
            self.fault_due = self.fault_due.take().or_else(|| self.faults.count(CountedEvent::OptionProgram));
        } else {
            self.begin(program, CountedEvent::OptionProgram, master, now, PROGRAM);
        }
        Ok(())
    }

    fn check_width(
        &mut self,
        width: AccessWidth,
        offset: usize,
        master: Master,
        what: &str,
    ) -> Result<(), AccessError> {
        let good = match self.granule {
            Granule::HalfWord => width == AccessWidth::Half,
            Granule::Word => width != AccessWidth::Byte,
        };
        if good && offset.is_multiple_of(width.bytes()) {
            return Ok(());
        }
        self.record.violation(master, format!("{}-byte write to {what}", width.bytes()));
        Err(AccessError::Fault)
    }

    /// Whether the chip programs this width. If not, sets the error flag, and nothing is written.
    fn fits(&mut self, width: AccessWidth, master: Master) -> bool {
        let misfit = if self.granule == Granule::HalfWord {
            return true;
        } else if width != AccessWidth::Word {
            "half-word programmed on a chip that programs words"
        } else if self.acr & WS_PGW != 0 {
            "word programmed while double words are selected"
        } else {
            return true;
        };
        self.sr |= SR_PGERR;
        self.record.violation(master, misfit);
        false
    }

    /// Stalls the bus while the flash is busy, and records a violation: the program should have checked BSY.
    fn wait_idle(&mut self, master: Master, now: Nanos) -> Result<(), AccessError> {
        match self.busy_until(now) {
            None => Ok(()),
            Some(ends) => {
                self.record.violation(master, "flash or option bytes written while the flash is busy");
                Err(AccessError::Busy(ends))
            }
        }
    }

    /// RM0008 3.3.3: the internal oscillator "must be on" for an erase or a write. In the model, nothing happens without it.
    fn begin(&mut self, operation: Operation, step: CountedEvent, master: Master, now: Nanos, span: Nanos) {
        if !self.oscillator_on {
            return self.record.violation(master, "flash erased or programmed while the internal oscillator is off");
        }
        if !matches!(step, CountedEvent::OptionErase | CountedEvent::OptionProgram) {
            self.record.change_flash(master);
        }
        let mut operation = operation;
        if let Some(hit) = self.faults.count(step) {
            if hit.kind == FaultKind::NoEffect {
                if !self.cells.is_idle(&operation) {
                    hit.happened();
                }
                self.cells.wear_out(&operation);
                operation = Operation::Nothing;
            } else if self.fault_due.is_none() {
                self.fault_due = Some(hit);
            }
        }
        self.ongoing = Some(Ongoing { operation, ends: now.saturating_add(span) });
    }
}
