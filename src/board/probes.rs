//! The debug probes at hand: listing and choosing.

use std::sync::{Arc, PoisonError, atomic::AtomicBool};

use probe_rs::probe::{
    DebugProbeError, DebugProbeInfo, DebugProbeSelector, Probe, ProbeFactory,
    cmsisdap::CmsisDapFactory,
    jlink::JLinkFactory,
    list::{Accessibility, ProbeListItem, ProbeLister},
    stlink::StLinkFactory,
};

use super::{
    Error, Finding, Ledger, ProbeEntry, Problem, Selector, diagnosis, driverless,
    finding::Miss,
    link::SharedQuality,
    open_probe::OpenProbe,
    progress::{Event, Need, Progress},
    stlink,
    timer::Timer,
    usb,
};
use crate::{
    clock::{Clock, SystemClock},
    tape::Tape,
};

/// Where probes come from, with the clock that their boards live by.
///
/// This is the one seam between hardware and simulation: everything above it is the same for both.
#[derive(Debug)]
pub struct Probes {
    lister: Box<dyn ProbeLister>,
    driverless: driverless::Source,
    timer: Timer,
    quality: SharedQuality,
    ledger: Ledger,
    tape: Option<Tape>,
}

impl Probes {
    /// The probes on this computer's USB.
    pub fn usb() -> Self {
        let probes = Self::new(Box::new(SupportedProbes), Arc::new(SystemClock::new()));
        Self { driverless: driverless::attached, ..probes }
    }

    /// The probes of any lister, on any clock.
    pub fn new(lister: Box<dyn ProbeLister>, clock: Arc<dyn Clock>) -> Self {
        Self {
            lister,
            driverless: Vec::new,
            timer: Timer::new(clock),
            quality: SharedQuality::default(),
            ledger: Ledger::default(),
            tape: None,
        }
    }

    /// With all that passes between this program and the probes on a tape. If it is played, no probe is touched.
    #[must_use]
    pub fn taped(self, tape: Tape) -> Self {
        let timer = self.timer.over(|clock| tape.clock(clock));
        tape.interrupts(timer.interrupt());
        Self { timer, tape: Some(tape), ..self }
    }

    /// From now on whatever is running ends when this becomes true: several probes can be stopped together.
    #[must_use]
    pub fn interrupted_by(mut self, interrupt: Arc<AtomicBool>) -> Self {
        self.timer = self.timer.interrupted_by(interrupt);
        self
    }

    /// Set it to true, and whatever is running ends within a second with [`Error::Interrupted`].
    pub fn interrupt(&self) -> Arc<AtomicBool> {
        self.timer.interrupt()
    }

    /// The account of what is done to boards over these probes.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Another board comes: what was done to the one before does not count for it.
    pub fn next_board(&mut self) {
        self.ledger = Ledger::default();
    }

    pub(super) fn quality(&self) -> SharedQuality {
        self.quality.clone()
    }

    /// Whether a board has answered in this run.
    pub(super) fn has_answered(&self) -> bool {
        self.quality.lock().unwrap_or_else(PoisonError::into_inner).has_answered()
    }

    /// An attempt to reach a board has failed before there was an access, in this way.
    pub(super) fn missed(&self, how: Miss) {
        self.quality.lock().unwrap_or_else(PoisonError::into_inner).missed(how);
    }

    /// An attempt to reach a board has failed in this way after there were accesses.
    pub(super) fn failed(&self, how: Miss) {
        self.quality.lock().unwrap_or_else(PoisonError::into_inner).failed(how);
    }

    /// Contact was lost in this way before it was good for long enough.
    pub(crate) fn lost(&self, error: &Error, progress: &mut dyn Progress) {
        self.failed(error.into());
        progress.on(self.contact(None, Some(Need::Contact)));
    }

    /// A board was reached.
    pub(super) fn reached(&self) {
        self.quality.lock().unwrap_or_else(PoisonError::into_inner).reached();
    }

