//! A board, a job, the expected result, and a check whether the report of a run was true.

use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use m365_drv::{
    block::{DataBlock, LEN},
    board::{BoardState, Consent, OptionBytes, VerifiedBy, Wait},
    ops::{After, Exit, FlashReport, FlashRequest, Wanted},
    sim::{self, Scenario, SimBoard, Trigger},
};

use crate::setup::{Contents, Ended, Setup, image, live_block, mileage, target};

/// A board and the job to run on it.
#[derive(Debug)]
pub(crate) struct FaultCase {
    pub(crate) name: &'static str,
    scooter: &'static str,
    scenario: Scenario,
    /// Offsets at which the DRV image differs from the one on the board.
    changed: &'static [usize],
    /// Whether serial number and mileage are given or have to come from the board.
    data: Data,
    after: After,
    consent: Option<Consent>,
    /// RDP expected after the job.
    rdp: u8,
}

impl FaultCase {
    /// Whether it is the same as another case until the firmware is started: a normal test run then looks only at what follows.
    pub(crate) fn differs_from_start(&self) -> bool {
        self.after == After::LockAndRun && super::stride().is_none()
    }

    /// How many of so many points a normal test run tries: fewer for a job that differs from that of another scooter only in
    /// its data pages.
    pub(crate) fn share(&self, count: u64) -> u64 {
        if self.data_pages() > 1 { count.div_ceil(6) } else { count }
    }

    /// How many pages hold its data block.
    pub(crate) fn data_pages(&self) -> u64 {
        target(self.scooter).data_pages().count() as u64
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Data {
    Board,
    Given,
    /// Only the mileage, so that the data page is rewritten.
    GivenMileage,
}

/// Read-protected with the application running: the data block is rescued, and all of flash is erased and written.
pub(crate) const LOCKED: FaultCase = FaultCase {
    name: "locked",
    scooter: "pro",
    scenario: Scenario::Locked,
    changed: &[],
    data: Data::Board,
    after: After::Run,
    consent: Some(Consent::Erase),
    rdp: 0xA5,
};
/// Programmed and readable; some pages have to be changed, including the data page.
pub(crate) const OPEN: FaultCase = FaultCase {
    name: "open",
    scooter: "pro",
    scenario: Scenario::Open,
    changed: &[0x1E0, 0x1300, 0x1700, 0x2FFF],
    data: Data::GivenMileage,
    after: After::Run,
    consent: None,
    rdp: 0xA5,
};
/// Unlocked, with half of the DRV written and no data block.
pub(crate) const HALF_FLASHED: FaultCase = FaultCase {
    name: "half-flashed",
    scooter: "pro",
    scenario: Scenario::HalfFlashed,
    changed: &[0x40],
    data: Data::Given,
    after: After::Stop,
    consent: None,
    rdp: 0xA5,
};
/// The Cortex-M4 chip that programs whole words.
pub(crate) const GD32E103: FaultCase =
    FaultCase { name: "gd32e103", scenario: Scenario::Gd32e103, after: After::Stop, ..LOCKED };
/// Locked again at the end of the job.
pub(crate) const RELOCKED: FaultCase = FaultCase { name: "relocked", after: After::LockAndRun, rdp: 0x00, ..LOCKED };

/// A locked 4 Pro, which has two data pages: both are written, at the end of the job.
pub(crate) const FOUR_PRO: FaultCase = FaultCase { name: "4 Pro", scooter: "4pro", ..LOCKED };
/// A 4 Pro of which some pages have to be changed, including both data pages.
pub(crate) const OPEN_4_PRO: FaultCase = FaultCase { name: "open 4 Pro", scooter: "4pro", ..OPEN };

pub(crate) const FAULT_CASES: [&FaultCase; 7] =
    [&LOCKED, &OPEN, &HALF_FLASHED, &GD32E103, &RELOCKED, &FOUR_PRO, &OPEN_4_PRO];

/// USER of every board in these tests; differs from the value of erased option bytes.
const USER: u8 = 0xFD;

/// One board and one job, which may take several runs.
pub(crate) struct Trial {
    case: &'static FaultCase,
    /// What comes after the work, which may be less than the job says.
    after: After,
    pub(crate) board: SimBoard,
    pub(crate) setup: Setup,
    /// The last error message of a run.
    pub(crate) said: String,
    /// Whether violations of the manuals count as failures; they do not if the flash itself is broken.
    pub(crate) rules: Rules,
    /// The data block of the running application, which stores its version in it.
    live: Option<DataBlock>,
    /// The contents of the board before the next run.
    before: Contents,
    expected: Contents,
}

/// Whether the run must follow the rules of the manuals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rules {
    Kept,
    /// Not enforced, because the flash is broken: a page that does not erase is programmed anyway.
    Off,
}

/// The result of a run whose report was true.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Success,
    Failure(Exit, BoardState),
}

