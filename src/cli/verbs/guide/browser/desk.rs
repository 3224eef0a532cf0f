//! What the tabs ask for, on its way to the job.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
};

use m365_drv::{
    page::{Desk, Reply, Wish},
    target::Target,
};
use serde_json::json;

use super::OtherCommands;
use crate::cli::screen::CommandResult;

/// A wish that the job has to answer.
pub(super) struct Asked {
    pub(super) wish: Wish,
    reply: mpsc::Sender<Reply>,
}

impl Asked {
    pub(super) fn reply(self, reply: Reply) {
        // The tab may have gone.
        let _ = self.reply.send(reply);
    }

    pub(super) fn refuse(self, why: &str) {
        self.reply(Reply::Refused(why.to_owned()));
    }
}

/// The batch that runs, if one does.
#[derive(Default)]
pub(super) struct RunningBatch {
    log: Mutex<Option<PathBuf>>,
    is_stopped: AtomicBool,
}

impl RunningBatch {
    fn log(&self) -> MutexGuard<'_, Option<PathBuf>> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It begins, with this log; or it has ended.
    pub(super) fn set(&self, log: Option<&Path>) {
        *self.log() = log.map(ToOwned::to_owned);
        self.is_stopped.store(false, Ordering::SeqCst);
    }

    /// Whether a tab has stopped it.
    pub(super) fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::SeqCst)
    }
}

/// Answers what needs no board, and hands everything else to the job.
pub(super) struct PageDesk {
    asked: mpsc::Sender<Asked>,
    backups: Option<PathBuf>,
    commands: &'static OtherCommands,
    pub(super) batch: Arc<RunningBatch>,
    interrupt: Arc<AtomicBool>,
}

impl PageDesk {
    pub(super) fn new(
        backups: Option<PathBuf>,
        commands: &'static OtherCommands,
        interrupt: Arc<AtomicBool>,
    ) -> (Self, mpsc::Receiver<Asked>) {
        let (asked, job) = mpsc::channel();
        (Self { asked, backups, commands, batch: Arc::default(), interrupt }, job)
    }
}

impl Desk for PageDesk {
    fn ask(&self, wish: Wish) -> Reply {
        match (wish, &self.backups) {
            (Wish::Explain { topic }, _) => blocks((self.commands.explain)(topic.as_deref())),
            (Wish::Backups, Some(folder)) => blocks((self.commands.backups)(folder)),
            (Wish::Backups, None) => Reply::Missing,
            (Wish::Batch, _) => {
                let log = self.batch.log().clone();
                let scooters =
                    Target::all().iter().map(|scooter| json!({ "name": scooter.name, "title": scooter.title }));
                Reply::Json(json!({
                    "scooters": scooters.collect::<Vec<_>>(),
                    "running": log.is_some(),
                    "log": log.map(|log| log.display().to_string()),
                }))
            }
            (Wish::StopBatch, _) if self.batch.log().is_some() => {
                self.batch.is_stopped.store(true, Ordering::SeqCst);
                self.interrupt.store(true, Ordering::SeqCst);
                Reply::Done
            }
            (Wish::StopBatch, _) => Reply::Refused("no batch is running".into()),
            _ if self.batch.log().is_some() => Reply::Refused("a batch is running; stop it first".into()),
            (wish, _) => {
                let (reply, replied) = mpsc::channel();
                let sent = self.asked.send(Asked { wish, reply });
                sent.ok()
                    .and_then(|()| replied.recv().ok())
                    .unwrap_or_else(|| Reply::Refused("the program ends".into()))
            }
        }
    }
}

/// What a command reports, as a tab gets it; a report of a failure too.
pub(super) fn blocks(done: CommandResult) -> Reply {
    match done {
        Ok(outcome) => Reply::Json(json!({ "blocks": outcome.page() })),
        Err(error) => Reply::Failed(format!("{error:#}")),
    }
}
