//! `flash`: the whole job, from whatever the board is to a scooter that starts.

use super::{
    After, Change, Error, FlashPreview, FlashReport, FlashRequest, Job, Reached, change,
    events::Pages,
    goal::Sources,
    job::or_resume,
    protection,
    watchdog::{self, Watchdog},
};
use crate::{
    board::{Board, Startup, Status, progress::Step},
    target::Target,
};

/// Everything that is decided before anything is changed.
struct Decided<'a> {
    status: Status,
    sources: Sources,
    change: Change<'a>,
    /// Whether USER is written although nothing has to be unlocked.
    sets_user: bool,
}

/// Does the whole job.
pub fn flash(job: &mut Job<'_>, request: &FlashRequest<'_>) -> Result<FlashReport, Error> {
    let (board, decided) = job.account(|job| {
        let (board, decided) = decide(job, request, request.backups.saves())?;
        Ok((carry_out(job, request, board, &decided)?, decided))
    })?;
    Ok(FlashReport::new(board, decided.change, decided.sources, job.known))
}

/// Reads only, and finds out what [`flash`] would do.
pub fn preview(job: &mut Job<'_>, request: &FlashRequest<'_>) -> Result<FlashPreview, Error> {
    let (board, decided) = job.account(|job| {
        let (board, decided) = decide(job, request, false)?;
        let reached = Reached::from(&board);
        board.resume()?;
        Ok((reached, decided))
    })?;
    Ok(FlashPreview::new(board, decided.change, decided.sources, job.known))
}

/// Reads the board and decides what is to be changed; if it will be saved, what will be erased is read twice.
fn decide<'p, 'a>(
    job: &mut Job<'p>,
    request: &FlashRequest<'a>,
    is_saved: bool,
) -> Result<(Board<'p>, Decided<'a>), Error> {
    let FlashRequest { wanted, backups, .. } = request;
    wanted.check(job)?;
    backups.look_ahead();
    wanted.warn_of_serial(job);
    let (board, decided) = job.with_board(|job, mut board| {
        let status = job.identify(&mut board)?;
        let goal = wanted.goal(job, &mut board, &status, backups);
        let (mut board, (goal, sources)) = or_resume(board, goal)?;
        let user = request.watchdog.applied_to(backups.user(board.uid, status.option_bytes));
        let before = (&status, sources.contents.flash.as_deref());
        let data = sources.contents.data_change(Some((sources.planned.serial, sources.planned.mileage_m)));
        let mut change = Change::new(goal, before, (request.extent, request.consent), user, data);
        let sets_user = request.watchdog == Watchdog::Software && status.option_bytes.user() != user;
        change.writes_options |= sets_user || request.after == After::LockAndRun;
        if is_saved {
            sources.contents.confirm(&mut board, &change)?;
        }
        Ok((board, Decided { status, sources, change, sets_user }))
    })?;
    let Decided { status, sources, change, .. } = &decided;
    wanted.warn_of_replaced(job, sources, board.uid);
    job.warn_of_forced(&change.goal.forced);
    watchdog::warn_of_damage(job, status);
    watchdog::warn(job, change.user, "--software-watchdog");
    Pages::of(wanted.target, &board.chip).plan(job.progress, change.erases(), &change.work);
    Ok((board, decided))
}

/// Makes the change, and lets the board run if that was asked for.
fn carry_out<'p>(
    job: &mut Job<'p>,
    request: &FlashRequest<'_>,
    board: Board<'p>,
    Decided { status, sources, change, sets_user }: &Decided<'_>,
) -> Result<Reached, Error> {
    let (uid, target) = (board.uid, change.goal.target);
    if let Some(obstacle) = change.needs_consent() {
        return Err(job.not_agreed(board, obstacle, change.data));
    }
    let board = if change.is_empty() {
        job.skip(Step::Backup);
        board
    } else {
        let saved = request.backups.save_for(job, &sources.contents.backup(uid, status));
        or_resume(board, saved)?.0
    };

    // Up to here nothing has been changed.
    let mut board = change::make(job, board, change, *status, &mut |job, board| {
        if *sets_user {
            change::set_options(job, board, target, |found| found.with_user(change.user))?;
        }
        Ok(())
    })?;
    let reached = Reached::from(&board);
    match request.after {
        After::Stop => {
            board.leave_halted();
            job.leave_out(Step::Startup);
        }
        After::Run => start(job, &mut board, target)?,
        After::LockAndRun => {
            start(job, &mut board, target)?;
            // After the check: the firmware of a protected chip cannot read its own flash from a debugger's first
            // connection to the next power-on.
            job.persist(board, |job, board| {
                let mut board = board.reattach()?;
                board.let_firmware_save_finish()?;
                let status = board.status()?;
                // The firmware may have written them meanwhile, and then without USER.
                protection::set(job, board, &status, status.option_bytes.with_user(change.user))
            })?;
        }
    }
    job.free_contact();
    Ok(reached)
}

/// Lets the firmware run and watches it start.
fn start(job: &mut Job<'_>, board: &mut Board<'_>, target: &Target) -> Result<(), Error> {
    let startup = match job.step(Step::Startup, |_| board.start(&target.map)) {
        Ok(startup) => startup,
        Err(error) if error.is_link() => Startup::Unseen,
        Err(error) => return Err(error.into()),
    };
    job.known.startup = Some(startup);
    match startup {
        Startup::Running { error, .. } if error == 0 || Startup::is_normal_on_a_bench(error) => {}
        Startup::Running { error, .. } => {
            job.warn("firmware-error", format!("the firmware is running, but shows error {error}"));
        }
        Startup::NoBlock { .. } => {
            job.warn("boot-unconfirmed", format!("could not confirm that the firmware started: {startup}"));
        }
        Startup::Unseen => job.warn(
            "boot-unseen",
            "contact was lost before the firmware was seen to start; run the same command again to check",
        ),
        other => return Err(Error::DoesNotStart { board: job.probes.ledger().board(), how: other }),
    }
    Ok(())
}
