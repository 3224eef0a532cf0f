//! The guided job: a conversation, card by card, with somebody who has never used this program.
//!
//! A [`Guide`] decides only what is asked and shown next. What shows the cards, in a terminal or in a browser, does the
//! [`Task`]s in between with [`crate::ops`], and hands over what came of them.

mod answers;
mod card;
pub mod coach;
pub mod consent;
mod draw;
mod draw_firmware;
mod draw_work;
pub mod ending;
pub mod scooter_errors;
mod seen;
mod task;
mod typed_path;

use std::{
    error::Error as _,
    path::{Path, PathBuf},
};

pub use self::{
    card::{Card, CardName, Choosable, Picture, Question},
    draw_work::state_in_words,
    task::{Handover, Offer, Task, TaskError},
};
use self::{seen::Seen, task::Fetchable};
use crate::{
    block::{DataBlock, Mileage, Serial, Uid},
    board::{BoardState, ChipKind, progress::Event},
    image::{Image, Kind, RehearsalImages},
    ops::{self, After, BackupStore, Extent, FlashPreview, FlashReport, FlashRequest, InfoReport, Wanted, Watchdog},
    printable::quoted_path,
    target::Target,
};

/// What to read before a wire touches the board, as `explain safety` shows it.
pub const SAFETY: &str = include_str!("safety.txt");
/// Which pad goes where, as `explain wiring` shows it.
pub const WIRING: &str = include_str!("wiring.txt");

/// The folders of the user that the guided job knows of.
#[derive(Debug, Clone, Default)]
pub struct Places {
    /// The one that `~` stands for.
    pub home: Option<PathBuf>,
    /// Where the browser puts what it downloads.
    pub downloads: Option<PathBuf>,
}

/// Where the cards are shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Place {
    /// In a terminal, where paths of files are typed.
    #[default]
    Terminal,
    /// On a page in a browser, which is given files, not paths.
    Page,
}

/// The images that were chosen: a copy, so that the guide can take events while a procedure uses them.
#[derive(Debug, Default)]
pub struct ChosenImages {
    boot: Vec<Image>,
    drv: Vec<Image>,
}

/// The guided job.
#[derive(Debug, Default)]
pub struct Guide {
    /// The cards that were shown, the present one last.
    path: Vec<CardName>,
    rehearsal: RehearsalImages,
    saves: bool,
    places: Places,
    place: Place,
    /// The error code that the scooter shows.
    code: Option<u8>,
    scooter: Option<&'static Target>,
    /// What was found on the board, if the scooter was not known before.
    looked: Option<InfoReport>,
    /// The chip on the board, once it has answered.
    chip: Option<ChipKind>,
    /// The DRV images at hand for the scooter; none before they were searched for.
    offers: Option<Vec<Offer>>,
    /// The bootloaders at hand.
    boot_offers: Vec<Offer>,
    to_fetch: Fetchable,
    /// Which image is being chosen, and the file that was named for it.
    wanted: Option<Kind>,
    file: Option<PathBuf>,
    boot: Vec<Image>,
    drv: Vec<Image>,
    /// The data block of a backup that was handed over.
    data: Option<DataBlock>,
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

    /// With the folders of the user.
    #[must_use]
    pub fn with_places(self, places: Places) -> Self {
        Self { places, ..self }
    }

    /// For cards that are shown here.
    #[must_use]
    pub fn shown_in(self, place: Place) -> Self {
        Self { place, ..self }
    }

    /// Which card is shown.
    pub fn at(&self) -> CardName {
        self.path.last().copied().unwrap_or(CardName::End)
    }

    /// Whether there is nothing more to show.
    pub fn is_over(&self) -> bool {
        self.at() == CardName::End
    }

