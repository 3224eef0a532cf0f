//! The options that every command takes.

use std::path::PathBuf;

use clap::{ArgAction, Args, ColorChoice, ValueEnum};
use m365_drv::board::{Selector, Wait};

use super::{
    simulate::{self, SimulateArg},
    values::{self, Reads},
};

/// What every command takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Globals {
    /// Which probe; needed only if more than one is attached; `batch` takes several [env: `M365_DRV_PROBE`].
    ///
    /// `VID:PID`, `VID:PID:SERIAL`, a serial number or at least its first 4 characters, `usb:BUS-PORT[.PORT]`, or `#N` as listed by
    /// `m365-drv probes`.
    #[arg(long, global = true, value_name = "SEL", value_parser = Reads(values::parse_probe))]
    pub(crate) probe: Vec<Selector>,

    /// SWD clock in kHz; by default the fastest that works, up to 4000 [env: `M365_DRV_SPEED`].
    #[arg(long, global = true, value_name = "KHZ", allow_negative_numbers = true, value_parser = Reads(values::parse_khz))]
    pub(crate) speed: Option<u32>,

    /// Rehearse on a simulated board; no hardware is touched.
    #[arg(long, global = true, value_name = "BOARD", num_args = 0..=1, require_equals = true)]
    #[arg(long_help = simulate::help())]
    #[arg(default_missing_value = "locked", value_parser = Reads(SimulateArg::read))]
    pub(crate) simulate: Option<SimulateArg>,

    /// Keep trying until the board answers, for at most DURATION (for example `--wait=30s`) or without limit.
    #[arg(long, global = true, value_name = "DURATION", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "forever", value_parser = Reads(values::parse_wait))]
    pub(crate) wait: Option<Wait>,

    /// How to attach to the chip.
    ///
    /// `auto` tries a normal connection, then one with the chip held in reset (if the probe is wired to NRST). With `--wait` it keeps trying: touch NRST to GND now and then.
    #[arg(long, global = true, value_name = "HOW", value_enum, default_value_t = ConnectArg::Auto)]
    pub(crate) connect: ConnectArg,

    /// Print only JSON Lines on stdout.
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Never prompt; fail if an answer would be needed.
    #[arg(long, global = true)]
    pub(crate) no_input: bool,

    /// Log more; `-vv` includes messages from probe-rs.
    #[arg(short, long, global = true, action = ArgAction::Count, conflicts_with = "quiet")]
    pub(crate) verbose: u8,

    /// Print errors only: no progress, no warnings.
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,

    /// Append a full log to this file, regardless of `-v` and `-q`.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) log_file: Option<PathBuf>,

    /// Record everything that passes between this program and the probe in this new file.
    ///
    /// Anyone can repeat the run from this file with `--replay`, without hardware. It contains the firmware, the serial number and
    /// the PIN of the board.
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    pub(crate) record: Option<PathBuf>,

    /// Replay a recording instead of using a probe and a board.
    ///
    /// Type the same command as for the recording; the first line of the file contains it.
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true, conflicts_with_all = ["record", "simulate"])]
    pub(crate) replay: Option<PathBuf>,

    /// When to use colours; `auto` honours `NO_COLOR` and `TERM=dumb`.
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t = ColorChoice::Auto)]
    pub(crate) color: ColorChoice,
}

/// How to attach to the chip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ConnectArg {
    Auto,
    Normal,
    UnderReset,
}
