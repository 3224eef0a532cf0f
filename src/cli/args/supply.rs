//! Where firmware is fetched from, and the user's own folder of it.

use std::{env, path::PathBuf};

use clap::Args;
use m365_drv::{
    count::count,
    image::Entry,
    printable::quoted_path,
    supply::{Cause, FetchError, Folder, Limits, Mirror, Supply},
};

use crate::cli::{
    Context,
    exit::{Exit, Meaning, refuse},
    files, settings,
};

/// The environment variable that replaces `--mirror`.
const MIRROR: &str = "M365_DRV_MIRROR";

/// Where firmware may be fetched from.
#[derive(Debug, Args)]
pub(crate) struct SupplyArgs {
    /// Fetch from a copy of the public repositories: a folder, or an address that begins with `https://`
    /// [env: `M365_DRV_MIRROR`]
    #[arg(long, value_name = "URL|DIR")]
    mirror: Option<String>,

    /// Never connect to a server; `--mirror` with a folder still works
    #[arg(long)]
    offline: bool,
}

impl SupplyArgs {
    /// Where to fetch from; `None` if nothing may be fetched.
    pub(crate) fn supply(&self) -> anyhow::Result<Option<Supply>> {
        let named = self.mirror.clone().map(|text| (text, "--mirror".to_owned())).or_else(|| {
            let text = env::var_os(MIRROR).filter(|text| !text.is_empty())?;
            Some((text.to_string_lossy().into_owned(), "environment variable M365_DRV_MIRROR".to_owned()))
        });
        let named = named.or_else(|| settings::files().mirror());
        let mirror = match named {
            Some((text, from)) => {
                Mirror::named(&text).map_err(|error| refuse(Exit::Usage, format!("{from}: {error}")))?
            }
            None => Mirror::github(),
        };
        let is_allowed = !((self.offline || settings::files().offline()) && mirror.is_remote());
        Ok(is_allowed.then(|| Supply::new(mirror, Limits::default())))
    }
}

/// The user's folder of known images.
pub(crate) fn folder() -> anyhow::Result<Folder> {
    let none = || refuse(Exit::Image, "no folder for firmware, because no home folder was found");
    files::data_folder().map(|folder| Folder::new(folder.join("firmware"))).ok_or_else(none)
}

/// What would be fetched, for the question whether to.
pub(crate) fn offer(entries: &[&Entry], supply: &Supply, folder: &Folder) -> String {
    let mut lines = Vec::new();
    for entry in entries {
        let Some(source) = Supply::offers(entry).first() else { continue };
        let size = count(source.size, "byte");
        lines.push(format!("{entry}: {size} from {}, {} in {}", supply.mirror(), source.path, source.repository));
        lines.push(format!("  sha256 {}", entry.sha256));
    }
    let (these, they, files) = if entries.len() == 1 {
        ("This file is", "It is saved", "it")
    } else {
        ("These files are", "They are saved", "them")
    };
    let place = quoted_path(folder.path());
    lines.push(format!("{these} the vendor's firmware, and no licence comes with {files}. {they} in {place}."));
    lines.join("\n")
}

/// Fetches an image into the folder, and tells which files could not be used. Returns the file that it is in.
pub(crate) fn fetch(context: &mut Context, supply: &Supply, folder: &Folder, entry: &Entry) -> anyhow::Result<PathBuf> {
    context.say(&format!("fetching {entry} from {}", supply.mirror()));
    let fetched = supply.fetch(entry, &mut |failure| {
        context.warn("fetch-failed", format!("{}: {}", failure.place, in_words(&failure.cause)));
    });
    let image = fetched.or_else(|error| {
        let message = error.to_string();
        let last = match error {
            FetchError::Failed { mut failures, .. } => failures.pop(),
            FetchError::NotToBeHad { .. } => None,
        };
        match last {
            Some(last) => Err(last.cause).meaning(Exit::Image, || message),
            None => Err(refuse(Exit::Image, message)),
        }
    })?;
    folder.put(entry, &image).meaning(Exit::Image, || format!("cannot save {entry}"))
}

/// A cause with its own cause, on one line.
fn in_words(cause: &Cause) -> String {
    let inner = std::error::Error::source(cause).map(|inner| format!(": {inner}"));
    format!("{cause}{}", inner.unwrap_or_default())
}
