//! Runs probe-rs's own session on the simulated board, as any other tool would.

use std::time::Duration;

use probe_rs::{MemoryInterface, Permissions, config::Registry, probe::list::Lister};

use m365_drv::sim::{Scenario, SimBoard};

use crate::setup::target;

const FAMILY: &str = "
name: STM32F1 by the simulated board
variants:
- name: STM32F103C8
  cores:
  - name: main
    type: armv7m
    core_access_options: !Arm
      ap: !v1 0
  memory_map:
  - !Nvm
    range: { start: 0x8000000, end: 0x8010000 }
    cores: [main]
    access: { boot: true }
  - !Ram
    range: { start: 0x20000000, end: 0x20005000 }
    cores: [main]
";

#[test]
fn a_session_of_probe_rs_attaches_halts_steps_and_resets() {
    let board = SimBoard::new(Scenario::Open, target("pro"));
    let mut registry = Registry::new();
    registry.add_target_family_from_yaml(FAMILY).unwrap();
    let lister = Lister::with_lister(board.probe_lister());
    let probe = lister.open(&lister.list_all()[0]).unwrap();
    let mut session = probe.attach_with_registry("STM32F103C8", Permissions::default(), &registry).unwrap();
    let mut core = session.core(0).unwrap();
    let limit = Duration::from_secs(1);
    core.halt(limit).unwrap();
    let stopped = core.status().unwrap();
    assert!(stopped.is_halted());
    assert_eq!(core.read_word_32(0x0800_0000).unwrap(), 0x2000_0550);
    let reset = core.reset_and_halt(limit).unwrap();
    assert_eq!(reset.pc, 0x0800_0120);
    core.set_hw_breakpoint(0x0800_1168).unwrap();
    core.run().unwrap();
    core.wait_for_core_halted(limit).unwrap();
    let pc: u32 = core.read_core_reg(core.program_counter()).unwrap();
    assert_eq!(pc, 0x0800_1168, "the bootloader and the start-up code were executed");
    core.step().unwrap();
    drop(core);
    drop(session);
    assert!(board.violations().is_empty(), "{:?}", board.violations());
}
