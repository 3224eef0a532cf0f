//! Whether the board on the wires is of the scooter that was asked for, as far as it can be told from what it holds.

use std::fmt;

use super::{Error, FlashRequest, ForcedGate, Job, contents::Contents};
use crate::{
    block::Serial,
    image::{Kind, Layout, drv_region, inspect, origin},
    target::Target,
};

/// What `--force` takes to flash a board although everything on it belongs to another scooter.
pub const OTHER_SCOOTER: &str = "other-scooter";

/// What was found on a board, in words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Findings(Vec<String>);

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, finding) in self.0.iter().enumerate() {
            let before = match index {
                0 => "",
                _ if index + 1 == self.0.len() => " and ",
                _ => ", ",
            };
            write!(f, "{before}{finding}")?;
        }
        Ok(())
    }
}

/// What the board holds, sorted by whether it belongs to the scooter asked for. What belongs to every scooter, as the shared
/// bootloader does, or to none that is known, is in neither.
#[derive(Debug, Default, PartialEq, Eq)]
struct Evidence {
    against: Vec<String>,
    fitting: Vec<String>,
}

impl Contents {
    /// Refuses a board on which everything belongs to another scooter, unless that was forced. If only some of it does, somebody
    /// is mending a board that was flashed as the wrong scooter: a warning names both.
    pub(super) fn check_scooter(
        &self,
        job: &mut Job<'_>,
        request: &FlashRequest<'_>,
    ) -> Result<Option<ForcedGate>, Error> {
        let title = &request.target.title;
        let Evidence { against, fitting } = self.evidence(request.target, request.given_serial());
        if against.is_empty() {
            return Ok(None);
        }
        let found = Findings(against);
        if !fitting.is_empty() {
            let fitting = Findings(fitting);
            job.warn(OTHER_SCOOTER, format!("the board holds {found} of another scooter, and {fitting} of a {title}"));
            return Ok(None);
        }
        let refusal = Error::OtherScooter { found, title: title.clone() };
        if request.forced.iter().any(|gate| gate == OTHER_SCOOTER) {
            return Ok(Some(ForcedGate { kind: None, gate: OTHER_SCOOTER, detail: refusal.to_string() }));
        }
        Err(refusal)
    }

    /// A serial number that is `given` for the board says nothing about it: an earlier run may have written it.
    fn evidence(&self, target: &Target, given: Option<Serial>) -> Evidence {
        let mut evidence = Evidence::default();
        if let Some(flash) = &self.flash {
            evidence.firmware(flash, target);
        }
        if let Some((block, _)) = &self.block
            && let Some(serial) = block.serial().filter(|serial| Some(*serial) != given)
        {
            evidence.serial(&serial, target);
        }
        if let Some(other) = self.other_map {
            evidence.against.push(format!("a data block at {:#010x}", other.regions.data.start));
        }
        evidence
    }
}

impl Evidence {
    fn add(&mut self, what: String, is_for: bool) {
        if is_for { &mut self.fitting } else { &mut self.against }.push(what);
    }

    fn firmware(&mut self, flash: &[u8], target: &Target) {
        let slice = |start: u32, end: u32| {
            let (start, end) = ((start - target.flash.start) as usize, (end - target.flash.start) as usize);
            &flash[start.min(flash.len())..end.min(flash.len())]
        };
        let boot = &target.regions.boot;
        if let Some(boot) = origin(slice(boot.start, boot.end), Kind::Boot)
            && !boot.scooters.contains(&target.name)
        {
            self.against.push(boot.name);
        }
        // The firmware begins at one address on all of these boards; where it has to end depends on the flash map.
        let drv = &flash[drv_region(flash, &target.regions.drv)];
        if let Some(drv) = origin(drv, Kind::Drv) {
            let is_for = drv.scooters.contains(&target.name);
            self.add(drv.name, is_for);
            return;
        }
        let wanted = Layout::of_data_block(target.regions.data.start);
        let drv = slice(target.regions.drv.start, target.regions.data.start.max(target.regions.drv.end));
        if let Some(found) = inspect(drv).layout.filter(|found| Some(*found) != wanted) {
            self.against.push(format!("firmware for {found} of flash"));
        }
    }

