//! A settings file: TOML with one key for each option that may be kept.

use std::path::{Path, PathBuf};

use m365_drv::printable::{quoted, quoted_path};
use strsim::osa_distance;
use toml::de::{DeTable, DeValue};

use crate::cli::args::values::{parse_khz, parse_probe, parse_wait};

/// The settings that a file may have, as the options are named, in the order in which `config show` lists them.
pub(super) const KEYS: [&str; 10] =
    ["probe", "speed", "wait", "connect", "color", "no-input", "firmware", "mirror", "offline", "backup"];

/// What is given on the command line only: consent, what is written to a board, and what would hide what was done.
const NEVER: [&str; 20] = [
    "again",
    "all-probes",
    "boot",
    "data",
    "drv",
    "erase-all",
    "fetch",
    "force",
    "full",
    "json",
    "km",
    "lock",
    "log-file",
    "mileage-m",
    "no-backup",
    "no-run",
    "serial",
    "simulate",
    "uid",
    "yes",
];

/// One setting of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FileEntry {
    pub(super) key: &'static str,
    /// What was written; of a list each element.
    pub(super) values: Vec<String>,
    /// The number of its line, from 1.
    pub(super) line: usize,
}

/// Reads the text of a file; an error names the line.
pub(super) fn parse(path: &Path, text: &str) -> Result<Vec<FileEntry>, String> {
    let line_of = |offset: usize| text[..offset.min(text.len())].matches('\n').count() + 1;
    let at = |offset, mistake: &str| format!("{} line {}: {mistake}", quoted_path(path), line_of(offset));
    let table = DeTable::parse(text)
        .map_err(|error| at(error.span().map_or(0, |span| span.start), error.message()))?
        .into_inner();
    let mut entries = Vec::new();
    for (name, value) in table {
        let (start, name) = (name.span().start, name.into_inner().into_owned());
        let key = known(&name).map_err(|mistake| at(start, &mistake))?;
        let values = values(key, value.get_ref()).map_err(|mistake| at(value.span().start, &mistake))?;
        let base = path.parent().unwrap_or(Path::new("."));
        let values = values.into_iter().map(|value| if is_path(key, &value) { resolved(base, &value) } else { value });
        entries.push(FileEntry { key, values: values.collect(), line: line_of(start) });
    }
    Ok(entries)
}

/// The key with this name.
fn known(name: &str) -> Result<&'static str, String> {
    if let Some(key) = KEYS.into_iter().find(|key| *key == name) {
        return Ok(key);
    }
    let plain = name.replace('_', "-");
    if NEVER.contains(&&*plain) {
        return Err(format!("{} cannot be set in a file: give it on the command line", quoted(name)));
    }
    let nearest = KEYS.into_iter().min_by_key(|key| osa_distance(key, &plain));
    let near = nearest.filter(|key| osa_distance(key, &plain) <= 3 && osa_distance(key, &plain) < key.len());
    Err(match near {
        Some(near) => format!("unknown setting {}; did you mean \"{near}\"?", quoted(name)),
        None => format!("unknown setting {}; the settings are {}", quoted(name), KEYS.join(", ")),
    })
}

/// The value of a setting as its option would be given, checked as that is.
fn values(key: &'static str, value: &DeValue<'_>) -> Result<Vec<String>, String> {
    let wrong = |needs: &str| format!("\"{key}\" needs {needs}, not {}", value.type_str());
    let text = || value.as_str().map(str::to_owned).ok_or_else(|| wrong("text in quotes"));
    let checked = |text: String, mistake: Option<String>| mistake.map_or(Ok(vec![text]), Err);
    match key {
        "speed" => {
            let number = value.as_integer().map(|number| number.as_str().to_owned());
            let text = number.or_else(|| value.as_str().map(str::to_owned)).ok_or_else(|| wrong("a number of kHz"))?;
            let mistake = parse_khz(&text).err();
            checked(text, mistake)
        }
        "no-input" | "offline" => {
            let value = value.as_bool().ok_or_else(|| wrong("true or false"))?;
            Ok(vec![value.to_string()])
        }
        "wait" => match value.as_bool() {
            Some(true) => Ok(vec!["forever".into()]),
            Some(false) => Err("\"wait\" needs a time in quotes, or true; to not wait, leave it out".into()),
            None => text().and_then(|text| {
                let mistake = parse_wait(&text).err();
                checked(text, mistake)
            }),
        },
        "probe" => text().and_then(|text| {
            let mistake = parse_probe(&text).err();
            checked(text, mistake)
        }),
        "connect" => one_of(&["auto", "normal", "under-reset"], text()?),
        "color" => one_of(&["auto", "always", "never"], text()?),
        "firmware" => match value.as_array() {
            Some(folders) => {
                let folder = |folder: &str| folder.to_owned();
                let all = folders.iter().map(|value| value.get_ref().as_str().map(folder)).collect::<Option<Vec<_>>>();
                all.ok_or_else(|| "\"firmware\" needs each folder in quotes".to_owned())
            }
            None => Ok(vec![text()?]),
        },
        _ => Ok(vec![text()?]),
    }
}

