//! Whether the board on the wires is of the scooter that was asked for, as far as it can be told from what it holds.

use super::{DataSource, Error, Findings, ForcedGate, Job, Wanted, contents::Contents};
use crate::{
    block::Serial,
    image::{Catalog, Kind, drv_region, inspect, origin},
    target::Target,
    version::Version,
};

/// What `--force` takes to flash a board although it is another scooter's.
pub const OTHER_SCOOTER: &str = "other-scooter";

/// What the board holds, sorted by whether it belongs to the scooter asked for. What belongs to every scooter, as the shared
/// bootloader does, or to none that is known, is in none of them.
///
/// The M365 and its successors up to the Mi 3 have the same controller: the vendor gave the bootloader of the M365 to all of them,
/// and people run the firmware of one on another, and write another one's serial for its region. So a part of a scooter with the
/// same controller may be there on purpose; a part of a scooter with another one, or of one that is not supported, cannot work.
#[derive(Debug, Default, PartialEq, Eq)]
struct Evidence {
    /// What belongs to a scooter with another controller.
    foreign: Vec<String>,
    /// What belongs to another scooter with the same controller.
    against: Vec<String>,
    fitting: Vec<String>,
}

/// What the evidence comes to.
enum Verdict {
    /// Nothing speaks against the scooter.
    Fits,
    /// Parts of scooters with one controller are mixed.
    Mixed { against: Findings, fitting: Findings },
    /// The board is another scooter's, or holds what cannot work on this one.
    Other { found: Findings, fitting: Findings },
}

impl Contents {
    /// Refuses a board of another scooter, unless that was forced: one that holds anything of another controller, and one on
    /// which everything that is known belongs to another scooter. If only a part of it belongs to another scooter with the
    /// same controller, a warning names both.
    pub(super) fn check_scooter(&self, job: &mut Job<'_>, wanted: &Wanted<'_>) -> Result<Option<ForcedGate>, Error> {
        self.judge(job, &[wanted.target], wanted.given_serial(), &wanted.forced)
    }

    /// The same for a board that may be any of these scooters, which have the same flash map.
    pub(super) fn judge(
        &self,
        job: &mut Job<'_>,
        targets: &[&Target],
        given: Option<Serial>,
        forced: &[String],
    ) -> Result<Option<ForcedGate>, Error> {
        let mut doubt = None;
        for target in targets {
            let verdict = self.evidence(target, given).verdict();
            match verdict {
                Verdict::Fits => return Ok(None),
                Verdict::Mixed { .. } => doubt = Some((verdict, &target.title)),
                Verdict::Other { .. } => _ = doubt.get_or_insert((verdict, &target.title)),
            }
        }
        let refusal = match doubt {
            None | Some((Verdict::Fits, _)) => return Ok(None),
            Some((Verdict::Mixed { against, fitting }, title)) => {
                job.warn(
                    OTHER_SCOOTER,
                    format!(
                        "the board has {against}, of another scooter, but also {fitting}, of a {title}; check the scooter's name"
                    ),
                );
                return Ok(None);
            }
            Some((Verdict::Other { found, fitting }, title)) => {
                Error::OtherScooter { found, fitting, title: title.clone() }
            }
        };
        if forced.iter().any(|gate| gate == OTHER_SCOOTER) {
            return Ok(Some(ForcedGate { kind: None, gate: OTHER_SCOOTER, detail: refusal.to_string() }));
        }
        Err(refusal)
    }

    /// A serial number that is `given` for the board says nothing against the scooter: an earlier run may have written it.
    fn evidence(&self, target: &Target, given: Option<Serial>) -> Evidence {
        let mut evidence = Evidence::default();
        if let Some(flash) = &self.flash {
            evidence.firmware(flash, target);
        }
        if let Some((block, source)) = &self.block {
            // In flash it may be what the block was made with.
            if *source == DataSource::Sram && self.flash.is_none() {
                evidence.version(block.version(), target);
            }
            if let Some(serial) = block.serial() {
                let mut of_serial = Evidence::default();
                of_serial.serial(&serial, target);
                evidence.fitting.extend(of_serial.fitting);
                if Some(serial) != given {
                    evidence.foreign.extend(of_serial.foreign);
                    evidence.against.extend(of_serial.against);
                }
            }
        }
        if let Some(other) = self.other_map {
            evidence.foreign.push(format!("a data block at {:#010x}", other.map.regions.data.start));
        }
        evidence
    }
}

