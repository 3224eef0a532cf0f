//! The probe, the wires and the board, and the time that they share.

use std::{
    collections::BTreeMap,
    fmt,
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{
    board::BoardModel,
    dap::DapRegister,
    fault::{Armed, CountedEvent, Fault, FaultKind, Faults, Hit, Lie, Trigger, WireContact},
    read_back::{MAIN_FLASH, ReadBack},
    record::Counts,
    seeded_random::SeededRandom,
    store_error::StoreError,
    time::{Nanos, nanos},
    transfer::TransferError,
};
use crate::clock::Clock;

/// The state that a [`SimBoard`](super::SimBoard), its lister, its probe and its clock have in common.
#[derive(Debug, Clone)]
pub(super) struct SharedMachine(Arc<Mutex<Machine>>);

impl SharedMachine {
    pub(super) fn new(machine: Machine) -> Self {
        Self(Arc::new(Mutex::new(machine)))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Machine> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The board's time as a clock for the rest of the program. The board runs while it sleeps.
impl Clock for SharedMachine {
    fn now(&self) -> Duration {
        Duration::from_nanos(self.lock().now())
    }

    fn sleep(&self, duration: Duration) {
        self.lock().pass(nanos(duration));
    }
}

/// Errors that a probe's driver reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProbeFailure {
    /// The probe was disconnected.
    Gone,
    /// The probe timed out.
    Timeout,
    /// No acknowledge from the chip.
    NoAcknowledge,
    /// The chip answered WAIT until the probe stopped repeating the transfer.
    Wait,
    /// The chip answered FAULT; the sticky flag is cleared again, as drivers do.
    Fault,
}

/// How long a probe waits before it times out.
const TIMEOUT: Nanos = 1_000_000_000;
/// How long the probe repeats a transfer that is answered with WAIT (chosen; probes differ, but all give up).
const PATIENCE: Nanos = 2_000_000;
/// Bits on the wire for one transfer: request, acknowledge, data, parity, turnarounds and eight idle bits.
const TRANSFER_BITS: u64 = 54;
/// Clock frequencies of the probe in kHz: some of an ST-Link V2's, and the 4000 of other probes.
pub(super) const CLOCKS_KHZ: [u32; 9] = [4000, 1800, 950, 480, 240, 125, 100, 50, 25];

/// What a clone of the ST-Link measures, connected or not: its own supply.
const CLONE_VOLTS: f32 = 3.25;

/// The probe, the wires and the board.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) board: BoardModel,
    /// The first board, while the wires are on another one.
    pub(super) set_aside: Option<BoardModel>,
    now: Nanos,
    pub(super) khz: u32,
    pub(super) round_trip: Nanos,
    pub(super) nrst_wired: bool,
    /// What the probe measures at the board, in volts.
    pub(super) target_voltage: f32,
    /// Above this clock frequency, every second transfer fails.
    pub(super) clean_khz: u32,
    /// The probe has no slower SWD clocks than this.
    pub(super) slowest_khz: u32,
    transfers: u64,
    round_trips: u64,
    bytes_read: u64,
    bytes_written: u64,
    /// Whether commands are waiting to be sent with the next exchange.
    queued: bool,
    /// The number of the current session, if the probe is open.
    session: Option<u64>,
    sessions: u64,
    plug: Plug,
    silent_until: Nanos,
    power_returns: Option<Nanos>,
    contact: WireContact,
    period: ContactPeriod,
    pub(super) faults: Faults,
    failing: Option<ProbeFailure>,
    lie: Option<Lying>,
    /// Wrong bits of the next word that is read.
    wrong: Option<(u32, Hit)>,
    dropping: Option<Hit>,
    read_back: ReadBack,
    /// Who changes the boards, if there are several.
    pub(super) hand: Option<Box<dyn Onlooker>>,
}

/// Whoever watches the probe and may change the boards on its wires.
pub(super) trait Onlooker: fmt::Debug + Send {
    /// Time has passed, and the probe is open or not.
    fn look(&mut self, machine: &mut Machine, is_open: bool);

    /// The probe was closed.
    fn left_alone(&mut self, machine: &mut Machine);

    /// The board on the wires has answered.
    fn sees_an_answer(&mut self);

    /// Saves the board on the wires, and tells whether any could not be saved.
    fn save(&mut self, machine: &Machine) -> Result<(), StoreError>;
}

/// Whether the probe is plugged in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plug {
    In,
    OutUntil(Nanos),
    Out,
}

/// The current period with or without contact.
#[derive(Debug)]
struct ContactPeriod {
    contact: bool,
    ends: Nanos,
    random: SeededRandom,
}

