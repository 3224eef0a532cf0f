//! What each card shows and asks: the words of those before the work, but not of those about firmware.

use super::{
    Card, CardName, Choosable, Guide, Picture, Question, SAFETY, WIRING, coach, consent,
    scooter_errors::{self, ErrorCode, NO_BATTERY_DATA},
};
use crate::{board::Protection, count::count, image::Builder, ops::Firmware, target::Target};

/// While somebody reads and types.
const HANDS_FREE: &str = "You may let go of SWCLK and SWDIO while you read and type; leave the supply connected.";

/// What is not known of firmware that its maker did not publish.
const CUSTOM: &str = "This is not the maker's own firmware. If BMS communication is disabled in it, the scooter has no \
                      battery-temperature protection and no charge interlock.";

/// What published firmware does not cure.
const STAYS: &str = "This is firmware as published, which needs an answer from the battery (BMS): if the battery has no data line, \
                     error 21 stays.";

impl Guide {
    /// The card to show.
    pub fn card(&self) -> Card {
        let mut card = Card {
            name: self.at(),
            title: String::new(),
            text: vec![],
            facts: vec![],
            picture: None,
            objection: self.objection.clone(),
            question: None,
        };
        match self.at() {
            CardName::Welcome => welcome(&mut card),
            CardName::Code => code(&mut card),
            CardName::Meaning => self.meaning(&mut card),
            CardName::Safety => safety(&mut card),
            CardName::Scooter => self.scooter_card(&mut card),
            CardName::Firmware => self.firmware(&mut card),
            CardName::File => self.file(&mut card),
            CardName::Builder => self.builder(&mut card),
            CardName::Download => self.download(&mut card),
            CardName::Wiring => wiring(&mut card),
            CardName::Contact => self.contact(&mut card),
            CardName::Board => self.board(&mut card),
            CardName::Serial => self.serial(&mut card),
            CardName::Mileage => mileage(&mut card),
            CardName::Plan => self.plan(&mut card),
            CardName::Work => self.work(&mut card),
            CardName::Done => self.done(&mut card),
            CardName::Failed => self.failed(&mut card),
            CardName::End => {}
        }
        card
    }

    fn meaning(&self, card: &mut Card) {
        let Some(ErrorCode { code, meaning, cause, remedy, .. }) = self.code.and_then(scooter_errors::find) else {
            return;
        };
        card.title = format!("Error {code}: {meaning}");
        if scooter_errors::BOOTLOADER.contains(code) {
            card.text.push(scooter_errors::BOOTLOADER_SHOWS.into());
        }
        card.text.extend([cause, remedy].into_iter().flatten().map(|text| (*text).to_owned()));
        card.text.extend(scooter_errors::builders(*code).iter().map(Builder::for_scooters));
        card.question = Some(choice(
            0,
            [("yes", "Continue with the repair of the controller", ""), ("no", "Stop here", "nothing was changed")],
        ));
    }

    fn scooter_card(&self, card: &mut Card) {
        card.title = "Which scooter is it?".into();
        let found = self.looked.as_ref().and_then(|found| found.data.as_ref());
        let serial = found.and_then(|data| Target::read_any_serial(data.block.serial.as_deref()?).ok());
        let owners: Vec<_> = serial.into_iter().flat_map(Target::owners).collect();
        if let Some(found) = &self.looked {
            let serial = found.data.as_ref().and_then(|data| data.block.serial.as_deref());
            card.facts.push(("chip", found.chip.to_string()));
            card.facts.push(("serial number", serial.unwrap_or("not found").to_owned()));
            let firmware = match found.protection {
                Protection::Read => "not readable".to_owned(),
                Protection::None => name_of(found.drv.as_ref()),
            };
            card.facts.push(("firmware", firmware));
            let titles: Vec<_> = owners.iter().map(|owner| &*owner.title).collect();
            card.text.push(if titles.is_empty() {
                "The scooter could not be recognised from the board. Look at the sticker under the deck.".into()
            } else {
                format!("The serial number on the board belongs to a {}.", titles.join(" or "))
            });
        } else {
            card.text.push("The name is on the sticker under the deck, beside the serial number.".into());
        }
        let groups = Target::unsupported().iter().filter_map(|group| group.title.as_ref().zip(group.why.as_ref()));
        let groups: Vec<_> = groups.map(|(title, why)| format!("{title} ({why})")).collect();
        card.text.push(format!("This program cannot repair these: {}.", groups.join("; ")));
        let option = |target: &Target| {
            let begins: Vec<_> = target.serial.prefixes.keys().map(String::as_str).collect();
            let detail = if begins.is_empty() {
                String::new()
            } else {
                format!("some serial numbers begin with {}", begins.join(", "))
            };
            Choosable::new(&target.name, &target.title, detail)
        };
        let mut options: Vec<_> = Target::all().iter().map(option).collect();
        let is_found = |option: &Choosable| owners.iter().any(|owner| owner.name == option.key);
        let preselected = options.iter().position(is_found).filter(|_| owners.len() < 2);
        if self.looked.is_none() {
            options.push(Choosable::new("unknown", "I don't know", "the program tries to find out from the board"));
        }
        if let (Some(_), Some(scooter)) = (&self.objection, self.scooter) {
            let key = format!("force {}", scooter.name);
            let label = format!("Turn this board into a {} on purpose", scooter.title);
            options.push(Choosable::new(key, label, "only if you know that its firmware runs on this board"));
        }
        card.question = Some(Question::OneOf { options, preselected });
    }

