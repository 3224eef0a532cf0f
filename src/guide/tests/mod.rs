//! The guided job without a terminal: every card, with simulated boards.

use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::{
    board::{ConnectOptions, Probes, Wait, progress::Progress},
    ops::{Job, Known},
    sim::{APP_64, BOOT, Fault, FaultKind, Scenario, SimBoard, Trigger},
};

/// Somebody who shows the cards and does the tasks.
struct Face {
    guide: Guide,
    board: SimBoard,
    folder: TempDir,
    wait: Wait,
    has_images: bool,
    can_fetch: bool,
    /// Every card that was shown.
    shown: Vec<Card>,
}

/// Hands the events of a task over afterwards: the guide cannot be changed while its request is in use.
#[derive(Default)]
struct Events(Vec<Event>);

impl Progress for Events {
    fn on(&mut self, event: Event) {
        self.0.push(event);
    }
}

fn offer(bytes: &[u8], name: &str) -> Offer {
    Offer { name: name.into(), place: "a.bin".into(), image: Image::from_bytes(bytes).unwrap() }
}

impl Face {
    fn new(scenario: Scenario) -> Self {
        let board = SimBoard::new(scenario, Target::builtin("pro").unwrap());
        let guide = Guide::new(RehearsalImages::Allowed, true);
        Self {
            guide,
            board,
            folder: tempfile::tempdir().unwrap(),
            wait: Wait::Forever,
            has_images: true,
            can_fetch: true,
            shown: vec![],
        }
    }

    /// Does the tasks, then answers; returns the card that is shown then.
    fn answer(&mut self, answer: &str) -> Card {
        self.do_tasks();
        self.guide.answer(answer);
        self.do_tasks()
    }

    fn answers<const N: usize>(&mut self, answers: [&str; N]) -> Card {
        answers.into_iter().map(|answer| self.answer(answer)).last().unwrap()
    }

    fn do_tasks(&mut self) -> Card {
        loop {
            let card = self.guide.card();
            if self.shown.last() != Some(&card) {
                self.shown.push(card.clone());
            }
            let Some(task) = self.guide.task() else { return card };
            self.run(task);
        }
    }

    fn run(&mut self, task: Task) {
        let probes = Probes::new(self.board.probe_lister(), self.board.clock());
        let connect = ConnectOptions { wait: self.wait, expect: self.guide.uid(), ..ConnectOptions::default() };
        let (mut events, mut known) = (Events::default(), Known::default());
        let mut job = Job::new(&probes, connect, &mut events, &mut known);
        let backups = BackupStore::in_folder(self.folder.path());
        let failed = |error| TaskError { error, board: probes.ledger().board() };
        let request = self.guide.request(backups);
        macro_rules! hand_over {
            ($done:expr, $to:ident) => {{
                let done = $done.map_err(failed);
                for event in &events.0 {
                    self.guide.on(event);
                }
                self.guide.$to(done);
            }};
        }
        match task {
            Task::Search(_) => {
                let (boot, drv) = if self.has_images {
                    (vec![offer(BOOT, "boot")], vec![offer(APP_64, "rehearsal DRV")])
                } else {
                    (vec![], vec![])
                };
                let to_fetch = (!self.has_images).then(|| "2 files".to_owned());
                self.guide.at_hand(boot, drv, to_fetch);
            }
            Task::Fetch(_) => {
                let before = std::mem::replace(&mut self.has_images, self.can_fetch);
                assert!(!before);
                self.guide.fetched(if self.can_fetch { Ok(()) } else { Err("no answer from the server".into()) });
            }
            Task::Open(file, _) => {
                self.guide.opened(Image::open(&file).map_err(|error| format!("cannot use {file:?}: {error}")));
            }
            Task::Look => hand_over!(ops::info(&mut job), looked),
            Task::Preview => hand_over!(ops::preview(&mut job, &request.unwrap()), previewed),
            Task::Flash => hand_over!(ops::flash(&mut job, &request.unwrap()), flashed),
        }
    }

    fn names(&self) -> Vec<CardName> {
        let mut names: Vec<_> = self.shown.iter().map(|card| card.name).collect();
        names.dedup();
        names
    }
}

/// The answers up to the look at the board of a Pro.
const TO_BOARD: [&str; 4] = ["dead", "yes", "pro", "1"];

