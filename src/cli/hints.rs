//! The next command to type after each failure: by the error if it tells one, else by the exit code.

use std::{borrow::Cow, path::Path};

use m365_drv::{
    board::{self, Finding, ProbeEntry, Startup},
    guide::coach,
    image::{BackupFileError, Catalog, Dump, Fit, Foreign, Image, ImageError, Kind, RehearsalImages, gates},
    ops::{self, BackupError, BadPage, Lack, OTHER_SCOOTER, Purpose},
    supply,
    target::Target,
};

use super::{
    args::command_line::CommandLine,
    exit::{self, Exit},
    exit_codes::{ExitRow, TO_BOARD},
    probe_fixes::{self, System},
};

/// The next command after a run that ended like this; `None` if there is none.
pub(crate) fn next(exit: Exit, error: Option<&anyhow::Error>, typed: &CommandLine) -> Option<String> {
    if typed.command.as_deref() == Some("guide") && exit != Exit::Usage {
        // It asks for whatever is missing, though not for another probe or the right to use one.
        let about_probe = |error: &&anyhow::Error| {
            use board::Error::{ProbeAccess, ProbeAmbiguous, SeveralProbes};
            matches!(exit::of_board(error), Some(ProbeAccess(_) | ProbeAmbiguous { .. } | SeveralProbes { .. }))
        };
        let fix = error.filter(about_probe).and_then(|error| for_error(error, typed));
        return fix.or_else(|| Some(typed.again(&[])));
    }
    error.and_then(|error| for_error(error, typed)).or_else(|| (ExitRow::of(exit).next)(typed))
}

