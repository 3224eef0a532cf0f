//! What a procedure can end in, and what the board is then.

use std::{fmt, path::PathBuf};

use super::{BackupError, BadPage, DataChange, Findings, Obstacle, SavedBlocks};
use crate::{
    block::{SerialError, Uid},
    board::{self, BoardState, Startup},
    count::count,
    image::{ImageError, Kind},
};

/// Why a run ended. Each reason has an exit code of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Exit {
    /// Done, or nothing to do.
    Ok,
    /// A defect of this program.
    Internal,
    /// The command line asks for something that cannot be.
    Usage,
    /// Erasing was needed and not consented to.
    Consent,
    /// No probe, or several and none chosen.
    NoProbe,
    /// The probe was found and cannot be used.
    ProbeAccess,
    /// The probe works and no board answers.
    NoContact,
    /// Not a supported chip, or not the board that was expected.
    WrongBoard,
    /// A firmware file was refused.
    Image,
    /// Serial number, mileage or data block unknown or refused.
    Data,
    /// The backup could not be written and read back.
    Backup,
    /// Erasing, programming or unlocking failed.
    Flash,
    /// The board differs from the plan.
    Verify,
    /// Contact was lost on the way.
    LinkLost,
    /// Flash cannot be read, and what was asked for needs it.
    Locked,
    /// Done, but the report could not be written.
    Output,
    /// Ctrl-C.
    Interrupted,
}

/// A failure of a procedure.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something between this program and the board.
    #[error(transparent)]
    Board(#[from] board::Error),
    /// Contact with a board that has been changed was lost, and it could not be reached again.
    #[error(transparent)]
    Lost(board::Error),
    /// Removing protection changes the chip, read-out protection even erases it, and nobody agreed to that.
    #[error("{}", needs(*obstacle))]
    Consent {
        /// The board that was asked about: agreeing to an erase is for this one.
        uid: Uid,
        /// What would be removed.
        obstacle: Obstacle,
        /// What is lost and what is written afterwards.
        data: DataChange,
    },
    /// As [`Self::Consent`], of a board that has been changed: it was locked on the way.
    #[error("{}", needs(*obstacle))]
    LockedMeanwhile {
        /// The board that was asked about.
        uid: Uid,
        /// What would be removed.
        obstacle: Obstacle,
        /// What is lost and what is written afterwards.
        data: DataChange,
    },
    /// The backup cannot be written, or read back.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// The backup was made of a read-protected board and holds no flash.
    #[error("the backup contains no flash: the board was read-protected when it was made")]
    BackupWithoutFlash,
    /// What was found on the board belongs to another scooter, or to one with another controller.
    #[error("the board has {}", other_scooter(found, fitting, title))]
    OtherScooter {
        /// What was found.
        found: Findings,
        /// What is of the scooter that was asked for.
        fitting: Findings,
        /// The scooter that was asked for.
        title: String,
    },
    /// A file that is neither a backup nor a dump.
    #[error("cannot restore {path:?}")]
    Dump {
        /// The file that was to be restored.
        path: PathBuf,
        /// Why it cannot be read.
        source: ImageError,
    },
    /// A dump that does not hold all that a board needs.
    #[error("{path:?} has {}: {form}", listed(lacks))]
    DumpLacks {
        /// The file that was to be restored.
        path: PathBuf,
        /// What the file is, in words.
        form: String,
        /// What is not in it.
        lacks: Vec<Lack>,
    },
    /// A dump that lacks only what can be typed.
    #[error("{path:?} has {}: {form}", listed(lacks))]
    DumpLacksData {
        /// The file that was to be restored.
        path: PathBuf,
        /// What the file is, in words.
        form: String,
        /// What is not in it.
        lacks: Vec<Lack>,
    },
    /// Option bytes that no command can undo on some chips.
    #[error("the option bytes in the file would protect the chip for good (RDP 0xcc)")]
    PermanentOptions,
    /// An image fails a gate.
    #[error("{kind} image refused: {detail}")]
    Gate {
        /// Whether it is the bootloader or the DRV firmware.
        kind: Kind,
        /// The gate's name, which `--force` takes.
        gate: &'static str,
        /// What is wrong.
        detail: String,
    },
    /// More than one image may be flashed to this chip.
    #[error("{} {kind} images are suitable and none is chosen", fitting.len())]
    SeveralImages {
        /// Whether it is the bootloader or the DRV firmware.
        kind: Kind,
        /// Those, by name and file, in the order in which they were given.
        fitting: Vec<String>,
    },
    /// No image was given and the board's own cannot be kept.
    #[error("no {kind} image given, and the board's own cannot be kept: {reason}")]
    NoImage {
        /// Whether it is the bootloader or the DRV firmware.
        kind: Kind,
        /// The scooter that it is needed for.
        scooter: String,
        /// The chip that it is needed for, as in [`crate::image::Entry::chips`].
        chip: &'static str,
        /// Why the board's own cannot be kept.
        reason: &'static str,
    },
    /// The data block given belongs to a scooter of another family.
    #[error("the data block is refused")]
    OtherBlock(#[source] SerialError),
    /// The data block to write holds no serial number that may be written.
    #[error("the serial number in the data block cannot be used")]
    BadSerial(#[source] SerialError),
    /// Backups of the chip hold several serial numbers, and nothing says which is the board's.
    #[error("the backups of this chip have several serial numbers: {0}")]
    SeveralSerials(SavedBlocks),
    /// Nothing says what the serial number is.
    #[error("the serial number is unknown")]
    NoSerial,
    /// Nothing says what the mileage is.
    #[error("the mileage is unknown")]
    NoMileage,
    /// The board is not what it should be.
    #[error(
        "the board differs from the plan at {address:#010x}: {found:#04x} instead of {expected:#04x}; {}",
        differing(*bytes)
    )]
    Differs {
        /// The first difference.
        address: u32,
        /// What should be there.
        expected: u8,
        /// What is there.
        found: u8,
        /// How many differ.
        bytes: usize,
    },
    /// A page of flash does not take what is written to it.
    #[error("{0}")]
    BadPage(BadPage),
    /// There is nothing to compare: flash cannot be read.
    #[error("the chip is read-protected, so its flash cannot be compared")]
    Unreadable,
    /// Everything is verified, and the firmware does not start.
    #[error("firmware {}, but it does not start: {how}", made(*board))]
    DoesNotStart {
        /// Whether this run had to write anything.
        board: BoardState,
        /// What it does instead.
        how: Startup,
    },
}

