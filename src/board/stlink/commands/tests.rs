//! What goes over the wire, against a probe that is made of answers.

use std::io;

use super::{
    super::script::{ASK_STATUS, Script, USB_RESET, memory_status},
    *,
};

#[test]
fn a_probe_is_taken_out_of_the_mode_it_was_left_in() {
    for (mode, command) in [(0, [0xF3, 0x07]), (2, [0xF2, 0x21]), (3, [0xF4, 0x01])] {
        let script = Script::default().then(&[0xF5], &[], &[mode, 0]).then(&command, &[], &[]);
        let (commands, script) = script.then(&[0xF1], &[], &[0x29, 0x40, 0, 0, 0, 0]).opened();
        assert_eq!(commands.version(), StlinkVersion { hardware: 2, firmware: 37 });
        assert!(script.is_over());
    }
    let (refused, _) = Script::default().then(&[0xF5], &[], &[4, 0]).open();
    assert!(matches!(refused, Err(StlinkError::UnknownMode)));
}

#[test]
fn a_probe_that_was_left_in_the_middle_of_a_command_is_reset_once() {
    let script = Script::default().then_fails(&[0xF5], io::ErrorKind::TimedOut).then(USB_RESET, &[], &[]);
    let (_, script) = script.then(&[0xF5], &[], &[1, 0]).then(&[0xF1], &[], &[0x29, 0x40, 0, 0, 0, 0]).opened();
    assert!(script.is_over());

    let script = Script::default().then_fails(&[0xF5], io::ErrorKind::TimedOut).then(USB_RESET, &[], &[]);
    let (refused, script) = script.then_fails(&[0xF5], io::ErrorKind::TimedOut).open();
    assert!(matches!(refused, Err(StlinkError::Usb(error)) if error.kind() == io::ErrorKind::TimedOut));
    assert!(script.is_over());
}

#[test]
fn a_firmware_older_than_j26_is_refused() {
    assert!(matches!(Script::v2(25).open().0, Err(StlinkError::ProbeFirmwareOutdated(26))));
    assert!(matches!(Script::v2(0).open().0, Err(StlinkError::JTAGNotSupportedOnProbe)));
    assert!(Script::v2(26).open().0.is_ok());
}

