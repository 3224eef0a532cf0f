//! `report`: one file for a bug report.

use std::{fs, path::PathBuf};

use clap::Args;
use m365_drv::{
    count::count,
    printable::{printable, quoted_path},
};
use serde::Serialize;
use serde_json::Value;

use crate::cli::{
    Context,
    args::question::yes_or_no,
    exit::{Exit, Meaning, refuse},
    files,
    mask::Mask,
    screen::{CommandResult, Outcome, Page, Report, last_run, logging},
    settings,
};

#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// The new file to write, as JSON
    file: PathBuf,

    /// Do not hide serial numbers, PINs and the names of user and computer
    #[arg(long)]
    unmasked: bool,

    /// Replace the file if it exists
    #[arg(long)]
    overwrite: bool,
}

/// Everything that is in the file.
#[derive(Serialize)]
struct BugReport {
    format: &'static str,
    created: String,
    /// Whether serial numbers, PINs and names are hidden.
    masked: bool,
    program: String,
    system: String,
    settings: Value,
    probes: Value,
    /// The last runs that used a board, the last one first: the lines of their logs.
    runs: Vec<Vec<String>>,
}

/// What was written.
#[derive(Serialize)]
struct ReportReport {
    file: String,
    /// Whether it was written: a person at the terminal may have said no.
    written: bool,
    contents: Value,
    /// Whether a person has seen the contents before agreeing.
    #[serde(skip)]
    is_seen: bool,
}

pub(crate) fn run(context: &mut Context, args: &ReportArgs) -> CommandResult {
    let file = quoted_path(&args.file);
    let exists = args.file.symlink_metadata().is_ok();
    if exists && !args.overwrite {
        return Err(refuse(Exit::Usage, format!("{file} already exists; --overwrite replaces it")));
    }
    let contents = contents(context, args.unmasked)?;
    let mut page = Page::default();
    show(&contents, &mut page);
    let is_seen = context.audience().answers();
    if is_seen {
        context.say(&page.render(crate::cli::screen::page::Columns::of_stderr()));
        if !yes_or_no(context, &format!("Write this to {file}?"))? {
            return Outcome::new(&ReportReport { file, written: false, contents, is_seen });
        }
    }
    let text = as_file(&contents)?;
    if exists {
        fs::remove_file(&args.file).meaning(Exit::Usage, || format!("cannot replace {file}"))?;
    }
    files::write_new(&args.file, &text, Exit::Usage)?;
    Outcome::new(&ReportReport { file: args.file.display().to_string(), written: true, contents, is_seen })
}

/// The file without serial numbers, PINs and names.
pub(crate) fn masked_file(context: &Context) -> anyhow::Result<Vec<u8>> {
    as_file(&contents(context, false)?)
}

fn as_file(contents: &Value) -> anyhow::Result<Vec<u8>> {
    let mut text =
        serde_json::to_vec_pretty(contents).meaning(Exit::Internal, || "the report cannot be made".into())?;
    text.push(b'\n');
    Ok(text)
}

/// What is in the file, with everything hidden that should be.
fn contents(context: &Context, unmasked: bool) -> anyhow::Result<Value> {
    let runs: Vec<Vec<String>> = last_run::files().iter().map(|file| lines_of(file)).collect();
    let report = BugReport {
        format: "m365-drv-report",
        created: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        masked: !unmasked,
        program: format!("m365-drv {}", env!("CARGO_PKG_VERSION")),
        system: logging::system(),
        settings: serde_json::to_value(settings::files().all(|_| None)).unwrap_or_default(),
        probes: serde_json::to_value(context.probes.list()).unwrap_or_default(),
        runs,
    };
    let whole = serde_json::to_value(&report).meaning(Exit::Internal, || "the report cannot be made".into())?;
    if unmasked {
        return Ok(whole);
    }
    let probes = report.probes.to_string();
    let texts = report.runs.iter().flatten().map(String::as_str).chain([probes.as_str()]);
    let mask = Mask::of(texts);
    Ok(masked(whole, &mask))
}

/// The value with every text in it masked.
fn masked(value: Value, mask: &Mask) -> Value {
    match value {
        Value::String(text) => mask.apply(&text).into(),
        Value::Array(values) => values.into_iter().map(|value| masked(value, mask)).collect(),
        Value::Object(values) => values.into_iter().map(|(key, value)| (key, masked(value, mask))).collect(),
        other => other,
    }
}

fn lines_of(file: &std::path::Path) -> Vec<String> {
    let text = fs::read(file).unwrap_or_default();
    String::from_utf8_lossy(&text).lines().map(|line| printable(line).into_owned()).collect()
}

fn show(contents: &Value, page: &mut Page) {
    let text = |key: &str| contents[key].as_str().unwrap_or_default().to_owned();
    page.row("program", text("program")).row("system", text("system"));
    for probe in contents["probes"].as_array().into_iter().flatten() {
        page.row("probe", probe);
    }
    for setting in
        contents["settings"].as_array().into_iter().flatten().filter(|setting| setting["source"] != "default")
    {
        page.row("setting", setting);
    }
    let runs = contents["runs"].as_array().map_or(&[][..], Vec::as_slice);
    for (number, run) in runs.iter().enumerate() {
        page.blank().heading(if number == 0 {
            "Last run".to_owned()
        } else {
            format!("{} earlier", count(number, "run"))
        });
        for line in run.as_array().into_iter().flatten().filter_map(Value::as_str) {
            page.line(line);
        }
    }
    if runs.is_empty() {
        page.row("runs", "none yet");
    }
    page.blank();
}

impl Report for ReportReport {
    fn text(&self, page: &mut Page) {
        if self.written {
            if !self.is_seen {
                show(&self.contents, page);
            }
            page.row("written to", &self.file);
        } else {
            page.line("Nothing was written.");
        }
    }
}
