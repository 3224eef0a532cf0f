//! Valid and hostile update packages, through the program. They are made here from our own application; the vendors'
//! packages are tested too if `M365_DRV_FIRMWARE` lists folders that hold them.

use std::{
    io::{Cursor, Write as _},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use m365_drv::{
    image::{Image, cipher, md5},
    sim::{APP_64, APP_128, BOOT},
};
use zip::{CompressionMethod, ZipArchive, ZipWriter, write::SimpleFileOptions};

use crate::{
    bench::{Bench, Lines},
    setup::skip,
};

const INFO: &str = "info.txt";
const JSON: &str = "info.json";
const PLAIN: &str = "FIRM.bin";
const ENCRYPTED: &str = "FIRM.bin.enc";

fn zip_of(method: CompressionMethod, members: &[(&str, &[u8])]) -> Vec<u8> {
    zip_with(SimpleFileOptions::default().compression_method(method), members)
}

fn zip_with(options: SimpleFileOptions, members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        writer.start_file(*name, options).expect("a member");
        writer.write_all(bytes).expect("memory");
    }
    writer.finish().expect("an archive").into_inner()
}

fn deflated(members: &[(&str, &[u8])]) -> Vec<u8> {
    zip_of(CompressionMethod::Deflated, members)
}

fn info_txt(device: &str, kind: &str, members: &str, digests: &str) -> String {
    format!("dev: {device};\nnam: REHEARSAL;\nenc: {members};\ntyp: {kind};\n{digests}")
}

fn info_json(model: &str, kind: &str, members: &str) -> String {
    let board = if model == "esx" { "esx" } else { "mi" };
    format!(
        r#"{{"schemaVersion": 1, "firmware": {{"displayName": "rehearsal", "model": "{model}", "enforceModel": true,
        "type": "{kind}", "compatible": ["{board}_DRV_STM32F103CxT6", "{board}_DRV_GD32E103CxT6"],
        "encryption": "{members}", "md5": {{"bin": "{}", "enc": "{}"}}}}}}"#,
        md5(APP_64),
        md5(&cipher::encrypt(APP_64))
    )
}

/// Both members with an `info.txt`, as web firmware builders made them for years.
fn legacy_both(method: CompressionMethod) -> Vec<u8> {
    let encrypted = cipher::encrypt(APP_64);
    let digests = format!("md5: {};\nmd5e: {};\n", md5(APP_64), md5(&encrypted));
    let info = info_txt("M365", "DRV", "B", &digests);
    zip_of(method, &[(PLAIN, APP_64), (ENCRYPTED, &encrypted), (INFO, info.as_bytes())])
}

/// Runs the whole job with the package and expects the exit code.
fn flash(bench: &Bench, package: &[u8], scooter: &str, exit: i32) -> Lines {
    bench.write("package.zip", package);
    let line = format!("--simulate=locked flash {scooter} --drv package.zip --erase-all --no-run");
    bench.m365(&line).exit(exit).json()
}

/// Expects a refusal before any contact, within a second of work, and returns its message with the causes.
fn refusal(bench: &Bench, package: &[u8], scooter: &str) -> String {
    let began = Instant::now();
    let lines = flash(bench, package, scooter, 8);
    assert!(began.elapsed() < Duration::from_secs(5), "a refusal takes one second, five on a busy machine");
    assert_eq!((&lines.result()["board"], lines.events("step").count()), (&"untouched".into(), 0));
    let causes = lines.result()["error"]["causes"].as_array().expect("a list");
    let causes = causes.iter().map(|cause| cause.as_str().unwrap_or_default().to_owned());
    [lines.message().to_owned()].into_iter().chain(causes).collect::<Vec<_>>().join(": ")
}

/// Overwrites bytes at an offset from each occurrence of `mark` in the archive.
fn patched(archive: &[u8], mark: &[u8], offset: usize, bytes: &[u8]) -> Vec<u8> {
    let mut archive = archive.to_vec();
    let places: Vec<_> = (0..archive.len() - mark.len()).filter(|at| archive[*at..].starts_with(mark)).collect();
    assert!(!places.is_empty());
    for at in places {
        archive[at + offset..at + offset + bytes.len()].copy_from_slice(bytes);
    }
    archive
}

