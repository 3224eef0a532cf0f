//! The command line as it was typed; known before clap reads it, and also if clap refuses it.

use std::{
    borrow::Cow,
    env,
    ffi::{OsStr, OsString},
    fs,
    io::{self, IsTerminal as _},
    path::{self, Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use clap::{ArgMatches, ColorChoice, CommandFactory, FromArgMatches, ValueEnum, error::ErrorKind};

use crate::cli::{
    Cli,
    args::{
        quoting::quoted,
        suggestions,
        words::{Role, Word, command_words, with_roles},
    },
    settings,
};

/// What was typed, and the few facts about it that every message needs, also one about bad usage.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct CommandLine {
    /// The words after the program's name.
    words: Vec<Word>,
    /// What was answered to questions.
    answers: Mutex<Vec<String>>,
    /// The values of the innermost command and of the global options; empty if clap refused the words.
    matches: ArgMatches,
    /// The command's name (`"data show"` for a nested one); `None` if none was typed.
    pub(crate) command: Option<String>,
    /// Whether JSON Lines are wanted.
    pub(crate) json: bool,
    /// Whether a simulated board is meant.
    pub(crate) simulated: bool,
    /// Whether colours are wanted.
    pub(crate) color: anstream::ColorChoice,
    /// Where the log goes.
    pub(crate) log_file: Option<PathBuf>,
    /// Whether what the command does is kept for a report.
    pub(crate) is_kept: bool,
    /// Whether the command works on a board, so that an error tells the board's state.
    pub(crate) has_board: bool,
}

impl CommandLine {
    /// Reads the command line. If clap refuses it, a part of it is known all the same, so that the refusal is told as it was
    /// asked for.
    pub(crate) fn read(arguments: &[OsString]) -> (Self, Result<Cli, clap::Error>) {
        let words = with_roles(arguments.iter().skip(1).map(|word| word.to_string_lossy().into_owned()));
        // Wrapped help that is wider than this is hard to read on a wide terminal.
        let (matches, cli) = match Cli::command().max_term_width(100).try_get_matches_from(arguments) {
            Ok(matches) => {
                let cli = Cli::from_arg_matches(&matches);
                (matches, cli)
            }
            Err(refused) => (ArgMatches::default(), Err(refused)),
        };
        let names = command_words(&words, &Cli::command()).join(" ");
        let missing = [ErrorKind::MissingSubcommand, ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand];
        let is_missing = |error: &clap::Error| missing.contains(&error.kind());
        if names.is_empty()
            && cli.as_ref().is_err_and(is_missing)
            && is_person()
            && !words.iter().any(|word| word.is("--json"))
        {
            return Self::read(&[arguments, &["guide".into()]].concat());
        }
        let cli = match cli {
            Err(help) if !help.use_stderr() => Err(help),
            cli => match suggestions::stray_value(&words, &mut Cli::command()) {
                Some(stray) => Err(stray),
                None => cli.map_err(|error| suggestions::harmless(error, &words, &mut Cli::command())),
            },
        };
        let has = |option: &str| words.iter().any(|word| word.is(option));
        let cli = cli.and_then(|mut cli| match settings::fill(&mut cli.globals, has) {
            Ok(()) => Ok(cli),
            Err(message) => Err(Cli::command().error(ErrorKind::ValueValidation, message)),
        });
        let refused = |option| value_in(&words, option);
        let (color, log_file) = match &cli {
            Ok(Cli { globals, .. }) => (globals.color, globals.log_file.clone()),
            Err(_) => (
                refused("--color").and_then(|when| ColorChoice::from_str(when, true).ok()).unwrap_or(ColorChoice::Auto),
                refused("--log-file").map(PathBuf::from),
            ),
        };
        let line = Self {
            command: Some(names).filter(|names| !names.is_empty()),
            json: has("--json"),
            simulated: has("--simulate") || has("--replay"),
            color: colors(color),
            log_file,
            is_kept: cli.as_ref().is_ok_and(|cli| cli.command.is_kept()),
            has_board: cli.as_ref().is_ok_and(|cli| cli.command.uses_board() && !cli.command.takes_probes()),
            matches: innermost(matches),
            words: without(words, "--record"),
            answers: Mutex::default(),
        };
        (line, cli)
    }

    /// The same command line again with these options added, ready to paste into a shell.
    pub(crate) fn again(&self, more: &[&str]) -> String {
        let end = self.words.iter().position(|word| word.role == Role::Dashes).unwrap_or(self.words.len());
        let (before, after) = self.words.split_at(end);
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let given = answers.iter().map(String::as_str);
        line(texts(before).chain(given).chain(more.iter().copied()).chain(texts(after)))
    }

    /// What a person has answered to a question, as the options that say the same: they belong to the same command line again.
    pub(crate) fn answered(&self, options: Vec<String>) {
        *self.answers.lock().unwrap_or_else(PoisonError::into_inner) = options;
    }

    /// The same command line again with this value for an option, which replaces the value that it has.
    pub(crate) fn again_with(&self, option: &str, value: &str) -> String {
        let Some(at) = self.words.iter().position(|word| word.is(option)) else {
            return self.again(&[option, value]);
        };
        let mut words = self.words.clone();
        match words.get_mut(at + 1).filter(|word| word.role == Role::Value) {
            Some(word) => value.clone_into(&mut word.text),
            None => words[at].text = format!("{option}={value}"),
        }
        line(texts(&words))
    }

    /// The same command line with another command.
    pub(crate) fn as_command(&self, other: &str) -> String {
        let mut words = self.words.clone();
        if let Some(word) = words.iter_mut().find(|word| word.role == Role::Plain) {
            other.clone_into(&mut word.text);
        }
        line(texts(&words))
    }

    /// Another command with those of the options in `keep` that were typed.
    pub(crate) fn other(&self, command: &[&str], keep: &[&str]) -> String {
        let kept = |at: usize| keep.iter().any(|option| self.words[at].is(option));
        let is_kept = |at: &usize| kept(*at) || (self.words[*at].role == Role::Value && kept(at - 1));
        let words = (0..self.words.len()).filter(is_kept).map(|at| self.words[at].text.as_str());
        line(words.chain(command.iter().copied()))
    }

    /// The same command, played from a recording of it.
    pub(crate) fn replayed(&self, recording: &Path) -> String {
        let words = ["--simulate", "--replay", "--log-file", "--json"].into_iter().fold(self.words.clone(), without);
        let recording = recording.to_string_lossy();
        line(["--replay", &*recording].into_iter().chain(texts(&words)))
    }

    /// The value of an option, or of an argument that help shows in capitals.
    pub(crate) fn value(&self, name: &str) -> Option<Cow<'_, str>> {
        let id = name.trim_start_matches("--").replace('-', "_").to_lowercase();
        self.matches.try_get_raw(&id).ok()??.next().map(OsStr::to_string_lossy)
    }

    /// Whether this option was typed, with or without a value.
    pub(crate) fn has(&self, option: &str) -> bool {
        self.words.iter().any(|word| word.is(option))
    }

    /// Whether this file is named for anything besides the log.
    pub(crate) fn names_besides_log(&self, file: &Path) -> bool {
        let same = |other: &PathBuf| match (fs::canonicalize(other), fs::canonicalize(file)) {
            (Ok(one), Ok(other)) => one == other,
            _ => path::absolute(other).ok() == path::absolute(file).ok(),
        };
        let others = self.matches.ids().filter(|id| *id != "log_file");
        others.filter_map(|id| self.matches.try_get_many(id.as_str()).ok()?).flatten().any(same)
    }
}

