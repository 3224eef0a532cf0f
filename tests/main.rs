//! The one integration binary: linking probe-rs is slow.

mod bench;
mod block;
mod cli;
mod json;
mod rooms;