#[test]
fn every_form_of_package_puts_the_same_application_on_the_board() {
    let encrypted = cipher::encrypt(APP_64);
    let plain_info = info_txt("M365", "DRV", "N", &format!("md5: {};\n", md5(APP_64)));
    let encrypted_info = info_txt("PRO", "DRV", "Y", &format!("md5e: {};\n", md5(&encrypted)));
    let both_info = info_txt("M365", "DRV", "B", &format!("md5: {};\nmd5e: {};\n", md5(APP_64), md5(&encrypted)));
    let json = info_json("pro", "DRV", "both");
    let packages = [
        ("v1", deflated(&[(PLAIN, APP_64), (INFO, plain_info.as_bytes())])),
        ("v2", legacy_both(CompressionMethod::Deflated)),
        ("stored", legacy_both(CompressionMethod::Stored)),
        ("encrypted only", deflated(&[(ENCRYPTED, &encrypted), (INFO, encrypted_info.as_bytes())])),
        (
            "zip64",
            zip_with(SimpleFileOptions::default().large_file(true), &[(PLAIN, APP_64), (INFO, plain_info.as_bytes())]),
        ),
        ("v3", deflated(&[(PLAIN, APP_64), (ENCRYPTED, &encrypted), (JSON, json.as_bytes())])),
        (
            "universal",
            deflated(&[
                (PLAIN, APP_64),
                (ENCRYPTED, &encrypted),
                (INFO, both_info.as_bytes()),
                (JSON, json.as_bytes()),
            ]),
        ),
    ];
    for (form, package) in packages {
        let bench = Bench::new();
        bench.write("package.zip", package);
        let lines = bench.m365("--simulate=B:locked flash pro --drv package.zip --erase-all --no-run").json();
        assert_eq!(lines.report()["drv"]["name"], "rehearsal DRV", "{form}");
        assert!(lines.events("warning").all(|line| line["name"] != "custom-firmware"), "{form}");
        let flash = bench.read("B/flash.bin");
        assert!(flash[0x1000..0x1000 + APP_64.len()] == *APP_64, "{form}");
        let behind = &flash[0x1000 + APP_64.len()..0xF800];
        let checksum = behind.iter().rposition(|byte| *byte != 0xFF).map_or(0, |last| last + 1);
        assert!(checksum <= 12, "{form}: {checksum} bytes after the application");
    }
}

#[test]
fn a_flipped_byte_anywhere_in_a_member_is_refused() {
    for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
        let package = legacy_both(method);
        let mut archive = ZipArchive::new(Cursor::new(&package[..])).expect("an archive");
        let spans: Vec<_> = (0..archive.len())
            .map(|index| {
                let member = archive.by_index_raw(index).expect("a member");
                let start = member.data_start().unwrap() as usize;
                start..start + member.compressed_size() as usize
            })
            .collect();
        for span in spans {
            // Tries all bytes of short members. A prime step avoids following the structure of long members.
            let step = if span.len() > 500 { 211 } else { 1 };
            for at in span.clone().step_by(step).chain([span.end - 1]) {
                let mut flipped = package.clone();
                flipped[at] ^= 0x40;
                // Deflate data has unused bits: after its end, and before an uncompressed block.
                match Image::from_bytes(&flipped) {
                    Err(_) => {}
                    Ok(image) => {
                        assert!(method == CompressionMethod::Deflated && image.bytes == APP_64, "byte {at}, {method}");
                    }
                }
            }
            let mut flipped = package.clone();
            flipped[span.start + span.len() / 2] ^= 1;
            let message = refusal(&Bench::new(), &flipped, "pro");
            assert!(message.contains("the package is refused: the zip's member "), "{message}");
        }
    }
}

