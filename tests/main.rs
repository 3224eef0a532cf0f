//! All integration tests in one binary, because linking probe-rs is slow.

mod backup_restore;
mod bench;
mod block;
mod budget;
mod choice;
mod cli;
mod corpus;
mod durability;
mod faults;
mod flash;
mod gates;
mod hardware;
mod image;
mod json;
mod limits;
mod output;
mod packages;
mod rehearsal;
mod rooms;
mod saving;
mod scooters;
mod sim;
mod size;
mod stand;
mod values;
