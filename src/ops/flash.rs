//! `flash`: the whole job, from whatever the board is to a scooter that starts.

use serde::Serialize;

use super::{
    After, DataSource, Error, FlashRequest, Intent, Job, Obstacle,
    change::{self, Permit, Reading, Written},
    events::Pages,
    goal::{Prepared, prepare},
    job::refused,
    protection,
    report::{self, Firmware, ForcedGate},
    watchdog::{self, Watchdog},
};
use crate::{
    block::{Mileage, Serial, Uid},
    board::{
        Board, ChipKind, Startup, Status,
        progress::{Event, Step},
    },
};

/// What `flash` did, or for a preview would do.
#[derive(Debug, Clone, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own in the report")]
pub struct FlashReport {
    /// The scooter, by its name on the command line.
    pub scooter: String,
    /// The kind of probe.
    pub probe: String,
    /// The chip.
    pub chip: ChipKind,
    /// The chip's UID.
    pub uid: Uid,
    /// The serial number written.
    pub serial: Serial,
    /// The mileage written, in metres.
    pub mileage_m: Mileage,
    /// Where the data block came from.
    pub data_source: DataSource,
    /// Whether the data block was left in SRAM by firmware that cannot start again: it was lost with the power.
    #[serde(skip)]
    pub left_in_sram: bool,
    /// The bootloader on the board.
    pub boot: Option<Firmware>,
    /// The DRV firmware on the board.
    pub drv: Option<Firmware>,
    /// The gates that the images failed and that were forced.
    pub forced: Vec<ForcedGate>,
    /// Whether the chip was erased as a whole, to unlock it.
    pub mass_erased: bool,
    /// Whether the option bytes were written.
    pub options_written: bool,
    /// Pages erased one by one.
    pub pages_erased: u32,
    /// Pages that were already correct.
    pub pages_skipped: u32,
    /// Bytes programmed.
    pub bytes_programmed: u32,
    /// Whether every planned byte was read back and is correct.
    pub verified: bool,
    /// Whether this was a preview and nothing was written.
    pub preview: bool,
    /// What has to be removed first and may not be, in a preview.
    pub needs_consent: Option<Obstacle>,
    /// How often contact was lost and made again.
    pub reconnects: u32,
    /// How the firmware started; `None` if it was not started.
    #[serde(rename = "boot_check")]
    pub startup: Option<Startup>,
    /// The backup made before anything was erased.
    #[serde(serialize_with = "report::some_path")]
    pub backup: Option<std::path::PathBuf>,
    /// SWD clock in kHz at the end.
    pub speed_khz: u32,
    /// Milliseconds for all of it.
    pub took_ms: u64,
    /// Milliseconds from first contact until the wires were not needed any more.
    pub contact_ms: u64,
    /// The whole flash as planned, 0xFF wherever nothing is planned.
    #[serde(skip)]
    pub image: Vec<u8>,
}

/// Does the whole job.
pub fn flash(job: &mut Job<'_>, request: &FlashRequest<'_>) -> Result<FlashReport, Error> {
    let mut report = job.account(|job| {
        request.check(job)?;
        whole_job(job, request)
    })?;
    report.took_ms = job.known.took_ms.unwrap_or(0);
    report.contact_ms = job.known.contact_ms.unwrap_or(0);
    Ok(report)
}

fn whole_job(job: &mut Job<'_>, request: &FlashRequest<'_>) -> Result<FlashReport, Error> {
    request.warn_of_serial(job);
    let (board, status, prepared) = job.with_board(|job, mut board| {
        let status = job.identify(&mut board)?;
        let prepared = match prepare(job, &mut board, &status, request) {
            Ok(prepared) => prepared,
            Err(error) => return Err(refused(board, error)),
        };
        if request.intent == Intent::Write && request.backups.saves() {
            prepared.contents.confirm(&mut board, request.target, &prepared.work(request))?;
        }
        Ok((board, status, prepared))
    })?;
    let own = prepared.contents.block.as_ref().and_then(|(block, _)| block.serial());
    let rule = &request.target.serial;
    if let Some(message) = rule.change_of_region(own.as_ref().map(Serial::prefix), prepared.serial.prefix()) {
        job.warn("region", message);
    }
    request.warn_of_replaced(job, &prepared);
    for gate in &prepared.forced {
        job.warn("forced-gate", format!("a check failed and was overridden: {gate}"));
    }
    let mut report = FlashReport::new(request, &prepared, &board);
    let user = status.option_bytes.known_user().or_else(|| request.backups.earlier(report.uid).user()).unwrap_or(0xFF);
    let user = request.watchdog.applied_to(user);
    watchdog::warn_of_damage(job, &status);
    let changes_user = request.watchdog == Watchdog::Software && status.option_bytes.user() != user;
    watchdog::warn(job, user, "--software-watchdog");

    let obstacle = change::obstacle(&status, &prepared.plan, request.target);
    let erases = obstacle.is_some_and(Obstacle::erases);
    Pages::of(request.target, &board.chip).plan(job.progress, erases, Some((&prepared.plan, &prepared.work(request))));

    if request.intent == Intent::Preview {
        report.foresee(request, &prepared, &status);
        report.options_written |= changes_user;
        board.resume()?;
        return Ok(report);
    }
    if let Some(obstacle) = obstacle.filter(|_| request.consent.is_none()) {
        let data = prepared.contents.data_change(Some((prepared.serial, prepared.mileage)));
        return Err(refused(board, Error::Consent { uid: report.uid, obstacle, data }));
    }
    let unfinished = change::is_unfinished(&status, request.consent);
    let locks = request.after == After::LockAndRun;
    if obstacle.is_some() || unfinished || locks || changes_user || !prepared.work(request).is_empty() {
        let backup = prepared.contents.backup(board.uid, &status);
        match request.backups.save_for(job, &backup) {
            Ok(path) => report.backup = path,
            Err(error) => return Err(refused(board, error)),
        }
    } else {
        job.skip(Step::Backup);
    }

    // Up to here nothing has been changed.
    let known = Reading { status, flash: prepared.contents.flash.as_deref() };
    let permit = Permit { target: request.target, consent: request.consent, extent: request.extent, user, known };
    let mut written = change::write(job, board, &prepared.plan, &permit)?;
    if changes_user {
        written.set_user(job, request.target, user)?;
    }
    report.finish(job, written, request, user)?;
    Ok(report)
}

