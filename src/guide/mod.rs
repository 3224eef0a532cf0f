//! The guided job: a conversation, card by card, with somebody who has never used this program.
//!
//! A [`Guide`] decides only what is asked and shown next. Whoever shows the cards, in a terminal or in a browser, does the
//! [`Task`]s in between with [`crate::ops`], and hands over what came of them.

mod card;
pub mod coach;
pub mod consent;
mod draw;
pub mod scooter_errors;
mod seen;

use std::{error::Error as _, path::PathBuf};

pub use self::card::{Card, CardName, Choosable, Picture, Question};
use self::seen::Seen;
use crate::{
    block::{Mileage, Serial, Uid},
    board::{BoardState, progress::Event},
    image::{Image, Kind, RehearsalImages},
    ops::{self, After, BackupStore, Extent, FlashPreview, FlashReport, FlashRequest, InfoReport, Wanted, Watchdog},
    target::Target,
};

/// What to read before a wire touches the board, as `explain safety` shows it.
pub const SAFETY: &str = include_str!("safety.txt");
/// Which pad goes where, as `explain wiring` shows it.
pub const WIRING: &str = include_str!("wiring.txt");

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
    /// Find the images at hand for this scooter, then call [`Guide::at_hand`].
    Search(&'static Target),
    /// Fetch what is not at hand for this scooter, then call [`Guide::fetched`].
    Fetch(&'static Target),
    /// Read this file as an image of this kind, then call [`Guide::opened`].
    Open(PathBuf, Kind),
    /// Do [`ops::info`], waiting for probe and board as long as it takes, then call [`Guide::looked`].
    Look,
    /// Do [`ops::preview`] with [`Guide::request`], waiting likewise, then call [`Guide::previewed`].
    Preview,
    /// Do [`ops::flash`] with [`Guide::request`], waiting for the board with the UID of [`Guide::uid`], then call
    /// [`Guide::flashed`].
    Flash,
}

/// What is not at hand and could be fetched.
#[derive(Debug, Default)]
enum Fetchable {
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

/// The guided job.
#[derive(Debug, Default)]
pub struct Guide {
    /// The cards that were shown, the present one last.
    path: Vec<CardName>,
    rehearsal: RehearsalImages,
    saves: bool,
    /// The error code that the scooter shows.
    code: Option<u8>,
    scooter: Option<&'static Target>,
    /// What was found on the board, if the scooter was not known before.
    looked: Option<InfoReport>,
    /// The DRV images at hand for the scooter; none before they were searched for.
    offers: Option<Vec<Offer>>,
    to_fetch: Fetchable,
    /// Which image is being chosen, and the file that was named for it.
    wanted: Option<Kind>,
    file: Option<PathBuf>,
    boot: Vec<Image>,
    drv: Vec<Image>,
    serial: Option<Serial>,
    mileage: Option<Mileage>,
    /// Whether the board has neither.
    has_no_data: bool,
    /// Whether the board of another scooter is to become this one.
    takes_other: bool,
    seen: Seen,
    preview: Option<FlashPreview>,
    report: Option<FlashReport>,
    failed: Option<TaskError>,
    objection: Option<String>,
}

impl Guide {
    /// Begins. In a rehearsal our own images will do. `saves` tells whether a backup is made before the board is changed.
    pub fn new(rehearsal: RehearsalImages, saves: bool) -> Self {
        Self { rehearsal, saves, path: vec![CardName::Welcome], ..Self::default() }
    }

    /// Which card is shown.
    pub fn at(&self) -> CardName {
        self.path.last().copied().unwrap_or(CardName::End)
    }

    /// Whether there is nothing more to show.
    pub fn is_over(&self) -> bool {
        self.at() == CardName::End
    }

    /// The chip that was agreed to be changed.
    pub fn uid(&self) -> Option<Uid> {
        self.preview.as_ref().map(|preview| preview.board.uid)
    }

    /// What was done, if that went well.
    pub fn report(&self) -> Option<&FlashReport> {
        self.report.as_ref()
    }

    /// How the last task failed, for whoever ends now.
    pub fn into_failure(self) -> Option<TaskError> {
        self.failed
    }

    /// What has to be done now, if anything.
    pub fn task(&self) -> Option<Task> {
        match self.at() {
            CardName::Firmware if matches!(self.to_fetch, Fetchable::Wanted) => self.scooter.map(Task::Fetch),
            CardName::Firmware if self.offers.is_none() => self.scooter.map(Task::Search),
            CardName::File => self.file.clone().map(|file| Task::Open(file, self.kind())),
            CardName::Wiring | CardName::Contact | CardName::Board if self.preview.is_none() => {
                Some(if self.scooter.is_some() { Task::Preview } else { Task::Look })
            }
            CardName::Work => Some(Task::Flash),
            _ => None,
        }
    }

    /// What the board is to hold, and what may be done for it; `None` before the scooter is known.
    pub fn request(&self, backups: BackupStore) -> Option<FlashRequest<'_>> {
        let wanted = Wanted {
            target: self.scooter?,
            boot: &self.boot,
            drv: &self.drv,
            data: None,
            serial: self.serial,
            mileage: self.mileage,
            forced: if self.takes_other { vec![ops::OTHER_SCOOTER.to_owned()] } else { vec![] },
            rehearsal: self.rehearsal,
        };
        // Whoever agreed to a plan without an erase has agreed to none.
        let needs = self.preview.as_ref().and_then(|preview| preview.needs);
        let consent = needs.filter(|_| self.is_agreed()).map(ops::Obstacle::consent);
        let (extent, after, watchdog) = (Extent::Changes, After::Run, Watchdog::Keep);
        Some(FlashRequest { wanted, consent, extent, backups, after, watchdog })
    }

    /// Takes an event of the running task.
    pub fn on(&mut self, event: &Event) {
        self.seen.note(event);
        let next = match event {
            Event::Probe { .. } if self.at() == CardName::Wiring => CardName::Contact,
            Event::Board { .. } if [CardName::Wiring, CardName::Contact].contains(&self.at()) => CardName::Board,
            _ => return,
        };
        self.replace(next);
    }

    /// Goes back to the card before, unless the work has begun. Returns whether there is one.
    pub fn back(&mut self) -> bool {
        if !self.can_go_back() {
            return false;
        }
        self.path.pop();
        self.drop_looks();
        (self.preview, self.objection, self.file) = (None, None, None);
        true
    }

    /// Whether there is a card to go back to.
    pub fn can_go_back(&self) -> bool {
        self.path.len() > 1 && ![CardName::Work, CardName::Done, CardName::Failed].contains(&self.at())
    }

    /// Takes the answer to the card's question: the key of an answer, or the text that was typed. What cannot be accepted
    /// becomes the card's objection. A card without a question takes any answer.
    pub fn answer(&mut self, answer: &str) {
        self.objection = None;
        let text = answer.trim();
        if let Some(Question::OneOf { options, .. }) = self.card().question
            && self.at() != CardName::Scooter
            && !(self.at() == CardName::Firmware && is_path(text))
            && options.iter().all(|option| option.key != text)
        {
            self.objection = Some(format!("invalid answer {text:?}: type one of the numbers"));
            return;
        }
        match (self.at(), text) {
            (CardName::Welcome, "code") => self.go(CardName::Code),
            (CardName::Welcome, "end") | (CardName::Meaning | CardName::Safety, "no") => self.end(),
            (CardName::Welcome | CardName::Meaning, _) => self.go(CardName::Safety),
            (CardName::Code, _) => self.take_code(text),
            (CardName::Safety, "yes") => self.go(CardName::Scooter),
            (CardName::Scooter, "unknown") => self.go(CardName::Wiring),
            (CardName::Scooter, _) => self.take_scooter(text),
            (CardName::Firmware, "file") => self.go(CardName::File),
            (CardName::Firmware, "fetch") => self.to_fetch = Fetchable::Wanted,
            (CardName::Firmware, "keep") => {
                self.wanted = None;
                self.look_again();
            }
            (CardName::Firmware, _) if is_path(text) => {
                self.go(CardName::File);
                self.answer(text);
            }
            (CardName::Firmware, _) => self.take_offer(text),
            (CardName::File, _) => self.file = Some(PathBuf::from(unquoted(text))),
            (CardName::Serial, _) => self.take_serial(text),
            (CardName::Mileage, _) => match Mileage::parse_km(text) {
                Ok(mileage) => {
                    self.mileage = Some(mileage);
                    self.look_again();
                }
                Err(error) => self.objection = Some(error.to_string()),
            },
            (CardName::Board, _) => self.go(CardName::Plan),
            (CardName::Plan, _) => self.take_consent(text),
            (CardName::Failed, "again") => self.again(),
            (CardName::Done, "another") => *self = Self::new(self.rehearsal, self.saves),
            (CardName::Failed | CardName::Done, _) => self.end(),
            _ => {}
        }
    }

    /// The images that were found for the scooter, and what could be fetched besides, in words.
    pub fn at_hand(&mut self, boot: Vec<Offer>, drv: Vec<Offer>, to_fetch: Option<String>) {
        self.to_fetch = to_fetch.map_or(Fetchable::Nothing, Fetchable::Offered);
        self.boot = boot.into_iter().map(|offer| offer.image).collect();
        self.offers = Some(drv);
    }

    /// Whether what is not at hand was fetched, or why not.
    pub fn fetched(&mut self, fetched: Result<(), String>) {
        (self.to_fetch, self.offers) = (Fetchable::Nothing, None);
        self.objection = fetched.err();
    }

    /// The file that was named, or why it cannot be used.
    pub fn opened(&mut self, image: Result<Image, String>) {
        self.file = None;
        match image {
            Ok(image) => self.take_image(image),
            Err(why) => self.objection = Some(why),
        }
    }

    /// What was found on a board of a scooter that is not known.
    pub fn looked(&mut self, found: Result<InfoReport, TaskError>) {
        match found {
            Ok(found) => {
                self.looked = Some(found);
                self.replace(CardName::Scooter);
            }
            Err(failed) => self.fail(failed),
        }
    }

    /// What would be done. What is missing or does not fit is asked for again.
    pub fn previewed(&mut self, preview: Result<FlashPreview, TaskError>) {
        let failed = match preview {
            Ok(preview) => {
                self.preview = Some(preview);
                return self.replace(CardName::Board);
            }
            Err(failed) => failed,
        };
        self.has_no_data = matches!(failed.error, ops::Error::NoSerial);
        let card = match &failed.error {
            ops::Error::NoSerial | ops::Error::BadSerial(_) | ops::Error::SeveralSerials(_) => CardName::Serial,
            ops::Error::NoMileage => CardName::Mileage,
            ops::Error::NoImage { kind, .. }
            | ops::Error::Gate { kind, .. }
            | ops::Error::SeveralImages { kind, .. } => {
                self.wanted = Some(*kind);
                CardName::Firmware
            }
            ops::Error::OtherScooter { .. } => CardName::Scooter,
            _ => return self.fail(failed),
        };
        // The question itself shows that it is missing.
        let is_missing = matches!(failed.error, ops::Error::NoSerial | ops::Error::NoMileage);
        self.objection = Some(in_full(&failed.error)).filter(|_| !is_missing);
        self.replace(card);
    }

    /// What was done.
    pub fn flashed(&mut self, report: Result<FlashReport, TaskError>) {
        match report {
            Ok(report) => {
                self.report = Some(report);
                self.go(CardName::Done);
            }
            // The board was locked after the plan was made: there is another one to agree to.
            Err(TaskError { error: ops::Error::Consent { .. } | ops::Error::LockedMeanwhile { .. }, .. }) => {
                self.path.retain(|card| ![CardName::Work, CardName::Plan].contains(card));
                self.drop_looks();
                self.look_again();
            }
            Err(failed) => self.fail(failed),
        }
    }

    /// The kind of image that is being chosen.
    fn kind(&self) -> Kind {
        self.wanted.unwrap_or(Kind::Drv)
    }

    fn go(&mut self, card: CardName) {
        self.path.push(card);
    }

    /// Shows another card in place of the present one.
    fn replace(&mut self, card: CardName) {
        self.path.pop();
        self.path.push(card);
    }

    fn end(&mut self) {
        self.go(CardName::End);
    }

    fn fail(&mut self, failed: TaskError) {
        self.failed = Some(failed);
        self.go(CardName::Failed);
    }

    /// Whether the plan was agreed to.
    fn is_agreed(&self) -> bool {
        self.path.contains(&CardName::Work)
    }

    /// Removes the cards that the next look at the board shows again.
    fn drop_looks(&mut self) {
        while self.path.len() > 1 && [CardName::Wiring, CardName::Contact, CardName::Board].contains(&self.at()) {
            self.path.pop();
        }
    }

    /// Looks at the board with what is known now.
    fn look_again(&mut self) {
        (self.preview, self.seen) = (None, Seen::default());
        self.go(CardName::Wiring);
    }

    /// Tries again after a failure: what was agreed to is continued.
    fn again(&mut self) {
        (self.failed, self.seen) = (None, Seen::default());
        self.path.retain(|card| *card != CardName::Failed);
        if self.is_agreed() {
            self.go(CardName::Work);
        } else {
            self.drop_looks();
            self.look_again();
        }
    }

    fn take_code(&mut self, text: &str) {
        match text.parse().ok().filter(|code| scooter_errors::find(*code).is_some()) {
            Some(code) => {
                self.code = Some(code);
                self.go(CardName::Meaning);
            }
            None => self.objection = Some(format!("unknown error code {text:?}: see `m365-drv explain` for the list")),
        }
    }

    fn take_scooter(&mut self, text: &str) {
        let name = text.strip_prefix("force ").unwrap_or(text);
        match Target::named(name) {
            Ok(scooter) => {
                self.takes_other = name != text;
                if self.scooter.replace(scooter).is_none_or(|before| before.name != scooter.name) {
                    (self.offers, self.wanted) = (None, None);
                    (self.boot, self.drv) = (vec![], vec![]);
                }
                if self.takes_other { self.look_again() } else { self.go(CardName::Firmware) }
            }
            Err(error) => self.objection = Some(error.to_string()),
        }
    }

    fn take_offer(&mut self, text: &str) {
        let number = text.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        let offer = number.and_then(|index| self.offers.as_ref()?.get(index));
        if let Some(image) = offer.map(|offer| offer.image.clone()) {
            self.take_image(image);
        }
    }

    fn take_image(&mut self, image: Image) {
        if self.at() == CardName::File {
            self.path.pop();
        }
        match self.kind() {
            Kind::Boot => self.boot = vec![image],
            _ => self.drv = vec![image],
        }
        self.wanted = None;
        self.look_again();
    }

    fn take_serial(&mut self, text: &str) {
        let Some(scooter) = self.scooter else { return };
        match scooter.serial.read(text) {
            Ok(serial) => {
                self.serial = Some(serial);
                if self.has_no_data && self.mileage.is_none() {
                    self.go(CardName::Mileage);
                } else {
                    self.look_again();
                }
            }
            Err(error) => self.objection = Some(error.to_string()),
        }
    }

    fn take_consent(&mut self, text: &str) {
        let needs = self.preview.as_ref().and_then(|preview| preview.needs);
        let agrees = match needs {
            Some(obstacle) => text.eq_ignore_ascii_case(consent::word(obstacle)),
            None => text == "yes",
        };
        match needs {
            _ if agrees => self.go(CardName::Work),
            Some(obstacle) if !["", "no", "stop"].contains(&text) => {
                self.objection = Some(format!("{text:?} is not `{}`", consent::word(obstacle)));
            }
            _ => self.end(),
        }
    }
}

/// Whether this looks like the path of a file and not like an answer.
fn is_path(text: &str) -> bool {
    text.contains(['/', '\\', '.'])
}

/// An error with its causes.
fn in_full(error: &ops::Error) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

/// A path as it arrives when a file is dropped onto a terminal: in quotes, or with a backslash before each space.
fn unquoted(text: &str) -> String {
    for quote in ['"', '\''] {
        if let Some(inner) = text.strip_prefix(quote).and_then(|text| text.strip_suffix(quote)) {
            return inner.to_owned();
        }
    }
    if cfg!(windows) { text.to_owned() } else { text.replace("\\ ", " ") }
}

#[cfg(test)]
mod tests;
