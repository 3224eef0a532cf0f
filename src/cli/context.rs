//! From the arguments to the things that verbs work with.

use std::{
    env,
    fmt::Display,
    path::{Path, PathBuf},
    time::Duration,
};

use indicatif::MultiProgress;
use m365_drv::{
    block::Uid,
    board::{
        ConnectOptions, Method, Probes, Wait,
        progress::{Event, Progress, Warning},
    },
    image::{Image, Kind, RehearsalImages},
    ops::{Job, Keep, Known},
    target::Target,
};

use super::{
    Cli, ConnectArg,
    consent::Audience,
    exit::{Exit, refuse},
    files, interrupt,
    output::Output,
    progress::{Activity, Teller},
    simulate::Rehearsal,
};

/// The variables that stand in for `--probe` and `--speed`.
const PROBE: &str = "M365_DRV_PROBE";
const SPEED: &str = "M365_DRV_SPEED";

/// What a verb works with.
pub(crate) struct Context {
    /// Where the probes come from: USB, or a simulated board.
    pub(crate) probes: Probes,
    options: ConnectOptions,
    teller: Teller,
    /// What the procedure has found out; after a failure all that there is to report.
    pub(crate) known: Known,
    activity: Activity,
    rehearsal: Option<Rehearsal>,
    audience: Audience,
    wants_phases: bool,
}

impl Context {
    /// Makes ready what the options ask for.
    pub(crate) fn new(cli: &Cli, output: &Output, bars: MultiProgress) -> anyhow::Result<Self> {
        let globals = &cli.globals;
        let uses_board = cli.command.uses_board();
        let wanted = globals.simulate.as_ref().filter(|_| uses_board);
        // What the environment says of a real probe is not for the simulated one.
        let selector = or_from_environment(globals.probe.clone(), PROBE, uses_board && wanted.is_none(), str::parse)?;
        let speed_khz = or_from_environment(globals.speed, SPEED, uses_board, parse_khz)?;
        let rehearsal = wanted.map(|board| Rehearsal::begin(board, cli.command.scooter())).transpose()?;
        // The one line that differs between a real run and a rehearsal.
        let probes = rehearsal.as_ref().map_or_else(Probes::usb, Rehearsal::probes);
        let activity = Activity::default();
        interrupt::obey(probes.interrupt(), activity.clone(), output.clone());
        let options = ConnectOptions {
            selector,
            speed_khz,
            method: globals.connect.into(),
            wait: globals.wait.unwrap_or_default(),
            expect: None,
        };
        let teller = Teller::new(output, globals.quiet, bars, activity.clone());
        if let Some(rehearsal) = &rehearsal {
            teller.say(&format!("simulated board `{}`: no hardware is touched", rehearsal.title()));
        }
        let (audience, wants_phases) = (Audience::of(globals), globals.verbose > 0);
        Ok(Self { probes, options, teller, known: Known::default(), activity, rehearsal, audience, wants_phases })
    }

