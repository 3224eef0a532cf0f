//! What the events of the running work have told so far.

use std::path::PathBuf;

use super::coach::Meter;
use crate::{
    block::Uid,
    board::progress::{Event, Found},
};

/// What is known of probe, contact and board.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) probe: Option<String>,
    pub(super) contact: Option<Meter>,
    pub(super) board: Option<SeenBoard>,
    pub(super) found: Option<Found>,
    pub(super) backup: Option<PathBuf>,
    /// Whether contact was good for long enough.
    pub(super) is_held: bool,
    /// Whether the user may let go of the wires.
    pub(super) is_free: bool,
}

/// The board that answers.
#[derive(Debug)]
pub(super) struct SeenBoard {
    pub(super) chip: &'static str,
    pub(super) uid: Uid,
    pub(super) protection: &'static str,
}

impl Seen {
    pub(super) fn note(&mut self, event: &Event) {
        match event {
            Event::Probe { kind, .. } => self.probe = Some(kind.clone()),
            Event::Contact { .. } => self.contact = Meter::of(event),
            Event::Waiting { need, .. } => self.contact.get_or_insert_default().need = Some(*need),
            Event::Board { chip, uid, protection, .. } => {
                self.board = Some(SeenBoard { chip, uid: *uid, protection });
            }
            Event::Found(found) => self.found = Some((**found).clone()),
            Event::Backup { path } => self.backup = Some(path.clone()),
            Event::ContactFree => self.is_free = true,
            _ => {}
        }
    }
}
