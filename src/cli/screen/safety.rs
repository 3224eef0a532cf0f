//! Safety in three lines, before the first contact of a day.

use std::{fs, path::Path};

use m365_drv::guide::ending::SAFETY_IN_SHORT;

use crate::cli::{Context, files};

/// The file that holds the day on which it was shown last.
const FILE: &str = "safety-shown";

/// Shows it, if a person is there to read it who has not seen it today. A simulated board needs no care.
pub(crate) fn tell_once_a_day(context: &mut Context) {
    if context.is_rehearsal() || !context.audience().answers() {
        return;
    }
    let folder = files::state_folder();
    let today = jiff::Zoned::now().date().to_string();
    if folder.as_deref().is_some_and(|folder| was_shown(folder, &today)) {
        return;
    }
    for line in SAFETY_IN_SHORT {
        context.say(line);
    }
    if let Some(folder) = folder {
        remember(&folder, &today);
    }
}

fn was_shown(folder: &Path, today: &str) -> bool {
    fs::read_to_string(folder.join(FILE)).is_ok_and(|day| day == today)
}

/// What cannot be remembered is shown again: no reason to stop.
fn remember(folder: &Path, today: &str) {
    if let Err(error) = fs::create_dir_all(folder).and_then(|()| fs::write(folder.join(FILE), today)) {
        log::debug!("the day of the safety lines was not saved: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_shown_once_a_day() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("state");
        assert!(!was_shown(&folder, "2026-11-26"));
        remember(&folder, "2026-11-26");
        assert!(was_shown(&folder, "2026-11-26") && !was_shown(&folder, "2026-11-27"));
        assert_eq!(SAFETY_IN_SHORT.len(), 3);
    }
}
