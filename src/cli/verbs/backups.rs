//! `backups list|show|export`: what earlier runs have saved; no board needed.

use std::path::{Path, PathBuf};

use clap::{Subcommand, ValueEnum};
use m365_drv::{
    block::Uid,
    image::intel_hex,
    ops::SavedBoard,
    printable::quoted_path,
    target::{FlashMap, Target},
};
use serde::Serialize;

use crate::cli::{
    Context,
    exit::{Exit, Meaning, refuse},
    files,
    screen::{
        CommandResult, Outcome, Page, Report, Tone,
        rows::{firmware_row, summary_rows},
    },
};

#[derive(Debug, Subcommand)]
pub(crate) enum BackupsCommand {
    /// List the backups, the newest first
    List {
        /// Folder with backups; by default the one in the user's data folder
        folder: Option<PathBuf>,
    },
    /// Show what a backup contains
    Show {
        /// A backup file; or a board's serial number or UID, which means its newest backup in the user's data folder
        backup: PathBuf,
    },
    /// Write what a backup contains to a file that other programs read
    Export {
        /// A backup file; or a board's serial number or UID, which means its newest backup in the user's data folder
        backup: PathBuf,
        /// What to write; by default Intel HEX if the file's name ends with .hex, otherwise flash
        #[arg(long = "as", value_name = "FORM")]
        form: Option<ExportForm>,
        /// The file to write; it must not exist
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
}

/// What a backup is exported as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ExportForm {
    /// All of flash, byte for byte
    Flash,
    /// All of flash as Intel HEX
    Hex,
    /// The 512-byte data block
    Block,
}

pub(crate) fn run(context: &mut Context, command: &BackupsCommand) -> CommandResult {
    match command {
        BackupsCommand::List { folder } => {
            let folder = match folder {
                Some(folder) if !folder.is_dir() => {
                    return Err(refuse(Exit::Backup, format!("{} is not a folder", quoted_path(folder))));
                }
                Some(folder) => folder.clone(),
                None => users_folder(context)?,
            };
            let backups = all_in(context, &folder)?;
            Outcome::new(&BackupList { folder: folder.display().to_string(), backups })
        }
        BackupsCommand::Show { backup } => Outcome::new(&find(context, backup)?),
        BackupsCommand::Export { backup, form, output } => {
            let board = find(context, backup)?;
            let is_hex = output.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("hex"));
            let form = form.unwrap_or(if is_hex { ExportForm::Hex } else { ExportForm::Flash });
            let bytes = form.of(&board)?;
            files::write_new(output, &bytes, Exit::Usage)?;
            let (from, file) = (board.file.display().to_string(), output.display().to_string());
            Outcome::new(&ExportedBackup { uid: board.uid, from, form, bytes: bytes.len(), file })
        }
    }
}

impl ExportForm {
    fn of(self, board: &SavedBoard) -> anyhow::Result<Vec<u8>> {
        let what = quoted_path(&board.file);
        if self == Self::Block {
            let block = board.block.as_ref().map(|block| block.as_bytes().to_vec());
            return block.ok_or_else(|| refuse(Exit::Backup, format!("{what} contains no data block")));
        }
        let flash = board.flash.clone().ok_or_else(|| {
            refuse(Exit::Backup, format!("{what} contains no flash: the board was read-protected when it was made"))
        })?;
        Ok(if self == Self::Hex { intel_hex(FlashMap::smallest().flash.start, &flash).into() } else { flash })
    }
}

/// The backups of this folder, as `backups list` shows them.
pub(crate) fn list(folder: &Path) -> CommandResult {
    let (backups, _) = if folder.is_dir() {
        SavedBoard::all_in(folder).meaning(Exit::Backup, || format!("cannot list {}", quoted_path(folder)))?
    } else {
        Default::default()
    };
    Outcome::new(&BackupList { folder: folder.display().to_string(), backups })
}

fn users_folder(context: &Context) -> anyhow::Result<PathBuf> {
    context.backups().ok_or_else(|| refuse(Exit::Backup, "no folder for backups, because no home folder was found"))
}

/// The backups of a folder; a warning names each file that cannot be read as one.
fn all_in(context: &mut Context, folder: &Path) -> anyhow::Result<Vec<SavedBoard>> {
    let read = SavedBoard::all_in(folder);
    let (backups, errors) = read.meaning(Exit::Backup, || format!("cannot list {}", quoted_path(folder)))?;
    for error in errors {
        context.warn("backup-unreadable", format!("skipping an unreadable backup: {error}"));
    }
    Ok(backups)
}

