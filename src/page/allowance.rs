//! What one visitor may take of the server.

use std::time::Duration;

/// What one visitor may take of the server.
#[derive(Debug, Clone, Copy)]
pub struct Allowance {
    /// How long a request may take to arrive, its head and its body each.
    pub arrival: Duration,
    /// Connections at a time; others wait.
    pub connections: usize,
    /// Bytes of a file that is handed over.
    pub file_bytes: usize,
    /// Bytes of any other request.
    pub request_bytes: usize,
}

impl Default for Allowance {
    /// 10 s, 64 connections, files of 16 MiB, other requests of 16 KiB.
    fn default() -> Self {
        Self { arrival: Duration::from_secs(10), connections: 64, file_bytes: 16 << 20, request_bytes: 16 << 10 }
    }
}