    fn contact(&self, card: &mut Card) {
        card.title = "Hold the wires on the pads".into();
        if let Some(probe) = &self.seen.probe {
            card.facts.push(("probe", probe.clone()));
        }
        let meter = self.seen.contact.unwrap_or_default();
        if let Some(share) = meter.share() {
            card.facts.push(("contact", format!("{}, {share} good", meter.word())));
        }
        if let Some(voltage) = meter.voltage() {
            card.facts.push(("target voltage", voltage));
        }
        card.text.push(meter.advice().into());
        card.text.push(coach::CLONES.into());
        card.picture = Some(Picture::Pads);
    }

    fn board(&self, card: &mut Card) {
        card.title = "This is the board".into();
        if let Some(board) = &self.seen.board {
            card.facts.push(("chip", self.chip.map_or_else(|| board.chip.to_owned(), |chip| chip.to_string())));
            card.facts.push(("UID", board.uid.to_string()));
            let locked = if board.protection == "none" { "none" } else { "read-protected" };
            card.facts.push(("protection", locked.to_owned()));
        }
        if let Some(found) = &self.seen.found {
            let name = |known: bool, name: Option<&String>| match name {
                Some(name) => name.clone(),
                None if known => "present".into(),
                None => "unknown".into(),
            };
            let is_readable = self.seen.board.as_ref().is_some_and(|board| board.protection == "none");
            let missing = if is_readable { "none" } else { "not readable" };
            for (label, firmware) in [("bootloader", &found.boot), ("firmware", &found.drv)] {
                let firmware = firmware.as_ref();
                let value = firmware.map_or(missing.to_owned(), |found| name(found.known, found.name.as_ref()));
                card.facts.push((label, value));
            }
            let data = found.data.as_ref().map(|data| &data.block);
            let serial = data.and_then(|data| data.serial.clone());
            card.facts.push(("serial number", serial.unwrap_or_else(|| "not found".into())));
            if let Some(data) = data {
                card.facts.push(("mileage", data.mileage_m.to_string()));
            }
        }
    }

    fn serial(&self, card: &mut Card) {
        card.title = "Which serial number?".into();
        let why = if self.has_no_data {
            "The board has no serial number that can be used."
        } else {
            "The serial number of the board is not certain."
        };
        card.text.push(format!("{why} Type the one on the sticker under the deck."));
        let Some(scooter) = self.scooter else { return };
        if !scooter.serial.compared.is_empty() {
            card.text.push("It also selects the region, and with it the speed limit.".into());
        }
        card.text.push(HANDS_FREE.into());
        card.question = Some(Question::Text { label: "serial number", example: scooter.serial.example.clone() });
    }

