//! The page in a real browser, as a person clicks and types.

use std::fs;

use m365_drv::sim::APP_64;

use super::{job::Program, person::Person};
use crate::bench::Bench;

/// Goes through the whole job as somebody does who reads every card. Returns the cards that were shown.
fn goes_through(person: &mut Person, agrees: bool) -> Vec<String> {
    let mut cards: Vec<String> = Vec::new();
    for _ in 0..40 {
        person.sees("[data-card] [data-key], [data-card] #answer, [data-card] .go button, [data-card='end']");
        let card = person.card();
        person.looks();
        cards.push(card.clone());
        match card.as_str() {
            "welcome" => person.clicks("[data-key='dead']"),
            "scooter" => person.clicks("[data-key='pro']"),
            "firmware" if person.has("[data-key='1']") => person.clicks("[data-key='1']"),
            "firmware" => person.clicks("[data-key='keep']"),
            "serial" => {
                person.types("#answer", "16133/00012345");
                person.clicks("#send");
            }
            "mileage" => {
                person.types("#answer", "1234.5");
                person.clicks("#send");
            }
            "plan" if !agrees => person.clicks("[data-key='no']"),
            "plan" if person.has("#answer") => {
                let word = person.script("return document.querySelector('#send').textContent.split(': ')[1]");
                person.types("#answer", word.as_str().expect("a word"));
                person.clicks("#send");
            }
            "safety" | "plan" => person.clicks("[data-key='yes']"),
            "done" | "failed" => person.clicks("[data-key='end']"),
            "end" => return cards,
            _ => person.clicks(".go button"),
        }
        person.leaves_card(&card);
    }
    panic!("{cards:?}");
}

/// Every card of every scenario, by clicking and typing.
#[test]
fn every_card_of_every_scenario_is_clicked_through() {
    let Some(mut person) = Person::with_window(800) else { return };
    let whole = ["welcome", "safety", "scooter", "firmware", "board", "plan", "done", "end"];
    let asked = ["welcome", "safety", "scooter", "firmware", "serial", "mileage", "board", "plan", "done", "end"];
    let refused = ["welcome", "safety", "scooter", "firmware", "failed", "end"];
    for (scenario, cards) in [
        ("locked", &whole[..]),
        ("open", &whole),
        ("wrp", &whole),
        ("gd32f103", &whole),
        ("flaky", &whole),
        ("new", &asked),
        ("bricked", &asked),
        ("half-flashed", &asked),
        ("at32", &refused),
        ("m0", &refused),
        ("ble", &refused),
    ] {
        let bench = Bench::new();
        let program = Program::start(&bench, &format!("--simulate={scenario}"));
        person.opens(&program.address);
        assert_eq!(goes_through(&mut person, true), cards, "{scenario}");
    }
    person.leaves();
}

#[test]
fn a_board_that_does_not_answer_is_waited_for_and_the_wait_can_be_left() {
    let Some(mut person) = Person::with_window(360) else { return };
    let bench = Bench::new();
    let program = Program::start(&bench, "--simulate=absent");
    person.opens(&program.address);
    person.looks();
    person.clicks("[data-key='dead']");
    person.looks();
    person.clicks("[data-key='yes']");
    person.is_at("scooter");
    person.looks();
    person.clicks("[data-key='unknown']");
    person.is_at("contact");
    person.reads("Nothing answers");
    person.looks();
    person.clicks("#back");
    person.is_at("scooter");
    person.leaves();
}

#[test]
fn a_refused_consent_changes_nothing() {
    let Some(mut person) = Person::with_window(800) else { return };
    let bench = Bench::new();
    let program = Program::start(&bench, "--simulate=B:locked");
    person.opens(&program.address);
    let before = fs::read(bench.path("B/board.yaml")).unwrap();
    assert_eq!(goes_through(&mut person, false).last().unwrap(), "end");
    drop(program);
    assert!(fs::read(bench.path("B/board.yaml")).unwrap() == before);
    person.leaves();
}

