//! What the commands work with, made from the arguments.

pub(crate) mod accounts;
mod interrupt;
mod recording;
mod rehearsal;
pub(crate) mod station;

use std::{
    env,
    io::{self, IsTerminal as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use indicatif::{MultiProgress, ProgressDrawTarget};
use m365_drv::{
    block::Uid,
    board::{
        ConnectOptions, Method, Probes, Selector, Wait,
        progress::{Event, Progress, Warning},
    },
    clock::{Clock, SystemClock},
    image::{Image, Kind, RehearsalImages},
    ops::{BackupStore, Job, Known},
    target::Target,
};

use crate::cli::{
    Cli,
    args::{
        command_line::CommandLine,
        globals::ConnectArg,
        values::{parse_khz, parse_probe},
    },
    context::{accounts::Accounts, recording::Recording, rehearsal::Rehearsal, station::Station},
    exit::{Exit, refuse},
    files,
    screen::{
        audience::Audience,
        bars::Bars,
        json::JsonLines,
        lines::Lines,
        output::Output,
        overheard::{Listener, Overheard},
        progress::Teller,
        voice::{Mute, Voice},
    },
    settings,
};

/// The environment variables that replace `--probe` and `--speed`.
const PROBE: &str = "M365_DRV_PROBE";
const SPEED: &str = "M365_DRV_SPEED";

/// What a command works with.
pub(crate) struct Context {
    /// Where the probes come from: USB, or a simulated board.
    pub(crate) probes: Probes,
    options: ConnectOptions,
    teller: Teller,
    /// What the procedure has found out; after a failure all that there is to report.
    pub(crate) known: Known,
    rehearsal: Option<Rehearsal>,
    recording: Option<Recording>,
    accounts: Accounts,
    voices: Voices,
    /// Every probe that was named.
    selectors: Vec<Selector>,
    /// Whether `--simulate` was typed, for commands without a board too.
    simulates: bool,
    audience: Audience,
    wants_phases: bool,
    typed: Arc<CommandLine>,
}

impl Context {
    /// Prepares what the options ask for.
    pub(crate) fn new(cli: &Cli, output: &Output, bars: MultiProgress) -> anyhow::Result<Self> {
        let globals = &cli.globals;
        let uses_board = cli.command.uses_board();
        let wanted = globals.simulate.as_ref().filter(|_| uses_board);
        // A probe named in the environment is a real one, so it does not count for a simulated board.
        if cli.command.takes_probes() && (globals.record.is_some() || globals.replay.is_some()) {
            return Err(refuse(
                Exit::Usage,
                "--record and --replay do not work with `batch`: a recording covers one probe",
            ));
        }
        if globals.probe.len() > 1 && !cli.command.takes_probes() {
            let message = "the argument '--probe <SEL>' can be used only once; `batch` takes several probes";
            return Err(refuse(Exit::Usage, message));
        }
        let named = globals.probe.first().cloned();
        let is_real = uses_board && wanted.is_none() && globals.replay.is_none();
        let selector = or_from_environment(named, PROBE, is_real, parse_probe)?;
        let speed_khz = or_from_environment(globals.speed, SPEED, uses_board, parse_khz)?;
        let mut rehearsal = wanted.map(|board| Rehearsal::begin(board, cli.command.scooter())).transpose()?;
        let has_backups = rehearsal.as_ref().is_none_or(|rehearsal| rehearsal.home().is_some());
        let recording = if uses_board { Recording::begin(globals, has_backups)? } else { None };
        // The only lines that differ between a real run, a rehearsal and a recording.
        let probes = rehearsal.as_mut().map_or_else(Probes::usb, |rehearsal| rehearsal.probes(selector.as_ref()));
        let probes = match &recording {
            Some(recording) => recording.of(probes),
            None => probes,
        };
        let accounts = Accounts::default();
        accounts.add(probes.ledger());
        output.follow(&accounts);
        interrupt::obey(probes.interrupt(), accounts.clone(), output.clone());
        let options = ConnectOptions {
            selector,
            speed_khz,
            method: globals.connect.into(),
            wait: globals.wait.unwrap_or_default(),
            verify: cli.command.verify(),
            expect: None,
        };
        let clock = rehearsal.as_ref().map_or_else(|| Arc::new(SystemClock::new()) as Arc<dyn Clock>, Rehearsal::clock);
        let voices = Voices { output: output.clone(), quiet: globals.quiet, bars, listener: None };
        let mut teller = Teller::new(voices.voice(clock, "", None));
        if let Some(rehearsal) = &rehearsal {
            teller.rehearses();
            teller.say(&format!("simulated board {}: no hardware is touched", rehearsal.title()));
        }
        if recording.as_ref().is_some_and(Recording::is_of_rehearsal) {
            teller.rehearses();
        }
        if let Some(title) = recording.as_ref().and_then(Recording::title) {
            teller.say(&title);
        }
        let (audience, wants_phases) = (Audience::of(globals), globals.verbose > 0);
        let is_of_rehearsal = recording.as_ref().is_some_and(Recording::is_of_rehearsal);
        let (known, simulates) = (Known::default(), globals.simulate.is_some() || is_of_rehearsal);
        let selectors =
            if globals.probe.is_empty() { options.selector.iter().cloned().collect() } else { globals.probe.clone() };
        Ok(Self {
            probes,
            options,
            teller,
            known,
            rehearsal,
            recording,
            accounts,
            voices,
            selectors,
            simulates,
            audience,
            wants_phases,
            typed: output.typed(),
        })
    }

    /// The probe that was asked for.
    pub(crate) fn selector(&self) -> Option<&Selector> {
        self.options.selector.as_ref()
    }

    /// The command line.
    pub(crate) fn typed(&self) -> &CommandLine {
        &self.typed
    }

    /// What a procedure needs.
    pub(crate) fn job(&mut self) -> Job<'_> {
        Job::new(&self.probes, self.options.clone(), &mut self.teller, &mut self.known)
    }

    /// Does this with a job that waits for the board as long as it takes, for this one if it is known. Its events are handed
    /// over as they come; what is returned for one is shown.
    pub(crate) fn watched<T>(
        &mut self,
        uid: Option<Uid>,
        live: &mut dyn FnMut(&Event) -> Option<String>,
        work: impl FnOnce(&mut Job<'_>) -> T,
    ) -> T {
        let wait = if self.options.wait == Wait::No { Wait::Forever } else { self.options.wait };
        let options = ConnectOptions { wait, expect: uid, ..self.options.clone() };
        let mut both = Both { voice: &mut self.teller, live };
        let done = work(&mut Job::new(&self.probes, options, &mut both, &mut self.known));
        self.teller.rest();
        done
    }

    /// Another board comes. What was done to those before counts at the end of the run.
    pub(crate) fn next_board(&mut self) {
        self.probes.next_board();
        self.accounts.add(self.probes.ledger());
        self.known = Known::default();
    }

    /// Every probe that was named.
    pub(crate) fn selectors(&self) -> &[Selector] {
        &self.selectors
    }

    /// A probe to which boards come one after the other.
    pub(crate) fn station(&self, selector: Option<Selector>) -> Station {
        let simulated = self.rehearsal.as_ref().map(|rehearsal| rehearsal.on_probe(selector.as_ref()));
        let options = ConnectOptions { selector, ..self.options.clone() };
        let shared = (self.probes.interrupt(), self.accounts.clone());
        Station::new(simulated, options, self.voices.clone(), shared)
    }

    /// From now on somebody else is told too what happens to the boards of a batch.
    pub(crate) fn listen(&mut self, listener: Listener) {
        self.voices.listener = Some(listener);
    }

    /// Who is told that.
    pub(crate) fn listener(&self) -> Option<&Listener> {
        self.voices.listener.as_ref()
    }

    /// Prints a line of JSON about one of the boards of a batch.
    pub(crate) fn output(&self) -> &Output {
        &self.voices.output
    }

    /// Where backups go if no file was given.
    pub(crate) fn backup_store(&self) -> anyhow::Result<BackupStore> {
        let is_forgotten = self.rehearsal.is_some() || self.played().is_some();
        match self.backups() {
            Some(folder) if is_forgotten => Ok(BackupStore::in_folder(folder)),
            // Earlier runs may have had no settings.
            Some(folder) => {
                let usual = files::data_folder().map(|folder| folder.join("backups"));
                Ok(BackupStore::in_folder(&folder).with_earlier(usual.filter(|usual| *usual != folder)))
            }
            // A board that is forgotten at the end needs no backup.
            None if is_forgotten => Ok(BackupStore::none()),
            None => Err(refuse(
                Exit::Backup,
                "no folder for backups, because no home folder was found: use \
                                                      --backup FILE or --no-backup",
            )),
        }
    }

    fn played(&self) -> Option<&Recording> {
        self.recording.as_ref().filter(|recording| recording.is_played())
    }

    /// The folder of this user's backups; those of a simulated board are in its own folder.
    pub(crate) fn backups(&self) -> Option<PathBuf> {
        let folder = match (self.played(), &self.rehearsal) {
            (Some(played), _) => played.home().map(Path::to_owned),
            (None, Some(rehearsal)) => rehearsal.home().map(Path::to_owned),
            (None, None) => match settings::files().backup() {
                Some(folder) => return Some(folder),
                None => files::data_folder(),
            },
        };
        folder.map(|folder| folder.join("backups"))
    }

    /// Whether images that cannot drive a motor are allowed.
    pub(crate) fn rehearsal_images(&self) -> RehearsalImages {
        if self.simulates { RehearsalImages::Allowed } else { RehearsalImages::Refused }
    }

    /// Whether the board is a simulated one.
    pub(crate) fn is_rehearsal(&self) -> bool {
        self.rehearsal.is_some()
    }

    /// The scooter that is rehearsed is known now: a new board is one of its own, if nothing has looked at it yet.
    pub(crate) fn rehearse(&mut self, target: &Target) -> anyhow::Result<()> {
        if self.accounts.has_begun() {
            return Ok(());
        }
        self.rehearsal.as_mut().map_or(Ok(()), |rehearsal| rehearsal.become_of(target))
    }

    /// Our own image, for a rehearsal without one.
    pub(crate) fn stand_in(&mut self, kind: Kind, target: &Target) -> Option<Image> {
        let find = || self.rehearsal.as_ref().is_some_and(|rehearsal| rehearsal.needs(kind, target));
        let is_needed = match &self.recording {
            Some(recording) if self.simulates => recording.stands_in(kind, find),
            _ => find(),
        };
        let image = is_needed.then(|| rehearsal::own_image(kind, target)).flatten()?;
        self.warn("rehearsal-image", format!("no {kind} image was given; the rehearsal uses its own"));
        Some(image)
    }

    /// Warns; the work continues.
    pub(crate) fn warn(&mut self, name: &'static str, message: String) {
        self.teller.on(Event::Warning(Warning::new(name, message)));
    }

    /// Who could answer a question.
    pub(crate) fn audience(&self) -> Audience {
        self.audience
    }

    /// Prints a line for the person at the screen.
    pub(crate) fn say(&mut self, words: &str) {
        self.teller.say(words);
    }

    /// From now on waits for this board as long as it takes, and accepts no other.
    pub(crate) fn wait_for(&mut self, uid: Uid) {
        self.options.expect = Some(uid);
        self.options.wait = match self.options.wait {
            Wait::No => Wait::Forever,
            asked => asked,
        };
    }

    /// The error of a run that does not fit the recording that it plays.
    pub(crate) fn misfit(&self) -> Option<anyhow::Error> {
        let misfit = self.recording.as_ref()?.misfit(&self.typed)?;
        // A recording touches no board.
        self.accounts.forget();
        Some(misfit)
    }

    /// Tells how long the phases took, and saves what is needed after the command.
    pub(crate) fn close(&self) -> anyhow::Result<()> {
        if self.wants_phases {
            self.teller.tell_phases();
        }
        self.rehearsal.as_ref().map_or(Ok(()), |rehearsal| rehearsal.save(Exit::Output))?;
        self.recording.as_ref().map_or(Ok(()), Recording::close)
    }
}

/// Passes every event on to two.
struct Both<'a> {
    voice: &'a mut Teller,
    live: &'a mut dyn FnMut(&Event) -> Option<String>,
}

impl Progress for Both<'_> {
    fn on(&mut self, event: Event) {
        self.voice.on(event.clone());
        if let Some(page) = (self.live)(&event) {
            self.voice.show(&page);
        }
    }
}