/// The scooters that this one shares its controller with, itself among them.
fn kin(target: &Target) -> impl Iterator<Item = &'static Target> {
    Target::all().iter().filter(|other| other.is_kin(target))
}

impl Evidence {
    fn verdict(self) -> Verdict {
        let Self { foreign, against, fitting } = self;
        if foreign.is_empty() && against.is_empty() {
            Verdict::Fits
        } else if foreign.is_empty() && !fitting.is_empty() {
            Verdict::Mixed { against: Findings(against), fitting: Findings(fitting) }
        } else {
            // A serial alone is enough: people do change serials, but nothing else is left to tell a wrong name by before
            // the chip is erased.
            Verdict::Other { found: Findings([foreign, against].concat()), fitting: Findings(fitting) }
        }
    }

    fn add(&mut self, what: String, scooters: &[String], target: &Target) {
        let has = |wanted: &Target| scooters.contains(&wanted.name);
        if has(target) {
            self.fitting.push(what);
        } else if kin(target).any(has) {
            self.against.push(what);
        } else {
            self.foreign.push(what);
        }
    }

    fn firmware(&mut self, flash: &[u8], target: &Target) {
        let slice = |start: u32, end: u32| {
            let (start, end) = ((start - target.map.flash.start) as usize, (end - target.map.flash.start) as usize);
            &flash[start.min(flash.len())..end.min(flash.len())]
        };
        let boot = &target.map.regions.boot;
        if let Some(boot) = origin(slice(boot.start, boot.end), Kind::Boot)
            && !boot.scooters.contains(&target.name)
        {
            self.add(boot.name, &boot.scooters, target);
        }
        // The firmware begins at one address on all of these boards; where it has to end depends on the flash map.
        let drv = &flash[drv_region(flash, &target.map.regions.drv)];
        if let Some(drv) = origin(drv, Kind::Drv) {
            self.add(drv.name, &drv.scooters, target);
            return;
        }
        let drv = slice(target.map.regions.drv.start, target.map.regions.data.start.max(target.map.regions.drv.end));
        if let Some(found) = inspect(drv).layout.filter(|found| **found != target.map) {
            self.foreign.push(format!("firmware for {found} of flash"));
        }
    }

    /// The version that running firmware writes into its live data block. All that is known of the firmware of a locked board.
    fn version(&mut self, version: Version, target: &Target) {
        let of = |target: &Target| {
            let entries = Catalog::builtin().of(&target.name, Kind::Drv);
            entries.iter().any(|entry| entry.version == Some(version) && !entry.is_rehearsal())
        };
        let scooters: Vec<_> = kin(target).filter(|target| of(target)).map(|target| target.name.clone()).collect();
        if !scooters.is_empty() {
            self.add(format!("firmware version {version}"), &scooters, target);
        }
    }

