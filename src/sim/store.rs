//! Saves boards to folders and loads them.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::durable::any_length;

use super::{
    board::{BoardModel, BoardParts},
    chips::{Family, SimChip},
    cortex_m::{Core, Execution},
    fault::WireContact,
    machine::Machine,
    options,
    scenario::{self, UID},
    store_error::StoreError,
};

const FLASH: &str = "flash.bin";
const SRAM: &str = "sram.bin";
const OPTIONS: &str = "option-bytes.bin";
const BOARD: &str = "board.yaml";

/// The largest allowed file of a saved board, in bytes.
const LIMIT: u64 = 1 << 20;

/// The content of `board.yaml`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    chip: String,
    flash_kib: u16,
    /// The value of the flash size register, if it differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    flash_size_register: Option<u16>,
    #[serde(default = "default_uid")]
    uid: [String; 3],
    #[serde(default)]
    wires: Wires,
    /// Whether removing protection takes effect only at the next power-on.
    #[serde(default)]
    needs_power_cycle: bool,
    /// Pages that can no longer be erased.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    no_erase: BTreeSet<usize>,
    /// Pages that can no longer be programmed.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    no_program: BTreeSet<usize>,
    /// The state of the running chip. Without it, the board is powered on when it is loaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    running: Option<Running>,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Wires {
    #[default]
    Firm,
    Flaky,
    Absent,
}

/// State that a power loss would clear, besides SRAM.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Running {
    protection_in_force: bool,
    debugger_seen: bool,
    vector_table: u32,
    core: CoreState,
    /// r0 to r12, sp, lr, pc, xPSR, MSP, PSP.
    registers: [u32; 19],
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum CoreState {
    Running,
    Sleeping,
    /// Halted by a debugger, which may have disconnected since.
    Halted,
    LockedUp,
}

impl CoreState {
    fn of(core: &Core) -> Self {
        match core.activity {
            _ if core.debug.halted => Self::Halted,
            Execution::Running => Self::Running,
            Execution::Sleeping => Self::Sleeping,
            Execution::LockedUp => Self::LockedUp,
        }
    }
}

fn default_uid() -> [String; 3] {
    UID.map(|word| format!("{word:08x}"))
}

/// The DCRSR register selectors, in the order in which they are saved. 13 (SP) is the same as one of the last two.
const SELECTORS: [u32; 19] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18];

pub(super) fn save(machine: &Machine, folder: &Path) -> Result<(), StoreError> {
    let board = &machine.board;
    let flash = &board.bus.flash;
    let flash_kib = (flash.cells.bytes.len() / 1024) as u16;
    let description = Description {
        chip: board.chip.kind.to_string(),
        flash_kib,
        flash_size_register: (board.flash_size != flash_kib).then_some(board.flash_size),
        uid: board.uid.map(|word| format!("{word:08x}")),
        wires: match machine.contact() {
            WireContact::Firm => Wires::Firm,
            WireContact::Absent => Wires::Absent,
            WireContact::Markov { .. } => Wires::Flaky,
        },
        needs_power_cycle: flash.needs_power_cycle,
        no_erase: flash.cells.no_erase.clone(),
        no_program: flash.cells.no_program.clone(),
        // A board that is held in reset starts from the beginning.
        running: (board.powered && !board.nrst_low).then(|| Running {
            protection_in_force: flash.loaded.protected,
            debugger_seen: flash.debugged,
            vector_table: board.bus.system.vtor,
            core: CoreState::of(&board.core),
            registers: SELECTORS.map(|select| board.core.register(select)),
        }),
    };
    let write =
        |path: PathBuf, bytes: &[u8]| replace(&path, folder, bytes).map_err(|source| StoreError::File { path, source });
    fs::create_dir_all(folder).map_err(|source| StoreError::File { path: folder.into(), source })?;
    write(folder.join(FLASH), &flash.cells.bytes)?;
    write(folder.join(SRAM), &board.bus.sram)?;
    write(folder.join(OPTIONS), &flash.cells.options)?;
    write_yaml(folder, BOARD, &description)
}

/// Writes a description to a file in this folder.
pub(super) fn write_yaml(folder: &Path, name: &str, description: &impl Serialize) -> Result<(), StoreError> {
    let path = folder.join(name);
    let text =
        yaml_serde::to_string(description).map_err(|source| StoreError::Description { path: path.clone(), source })?;
    replace(&path, folder, text.as_bytes()).map_err(|source| StoreError::File { path, source })
}

