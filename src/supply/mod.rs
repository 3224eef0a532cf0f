//! Where known images are had: files of public repositories, or a mirror of them, and the user's own folder.
//!
//! Only what the catalog has can be fetched, and only if a public place is known that holds all of it. Where a file comes
//! from does not matter: an image is used if its SHA-256 is that of the catalog. This is the only module that opens a
//! network connection.

mod advice;
mod downloads;
mod fetch;
mod folder;
mod https;
mod mirror;
mod sources;
#[cfg(test)]
mod tests;

pub use self::{
    advice::{Recommended, Why, chips, newest_for, recommended},
    downloads::{Arrival, Arrivals, fitting_in},
    fetch::{FetchError, Supply, UnusableFile},
    folder::{Folder, FolderError},
    https::{Cause, Limits},
    mirror::{Mirror, MirrorError},
    sources::{Source, sources},
};
