//! Setup for the tests of the procedures: a board and the firmware to write. The board is simulated or, in `hardware`,
//! real; tests that take a [`Setup`] work with both.

use std::{
    fmt,
    io::{self, Write as _},
    ops::Deref,
    slice::from_ref,
    thread,
};

use m365_drv::{
    block::{DataBlock, Mileage, Serial, Uid},
    board::{
        BoardState, ConnectOptions, Consent, OptionBytes, Probes,
        progress::{Event, Progress, Warning},
    },
    image::{Image, RehearsalImages},
    ops::{
        self, After, Backup, BackupStore, Error, Extent, FlashReport, FlashRequest, Job, Known, LockReport, Wanted,
        Watchdog,
    },
    sim::{self, Scenario, SimBoard},
    target::Target,
};

/// A board, its scooter and the firmware to write.
pub(crate) struct Setup {
    probes: Box<dyn Fn() -> Probes>,
    look: Box<dyn Fn(&Setup) -> Contents>,
    pub(crate) connect: ConnectOptions,
    pub(crate) target: &'static Target,
    pub(crate) boot: Image,
    pub(crate) drv: Image,
    /// The folder for backups.
    pub(crate) folder: tempfile::TempDir,
}

/// The contents of a board.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Contents {
    pub(crate) uid: Uid,
    pub(crate) options: OptionBytes,
    /// `None` if flash cannot be read.
    pub(crate) flash: Option<Vec<u8>>,
}

/// How a procedure failed, and what the board is by its account.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) error: Error,
    pub(crate) board: BoardState,
}

impl Ended {
    pub(crate) fn board(&self) -> BoardState {
        self.board
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

/// The end of a run that left the board in this state by its account. A success leaves nothing half done, and nothing is
/// reported as done to a board that is untouched.
#[track_caller]
fn ended<T>(done: Result<T, Error>, board: BoardState, known: &Known) -> Result<T, Ended> {
    assert!(done.is_err() || board != BoardState::Partial, "a success with a partly written board");
    if board == BoardState::Untouched {
        let reported = ops::Done { pages_skipped: 0, ..known.done.unwrap_or_default() };
        assert_eq!(reported, ops::Done::default(), "done to a board that is untouched");
    }
    done.map_err(|error| Ended { error, board })
}

impl Deref for Ended {
    type Target = Error;

    fn deref(&self) -> &Error {
        &self.error
    }
}

impl Setup {
    /// A setup with the board that `probes` find, usually a real one.
    pub(crate) fn new(probes: impl Fn() -> Probes + 'static, target: &'static Target, boot: Image, drv: Image) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (probes, look) = (Box::new(probes), Box::new(Self::read));
        Self { probes, look, connect: ConnectOptions::default(), target, boot, drv, folder }
    }

    /// A setup with a simulated board and our own firmware; its contents are read directly from the simulation.
    pub(crate) fn simulated(board: &SimBoard, scooter: &str) -> Self {
        let target = target(scooter);
        let app = sim::application(target);
        let (wires, inside) = (board.clone(), board.clone());
        let probes = move || Probes::new(wires.probe_lister(), wires.clock());
        let look = move |_: &Self| Contents {
            uid: Uid(inside.uid()),
            options: OptionBytes(inside.option_bytes()),
            flash: Some(inside.flash()),
        };
        Self { look: Box::new(look), ..Self::new(probes, target, image(sim::BOOT), image(app)) }
    }

    /// A simulated board in the given scenario, with a 64 KiB flash map.
    pub(crate) fn scenario(scenario: Scenario) -> (SimBoard, Self) {
        let board = SimBoard::new(scenario, target("pro"));
        let setup = Self::simulated(&board, "pro");
        (board, setup)
    }

    /// Reads the contents of the board with `backup`.
    fn read(&self) -> Contents {
        let path = self.folder.path().join("contents.json");
        self.run(|job| ops::backup(job, &path)).expect("the board can be read");
        let backup = Backup::open(&path).expect("a backup");
        std::fs::remove_file(&path).expect("the backup that was just made");
        Contents { uid: backup.uid, options: backup.option_bytes, flash: backup.flash }
    }

    /// The current contents of the board.
    pub(crate) fn contents(&self) -> Contents {
        (self.look)(self)
    }

    /// The whole flash of a board that is not locked.
    pub(crate) fn flash_contents(&self) -> Vec<u8> {
        self.contents().flash.expect("flash can be read")
    }

    /// The probes that a newly started program would find.
    pub(crate) fn probes(&self) -> Probes {
        (self.probes)()
    }

    /// Runs a procedure as a newly started program would.
    pub(crate) fn run<T>(&self, work: impl FnOnce(&mut Job<'_>) -> Result<T, Error>) -> Result<T, Ended> {
        self.run_to_state(work).0
    }

    /// The same, with what the board is by the run's account.
    pub(crate) fn run_to_state<T>(
        &self,
        work: impl FnOnce(&mut Job<'_>) -> Result<T, Error>,
    ) -> (Result<T, Ended>, BoardState) {
        let (probes, mut known) = (self.probes(), Known::default());
        let done = work(&mut Job::new(&probes, self.connect.clone(), &mut (), &mut known));
        let board = probes.ledger().board();
        (ended(done, board, &known), board)
    }

    /// What the board is to hold: the images, and the data that it has.
    pub(crate) fn wanted(&self) -> Wanted<'_> {
        Wanted {
            target: self.target,
            boot: from_ref(&self.boot),
            drv: from_ref(&self.drv),
            data: None,
            serial: None,
            mileage: None,
            forced: vec![],
            rehearsal: RehearsalImages::Allowed,
        }
    }

    /// The same with the tests' serial number and mileage.
    pub(crate) fn wanted_with_data(&self) -> Wanted<'_> {
        Wanted { serial: Some(self.serial()), mileage: Some(mileage(1234)), ..self.wanted() }
    }

    /// The whole job with everything allowed. Most tests change one field of it.
    pub(crate) fn request(&self) -> FlashRequest<'_> {
        self.request_for(self.wanted())
    }

