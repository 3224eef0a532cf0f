//! `info`: what this board is and what is on it. Changes nothing.

use std::ops::Range;

use serde::Serialize;

use super::{
    Error, Job,
    job::untouched,
    report::{Data, Firmware, Source},
};
use crate::{
    block::{DataBlock, LEN, Uid},
    board::{Board, ChipKind, OptionBytes, Protection, progress::Step},
    target::Target,
};

/// What `info` finds.
#[derive(Debug, Clone, Serialize)]
pub struct InfoReport {
    /// The chip.
    pub chip: ChipKind,
    /// Flash size as the chip states it, in KiB.
    pub flash_kib: u32,
    /// The chip's unique id.
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
    /// The bootloader; `None` where there is none or flash cannot be read.
    pub boot: Option<Firmware>,
    /// The DRV firmware; likewise.
    pub drv: Option<Firmware>,
    /// The data block; `None` where none was found.
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
    /// The two data bytes.
    pub data: [u8; 2],
    /// Whether every byte has its right complement.
    pub complements_right: bool,
}

impl From<OptionBytes> for Options {
    fn from(raw: OptionBytes) -> Self {
        Self { raw, rdp: raw.rdp(), user: raw.user(), data: raw.data(), complements_right: raw.complements_right() }
    }
}

/// Reads everything there is to know, and lets the board go on as it was.
pub fn info(job: &mut Job<'_>) -> Result<InfoReport, Error> {
    job.insist(look)
}

fn look<'p>(job: &mut Job<'p>, mut board: Board<'p>) -> Result<InfoReport, Error> {
    let status = job.step(Step::Identify, |_| board.status()).map_err(untouched)?;
    let target = Target::for_chip(board.chip.flash_kib);
    let found = job
        .step(Step::Rescue, |_| match status.protection {
            Protection::None => read_flash(&mut board, target),
            Protection::Read => read_sram(&mut board, target),
        })
        .map_err(untouched)?;
    let Board { chip, uid, dpidr, speed_khz, .. } = board;
    let report = InfoReport {
        chip: chip.kind,
        flash_kib: chip.flash_kib,
        uid,
        cpuid: format!("{:#010x}", chip.cpuid),
        idcode: format!("{:#010x}", chip.idcode),
        dpidr: format!("{dpidr:#010x}"),
        protection: status.protection,
        write_protected_pages: status.write_protected_pages(chip.flash_kib),
        option_bytes: status.option_bytes.into(),
        boot: found.boot,
        drv: found.drv,
        data: found.data,
        probe: board.probe.kind.clone(),
        speed_khz,
    };
    board.resume().map_err(untouched)?;
    Ok(report)
}

#[derive(Default)]
struct Found {
    boot: Option<Firmware>,
    drv: Option<Firmware>,
    data: Option<Data>,
}

fn read_flash(board: &mut Board<'_>, target: &Target) -> Result<Found, crate::board::Error> {
    // A 64 KiB firmware may be on a chip with 128 KiB: the data block shows which map is in use.
    let block_at = |board: &mut Board<'_>, target: &Target| -> Result<Option<DataBlock>, crate::board::Error> {
        let start = target.regions.data.start;
        Ok(DataBlock::parse(&board.read(start..start + LEN as u32)?).ok())
    };
    let mut target = target;
    let mut block = block_at(board, target)?;
    if block.is_none() {
        for other in Target::all().iter().filter(|other| other.flash.end < target.flash.end) {
            block = block_at(board, other)?;
            if block.is_some() {
                target = other;
                break;
            }
        }
    }
    let firmware = |board: &mut Board<'_>, region: &Range<u32>| board.read(region.clone()).map(|b| Firmware::of(&b));
    Ok(Found {
        boot: firmware(board, &target.regions.boot)?,
        drv: firmware(board, &target.regions.drv)?,
        data: block.map(|block| Data::new(Source::Flash, &block)),
    })
}

fn read_sram(board: &mut Board<'_>, target: &Target) -> Result<Found, crate::board::Error> {
    let block = board.rescue(target)?.block;
    Ok(Found { data: block.map(|block| Data::new(Source::Sram, &block)), ..Found::default() })
}
