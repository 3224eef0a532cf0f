//! How to prove what is in flash.

use clap::{Args, ValueEnum};
use m365_drv::board::Verify;

/// How everything that was written is verified.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct VerifyHow {
    /// How to verify: by the quicker way, or by reading every byte
    ///
    /// Where reading takes more than half a second, `auto` has the chip compute a keyed sum of each page instead. A wrong sum is not
    /// believed: then every byte is read.
    #[arg(long, value_name = "HOW", value_enum, default_value_t = VerifyArg::Auto)]
    verify: VerifyArg,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum VerifyArg {
    /// The quicker way.
    Auto,
    /// Read every byte.
    Read,
}

impl From<VerifyHow> for Verify {
    fn from(how: VerifyHow) -> Self {
        match how.verify {
            VerifyArg::Auto => Self::Auto,
            VerifyArg::Read => Self::Read,
        }
    }
}