impl Trial {
    pub(crate) fn new(case: &'static FaultCase) -> Self {
        let scooter = target(case.scooter);
        let board = SimBoard::new(case.scenario, scooter);
        let mut setup = Setup::simulated(&board, case.scooter);
        let mut options = OptionBytes(board.option_bytes()).values();
        options[1] = USER;
        board.set_option_bytes(OptionBytes::from_values(options).0);
        let mut drv = sim::application(scooter).to_vec();
        for &at in case.changed {
            drv[at] ^= 0x04;
        }
        setup.drv = image(&drv);

        let before = setup.contents();
        let flash = before.flash.as_deref().expect("the simulation shows its flash");
        let block = match case.data {
            Data::Board => live_block(&board),
            Data::Given => setup.fresh_block(before.uid),
            Data::GivenMileage => scooter.block_in(flash).expect("a data block").1.with_mileage(mileage(1234)),
        };
        let unlocked = board.is_protected();
        let flash =
            if unlocked { setup.expected_on_blank(block.as_bytes()) } else { setup.expected(flash, block.as_bytes()) };
        let options = OptionBytes::from_values([case.rdp, USER, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]);
        let expected = Contents { uid: before.uid, options, flash: Some(flash) };
        let live = (case.data == Data::GivenMileage).then(|| live_block(&board).with_mileage(mileage(1234)));
        Self { case, after: case.after, board, setup, said: String::new(), rules: Rules::Kept, live, before, expected }
    }

    pub(crate) fn waiting(mut self) -> Self {
        self.setup.connect.wait = Wait::Forever;
        self
    }

    /// Does not watch the firmware start, which takes longer to simulate than all of the job before. For faults that come before.
    pub(crate) fn without_start(mut self) -> Self {
        if self.after == After::Run && super::stride().is_none() {
            self.after = After::Stop;
        }
        self
    }