    /// The request with the tests' serial number and mileage.
    pub(crate) fn request_with_data(&self) -> FlashRequest<'_> {
        self.request_for(self.wanted_with_data())
    }

    /// The whole job for a board that is to hold this.
    pub(crate) fn request_for<'a>(&self, wanted: Wanted<'a>) -> FlashRequest<'a> {
        FlashRequest {
            wanted,
            consent: Some(Consent::Erase),
            extent: Extent::Changes,
            after: After::Stop,
            watchdog: Watchdog::Keep,
            backups: BackupStore::in_folder(self.folder.path().to_owned()),
        }
    }

    /// The example serial number of the scooter.
    pub(crate) fn serial(&self) -> Serial {
        let rule = &self.target.serial;
        Serial::parse(&rule.example, &rule.pattern).expect("an example follows its rule")
    }

    /// Runs a procedure, and gives the names of its warnings and what they say.
    pub(crate) fn run_told<T>(
        &self,
        work: impl FnOnce(&mut Job<'_>) -> Result<T, Error>,
    ) -> (Result<T, Ended>, Vec<(&'static str, String)>) {
        let (probes, mut told) = (self.probes(), Told::default());
        let mut known = Known::default();
        let mut job = Job::new(&probes, self.connect.clone(), &mut told, &mut known);
        let done = work(&mut job);
        (ended(done, probes.ledger().board(), &known), told.0)
    }

    /// Locks the board; what flash holds is saved in the folder for backups.
    pub(crate) fn lock(&self) -> Result<LockReport, Ended> {
        let backups = BackupStore::in_folder(self.folder.path());
        self.run(|job| ops::lock(job, &backups))
    }

    pub(crate) fn flash(&self, request: &FlashRequest<'_>) -> Result<FlashReport, Ended> {
        self.run(|job| ops::flash(job, request))
    }

    /// Expected flash after a job on a board that held `before`: images and data block, the rest of their last pages
    /// blank, everything else unchanged. Computed without `ops::plan`.
    pub(crate) fn expected(&self, before: &[u8], block: &[u8]) -> Vec<u8> {
        let mut flash = before.to_vec();
        let regions = &self.target.map.regions;
        let images = [(regions.boot.start, &self.boot.bytes[..]), (regions.drv.start, &self.drv.bytes[..])];
        let copies = self.target.block.copies.iter().map(|copy| (*copy, block));
        for (start, bytes) in images.into_iter().chain([(regions.data.start, block)]).chain(copies) {
            let start = (start - self.target.map.flash.start) as usize;
            flash[start..start + bytes.len().next_multiple_of(1024)].fill(0xFF);
            flash[start..start + bytes.len()].copy_from_slice(bytes);
        }
        flash
    }

    /// Expected flash after a job on an erased board.
    pub(crate) fn expected_on_blank(&self, block: &[u8]) -> Vec<u8> {
        self.expected(&vec![0xFF; self.target.map.flash.len()], block)
    }

    /// The data block template with the UID and with the serial number and mileage of [`Setup::request_with_data`].
    pub(crate) fn fresh_block(&self, uid: Uid) -> DataBlock {
        self.target.template().with_serial(self.serial()).with_mileage(mileage(1234)).with_uid(uid)
    }
}

/// The warnings of a run.
#[derive(Default)]
struct Told(Vec<(&'static str, String)>);

impl Progress for Told {
    fn on(&mut self, event: Event) {
        if let Event::Warning(Warning { name, message }) = event {
            self.0.push((name, message));
        }
    }
}

/// Says that the test that is running cannot run here. It shows in the output of every test run: only what is printed is captured.
pub(crate) fn skip(why: &str) {
    let test = thread::current().name().unwrap_or("a test").to_owned();
    let _ = writeln!(io::stderr(), "skipped: {test}: {why}");
}

pub(crate) fn target(scooter: &str) -> &'static Target {
    Target::builtin(scooter).expect("a scooter's name")
}

pub(crate) fn image(bytes: &[u8]) -> Image {
    Image::from_bytes(bytes).expect("an image")
}

pub(crate) fn mileage(km: u32) -> Mileage {
    Mileage::from_km(km).expect("a mileage")
}

/// SRAM offsets of the live data block of our own applications, the same as in Pro 1.5.5 and in 4 Pro 0.2.2:
/// `firmware/rehearsal/app.s`.
const LIVE: [usize; 2] = [0x70E, 0x796];

/// Reads the data block from the SRAM of a board that runs our own application.
pub(crate) fn live_block(board: &SimBoard) -> DataBlock {
    let sram = board.sram();
    let mut blocks = LIVE.into_iter().filter_map(|live| DataBlock::parse(&sram[live..live + 512]).ok());
    blocks.next().expect("the application runs")
}

/// Option bytes without protection and with matching complements.
pub(crate) fn open_options(user: u8) -> OptionBytes {
    OptionBytes::from_values([0xA5, user, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF])
}

/// Asserts that two flash contents are equal; on failure, prints only 16 bytes at the first difference.
#[track_caller]
pub(crate) fn assert_same(found: &[u8], expected: &[u8]) {
    assert_eq!(found.len(), expected.len(), "sizes of flash");
    if let Some(at) = (0..found.len()).find(|&at| found[at] != expected[at]) {
        let end = (at + 16).min(found.len());
        panic!("at {at:#x}: {:02x?} instead of {:02x?}", &found[at..end], &expected[at..end]);
    }
}
