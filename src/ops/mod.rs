//! The procedures: what the commands do to a board, each a single pass from top to bottom, refusals first.

mod backup;
mod choice;
mod contents;
mod error;
mod evidence;
mod flash;
mod given;
mod goal;
mod info;
mod job;
mod keep;
mod known;
mod obstacle;
mod plan;
mod prepare;
mod protect;
mod report;
mod restore;
mod stake;
mod verify;
mod watchdog;
mod write;

pub use self::{
    backup::{Backup, BackupError, BackupReport, backup},
    choice::fit,
    error::{Category, Error},
    evidence::{Findings, OTHER_SCOOTER},
    flash::{After, DataSource, FlashReport, FlashRequest, Intent, flash},
    goal::Lack,
    info::{InfoReport, Options, info},
    job::Job,
    keep::{Keep, Place},
    known::Known,
    obstacle::Obstacle,
    plan::{Extent, FlashPlan, Overlap, Placed, Work},
    protect::{LockReport, UnlockReport, lock, reset, unlock},
    report::{Data, Firmware, ForcedGate},
    restore::{RestoreReport, restore},
    stake::Stake,
    verify::{VerifyReport, verify},
    watchdog::Watchdog,
};
