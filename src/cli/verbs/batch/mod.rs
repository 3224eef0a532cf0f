//! `batch`: board after board, on one probe or several, with a log from which it continues after any interruption.

mod summary;
mod work;

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    sync::Mutex,
    thread,
    time::Duration,
};

use clap::{Args, Parser};
use m365_drv::{
    batch::{Again, Batch, LogError, OpenedLog, SerialList, Unit, UnitLog},
    board::{ProbeEntry, Selector, Wait},
    ops::{After, BackupStore, Destination},
    printable::{quoted, quoted_path},
};

use self::{summary::Tally, work::Shop};
use crate::cli::{
    Context,
    args::{
        backup_place::BackupArgs,
        consent::ConsentArg,
        images::{GivenImages, ImageArgs},
        watchdog::WatchdogArg,
    },
    context::station::Station,
    exit::{Exit, Meaning, refuse},
    files,
    screen::{CommandResult, Outcome},
};

#[derive(Debug, Args)]
pub(crate) struct BatchArgs {
    #[command(flatten)]
    pub(crate) images: ImageArgs,

    /// Log each board in this file, as CSV (.csv) or JSON Lines (.jsonl); an existing log is continued, and the boards that it
    /// lists as done are not flashed again
    #[arg(long, value_name = "FILE")]
    log: PathBuf,

    /// Give each board without a serial number the next one from this CSV file
    ///
    /// Its first line names the columns: `serial`, and if wanted `km` and `uid`. A row with a UID is for that board, and
    /// replaces what the board has. No serial number is given to two boards.
    #[arg(long, value_name = "FILE")]
    list: Option<PathBuf>,

    /// Use all attached probes, side by side; or name several with `--probe`
    #[arg(long)]
    all_probes: bool,

    /// Flash boards again that the log lists as done
    #[arg(long)]
    again: bool,

    #[command(flatten)]
    consent: ConsentArg,

    #[command(flatten)]
    backups: BackupArgs,

    #[command(flatten)]
    watchdog: WatchdogArg,

    /// Set read-out protection of each board when everything is verified
    #[arg(long)]
    lock: bool,
}

/// The command line of a batch alone.
#[derive(Debug, Parser)]
#[command(no_binary_name = true)]
struct BatchLine {
    #[command(flatten)]
    args: BatchArgs,
}

/// A batch on all probes, with the known images at hand.
pub(crate) fn on_all_probes(context: &mut Context, scooter: &str, erases: bool, log: &Path) -> CommandResult {
    let mut words: Vec<OsString> = vec![scooter.into(), "--log".into(), log.into()];
    words.extend((!context.typed().has("--probe")).then(|| "--all-probes".into()));
    words.extend(erases.then(|| "--erase-all".into()));
    let line = BatchLine::try_parse_from(words).meaning(Exit::Usage, || "the batch cannot begin".into())?;
    run(context, &line.args)
}

/// How long the next board of a rehearsal is waited for.
const REHEARSAL_ENDS: Duration = Duration::from_secs(10);

pub(crate) fn run(context: &mut Context, args: &BatchArgs) -> CommandResult {
    if args.all_probes && context.typed().has("--probe") {
        return Err(refuse(Exit::Usage, "--all-probes and --probe cannot be used together"));
    }
    let target = args.images.scooter;
    let list = args.read_list()?;
    let images = args.images.read(context, None)?;
    let backups = args.backups.store(context)?;
    if matches!(backups.destination(), Destination::File(_)) {
        return Err(refuse(Exit::Usage, "a batch needs a folder for its backups: --backup FOLDER/"));
    }
    let OpenedLog { log, units, torn } = args.open_log()?;
    if let Some(torn) = torn {
        let log = quoted_path(&args.log);
        let message = format!("the last line of {log} was cut short and has been removed: {}", quoted(torn));
        context.warn("log-torn", message);
    }
    let batch = Batch::new(&target.name, list, &units);
    for uid in batch.unfinished() {
        context.warn(
            "board-unfinished",
            format!("the board with UID {uid} was started but not finished: connect it again"),
        );
    }
    let stations = args.stations(context)?;
    context.say(&beginning(args, &batch));
    let shop = Shop::new(args, &images, backups, (batch, log), context);
    let ended = thread::scope(|scope| {
        let workers: Vec<_> = stations.iter().map(|station| scope.spawn(|| shop.work(station))).collect();
        let ended =
            workers.into_iter().map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        ended.collect::<Vec<_>>()
    });
    let summary = shop.summary();
    let failure = ended.into_iter().find_map(Result::err).or_else(|| summary.failure(context.typed()));
    match failure {
        Some(error) => Outcome::refused(&summary, error),
        None => Outcome::new(&summary),
    }
}

