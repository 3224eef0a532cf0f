//! Where a command saves what the board holds before it changes it.

use std::path::{Path, PathBuf};

use clap::Args;
use m365_drv::{
    ops::{Backup, BackupStore, Destination},
    printable::quoted_path,
};

use crate::cli::{
    Context,
    exit::{Exit, Meaning, refuse},
    files,
};

/// Where to keep what the board holds before it is changed.
#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// Save what the board holds in this new file, or in a new file in this folder; by default in the user's data folder
    #[arg(long, value_name = "FILE|DIR", conflicts_with = "no_backup")]
    backup: Option<PathBuf>,

    /// Do not save what the board holds before it is changed
    #[arg(long)]
    no_backup: bool,
}

impl BackupArgs {
    /// What was chosen.
    pub(crate) fn store(&self, context: &Context) -> anyhow::Result<BackupStore> {
        Ok(match &self.backup {
            _ if self.no_backup => BackupStore::none().with_earlier(context.backups()),
            Some(path) => {
                check(path)?;
                BackupStore::at(path).with_earlier(context.backups())
            }
            None => {
                let store = context.backup_store()?;
                if let Destination::Folder(folder) = store.destination() {
                    try_folder(folder, folder)?;
                }
                store
            }
        })
    }
}

/// Checks that a backup can be written before the user has to hold the wires. An existing file may come from an
/// interrupted run of the same command; only the board can show that.
pub(crate) fn check(file: &Path) -> anyhow::Result<()> {
    if let Destination::Folder(folder) = BackupStore::at(file).destination() {
        return try_folder(folder, file);
    }
    if file.symlink_metadata().is_err() {
        return files::try_new(file).meaning(Exit::Backup, || format!("{} cannot be written", quoted_path(file)));
    }
    Backup::open(file).map(drop).map_err(|_| refuse(Exit::Backup, format!("{} already exists", quoted_path(file))))
}

/// Finds out whether a file can be made in this folder, which is made if it is missing, with those above it.
fn try_folder(folder: &Path, named: &Path) -> anyhow::Result<()> {
    let above = folder.ancestors().find(|above| above.is_dir()).unwrap_or(Path::new("."));
    files::try_new(&above.join("x")).meaning(Exit::Backup, || format!("{} cannot be written", quoted_path(named)))
}
