//! What `restore` puts back: a backup of this program, or a dump that somebody made with another one.

use std::path::Path;

use super::{Backup, Error, FlashPlan, ForcedGate, Goal, Job, Lack, contents::Contents, data_change::in_words};
use crate::{
    block::{DataBlock, Uid},
    board::{Board, ChipKind, OptionBytes},
    image::{Dump, Fit, Gate, Image, Kind, RehearsalImages, gates, origin},
    target::{FlashMap, Target},
};

/// Gates that do not matter to what was on a board already.
const NOT_ASKED: [&str; 3] = ["rehearsal", "package-model", "package-compatible"];

/// What to put back.
pub(super) struct RestoreFile {
    pub(super) target: &'static Target,
    /// The only chip that it may go to, if it is a backup.
    pub(super) uid: Option<Uid>,
    /// The option bytes to write; none to leave those of the board.
    pub(super) options: Option<OptionBytes>,
    /// Those in the file, if they are damaged.
    pub(super) damaged: Option<OptionBytes>,
    /// KiB of a dump that boards with its flash map have no use for.
    pub(super) unused_kib: usize,
    /// The gates that firmware in a dump failed and that were forced.
    pub(super) forced: Vec<ForcedGate>,
    content: Content,
}

enum Content {
    /// All of flash, of the same chip.
    Flash(Vec<u8>, Option<Box<DataBlock>>),
    /// What makes a board run; the block gets the UID of the chip that it goes to.
    Parts(Box<Parts>),
}

struct Parts {
    boot: Image,
    drv: Image,
    block: DataBlock,
}

impl RestoreFile {
    /// Reads a file, and refuses what cannot be put back to any board.
    pub(super) fn open(path: &Path, forced: &[String]) -> Result<Self, Error> {
        let dump = Dump::open(path).map_err(|source| Error::Dump { path: path.to_owned(), source })?;
        let is_backup = dump.uid().is_some();
        let mut goal =
            if is_backup { Self::of_backup(Backup::open(path)?) } else { Self::of_dump(&dump, path, forced) }?;
        if goal.options.is_some_and(|options| options.protects_for_good()) {
            return Err(Error::PermanentOptions);
        }
        goal.damaged = goal.options.filter(|options| !options.complements_right());
        goal.options = goal.options.map(OptionBytes::repaired);
        Ok(goal)
    }

    fn of_backup(backup: Backup) -> Result<Self, Error> {
        let flash = backup.flash.ok_or(Error::BackupWithoutFlash)?;
        let target = Target::for_chip(flash.len() as u32 / 1024);
        let options = Some(backup.option_bytes);
        // The flash map of the block shows the scooter, not the size of the chip.
        let mut targets = std::iter::once(target).chain(FlashMap::all().iter().map(Target::widest));
        let found = targets.find_map(|target| target.block_in(&flash)).map(|(_, block)| block);
        let block = found.or(backup.block).map(Box::new);
        let content = Content::Flash(flash, block);
        Ok(Self { target, uid: Some(backup.uid), options, damaged: None, unused_kib: 0, forced: Vec::new(), content })
    }

