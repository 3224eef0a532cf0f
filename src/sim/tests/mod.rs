//! The model against the manuals, through probe-rs as everything else uses it.

mod board;
mod clones;
mod contact;
mod core;
mod debugger;
mod flash;
mod protection;
mod rehearsal;
mod store;
mod vendor;