#[test]
fn a_tab_that_is_closed_during_the_work_and_opened_again_shows_the_running_job() {
    let Some(mut person) = Person::with_window(800) else { return };
    let bench = Bench::new();
    // The wires slip from their pads now and then.
    let program = Program::start(&bench, "--simulate=flaky");
    let begins = |person: &Person| {
        person.clicks("[data-key='dead']");
        person.clicks("[data-key='yes']");
        person.clicks("[data-key='pro']");
        person.clicks("[data-key='1']");
        person.is_at("board");
        person.clicks(".go button");
        person.types("#answer", "erase");
    };
    person.opens(&program.address);
    person.new_tab();
    person.opens(program.address.split('#').next().unwrap());
    begins(&person);
    person.clicks("#send");
    person.closes_tab();
    person.is_at("done");
    person.reads("21886/00012345");
    person.looks();
    person.leaves();
}

#[test]
fn the_whole_job_can_be_done_with_the_keyboard_alone() {
    let Some(person) = Person::with_window(800) else { return };
    let bench = Bench::new();
    let program = Program::start(&bench, "--simulate=locked");
    person.opens(&program.address);
    for (card, keys) in [
        ("welcome", "\u{e007}"),
        // The preselected answer of the safety card stops: the other one is reached with Tab.
        ("safety", "\u{e004}\u{e004}\u{e007}"),
    ] {
        person.is_at(card);
        person.presses(keys);
    }
    person.is_at("scooter");
    person.focuses("[data-key='pro']");
    person.presses("\u{e007}");
    person.is_at("firmware");
    person.focuses("[data-key='1']");
    person.presses("\u{e007}");
    person.is_at("board");
    person.focuses(".go button");
    person.presses("\u{e007}");
    person.is_at("plan");
    // Enter alone does not erase.
    person.presses("\u{e007}");
    person.is_at("plan");
    person.focuses("#answer");
    person.presses("erase\u{e007}");
    person.is_at("done");
    person.leaves();
}

#[test]
fn a_wrong_file_that_is_dropped_is_refused_with_a_sentence() {
    let Some(person) = Person::with_window(800) else { return };
    let bench = Bench::new();
    let program = Program::start(&bench, "--simulate=locked");
    person.opens(&program.address);
    person.clicks("[data-key='dead']");
    person.clicks("[data-key='yes']");
    person.clicks("[data-key='pro']");
    person.is_at("firmware");
    person.drops("holiday.jpg", b"\xff\xd8\xff\xe0 not firmware");
    person.reads("cannot use \"holiday.jpg\"");
    person.is_at("firmware");
    person.drops("own.bin", APP_64);
    person.is_at("board");
    person.leaves();
}

#[test]
fn the_other_pages_can_be_read_and_nothing_is_wrong_with_them() {
    let Some(mut person) = Person::with_window(800) else { return };
    let bench = Bench::new();
    let program = Program::start(&bench, "--simulate=locked");
    person.opens(&program.address);
    person.is_at("welcome");
    for (place, words) in
        [("#/explain", "Exit codes of this program"), ("#/backups", "backups"), ("#/doctor", "simulated probe")]
    {
        person.clicks(&format!("a[href='{place}']"));
        if place == "#/doctor" {
            person.clicks(".go button");
        }
        person.reads(words);
        person.looks_at_page(place);
    }
    person.leaves();
}

/// The pictures of the README, if `M365_DRV_PICTURES` names a folder for them.
#[test]
fn pictures_are_taken() {
    let Some(folder) = std::env::var_os("M365_DRV_PICTURES").map(std::path::PathBuf::from) else { return };
    let Some(person) = Person::with_window(800) else { return };
    let bench = Bench::new();
    let program = Program::start(&bench, "--simulate=locked");
    let takes = |name: &str| fs::write(folder.join(format!("{name}.png")), person.photographs()).unwrap();
    person.opens(&program.address);
    person.is_at("welcome");
    takes("welcome");
    person.clicks("[data-key='dead']");
    person.clicks("[data-key='yes']");
    person.clicks("[data-key='pro']");
    person.clicks("[data-key='1']");
    person.is_at("board");
    takes("board");
    person.clicks(".go button");
    person.is_at("plan");
    takes("plan");
    person.types("#answer", "erase");
    person.clicks("#send");
    person.is_at("done");
    takes("done");
    person.leaves();
}