#[test]
fn a_changed_member_in_a_valid_zip_is_detected_by_its_md5() {
    let bench = Bench::new();
    let mut changed = APP_64.to_vec();
    changed[0x2000] ^= 1;
    let info = info_txt("M365", "DRV", "N", &format!("md5: {};\n", md5(APP_64)));
    let message = refusal(&bench, &deflated(&[(PLAIN, &changed), (INFO, info.as_bytes())]), "pro");
    let expected =
        format!("DRV image refused: the MD5 of FIRM.bin is {}, but the package lists {}", md5(&changed), md5(APP_64));
    assert_eq!(message, expected);

    let mut encrypted = cipher::encrypt(APP_64);
    encrypted[0x2000] ^= 1;
    let info = info_txt("M365", "DRV", "Y", &format!("md5e: {};\n", md5(&encrypted)));
    let message = refusal(&bench, &deflated(&[(ENCRYPTED, &encrypted), (INFO, info.as_bytes())]), "pro");
    assert!(message.contains("FIRM.bin.enc cannot be decrypted"), "{message}");

    let other = cipher::encrypt(&changed);
    let info = info_txt("M365", "DRV", "B", &format!("md5: {};\nmd5e: {};\n", md5(APP_64), md5(&other)));
    let members: [(&str, &[u8]); 3] = [(PLAIN, APP_64), (ENCRYPTED, &other), (INFO, info.as_bytes())];
    let message = refusal(&bench, &deflated(&members), "pro");
    assert_eq!(message, "DRV image refused: FIRM.bin.enc and FIRM.bin contain different firmware");
}

#[test]
fn a_file_that_does_not_match_its_description_is_not_decrypted() {
    let bench = Bench::new();
    let refused = |what: &str| {
        format!("error: {what}\nnext: m365-drv image decrypt --help\nexit 8: see `m365-drv explain image`\n")
    };
    let info = info_txt("M365", "DRV", "N", &format!("md5: {};\n", md5(b"other")));
    bench.write("in", deflated(&[(PLAIN, APP_64), (INFO, info.as_bytes())]));
    let fault = refused("cannot use \"in\": the MD5 of FIRM.bin is [..], but the package lists [..]");
    bench.m365("image decrypt in -o out").exit(8).stderr(&fault).check();
    let info = info_txt("M365", "DRV", "B", &format!("md5: {};\n", md5(APP_64)));
    bench.write("in", deflated(&[(PLAIN, APP_64), (INFO, info.as_bytes())]));
    let fault = refused("cannot use \"in\": FIRM.bin.enc is missing");
    bench.m365("image decrypt in -o out").exit(8).stderr(&fault).check();

    let mut flipped = cipher::encrypt(APP_64);
    flipped[5000] ^= 1;
    bench.write("in", flipped);
    let fault = "error: \"in\" cannot be decrypted\n  cause: the checksum is [..], but the data add up to [..]\n...\n";
    bench.m365("image decrypt in -o out").exit(8).stderr(fault).check();
    bench.write("in", APP_64);
    bench.m365("image decrypt in -o out").exit(8).stderr(&refused("\"in\" is not encrypted: plain binary")).check();
    assert_eq!(bench.files(), ["in"]);
}

#[test]
fn a_description_cannot_write_to_the_terminal() {
    let bench = Bench::new();
    let info = info_txt("M365", "DRV", "N", &format!("md5: {};\n", md5(APP_64)));
    let info = info.replace("REHEARSAL", "\u{1b}]0;owned\u{7}").replace("M365", "\u{1b}[2J");
    bench.write("in", deflated(&[(PLAIN, APP_64), (INFO, info.as_bytes())]));
    let shown = "...\ntitle      [..]u{1b}]0;owned[..]u{7}\n...\n";
    bench.m365("--color always image show in").stdout(shown).check();
}

#[test]
fn an_image_for_the_chip_in_the_first_folder_wins() {
    let (Some(old), Some(new), Some(boot)) =
        (vendor("DRV155.bin"), vendor("pro_155_legacy_both.zip"), vendor("boot.bin"))
    else {
        return;
    };
    let bench = Bench::new();
    for (folder, files) in [("first", vec![&old]), ("second", vec![&new, &boot])] {
        std::fs::create_dir(bench.path(folder)).expect("a folder");
        for from in files {
            std::fs::copy(from, bench.path(folder).join(from.file_name().expect("a name"))).expect("a copy");
        }
    }
    let line = "--simulate=locked flash pro --firmware first --erase-all --no-run --dry-run";
    let lines = bench.m365(line).env("M365_DRV_FIRMWARE", "second").json();
    assert_eq!(lines.report()["drv"]["name"], "Pro DRV 1.5.5 (does not protect)");
}