    /// What a procedure is given.
    pub(crate) fn job(&mut self) -> Job<'_> {
        Job { probes: &self.probes, connect: self.options.clone(), progress: &mut self.teller, known: &mut self.known }
    }

    /// Where backups go that were given no file.
    pub(crate) fn keep(&self) -> anyhow::Result<Keep> {
        match (&self.rehearsal, self.backups()) {
            (_, Some(folder)) => Ok(Keep::in_folder(folder)),
            // There are none of a board that is forgotten at the end.
            (Some(_), None) => Ok(Keep::nothing()),
            (None, None) => Err(refuse(Exit::Backup, "this user has no folder for backups")),
        }
    }

    /// Where this user's backups are; those of a simulated board are beside it.
    pub(crate) fn backups(&self) -> Option<PathBuf> {
        let folder = match &self.rehearsal {
            Some(rehearsal) => rehearsal.home().map(Path::to_owned),
            None => files::data_folder(),
        };
        folder.map(|folder| folder.join("backups"))
    }

    /// Whether images that drive no motor will do.
    pub(crate) fn rehearsal_images(&self) -> RehearsalImages {
        if self.rehearsal.is_some() { RehearsalImages::Allowed } else { RehearsalImages::Refused }
    }

    /// In a rehearsal that was given no image, one of our own.
    pub(crate) fn stand_in(&mut self, kind: Kind, target: &Target) -> Option<Image> {
        let image = self.rehearsal.as_ref()?.stand_in(kind, target)?;
        self.warn("rehearsal-image", format!("no {kind} image is given; the rehearsal uses one of its own"));
        Some(image)
    }

    /// Something to know that stops nothing.
    pub(crate) fn warn(&mut self, name: &'static str, message: String) {
        self.teller.on(Event::Warning(Warning::new(name, message)));
    }

    /// What is being done to the board.
    pub(crate) fn activity(&self) -> &Activity {
        &self.activity
    }

    /// Who could answer a question.
    pub(crate) fn audience(&self) -> Audience {
        self.audience
    }

    /// Says something to whoever looks on.
    pub(crate) fn say(&self, words: &str) {
        self.teller.say(words);
    }

    /// From now on this board has all the time it needs to answer, and no other is taken for it.
    pub(crate) fn wait_for(&mut self, uid: Uid) {
        self.options.expect = Some(uid);
        self.options.wait = match self.options.wait {
            Wait::No => Wait::Forever,
            asked => asked,
        };
    }

    /// Tells what the phases took, and puts away what has to outlast the command.
    pub(crate) fn close(&self) -> anyhow::Result<()> {
        if self.wants_phases {
            self.teller.tell_phases();
        }
        self.rehearsal.as_ref().map_or(Ok(()), Rehearsal::save)
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

/// What was typed, else what the environment says where that counts; an empty variable is as none.
fn or_from_environment<T, E: Display>(
    typed: Option<T>,
    name: &str,
    counts: bool,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> anyhow::Result<Option<T>> {
    let value = if counts && typed.is_none() { env::var_os(name) } else { None };
    let Some(value) = value.filter(|value| !value.is_empty()) else { return Ok(typed) };
    let value = parse(&value.to_string_lossy());
    value.map(Some).map_err(|error| refuse(Exit::Usage, format!("the variable {name} is not understood: {error}")))
}

/// Reads the value of `--speed`.
pub(super) fn parse_khz(text: &str) -> Result<u32, String> {
    let khz = text.parse().ok().filter(|khz| (1..=50_000).contains(khz));
    khz.ok_or_else(|| format!("{text:?} is no clock: a number of kHz from 1 to 50000"))
}

/// Reads the value of `--wait`.
pub(super) fn parse_wait(text: &str) -> Result<Wait, String> {
    if text == "forever" {
        return Ok(Wait::Forever);
    }
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let scale_ms = match unit {
        "ms" => 1,
        "" | "s" => 1000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        _ => return Err("a duration is a whole number of ms, s, m or h, as `30s`".into()),
    };
    let number: u64 = number.parse().map_err(|_| "a duration begins with a whole number, as `30s`".to_owned())?;
    Ok(Wait::For(Duration::from_millis(number.saturating_mul(scale_ms))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_a_number_with_a_unit() {
        let seconds = |seconds| Ok(Wait::For(Duration::from_secs(seconds)));
        assert_eq!(parse_wait("30"), seconds(30));
        assert_eq!(parse_wait("30s"), seconds(30));
        assert_eq!(parse_wait("5m"), seconds(300));
        assert_eq!(parse_wait("500ms"), Ok(Wait::For(Duration::from_millis(500))));
        assert_eq!(parse_wait("forever"), Ok(Wait::Forever));
        for text in ["", "s", "-1", "1.5s", "5 parsecs"] {
            assert!(parse_wait(text).is_err(), "{text}");
        }
    }
}
