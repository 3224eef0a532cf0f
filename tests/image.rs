//! Identification and checks of images: the repository's own and, if available, the vendors' files.
//!
//! `M365_DRV_FIRMWARE` lists folders of vendor files in the form of `PATH`. If it is not set, the tests that need
//! vendor files print a note and pass.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use m365_drv::{
    image::{
        Catalog, Entry, Fit, Format, Image, ImageError, ImageReport, Kind, PackageError, PublishedFile,
        RehearsalImages, cipher, find, gates, inspect, md5, sha256,
    },
    target::{FlashMap, Target},
    version::Version,
};

use crate::setup::skip;

const FLASH: u32 = 0x0800_0000;

/// Every file in the folders listed in `M365_DRV_FIRMWARE`.
fn vendor_files() -> Vec<PathBuf> {
    let Some(folders) = std::env::var_os("M365_DRV_FIRMWARE") else {
        skip("M365_DRV_FIRMWARE names no folder with vendor images");
        return vec![];
    };
    let mut files = vec![];
    let mut folders: Vec<PathBuf> = std::env::split_paths(&folders).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    files
}

/// The catalog entry that a vendor file matches byte for byte, including published padding.
fn published(bytes: &[u8]) -> Option<&'static Entry> {
    let digest = sha256(bytes);
    let is = |file: &PublishedFile| file.sha256 == digest;
    Catalog::builtin().entries().find(|entry| entry.sha256 == digest || entry.files.iter().any(is))
}

fn published_images() -> impl Iterator<Item = (PathBuf, Vec<u8>, &'static Entry)> {
    vendor_files().into_iter().filter_map(|path| {
        let bytes = fs::read(&path).unwrap();
        let entry = published(&bytes)?;
        Some((path, bytes, entry))
    })
}

/// The published images for scooters that this program supports.
fn vendor_images() -> impl Iterator<Item = (PathBuf, Vec<u8>, &'static Entry)> {
    published_images().filter(|(_, _, entry)| is_ours(entry))
}

fn is_ours(entry: &Entry) -> bool {
    entry.scooters.iter().any(|scooter| Target::builtin(scooter).is_some())
}

/// [FW] publishes Pro 1.6.0 without its last 36 bytes, which hold initial values that its start-up code copies.
fn is_cut_off_as_published(entry: &Entry) -> bool {
    entry.name == "Pro DRV 1.6.0"
}

fn fit<'a>(kind: Kind, scooter: &'a str, chip: Option<&'a str>) -> Fit<'a> {
    let map = Target::builtin(scooter).map_or(FlashMap::largest(), |target| &target.map);
    Fit { kind, map, scooter, chip, rehearsal: RehearsalImages::Refused }
}

fn failed(image: &Image, fit: &Fit) -> Vec<(&'static str, String)> {
    gates(image, fit).into_iter().filter(|gate| !gate.passed).map(|gate| (gate.name, gate.detail)).collect()
}

#[test]
fn every_vendor_image_is_known_as_a_file_and_as_a_region_of_flash() {
    for (path, bytes, entry) in published_images() {
        let known = |bytes: &[u8]| Catalog::builtin().identify(bytes).map(|known| known.entry.name.as_str());
        let mut flash = bytes.clone();
        flash.resize(bytes.len() + 3000, 0xFF);
        assert_eq!((known(&bytes), known(&flash)), (Some(&*entry.name), Some(&*entry.name)), "{path:?}");
        let report = ImageReport::new(&Image::from_bytes(&bytes).unwrap());
        assert!(report.known, "{path:?}");
        assert_eq!((report.kind, report.version), (entry.kind, entry.version), "{path:?}");
    }
}

#[test]
fn every_vendor_drv_tells_its_version_and_its_length_itself() {
    for (path, bytes, entry) in vendor_images().filter(|(_, _, entry)| entry.kind == Kind::Drv) {
        let seen = inspect(&bytes);
        // 4 Pro 0.2.2 stores its version once, by a short instruction that is too common to go by.
        let is_told = !entry.is_for("4pro");
        assert_eq!(seen.version, entry.version.filter(|_| is_told), "{path:?}");
        let length = seen.length.unwrap();
        if is_cut_off_as_published(entry) {
            assert_eq!(length, entry.size + 36);
            continue;
        }
        // That of the 4 Pro goes on behind its initial values, with texts and tables.
        let behind = if is_told { 8 } else { 1344 };
        assert!(length <= entry.size && entry.size - length <= behind, "{path:?}: {length} of {}", entry.size);
        assert_eq!(seen.gd32_aware, entry.runs_on("gd32e103"), "{path:?}");
    }
}

