//! One function for each parser of outside input. It takes any bytes and asserts properties that hold for all inputs.
//!
//! The fuzzer calls these functions (`tests/fuzz/run`), and each test run calls them with the inputs that the fuzzer
//! has kept in `tests/fuzz/corpus`.

use std::{
    fs,
    io::{Cursor, Write as _},
    path::Path,
    time::Duration,
};

use m365_drv::{
    block::{DataBlock, Mileage, Serial, Uid},
    board::{ConnectOptions, Probes},
    image::{Dump, FirmwareType, Fit, Format, GATES, Image, ImageReport, Kind, RehearsalImages, cipher, gates},
    ops::{Backup, Job, Known, info},
    sim::SimBoard,
    target::Target,
};
use zip::{ZipWriter, write::SimpleFileOptions};

/// Performs every check that the program makes on an image before it decides whether to flash it.
fn look_at(image: &Image) {
    let _ = ImageReport::new(image);
    for target in Target::all() {
        for (kind, region) in [(Kind::Boot, &target.map.regions.boot), (Kind::Drv, &target.map.regions.drv)] {
            for chip in [None, Some("stm32f103"), Some("gd32e103")] {
                let fit = Fit { chip, rehearsal: RehearsalImages::Allowed, ..Fit::new(target, kind) };
                let answers = gates(image, &fit);
                let mut order = answers.iter().map(|gate| GATES.iter().position(|name| *name == gate.name));
                assert!(order.all(|place| place.is_some()), "a gate that is not in GATES");
                if answers.iter().all(|gate| gate.passed) {
                    assert!(image.bytes.len() <= region.len(), "an image longer than its region passed");
                    assert!(image.base.is_none_or(|base| base == region.start), "an image for another address passed");
                }
            }
        }
        if let Ok(part) = image.clone().part(&target.map.regions.drv) {
            assert!(part.bytes.len() <= image.bytes.len());
        }
    }
}

/// An update package: the zip directory and its members.
pub fn zip(bytes: &[u8]) {
    let Ok(image) = Image::from_bytes(bytes) else { return };
    let is_drv = image.package.as_ref().is_some_and(|package| package.firmware == FirmwareType::Drv);
    if image.format == Format::Package && is_drv {
        assert!(image.bytes.len() <= 128 * 1024, "a member above the size limit");
    }
    look_at(&image);
}

const FIRMWARE: &[u8] = &[0x5A; 64];

/// Puts a description into an otherwise valid package.
fn info_file(name: &str, bytes: &[u8]) {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, bytes) in [("FIRM.bin", FIRMWARE), ("FIRM.bin.enc", &cipher::encrypt(FIRMWARE)), (name, bytes)] {
        writer.start_file(name, options).expect("a member");
        writer.write_all(bytes).expect("memory");
    }
    if let Ok(image) = Image::from_bytes(&writer.finish().expect("a zip").into_inner()) {
        assert_eq!(image.bytes, FIRMWARE, "a description changed the firmware");
        look_at(&image);
    }
}

/// The `info.json` of a package.
pub fn info_json(bytes: &[u8]) {
    info_file("info.json", bytes);
}

/// The `info.txt` of a package.
pub fn info_txt(bytes: &[u8]) {
    info_file("info.txt", bytes);
}

/// An Intel HEX file.
pub fn hex(bytes: &[u8]) {
    let text = [b":", bytes].concat();
    let Ok(image) = Image::from_bytes(&text) else { return };
    if image.format == Format::Hex {
        let base = image.base.expect("a HEX file has addresses");
        assert!(base.checked_add(image.bytes.len() as u32).is_some(), "an image beyond the end of the address space");
    }
    look_at(&image);
}

/// The gates, applied to plain code.
pub fn gates_of_code(bytes: &[u8]) {
    if let Ok(image) = Image::from_bytes(bytes) {
        look_at(&image);
    }
}

/// A scooter description.
pub fn scooter(bytes: &[u8]) {
    let Ok(target) = str::from_utf8(bytes).map_err(drop).and_then(|text| Target::from_yaml(text).map_err(drop)) else {
        return;
    };
    if target.validate().is_empty()
        && let Ok(serial) = Serial::parse(&target.serial.example, &target.serial.pattern)
    {
        let _ = target.serial.change_of_region(None, serial.prefix());
    }
}

