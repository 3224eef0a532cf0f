//! What a batch came to: counts at its end.

use std::collections::BTreeMap;

use m365_drv::{block::Uid, count::count};
use serde::Serialize;

use super::BatchArgs;
use crate::cli::{
    args::command_line::CommandLine,
    exit::{Exit, refusal, refuse},
    exit_codes::ExitRow,
    screen::{Page, Report, Tone},
};

/// What is counted once, however often it was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    /// A board, by its UID.
    Board([u32; 3]),
    /// Something without a UID, by the number of the unit.
    Stranger(u32),
}

/// How the boards of this run have ended.
#[derive(Debug, Default)]
pub(super) struct Tally {
    ended: BTreeMap<Key, Exit>,
    skipped: Vec<Uid>,
}

impl Tally {
    /// The work on this has ended; an earlier try does not count any more.
    pub(super) fn ended(&mut self, key: Key, exit: Exit) {
        self.ended.insert(key, exit);
    }

    /// This board was done before this run, or in it.
    pub(super) fn skipped(&mut self, uid: Uid) {
        if !self.skipped.contains(&uid) && !self.ended.contains_key(&Key::Board(uid.0)) {
            self.skipped.push(uid);
        }
    }

    pub(super) fn summary(&self, args: &BatchArgs, done: usize, left: usize) -> BatchSummary {
        let mut failed = BTreeMap::new();
        for exit in self.ended.values().filter(|exit| **exit != Exit::Ok) {
            let row = ExitRow::of(*exit);
            *failed.entry(row.code).or_insert(0_usize) += 1;
        }
        let failures = failed.values().sum();
        let by_result: BTreeMap<_, _> = failed.iter().map(|(code, count)| (name_of(*code), *count)).collect();
        let worst = failed.keys().next_back().copied();
        BatchSummary {
            scooter: args.images.scooter.name.clone(),
            log: args.log.display().to_string(),
            ok: self.ended.len() - failures,
            failed: failures,
            by_result,
            already_done: self.skipped.len(),
            done_in_log: done,
            left_in_list: args.list.as_ref().map(|_| left),
            worst,
        }
    }
}

fn name_of(code: u8) -> &'static str {
    ExitRow::of_code(code).name
}

/// The report of a batch.
#[derive(Debug, Serialize)]
pub(super) struct BatchSummary {
    scooter: String,
    log: String,
    /// Boards that were flashed in this run.
    ok: usize,
    /// Boards that failed in this run, and were not flashed later in it.
    failed: usize,
    /// These by the name of the exit code.
    by_result: BTreeMap<&'static str, usize>,
    /// Boards that were on the wires and were done before.
    already_done: usize,
    /// All boards that the log has as done.
    done_in_log: usize,
    /// Serial numbers of the list that no board has.
    left_in_list: Option<usize>,
    /// The greatest exit code of a board that failed.
    #[serde(skip)]
    worst: Option<u8>,
}

impl BatchSummary {
    /// The error that a batch with failed boards ends with.
    pub(super) fn failure(&self, typed: &CommandLine) -> Option<anyhow::Error> {
        let exit = ExitRow::of_code(self.worst?).exit;
        if exit == Exit::Interrupted {
            return Some(refuse(exit, "interrupted while a board was connected"));
        }
        let all = self.ok + self.failed;
        let next = match exit {
            Exit::Data if !typed.has("--list") => typed.again_with("--list", "FILE"),
            Exit::Consent => typed.again(&["--erase-all"]),
            _ => typed.again(&[]),
        };
        Some(refusal(exit, format!("{} of {} failed", self.failed, count(all, "board")), Some(next)).into())
    }
}

impl Report for BatchSummary {
    fn text(&self, page: &mut Page) {
        page.toned("flashed", count(self.ok, "board"), if self.ok > 0 { Tone::Good } else { Tone::Plain });
        if self.failed > 0 {
            let results: Vec<_> = self.by_result.iter().map(|(name, count)| format!("{count} {name}")).collect();
            page.toned("failed", format!("{} ({})", count(self.failed, "board"), results.join(", ")), Tone::Bad);
        }
        if self.already_done > 0 {
            page.row("done before", count(self.already_done, "board"));
        }
        page.row("in the log", format!("{} done", count(self.done_in_log, "board")));
        if let Some(left) = self.left_in_list {
            page.row("left in the list", count(left, "serial number"));
        }
        page.row("log", &self.log);
    }
}
