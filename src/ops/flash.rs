//! `flash`: the whole job, from whatever the board is to a scooter that starts.

use std::{ops::Range, time::Duration};

use serde::Serialize;

use super::{
    BoardState, Error, Extent, FlashPlan, Job, Placed, Work,
    held::Held,
    job::{refused, untouched},
    keep::{Earlier, Keep},
    report::{Firmware, Source},
    write::{self, Known, Permit, Written},
};
use crate::{
    block::{DataBlock, Mileage, SIGNATURE, Serial, Uid},
    board::{self, Board, Boot, ChipKind, EraseConsent, Status, progress::Step},
    image::{Catalog, Image, Kind, RehearsalImages},
    target::Target,
};

pub use super::report::Source as DataSource;

/// What is to be written, and what may be done for it.
#[derive(Debug)]
pub struct FlashRequest<'a> {
    /// The scooter.
    pub target: &'a Target,
    /// Bootloaders to choose from: the one that passes every gate on the chip found. Of none the board's own stays, where it
    /// can.
    pub boot: &'a [Image],
    /// DRV firmware; likewise.
    pub drv: &'a [Image],
    /// A data block from a file, for a board that has none of its own.
    pub data: Option<DataBlock>,
    /// The serial number to write, instead of the board's own.
    pub serial: Option<Serial>,
    /// The mileage to write, instead of the board's own.
    pub mileage: Option<Mileage>,
    /// Given where the chip may be erased to unlock it.
    pub consent: Option<EraseConsent>,
    /// How much to write.
    pub extent: Extent,
    /// Whether to write at all.
    pub intent: Intent,
    /// Where to keep what the board holds.
    pub keep: Keep,
    /// What to do when everything is verified.
    pub after: After,
    /// Gates that may fail.
    pub forced: Vec<String>,
    /// Whether our own images for the simulated board will do.
    pub rehearsal: RehearsalImages,
}

/// Whether to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intent {
    /// Do it.
    Write,
    /// Read only, and say what would be done.
    Preview,
}

/// What to do when everything is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// Reset the chip and watch the firmware start.
    Run,
    /// The same, with read-out protection on.
    LockAndRun,
    /// Leave the board as it was verified; the firmware has not run yet.
    Stop,
}

/// What `flash` did, or for a preview would do.
#[derive(Debug, Clone, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own in the report")]
pub struct FlashReport {
    /// The scooter, by its name on the command line.
    pub scooter: String,
    /// The chip.
    pub chip: ChipKind,
    /// The chip's unique id.
    pub uid: Uid,
    /// The serial number written.
    pub serial: Serial,
    /// The mileage written, in metres.
    pub mileage_m: Mileage,
    /// Where the data block came from.
    pub data_source: DataSource,
    /// The bootloader on the board.
    pub boot: Option<Firmware>,
    /// The DRV firmware on the board.
    pub drv: Option<Firmware>,
    /// Whether the chip was erased as a whole, to unlock it.
    pub mass_erased: bool,
    /// Whether the option bytes were written.
    pub options_written: bool,
    /// Pages erased one by one.
    pub pages_erased: u32,
    /// Pages that were right already.
    pub pages_skipped: u32,
    /// Bytes programmed.
    pub bytes_programmed: u32,
    /// Whether every planned byte was read back and is right.
    pub verified: bool,
    /// Whether this was a preview and nothing was written.
    pub preview: bool,
    /// What has to be removed first, in a preview: `read-protected` or `write-protected`.
    pub needs_consent: Option<&'static str>,
    /// How often contact was lost and made again.
    pub reconnects: u32,
    /// How the firmware started; `None` where it was not let run.
    pub boot_check: Option<Boot>,
    /// The backup made before anything was erased.
    pub backup: Option<std::path::PathBuf>,
    /// SWD clock in kHz at the end.
    pub speed_khz: u32,
    /// Milliseconds for all of it.
    pub took_ms: u64,
    /// Milliseconds from first contact until the wires were not needed any more.
    pub contact_ms: u64,
    /// The whole flash as planned, 0xFF where nothing is.
    #[serde(skip)]
    pub image: Vec<u8>,
}

/// Everything that is decided before anything is changed.
pub(super) struct Prepared {
    pub(super) plan: FlashPlan,
    pub(super) serial: Serial,
    pub(super) mileage: Mileage,
    pub(super) data_source: DataSource,
    pub(super) boot: Option<Firmware>,
    pub(super) drv: Option<Firmware>,
    held: Held,
}

