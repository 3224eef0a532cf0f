//! What the commands work with, made from the arguments.

use std::{
    env,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use indicatif::MultiProgress;
use m365_drv::{
    block::Uid,
    board::{
        ConnectOptions, Method, Probes, Selector, SelectorError, Wait,
        progress::{Event, Progress, Warning},
    },
    clock::{Clock, SystemClock},
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
    progress::Teller,
    simulate::Rehearsal,
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
    /// Whether `--simulate` was typed, for commands without a board too.
    simulates: bool,
    audience: Audience,
    wants_phases: bool,
}

impl Context {
    /// Prepares what the options ask for.
    pub(crate) fn new(cli: &Cli, output: &Output, bars: MultiProgress) -> anyhow::Result<Self> {
        let globals = &cli.globals;
        let uses_board = cli.command.uses_board();
        let wanted = globals.simulate.as_ref().filter(|_| uses_board);
        // A probe named in the environment is a real one, so it does not count for a simulated board.
        let selector = or_from_environment(globals.probe.clone(), PROBE, uses_board && wanted.is_none(), parse_probe)?;
        let speed_khz = or_from_environment(globals.speed, SPEED, uses_board, parse_khz)?;
        let rehearsal = wanted.map(|board| Rehearsal::begin(board, cli.command.scooter())).transpose()?;
        // The only line that differs between a real run and a rehearsal.
        let probes = rehearsal.as_ref().map_or_else(Probes::usb, Rehearsal::probes);
        output.follow(probes.ledger());
        interrupt::obey(probes.interrupt(), probes.ledger().clone(), output.clone());
        let options = ConnectOptions {
            selector,
            speed_khz,
            method: globals.connect.into(),
            wait: globals.wait.unwrap_or_default(),
            expect: None,
        };
        let clock = rehearsal.as_ref().map_or_else(|| Arc::new(SystemClock::new()) as Arc<dyn Clock>, Rehearsal::clock);
        let teller = Teller::new(output, globals.quiet, bars, clock);
        if let Some(rehearsal) = &rehearsal {
            teller.say(&format!("simulated board {}: no hardware is touched", rehearsal.title()));
        }
        let (audience, wants_phases) = (Audience::of(globals), globals.verbose > 0);
        let (known, simulates) = (Known::default(), globals.simulate.is_some());
        Ok(Self { probes, options, teller, known, rehearsal, simulates, audience, wants_phases })
    }

    /// What a procedure needs.
    pub(crate) fn job(&mut self) -> Job<'_> {
        Job::new(&self.probes, self.options.clone(), &mut self.teller, &mut self.known)
    }

    /// Where backups go if no file was given.
    pub(crate) fn keep(&self) -> anyhow::Result<Keep> {
        match (&self.rehearsal, self.backups()) {
            (_, Some(folder)) => Ok(Keep::in_folder(folder)),
            // A board that is forgotten at the end needs no backup.
            (Some(_), None) => Ok(Keep::nothing()),
            (None, None) => Err(refuse(
                Exit::Backup,
                "no folder for backups, because no home folder was found: use \
                                                      --backup FILE or --no-backup",
            )),
        }
    }

    /// The folder of this user's backups; those of a simulated board are in its own folder.
    pub(crate) fn backups(&self) -> Option<PathBuf> {
        let folder = match &self.rehearsal {
            Some(rehearsal) => rehearsal.home().map(Path::to_owned),
            None => files::data_folder(),
        };
        folder.map(|folder| folder.join("backups"))
    }

    /// Whether images that cannot drive a motor are allowed.
    pub(crate) fn rehearsal_images(&self) -> RehearsalImages {
        if self.simulates { RehearsalImages::Allowed } else { RehearsalImages::Refused }
    }

    /// Our own image, for a rehearsal without one.
    pub(crate) fn stand_in(&mut self, kind: Kind, target: &Target) -> Option<Image> {
        let image = self.rehearsal.as_ref()?.stand_in(kind, target)?;
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
    pub(crate) fn say(&self, words: &str) {
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

    /// Tells how long the phases took, and saves what is needed after the command.
    pub(crate) fn close(&self) -> anyhow::Result<()> {
        if self.wants_phases {
            self.teller.tell_phases();
        }
        self.rehearsal.as_ref().map_or(Ok(()), |rehearsal| rehearsal.save(Exit::Internal))
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

/// Reads the value of `--probe`.
pub(super) fn parse_probe(text: &str) -> Result<Selector, String> {
    text.parse().map_err(|error: SelectorError| error.to_string())
}

/// Reads the value of `--speed`: kHz, with or without the unit.
pub(super) fn parse_khz(text: &str) -> Result<u32, String> {
    let (number, unit, at) = number_and_unit(text);
    let mistake = match number.parse::<u32>() {
        _ if not_a_digit(number, unit, at).is_some() => not_a_digit(number, unit, at).unwrap_or_default(),
        _ if !unit.is_empty() && !unit.eq_ignore_ascii_case("khz") => format!("{unit:?} at position {at} is not kHz"),
        Ok(khz @ 1..=50_000) => return Ok(khz),
        Ok(0) => "it is too slow".into(),
        Err(_) if number.is_empty() => "it is empty".into(),
        _ => "it is too fast".into(),
    };
    Err(format!("invalid speed {text:?}: needs a whole number of kHz from 1 to 50000 (for example 1000); {mistake}"))
}

/// Reads the value of `--wait`: a whole number with a unit; seconds without one.
pub(super) fn parse_wait(text: &str) -> Result<Wait, String> {
    if text == "forever" {
        return Ok(Wait::Forever);
    }
    let (number, unit, at) = number_and_unit(text);
    let scale_ms = match unit {
        "ms" => Ok(1),
        "" | "s" | "sec" => Ok(1000),
        "m" | "min" => Ok(60_000),
        "h" => Ok(3_600_000),
        _ => Err(format!("{unit:?} at position {at} is not ms, s, m or h")),
    };
    let number = match not_a_digit(number, unit, at) {
        Some(mistake) => Err(mistake),
        None if number.is_empty() => Err("it is empty".to_owned()),
        None => Ok(number.parse::<u64>().unwrap_or(u64::MAX)),
    };
    match number.and_then(|number| scale_ms.map(|scale| number.saturating_mul(scale))) {
        Ok(ms) => Ok(Wait::For(Duration::from_millis(ms))),
        Err(mistake) => Err(format!(
            "invalid duration {text:?}: needs a whole number and ms, s, m or h (for example 30s); {mistake}"
        )),
    }
}

/// The digits that a text begins with, what follows them, and the position of that, from 1.
fn number_and_unit(text: &str) -> (&str, &str, usize) {
    let typed = text.trim();
    let number = typed.trim_start_matches(|c: char| c.is_ascii_digit());
    let number = &typed[..typed.len() - number.len()];
    let unit = typed[number.len()..].trim_start();
    let at = text.trim_end().chars().count() - unit.chars().count() + 1;
    (number, unit, at)
}

/// What is wrong if no unit can be meant: no number stands before it, or it does not begin with a letter.
fn not_a_digit(number: &str, unit: &str, at: usize) -> Option<String> {
    let first = unit.chars().next().filter(|first| number.is_empty() || !first.is_alphabetic())?;
    Some(format!("{:?} at position {at} is not a digit", first.to_string()))
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
        assert_eq!((parse_wait(" 30 s"), parse_wait("2min")), (seconds(30), seconds(120)));
        assert!(matches!(parse_wait("99999999999999999999h"), Ok(Wait::For(_))));
    }

    #[test]
    fn a_wrong_duration_is_answered_with_the_form_an_example_and_the_place() {
        for (text, mistake) in [
            ("", "it is empty"),
            ("s", "\"s\" at position 1 is not a digit"),
            ("-1", "\"-\" at position 1 is not a digit"),
            ("1.5s", "\".\" at position 2 is not a digit"),
            ("5 parsecs", "\"parsecs\" at position 3 is not ms, s, m or h"),
        ] {
            let form = "needs a whole number and ms, s, m or h (for example 30s)";
            assert_eq!(parse_wait(text), Err(format!("invalid duration {text:?}: {form}; {mistake}")));
        }
    }

    #[test]
    fn a_speed_is_in_khz_and_a_wrong_one_is_answered_with_the_form() {
        assert_eq!((parse_khz("1000"), parse_khz("950 kHz"), parse_khz("50000khz")), (Ok(1000), Ok(950), Ok(50_000)));
        for (text, mistake) in [
            ("", "it is empty"),
            ("0", "it is too slow"),
            ("50001", "it is too fast"),
            ("99999999999999", "it is too fast"),
            ("4MHz", "\"MHz\" at position 2 is not kHz"),
            ("x", "\"x\" at position 1 is not a digit"),
            ("-1", "\"-\" at position 1 is not a digit"),
            ("1.5 kHz", "\".\" at position 2 is not a digit"),
        ] {
            let form = "needs a whole number of kHz from 1 to 50000 (for example 1000)";
            assert_eq!(parse_khz(text), Err(format!("invalid speed {text:?}: {form}; {mistake}")));
        }
    }
}
