//! The command line: what can be typed, and which file handles it.

mod args;
mod context;
mod exit;
mod exit_codes;
mod files;
mod hints;
mod mask;
mod probe_fixes;
mod screen;
mod settings;
mod verbs;

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use m365_drv::{board::Verify, target::Target};

pub(crate) use self::{
    args::command_line::CommandLine,
    context::Context,
    exit::defect,
    screen::{
        logging::start as start_log,
        output::{CommandResult, Output},
    },
};
use self::{
    args::{firmware, globals::Globals, goal},
    verbs::{
        backup, backups, batch, config, data, doctor, explain, flash, generate, guide, image, info, probes, protect,
        report, restore, scooters, verify,
    },
};

/// What the help of `flash` ends with.
const SAFETY: &str = concat!(include_str!("../guide/safety.txt"), "\n", include_str!("../guide/wiring.txt"));

/// The commands that the page of `ui` shows besides the guided job.
const SHOWN: guide::browser::OtherCommands = guide::browser::OtherCommands {
    doctor: doctor::check,
    explain: explain::on,
    backups: backups::list,
    batch: batch::on_all_probes,
    report: report::masked_file,
};

/// Unbrick the motor controller of a Xiaomi M365-family scooter over SWD.
///
/// One command makes a locked, bricked or blank board run again: it identifies the chip, rescues serial number and
/// mileage, removes the read-out protection, programs the bootloader, the firmware (DRV) and the data block (serial
/// number, mileage and settings), and reads all of it back.
///
/// Try everything without hardware first: `m365-drv --simulate flash pro --erase-all`.
#[derive(Debug, Parser)]
#[command(name = "m365-drv", bin_name = "m365-drv", version, arg_required_else_help = true, subcommand_required = true)]
#[command(
    after_help = "`m365-drv guide` leads through the job at a terminal; `m365-drv flash --help` describes it for scripts.
`m365-drv explain wiring` shows how to connect the board; read `m365-drv explain safety` first."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) globals: Globals,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What can be done, by the names that are typed for it.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Go through the job step by step; the easiest way to begin
    Guide(guide::GuideArgs),
    /// Go through the job on a page in the browser
    ///
    /// The page is served by this program on this computer only, and needs no internet. It ends with Ctrl-C, or five minutes after
    /// its last tab was closed, but never while a board is being written.
    Ui(guide::browser::UiArgs),
    /// Do the whole job: identify, rescue, back up, unlock, program, verify, start
    #[command(after_long_help = SAFETY)]
    Flash(Box<flash::FlashArgs>),
    /// Flash board after board, on one probe or several, and log each
    Batch(Box<batch::BatchArgs>),
    /// Show the chip and what is on the board; changes nothing
    ///
    /// The firmware of a read-protected chip crashes soon after any debugger connects, because the chip then blocks its reads of
    /// flash; power-cycle the board afterwards.
    Info,
    /// Save everything readable to one file
    Backup {
        /// The new file to write, or a folder to write one in
        file: PathBuf,
    },
    /// Write a backup, including its option bytes, or a flash dump to the board
    Restore(restore::RestoreArgs),
    /// Compare the board with what `flash` would write; changes nothing
    Verify(Box<goal::WantedArgs>),
    /// Remove read-out and write protection; erases the chip if it is read-protected
    Unlock(protect::UnlockArgs),
    /// Set read-out protection; only a mass erase removes it again
    Lock(protect::LockArgs),
    /// Reset the chip and let it run
    Reset,
    /// List, show and export backups that were made before; no board needed
    #[command(subcommand)]
    Backups(backups::BackupsCommand),
    /// Make, show or change data blocks in files; no board needed
    #[command(subcommand)]
    Data(data::DataCommand),
    /// Identify and check firmware files; encrypt or decrypt them
    #[command(subcommand)]
    Image(image::ImageCommand),
    /// List the supported scooters: chip, flash layout, known images and images found locally
    Scooters(firmware::FirmwareArgs),
    /// List, fetch and keep the known firmware images
    #[command(subcommand)]
    Firmware(verbs::firmware::FirmwareCommand),
    /// List the attached probes, and how to fix those that cannot be used
    Probes,
    /// Check everything from the probe to the running firmware; changes nothing
    ///
    /// Each check passes, warns, fails, or cannot be tried; a failed check comes with a fix. The exit code is 0 if no check failed,
    /// otherwise that of the first failed check. Nothing is written, and the core runs on. But the firmware of a read-protected chip
    /// crashes soon after any debugger connects, because the chip then blocks its reads of flash; power-cycle the board afterwards.
    Doctor(doctor::DoctorArgs),
    /// Collect in one file what a bug report needs: system, probes, and what the last runs did
    Report(report::ReportArgs),
    /// Show every setting and where it came from: option, environment, file or default
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Explain an exit code, or an error code that the scooter shows
    Explain(explain::ExplainArgs),
    /// Print completions for a shell
    Completions(generate::CompletionsArgs),
    /// Print the manual page
    Man,
}

