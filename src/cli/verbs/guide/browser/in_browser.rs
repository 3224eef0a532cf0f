//! The cards in the browser: what the tabs are shown, and what they ask for meanwhile.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::{Duration, Instant},
};

use m365_drv::{
    board::{self, progress::Event},
    guide::{CardName, Guide, Question, Task},
    ops,
    page::{Feed, Reply, Wish},
    target::Pads,
};
use serde_json::{Value, json};

use super::{
    super::{face::Face, fixes},
    desk::Asked,
};
use crate::cli::{Context, screen::overheard::Listener};

/// How often a wait looks for Ctrl-C and whether anybody is left.
const GLANCE: Duration = Duration::from_millis(200);

/// How often what changes all the time is shown.
const EVERY: Duration = Duration::from_millis(80);

/// How long the page stays without a tab.
const ALONE: Duration = Duration::from_secs(5 * 60);

/// What the events of one task are kept under, and those about the board, which later tasks do not repeat.
const OF_TASK: &str = "task/";
const OF_BOARD: &str = "board/";
/// And those of a batch.
pub(super) const OF_BATCH: &str = "batch/";

/// The cards in the browser.
pub(super) struct InBrowser {
    feed: Feed,
    asked: Receiver<Asked>,
    interrupt: Arc<AtomicBool>,
    simulated: bool,
    /// The number of the present card, and what makes it another one.
    number: u64,
    question: Option<(CardName, Option<Question>)>,
    /// What the tabs have of it.
    shown: Value,
    /// What the program does now.
    doing: Option<&'static str>,
    shown_contact: Option<Instant>,
    shown_progress: Option<Instant>,
    /// Why the running task was stopped.
    next: Option<Interruption>,
}

/// What a tab wants instead of a task that runs.
pub(super) enum Interruption {
    Back,
    Ask(Asked),
    /// Nobody looks any more.
    End,
}

impl InBrowser {
    pub(super) fn new(feed: Feed, asked: Receiver<Asked>, context: &Context) -> Self {
        Self {
            feed,
            asked,
            interrupt: context.probes.interrupt(),
            simulated: context.rehearsal_images() == m365_drv::image::RehearsalImages::Allowed,
            number: 0,
            question: None,
            shown: Value::Null,
            doing: None,
            shown_contact: None,
            shown_progress: None,
            next: None,
        }
    }

    /// The number of the present card.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Another job begins.
    pub(super) fn begin(&mut self) {
        self.feed.forget(OF_TASK);
        self.feed.forget(OF_BOARD);
        self.feed.tell(None, &json!({ "event": "job" }));
    }

    /// Shows the present card, and what is done before it can be answered.
    pub(super) fn show(&mut self, guide: &Guide, task: Option<&Task>) {
        self.doing = task.map(name_of);
        if matches!(task, Some(Task::Contact | Task::Look | Task::Preview | Task::Flash)) {
            self.feed.forget(OF_TASK);
            self.feed.tell(None, &json!({ "event": "job" }));
        }
        self.show_card(guide);
    }

    fn show_card(&mut self, guide: &Guide) {
        let mut card = guide.card();
        card.text.extend(guide.failure().into_iter().flat_map(fixes));
        let question = Some((card.name, card.question.clone()));
        if self.question != question {
            self.question = question;
            self.number += 1;
        }
        let scooter = guide.scooter();
        let shown = json!({
            "event": "card",
            "number": self.number,
            "card": card,
            "can_go_back": guide.can_go_back(),
            "doing": self.doing,
            "pads": scooter.map_or(Pads::Unknown, |scooter| scooter.pads),
            "title": scooter.map(|scooter| &scooter.title),
            "simulated": self.simulated,
            "version": env!("CARGO_PKG_VERSION"),
        });
        if self.shown != shown {
            self.feed.tell(Some("card"), &shown);
            self.shown = shown;
        }
    }