/// What a person is told first.
fn beginning(args: &BatchArgs, batch: &Batch) -> String {
    let log = quoted_path(&args.log);
    let before = match batch.done() {
        0 => String::new(),
        1 => ", in which 1 board is done".to_owned(),
        done => format!(", in which {done} boards are done"),
    };
    let locked = if args.consent.given().is_some() { "" } else { "; locked boards are refused without --erase-all" };
    format!("batch of {}: the log is {log}{before}{locked}; Ctrl-C ends the batch", args.images.scooter.title)
}

impl BatchArgs {
    fn read_list(&self) -> anyhow::Result<SerialList> {
        let Some(path) = &self.list else { return Ok(SerialList::default()) };
        let list = SerialList::parse(&files::read(path, Exit::Data)?, self.images.scooter);
        list.meaning(Exit::Data, || format!("the list {} cannot be used", quoted_path(path)))
    }

    fn open_log(&self) -> anyhow::Result<OpenedLog> {
        UnitLog::open(&self.log).map_err(|error| {
            let message = error.to_string();
            match error {
                LogError::Io { source, .. } => Err::<(), _>(source).meaning(Exit::Usage, || message).unwrap_err(),
                _ => refuse(Exit::Usage, message),
            }
        })
    }

    fn after(&self) -> After {
        if self.lock { After::LockAndRun } else { After::Run }
    }

    fn flash_again(&self) -> Again {
        if self.again { Again::Yes } else { Again::No }
    }

    /// The probes to use.
    fn stations(&self, context: &Context) -> anyhow::Result<Vec<Station>> {
        let listed = context.probes.list();
        if self.all_probes {
            let usable: Vec<_> = listed.iter().filter(|probe| probe.usable).collect();
            if usable.is_empty() {
                return Err(refuse(Exit::NoProbe, "no usable probe found"));
            }
            let is_one = usable.len() == 1;
            let station = |probe: &&ProbeEntry| {
                let station = context.station(Some(selector_of(probe)));
                if is_one { station } else { station.labelled(&label_of(probe)) }
            };
            return Ok(usable.iter().map(station).collect());
        }
        match context.selectors() {
            [] => Ok(vec![context.station(None)]),
            [one] => Ok(vec![context.station(Some(one.clone()))]),
            several => {
                let named =
                    |selector: &Selector| listed.iter().filter(|probe| selector.matches(probe)).collect::<Vec<_>>();
                let mut probes: Vec<&ProbeEntry> = Vec::new();
                for selector in several {
                    match named(selector)[..] {
                        [probe] if probes.iter().all(|other| other.index != probe.index) => probes.push(probe),
                        [_] => {
                            return Err(refuse(
                                Exit::Usage,
                                format!("--probe \"{selector}\" names a probe that is named already"),
                            ));
                        }
                        [] => {
                            return Err(refuse(
                                Exit::NoProbe,
                                format!("no attached probe matches --probe \"{selector}\""),
                            ));
                        }
                        _ => {
                            return Err(refuse(
                                Exit::NoProbe,
                                format!("several attached probes match --probe \"{selector}\""),
                            ));
                        }
                    }
                }
                Ok(probes
                    .iter()
                    .map(|probe| context.station(Some(selector_of(probe))).labelled(&label_of(probe)))
                    .collect())
            }
        }
    }
}

/// A selector that names this probe for the whole batch, even if other probes are plugged in.
fn selector_of(probe: &ProbeEntry) -> Selector {
    match (&probe.serial, &probe.usb) {
        (Some(serial), _) if !probe.has_twin && serial.chars().count() >= Selector::MIN_PREFIX => {
            Selector::Serial(serial.clone())
        }
        (_, Some(place)) => Selector::Usb(place.clone()),
        _ => Selector::Index(probe.index),
    }
}

/// What a person calls a probe.
fn label_of(probe: &ProbeEntry) -> String {
    selector_of(probe).to_string()
}

impl<'a> Shop<'a> {
    fn new(
        args: &'a BatchArgs,
        images: &'a GivenImages,
        backups: BackupStore,
        (batch, log): (Batch, UnitLog),
        context: &Context,
    ) -> Self {
        let (batch, log, tally) = (Mutex::new(batch), Mutex::new(log), Mutex::new(Tally::default()));
        let (output, audience) = (context.output().clone(), context.audience());
        let listener = context.listener().cloned();
        let (units, stop, asking) = (0.into(), false.into(), Mutex::new(()));
        // In a rehearsal all boards have come soon.
        let patience = if context.is_rehearsal() { Wait::For(REHEARSAL_ENDS) } else { Wait::Forever };
        Self { args, images, backups, batch, log, tally, output, listener, audience, patience, units, stop, asking }
    }
}

/// The name of the firmware on a board, or its hash.
fn firmware_name(drv: Option<&m365_drv::ops::Firmware>) -> Option<String> {
    let drv = drv?;
    Some(drv.name.clone().unwrap_or_else(|| format!("sha256 {}", drv.sha256)))
}

/// The line of the log for a board, with the present time.
fn stamped(unit: Unit) -> Unit {
    let now = jiff::Timestamp::now();
    Unit { time: now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(), ..unit }
}
