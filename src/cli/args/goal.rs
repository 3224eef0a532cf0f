//! What a board is to hold: the arguments that `flash` and `verify` share.

use std::path::{Path, PathBuf};

use clap::Args;
use m365_drv::{
    block::{DataBlock, Mileage, Serial},
    ops::{self, Known},
    target::Target,
};

use crate::cli::{
    Context,
    args::{
        data_file,
        images::{GivenImages, ImageArgs},
        mileage::MileageArgs,
    },
    exit::{Exit, refuse},
};

/// A scooter, its firmware and its data.
#[derive(Debug, Args)]
pub(crate) struct WantedArgs {
    #[command(flatten)]
    pub(crate) images: ImageArgs,

    /// Serial number, as on the sticker of the scooter; by default the board's own
    #[arg(long, value_name = "S")]
    serial: Option<String>,

    #[command(flatten)]
    mileage: MileageArgs,

    /// Data block to write instead of the board's own, from a block file, a backup or a flash
    /// dump
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
}

/// Everything of [`WantedArgs`], read and checked as far as that can be without a board.
pub(crate) struct WantedContents {
    images: GivenImages,
    data: Option<DataBlock>,
    serial: Option<Serial>,
    mileage: Option<Mileage>,
}

impl WantedArgs {
    /// Reads the files and the values.
    pub(crate) fn read(&self, context: &mut Context) -> anyhow::Result<WantedContents> {
        let target = self.images.scooter;
        context.known = Known::given(Some(&target.name), self.files(), None, None);
        let serial = self.serial.as_deref().map(|text| target.serial.read(text)).transpose();
        let serial = serial.map_err(|error| refuse(Exit::Data, error.to_string()))?;
        context.known = Known::given(Some(&target.name), self.files(), serial, None);
        let mileage = self.mileage.mileage()?;
        context.known = Known::given(Some(&target.name), self.files(), serial, mileage);
        let data = self.data.as_deref().map(|path| data_block(path, target, context)).transpose()?;
        Ok(WantedContents { images: self.images.read(context, self.data.as_ref())?, data, serial, mileage })
    }

    /// The files that were named.
    fn files(&self) -> Vec<PathBuf> {
        self.images.files().chain(&self.data).cloned().collect()
    }
}

/// The data block in a block file, a backup or a dump.
fn data_block(path: &Path, target: &Target, context: &mut Context) -> anyhow::Result<DataBlock> {
    let opened = data_file::open(path, Some(target.map.regions.data.start))?;
    if let Some(remark) = opened.remark(path) {
        context.warn("several-data-blocks", remark);
    }
    Ok(opened.taken.block)
}

impl GivenImages {
    /// What is asked of the library, if nothing is given but the images.
    pub(crate) fn to_ops(&self) -> ops::Wanted<'_> {
        ops::Wanted {
            target: self.target,
            boot: &self.boot,
            drv: &self.drv,
            data: None,
            serial: None,
            mileage: None,
            forced: self.forced.clone(),
            rehearsal: self.rehearsal,
        }
    }
}

impl WantedContents {
    /// What is asked of the library.
    pub(crate) fn to_ops(&self) -> ops::Wanted<'_> {
        let (data, serial, mileage) = (self.data.clone(), self.serial, self.mileage);
        ops::Wanted { data, serial, mileage, ..self.images.to_ops() }
    }
}
