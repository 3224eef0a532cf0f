//! `backups`: what earlier runs have saved is found, shown and written out again.

use std::{fs, path::PathBuf};

use crate::bench::Bench;

const SERIAL: &str = "21886/00012345";

/// A bench whose user has one backup of an open board, made by `flash`.
fn with_backup() -> (Bench, PathBuf) {
    let bench = Bench::new();
    bench.m365("--simulate=B:open info").json();
    fs::copy(bench.path("B/flash.bin"), bench.path("before.bin")).expect("the flash before");
    bench.m365("--simulate=B flash pro --km 5").json();
    let made =
        fs::read_dir(bench.path("B/backups")).expect("a folder").next().expect("a backup").expect("a file").path();
    let folder = bench.path("home/m365-drv/backups");
    fs::create_dir_all(&folder).expect("the user's folder");
    let file = folder.join(made.file_name().expect("a name"));
    fs::copy(made, &file).expect("the user's backup");
    (bench, file)
}

#[test]
fn a_backup_is_listed_by_serial_mileage_and_uid() {
    let (bench, file) = with_backup();
    let lines = bench.m365("backups list").json();
    let [saved] = &lines.report()["backups"].as_array().expect("a list")[..] else { panic!("{}", lines.report()) };
    assert_eq!((&saved["serial"], &saved["flash_kib"]), (&SERIAL.into(), &64.into()));
    assert_eq!(saved["file"], file.display().to_string());
    let text = bench.m365("backups list").print();
    assert!(text.contains("21886/00012345, 2345.6 km"), "{text}");
    assert!(text.contains("64 KiB of flash, rehearsal DRV"), "{text}");
    fs::write(file.with_file_name("cut.json"), "{\"option_bytes\"").expect("a damaged file");
    let lines = bench.m365("backups list").json();
    assert_eq!(lines.events("warning").count(), 1);
    assert_eq!(lines.report()["backups"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_backup_is_found_by_its_serial_its_uid_and_its_file() {
    let (bench, file) = with_backup();
    let shown = bench.m365("backups show 21886-00012345").json().report().clone();
    assert_eq!((&shown["data"]["serial"], &shown["scooters"][0]), (&SERIAL.into(), &"pro".into()));
    let uid = shown["uid"].as_str().expect("a UID").to_owned();
    for name in [uid[..8].to_owned(), uid, file.display().to_string()] {
        assert_eq!(*bench.m365("backups show").args([name]).json().report(), shown);
    }
    let nothing = format!("\"x\" is not a file, and no backup in '{}' matches it", file.parent().unwrap().display());
    let lines = bench.m365("backups show x").exit(10).json();
    assert_eq!(lines.message().replace('"', "'"), nothing.replace('"', "'"));
    assert_eq!(lines.result()["error"]["hint"], "m365-drv backups list");
}

#[test]
fn backups_of_two_boards_with_one_serial_number_are_not_chosen_from() {
    let (bench, file) = with_backup();
    let text = fs::read_to_string(&file).expect("the backup");
    let uid = bench.m365("backups list").json().report()["backups"][0]["uid"].as_str().expect("a UID").to_owned();
    fs::write(file.with_file_name("other.json"), text.replacen(&uid, "00000001-00000002-00000003", 1)).expect("a file");
    let lines = bench.m365("backups show 21886/00012345").exit(10).json();
    assert!(
        lines.message().contains(&format!("several boards: 00000001-00000002-00000003, {uid}")),
        "{}",
        lines.message()
    );
}

#[test]
fn a_backup_is_exported_byte_for_byte() {
    let (bench, _) = with_backup();
    let before = fs::read(bench.path("before.bin")).expect("the flash before");
    bench.m365("backups export 21886/00012345 -o a.bin").json();
    assert!(fs::read(bench.path("a.bin")).expect("the export") == before);
    bench.m365("backups export 21886/00012345 -o a.hex").json();
    bench.m365("backups export 21886/00012345 --as block -o b.bin").json();
    assert!(fs::read(bench.path("b.bin")).expect("the block") == before[0xF800..0xFA00]);
    // Both are read back as what they are.
    let of = |file: &str| bench.m365("data show").args([file]).json().report()["serial"].clone();
    assert_eq!((of("a.hex"), of("b.bin")), (SERIAL.into(), SERIAL.into()));
    bench.m365("backups export 21886/00012345 -o a.bin").exit(2).json();
}

#[test]
fn a_backup_of_a_locked_board_has_a_block_to_export_but_no_flash() {
    let bench = Bench::new();
    bench.m365("--simulate=B:locked backup locked.json").json();
    let lines = bench.m365("backups export locked.json -o a.bin").exit(10).json();
    let message = "\"locked.json\" contains no flash: the board was read-protected when it was made";
    assert_eq!(lines.message(), message);
    bench.m365("backups export locked.json --as block -o a.bin").json();
    assert_eq!(bench.m365("data show a.bin").json().report()["serial"], SERIAL);
}
