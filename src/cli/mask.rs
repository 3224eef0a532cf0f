//! Hides in a text what tells whose scooter and whose computer it is about: serial numbers, PINs, and names.

use std::{collections::BTreeSet, env, fs};

use directories::BaseDirs;
use m365_drv::target::Target;

/// What stands before a value that is hidden, and what the value is called then.
const BEFORE: [(&str, &str); 7] = [
    ("\"serial\":\"", "SERIAL"),
    ("\"pin\":\"", "PIN"),
    ("--serial ", "SERIAL"),
    ("--serial=", "SERIAL"),
    ("--probe ", "PROBE"),
    ("--probe=", "PROBE"),
    (", serial ", "SERIAL"),
];

/// The values that were found in a text, each with what stands for it.
#[derive(Debug, Default)]
pub(crate) struct Mask {
    replaced: Vec<(String, String)>,
}

impl Mask {
    /// Hides what is found in these texts, and the names of the user and of the computer.
    pub(crate) fn of<'t>(texts: impl Iterator<Item = &'t str>) -> Self {
        let mut mask = Self::default();
        if let Some(home) = BaseDirs::new().map(|folders| folders.home_dir().to_owned()) {
            mask.replaced.push((home.display().to_string(), "~".into()));
            mask.add_name(home.file_name().map(|name| name.to_string_lossy().into_owned()), "USER");
        }
        for variable in ["USER", "USERNAME"] {
            mask.add_name(env::var(variable).ok(), "USER");
        }
        mask.add_name(env::var("COMPUTERNAME").ok(), "COMPUTER");
        mask.add_name(fs::read_to_string("/etc/hostname").ok(), "COMPUTER");
        for text in texts {
            text.lines().for_each(|line| mask.look(line));
        }
        // A longer value first: a shorter one may be a part of it.
        mask.replaced.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
        mask
    }

    /// A name that is a word of the program too is not hidden.
    fn add_name(&mut self, name: Option<String>, stands: &str) {
        let name = name.map(|name| name.trim().to_owned()).filter(|name| name.chars().count() > 2);
        let common = ["root", "user", "pi", "admin", "home", "m365-drv", "localhost"];
        if let Some(name) = name.filter(|name| !common.contains(&&**name)) {
            self.add(&name, stands);
        }
    }

    fn add(&mut self, value: &str, stands: &str) {
        let is_known = self.replaced.iter().any(|(known, _)| known == value);
        // In a command to type, `SERIAL` stands for a value.
        let is_placeholder = ["SERIAL", "null"].contains(&value);
        if value.is_empty() || is_placeholder || is_known {
            return;
        }
        if stands == "PIN" {
            // A few digits stand in addresses too.
            self.replaced.push((format!("\"pin\":\"{value}\""), "\"pin\":\"PIN\"".into()));
            return;
        }
        let of_kind = self.replaced.iter().map(|(_, other)| other).filter(|other| other.starts_with(stands));
        let stands = format!("{stands}-{}", of_kind.collect::<BTreeSet<_>>().len() + 1);
        // Names of files have it without the separator.
        let other = value.replace('/', "-");
        if other != value {
            self.replaced.push((other, stands.clone()));
        }
        self.replaced.push((value.to_owned(), stands));
    }

    /// Finds what is to be hidden in a line.
    fn look(&mut self, line: &str) {
        for (before, stands) in BEFORE {
            for (at, _) in line.match_indices(before) {
                let ends = |c: char| c.is_whitespace() || "\",'`".contains(c);
                let rest = line[at + before.len()..].trim_start_matches(['\'', '"']);
                let value = &rest[..rest.find(ends).unwrap_or(rest.len())];
                // Places and numbers of probes tell nothing about anybody.
                if !value.starts_with("usb:") && !value.starts_with('#') {
                    self.add(value, stands);
                }
            }
        }
        for word in line.split(|c: char| !c.is_ascii_alphanumeric() && c != '/' && c != '-') {
            if word.len() > 10 && Target::read_any_serial(word).is_ok() {
                self.add(word, "SERIAL");
            }
        }
    }

    /// The text with everything hidden that was found.
    pub(crate) fn apply(&self, text: &str) -> String {
        self.replaced.iter().fold(text.to_owned(), |text, (value, stands)| text.replace(value, stands))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serial_numbers_and_pins_are_hidden_wherever_they_stand_and_the_same_stays_the_same() {
        let lines = [
            "command line: m365-drv flash pro --serial 21886-00099999 --probe 066DFF48",
            r#"{"event":"found","data":{"serial":"21886/00012345","pin":"000123","uid":"48ff6e06-52665455-35392587"}}"#,
            "backup in b/21886-00012345-2026.json of 21886/00012345; probe 0x00000123, 0483:3748, serial 066DFF48, usb 1-4",
        ];
        let mask = Mask::of(lines.into_iter());
        let hidden = lines.map(|line| mask.apply(line));
        for secret in ["00099999", "00012345", "\"000123\"", "066DFF48"] {
            assert!(hidden.iter().all(|line| !line.contains(secret)), "{secret}: {hidden:#?}");
        }
        assert!(
            hidden[0].contains("--serial SERIAL-1 ") && hidden[1].contains("\"serial\":\"SERIAL-2\""),
            "{hidden:#?}"
        );
        assert_eq!(Mask::of(["flash pro --serial SERIAL"].into_iter()).apply("SERIAL"), "SERIAL");
        assert!(hidden[1].contains("\"uid\":\"48ff6e06-52665455-35392587\""));
        let name = hidden[1].split('"').find(|word| word.starts_with("SERIAL")).unwrap();
        assert!(hidden[2].contains(&format!("of {name};")), "{hidden:#?}");
    }
}