/// Whether a person at a terminal can be guided through the job.
fn is_person() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// The same for `anstream`, which honours `NO_COLOR` itself.
fn colors(when: ColorChoice) -> anstream::ColorChoice {
    match when {
        // If CI is set, `anstream` colours a dumb terminal too.
        ColorChoice::Auto if env::var_os("TERM").is_some_and(|term| term == "dumb") => anstream::ColorChoice::Never,
        ColorChoice::Auto => anstream::ColorChoice::Auto,
        ColorChoice::Always => anstream::ColorChoice::Always,
        ColorChoice::Never => anstream::ColorChoice::Never,
    }
}

/// What clap made of the last of the commands that follow each other.
fn innermost(mut matches: ArgMatches) -> ArgMatches {
    while let Some((_, inner)) = matches.remove_subcommand() {
        matches = inner;
    }
    matches
}

/// The value of an option.
fn value_in<'w>(words: &'w [Word], option: &str) -> Option<&'w str> {
    let at = words.iter().position(|word| word.is(option))?;
    let behind = words[at].text.split_once('=').map(|(_, value)| value);
    behind.or_else(|| words.get(at + 1).map(|word| &*word.text))
}

/// The words without an option that has a value. A recording is not made twice.
fn without(mut words: Vec<Word>, option: &str) -> Vec<Word> {
    if let Some(at) = words.iter().position(|word| word.is(option)) {
        let has_value = words.get(at + 1).is_some_and(|word| word.role == Role::Value);
        words.drain(at..=at + usize::from(has_value));
    }
    words
}

fn texts(words: &[Word]) -> impl Iterator<Item = &str> {
    words.iter().map(|word| word.text.as_str())
}

