//! The cards on which firmware is chosen.

use super::{
    Card, Choosable, Fetchable, Guide, Offer, Place, Question,
    draw::choice,
    scooter_errors::{self, NO_BATTERY_DATA},
};
use crate::{
    board::ChipKind,
    image::{Builder, Catalog, Kind},
    printable::quoted_path,
    target::Target,
};

impl Guide {
    /// The images that are offered now: of the wanted kind, and not those that are known not to run on the chip.
    pub(super) fn shown_offers(&self) -> impl Iterator<Item = &Offer> {
        let offers = match self.kind() {
            Kind::Boot => &self.boot_offers,
            _ => self.offers.as_deref().unwrap_or_default(),
        };
        offers.iter().filter(|offer| self.chip.is_none_or(|chip| may_run(offer, chip)))
    }

    pub(super) fn firmware(&self, card: &mut Card) {
        let is_boot = self.wanted == Some(Kind::Boot);
        card.title = if is_boot { "A bootloader is needed" } else { "Which firmware?" }.into();
        let what = if is_boot { "a bootloader" } else { "a firmware file" };
        let dead_end = self.scooter.zip(self.chip).filter(|(scooter, chip)| !is_published(scooter, self.kind(), *chip));
        if let Some((scooter, chip)) = dead_end {
            card.text.extend(no_firmware(scooter, self.kind(), chip));
        } else {
            card.text.push(format!(
                "This program contains no vendor firmware. It takes {what} as bin, hex, enc or zip, as it was downloaded."
            ));
        }
        let offers = self.shown_offers().enumerate();
        let mut options: Vec<_> =
            offers.map(|(at, offer)| Choosable::new((at + 1).to_string(), &offer.name, &offer.place)).collect();
        let mut preselected = options.len().saturating_sub(1);
        if let (Fetchable::Offered(what), None) = (&self.to_fetch, dead_end) {
            options.push(Choosable::new("fetch", "Fetch what is missing", what));
        }
        if self.scooter.is_some_and(|scooter| !is_boot && Builder::of(&scooter.name).is_some()) {
            if self.code == Some(NO_BATTERY_DATA) {
                preselected = options.len();
            }
            let detail = "for a battery without data line: error 21";
            options.push(Choosable::new("builder", "Make firmware without BMS communication", detail));
        }
        if self.code == Some(NO_BATTERY_DATA)
            && !is_boot
            && self.scooter.is_some_and(|scooter| Builder::of(&scooter.name).is_none())
        {
            card.text.push(
                "This program knows no web builder of firmware without BMS communication for this scooter. If you have such a \
                 file, use that file."
                    .into(),
            );
        }
        options.push(self.own_file());
        if dead_end.is_some() {
            options.push(Choosable::new("scooter", "Choose another scooter", ""));
            options.push(Choosable::new("end", "Stop here", "nothing was changed"));
        }
        let is_locked = self.seen.board.as_ref().is_some_and(|board| board.protection != "none");
        if !is_boot && !is_locked {
            options.push(Choosable::new("keep", "Keep the firmware on the board", "only possible if it can be read"));
        }
        card.question = Some(Question::OneOf { options, preselected: Some(preselected) });
    }

    /// The answer with which the user gives a file.
    fn own_file(&self) -> Choosable {
        match self.place {
            Place::Terminal => {
                Choosable::new("file", "Use a file or folder", "drop it onto this window, or type its path")
            }
            Place::Page => Choosable::new("file", "Use a file", "drop it onto this page, or choose it"),
        }
    }

    pub(super) fn file(&self, card: &mut Card) {
        card.title = "Where is the file?".into();
        if self.place == Place::Page {
            card.text.push("Drop the file onto this page, or choose it: bin, hex, enc or zip.".into());
            card.question = Some(choice(None, [("other", "Choose other firmware", "")]));
            return;
        }
        let (label, example) = match self.wanted {
            Some(Kind::Boot) => ("path of the bootloader file", "boot.bin"),
            _ => ("path of the firmware file", "~/Downloads/DRV155.bin"),
        };
        card.question = Some(Question::Text { label, example: example.into() });
    }

    pub(super) fn builder(&self, card: &mut Card) {
        card.title = "Custom firmware".into();
        let Some(builder) = self.scooter.and_then(|scooter| Builder::of(&scooter.name)) else { return };
        card.text.push("This program cannot fetch custom firmware: you make it in a browser.".into());
        card.text.push(builder.in_words());
        card.text.push(scooter_errors::WITHOUT_BMS.into());
        card.facts.push(("more", builder.more.clone()));
        let mut options = Vec::new();
        if let Some(folder) = &self.places.downloads {
            let detail = format!("{}; only new firmware files in it are read", quoted_path(folder));
            options.push(Choosable::new("watch", "Watch the Downloads folder for it", detail));
        }
        options.push(self.own_file());
        options.push(Choosable::new("other", "Choose other firmware", ""));
        card.question = Some(Question::OneOf { options, preselected: Some(0) });
    }

    pub(super) fn download(&self, card: &mut Card) {
        card.title = "Waiting for the file".into();
        if let Some(folder) = &self.places.downloads {
            card.facts.push(("folder", quoted_path(folder)));
        }
    }
}

/// Whether nothing is known against an image on this chip.
fn may_run(offer: &Offer, chip: ChipKind) -> bool {
    Catalog::builtin().identify(&offer.image.bytes).is_none_or(|known| known.entry.runs_on(chip.firmware_name()))
}

/// Whether there is known firmware of this kind for this scooter with this chip.
fn is_published(scooter: &Target, kind: Kind, chip: ChipKind) -> bool {
    let entries = Catalog::builtin().of(&scooter.name, kind);
    entries.iter().any(|entry| !entry.is_rehearsal() && entry.is_complete() && entry.runs_on(chip.firmware_name()))
}

/// What can be done with a board whose chip its scooter's firmware does not know.
fn no_firmware(scooter: &Target, kind: Kind, chip: ChipKind) -> Vec<String> {
    let (title, chip_name) = (&scooter.title, chip.name().to_uppercase());
    let what = if kind == Kind::Boot { "bootloader" } else { "firmware" };
    let others = Target::all().iter().filter(|other| is_published(other, kind, chip));
    let others: Vec<_> = others.map(|other| other.title.as_str()).collect();
    let mut text =
        vec![format!("The chip on this board is a {chip_name}, and no published {title} {what} runs on it.")];
    if others.is_empty() {
        text.push("Use a controller board with an STM32F103, or firmware made for this chip.".into());
    } else {
        text.push(format!(
            "Published images for this chip exist for: {}. If the sticker under the deck names one of these, choose that scooter; \
             otherwise only firmware made for this chip helps.",
            others.join(", ")
        ));
    }
    text
}
