//! What becomes of each answer.

use super::{CardName, Fetchable, Guide, Place, Question, consent, scooter_errors, typed_path};
use crate::{
    block::Mileage,
    image::{Image, Kind},
    target::Target,
};

impl Guide {
    /// Takes the answer to the card's question: the key of an answer, or the text that was typed. What cannot be accepted
    /// becomes the card's objection. A card without a question takes any answer.
    pub fn answer(&mut self, answer: &str) {
        self.objection = None;
        let text = answer.trim();
        if let Some(Question::OneOf { options, .. }) = self.card().question
            && self.at() != CardName::Scooter
            && !(self.at() == CardName::Firmware && self.is_path(text))
            && options.iter().all(|option| option.key != text)
        {
            self.objection = Some(format!("invalid answer {text:?}: type one of the numbers"));
            return;
        }
        match (self.at(), text) {
            (CardName::Welcome, "code") => self.go(CardName::Code),
            (CardName::Welcome | CardName::Firmware, "end") | (CardName::Meaning | CardName::Safety, "no") => {
                self.end();
            }
            (CardName::Welcome | CardName::Meaning, _) => self.go(CardName::Safety),
            (CardName::Code, _) => self.take_code(text),
            (CardName::Safety, "yes") => self.go(CardName::Scooter),
            (CardName::Scooter, "unknown") => self.go(CardName::Wiring),
            (CardName::Scooter, _) => self.take_scooter(text),
            (CardName::Firmware | CardName::Builder, "file") => self.go(CardName::File),
            (CardName::Firmware, "builder") => self.go(CardName::Builder),
            (CardName::Firmware, "scooter") => self.choose_other_scooter(),
            (CardName::Builder, "watch") => self.go(CardName::Download),
            (CardName::Builder, _) => drop(self.back()),
            (CardName::Firmware, "fetch") => self.to_fetch = Fetchable::Wanted,
            (CardName::Firmware, "keep") => {
                self.wanted = None;
                self.look_again();
            }
            (CardName::Firmware, _) if self.is_path(text) => {
                self.go(CardName::File);
                self.answer(text);
            }
            (CardName::Firmware, _) => self.take_offer(text),
            (CardName::File, _) if self.place == Place::Page => drop(self.back()),
            (CardName::File, _) => self.file = Some(typed_path::read(text, self.places.home.as_deref())),
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
            (CardName::Done, "another") => {
                let new = Self::new(self.rehearsal, self.saves).shown_in(self.place);
                *self = new.with_places(std::mem::take(&mut self.places));
            }
            (CardName::Failed | CardName::Done, _) => self.end(),
            _ => {}
        }
    }

    /// Whether this was typed as the path of a file.
    fn is_path(&self, text: &str) -> bool {
        self.place == Place::Terminal && typed_path::is_path(text)
    }

    fn take_code(&mut self, text: &str) {
        if text.is_empty() {
            return self.go(CardName::Safety);
        }
        match text.parse().ok().filter(|code| scooter_errors::find(*code).is_some()) {
            Some(code) => {
                self.code = Some(code);
                self.go(CardName::Meaning);
            }
            None => {
                self.objection =
                    Some(format!("unknown error code {text:?}: type another, or nothing to continue without one"));
            }
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
            Err(_) if text.parse::<u32>().is_ok() => {
                self.objection = Some(format!("invalid answer {text:?}: type one of the numbers"));
            }
            Err(error) => self.objection = Some(error.to_string()),
        }
    }

    fn take_offer(&mut self, text: &str) {
        let number = text.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        let offer = number.and_then(|index| self.shown_offers().nth(index));
        if let Some(image) = offer.map(|offer| offer.image.clone()) {
            self.take_image(image);
        }
    }

    pub(super) fn take_image(&mut self, image: Image) {
        self.leave_file();
        match self.kind() {
            Kind::Boot => self.boot = vec![image],
            _ => self.drv = vec![image],
        }
        self.wanted = None;
        self.look_again();
    }

    /// Back to the card where firmware is chosen.
    pub(super) fn leave_file(&mut self) {
        while [CardName::File, CardName::Builder, CardName::Download].contains(&self.at()) {
            self.path.pop();
        }
    }

    /// Back to the card where the scooter is chosen.
    fn choose_other_scooter(&mut self) {
        while self.path.len() > 1 && self.at() != CardName::Scooter {
            self.path.pop();
        }
        self.drop_looks();
        self.preview = None;
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