/// The backup that was named: the file, otherwise the newest one in the user's folder of the board with this serial number or
/// UID, of which the first digits are enough.
fn find(context: &mut Context, name: &Path) -> anyhow::Result<SavedBoard> {
    if name.symlink_metadata().is_ok() {
        return SavedBoard::open(name).meaning(Exit::Backup, || format!("cannot use {}", quoted_path(name)));
    }
    let text = name.to_string_lossy();
    let serial = Target::read_any_serial(&text).ok();
    let folder = users_folder(context)?;
    let mut backups = all_in(context, &folder)?;
    backups.retain(|board| {
        let is_named = board.file.file_name().is_some_and(|file| file.to_string_lossy().starts_with(&*text));
        is_named || (serial.is_some() && board.serial == serial)
    });
    let mut boards: Vec<String> = backups.iter().map(|board| board.uid.to_string()).collect();
    boards.sort();
    boards.dedup();
    match (backups.into_iter().next(), &boards[..]) {
        (Some(newest), [_]) => Ok(newest),
        (None, _) => {
            let (name, folder) = (quoted_path(name), quoted_path(&folder));
            Err(refuse(Exit::Backup, format!("{name} is not a file, and no backup in {folder} matches it")))
        }
        (Some(_), several) => {
            let name = quoted_path(name);
            Err(refuse(Exit::Backup, format!("{name} matches backups of several boards: {}", several.join(", "))))
        }
    }
}

/// What `backups list` found.
#[derive(Serialize)]
struct BackupList {
    folder: String,
    backups: Vec<SavedBoard>,
}

/// What `backups export` wrote.
#[derive(Serialize)]
struct ExportedBackup {
    uid: Uid,
    from: String,
    form: ExportForm,
    bytes: usize,
    file: String,
}

/// When a backup was made, as a person reads it.
fn time_of(board: &SavedBoard) -> String {
    let time = board.created.as_ref().and_then(|created| created.get(..16));
    time.map_or_else(|| "unknown time".to_owned(), |time| format!("{} UTC", time.replace('T', " ")))
}

impl Report for BackupList {
    fn text(&self, page: &mut Page) {
        for board in &self.backups {
            let serial = board.serial.map_or_else(|| "no serial number".to_owned(), |serial| serial.to_string());
            let mileage = board.mileage_m.map_or_else(String::new, |mileage| format!(", {mileage}"));
            page.heading(format!("{}  {serial}{mileage}", time_of(board)));
            if !board.scooters.is_empty() {
                page.row("  scooter", board.scooters.join(", "));
            }
            page.row("  uid", board.uid);
            match (&board.flash_kib, &board.drv) {
                (Some(kib), Some(drv)) => {
                    let drv = drv.name.as_deref().unwrap_or("unknown firmware");
                    page.row("  contains", format!("{kib} KiB of flash, {drv}"))
                }
                (Some(kib), None) => page.row("  contains", format!("{kib} KiB of flash")),
                (None, _) if board.data.is_some() => page.row("  contains", "data block only"),
                (None, _) => page.row("  contains", "option bytes only"),
            };
            page.row("  file", board.file.display()).blank();
        }
        let folder = quoted_path(Path::new(&self.folder));
        page.line(match self.backups.len() {
            0 => format!("no backups in {folder}"),
            1 => format!("1 backup in {folder}"),
            count => format!("{count} backups in {folder}"),
        });
    }
}

impl Report for SavedBoard {
    fn text(&self, page: &mut Page) {
        page.row("file", self.file.display());
        page.row("made", time_of(self));
        page.row("uid", self.uid);
        if !self.scooters.is_empty() {
            page.row("scooter", self.scooters.join(", "));
        }
        match self.flash_kib {
            Some(kib) => page.row("flash", format!("{kib} KiB")),
            None => page.toned("flash", "not in the backup: the board was read-protected", Tone::Remark),
        };
        if self.flash_kib.is_some() {
            firmware_row("boot", self.boot.as_ref(), page);
            firmware_row("drv", self.drv.as_ref(), page);
        }
        let options = &self.option_bytes;
        page.row("option bytes", format!("RDP {:#04x}, USER {:#04x}", options.rdp, options.user));
        page.blank();
        match &self.data {
            Some(data) => {
                page.heading("Data block");
                summary_rows(&data.block, Some(self.uid), page);
            }
            None => _ = page.toned("data block", "none in the backup", Tone::Remark),
        }
    }
}

impl Report for ExportedBackup {
    fn text(&self, page: &mut Page) {
        page.row("uid", self.uid).row("from", &self.from);
        page.row("written to", &self.file);
    }
}
