//! The mileage, in kilometres or in metres.

use clap::Args;
use m365_drv::block::Mileage;

use crate::cli::exit::{Exit, refuse};

/// The two ways to give a mileage.
#[derive(Debug, Clone, Args)]
pub(crate) struct MileageArgs {
    /// Total mileage in kilometres, for example 1234 or 1234.5; not 1.234, which is ambiguous
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    km: Option<String>,
    /// Total mileage in metres
    #[arg(long, value_name = "N", allow_negative_numbers = true, conflicts_with = "km")]
    mileage_m: Option<String>,
}

impl MileageArgs {
    /// The mileage given, if one was.
    pub(crate) fn mileage(&self) -> anyhow::Result<Option<Mileage>> {
        let mileage = match (&self.km, &self.mileage_m) {
            (Some(km), _) => Mileage::parse_km(km),
            (None, Some(metres)) => Mileage::parse_metres(metres),
            (None, None) => return Ok(None),
        };
        mileage.map(Some).map_err(|error| refuse(Exit::Data, error.to_string()))
    }
}