/// The `board.yaml` of a saved board, which is loaded and then read over a simulated probe.
pub fn saved_board(bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).expect("a file");
    write("board.yaml", bytes);
    write("flash.bin", &vec![0xFF; 0x1_0000]);
    write("sram.bin", &vec![0x20; 0x5000]);
    write("option-bytes.bin", &[0xFF; 16]);
    let Ok(board) = SimBoard::load(folder.path()) else { return };
    let copy = tempfile::tempdir().expect("a folder");
    board.save(copy.path()).expect("a board can be saved");
    let again = SimBoard::load(copy.path()).expect("a saved board can be loaded");
    assert_eq!(again.uid(), board.uid());
    again.save(folder.path()).expect("a board can be saved again");
    let text = |folder: &Path| fs::read_to_string(folder.join("board.yaml")).expect("a description");
    assert_eq!(text(folder.path()), text(copy.path()), "saving and loading changed the board");

    board.clock().sleep(Duration::from_micros(50));
    let probes = Probes::new(board.probe_lister(), board.clock());
    let (mut known, mut silent) = (Known::default(), ());
    let mut job = Job::new(&probes, ConnectOptions::default(), &mut silent, &mut known);
    let _ = info(&mut job);
}

/// A backup file.
pub fn backup(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let Ok(backup) = Backup::decode(text) else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("backup.json");
    backup.save(&path).expect("a backup can be saved");
    assert_eq!(Backup::open(&path).expect("a saved backup can be read"), backup);
}

/// A dump of flash in whatever form, with the option bytes behind.
pub fn dump(bytes: &[u8]) {
    // Long enough to be all of flash.
    let mut flash = bytes.to_vec();
    flash.resize(0x1_0000, 0xFF);
    for bytes in [bytes, &flash, &flash[0x1000..], &[&flash[..], bytes].concat()] {
        let Ok(dump) = Dump::from_bytes(bytes) else { continue };
        let _ = (dump.to_string(), dump.option_bytes(), dump.uid());
        for target in Target::all() {
            let place = target.map.regions.data.start;
            for block in dump.blocks(place) {
                assert_eq!(DataBlock::parse(block.block.as_bytes()), Ok(block.block));
            }
            for region in [&target.map.regions.boot, &target.map.regions.drv, &target.map.regions.data] {
                let missing = dump.missing(region);
                assert!(missing.iter().all(|gap| region.start <= gap.start && gap.end <= region.end));
                if let Some(part) = dump.part(region).filter(|_| dump.is_flash()) {
                    assert!(part.bytes.len() <= region.len(), "more than the region");
                }
            }
        }
        if let Some(image) = dump.image() {
            look_at(image);
        }
    }
}

/// A serial number and a data block that holds it.
pub fn serial(bytes: &[u8]) {
    if let Ok(block) = DataBlock::parse(bytes) {
        let _ = (block.summary(), block.registers().count());
        let uid = Uid([1, 2, 3]);
        assert_eq!(block.with_uid(uid).uid(), uid);
    }
    let Ok(text) = str::from_utf8(bytes) else { return };
    let _ = (Target::named(text), Mileage::parse_metres(text));
    if let Ok(mileage) = Mileage::parse_km(text) {
        assert!(i32::try_from(mileage.metres()).is_ok(), "more than some readers of the register take");
    }
    if let Ok(uid) = text.parse::<Uid>() {
        assert_eq!(uid.to_string().parse(), Ok(uid));
    }
    for target in Target::all() {
        if let Ok(serial) = Serial::parse(text, &target.serial.pattern) {
            assert_eq!(Serial::parse(serial.as_str(), &target.serial.pattern), Ok(serial));
            assert!(!Serial::is_factory_default(serial.as_bytes()), "a factory default was accepted");
            assert_eq!(DataBlock::template().with_serial(serial).serial(), Some(serial));
            let _ = target.serial.change_of_region(Some("26354"), serial.prefix());
        }
    }
}
