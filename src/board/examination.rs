//! What a probe tells of itself and of a board that cannot be reached. Halts and changes nothing.

use super::{
    ConnectOptions, Error, Finding, ProbeEntry, Problem, Selector,
    connect::{self, SLOWEST},
    probes::{Probes, millivolts},
};

/// What is known of a probe once it was tried.
#[derive(Debug, Clone, PartialEq)]
pub struct Examined {
    /// The probe.
    pub entry: ProbeEntry,
    /// Why it cannot be used; `None` if it could be opened.
    pub problem: Option<Problem>,
    /// The version of its firmware, for example `V2J37`; `None` if its driver does not tell.
    pub firmware: Option<String>,
    /// The voltage that it measures at the board; `None` if it measures none.
    pub volts: Option<f32>,
}

impl Examined {
    /// What is wrong with the supply by that voltage alone.
    pub fn supply(&self) -> Option<Finding> {
        self.volts.and_then(millivolts).and_then(Finding::of_supply)
    }
}

/// How a board answers that was not reached: who it is, as far as that could be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Answers {
    /// Tries.
    pub tries: u32,
    /// Tries in which the debug port gave an identification that makes sense.
    pub good: u32,
    /// The debug port's DPIDR.
    pub dpidr: Option<u32>,
    /// The core's CPUID.
    pub cpuid: Option<u32>,
}

/// Tries that tell a board that never answers from one whose wires make poor contact.
const TRIES: u32 = 8;

impl Probes {
    /// Opens the probe that the selector names, and asks it about itself.
    pub fn examine(&self, selector: Option<&Selector>) -> Result<Examined, Error> {
        let choice = self.pick(selector)?;
        // Opening tells whether somebody who has it open lets us use it.
        let problem = choice.entry.problem.clone().filter(|problem| !matches!(problem, Problem::Busy { .. }));
        let unopened = |problem| Examined { entry: choice.entry.clone(), problem, firmware: None, volts: None };
        if problem.is_some() {
            return Ok(unopened(problem));
        }
        let firmware = self.firmware(&choice);
        match self.open(&choice) {
            Ok(mut probe) => {
                let volts = probe.voltage().ok().flatten();
                Ok(Examined { firmware, volts, ..unopened(None) })
            }
            Err(Error::ProbeAccess(problem)) => Ok(Examined { firmware, ..unopened(Some(problem)) }),
            Err(error) => Err(error),
        }
    }

    /// Asks a board that was not reached who it is, a few times at the slowest clock.
    pub fn ask(&self, options: &ConnectOptions) -> Result<Answers, Error> {
        let choice = self.choose(options.selector.as_ref())?;
        let speed = options.speed_khz.unwrap_or(SLOWEST);
        let mut answers = Answers::default();
        for _ in 0..TRIES {
            self.timer().check()?;
            answers.tries += 1;
            let (dpidr, cpuid) = connect::identity(self, &choice, speed);
            answers.good += u32::from(dpidr.is_some());
            answers.dpidr = answers.dpidr.or(dpidr);
            answers.cpuid = answers.cpuid.or(cpuid);
        }
        Ok(answers)
    }
}