#[test]
fn a_v3_tells_its_version_and_its_clocks_at_length() {
    let mut clocks = [0; 52];
    clocks[0] = 0x80;
    for (at, value) in [(4, 3300_u32), (8, 3), (12, 24000), (16, 3300), (20, 1000), (24, 77)] {
        clocks[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }
    let mut set = [0; 8];
    set[0] = 0x80;
    let (mut commands, script) = Script::default()
        .then(&[0xF5], &[], &[1, 0])
        .then(&[0xF1], &[], &[0x30, 0, 0, 0, 0, 0])
        .then(&[0xFB], &[], &[3, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0])
        .then(&[0xF2, 0x62, 0], &[], &clocks)
        .then(&[0xF2, 0x62, 0], &[], &clocks)
        .then(&[0xF2, 0x61, 0, 0, 0xE4, 0x0C, 0, 0], &[], &set)
        .then(&[0xF2, 0x62, 0], &[], &clocks)
        .opened();
    assert_eq!(commands.version(), StlinkVersion { hardware: 3, firmware: 9 });
    assert_eq!(commands.clock().unwrap(), 3300);
    assert_eq!(commands.set_clock(4000).unwrap(), 3300);
    // 77 is behind the end of the list.
    assert!(matches!(commands.set_clock(100), Err(DebugProbeError::UnsupportedSpeed(100))));
    assert!(script.is_over());
}

#[test]
fn a_v2_is_told_a_delay_instead_of_a_clock() {
    let (mut commands, script) = Script::v2(37).then(&[0xF2, 0x43, 3], &[], &[0x80, 0]).opened();
    assert_eq!(commands.clock().unwrap(), 1800);
    assert_eq!(commands.set_clock(1000).unwrap(), 950);
    assert!(matches!(commands.set_clock(99), Err(DebugProbeError::UnsupportedSpeed(99))));
    assert!(script.is_over());
}

#[test]
fn the_access_port_is_opened_once_and_again_after_leaving() {
    let idr = [0x80, 0, 0, 0, 0x11, 0x00, 0x77, 0x14];
    let (mut commands, script) = Script::v2(28)
        .then(&[0xF2, 0x4B, 0], &[], &[0x80, 0])
        .then(&[0xF2, 0x45, 0, 0, 0xFC, 0], &[], &idr)
        .then(&[0xF2, 0x45, 0, 0, 0xFC, 0], &[], &idr)
        .then(&[0xF5], &[], &[2, 0])
        .then(&[0xF2, 0x21], &[], &[])
        .then(&[0xF2, 0x30, 0xA3, 0], &[], &[0x80, 0])
        .then(&[0xF2, 0x4B, 0], &[], &[0x80, 0])
        .then(&[0xF2, 0x46, 0, 0, 0x00, 0, 0x52, 0x00, 0x00, 0x23], &[], &[0x80, 0])
        .opened();
    for _ in 0..2 {
        assert_eq!(commands.read_register(Registers::AccessPort, 0xFC).unwrap(), 0x1477_0011);
    }
    commands.leave().unwrap();
    commands.enter_swd().unwrap();
    commands.write_register(Registers::AccessPort, 0x00, 0x2300_0052).unwrap();
    assert!(script.is_over());
}

#[test]
fn a_firmware_before_j28_has_one_access_port_that_need_not_be_opened() {
    let dpidr = [0x80, 0, 0, 0, 0x77, 0x14, 0xA0, 0x1B];
    let (mut commands, script) = Script::v2(27)
        .then(&[0xF2, 0x45, 0, 0, 0xF8, 0], &[], &[0x80, 0, 0, 0, 0x03, 0xF0, 0x0F, 0xE0])
        .then(&[0xF2, 0x45, 0xFF, 0xFF, 0x00, 0], &[], &dpidr)
        .opened();
    assert_eq!(commands.read_register(Registers::AccessPort, 0xF8).unwrap(), 0xE00F_F003);
    assert_eq!(commands.read_register(Registers::DebugPort, 0x00).unwrap(), 0x1BA0_1477);
    assert!(script.is_over());
}

#[test]
fn words_are_little_endian_and_counted_in_bytes() {
    let (mut commands, script) = Script::v2(27)
        .then(&[0xF2, 0x07, 0xE8, 0xF7, 0xFF, 0x1F, 8, 0, 0], &[], &[1, 2, 3, 4, 5, 6, 7, 8])
        .then(&ASK_STATUS, &[], &memory_status(0x80))
        .then(&[0xF2, 0x08, 0x04, 0, 0, 0x20, 4, 0, 0], &[0x78, 0x56, 0x34, 0x12], &[])
        .then(&ASK_STATUS, &[], &memory_status(0x80))
        .opened();
    let mut words = [0; 2];
    commands.read_words(0x1FFF_F7E8, &mut words).unwrap();
    assert_eq!(words, [0x0403_0201, 0x0807_0605]);
    commands.write_words(0x2000_0004, &[0x1234_5678]).unwrap();
    assert!(matches!(commands.read_words(0x2000_0002, &mut words), Err(StlinkError::UnalignedAddress)));
    assert!(script.is_over());
}

#[test]
fn what_does_not_fit_into_the_probe_goes_in_pieces_to_the_addresses_that_follow() {
    let words: Vec<u32> = (0..1537).collect();
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let (mut commands, script) = Script::v2(27)
        .then(&[0xF2, 0x08, 0, 0, 0, 0x20, 0x00, 0x18, 0], &bytes[..6144], &[])
        .then(&ASK_STATUS, &[], &memory_status(0x80))
        .then(&[0xF2, 0x08, 0, 0x18, 0, 0x20, 4, 0, 0], &bytes[6144..], &[])
        .then(&ASK_STATUS, &[], &memory_status(0x80))
        .then(&[0xF2, 0x07, 0, 0, 0, 0x20, 0x00, 0x18, 0], &[], &bytes[..6144])
        .then(&ASK_STATUS, &[], &memory_status(0x80))
        .then(&[0xF2, 0x07, 0, 0x18, 0, 0x20, 4, 0, 0], &[], &bytes[6144..])
        .then(&ASK_STATUS, &[], &memory_status(0x80))
        .opened();
    commands.write_words(0x2000_0000, &words).unwrap();
    let mut read = vec![0; words.len()];
    commands.read_words(0x2000_0000, &mut read).unwrap();
    assert_eq!(read, words);
    assert!(script.is_over());
}

#[test]
fn a_wait_is_tried_again_with_its_data() {
    let write = [0xF2, 0x08, 0, 0, 0, 0x20, 4, 0, 0];
    let (mut commands, script) = Script::v2(27)
        .then(&write, &[1, 0, 0, 0], &[])
        .then(&ASK_STATUS, &[], &memory_status(0x14))
        .then(&write, &[1, 0, 0, 0], &[])
        .then(&ASK_STATUS, &[], &memory_status(0x10))
        .then(&write, &[1, 0, 0, 0], &[])
        .then(&ASK_STATUS, &[], &memory_status(0x80))
        .opened();
    commands.write_words(0x2000_0000, &[1]).unwrap();
    assert!(script.is_over());
}

#[test]
fn a_wait_without_end_is_an_error() {
    let mut script = Script::v2(27);
    for _ in 0..13 {
        script = script.then(&[0xF2, 0x45, 0xFF, 0xFF, 0x04, 0], &[], &[0x14, 0, 0, 0, 0, 0, 0, 0]);
    }
    let (mut commands, script) = script.opened();
    let error = commands.read_register(Registers::DebugPort, 0x04).unwrap_err();
    assert_eq!(error.to_string(), "Command failed with status SwdDpWait.");
    assert!(script.is_over());
}

#[test]
fn a_refusal_and_lost_contact_have_the_words_of_the_other_driver() {
    for (status, words) in
        [(0x11, "SwdApFault"), (0x12, "SwdApError"), (0x16, "SwdDpError"), (0x09, "JtagGetIdcodeError")]
    {
        let script = Script::v2(27).then(&[0xF2, 0x07, 0, 0, 0, 0x08, 4, 0, 0], &[], &[0; 4]);
        let (mut commands, _) = script.then(&ASK_STATUS, &[], &memory_status(status)).opened();
        let error = commands.read_words(0x0800_0000, &mut [0]).unwrap_err();
        assert_eq!(error.to_string(), format!("Command failed with status {words}."));
    }
}

#[test]
fn nrst_is_driven_by_level() {
    let (mut commands, script) = Script::v2(37)
        .then(&[0xF2, 0x3C, 0], &[], &[0x80, 0])
        .then(&[0xF2, 0x3C, 1], &[], &[0x80, 0])
        .then(&[0xF2, 0x3C, 2], &[], &[0x80, 0])
        .opened();
    for level in [Nrst::Low, Nrst::High, Nrst::Pulse] {
        commands.drive_nrst(level).unwrap();
    }
    assert!(script.is_over());
}

#[test]
fn the_target_voltage_is_measured_against_the_converter_s_reference() {
    let (mut commands, _) =
        Script::v2(37).then(&[0xF7], &[], &[0xD0, 0x05, 0, 0, 0xF0, 0x07, 0, 0]).then(&[0xF7], &[], &[0; 8]).opened();
    assert!((commands.voltage().unwrap() - 3.28).abs() < 0.01);
    assert!(matches!(commands.voltage(), Err(StlinkError::VoltageDivisionByZero)));
}

#[test]
fn an_access_port_is_opened_first_on_every_v3() {
    let (mut commands, script) = Script::default()
        .then(&[0xF5], &[], &[1, 0])
        .then(&[0xF1], &[], &[0x30, 0, 0, 0, 0, 0])
        .then(&[0xFB], &[], &[3, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0])
        .then(&[0xF2, 0x4B, 0], &[], &[0x80, 0])
        .then(&[0xF2, 0x45, 0, 0, 0xFC, 0], &[], &[0x80, 0, 0, 0, 1, 0, 0, 0])
        .opened();
    assert_eq!(commands.read_register(Registers::AccessPort, 0xFC).unwrap(), 1);
    assert!(script.is_over());
}