    /// How reliable contact has been, and what is wrong with it.
    pub(super) fn contact(&self, volts: Option<f32>, need: Option<Need>) -> Event {
        let quality = self.quality.lock().unwrap_or_else(PoisonError::into_inner);
        let (good, of) = quality.shown();
        let voltage_mv = volts.and_then(millivolts);
        Event::Contact { good, of, voltage_mv, need, finding: quality.finding(voltage_mv) }
    }

    /// What the run so far shows of the wires, and `volts` that the probe measures at the board. `None` if no board was looked
    /// for.
    pub fn finding(&self, volts: Option<f32>) -> Option<Finding> {
        self.quality.lock().unwrap_or_else(PoisonError::into_inner).finding(volts.and_then(millivolts))
    }

    pub(crate) fn timer(&self) -> &Timer {
        &self.timer
    }

    /// All supported probes, in a stable order. Each that nobody else uses is opened, so that the list says what will happen.
    pub fn list(&self) -> Vec<ProbeEntry> {
        self.choices().into_iter().map(|choice| self.tried(choice)).collect()
    }

    /// The entry of a probe, with what the driver says when it opens it.
    fn tried(&self, choice: Choice) -> ProbeEntry {
        // Two programs may open a HID device at the same time and would take each other's answers.
        let is_exclusive = !choice.info.is_hid_interface;
        let opened = if choice.entry.usable && is_exclusive { self.open(&choice).map(drop) } else { Ok(()) };
        match opened {
            Ok(()) => choice.entry,
            Err(Error::ProbeAccess(problem)) => ProbeEntry { usable: false, problem: Some(problem), ..choice.entry },
            Err(_) => ProbeEntry { usable: false, ..choice.entry },
        }
    }

    fn choices(&self) -> Vec<Choice> {
        let Some(tape) = &self.tape else { return self.attached() };
        let mut attached = Vec::new();
        let entries: Option<Vec<_>> = tape.note("the list of probes", || {
            attached = self.attached();
            attached.iter().map(|choice| (choice.entry.clone(), choice.info.is_hid_interface)).collect()
        });
        if tape.is_playing() {
            entries.unwrap_or_default().into_iter().map(|(entry, is_hid)| Choice::unopened(entry, is_hid)).collect()
        } else {
            attached
        }
    }

    /// The probes that the lister finds.
    fn attached(&self) -> Vec<Choice> {
        let items = self.lister.list_with_access(None);
        let devices = usb::devices(items.iter().map(|item| &item.info));
        let has_twin: Vec<_> = items
            .iter()
            .map(|item| items.iter().filter(|other| answers_to(&other.info, &item.info)).count() > 1)
            .collect();
        let choice = |(index, (item, device)): (usize, (ProbeListItem, Option<nusb::DeviceInfo>))| {
            let permitted = item.accessibility == Accessibility::Accessible;
            let has_twin = has_twin[index];
            let busy = || Some(Problem::Busy { program: Some(usb::holder(device.as_ref()?)?) });
            let problem = match permitted {
                false => Some(diagnosis::permission(&item.info)),
                true if has_twin && !opens_by_place(&item.info, device.is_some()) => Some(Problem::Twin),
                true => busy(),
            };
            let entry = ProbeEntry {
                index: index + 1,
                vid: format!("{:04x}", item.info.vendor_id),
                pid: format!("{:04x}", item.info.product_id),
                serial: item.info.serial_number.clone().filter(|serial| !serial.is_empty()),
                usb: device.as_ref().and_then(usb::place),
                kind: item.info.identifier.clone(),
                usable: problem.is_none(),
                problem,
                has_twin,
            };
            Choice { entry, info: item.info, device }
        };
        let driverless = self.driverless(&items);
        let listed = items.into_iter().zip(devices).enumerate().map(choice);
        let mut choices: Vec<_> = listed.collect();
        let first = choices.len() + 1;
        choices.extend(
            (first..).zip(driverless).map(|(index, entry)| Choice::unopened(ProbeEntry { index, ..entry }, false)),
        );
        choices
    }

