//! The command line as it was typed: known before, and even where, clap refuses it.

use std::ffi::OsString;

use anstream::ColorChoice;
use clap::{ArgMatches, CommandFactory, FromArgMatches, ValueEnum};

use super::{Cli, ColorArg};

/// What was typed, and the little that must be known of it to tell about anything, bad usage included.
pub(crate) struct Typed {
    /// The words after the program's name.
    words: Vec<String>,
    /// The command's name (`"data show"` for a command of a command); `None` where there is none.
    pub(crate) command: Option<String>,
    /// Whether JSON Lines are wanted.
    pub(crate) json: bool,
    /// Whether a simulated board is meant.
    pub(crate) simulated: bool,
    /// Whether colours are wanted.
    pub(crate) color: ColorChoice,
    /// Whether the command works on a board, so that its state is worth a line.
    pub(crate) has_board: bool,
}

impl Typed {
    /// Reads the command line. A refused one still tells its command and whether it wants JSON.
    pub(crate) fn read(arguments: &[OsString]) -> (Self, Result<Cli, clap::Error>) {
        let words: Vec<String> = arguments.iter().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
        // Wrapped help that is wider than this is hard to read on a wide terminal.
        let command = || Cli::command().max_term_width(100);
        let (cli, matches) = match command().try_get_matches_from(arguments) {
            Ok(matches) => (Cli::from_arg_matches(&matches), Some(matches)),
            Err(error) => (Err(error), command().ignore_errors(true).try_get_matches_from(arguments).ok()),
        };
        let typed = Self {
            command: matches.as_ref().and_then(name_of),
            json: has_flag(&words, "--json"),
            simulated: has_flag(&words, "--simulate"),
            color: cli.as_ref().map_or_else(|_| color_of(&words), |cli| cli.globals.color).into(),
            has_board: cli.as_ref().is_ok_and(|cli| cli.command.uses_board()),
            words,
        };
        (typed, cli)
    }

    /// The same command line again, as it can be pasted into a shell, with these words after it.
    pub(crate) fn again(&self, more: &[&str]) -> String {
        let words = self.words.iter().map(String::as_str).chain(more.iter().copied());
        words.fold("m365-drv".to_owned(), |line, word| line + " " + &quote(word))
    }

    /// The same command line with another command in place of this one.
    pub(crate) fn as_command(&self, other: &str) -> String {
        let at = self.words.iter().position(|word| Some(word) == self.command.as_ref());
        let word = |(place, word): (usize, &String)| if Some(place) == at { other.to_owned() } else { quote(word) };
        self.words.iter().enumerate().map(word).fold("m365-drv".to_owned(), |line, word| line + " " + &word)
    }

    /// The value of this option, quoted as a shell wants it.
    pub(crate) fn quoted(&self, option: &str) -> Option<String> {
        let at = self.words.iter().position(|word| has_flag(std::slice::from_ref(word), option))?;
        let value = self.words[at].split_once('=').map(|(_, value)| value.to_owned());
        value.or_else(|| self.words.get(at + 1).cloned()).map(|value| quote(&value))
    }

    /// The argument of the command, where it takes one.
    pub(crate) fn argument(&self) -> String {
        let after = self.words.iter().skip_while(|word| Some(*word) != self.command.as_ref()).skip(1);
        after.filter(|word| !word.starts_with('-')).map(|word| quote(word)).next().unwrap_or_default()
    }

    /// Whether this option was typed, with or without a value.
    pub(crate) fn has(&self, option: &str) -> bool {
        has_flag(&self.words, option)
    }
}

/// The names of the command and of the command within it.
fn name_of(matches: &ArgMatches) -> Option<String> {
    let (name, within) = matches.subcommand()?;
    Some(within.subcommand_name().map_or_else(|| name.to_owned(), |inner| format!("{name} {inner}")))
}

/// The colours that a refused command line asks for.
fn color_of(words: &[String]) -> ColorArg {
    let value = words.iter().zip(words.iter().skip(1).map(Some).chain([None])).find_map(|(word, next)| {
        let rest = word.strip_prefix("--color")?;
        rest.strip_prefix('=').or_else(|| next.filter(|_| rest.is_empty()).map(String::as_str))
    });
    value.and_then(|value| ColorArg::from_str(value, true).ok()).unwrap_or(ColorArg::Auto)
}

fn has_flag(words: &[String], option: &str) -> bool {
    words
        .iter()
        .take_while(|word| *word != "--")
        .any(|word| word.strip_prefix(option).is_some_and(|rest| rest.is_empty() || rest.starts_with('=')))
}

/// Quotes a word where a shell would take it apart.
fn quote(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:=,+@%\\".contains(c);
    let backslash_is_plain = cfg!(windows) || !word.contains('\\');
    if !word.is_empty() && word.chars().all(plain) && backslash_is_plain {
        word.to_owned()
    } else if cfg!(windows) {
        format!("\"{word}\"")
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> (Typed, Result<Cli, clap::Error>) {
        Typed::read(&line.split(' ').map(OsString::from).collect::<Vec<_>>())
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
        let typed = Typed::read(&["m365-drv", "data", "show", "my file's.bin"].map(OsString::from)).0;
        assert_eq!(typed.again(&["--json"]), r"m365-drv data show 'my file'\''s.bin' --json");
    }
}
