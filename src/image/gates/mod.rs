//! Whether an image may be flashed: one named question after the other.
//!
//! A gate that does not apply is left out. No gate asks for a catalog hit except [`boot_known`]: people flash firmware
//! that they changed themselves, but a bootloader decides whether the scooter ever starts again.

mod hole;
mod made_for;
mod package;

use std::ops::Range;

use serde::Serialize;

use super::{
    Catalog, DerivedFrom, Format, Identified, Image, Inspection, Kind, Package, dump::firmware_of, inspect,
    inspect::is_stack_pointer, origin::scooters_of,
};
use crate::{
    block::{DataBlock, LEN},
    printable::printable,
    target::{FlashMap, Target, artery},
};

/// Above this an image is ciphertext, not code: vendor code has 6.0 to 7.1 bits a byte, ciphertext of its length 7.98.
const MAX_ENTROPY: f32 = 7.7;
/// Shorter bytes have too little entropy in any case.
const ENTROPY_FROM: usize = 2048;

/// What an image has to fit.
#[derive(Debug, Clone)]
pub struct Fit<'a> {
    /// What kind it has to be.
    pub kind: Kind,
    /// The flash map of the board.
    pub map: &'a FlashMap,
    /// The scooter, by its name on the command line; empty if nothing tells which.
    pub scooter: &'a str,
    /// The chip on the wires, where it is known: `stm32f103`, `gd32f103`, `gd32e103`.
    pub chip: Option<&'a str>,
    /// Whether it may be one of our own for the simulated board.
    pub rehearsal: RehearsalImages,
}

/// Whether the images of `firmware/rehearsal` may pass. They drive no motor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RehearsalImages {
    /// As on a scooter's board.
    #[default]
    Refused,
    /// As on the simulated one.
    Allowed,
}

/// The answer to one question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gate {
    /// Its name, which is the word that overrides it.
    pub name: &'static str,
    /// Whether the image may pass.
    pub passed: bool,
    /// What was found: one fact, lower case, no full stop.
    pub detail: String,
}

/// The image, and everything found out about it once.
struct Case<'a> {
    image: &'a Image,
    fit: &'a Fit<'a>,
    seen: Inspection,
    known: Option<Identified>,
    near: Option<DerivedFrom>,
}

/// `Ok` passes, `Err` fails, none where the question does not arise.
type GateResult = Option<Result<String, String>>;

type Ask = fn(&Case) -> GateResult;

/// Every gate, the most telling first: the first that fails says best what is wrong.
const ALL: [(&str, Ask); 22] = [
    ("blank", blank),
    ("kind", kind),
    ("encrypted", encrypted),
    ("package-type", package::firmware_type),
    ("package-members", package::members),
    ("package-md5", package::md5),
    ("package-model", package::model),
    ("package-compatible", package::compatible),
    ("rehearsal", rehearsal),
    ("scooter", made_for::scooter),
    ("ident", made_for::ident),
    ("layout", made_for::layout),
    ("chip", chip),
    ("gd32", gd32),
    ("size", size),
    ("truncated", truncated),
    ("hole", hole::hole),
    ("address", address),
    ("stack-pointer", stack_pointer),
    ("reset-vector", reset_vector),
    ("boot-known", boot_known),
    ("data-block", data_block),
];

/// The names of all gates.
pub const GATES: [&str; ALL.len()] = {
    let mut names = [""; ALL.len()];
    let mut at = 0;
    while at < ALL.len() {
        names[at] = ALL[at].0;
        at += 1;
    }
    names
};

/// Asks every gate that applies, in the order of [`GATES`].
pub fn gates(image: &Image, fit: &Fit) -> Vec<Gate> {
    let catalog = Catalog::builtin();
    let known = catalog.identify(&image.bytes);
    let case = Case {
        image,
        fit,
        seen: inspect(&image.bytes),
        near: if known.is_none() { catalog.nearest(&image.bytes) } else { None },
        known,
    };
    let asked = ALL.iter().filter_map(|(name, ask)| Some((*name, ask(&case)?)));
    asked.map(|(name, answer)| Gate { name, passed: answer.is_ok(), detail: detail(answer) }).collect()
}