impl Prepared {
    /// What there is to do. Flash that cannot be read is blank once it is unlocked.
    fn work(&self, request: &FlashRequest<'_>) -> Work {
        match &self.held.flash {
            Some(flash) => self.plan.work_on_flash(request.target, flash, request.extent),
            None => self.plan.work_on_blank(),
        }
    }
}

/// Does the whole job.
pub fn flash(job: &mut Job<'_>, request: &FlashRequest<'_>) -> Result<FlashReport, Error> {
    let began = job.now();
    request.check_images()?;

    let mut contact = began;
    let (board, status, prepared) = job.insist(|job, mut board| {
        contact = job.now();
        let status = job.step(Step::Identify, |_| board.status()).map_err(untouched)?;
        let prepared = match prepare(job, &mut board, &status, request) {
            Ok(prepared) => prepared,
            Err(error) => return Err(refused(board, error)),
        };
        if request.intent == Intent::Write && request.keep.keeps() {
            prepared.held.confirm(&mut board, request.target, &prepared.work(request)).map_err(untouched)?;
        }
        Ok((board, status, prepared))
    })?;
    let own = prepared.held.block.as_ref().and_then(|(block, _)| block.serial());
    let rule = &request.target.serial;
    if let Some(message) = rule.change_of_region(own.as_ref().map(Serial::prefix), prepared.serial.prefix()) {
        job.warn("region", message);
    }
    let mut report = FlashReport::new(request, &prepared, &board);

    if request.intent == Intent::Preview {
        report.foresee(request, &prepared, &status);
        board.resume().map_err(untouched)?;
        report.took_ms = millis(job.now().saturating_sub(began));
        return Ok(report);
    }
    let obstacle = write::obstacle(&status, &prepared.plan, request.target);
    if let Some(what) = obstacle.filter(|_| request.consent.is_none()) {
        let data = Some((prepared.serial, prepared.mileage));
        return Err(refused(board, Error::Consent { uid: report.uid, what, data }));
    }
    let unfinished = write::is_unfinished(&status, request.consent);
    let locks = request.after == After::LockAndRun;
    if obstacle.is_some() || unfinished || locks || !prepared.work(request).is_empty() {
        let backup = prepared.held.backup(board.uid, &status);
        match job.step(Step::Backup, |_| request.keep.save(&backup)) {
            Ok(path) => report.backup = path,
            Err(error) => return Err(refused(board, error.into())),
        }
    } else {
        job.skip(Step::Backup);
    }

    // Up to here nothing has been changed.
    let known = Known { status, flash: prepared.held.flash.as_deref() };
    let user = status.option_bytes.known_user().or_else(|| request.keep.earlier(report.uid).user()).unwrap_or(0xFF);
    let permit = Permit { target: request.target, consent: request.consent, extent: request.extent, user, known };
    let written = write::write(job, board, &prepared.plan, &permit)?;
    report.finish(job, written, request, user, contact)?;
    report.took_ms = millis(job.now().saturating_sub(began));
    Ok(report)
}

/// Finds out what the board holds and what it shall hold.
pub(super) fn prepare(
    job: &mut Job<'_>,
    board: &mut Board<'_>,
    status: &Status,
    request: &FlashRequest<'_>,
) -> Result<Prepared, Error> {
    let target = request.target;
    if board.chip.flash_kib < target.flash_kib() {
        let (found, needed) = (board.chip.flash_kib, target.flash_kib());
        return Err(untouched(board::Error::TooSmall { found, needed }));
    }
    let chip = board.chip.kind;
    let (boot, drv) = (request.choose(Kind::Boot, chip)?, request.choose(Kind::Drv, chip)?);

    let held = job.step(Step::Rescue, |_| Held::read(board, status, target)).map_err(untouched)?;
    for stranger in &held.strangers {
        let board::Stranger { uid, serial } = stranger;
        job.warn(
            "data-of-another-chip",
            format!("SRAM holds the data block of another chip, serial {serial}, UID {uid}; it is not used"),
        );
    }
    let boot = held.image(request, Kind::Boot, boot, chip)?;
    let drv = held.image(request, Kind::Drv, drv, chip)?;
    let (block, data_source) = request.block(job, &held, board.uid)?;
    let (serial, mileage) = (block.serial().ok_or(Error::NoSerial)?, block.mileage());

    let images = [
        Placed { address: target.regions.boot.start, bytes: &boot },
        Placed { address: target.regions.drv.start, bytes: &drv },
    ];
    let mut plan = FlashPlan::new(target, &images, &block).map_err(|overlap| {
        let kind = if overlap.address == target.regions.boot.start { Kind::Boot } else { Kind::Drv };
        Error::Gate { kind, gate: "size", detail: overlap.to_string() }
    })?;
    if held.flash.as_deref().is_some_and(|flash| is_pending(slice(target, flash, &target.regions.update))) {
        // The bootloader would copy what is staged over the firmware at its first start.
        plan.blank(target.regions.update.start);
    }
    Ok(Prepared { plan, serial, mileage, data_source, boot: Firmware::of(&boot), drv: Firmware::of(&drv), held })
}

