//! The words of a command line, and what each of them is.

use clap::{Command, CommandFactory};

use crate::cli::Cli;

/// A word of the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Word {
    pub(crate) text: String,
    pub(crate) role: Role,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// An option, with its value if that follows a `=`.
    Option,
    /// The value of the option before it.
    Value,
    /// The command, or one of its arguments.
    Plain,
    /// The two dashes after which nothing is an option.
    Dashes,
}

impl Word {
    /// Whether it is this option, with or without a value.
    pub(crate) fn is(&self, option: &str) -> bool {
        let is_named = |rest: &str| rest.is_empty() || rest.starts_with('=');
        self.role == Role::Option && self.text.strip_prefix(option).is_some_and(is_named)
    }
}

/// What each word is, as far as it is known without its command.
pub(crate) fn with_roles(texts: impl Iterator<Item = String>) -> Vec<Word> {
    let with_value = options_with_value(&Cli::command());
    let (mut words, mut takes_value, mut all_plain) = (Vec::new(), false, false);
    for text in texts {
        let role = match &*text {
            _ if all_plain => Role::Plain,
            "--" => Role::Dashes,
            option if option.starts_with('-') && option.len() > 1 => Role::Option,
            _ if takes_value => Role::Value,
            _ => Role::Plain,
        };
        takes_value = role == Role::Option && with_value.contains(&text);
        all_plain |= role == Role::Dashes;
        words.push(Word { text, role });
    }
    words
}

/// The options whose value is the next word.
fn options_with_value(command: &Command) -> Vec<String> {
    let taking = |arg: &&clap::Arg| arg.get_action().takes_values() && !arg.is_require_equals_set();
    let names = |arg: &clap::Arg| {
        let long = arg.get_long().map(|long| format!("--{long}"));
        long.into_iter().chain(arg.get_short().map(|short| format!("-{short}")))
    };
    let own = command.get_arguments().filter(taking).flat_map(names);
    own.chain(command.get_subcommands().flat_map(options_with_value)).collect()
}

/// The words that name the command and the commands within it.
pub(crate) fn command_words<'w>(words: &'w [Word], root: &Command) -> Vec<&'w str> {
    let (mut command, mut names) = (root, Vec::new());
    for word in words.iter().filter(|word| word.role == Role::Plain) {
        let Some(inner) = command.find_subcommand(&word.text) else { break };
        command = inner;
        names.push(word.text.as_str());
    }
    names
}