/// What was done with firmware that is on the board as planned.
fn made(board: BoardState) -> &'static str {
    if board == BoardState::Untouched { "verified (it was on the board already)" } else { "written and verified" }
}

/// What a dump does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    /// The bootloader, or a part of it.
    Boot,
    /// The firmware, or a part of it.
    Drv,
    /// A data block.
    Block,
    /// A serial number in the data block that may be written.
    Serial,
    /// A mileage in the data block.
    Mileage,
}

impl Lack {
    /// Whether it can be typed instead.
    pub(super) fn is_data(self) -> bool {
        matches!(self, Self::Block | Self::Serial | Self::Mileage)
    }
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Boot => "no bootloader",
            Self::Drv => "no firmware",
            Self::Block => "no data block",
            Self::Serial => "no usable serial number",
            Self::Mileage => "no mileage",
        })
    }
}

impl From<SavedBlocks> for Error {
    fn from(blocks: SavedBlocks) -> Self {
        Self::SeveralSerials(blocks)
    }
}

impl Error {
    /// What a run that fails with it ends with.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Board(error) => of_board(error),
            Self::Lost(_) => Exit::LinkLost,
            Self::Consent { .. } => Exit::Consent,
            Self::Backup(_) => Exit::Backup,
            Self::Gate { .. }
            | Self::SeveralImages { .. }
            | Self::NoImage { .. }
            | Self::BackupWithoutFlash
            | Self::Dump { .. }
            | Self::DumpLacks { .. }
            | Self::PermanentOptions => Exit::Image,
            Self::OtherScooter { .. } => Exit::WrongBoard,
            Self::DumpLacksData { .. }
            | Self::OtherBlock(_)
            | Self::BadSerial(_)
            | Self::SeveralSerials(_)
            | Self::NoSerial
            | Self::NoMileage => Exit::Data,
            Self::BadPage(_) | Self::LockedMeanwhile { .. } => Exit::Flash,
            Self::Unreadable => Exit::Locked,
            Self::Differs { .. } | Self::DoesNotStart { .. } => Exit::Verify,
        }
    }
}