    /// The probes that have no driver and that the lister therefore does not find.
    fn driverless(&self, listed: &[ProbeListItem]) -> Vec<ProbeEntry> {
        let mut devices = (self.driverless)();
        devices.retain(|device| !device.is_in(listed.iter().map(|item| &item.info)));
        // Each interface of a probe is a device of its own for Windows.
        devices.dedup_by_key(|device| (device.vid, device.pid));
        let entry = |device: &driverless::Driverless| {
            Some(ProbeEntry {
                index: 0,
                vid: format!("{:04x}", device.vid),
                pid: format!("{:04x}", device.pid),
                serial: device.serial.clone(),
                usb: None,
                kind: device.kind()?.to_owned(),
                usable: false,
                problem: Some(Problem::Driver),
                has_twin: false,
            })
        };
        devices.iter().filter_map(entry).collect()
    }

    /// The probe that the selector names; without one, the only probe there is. It must not be one that is known to be unusable.
    pub(super) fn choose(&self, selector: Option<&Selector>) -> Result<Choice, Error> {
        let choice = self.pick(selector)?;
        match &choice.entry.problem {
            // Who has it open may still let us use it; opening will tell.
            None | Some(Problem::Busy { .. }) => Ok(choice),
            Some(problem) => Err(Error::ProbeAccess(problem.clone())),
        }
    }

    /// The probe that the selector names, usable or not; without a selector, the only probe there is.
    pub(super) fn pick(&self, selector: Option<&Selector>) -> Result<Choice, Error> {
        let choices = self.choices();
        let wanted = || selector.map(ToString::to_string).unwrap_or_default();
        let found = || choices.iter().map(|choice| choice.entry.clone()).collect();
        let mut matching = choices.iter().filter(|choice| selector.is_none_or(|wanted| wanted.matches(&choice.entry)));
        match (matching.next(), matching.next()) {
            (Some(choice), None) => Ok(choice.clone()),
            (None, _) if choices.is_empty() => Err(Error::NoProbe),
            (None, _) => Err(Error::ProbeNotFound { wanted: wanted(), found: found() }),
            (Some(_), Some(_)) if selector.is_some() => {
                let found = found().into_iter().filter(|entry| selector.is_some_and(|wanted| wanted.matches(entry)));
                Err(Error::ProbeAmbiguous { wanted: wanted(), found: found.collect() })
            }
            (Some(_), Some(_)) => Err(Error::SeveralProbes { found: found() }),
        }
    }

    /// The version of the chosen probe's firmware, if its driver tells.
    pub(super) fn firmware(&self, choice: &Choice) -> Option<String> {
        let ask = || choice.firmware();
        self.tape.as_ref().map_or_else(ask, |tape| tape.note("the version of the probe's firmware", ask).flatten())
    }

    /// Opens the chosen probe and never another one.
    pub(super) fn open(&self, choice: &Choice) -> Result<OpenProbe, Error> {
        let Some(tape) = &self.tape else { return Ok(OpenProbe::new(Some(self.open_driver(choice)?), None)) };
        let mut probe = None;
        let opened = tape.note("an open probe", || {
            let opened = self.open_driver(choice);
            opened.map(|opened| probe = Some(opened)).map_err(|error| match error {
                Error::ProbeAccess(problem) => Some(problem),
                // The only other one there is.
                _ => None,
            })
        });
        match opened.unwrap_or(Err(None)) {
            Ok(()) => Ok(OpenProbe::new(probe, Some(tape.clone()))),
            Err(problem) => Err(problem.map_or(Error::ProbeGone, Error::ProbeAccess)),
        }
    }

