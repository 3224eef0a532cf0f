//! `ui`: the guided job as a page in the browser.

mod desk;
mod in_browser;

use std::{
    fs,
    path::Path,
    sync::{Arc, atomic::Ordering},
    time::SystemTime,
};

use clap::Args;
use m365_drv::{
    board,
    guide::{CardName, Guide, Handover, Place},
    image::{Dump, Image},
    ops::{self, Destination},
    page::{Allowance, Feed, Reply, RunningPage, Server, Wish},
    printable::{quoted, quoted_path},
    target::Target,
};
use serde::Serialize;
use serde_json::json;

use self::{
    desk::{Asked, PageDesk, RunningBatch, blocks},
    in_browser::{InBrowser, Interruption, OF_BATCH, listener},
};
use super::{GuideArgs, tasks};
use crate::cli::{
    Context,
    args::{firmware::FirmwareArgs, values::parse_port},
    exit::{Exit, Meaning},
    files,
    screen::{CommandResult, Outcome, Page, Report, output::Line, stderr},
};

#[derive(Debug, Args)]
pub(crate) struct UiArgs {
    #[command(flatten)]
    guide: GuideArgs,

    /// Do not open the browser; print the address to open
    #[arg(long)]
    no_open: bool,

    /// Listen on this port of 127.0.0.1; by default on any free one
    #[arg(long, value_name = "PORT", value_parser = parse_port)]
    port: Option<u16>,
}

/// Other commands that the page shows.
pub(crate) struct OtherCommands {
    pub(crate) doctor: fn(&mut Context, &FirmwareArgs) -> CommandResult,
    pub(crate) explain: fn(Option<&str>) -> CommandResult,
    pub(crate) backups: fn(&Path) -> CommandResult,
    /// A batch of this scooter on all probes, which may erase, with this log.
    pub(crate) batch: fn(&mut Context, &str, bool, &Path) -> CommandResult,
    /// The file of `report`.
    pub(crate) report: fn(&Context) -> anyhow::Result<Vec<u8>>,
}

/// What every job of the page has.
struct AllJobs<'a> {
    args: &'a UiArgs,
    commands: &'a OtherCommands,
    feed: Feed,
    batch: Arc<RunningBatch>,
}

/// What was done from the page.
#[derive(Serialize)]
struct UiReport {
    /// Boards that were written and verified.
    boards: u32,
    /// Whether a page that was already there has been opened instead.
    already_running: bool,
}

impl Report for UiReport {
    fn text(&self, page: &mut Page) {
        match (self.already_running, self.boards) {
            (true, _) => page.line("m365-drv already runs; its page was opened."),
            (false, 0) => page.line("Nothing was changed."),
            (false, 1) => page.line("1 board was written and verified."),
            (false, boards) => page.line(format!("{boards} boards were written and verified.")),
        };
    }
}

pub(crate) fn run(context: &mut Context, args: &UiArgs, commands: &'static OtherCommands) -> CommandResult {
    let name = if context.is_rehearsal() { "page-simulated.json" } else { "page.json" };
    let file = files::state_folder().map(|folder| folder.join(name));
    let other = file.as_ref().and_then(|file| RunningPage::find(file)?.ticket());
    if let Some(address) = other {
        open(context, args, &address);
        return Outcome::new(&UiReport { boards: 0, already_running: true });
    }
    let (desk, asked) = PageDesk::new(context.backups(), commands, context.probes.interrupt());
    let (feed, batch) = (Feed::default(), desk.batch.clone());
    context.listen(listener(feed.clone()));
    let mut face = InBrowser::new(feed.clone(), asked, context);
    let server = Server::start(args.port.unwrap_or_default(), desk, feed.clone(), Allowance::default());
    let server = server.meaning(Exit::Usage, || match args.port {
        Some(port) => format!("cannot listen on port {port} of 127.0.0.1"),
        None => "cannot listen on any port of 127.0.0.1".into(),
    })?;
    let running = server.running();
    if let Some(file) = &file
        && let Err(error) = running.announce(file)
    {
        log::warn!("a second start will not find this page: {error}");
    }
    let address = server.ticket().meaning(Exit::Internal, || "no random numbers".into())?;
    open(context, args, &address);
    let boards = work(context, &AllJobs { args, commands, feed, batch }, &mut face);
    if let Some(file) = &file {
        running.withdraw(file);
    }
    Outcome::new(&UiReport { boards: boards?, already_running: false })
}

/// Opens the browser, or says what to open.
fn open(context: &mut Context, args: &UiArgs, address: &str) {
    context.output().emit(&Line::Address { url: address });
    let plain = address.split('#').next().unwrap_or(address);
    match if args.no_open { None } else { Some(open::that_detached(address)) } {
        Some(Ok(())) => context.say(&format!("the page is open in the browser: {plain}; Ctrl-C ends the program")),
        failed => {
            if let Some(Err(error)) = failed {
                context.say(&format!("no browser could be opened: {error}"));
            }
            if !context.output().is_json() {
                stderr::line(&format!("open this address in a browser: {address}"));
            }
        }
    }
}

fn new_guide(context: &Context) -> anyhow::Result<Guide> {
    let saves = *context.backup_store()?.destination() != Destination::Nowhere;
    Ok(Guide::new(context.rehearsal_images(), saves).with_places(files::places()).shown_in(Place::Page))
}

