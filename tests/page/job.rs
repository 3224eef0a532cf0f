//! The whole job over the page of the program, as a browser asks for it.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, Stdio},
};

use m365_drv::sim::{APP_64, BOOT};
use serde_json::{Value, json};

use super::{Browser, tabs::Tab};
use crate::bench::Bench;

/// The program, with its page open in a browser.
pub(crate) struct Program {
    child: Child,
    pub(crate) address: String,
}

impl Program {
    pub(crate) fn start(bench: &Bench, arguments: &str) -> Self {
        let mut command = bench.m365(&format!("--json {arguments} ui --no-open --offline")).command();
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let address = loop {
            let line = lines.next().expect("an address").expect("a line");
            let line: Value = serde_json::from_str(&line).expect("JSON");
            if line["event"] == "address" {
                break line["url"].as_str().expect("an address").to_owned();
            }
        };
        // It must not be stopped by a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address }
    }

    fn browser(&self) -> Browser {
        Browser::open(&self.address)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Answers the card of this name.
fn answer(browser: &Browser, tab: &mut Tab, card: &str, answer: &str) -> Value {
    let shown = tab.card(card);
    let status = browser.post_json("/api/answer", &json!({ "number": shown["number"], "answer": answer })).status;
    assert_eq!(status, 204, "{card}");
    shown
}

#[test]
fn a_locked_board_is_repaired_over_the_page() {
    let bench = Bench::new();
    let program = Program::start(&bench, "--simulate=B:locked");
    let browser = program.browser();
    let mut tab = Tab::open(&browser);
    answer(&browser, &mut tab, "welcome", "dead");
    answer(&browser, &mut tab, "safety", "yes");
    answer(&browser, &mut tab, "scooter", "pro");
    let firmware = answer(&browser, &mut tab, "firmware", "1");
    assert_eq!((&firmware["pads"], &firmware["simulated"]), (&json!("top"), &json!(true)));
    answer(&browser, &mut tab, "board", "");
    let plan = tab.card("plan");
    assert_eq!(plan["card"]["question"], json!({ "word": { "word": "erase" } }));
    // Anything but the word is not consent.
    for no in ["yes", "eras", "erase!"] {
        browser.post_json("/api/answer", &json!({ "number": plan["number"], "answer": no }));
        let card = tab.card("plan");
        assert_eq!(card["card"]["objection"], json!(format!("{no:?} is not `erase`")));
    }
    browser.post_json("/api/answer", &json!({ "number": plan["number"], "answer": "erase" }));
    let pages = tab.until("plan", |_| true)["pages"].as_array().expect("pages").len();
    assert_eq!(pages, 64);
    tab.until("contact-free", |_| true);
    let done = tab.card("done");
    assert!(done["card"]["facts"].to_string().contains("21886/00012345"), "{done}");
    // A tab that is opened now is shown the same, and the map of the memory as it has become.
    let mut other = Tab::open(&browser);
    assert_eq!(other.card("done"), done);
    let verified = |event: &Value| event["state"] == "verified";
    other.until("page", verified);
    // The board is what `flash` makes of it.
    assert_eq!(browser.get("/api/backup").status, 200);
    let report = browser.get("/api/report");
    assert_eq!(report.header("content-disposition"), Some("attachment; filename=\"m365-drv-report.json\""));
    assert_eq!(report.json()["format"], "m365-drv-report");
    browser.post_json("/api/answer", &json!({ "number": done["number"], "answer": "end" }));
    let end = tab.card("end");
    // Another job begins at the first card.
    browser.post_json("/api/answer", &json!({ "number": end["number"], "answer": "again" }));
    tab.card("welcome");
}

#[test]
fn two_tabs_cannot_answer_the_same_question() {
    let bench = Bench::new();
    let program = Program::start(&bench, "--simulate=locked");
    let browser = program.browser();
    let (mut one, mut other) = (Tab::open(&browser), Tab::open(&browser));
    let number = one.card("welcome")["number"].clone();
    assert_eq!(other.card("welcome")["number"], number);
    let ask = |answer: &str| browser.post_json("/api/answer", &json!({ "number": number, "answer": answer }));
    assert_eq!(ask("dead").status, 204);
    let late = ask("end");
    assert_eq!((late.status, late.json()["error"].as_str()), (409, Some("the question was answered already")));
    assert_eq!(one.card("safety"), other.card("safety"));
    let number = json!({ "number": number.as_u64().unwrap() + 1 });
    assert_eq!(browser.post_json("/api/back", &number).status, 204);
    one.card("welcome");
}

#[test]
fn a_dropped_file_goes_through_the_gates_and_a_path_is_not_opened() {
    let bench = Bench::new();
    bench.write("own.bin", APP_64);
    let program = Program::start(&bench, "--simulate=locked");
    let browser = program.browser();
    let mut tab = Tab::open(&browser);
    let early = browser.post("/api/file?name=own.bin", APP_64);
    assert_eq!(early.status, 409);
    assert_eq!(early.json()["error"], "no file is needed now; drop it when the page asks for one");
    answer(&browser, &mut tab, "welcome", "dead");
    answer(&browser, &mut tab, "safety", "yes");
    answer(&browser, &mut tab, "scooter", "pro");
    let path = bench.path("own.bin").display().to_string();
    answer(&browser, &mut tab, "firmware", &path);
    let refused = tab.until("card", |card| !card["card"]["objection"].is_null());
    assert_eq!(refused["card"]["name"], "firmware", "{refused}");
    assert_eq!(browser.post("/api/file?name=notes.txt", b"not firmware").status, 204);
    let refused = tab.until("card", |card| card["card"]["objection"].to_string().contains("notes.txt"));
    assert_eq!(refused["card"]["name"], "firmware");
    assert_eq!(browser.post("/api/file?name=own.bin", APP_64).status, 204);
    tab.card("board");
    drop(tab);
    assert_eq!(browser.post("/api/file?name=boot.bin", BOOT).status, 409);
}

#[test]
fn serial_number_and_mileage_are_taken_from_a_dropped_backup() {
    let bench = Bench::new();
    bench.m365("--simulate=B:locked flash pro --erase-all").json();
    bench.m365("--simulate=B backup b.json").json();
    let program = Program::start(&bench, "--simulate=bricked");
    let browser = program.browser();
    let mut tab = Tab::open(&browser);
    answer(&browser, &mut tab, "welcome", "dead");
    answer(&browser, &mut tab, "safety", "yes");
    answer(&browser, &mut tab, "scooter", "pro");
    answer(&browser, &mut tab, "firmware", "1");
    tab.card("serial");
    assert_eq!(browser.post("/api/file?name=x.json", b"{}").status, 204);
    tab.until("card", |card| card["card"]["objection"].to_string().contains("x.json"));
    assert_eq!(browser.post("/api/file?name=b.json", &fs::read(bench.path("b.json")).unwrap()).status, 204);
    let board = tab.card("board");
    browser.post_json("/api/answer", &json!({ "number": board["number"], "answer": "" }));
    let plan = tab.card("plan");
    assert!(plan["card"]["facts"].to_string().contains("21886/00012345"), "{plan}");
}

#[test]
fn a_wait_for_the_board_can_be_left_and_doctor_looks_meanwhile() {
    let bench = Bench::new();
    let program = Program::start(&bench, "--simulate=absent");
    let browser = program.browser();
    let mut tab = Tab::open(&browser);
    answer(&browser, &mut tab, "welcome", "dead");
    answer(&browser, &mut tab, "safety", "yes");
    answer(&browser, &mut tab, "scooter", "unknown");
    let waiting = tab.until("card", |card| card["doing"] == "contact");
    let ask = browser.post_json("/api/answer", &json!({ "number": waiting["number"], "answer": "" }));
    assert_eq!(ask.status, 409);
    let doctor = browser.post("/api/doctor", b"");
    assert_eq!(doctor.status, 200, "{doctor:?}");
    assert!(doctor.json()["blocks"].to_string().contains("probe"));
    let waiting = tab.until("card", |card| card["doing"] == "contact");
    assert_eq!(browser.post_json("/api/back", &json!({ "number": waiting["number"] })).status, 204);
    tab.card("scooter");
}

#[test]
fn pages_that_need_no_board_are_the_texts_of_the_commands() {
    let bench = Bench::new();
    let program = Program::start(&bench, "--simulate=B:locked");
    let browser = program.browser();
    let text = browser.get("/api/explain?topic=21").json().to_string();
    assert!(text.contains("error 21 on the scooter"), "{text}");
    assert_eq!(browser.get("/api/explain").json()["blocks"][0], json!({ "heading": "Topics" }));
    let unknown = browser.get("/api/explain?topic=nothing");
    assert_eq!((unknown.status, &unknown.json()["error"]), (422, &json!("unknown topic \"nothing\"")));
    assert_eq!(browser.get("/api/backups").status, 200);
    assert_eq!(browser.get("/api/backup").status, 404);
}

#[test]
#[cfg(not(windows))]
fn a_second_start_opens_the_page_that_is_there() {
    let bench = Bench::new();
    let program = Program::start(&bench, "--simulate=B:locked");
    let mut again = Program::start(&bench, "--simulate=C:locked");
    assert!(again.child.wait().expect("an end").success());
    assert_ne!(again.address, program.address);
    assert_eq!(again.address.split('#').next(), program.address.split('#').next());
    let mut tab = Tab::open(&again.browser());
    tab.card("welcome");
    let mut errors = String::new();
    again.child.stderr.take().expect("its errors").read_to_string(&mut errors).expect("text");
    assert_eq!(errors, "");
}

#[test]
fn a_batch_runs_on_all_probes_and_each_tab_is_told_what_happens_at_each() {
    let bench = Bench::new();
    let program = Program::start(&bench, "--simulate=B:locked,open");
    let browser = program.browser();
    let mut tab = Tab::open(&browser);
    let batch = browser.get("/api/batch").json();
    assert_eq!((&batch["running"], &batch["scooters"][0]["name"]), (&json!(false), &json!("m365")), "{batch}");
    assert_eq!(browser.post("/api/batch/stop", b"").status, 409);
    let begin =
        |scooter: &str| browser.post_json("/api/batch", &json!({ "scooter": scooter, "erase": true, "drv": null }));
    assert_eq!(begin("nothing").status, 409);
    assert_eq!(begin("pro").status, 204);
    let running = tab.until("batch", |line| line["running"] == true);
    let finished = |line: &Value| line["state"] == "finished";
    let one = tab.until("unit", finished);
    let other = tab.until("unit", finished);
    assert_eq!((&one["result"], &other["result"]), (&json!("ok"), &json!("ok")), "{one} {other}");
    assert_ne!(one["uid"], other["uid"]);
    let log = fs::read_to_string(bench.path(running["log"].as_str().expect("a log"))).expect("the log");
    assert_eq!(log.lines().filter(|line| line.contains(",ok,")).count(), 2, "{log}");
    browser.post("/api/batch/stop", b"");
    tab.until("batch", |line| line["running"] == false);
    // The guided job is there again.
    let mut later = Tab::open(&browser);
    later.until("unit", finished);
    answer(&browser, &mut Tab::open(&browser), "welcome", "dead");
}
