//! What the tasks of the guided job need of the face that shows its cards.

use std::time::Duration;

use m365_drv::{
    board::progress::Event,
    guide::{CardName, Guide},
    ops,
};

use crate::cli::Context;

/// What shows the cards.
pub(crate) trait Face {
    /// An event has come, which the guide knows of; before it this card was shown. What is returned is printed.
    fn on(&mut self, guide: &Guide, before: CardName, event: &Event) -> Option<String>;

    /// Tells the user something about the wait for a file.
    fn tell(&mut self, context: &mut Context, words: &str);

    /// Whether the user gives up the wait for a file within this time.
    fn gives_up(&mut self, context: &Context, time: Duration) -> Result<bool, ops::Error>;
}