    /// Opens the driver of the chosen probe. probe-rs's drivers open the first probe with the right ids and serial
    /// number, so they are used only if there is exactly one, before and after.
    fn open_driver(&self, choice: &Choice) -> Result<Probe, Error> {
        let diagnose = |error| diagnosis::diagnose(&choice.info, choice.device.as_ref(), &error);
        let by_identity = || self.lister.open(&DebugProbeSelector::from(&choice.info)).map_err(diagnose);
        let Some(device) = &choice.device else { return by_identity() };
        match usb::kin(device) {
            usb::Kin::None => {}
            usb::Kin::Twins => return Self::open_by_place(choice, device),
            usb::Kin::Gone => return Err(Error::ProbeGone),
        }
        let probe = by_identity()?;
        match usb::kin(device) {
            usb::Kin::None => Ok(probe),
            // Another one was plugged in just now, and either of them may be open.
            usb::Kin::Twins => {
                drop(probe);
                Self::open_by_place(choice, device)
            }
            usb::Kin::Gone => Err(Error::ProbeGone),
        }
    }

    fn open_by_place(choice: &Choice, device: &nusb::DeviceInfo) -> Result<Probe, Error> {
        if !opens_by_place(&choice.info, true) {
            return Err(Error::ProbeAccess(Problem::Twin));
        }
        stlink::open(device).map_err(|error| diagnosis::diagnose(&choice.info, Some(device), &error))
    }
}

pub(super) fn millivolts(volts: f32) -> Option<u32> {
    u16::try_from((volts * 1000.0).round() as i32).ok().map(u32::from)
}

/// Whether a driver that is asked to open one probe could open the other. If the one has no serial number, the driver takes
/// any probe with the same ids (probe-rs 0.32.0, `selector_matches`).
fn answers_to(other: &DebugProbeInfo, asked: &DebugProbeInfo) -> bool {
    DebugProbeSelector::from(asked).matches_probe(other)
}

/// Whether the probe can be opened by its place, which takes a driver of our own.
fn opens_by_place(info: &DebugProbeInfo, is_on_usb: bool) -> bool {
    info.is_probe_type::<StLinkFactory>() && is_on_usb
}

/// A probe that was chosen, to be opened as often as needed.
#[derive(Debug, Clone)]
pub(super) struct Choice {
    pub(super) entry: ProbeEntry,
    info: DebugProbeInfo,
    device: Option<nusb::DeviceInfo>,
}

impl Choice {
    /// The version of the probe's firmware, if it is one whose driver tells.
    fn firmware(&self) -> Option<String> {
        self.device.as_ref().filter(|_| opens_by_place(&self.info, true)).and_then(stlink::version)
    }

    /// A probe that no driver opens: one of a recording, or one without a driver.
    fn unopened(entry: ProbeEntry, is_hid: bool) -> Self {
        let id = |digits: &str| u16::from_str_radix(digits, 16).unwrap_or_default();
        let (kind, serial) = (entry.kind.clone(), entry.serial.clone());
        let info = DebugProbeInfo::new(kind, id(&entry.vid), id(&entry.pid), serial, DRIVERS[0], None, is_hid);
        Self { entry, info, device: None }
    }
}

/// The probe families that this tool supports, over probe-rs's drivers. probe-rs's own list would also ask for serial
/// ports, to find probes of other kinds, and panics if the system cannot list them.
#[derive(Debug)]
struct SupportedProbes;

const DRIVERS: [&dyn ProbeFactory; 3] = [&StLinkFactory, &JLinkFactory, &CmsisDapFactory];

impl ProbeLister for SupportedProbes {
    fn open(&self, selector: &DebugProbeSelector) -> Result<Probe, DebugProbeError> {
        let mut failure = None;
        for driver in DRIVERS {
            if driver.list_probes_filtered(Some(selector)).is_empty() {
                continue;
            }
            match driver.open(selector) {
                Ok(probe) => return Ok(Probe::from_specific_probe(probe)),
                Err(error) => failure = Some(error),
            }
        }
        let not_found = || DebugProbeError::ProbeCouldNotBeCreated(probe_rs::probe::ProbeCreationError::NotFound);
        Err(failure.unwrap_or_else(not_found))
    }

