//! The tips under a refused command line. clap proposes what is spelled alike; here only what does no harm is kept: never a
//! command or an option that changes a board, another unit, or another scooter.

use clap::{
    Command,
    builder::StyledStr,
    error::{ContextKind, ContextValue, ErrorKind},
};
use m365_drv::{
    sim::Scenario,
    target::{NameError, Target},
};
use strsim::osa_distance;

use crate::cli::args::{
    values::parse_wait,
    words::{Role, Word, command_words},
};

/// The commands that may be proposed: they change no board.
const COMMANDS: [&str; 23] = [
    "add",
    "backup",
    "check",
    "completions",
    "config",
    "data",
    "decrypt",
    "doctor",
    "edit",
    "encrypt",
    "explain",
    "firmware",
    "help",
    "image",
    "info",
    "list",
    "man",
    "new",
    "probes",
    "report",
    "scooters",
    "show",
    "verify",
];

/// The options that may be proposed: they give no consent, no mileage and no leave to skip a check.
const OPTIONS: [&str; 21] = [
    "--backup",
    "--boot",
    "--chip",
    "--color",
    "--connect",
    "--data",
    "--drv",
    "--dry-run",
    "--firmware",
    "--help",
    "--image-out",
    "--json",
    "--log-file",
    "--output",
    "--probe",
    "--quiet",
    "--serial",
    "--simulate",
    "--speed",
    "--uid",
    "--version",
];

/// Options by the other names that people give them, with what they are for.
const MEANINGS: [(&str, &str, &[&str]); 6] = [
    ("--km", "the mileage in kilometres is given with '--km'", &["--mil", "--kilo", "--km", "--odo", "--distance"]),
    ("--serial", "the serial number is given with '--serial'", &["--sn", "--serial-n"]),
    ("--boot", "the bootloader is given with '--boot'", &["--bootl"]),
    ("--drv", "the DRV firmware is given with '--drv'", &["--esc", "--app"]),
    (
        "--probe",
        "the probe is chosen with '--probe'",
        &["--port", "--device", "--interface", "--programmer", "--stlink"],
    ),
    ("--speed", "the SWD clock is set with '--speed'", &["--clock", "--freq", "--khz", "--adapter-speed"]),
];

/// Words that people type for a command, with what does it.
const COMMAND_MEANINGS: [(&str, &[&str]); 9] = [
    ("'--version'", &["version", "ver"]),
    ("'doctor'", &["diagnose", "diagnostics", "troubleshoot", "fix"]),
    ("'info'", &["identify", "detect", "status"]),
    ("'backup'", &["dump", "read", "save"]),
    ("'probes'", &["devices", "programmers", "ports"]),
    ("'scooters'", &["models", "targets", "boards"]),
    ("'data new' and 'data edit'", &["new", "edit"]),
    ("'data show' and 'image show'", &["show"]),
    ("'image check', 'image decrypt' and 'image encrypt'", &["check", "decrypt", "encrypt"]),
];

/// The error of a refused command line as the user sees it, with tips that do no harm.
pub(crate) fn harmless(mut error: clap::Error, words: &[Word], root: &mut Command) -> clap::Error {
    if !error.use_stderr() {
        return error;
    }
    if let Some(refusal) = scooter_in_words(&error, words, root) {
        return refusal;
    }
    let typed = invalid(&error).unwrap_or_default();
    let kept = |value: Option<ContextValue>, allowed: &[&str]| {
        let proposed = match value {
            Some(ContextValue::String(one)) => vec![one],
            Some(ContextValue::Strings(several)) => several,
            _ => vec![],
        };
        let may_stay = |proposed: &String| allowed.contains(&&**proposed) && is_near(&typed, proposed);
        proposed.into_iter().filter(may_stay).collect::<Vec<_>>()
    };
    let own = own_tip(&error, words, root);
    let commands = kept(error.remove(ContextKind::SuggestedSubcommand), &COMMANDS);
    if !commands.is_empty() && own.is_none() {
        error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(commands));
    }
    let proposed = error.remove(ContextKind::SuggestedArg);
    let was_proposed = proposed.is_some();
    let options = kept(proposed, &OPTIONS);
    if let ([option], None) = (&*options, &own) {
        error.insert(ContextKind::SuggestedArg, ContextValue::String(option.clone()));
    } else if was_proposed {
        // clap writes the usage as if the proposal had been typed.
        error.insert(ContextKind::Usage, ContextValue::StyledStr(command_of(words, root).render_usage()));
    }
    // The possible values are listed anyway, and words after two dashes are not what people want.
    error.remove(ContextKind::SuggestedValue);
    error.remove(ContextKind::Suggested);
    if let Some(tip) = own {
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![StyledStr::from(tip)]));
    }
    error
}

