//! What the last runs did, kept in the user's state folder for a report: nobody asks for a log before something fails.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::PathBuf,
};

use directories::ProjectDirs;

/// The runs that are kept, the last one first.
const NAMES: [&str; 3] = ["last-run.log", "last-run-1.log", "last-run-2.log"];

/// How much of a run is kept, in bytes.
const LIMIT: usize = 512 << 10;

/// The folder for what is kept between runs; `None` if the system has no place for it.
fn folder() -> Option<PathBuf> {
    let folders = ProjectDirs::from("", "", "m365-drv")?;
    Some(folders.state_dir().unwrap_or_else(|| folders.data_local_dir()).to_owned())
}

/// The files of the last runs, the last one first.
pub(crate) fn files() -> Vec<PathBuf> {
    let files = folder().into_iter().flat_map(|folder| NAMES.map(|name| folder.join(name)));
    files.filter(|file| file.is_file()).collect()
}

/// The file of this run. A run goes on without it if it cannot be made.
pub(super) fn begin() -> Option<KeptRun> {
    let folder = folder()?;
    fs::create_dir_all(&folder).ok()?;
    for pair in NAMES.windows(2).rev() {
        let _ = fs::rename(folder.join(pair[0]), folder.join(pair[1]));
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    // It has serial number and PIN.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(folder.join(NAMES[0])).ok()?;
    Some(KeptRun { file, room: LIMIT })
}

/// The file of this run, of which only the beginning is kept.
pub(super) struct KeptRun {
    file: File,
    room: usize,
}

impl Write for KeptRun {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() <= self.room {
            self.room -= bytes.len();
            // It is there for convenience: nothing depends on it.
            let _ = self.file.write_all(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
