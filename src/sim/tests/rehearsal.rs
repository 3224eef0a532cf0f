//! The rehearsal images.

use std::{path::Path, process::Command};

use crate::sim::{APP_64, APP_128, APP_COPIES, BOOT};

fn word(image: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(image[at..at + 4].try_into().unwrap())
}

fn refers_to(image: &[u8], value: u32) -> bool {
    image.chunks_exact(4).any(|bytes| bytes == value.to_le_bytes())
}

#[test]
fn the_images_have_what_a_flasher_expects_of_a_bootloader_and_a_drv() {
    for (image, start, data, size) in [
        (BOOT, 0x0800_0000, 0x0800_1000, 0x1000),
        (APP_64, 0x0800_1000, 0x0800_F800, 29_696),
        (APP_128, 0x0800_1000, 0x0801_C000, 55_296),
        (APP_COPIES, 0x0800_1000, 0x0801_C800, 55_296),
    ] {
        assert!(image.len() <= size);
        assert_eq!(word(image, 0) & 0x2FFE_0000, 0x2000_0000);
        let reset = word(image, 4);
        assert!(reset & 1 == 1 && (start..start + image.len() as u32).contains(&reset), "{reset:#010x}");
        assert!(refers_to(image, data));
    }
    for app in [APP_64, APP_128, APP_COPIES] {
        assert!([0x4842_4333, 0x4142_4333, 0x1FFF_F7E8].iter().all(|&literal| refers_to(app, literal)));
    }
}

#[test]
fn the_images_match_their_source() {
    if Command::new("arm-none-eabi-as").arg("--version").output().is_err() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("firmware/rehearsal/build.sh");
    let status = Command::new("sh").arg(script).arg(folder.path()).status().unwrap();
    assert!(status.success());
    let images = [("boot.bin", BOOT), ("app64.bin", APP_64), ("app128.bin", APP_128), ("app4pro.bin", APP_COPIES)];
    for (name, committed) in images {
        assert!(std::fs::read(folder.path().join(name)).unwrap() == committed, "{name} differs from its source");
    }
}
