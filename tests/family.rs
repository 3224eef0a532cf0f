//! The scooters beside the M365 family: the 4 Pro, which keeps two copies of its data block, and the Ninebots with an STM32.

use std::{collections::BTreeMap, time::Duration};

use m365_drv::{
    block::{DataBlock, Mileage, Serial, Uid},
    image::{Catalog, Kind},
    ops::{self, DataSource, Wanted},
    sim::{Fault, FaultKind, Scenario, SimBoard, Trigger},
    target::Target,
};
use serde::Deserialize;

use crate::{
    bench::Bench,
    setup::{Setup, assert_same, live_block, mileage, target},
};

/// Offsets of the 4 Pro's data pages in flash, of its serial number in the block, and of the half-word that it checks.
const COPIES: [usize; 2] = [0x1_C000, 0x1_C800];
const TAIL: usize = 0x1FE;

fn four_pro(scenario: Scenario) -> (SimBoard, Setup) {
    let board = SimBoard::new(scenario, target("4pro"));
    let setup = Setup::simulated(&board, "4pro");
    (board, setup)
}

/// A whole data block of this board with this mileage.
fn block(board: &SimBoard, km: u32) -> Vec<u8> {
    let four_pro = target("4pro");
    let serial = four_pro.serial.read(&four_pro.serial.example).expect("a serial");
    let block = four_pro.template().with_serial(serial).with_mileage(mileage(km)).with_uid(Uid(board.uid()));
    block.as_bytes().to_vec()
}

/// The same with a byte changed.
fn spoilt(mut block: Vec<u8>, at: usize) -> Vec<u8> {
    block[at] ^= 0x01;
    block
}

fn copies(board: &SimBoard) -> [Vec<u8>; 2] {
    let flash = board.flash();
    COPIES.map(|at| flash[at..at + 512].to_vec())
}

/// Puts these bytes in place of the two copies, and starts the firmware.
fn start_with(board: &SimBoard, [first, second]: [&[u8]; 2]) {
    let mut flash = board.flash();
    for (at, bytes) in COPIES.into_iter().zip([first, second]) {
        flash[at..at + 1024].fill(0xFF);
        flash[at..at + bytes.len()].copy_from_slice(bytes);
    }
    board.set_flash(&flash);
    board.power_cycle();
    board.clock().sleep(Duration::from_millis(60));
}

/// A row of the table of what the firmware does with two copies.
struct Row {
    name: &'static str,
    copies: fn([Vec<u8>; 2]) -> [Vec<u8>; 2],
    /// The mileage in km of the block that the firmware uses; `None` for its template.
    used: Option<u32>,
    /// The mileage of the block that `flash` keeps.
    kept: u32,
    /// What `info` says.
    said: Option<&'static str>,
}

const SERIAL: &str = "35802/ABCD1234567890";

