//! The data block that was given with `--data`: whether it fits the scooter, and what it replaces.

use super::{DataSource, Error, Job, Wanted, contents::Contents};
use crate::{
    block::{DataBlock, Serial},
    target::Target,
};

impl Wanted<'_> {
    /// Refuses what cannot be right for any board.
    pub(super) fn check(&self, job: &mut Job<'_>) -> Result<(), Error> {
        job.known.scooter = Some(self.target.name.clone());
        if let Some(block) = &self.data {
            job.known.writes(block, Some(DataSource::File));
        }
        job.known.serial = self.serial.or(job.known.serial);
        job.known.mileage_m = self.mileage.or(job.known.mileage_m);
        self.check_data()?;
        self.check_images()
    }

    /// Refuses a data block that cannot be written as it is, so that nobody holds wires for it. Its serial number has to
    /// pass as one that is typed does. With another one in its place only a block for another controller is refused: its
    /// settings mean something else there.
    pub(super) fn check_data(&self) -> Result<(), Error> {
        let Some(block) = &self.data else { return Ok(()) };
        if self.mileage.is_none() && !block.mileage().is_known() {
            return Err(Error::NoMileage);
        }
        let serial = match (block.read_serial(), self.serial) {
            (Ok(serial), _) => serial,
            (Err(_), Some(_)) => return Ok(()),
            (Err(error), None) => return Err(Error::BadSerial(error)),
        };
        let rule = &self.target.serial;
        let mut owners = Target::all().iter().filter(|target| target.serial.fits(serial)).peekable();
        let is_foreign = Target::unsupported_family(serial).is_some()
            || owners.peek().is_some() && !owners.any(|target| target.is_kin(self.target));
        if rule.fits(serial) || self.serial.is_some() && !is_foreign {
            return Ok(());
        }
        rule.read(serial.as_str()).map(drop).map_err(Error::OtherBlock)
    }

    /// The serial number that is given, by itself or in a data block.
    pub(super) fn given_serial(&self) -> Option<Serial> {
        self.serial.or_else(|| self.data.as_ref()?.serial())
    }

    /// Warns if the serial number that is given is another scooter's. People write one for its region, so it is not refused.
    pub(super) fn warn_of_serial(&self, job: &mut Job<'_>) {
        let Some(serial) = self.given_serial() else { return };
        let owners: Vec<_> = Target::owners(serial).map(|target| &*target.title).collect();
        let title = &self.target.title;
        if !owners.is_empty() && !owners.contains(&&**title) {
            let owners = owners.join(" or ");
            job.warn(
                "serial-of-other-scooter",
                format!("the serial number {serial} belongs to a {owners}, not to a {title}"),
            );
        }
    }

    /// The data block given, which goes before the board's own. Says what it replaces.
    pub(super) fn given(&self, job: &mut Job<'_>, contents: &Contents) -> Option<(DataBlock, DataSource)> {
        let mut given = self.data.clone()?;
        // Small letters, or another separator: it is written in the scooter's form, as one that is typed.
        let rule = &self.target.serial;
        let serial = given.serial().filter(|serial| !rule.fits(*serial));
        if let Some(serial) = serial.and_then(|serial| rule.read(serial.as_str()).ok()) {
            given = given.with_serial(serial);
        }
        contents.warn_of_replaced(job, &given, "from --data");
        Some((given, DataSource::File))
    }
}
