//! What a board is to hold, decided for the chip found and what is on it.

use super::{
    BackupStore, DataSource, Error, Firmware, FlashPlan, Goal, Job, Planned, Wanted,
    backup_store::Earlier,
    contents::{Contents, is_of_another_chip, region_of},
    data_change::in_words,
};
use crate::{
    block::{DataBlock, Mileage, SIGNATURE, Serial, Uid},
    board::{self, Board, ChipKind, Part, Status},
    image::{Catalog, Image, Kind},
};

/// What a goal was made from.
pub(super) struct Sources {
    pub(super) contents: Contents,
    pub(super) planned: Planned,
}

impl<'a> Wanted<'a> {
    /// Finds out what the board holds and decides what it is to hold. Data that are found nowhere else may be in a backup.
    pub(super) fn goal(
        &self,
        job: &mut Job<'_>,
        board: &mut Board<'_>,
        status: &Status,
        backups: &BackupStore,
    ) -> Result<(Goal<'a>, Sources), Error> {
        let target = self.target;
        job.check_size(board, target)?;
        let chip = board.chip.kind;
        let (boot, drv) = (self.choose(Kind::Boot, chip)?, self.choose(Kind::Drv, chip)?);
        let mut forced: Vec<_> = boot.iter().chain(&drv).flat_map(|chosen| chosen.forced.clone()).collect();
        let (boot, drv) = (boot.map(|chosen| chosen.image), drv.map(|chosen| chosen.image));
        let source = drv.and_then(|image| Catalog::builtin().source(&image.bytes));
        if let Some((entry, caution)) = source.and_then(|entry| Some((entry, entry.caution(chip.firmware_name())?))) {
            job.warn("drv-on-chip", format!("{entry}: {caution}"));
        }

        let regions = &target.map.regions;
        let at = |image: Option<&Image>, address| image.map(|image| Part { address, bytes: image.bytes.clone() });
        let likely: Vec<_> = at(boot, regions.boot.start).into_iter().chain(at(drv, regions.drv.start)).collect();
        let contents = Contents::read(job, board, status, target, &likely)?;
        forced.extend(contents.check_scooter(job, self)?);
        job.known.forced = Some(forced.clone());
        for stranger in &contents.strangers {
            let board::Stranger { uid, serial } = stranger;
            job.warn(
                "data-of-another-chip",
                format!(
                    "SRAM contains the data block of another chip (serial number {serial}, UID {uid}); it is not used"
                ),
            );
        }
        let boot = contents.image(self, Kind::Boot, boot, chip)?;
        let drv = contents.image(self, Kind::Drv, drv, chip)?;
        let (block, data_source) = self.block(job, &contents, backups, board.uid)?;
        let serial = block.serial().ok_or(Error::NoSerial)?;
        job.known.writes(&block, Some(data_source));
        let is_left = data_source == DataSource::Sram && contents.is_left_in_sram();
        let left_in_sram = is_left && !backups.earlier(board.uid).has(&block);
        if left_in_sram && contents.is_only_in_sram() {
            job.warn(
                "data-in-sram",
                "serial number and mileage were found only in SRAM: keep the board powered until it is flashed, or they are lost",
            );
        }

        let mut plan = FlashPlan::new(target, &boot, &drv, &block)?;
        if contents.has_pending_update(target) {
            // The bootloader would copy what is staged over the firmware at its first start.
            plan.blank(target.map.regions.update.start);
        }
        let goal = Goal { target, plan, options: None, may_stay_protected: false, forced };
        let planned = Planned {
            serial,
            mileage_m: block.mileage(),
            data_source,
            left_in_sram,
            boot: Firmware::of(&boot),
            drv: Firmware::of(&drv),
        };
        Ok((goal, Sources { contents, planned }))
    }

    /// Warns if a serial number of another region is written, if a serial number or a mileage that was given replaces another
    /// one of the board's own, and if the board's own data block was made for another chip.
    pub(super) fn warn_of_replaced(&self, job: &mut Job<'_>, sources: &Sources, uid: Uid) {
        let own = sources.contents.block.as_ref().map(|(block, _)| block);
        if let Some(own) =
            own.filter(|own| sources.planned.data_source == DataSource::Flash && is_of_another_chip(own, uid))
        {
            let (made_for, data) = (own.uid(), in_words(own));
            job.warn(
                "uid-replaced",
                format!(
                    "the board's data block ({data}) was made for another chip (UID {made_for}); its UID is changed to this chip's"
                ),
            );
        }
        let old = own.and_then(DataBlock::serial);
        let region =
            self.target.serial.change_of_region(old.as_ref().map(Serial::prefix), sources.planned.serial.prefix());
        if let Some(message) = region {
            job.warn("region", message);
        }
        let mut replaced = Vec::new();
        if let Some(old) = old.filter(|old| self.serial.is_some_and(|given| given != *old)) {
            replaced.push(format!("serial number {} replaces the board's own {old}", sources.planned.serial));
        }
        // A mileage as it is shown has no metres.
        let differs = |old: &Mileage| self.mileage.is_some_and(|given| given.to_string() != old.to_string());
        if let Some(old) = own.map(DataBlock::mileage).filter(|old| old.is_known() && differs(old)) {
            replaced.push(format!("mileage {} replaces the board's own {old}", sources.planned.mileage_m));
        }
        if !replaced.is_empty() {
            job.warn("data-replaced", replaced.join("; "));
        }
    }

