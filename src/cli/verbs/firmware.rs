//! `firmware list|get|add|export`: the known images: at hand, to be had, fetched, kept.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use clap::{Args, Subcommand, builder::PossibleValuesParser};
use m365_drv::{
    count::count,
    image::{self, Catalog, Entry, Exactness, Kind, Protects, Sha256Digest},
    printable::quoted_path,
    supply::{Folder, Recommended, Supply, Why, chips, recommended},
    target::Target,
    version::Version,
};
use serde::Serialize;

use crate::cli::{
    Context,
    args::{
        firmware::{AtHand, FirmwareArgs},
        question::yes_or_no,
        supply::{self, SupplyArgs, fetch},
        values::ScooterName,
    },
    exit::{Exit, Meaning, refuse},
    files,
    screen::{CommandResult, Outcome, Page, Report, Tone},
};

/// The chips that firmware runs on.
const CHIPS: [&str; 3] = ["stm32f103", "gd32f103", "gd32e103"];

#[derive(Debug, Subcommand)]
pub(crate) enum FirmwareCommand {
    /// List the known images of a scooter: which are at hand, which can be fetched, which are recommended
    List(ListArgs),
    /// Fetch images into your firmware folder, checked by their SHA-256; asks first
    ///
    /// Without a version: what `flash` needs, for each chip that the scooter's board may have.
    Get(GetArgs),
    /// Copy known images from files, folders and zips into your firmware folder
    Add {
        /// Files, folders and zips
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Copy the images at hand into another folder
    Export {
        /// The folder to write them to
        folder: PathBuf,
        /// Only those of this scooter
        #[arg(value_name = "SCOOTER", value_parser = ScooterName)]
        scooter: Option<&'static Target>,
        #[command(flatten)]
        firmware: FirmwareArgs,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Only those of this scooter
    #[arg(value_name = "SCOOTER", value_parser = ScooterName)]
    scooter: Option<&'static Target>,

    /// Only those for this chip
    #[arg(long, value_name = "CHIP", value_parser = PossibleValuesParser::new(CHIPS))]
    chip: Option<String>,

    #[command(flatten)]
    firmware: FirmwareArgs,
}

#[derive(Debug, Args)]
pub(crate) struct GetArgs {
    /// The scooter: a name that `scooters` lists, or a common one such as "mi pro 2"
    #[arg(value_name = "SCOOTER", value_parser = ScooterName)]
    scooter: &'static Target,

    /// A version of the DRV firmware (for example 1.5.5), `drv` for the recommended one, or `boot` for the bootloader
    #[arg(value_name = "VERSION")]
    version: Option<String>,

    /// Only what this chip needs
    #[arg(long, value_name = "CHIP", value_parser = PossibleValuesParser::new(CHIPS))]
    chip: Option<String>,

    /// Fetch without asking
    #[arg(long)]
    yes: bool,

    #[command(flatten)]
    supply: SupplyArgs,
}

pub(crate) fn run(context: &mut Context, command: &FirmwareCommand) -> CommandResult {
    match command {
        FirmwareCommand::List(args) => list(context, args),
        FirmwareCommand::Get(args) => get(context, args),
        FirmwareCommand::Add { files } => add(files),
        FirmwareCommand::Export { folder, scooter, firmware } => export(folder, *scooter, firmware),
    }
}

/// Without a board Ctrl-C ends the program where it stands.
fn never() -> AtomicBool {
    AtomicBool::new(false)
}

/// What an image is, and where.
#[derive(Debug, Serialize)]
struct Row {
    name: &'static str,
    kind: Kind,
    version: Option<Version>,
    sha256: Sha256Digest,
    size: usize,
    chips: &'static [String],
    /// The file that holds it; null if it is not at hand.
    file: Option<String>,
    /// The repositories that hold it; empty if it cannot be fetched.
    repositories: Vec<&'static str>,
    /// The chips for which it is the one to take, each with the reason.
    recommended: Vec<Advice>,
    protects: Option<Protects>,
    /// Whether the serial number decides the region.
    regional: bool,
    /// Bytes that each public file lacks.
    missing: usize,
    remarks: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Advice {
    chip: &'static str,
    why: &'static str,
}

#[derive(Debug, Serialize)]
struct ScooterImages {
    scooter: &'static str,
    title: &'static str,
    images: Vec<Row>,
    /// For which chip there is no image of which kind, a sentence for each.
    #[serde(skip)]
    lacks: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct List(Vec<ScooterImages>);

fn list(context: &mut Context, args: &ListArgs) -> CommandResult {
    let at_hand = args.firmware.search(&never())?;
    at_hand.warn_of_left_out(context);
    let targets = Target::all().iter().filter(|target| args.scooter.is_none_or(|only| only.name == target.name));
    let lacks = |target: &Target, kind| {
        let chip = args.chip.as_deref()?;
        let has_it = recommended(&target.name, kind, chip).is_some();
        (!has_it).then(|| format!("no {} is known for a {chip}", long_name(kind)))
    };
    let of = |target: &'static Target| ScooterImages {
        lacks: [Kind::Boot, Kind::Drv].into_iter().filter_map(|kind| lacks(target, kind)).collect(),
        scooter: &target.name,
        title: &target.title,
        images: [Kind::Boot, Kind::Drv]
            .into_iter()
            .flat_map(|kind| Catalog::builtin().of(&target.name, kind))
            .filter(|entry| !entry.is_rehearsal())
            .filter(|entry| args.chip.as_ref().is_none_or(|chip| entry.runs_on(chip)))
            .map(|entry| Row::of(entry, target, args.chip.as_deref(), &at_hand))
            .collect(),
    };
    Outcome::new(&List(targets.map(of).collect()))
}

impl Row {
    fn of(entry: &'static Entry, target: &Target, only: Option<&str>, at_hand: &AtHand) -> Self {
        let is_asked = |chip: &str| only.is_none_or(|only| only == chip);
        let chips = chips(&target.name).into_iter().filter(|chip| is_asked(chip));
        let recommended = chips.filter_map(|chip| {
            let Recommended { entry: best, why } = recommended(&target.name, entry.kind, chip)?;
            (best.sha256 == entry.sha256).then_some(Advice { chip, why: in_words(why) })
        });
        let mut repositories: Vec<_> = Supply::offers(entry).iter().map(|source| source.repository.as_str()).collect();
        repositories.dedup();
        let cautions = entry.cautions.iter().filter(|(chip, _)| is_asked(chip));
        let cautions = cautions.map(|(chip, text)| format!("on a {chip}: {text}"));
        Self {
            name: &entry.name,
            kind: entry.kind,
            version: entry.version,
            sha256: entry.sha256,
            size: entry.size,
            chips: &entry.chips,
            file: at_hand.file_of(entry).map(|path| path.display().to_string()),
            repositories,
            recommended: recommended.collect(),
            protects: entry.protects,
            regional: entry.regional,
            missing: entry.missing,
            remarks: entry.remarks.clone().into_iter().chain(cautions).collect(),
        }
    }
}

fn long_name(kind: Kind) -> &'static str {
    if kind == Kind::Boot { "bootloader" } else { "DRV firmware" }
}

/// Why an image is the one to take.
fn in_words(why: Why) -> &'static str {
    match why {
        Why::Only => "the only one",
        Why::Newest => "the newest one",
        Why::NewestThatDoesNotProtect => "the newest one that does not switch read-out protection on at each start",
        Why::NewestWithoutTrouble => "the newest one without known trouble",
    }
}

impl Report for List {
    fn text(&self, page: &mut Page) {
        for (index, listed) in self.0.iter().enumerate() {
            if index > 0 {
                page.blank();
            }
            page.heading(format!("{}: {}", listed.scooter, listed.title));
            for lack in &listed.lacks {
                page.line(format!("  {lack}"));
            }
            for row in &listed.images {
                page.line(format!("  {}, for {}", row.name, row.chips.join(", ")));
                match (&row.file, &*row.repositories) {
                    (Some(file), _) => page.toned("    at hand", file, Tone::Good),
                    (None, []) if row.missing > 0 => {
                        let lacks = format!("no: the only known file lacks its last {}", count(row.missing, "byte"));
                        page.toned("    available", lacks, Tone::Remark)
                    }
                    (None, []) => page.toned("    available", "no", Tone::Remark),
                    (None, repositories) => page.row("    available", format!("from {}", repositories.join(", "))),
                };
                for same in row.recommended.chunk_by(|one, other| one.why == other.why) {
                    let chips: Vec<_> = same.iter().map(|advice| advice.chip).collect();
                    page.row("    recommended", format!("for {}: {}", chips.join(", "), same[0].why));
                }
                match row.protects {
                    Some(Protects::AtStart) => {
                        page.toned("    remark", "switches read-out protection on at each start", Tone::Remark);
                    }
                    Some(Protects::Never) => {
                        page.row("    remark", "never switches read-out protection on");
                    }
                    Some(Protects::AfterSelfTest) | None => {}
                }
                if row.regional {
                    page.row("    remark", "the serial number decides the region, and with it the speed limit");
                }
                for remark in &row.remarks {
                    page.row("    remark", remark);
                }
            }
        }
        page.blank().paragraph("`m365-drv info` shows which chip a board has.");
    }
}

/// What `firmware get` and `firmware add` put into the folder.
#[derive(Debug, Serialize)]
struct Kept {
    folder: String,
    images: Vec<KeptImage>,
}

#[derive(Debug, Serialize)]
struct KeptImage {
    name: &'static str,
    kind: Kind,
    version: Option<Version>,
    sha256: Sha256Digest,
    file: String,
    /// Whether it was in the folder before.
    was_there: bool,
}

impl KeptImage {
    fn of(entry: &'static Entry, file: &Path, was_there: bool) -> Self {
        let Entry { name, kind, version, sha256, .. } = entry;
        Self { name, kind: *kind, version: *version, sha256: *sha256, file: file.display().to_string(), was_there }
    }
}

impl Report for Kept {
    fn text(&self, page: &mut Page) {
        page.row("folder", &self.folder);
        for image in &self.images {
            page.row(image.name, if image.was_there { "already there" } else { "added" });
        }
    }
}

fn get(context: &mut Context, args: &GetArgs) -> CommandResult {
    let folder = supply::folder()?;
    let wanted = wanted(args)?;
    let is_there = |entry: &Entry| folder.path().join(Folder::name_of(entry)).is_file();
    let missing: Vec<_> = wanted.iter().copied().filter(|entry| !is_there(entry)).collect();
    let mut images: Vec<_> = wanted
        .iter()
        .filter(|entry| is_there(entry))
        .map(|entry| KeptImage::of(entry, &folder.path().join(Folder::name_of(entry)), true))
        .collect();
    if !missing.is_empty() {
        for entry in &missing {
            Supply::check(entry).map_err(|error| refuse(Exit::Image, error.to_string()))?;
        }
        let Some(supply) = args.supply.supply()? else {
            return Err(refuse(Exit::Image, "cannot fetch firmware: --offline is given"));
        };
        if !args.yes {
            context.say(&supply::offer(&missing, &supply, &folder));
            if !context.audience().answers() {
                return Err(refuse(Exit::Consent, "fetching firmware needs --yes, or your answer at a terminal"));
            }
            if !yes_or_no(context, if missing.len() == 1 { "Fetch it?" } else { "Fetch them?" })? {
                return Err(refuse(Exit::Consent, "nothing was fetched"));
            }
        }
        for entry in missing {
            let file = fetch(context, &supply, &folder, entry)?;
            images.push(KeptImage::of(entry, &file, false));
        }
    }
    Outcome::new(&Kept { folder: folder.path().display().to_string(), images })
}

/// The images that the command line names.
fn wanted(args: &GetArgs) -> anyhow::Result<Vec<&'static Entry>> {
    let scooter = &args.scooter.name;
    let chips = args.chip.as_deref().map_or_else(
        || chips(scooter),
        |chip| vec![CHIPS.into_iter().find(|known| *known == chip).unwrap_or_default()],
    );
    let best = |kind| {
        let mut best: Vec<_> =
            chips.iter().filter_map(|chip| recommended(scooter, kind, chip)).map(|found| found.entry).collect();
        best.dedup_by_key(|entry| entry.sha256);
        best
    };
    let title = &args.scooter.title;
    let found = match args.version.as_deref() {
        None => [best(Kind::Boot), best(Kind::Drv)].concat(),
        Some("boot") => best(Kind::Boot),
        Some("drv") => best(Kind::Drv),
        Some(version) => {
            let version = version.trim_start_matches('v');
            let is_it = |entry: &&Entry| {
                entry.version.is_some_and(|known| known.to_string() == version)
                    || entry.name.eq_ignore_ascii_case(version)
            };
            let all = [Kind::Boot, Kind::Drv].into_iter().flat_map(|kind| Catalog::builtin().of(scooter, kind));
            let all = all.filter(|entry| !entry.is_rehearsal()).filter(is_it);
            let all: Vec<_> = all.filter(|entry| chips.iter().any(|chip| entry.runs_on(chip))).collect();
            let plain = all.iter().copied().filter(|entry| !entry.is_variant()).collect::<Vec<_>>();
            if plain.is_empty() { all } else { plain }
        }
    };
    if found.is_empty() {
        let what = match args.version.as_deref() {
            Some("boot") => "bootloader".to_owned(),
            None | Some("drv") => "DRV firmware".to_owned(),
            Some(version) => format!("firmware {version}"),
        };
        let chip = args.chip.as_ref().map_or_else(String::new, |chip| format!(" with a {chip}"));
        return Err(refuse(Exit::Image, format!("no {what} is known for a {title}{chip}")));
    }
    Ok(found)
}