/// The next command if the error itself is more precise than its exit code.
fn for_error(error: &anyhow::Error, typed: &CommandLine) -> Option<String> {
    if let Some(next) = exit::next_of(error) {
        return Some(next);
    }
    if let Some(error) = exit::of_board(error) {
        return match error {
            board::Error::ProbeAccess(problem) => probe_fixes::command(problem, System::HERE),
            board::Error::SeveralProbes { found } | board::Error::ProbeAmbiguous { found, .. } => {
                let choose = typed.again_with("--probe", way_to_choose(found));
                Some(format!("{}, then {choose}", typed.other(&["probes"], &["--simulate"])))
            }
            board::Error::TooSmall { found, .. } if typed.simulated => Some(format!(
                "{}, which makes a board of this scooter (the one in use has {found} KiB, as that of an M365)",
                typed.again_with("--simulate", "./NEW")
            )),
            // `info` would end in the same way.
            board::Error::Unsupported(_) => Some("m365-drv explain wrong-board".into()),
            _ => None,
        };
    }
    if let Some(ImageError::Foreign(what) | ImageError::Backup(BackupFileError::Foreign(what))) =
        error.chain().find_map(|cause| cause.downcast_ref())
        && matches!(what, Foreign::WebPage | Foreign::LfsPointer | Foreign::Text(_))
    {
        return Some("download the file again; on GitHub with the button \"Download raw file\"".into());
    }
    if error.downcast_ref::<supply::Cause>().is_some() {
        return Some("download the file with a browser, then m365-drv firmware add FILE".into());
    }
    let missing = |option, value| if typed.has(option) { vec![] } else { vec![option, value] };
    match error.downcast_ref()? {
        ops::Error::LockedMeanwhile { .. } => Some(typed.again(&["--erase-all"])),
        ops::Error::NoSerial => {
            let km = if typed.has("--mileage-m") { vec![] } else { missing("--km", "KM") };
            Some(typed.again(&[missing("--serial", "SERIAL"), km].concat()))
        }
        ops::Error::BadPage(BadPage { purpose: Purpose::Drv, .. }) => Some(typed.again_with("--drv", "FILE")),
        ops::Error::BadPage(BadPage { purpose: Purpose::Other, .. }) => {
            Some(typed.other(&["flash", "SCOOTER"], &TO_BOARD))
        }
        // Another try would wear it out further.
        ops::Error::BadPage(_) => Some("m365-drv explain flash".into()),
        ops::Error::SeveralSerials(_) => Some(typed.again_with("--data", "BACKUP")),
        ops::Error::BadSerial(_) => Some(typed.again(&missing("--serial", "SERIAL"))),
        ops::Error::NoMileage => Some(typed.again(&missing("--km", "KM"))),
        ops::Error::OtherBlock(_) => Some(typed.other(&["data", "show", &file_of(typed, "--data")?], &[])),
        ops::Error::Gate { kind, .. } => Some(typed.other(&["image", "show", &file_of(typed, option_of(*kind))?], &[])),
        ops::Error::Backup(BackupError::Malformed { .. } | BackupError::Io { what: "read", .. }) => {
            Some("m365-drv explain backup".into())
        }
        ops::Error::DumpLacks { lacks, .. } | ops::Error::DumpLacksData { lacks, .. } => {
            let file = &*typed.value("FILE")?;
            let lacks = |lack| lacks.contains(&lack);
            let mut words = vec!["flash", "SCOOTER"];
            let usable = |lack, kind| !lacks(lack) && is_usable(file, kind);
            words.extend(["--boot", if usable(Lack::Boot, Kind::Boot) { file } else { "BOOT" }]);
            words.extend(["--drv", if usable(Lack::Drv, Kind::Drv) { file } else { "DRV" }]);
            let has_block = !lacks(Lack::Block);
            words.extend(has_block.then_some(["--data", file]).into_iter().flatten());
            words.extend((!has_block || lacks(Lack::Serial)).then_some(["--serial", "SERIAL"]).into_iter().flatten());
            words.extend((!has_block || lacks(Lack::Mileage)).then_some(["--km", "KM"]).into_iter().flatten());
            Some(typed.other(&words, &TO_BOARD))
        }
        ops::Error::BackupWithoutFlash => {
            let file = &*typed.value("FILE")?;
            let dump = Dump::open(Path::new(file)).ok();
            let has_block = dump.is_some_and(|dump| !dump.blocks(dump.layout().regions.data.start).is_empty());
            let data: &[_] = if has_block { &["--data", file] } else { &["--serial", "SERIAL", "--km", "KM"] };
            Some(typed.other(&[&["flash", "SCOOTER"], data].concat(), &TO_BOARD))
        }
        ops::Error::NoImage { kind, scooter, .. } if !published(error).is_empty() && !typed.has("--offline") => {
            let mirror = typed.value("--mirror");
            let mut words = vec!["firmware", "get", scooter];
            // Somebody who names a file for the other image needs this one only.
            words.extend(match kind {
                Kind::Boot if typed.has("--drv") => Some("boot"),
                Kind::Drv if typed.has("--boot") => Some("drv"),
                _ => None,
            });
            words.extend(mirror.iter().flat_map(|mirror| ["--mirror", mirror]));
            Some(format!("{}, then {}", typed.other(&words, &[]), typed.again(&[])))
        }
        ops::Error::NoImage { kind, .. } | ops::Error::SeveralImages { kind, .. } => {
            Some(typed.again_with(option_of(*kind), "FILE"))
        }
        ops::Error::DoesNotStart { how: Startup::Resetting { .. }, .. } if !typed.has("--software-watchdog") => {
            Some(typed.again(&["--software-watchdog"]))
        }
        ops::Error::DoesNotStart { .. } => Some(typed.again_with("--drv", "FILE")),
        _ => None,
    }
}

/// The file that an error is about: the value of its option, or what is to be restored.
fn file_of<'t>(typed: &'t CommandLine, option: &str) -> Option<Cow<'t, str>> {
    let restored = || typed.value("FILE").filter(|_| typed.command.as_deref() == Some("restore"));
    typed.value(option).or_else(restored)
}

/// Whether `flash` takes the image of a file for any scooter.
fn is_usable(file: &str, kind: Kind) -> bool {
    let Ok(image) = Image::open(Path::new(file)) else { return false };
    Target::all().iter().any(|target| {
        let fit = Fit { rehearsal: RehearsalImages::Allowed, ..Fit::new(target, kind) };
        image.clone().part(&fit.region()).is_ok_and(|part| gates(&part, &fit).iter().all(|gate| gate.passed))
    })
}

