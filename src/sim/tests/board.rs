//! Listing, attaching, identity, time.

use std::time::Duration;

use probe_rs::{
    architecture::arm::FullyQualifiedApAddress,
    probe::{DebugProbeError, DebugProbeSelector, list::Lister},
};

use super::debugger::{attach, board_of, since, try_attach};
use crate::sim::{Scenario, UID};

#[test]
fn the_probe_is_listed_and_opened_by_its_own_selector() {
    let board = board_of(Scenario::New);
    let lister = Lister::with_lister(board.probe_lister());
    let infos = lister.list_all();
    assert_eq!(infos.len(), 1);
    let first = lister.open(&infos[0]).unwrap();
    assert!(matches!(lister.open(&infos[0]), Err(DebugProbeError::ProbeCouldNotBeCreated(_))), "busy while open");
    drop(first);
    lister.open(&infos[0]).unwrap();
    assert!(lister.open("0483:3748".parse::<DebugProbeSelector>().unwrap()).is_err());
}

#[test]
fn the_chip_identifies_itself_as_an_stm32f103() {
    let board = board_of(Scenario::New);
    let mut debugger = attach(&board);
    assert_eq!(debugger.read(0xE000_ED00), 0x411F_C231);
    assert_eq!(debugger.read(0xE004_2000), 0x2003_6410);
    assert_eq!(debugger.try_read(0x1FFF_F7E8, 3).unwrap(), UID);
    assert_eq!(debugger.read_16(0x1FFF_F7E0), 64);
    assert_eq!(debugger.read(0x4002_2100), 0);
    let ids: Vec<_> = debugger.try_read(0xE00F_FFD0, 12).unwrap();
    assert_eq!(ids, [0, 0, 0, 0, 0x10, 0x04, 0x0A, 0, 0x0D, 0x10, 0x05, 0xB1]);
    let port = FullyQualifiedApAddress::v1_with_default_dp(0);
    assert_eq!(debugger.interface().read_raw_ap_register(&port, 0xFC).unwrap(), 0x1477_0011);
    let other = FullyQualifiedApAddress::v1_with_default_dp(1);
    assert_eq!(debugger.interface().read_raw_ap_register(&other, 0xFC).unwrap(), 0);
}

#[test]
fn memory_reads_back_in_every_width_across_the_address_wrap() {
    let board = board_of(Scenario::New);
    let mut debugger = attach(&board);
    let words: Vec<u32> = (0..1000u32).map(|index| index.wrapping_mul(0x0101_0101)).collect();
    debugger.try_write(0x2000_0104, &words).unwrap();
    assert_eq!(debugger.try_read(0x2000_0104, words.len()).unwrap(), words);
    debugger.write(0x2000_0000, 0x4433_2211);
    assert_eq!(debugger.read_16(0x2000_0002), 0x4433);
    debugger.write_16(0x2000_0002, 0xBEEF);
    let mut bytes = [0; 4];
    debugger.read_8(0x2000_0000, &mut bytes);
    assert_eq!(bytes, [0x11, 0x22, 0xEF, 0xBE]);
    assert!(board.violations().is_empty());
}

#[test]
fn unmapped_addresses_fault_and_the_link_stays_usable() {
    let board = board_of(Scenario::New);
    let mut debugger = attach(&board);
    for address in [0x0801_0000, 0x2000_5000, 0x6000_0000, 0x1FFF_E000, 0x4000_8000, 0x4002_4000, 0x4210_0000] {
        assert!(super::debugger::is_fault(&debugger.try_read(address, 1).unwrap_err()), "{address:#010x}");
        assert_eq!(debugger.read(0xE000_ED00), 0x411F_C231);
    }
}

#[test]
fn a_probe_without_a_board_opens_but_cannot_attach() {
    let board = board_of(Scenario::Absent);
    assert!(try_attach(&board).err().unwrap().starts_with("attach"));
}

#[test]
fn time_passes_with_transfers_and_sleep() {
    let board = board_of(Scenario::New);
    let mut debugger = attach(&board);
    let clock = board.clock();
    let start = clock.now();
    debugger.try_read(0x2000_0000, 256).unwrap();
    let block = since(&board, start);
    // 257 transfers of 54 bits at 1.8 MHz are 7.7 ms, and some round trips of 1 ms.
    assert!(block > Duration::from_millis(8) && block < Duration::from_millis(16), "{block:?}");
    board.set_round_trip(Duration::ZERO);
    let start = clock.now();
    debugger.read(0x2000_0000);
    assert!(since(&board, start) < Duration::from_millis(1));
    let start = clock.now();
    clock.sleep(Duration::from_secs(60));
    assert!(since(&board, start) >= Duration::from_secs(60));
}

#[test]
fn the_probe_rounds_its_clock_down() {
    let board = board_of(Scenario::New);
    let lister = Lister::with_lister(board.probe_lister());
    let mut probe = lister.open(&lister.list_all()[0]).unwrap();
    assert_eq!(probe.set_speed(5000).unwrap(), 4000);
    assert_eq!(probe.set_speed(1000).unwrap(), 950);
    assert!(matches!(probe.set_speed(10), Err(DebugProbeError::UnsupportedSpeed(10))));
}

#[test]
fn every_scenario_is_parsed_from_its_name() {
    for scenario in Scenario::all() {
        assert_eq!(scenario.to_string().parse(), Ok(scenario));
        board_of(scenario);
    }
    assert!("briked".parse::<Scenario>().is_err());
}

#[test]
fn the_probes_reset_pin_works_only_if_it_is_wired() {
    let board = board_of(Scenario::Open);
    let lister = Lister::with_lister(board.probe_lister());
    let mut probe = lister.open(&lister.list_all()[0]).unwrap();
    let resets = board.counts().resets;
    probe.target_reset().unwrap();
    assert_eq!(board.counts().resets, resets);
    board.wire_nrst();
    probe.target_reset().unwrap();
    assert!(board.counts().resets > resets);
}
