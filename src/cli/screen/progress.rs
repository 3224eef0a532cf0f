//! What happens to each event of a procedure: it is logged, and one of the voices shows it.

use std::time::Instant;

use m365_drv::{
    board::progress::{Event, Progress, SkipReason, Step, Warning},
    guide::coach::Meter,
};

use super::{
    failure::escaped,
    logging,
    phases::Phases,
    stderr,
    voice::{Voice, WaitingStep},
};

/// Tells the user what a procedure does.
pub(crate) struct Teller {
    voice: Box<dyn Voice>,
    phases: Phases,
    /// Since when the step waits.
    waits_since: Option<Instant>,
    warned: Vec<Warning>,
    is_rehearsal: bool,
    is_between_boards: bool,
}

impl Teller {
    pub(crate) fn new(voice: Box<dyn Voice>) -> Self {
        Self {
            voice,
            phases: Phases::default(),
            waits_since: None,
            warned: Vec::new(),
            is_rehearsal: false,
            is_between_boards: false,
        }
    }

    /// Whether the next of several boards is waited for.
    pub(crate) fn awaits_a_board(&mut self, awaits: bool) {
        self.is_between_boards = awaits;
    }

    /// The board is a simulated one.
    pub(crate) fn rehearses(&mut self) {
        self.is_rehearsal = true;
    }

    /// Says something for a person to know; scripts know it from the hello line.
    pub(crate) fn say(&mut self, words: &str) {
        self.voice.say(&escaped(words));
    }

    /// Shows a page among what the procedure tells.
    pub(crate) fn show(&mut self, page: &str) {
        self.voice.say(page);
    }

    /// The procedure has ended, perhaps in the middle of a step.
    pub(crate) fn rest(&mut self) {
        self.voice.rest();
    }

    /// The table of the phases so far, which is for the eye: scripts have the `step` lines.
    pub(crate) fn tell_phases(&self) {
        if !self.phases.is_empty() {
            stderr::line(&self.phases.to_string());
        }
    }

    /// Why a step is skipped, in words.
    fn reason(&self, step: Step, why: SkipReason) -> &'static str {
        match (why, step) {
            (SkipReason::NothingToDo, Step::Backup) => "skipped: nothing changes",
            (SkipReason::NothingToDo, _) => "nothing to do",
            (SkipReason::NotWanted, Step::Backup) if self.is_rehearsal => "skipped: not needed for a simulated board",
            (SkipReason::NotWanted, Step::Backup) => "skipped (--no-backup)",
            (SkipReason::NotWanted, _) => "skipped (--no-run)",
        }
    }

    /// Whether a warning was not given yet. Work that is done again after a question or after contact was lost would give it
    /// again; only that contact was lost is news each time.
    fn is_news(&mut self, warning: &Warning) -> bool {
        let is_news = warning.name == "contact-lost" || !self.warned.contains(warning);
        if is_news {
            self.warned.push(warning.clone());
        }
        is_news
    }
}

impl Progress for Teller {
    fn on(&mut self, event: Event) {
        self.phases.note(&event);
        logging::record(&event);
        match &event {
            Event::Started { step } => {
                self.waits_since = None;
                self.voice.started(*step);
            }
            Event::Advanced { done_bytes, total_bytes, .. } => self.voice.advanced(*done_bytes, *total_bytes),
            Event::Finished { step, .. } => self.voice.ended(*step, &self.phases.last_in_words()),
            Event::Skipped { step, why } => {
                let why = self.reason(*step, *why);
                self.voice.ended(*step, why);
            }
            Event::Waiting { attempts, need, .. } => {
                let since = *self.waits_since.get_or_insert_with(Instant::now);
                self.voice.waiting(WaitingStep { attempts: *attempts, since, need: *need });
            }
            Event::Warning(warning) if !self.is_news(warning) => return,
            Event::Warning(warning) => {
                let yellow = anstyle::AnsiColor::Yellow.on_default().bold();
                self.voice.say(&format!("{yellow}warning:{yellow:#} {}", escaped(&warning.message)));
            }
            Event::ContactFree => self.voice.contact_free(),
            Event::Contact { .. } => {
                if let Some(meter) = Meter::of(&event) {
                    self.voice.contact(Meter { is_between_boards: self.is_between_boards, ..meter });
                }
            }
            // For programs; a person sees the steps.
            Event::Probe { .. }
            | Event::Board { .. }
            | Event::Found(_)
            | Event::Backup { .. }
            | Event::Plan { .. }
            | Event::Page { .. } => {}
        }
        self.voice.event(&event);
    }
}

#[cfg(test)]
mod tests {
    use super::{super::voice::Mute, *};

    #[test]
    fn a_backup_that_is_skipped_has_a_reason() {
        let mut teller = Teller::new(Box::new(Mute));
        let all = [SkipReason::NothingToDo, SkipReason::NotWanted];
        let words = |teller: &Teller| all.map(|why| teller.reason(Step::Backup, why));
        assert_eq!(words(&teller), ["skipped: nothing changes", "skipped (--no-backup)"]);
        teller.rehearses();
        assert_eq!(words(&teller)[1], "skipped: not needed for a simulated board");
    }

    #[test]
    fn a_warning_is_given_once_and_lost_contact_each_time() {
        let mut teller = Teller::new(Box::new(Mute));
        let mut is_news = |name, message| teller.is_news(&Warning::new(name, message));
        assert!(is_news("region", "one") && is_news("region", "another"));
        assert!(!is_news("region", "one"));
        assert!(is_news("contact-lost", "a wire") && is_news("contact-lost", "a wire"));
    }
}