fn differing(bytes: usize) -> String {
    format!("{} {}", count(bytes, "byte"), if bytes == 1 { "differs" } else { "differ" })
}

fn other_scooter(found: &Findings, fitting: &Findings, title: &str) -> String {
    if fitting.is_empty() {
        format!("{found}, so it is not a {title}")
    } else {
        format!("{found}, which does not fit a {title}, but also {fitting}")
    }
}

fn listed(lacks: &[Lack]) -> String {
    let words: Vec<String> = lacks.iter().map(ToString::to_string).collect();
    match words.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => String::new(),
    }
}

/// What removing a protection does, and that it needs consent.
fn needs(obstacle: Obstacle) -> String {
    match obstacle {
        Obstacle::ReadProtected | Obstacle::AboutToBeReadProtected => {
            format!("the chip is {obstacle}; unlocking erases it and needs --erase-all")
        }
        Obstacle::WriteProtected => {
            "the chip is write-protected; removing the write protection does not erase the chip, but needs --erase-all"
                .into()
        }
        Obstacle::HalfUnlocked => {
            "an earlier unlock was interrupted; finishing it does not erase the chip, but needs --erase-all".into()
        }
    }
}

fn of_board(error: &board::Error) -> Exit {
    use board::Error as E;
    match error {
        E::NoProbe | E::ProbeNotFound { .. } | E::ProbeAmbiguous { .. } | E::SeveralProbes { .. } => Exit::NoProbe,
        E::ProbeAccess(_) => Exit::ProbeAccess,
        E::UnsupportedSpeed { .. } => Exit::Usage,
        E::NoContact { .. } | E::HeldInReset | E::PoorContact { .. } => Exit::NoContact,
        // Nothing is written over a state that is not understood.
        E::Unsupported(_)
        | E::TooSmall { .. }
        | E::OtherBoard { .. }
        | E::PermanentProtection { .. }
        | E::UnknownProtection { .. } => Exit::WrongBoard,
        E::Link(_) | E::ProbeGone | E::NotHalted | E::NotReset | E::Loader | E::SaveStuck { .. } => Exit::LinkLost,
        E::Flash { .. } | E::Stuck { .. } | E::OptionBytes { .. } | E::StillProtected | E::NoPowerCycle { .. } => {
            Exit::Flash
        }
        E::Interrupted => Exit::Interrupted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_told_with_its_place_and_its_bytes() {
        let differs = |bytes| Error::Differs { address: 0x0800_F800, expected: 0x5C, found: 0xFF, bytes }.to_string();
        let place = "the board differs from the plan at 0x0800f800: 0xff instead of 0x5c";
        assert_eq!(differs(1), format!("{place}; 1 byte differs"));
        assert_eq!(differs(2), format!("{place}; 2 bytes differ"));
    }

    #[test]
    fn firmware_that_does_not_start_is_told_with_what_was_done_to_it() {
        let told = |board| Error::DoesNotStart { board, how: Startup::Lockup }.to_string();
        let end = "but it does not start: it crashed and stopped the chip (lockup)";
        assert_eq!(told(BoardState::Untouched), format!("firmware verified (it was on the board already), {end}"));
        assert_eq!(told(BoardState::Written), format!("firmware written and verified, {end}"));
    }

    #[test]
    fn another_scooter_is_told_with_what_does_fit() {
        let findings = |words: &[&str]| Findings(words.iter().map(ToString::to_string).collect());
        let told = |fitting: &[&str]| {
            let (found, fitting) =
                (findings(&["Pro DRV 1.5.5", "version 1.5.5", "a serial number"]), findings(fitting));
            Error::OtherScooter { found, fitting, title: "Mi 1S".into() }.to_string()
        };
        let found = "the board has Pro DRV 1.5.5, version 1.5.5 and a serial number";
        assert_eq!(told(&[]), format!("{found}, so it is not a Mi 1S"));
        assert_eq!(
            told(&["one thing", "another"]),
            format!("{found}, which does not fit a Mi 1S, but also one thing and another")
        );
    }
}