impl Held {
    /// The image to plan: the chosen one, else the board's own where that is known to be right.
    fn image(
        &self,
        request: &FlashRequest<'_>,
        kind: Kind,
        chosen: Option<&Image>,
        chip: ChipKind,
    ) -> Result<Vec<u8>, Error> {
        if let Some(image) = chosen {
            return Ok(image.bytes.clone());
        }
        let refuse = |reason| Error::NoImage { kind, reason };
        let flash = self.flash.as_ref().ok_or(refuse("the chip is read-protected, and unlocking erases it"))?;
        let regions = &request.target.regions;
        let region = slice(request.target, flash, if kind == Kind::Boot { &regions.boot } else { &regions.drv });
        let known = Catalog::builtin().identify(region).ok_or(refuse("it is not a known one"))?;
        let entry = known.entry;
        if entry.kind != kind || !entry.is_for(&request.target.name) || !entry.runs_on(chip.firmware_name()) {
            return Err(refuse("it is not for this scooter"));
        }
        // With the update cipher's checksum behind it, where it came with one: what is right stays as it is.
        let end = region.iter().rposition(|byte| *byte != 0xFF).map_or(0, |last| last + 1);
        Ok(region[..end].to_vec())
    }
}

fn slice<'f>(target: &Target, flash: &'f [u8], region: &Range<u32>) -> &'f [u8] {
    &flash[(region.start - target.flash.start) as usize..(region.end - target.flash.start) as usize]
}

/// The bootloader's update record: magic and a flag that is not zero (boot.bin, disassembled).
fn is_pending(record: &[u8]) -> bool {
    let word = |at: usize| u32::from_le_bytes([record[at], record[at + 1], record[at + 2], record[at + 3]]);
    word(0) == 0x505A && word(4) != 0
}

impl FlashRequest<'_> {
    /// The data block to write: the board's own where there is one, with what the user gave in place of what it says.
    fn block(&self, job: &mut Job<'_>, held: &Held, uid: Uid) -> Result<(DataBlock, Source), Error> {
        let own = held.block.clone();
        let base = own.clone().filter(|(block, _)| block.is_whole(uid));
        let base = base.or_else(|| self.data.clone().map(|block| (block, Source::File)));
        let base = base.or_else(|| next_best(job, own, &self.keep.earlier(uid), uid));
        let (mut block, source) = if let Some(base) = base {
            base
        } else {
            self.serial.as_ref().ok_or(Error::NoSerial)?;
            self.mileage.ok_or(Error::NoMileage)?;
            (DataBlock::template(), Source::Template)
        };
        if block.serial().is_none() {
            // A factory default counts as none: with it the firmware shows error 35 for ever.
            block = block.with_serial(self.serial.ok_or(Error::NoSerial)?).with_activation();
        }
        if let Some(serial) = self.serial {
            block = block.with_serial(serial);
        }
        if let Some(mileage) = self.mileage {
            block = block.with_mileage(mileage);
        }
        Ok((block.with_uid(uid), source))
    }
}

