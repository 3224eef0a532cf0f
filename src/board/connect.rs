//! Reaching the board: at a clock that works, in the way that works, for as long as the user wants to try.

use std::{fmt, time::Duration};

use probe_rs::{architecture::arm::ArmError, probe::DebugProbeError};

use super::{
    Board, Error, ProbeEntry, Problem, Selector, Uid, Verify, Wait,
    finding::Miss,
    link::{Link, LinkError, SharedQuality},
    open_probe::OpenProbe,
    probes::{Choice, Probes},
    progress::{self, Event, Need, Progress, Warning},
    registers::core::{CPUID, DEMCR, DEMCR_VC_CORERESET, DHCSR, DHCSR_C_DEBUGEN, DHCSR_C_HALT, DHCSR_DBGKEY},
};

/// How to reach a board.
#[derive(Debug, Clone, Default)]
pub struct ConnectOptions {
    /// Which probe; needed if there are several.
    pub selector: Option<Selector>,
    /// SWD clock in kHz; without one the fastest that works.
    pub speed_khz: Option<u32>,
    /// How to attach.
    pub method: Method,
    /// How long to try.
    pub wait: Wait,
    /// How to prove what is in its flash.
    pub verify: Verify,
    /// The board that has been reached before. Another one is refused, and a probe that cannot be opened is tried again:
    /// it was in use, and one that is plugged in again needs a moment before the system lets anybody open it.
    pub expect: Option<Uid>,
}

/// How to attach to a chip that runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Method {
    /// Without reset; if that fails under reset.
    #[default]
    Auto,
    /// Without reset, so that the chip's SRAM stays as it is.
    Normal,
    /// With NRST held low, for chips whose firmware turns the debug pins off.
    UnderReset,
}

impl ConnectOptions {
    /// Whether what keeps the probe from being used may pass while somebody waits.
    fn awaits(&self, error: &Error) -> bool {
        let passes = match error {
            Error::ProbeAccess(Problem::Busy { .. } | Problem::Other { .. }) => true,
            Error::ProbeAccess(_) => self.expect.is_some(),
            error => error.is_absence(),
        };
        passes && self.wait != Wait::No
    }
}

/// Clocks that are tried, in kHz, fastest first. 4600 is what probe-rs calls the fastest setting of an ST-Link V2; ST and
/// OpenOCD, and so everything that a user sees, call it 4000.
pub(super) const SPEEDS: [u32; 7] = [4600, 4000, 1800, 950, 480, 240, 125];
/// The last of them.
pub(super) const SLOWEST: u32 = SPEEDS[SPEEDS.len() - 1];
/// The fastest clock to begin with, for probes other than the ST-Link V2 and V2-1.
const FASTEST: u32 = 4000;
/// At least five tries a second, so that a tap on NRST is not missed.
const INTERVAL: Duration = Duration::from_millis(150);

/// What a successful try found.
#[derive(Debug)]
pub(super) struct Contact {
    pub(super) link: Link,
    pub(super) probe: ProbeEntry,
    /// The way that worked.
    pub(super) method: Method,
    /// The clock that the probe really uses.
    pub(super) speed_khz: u32,
    pub(super) cpuid: u32,
    pub(super) dpidr: u32,
}

impl fmt::Display for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ProbeEntry { index, kind, vid, pid, serial, usb, .. } = &self.probe;
        let (serial, usb) = (serial.as_deref().unwrap_or("none"), usb.as_deref().unwrap_or("unknown"));
        write!(f, "probe #{index} {kind} {vid}:{pid}, serial {serial}, usb {usb}; SWD at {} kHz, ", self.speed_khz)?;
        write!(f, "{:?}; DPIDR {:#010x}, CPUID {:#010x}", self.method, self.dpidr, self.cpuid)
    }
}

/// The clocks to try on this probe from `limit` down.
pub(super) fn ladder(kind: &str, options: &ConnectOptions, limit: Option<u32>) -> Vec<u32> {
    let is_v2 = kind.starts_with("STLink V2");
    match options.speed_khz {
        Some(FASTEST) if is_v2 => return vec![SPEEDS[0]],
        Some(speed) => return vec![speed],
        None => {}
    }
    let fastest = if is_v2 { SPEEDS[0] } else { FASTEST };
    let fastest = limit.map_or(fastest, |limit| if limit >= FASTEST { fastest } else { limit });
    let speeds: Vec<_> = SPEEDS.into_iter().filter(|speed| *speed <= fastest).collect();
    if speeds.is_empty() { vec![SPEEDS[SPEEDS.len() - 1]] } else { speeds }
}