    /// The data block to write: the one from the user's file, else the board's own, with the serial number and mileage that the
    /// user gave.
    fn block(
        &self,
        job: &mut Job<'_>,
        contents: &Contents,
        backups: &BackupStore,
        uid: Uid,
    ) -> Result<(DataBlock, DataSource), Error> {
        let own = contents.block_for(self.target).cloned();
        let base = self.given(job, contents);
        let base = base.or_else(|| own.clone().filter(|(block, _)| block.is_whole(uid)));
        let base = match base {
            Some(base) => Some(base),
            None => next_best(job, own, &backups.earlier(uid), uid, self.serial)?,
        };
        let (mut block, source) = if let Some(base) = base {
            base
        } else {
            self.serial.as_ref().ok_or(Error::NoSerial)?;
            self.mileage.ok_or(Error::NoMileage)?;
            (self.target.template(), DataSource::Template)
        };
        if block.serial().is_none() {
            // A factory default counts as none: with it the firmware always shows error 35.
            let serial = self.serial.map_or_else(|| block.read_serial(), Ok).map_err(Error::BadSerial)?;
            block = block.with_serial(serial).with_activation();
        }
        if let Some(serial) = self.serial {
            block = block.with_serial(serial);
        }
        if let Some(mileage) = self.mileage {
            block = block.with_mileage(mileage);
        }
        if !block.mileage().is_known() {
            return Err(Error::NoMileage);
        }
        Ok((self.target.block.completed(block.with_uid(uid)), source))
    }
}

impl Contents {
    /// The image to plan: the chosen one, else the board's own if that is known to be good.
    fn image(&self, wanted: &Wanted<'_>, kind: Kind, chosen: Option<&Image>, chip: ChipKind) -> Result<Vec<u8>, Error> {
        if let Some(image) = chosen {
            return Ok(image.bytes.clone());
        }
        let scooter = &wanted.target.name;
        let refuse = |reason| Error::NoImage { kind, scooter: scooter.clone(), chip: chip.firmware_name(), reason };
        let flash = self.flash.as_ref().ok_or(refuse("the chip is read-protected, and unlocking erases it"))?;
        let regions = &wanted.target.map.regions;
        let region =
            region_of(&wanted.target.map, flash, if kind == Kind::Boot { &regions.boot } else { &regions.drv });
        let known = Catalog::builtin().identify(region).ok_or(refuse("it is unknown"))?;
        if !known.is_whole() {
            return Err(refuse("its end is missing"));
        }
        let entry = known.entry;
        if entry.kind != kind || !entry.is_for(&wanted.target.name) || !entry.runs_on(chip.firmware_name()) {
            return Err(refuse("it is not for this scooter"));
        }
        // With the update cipher's checksum behind it, if it came with one: what is correct is not changed.
        let end = region.iter().rposition(|byte| *byte != 0xFF).map_or(0, |last| last + 1);
        Ok(region[..end].to_vec())
    }
}

/// What to go by if the board's own block is not whole: without a serial number, or with another chip's UID, it is what an
/// interrupted write left, or what the firmware put in its place when it found none.
fn next_best(
    job: &mut Job<'_>,
    own: Option<(DataBlock, DataSource)>,
    earlier: &Earlier,
    uid: Uid,
    given: Option<Serial>,
) -> Result<Option<(DataBlock, DataSource)>, Error> {
    for error in &earlier.unreadable {
        job.warn("backup-unreadable", format!("skipping an unreadable backup: {error}"));
    }
    // What has the magic and not the word that follows it was cut short.
    let begins_well = |block: &DataBlock| block.as_bytes().starts_with(&SIGNATURE);
    let own = own.filter(|(block, _)| begins_well(block));
    let own_serial = own.as_ref().and_then(|(block, _)| block.serial());
    let serial = given.or(own_serial);
    let mut saved = earlier.block(serial, |block| block.is_whole(uid))?;
    if saved.is_none() && own_serial.is_none() {
        saved = earlier.block(serial, begins_well)?;
    }
    let Some(saved) = saved else { return Ok(own) };
    job.warn("data-from-backup", format!("using the data block from this board's backup: {saved}"));
    Ok(Some((saved.block, DataSource::Backup)))
}