    fn of_dump(dump: &Dump, path: &Path, forced: &[String]) -> Result<Self, Error> {
        let map = dump.layout();
        let place = map.regions.data.start;
        let same_map = || Target::all().iter().filter(|target| target.map == *map);
        let target = same_map().next().unwrap_or(&Target::all()[0]);
        let (boot, drv) = (dump.part(&target.map.regions.boot), dump.part(&target.map.regions.drv));
        // The scooter that the firmware is of; with any other one the gates and messages would be about the wrong one.
        let origin = drv.as_ref().and_then(|drv| origin(&drv.bytes, Kind::Drv));
        let is_of = |target: &&Target| origin.as_ref().is_some_and(|origin| origin.scooters.contains(&target.name));
        let block_in_it = dump.blocks(place).into_iter().next().and_then(|found| found.block.serial());
        let is_of_serial = |target: &&Target| block_in_it.is_some_and(|serial| target.serial.fits(serial));
        let target = same_map().find(is_of).or_else(|| same_map().find(is_of_serial)).unwrap_or(target);
        let block = dump
            .blocks(place)
            .into_iter()
            .find(|found| found.address.is_none_or(|address| target.data_pages().any(|page| page == address)));
        let block = block.map(|found| found.block);
        // A file of one region has no address to go by.
        let is_it = |kind| dump.image().is_some_and(|image| image.kind() == kind);
        let boot = boot.filter(|_| dump.is_flash() || is_it(Kind::Boot));
        let drv = drv.filter(|_| dump.is_flash() || is_it(Kind::Drv));
        // What is damaged comes before what is missing: nobody is to bring the rest for a file that is refused in the end.
        if let Some(block) = &block {
            check_block(block, target)?;
        }
        let overridden = check_firmware(target, boot.as_ref(), drv.as_ref(), None, forced)?;
        let has = |is_so: fn(&DataBlock) -> bool| block.as_ref().is_none_or(is_so);
        let lacks = [
            (Lack::Boot, boot.is_some()),
            (Lack::Drv, drv.is_some()),
            (Lack::Block, block.is_some()),
            (Lack::Serial, has(|block| block.serial().is_some())),
            (Lack::Mileage, has(|block| block.mileage().is_known())),
        ];
        let lacks: Vec<_> = lacks.into_iter().filter_map(|(lack, has_it)| (!has_it).then_some(lack)).collect();
        let (true, true, Some(boot), Some(drv), Some(block)) =
            (dump.is_flash(), lacks.is_empty(), &boot, &drv, block.clone())
        else {
            let (path, form) = (path.to_owned(), dump.to_string());
            return Err(if lacks.iter().all(|lack| lack.is_data()) {
                Error::DumpLacksData { path, form, lacks }
            } else {
                Error::DumpLacks { path, form, lacks }
            });
        };
        let content = Content::Parts(Box::new(Parts { boot: boot.clone(), drv: drv.clone(), block }));
        let options = dump.option_bytes().map(OptionBytes);
        Ok(Self {
            target,
            uid: None,
            options,
            damaged: None,
            unused_kib: dump.unused_kib(),
            forced: overridden,
            content,
        })
    }

    /// Refuses firmware that the chip cannot run.
    fn check(&self, chip: Option<ChipKind>, forced: &[String]) -> Result<(), Error> {
        let Content::Parts(parts) = &self.content else { return Ok(()) };
        check_firmware(self.target, Some(&parts.boot), Some(&parts.drv), chip, forced).map(drop)
    }