/// The block X, of 1000 km, and Y, of 2000 km; a spoilt tail or magic; and blank pages.
const ROWS: [Row; 9] = [
    Row { name: "both equal", copies: |[x, _]| [x.clone(), x], used: Some(1000), kept: 1000, said: None },
    Row {
        name: "only the first",
        copies: |[x, _]| [x, vec![]],
        used: Some(1000),
        kept: 1000,
        said: Some(
            "a copy of the data block is missing or damaged: the firmware uses the one at 0x0801c000 (X) and \
                    overwrites the one at 0x0801c800 (no data block)",
        ),
    },
    Row {
        name: "only the second",
        copies: |[_, y]| [vec![], y],
        used: Some(2000),
        kept: 2000,
        said: Some(
            "a copy of the data block is missing or damaged: the firmware uses the one at 0x0801c800 (Y) and \
                    overwrites the one at 0x0801c000 (no data block)",
        ),
    },
    Row {
        name: "two that differ",
        copies: |both| both,
        used: Some(1000),
        kept: 1000,
        said: Some(
            "the copies of the data block differ: the firmware uses the one at 0x0801c000 (X) and overwrites the \
                    one at 0x0801c800 (Y)",
        ),
    },
    Row {
        name: "the first without tail, the second blank",
        copies: |[x, _]| [spoilt(x, TAIL), vec![]],
        used: None,
        kept: 1000,
        said: Some(
            "the data block at 0x0801c000 (X) is damaged: the firmware would replace it with a default one \
                    (error 35)",
        ),
    },
    Row {
        name: "the first without tail, the second good",
        copies: |[x, y]| [spoilt(x, TAIL), y],
        used: Some(2000),
        kept: 2000,
        said: Some(
            "a copy of the data block is missing or damaged: the firmware uses the one at 0x0801c800 (Y) and \
                    overwrites the one at 0x0801c000 (X)",
        ),
    },
    Row {
        name: "the first blank, the second without tail",
        copies: |[_, y]| [vec![], spoilt(y, TAIL)],
        used: Some(2000),
        kept: 2000,
        said: Some(
            "every copy of the data block is damaged: the firmware uses the one at 0x0801c800 (Y) as it is, and \
                    not the one at 0x0801c000 (no data block)",
        ),
    },
    Row {
        name: "the first without magic, the second good",
        copies: |[x, y]| [spoilt(x, 0), y],
        used: Some(2000),
        kept: 2000,
        said: Some(
            "a copy of the data block is missing or damaged: the firmware uses the one at 0x0801c800 (Y) and \
                    overwrites the one at 0x0801c000 (no data block)",
        ),
    },
    Row {
        name: "the first without magic, the second without tail",
        copies: |[x, y]| [spoilt(x, 0), spoilt(y, TAIL)],
        used: Some(2000),
        kept: 2000,
        said: Some(
            "every copy of the data block is damaged: the firmware uses the one at 0x0801c800 (Y) as it is, and \
                    not the one at 0x0801c000 (no data block)",
        ),
    },
];

#[test]
fn of_two_copies_the_one_that_the_firmware_uses_is_shown_and_kept() {
    for Row { name, copies: make, used, kept, said } in ROWS {
        let (board, setup) = four_pro(Scenario::Open);
        let both = make([block(&board, 1000), block(&board, 2000)]);
        start_with(&board, [&both[0], &both[1]]);

        // What the firmware makes of it: our own image chooses as 4 Pro 0.2.2 does.
        let live = live_block(&board);
        let km = (!live.has_factory_serial()).then(|| live.mileage().metres() / 1000);
        assert_eq!((km, live.error()), (used, if used.is_some() { 0 } else { 35 }), "{name}");

        let (report, told) = setup.run_told(ops::info);
        let data = report.expect("the report").data.expect("a data block");
        assert_eq!((data.source, data.block.mileage_m), (DataSource::Flash, mileage(kept)), "{name}");
        let in_words = |km: &str| format!("(serial number {SERIAL}, {km}.0 km)");
        let said = said.map(|said| said.replace("(X)", &in_words("1000")).replace("(Y)", &in_words("2000")));
        let told: Vec<_> = told.into_iter().map(|(_, message)| message).collect();
        assert_eq!(told, Vec::from_iter(said), "{name}");

        setup.flash(&setup.request()).expect("the job");
        let [first, second] = copies(&board);
        assert_eq!(first, second, "{name}");
        assert_eq!(first[..TAIL], block(&board, kept)[..TAIL], "{name}");
        assert_eq!(first[TAIL..], [0x22, 0x05], "{name}: the half-word that the firmware checks");
    }
}

#[test]
fn a_locked_4_pro_gets_both_copies_of_its_own_data_block() {
    let (board, setup) = four_pro(Scenario::Locked);
    let live = live_block(&board);
    let (report, told) = setup.run_told(|job| ops::flash(job, &setup.request()));
    let report = report.expect("the job");
    assert!(report.verified && told.is_empty(), "{told:?}");
    assert_eq!((report.planned.data_source, report.planned.serial.as_str()), (DataSource::Sram, SERIAL));
    assert_same(&board.flash(), &setup.expected_on_blank(live.as_bytes()));
    assert_eq!(copies(&board), [live.as_bytes().to_vec(), live.as_bytes().to_vec()]);
    for at in COPIES {
        let at = 0x0800_0000 + u32::try_from(at).unwrap();
        assert!(board.is_read_back(at..at + 512), "{at:#010x}");
    }
}

