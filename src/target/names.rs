//! Which scooter a name means, as people write it: "M365 Pro", "mi pro 2", "Xiaomi Mi Electric Scooter 3".
//!
//! The names are data: `aliases` and `makers` in `targets/scooters/*.yaml`, and `targets/unsupported.yaml`.

use super::{
    Target,
    unsupported::{UNSUPPORTED, UnsupportedGroup},
};

/// The longest name that is compared, without spaces and dashes.
const LONGEST: usize = 64;

/// Words that any scooter's name may contain.
const GENERAL: [&str; 5] = ["electric", "kick", "scooter", "escooter", "kickscooter"];

/// Why a name does not lead to a scooter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The scooter is known, and this program does not support it.
    #[error("scooter {text:?} is not supported{}", why.map(|why| format!(": {why}")).unwrap_or_default())]
    NotSupported {
        /// What was typed.
        text: String,
        /// Why not, if that is known.
        why: Option<&'static str>,
    },
    /// The name is not known, or it could mean several scooters.
    #[error("unknown scooter {text:?}: choose one of {}", supported.join(", "))]
    Unknown {
        /// What was typed.
        text: String,
        /// The names that can be chosen from.
        supported: Vec<&'static str>,
    },
}

/// The scooter that a name means.
pub(super) fn find(text: &str) -> Result<&'static Target, NameError> {
    let key = key(text);
    let unknown = || {
        let supported = Target::all().iter().map(|target| target.name.as_str()).collect();
        NameError::Unknown { text: text.into(), supported }
    };
    let mut called = Target::all().iter().filter(|target| target.is_called(&key));
    let unsupported = group(&key);
    match (called.next(), called.next()) {
        // A digit alone is a slip, or a number from some list; it must not choose a scooter.
        _ if is_number(text) => Err(unknown()),
        _ if unsupported.is_some() => {
            Err(NameError::NotSupported { text: text.into(), why: unsupported.and_then(|group| group.why.as_deref()) })
        }
        (Some(target), None) => Ok(target),
        _ => Err(unknown()),
    }
}

/// A name that two scooters have, or that is also in the list of those that are not supported.
pub(super) fn clash(targets: &[Target]) -> Option<String> {
    let full = |target: &Target| {
        let names = target.names().map(str::to_owned).collect::<Vec<_>>();
        let with_maker = target.makers.iter().flat_map(|maker| names.iter().map(move |name| maker.clone() + name));
        with_maker.chain(names.iter().cloned()).collect::<Vec<_>>()
    };
    let is_shared =
        |name: &String| targets.iter().filter(|target| target.is_called(name)).count() != 1 || group(name).is_some();
    targets.iter().flat_map(full).find(is_shared)
}

/// True if a word of a description is written as it is compared.
pub(super) fn is_key(word: &str) -> bool {
    !word.is_empty() && word.len() <= LONGEST && key(word) == word
}

/// What of a name is compared: letters and digits in lower case, without the general words.
fn key(text: &str) -> String {
    let text = text.to_lowercase().replace("e-scooter", "escooter");
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !GENERAL.contains(word)).collect()
}

/// True for a single digit: `3` is part of a name, as in "Mi 3", and not a name.
fn is_number(text: &str) -> bool {
    let text = text.trim();
    text.len() == 1 && text.chars().all(|c| c.is_ascii_digit())
}

/// The scooters to which this name belongs, if they are not supported.
fn group(key: &str) -> Option<&'static UnsupportedGroup> {
    let has = |group: &&UnsupportedGroup| {
        is_one_of(key, &UNSUPPORTED.makers, &|key| group.names.iter().any(|name| name == key))
    };
    UNSUPPORTED.groups.iter().find(has)
}

/// True for one of the names, also behind makers and general words.
fn is_one_of(key: &str, makers: &[String], is_name: &dyn Fn(&str) -> bool) -> bool {
    let behind = |word: &str| {
        let rest = key.strip_prefix(word).filter(|rest| rest.len() < key.len());
        rest.is_some_and(|rest| is_one_of(rest, makers, is_name))
    };
    let mut words = makers.iter().map(String::as_str).chain(GENERAL);
    key.len() <= LONGEST && (is_name(key) || words.any(behind))
}

