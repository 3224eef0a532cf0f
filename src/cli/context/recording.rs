//! `--record` and `--replay`: what passes between the program and the probe is written to a file, or taken from one.

use std::{
    env,
    ffi::OsString,
    fs::File,
    iter,
    path::{Path, PathBuf},
};

use m365_drv::{
    board::Probes,
    image::Kind,
    printable::quoted_path,
    tape::{Header, Tape, TapeError},
};
use tempfile::TempDir;

use crate::cli::{
    args::{command_line::CommandLine, globals::Globals},
    exit::{Exit, Meaning, refusal, refuse},
};

/// A recording that is made or played.
pub(crate) struct Recording {
    tape: Tape,
    played: Option<Played>,
}

/// What a recording that is played says of its run.
struct Played {
    path: PathBuf,
    header: Header,
    /// Where its backups go, to be forgotten with it.
    home: TempDir,
}

impl Recording {
    /// Prepares what the options ask for. `has_backups` says whether this run has a folder for backups.
    pub(crate) fn begin(globals: &Globals, has_backups: bool) -> anyhow::Result<Option<Self>> {
        if let Some(path) = &globals.replay {
            let (header, tape) = Tape::play(path).map_err(|error| refuse(Exit::Usage, error.to_string()))?;
            let home =
                TempDir::new().meaning(Exit::Backup, || "cannot create a temporary folder for backups".into())?;
            return Ok(Some(Self { tape, played: Some(Played { path: path.clone(), header, home }) }));
        }
        let Some(path) = &globals.record else { return Ok(None) };
        let command = env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
        let header = Header::new(command, globals.simulate.is_some(), has_backups);
        let file = File::create_new(path).and_then(|file| Tape::record(file, &header));
        let tape = file.meaning(Exit::Usage, || format!("cannot create the recording {}", quoted_path(path)))?;
        Ok(Some(Self { tape, played: None }))
    }

    /// These probes, recorded or played.
    pub(crate) fn of(&self, probes: Probes) -> Probes {
        probes.taped(self.tape.clone())
    }

    /// What to say about it first.
    pub(crate) fn title(&self) -> Option<String> {
        let Played { path, header: Header { program, command, .. }, .. } = self.played.as_ref()?;
        let command = command.join(" ");
        Some(format!(
            "replaying {}, recorded by m365-drv {program} ({command}): no hardware is touched",
            quoted_path(path)
        ))
    }

    /// Whether the board of a recording that is played was a simulated one.
    pub(crate) fn is_of_rehearsal(&self) -> bool {
        self.played.as_ref().is_some_and(|played| played.header.simulated)
    }

    /// Whether it is played.
    pub(crate) fn is_played(&self) -> bool {
        self.played.is_some()
    }

    /// The folder for the backups of a recording that is played, if its run had one.
    pub(crate) fn home(&self) -> Option<&Path> {
        self.played.as_ref().filter(|played| played.header.has_backups).map(|played| played.home.path())
    }

    /// The error of a run that does not fit the recording: the command to type instead is the recorded one, if another was typed.
    pub(crate) fn misfit(&self, typed: &CommandLine) -> Option<anyhow::Error> {
        let Played { path, header, .. } = self.played.as_ref()?;
        let problem = self.tape.problem()?;
        let words = iter::once("m365-drv").chain(header.command.iter().map(String::as_str)).map(OsString::from);
        let recorded = CommandLine::read(&words.collect::<Vec<_>>()).0.replayed(path);
        let next = (recorded != typed.replayed(path)).then_some(recorded);
        let error = refusal(Exit::Usage, "this run does not match the recording", next);
        Some(anyhow::Error::new(problem).context(error))
    }

    /// Whether this program's own image is needed, which depends on the simulated board; `find` is not called if it is played.
    pub(crate) fn stands_in(&self, kind: Kind, find: impl FnOnce() -> bool) -> bool {
        self.tape.note(&format!("rehearsal {kind}"), find).unwrap_or(false)
    }

    /// The error of a recording that is incomplete.
    pub(crate) fn close(&self) -> anyhow::Result<()> {
        match self.tape.problem() {
            Some(problem @ TapeError::Write(_)) => Err(refuse(Exit::Output, problem.to_string())),
            _ => Ok(()),
        }
    }
}
