//! Why an attached probe cannot be used.

use serde::{Deserialize, Serialize};

/// Why a probe cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case", tag = "name")]
pub enum Problem {
    /// The user lacks permission to open the device.
    #[error("permission denied for probe {vid}:{pid}")]
    Permission {
        /// USB vendor ID, four hexadecimal digits.
        vid: String,
        /// USB product ID, four hexadecimal digits.
        pid: String,
    },
    /// Another program is using the probe.
    #[error("{} is using the probe", program.as_deref().unwrap_or("another program"))]
    Busy {
        /// Name and process ID of the program, if the system reports them.
        program: Option<String>,
    },
    /// Windows uses a driver for the probe that m365-drv cannot use.
    #[error("the probe has no WinUSB driver")]
    Driver,
    /// The probe's firmware is too old.
    #[error(
        "the probe's firmware is too old: {}; it needs {needed} or later",
        found.as_deref().unwrap_or("unknown version")
    )]
    Firmware {
        /// The installed version as the vendor writes it, for example `V2J17`.
        found: Option<String>,
        /// The oldest version that works, for example `J26`.
        needed: String,
    },
    /// Another probe has the same USB ids and serial number, and the driver of this kind opens either of them.
    #[error("the probe cannot be told apart from another attached one by its serial number")]
    Twin,
    /// The probe can be opened but does not answer.
    #[error("the probe does not answer")]
    Hung,
    /// Any other error of the driver.
    #[error("the probe cannot be opened: {message}")]
    Other {
        /// The driver's error message with its causes.
        message: String,
    },
}
