//! Un-bricks the motor controllers (DRV, ESC) of Xiaomi M365-family scooters over SWD.
//!
//! A controller is an STM32F103, or a GigaDevice chip in its place, with three pads for a debug probe. Its flash holds a
//! bootloader, the DRV firmware and a 512-byte data block with the serial number, the mileage and the chip's UID.
//! Read-out protection keeps a debugger from reading flash; removing it erases the chip.
//!
//! The modules, from pure data to procedures:
//!
//! * [`block`]: the data block, byte for byte;
//! * [`image`]: firmware files: formats, the catalog of known images, the gates that an image has to pass;
//! * [`supply`]: where known images are had: public repositories, and the user's own folder;
//! * [`target`]: the scooters: flash maps, serial numbers, the flash algorithm;
//! * [`board`]: one board on one probe: connect, identify, unlock, program, compare;
//! * [`ops`]: the commands, as procedures on a board;
//! * [`guide`]: the guided job, card by card;
//! * [`batch`]: which boards of many are done, the list of serial numbers, and the log;
//! * [`sim`]: a simulated probe and board that run the firmware.
//!
//! The library never prints and never prompts; it reports progress to its caller through [`board::progress::Progress`].
//!
//! # A rehearsal
//!
//! ```
//! use m365_drv::{
//!     board::{ConnectOptions, Consent, Probes},
//!     image::{Image, RehearsalImages},
//!     ops::{After, BackupStore, Extent, FlashRequest, Job, Known, Wanted, Watchdog, flash},
//!     sim::{APP_64, BOOT, Scenario, SimBoard},
//!     target::Target,
//! };
//!
//! // A read-protected board whose firmware is running.
//! let target = Target::builtin("pro").unwrap();
//! let board = SimBoard::new(Scenario::Locked, target);
//! let probes = Probes::new(board.probe_lister(), board.clock());
//!
//! let (boot, drv) = ([Image::from_bytes(BOOT)?], [Image::from_bytes(APP_64)?]);
//! let request = FlashRequest {
//!     wanted: Wanted {
//!         target,
//!         boot: &boot,
//!         drv: &drv,
//!         data: None,
//!         serial: None,
//!         mileage: None,
//!         forced: vec![],
//!         rehearsal: RehearsalImages::Allowed,
//!     },
//!     consent: Some(Consent::Erase),
//!     extent: Extent::Changes,
//!     after: After::Run,
//!     watchdog: Watchdog::Keep,
//!     backups: BackupStore::none(),
//! };
//! let (mut known, mut silent) = (Known::default(), ());
//! let mut job = Job::new(&probes, ConnectOptions::default(), &mut silent, &mut known);
//! let report = flash(&mut job, &request)?;
//!
//! // The serial number was read from the locked chip's SRAM before the chip was erased.
//! assert_eq!(report.planned.serial.to_string(), "21886/00012345");
//! assert!(report.verified && report.done.mass_erased);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod batch;
pub mod block;
pub mod board;
pub mod clock;
pub mod count;
pub mod durable;
pub mod guide;
pub mod image;
pub mod ops;
pub mod page;
pub mod printable;
pub mod sim;
pub mod supply;
pub mod tape;
pub mod target;
pub mod version;