#[test]
fn every_vendor_image_passes_the_gates_of_its_scooter_and_fails_those_of_the_other_layout() {
    for (path, bytes, entry) in vendor_images().filter(|(_, _, entry)| entry.kind != Kind::Data) {
        let image = Image::from_bytes(&bytes).unwrap();
        for scooter in entry.scooters.iter().filter(|scooter| Target::builtin(scooter).is_some()) {
            for chip in &entry.chips {
                let failed = failed(&image, &fit(entry.kind, scooter, Some(chip)));
                if is_cut_off_as_published(entry) {
                    assert_eq!(failed[0].0, "truncated");
                } else if entry.refused.is_some() {
                    assert_eq!(failed[0].0, "scooter", "{path:?}");
                } else {
                    assert_eq!(failed, [], "{path:?} {scooter} {chip}");
                }
            }
        }
        let is_large =
            |scooter: &String| Target::builtin(scooter).is_some_and(|target| target.map == *FlashMap::largest());
        let other = if entry.scooters.iter().any(is_large) { "pro" } else { "es2" };
        let names = failed(&image, &fit(entry.kind, other, None)).into_iter().map(|(name, _)| name);
        let names: Vec<_> = names.filter(|name| *name != "ident").collect();
        assert!(names.starts_with(&["scooter", "layout"]), "{path:?} {names:?}");
        if entry.kind == Kind::Drv && !entry.runs_on("gd32e103") {
            let fit = fit(entry.kind, &entry.scooters[0], Some("gd32e103"));
            assert_eq!(failed(&image, &fit)[0].0, "gd32", "{path:?}");
        }
    }
}

#[test]
fn every_cut_off_vendor_drv_is_refused() {
    for (path, bytes, entry) in vendor_images().filter(|(_, _, entry)| entry.kind == Kind::Drv) {
        for len in [1024, 4096, 13_000, 20_000, entry.size - 1024, entry.size - 16] {
            let image = Image::from_bytes(&bytes[..len]).unwrap();
            let failed = failed(&image, &fit(Kind::Drv, &entry.scooters[0], None));
            assert!(failed.iter().any(|(name, _)| *name == "truncated"), "{path:?} cut to {len}: {failed:?}");
        }
    }
}

#[test]
fn every_vendor_drv_with_a_missing_kib_is_refused() {
    let mut done = BTreeSet::new();
    for (path, bytes, entry) in vendor_images().filter(|(_, _, entry)| entry.kind == Kind::Drv) {
        if !done.insert(&entry.name) || is_cut_off_as_published(entry) {
            continue;
        }
        let fit = fit(Kind::Drv, &entry.scooters[0], None);
        let bytes = &bytes[..entry.size];
        let image = Image { base: Some(FLASH + 0x1000), ..Image::from_bytes(bytes).unwrap() };
        for start in (0..bytes.len()).step_by(1024) {
            let end = bytes.len().min(start + 1024);
            for value in [0xFF, 0x00] {
                let mut punched = image.clone();
                punched.bytes[start..end].fill(value);
                // What is behind the end of its own start-up table may be padding, and padding may be anything.
                let is_padding = inspect(bytes).length.is_some_and(|length| start >= length);
                assert!(is_padding || !failed(&punched, &fit).is_empty(), "{path:?} {value:#04x} at {start:#x}");
            }
            let gap = start..bytes.len().min(start + 16);
            if gap.end < bytes.len() {
                let mut punched = Image { gaps: vec![gap.clone()], ..image.clone() };
                punched.bytes[gap].fill(0xFF);
                let names: Vec<_> = failed(&punched, &fit).into_iter().map(|(name, _)| name).collect();
                assert!(names.contains(&"hole"), "{path:?} at {start:#x}: {names:?}");
            }
        }
    }
}

#[test]
fn no_vendor_drv_with_a_changed_byte_is_taken_for_one_with_a_hole() {
    for (path, bytes, entry) in published_images().filter(|(_, _, entry)| entry.kind == Kind::Drv) {
        for at in (0x200..entry.size).step_by(1021) {
            let mut changed = bytes.clone();
            changed[at] ^= 0x10;
            let failed = failed(&Image::from_bytes(&changed).unwrap(), &fit(Kind::Drv, &entry.scooters[0], None));
            assert!(failed.iter().all(|(name, _)| *name != "hole"), "{path:?} {at:#x} {failed:?}");
        }
    }
}

