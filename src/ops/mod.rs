//! The procedures: what the commands do to a board, each a single pass from top to bottom, refusals first.

mod error;

pub use self::error::{BoardState, Category, Error};