#[derive(Debug)]
struct Lying {
    lie: Lie,
    hit: Hit,
    first: Option<u32>,
    previous: u32,
    /// Words of flash as they were first read since the probe attached.
    remembered: BTreeMap<u32, u32>,
    random: SeededRandom,
}

impl Machine {
    pub(super) fn new(board: BoardModel, contact: WireContact) -> Self {
        let now = board.now();
        let mut machine = Self {
            board,
            set_aside: None,
            now,
            khz: 1800,
            round_trip: 1_000_000,
            nrst_wired: false,
            target_voltage: CLONE_VOLTS,
            clean_khz: u32::MAX,
            slowest_khz: 0,
            transfers: 0,
            round_trips: 0,
            bytes_read: 0,
            bytes_written: 0,
            queued: false,
            session: None,
            sessions: 0,
            plug: Plug::In,
            silent_until: 0,
            power_returns: None,
            contact: WireContact::Firm,
            period: ContactPeriod { contact: true, ends: 0, random: SeededRandom::new(0) },
            faults: Faults::default(),
            failing: None,
            lie: None,
            wrong: None,
            dropping: None,
            read_back: ReadBack::default(),
            hand: None,
        };
        machine.set_contact(contact);
        machine
    }

    pub(super) fn now(&self) -> Nanos {
        self.now
    }

    pub(super) fn contact(&self) -> &WireContact {
        &self.contact
    }

    pub(super) fn set_contact(&mut self, contact: WireContact) {
        let seed = if let WireContact::Markov { seed, .. } = contact { seed } else { 0 };
        self.period = ContactPeriod { contact: false, ends: self.now, random: SeededRandom::new(seed) };
        self.contact = contact;
    }

    /// What was done to the board, as the probe and the board have counted it.
    pub(super) fn counts(&self) -> Counts {
        Counts {
            transfers: self.transfers,
            round_trips: self.round_trips,
            bytes_read: self.bytes_read,
            bytes_written: self.bytes_written,
            time: Duration::from_nanos(self.now),
            ..self.board.bus.record.counts()
        }
    }

    /// Advances the time of probe, wires and board by `span`.
    pub(super) fn pass(&mut self, span: Nanos) {
        self.pass_to(self.now.saturating_add(span));
    }

    fn pass_to(&mut self, to: Nanos) {
        while self.now < to {
            let moments = [self.faults.next_moment().map(nanos), self.power_returns];
            let stop = moments.into_iter().flatten().fold(to, Nanos::min).max(self.now);
            self.board.advance(stop);
            // The board may have stopped early because one of its flash operations triggered a fault.
            self.now = if self.board.bus.flash.fault_due.is_some() { self.board.now().max(self.now) } else { stop };
            self.apply_due_faults();
        }
        if let Some(mut hand) = self.hand.take() {
            hand.look(self, self.session.is_some());
            self.hand = Some(hand);
        }
    }

    fn apply_due_faults(&mut self) {
        if let Some(hit) = self.board.bus.flash.fault_due.take() {
            self.apply_fault(hit);
        }
        while let Some(hit) = self.faults.due(Duration::from_nanos(self.now)) {
            self.apply_fault(hit);
        }
        if self.power_returns.is_some_and(|at| at <= self.now) {
            self.power_returns = None;
            self.board.power_on(self.now);
        }
    }

    /// Makes a fault happen.
    fn apply_fault(&mut self, hit: Hit) {
        match hit.kind {
            FaultKind::Error => self.failing = Some(ProbeFailure::NoAcknowledge),
            FaultKind::Timeout => self.failing = Some(ProbeFailure::Timeout),
            FaultKind::ProbeGone { returns_after } => {
                self.plug =
                    returns_after.map_or(Plug::Out, |after| Plug::OutUntil(self.now.saturating_add(nanos(after))));
                self.session = None;
            }
            FaultKind::PowerLost { returns_after } => {
                self.board.power_off();
                self.power_returns = returns_after.map(|after| self.now.saturating_add(nanos(after)));
            }
            FaultKind::Silent(span) => self.silent_until = self.now.saturating_add(nanos(span)),
            FaultKind::Paused(span) => self.pass(nanos(span)),
            FaultKind::AnotherBoard { uid, gap } => {
                self.silent_until = self.now.saturating_add(nanos(gap));
                let other = self.board.with_uid(uid, self.now);
                self.set_aside = Some(std::mem::replace(&mut self.board, other));
            }
            FaultKind::Lying(lie) => {
                let random = SeededRandom::new(self.now);
                let remembered = BTreeMap::new();
                self.lie = Some(Lying { lie, hit, first: None, previous: 0, remembered, random });
                return;
            }
            FaultKind::WrongWord { flipped } => {
                self.wrong = Some((flipped, hit));
                return;
            }
            FaultKind::DroppedWrite => {
                self.dropping = Some(hit);
                return;
            }
            // Only a flash operation can have no effect.
            FaultKind::NoEffect => return,
        }
        hit.happened();
    }