    /// A serial number that begins as those of one scooter do, or has the form of another's.
    fn serial(&mut self, serial: &Serial, target: &Target) {
        let owners: Vec<_> = Target::owners(*serial).map(|target| target.name.clone()).collect();
        let what = format!("the serial number {serial}");
        if let Some(family) = Target::unsupported_family(*serial) {
            self.foreign.push(format!("{what} of a {family}"));
        } else if !owners.is_empty() {
            self.add(what, &owners, target);
        } else if !target.serial.fits(*serial) {
            let forms: Vec<_> = Target::all()
                .iter()
                .filter(|target| target.serial.fits(*serial))
                .map(|target| target.name.clone())
                .collect();
            if !forms.is_empty() {
                self.add(what, &forms, target);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        block::{DataBlock, Uid},
        image::sample::Sample,
        sim::BOOT,
        target::FlashMap,
    };

    /// What a board with this firmware and this serial number holds, for the scooter asked for.
    fn evidence(drv: Option<Vec<u8>>, serial: &str, asked: &str) -> Evidence {
        let mut flash = vec![0xFF; 128 * 1024];
        flash[..BOOT.len()].copy_from_slice(BOOT);
        if let Some(drv) = drv {
            flash[0x1000..0x1000 + drv.len()].copy_from_slice(&drv);
        }
        let serial = Serial::from_bytes(serial.as_bytes()).ok();
        let block = serial.map(|serial| DataBlock::template().with_uid(Uid([1, 2, 3])).with_serial(serial));
        let contents = Contents {
            flash: Some(flash),
            block: block.map(|block| (block, DataSource::Flash)),
            other_map: None,
            strangers: vec![],
            passed_over: None,
        };
        contents.evidence(Target::builtin(asked).unwrap(), None)
    }

    /// The same of a locked board, whose running firmware shows this version.
    fn locked(version: u16, serial: &str, asked: &str) -> Evidence {
        let serial = Serial::from_bytes(serial.as_bytes()).unwrap();
        let mut bytes = DataBlock::template().with_uid(Uid([1, 2, 3])).with_serial(serial).as_bytes().to_vec();
        bytes[0x34..0x36].copy_from_slice(&version.to_le_bytes());
        let block = DataBlock::parse(&bytes).unwrap();
        let contents = Contents {
            flash: None,
            block: Some((block, DataSource::Sram)),
            other_map: None,
            strangers: vec![],
            passed_over: None,
        };
        contents.evidence(Target::builtin(asked).unwrap(), None)
    }

    fn of(foreign: &[&str], against: &[&str], fitting: &[&str]) -> Evidence {
        let [foreign, against, fitting] =
            [foreign, against, fitting].map(|words| words.iter().map(ToString::to_string).collect());
        Evidence { foreign, against, fitting }
    }

    fn is_refused(evidence: Evidence) -> bool {
        matches!(evidence.verdict(), Verdict::Other { .. })
    }

    fn ident(text: &str) -> Vec<u8> {
        Sample::drv(20_000).ident(text).bytes()
    }

    const PRO: &str = "the serial number 21886/00012345";
    const PRO2: &str = "firmware with the ident Scooter_MiP2_V0";

    #[test]
    fn the_boards_own_serial_number_typed_again_speaks_for_its_scooter_and_against_no_other() {
        let serial = Serial::parse("21886/00012345", "#####/########").unwrap();
        let block = DataBlock::template().with_uid(Uid([1, 2, 3])).with_serial(serial);
        let (block, flash) = (Some((block, DataSource::Flash)), None);
        let contents = Contents { flash, block, other_map: None, strangers: vec![], passed_over: None };
        let typed = |asked| contents.evidence(Target::builtin(asked).unwrap(), Some(serial));
        assert_eq!(typed("pro"), of(&[], &[], &[PRO]));
        assert_eq!(typed("pro2"), of(&[], &[], &[]));
    }

    #[test]
    fn firmware_and_serial_of_one_scooter_speak_for_it_and_against_every_other() {
        let board = |asked| evidence(Some(ident("Scooter_MiP2_V0")), "26354/00012345", asked);
        let found = [PRO2, "the serial number 26354/00012345"];
        assert_eq!(board("pro2"), of(&[], &[], &found));
        assert_eq!(board("pro"), of(&[], &found, &[]));
        assert!(!is_refused(board("pro2")) && is_refused(board("pro")));
    }

    #[test]
    fn firmware_of_a_scooter_with_the_same_controller_may_be_mixed_with_the_right_serial() {
        let board = |asked| evidence(Some(ident("Scooter_MiP2_V0")), "21886/00012345", asked);
        assert_eq!(board("pro"), of(&[], &[PRO2], &[PRO]));
        assert_eq!(board("pro2"), of(&[], &[PRO], &[PRO2]));
        assert_eq!(board("es2"), of(&[PRO2, PRO], &[], &[]));
        assert_eq!(["pro", "pro2", "es2", "m365"].map(|asked| is_refused(board(asked))), [false, false, true, true]);
        // The ident of the 1S is on Lite and Pro 1.7.1 too.
        let swapped = evidence(Some(ident("Scooter_Mi1S_V0")), "26354/00012345", "pro2");
        assert!(matches!(swapped.verdict(), Verdict::Mixed { .. }));
    }

    #[test]
    fn firmware_of_a_scooter_that_is_not_supported_is_refused_under_any_serial() {
        let other_image = || {
            let mut bytes = Sample::drv(20_000).bytes();
            bytes[0x400..0x40F].copy_from_slice(b"NineBotScooter\0");
            bytes
        };
        let other = "firmware with the ident NineBotScooter";
        for asked in ["pro", "mi3"] {
            assert_eq!(evidence(Some(other_image()), "99999/00012345", asked), of(&[other], &[], &[]), "{asked}");
        }
        let found = evidence(Some(other_image()), "99999/00012345", "es2");
        assert_eq!(found, of(&[other, "the serial number 99999/00012345"], &[], &[]));
        let found = evidence(Some(other_image()), "21886/00012345", "pro");
        assert_eq!(found, of(&[other], &[], &[PRO]));
        assert!(is_refused(found));
    }

    #[test]
    fn a_flash_map_that_unknown_firmware_was_linked_for_speaks_against_the_other() {
        let unknown = |layout| Some(Sample::drv(20_000).layout(layout).bytes());
        let wide = "firmware for 128 KiB of flash";
        assert_eq!(evidence(unknown(FlashMap::largest()), "99999/00012345", "pro"), of(&[wide], &[], &[]));
        assert_eq!(evidence(unknown(FlashMap::smallest()), "99999/00012345", "pro"), of(&[], &[], &[]));
        let mixed = evidence(unknown(FlashMap::largest()), "21886/00012345", "pro");
        assert_eq!(mixed, of(&[wide], &[], &[PRO]));
        assert!(is_refused(mixed));
    }

    #[test]
    fn ninebots_do_not_share_a_controller_although_they_share_a_flash_map() {
        let max = "the serial number N4GSD1234C5678";
        assert_eq!(evidence(None, "N4GSD1234C5678", "es2"), of(&[max], &[], &[]));
        let max = evidence(
            Some(Sample::drv(20_000).ident("Scooter_G30_SAT").layout(FlashMap::largest()).bytes()),
            "N2GSD1234C5678",
            "es2",
        );
        assert!(is_refused(max), "also if the serial number is right");
        let shared = evidence(None, "N2GSD1234C5678", "e");
        assert_eq!(shared, of(&[], &[], &["the serial number N2GSD1234C5678"]), "ES and E begin alike");
    }

    #[test]
    fn the_form_of_a_ninebot_s_serial_speaks_against_a_xiaomi() {
        let es = "the serial number N2GSD1234C5678";
        assert_eq!(evidence(None, "N2GSD1234C5678", "pro"), of(&[es], &[], &[]));
        assert_eq!(evidence(None, "N2GSD1234C5678", "es2"), of(&[], &[], &[es]));
    }

    #[test]
    fn the_serial_of_a_scooter_that_is_not_supported_speaks_against_every_other_under_its_name() {
        for (serial, family) in [("01GXA2034C5678", "Ninebot Max G2"), ("NAGR2210005678", "Ninebot F2")] {
            for asked in ["pro", "es2"] {
                let found = evidence(None, serial, asked);
                assert_eq!(found, of(&[&format!("the serial number {serial} of a {family}")], &[], &[]), "{asked}");
                assert!(is_refused(found));
            }
        }
    }

    #[test]
    fn what_many_scooters_share_speaks_for_none() {
        assert_eq!(evidence(None, "99999/00012345", "m365"), of(&[], &[], &[]));
        assert_eq!(evidence(None, "M1GCA1601C0001", "m365"), of(&[], &[], &[]), "the factory default");
    }

    #[test]
    fn a_locked_board_with_another_serial_is_known_by_the_version_of_its_firmware() {
        let version = "firmware version 1.5.5";
        let classic = "the serial number 16133/00012345";
        assert_eq!(locked(0x155, "16133/00012345", "pro"), of(&[], &[classic], &[version]));
        assert!(!is_refused(locked(0x155, "16133/00012345", "pro")), "a Pro with the serial of an M365");
        assert_eq!(locked(0x155, "21886/00012345", "m365"), of(&[], &[version, PRO], &[]));
        assert_eq!(locked(0x999, "21886/00012345", "m365"), of(&[], &[PRO], &[]), "nobody's version");
        assert!(is_refused(locked(0x999, "21886/00012345", "m365")), "nothing but the serial is known");
        // A block in flash keeps the version that it was made with.
        assert_eq!(evidence(None, "99999/00012345", "pro"), of(&[], &[], &[]));
    }

    #[test]
    fn findings_read_as_a_sentence() {
        let text = |words: &[&str]| Findings(words.iter().map(ToString::to_string).collect()).to_string();
        assert_eq!(text(&["a"]), "a");
        assert_eq!(text(&["a", "b"]), "a and b");
        assert_eq!(text(&["a", "b", "c"]), "a, b and c");
    }
}
