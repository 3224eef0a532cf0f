//! `doctor --fix`: installs the udev rule that lets the user open the probe.

use std::{fs, io, path::Path, process::Command};

use m365_drv::{
    board::{Examined, Problem},
    ops,
};

use crate::cli::{
    Context,
    args::question::yes_or_no,
    exit::{Exit, Meaning, refusal, refuse},
    probe_fixes::{System, UdevRule},
};

/// Shows the rule, asks, installs it, and opens the probe. A probe that can be opened needs none.
pub(super) fn fix(context: &mut Context, yes: bool) -> anyhow::Result<()> {
    if System::HERE != System::Linux {
        return Err(refuse(Exit::Usage, "--fix installs a udev rule, which only Linux has"));
    }
    let Examined { entry, problem, .. } = examine(context)?;
    let rule = UdevRule::new(&entry.vid, &entry.pid);
    let is_root = is_root();
    let is_needed = match &problem {
        Some(Problem::Permission { .. }) => true,
        // For root every probe can be opened: the rule is for the user who called sudo.
        None => is_root && !context.is_rehearsal() && !Path::new(&rule.file()).exists(),
        Some(_) => false,
    };
    if !is_needed {
        context.say(&match &problem {
            None => "no udev rule needed: the probe can be opened".to_owned(),
            Some(problem) => format!("no udev rule installed, because it would not help: {problem}"),
        });
        return Ok(());
    }
    context.say(&format!(
        "the udev rule for probe {}:{}, in {}:\n  {}",
        entry.vid,
        entry.pid,
        rule.file(),
        rule.line()
    ));
    if !is_root {
        return Err(refusal(Exit::ProbeAccess, "installing a udev rule needs root", Some(rule.command())).into());
    }
    if !yes {
        if !context.audience().answers() {
            return Err(refuse(Exit::Consent, "installing a udev rule needs --yes or an answer at a terminal"));
        }
        if !yes_or_no(context, "Install it?")? {
            return Err(refuse(Exit::Consent, "udev rule not installed"));
        }
    }
    install(&rule, Path::new(&rule.file()), &mut run)
        .meaning(Exit::ProbeAccess, || "the udev rule could not be installed".into())?;
    if let Some(problem) = examine(context)?.problem {
        return Err(refuse(Exit::ProbeAccess, format!("udev rule installed, but {problem}")));
    }
    context.say("udev rule installed; the probe can be opened");
    Ok(())
}

fn examine(context: &Context) -> Result<Examined, ops::Error> {
    context.probes.examine(context.selector()).map_err(ops::Error::from)
}

/// Writes the rule and makes udev use it. A rule that could not be loaded is taken away again, so that the next run tries anew.
fn install(rule: &UdevRule, file: &Path, run: &mut dyn FnMut(&str) -> io::Result<()>) -> io::Result<()> {
    fs::write(file, rule.line() + "\n")?;
    let loaded = UdevRule::RELOAD.into_iter().try_for_each(run);
    if loaded.is_err() {
        let _ = fs::remove_file(file);
    }
    loaded
}

/// Runs a command without arguments that need quotes.
fn run(command: &str) -> io::Result<()> {
    let mut words = command.split(' ');
    let status = Command::new(words.next().unwrap_or_default()).args(words).status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("{command}: {status}"))) }
}

/// Whether root runs this program (proc(5): the second of the four is the effective user).
fn is_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let user = status.lines().find_map(|line| line.strip_prefix("Uid:")?.split_whitespace().nth(1));
    user == Some("0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_written_and_then_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let (rule, file) = (UdevRule::new("0483", "3748"), folder.path().join("a.rules"));
        let mut commands = Vec::new();
        let mut run = |command: &str| {
            assert!(file.exists());
            commands.push(command.to_owned());
            Ok(())
        };
        install(&rule, &file, &mut run).unwrap();
        assert_eq!(commands, ["udevadm control --reload", "udevadm trigger"]);
        assert_eq!(fs::read_to_string(&file).unwrap(), rule.line() + "\n");
        assert!(install(&rule, &file, &mut |_| Err(io::Error::other("no udevadm"))).is_err());
        assert!(!file.exists());
        let missing = folder.path().join("none").join("a.rules");
        assert!(install(&rule, &missing, &mut |_| panic!("nothing was written")).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_command_that_fails_is_named() {
        assert!(run("false").is_err_and(|error| error.to_string().starts_with("false: ")));
        assert!(run("true").is_ok());
    }
}
