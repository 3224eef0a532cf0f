//! The program: read the command line, do what it says, tell how it ended.

mod cli;

use std::{
    env,
    panic::{self, AssertUnwindSafe},
    process::ExitCode,
    sync::Arc,
};

use indicatif::MultiProgress;

use crate::cli::{Answer, Cli, Context, Output, Typed, defect, start_log};

fn main() -> ExitCode {
    let (typed, cli) = Typed::read(&env::args_os().collect::<Vec<_>>());
    typed.color.write_global();
    let typed = Arc::new(typed);
    let output = Output::begin(typed.clone());
    let bars = MultiProgress::new();
    let log = start_log(cli.as_ref().ok().map(|cli| &cli.globals), &typed, bars.clone());
    match (cli, log) {
        (Ok(cli), Ok(())) => output.end(run(&cli, &output, bars)),
        (Ok(_), Err(error)) => output.end(Err(error)),
        // What is wrong with the command line matters more than its log.
        (Err(error), _) => output.end_by_clap(&error),
    }
}

/// A simulated board is saved however the command ended, so that it can be looked at and gone on with.
fn run(cli: &Cli, output: &Output, bars: MultiProgress) -> Answer {
    let mut context = Context::new(cli, output, bars)?;
    let answer = panic::catch_unwind(AssertUnwindSafe(|| cli.command.run(&mut context)))
        .unwrap_or_else(|payload| Err(defect(payload.as_ref(), context.activity())));
    let closed = context.close();
    answer.and_then(|outcome| closed.map(|()| outcome))
}