    pub(crate) fn request(&self) -> FlashRequest<'_> {
        let given = self.case.data != Data::Board;
        let wanted = Wanted {
            serial: (self.case.data == Data::Given).then(|| self.setup.serial()),
            mileage: given.then(|| mileage(1234)),
            ..self.setup.wanted()
        };
        FlashRequest { after: self.after, consent: self.case.consent, ..self.setup.request_for(wanted) }
    }

    /// Runs the job once and checks whether the report is true.
    pub(crate) fn run(&mut self) -> Result<End, String> {
        let result = self.setup.flash(&self.request());
        self.judge(&result)
    }

    /// Compares the report of a run with the contents of the board.
    pub(crate) fn judge(&mut self, result: &Result<FlashReport, Ended>) -> Result<End, String> {
        let now = self.setup.contents();
        let before = std::mem::replace(&mut self.before, now.clone());
        if let Err(error) = result {
            self.said = error.to_string();
        }
        if let Some(violation) = self.board.violations().first().filter(|_| self.rules == Rules::Kept) {
            return Err(format!("violates the manual: {violation}"));
        }
        match result {
            Ok(report) => {
                self.compare(&now).map_err(|what| format!("FALSE SUCCESS: {what}"))?;
                if self.rules == Rules::Kept && !self.is_proved(report.verified_by) {
                    return Err(
                        "FALSE SUCCESS: not all of it was read back after the last write and a new attach".into()
                    );
                }
                if !report.verified || report.board.uid != now.uid {
                    return Err("reported success without verification or with a wrong UID".into());
                }
                Ok(End::Success)
            }
            Err(error) => {
                let (state, category) = (error.board(), error.exit());
                let flash = now.flash.as_deref().unwrap_or_default();
                let is_true = match state {
                    BoardState::Untouched => now == before,
                    BoardState::Erased => flash.iter().all(|byte| *byte == 0xFF),
                    BoardState::Partial => true,
                    BoardState::Written => now.flash == self.expected.flash,
                };
                if !is_true {
                    return Err(format!("reported {state:?}, which is wrong: {error}"));
                }
                let before_anything = [Exit::NoProbe, Exit::NoContact, Exit::ProbeAccess, Exit::Consent];
                if before_anything.contains(&category) && state != BoardState::Untouched {
                    return Err(format!("{category:?} of a board that is {state:?}: {error}"));
                }
                self.check_outside(flash)?;
                Ok(End::Failure(category, state))
            }
        }
    }

    /// Whether every planned byte was read back over a connection made after the last write, by the debugger or by the chip itself.
    fn is_proved(&self, by: Option<VerifiedBy>) -> bool {
        self.planned().into_iter().all(|pages| match by {
            Some(VerifiedBy::Digest) => self.board.is_summed(pages),
            _ => self.board.is_read_back(pages),
        })
    }

    /// Addresses of the pages that the job is about: those of the images, and each one with a data block.
    fn planned(&self) -> Vec<Range<u32>> {
        let (target, Setup { boot, drv, .. }) = (self.setup.target, &self.setup);
        let regions = &target.map.regions;
        let images = [(regions.boot.start, boot.bytes.len()), (regions.drv.start, drv.bytes.len())];
        let blocks = target.data_pages().map(|page| (page, LEN));
        let pages = |(start, bytes): (u32, usize)| start..start + (bytes as u32).next_multiple_of(target.map.page);
        images.into_iter().chain(blocks).map(pages).collect()
    }

    fn compare(&self, now: &Contents) -> Result<(), String> {
        let found = now.flash.as_deref().unwrap_or_default();
        let mut expected = self.expected.flash.clone().expect("all of flash is expected");
        if let Some(live) = &self.live
            && self.setup.target.blocks_in(found).first() == Some(&Some(live.clone()))
        {
            // An interrupted run erased the block, and this run rescued it from SRAM.
            for page in self.setup.target.data_pages() {
                let at = (page - self.setup.target.map.flash.start) as usize;
                expected[at..at + LEN].copy_from_slice(live.as_bytes());
            }
        }
        if let Some(at) = (0..expected.len()).find(|&at| found[at] != expected[at]) {
            return Err(format!("{at:#x} holds {:#04x} instead of {:#04x}", found[at], expected[at]));
        }
        // Even if USER was erased between two runs: the first one has saved it.
        if now.options == self.expected.options {
            Ok(())
        } else {
            Err(format!(
                "option bytes {} instead of {}",
                hex::encode(now.options.0),
                hex::encode(self.expected.options.0)
            ))
        }
    }

    /// Checks that nothing outside the planned pages has changed, unless the job unlocks the board.
    fn check_outside(&self, flash: &[u8]) -> Result<(), String> {
        if self.case.consent.is_some() {
            return Ok(());
        }
        let expected = self.expected.flash.as_deref().unwrap_or_default();
        let (planned, start) = (self.planned(), self.setup.target.map.flash.start);
        let is_planned = |at: &usize| planned.iter().any(|pages| pages.contains(&(start + *at as u32)));
        match (0..flash.len()).filter(|at| !is_planned(at)).find(|&at| flash[at] != expected[at]) {
            None => Ok(()),
            Some(at) => Err(format!("{at:#x} has changed, which is outside the planned pages")),
        }
    }

    /// Removes all faults: the board has power and the probe is plugged in.
    pub(crate) fn mend(&mut self, power: Power) {
        self.board.clear_faults();
        match power {
            Power::On => {}
            Power::Returns => self.board.clock().sleep(AWAY_FOR_A_MOMENT),
            Power::Lost => self.board.power_cycle(),
        }
        while self.setup.probes().list().is_empty() {
            self.board.clock().sleep(Duration::from_millis(250));
        }
        // Gives the application, if there is one, time to start.
        self.board.clock().sleep(Duration::from_millis(20));
        self.before = self.setup.contents();
    }

    /// Repeats the same command without faults.
    pub(crate) fn run_again(&mut self) -> Result<(), String> {
        match self.run()? {
            End::Success => Ok(()),
            End::Failure(category, state) => {
                Err(format!("run again, it ended in {category:?}, board {state:?}: {}", self.said))
            }
        }
    }

    /// The transfers of the job without a fault, as far as it goes here.
    pub(crate) fn transfers(&self) -> u64 {
        let clean = Self::clean(self.case);
        if self.after == self.case.after { clean.transfers } else { clean.to_start }
    }

    /// The counts of the job without a fault.
    pub(crate) fn clean(case: &'static FaultCase) -> Clean {
        static KNOWN: Mutex<BTreeMap<&'static str, Clean>> = Mutex::new(BTreeMap::new());
        let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known().get(case.name).cloned();
        found.unwrap_or_else(|| {
            let clean = Self::count(case);
            known().insert(case.name, clean.clone());
            clean
        })
    }

    fn count(case: &'static FaultCase) -> Clean {
        let mut trial = Self::new(case);
        trial.after = After::Stop;
        let began = trial.board.counts().transfers;
        trial.setup.flash(&trial.request()).expect("a run without a fault");
        let to_start = trial.board.counts().transfers - began;

        let mut trial = Self::new(case);
        let began = trial.board.counts();
        assert_eq!(trial.run(), Ok(End::Success), "{}", case.name);
        let ended = trial.board.counts();
        let granule = if case.scenario == Scenario::Gd32e103 { 2 } else { 1 };
        Clean {
            transfers: ended.transfers - began.transfers,
            to_start,
            programs: ended.half_words_programmed / granule,
            page_erases: ended.page_erases.iter().map(|erases| u64::from(*erases)).sum(),
            mass_erases: ended.mass_erases.into(),
            option_erases: ended.option_erases.into(),
            option_programs: ended.option_programs.into(),
        }
    }
}