#[test]
fn a_bootloader_with_damaged_vectors_is_called_one_and_its_hole_has_its_address() {
    for (path, bytes, entry) in vendor_images().filter(|(_, _, entry)| entry.kind == Kind::Boot) {
        let mut punched = bytes.clone();
        punched[..256].fill(0xFF);
        let image = Image::from_bytes(&punched).unwrap();
        assert_eq!(image.kind(), Kind::Boot, "{path:?}");
        let hole = failed(&image, &Fit::assumed(&image)).into_iter().find(|(name, _)| *name == "hole").unwrap().1;
        assert!(hole.starts_with("256 bytes of 0xff at 0x08000000, where "), "{path:?} {entry}: {hole}");
    }
}

#[test]
fn every_vendor_update_file_is_decrypted_to_a_known_image() {
    for path in vendor_files().into_iter().filter(|path| path.to_string_lossy().ends_with(".bin.enc")) {
        let image = Image::open(&path).unwrap();
        assert_eq!(image.format, Format::Encrypted, "{path:?}");
        let known = Catalog::builtin().identify(&image.bytes).is_some();
        let other = path.iter().any(|folder| folder == "BMS" || folder == "BLE");
        assert!(known || other, "{path:?}");
    }
}

#[test]
fn every_vendor_package_passes_for_its_scooter() {
    for path in vendor_files().into_iter().filter(|path| path.extension().is_some_and(|end| end == "zip")) {
        let image = match Image::open(&path) {
            Ok(image) => image,
            // [FW] publishes firmware of dashboards too.
            Err(ImageError::Package(PackageError::OtherBoard(_))) => continue,
            Err(error) => panic!("{path:?}: {error}"),
        };
        let Some(known) = Catalog::builtin().identify(&image.bytes).filter(|known| is_ours(known.entry)) else {
            continue;
        };
        let entry = known.entry;
        for chip in entry.chips.iter().filter(|_| !is_cut_off_as_published(entry)) {
            assert_eq!(failed(&image, &fit(Kind::Drv, &entry.scooters[0], Some(chip))), [], "{path:?} {chip}");
        }
        let other = if entry.is_for("es2") { "pro" } else { "es2" };
        assert!(!failed(&image, &fit(Kind::Drv, other, None)).is_empty(), "{path:?}");
    }
}

#[test]
fn encrypting_a_vendor_image_gives_what_the_reference_gives() {
    // Made with NinebotTEA 3db73f5; the vendor's own 1.4.0 package also states the MD5 of the first.
    let vectors = [
        ("fc37955021307f3f", 26_768, "d3aa3f5503a2d9dff0225d2281777e0929180268d76f3ad6062c268686977686"),
        ("80f31ad6bc792c25", 27_768, "8711fef120fd9577e9c04a4e094d7206a5c064c75d9f000ed217f26942e0fb73"),
        ("0aa11665787bfb4c", 27_584, "475bbfbd4595ea61e08d2c4b552cfe10e5c458a02302d4f1bff942dc72cac56c"),
    ];
    for (path, bytes, _) in vendor_images() {
        let digest = sha256(&bytes).to_string();
        for (_, len, expected) in vectors.iter().filter(|(start, ..)| digest.starts_with(start)) {
            let encrypted = cipher::encrypt(&bytes);
            assert_eq!((encrypted.len(), sha256(&encrypted).to_string().as_str()), (*len, *expected), "{path:?}");
            if *len == 26_768 {
                assert_eq!(md5(&encrypted).to_string(), "fbd982feb4396502909be945c43d950c");
            }
        }
    }
}

#[test]
fn a_changed_vendor_image_is_named_after_its_original() {
    for (path, bytes, entry) in vendor_images().filter(|(_, _, entry)| entry.kind == Kind::Drv) {
        let mut changed = bytes.clone();
        changed[0x2000] ^= 0x40;
        let report = ImageReport::new(&Image::from_bytes(&changed).unwrap());
        let near = report.near.unwrap_or_else(|| panic!("{path:?}"));
        let proved: Vec<_> = near.changes.unwrap_or_default().iter().map(|change| change.offset).collect();
        // The 1.5.5 that does not protect differs from the official one in one byte, so either may be the nearer.
        if entry.version != Some(Version(0x155)) {
            assert_eq!((near.entry.name.as_str(), proved), (entry.name.as_str(), vec![0x2000]), "{path:?}");
        }
    }
}