#[test]
fn an_image_for_another_chip_in_the_first_folder_hides_nothing() {
    let files = ["2.2.1.bin", "boot.bin", "1s_3.1.9.zip", "boot_gd32.bin"];
    let [Some(old), Some(boot), Some(new), Some(boot_gd32)] = files.map(vendor) else { return };
    let bench = Bench::new();
    for (folder, files) in [("first", [&old, &boot]), ("second", [&new, &boot_gd32])] {
        std::fs::create_dir(bench.path(folder)).expect("a folder");
        for from in files {
            std::fs::copy(from, bench.path(folder).join(from.file_name().expect("a name"))).expect("a copy");
        }
    }
    for (scenario, version) in [("locked", "2.2.1"), ("gd32e103", "3.1.9")] {
        let line = format!("--simulate={scenario} flash 1s --firmware first --erase-all --no-run --dry-run");
        let lines = bench.m365(&line).env("M365_DRV_FIRMWARE", "second").json();
        assert_eq!(lines.report()["drv"]["version"], version, "{scenario}");
    }
    let lines = bench.m365("scooters --firmware first").env("M365_DRV_FIRMWARE", "second").json();
    let row = lines.report().as_array().expect("a list").iter().find(|row| row["name"] == "1s").expect("the 1S");
    assert_eq!(row["at_hand"].as_array().map(Vec::len), Some(4));
}

#[test]
fn hostile_zips_are_refused_quickly() {
    let bench = Bench::new();
    let info = info_txt("M365", "DRV", "N", &format!("md5: {};\n", md5(APP_64)));
    let members: [(&str, &[u8]); 2] = [(PLAIN, APP_64), (INFO, info.as_bytes())];
    let good = zip_of(CompressionMethod::Stored, &members);
    let refused = |package: &[u8]| refusal(&bench, package, "pro");

    let bomb = vec![0u8; 100_000_000];
    let bomb = deflated(&[(PLAIN, &bomb), (INFO, info.as_bytes())]);
    assert!(refused(&bomb).contains("is too large: 100000000 bytes"), "{}", refused(&bomb));
    let bomb = deflated(&[(PLAIN, &vec![0; 120_000]), (INFO, info.as_bytes())]);
    assert!(refused(&bomb).contains("times its size"), "{}", refused(&bomb));
    // The zip directory states 16 bytes for data that unpacks to 100,000.
    let bomb = deflated(&[(PLAIN, &vec![0; 100_000]), (INFO, info.as_bytes())]);
    let liar = patched(&patched(&bomb, b"PK\x03\x04", 22, &16u32.to_le_bytes()), b"PK\x01\x02", 24, &[16, 0, 0, 0]);
    assert!(refused(&liar).starts_with("cannot use \"package.zip\": "), "{}", refused(&liar));

    let huge = patched(&good, b"PK\x01\x02", 24, &3_221_225_472u32.to_le_bytes());
    assert!(refused(&huge).contains("is too large: 3221225472 bytes"), "{}", refused(&huge));

    for name in ["../FIRM.bin", "/FIRM.bin", "a/../../FIRM.bin", "..\\FIRM.bin"] {
        let package = zip_of(CompressionMethod::Stored, &[members[0], members[1], (name, b"x")]);
        let expected = format!("the zip has a member named {name:?}");
        assert!(refused(&package).ends_with(&expected), "{}", refused(&package));
    }

    let twice = zip_of(CompressionMethod::Stored, &[members[0], ("FIRM.bi2", APP_128), members[1]]);
    let twice = patched(&twice, b"FIRM.bi2", 0, b"FIRM.bin");
    assert!(refused(&twice).ends_with("the zip has two members named \"FIRM.bin\""), "{}", refused(&twice));

    let many: Vec<_> = (0..5000).map(|number| format!("{number}.txt")).collect();
    let many: Vec<(&str, &[u8])> = many.iter().map(|name| (&**name, &b"x"[..])).chain(members).collect();
    let many = zip_of(CompressionMethod::Stored, &many);
    assert!(refused(&many).ends_with("the zip has 5002 members; the limit is 4096"), "{}", refused(&many));

    for cut in [4, 30, good.len() / 2, good.len() - 1] {
        assert!(refused(&good[..cut]).starts_with("cannot use \"package.zip\": "), "{}", refused(&good[..cut]));
    }
    assert_eq!(bench.files(), ["package.zip"]);
}