    fn list_with_access(&self, selector: Option<&DebugProbeSelector>) -> Vec<ProbeListItem> {
        DRIVERS.iter().flat_map(|driver| driver.list_probes_filtered(selector)).collect()
    }
}

#[cfg(test)]
mod tests {
    use probe_rs::probe::fake_probe::FakeProbe;

    use super::*;

    /// Lists these, and opens any of them.
    #[derive(Debug)]
    struct Listed(Vec<DebugProbeInfo>);

    impl ProbeLister for Listed {
        fn open(&self, _: &DebugProbeSelector) -> Result<Probe, DebugProbeError> {
            Ok(Probe::new(FakeProbe::new()))
        }

        fn list_with_access(&self, _: Option<&DebugProbeSelector>) -> Vec<ProbeListItem> {
            self.0.iter().cloned().map(ProbeListItem::accessible).collect()
        }
    }

    /// For each J-Link with one of these serial numbers, whether it is listed as usable and can be chosen; both must agree.
    fn usable(serials: &[Option<&str>]) -> Vec<bool> {
        let info = |serial: Option<&str>| {
            DebugProbeInfo::new("J-Link", 0x1366, 0x0101, serial.map(Into::into), &JLinkFactory, None, false)
        };
        let source = Listed(serials.iter().copied().map(info).collect());
        let probes = Probes::new(Box::new(source), Arc::new(SystemClock::new()));
        let listed = probes.list();
        for entry in &listed {
            match probes.choose(Some(&Selector::Index(entry.index))) {
                Ok(_) => assert!(entry.usable),
                Err(Error::ProbeAccess(problem)) => assert_eq!(Some(problem), entry.problem),
                Err(error) => panic!("{error}"),
            }
        }
        listed.into_iter().map(|entry| entry.usable).collect()
    }

    #[test]
    fn a_probe_that_its_driver_cannot_tell_from_another_is_listed_and_refused_with_the_same_words() {
        assert_eq!(usable(&[Some("1"), Some("2")]), [true, true]);
        assert_eq!(usable(&[Some("1"), Some("1"), Some("2")]), [false, false, true]);
        assert_eq!(usable(&[None, None]), [false, false]);
        assert_eq!(usable(&[None]), [true]);
        // For a probe without a serial number its driver takes any with the same ids.
        assert_eq!(usable(&[None, Some("1")]), [false, true]);
    }

    #[test]
    fn only_an_st_link_on_usb_is_opened_by_its_place() {
        let st_link = DebugProbeInfo::new("STLink V2", 1, 2, None, &StLinkFactory, None, false);
        let j_link = DebugProbeInfo::new("J-Link", 1, 2, None, &JLinkFactory, None, false);
        assert!(opens_by_place(&st_link, true) && !opens_by_place(&st_link, false));
        assert!(!opens_by_place(&j_link, true) && !opens_by_place(&j_link, false));
    }

    /// Lists a probe that cannot be opened for this reason.
    #[derive(Debug)]
    struct Unusable(fn() -> DebugProbeError);

    impl ProbeLister for Unusable {
        fn open(&self, _: &DebugProbeSelector) -> Result<Probe, DebugProbeError> {
            Err((self.0)())
        }

        fn list_with_access(&self, _: Option<&DebugProbeSelector>) -> Vec<ProbeListItem> {
            vec![ProbeListItem::accessible(DebugProbeInfo::new("J-Link", 1, 2, None, &JLinkFactory, None, false))]
        }
    }

