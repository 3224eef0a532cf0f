//! `doctor`: every check from the probe to the running firmware, and what to do about each that fails.

mod fixes;
mod udev;
mod words;

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use clap::Args;
use m365_drv::{
    block::Uid,
    board::{ChipKind, Protection},
    count::count,
    image::Kind,
    ops::{self, Check, CheckName, Checkup, Detail, State},
    printable::quoted_path,
    target::Target,
    version::Version,
};
use serde::Serialize;

use self::fixes::Fix;
use crate::cli::{
    Context,
    args::firmware::FirmwareArgs,
    exit::refusal,
    files,
    screen::{CommandResult, Outcome, Page, Report, Tone},
};

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// On Linux: install a udev rule, so that the probe can be opened without sudo; asks first
    #[arg(long)]
    fix: bool,

    /// Answer yes to the question of --fix
    #[arg(long, requires = "fix")]
    yes: bool,

    #[command(flatten)]
    firmware: FirmwareArgs,
}

/// All checks, in words.
#[derive(Serialize)]
struct DoctorReport {
    checks: Vec<CheckLine>,
    passed: usize,
    warned: usize,
    failed: usize,
    not_tried: usize,
    chip: Option<ChipKind>,
    uid: Option<Uid>,
    protection: Option<Protection>,
    scooter: Option<&'static str>,
    scooter_error: Option<u16>,
    scooter_version: Option<Version>,
}

/// One check, in words.
#[derive(Serialize)]
struct CheckLine {
    name: CheckName,
    state: State,
    found: String,
    fix: Option<String>,
}

pub(crate) fn run(context: &mut Context, args: &DoctorArgs) -> CommandResult {
    if args.fix {
        udev::fix(context, args.yes)?;
    }
    check(context, &args.firmware)
}

/// Does all checks.
pub(crate) fn check(context: &mut Context, firmware: &FirmwareArgs) -> CommandResult {
    // Before the board is looked at, so that a folder of firmware that cannot be searched is refused early.
    let at_hand = firmware.search(&AtomicBool::new(false))?;
    let mut checkup = ops::doctor(&mut context.job())?;
    let (state, told) = folders(context);
    checkup.add(CheckName::Folders, state, Detail::Told(told));
    let titles: Vec<&Target> = match checkup.scooter {
        Some(scooter) => vec![scooter],
        None => Target::all().iter().collect(),
    };
    let has = |target: &&Target, kind| !at_hand.suitable(&target.name, kind).is_empty();
    let ready: Vec<_> = titles.iter().filter(|target| has(target, Kind::Boot) && has(target, Kind::Drv)).collect();
    let (state, told) = words::images(checkup.scooter, &ready.iter().map(|target| &*target.name).collect::<Vec<_>>());
    checkup.add(CheckName::Images, state, Detail::Told(told));
    report(context, checkup)
}

/// The checks as a report, and as a failure if one of them failed.
fn report(context: &Context, mut checkup: Checkup) -> CommandResult {
    let error = checkup.error.take();
    let fix = |check: &Check| fixes::of(check, &checkup, error.as_ref(), context.typed());
    let line = |check: &Check| CheckLine {
        name: check.name,
        state: check.state,
        found: words::found(&check.detail, error.as_ref()),
        fix: fix(check).map(|fix| fix.words),
    };
    let report = DoctorReport {
        checks: checkup.checks.iter().map(line).collect(),
        passed: checkup.count(State::Pass),
        warned: checkup.count(State::Warn),
        failed: checkup.count(State::Fail),
        not_tried: checkup.count(State::NotTried),
        chip: checkup.chip,
        uid: checkup.uid,
        protection: checkup.protection,
        scooter: checkup.scooter.map(|scooter| &*scooter.name),
        scooter_error: checkup.scooter_error,
        scooter_version: checkup.version,
    };
    let Some(first) = checkup.first_failure() else { return Outcome::new(&report) };
    let failed = checkup.checks.iter().filter(|check| check.state == State::Fail);
    let titles: Vec<_> = failed.map(|check| words::title(check.name)).collect();
    let message = format!("{} failed: {}", count(titles.len(), "check"), titles.join(", "));
    let is_of_error = words::is_of_error(&first.detail);
    let next = fix(first).and_then(|Fix { next, .. }| next);
    let found = words::found(&first.detail, error.as_ref());
    let failure = match error {
        Some(error) if is_of_error => anyhow::Error::from(error).context(message),
        _ => {
            anyhow::anyhow!("{}: {found}", words::title(first.name)).context(refusal(first.name.exit(), message, next))
        }
    };
    Outcome::refused(&report, failure)
}

/// Whether the folders of backups and firmware can be written, in words.
fn folders(context: &Context) -> (State, String) {
    let firmware = files::data_folder().map(|folder| folder.join("firmware"));
    let folders: Vec<PathBuf> = context.backups().into_iter().chain(firmware).collect();
    if folders.is_empty() {
        return (State::Fail, "no home folder was found".into());
    }
    let refused =
        folders.iter().find_map(|folder| Some((folder, files::try_new(&existing(folder).join("new")).err()?)));
    if let Some((folder, error)) = refused {
        return (State::Fail, format!("cannot write to {}: {error}", quoted_path(folder)));
    }
    let told = |folder: &PathBuf| {
        let coming = if folder.exists() { "" } else { " (will be created)" };
        format!("{}{coming}", quoted_path(folder))
    };
    (State::Pass, folders.iter().map(told).collect::<Vec<_>>().join(", "))
}

/// The folder, or the nearest one above it that is there. A file in its place is an obstacle, not a folder.
fn existing(folder: &Path) -> &Path {
    folder.ancestors().find(|folder| folder.exists()).unwrap_or(folder)
}

impl fmt::Display for CheckLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { state, found, .. } = self;
        write!(f, "{}: {found}", words::state(*state))
    }
}

impl Report for DoctorReport {
    fn text(&self, page: &mut Page) {
        let mut rest = self.checks.as_slice();
        while let Some(line) = rest.first() {
            let tone = match line.state {
                State::Pass => Tone::Good,
                State::Warn => Tone::Remark,
                State::Fail => Tone::Bad,
                State::NotTried => {
                    // Those that lack the same stand in one row.
                    let alike =
                        rest.iter().take_while(|other| (other.state, &other.found) == (line.state, &line.found));
                    let titles: Vec<_> = alike.map(|other| words::title(other.name)).collect();
                    rest = &rest[titles.len()..];
                    page.row(words::state(State::NotTried), format!("{}: {}", titles.join(", "), line.found));
                    continue;
                }
            };
            page.toned(words::title(line.name), line, tone);
            if let Some(fix) = &line.fix {
                // A command in a narrow column has to be broken.
                page.row("  fix", fix.replace('`', ""));
            }
            rest = &rest[1..];
        }
        page.blank();
        let Self { checks, passed, warned, failed, not_tried, .. } = self;
        let all = count(checks.len(), "check");
        page.paragraph(format!(
            "{all}: {passed} passed, {}, {failed} failed, {not_tried} not tried",
            count(*warned, "warning")
        ));
    }
}