/// Tries until a board answers whose chip is identified. `limit` is the fastest clock to use.
pub(super) fn reach<'p>(
    probes: &'p Probes,
    options: &ConnectOptions,
    limit: Option<u32>,
    progress: &mut dyn Progress,
) -> Result<Board<'p>, Error> {
    let timer = probes.timer();
    let began = timer.now();
    let mut options = options.clone();
    let (first, mut limit) = (limit, limit);
    let mut attempts = 0;
    let mut replugging = false;
    let mut lost = None;
    let mut seen = None;
    let mut tried_again = false;
    let mut told = false;
    let mut voltmeter = Voltmeter::default();
    probes.ledger().begin();
    loop {
        let contact = round(probes, &options, limit, &mut attempts, &mut |probe| {
            if seen.as_ref() != Some(probe) {
                progress.on(probe.event());
                seen = Some(probe.clone());
            }
        });
        let taken = contact.and_then(|contact| {
            log::info!("{contact}");
            if contact.method == Method::Normal {
                // It answers without a reset, and must not be reset in the middle of what it writes.
                options.method = Method::Normal;
            }
            Board::take(probes, &options, contact)
        });
        let elapsed = timer.now().saturating_sub(began);
        let answered = probes.has_answered();
        let limit_of = |need| match need {
            Need::Contact if answered => options.wait.limit_after_an_answer(),
            need => options.wait.limit(need),
        };
        let (need, cause) = match taken {
            // The faster clocks may have met one bad moment, and the whole job would be slow for it.
            Ok(board) if !tried_again && is_slowed(&board, first) => {
                log::info!("trying the fastest clock once more");
                (tried_again, limit) = (true, first);
                continue;
            }
            Ok(board) => {
                probes.reached();
                progress.on(board.contact(None));
                return Ok(board);
            }
            // Contact was there and did not last for twenty words: a slower clock is more robust.
            Err(AttemptError::Lost { speed_khz, error }) => {
                probes.failed(Miss::from(&error));
                progress.on(probes.contact(None, Some(Need::Contact)));
                let is_last = speed_khz <= SLOWEST || options.speed_khz.is_some();
                if is_last && elapsed >= limit_of(Need::Contact) {
                    return Err(error);
                }
                lost = Some(error);
                // While a hand is looking for contact, the next round begins at the fastest clock again.
                limit = if is_last { first } else { Some(speed_khz - 1) };
                if !is_last {
                    progress::warn(progress, slower(speed_khz));
                }
                timer.check()?;
                continue;
            }
            Err(AttemptError::Contact(error)) => (Need::Contact, Err(error)),
            // A clone that hangs comes back when it is plugged in again, and the user is asked to.
            Err(AttemptError::Final(hung @ Error::ProbeAccess(Problem::Hung))) => (Need::Replug, Ok(hung)),
            Err(AttemptError::Final(error)) if replugging && error.is_absence() => {
                (Need::Replug, Ok(Error::ProbeAccess(Problem::Hung)))
            }
            Err(AttemptError::Final(error)) if options.awaits(&error) => (Need::Probe, Ok(error)),
            // It was there a moment ago.
            Err(AttemptError::Final(error)) if error.is_absence() => return Err(lost.unwrap_or(error)),
            Err(AttemptError::Final(error)) => return Err(error),
        };
        if elapsed >= limit_of(need) {
            return Err(cause.unwrap_or_else(|last| {
                let volts = measure(probes, &options);
                progress.on(probes.contact(volts, Some(Need::Contact)));
                let finding = probes.finding(volts);
                Error::NoContact { answered, attempts, elapsed, volts, finding, last }
            }));
        }
        if need == Need::Contact && options.wait == Wait::No && !told {
            told = true;
            progress::warn(progress, lost_early(limit_of(need)));
        }
        replugging = need == Need::Replug;
        if need != Need::Contact {
            seen = None;
        }
        progress.on(Event::Waiting { attempts, elapsed, need });
        let volts = if need == Need::Contact { voltmeter.volts(probes, &options) } else { None };
        progress.on(probes.contact(volts, Some(need)));
        timer.pause(INTERVAL)?;
    }
}

/// Whether a board that answers without a reset was reached at a slower clock than the first that was tried.
fn is_slowed(board: &Board<'_>, first: Option<u32>) -> bool {
    let fastest = ladder(&board.probe.kind, &board.options, first)[0].min(FASTEST);
    board.options.speed_khz.is_none() && board.method == Method::Normal && board.speed_khz < fastest
}

