//! What can go wrong with saved boards.

use std::{io, path::PathBuf};

/// Why a board cannot be loaded from a folder, or saved to it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file cannot be read or written.
    #[error("cannot access \"{path}\"")]
    File {
        /// Path of the file.
        path: PathBuf,
        /// The error of the operating system.
        #[source]
        source: io::Error,
    },
    /// A file does not have the size that the board needs.
    #[error("\"{path}\" has {found} bytes, not {expected}")]
    Size {
        /// Path of the file.
        path: PathBuf,
        /// Its size in bytes.
        found: u64,
        /// The required size in bytes.
        expected: u64,
    },
    /// `board.yaml` cannot be parsed.
    #[error("\"{path}\" is not a valid board description")]
    Description {
        /// Path of the file.
        path: PathBuf,
        /// The error of the parser.
        #[source]
        source: yaml_serde::Error,
    },
    /// A value in `board.yaml` is invalid, or a file is too large.
    #[error("\"{path}\": {what}")]
    Value {
        /// Path of the file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
}