    /// A serial number that begins as those of one scooter do, or has the form of another's.
    fn serial(&mut self, serial: &Serial, target: &Target) {
        let begins = |target: &Target| {
            let rule = &target.serial;
            rule.prefixes.keys().chain(&rule.compared).any(|prefix| serial.as_str().starts_with(prefix))
        };
        let is_known = Target::all().iter().any(begins);
        let is_of_a_form = Target::all().iter().any(|target| target.serial.fits(*serial));
        if begins(target) {
            self.add(format!("the serial {serial}"), true);
        } else if is_known || is_of_a_form && !target.serial.fits(*serial) {
            self.add(format!("the serial {serial}"), false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        block::{DataBlock, Uid},
        image::sample::Sample,
        ops::report::Source,
        sim::BOOT,
    };

    /// What speaks against a scooter and what for it, of a board with this firmware and this serial number.
    fn evidence(drv: Option<Vec<u8>>, serial: &str, asked: &str) -> (Vec<String>, Vec<String>) {
        let mut flash = vec![0xFF; 128 * 1024];
        flash[..BOOT.len()].copy_from_slice(BOOT);
        if let Some(drv) = drv {
            flash[0x1000..0x1000 + drv.len()].copy_from_slice(&drv);
        }
        let serial = Serial::from_bytes(serial.as_bytes().try_into().unwrap()).ok();
        let block = serial.map(|serial| DataBlock::template().with_uid(Uid([1, 2, 3])).with_serial(serial));
        let contents = Contents {
            flash: Some(flash),
            block: block.map(|block| (block, Source::Flash)),
            other_map: None,
            strangers: vec![],
        };
        let Evidence { against, fitting } = contents.evidence(Target::builtin(asked).unwrap(), None);
        (against, fitting)
    }

    fn ident(text: &str) -> Vec<u8> {
        Sample::drv(20_000).ident(text).bytes()
    }

    const PRO: &str = "the serial 21886/00012345";
    const PRO2: &str = "firmware with the ident Scooter_MiP2_V0";

    #[test]
    fn firmware_and_serial_of_one_scooter_speak_for_it_and_against_every_other() {
        let of = |asked| evidence(Some(ident("Scooter_MiP2_V0")), "26354/00012345", asked);
        let found = vec![PRO2.to_owned(), "the serial 26354/00012345".to_owned()];
        assert_eq!(of("pro2"), (vec![], found.clone()));
        assert_eq!(of("pro"), (found, vec![]));
    }

    #[test]
    fn the_wrong_firmware_under_the_right_serial_is_both() {
        let of = |asked| evidence(Some(ident("Scooter_MiP2_V0")), "21886/00012345", asked);
        assert_eq!(of("pro"), (vec![PRO2.into()], vec![PRO.into()]));
        assert_eq!(of("pro2"), (vec![PRO.into()], vec![PRO2.into()]));
        assert_eq!(of("es2"), (vec![PRO2.into(), PRO.into()], vec![]));
    }

    #[test]
    fn firmware_of_a_scooter_that_is_not_supported_speaks_against_all() {
        let four_pro_image = || {
            let mut bytes = Sample::drv(20_000).bytes();
            bytes[0x400..0x418].copy_from_slice(b"Scooter_Mi4P_ST_F103_V8\0");
            bytes
        };
        let four_pro = "firmware with the ident Scooter_Mi4P_ST_F103_V8";
        for asked in ["pro", "es2", "mi3"] {
            let found = evidence(Some(four_pro_image()), "99999/00012345", asked);
            let mut against = vec![four_pro.to_owned()];
            if asked == "es2" {
                against.push("the serial 99999/00012345".into());
            }
            assert_eq!(found, (against, vec![]), "{asked}");
        }
    }

    #[test]
    fn a_flash_map_that_unknown_firmware_was_linked_for_speaks_against_the_other() {
        let unknown = |layout| Some(Sample::drv(20_000).layout(layout).bytes());
        let wide = "firmware for 128 KiB of flash";
        assert_eq!(evidence(unknown(Layout::Kib128), "99999/00012345", "pro"), (vec![wide.into()], vec![]));
        assert_eq!(evidence(unknown(Layout::Kib64), "99999/00012345", "pro"), (vec![], vec![]));
    }

    #[test]
    fn the_form_of_a_ninebot_s_serial_speaks_against_a_xiaomi() {
        let max = "the serial N4GSD1234C5678";
        assert_eq!(evidence(None, "N4GSD1234C5678", "pro"), (vec![max.into()], vec![]));
        assert_eq!(evidence(None, "N4GSD1234C5678", "es2"), (vec![], vec![]), "the form of all Ninebots");
        assert_eq!(evidence(None, "N2GSD1234C5678", "es2"), (vec![], vec!["the serial N2GSD1234C5678".into()]));
    }

    #[test]
    fn what_many_scooters_share_speaks_for_none() {
        assert_eq!(evidence(None, "99999/00012345", "m365"), (vec![], vec![]));
        assert_eq!(evidence(None, "M1GCA1601C0001", "m365"), (vec![], vec![]), "the factory default");
    }

    #[test]
    fn findings_read_as_a_sentence() {
        let text = |words: &[&str]| Findings(words.iter().map(ToString::to_string).collect()).to_string();
        assert_eq!(text(&["a"]), "a");
        assert_eq!(text(&["a", "b"]), "a and b");
        assert_eq!(text(&["a", "b", "c"]), "a, b and c");
    }
}