/// A package's own words may be in it.
fn detail(answer: Result<String, String>) -> String {
    let (Ok(text) | Err(text)) = answer;
    printable(&text).into_owned()
}

impl Case<'_> {
    fn bytes(&self) -> &[u8] {
        &self.image.bytes
    }

    /// True where a vector table begins the image.
    fn is_code(&self) -> bool {
        matches!(self.fit.kind, Kind::Boot | Kind::Drv)
    }
}

#[expect(clippy::unnecessary_wraps, reason = "it is the answer of a gate")]
fn pass(detail: impl Into<String>) -> GateResult {
    Some(Ok(detail.into()))
}

#[expect(clippy::unnecessary_wraps, reason = "it is the answer of a gate")]
fn fail(detail: impl Into<String>) -> GateResult {
    Some(Err(detail.into()))
}

fn blank(case: &Case) -> GateResult {
    for value in [0xFF, 0x00] {
        if case.bytes().iter().all(|&byte| byte == value) {
            return fail(format!("all {} bytes are {value:#04x}", case.bytes().len()));
        }
    }
    pass("not blank")
}

fn kind(case: &Case) -> GateResult {
    let wanted = case.fit.kind;
    if case.image.is_dump() {
        return fail(format!("a dump of {} bytes of flash, not {}", case.bytes().len(), article(wanted)));
    }
    let found = case.image.kind();
    match case.known {
        Some(known) if found != wanted => {
            fail(format!("{} is {}, not {}", known.entry, article(found), article(wanted)))
        }
        _ if found == wanted => pass(article(wanted)),
        _ if found == Kind::Unknown => pass(format!("may be {}", article(wanted))),
        _ => fail(format!("{}, not {}", article(found), article(wanted))),
    }
}

/// A kind of image in a sentence.
fn article(kind: Kind) -> String {
    match kind {
        Kind::Boot | Kind::Data => format!("a {kind}"),
        Kind::Drv => format!("{kind} firmware"),
        Kind::Unknown => format!("an {kind}"),
    }
}

fn encrypted(case: &Case) -> GateResult {
    if case.image.format == Format::Encrypted {
        return pass("decrypted, checksum right");
    }
    let entropy = case.seen.entropy;
    if case.bytes().len() >= ENTROPY_FROM && entropy > MAX_ENTROPY {
        return fail(format!("{entropy:.2} bits of entropy a byte: encrypted by an unknown key or damaged"));
    }
    pass(format!("{entropy:.2} bits of entropy a byte"))
}

fn rehearsal(case: &Case) -> GateResult {
    let entry = case.known.map(|known| known.entry).or(case.near.as_ref().map(|near| near.entry))?;
    if !entry.is_rehearsal() {
        return None;
    }
    match case.fit.rehearsal {
        RehearsalImages::Allowed => pass("for the simulated board"),
        RehearsalImages::Refused => fail(format!("{entry} cannot drive a motor: it is for the simulated board only")),
    }
}

fn chip(case: &Case) -> GateResult {
    let chip = case.fit.chip?;
    // What a DRV can do with a GD32 is seen in its code, by the next gate.
    if case.fit.kind == Kind::Drv && chip.starts_with("gd32") {
        return None;
    }
    match (&case.known, &case.near) {
        (Some(known), _) if known.entry.runs_on(chip) => pass(format!("{} runs on {chip}", known.entry)),
        (Some(known), _) => fail(format!("{} is for {}, not for {chip}", known.entry, known.entry.chips.join(", "))),
        (None, Some(near)) if near.runs_on(chip) => pass(format!("made from {}, which runs on {chip}", near.source())),
        (None, Some(near)) => fail(made_for_other_chips(near, chip)),
        (None, None) if case.fit.kind == Kind::Drv && chip == artery::NAME => {
            if case.seen.at32_aware {
                pass("supports the AT32F415")
            } else {
                fail(format!("not made for an {chip}: it does not support this chip"))
            }
        }
        (None, None) => pass("not in the catalog, so not known to be for another chip"),
    }
}

fn made_for_other_chips(near: &DerivedFrom, chip: &str) -> String {
    format!("made from {}, which is for {}, not for {chip}", near.source(), near.chips().join(", "))
}