#[test]
fn zeros_behind_a_zip_do_not_matter() {
    let bench = Bench::new();
    let padded = [legacy_both(CompressionMethod::Deflated), vec![0; 100]].concat();
    flash(&bench, &padded, "pro", 0);
    let behind = [legacy_both(CompressionMethod::Deflated), b"x".to_vec()].concat();
    assert!(refusal(&bench, &behind, "pro").contains("its comment does not reach to the end of the file"));
}

#[test]
fn packages_of_dashboards_are_described_whatever_their_size() {
    let bench = Bench::new();
    for len in [20_000, 200_000] {
        let dashboard: Vec<u8> = (0..len).map(|at: u32| (at / 7 % 100) as u8).collect();
        let info = info_txt("M365", "BLE", "N", &format!("md5: {};\n", md5(&dashboard)));
        bench.write("ble.zip", zip_of(CompressionMethod::Stored, &[(PLAIN, &dashboard), (INFO, info.as_bytes())]));
        let report = bench.m365("image show ble.zip").json().report().clone();
        assert_eq!((&report["package"]["type"], &report["size"]), (&"BLE".into(), &len.into()), "{len}");
        bench.m365("image check ble.zip").exit(8).json();
        let lines = bench.m365("--simulate flash pro --drv ble.zip").exit(8).json();
        assert!(lines.message().contains("a BLE package"), "{}", lines.message());
    }
}

/// Why there is a reader of our own: the crate does not tell that a zip has two files of one name, nor that its two headers
/// name a file differently.
#[test]
fn the_zip_crate_takes_the_last_of_two_members_with_one_name() {
    let twice = zip_of(CompressionMethod::Stored, &[(PLAIN, APP_64), ("FIRM.bi2", APP_128)]);
    let twice = patched(&twice, b"FIRM.bi2", 0, b"FIRM.bin");
    let mut archive = ZipArchive::new(Cursor::new(&twice[..])).expect("accepted");
    assert_eq!(archive.len(), 1);
    assert_eq!(archive.by_name(PLAIN).expect("a member").size(), APP_128.len() as u64);
    let header = patched(&zip_of(CompressionMethod::Stored, &[(PLAIN, APP_64)]), b"PK\x03\x04", 30, b"OTHR");
    assert!(ZipArchive::new(Cursor::new(&header[..])).expect("accepted").by_name(PLAIN).is_ok());
}

#[test]
fn a_package_for_something_else_is_refused_by_name() {
    let bench = Bench::new();
    let package = |json: &str| deflated(&[(PLAIN, APP_64), (JSON, json.as_bytes())]);
    let wrong_model = package(&info_json("1s", "DRV", "plain"));
    assert_eq!(refusal(&bench, &wrong_model, "pro"), "DRV image refused: made for 1s only, not for pro");
    let forced = "--simulate flash pro --drv package.zip --erase-all --no-run --force package-model";
    assert_eq!(bench.m365(forced).json().result()["board"], "written");

    let ninebot = package(&info_json("esx", "DRV", "plain"));
    assert_eq!(refusal(&bench, &ninebot, "pro"), "DRV image refused: made for esx only, not for pro");
    let (ble, bms) = (package(&info_json("pro", "BLE", "plain")), package(&info_json("pro", "BMS", "plain")));
    let message = "DRV image refused: a BLE package: firmware of the dashboard's Bluetooth board, not of the motor \
                   controller";
    assert_eq!(refusal(&bench, &ble, "pro"), message);
    let message = "DRV image refused: a BMS package: firmware of the battery's own board, not of the motor controller";
    assert_eq!(refusal(&bench, &bms, "pro"), message);
    let digests = format!("md5: {};\n", md5(APP_64));
    let ble = info_txt("M365", "BLE", "N", &digests);
    let message = refusal(&bench, &deflated(&[(PLAIN, APP_64), (INFO, ble.as_bytes())]), "pro");
    assert!(message.contains("a BLE package"), "{message}");
    let none = deflated(&[("notes.txt", b"x"), ("photo.jpg", b"y")]);
    assert!(refusal(&bench, &none, "pro").ends_with("the zip contains no firmware file"));
}

