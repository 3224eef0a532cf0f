//! Reading a data block from whatever file somebody has: a block, a page, a dump, a backup.

use std::path::Path;

use m365_drv::{
    block::DataBlock,
    count::count,
    image::{Block, Dump, Kind},
    printable::quoted_path,
};

use crate::cli::{
    exit::{Exit, Meaning, refuse},
    files,
};

/// The data blocks of a file.
pub(crate) struct DataFile {
    /// What the file is.
    pub(crate) dump: Dump,
    /// The block to use.
    pub(crate) taken: Block,
    /// The others in the file.
    pub(crate) others: Vec<Block>,
}

/// Reads a file with a data block; of several the one at `place` is preferred, or at the place of the file's own flash map.
pub(crate) fn open(path: &Path, place: Option<u32>) -> anyhow::Result<DataFile> {
    let bytes = files::read(path, Exit::Data)?;
    let what = || format!("no data block in {}", quoted_path(path));
    let dump = Dump::from_bytes(&bytes).meaning(Exit::Data, what)?;
    let mut blocks = dump.blocks(place.unwrap_or_else(|| dump.layout().regions.data.start)).into_iter();
    match blocks.next() {
        Some(taken) => Ok(DataFile { dump, taken, others: blocks.collect() }),
        // What has about the length of a block was meant as one.
        None if bytes.len() <= 1024 && !dump.is_flash() => {
            let block = if bytes.len() == 1024 { &bytes[..512] } else { &bytes[..] };
            DataBlock::parse(block).map(|_| refuse(Exit::Data, what())).meaning(Exit::Data, what).and_then(Err)
        }
        None => Err(match dump.image().and_then(|image| image.gaps.first().filter(|_| image.kind() == Kind::Data)) {
            Some(gap) => {
                let missing = count(gap.len(), "byte");
                let message = format!("the data block in {} is incomplete: {missing} missing", quoted_path(path));
                refuse(Exit::Data, message)
            }
            None => refuse(Exit::Data, format!("{} ({dump})", what())),
        }),
    }
}

impl DataFile {
    /// What to say if there are several; none for the usual one.
    pub(crate) fn remark(&self, path: &Path) -> Option<String> {
        if self.others.is_empty() {
            return None;
        }
        let others = self.others.iter().map(in_words).collect::<Vec<_>>().join(", ");
        let (path, count) = (quoted_path(path), self.others.len() + 1);
        Some(format!(
            "{path} contains {count} data blocks: using the one {}, not the one {others}",
            in_words(&self.taken)
        ))
    }
}

/// Where a block is in its file, and whose it is.
fn in_words(found: &Block) -> String {
    let place = place_in_words(found);
    match found.block.summary().serial {
        Some(serial) => format!("{place} (serial number {serial}, {})", found.block.mileage()),
        None => format!("{place} (no serial number)"),
    }
}

/// Where a block is in its file.
pub(crate) fn place_in_words(found: &Block) -> String {
    found.address.map_or_else(|| "saved separately".to_owned(), |address| format!("at {address:#010x}"))
}