impl Target {
    fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.name.as_str()).chain(self.aliases.iter().map(String::as_str))
    }

    fn is_called(&self, key: &str) -> bool {
        is_one_of(key, &self.makers, &|key| self.names().any(|name| name == key))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_scooter_is_found_by_the_names_that_people_write() {
        for (name, texts) in [
            ("m365", &["m365", "M365", "Mijia M365", "classic", "M365 (classic)", "mi 365", "Xiaomi Mi M365"][..]),
            ("pro", &["pro", "M365 Pro", "m365pro", "M365-Pro", "Mi Pro", "Xiaomi Mi Electric Scooter Pro"]),
            ("1s", &["1S", "mi 1s", "M365 1S", "Mi Electric Scooter 1S", " xiaomi_1s ", "mielectricscooter1s"]),
            (
                "pro2",
                &[
                    "pro2",
                    "Pro2",
                    "mi pro 2",
                    "Pro 2",
                    "Mi Electric Scooter Pro 2",
                    "Xiaomi e-scooter Pro 2",
                    "M365 Pro 2",
                ],
            ),
            ("lite", &["lite", "essential", "Mi Essential", "Xiaomi Essential (Lite)", "Mi Lite", "Mi Lite scooter"]),
            ("mi3", &["mi3", "Mi 3", "Xiaomi 3", "Xiaomi Electric Scooter 3", "xiaomi-mi-3"]),
            (
                "es2",
                &["ES2", "es4", "es", "ES1", "Ninebot ES2", "Segway-Ninebot KickScooter ES4", "Ninebot by Segway ES1"],
            ),
            ("4pro", &["4 pro", "Xiaomi 4 Pro", "mi 4 pro", "Xiaomi Electric Scooter 4 Pro", "4Pro (1st gen)"]),
            ("max", &["max", "G30", "Ninebot Max G30", "max g30lp", "KickScooter MAX G30D"]),
            ("e", &["e25", "Ninebot E45", "E", "ninebot kickscooter E22"]),
            ("f", &["f", "F40", "Ninebot F25", "segway f30"]),
        ] {
            for text in texts {
                assert_eq!(Target::named(text).map(|target| &*target.name), Ok(name), "{text}");
            }
        }
    }

    #[test]
    fn the_title_of_a_scooter_is_one_of_its_names() {
        for target in Target::all().iter().filter(|target| !target.title.contains(',')) {
            assert_eq!(Target::named(&target.title).map(|found| &found.name), Ok(&target.name));
        }
    }

    #[test]
    fn a_scooter_that_is_not_supported_is_refused_without_naming_another() {
        let brightway = ": made by Brightway with another chip";
        let at32 = ": made with an AT32F415 chip";
        for (texts, why) in [
            (&["4 lite", "Xiaomi 4 Pro 2nd gen", "Mi 4", "3 Lite", "Xiaomi 5"][..], brightway),
            (&["g2", "Ninebot Max G2", "F2", "D18"], at32),
            (&["pro 3", "f65", "GT2"], ""),
        ] {
            for text in texts {
                let error = Target::named(text).unwrap_err();
                assert_eq!(error.to_string(), format!("scooter {text:?} is not supported{why}"));
            }
        }
    }

    #[test]
    fn an_unknown_or_ambiguous_name_is_answered_with_the_list() {
        for text in [
            "",
            "3",
            " 4 ",
            "mi",
            "xiaomi",
            "Mi Electric Scooter",
            "por",
            "m356",
            "ninebot pro 2",
            "ninebot m365",
            "pr",
        ] {
            let error = Target::named(text).unwrap_err().to_string();
            let list = Target::all().iter().map(|target| &*target.name).collect::<Vec<_>>().join(", ");
            assert_eq!(error, format!("unknown scooter {text:?}: choose one of {list}"));
        }
    }

    #[test]
    fn no_name_is_that_of_two_scooters() {
        assert_eq!(clash(Target::all()), None);
        let mut targets = Target::all().to_vec();
        targets[1].aliases.push("365".into());
        assert_eq!(clash(&targets).as_deref(), Some("xiaomi365"), "with the maker before it");
        targets[1].aliases.pop();
        targets[2].aliases.push("g2".into());
        assert!(clash(&targets).is_some(), "of a scooter that is not supported");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in any::<String>(), makers in "(mi|mijia|xiaomi|ninebot|segway){0,2000}") {
            let _ = (Target::named(&text), Target::named(&makers));
        }

        #[test]
        fn case_spaces_and_dashes_do_not_matter(which in 0..Target::all().len(), mark in "[ _.-]{0,2}", upper in any::<bool>()) {
            let target = &Target::all()[which];
            for name in target.names().filter(|name| name.len() > 1) {
                let typed: Vec<String> = name.chars().map(String::from).collect();
                let typed = typed.join(&mark);
                let typed = if upper { typed.to_uppercase() } else { typed };
                prop_assert_eq!(Target::named(&typed).map(|found| &found.name), Ok(&target.name));
            }
        }
    }
}
