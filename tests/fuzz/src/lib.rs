//! Everything that m365-drv reads from outside, for the fuzzer.

mod targets;

use std::alloc::System;

use cap::Cap;

pub use targets::*;

/// What one run may have allocated at any moment; beyond it allocation fails, which the fuzzer counts as a crash.
const LIMIT: usize = 64 << 20;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, LIMIT);