fn add(paths: &[PathBuf]) -> CommandResult {
    let folder = supply::folder()?;
    let shelf = image::find(paths, &never()).meaning(Exit::Image, || "the files cannot be searched".into())?;
    let mut images = Vec::new();
    for found in shelf.all() {
        if !is_firmware(found.entry) || found.exactness == Exactness::Stripped {
            continue;
        }
        let was_there = folder.path().join(Folder::name_of(found.entry)).is_file();
        let own = &found.image.bytes[..found.entry.size];
        let file = folder.put(found.entry, own).meaning(Exit::Image, || format!("cannot save {}", found.entry))?;
        images.push(KeptImage::of(found.entry, &file, was_there));
    }
    if images.is_empty() {
        let named: Vec<_> = paths.iter().map(|path| quoted_path(path)).collect();
        return Err(refuse(Exit::Image, format!("no known firmware in {}", named.join(", "))));
    }
    Outcome::new(&Kept { folder: folder.path().display().to_string(), images })
}

/// Whether an image belongs into the folder: a bootloader or a firmware, not our own and not a data block.
fn is_firmware(entry: &Entry) -> bool {
    matches!(entry.kind, Kind::Boot | Kind::Drv) && !entry.is_rehearsal()
}

/// What `firmware export` wrote.
#[derive(Debug, Serialize)]
struct Exported {
    files: Vec<String>,
}