#[test]
fn a_rescued_or_given_block_without_the_checked_half_word_gets_it() {
    let (board, setup) = four_pro(Scenario::Bricked);
    let given = spoilt(block(&board, 1234), TAIL);
    let data = Some(DataBlock::parse(&given).unwrap());
    setup.flash(&setup.request_for(Wanted { data, ..setup.wanted() })).expect("the job");
    assert_eq!(copies(&board), [block(&board, 1234), block(&board, 1234)]);
    board.power_cycle();
    board.clock().sleep(Duration::from_millis(60));
    assert_eq!(live_block(&board).mileage(), mileage(1234));
}

#[test]
fn a_cut_between_or_inside_the_two_copies_costs_no_data() {
    let (board, setup) = four_pro(Scenario::Open);
    setup.flash(&setup.request_for(Wanted { mileage: Some(mileage(1500)), ..setup.wanted() })).expect("the job");
    let programs = board.counts().half_words_programmed;
    for nth in (1..=programs).step_by(usize::try_from(programs / 24).unwrap().max(1)).chain([programs / 2, programs]) {
        let (board, setup) = four_pro(Scenario::Open);
        let new = Wanted { mileage: Some(mileage(1500)), ..setup.wanted() };
        let kind = FaultKind::PowerLost { returns_after: None };
        let armed = board.inject(Fault { trigger: Trigger::HalfWord(nth.max(1)), kind });
        let old = live_block(&board).mileage();
        assert!(setup.flash(&setup.request_for(new)).is_err() && armed.fired(), "{nth}");
        board.power_cycle();
        board.clock().sleep(Duration::from_millis(60));
        let live = live_block(&board);
        assert_eq!(live.serial().map(|serial| serial.to_string()).as_deref(), Some(SERIAL), "cut at {nth}");
        assert!([old, mileage(1500)].contains(&live.mileage()), "cut at {nth}");
        setup.flash(&setup.request()).expect("the next run");
        let [first, second] = copies(&board);
        assert_eq!(first, second, "cut at {nth}");
    }
}

#[derive(Deserialize)]
struct Vector {
    serial: String,
    block: String,
}

#[test]
fn a_block_from_the_template_is_that_of_the_familys_vector() {
    let vectors: BTreeMap<String, Vector> =
        serde_json::from_str(include_str!("data/family_vectors.json")).expect("the vectors");
    let uid = Uid([0x0670_FF34, 0x3437_584E, 0x4324_4613]);
    for (name, Vector { serial, block }) in vectors {
        let Some(target) = Target::builtin(&name) else { continue };
        let expected = DataBlock::parse(&hex::decode(&block).unwrap()).unwrap();
        let serial = target.serial.read(&serial).expect("its serial");
        let made = target.template().with_serial(serial).with_uid(uid).with_mileage(Mileage::from_km(1234).unwrap());
        // Each firmware writes its own version over that of the template.
        let made = made.with_half_word(0x34, expected.half_word(0x34));
        assert_same(made.as_bytes(), expected.as_bytes());
        assert_eq!((expected.serial(), expected.activated(), expected.uid()), (Some(serial), true, uid), "{name}");
    }
}

#[test]
fn a_locked_board_of_each_scooter_keeps_its_data_without_a_flag() {
    for scooter in Target::all() {
        let bench = Bench::new();
        let report = bench.m365(&format!("--simulate=B:locked flash {} --erase-all --no-run", scooter.name)).json();
        let report = report.report();
        assert_eq!(report["serial"], *scooter.serial.example, "{}", scooter.name);
        assert_eq!((&report["mileage_m"], &report["verified"]), (&2_345_678.into(), &true.into()));
    }
}