/// What is needed for a voice.
#[derive(Clone)]
struct Voices {
    output: Output,
    quiet: bool,
    bars: MultiProgress,
    /// Who else is told what happens to the boards of a batch.
    listener: Option<Listener>,
}

impl Voices {
    /// The way in which progress is shown: bars if stderr is a terminal that can move its cursor, unless JSON or silence is
    /// wanted. A label stands before what a person sees, a number of a unit in the lines of JSON.
    fn voice(&self, clock: Arc<dyn Clock>, label: &str, unit: Option<u32>) -> Box<dyn Voice> {
        let voice = self.own_voice(clock, label, unit);
        match (&self.listener, unit) {
            (Some(listener), Some(unit)) => {
                let (listener, probe) = (listener.clone(), label.to_owned());
                Box::new(Overheard { voice, listener, probe, unit })
            }
            _ => voice,
        }
    }

    fn own_voice(&self, clock: Arc<dyn Clock>, label: &str, unit: Option<u32>) -> Box<dyn Voice> {
        if self.output.is_json() {
            Box::new(JsonLines::new(self.output.clone(), unit))
        } else if self.quiet {
            Box::new(Mute)
        } else if io::stderr().is_terminal() && env::var_os("TERM").is_none_or(|term| term != "dumb") {
            Box::new(Bars::new(self.bars.clone(), label))
        } else {
            self.bars.set_draw_target(ProgressDrawTarget::hidden());
            Box::new(Lines::new(clock, label))
        }
    }
}

impl From<ConnectArg> for Method {
    fn from(how: ConnectArg) -> Self {
        match how {
            ConnectArg::Auto => Self::Auto,
            ConnectArg::Normal => Self::Normal,
            ConnectArg::UnderReset => Self::UnderReset,
        }
    }
}

/// What was typed, else the value of an environment variable if it `counts`; an empty variable counts as not set.
fn or_from_environment<T>(
    typed: Option<T>,
    name: &str,
    counts: bool,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> anyhow::Result<Option<T>> {
    let value = if counts && typed.is_none() { env::var_os(name) } else { None };
    let Some(value) = value.filter(|value| !value.is_empty()) else { return Ok(typed) };
    let value = parse(&value.to_string_lossy());
    value.map(Some).map_err(|error| refuse(Exit::Usage, format!("environment variable {name}: {error}")))
}