/// What tells several probes apart. Never their number: it depends on what else is plugged in.
fn way_to_choose(found: &[ProbeEntry]) -> &'static str {
    let mut serials: Vec<_> = found.iter().map(|probe| probe.serial.as_deref()).collect();
    serials.sort_unstable();
    let differ = serials.windows(2).all(|pair| pair[0] != pair[1]) && serials.iter().all(Option::is_some);
    if differ { "SERIAL" } else { "usb:BUS-PORT" }
}

/// What the lines of [`published`] begin with.
pub(crate) const PUBLISHED: &str = "published: ";

/// How to take the board of another scooter on purpose, if an error is about that.
pub(crate) fn on_purpose(error: &anyhow::Error) -> Option<String> {
    let Some(ops::Error::OtherScooter { title, .. }) = error.downcast_ref() else { return None };
    Some(format!("tip: to turn this board into a {title} on purpose, add --force {OTHER_SCOOTER}"))
}

/// Which wire to suspect, if an error is about contact.
pub(crate) fn at_the_wires(error: &anyhow::Error) -> Option<String> {
    let finding = match error.downcast_ref() {
        Some(ops::Error::Board(board::Error::NoContact { finding, .. })) => (*finding)?,
        Some(ops::Error::Board(board::Error::HeldInReset)) => Finding::HeldInReset,
        Some(ops::Error::Board(board::Error::PoorContact { .. })) => Finding::Broken,
        _ => return None,
    };
    let advice = coach::advice(finding).trim_end_matches('.');
    let (first, rest) = advice.split_at(1);
    Some(format!("tip: {}{rest}", first.to_lowercase()))
}

/// What can still be done with a chip that has a worn-out page, if an error is about that.
pub(crate) fn with_bad_page(error: &anyhow::Error) -> Option<String> {
    let Some(ops::Error::BadPage(BadPage { address, purpose, .. })) = error.downcast_ref() else { return None };
    Some(match purpose {
        Purpose::Boot => "tip: the bootloader needs this page: replace the chip".into(),
        Purpose::Data => "tip: the firmware saves serial number and mileage in this page: replace the chip".into(),
        Purpose::Drv => format!("tip: firmware that ends before {address:#010x} does not use this page"),
        Purpose::Other => "tip: neither bootloader nor firmware uses this page: flash instead of restore".into(),
    })
}

/// Where the images are published that an error says are missing, one a line.
pub(crate) fn published(error: &anyhow::Error) -> Vec<String> {
    let Some(ops::Error::NoImage { kind, scooter, chip, .. }) = error.downcast_ref() else { return Vec::new() };
    let entries = Catalog::builtin().of(scooter, *kind).into_iter();
    let fitting = entries.filter(|entry| entry.runs_on(chip) && entry.is_complete());
    let places = fitting.filter_map(|entry| supply::sources(entry).first().map(|source| (entry, source)));
    places.map(|(entry, source)| format!("{PUBLISHED}{}: {} in {}", entry.name, source.path, source.page())).collect()
}