/// What to go by where the board's own block is not whole: without a serial number, or with another chip's UID, it is what an
/// interrupted write left, or what the firmware put in its place when it found none.
fn next_best(
    job: &mut Job<'_>,
    own: Option<(DataBlock, Source)>,
    earlier: &Earlier,
    uid: Uid,
) -> Option<(DataBlock, Source)> {
    for error in &earlier.unreadable {
        job.warn("backup-unreadable", format!("an earlier backup is passed over: {error}"));
    }
    // What has the magic and not the word that follows it was cut short.
    let begins_well = |block: &DataBlock| block.as_bytes().starts_with(&SIGNATURE);
    let own = own.filter(|(block, _)| begins_well(block));
    let saved = match &own {
        Some((block, _)) if block.serial().is_some() => earlier.block(|block| block.is_whole(uid)),
        _ => earlier.block(|block| block.is_whole(uid)).or_else(|| earlier.block(begins_well)),
    };
    let Some((path, block)) = saved else { return own };
    let name = path.display();
    job.warn("data-from-backup", format!("the data block comes from the backup {name} of this board"));
    Some((block, Source::Backup))
}

impl FlashReport {
    fn new(request: &FlashRequest<'_>, prepared: &Prepared, board: &Board<'_>) -> Self {
        Self {
            scooter: request.target.name.clone(),
            chip: board.chip.kind,
            uid: board.uid,
            serial: prepared.serial,
            mileage_m: prepared.mileage,
            data_source: prepared.data_source,
            boot: prepared.boot.clone(),
            drv: prepared.drv.clone(),
            mass_erased: false,
            options_written: false,
            pages_erased: 0,
            pages_skipped: 0,
            bytes_programmed: 0,
            verified: false,
            preview: request.intent == Intent::Preview,
            needs_consent: None,
            reconnects: 0,
            boot_check: None,
            backup: None,
            speed_khz: board.speed_khz,
            took_ms: 0,
            contact_ms: 0,
            image: prepared.plan.image(request.target),
        }
    }

    /// Fills in what would be done.
    fn foresee(&mut self, request: &FlashRequest<'_>, prepared: &Prepared, status: &Status) {
        self.needs_consent = write::obstacle(status, &prepared.plan, request.target);
        self.mass_erased = write::is_locked(status);
        let work = if self.mass_erased { prepared.plan.work_on_blank() } else { prepared.work(request) };
        self.pages_erased = work.erases();
        self.pages_skipped = work.skipped;
        self.bytes_programmed = work.programmed_bytes();
    }

    /// Lets the board run, now that everything is written and verified. Contact was made at `contact`.
    fn finish(
        &mut self,
        job: &mut Job<'_>,
        written: Written<'_>,
        request: &FlashRequest<'_>,
        user: u8,
        contact: Duration,
    ) -> Result<(), Error> {
        let Written { mut board, tally } = written;
        self.mass_erased = tally.mass_erased;
        self.options_written = tally.options_written;
        self.pages_erased = tally.pages_erased;
        self.pages_skipped = tally.pages_skipped;
        self.bytes_programmed = tally.bytes_programmed;
        self.reconnects = tally.reconnects;
        self.speed_khz = board.speed_khz;
        self.verified = true;
        if request.after != After::LockAndRun {
            self.free_contact(job, contact);
        }
        if request.after == After::Stop {
            job.skip(Step::Boot);
            return Ok(());
        }
        let written = Error::stopped(BoardState::Written);
        let boot = match job.step(Step::Boot, |_| board.boot(request.target)) {
            Ok(boot) => boot,
            // The wires may be let go by now.
            Err(error) if error.is_link() => Boot::Unseen,
            Err(error) => return Err(written(error)),
        };
        self.boot_check = Some(boot);
        match boot {
            Boot::Running { .. } => {}
            Boot::Unseen => job.warn("boot-unseen", "contact ended before the firmware was seen to start"),
            other => return Err(Error::DoesNotStart { how: other.to_string() }),
        }
        if request.after == After::LockAndRun {
            // After the check: the firmware of a protected chip cannot read its own flash from a debugger's first
            // connection to the next power-on.
            let lock = |_: &mut dyn board::progress::Progress| {
                let mut board = board.reattach()?;
                // The firmware may have written them meanwhile, and then without USER.
                let options = board.status()?.option_bytes.with_user(user);
                board.set_protection(request.target, options)?;
                board.reset()
            };
            job.step(Step::Lock, lock).map_err(Error::stopped(BoardState::Partial))?;
            self.options_written = true;
            self.free_contact(job, contact);
        }
        Ok(())
    }

    /// The wires are not needed any more.
    fn free_contact(&mut self, job: &mut Job<'_>, contact: Duration) {
        self.contact_ms = millis(job.now().saturating_sub(contact));
        job.progress.on(board::progress::Event::ContactFree);
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
