//! `config show`: every setting, and where it came from.

use clap::Subcommand;
use serde::Serialize;

use crate::cli::{
    Context,
    screen::{CommandResult, Outcome, Page, Report, Tone},
    settings::{self, Setting, SettingSource},
};

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Show every setting and where it came from
    Show,
}

/// The settings, and the files that they may come from.
#[derive(Serialize)]
struct ConfigReport {
    files: ConfigFiles,
    settings: Vec<Setting>,
}

/// The two files.
#[derive(Serialize)]
struct ConfigFiles {
    /// The nearest `m365-drv.toml`; `None` if there is none.
    project: Option<String>,
    /// Where the user's file is or would be; `None` if the system has no place for it.
    user: Option<String>,
    /// Whether the user's file exists.
    user_exists: bool,
}

pub(crate) fn run(context: &Context) -> CommandResult {
    let typed = context.typed();
    let flag = |name: &str| {
        let option = format!("--{name}");
        let value = typed.has(&option).then(|| typed.value(&option))?;
        value.map(std::borrow::Cow::into_owned)
    };
    let user = settings::user_file();
    let files = ConfigFiles {
        project: settings::project_file().map(|file| file.display().to_string()),
        user_exists: user.as_ref().is_some_and(|file| file.is_file()),
        user: user.map(|file| file.display().to_string()),
    };
    Outcome::new(&ConfigReport { files, settings: settings::files().all(flag) })
}

impl Report for ConfigReport {
    fn text(&self, page: &mut Page) {
        for Setting { name, value, source, from, line } in &self.settings {
            let value = value.as_deref().unwrap_or("not set");
            let place = match (source, from, line) {
                (SettingSource::Flag, ..) => "command line".to_owned(),
                (_, Some(from), Some(line)) => format!("{from}, line {line}"),
                (_, Some(from), None) => from.clone(),
                (..) => "default".to_owned(),
            };
            let tone = if *source == SettingSource::Default { Tone::Plain } else { Tone::Good };
            page.toned(*name, format!("{value} ({place})"), tone);
        }
        page.blank();
        page.row("project file", self.files.project.as_deref().unwrap_or("none: no m365-drv.toml here or above"));
        if let Some(user) = &self.files.user {
            let remark = if self.files.user_exists { "" } else { " (does not exist)" };
            page.row("user file", format!("{user}{remark}"));
        }
    }
}
