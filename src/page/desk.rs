//! Where the wishes of the tabs go.

use serde_json::Value;

/// What a tab asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// An answer to the card with this number.
    Answer {
        /// The number of the card that was answered.
        number: u64,
        /// The key of an option, or what was typed.
        answer: String,
    },
    /// The card before the one with this number.
    Back {
        /// The number of the card that was shown.
        number: u64,
    },
    /// To use this file.
    File {
        /// Its name, without a folder.
        name: String,
        /// What is in it.
        bytes: Vec<u8>,
    },
    /// The page on a topic; without one the list of topics.
    Explain {
        /// The topic.
        topic: Option<String>,
    },
    /// The list of backups.
    Backups,
    /// A check of everything from the probe to the firmware.
    Doctor,
    /// The report of the last job.
    Report,
    /// The backup that the job has made.
    Backup,
    /// What a batch can be begun with, and whether one runs.
    Batch,
    /// To begin a batch.
    StartBatch {
        /// What to do, as the tab has it.
        how: Value,
    },
    /// To end the batch.
    StopBatch,
}

/// What becomes of a wish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// It is done, or what comes of it will be told to the feed.
    Done,
    /// An answer.
    Json(Value),
    /// A file to save.
    File {
        /// Its name.
        name: String,
        /// What is in it.
        bytes: Vec<u8>,
    },
    /// It cannot be done now, for this reason.
    Refused(String),
    /// It failed, for this reason.
    Failed(String),
    /// There is nothing of that kind.
    Missing,
}

/// What is behind the page.
pub trait Desk: Send + Sync + 'static {
    /// Does what a tab asks for. It may block; several may ask at a time.
    fn ask(&self, wish: Wish) -> Reply;
}
