//! Fuzz targets for every parser of outside input in m365-drv.

mod targets;

use std::alloc::System;

use cap::Cap;

pub use targets::*;

/// Maximum memory that one run may hold allocated, in bytes. Beyond it, allocation fails, which the fuzzer counts as a
/// crash.
const LIMIT: usize = 64 << 20;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, LIMIT);
