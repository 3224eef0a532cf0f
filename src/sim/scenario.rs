//! The boards that rehearsals and tests start with.

use std::{fmt, str::FromStr, time::Duration};

use super::{
    board::{BoardModel, BoardParts},
    chips::{Family, SimChip},
    fault::WireContact,
    options::{self, UNPROTECTED},
    time::Nanos,
};
use crate::{
    block::{DataBlock, LEN, Mileage, Uid},
    target::Target,
};

/// UID of the simulated boards: a real one, which its owner published in the `data_temp.bin` of a firmware mirror.
pub const UID: [u32; 3] = [0x48FF_6E06, 0x5266_5455, 0x3539_2587];
/// Mileage of the programmed boards, in metres.
pub const MILEAGE_M: u32 = 2_345_678;

/// What the scooter of [`Scenario::CopiesDiffer`] has ridden since its firmware started, in metres.
const SINCE_START_M: u32 = 12_300;

/// Our own bootloader, for both 64 and 128 KiB boards.
pub const BOOT: &[u8] = include_bytes!("../../firmware/rehearsal/boot.bin");
/// Our own application for 64 KiB boards.
pub const APP_64: &[u8] = include_bytes!("../../firmware/rehearsal/app64.bin");
/// Our own application for 128 KiB boards.
pub const APP_128: &[u8] = include_bytes!("../../firmware/rehearsal/app128.bin");
/// Our own application for 128 KiB boards whose firmware keeps two copies of its data block.
pub const APP_COPIES: &[u8] = include_bytes!("../../firmware/rehearsal/app4pro.bin");

/// Our own application for the boards of a scooter.
pub fn application(target: &Target) -> &'static [u8] {
    match target.map.flash_kib() {
        _ if !target.block.copies.is_empty() => APP_COPIES,
        0..=64 => APP_64,
        _ => APP_128,
    }
}

/// A board to start with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scenario {
    /// Blank and open.
    New,
    /// Read-protected, application running, data block in SRAM.
    Locked,
    /// Read-protected, no application, nothing in SRAM.
    Bricked,
    /// Programmed and readable.
    Open,
    /// Unlocked, with half of the DRV written.
    HalfFlashed,
    /// Programmed and readable, some pages write-protected.
    Wrp,
    /// Programmed and readable; the further copies of the data block are older than the first one, as firmware leaves them
    /// when it saves. The same as `Open` for a scooter that keeps one copy.
    CopiesDiffer,
    /// `Locked` on a GD32F103.
    Gd32f103,
    /// `Locked` on a GD32E103.
    Gd32e103,
    /// `Locked` on an AT32F415.
    At32,
    /// A Cortex-M0.
    M0,
    /// The dashboard's chip, which has the same three pads.
    Ble,
    /// `Locked`, with the wires held by an unsteady hand.
    Flaky,
    /// A probe without a board.
    Absent,
}

/// Each scenario, its name on the command line, and what it is in a few words.
const NAMES: [(Scenario, &str, &str); 14] = [
    (Scenario::New, "new", "blank"),
    (Scenario::Locked, "locked", "read-protected, firmware running"),
    (Scenario::Bricked, "bricked", "read-protected, no firmware"),
    (Scenario::Open, "open", "programmed and readable"),
    (Scenario::HalfFlashed, "half-flashed", "half of the firmware written"),
    (Scenario::Wrp, "wrp", "write-protected"),
    (Scenario::CopiesDiffer, "copies-differ", "4 Pro with two data blocks that differ"),
    (Scenario::Gd32f103, "gd32f103", "locked, with this chip"),
    (Scenario::Gd32e103, "gd32e103", "locked, with this chip"),
    (Scenario::At32, "at32", "unsupported chip"),
    (Scenario::M0, "m0", "unsupported chip"),
    (Scenario::Ble, "ble", "the dashboard"),
    (Scenario::Flaky, "flaky", "locked, with poor contact"),
    (Scenario::Absent, "absent", "no board"),
];

/// The name of an unknown scenario.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no scenario is named `{0}`")]
pub struct UnknownScenario(String);

impl Scenario {
    /// All scenarios, in the order in which users see them.
    pub fn all() -> impl Iterator<Item = Self> {
        NAMES.iter().map(|(scenario, ..)| *scenario)
    }

    /// What the board is, in a few words.
    pub fn about(self) -> &'static str {
        NAMES.iter().find(|(scenario, ..)| *scenario == self).map_or("", |(.., about)| about)
    }

    /// The scooter whose board it is if none is named: one that keeps copies of its data block if it is about them, else a Pro.
    pub fn usual_scooter(self) -> &'static Target {
        let all = Target::all();
        let shows_it = |target: &&Target| match self {
            Self::CopiesDiffer => !target.block.copies.is_empty(),
            _ => target.name == "pro",
        };
        all.iter().find(shows_it).unwrap_or(&all[0])
    }

    fn chip(self) -> SimChip {
        match self {
            Self::Gd32f103 => SimChip::Gd32f103,
            Self::Gd32e103 => SimChip::Gd32e103,
            Self::At32 => SimChip::At32f415,
            Self::M0 => SimChip::CortexM0,
            Self::Ble => SimChip::Nrf51,
            _ => SimChip::Stm32f103,
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES.iter().find(|(scenario, ..)| scenario == self).map_or("", |(_, name, _)| name);
        f.write_str(name)
    }
}

impl FromStr for Scenario {
    type Err = UnknownScenario;

