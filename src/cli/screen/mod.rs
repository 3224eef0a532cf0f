//! What the user sees: reports, progress, errors and the log.

pub(crate) mod audience;
pub(crate) mod bars;
pub(crate) mod failure;
pub(crate) mod json;
pub(crate) mod last_run;
pub(crate) mod lines;
pub(crate) mod logging;
pub(crate) mod meter;
pub(crate) mod output;
pub(crate) mod overheard;
pub(crate) mod page;
pub(crate) mod phases;
pub(crate) mod probe_names;
pub(crate) mod progress;
pub(crate) mod rows;
pub(crate) mod safety;
pub(crate) mod stderr;
pub(crate) mod voice;

pub(crate) use self::{
    output::{CommandResult, Outcome, Report},
    page::{Page, Tone},
};
