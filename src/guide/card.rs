//! What is shown to the user at one moment of the guided job. A terminal and a page in a browser draw the same cards.

use serde::Serialize;

/// Which card it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CardName {
    /// What this is, and what is wrong with the scooter.
    Welcome,
    /// Which error code the scooter shows.
    Code,
    /// What that error code means.
    Meaning,
    /// What to do before a wire touches the board.
    Safety,
    /// Which scooter it is.
    Scooter,
    /// Which firmware to write.
    Firmware,
    /// Where a firmware file is.
    File,
    /// Where custom firmware is made, if that is wanted.
    Builder,
    /// Waiting for a file that the user makes in a browser.
    Download,
    /// How to connect the probe.
    Wiring,
    /// How good contact is.
    Contact,
    /// What was found on the board.
    Board,
    /// The serial number, if it could not be read.
    Serial,
    /// The mileage, if it could not be read.
    Mileage,
    /// What will be changed, and whether that is wanted.
    Plan,
    /// The work itself.
    Work,
    /// What was done.
    Done,
    /// Why it was not done.
    Failed,
    /// There is nothing more to show.
    End,
}

/// A picture that a face may show beside the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Picture {
    /// The pads on the board, and what connects to them.
    Pads,
    /// All pages of flash, and what becomes of them.
    Memory,
}

/// A card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Card {
    /// Which one it is.
    pub name: CardName,
    /// Its heading.
    pub title: String,
    /// Paragraphs, one after the other.
    pub text: Vec<String>,
    /// Facts: what each is called, and its value.
    pub facts: Vec<(&'static str, String)>,
    /// What belongs beside the text.
    pub picture: Option<Picture>,
    /// Why the last answer was not accepted, or what went wrong.
    pub objection: Option<String>,
    /// What is asked; without a question the next card follows by itself.
    pub question: Option<Question>,
}

/// What a card asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Question {
    /// One of several answers.
    OneOf {
        /// The answers, in the order in which they are shown.
        options: Vec<Choosable>,
        /// The answer that is preselected, if one is; the others need a deliberate choice.
        preselected: Option<usize>,
    },
    /// A text in a certain form.
    Text {
        /// What is asked for.
        label: &'static str,
        /// A text that would be accepted.
        example: String,
    },
    /// A word that has to be typed in full; anything else means no.
    Word {
        /// The word.
        word: &'static str,
    },
}

/// One of several answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Choosable {
    /// What [`super::Guide::answer`] takes for it.
    pub key: String,
    /// What it is called.
    pub label: String,
    /// What else is known about it; empty if nothing.
    pub detail: String,
}

impl Choosable {
    pub(super) fn new(key: impl Into<String>, label: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { key: key.into(), label: label.into(), detail: detail.into() }
    }
}
