//! The procedures: what the commands do to a board, each a single pass from top to bottom, refusals first.

mod backup;
mod backup_file;
mod backup_index;
mod backup_store;
mod bad_page;
mod change;
mod checkup;
mod contact;
mod contents;
mod copies;
mod data_change;
mod doctor;
mod error;
mod events;
mod evidence;
mod findings;
mod flash;
mod flash_report;
mod goal;
mod info;
mod job;
mod known;
mod lock;
mod meet;
mod obstacle;
mod plan;
mod planned;
mod protection;
mod report;
mod reset;
mod restore;
mod restore_file;
mod saved_block;
mod saved_board;
mod unlock;
mod verify;
mod wanted;
mod wanted_data;
mod wanted_images;
mod watchdog;

pub use self::{
    backup::{BackupReport, backup},
    backup_file::{Backup, BackupError},
    backup_store::{BackupStore, Destination},
    bad_page::{BadPage, Purpose},
    checkup::{Check, CheckName, Checkup, Detail, Missing, State},
    contact::{STEADY, contact},
    data_change::DataChange,
    doctor::doctor,
    error::{Error, Exit, Lack},
    evidence::OTHER_SCOOTER,
    findings::Findings,
    flash::{flash, preview},
    flash_report::{FlashPreview, FlashReport, WouldErase, WouldProgram},
    info::{InfoReport, Options, info},
    job::Job,
    known::{Done, Known, Reached},
    lock::{LockReport, lock},
    meet::{await_next, meet},
    obstacle::Obstacle,
    plan::{Change, Extent, FlashPlan, Goal, Work},
    planned::Planned,
    report::{Data, DataSource, Firmware, ForcedGate},
    reset::reset,
    restore::{RestoreReport, restore},
    saved_block::{SavedBlock, SavedBlocks},
    saved_board::SavedBoard,
    unlock::{UnlockReport, unlock},
    verify::{VerifyReport, verify},
    wanted::{After, FlashRequest, Wanted},
    watchdog::Watchdog,
};