impl Command {
    /// Whether the state of a board belongs to the end of this command.
    pub(crate) fn uses_board(&self) -> bool {
        match self {
            Self::Guide(_)
            | Self::Ui(_)
            | Self::Flash(_)
            | Self::Batch(_)
            | Self::Info
            | Self::Backup { .. }
            | Self::Restore(_)
            | Self::Verify(_)
            | Self::Unlock(_)
            | Self::Lock(_)
            | Self::Reset
            | Self::Report(_)
            | Self::Probes
            | Self::Doctor(_) => true,
            Self::Backups(_)
            | Self::Data(_)
            | Self::Image(_)
            | Self::Scooters(_)
            | Self::Firmware(_)
            | Self::Config(_)
            | Self::Explain(_)
            | Self::Completions(_)
            | Self::Man => false,
        }
    }

    /// Whether what it does is kept for a report.
    pub(crate) fn is_kept(&self) -> bool {
        self.uses_board() && !matches!(self, Self::Report(_) | Self::Probes)
    }

    /// Whether `--probe` may be given more than once.
    pub(crate) fn takes_probes(&self) -> bool {
        matches!(self, Self::Batch(_))
    }

    /// How to verify what is written.
    pub(crate) fn verify(&self) -> Verify {
        match self {
            Self::Flash(args) => args.verify.into(),
            Self::Restore(args) => args.verify.into(),
            _ => Verify::default(),
        }
    }

    /// The scooter that was named.
    pub(crate) fn scooter(&self) -> Option<&'static Target> {
        match self {
            Self::Flash(args) => Some(args.scooter()),
            Self::Batch(args) => Some(args.images.scooter),
            Self::Verify(args) => Some(args.images.scooter),
            _ => None,
        }
    }

    /// Runs the command.
    pub(crate) fn run(&self, context: &mut Context) -> CommandResult {
        match self {
            Self::Guide(args) => guide::run(context, args),
            Self::Ui(args) => guide::browser::run(context, args, &SHOWN),
            Self::Flash(args) => flash::run(context, args),
            Self::Batch(args) => batch::run(context, args),
            Self::Info => info::run(context),
            Self::Backup { file } => backup::run(context, file),
            Self::Restore(args) => restore::run(context, args),
            Self::Verify(args) => verify::run(context, args),
            Self::Unlock(args) => protect::unlock(context, args),
            Self::Lock(args) => protect::lock(context, args),
            Self::Reset => protect::reset(context),
            Self::Backups(command) => backups::run(context, command),
            Self::Data(command) => data::run(command),
            Self::Image(command) => image::run(context, command),
            Self::Scooters(args) => scooters::run(context, args),
            Self::Firmware(command) => verbs::firmware::run(context, command),
            Self::Probes => probes::run(context),
            Self::Doctor(args) => doctor::run(context, args),
            Self::Report(args) => report::run(context, args),
            Self::Config(config::ConfigCommand::Show) => config::run(context),
            Self::Explain(args) => explain::run(args),
            Self::Completions(args) => generate::completions(args),
            Self::Man => generate::man(),
        }
    }
}
