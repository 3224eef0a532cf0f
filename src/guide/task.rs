//! What has to be done between two cards, and what comes of it.

use std::path::PathBuf;

use crate::{
    board::BoardState,
    image::{Image, Kind},
    ops,
    target::Target,
};

/// An image that can be chosen.
#[derive(Debug, Clone)]
pub struct Offer {
    /// What to call it: "Pro DRV 1.5.5".
    pub name: String,
    /// Where it is.
    pub place: String,
    /// The image.
    pub image: Image,
}

/// What has to be done before anything is asked; the present card is shown meanwhile.
#[derive(Debug, Clone)]
pub enum Task {
    /// Find the images at hand for this scooter, then call [`super::Guide::at_hand`].
    Search(&'static Target),
    /// Fetch what is not at hand for this scooter, then call [`super::Guide::fetched`].
    Fetch(&'static Target),
    /// Read this file as an image of this kind, then call [`super::Guide::opened`]; if it is a folder, find the images of
    /// this kind in it and call [`super::Guide::found_in_folder`].
    Open(PathBuf, Kind),
    /// Watch this folder for DRV firmware for this scooter to arrive, until the user gives it up, then call
    /// [`super::Guide::arrived`].
    Watch(PathBuf, &'static Target),
    /// Do [`ops::contact`], waiting for probe and board as long as it takes, then call [`super::Guide::contacted`].
    Contact,
    /// Do [`ops::info`], waiting likewise, then call [`super::Guide::looked`].
    Look,
    /// Do [`ops::preview`] with [`super::Guide::request`], waiting likewise, then call [`super::Guide::previewed`].
    Preview,
    /// Do [`ops::flash`] with [`super::Guide::request`], waiting for the board with the UID of [`super::Guide::uid`], then call
    /// [`super::Guide::flashed`].
    Flash,
}

/// What a file that is handed over can be used as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handover {
    /// An image of this kind: see [`super::Guide::opened`].
    Image(Kind),
    /// Serial number and mileage, in a data block or a backup: see [`super::Guide::took_data`].
    Data,
}

/// What is not at hand and could be fetched.
#[derive(Debug, Default)]
pub(super) enum Fetchable {
    #[default]
    Nothing,
    /// This, in words.
    Offered(String),
    /// The user wants it.
    Wanted,
}

/// How a task failed.
#[derive(Debug)]
pub struct TaskError {
    /// What happened.
    pub error: ops::Error,
    /// What the board is now.
    pub board: BoardState,
}