impl FlashRequest<'_> {
    /// Warns if a serial number or a mileage that was given replaces another one of the board's own.
    fn warn_of_replaced(&self, job: &mut Job<'_>, prepared: &Prepared) {
        let Some((own, _)) = &prepared.contents.block else { return };
        let mut replaced = Vec::new();
        if let Some(old) = own.serial().filter(|old| self.serial.is_some_and(|given| given != *old)) {
            replaced.push(format!("serial {} replaces the board's own {old}", prepared.serial));
        }
        let old = own.mileage();
        // A mileage as it is shown has no metres.
        if old.is_known() && self.mileage.is_some_and(|given| given.to_string() != old.to_string()) {
            replaced.push(format!("mileage {} replaces the board's own {old}", prepared.mileage));
        }
        if !replaced.is_empty() {
            job.warn("data-replaced", replaced.join("; "));
        }
    }
}

impl FlashReport {
    fn new(request: &FlashRequest<'_>, prepared: &Prepared, board: &Board<'_>) -> Self {
        Self {
            scooter: request.target.name.clone(),
            probe: board.probe.kind.clone(),
            chip: board.chip.kind,
            uid: board.uid,
            serial: prepared.serial,
            mileage_m: prepared.mileage,
            data_source: prepared.data_source,
            left_in_sram: prepared.is_left_in_sram(),
            boot: prepared.boot.clone(),
            drv: prepared.drv.clone(),
            forced: prepared.forced.clone(),
            mass_erased: false,
            options_written: false,
            pages_erased: 0,
            pages_skipped: 0,
            bytes_programmed: 0,
            verified: false,
            preview: request.intent == Intent::Preview,
            needs_consent: None,
            reconnects: 0,
            startup: None,
            backup: None,
            speed_khz: board.speed_khz,
            took_ms: 0,
            contact_ms: 0,
            image: prepared.plan.image(request.target),
        }
    }

    /// Fills in what would be done.
    fn foresee(&mut self, request: &FlashRequest<'_>, prepared: &Prepared, status: &Status) {
        let obstacle = change::obstacle(status, &prepared.plan, request.target);
        self.needs_consent = obstacle.filter(|_| request.consent.is_none());
        self.mass_erased = obstacle.is_some_and(Obstacle::erases);
        self.options_written =
            obstacle.is_some() || change::is_unfinished(status, request.consent) || request.after == After::LockAndRun;
        let work = if self.mass_erased { prepared.plan.work_on_blank() } else { prepared.work(request) };
        self.pages_erased = work.erases();
        self.pages_skipped = work.skipped;
        self.bytes_programmed = work.programmed_bytes();
    }

    /// Lets the board run, now that everything is written and verified.
    fn finish<'p>(
        &mut self,
        job: &mut Job<'p>,
        written: Written<'p>,
        request: &FlashRequest<'_>,
        user: u8,
    ) -> Result<(), Error> {
        let Written { mut board, done } = written;
        self.mass_erased = done.mass_erased;
        self.options_written = done.options_written;
        self.pages_erased = done.pages_erased;
        self.pages_skipped = done.pages_skipped;
        self.bytes_programmed = done.bytes_programmed;
        self.reconnects = done.reconnects;
        self.speed_khz = board.speed_khz;
        self.verified = true;
        if request.after == After::Stop {
            free_contact(job);
            job.skip(Step::Startup);
            return Ok(());
        }
        let startup = match job.step(Step::Startup, |_| board.start(request.target)) {
            Ok(startup) => startup,
            Err(error) if error.is_link() => Startup::Unseen,
            Err(error) => return Err(error.into()),
        };
        self.startup = Some(startup);
        match startup {
            Startup::Running { error, .. } if error == 0 || Startup::is_normal_on_a_bench(error) => {}
            Startup::Running { error, .. } => {
                job.warn("firmware-error", format!("the firmware is running, but shows error {error}"));
            }
            Startup::NoBlock { .. } => job.warn(
                "boot-unconfirmed",
                format!(
                    "could not confirm that the firmware \
                                              started: {startup}"
                ),
            ),
            Startup::Unseen => job.warn("boot-unseen", "contact was lost before the firmware started"),
            other => return Err(Error::DoesNotStart { how: other }),
        }
        if request.after == After::LockAndRun {
            // After the check: the firmware of a protected chip cannot read its own flash from a debugger's first
            // connection to the next power-on.
            job.persist(board, |job, board| {
                let mut board = board.reattach()?;
                board.let_firmware_save_finish()?;
                let status = board.status()?;
                // The firmware may have written them meanwhile, and then without USER.
                protection::set(job, board, &status, status.option_bytes.with_user(user))
            })?;
            self.options_written = true;
        }
        free_contact(job);
        Ok(())
    }
}

/// The wires are no longer needed.
fn free_contact(job: &mut Job<'_>) {
    let now = job.now();
    job.known.free(now);
    job.progress.on(Event::ContactFree);
}