fn gd32(case: &Case) -> GateResult {
    let chip = case.fit.chip.filter(|chip| chip.starts_with("gd32") && case.fit.kind == Kind::Drv)?;
    let near = case.near.as_ref();
    if case.seen.gd32_aware
        && let Some(near) = near.filter(|near| !near.runs_on(chip))
    {
        return fail(made_for_other_chips(near, chip));
    }
    if case.seen.gd32_aware || case.known.is_some_and(|known| known.entry.runs_on(chip)) {
        let entry = case.known.map(|known| known.entry).or(near.map(|near| near.entry));
        return pass(entry.and_then(|entry| entry.caution(chip)).unwrap_or("supports the GD32 chips"));
    }
    // A GD32F103 is programmed as an STM32 is; that old firmware runs on it has been seen on a model of it only.
    let what = if chip == "gd32e103" { "cannot program" } else { "not made for" };
    fail(format!("{what} a {chip}: it does not support the GD32 chips"))
}

fn size(case: &Case) -> GateResult {
    let (len, room) = (case.bytes().len(), case.fit.region().len());
    if len > room {
        return fail(format!("{len} bytes do not fit the region's {room}"));
    }
    pass(format!("{len} of {room} bytes"))
}

fn truncated(case: &Case) -> GateResult {
    let len = case.bytes().len();
    match (&case.known, case.seen.length, &case.near) {
        (Some(Identified { entry, .. }), ..) if entry.missing > 0 => {
            fail(format!("{entry} as published is missing its last {} bytes", entry.missing))
        }
        // The Ninebot bootloader as published lacks 16 zeros that its table names, and is the one that everybody runs.
        (Some(known), ..) if known.is_whole() => pass("whole"),
        (_, Some(needed), _) if needed > len => {
            fail(format!("{len} bytes, but its start-up table ends at {needed}: the end is missing"))
        }
        (_, _, Some(near)) if near.is_prefix(len) => {
            fail(format!("the first {len} bytes of {}, which has {}", near.entry, near.entry.size))
        }
        (_, Some(needed), _) => pass(format!("whole: its start-up table ends at {needed}")),
        (_, None, _) => pass("no sign that the end is missing"),
    }
}

fn address(case: &Case) -> GateResult {
    let (base, wanted) = (case.image.base?, case.fit.region().start);
    if base == wanted {
        pass(format!("begins at {base:#010x}"))
    } else {
        fail(format!("begins at {base:#010x}, not at {wanted:#010x}"))
    }
}

fn stack_pointer(case: &Case) -> GateResult {
    if !case.is_code() {
        return None;
    }
    let sram = &case.fit.map.sram;
    let Some(stack) = case.seen.stack_pointer else { return fail("too short for a vector table") };
    // More than the bootloader's own test: the stack grows down from here, so the end of SRAM is allowed.
    if !is_stack_pointer(stack) || stack <= sram.start || stack > sram.end || !stack.is_multiple_of(4) {
        return fail(format!(
            "the stack would begin at {stack:#010x}, outside {:#010x}..{:#010x}",
            sram.start, sram.end
        ));
    }
    pass(format!("the stack begins at {stack:#010x}"))
}

fn reset_vector(case: &Case) -> GateResult {
    if !case.is_code() {
        return None;
    }
    let region = &case.fit.region();
    let Some(reset) = case.seen.reset else { return fail("too short for a vector table") };
    let end = region.start.saturating_add(case.bytes().len() as u32).min(region.end);
    if reset & 1 == 0 {
        return fail(format!("the reset vector {reset:#010x} is even, so this is not Thumb code"));
    }
    if !(region.start..end).contains(&reset) {
        return fail(format!("the reset vector {reset:#010x} lies outside {:#010x}..{end:#010x}", region.start));
    }
    pass(format!("starts at {reset:#010x}"))
}

fn boot_known(case: &Case) -> GateResult {
    if case.fit.kind != Kind::Boot {
        return None;
    }
    match (&case.known, &case.near) {
        (Some(known), _) if known.is_whole() => pass(format!("{}", known.entry)),
        (Some(known), _) => fail(format!("{} without its last bytes", known.entry)),
        (None, Some(near)) => fail(format!("an unknown bootloader, similar to {}", near.entry)),
        (None, None) => fail("an unknown bootloader"),
    }
}