#[test]
fn a_vendor_image_with_changes_in_every_kib_is_named_after_one_for_its_scooters() {
    for (path, bytes, entry) in published_images().filter(|(_, _, entry)| entry.kind == Kind::Drv) {
        for (first, step) in [(0x200, 1000), (0x1F0, 128)] {
            let mut changed = bytes.clone();
            for at in (first..entry.size).step_by(step) {
                changed[at] ^= 0x40;
            }
            let near =
                ImageReport::new(&Image::from_bytes(&changed).unwrap()).near.unwrap_or_else(|| panic!("{path:?}"));
            assert_eq!(near.scooters(), entry.scooters, "{path:?} {step}");
            assert!(near.is_modified(), "{path:?} {step}");
            // Some versions differ from the next in fewer places than were changed here.
            let is_it = step == 128 || near.entries().any(|near| near.version == entry.version);
            assert!(is_it, "{path:?}: {}", near.source());
        }
    }
}

#[test]
fn no_vendor_image_is_taken_for_one_of_another_scooter() {
    for (path, bytes, entry) in published_images().filter(|(_, _, entry)| entry.kind == Kind::Drv) {
        // Its beginning and its end are from nowhere.
        let mut other = bytes.clone();
        for page in [0..entry.size / 3, 2 * entry.size / 3..entry.size] {
            other[page].fill(0x55);
        }
        if let Some(near) = Catalog::builtin().nearest(&other) {
            assert_eq!(near.entry.scooters, entry.scooters, "{path:?}");
        }
    }
}

#[test]
fn every_vendor_image_is_found_for_its_scooter_and_chip() {
    let Some(folders) = std::env::var_os("M365_DRV_FIRMWARE") else { return };
    let shelf = find(&std::env::split_paths(&folders).collect::<Vec<_>>(), &AtomicBool::new(false)).unwrap();
    let on_disk: BTreeSet<_> = vendor_images().map(|(_, _, entry)| &entry.name).collect();
    let found: BTreeSet<_> = shelf.all().iter().map(|found| &found.entry.name).collect();
    assert!(on_disk.is_subset(&found));
    for scooter in Target::all().iter().map(|target| &*target.name) {
        for chip in [None, Some("stm32f103"), Some("gd32f103"), Some("gd32e103")] {
            for kind in [Kind::Boot, Kind::Drv] {
                let suitable = shelf.suitable(scooter, kind, chip);
                assert!(suitable.is_sorted_by_key(|found| found.entry.version));
                for found in suitable {
                    assert_eq!(failed(&found.image, &fit(kind, scooter, chip)), [], "{:?}", found.path);
                }
            }
        }
    }
}

#[test]
fn firmware_of_every_other_ninebot_is_refused_changed_or_not() {
    for (path, bytes, entry) in published_images().filter(|(_, _, entry)| entry.kind == Kind::Drv && !is_ours(entry)) {
        let mut changed = bytes.clone();
        changed[0x2000] ^= 0x40;
        for bytes in [bytes, changed] {
            let failed = failed(&Image::from_bytes(&bytes).unwrap(), &fit(Kind::Drv, "es2", Some("stm32f103")));
            assert_eq!(failed[0].0, "scooter", "{path:?} {entry}");
        }
    }
}

#[test]
fn firmware_of_every_battery_is_refused() {
    for path in vendor_files().into_iter().filter(|path| path.iter().any(|folder| folder == "BMS")) {
        let Ok(image) = Image::open(&path) else { continue };
        for scooter in ["pro", "es2"] {
            assert!(!failed(&image, &fit(Kind::Drv, scooter, Some("stm32f103"))).is_empty(), "{path:?}");
        }
    }
}

#[test]
fn the_repository_holds_no_vendor_image() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join("firmware"), root.join("tests"), root.join("targets")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(image) = Image::open(&path) {
                let vendor = Catalog::builtin().identify(&image.bytes).filter(|known| !known.entry.is_rehearsal());
                assert!(vendor.is_none(), "{path:?}");
            }
        }
    }
}