#[test]
fn a_package_that_does_not_list_the_chip_is_refused_once_the_chip_is_known() {
    let bench = Bench::new();
    let json = info_json("pro", "DRV", "plain");
    bench.write("package.zip", deflated(&[(PLAIN, APP_64), (JSON, json.as_bytes())]));
    let lines = bench.m365("--simulate=gd32e103 flash pro --drv package.zip --erase-all --no-run").json();
    assert_eq!(lines.result()["board"], "written");
    let lines = bench.m365("--simulate=gd32f103 flash pro --drv package.zip --erase-all --no-run").exit(8).json();
    assert!(lines.message().ends_with("not with a gd32f103 of a pro"), "{}", lines.message());
    assert_eq!(lines.result()["board"], "untouched");
}

#[test]
fn changed_firmware_causes_one_warning() {
    let bench = Bench::new();
    let mut changed = APP_64.to_vec();
    changed[0x3000] ^= 1;
    bench.write("cfw.bin", changed);
    let lines = bench.m365("--simulate=locked flash pro --drv cfw.bin --erase-all --no-run").json();
    let warnings: Vec<_> = lines.events("warning").filter(|line| line["name"] == "custom-firmware").collect();
    assert_eq!(warnings.len(), 1);
    let message = "\"cfw.bin\" is rehearsal DRV, modified (1 byte changed): if BMS communication is disabled in it, the scooter has no \
                   battery-temperature protection and no charge interlock";
    assert_eq!(warnings[0]["message"], message);
}