fn data_block(case: &Case) -> GateResult {
    if case.fit.kind != Kind::Data {
        return None;
    }
    let block = match DataBlock::parse(case.bytes()) {
        Ok(block) => block,
        Err(error) => return fail(error.to_string()),
    };
    let Some(serial) = block.serial() else {
        let factory = "its serial number is a factory default: the scooter would show error 35";
        return fail(if block.has_factory_serial() { factory } else { "it has no serial number" });
    };
    let rule = |target: &'static Target| &target.serial;
    match Target::builtin(case.fit.scooter).map(rule) {
        Some(rule) if !rule.fits(serial) => {
            if let Err(error) = rule.read(serial.as_str()) {
                return fail(error.to_string());
            }
        }
        None if !Target::all().iter().any(|target| target.serial.fits(serial)) => {
            return fail(format!("its serial number {serial} is not that of any scooter supported here"));
        }
        _ => {}
    }
    if !block.mileage().is_known() {
        return fail(block.mileage().to_string());
    }
    pass(format!("serial number {serial}, {}", block.mileage()))
}

impl<'a> Fit<'a> {
    /// What an image of this kind has to fit on a scooter, on any chip. An unknown image is asked as a DRV: the gates that it
    /// fails tell why it is not one.
    pub fn new(target: &'a Target, kind: Kind) -> Self {
        Self::on(&target.map, &target.name, kind)
    }

    fn on(map: &'a FlashMap, scooter: &'a str, kind: Kind) -> Self {
        let kind = if kind == Kind::Unknown { Kind::Drv } else { kind };
        Self { kind, map, scooter, chip: None, rehearsal: RehearsalImages::Refused }
    }

    /// Where the image goes in flash.
    pub fn region(&self) -> Range<u32> {
        let regions = &self.map.regions;
        match self.kind {
            Kind::Boot => regions.boot.clone(),
            Kind::Data => regions.data.start..regions.data.start + LEN as u32,
            Kind::Drv | Kind::Unknown => regions.drv.clone(),
        }
    }
}

impl Fit<'static> {
    /// What an image would have to fit by its own account: the first scooter that it seems to be for, on any chip.
    pub fn assumed(image: &Image) -> Self {
        if let Some(drv) = firmware_of(image) {
            return Self::assumed(&drv);
        }
        let map = inspect(&image.bytes).layout.unwrap_or(FlashMap::smallest());
        Self::on(map, assumed_scooter(image), image.kind())
    }
}