fn one_of(words: &[&str], text: String) -> Result<Vec<String>, String> {
    if words.contains(&&*text) {
        return Ok(vec![text]);
    }
    Err(format!("invalid value {}: expected one of {}", quoted(&text), words.join(", ")))
}

/// Whether a value names a file or a folder.
fn is_path(key: &str, value: &str) -> bool {
    matches!(key, "firmware" | "backup") || key == "mirror" && !value.contains("://")
}

/// A path as it is meant in a file: relative to the folder of the file; `~` is the user's own folder.
fn resolved(base: &Path, value: &str) -> String {
    let home = || directories::BaseDirs::new().map(|folders| folders.home_dir().to_owned());
    let path = match value.strip_prefix("~/").and_then(|rest| Some(home()?.join(rest))) {
        Some(path) => path,
        None => base.join(PathBuf::from(value)),
    };
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<FileEntry>, String> {
        parse(Path::new("folder/m365-drv.toml"), text)
    }

    #[test]
    fn every_setting_is_read_as_its_option_is() {
        let text = "# ours\nprobe = \"066D\"\nspeed = 1000\nwait = \"30s\"\nconnect = \"normal\"\ncolor = \"never\"\n\
                    no-input = true\nfirmware = [\"fw\", \"/abs\"]\nmirror = \"https://mirror.example\"\noffline = false\nbackup = \"b\"\n";
        let entries = read(text).unwrap();
        let found: Vec<_> = entries.iter().map(|entry| (entry.key, entry.line, entry.values.join(" "))).collect();
        let expected = [
            ("probe", 2, "066D"),
            ("speed", 3, "1000"),
            ("wait", 4, "30s"),
            ("connect", 5, "normal"),
            ("color", 6, "never"),
            ("no-input", 7, "true"),
            ("firmware", 8, "folder/fw /abs"),
            ("mirror", 9, "https://mirror.example"),
            ("offline", 10, "false"),
            ("backup", 11, "folder/b"),
        ];
        let mut found: Vec<_> = found.iter().map(|(key, line, value)| (*key, *line, value.as_str())).collect();
        found.sort_by_key(|(_, line, _)| *line);
        assert_eq!(found, expected);
        assert_eq!(expected.map(|(key, ..)| key), KEYS);
    }

    #[test]
    fn a_wrong_file_is_refused_with_line_and_nearest_key() {
        for (text, words) in [
            ("\nspeeed = 1\n", "line 2: unknown setting \"speeed\"; did you mean \"speed\"?"),
            ("colour = \"never\"", "line 1: unknown setting \"colour\"; did you mean \"color\"?"),
            ("zzzzzzzzzz = 1", "line 1: unknown setting \"zzzzzzzzzz\"; the settings are probe, speed, "),
            ("erase-all = true", "line 1: \"erase-all\" cannot be set in a file: give it on the command line"),
            ("erase_all = true", "line 1: \"erase_all\" cannot be set in a file: "),
            ("serial = \"21886/00012345\"", "line 1: \"serial\" cannot be set in a file: "),
            ("speed = 0", "line 1: invalid speed \"0\": "),
            ("\n\nspeed = true", "line 3: \"speed\" needs a number of kHz, not boolean"),
            ("wait = \"soon\"", "line 1: invalid duration \"soon\": "),
            ("connect = \"fast\"", "line 1: invalid value \"fast\": expected one of auto, normal, under-reset"),
            ("offline = \"yes\"", "line 1: \"offline\" needs true or false, not string"),
            ("firmware = [1]", "line 1: \"firmware\" needs each folder in quotes"),
            ("speed = 1\nspeed = 2\n", "line 2: "),
            ("speed = \n", "line 1: "),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.starts_with(&format!("\"folder/m365-drv.toml\" {words}")), "{error}");
        }
    }
}
