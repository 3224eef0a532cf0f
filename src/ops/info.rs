//! `info`: what this board is and what is on it. Changes nothing.

use serde::Serialize;

use super::{
    Error, Job,
    contents::Contents,
    report::{Data, Firmware},
    watchdog::starts_at_reset,
};
use crate::{
    block::Uid,
    board::{Board, ChipKind, OptionBytes, Protection},
    target::Target,
};

/// What `info` finds.
#[derive(Debug, Clone, Serialize)]
pub struct InfoReport {
    /// The chip.
    pub chip: ChipKind,
    /// Flash size by the chip's register, in KiB; `None` if no such chip has that size.
    pub flash_kib: Option<u32>,
    /// The flash size register as it reads.
    pub flash_size_register: u32,
    /// The chip's UID.
    pub uid: Uid,
    /// SCS CPUID, in hexadecimal.
    pub cpuid: String,
    /// `DBGMCU_IDCODE`, in hexadecimal.
    pub idcode: String,
    /// The debug port's DPIDR, in hexadecimal.
    pub dpidr: String,
    /// Read-out protection.
    pub protection: Protection,
    /// Pages that cannot be written.
    pub write_protected_pages: Vec<u32>,
    /// The option bytes.
    pub option_bytes: Options,
    /// The bootloader; `None` if there is none or flash cannot be read.
    pub boot: Option<Firmware>,
    /// The DRV firmware; `None` as for the bootloader.
    pub drv: Option<Firmware>,
    /// The data block; `None` if none was found.
    pub data: Option<Data>,
    /// The probe.
    pub probe: String,
    /// SWD clock in kHz.
    pub speed_khz: u32,
}

/// The option bytes, decoded.
#[derive(Debug, Clone, Serialize)]
pub struct Options {
    /// All sixteen.
    pub raw: OptionBytes,
    /// RDP.
    pub rdp: u8,
    /// USER.
    pub user: u8,
    /// Whether the chip starts its watchdog at every reset.
    pub hardware_watchdog: bool,
    /// The two data bytes.
    pub data: [u8; 2],
    /// Whether every byte has the correct complement.
    pub complements_right: bool,
}

impl From<OptionBytes> for Options {
    fn from(raw: OptionBytes) -> Self {
        Self {
            raw,
            rdp: raw.rdp(),
            user: raw.user(),
            hardware_watchdog: starts_at_reset(raw.user()),
            data: raw.data(),
            complements_right: raw.complements_right(),
        }
    }
}

/// Reads everything there is to know, and lets the board go on as it was.
pub fn info(job: &mut Job<'_>) -> Result<InfoReport, Error> {
    job.account(|job| job.with_board(look))
}

fn look<'p>(job: &mut Job<'p>, mut board: Board<'p>) -> Result<InfoReport, Error> {
    let status = job.identify(&mut board)?;
    let target = Target::for_chip(board.chip.flash_kib);
    let contents = Contents::read(job, &mut board, &status, target, &[])?;
    let data = contents.block.as_ref().map(|(block, source)| Data::new(*source, block));
    let Board { chip, uid, dpidr, speed_khz, .. } = board;
    let report = InfoReport {
        chip: chip.kind,
        flash_kib: chip.flash_kib,
        flash_size_register: chip.flash_size_register,
        uid,
        cpuid: format!("{:#010x}", chip.cpuid),
        idcode: format!("{:#010x}", chip.idcode),
        dpidr: format!("{dpidr:#010x}"),
        protection: status.protection,
        write_protected_pages: status.write_protected_pages(chip.flash_kib.unwrap_or(target.map.flash_kib())),
        option_bytes: status.option_bytes.into(),
        boot: job.known.found_boot.clone(),
        drv: job.known.found_drv.clone(),
        data,
        probe: board.probe.kind.clone(),
        speed_khz,
    };
    board.resume()?;
    Ok(report)
}