    /// What this board is to hold.
    pub(super) fn goal(&self, board: &Board<'_>, forced: &[String]) -> Result<Goal<'static>, Error> {
        self.check(Some(board.chip.kind), forced)?;
        let plan = match &self.content {
            Content::Flash(flash, _) => FlashPlan::whole(self.target, flash),
            Content::Parts(parts) => {
                let Parts { boot, drv, block } = &**parts;
                let block = self.target.block.completed(block.clone().with_uid(board.uid));
                FlashPlan::new(self.target, &boot.bytes, &drv.bytes, &block)?
            }
        };
        let (target, options, forced) = (self.target, self.options, self.forced.clone());
        Ok(Goal { target, plan, options, may_stay_protected: true, forced })
    }

    /// The data block, as it is in the file.
    pub(super) fn block(&self) -> Option<&DataBlock> {
        match &self.content {
            Content::Flash(_, block) => block.as_deref(),
            Content::Parts(parts) => Some(&parts.block),
        }
    }

    /// The firmware in a dump, and whose serial number its data block has, if they are not of one scooter.
    pub(super) fn mixed(&self) -> Option<(String, String)> {
        let Content::Parts(parts) = &self.content else { return None };
        let (serial, origin) = (parts.block.serial()?, origin(&parts.drv.bytes, Kind::Drv)?);
        let is_of = |target: &Target| origin.scooters.contains(&target.name);
        let owners: Vec<_> = Target::owners(serial).collect();
        let same_map = Target::all().iter().filter(|target| target.map.regions == self.target.map.regions);
        let fitting = same_map.filter(|target| target.serial.fits(serial));
        let (owners, is_mixed) = if owners.is_empty() {
            let fitting: Vec<_> = fitting.collect();
            let is_mixed = !fitting.iter().any(|target| is_of(target));
            (fitting, is_mixed)
        } else {
            let is_mixed = !owners.iter().any(|target| is_of(target));
            (owners, is_mixed)
        };
        let titles: Vec<_> = owners.iter().map(|target| &*target.title).collect();
        is_mixed.then(|| (origin.name, format!("its serial number {serial} is that of a {}", titles.join(" or "))))
    }

    /// Says which checks a dump failed, whether it is of several scooters, and what becomes of damaged option bytes in the self.
    pub(super) fn warn_of_doubts(&self, job: &mut Job<'_>) {
        job.warn_of_forced(&self.forced);
        if let Some((one, other)) = self.mixed() {
            job.warn("mixed-dump", format!("the dump has {one}, but {other}"));
        }
        if self.unused_kib > 0 {
            let lot = self.unused_kib;
            job.warn(
                "dump-not-used",
                format!("not writing {lot} KiB of the dump: its firmware uses only the first 64 KiB of flash"),
            );
        }
        if let (Some(damaged), Some(options)) = (self.damaged, self.options) {
            let ([damaged, options], form) = ([damaged, options].map(|options| hex::encode(options.0)), self.form());
            job.warn(
                "option-bytes",
                format!("the option bytes in the {form} are damaged ({damaged}); using {options}"),
            );
        }
    }

    /// Says whose data the board gets, if it is another's than the chip's or replaces what the board has.
    pub(super) fn warn_of_replaced(&self, job: &mut Job<'_>, block: &DataBlock, contents: &Contents, uid: Uid) {
        // A backup is put back as it is.
        if block.uid() != uid && self.uid.is_none() {
            let (made_for, data) = (block.uid(), in_words(block));
            job.warn(
                "uid-replaced",
                if made_for.is_blank() {
                    format!("the data block of the dump ({data}) has no UID; it is given this chip's")
                } else {
                    format!(
                        "the dump was made from another chip (UID {made_for}); the UID in its data block ({data}) is changed to this chip's"
                    )
                },
            );
        }
        contents.warn_of_replaced(job, block, &format!("of the {}", self.form()));
    }

    /// What to call the file.
    pub(super) fn form(&self) -> &'static str {
        if self.uid.is_some() { "backup" } else { "dump" }
    }

    /// The scooters that a dump may be of: those that everything in it belongs to, else those that some of it does. Each has
    /// the flash map of the dump. Empty for a backup, which goes to its own board.
    pub(super) fn scooters(&self) -> Vec<&'static Target> {
        let Content::Parts(parts) = &self.content else { return Vec::new() };
        let regions = &self.target.map.regions;
        let origins = [origin(&parts.boot.bytes, Kind::Boot), origin(&parts.drv.bytes, Kind::Drv)];
        let of_serial = parts
            .block
            .serial()
            .map(|serial| Target::owners(serial).map(|target| target.name.clone()).collect::<Vec<_>>());
        let named: Vec<Vec<String>> = origins.into_iter().flatten().map(|origin| origin.scooters).collect();
        let same_map = || Target::all().iter().filter(|target| target.map.regions == *regions);
        // What every one of them has tells nothing.
        let tells = |names: &Vec<String>| !names.is_empty() && !same_map().all(|target| names.contains(&target.name));
        let named: Vec<_> = named.into_iter().chain(of_serial).filter(tells).collect();
        let all: Vec<_> = same_map().filter(|target| named.iter().all(|names| names.contains(&target.name))).collect();
        if all.is_empty() {
            return same_map().filter(|target| named.iter().any(|names| names.contains(&target.name))).collect();
        }
        all
    }
}

/// Refuses the data block of a scooter that has another flash map than this one, or is not known.
fn check_block(block: &DataBlock, target: &Target) -> Result<(), Error> {
    let Some(serial) = block.serial() else { return Ok(()) };
    let mut same_map =
        Target::all().iter().filter(|other| other.map.regions.data.start == target.map.regions.data.start);
    if same_map.any(|target| target.serial.fits(serial)) {
        return Ok(());
    }
    target.serial.read(serial.as_str()).map(drop).map_err(Error::OtherBlock)
}