    /// Removes all faults. What they have done stays.
    pub(super) fn clear_faults(&mut self) {
        self.faults.clear();
        self.board.bus.flash.faults.clear();
        (self.lie, self.wrong, self.dropping, self.failing) = (None, None, None, None);
    }

    pub(super) fn arm(&mut self, fault: Fault) -> Armed {
        match fault.trigger {
            Trigger::Transfer(_)
            | Trigger::At(_)
            | Trigger::Read { .. }
            | Trigger::Write { .. }
            | Trigger::Attach(_) => self.faults.arm(fault),
            _ => self.board.bus.flash.faults.arm(fault),
        }
    }

    /// Whether the wires make contact with a powered board right now.
    pub(super) fn is_connected(&mut self) -> bool {
        self.board.powered && self.now >= self.silent_until && self.has_contact()
    }

    fn has_contact(&mut self) -> bool {
        let WireContact::Markov { duty_percent, gap, .. } = &self.contact else {
            return self.contact == WireContact::Firm;
        };
        let duty = u64::from((*duty_percent).clamp(1, 100));
        if duty == 100 {
            return true;
        }
        let (least, most) = (nanos(gap.start), nanos(gap.end));
        let period = &mut self.period;
        while period.ends <= self.now {
            period.contact = !period.contact;
            let span = if period.contact {
                // Uniform from zero to twice the mean length that gives the duty.
                period.random.below((least + most) * duty / (100 - duty))
            } else {
                least + period.random.below(most.saturating_sub(least))
            };
            period.ends += span.max(1000);
        }
        period.contact
    }

    pub(super) fn plugged_in(&mut self) -> bool {
        if matches!(self.plug, Plug::OutUntil(returns) if returns <= self.now) {
            self.plug = Plug::In;
        }
        self.plug == Plug::In
    }

    /// Opens the probe, or returns `None` if it is already open.
    pub(super) fn open(&mut self) -> Option<u64> {
        if self.session.is_some() {
            return None;
        }
        self.sessions += 1;
        self.session = Some(self.sessions);
        self.session
    }

    pub(super) fn close(&mut self, session: u64) {
        if self.session == Some(session) {
            self.session = None;
            if let Some(mut hand) = self.hand.take() {
                hand.left_alone(self);
                self.hand = Some(hand);
            }
        }
    }

    /// The probe attaches to the chip anew: what it has remembered of it is gone.
    pub(super) fn attach(&mut self) {
        if let Some(hit) = self.faults.count(CountedEvent::Attach) {
            self.apply_fault(hit);
        }
        if let Some(lying) = &mut self.lie {
            lying.remembered.clear();
        }
        let changes = self.board.bus.record.flash_changes();
        self.read_back.attach(changes);
        self.board.bus.summed.attach(changes);
    }

    /// Whether the debugger has read all of this flash since it attached after the last change.
    pub(super) fn is_read_back(&self, range: Range<u32>) -> bool {
        self.read_back.covers(range, self.board.bus.record.flash_changes())
    }

    /// Whether a program in SRAM has read all of this flash since the debugger attached after the last change.
    pub(super) fn is_summed(&self, range: Range<u32>) -> bool {
        self.board.bus.summed.covers(range, self.board.bus.record.flash_changes())
    }

    pub(super) fn is_open(&self, session: u64) -> bool {
        self.session == Some(session)
    }

    /// One exchange over USB.
    pub(super) fn round_trip(&mut self) {
        self.queued = false;
        self.round_trips += 1;
        // Vary the duration: otherwise all samples of a loop would hit the same instruction.
        let spread = self.round_trip / 64;
        let jitter = self.round_trips.wrapping_mul(0x9E37_79B9) % (spread + 1);
        self.pass(self.round_trip - spread / 2 + jitter);
    }

    /// Makes a round trip if commands are waiting to be sent.
    pub(super) fn flush(&mut self) {
        if self.queued {
            self.round_trip();
        }
    }

    pub(super) fn queue(&mut self) {
        self.queued = true;
    }

    fn pass_bits(&mut self, bits: u64) {
        self.pass(bits * 1_000_000 / u64::from(self.khz.max(1)));
    }