fn lost_early(limit: Duration) -> Warning {
    let limit = limit.as_secs();
    Warning::new(
        "contact-lost",
        format!("the board answered, but contact was lost before its chip was identified; trying for {limit} s"),
    )
}

fn slower(speed_khz: u32) -> Warning {
    Warning::new("slower-clock", format!("poor contact at {speed_khz} kHz; trying a slower clock"))
}

/// What the probe has measured at the board while somebody waits.
#[derive(Default)]
struct Voltmeter {
    volts: Option<f32>,
    measured: Option<Duration>,
}

/// How often it is measured. More often would slow down the search for contact.
const MEASURED_EVERY: Duration = Duration::from_secs(1);

impl Voltmeter {
    /// The voltage now, or a moment ago.
    fn volts(&mut self, probes: &Probes, options: &ConnectOptions) -> Option<f32> {
        let now = probes.timer().now();
        if self.measured.is_none_or(|last| now.saturating_sub(last) >= MEASURED_EVERY) {
            (self.volts, self.measured) = (measure(probes, options), Some(now));
        }
        self.volts
    }
}

/// The voltage that the probe measures at the board, if it can.
fn measure(probes: &Probes, options: &ConnectOptions) -> Option<f32> {
    let choice = probes.choose(options.selector.as_ref()).ok()?;
    probes.open(&choice).ok()?.voltage().ok()?
}

/// Why a try failed.
pub(super) enum AttemptError {
    /// The probe works and the board does not answer.
    Contact(LinkError),
    /// The board answered at this clock, and contact did not last until the chip was identified.
    Lost { speed_khz: u32, error: Error },
    /// Nothing that a hand on the wires changes.
    Final(Error),
}

impl From<LinkError> for AttemptError {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Probe { .. } => Self::Final(Error::ProbeGone),
            error => Self::Contact(error),
        }
    }
}

/// One try at each clock and in each way that the options allow; while waiting only the first and the last clock, to come
/// round often. The probe is told to `found`.
pub(super) fn round(
    probes: &Probes,
    options: &ConnectOptions,
    limit: Option<u32>,
    attempts: &mut u32,
    found: &mut dyn FnMut(&ProbeEntry),
) -> Result<Contact, AttemptError> {
    let choice = probes.choose(options.selector.as_ref()).map_err(AttemptError::Final)?;
    found(&choice.entry);
    let speeds = ladder(&choice.entry.kind, options, limit);
    let methods: &[Method] = match options.method {
        Method::Auto => &[Method::Normal, Method::UnderReset],
        Method::Normal => &[Method::Normal],
        Method::UnderReset => &[Method::UnderReset],
    };
    let mut last = None;
    for method in methods {
        for speed in &speeds {
            // While the user looks for contact, coming round often matters more than every clock.
            let middle = speed != &speeds[0] && speed != &speeds[speeds.len() - 1];
            if middle && (options.wait != Wait::No || *method == Method::UnderReset) {
                continue;
            }
            probes.timer().check().map_err(AttemptError::Final)?;
            *attempts += 1;
            match attempt(probes, &choice, *speed, *method) {
                Err(AttemptError::Contact(error)) => {
                    probes.missed(Miss::from(&error));
                    last = Some(error);
                }
                // Ours, not the user's: the next step of the ladder may do.
                Err(AttemptError::Final(Error::UnsupportedSpeed { .. })) if options.speed_khz.is_none() => {}
                result => return result,
            }
        }
    }
    Err(last.map_or(AttemptError::Final(Error::NoProbe), AttemptError::Contact))
}

/// Opens the probe and finds an ARM debug port with an ARM core behind it. The core's identification is read once more when
/// everything else has been read.
fn attempt(probes: &Probes, choice: &Choice, speed: u32, method: Method) -> Result<Contact, AttemptError> {
    let mut probe = probes.open(choice).map_err(AttemptError::Final)?;
    let driver = |error| AttemptError::from(LinkError::from_arm(None, error));
    probe.select_swd().map_err(driver)?;
    probe.set_speed(speed).map_err(|error| match error {
        ArmError::Probe(DebugProbeError::UnsupportedSpeed(khz)) => AttemptError::Final(Error::UnsupportedSpeed { khz }),
        error => driver(error),
    })?;
    if method == Method::Normal {
        return attach(probe, choice.entry.clone(), method, probes.quality()).map_err(AttemptError::from);
    }
    probe.hold_reset().map_err(driver)?;
    attach(probe, choice.entry.clone(), method, probes.quality()).map_err(|error| {
        // A probe keeps holding NRST low after it was closed, and then the chip cannot be reached without reset.
        if let Ok(mut probe) = probes.open(choice) {
            let _ = probe.release_reset();
        }
        AttemptError::from(error)
    })
}

