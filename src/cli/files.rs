//! Reading and writing the files that the command line names.

use std::{
    fs::{self, File},
    io::{ErrorKind, Write},
    path::Path,
};

use super::exit::{Exit, Meaning, refuse};

/// Nothing this program reads is bigger; a device or a disk image named by mistake must not fill the memory.
const MAX_LEN: u64 = 16 << 20;

/// Reads a whole file; `exit` is what an unreadable one means.
pub(crate) fn read(path: &Path, exit: Exit) -> anyhow::Result<Vec<u8>> {
    let what = || format!("cannot read {}", path.display());
    let len = fs::metadata(path).meaning(exit, what)?.len();
    if len > MAX_LEN {
        return Err(refuse(exit, format!("{} is too big: {len} bytes", path.display())));
    }
    fs::read(path).meaning(exit, what)
}

/// Writes a new file, never over another one; `exit` is what a failure means.
pub(crate) fn write_new(path: &Path, bytes: &[u8], exit: Exit) -> anyhow::Result<()> {
    let what = || format!("cannot write {}", path.display());
    let mut file = match File::create_new(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return Err(refuse(Exit::Usage, format!("{} exists already", path.display())));
        }
        other => other.meaning(exit, what)?,
    };
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if written.is_err() {
        // Half a file looks like a whole one to the next command.
        let _ = fs::remove_file(path);
    }
    written.meaning(exit, what)
}