    /// The scooter that was chosen.
    pub fn scooter(&self) -> Option<&'static Target> {
        self.scooter
    }

    /// The chip that was agreed to be changed.
    pub fn uid(&self) -> Option<Uid> {
        self.preview.as_ref().map(|preview| preview.board.uid)
    }

    /// What was done, if that went well.
    pub fn report(&self) -> Option<&FlashReport> {
        self.report.as_ref()
    }

    /// How the last task failed, if that is shown.
    pub fn failure(&self) -> Option<&TaskError> {
        self.failed.as_ref()
    }

    /// How the last task failed, if the job ends with that failure.
    pub fn into_failure(self) -> Option<TaskError> {
        self.failed
    }

    /// What has to be done now, if anything.
    pub fn task(&self) -> Option<Task> {
        match self.at() {
            CardName::Firmware if matches!(self.to_fetch, Fetchable::Wanted) => self.scooter.map(Task::Fetch),
            CardName::Firmware if self.offers.is_none() => self.scooter.map(Task::Search),
            CardName::File => self.file.clone().map(|file| Task::Open(file, self.kind())),
            CardName::Download => Some(Task::Watch(self.places.downloads.clone()?, self.scooter?)),
            CardName::Wiring | CardName::Contact | CardName::Board if self.preview.is_none() => {
                Some(match (self.seen.is_held, self.scooter) {
                    (false, _) => Task::Contact,
                    (true, Some(_)) => Task::Preview,
                    (true, None) => Task::Look,
                })
            }
            CardName::Work => Some(Task::Flash),
            _ => None,
        }
    }

    /// The images that were chosen.
    pub fn chosen(&self) -> ChosenImages {
        ChosenImages { boot: self.boot.clone(), drv: self.drv.clone() }
    }

    /// What the board is to hold, and what may be done for it; `None` before the scooter is known.
    pub fn request<'a>(&self, chosen: &'a ChosenImages, backups: BackupStore) -> Option<FlashRequest<'a>> {
        let wanted = Wanted {
            target: self.scooter?,
            boot: &chosen.boot,
            drv: &chosen.drv,
            data: self.data.clone(),
            serial: self.serial,
            mileage: self.mileage,
            forced: if self.takes_other { vec![ops::OTHER_SCOOTER.to_owned()] } else { vec![] },
            rehearsal: self.rehearsal,
        };
        // Consent to a plan without an erase is not consent to an erase.
        let needs = self.preview.as_ref().and_then(|preview| preview.needs);
        let consent = needs.filter(|_| self.is_agreed()).map(ops::Obstacle::consent);
        let (extent, after, watchdog) = (Extent::Changes, After::Run, Watchdog::Keep);
        Some(FlashRequest { wanted, consent, extent, backups, after, watchdog })
    }

    /// Takes an event of the running task.
    pub fn on(&mut self, event: &Event) {
        self.seen.note(event);
        if let Event::Board { chip, .. } = event {
            self.chip = ChipKind::ALL.into_iter().find(|kind| kind.name() == *chip);
        }
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

    /// The images that were found for the scooter, and what could be fetched besides, in words.
    pub fn at_hand(&mut self, boot: Vec<Offer>, drv: Vec<Offer>, to_fetch: Option<String>) {
        self.to_fetch = to_fetch.map_or(Fetchable::Nothing, Fetchable::Offered);
        self.boot = boot.iter().map(|offer| offer.image.clone()).collect();
        (self.boot_offers, self.offers) = (boot, Some(drv));
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

    /// What a file that is handed over now could be; `None` if nothing is asked that a file answers.
    pub fn takes(&self) -> Option<Handover> {
        match self.at() {
            CardName::Firmware | CardName::File | CardName::Builder | CardName::Download => {
                Some(Handover::Image(self.kind()))
            }
            CardName::Serial | CardName::Mileage => Some(Handover::Data),
            _ => None,
        }
    }

    /// The data block of a file that was handed over, or why there is none.
    pub fn took_data(&mut self, block: Result<DataBlock, String>) {
        match block {
            Ok(block) => {
                (self.data, self.serial, self.mileage, self.objection) = (Some(block), None, None, None);
                self.look_again();
            }
            Err(why) => self.objection = Some(why),
        }
    }

    /// The backup that this job has made.
    pub fn backup(&self) -> Option<&Path> {
        self.seen.backup.as_deref()
    }

    /// The images of the wanted kind in the folder that was named, or why it cannot be read. One is taken; of several one has
    /// to be chosen.
    pub fn found_in_folder(&mut self, found: Result<Vec<Offer>, String>) {
        let folder = self.file.take().unwrap_or_default();
        match found {
            Err(why) => self.objection = Some(why),
            Ok(found) if found.is_empty() => {
                let kind = self.kind();
                self.objection = Some(format!("no {kind} image for this scooter in {}", quoted_path(&folder)));
            }
            Ok(mut found) if found.len() == 1 => self.take_image(found.remove(0).image),
            Ok(found) => {
                self.leave_file();
                match self.kind() {
                    Kind::Boot => self.boot_offers = found,
                    _ => self.offers = Some(found),
                }
            }
        }
    }

    /// The image that has arrived in the Downloads folder; `None` if the user does not wait any longer, or why it cannot be
    /// watched.
    pub fn arrived(&mut self, image: Result<Option<Image>, String>) {
        match image {
            Ok(Some(image)) => self.take_image(image),
            Ok(None) => self.replace_waiting(None),
            Err(why) => self.replace_waiting(Some(why)),
        }
    }

    /// Back to the card before the wait for a file.
    fn replace_waiting(&mut self, objection: Option<String>) {
        self.path.pop();
        self.objection = objection;
    }

    /// Whether contact was good for long enough, or why not.
    pub fn contacted(&mut self, held: Result<(), TaskError>) {
        match held {
            Ok(()) => self.seen.is_held = true,
            Err(failed) => self.fail(failed),
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
                (self.report, self.failed) = (Some(report), None);
                self.go(CardName::Done);
            }
            // The board was locked after the plan was made: there is another one to agree to.
            Err(failed @ TaskError { error: ops::Error::Consent { .. } | ops::Error::LockedMeanwhile { .. }, .. }) => {
                // How it ends if that is refused: the board may be partly written.
                self.failed = Some(failed).filter(|failed| failed.board != BoardState::Untouched);
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

#[cfg(test)]
mod tests;