impl Report for Exported {
    fn text(&self, page: &mut Page) {
        for file in &self.files {
            page.row("written to", file);
        }
    }
}

fn export(folder: &Path, scooter: Option<&Target>, firmware: &FirmwareArgs) -> CommandResult {
    if let Some(name) = folder.to_str().filter(|name| scooter.is_none() && Target::named(name).is_ok()) {
        let message = format!("{name:?} is a scooter: the folder comes first, as in `firmware export FOLDER {name}`");
        return Err(refuse(Exit::Usage, message));
    }
    let at_hand = firmware.search(&never())?;
    let is_wanted = |entry: &Entry| is_firmware(entry) && scooter.is_none_or(|target| entry.is_for(&target.name));
    let all: Vec<_> = at_hand.all().filter(|found| is_wanted(found.entry)).collect();
    if all.is_empty() {
        return Err(refuse(Exit::Image, "no firmware is at hand"));
    }
    fs::create_dir_all(folder).meaning(Exit::Usage, || format!("cannot write {}", quoted_path(folder)))?;
    let mut files = Vec::new();
    for found in all {
        let path = folder.join(Folder::name_of(found.entry));
        let own = &found.image.bytes[..found.entry.size];
        if !fs::read(&path).is_ok_and(|there| there == own) {
            files::write_new(&path, own, Exit::Usage)?;
        }
        files.push(path.display().to_string());
    }
    Outcome::new(&Exported { files })
}