    #[test]
    fn a_probe_that_cannot_be_opened_is_listed_as_unusable_with_what_is_known_of_the_reason() {
        let listed = |error| {
            let entry = Probes::new(Box::new(Unusable(error)), Arc::new(SystemClock::new())).list().remove(0);
            (entry.usable, entry.problem)
        };
        let denied = || DebugProbeError::Usb(std::io::ErrorKind::PermissionDenied.into());
        let permission = Problem::Permission { vid: "0001".into(), pid: "0002".into() };
        assert_eq!(listed(denied), (false, Some(permission)));
        assert_eq!(listed(|| DebugProbeError::Usb(std::io::ErrorKind::NotFound.into())), (false, None));
    }

    #[test]
    fn a_probe_without_a_driver_is_listed_and_refused_instead_of_not_found() {
        fn attached() -> Vec<driverless::Driverless> {
            let device = |vid, pid, serial: Option<&str>| driverless::Driverless {
                vid,
                pid,
                name: None,
                serial: serial.map(Into::into),
            };
            // A V2, the two interfaces of a V2-1, a printer, and a J-Link that the lister finds too.
            vec![
                device(0x0483, 0x3748, Some("066D")),
                device(0x0483, 0x374B, None),
                device(0x0483, 0x374B, None),
                device(0x03F0, 0x0001, None),
                device(0x1366, 0x0101, None),
            ]
        }
        let info = DebugProbeInfo::new("J-Link", 0x1366, 0x0101, Some("1".into()), &JLinkFactory, None, false);
        let probes = Probes::new(Box::new(Listed(vec![info])), Arc::new(SystemClock::new()));
        let probes = Probes { driverless: attached, ..probes };
        let listed: Vec<_> = probes.list().into_iter().map(|entry| (entry.index, entry.kind, entry.problem)).collect();
        let expected =
            [(1, "J-Link", None), (2, "STLink V2", Some(Problem::Driver)), (3, "STLink V2-1", Some(Problem::Driver))];
        assert_eq!(listed, expected.map(|(index, kind, problem)| (index, kind.to_owned(), problem)));
        let refused = probes.choose(Some(&"066D".parse().unwrap()));
        assert!(matches!(refused, Err(Error::ProbeAccess(Problem::Driver))));
        // The only probe, and nothing is chosen.
        let probes = Probes::new(Box::new(Listed(vec![])), Arc::new(SystemClock::new()));
        assert!(matches!(probes.choose(None), Err(Error::NoProbe)));
        let probes = Probes { driverless: || vec![attached().remove(0)], ..probes };
        assert!(matches!(probes.choose(None), Err(Error::ProbeAccess(Problem::Driver))));
    }

    /// Two probes whose serial numbers begin the same way.
    #[derive(Debug)]
    struct TwoProbes;

    impl ProbeLister for TwoProbes {
        fn open(&self, _: &DebugProbeSelector) -> Result<Probe, DebugProbeError> {
            Err(DebugProbeError::ProbeCouldNotBeCreated(probe_rs::probe::ProbeCreationError::NotFound))
        }

        fn list_with_access(&self, _: Option<&DebugProbeSelector>) -> Vec<ProbeListItem> {
            let info =
                |serial: &str| DebugProbeInfo::new("STLink V2", 1, 2, Some(serial.into()), &StLinkFactory, None, false);
            ["066DFF48", "066DFF49"].map(|serial| ProbeListItem::accessible(info(serial))).into()
        }
    }

    #[test]
    fn an_ambiguous_or_unmatched_selector_is_named() {
        let probes = Probes::new(Box::new(TwoProbes), Arc::new(SystemClock::new()));
        let choose = |text: &str| {
            let choice = probes.choose(Some(&text.parse().unwrap()));
            choice.map(|choice| choice.entry.serial.unwrap_or_default()).map_err(|error| error.to_string())
        };
        assert_eq!(choose("066DFF48"), Ok("066DFF48".into()));
        assert_eq!(choose("066D"), Err("2 attached probes match --probe \"066D\"".into()));
        assert_eq!(choose("066E"), Err("no attached probe matches --probe \"066E\"".into()));
        assert!(matches!(probes.choose(None), Err(Error::SeveralProbes { found }) if found.len() == 2));
    }
}
