//! What the tabs ask for, on its way to the job.

use std::{path::PathBuf, sync::mpsc};

use m365_drv::page::{Desk, Reply, Wish};
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

/// Answers what needs no board, and hands everything else to the job.
pub(super) struct PageDesk {
    asked: mpsc::Sender<Asked>,
    backups: Option<PathBuf>,
    commands: &'static OtherCommands,
}

impl PageDesk {
    pub(super) fn new(backups: Option<PathBuf>, commands: &'static OtherCommands) -> (Self, mpsc::Receiver<Asked>) {
        let (asked, job) = mpsc::channel();
        (Self { asked, backups, commands }, job)
    }
}

impl Desk for PageDesk {
    fn ask(&self, wish: Wish) -> Reply {
        match (wish, &self.backups) {
            (Wish::Explain { topic }, _) => blocks((self.commands.explain)(topic.as_deref())),
            (Wish::Backups, Some(folder)) => blocks((self.commands.backups)(folder)),
            (Wish::Backups, None) => Reply::Missing,
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