/// Attaches over a probe that is open and has been attached before.
pub(super) fn again(mut probe: OpenProbe, entry: ProbeEntry, quality: SharedQuality) -> Result<Contact, LinkError> {
    probe.detach().map_err(|error| LinkError::from_arm(None, error))?;
    attach(probe, entry, Method::Normal, quality)
}

fn attach(
    mut probe: OpenProbe,
    entry: ProbeEntry,
    method: Method,
    quality: SharedQuality,
) -> Result<Contact, LinkError> {
    probe.attach().map_err(|error| LinkError::from_arm(None, error))?;
    let speed_khz = probe.speed_khz().map_err(|error| LinkError::from_arm(None, error))?;
    let speed_khz = if speed_khz == SPEEDS[0] { FASTEST } else { speed_khz };
    let interface = probe.into_interface().map_err(|error| LinkError::from_arm(Some(CPUID), error))?;
    let mut link = Link::new(interface, speed_khz, quality)?;
    if method == Method::UnderReset {
        hold(&mut link)?;
    }
    let (dpidr, cpuid) = prove(&mut link)?;
    Ok(Contact { link, probe: entry, method, speed_khz, cpuid, dpidr })
}

/// DPIDR and CPUID of what answers at this clock, as far as they make sense. Halts nothing.
pub(super) fn identity(probes: &Probes, choice: &Choice, speed: u32) -> (Option<u32>, Option<u32>) {
    let attached = || {
        let mut probe = probes.open(choice).ok()?;
        probe.select_swd().ok()?;
        probe.set_speed(speed).ok()?;
        probe.attach().ok()?;
        let interface = probe.into_interface().ok()?;
        Link::new(interface, speed, probes.quality()).ok()
    };
    let Some(mut link) = attached() else { return (None, None) };
    let dpidr = link.dpidr().ok().filter(|dpidr| is_dpidr(*dpidr));
    let cpuid = link.read(CPUID).ok().filter(|cpuid| is_cpuid(*cpuid));
    (dpidr, cpuid)
}

/// Makes the core stop at its first instruction when NRST is let go.
fn hold(link: &mut Link) -> Result<(), LinkError> {
    link.hold_core();
    link.write(DHCSR, DHCSR_DBGKEY | DHCSR_C_DEBUGEN | DHCSR_C_HALT)?;
    link.write(DEMCR, DEMCR_VC_CORERESET)?;
    link.flush()?;
    link.release_reset()
}

fn prove(link: &mut Link) -> Result<(u32, u32), LinkError> {
    let dpidr = link.dpidr()?;
    if !is_dpidr(dpidr) {
        return Err(LinkError::Nonsense { what: "DPIDR", value: dpidr });
    }
    let cpuid = link.read(CPUID)?;
    if !is_cpuid(cpuid) {
        return Err(LinkError::Nonsense { what: "CPUID", value: cpuid });
    }
    Ok((dpidr, cpuid))
}

/// Bit 0 is always one; bits 1 to 11 are the designer, ARM (ADIv5 B2.2.5).
fn is_dpidr(word: u32) -> bool {
    word & 0xFFF == 0x477
}

/// Bits 24 to 31 are the implementer, ARM (DDI 0403E B3.2.3).
fn is_cpuid(word: u32) -> bool {
    word >> 24 == 0x41
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ladder_begins_at_the_probe_s_fastest_clock_and_ends_slow() {
        let options = ConnectOptions::default();
        assert_eq!(ladder("STLink V2", &options, None)[0], 4600);
        assert_eq!(ladder("J-Link", &options, None)[0], 4000);
        assert_eq!(ladder("STLink V2", &options, Some(1000)), [950, 480, 240, 125]);
        assert_eq!(ladder("STLink V2", &options, Some(1)), [125]);
        let as_st_names_it = ConnectOptions { speed_khz: Some(4000), ..options.clone() };
        assert_eq!(ladder("STLink V2", &as_st_names_it, None), [4600]);
        assert_eq!(ladder("J-Link", &as_st_names_it, None), [4000]);
        let fixed = ConnectOptions { speed_khz: Some(333), ..options };
        assert_eq!(ladder("STLink V2", &fixed, Some(100)), [333]);
    }
}
