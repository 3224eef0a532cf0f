//! `doctor`: what works and what does not, from the probe on USB to the firmware that runs on the board. Changes nothing.

use super::{
    DataSource, Error, Firmware, Job,
    checkup::{CheckName as Name, Checkup, Detail, Missing, State},
    contents::Contents,
    watchdog::starts_at_reset,
};
use crate::{
    block::DataBlock,
    board::{
        self, Answers, Board, ChipKind, Examined, Finding, LinkError, Problem, Protection, Startup, Status,
        progress::Event,
    },
    image::{Catalog, DerivedFrom, Kind, drv_region, origin},
    target::{FlashMap, Target},
};

/// Makes every check of probe and board that can be made; the board goes on as it was. Only an interrupt is an error.
pub fn doctor(job: &mut Job<'_>) -> Result<Checkup, Error> {
    let mut checkup = Checkup::default();
    match examine(job, &mut checkup) {
        Ok(()) => {}
        Err(interrupted @ Error::Board(board::Error::Interrupted)) => return Err(interrupted),
        Err(error) => checkup.error = Some(error),
    }
    checkup.close();
    Ok(checkup)
}

fn examine(job: &mut Job<'_>, checkup: &mut Checkup) -> Result<(), Error> {
    let examined = match job.probes.examine(job.connect.selector.as_ref()) {
        Ok(examined) => examined,
        Err(error) => {
            checkup.fail(Name::Probe, Detail::Error);
            return Err(error.into());
        }
    };
    probe(&examined, checkup)?;
    let mut reached = false;
    let known = checkup.checks.clone();
    let done = job.account(|job| {
        job.with_board(|job, board| {
            reached = true;
            // After a loss of contact everything is looked at anew.
            checkup.checks.clone_from(&known);
            supply(&examined, true, checkup);
            look(job, board, checkup)
        })
    });
    match done {
        Err(Error::Board(error)) if !reached => {
            supply(&examined, false, checkup);
            checkup.wires = job.probes.finding(examined.volts);
            unreached(job, &error, checkup)?;
            Err(error.into())
        }
        Err(error) => {
            checkup.stopped(stopped_by(&error));
            Err(error)
        }
        Ok(()) => Ok(()),
    }
}

/// What the probe tells of itself.
fn probe(examined: &Examined, checkup: &mut Checkup) -> Result<(), Error> {
    let Examined { entry, problem, firmware, .. } = examined;
    let name = match problem {
        None => None,
        Some(Problem::Twin) => Some(Name::Probe),
        Some(Problem::Busy { .. }) => Some(Name::InUse),
        Some(Problem::Firmware { .. }) => Some(Name::ProbeFirmware),
        Some(Problem::Permission { .. } | Problem::Driver | Problem::Hung | Problem::Other { .. }) => {
            Some(Name::Access)
        }
    };
    let passes = |check: Name| name.is_none_or(|failed| check < failed);
    if passes(Name::Probe) {
        checkup.pass(Name::Probe, Detail::Probe(entry.clone()));
    }
    if passes(Name::Access) {
        checkup.pass(Name::Access, Detail::Opened);
    }
    match &entry.problem {
        Some(busy @ Problem::Busy { .. }) if passes(Name::InUse) => {
            checkup.warn(Name::InUse, Detail::Problem(busy.clone()));
        }
        _ if passes(Name::InUse) => checkup.pass(Name::InUse, Detail::Free),
        _ => {}
    }
    if passes(Name::ProbeFirmware) {
        checkup.pass(Name::ProbeFirmware, Detail::ProbeFirmware(firmware.clone()));
    }
    match (name, problem) {
        (Some(name), Some(problem)) => {
            checkup.fail(name, Detail::Problem(problem.clone()));
            Err(board::Error::ProbeAccess(problem.clone()).into())
        }
        _ => Ok(()),
    }
}

