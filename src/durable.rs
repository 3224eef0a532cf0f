//! New files whose name outlives a power failure, on each system.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

/// Makes the name of a file durable after the file was created or renamed. On Unix the folder has to be synced for that (fsync(2)).
/// Windows cannot sync a folder; there the file is opened again by its name and synced (`FlushFileBuffers`).
pub fn sync_name(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(folder_of(path))?.sync_all()
    } else if path.is_dir() {
        Ok(())
    } else {
        File::options().write(true).open(path)?.sync_all()
    }
}

/// The folder that a file is in, `.` if the path is only a name.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The same file in the form that Windows takes at any length (`\\?\C:\…`). Renaming takes only 260 characters otherwise; the
/// standard library sees to this itself for everything else. On other systems the path stays as it is.
pub fn any_length(path: &Path) -> PathBuf {
    let named = || Some(folder_of(path).canonicalize().ok()?.join(path.file_name()?));
    Some(path).filter(|_| cfg!(windows)).and_then(|_| named()).unwrap_or_else(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_name_of_a_new_file_and_of_a_new_folder_can_be_synced() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.bin");
        fs::write(&file, "a").unwrap();
        sync_name(&file).unwrap();
        let inner = folder.path().join("inner");
        fs::create_dir(&inner).unwrap();
        sync_name(&inner).unwrap();
    }

    #[test]
    fn a_name_alone_is_in_the_working_folder() {
        assert_eq!(folder_of(Path::new("a.bin")), Path::new("."));
        assert_eq!(folder_of(Path::new("b/a.bin")), Path::new("b"));
    }

    #[test]
    fn a_path_keeps_its_name_at_any_length() {
        let folder = tempfile::tempdir().unwrap();
        let path = any_length(&folder.path().join("a.bin"));
        assert!(path.ends_with("a.bin"));
        assert_eq!(path.starts_with(r"\\?\"), cfg!(windows));
        assert_eq!(any_length(Path::new("missing/a.bin")), Path::new("missing/a.bin"));
    }
}