/// Refuses firmware that is damaged, for no scooter with this flash map, or that the chip cannot run. Returns the gates that
/// failed and were forced.
fn check_firmware(
    target: &Target,
    boot: Option<&Image>,
    drv: Option<&Image>,
    chip: Option<ChipKind>,
    forced: &[String],
) -> Result<Vec<ForcedGate>, Error> {
    let mut overridden = Vec::new();
    for (kind, image) in [(Kind::Boot, boot), (Kind::Drv, drv)] {
        let Some(image) = image else { continue };
        let (chip, rehearsal) = (chip.map(ChipKind::firmware_name), RehearsalImages::Allowed);
        let fit = Fit { chip, rehearsal, ..Fit::new(target, kind) };
        let failed = gates(image, &fit).into_iter().filter(|gate| !gate.passed && !NOT_ASKED.contains(&gate.name));
        for Gate { name: gate, detail, .. } in failed {
            // Those who put a dump back swap firmware between scooters with one controller.
            let suits_a_sibling = ["scooter", "ident"].contains(&gate)
                && origin(&image.bytes, kind).is_some_and(|origin| is_kin_of(&origin.scooters, target));
            if suits_a_sibling {
                continue;
            }
            if !forced.iter().any(|name| name == gate) {
                return Err(Error::Gate { kind, gate, detail });
            }
            overridden.push(ForcedGate { kind: Some(kind), gate, detail });
        }
    }
    Ok(overridden)
}

/// Whether one of these scooters has the controller of this one.
fn is_kin_of(scooters: &[String], target: &Target) -> bool {
    Target::all().iter().any(|other| other.is_kin(target) && scooters.contains(&other.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{block::Serial, image::sample::Sample};

    /// What is said of firmware with this ident beside this serial number, in a dump with the smaller flash map.
    fn mixed(ident: &str, serial: &[u8; 14]) -> Option<(String, String)> {
        let image = |bytes: Vec<u8>| Image::from_bytes(&bytes).unwrap();
        let boot = image(Sample::boot(2000).bytes());
        let drv = image(Sample::drv(20_000).ident(ident).bytes());
        let block = DataBlock::template().with_serial(Serial::from_bytes(serial).unwrap());
        let content = Content::Parts(Box::new(Parts { boot, drv, block }));
        let target = Target::builtin("pro").unwrap();
        let (uid, options, damaged) = (None, None, None);
        RestoreFile { target, uid, options, damaged, unused_kib: 0, forced: vec![], content }.mixed()
    }

    #[test]
    fn a_dump_with_firmware_and_a_serial_number_of_two_scooters_is_mixed() {
        let found = |ident: &str, title: &str, serial: &str| {
            let is_of = format!("its serial number {serial} is that of a {title}");
            Some((format!("firmware with the ident {ident}"), is_of))
        };
        assert_eq!(mixed("Scooter_Mi3_V0", b"32124/00012345"), None);
        let pro2 = &Target::builtin("pro2").unwrap().title;
        assert_eq!(mixed("Scooter_Mi3_V0", b"26354/00012345"), found("Scooter_Mi3_V0", pro2, "26354/00012345"));
    }

    #[test]
    fn a_serial_number_of_no_known_scooter_fits_all_that_have_its_form() {
        assert_eq!(mixed("Scooter_Mi3_V0", b"99999/00012345"), None);
        let (_, words) = mixed("Scooter_G30_SAT", b"99999/00012345").unwrap();
        let titles: Vec<_> = Target::all().iter().filter(|target| target.map.flash_kib() == 64).collect();
        assert!(titles.iter().all(|target| words.contains(&*target.title)), "{words}");
        assert!(!words.contains(&*Target::builtin("es2").unwrap().title), "{words}");
    }

    #[test]
    fn a_scooter_is_known_by_its_name_and_its_flash_map() {
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let pro = Target::builtin("pro").unwrap();
        assert!(is_kin_of(&names(&["es2", "mi3"]), pro));
        assert!(!is_kin_of(&names(&["es2"]), pro) && !is_kin_of(&[], pro));
    }
}
