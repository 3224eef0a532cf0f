//! The command-line program: parses the arguments, runs the command, prints the result.

mod cli;

use std::{
    env, mem,
    panic::{self, AssertUnwindSafe},
    process::ExitCode,
    sync::Arc,
};

use indicatif::MultiProgress;
use m365_drv::ops::Known;

use crate::cli::{Cli, CommandLine, CommandResult, Context, Output, defect, start_log};

fn main() -> ExitCode {
    let (typed, cli) = CommandLine::read(&env::args_os().collect::<Vec<_>>());
    typed.color.write_global();
    let typed = Arc::new(typed);
    let output = Output::begin(typed.clone());
    let bars = MultiProgress::new();
    let log = start_log(cli.as_ref().ok().map(|cli| &cli.globals), &typed, bars.clone());
    match (cli, log) {
        (Ok(cli), Ok(())) => {
            let mut known = Known::default();
            let answer = run(&cli, &output, bars, &mut known);
            output.end(answer, &known)
        }
        (Ok(_), Err(error)) => output.end(Err(error), &Known::default()),
        // An invalid command line matters more than a log that cannot be opened.
        (Err(error), _) => output.end_by_clap(&error),
    }
}

/// Runs the command. A simulated board is saved even if the command fails, so that it can be inspected and used again.
/// What the command found out is put into `known`.
fn run(cli: &Cli, output: &Output, bars: MultiProgress, known: &mut Known) -> CommandResult {
    let mut context = Context::new(cli, output, bars)?;
    let answer = panic::catch_unwind(AssertUnwindSafe(|| cli.command.run(&mut context)))
        .unwrap_or_else(|payload| Err(defect(payload.as_ref())));
    *known = mem::take(&mut context.known);
    let closed = context.close();
    if let Some(misfit) = context.misfit() {
        *known = Known::default();
        return Err(misfit);
    }
    answer.and_then(|outcome| closed.map(|()| outcome))
}