#[test]
fn images_are_for_the_chips_that_they_can_program() {
    for entry in Catalog::builtin().entries().filter(|entry| !entry.is_rehearsal()) {
        let is_for = |scooters: &[&str]| scooters.iter().any(|scooter| entry.is_for(scooter));
        let on_gd32 = entry.runs_on("gd32f103") || entry.runs_on("gd32e103");
        if is_for(&["es2", "max", "e", "f", "t15"]) {
            assert!(entry.runs_on("stm32f103") && !on_gd32, "{entry}");
        }
    }
    let chips =
        |name: &str| Catalog::builtin().entries().find(|entry| entry.name == name).map(|entry| &entry.chips[..]);
    let all = ["stm32f103", "gd32f103", "gd32e103"].map(String::from);
    assert_eq!((chips("4 Pro bootloader"), chips("4 Pro DRV 0.2.2")), (Some(&all[..]), Some(&all[..])));
}

#[test]
fn what_is_for_boards_with_an_at32_is_never_offered() {
    for entry in Catalog::builtin().entries().filter(|entry| entry.refused.is_some()) {
        for scooter in Target::all() {
            assert!(
                !Catalog::builtin().of(&scooter.name, entry.kind).iter().any(|other| other.name == entry.name),
                "{entry}"
            );
        }
    }
    let of_f = Catalog::builtin().of("f", Kind::Drv);
    let versions: Vec<_> = of_f.iter().filter_map(|entry| entry.version).map(|version| version.to_string()).collect();
    assert_eq!(versions[versions.len() - 3..], ["5.4.9", "5.8.4", "9.9.9"]);
}

#[test]
fn a_4_pro_that_is_not_activated_says_what_that_means() {
    let bench = Bench::new();
    let (board, _) = four_pro(Scenario::Open);
    let mut bytes = block(&board, 12);
    bytes[0x3A..0x3C].fill(0);
    bench.write("block.bin", bytes);
    let shown = bench
        .m365("data show block.bin")
        .stdout("...\nactivated  [..]no: it limits the speed to 10 km/h and beeps every second\n...\n");
    shown.check();
}

#[test]
fn a_serial_of_the_4_pro_is_not_taken_for_another_scooter() {
    let serial = Serial::parse(SERIAL, "#####/@@@@@@@@@@@@@@").unwrap();
    let fitting: Vec<_> =
        Target::all().iter().filter(|target| target.serial.fits(serial)).map(|target| &*target.name).collect();
    assert_eq!(fitting, ["4pro"]);
}

#[test]
fn the_second_copy_and_the_speed_limits_are_in_the_list_of_scooters() {
    let bench = Bench::new();
    bench.m365("scooters").stdout("...\n  data copy   0x0801c800\n...\n").check();
    bench.m365("scooters").stdout("...\n  limit       15 km/h, 20 km/h in sport mode: 25701, 30372\n...\n").check();
}

#[test]
fn a_simulated_board_with_copies_that_differ_can_be_looked_at_and_flashed() {
    let bench = Bench::new();
    let remark = "warning: the copies of the data block differ: the firmware uses the one at 0x0801c000 (serial number \
                  35802/ABCD1234567890, 2345.6 km) and overwrites the one at 0x0801c800 (serial number \
                  35802/ABCD1234567890, 2333.3 km)\n";
    let seen = "...\nserial     35802/ABCD1234567890\nmileage    2345.6 km\n...\n";
    bench.m365("--simulate=B:copies-differ info").stdout(seen).stderr(&format!("...\n{remark}...\n")).check();
    let report = bench.m365("--simulate=B flash 4pro --no-run").json();
    assert_eq!(report.report()["mileage_m"], 2_345_678);
    let [first, second] = copies(&SimBoard::load(&bench.path("B")).expect("a saved board"));
    assert_eq!(first, second);
}

#[test]
fn a_simulated_board_of_another_scooter_is_told_apart_by_its_size() {
    let bench = Bench::new();
    bench.m365("-q --simulate=B:locked info").json();
    let text = "error: the chip has 64 KiB of flash, but this scooter's firmware needs 128 KiB\nboard: unchanged\n\
                next: m365-drv -q --simulate=./NEW flash 4pro, which makes a board of this scooter (the one in use has 64 KiB, \
                as that of an M365)\nexit 7: see `m365-drv explain wrong-board`\n";
    bench.m365("-q --simulate=B flash 4pro").exit(7).stderr(text).check();
}