/// A command line that can be pasted into a shell.
fn line<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.fold("m365-drv".to_owned(), |line, word| line + " " + &quoted(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> (CommandLine, Result<Cli, clap::Error>) {
        CommandLine::read(&line.split(' ').map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn what_is_typed_again_records_nothing() {
        for line in ["m365-drv --record tape info -v", "m365-drv --record=tape info -v"] {
            assert_eq!(read(line).0.again(&["--wait"]), "m365-drv info -v --wait");
        }
    }

    #[test]
    fn a_recorded_command_is_replayed_with_its_own_options() {
        let recorded = read("m365-drv --record tape --simulate=open flash pro --km 12").0;
        assert_eq!(recorded.replayed(Path::new("my tape")), "m365-drv --replay 'my tape' flash pro --km 12");
    }

    #[test]
    fn bad_usage_still_tells_its_command_and_that_json_is_wanted() {
        let (typed, cli) = read("m365-drv scooters --nonsense --json");
        assert!(cli.is_err());
        assert!(typed.json);
        assert_eq!(typed.command.as_deref(), Some("scooters"));
    }

    #[test]
    fn a_command_of_a_command_has_two_names() {
        let (typed, cli) = read("m365-drv data show block.bin");
        assert!(cli.is_ok());
        assert_eq!(typed.command.as_deref(), Some("data show"));
    }

    #[test]
    fn words_after_two_dashes_are_no_options() {
        assert!(!read("m365-drv data show -- --json").0.json);
    }

    #[cfg(not(windows))]
    #[test]
    fn the_line_can_be_pasted_again() {
        let typed = CommandLine::read(&["m365-drv", "data", "show", "my file's.bin"].map(OsString::from)).0;
        assert_eq!(typed.again(&["--json"]), r"m365-drv data show 'my file'\''s.bin' --json");
    }

    #[test]
    fn the_command_is_known_when_its_help_is_asked_for() {
        assert_eq!(read("m365-drv --json flash --help").0.command.as_deref(), Some("flash"));
        assert_eq!(read("m365-drv --probe flash data show").0.command.as_deref(), Some("data show"));
    }

    #[test]
    fn an_option_goes_before_two_dashes_and_in_place_of_itself() {
        let typed = read("m365-drv restore -- -odd.json").0;
        assert_eq!(typed.again(&["--erase-all"]), "m365-drv restore --erase-all -- -odd.json");
        assert_eq!(typed.again_with("--backup", "FILE"), "m365-drv restore --backup FILE -- -odd.json");
        let typed = read("m365-drv flash pro --backup a.json --km 5").0;
        assert_eq!(typed.again_with("--backup", "FILE"), "m365-drv flash pro --backup FILE --km 5");
        let typed = read("m365-drv flash pro --backup=a.json").0;
        assert_eq!(typed.again_with("--backup", "FILE"), "m365-drv flash pro --backup=FILE");
    }

    #[test]
    fn another_command_keeps_the_options_that_it_is_given() {
        let typed = read("m365-drv --probe 1234:5678 --simulate=B flash pro --km 5").0;
        assert_eq!(typed.other(&["info"], &["--probe", "--simulate"]), "m365-drv --probe 1234:5678 --simulate=B info");
        assert_eq!(
            read("m365-drv --simulate=verify verify pro").0.as_command("flash").split(' ').nth(2),
            Some("flash")
        );
    }

    #[test]
    fn the_value_of_an_option_is_no_argument() {
        let value = |line: &str, name| read(line).0.value(name).map(Cow::into_owned);
        assert_eq!(value("m365-drv restore --probe usb:1-1 l.json", "FILE").as_deref(), Some("l.json"));
        assert_eq!(value("m365-drv data edit -o b.bin a.bin", "FILE").as_deref(), Some("a.bin"));
        assert_eq!(value("m365-drv data edit -o b.bin a.bin", "--output").as_deref(), Some("b.bin"));
        assert_eq!((value("m365-drv info", "FILE"), value("m365-drv scooters --nonsense", "FILE")), (None, None));
    }

    #[test]
    fn a_file_is_named_besides_an_option_in_whatever_way() {
        let named = |line: &str| read(line).0.names_besides_log(Path::new("a.bin"));
        assert!(!named("m365-drv --log-file a.bin info") && !named("m365-drv --log-file=a.bin info"));
        assert!(named("m365-drv --log-file a.bin data show a.bin"));
        assert!(named("m365-drv --log-file a.bin flash pro --drv=./a.bin"));
        assert!(named("m365-drv --log-file a.bin flash pro --image-out a.bin"));
        assert!(!named("m365-drv --log-file a.bin data new --serial a.bin -o b.bin"), "a serial is not a file");
    }
}
