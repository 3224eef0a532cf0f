//! Where the files of the public repositories are: at GitHub, on another server with the same paths, or in a folder.

use std::{
    env, fmt, io,
    path::{Path, PathBuf},
};

use super::Source;
use crate::printable::quoted_path;

/// Serves the files of each public repository at each commit: `OWNER/NAME/COMMIT/PATH`.
const GITHUB: &str = "https://raw.githubusercontent.com";

/// A place that holds the public repositories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mirror {
    /// A server: its address, without a slash at the end.
    Server(String),
    /// A folder: with the paths that a server has, or with clones of the repositories.
    Folder(PathBuf),
}

/// Why a mirror cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    /// Its address has no https.
    #[error("the address {0:?} does not begin with https://")]
    Insecure(String),
    /// There is no such folder.
    #[error("{} is not a folder", quoted_path(path))]
    NoFolder {
        /// The folder.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
}

/// Where a file is in a mirror.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FilePlace {
    Address(String),
    /// The first of these that exists.
    Files(Vec<PathBuf>),
}

impl Mirror {
    /// The public repositories themselves.
    pub fn github() -> Self {
        Self::Server(GITHUB.to_owned())
    }

    /// Reads what a user names: an address that begins with `https://`, or a folder.
    pub fn named(text: &str) -> Result<Self, MirrorError> {
        if text.starts_with("https://") {
            return Ok(Self::Server(text.trim_end_matches('/').to_owned()));
        }
        if text.contains("://") {
            return Err(MirrorError::Insecure(text.to_owned()));
        }
        let path = PathBuf::from(text);
        let is_folder = path
            .metadata()
            .and_then(|data| if data.is_dir() { Ok(()) } else { Err(io::Error::from(io::ErrorKind::NotADirectory)) });
        match is_folder {
            // A relative path is the same one after a change of the current folder.
            Ok(()) => Ok(Self::Folder(env::current_dir().map_or_else(|_| path.clone(), |here| here.join(&path)))),
            Err(source) => Err(MirrorError::NoFolder { path, source }),
        }
    }

    /// Whether it is reached over the network.
    pub fn is_remote(&self) -> bool {
        matches!(self, Self::Server(_))
    }

    /// Where this file is in the mirror.
    pub(super) fn locate(&self, source: &Source) -> FilePlace {
        let Source { repository, commit, path, .. } = source;
        match self {
            Self::Server(address) => {
                FilePlace::Address(format!("{address}/{repository}/{commit}/{}", path.replace(' ', "%20")))
            }
            Self::Folder(folder) => {
                let name = repository.rsplit('/').next().unwrap_or(repository);
                let roots = [Path::new(repository).join(commit), repository.into(), name.into(), PathBuf::new()];
                FilePlace::Files(roots.into_iter().map(|root| folder.join(root).join(path)).collect())
            }
        }
    }
}

/// Where it is, as people say it: the host, or the folder.
impl fmt::Display for Mirror {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(address) if address == GITHUB => f.write_str("github.com"),
            Self::Server(address) => {
                let host = address.trim_start_matches("https://");
                f.write_str(host.split('/').next().unwrap_or(host))
            }
            Self::Folder(folder) => f.write_str(&quoted_path(folder)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{image::Catalog, supply::sources};

    #[test]
    fn the_address_of_a_file_names_repository_commit_and_path() {
        let catalog = Catalog::builtin();
        let boot = catalog.entries().find(|entry| entry.name == "Ninebot ES bootloader").unwrap();
        let expected = "https://raw.githubusercontent.com/CamiAlfa/M365_DRV_STLINK/\
                        b4e03683d5f9fe6981a615855e2e3d34c36ab844/es2_boot.bin";
        assert_eq!(Mirror::github().locate(&sources(boot)[0]), FilePlace::Address(expected.to_owned()));
        let spaced = catalog.entries().find(|entry| entry.name == "1S DRV 3.1.9 (downgrade)").unwrap();
        for source in sources(spaced) {
            let FilePlace::Address(address) = Mirror::github().locate(source) else { panic!() };
            assert!(!address.contains(' ') && address.contains("%20(Downgrade)"), "{address}");
        }
    }

    #[test]
    fn a_mirror_is_an_https_address_or_a_folder() {
        let named =
            |text: &str| Mirror::named(text).map(|mirror| mirror.to_string()).map_err(|error| error.to_string());
        assert_eq!(named("https://mirror.example/m365/").unwrap(), "mirror.example");
        assert_eq!(
            named("http://mirror.example").unwrap_err(),
            r#"the address "http://mirror.example" does not begin with https://"#
        );
        assert!(named("/nowhere/at/all").unwrap_err().contains("is not a folder"));
        assert_eq!(Mirror::github().to_string(), "github.com");
    }
}