#[test]
fn a_serial_of_another_region_causes_one_warning() {
    let warnings = |line: &str| {
        let lines = Bench::new().m365(line).json();
        let region = lines.events("warning").filter(|line| line["name"] == "region");
        region.map(|line| line["message"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    let kept = "--simulate=locked flash pro2 --erase-all --no-run";
    assert_eq!(warnings(kept), [""; 0]);
    let other = format!("{kept} --serial 30371/00012345");
    let message = "the serial number selects the region: changing it from 26354 (Europe) to 30371 (Mercedes edition) keeps \
                   the speed limit of 20 km/h, 25 km/h in sport mode";
    assert_eq!(warnings(&other), [message]);
    let unknown = format!("{kept} --serial 21886/00012345");
    let message = "the firmware does not know a region for serial numbers that begin with 21886; it uses its default region, with a \
         speed limit of 20 km/h, 25 km/h in sport mode";
    assert_eq!(warnings(&unknown), [message]);
    assert_eq!(warnings("--simulate=locked flash pro --erase-all --no-run --serial 18832/00012345"), [""; 0]);
}

/// Finds a vendor file by name, if it is available.
fn vendor(name: &str) -> Option<PathBuf> {
    let found = std::env::var_os("M365_DRV_FIRMWARE").and_then(|folders| {
        std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| path.is_file())
    });
    if found.is_none() {
        skip(&format!("M365_DRV_FIRMWARE names no folder with {name}"));
    }
    found
}

/// Reads a member of a package without our own code.
fn member(package: &Path, name: &str) -> Vec<u8> {
    let mut archive = ZipArchive::new(std::fs::File::open(package).expect("a package")).expect("an archive");
    let mut bytes = Vec::new();
    std::io::copy(&mut archive.by_name(name).expect("a member"), &mut bytes).expect("a member");
    bytes
}

/// Runs the whole job with vendor files and checks that the board has the images `boot` and `drv`.
fn vendor_job(scenario: &str, scooter: &str, package: &Path, boot: &Path, drv: &[u8]) -> Lines {
    let bench = Bench::new();
    let simulate = format!("--simulate=B:{scenario}");
    let line = ["flash", scooter, "--erase-all", "--no-run", "--firmware"];
    let folder = boot.parent().expect("a folder");
    let trial =
        bench.m365(&simulate).args(line).args([folder.as_os_str()]).args(["--drv".as_ref(), package.as_os_str()]);
    let lines = trial.json();
    let flash = bench.read("B/flash.bin");
    let boot = std::fs::read(boot).expect("a bootloader");
    assert!(flash[..boot.len()] == *boot, "{scenario}: the wrong bootloader was written");
    assert!(flash[0x1000..0x1000 + drv.len()] == *drv, "{scenario}: the wrong DRV was written");
    lines
}

#[test]
fn the_vendors_packages_are_flashed_as_they_are() {
    let files = ["pro_155_legacy_both.zip", "pro_155_legacy_enc_only.zip", "1s_3.1.9.zip", "boot.bin", "boot_gd32.bin"];
    let [Some(both), Some(encrypted), Some(gd32), Some(boot), Some(boot_gd32)] = files.map(vendor) else { return };
    let plain = member(&both, PLAIN);
    for package in [&both, &encrypted] {
        let lines = vendor_job("locked", "pro", package, &boot, &plain);
        assert_eq!(lines.report()["drv"]["version"], "1.5.5");
    }
    let plain = member(&gd32, PLAIN);
    // With --firmware, the chip decides which bootloader is used.
    for (scenario, boot) in [("locked", &boot), ("gd32f103", &boot), ("gd32e103", &boot_gd32)] {
        let lines = vendor_job(scenario, "1s", &gd32, boot, &plain);
        assert_eq!(lines.report()["drv"]["version"], "3.1.9");
    }
}

#[test]
fn the_vendors_package_of_one_scooter_is_refused_for_another() {
    let (Some(package), Some(boot)) = (vendor("m365_1.4.0.zip"), vendor("boot.bin")) else { return };
    vendor_job("locked", "m365", &package, &boot, &member(&package, PLAIN));
    let bench = Bench::new();
    let trial = bench.m365("--simulate flash es2 --erase-all --drv").args([package.as_os_str()]);
    let lines = trial.exit(8).json();
    assert_eq!(lines.result()["board"], "untouched");
    assert!(lines.message().starts_with("DRV image refused: "), "{}", lines.message());
}

#[test]
fn available_images_are_listed_and_an_earlier_folder_wins() {
    let (Some(boot), Some(drv)) = (vendor("boot.bin"), vendor("DRV155.bin")) else { return };
    let bench = Bench::new();
    for folder in ["home/m365-drv/firmware", "named"] {
        std::fs::create_dir_all(bench.path(folder)).expect("a folder");
    }
    std::fs::copy(&boot, bench.path("named/boot.bin")).expect("a copy");
    for name in ["boot.bin", "DRV155.bin"] {
        let from = if name == "boot.bin" { &boot } else { &drv };
        std::fs::copy(from, bench.path(format!("home/m365-drv/firmware/{name}"))).expect("a copy");
    }
    let lines = bench.m365("scooters --firmware named").json();
    let pro = lines.report().as_array().expect("a list").iter().find(|row| row["name"] == "pro").expect("the Pro");
    let held: Vec<_> = pro["at_hand"].as_array().expect("a list").iter().collect();
    let files: Vec<_> = held.iter().map(|image| image["file"].as_str().unwrap_or_default()).collect();
    // The location of the user's data folder depends on the system.
    assert_eq!(files[0], PathBuf::from("named").join("boot.bin").to_string_lossy());
    assert!(files.len() <= 2 && files[1..].iter().all(|file| file.ends_with("DRV155.bin")), "{files:?}");
    if cfg!(target_os = "linux") {
        assert_eq!(files.len(), 2);
        let lines = bench.m365("--simulate=locked flash pro --firmware named --erase-all --no-run").json();
        assert_eq!(lines.report()["drv"]["version"], "1.5.5");
    }
}

#[test]
fn a_zip_with_one_known_image_of_each_kind_is_taken_for_both() {
    let bench = Bench::new();
    let dashboard = vec![7; 50_000];
    let members = [
        ("boot.bin", m365_drv::sim::BOOT),
        ("DRV155.bin", APP_64),
        ("BLE072.bin", &dashboard[..]),
        ("README.md", b"# a"),
    ];
    bench.write("repo.zip", deflated(&members));
    let line = "--simulate=locked flash pro --boot repo.zip --drv repo.zip --erase-all --no-run";
    let lines = bench.m365(line).json();
    assert_eq!((&lines.report()["boot"]["known"], &lines.report()["drv"]["known"]), (&true.into(), &true.into()));
    bench.write("repo.zip", deflated(&[members[0], members[2]]));
    let lines = bench.m365(line).exit(8).json();
    let cause = "the zip contains several firmware files: \"boot.bin\", \"BLE072.bin\"";
    assert!(lines.result()["error"]["causes"].to_string().contains(&cause.replace('"', "\\\"")), "{}", lines.result());
}

/// As the command line of a patcher makes it (tests/data/cases/07).
#[test]
fn a_package_that_names_no_scooter_is_warned_about_unless_its_firmware_is_known() {
    let told = |firmware: &[u8]| {
        let info = format!(
            r#"{{"schemaVersion": 1, "firmware": {{"displayName": "x", "model": null, "enforceModel": false, "type": "DRV",
            "compatible": [], "encryption": "plain", "md5": {{"bin": "{}"}}}}}}"#,
            md5(firmware)
        );
        let lines = flash(&Bench::new(), &deflated(&[(PLAIN, firmware), (JSON, info.as_bytes())]), "pro", 0);
        let warnings = lines.events("warning").filter(|line| line["name"] == "package-scooter-unknown");
        warnings.map(|line| line["message"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(told(APP_64), [""; 0]);
    let mut changed = APP_64.to_vec();
    changed[0x2000..0x2005].copy_from_slice(&[1, 2, 3, 4, 5]);
    assert_eq!(
        told(&changed),
        ["the package \"package.zip\" does not name its scooter; make sure that it is for yours"]
    );
}

#[test]
fn a_zip_with_a_bootloader_and_one_drv_is_checked_as_flash_takes_it() {
    let bench = Bench::new();
    bench.write("both.zip", deflated(&[("boot.bin", BOOT), ("DRV999.bin", APP_64)]));
    bench.write("boot.zip", deflated(&[("boot.bin", BOOT), ("a.bin", b"x")]));
    bench.write("two.zip", deflated(&[("a.bin", APP_64), ("b.bin", APP_128)]));
    for (name, option, exit, found) in [
        ("both.zip", "--drv", 0, "rehearsal DRV".into()),
        ("boot.zip", "--boot", 0, "rehearsal bootloader".into()),
        ("two.zip", "--drv", 8, serde_json::Value::Null),
    ] {
        let checked = bench.m365(&format!("--simulate image check --scooter pro {name}")).exit(exit).json();
        assert_eq!(checked.report()["files"][0]["name"], found, "{name}");
        let line = format!("--simulate=locked flash pro --erase-all --dry-run {option} {name}");
        bench.m365(&line).exit(exit).json();
    }
}

#[test]
fn a_zip_that_is_too_large_to_search_is_named_by_scooters_too() {
    let bench = Bench::new();
    std::fs::create_dir(bench.path("fw")).expect("a folder");
    let file = std::fs::File::create(bench.path("fw/all.zip")).expect("a file");
    file.set_len((32 << 20) + 1).expect("a sparse file");
    let lines = bench.m365("scooters --firmware fw").json();
    let warnings: Vec<_> = lines.events("warning").map(|line| (&line["name"], &line["message"])).collect();
    let path = Path::new("fw").join("all.zip");
    let words = format!("{path:?} is not searched: it has 32.1 MiB, and the limit for a zip is 32 MiB");
    assert_eq!(warnings, [(&"zip-not-searched".into(), &words.into())]);
}

#[test]
fn several_available_versions_are_listed_for_their_scooters() {
    let (Some(both), Some(drv)) = (vendor("m365_1.4.0.zip"), vendor("DRV155.bin")) else { return };
    let bench = Bench::new();
    std::fs::create_dir(bench.path("at hand")).expect("a folder");
    for from in [&both, &drv] {
        std::fs::copy(from, bench.path("at hand").join(from.file_name().expect("a name"))).expect("a copy");
    }
    // Each image is listed only for the scooter it was made for.
    let lines = bench.m365("scooters").args(["--firmware", "at hand"]).json();
    let count = |name: &str| {
        let rows =
            lines.report().as_array().expect("a list").iter().find(|row| row["name"] == name).expect("a scooter");
        rows["at_hand"].as_array().map_or(0, Vec::len)
    };
    assert_eq!((count("m365"), count("pro"), count("es2")), (1, 1, 0));
}