/// Does job after job until nobody looks any more. Returns how many boards were written.
fn work(context: &mut Context, jobs: &AllJobs<'_>, face: &mut InBrowser) -> anyhow::Result<u32> {
    let (mut guide, mut boards) = (new_guide(context)?, 0);
    let began = SystemTime::now();
    loop {
        let task = guide.task();
        face.show(&guide, task.as_ref());
        let next = if let Some(task) = task {
            let before = guide.at();
            let done = tasks::run(context, &mut guide, (&jobs.args.guide, began), task, face);
            boards += u32::from(guide.at() == CardName::Done && before != CardName::Done);
            match face.take_next() {
                Some(next) => Some(next),
                None => done.map(|()| None)?,
            }
        } else {
            Some(face.wait()?.map_or(Interruption::End, Interruption::Ask))
        };
        match next {
            None => {}
            Some(Interruption::End) => return Ok(boards),
            Some(Interruption::Back) => drop(guide.back()),
            Some(Interruption::Ask(asked)) => do_as_asked(context, jobs, (&mut guide, face), asked)?,
        }
    }
}

/// Does what a tab asks for while no task runs.
fn do_as_asked(
    context: &mut Context,
    jobs: &AllJobs<'_>,
    (guide, face): (&mut Guide, &mut InBrowser),
    asked: Asked,
) -> anyhow::Result<()> {
    match &asked.wish {
        Wish::Answer { number, .. } | Wish::Back { number } if *number != face.number() => {
            asked.refuse("the question was answered already");
        }
        Wish::Answer { answer, .. } => {
            let answer = answer.clone();
            asked.reply(Reply::Done);
            let was_done = guide.at() == CardName::Done;
            if guide.is_over() {
                *guide = new_guide(context)?;
            } else {
                guide.answer(&answer);
            }
            if guide.at() == CardName::Welcome || (was_done && !guide.is_over()) {
                context.next_board();
                face.begin();
            }
        }
        Wish::Back { .. } => {
            let goes = guide.back();
            asked.reply(if goes { Reply::Done } else { Reply::Refused("this is the first card".into()) });
        }
        Wish::File { name, bytes } => match guide.takes() {
            Some(handover) => {
                hand_over(guide, handover, name, bytes);
                asked.reply(Reply::Done);
            }
            None => asked.refuse("no file is needed now; drop it when the page asks for one"),
        },
        Wish::Doctor => {
            let done = (jobs.commands.doctor)(context, &jobs.args.guide.firmware);
            asked.reply(blocks(done));
        }
        Wish::Report => {
            let file = (jobs.commands.report)(context);
            asked.reply(match file {
                Ok(bytes) => Reply::File { name: "m365-drv-report.json".into(), bytes },
                Err(error) => Reply::Failed(format!("{error:#}")),
            });
        }
        Wish::Backup => {
            let file =
                guide.backup().and_then(|path| Some((path.file_name()?.to_str()?.to_owned(), fs::read(path).ok()?)));
            asked.reply(file.map_or(Reply::Missing, |(name, bytes)| Reply::File { name, bytes }));
        }
        Wish::StartBatch { how } => {
            let (scooter, erases) = (how["scooter"].as_str().unwrap_or_default().to_owned(), how["erase"] == true);
            match Target::named(&scooter) {
                Ok(scooter) => {
                    asked.reply(Reply::Done);
                    batch(context, jobs, &scooter.name, erases)?;
                }
                Err(error) => asked.refuse(&error.to_string()),
            }
        }
        _ => asked.reply(Reply::Missing),
    }
    Ok(())
}

/// Does a batch until a tab stops it. Ctrl-C ends the program too.
fn batch(context: &mut Context, jobs: &AllJobs<'_>, scooter: &str, erases: bool) -> anyhow::Result<()> {
    let folder = context.backups().and_then(|backups| Some(backups.parent()?.to_owned()));
    let folder = folder.unwrap_or_else(std::env::temp_dir);
    let day = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
    let log = folder.join(format!("batch-{scooter}-{day}.csv"));
    let told = |running: bool, error: Option<String>| {
        let line = json!({ "event": "batch", "running": running, "log": log.display().to_string(), "error": error });
        jobs.feed.tell(Some("batch"), &line);
    };
    jobs.feed.forget(OF_BATCH);
    jobs.batch.set(Some(&log));
    told(true, None);
    let made = fs::create_dir_all(&folder).meaning(Exit::Usage, || format!("cannot create {}", quoted_path(&folder)));
    let done = made.and_then(|()| (jobs.commands.batch)(context, scooter, erases, &log));
    let (is_stopped, interrupt) = (jobs.batch.is_stopped(), context.probes.interrupt());
    jobs.batch.set(None);
    let is_ended = interrupt.swap(false, Ordering::SeqCst) && !is_stopped;
    let error = done.err().map(|error| format!("{error:#}"));
    told(false, error.filter(|_| !is_stopped));
    context.next_board();
    if is_ended { Err(ops::Error::from(board::Error::Interrupted).into()) } else { Ok(()) }
}

/// Reads a file that was handed over, as what it is needed for.
fn hand_over(guide: &mut Guide, handover: Handover, name: &str, bytes: &[u8]) {
    let cannot = |error: &dyn std::fmt::Display| format!("cannot use {}: {error}", quoted(name));
    match handover {
        Handover::Image(kind) => {
            // A zip may hold several images; they are looked for in a file.
            let image = tempfile::NamedTempFile::new().and_then(|file| fs::write(file.path(), bytes).map(|()| file));
            guide.opened(match image {
                Ok(file) => Image::open_as(file.path(), kind).map_err(|error| cannot(&error)),
                Err(error) => Err(cannot(&error)),
            });
        }
        Handover::Data => {
            let dump = Dump::from_bytes(bytes).map_err(|error| cannot(&error));
            guide.took_data(dump.and_then(|dump| {
                let block = dump.blocks(dump.layout().regions.data.start).into_iter().next();
                block.map(|found| found.block).ok_or_else(|| cannot(&"no serial number and mileage in it"))
            }));
        }
    }
}
