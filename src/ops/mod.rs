//! The procedures: what the commands do to a board, each a single pass from top to bottom, refusals first.

mod backup;
mod backup_file;
mod backup_store;
mod choice;
mod contents;
mod error;
mod evidence;
mod findings;
mod flash;
mod given;
mod goal;
mod info;
mod job;
mod known;
mod obstacle;
mod plan;
mod prepare;
mod protect;
mod report;
mod request;
mod restore;
mod stake;
mod tell;
mod verify;
mod watchdog;
mod write;

pub use self::{
    backup::{BackupReport, backup},
    backup_file::{Backup, BackupError},
    backup_store::{BackupStore, Destination},
    choice::fit,
    error::{Category, Error, Lack},
    evidence::OTHER_SCOOTER,
    findings::Findings,
    flash::{FlashReport, flash},
    info::{InfoReport, Options, info},
    job::Job,
    known::Known,
    obstacle::Obstacle,
    plan::{Extent, FlashPlan, Overlap, Placed, Work},
    protect::{LockReport, UnlockReport, lock, reset, unlock},
    report::{Data, DataSource, Firmware, ForcedGate},
    request::{After, FlashRequest, Intent},
    restore::{RestoreReport, restore},
    stake::Stake,
    verify::{VerifyReport, verify},
    watchdog::Watchdog,
};