/// The word that is refused.
fn invalid(error: &clap::Error) -> Option<String> {
    match error.get(ContextKind::InvalidArg).or_else(|| error.get(ContextKind::InvalidSubcommand)) {
        Some(ContextValue::String(invalid)) => Some(invalid.clone()),
        _ => None,
    }
}

/// Whether a word is likely a slip for another: its beginning, or at most one letter in three differs.
fn is_near(typed: &str, proposed: &str) -> bool {
    let (typed, proposed) = (typed.trim_start_matches('-').to_lowercase(), proposed.trim_start_matches('-'));
    let shorter = typed.chars().count().min(proposed.chars().count());
    (shorter >= 3 && proposed.starts_with(&typed)) || osa_distance(&typed, proposed) <= (shorter / 3).max(1)
}

/// What this program proposes itself.
fn own_tip(error: &clap::Error, words: &[Word], root: &mut Command) -> Option<String> {
    let invalid = &invalid(error)?;
    if error.kind() != ErrorKind::UnknownArgument && error.kind() != ErrorKind::InvalidSubcommand {
        return None;
    }
    if let Some(tip) = by_meaning(invalid, command_of(words, root)) {
        return Some(tip);
    }
    let at = words.iter().position(|word| word.role == Role::Plain && word.text == *invalid)?;
    let before = words.get(at.checked_sub(1)?)?;
    if let "--simulate" | "--wait" = &*before.text {
        return Some(format!("the value of '{}' must follow '=', not a space", before.text));
    }
    let option = words.get(at.checked_sub(2)?)?;
    // A word that is not a command is more likely a mistyped one.
    let follows_value =
        error.kind() == ErrorKind::UnknownArgument && before.role == Role::Value && option.role == Role::Option;
    follows_value.then(|| format!("a value with spaces needs quotes: {} '{} {invalid}'", option.text, before.text))
}

/// What an unknown option or command likely means, if this command has it. Before a command is typed it may have any.
fn by_meaning(invalid: &str, command: &Command) -> Option<String> {
    if !invalid.starts_with('-') {
        let meant = COMMAND_MEANINGS.iter().find(|(_, words)| words.contains(&invalid));
        return meant.filter(|_| command.get_name() == "m365-drv").map(|(command, _)| format!("use {command}"));
    }
    if ["--scooter", "--model"].contains(&invalid) && command.get_positionals().any(|arg| arg.get_id() == "scooter") {
        return Some("the scooter's name stands by itself, without an option".into());
    }
    let (option, tip, _) = MEANINGS.iter().find(|(_, _, names)| names.iter().any(|name| invalid.starts_with(name)))?;
    let has = command.get_arguments().any(|arg| arg.get_long() == option.strip_prefix("--"));
    (has || command.get_name() == "m365-drv").then(|| (*tip).to_owned())
}

