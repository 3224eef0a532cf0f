//! `image show|check|encrypt|decrypt`: firmware files, no board needed.

mod check;

use std::path::{Path, PathBuf};

use clap::Subcommand;
use m365_drv::{
    count::count,
    image::{Format, Gate, Image, ImageReport, Kind, Sha256Digest, cipher, sha256},
    printable::quoted_path,
};
use serde::Serialize;

use self::check::CheckArgs;
use crate::cli::{
    Context,
    exit::{Exit, Meaning, refuse},
    files,
    screen::{CommandResult, Outcome, Page, Report, Tone},
};

#[derive(Debug, Subcommand)]
pub(crate) enum ImageCommand {
    /// Identify a firmware file: kind, version, scooter, chips, hashes, and the checks (gates) that it passes and fails
    Show {
        /// The file: bin, Intel HEX, enc, zip, or a flash dump
        file: PathBuf,
    },
    /// Check files as `flash` does: exit 0 if every file passes, 8 if one fails
    Check(CheckArgs),
    /// Decrypt an update file, or the firmware of a package
    Decrypt {
        /// The encrypted file, or a zip
        input: PathBuf,
        /// The file to write; it must not exist
        #[arg(short, long, value_name = "OUT")]
        output: PathBuf,
    },
    /// Encrypt a plain image for an update over Bluetooth
    Encrypt {
        /// The plain image
        input: PathBuf,
        /// The file to write; it must not exist
        #[arg(short, long, value_name = "OUT")]
        output: PathBuf,
    },
}

pub(crate) fn run(context: &Context, command: &ImageCommand) -> CommandResult {
    match command {
        ImageCommand::Check(args) => check::run(context, args),
        ImageCommand::Show { file } => Outcome::new(&ImageReport::new(&open(file)?)),
        ImageCommand::Decrypt { input, output } => save(&decrypted(input)?, output),
        ImageCommand::Encrypt { input, output } => {
            let image = open(input)?;
            match image.format {
                Format::Bin | Format::Hex if !image.is_dump() => save(&cipher::encrypt(&image.bytes), output),
                other => Err(refuse(Exit::Image, format!("{} is not a plain image: {other}", quoted_path(input)))),
            }
        }
    }
}

fn open(path: &Path) -> anyhow::Result<Image> {
    Image::open(path).meaning(Exit::Image, || format!("cannot use {}", quoted_path(path)))
}

/// The plain bytes of an encrypted file, or of a package without faults.
fn decrypted(path: &Path) -> anyhow::Result<Vec<u8>> {
    let image = open(path)?;
    if let Some(fault) = image.package.as_ref().and_then(|package| package.faults().next()) {
        return Err(refuse(Exit::Image, format!("cannot use {}: {fault}", quoted_path(path))));
    }
    match image.format {
        Format::Encrypted | Format::Package => Ok(image.bytes),
        // Not code, so probably encrypted: the error of the cipher tells what is wrong with it.
        Format::Bin if image.kind() == Kind::Unknown => {
            cipher::decrypt(&image.bytes).meaning(Exit::Image, || format!("{} cannot be decrypted", quoted_path(path)))
        }
        other => Err(refuse(Exit::Image, format!("{} is not encrypted: {other}", quoted_path(path)))),
    }
}

fn save(bytes: &[u8], path: &Path) -> CommandResult {
    files::write_new(path, bytes, Exit::Usage)?;
    Outcome::new(&SavedImage { file: path.display().to_string(), size: bytes.len(), sha256: sha256(bytes) })
}

/// What `image encrypt` and `image decrypt` wrote.
#[derive(Serialize)]
struct SavedImage {
    file: String,
    size: usize,
    sha256: Sha256Digest,
}

impl Report for SavedImage {
    fn text(&self, page: &mut Page) {
        page.row("written to", &self.file).row("size", count(self.size, "byte")).row("sha256", self.sha256);
    }
}

impl Report for ImageReport {
    fn text(&self, page: &mut Page) {
        identity_rows(self, page);
        page.row("size", count(self.size, "byte")).row("sha256", self.sha256).row("md5", self.md5);
        if let Some(remarks) = &self.remarks {
            page.blank().paragraph(remarks);
        }
        for (chip, caution) in &self.cautions {
            page.blank().paragraph(format!("on a {chip}: {caution}"));
        }
        if !self.parts.is_empty() {
            page.blank().heading("Contents");
            for part in &self.parts {
                let name = part.name.clone().unwrap_or_else(|| check::unknown(part.kind));
                page.row(format!("  {}", part.address), name);
            }
        }
        page.blank().heading(if self.parts.is_empty() {
            "Checks (gates)"
        } else {
            "Checks (gates) on the firmware in it"
        });
        for Gate { name, passed, detail } in &self.gates {
            match passed {
                true => page.row(format!("  ok    {name}"), detail),
                false => page.toned(format!("  FAIL  {name}"), detail, Tone::Bad),
            };
        }
    }
}

/// What the image is; rows without a value are left out.
fn identity_rows(report: &ImageReport, page: &mut Page) {
    match &report.name {
        Some(name) if report.known => page.row("image", name),
        Some(name) if report.near.is_some() => page.toned("image", name, Tone::Remark),
        Some(name) => page.toned("image", name, Tone::Bad),
        None if !report.parts.is_empty() => page.row("image", "several, listed below"),
        None => page.toned("image", "not in the catalog", Tone::Remark),
    };
    if let Some(near) = &report.near {
        page.row("made from", format!("{}: {}", near.source(), near.difference(report.size)));
    }
    page.row("format", report.format).row("kind", report.kind);
    let optional = [
        ("version", report.version.map(|version| version.to_string())),
        ("in the zip", report.member.clone()),
        ("title", report.package.as_ref().and_then(|package| package.title.clone())),
        ("ident", report.ident.clone()),
        ("scooters", some_list(&report.scooters)),
        ("chips", some_list(&report.chips)),
        ("flash map", report.layout.map(ToString::to_string)),
        ("address", report.base.clone()),
    ];
    for (label, value) in optional {
        if let Some(value) = value {
            page.row(label, value);
        }
    }
}

fn some_list(names: &[String]) -> Option<String> {
    (!names.is_empty()).then(|| names.join(", "))
}