/// Longer than the program waits for a missing probe by default.
pub(crate) const AWAY: Duration = Duration::from_secs(6);
/// Much shorter than the program waits for a missing probe.
pub(crate) const AWAY_FOR_A_MOMENT: Duration = Duration::from_millis(300);

/// The counts of a run without a fault.
#[derive(Debug, Clone)]
pub(crate) struct Clean {
    pub(crate) transfers: u64,
    /// Transfers until the firmware is started.
    pub(crate) to_start: u64,
    /// Half-words, or words on a chip that programs words.
    pub(crate) programs: u64,
    pub(crate) page_erases: u64,
    pub(crate) mass_erases: u64,
    pub(crate) option_erases: u64,
    pub(crate) option_programs: u64,
}

impl Clean {
    /// How many operations of this kind there are.
    pub(crate) fn all_of(&self, trigger: fn(u64) -> Trigger) -> u64 {
        match trigger(1) {
            Trigger::HalfWord(_) => self.programs,
            Trigger::PageErase(_) => self.page_erases,
            Trigger::MassErase(_) => self.mass_erases,
            Trigger::OptionErase(_) => self.option_erases,
            Trigger::OptionProgram(_) => self.option_programs,
            other => panic!("not an operation: {other:?}"),
        }
    }
}

/// Whether the board's power has to be switched on again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Power {
    On,
    /// It returns by itself within [`AWAY_FOR_A_MOMENT`].
    Returns,
    Lost,
}