    fn from_str(text: &str) -> Result<Self, UnknownScenario> {
        let found = NAMES.iter().find(|(_, name, _)| *name == text);
        found.map(|(scenario, ..)| *scenario).ok_or_else(|| UnknownScenario(text.into()))
    }
}

/// UID of the board with this number among several; number 0 has [`UID`].
fn uid(number: u32) -> [u32; 3] {
    let [first, second, third] = UID;
    [first, second, third.wrapping_add(number)]
}

/// The example of a serial number, with this added to the digits at its end.
fn serial(example: &str, number: u32) -> String {
    let digits = example.len() - example.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let (before, last) = example.split_at(example.len() - digits.min(6));
    let last = last.parse::<u32>().unwrap_or_default() + number;
    format!("{before}{last:0width$}", width = digits.min(6))
}

/// The data block of the programmed board with this number.
fn data_block(target: &Target, number: u32) -> DataBlock {
    let mut block = with_mileage(target.template().with_uid(Uid(uid(number))), MILEAGE_M);
    if let Ok(serial) = target.serial.read(&serial(&target.serial.example, number)) {
        block = block.with_serial(serial);
    }
    block
}

fn with_mileage(block: DataBlock, metres: u32) -> DataBlock {
    match Mileage::from_metres(metres) {
        Ok(mileage) => block.with_mileage(mileage),
        Err(_) => block,
    }
}

/// Builds the board of `scenario`, powered and (if it has a program) running, and the contact of its wires. Boards with
/// different numbers have different UIDs and serial numbers.
pub(super) fn build(scenario: Scenario, target: &Target, number: u32) -> (BoardModel, WireContact) {
    let chip = scenario.chip().facts();
    let flash_kib = target.map.flash_kib() as u16;
    let app = application(target);
    let regions = &target.map.regions;
    let mut flash = match chip.family {
        Family::F1 => vec![0xFF; usize::from(flash_kib) * 1024],
        Family::M0 => vec![0xFF; 32 * 1024],
        Family::Nrf51 => cortex_m0_flash(),
    };
    let mut place = |address: u32, bytes: &[u8]| {
        let start = address.wrapping_sub(chip.flash_base()) as usize;
        if let Some(room) = flash.get_mut(start..start + bytes.len()) {
            room.copy_from_slice(bytes);
        }
    };
    match scenario {
        Scenario::New | Scenario::Absent | Scenario::M0 | Scenario::Ble => {}
        Scenario::Bricked => place(regions.boot.start, BOOT),
        Scenario::HalfFlashed => {
            place(regions.boot.start, BOOT);
            place(regions.drv.start, &app[..app.len() / 2]);
        }
        _ => {
            place(regions.boot.start, BOOT);
            place(regions.drv.start, app);
            for page in target.data_pages() {
                place(page, data_block(target, number).as_bytes());
            }
        }
    }
    let options = match scenario {
        Scenario::New
        | Scenario::Open
        | Scenario::CopiesDiffer
        | Scenario::HalfFlashed
        | Scenario::Absent
        | Scenario::M0
        | Scenario::Ble => options::with_protection(UNPROTECTED),
        // Bootloader and data block: groups 0 and 15, of four pages each.
        Scenario::Wrp => options::from_bytes([UNPROTECTED, 0xFF, 0xFF, 0xFF, 0xFE, 0x7F, 0xFF, 0xFF]),
        // To protect the chip, the vendor's firmware writes 0x00 if it programs half-words, and 0xBB if words.
        Scenario::Gd32e103 => options::with_protection(0xBB),
        _ => options::with_protection(0x00),
    };
    let parts = BoardParts { chip, uid: uid(number), flash, options, flash_size: flash_kib };
    let mut board = BoardModel::new(parts);
    board.power_on(0);
    board.advance(START_TIME);
    if scenario == Scenario::CopiesDiffer {
        // Firmware makes the copies equal when it starts, and saves to the first one while it runs.
        let older = with_mileage(data_block(target, number), MILEAGE_M - SINCE_START_M);
        for page in target.data_pages().skip(1) {
            let start = (page - chip.flash_base()) as usize;
            board.bus.flash.cells.bytes[start..start + LEN].copy_from_slice(older.as_bytes());
        }
    }
    let contact = match scenario {
        Scenario::Absent => WireContact::Absent,
        Scenario::Flaky => flaky_contact(),
        _ => WireContact::Firm,
    };
    (board, contact)
}

/// Time in which our own application reaches its main loop.
const START_TIME: Nanos = 50_000_000;

/// A hand that loses contact every other second, for a quarter of a second on average.
pub(super) fn flaky_contact() -> WireContact {
    WireContact::Markov { duty_percent: 85, gap: Duration::from_millis(50)..Duration::from_millis(500), seed: 1 }
}

/// Flash of a Cortex-M0 that does nothing: vectors, then a branch to itself.
fn cortex_m0_flash() -> Vec<u8> {
    let mut flash = vec![0xFF; 256 * 1024];
    flash[..0xC0].fill(0);
    flash[..8].copy_from_slice(&[0x00, 0x20, 0x00, 0x20, 0xC1, 0x00, 0x00, 0x00]);
    flash[0xC0..0xC2].copy_from_slice(&[0xFE, 0xE7]);
    flash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scooter_has_a_board_with_its_own_serial() {
        for target in Target::all() {
            let block = data_block(target, 0);
            assert_eq!(block.serial().map(|serial| serial.to_string()).as_ref(), Some(&target.serial.example));
            let another = data_block(target, 3).serial().unwrap();
            assert!(target.serial.fits(another) && Some(another) != block.serial(), "{another}");
        }
    }
}