/// Reads a description; `None` if the file does not exist.
pub(super) fn read_yaml<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<Option<T>, StoreError> {
    if !path.exists() {
        return Ok(None);
    }
    let parsed = yaml_serde::from_slice(&read(path)?);
    parsed.map(Some).map_err(|source| StoreError::Description { path: path.into(), source })
}

/// Whether a board was saved in this folder.
pub(super) fn is_board(folder: &Path) -> bool {
    folder.join(BOARD).is_file()
}

/// Replaces a file as a whole: if the program is killed meanwhile, either the old or the new file is there.
fn replace(path: &Path, folder: &Path, bytes: &[u8]) -> io::Result<()> {
    let make = |path: &Path| File::create_new(path);
    let (path, folder) = (any_length(path), any_length(&folder.join(".")));
    let mut file = tempfile::Builder::new().prefix(".m365-drv-").make_in(folder, make)?;
    file.as_file_mut().write_all(bytes)?;
    file.persist(path).map(drop).map_err(|failed| failed.error)
}

pub(super) fn load(folder: &Path) -> Result<Machine, StoreError> {
    let path = folder.join(BOARD);
    let text = read(&path)?;
    let description: Description =
        yaml_serde::from_slice(&text).map_err(|source| StoreError::Description { path: path.clone(), source })?;
    let value = |what: String| StoreError::Value { path: path.clone(), what };
    let kind: SimChip = description.chip.parse().map_err(|error| value(format!("{error}")))?;
    let chip = kind.facts();
    let sizes: &[u16] = match chip.family {
        Family::F1 => &[16, 32, 64, 128],
        Family::M0 => &[32],
        Family::Nrf51 => &[256],
    };
    if !sizes.contains(&description.flash_kib) {
        return Err(value(format!(
            "invalid flash_kib {}: for {kind}, expected one of {sizes:?}",
            description.flash_kib
        )));
    }
    let mut uid = [0; 3];
    for (word, text) in uid.iter_mut().zip(&description.uid) {
        *word = u32::from_str_radix(text, 16)
            .map_err(|_| value(format!("invalid uid word {text:?}: expected up to 8 hexadecimal digits")))?;
    }
    let flash = sized(&folder.join(FLASH), u64::from(description.flash_kib) * 1024)?;
    let sram = sized(&folder.join(SRAM), u64::from(chip.sram_kib) * 1024)?;
    let option_bytes = sized(&folder.join(OPTIONS), options::LEN as u64)?;
    let mut options = [0; options::LEN];
    options.copy_from_slice(&option_bytes);
    let flash_size = description.flash_size_register.unwrap_or(description.flash_kib);
    let mut board = BoardModel::new(BoardParts { chip, uid, flash, options, flash_size });
    board.power_on(0);
    board.bus.sram = sram;
    board.bus.flash.needs_power_cycle = description.needs_power_cycle;
    board.bus.flash.cells.no_erase = description.no_erase;
    board.bus.flash.cells.no_program = description.no_program;
    if let Some(running) = description.running {
        restore(&mut board, &running);
    }
    let contact = match description.wires {
        Wires::Firm => WireContact::Firm,
        Wires::Flaky => scenario::flaky_contact(),
        Wires::Absent => WireContact::Absent,
    };
    Ok(Machine::new(board, contact))
}

fn restore(board: &mut BoardModel, running: &Running) {
    let flash = &mut board.bus.flash;
    flash.debugged = running.debugger_seen;
    flash.loaded.protected = running.protection_in_force;
    board.bus.system.vtor = running.vector_table & 0x3FFF_FF80;
    for (select, value) in SELECTORS.into_iter().zip(running.registers) {
        board.core.set_register(select, value);
    }
    match running.core {
        CoreState::Running => {}
        CoreState::Sleeping => board.core.activity = Execution::Sleeping,
        CoreState::Halted => board.core.debug.halt_on_request(),
        CoreState::LockedUp => board.core.lock_up(),
    }
}

fn sized(path: &Path, expected: u64) -> Result<Vec<u8>, StoreError> {
    let bytes = read(path)?;
    let found = bytes.len() as u64;
    if found == expected { Ok(bytes) } else { Err(StoreError::Size { path: path.into(), found, expected }) }
}

fn read(path: &Path) -> Result<Vec<u8>, StoreError> {
    let fail = |source| StoreError::File { path: path.into(), source };
    let found = fs::metadata(path).map_err(fail)?.len();
    if found > LIMIT {
        let what = format!("too large ({found} bytes; the limit is {LIMIT} bytes)");
        return Err(StoreError::Value { path: path.into(), what });
    }
    fs::read(path).map_err(fail)
}