/// What the probe measures at the board. A board that answers may prove it wrong: not every probe is wired to measure it.
fn supply(examined: &Examined, answers: bool, checkup: &mut Checkup) {
    let finding = examined.supply();
    let state = match (examined.volts, finding) {
        (None, _) => State::NotTried,
        (_, None) => State::Pass,
        (_, Some(Finding::NoSupply)) if answers => State::Warn,
        (_, Some(_)) => State::Fail,
    };
    let detail = examined.volts.map(|volts| Detail::Volts { volts, finding });
    checkup.add(Name::Voltage, state, detail.unwrap_or(Detail::Missing(Missing::Measurement)));
}

/// What can be told of a board that was not reached.
fn unreached(job: &mut Job<'_>, error: &board::Error, checkup: &mut Checkup) -> Result<(), Error> {
    if matches!(error, board::Error::UnsupportedSpeed { .. } | board::Error::ProbeGone) {
        checkup.fail(Name::DebugPort, Detail::Error);
        return Ok(());
    }
    let answers = match job.probes.ask(&job.connect) {
        Err(board::Error::Interrupted) => return Err(board::Error::Interrupted.into()),
        answers => answers.unwrap_or_default(),
    };
    let Answers { dpidr, cpuid, .. } = answers;
    match dpidr {
        Some(dpidr) => checkup.pass(Name::DebugPort, Detail::DebugPort { dpidr }),
        None => checkup.fail(Name::DebugPort, Detail::Silence(answers)),
    }
    if let Some(cpuid) = cpuid {
        checkup.pass(Name::Core, Detail::Core { cpuid });
    }
    match error {
        board::Error::Unsupported(chip) => checkup.fail(Name::Chip, Detail::Unsupported(*chip)),
        _ if dpidr.is_none() => {}
        _ if cpuid.is_none() => checkup.fail(Name::Core, Detail::Error),
        error => checkup.fail(check_of(error), Detail::Error),
    }
    Ok(())
}

/// The check that an error belongs to which ended the look at a board.
fn stopped_by(error: &Error) -> Name {
    match error {
        Error::Board(error) | Error::Lost(error) => check_of(error),
        _ => Name::Contact,
    }
}

fn check_of(error: &board::Error) -> Name {
    match error {
        board::Error::NotHalted | board::Error::HeldInReset => Name::Core,
        board::Error::Link(LinkError::BlankUid { .. }) => Name::Uid,
        board::Error::UnknownProtection { .. } | board::Error::PermanentProtection { .. } => Name::Protection,
        _ => Name::Contact,
    }
}

/// Everything that a board tells that was reached.
fn look(job: &mut Job<'_>, mut board: Board<'_>, checkup: &mut Checkup) -> Result<(), Error> {
    checkup.pass(Name::DebugPort, Detail::DebugPort { dpidr: board.dpidr });
    checkup.pass(Name::Core, Detail::Core { cpuid: board.chip.cpuid });
    let kind = board.chip.kind;
    (checkup.chip, checkup.uid) = (Some(kind), Some(board.uid));
    let state = if kind == ChipKind::Stm32F103 { State::Pass } else { State::Warn };
    checkup.add(Name::Chip, state, Detail::Chip(kind));
    checkup.pass(Name::Uid, Detail::Uid(board.uid));
    let status = job.identify(&mut board)?;
    flash_size(&board, checkup);
    protections(&board, &status, checkup);
    let target = Target::for_chip(board.chip.flash_kib);
    let contents = Contents::read(job, &mut board, &status, target, &[])?;
    let target = contents.other_map.unwrap_or(target);
    let live = board.live_block(&target.map)?;
    images(&contents, target, kind, checkup);
    data(&contents, in_flash(&contents, target).as_ref(), live.as_ref(), checkup);
    if let Some(live) = &live {
        checkup.scooter_thinks(live);
    }
    contact(job, &board, checkup);
    application(&mut board, &status, &target.map, live.is_some(), checkup)?;
    board.resume()?;
    Ok(())
}

