//! The guided job without a terminal: every card, with simulated boards.

use std::{sync::Arc, time::Duration};

use tempfile::TempDir;

use super::*;
use crate::{
    board::{
        self, BoardState, ConnectOptions, Finding, Probes, Wait,
        progress::{Need, Progress},
    },
    clock::SystemClock,
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
    /// What comes of the wait for a file.
    arrives: Option<Result<Option<Image>, String>>,
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
            arrives: None,
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
        let chosen = self.guide.chosen();
        let request = self.guide.request(&chosen, backups);
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
            Task::Watch(folder, scooter) => {
                assert_eq!((folder.as_path(), scooter.name.as_str()), (self.folder.path(), "pro"));
                self.guide.arrived(self.arrives.take().expect("a file is waited for"));
            }
            Task::Contact => hand_over!(ops::contact(&mut job), contacted),
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
    let names = "[Welcome, Safety, Scooter, Firmware, Wiring, Contact, Board, Plan, Work, Done]";
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

/// The options of a card that asks for one of several.
fn options(card: &Card) -> (Vec<&str>, Option<usize>) {
    let Some(Question::OneOf { options, preselected }) = &card.question else { panic!("{card:?}") };
    (options.iter().map(|option| option.key.as_str()).collect(), *preselected)
}

#[test]
fn the_job_goes_on_by_itself_when_contact_was_good_for_a_second() {
    let mut face = Face::new(Scenario::Flaky);
    let before = face.board.clock().now();
    assert_eq!(face.answers(TO_BOARD).name, CardName::Board);
    assert!(face.board.clock().now() > before + ops::STEADY, "contact was held");
    let contact = face.shown.iter().find(|card| card.name == CardName::Contact).unwrap();
    assert!(contact.facts.iter().any(|(name, fact)| *name == "contact" && fact.starts_with("good")), "{contact:?}");
}

#[test]
fn the_contact_card_names_the_wire_to_suspect() {
    let mut guide = Guide { path: vec![CardName::Contact], ..Guide::default() };
    let mut card = |finding, voltage_mv| {
        guide.on(&Event::Contact { good: 0, of: 7, voltage_mv, need: Some(Need::Contact), finding: Some(finding) });
        guide.card()
    };
    let silent = card(Finding::Silent, Some(3250));
    assert!(silent.text[0].contains("SWDIO and GND") && silent.text[0].contains("swapped"), "{silent:?}");
    assert!(silent.text.iter().any(|text| text.contains("always show 3.3 V")), "{silent:?}");
    assert!(silent.facts.contains(&("contact", "none, 0 of 7 reads good".into())), "{silent:?}");
    let dead = card(Finding::NoSupply, Some(0));
    assert!(dead.text[0].contains("no supply") && dead.facts.contains(&("target voltage", "0.0 V".into())), "{dead:?}");
}

#[test]
fn whoever_has_to_type_is_told_to_let_go_of_the_wires() {
    let mut face = Face::new(Scenario::Bricked);
    let says = |card: &Card| card.text.iter().any(|text| text.contains("You may let go of SWCLK and SWDIO"));
    assert!(says(&face.answers(TO_BOARD)), "serial number");
    assert!(says(&face.answer("21886/00012345")), "mileage");
    assert!(!says(&face.answer("1")), "the board");
    assert!(says(&face.answer("")), "the plan");
}

#[test]
fn a_board_that_got_locked_on_the_way_is_not_called_unchanged_if_its_erase_is_refused() {
    for (answer, ends_well) in [("no", false), ("erase", true)] {
        let mut face = Face::new(Scenario::Wrp);
        let plan = face.answers([&TO_BOARD[..], &[""]].concat().try_into().unwrap_or([""; 5]));
        assert_eq!(plan.question, Some(Question::Word { word: "unlock" }));
        let kind = FaultKind::PowerLost { returns_after: Some(Duration::from_millis(200)) };
        let armed = face.board.inject(Fault { trigger: Trigger::OptionProgram(1), kind });
        face.answer("unlock");
        assert!(armed.fired());
        let card = face.answer("");
        assert_eq!(card.question, Some(Question::Word { word: "erase" }), "{card:?}");
        face.answer(answer);
        if ends_well {
            face.answer("end");
        }
        assert!(face.guide.is_over());
        let left = face.guide.into_failure().map(|failed| failed.board);
        assert_eq!(left, if ends_well { None } else { Some(BoardState::Partial) }, "{answer}");
    }
}

#[test]
fn error_21_leads_to_a_builder_and_the_file_that_arrives_is_flashed() {
    let mut face = Face::new(Scenario::Locked);
    let downloads = Some(face.folder.path().to_owned());
    face.guide = std::mem::take(&mut face.guide).with_places(Places { home: None, downloads });
    let meaning = face.answers(["code", "21"]);
    assert!(meaning.text.iter().any(|text| text.contains("https://mi.cfw.sh")), "{meaning:?}");
    let card = face.answers(["yes", "yes", "pro"]);
    let (keys, preselected) = options(&card);
    assert_eq!(keys[preselected.unwrap()], "builder");
    let builder = face.answer("builder");
    assert!(builder.text.iter().any(|text| text.contains("tick \"Disable BMS communication\"")), "{builder:?}");
    assert_eq!(options(&builder), (vec!["watch", "file", "other"], Some(0)));
    face.arrives = Some(Ok(None));
    assert_eq!(face.answer("watch").name, CardName::Builder, "given up");
    face.arrives = Some(Err("cannot watch it".into()));
    assert_eq!(face.answer("watch").objection.as_deref(), Some("cannot watch it"));
    face.arrives = Some(Ok(Some(Image::from_bytes(APP_64).unwrap())));
    assert_eq!(face.answer("watch").name, CardName::Board);
    let plan = face.answer("");
    assert!(plan.text.iter().any(|text| text.contains("error 21 stays")), "known firmware is as published: {plan:?}");
    assert_eq!(face.answer("erase").name, CardName::Done);
    // Without a Downloads folder there is nothing to watch, and no builder makes firmware for a Lite.
    let mut face = Face::new(Scenario::Locked);
    assert_eq!(options(&face.answers(["code", "21", "yes", "yes", "pro", "builder"])).0, ["file", "other"]);
    assert_eq!(face.answer("other").name, CardName::Firmware);
    let mut face = Face::new(Scenario::Locked);
    assert!(!options(&face.answers(["code", "21", "yes", "yes", "lite"])).0.contains(&"builder"));
}

#[test]
fn several_bootloaders_at_hand_are_a_choice() {
    let mut face = Face::new(Scenario::Locked);
    face.answers(["dead", "yes", "pro"]);
    face.guide.at_hand(vec![offer(BOOT, "one"), offer(BOOT, "another")], vec![offer(APP_64, "drv")], None);
    let card = face.answer("1");
    assert_eq!((card.name, card.title.as_str()), (CardName::Firmware, "A bootloader is needed"));
    let Some(Question::OneOf { options, .. }) = &card.question else { panic!("{card:?}") };
    assert_eq!(options.iter().map(|option| option.label.as_str()).take(2).collect::<Vec<_>>(), ["one", "another"]);
    assert_eq!(face.answer("2").name, CardName::Board);
}

#[test]
fn a_folder_with_several_images_is_a_choice_and_one_without_is_named() {
    let mut face = Face::new(Scenario::Locked);
    face.answers(["dead", "yes", "pro", "file"]);
    face.guide.file = Some("images".into());
    face.guide.found_in_folder(Ok(vec![]));
    let card = face.guide.card();
    assert_eq!(
        (card.name, card.objection.as_deref()),
        (CardName::File, Some("no DRV image for this scooter in \"images\""))
    );
    face.guide.found_in_folder(Ok(vec![offer(APP_64, "one"), offer(APP_64, "another")]));
    let card = face.guide.card();
    assert_eq!((card.name, &options(&card).0[..2]), (CardName::Firmware, &["1", "2"][..]));
    assert_eq!(face.answer("2").name, CardName::Board);
}

#[test]
fn a_chip_that_no_firmware_of_the_scooter_runs_on_is_said_with_what_can_be_done() {
    let pro = Target::builtin("pro");
    let guide =
        Guide { path: vec![CardName::Firmware], scooter: pro, chip: Some(ChipKind::Gd32F103), ..Guide::default() };
    let guide = Guide { offers: Some(vec![offer(APP_64, "rehearsal")]), ..guide };
    let card = guide.card();
    assert!(card.text[0].contains("GD32F103") && card.text[0].contains("no published"), "{card:?}");
    assert!(card.text[1].contains("Pro 2") && card.text[1].contains("choose that scooter"), "{card:?}");
    let keys = options(&card).0;
    assert!(keys.contains(&"scooter") && keys.contains(&"end") && !keys.contains(&"fetch"), "{keys:?}");
    let mut guide = Guide { path: vec![CardName::Welcome, CardName::Scooter, CardName::Firmware], ..guide };
    guide.answer("scooter");
    assert_eq!(guide.at(), CardName::Scooter);
    let known = Guide { scooter: Target::builtin("pro2"), path: vec![CardName::Firmware], ..guide };
    assert!(!known.card().text[0].contains("no published"));
}

#[test]
fn a_failure_to_reach_the_board_names_the_probes_or_the_wire() {
    let failed = |error: board::Error| {
        let failed = Some(TaskError { error: error.into(), board: BoardState::Untouched });
        Guide { path: vec![CardName::Failed], failed, ..Guide::default() }.card()
    };
    let probes = Probes::new(
        SimBoard::new(Scenario::Open, Target::builtin("pro").unwrap()).probe_lister(),
        Arc::new(SystemClock::new()),
    );
    let found = [probes.list(), probes.list()].concat();
    let card = failed(board::Error::SeveralProbes { found });
    assert_eq!(card.facts.iter().filter(|(name, _)| *name == "probe").count(), 2, "{card:?}");
    assert!(card.text.iter().any(|text| text.contains("Unplug the probes")), "{card:?}");
    let dashboard = failed(board::Error::Unsupported(board::Unsupported::Dashboard));
    assert!(dashboard.text.iter().any(|text| text.contains("move the wires to the motor controller")), "{dashboard:?}");
}

#[test]
fn the_end_says_what_to_do_now_and_which_errors_are_normal() {
    let mut face = Face::new(Scenario::Locked);
    face.answers(TO_BOARD);
    let done = face.answers(["", "erase"]);
    for words in ["Reassemble", "off the ground", "On the bench, errors 10"] {
        assert!(done.text.iter().any(|text| text.contains(words)), "{words}: {done:?}");
    }
    assert!(done.facts.iter().any(|(name, _)| *name == "backup"), "{done:?}");
}