    /// Waits for what a tab asks; `None` if nobody looks any more. Ctrl-C ends the wait.
    pub(super) fn wait(&self) -> Result<Option<Asked>, ops::Error> {
        loop {
            match self.asked.recv_timeout(GLANCE) {
                Ok(asked) => return Ok(Some(asked)),
                Err(_) if self.interrupt.load(Ordering::SeqCst) => return Err(board::Error::Interrupted.into()),
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
                Err(RecvTimeoutError::Timeout) if self.is_alone() => return Ok(None),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    fn is_alone(&self) -> bool {
        self.feed.alone_for().is_some_and(|time| time >= ALONE)
    }

    /// Why the task was stopped, if a tab has wanted that.
    pub(super) fn take_next(&mut self) -> Option<Interruption> {
        let next = self.next.take()?;
        self.interrupt.store(false, Ordering::SeqCst);
        Some(next)
    }

    /// Ends the running task.
    fn stop(&mut self, next: Interruption) {
        self.next = Some(next);
        self.interrupt.store(true, Ordering::SeqCst);
    }

    /// What a tab asks for while a task runs.
    fn meanwhile(&mut self, guide: &Guide, asked: Asked) {
        let is_work = guide.at() == CardName::Work;
        match &asked.wish {
            _ if is_work => asked.refuse("the board is being written"),
            _ if self.next.is_some() => asked.refuse("the program is busy; try again"),
            Wish::Back { number } if *number == self.number && guide.can_go_back() => {
                asked.reply(Reply::Done);
                self.stop(Interruption::Back);
            }
            Wish::Doctor | Wish::Report | Wish::Backup | Wish::Batch | Wish::StartBatch { .. } => {
                self.stop(Interruption::Ask(asked));
            }
            Wish::File { .. } => asked.refuse("no file is needed now; drop it when the page asks for one"),
            _ => asked.refuse("the program is busy; wait for the next question"),
        }
    }

    fn tell_event(&mut self, event: &Event) {
        let Ok(value) = serde_json::to_value(event) else { return };
        match event {
            Event::Waiting { .. } => return,
            Event::Contact { .. } if !is_due(&mut self.shown_contact) => return,
            Event::Advanced { done_bytes, total_bytes, .. }
                if done_bytes != total_bytes && !is_due(&mut self.shown_progress) =>
            {
                return;
            }
            _ => {}
        }
        self.feed.tell(Some(&key_of(&value)), &value);
    }
}

impl Face for InBrowser {
    fn on(&mut self, guide: &Guide, _: CardName, event: &Event) -> Option<String> {
        self.tell_event(event);
        self.show_card(guide);
        while let Ok(asked) = self.asked.try_recv() {
            self.meanwhile(guide, asked);
        }
        if self.next.is_none() && guide.at() != CardName::Work && self.is_alone() {
            self.stop(Interruption::End);
        }
        None
    }

    fn tell(&mut self, _: &mut Context, words: &str) {
        self.feed.tell(None, &json!({ "event": "warning", "name": "file", "message": words }));
    }

    fn gives_up(&mut self, _: &Context, time: Duration) -> Result<bool, ops::Error> {
        match self.asked.recv_timeout(time) {
            Ok(asked) if matches!(asked.wish, Wish::Back { .. }) => {
                asked.reply(Reply::Done);
                Ok(true)
            }
            Ok(asked) => {
                self.next = Some(Interruption::Ask(asked));
                Ok(true)
            }
            Err(_) if self.interrupt.load(Ordering::SeqCst) => Err(board::Error::Interrupted.into()),
            Err(_) if self.is_alone() => {
                self.next = Some(Interruption::End);
                Ok(true)
            }
            Err(_) => Ok(false),
        }
    }
}

/// Whether it is time to show something again.
fn is_due(last: &mut Option<Instant>) -> bool {
    let is_due = last.is_none_or(|last| last.elapsed() >= EVERY);
    if is_due {
        *last = Some(Instant::now());
    }
    is_due
}

/// What an event replaces for a tab that is opened later.
fn key_of(event: &Value) -> String {
    let text = |name: &str| event[name].as_str().unwrap_or_default();
    match text("event") {
        "page" => format!("{OF_TASK}page/{}", text("address")),
        "step" => format!("{OF_TASK}step/{}", text("step")),
        "warning" => format!("{OF_TASK}warning/{}", text("message")),
        kind @ ("probe" | "board" | "found" | "backup") => format!("{OF_BOARD}{kind}"),
        kind => format!("{OF_TASK}{kind}"),
    }
}

/// Shows every tab what happens to the boards of a batch.
pub(super) fn listener(feed: Feed) -> Listener {
    Arc::new(move |probe, unit, line| {
        let (mut line, kind) = (line.clone(), line["event"].as_str().unwrap_or_default());
        line["probe_name"] = probe.into();
        line["unit"] = unit.into();
        if kind == "unit" {
            if line["state"] == "started" {
                feed.forget(&format!("{OF_BATCH}{probe}/now/"));
            }
            let state = line["state"].as_str().unwrap_or_default().to_owned();
            feed.tell(Some(&format!("{OF_BATCH}{probe}/unit/{unit}/{state}")), &line);
        } else if kind != "progress" || line["done_bytes"] == line["total_bytes"] {
            feed.tell(Some(&format!("{OF_BATCH}{probe}/now/{}", key_of(&line))), &line);
        }
    })
}

fn name_of(task: &Task) -> &'static str {
    match task {
        Task::Search(_) => "search",
        Task::Fetch(_) => "fetch",
        Task::Open(..) => "open",
        Task::Watch(..) => "watch",
        Task::Contact => "contact",
        Task::Look => "look",
        Task::Preview => "preview",
        Task::Flash => "flash",
    }
}
