//! Asks a person at the terminal for the serial number and the mileage that neither the board nor a backup has.

use std::sync::atomic::AtomicBool;

use m365_drv::{
    batch::Given,
    block::{Mileage, Serial},
    ops::{self, Known},
};

use super::question;

/// A person who can be asked.
pub(crate) struct Person<'a> {
    /// Shows a line to them.
    pub(crate) say: &'a mut dyn FnMut(&str),
    /// Becomes true on Ctrl-C.
    pub(crate) interrupt: &'a AtomicBool,
    /// What Enter alone does.
    pub(crate) enter: &'static str,
}

impl Person<'_> {
    /// Asks for what a run lacked that ended with this error, and for the mileage in the same breath as for the serial number:
    /// the wires are held once more, not twice. `None` if that cannot be asked or is not answered; an error on Ctrl-C.
    pub(crate) fn gives(
        &mut self,
        given: Given,
        error: &ops::Error,
        known: &Known,
        example: &str,
        serial: impl Fn(&str) -> Result<Serial, String>,
    ) -> Result<Option<Given>, ops::Error> {
        let lacks_serial = matches!(error, ops::Error::NoSerial) && given.serial.is_none();
        let lacks_mileage = given.mileage.is_none()
            && (matches!(error, ops::Error::NoMileage) || (lacks_serial && known.mileage_m.is_none()));
        if !lacks_serial && !lacks_mileage {
            return Ok(None);
        }
        let (mut given, enter) = (given, self.enter);
        (self.say)(&format!("{error}; you may let go of the wires"));
        if lacks_serial {
            given.serial =
                self.answers(&format!("Serial number (for example {example}), or Enter to {enter}:"), serial)?;
            if given.serial.is_none() {
                return Ok(None);
            }
        }
        if lacks_mileage {
            let mileage = |text: &str| Mileage::parse_km(text).map_err(|error| error.to_string());
            given.mileage = self.answers(&format!("Total mileage in km, or Enter to {enter}:"), mileage)?;
            if given.mileage.is_none() {
                return Ok(None);
            }
        }
        Ok(Some(given))
    }

    /// Asks until the answer can be used; `None` if nothing is typed.
    fn answers<T>(&mut self, what: &str, read: impl Fn(&str) -> Result<T, String>) -> Result<Option<T>, ops::Error> {
        loop {
            (self.say)(what);
            match question::answer_unless(self.interrupt)?.trim() {
                "" => return Ok(None),
                text => match read(text) {
                    Ok(value) => return Ok(Some(value)),
                    Err(mistake) => (self.say)(&mistake),
                },
            }
        }
    }
}