    fn plan(&self, card: &mut Card) {
        let Some(preview) = &self.preview else { return };
        card.title = "This will be done".into();
        card.picture = Some(Picture::Memory);
        let planned = &preview.planned;
        card.facts.push(("bootloader", name_of(planned.boot.as_ref())));
        card.facts.push(("firmware", name_of(planned.drv.as_ref())));
        card.facts.push(("serial number", planned.serial.to_string()));
        card.facts.push(("mileage", planned.mileage_m.to_string()));
        let erased = match (preview.would_erase.whole_chip, preview.would_erase.pages) {
            (true, _) => "the whole chip".to_owned(),
            (false, 0) => "nothing".to_owned(),
            (false, pages) => count(pages, "page"),
        };
        card.facts.push(("erased", erased));
        card.facts.push(("written", count(preview.would_program.bytes, "byte")));
        let is_known = planned.drv.as_ref().map(|drv| drv.known);
        if is_known == Some(false) {
            card.text.push(CUSTOM.into());
        }
        if is_known == Some(true) && self.code == Some(NO_BATTERY_DATA) {
            card.text.push(STAYS.into());
        }
        if self.saves {
            card.text.push("A backup of what can be read is saved first.".into());
        }
        if planned.left_in_sram {
            card.text
                .push("Serial number and mileage are only in SRAM: keep the board powered, or they are lost.".into());
        }
        card.text.push(HANDS_FREE.into());
        if let Some(obstacle) = preview.needs {
            card.text.push(consent::removing(obstacle));
            card.text.extend(consent::at_stake(obstacle, preview.data_change));
            card.question = Some(Question::Word { word: consent::word(obstacle) });
        } else {
            let options = [("yes", "Write it", ""), ("no", "Stop here", "nothing was changed")];
            card.question = Some(choice(0, options));
        }
    }
}

pub(super) fn choice<const N: usize>(
    preselected: impl Into<Option<usize>>,
    options: [(&str, &str, &str); N],
) -> Question {
    let options = options.map(|(key, label, detail)| Choosable::new(key, label, detail)).into();
    Question::OneOf { options, preselected: preselected.into() }
}

pub(super) fn name_of(firmware: Option<&Firmware>) -> String {
    let Some(firmware) = firmware else { return "none".into() };
    firmware.name.clone().unwrap_or_else(|| match firmware.version {
        Some(version) => format!("unknown, version {version}"),
        None => "unknown".into(),
    })
}

fn welcome(card: &mut Card) {
    card.title = "What is wrong with the scooter?".into();
    card.text.push(
        "This program repairs the motor controller of a Xiaomi M365-family scooter, a 4 Pro of the first generation or a \
         Ninebot ES, Max, E, F or Air T15 with a debug probe and three wires. Nothing is changed before you agree to it."
            .into(),
    );
    card.question = Some(choice(
        0,
        [
            ("dead", "It is dead, or an update failed", ""),
            ("code", "It shows an error code", "by beeps, flashes or on the dashboard"),
            ("firmware", "It works, but needs other firmware", ""),
            ("end", "Nothing; quit", ""),
        ],
    ));
}

fn code(card: &mut Card) {
    card.title = "Which error code?".into();
    card.text.push("Leave it empty if you do not know it.".into());
    card.question = Some(Question::Text { label: "error code", example: "21".into() });
}

fn safety(card: &mut Card) {
    let mut lines = SAFETY.lines();
    lines.next().unwrap_or_default().clone_into(&mut card.title);
    let is_new = |line: &str| line.split_once(". ").is_some_and(|(number, _)| number.parse::<u8>().is_ok());
    for line in lines.map(str::trim).filter(|line| !line.is_empty()) {
        match card.text.last_mut() {
            Some(point) if !is_new(line) => {
                point.push(' ');
                point.push_str(line);
            }
            _ => card.text.push(line.to_owned()),
        }
    }
    let options = [
        ("no", "Not yet, stop here", ""),
        ("yes", "Points 1 to 5 are done; I will do point 6 before the first start", ""),
    ];
    card.question = Some(choice(0, options));
}

fn wiring(card: &mut Card) {
    card.title = "Connect the probe".into();
    card.picture = Some(Picture::Pads);
    let wires = WIRING.lines().filter_map(|line| line.split_once("----"));
    card.facts.extend(wires.map(|(probe, pad)| (probe.trim(), format!("to {}", pad.trim()))));
    card.text.push(
        "On an ST-Link clone, trust the labels on its circuit board, not those on its case: open it if you can.".into(),
    );
    card.text.push("Plug the probe in and hold its wires on the pads. The program waits until contact is good.".into());
}

fn mileage(card: &mut Card) {
    card.title = "Which mileage?".into();
    card.text.push("The mileage of the board is unknown. The phone app shows it as the total distance.".into());
    card.text.push(HANDS_FREE.into());
    card.text.push("If you do not know it, type an estimate, or 0.".into());
    card.question = Some(Question::Text { label: "mileage in km", example: "1234.5".into() });
}