/// The option that takes an image of this kind.
fn option_of(kind: Kind) -> &'static str {
    if kind == Kind::Boot { "--boot" } else { "--drv" }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use m365_drv::board::BoardState;

    use super::*;

    fn typed(line: &str) -> CommandLine {
        CommandLine::read(&line.split(' ').map(OsString::from).collect::<Vec<_>>()).0
    }

    fn probe(index: usize, serial: Option<&str>) -> ProbeEntry {
        ProbeEntry {
            index,
            vid: "0483".into(),
            pid: "3748".into(),
            serial: serial.map(Into::into),
            usb: Some(format!("1-{index}")),
            kind: "STLink V2".into(),
            usable: true,
            problem: None,
            has_twin: false,
        }
    }

    #[test]
    fn of_several_probes_none_is_proposed_by_its_number() {
        let next = |line: &str, found| {
            let error = match line.split_once("--probe ") {
                Some((_, wanted)) => board::Error::ProbeAmbiguous { wanted: wanted.into(), found },
                None => board::Error::SeveralProbes { found },
            };
            let error = ops::Error::from(error);
            next(Exit::NoProbe, Some(&error.into()), &typed(line))
        };
        let found = vec![probe(1, Some("066DFF48")), probe(2, Some("066DFF49"))];
        let hint = "m365-drv probes, then m365-drv info --probe SERIAL";
        assert_eq!(next("m365-drv info", found.clone()).as_deref(), Some(hint));
        assert_eq!(next("m365-drv info --probe 066D", found).as_deref(), Some(hint));
        let hint = "m365-drv probes, then m365-drv guide --probe SERIAL";
        assert_eq!(
            next("m365-drv guide", vec![probe(1, Some("066DFF48")), probe(2, Some("066DFF49"))]).as_deref(),
            Some(hint)
        );
        let twins = vec![probe(1, None), probe(2, None)];
        let hint = "m365-drv probes, then m365-drv flash pro --probe usb:BUS-PORT";
        assert_eq!(next("m365-drv flash pro", twins).as_deref(), Some(hint));
    }

    #[test]
    fn firmware_that_does_not_start_is_not_answered_with_the_same_command() {
        let next = |line: &str, how| {
            next(Exit::Verify, Some(&ops::Error::DoesNotStart { board: BoardState::Written, how }.into()), &typed(line))
                .expect("a hint")
        };
        let resetting = Startup::Resetting { resets: 3 };
        let line = "m365-drv flash pro --drv a.bin";
        assert_eq!(next(line, resetting), format!("{line} --software-watchdog"));
        let again = format!("{line} --software-watchdog");
        assert_eq!(next(&again, resetting), "m365-drv flash pro --drv FILE --software-watchdog");
        assert_eq!(next(line, Startup::Lockup), "m365-drv flash pro --drv FILE");
        assert!(ExitRow::of(Exit::Verify).advice.contains("`--software-watchdog`"));
    }

    #[test]
    fn a_missing_image_is_answered_with_the_command_that_fetches_it() {
        let next = |kind, line: &str| {
            let error =
                ops::Error::NoImage { kind, scooter: "pro".into(), chip: "stm32f103", reason: "none is at hand" };
            next(Exit::Image, Some(&error.into()), &typed(line)).unwrap()
        };
        assert_eq!(next(Kind::Boot, "m365-drv flash pro"), "m365-drv firmware get pro, then m365-drv flash pro");
        assert_eq!(
            next(Kind::Boot, "m365-drv flash pro --drv a.zip"),
            "m365-drv firmware get pro boot, then m365-drv flash pro --drv a.zip"
        );
        assert_eq!(
            next(Kind::Drv, "m365-drv flash pro --boot b.bin --mirror m"),
            "m365-drv firmware get pro drv --mirror m, then m365-drv flash pro --boot b.bin --mirror m"
        );
        assert_eq!(next(Kind::Boot, "m365-drv flash pro --offline"), "m365-drv flash pro --offline --boot FILE");
    }

    #[test]
    fn a_missing_image_is_answered_with_where_it_is_published() {
        let published = |kind, scooter: &str, chip| {
            published(&ops::Error::NoImage { kind, scooter: scooter.into(), chip, reason: "it is unknown" }.into())
        };
        let words = "published: Xiaomi bootloader: boot.bin in https://github.com/CamiAlfa/M365_DRV_STLINK";
        assert_eq!(published(Kind::Boot, "pro", "stm32f103"), [words]);
        let words = "published: Xiaomi bootloader for GD32E103: binaries/bootloader/mi_DRV_GD32.bin in \
                     https://github.com/scooterteam/scooterflasher";
        assert_eq!(published(Kind::Boot, "lite", "gd32e103"), [words]);
        let words = "published: Ninebot ES bootloader: es2_boot.bin in https://github.com/CamiAlfa/M365_DRV_STLINK";
        assert_eq!(published(Kind::Boot, "es2", "stm32f103"), [words]);
        let drv = published(Kind::Drv, "pro", "stm32f103");
        assert!(
            drv.iter().any(|line| line.ends_with("pro/DRV/1.5.5.bin in https://github.com/scooterhacking/firmware"))
        );
        assert!(!drv.iter().any(|line| line.contains("1.6.0")), "it lacks its end");
        assert!(published(Kind::Boot, "pro", "gd32e103").is_empty());
    }
}
