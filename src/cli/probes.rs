//! `probes`: the probes found, whether each can be used, and if not the fix.

use m365_drv::board::{self, ProbeEntry};
use serde::Serialize;

use super::{
    Context, exit, hints,
    output::{Answer, Outcome, Report},
    page::{Page, Tone},
};

#[derive(Serialize)]
#[serde(transparent)]
struct Found(Vec<ProbeEntry>);

pub(crate) fn run(context: &Context) -> Answer {
    Outcome::new(&Found(context.probes.list()))
}

impl Report for Found {
    fn text(&self, page: &mut Page) {
        if self.0.is_empty() {
            page.line("no probe found");
        }
        for (index, probe) in self.0.iter().enumerate() {
            if index > 0 {
                page.blank();
            }
            page.heading(format!("#{} {}", probe.index, probe.kind));
            rows(probe, page);
        }
    }
}

fn rows(probe: &ProbeEntry, page: &mut Page) {
    page.row("  usb", place(probe));
    page.row("  serial", probe.serial.as_deref().unwrap_or("none"));
    match &probe.problem {
        _ if probe.usable => page.toned("  usable", "yes", Tone::Good),
        None => page.toned("  usable", "no", Tone::Bad),
        Some(problem) => page.toned("  usable", format!("no, {problem}"), Tone::Bad),
    };
    if let Some(fix) = probe.problem.as_ref().and_then(hints::fix) {
        page.blank().line(fix);
    }
}

/// The probes that an error was about, one a line.
pub(crate) fn named_by(error: &anyhow::Error) -> Vec<String> {
    use board::Error::{ProbeNotFound, SeveralProbes, TwinProbes};
    match exit::of_board(error) {
        Some(ProbeNotFound { found } | SeveralProbes { found } | TwinProbes { found }) => {
            found.iter().map(in_a_line).collect()
        }
        _ => Vec::new(),
    }
}

fn in_a_line(probe: &ProbeEntry) -> String {
    let serial = probe.serial.as_deref().map_or_else(String::new, |serial| format!(", serial {serial}"));
    format!("#{} {}, {}{serial}", probe.index, probe.kind, place(probe))
}

fn place(probe: &ProbeEntry) -> String {
    let place = probe.usb.as_deref().map_or_else(String::new, |place| format!(" at usb:{place}"));
    format!("{}:{}{place}", probe.vid, probe.pid)
}
