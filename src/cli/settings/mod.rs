//! Settings from outside the command line: environment variables, the file of the project, and the file of the user.
//!
//! An option overrides its environment variable, which overrides `m365-drv.toml` in the working folder or the nearest folder
//! above it, which overrides `config.toml` in the user's configuration folder, which overrides the default. Firmware folders of
//! all of them are searched, in that order.

mod file;

use std::{
    env, fs,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use clap::ValueEnum as _;
use directories::ProjectDirs;
use m365_drv::printable::quoted_path;
use serde::Serialize;

use self::file::FileEntry;
use super::args::{
    globals::Globals,
    values::{parse_khz, parse_probe, parse_wait},
};

/// The file of a project.
const PROJECT: &str = "m365-drv.toml";
/// The file of a user, in their configuration folder.
const USER: &str = "config.toml";

/// The environment variables that stand for an option.
const ENVIRONMENT: [(&str, &str); 4] = [
    ("probe", "M365_DRV_PROBE"),
    ("speed", "M365_DRV_SPEED"),
    ("firmware", "M365_DRV_FIRMWARE"),
    ("mirror", "M365_DRV_MIRROR"),
];

/// Where a setting came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SettingSource {
    Flag,
    Environment,
    Project,
    User,
    Default,
}

/// A setting, and where it came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Setting {
    pub(crate) name: &'static str,
    /// As the option takes it; `None` if it is not set.
    pub(crate) value: Option<String>,
    pub(crate) source: SettingSource,
    /// The environment variable or the file.
    pub(crate) from: Option<String>,
    /// The number of the line in the file, from 1.
    pub(crate) line: Option<usize>,
}

/// The two files, if they exist, with what they set.
#[derive(Debug, Default)]
pub(crate) struct SettingsFiles {
    found: Vec<(SettingSource, PathBuf, Vec<FileEntry>)>,
}

/// What this run takes from files.
static FILES: OnceLock<SettingsFiles> = OnceLock::new();

/// What this run takes from files; nothing before they were read.
pub(crate) fn files() -> &'static SettingsFiles {
    static NONE: SettingsFiles = SettingsFiles { found: Vec::new() };
    FILES.get().unwrap_or(&NONE)
}

/// The file of the user; `None` if the system has no place for it.
pub(crate) fn user_file() -> Option<PathBuf> {
    ProjectDirs::from("", "", "m365-drv").map(|folders| folders.config_dir().join(USER))
}

/// The file of the project: in the working folder or the nearest one above it.
pub(crate) fn project_file() -> Option<PathBuf> {
    let folder = env::current_dir().ok()?;
    folder.ancestors().map(|folder| folder.join(PROJECT)).find(|file| file.is_file())
}

/// The value of an environment variable; an empty one counts as not set.
fn environment(name: &str) -> Option<(&'static str, String)> {
    let (_, variable) = ENVIRONMENT.into_iter().find(|(key, _)| *key == name)?;
    let value = env::var_os(variable).filter(|value| !value.is_empty())?;
    Some((variable, value.to_string_lossy().into_owned()))
}

/// Reads the files, and gives the options that were not typed what they set. An error names the file and the line.
pub(crate) fn fill(globals: &mut Globals, is_typed: impl Fn(&str) -> bool) -> Result<(), String> {
    let files = SettingsFiles::read()?;
    // A rehearsal does not use the computer's probes.
    if globals.probe.is_empty() && globals.simulate.is_none() && environment("probe").is_none() {
        globals.probe = files.value("probe").map(parse_probe).transpose()?.into_iter().collect();
    }
    if globals.speed.is_none() && environment("speed").is_none() {
        globals.speed = files.value("speed").map(parse_khz).transpose()?;
    }
    if globals.wait.is_none() {
        globals.wait = files.value("wait").map(parse_wait).transpose()?;
    }
    if let Some(how) = files.value("connect").filter(|_| !is_typed("--connect")) {
        globals.connect = clap::ValueEnum::from_str(how, true)?;
    }
    if let Some(when) = files.value("color").filter(|_| !is_typed("--color")) {
        globals.color = clap::ColorChoice::from_str(when, true)?;
    }
    globals.no_input |= files.value("no-input") == Some("true");
    let _ = FILES.set(files);
    Ok(())
}