    /// Sends bits outside a transfer.
    pub(super) fn sequence(&mut self, length: u8, bits: u64) -> Result<(), ProbeFailure> {
        self.queue();
        self.pass_bits(length.into());
        if !self.is_connected() {
            self.board.dap.lose_sync();
            return Err(ProbeFailure::NoAcknowledge);
        }
        self.board.dap.sequence(length, bits);
        Ok(())
    }

    /// Performs one transfer, with any faults that affect it.
    pub(super) fn transfer(
        &mut self,
        session: u64,
        register: DapRegister,
        write: Option<u32>,
    ) -> Result<u32, ProbeFailure> {
        if !self.is_open(session) {
            return Err(ProbeFailure::Gone);
        }
        self.transfers += 1;
        self.pass_bits(TRANSFER_BITS);
        if let Some(hit) = self.faults.count(CountedEvent::Transfer) {
            self.apply_fault(hit);
        }
        let address = self.board.dap.tar;
        if register.is_data() {
            let access = if write.is_some() { CountedEvent::Write(address) } else { CountedEvent::Read(address) };
            if let Some(hit) = self.faults.count(access) {
                self.apply_fault(hit);
            }
        }
        if !self.is_open(session) {
            return Err(ProbeFailure::Gone);
        }
        if let Some(error) = self.failing.take() {
            if error == ProbeFailure::Timeout {
                self.pass(TIMEOUT);
            }
            return Err(error);
        }
        if !self.is_connected() || self.too_fast() {
            self.board.dap.lose_sync();
            return Err(ProbeFailure::NoAcknowledge);
        }
        if write.is_some() && register.is_data() && self.drops() {
            return Ok(0);
        }
        let value = self.until_ready(register, write)?;
        if let Some(hand) = &mut self.hand {
            hand.sees_an_answer();
        }
        if !register.is_data() {
            return Ok(value);
        }
        if write.is_some() {
            self.bytes_written += 4;
            return Ok(0);
        }
        self.bytes_read += 4;
        self.read_back.read(address, self.board.bus.record.flash_changes());
        Ok(self.falsified(address, value))
    }

    fn until_ready(&mut self, register: DapRegister, write: Option<u32>) -> Result<u32, ProbeFailure> {
        let gives_up = self.now + PATIENCE;
        loop {
            let answer = self.board.transfer(register, write);
            self.apply_due_faults();
            return match answer {
                Ok(value) => Ok(value),
                Err(TransferError::Wait(until)) => {
                    self.pass_to(until.clamp(self.now + 1, gives_up.max(self.now + 1)));
                    if !self.is_connected() {
                        return Err(ProbeFailure::NoAcknowledge);
                    }
                    if until > gives_up {
                        return Err(ProbeFailure::Wait);
                    }
                    continue;
                }
                Err(TransferError::Fault) => {
                    self.transfers += 1;
                    self.board.dap.clear_sticky();
                    Err(ProbeFailure::Fault)
                }
                Err(TransferError::NoAcknowledge) => Err(ProbeFailure::NoAcknowledge),
            };
        }
    }

    fn too_fast(&self) -> bool {
        self.khz > self.clean_khz && self.transfers.is_multiple_of(2)
    }

    /// Loses a write if that fault is due: increments the address without writing memory.
    fn drops(&mut self) -> bool {
        let Some(hit) = self.dropping.take() else { return false };
        hit.happened();
        self.board.dap.increment_address();
        true
    }

    fn falsified(&mut self, address: u32, truth: u32) -> u32 {
        if let Some((flipped, hit)) = self.wrong.take() {
            hit.happened();
            return truth ^ flipped;
        }
        let Some(lying) = &mut self.lie else { return truth };
        let reported = match lying.lie {
            Lie::Stuck => *lying.first.get_or_insert(truth),
            Lie::Late => std::mem::replace(&mut lying.previous, truth),
            Lie::Ones => u32::MAX,
            Lie::Zeros => 0,
            Lie::Remembered if MAIN_FLASH.contains(&address) => *lying.remembered.entry(address).or_insert(truth),
            Lie::FlippedBit { one_in } if lying.random.below(one_in.into()) == 0 => truth ^ 1 << lying.random.below(32),
            Lie::FlippedBit { .. } | Lie::Remembered => truth,
        };
        if reported != truth {
            lying.hit.happened();
        }
        reported
    }

    /// Disconnects the board's power supply for 0.1 s.
    pub(super) fn power_cycle(&mut self) {
        self.board.power_off();
        self.pass(100_000_000);
        self.power_returns = None;
        self.board.power_on(self.now);
    }
}