/// `flash M365 Pro`: a scooter's name in several words.
fn scooter_in_words(error: &clap::Error, words: &[Word], root: &mut Command) -> Option<clap::Error> {
    if !matches!(error.kind(), ErrorKind::UnknownArgument | ErrorKind::ValueValidation) {
        return None;
    }
    let names = command_words(words, root);
    let command = names.last()?;
    let takes_scooter = root.find_subcommand(command)?.get_positionals().any(|arg| arg.get_id() == "scooter");
    // The name is in words that follow each other: what comes after an option is that option's.
    let first = words.iter().enumerate().filter(|(_, word)| word.role == Role::Plain).nth(names.len())?.0;
    let name: Vec<_> =
        words[first..].iter().take_while(|word| word.role == Role::Plain).map(|word| &*word.text).collect();
    let name = name.join(" ");
    if !takes_scooter || !name.contains(' ') {
        return None;
    }
    let message = match Target::named(&name) {
        Ok(_) => format!("a scooter name with spaces needs quotes\n\n  tip: write '{name}'"),
        Err(unsupported @ NameError::NotSupported { .. }) => unsupported.to_string(),
        Err(NameError::Unknown { .. }) => return None,
    };
    Some(command_of(words, root).error(ErrorKind::ValueValidation, message))
}

/// `--simulate locked` and `--wait 30`: the option has taken no value, and the word would be read as something else.
pub(crate) fn stray_value(words: &[Word], root: &mut Command) -> Option<clap::Error> {
    let pairs = words.windows(2).filter(|pair| pair[0].role == Role::Option && pair[1].role == Role::Plain);
    let commands = command_words(words, root).len();
    let commands: Vec<_> = words.iter().filter(|word| word.role == Role::Plain).take(commands).collect();
    let stray = |pair: &&[Word]| {
        let (option, value) = (&*pair[0].text, &*pair[1].text);
        let is_command = commands.iter().any(|command| std::ptr::eq(*command, &raw const pair[1]));
        let is_value = (option == "--simulate" && value.parse::<Scenario>().is_ok())
            || (option == "--wait" && parse_wait(value).is_ok());
        is_value && !is_command
    };
    let pair = pairs.into_iter().find(stray)?;
    let (option, value) = (&pair[0].text, &pair[1].text);
    let message = format!("the value of '{option}' must follow '=', not a space\n\n  tip: write '{option}={value}'");
    Some(command_of(words, root).error(ErrorKind::NoEquals, message))
}

