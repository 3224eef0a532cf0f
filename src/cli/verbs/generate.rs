//! `completions` and `man`: generated from the definition of the command line.

use std::io;

use clap::{Args, Command, CommandFactory};
use clap_complete::Shell;
use serde::Serialize;

use crate::cli::{
    Cli,
    exit::{Exit, Meaning},
    screen::{CommandResult, Outcome, Page, Report},
};

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell to complete for
    shell: Shell,
}

/// A text that belongs into a file.
#[derive(Serialize)]
struct Generated {
    text: String,
}

impl Report for Generated {
    fn text(&self, page: &mut Page) {
        for line in self.text.lines() {
            page.line(line);
        }
    }
}

pub(crate) fn completions(args: &CompletionsArgs) -> CommandResult {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "m365-drv", &mut script);
    Outcome::new(&Generated { text: String::from_utf8_lossy(&script).into_owned() })
}

pub(crate) fn man() -> CommandResult {
    let mut manual = Vec::new();
    pages(&Cli::command(), "m365-drv", &mut manual)
        .meaning(Exit::Internal, || "the manual page cannot be made".into())?;
    Outcome::new(&Generated { text: String::from_utf8_lossy(&manual).into_owned() })
}

/// The page of a command, and then those of the commands within it. The global options stand on the first one.
fn pages(command: &Command, name: &str, manual: &mut Vec<u8>) -> io::Result<()> {
    let named = command.clone().bin_name(name).display_name(name.replace(' ', "-"));
    clap_mangen::Man::new(named).render(manual)?;
    command.get_subcommands().try_for_each(|inner| pages(inner, &format!("{name} {}", inner.get_name()), manual))
}