#[test]
fn a_locked_board_is_repaired_card_by_card() {
    let mut face = Face::new(Scenario::Locked);
    let board = face.answers(TO_BOARD);
    assert_eq!(board.name, CardName::Board);
    assert!(board.facts.contains(&("serial number", "21886/00012345".into())), "{:?}", board.facts);
    assert!(board.facts.contains(&("firmware", "not readable".into())));
    let plan = face.answer("");
    assert_eq!(plan.question, Some(Question::Word { word: "erase" }));
    let kept = "Kept and written back: serial number 21886/00012345, mileage 2345.6 km.";
    assert!(plan.text.iter().any(|text| text == kept), "{:?}", plan.text);
    assert!(plan.text.iter().any(|text| text.starts_with("A backup")), "{:?}", plan.text);
    let done = face.answer("erase");
    assert_eq!(done.name, CardName::Done);
    assert!(done.facts.contains(&("verified", "every byte".into())));
    let names = "[Welcome, Safety, Scooter, Firmware, Wiring, Board, Plan, Work, Done]";
    assert_eq!(format!("{:?}", face.names()), names);
    assert!(face.guide.report().is_some_and(|report| report.verified && report.backup.is_some()));
    assert!(!face.guide.back(), "nothing can be taken back");
    face.answer("end");
    assert!(face.guide.is_over());
}

#[test]
fn a_board_that_is_locked_after_the_plan_is_not_erased_before_that_is_agreed_to() {
    let mut face = Face::new(Scenario::Open);
    face.answers(["firmware", "yes", "pro", "1"]);
    face.answer("");
    let probes = Probes::new(face.board.probe_lister(), face.board.clock());
    let mut known = Known::default();
    ops::lock(&mut Job::new(&probes, ConnectOptions::default(), &mut (), &mut known), &BackupStore::none()).unwrap();
    let before = face.board.flash();
    let card = face.answer("yes");
    assert_eq!(card.name, CardName::Board);
    assert!(face.board.flash() == before && face.board.is_protected());
    assert_eq!(face.answer("").question, Some(Question::Word { word: "erase" }));
    assert_eq!(face.answer("erase").name, CardName::Done);
}

#[test]
fn an_answer_that_is_not_among_those_shown_changes_nothing() {
    let mut face = Face::new(Scenario::Locked);
    for (answer, card) in [("x", CardName::Welcome), ("dead", CardName::Safety), ("maybe", CardName::Safety)] {
        let shown = face.answer(answer);
        assert_eq!((shown.name, shown.objection.is_some()), (card, answer != "dead"), "{answer}");
    }
}

#[test]
fn the_card_before_the_wires_shows_which_goes_where() {
    let card = Guide { path: vec![CardName::Wiring], ..Guide::default() }.card();
    assert_eq!(card.facts.iter().map(|(wire, _)| *wire).collect::<Vec<_>>(), ["GND", "SWCLK", "SWDIO", "5V"]);
}

#[test]
fn nothing_is_changed_without_the_word() {
    for answer in ["", "no", "stop"] {
        let mut face = Face::new(Scenario::Locked);
        let before = face.board.flash();
        face.answers(TO_BOARD);
        face.answers(["", answer]);
        assert!(face.guide.is_over() && face.board.flash() == before, "{answer:?}");
        assert!(face.board.is_protected());
    }
    let mut face = Face::new(Scenario::Locked);
    face.answers(TO_BOARD);
    let card = face.answers(["", "erase all"]);
    assert_eq!((card.name, card.objection.as_deref()), (CardName::Plan, Some("\"erase all\" is not `erase`")));
    assert!(face.board.is_protected());
}

#[test]
fn a_card_before_the_work_can_be_gone_back_from() {
    let mut face = Face::new(Scenario::Locked);
    face.answers(TO_BOARD);
    face.answer("");
    assert_eq!(face.guide.at(), CardName::Plan);
    for card in [CardName::Firmware, CardName::Scooter, CardName::Safety, CardName::Welcome] {
        assert!(face.guide.back());
        assert_eq!(face.guide.at(), card);
    }
    assert!(!face.guide.back());
    // The same answers lead to the same end.
    face.answers(TO_BOARD);
    assert_eq!(face.answers(["", "erase"]).name, CardName::Done);
}

#[test]
fn what_a_bricked_board_does_not_have_is_asked_for_and_corrected() {
    let mut face = Face::new(Scenario::Bricked);
    let card = face.answers(TO_BOARD);
    assert_eq!((card.name, card.objection), (CardName::Serial, None));
    let card = face.answer("21886/123");
    assert!(card.name == CardName::Serial && card.objection.unwrap().starts_with("invalid serial"));
    let card = face.answer("21886-00012345");
    // Both are asked for before the wires are needed again.
    assert_eq!((card.name, card.objection), (CardName::Mileage, None));
    assert_eq!(face.answer("12 miles").name, CardName::Mileage);
    assert_eq!(face.answer("1234,5").name, CardName::Board);
    let plan = face.answer("");
    assert!(plan.text.iter().any(|text| text.contains("could not be read and will be lost")), "{:?}", plan.text);
    let done = face.answer("erase");
    assert!(done.facts.contains(&("mileage", "1234.5 km".into())), "{:?}", done.facts);
}