impl SettingsFiles {
    fn read() -> Result<Self, String> {
        let places = [
            (SettingSource::Project, project_file()),
            (SettingSource::User, user_file().filter(|file| file.is_file())),
        ];
        let mut found = Vec::new();
        for (source, path) in places {
            let Some(path) = path else { continue };
            let text = read(&path)?;
            let entries = file::parse(&path, &text)?;
            found.push((source, path, entries));
        }
        Ok(Self { found })
    }

    /// Every entry for a setting, in order of precedence.
    fn entries(&self, key: &str) -> impl Iterator<Item = (SettingSource, &Path, &FileEntry)> {
        self.found.iter().flat_map(move |(source, path, entries)| {
            entries.iter().filter(move |entry| entry.key == key).map(|entry| (*source, path.as_path(), entry))
        })
    }

    /// The value of a setting.
    fn value(&self, key: &str) -> Option<&str> {
        self.entries(key).next().and_then(|(_, _, entry)| entry.values.first()).map(String::as_str)
    }

    /// The firmware folders, those that go before first.
    pub(crate) fn firmware(&self) -> [Vec<PathBuf>; 2] {
        [SettingSource::Project, SettingSource::User].map(|wanted| {
            let entries = self.entries("firmware").filter(|(source, ..)| *source == wanted);
            entries.flat_map(|(_, _, entry)| entry.values.iter().map(PathBuf::from)).collect()
        })
    }

    /// Where firmware is fetched from, with what names it in an error.
    pub(crate) fn mirror(&self) -> Option<(String, String)> {
        let (_, path, entry) = self.entries("mirror").next()?;
        Some((entry.values.first()?.clone(), format!("{} line {}", quoted_path(path), entry.line)))
    }

    /// Whether nothing may be fetched.
    pub(crate) fn offline(&self) -> bool {
        self.value("offline") == Some("true")
    }

    /// Where backups go.
    pub(crate) fn backup(&self) -> Option<PathBuf> {
        self.value("backup").map(PathBuf::from)
    }

    /// Every setting and where it came from; `flag` tells what was typed. Each place that names firmware folders has a line.
    pub(crate) fn all(&self, flag: impl Fn(&str) -> Option<String>) -> Vec<Setting> {
        let mut settings = Vec::new();
        for name in file::KEYS {
            let mut found = Vec::new();
            if let Some(value) = flag(name) {
                found.push(Setting { name, value: Some(value), source: SettingSource::Flag, from: None, line: None });
            }
            if let Some((variable, value)) = environment(name) {
                let (value, from) = (Some(value), Some(variable.to_owned()));
                found.push(Setting { name, value, source: SettingSource::Environment, from, line: None });
            }
            for (source, path, entry) in self.entries(name) {
                let (value, from) = (Some(entry.values.join(", ")), Some(path.display().to_string()));
                found.push(Setting { name, value, source, from, line: Some(entry.line) });
            }
            let (source, from, line) = (SettingSource::Default, None, None);
            if name == "firmware" {
                let own = super::files::data_folder().map(|folder| folder.join("firmware").display().to_string());
                found.push(Setting { name, value: own, source, from, line });
                settings.extend(found);
            } else {
                let default = Setting { name, value: default(name), source, from, line };
                settings.push(found.into_iter().next().unwrap_or(default));
            }
        }
        settings
    }
}

/// What a setting is if nothing sets it.
fn default(name: &str) -> Option<String> {
    match name {
        "connect" | "color" => Some("auto".into()),
        "no-input" | "offline" => Some("false".into()),
        "backup" => super::files::data_folder().map(|folder| folder.join("backups").display().to_string()),
        _ => None,
    }
}

fn read(path: &Path) -> Result<String, String> {
    /// No settings are longer.
    const LIMIT: u64 = 1 << 20;
    let is_too_large = fs::metadata(path).is_ok_and(|found| found.len() > LIMIT);
    if is_too_large {
        return Err(format!("the settings file {} is too large: the limit is 1 MiB", quoted_path(path)));
    }
    fs::read_to_string(path).map_err(|error| format!("cannot read the settings {}: {error}", quoted_path(path)))
}