/// The first scooter that an image is for; of several one that its package names, if there is any. A data block is for the
/// one whose serials it has.
fn assumed_scooter(image: &Image) -> &'static str {
    if let Some(serial) = DataBlock::parse(&image.bytes).ok().and_then(|block| block.serial()) {
        let owner = Target::all().iter().find(|target| target.serial.fits(serial));
        return owner.map(|target| &*target.name).unwrap_or_default();
    }
    let scooters = scooters_of(image);
    let packed = image.package.as_ref().map_or_else(Vec::new, Package::scooters);
    let both = scooters.iter().find(|scooter| packed.contains(scooter));
    both.or(scooters.first()).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        block::{Mileage, Serial},
        image::{cipher, sample::Sample},
    };

    fn pro(kind: Kind) -> Fit<'static> {
        Fit { chip: Some("stm32f103"), ..Fit::new(Target::builtin("pro").unwrap(), kind) }
    }

    fn failed(bytes: &[u8], fit: &Fit) -> Vec<(&'static str, String)> {
        let gates = gates(&Image::from_bytes(bytes).unwrap(), fit);
        gates.into_iter().filter(|gate| !gate.passed).map(|gate| (gate.name, gate.detail)).collect()
    }

    fn names(bytes: &[u8], fit: &Fit) -> Vec<&'static str> {
        failed(bytes, fit).into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn names_are_words_for_the_command_line_and_differ() {
        let distinct: std::collections::BTreeSet<_> = GATES.iter().collect();
        assert_eq!(distinct.len(), GATES.len());
        assert!(GATES.iter().all(|name| name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))));
    }

    #[test]
    fn a_plausible_unknown_drv_passes() {
        assert_eq!(failed(&Sample::drv(27_000).start_up_table().bytes(), &pro(Kind::Drv)), []);
        assert_eq!(failed(&cipher::encrypt(&Sample::drv(27_000).bytes()), &pro(Kind::Drv)), []);
    }

    #[test]
    fn a_drv_that_is_too_long_fails_by_its_size_alone() {
        let fault = ("size", "29700 bytes do not fit the region's 29696".to_owned());
        assert_eq!(failed(&Sample::drv(29_700).bytes(), &pro(Kind::Drv)), [fault]);
        assert_eq!(failed(&Sample::drv(29_696).bytes(), &pro(Kind::Drv)), []);
    }

    #[test]
    fn a_data_block_is_no_drv() {
        let block = block("21886/00012345");
        assert_eq!(failed(&block, &pro(Kind::Drv))[0], ("kind", "a data block, not DRV firmware".into()));
        let place = pro(Kind::Data);
        assert_eq!(failed(&block, &place), []);
        assert_eq!(names(&Sample::drv(400).bytes(), &place), ["kind", "data-block"]);
    }

    fn block(serial: &str) -> Vec<u8> {
        let mut bytes = DataBlock::template().as_bytes().to_vec();
        let at = DataBlock::template().with_serial(Serial::from_bytes(b"21886/00012345").unwrap());
        let at = at.as_bytes().windows(14).position(|window| window == b"21886/00012345").unwrap();
        bytes[at..at + 14].copy_from_slice(serial.as_bytes());
        let mileage = bytes.clone();
        DataBlock::parse(&mileage).unwrap().with_mileage(Mileage::from_metres(5000).unwrap()).as_bytes().to_vec()
    }

    #[test]
    fn a_data_block_is_judged_as_the_command_that_writes_it_would() {
        let place = |scooter| Fit { scooter, ..pro(Kind::Data) };
        let of = |serial, scooter| failed(&block(serial), &place(scooter));
        assert_eq!(of("21886/00012345", "pro"), []);
        assert_eq!(of("M1GCA1606ABCDE", "m365"), [], "an early one");
        assert_eq!(of("21886/00012345", ""), []);
        let default = "its serial number is a factory default: the scooter would show error 35";
        assert_eq!(of("M1GCA1601C0001", "m365"), [("data-block", default.into())]);
        let [(name, detail)] = &of("N2GSD1234C5678", "pro")[..] else { panic!("it passes") };
        assert_eq!(*name, "data-block");
        assert!(detail.starts_with("invalid serial number \"N2GSD1234C5678\""), "{detail}");
        let unknown = "its serial number 99999-12345678 is not that of any scooter supported here";
        assert_eq!(of("99999-12345678", ""), [("data-block", unknown.into())]);
        let mut bytes = block("21886/00012345");
        let driven = DataBlock::parse(&bytes).unwrap().with_mileage(Mileage::from_metres(0).unwrap());
        let at = driven.as_bytes().iter().zip(&bytes).position(|(a, b)| a != b).unwrap();
        bytes[at..at + 4].fill(0xFF);
        assert_eq!(failed(&bytes, &place("pro")), [("data-block", "unknown mileage (0xffffffff)".into())]);
    }

    #[test]
    fn a_whole_dump_has_to_be_taken_apart_first() {
        let fault = ("kind", "a dump of 65536 bytes of flash, not DRV firmware".to_owned());
        assert_eq!(failed(&vec![0x55; 0x1_0000], &pro(Kind::Drv))[0], fault);
    }

    #[test]
    fn an_image_of_the_other_layout_fails_by_its_layout() {
        let fault = "linked for 128 KiB of flash, with its data at 0x0801c000 instead of 0x0800f800";
        assert_eq!(
            failed(&Sample::drv(27_000).layout(FlashMap::largest()).bytes(), &pro(Kind::Drv)),
            [("layout", fault.into())]
        );
        let mut lost = Sample::drv(27_000).bytes();
        lost[0x120..0x130].fill(0x55);
        assert_eq!(names(&lost, &pro(Kind::Drv)), ["layout"]);
    }

    #[test]
    fn a_cut_off_drv_fails_by_its_start_up_table() {
        let whole = Sample::drv(27_000).start_up_table().bytes();
        let fault = "20000 bytes, but its start-up table ends at 26992: the end is missing";
        assert_eq!(failed(&whole[..20_000], &pro(Kind::Drv)), [("truncated", fault.into())]);
    }

    #[test]
    fn vectors_have_to_lead_into_ram_and_into_the_image() {
        let with = |at: usize, word: u32| {
            let mut bytes = Sample::drv(27_000).bytes();
            bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
            names(&bytes, &pro(Kind::Drv))
        };
        for stack in [0, 0x2000_0000, 0x2000_5004, 0x2002_0000, 0x2000_2301, 0x0800_1101] {
            assert_eq!(with(0, stack), ["stack-pointer"], "{stack:#x}");
        }
        assert!(with(0, 0x2000_5000).is_empty());
        for reset in [0x0800_1100, 0x0800_1000 + 27_001, 0x0800_8401, 0] {
            assert_eq!(with(4, reset), ["reset-vector"], "{reset:#x}");
        }
        assert_eq!(with(4, 0x0800_0101), ["kind", "reset-vector"]);
        assert_eq!(names(b"hello\0", &pro(Kind::Drv)), ["layout", "stack-pointer", "reset-vector"]);
    }

    #[test]
    fn blank_and_encrypted_bytes_are_called_so() {
        assert_eq!(failed(&[0xFF; 9000], &pro(Kind::Drv))[0], ("blank", "all 9000 bytes are 0xff".into()));
        assert_eq!(failed(&[0; 9000], &pro(Kind::Drv))[0].0, "blank");
        let mut damaged = cipher::encrypt(&Sample::drv(27_000).bytes());
        damaged[5000] ^= 1;
        assert_eq!(names(&damaged, &pro(Kind::Drv))[0], "encrypted");
    }

    #[test]
    fn a_gd32_needs_a_drv_that_knows_it() {
        let unaware = Sample::drv(27_000).bytes();
        let aware = Sample::drv(27_000).code(&hex::decode("3343424833434241").unwrap()).bytes();
        for (chip, what) in [("gd32f103", "not made for"), ("gd32e103", "cannot program")] {
            let fit = Fit { chip: Some(chip), ..pro(Kind::Drv) };
            let fault = format!("{what} a {chip}: it does not support the GD32 chips");
            assert_eq!(failed(&unaware, &fit), [("gd32", fault)]);
            assert_eq!(failed(&aware, &fit), []);
        }
        assert_eq!(failed(&aware, &pro(Kind::Drv)), []);
        assert_eq!(failed(&unaware, &Fit { chip: None, ..pro(Kind::Drv) }), []);
    }

    #[test]
    fn an_at32_needs_a_drv_that_knows_it() {
        let unaware = Sample::drv(27_000).bytes();
        let aware = Sample::drv(27_000).code(&0x7003_01C5u32.to_le_bytes()).bytes();
        let fit = Fit { chip: Some("at32f415"), ..pro(Kind::Drv) };
        let fault = "not made for an at32f415: it does not support this chip".to_owned();
        assert_eq!(failed(&unaware, &fit), [("chip", fault)]);
        assert_eq!(failed(&aware, &fit), []);
        // Firmware for both chips runs on an STM32, and on neither chip of GigaDevice.
        assert_eq!(failed(&aware, &pro(Kind::Drv)), []);
        assert_eq!(names(&aware, &Fit { chip: Some("gd32e103"), ..pro(Kind::Drv) }), ["gd32"]);
    }

    #[test]
    fn an_unknown_bootloader_is_refused() {
        let fit = Fit { rehearsal: RehearsalImages::Allowed, ..pro(Kind::Boot) };
        let ours = crate::sim::BOOT;
        assert_eq!(failed(ours, &fit), []);
        let fault = ("boot-known", "rehearsal bootloader without its last bytes".to_owned());
        assert_eq!(failed(&ours[..ours.len() - 2], &fit), [fault]);
        assert_eq!(failed(&Sample::boot(3000).bytes(), &fit), [("boot-known", "an unknown bootloader".into())]);
        assert_eq!(names(&Sample::boot(4098).bytes(), &fit), ["size", "boot-known"]);
        assert_eq!(names(&Sample::drv(3000).bytes(), &fit), ["kind", "reset-vector", "boot-known"]);
    }
}
