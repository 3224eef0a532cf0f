//! `data new|show|edit`: data blocks in files; no board needed.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use m365_drv::{
    block::{DataBlock, Mileage, Register, RegisterValue, Serial, Summary, Uid},
    image::Format,
    target::Target,
    version::Version,
};
use serde::Serialize;

use crate::cli::{
    args::{
        data_file::{self, DataFile},
        mileage::MileageArgs,
    },
    exit::{Exit, refuse},
    files,
    screen::{CommandResult, Outcome, Page, Report, Tone, rows::summary_rows},
};

#[derive(Debug, Subcommand)]
pub(crate) enum DataCommand {
    /// Make a data block from the firmware's own template; its mileage is 0 unless it is given
    New {
        /// Serial number, as on the sticker of the scooter
        #[arg(long, value_name = "S")]
        serial: String,
        #[command(flatten)]
        mileage: MileageArgs,
        /// UID of the chip, as `info` or OpenOCD prints it or as 24 hex digits; if left out, `flash` fills it in
        #[arg(long, value_name = "UID")]
        uid: Option<String>,
        /// The file to write; it must not exist
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
    /// Show the contents of a data block
    Show {
        /// The file with the data block: a block, a page, a flash dump or a backup
        file: PathBuf,
    },
    /// Change some fields of a data block; all other bytes stay the same
    Edit {
        /// The file with the data block: a block, a page, a flash dump or a backup
        file: PathBuf,
        /// Serial number to put in place of the one in the block
        #[arg(long, value_name = "S")]
        serial: Option<String>,
        #[command(flatten)]
        mileage: MileageArgs,
        /// UID of another chip, as `info` or OpenOCD prints it or as 24 hex digits
        #[arg(long, value_name = "UID")]
        uid: Option<String>,
        /// The file to write; it must not exist
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
}

pub(crate) fn run(command: &DataCommand) -> CommandResult {
    match command {
        DataCommand::New { serial, mileage, uid, output } => {
            let fields = Fields::parse(Some(serial), mileage, uid.as_deref())?;
            save(&fields.set_in(DataBlock::template()), output, None)
        }
        DataCommand::Show { file } => Outcome::new(&ShownBlock::of(file, &data_file::open(file, None)?)),
        DataCommand::Edit { file, serial, mileage, uid, output } => {
            let fields = Fields::parse(serial.as_deref(), mileage, uid.as_deref())?;
            let opened = data_file::open(file, None)?;
            save(&fields.set_in(opened.taken.block.clone()), output, Some(BlockOrigin::of(file, &opened)))
        }
    }
}

/// The longest value that is put in the label column: longer ones would leave no room on 40 columns.
const LABEL: usize = 16;

/// The fields that can be given.
struct Fields {
    serial: Option<Serial>,
    mileage: Option<Mileage>,
    uid: Option<Uid>,
}

impl Fields {
    /// Reads what was typed. A serial of the wrong form is refused as data, not as usage: scripts tell them apart.
    fn parse(serial: Option<&str>, mileage: &MileageArgs, uid: Option<&str>) -> anyhow::Result<Self> {
        let uid = uid.map(|uid| uid.parse::<Uid>().map_err(|error| refuse(Exit::Data, error.to_string())));
        Ok(Self { serial: serial.map(parse_serial).transpose()?, mileage: mileage.mileage()?, uid: uid.transpose()? })
    }

    fn set_in(&self, mut block: DataBlock) -> DataBlock {
        if let Some(serial) = self.serial {
            block = block.with_serial(serial);
        }
        if let Some(mileage) = self.mileage {
            block = block.with_mileage(mileage);
        }
        if let Some(uid) = self.uid {
            block = block.with_uid(uid);
        }
        block
    }
}

fn save(block: &DataBlock, path: &Path, origin: Option<BlockOrigin>) -> CommandResult {
    files::write_new(path, block.as_bytes(), Exit::Usage)?;
    Outcome::new(&BlockFile { file: path.display().to_string(), summary: block.summary(), origin })
}

/// Where a block comes from.
#[derive(Serialize)]
struct BlockOrigin {
    /// What the file is, in words.
    form: String,
    /// Address of the block in flash, `0x0800f800`; none if the file holds it apart.
    address: Option<String>,
    /// How many other blocks the file holds.
    other_blocks: usize,
    #[serde(skip)]
    remark: Option<String>,
}

impl BlockOrigin {
    fn of(path: &Path, opened: &DataFile) -> Self {
        Self {
            form: opened.dump.to_string(),
            address: opened.taken.address.map(|address| format!("{address:#010x}")),
            other_blocks: opened.others.len(),
            remark: opened.remark(path),
        }
    }

    fn rows(&self, page: &mut Page) {
        if self.form != Format::Data.to_string() {
            page.row("found in", &self.form);
        }
        if let Some(address) = &self.address {
            page.row("address", address);
        }
        if let Some(remark) = &self.remark {
            page.toned("others", remark, Tone::Remark);
        }
    }
}

/// Reads a serial of any known scooter: a block in a file does not belong to one yet.
fn parse_serial(text: &str) -> anyhow::Result<Serial> {
    Target::read_any_serial(text).map_err(|error| refuse(Exit::Data, error.to_string()))
}

/// What `data new` and `data edit` wrote.
#[derive(Serialize)]
struct BlockFile {
    file: String,
    #[serde(flatten)]
    summary: Summary,
    /// What `data edit` has read.
    #[serde(flatten)]
    origin: Option<BlockOrigin>,
}

impl Report for BlockFile {
    fn text(&self, page: &mut Page) {
        if let Some(origin) = &self.origin {
            origin.rows(page);
        }
        summary_rows(&self.summary, None, page);
        page.row("written to", &self.file);
    }
}

/// A value in its unit as a person reads it; numbers of steps, such as `10 m` or `0.1 degC`, are multiplied.
fn in_words(value: &RegisterValue, unit: &str) -> String {
    let RegisterValue::Number(number) = value else { return value.to_string() };
    match unit.split_once(' ') {
        _ if unit.is_empty() => number.to_string(),
        // Erased flash, as a mileage that is not known.
        _ if *number == i64::from(u32::MAX) => "not set".into(),
        _ if unit == "version" => u16::try_from(*number).map_or(number.to_string(), |raw| Version(raw).to_string()),
        None => format!("{number} {unit}"),
        Some((step, unit)) => match (step.strip_prefix("0."), step.parse::<i64>()) {
            (Some(decimals), _) => {
                let (sign, one) = (if *number < 0 { "-" } else { "" }, 10_u64.pow(decimals.len() as u32));
                let (whole, rest) = (number.unsigned_abs() / one, number.unsigned_abs() % one);
                format!("{sign}{whole}.{rest:0width$} {unit}", width = decimals.len())
            }
            (None, Ok(step)) => format!("{} {unit}", number * step),
            (None, Err(_)) => format!("{number} {step} {unit}"),
        },
    }
}

/// A block with all its registers.
#[derive(Serialize)]
struct ShownBlock {
    source: &'static str,
    #[serde(flatten)]
    origin: BlockOrigin,
    #[serde(flatten)]
    summary: Summary,
    registers: Vec<RegisterRow>,
}

#[derive(Serialize)]
struct RegisterRow {
    /// Number of the first register, in hex as the protocol's documents write it.
    register: String,
    value: RegisterValue,
    unit: &'static str,
    meaning: &'static str,
    source: &'static str,
}

impl ShownBlock {
    fn of(path: &Path, opened: &DataFile) -> Self {
        let block = &opened.taken.block;
        let row = |(register, value): (&Register, RegisterValue)| RegisterRow {
            register: format!("{:02x}", register.number),
            value,
            unit: register.unit,
            meaning: register.meaning,
            source: register.source,
        };
        let (origin, registers) = (BlockOrigin::of(path, opened), block.registers().map(row).collect());
        Self { source: "file", origin, summary: block.summary(), registers }
    }
}

impl Report for ShownBlock {
    fn text(&self, page: &mut Page) {
        self.origin.rows(page);
        summary_rows(&self.summary, None, page);
        page.blank().heading("Registers");
        for RegisterRow { register, value, unit, meaning, .. } in &self.registers {
            let value = in_words(value, unit);
            if value.len() > LABEL {
                page.row(register, format!("{value} {meaning}"));
            } else {
                page.row(format!("{register}  {value}"), meaning);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_register_is_shown_in_a_plain_unit() {
        for (number, unit, words) in [
            (-55, "0.1 degC", "-5.5 degC"),
            (0, "0.1 degC", "0.0 degC"),
            (1234, "0.01 A", "12.34 A"),
            (34, "10 m", "340 m"),
            (4210, "10 mV", "42100 mV"),
            (308, "version", "1.3.4"),
            (7, "s", "7 s"),
            (0xFFFF_FFFF, "m", "not set"),
            (0xFFFF_FFFE, "m", "4294967294 m"),
            (2, "", "2"),
        ] {
            assert_eq!(in_words(&RegisterValue::Number(number), unit), words);
        }
        assert_eq!(in_words(&RegisterValue::Text("000000".into()), ""), "000000");
        let block = DataBlock::template();
        let mut steps = block.registers().filter_map(|(row, _)| Some(row.unit.split_once(' ')?.0));
        assert!(steps.all(|step| ["0.1", "0.01", "10"].contains(&step)));
    }
}
