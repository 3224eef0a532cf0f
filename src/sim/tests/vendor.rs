//! Tests with the vendor's images, if the user has them: `M365_DRV_FIRMWARE` lists folders with `boot.bin`,
//! `DRV140.bin` and `DRV155.bin`.

use std::{env, fs, time::Duration};

use crate::{
    block::{DataBlock, Serial, Uid},
    sim::{SimBoard, SimChip, UID},
};

fn image(name: &str) -> Option<Vec<u8>> {
    let folders = env::var_os("M365_DRV_FIRMWARE")?;
    env::split_paths(&folders).find_map(|folder| fs::read(folder.join(name)).ok())
}

#[test]
fn the_vendors_bootloader_starts_the_vendors_application() {
    for (name, live) in [("DRV140.bin", 0x6EE), ("DRV155.bin", 0x70E)] {
        let (Some(boot), Some(drv)) = (image("boot.bin"), image(name)) else { continue };
        let block =
            DataBlock::template().with_serial(Serial::from_bytes(b"21886/00012345").unwrap()).with_uid(Uid(UID));
        let mut flash = vec![0xFF; 65536];
        flash[..boot.len()].copy_from_slice(&boot);
        flash[0x1000..0x1000 + drv.len()].copy_from_slice(&drv);
        flash[0xF800..0xFA00].copy_from_slice(block.as_bytes());
        let board = SimBoard::with_flash(SimChip::Stm32f103, 64, &flash);
        for _ in 0..40 {
            board.clock().sleep(Duration::from_millis(20));
        }
        assert!(board.violations().is_empty(), "{:?}", board.violations());
        let sram = board.sram();
        assert_eq!(sram[live..live + 4], [0x5C, 0x51, 0xEE, 0x07], "{name}");
        assert_eq!(&sram[live + 0x20..live + 0x2E], b"21886/00012345");
        assert_eq!(sram[live + 0x36..live + 0x38], [0, 0], "{name}: no error");
        assert!((0x0800_1100..0x0800_8400).contains(&board.pc()), "{name}: {:#010x}", board.pc());
    }
}