#[test]
fn an_unknown_scooter_is_found_out_from_the_board() {
    let mut face = Face::new(Scenario::Locked);
    let card = face.answers(["dead", "yes", "unknown"]);
    let Some(Question::OneOf { options, preselected }) = &card.question else { panic!("{card:?}") };
    assert_eq!((card.name, options[preselected.unwrap()].key.as_str()), (CardName::Scooter, "pro"));
    assert!(options.iter().all(|option| option.key != "unknown"));
    assert!(card.facts.contains(&("firmware", "not readable".into())), "{:?}", card.facts);
    assert_eq!(face.answers(["pro", "1", "", "erase"]).name, CardName::Done);
}

#[test]
fn a_board_of_another_scooter_is_asked_about_again() {
    let mut face = Face::new(Scenario::Open);
    let card = face.answers(["firmware", "yes", "es2", "1"]);
    // The image at hand is not for an ES.
    assert_eq!(card.name, CardName::Firmware);
    assert!(card.objection.unwrap().contains("refused"));
}

#[test]
fn an_open_board_needs_no_word_and_no_new_firmware() {
    let mut face = Face::new(Scenario::Open);
    assert_eq!(face.answers(["firmware", "yes", "pro", "keep"]).name, CardName::Board);
    let plan = face.answer("");
    assert!(matches!(plan.question, Some(Question::OneOf { .. })));
    assert!(plan.facts.contains(&("erased", "nothing".into())), "{:?}", plan.facts);
    assert_eq!(face.answer("yes").name, CardName::Done);
}

#[test]
fn a_file_that_cannot_be_used_is_asked_for_again_with_the_reason() {
    let mut face = Face::new(Scenario::Locked);
    let card = face.answers(["dead", "yes", "pro", "file", "'none here.bin'"]);
    assert_eq!(card.name, CardName::File);
    assert!(card.objection.unwrap().starts_with("cannot use \"none here.bin\""));
    let path = face.folder.path().join("my app.bin");
    std::fs::write(&path, APP_64).unwrap();
    assert_eq!(face.answer(&format!("'{}'", path.display())).name, CardName::Board);
    // It may also be dropped where it is asked which firmware.
    let mut face = Face::new(Scenario::Locked);
    assert_eq!(face.answers(["dead", "yes", "pro", path.to_str().unwrap()]).name, CardName::Board);
}

#[test]
fn what_is_not_at_hand_is_fetched_if_that_is_wanted() {
    let mut face = Face::new(Scenario::Locked);
    (face.has_images, face.can_fetch) = (false, false);
    let card = face.answers(["dead", "yes", "pro"]);
    let Some(Question::OneOf { options, .. }) = &card.question else { panic!("{card:?}") };
    assert_eq!((options[0].key.as_str(), options[0].detail.as_str()), ("fetch", "2 files"));
    let card = face.answer("fetch");
    assert_eq!((card.name, card.objection.as_deref()), (CardName::Firmware, Some("no answer from the server")));
    face.can_fetch = true;
    let card = face.answer("fetch");
    let Some(Question::OneOf { options, .. }) = &card.question else { panic!("{card:?}") };
    assert!(options[0].label == "rehearsal DRV" && options.iter().all(|option| option.key != "fetch"), "{options:?}");
    assert_eq!(face.answer("1").name, CardName::Board);
}

#[test]
fn an_error_code_is_explained_before_the_repair() {
    let mut face = Face::new(Scenario::Locked);
    assert!(face.answers(["code", "99"]).objection.is_some());
    let card = face.answer("21");
    assert!(card.title.starts_with("Error 21") && card.text.iter().any(|text| text.contains("BMS")), "{card:?}");
    assert_eq!(face.answer("yes").name, CardName::Safety);
}

#[test]
fn safety_is_agreed_to_on_purpose() {
    let mut face = Face::new(Scenario::Locked);
    let card = face.answer("dead");
    let Some(Question::OneOf { options, preselected }) = &card.question else { panic!("{card:?}") };
    assert_eq!(options[preselected.unwrap()].key, "no");
    assert_eq!(card.text.len(), 6, "{:?}", card.text);
    face.answer("no");
    assert!(face.guide.is_over());
}

#[test]
fn a_failure_says_what_the_board_is_and_trying_again_finishes_it() {
    let mut face = Face::new(Scenario::Locked);
    face.answers(TO_BOARD);
    face.answer("");
    // Half of the firmware is written when the board loses power for longer than anybody waits.
    let returns_after = Some(Duration::from_secs(60));
    face.board.inject(Fault { trigger: Trigger::HalfWord(5000), kind: FaultKind::PowerLost { returns_after } });
    face.wait = Wait::No;
    let card = face.answer("erase");
    assert_eq!(card.name, CardName::Failed);
    assert!(card.facts.contains(&("board", "partly written".into())), "{:?}", card.facts);
    assert!(card.facts.iter().any(|(name, _)| *name == "backup"), "{:?}", card.facts);
    face.wait = Wait::Forever;
    let done = face.answer("again");
    assert_eq!(done.name, CardName::Done);
    assert!(done.facts.contains(&("serial number", "21886/00012345".into())), "{:?}", done.facts);
}