fn flash_size(board: &Board<'_>, checkup: &mut Checkup) {
    let (register, kib) = (board.chip.flash_size_register, board.chip.flash_kib);
    let state = match kib {
        None => State::Warn,
        Some(kib) if kib < FlashMap::smallest().flash_kib() => State::Fail,
        Some(_) => State::Pass,
    };
    checkup.add(Name::FlashSize, state, Detail::FlashSize { register, kib });
}

fn protections(board: &Board<'_>, status: &Status, checkup: &mut Checkup) {
    let options = status.option_bytes;
    checkup.protection = Some(status.protection);
    let is_pending = status.protection == Protection::None && options.protects();
    let state = if is_pending { State::Warn } else { State::Pass };
    checkup.add(Name::Protection, state, Detail::Protection { protection: status.protection, is_pending });
    let kib = board.chip.flash_kib.unwrap_or(FlashMap::smallest().flash_kib());
    let pages = status.write_protected_pages(kib).len();
    checkup.add(
        Name::WriteProtection,
        if pages == 0 { State::Pass } else { State::Warn },
        Detail::WriteProtection { pages },
    );
    checkup.add(
        Name::OptionBytes,
        // The vendor's firmware erases all of them to protect the chip, and writes RDP only.
        if options.complements_right() || options.protects() { State::Pass } else { State::Warn },
        Detail::OptionBytes { bytes: options },
    );
    let starts = starts_at_reset(options.user());
    checkup.add(
        Name::Watchdog,
        if starts { State::Warn } else { State::Pass },
        Detail::Watchdog { user: options.user(), starts },
    );
}

/// Bootloader and firmware in flash.
fn images(contents: &Contents, target: &'static Target, chip: ChipKind, checkup: &mut Checkup) {
    let Some(flash) = contents.flash.as_deref() else {
        for name in [Name::Bootloader, Name::Drv] {
            checkup.add(name, State::NotTried, Detail::Missing(Missing::ReadableFlash));
        }
        return;
    };
    let start = target.map.flash.start;
    let boot = &target.map.regions.boot;
    let boot = &flash[(boot.start - start) as usize..(boot.end - start) as usize];
    let drv = &flash[drv_region(flash, &target.map.regions.drv)];
    for (name, bytes) in [(Name::Bootloader, boot), (Name::Drv, drv)] {
        let (state, detail) = image(bytes, chip);
        checkup.add(name, state, detail);
    }
    let scooters = origin(drv, Kind::Drv).map(|origin| origin.scooters).unwrap_or_default();
    let mut named = Target::all().iter().filter(|target| scooters.contains(&target.name));
    if let (Some(only), None) = (named.next(), named.next()) {
        checkup.scooter = Some(only);
    }
}

/// What is in a region of flash, and whether it can run.
fn image(bytes: &[u8], chip: ChipKind) -> (State, Detail) {
    let Some(firmware) = Firmware::of(bytes) else { return (State::Fail, Detail::NoImage) };
    let catalog = Catalog::builtin();
    let near = if firmware.known { None } else { catalog.nearest(bytes) };
    if near.as_ref().is_some_and(DerivedFrom::is_incomplete) {
        return (State::Fail, Detail::Image(firmware));
    }
    if catalog.source(bytes).is_some_and(|entry| !entry.runs_on(chip.firmware_name())) {
        return (State::Fail, Detail::ImageOfOtherChip(firmware, chip));
    }
    let is_made_from_known = near.is_some_and(|near| near.is_modified());
    let state = if firmware.known || is_made_from_known { State::Pass } else { State::Warn };
    (state, Detail::Image(firmware))
}

/// The data block that the firmware finds when it starts.
fn in_flash(contents: &Contents, target: &Target) -> Option<DataBlock> {
    target.block_in(contents.flash.as_ref()?).map(|(_, block)| block)
}