/// The command that was typed, with everything that its usage needs.
fn command_of<'c>(words: &[Word], root: &'c mut Command) -> &'c mut Command {
    root.build();
    let names: Vec<String> = command_words(words, root).into_iter().map(str::to_owned).collect();
    names.iter().fold(root, |command, name| {
        let inner = command.get_subcommands().any(|inner| inner.get_name() == name);
        if inner { command.find_subcommand_mut(name).expect("it was just seen") } else { command }
    })
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use clap::CommandFactory;

    use super::*;
    use crate::cli::{Cli, CommandLine};

    /// What is never proposed: it changes a board, consents to that, skips a check, or is another unit.
    const DANGEROUS: [&str; 13] = [
        "flash",
        "restore",
        "unlock",
        "lock",
        "reset",
        "--erase-all",
        "--force",
        "--full",
        "--lock",
        "--no-backup",
        "--no-run",
        "--mileage-m",
        "#1",
    ];

    /// What is printed for a command line that is refused; empty if it is accepted.
    fn refusal(words: &[&str]) -> String {
        let words: Vec<_> = ["m365-drv"].iter().chain(words).map(OsString::from).collect();
        CommandLine::read(&words).1.err().map_or_else(String::new, |error| error.render().to_string())
    }

    /// The word with one letter missing, doubled or swapped with the next.
    fn mistyped(word: &str) -> Vec<String> {
        let letters: Vec<char> = word.chars().collect();
        let first = word.chars().take_while(|c| *c == '-').count();
        (first..letters.len())
            .flat_map(|at| {
                let (mut missing, mut doubled, mut swapped) = (letters.clone(), letters.clone(), letters.clone());
                missing.remove(at);
                doubled.insert(at, letters[at]);
                swapped.swap(at, (at + 1).min(letters.len() - 1));
                [missing, doubled, swapped]
            })
            .map(String::from_iter)
            .filter(|wrong| !wrong.trim_start_matches('-').is_empty() && wrong != word)
            .collect()
    }

    /// The words that follow `tip:`, and what the usage names besides what was typed.
    fn proposed(text: &str) -> Vec<String> {
        let lines = text.lines().skip(1).filter(|line| line.contains("tip:") || line.starts_with("Usage:"));
        let words = lines.flat_map(|line| line.split([' ', '\'', ',', '=', '[', ']', '<', '>']));
        words.map(str::to_owned).collect()
    }

    fn check(words: &[&str], typed: &[&str]) {
        let text = refusal(words);
        for word in proposed(&text) {
            let harmful = DANGEROUS.contains(&&*word) && !typed.contains(&&*word);
            assert!(!harmful, "{words:?} proposes {word}:\n{text}");
        }
        let names_a_scooter = Target::all().iter().any(|target| text.contains(&format!("tip: {}", target.name)));
        assert!(!names_a_scooter, "{words:?}:\n{text}");
    }

    /// Every command with its place.
    fn commands(command: &Command, path: &[String], all: &mut Vec<(Vec<String>, Command)>) {
        for inner in command.get_subcommands() {
            let path = [path, &[inner.get_name().to_owned()]].concat();
            commands(inner, &path, all);
            all.push((path, inner.clone()));
        }
    }

    #[test]
    fn no_mistyped_command_option_or_value_proposes_what_changes_a_board() {
        let mut all = Vec::new();
        commands(&Cli::command(), &[], &mut all);
        for (path, command) in &all {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            let (name, before) = path.split_last().expect("a name");
            for wrong in mistyped(name) {
                check(&[before, &[&*wrong]].concat(), before);
                check(&[before, &[&*wrong, "pro"]].concat(), before);
            }
            for arg in command.get_arguments() {
                if let Some(long) = arg.get_long() {
                    for wrong in mistyped(&format!("--{long}")) {
                        check(&[&path, &[&*wrong][..]].concat(), &path);
                        check(&[&path, &[&*wrong, "5"][..]].concat(), &path);
                    }
                }
                for value in arg.get_possible_values() {
                    for wrong in mistyped(value.get_name()) {
                        let option = arg.get_long().map(|long| format!("--{long}"));
                        let words: Vec<&str> = option.as_deref().into_iter().chain([&*wrong]).collect();
                        check(&[&path, &words[..]].concat(), &path);
                    }
                }
            }
        }
    }

    #[test]
    fn a_mistyped_global_option_proposes_no_harm() {
        for arg in Cli::command().get_arguments() {
            let Some(long) = arg.get_long() else { continue };
            for wrong in mistyped(&format!("--{long}")) {
                check(&[&wrong, "info"], &["info"]);
                check(&["flash", &wrong, "pro"], &["flash"]);
            }
        }
    }

    #[test]
    fn a_harmless_tip_is_kept() {
        assert!(refusal(&["inof"]).contains("tip: a similar subcommand exists: 'info'"), "{}", refusal(&["inof"]));
        let text = refusal(&["flash", "pro", "--dry-rn"]);
        assert!(text.contains("tip: a similar argument exists: '--dry-run'"), "{text}");
    }

    #[test]
    fn a_tip_is_near_in_spelling_or_in_meaning() {
        for (line, tip) in [
            ("flash pro --odometer 5", "tip: the mileage in kilometres is given with '--km'"),
            ("data new --sn 5", "tip: the serial number is given with '--serial'"),
            ("flash pro --bootloader b.bin", "tip: the bootloader is given with '--boot'"),
            ("info --device 1", "tip: the probe is chosen with '--probe'"),
            ("info --frequency 1", "tip: the SWD clock is set with '--speed'"),
            ("flash --scooter pro", "tip: the scooter's name stands by itself, without an option"),
            ("version", "tip: use '--version'"),
            ("dump a.bin", "tip: use 'backup'"),
            ("decrypt a.bin", "tip: use 'image check', 'image decrypt' and 'image encrypt'"),
            ("diagnose", "tip: use 'doctor'"),
            ("probe", "tip: a similar subcommand exists: 'probes'"),
            ("info --sim", "tip: a similar argument exists: '--simulate'"),
        ] {
            let text = refusal(&line.split(' ').collect::<Vec<_>>());
            assert!(text.contains(tip), "{line}:\n{text}");
            assert_eq!(text.matches("tip:").count(), 1, "{line}:\n{text}");
        }
        for line in [
            "batch",
            "report",
            "image show --scooter pro a.bin",
            "info --odometer 5",
            "info --verify",
            "scooters --list",
            "image version",
            "data dump",
        ] {
            let text = refusal(&line.split(' ').collect::<Vec<_>>());
            assert!(!text.is_empty() && !text.contains("tip:"), "{line}:\n{text}");
        }
    }

    #[test]
    fn letters_are_counted_as_they_are_mistyped() {
        for (one, other, letters) in [("inof", "info", 1), ("ifo", "info", 1), ("batch", "backup", 4), ("", "man", 3)] {
            assert_eq!((osa_distance(one, other), osa_distance(other, one)), (letters, letters), "{one} {other}");
        }
    }

    #[test]
    fn a_mistyped_unit_is_not_answered_with_another() {
        for line in ["flash pro --mileage 5", "data new --kms 5", "--mileage 5"] {
            let text = refusal(&line.split(' ').collect::<Vec<_>>());
            assert!(!text.contains("--mileage-m") && !text.contains("similar"), "{text}");
            assert!(text.contains("tip: the mileage in kilometres is given with '--km'"), "{text}");
        }
    }

    #[test]
    fn a_value_without_its_equals_sign_is_not_taken_for_a_command_or_a_file() {
        for (line, tip) in [
            ("--simulate locked info", "--simulate=locked"),
            ("backup --simulate locked", "--simulate=locked"),
            ("flash --simulate bricked pro", "--simulate=bricked"),
            ("info --wait 30s", "--wait=30s"),
            ("flash --wait 30 pro", "--wait=30"),
            ("backup --wait 5m", "--wait=5m"),
        ] {
            let text = refusal(&line.split(' ').collect::<Vec<_>>());
            let option = tip.split('=').next().unwrap_or_default();
            let first =
                format!("error: the value of '{option}' must follow '=', not a space\n\n  tip: write '{tip}'\n");
            assert!(text.starts_with(&first), "{line}:\n{text}");
        }
        let text = refusal(&["--simulate", "lockde", "info"]);
        assert!(text.contains("tip: the value of '--simulate' must follow '=', not a space"), "{text}");
        for line in
            ["--simulate info", "data --simulate new --serial 1 -o x", "backup --simulate b.json", "--wait info"]
        {
            assert_eq!(refusal(&line.split(' ').collect::<Vec<_>>()), "", "{line}");
        }
    }

    #[test]
    fn what_has_spaces_needs_quotes() {
        for (line, words) in [
            ("flash M365 Pro", "a scooter name with spaces needs quotes\n\n  tip: write 'M365 Pro'"),
            ("verify mi pro 2 --km 5", "a scooter name with spaces needs quotes\n\n  tip: write 'mi pro 2'"),
            ("flash pro 3", "scooter \"pro 3\" is not supported"),
            ("--log-file log.txt flsh", "unrecognized subcommand 'flsh'"),
            ("flash pro --retries 2", "unexpected argument '--retries' found"),
            ("flash m365 --variant pro", "unexpected argument '--variant' found"),
            ("flash pro --km 12 km", "tip: a value with spaces needs quotes: --km '12 km'"),
            ("data new --serial 21886 / -o x", "tip: a value with spaces needs quotes: --serial '21886 /'"),
            ("data new --serial 1 --uid 0x1 0x2 0x3 -o x", "tip: a value with spaces needs quotes: --uid '0x1 0x2'"),
        ] {
            let text = refusal(&line.split(' ').collect::<Vec<_>>());
            assert!(text.contains(words), "{line}:\n{text}");
            assert!(!text.contains("log.txt flsh'"), "{line}:\n{text}");
            assert!(!text.contains("'pro 2'") && !text.contains("'m365 pro'"), "{line}:\n{text}");
        }
    }
}
