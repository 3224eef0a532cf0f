//! Checks the model against the manuals, through probe-rs, as the rest of the program uses it.

mod board;
mod clones;
mod contact;
mod cortex_m;
mod debugger;
mod flash;
mod protection;
mod readings;
mod rehearsal;
mod store;
mod vendor;