/// The data block and the rules that the firmware has for it.
fn data(contents: &Contents, in_flash: Option<&DataBlock>, live: Option<&DataBlock>, checkup: &mut Checkup) {
    let in_sram = live.map(|live| (live, DataSource::Sram));
    let in_flash = in_flash.map(|block| (block, DataSource::Flash));
    let found = in_flash.or(contents.block.as_ref().map(|(block, source)| (block, *source))).or(in_sram);
    let Some((block, source)) = found else {
        let is_readable = contents.flash.is_some();
        let (state, detail) = if is_readable {
            (State::Fail, Detail::NoBlock)
        } else {
            (State::NotTried, Detail::Missing(Missing::ReadableFlash))
        };
        checkup.add(Name::DataBlock, state, detail);
        for name in [Name::Serial, Name::BlockUid] {
            checkup.add(name, State::NotTried, Detail::Missing(Missing::DataBlock));
        }
        return;
    };
    let summary = block.summary();
    let state = if summary.mileage_m.is_known() { State::Pass } else { State::Warn };
    checkup.add(Name::DataBlock, state, Detail::Block(source, Box::new(summary.clone())));
    serial(block, checkup);
    let (state, detail) = match block.uid() {
        uid if checkup.uid == Some(uid) => (State::Pass, Detail::BlockUid(uid)),
        uid if uid.is_blank() => (State::Fail, Detail::BlockUid(uid)),
        uid => (State::Fail, Detail::BlockOfOtherChip(uid)),
    };
    checkup.add(Name::BlockUid, state, detail);
}

fn serial(block: &DataBlock, checkup: &mut Checkup) {
    let text = block.summary().serial;
    let (state, detail) = match block.serial() {
        None if block.has_factory_serial() => (State::Fail, Detail::FactorySerial(text.unwrap_or_default())),
        None => (State::Fail, Detail::NoSerial),
        Some(serial) => {
            let owners: Vec<_> = Target::owners(serial).collect();
            if let ([only], None) = (owners.as_slice(), checkup.scooter) {
                checkup.scooter = Some(only);
            }
            if let Some(family) = Target::unsupported_family(serial) {
                (State::Fail, Detail::SerialOfOther(serial, family.to_owned()))
            } else if Target::all().iter().any(|target| target.serial.fits(serial)) {
                let titles = owners.iter().map(|target| target.title.clone()).collect();
                (State::Pass, Detail::Serial(serial, titles))
            } else {
                (State::Fail, Detail::WrongForm(serial))
            }
        }
    };
    checkup.add(Name::Serial, state, detail);
}

fn contact(job: &Job<'_>, board: &Board<'_>, checkup: &mut Checkup) {
    let Event::Contact { good, of, .. } = board.contact(None) else { return };
    let reconnects = job.known.reconnects;
    let state = if good == of && reconnects == 0 { State::Pass } else { State::Warn };
    checkup.add(Name::Contact, state, Detail::Contact { good, of, reconnects, khz: board.speed_khz });
}

/// Whether the firmware runs. That of a protected chip cannot be watched: since the debugger is connected it can no longer read
/// its own flash (PM0075 2.4.1). It leaves its data block in SRAM.
fn application(
    board: &mut Board<'_>,
    status: &Status,
    map: &FlashMap,
    is_live: bool,
    checkup: &mut Checkup,
) -> Result<(), Error> {
    let (state, detail) = if status.protection == Protection::Read {
        if is_live { (State::Pass, Detail::HasRun) } else { (State::Fail, Detail::NoSignOfLife) }
    } else {
        let seen = board.observe(map)?;
        let state = match seen {
            Startup::Running { .. } => State::Pass,
            Startup::NoBlock { .. } if is_live => State::Pass,
            Startup::NoBlock { .. } | Startup::Unseen => State::Warn,
            _ => State::Fail,
        };
        (state, Detail::Startup(seen))
    };
    checkup.add(Name::Application, state, detail);
    if !is_live {
        checkup.add(Name::ScooterError, State::NotTried, Detail::Missing(Missing::LiveBlock));
    }
    Ok(())
}
