//! Probes that Windows has no driver for. No program can open such a device, and probe-rs does not list it.

use probe_rs::probe::DebugProbeInfo;

/// Where attached devices without a driver come from.
pub(super) type Source = fn() -> Vec<Driverless>;

/// A USB device that is attached and has no driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Driverless {
    pub(super) vid: u16,
    pub(super) pid: u16,
    /// The name that the device gives itself.
    pub(super) name: Option<String>,
    pub(super) serial: Option<String>,
}

/// The ST-Links that m365-drv can use, as probe-rs names them (probe-rs 0.32.0, `USB_PID_EP_MAP`).
const ST_LINKS: [(u16, &str); 10] = [
    (0x3748, "STLink V2"),
    (0x3742, "STLink V2-1"),
    (0x374A, "STLink V2-1"),
    (0x374B, "STLink V2-1"),
    (0x3752, "STLink V2-1"),
    (0x374E, "STLink V3"),
    (0x374F, "STLink V3"),
    (0x3753, "STLink V3"),
    (0x3754, "STLink V3"),
    (0x3757, "STLink V3PWR"),
];

impl Driverless {
    /// The kind of probe; `None` if the device is something else.
    pub(super) fn kind(&self) -> Option<&str> {
        match self.vid {
            0x0483 => ST_LINKS.iter().find(|(pid, _)| *pid == self.pid).map(|(_, kind)| *kind),
            0x1366 => Some("J-Link"),
            // The specification requires the word in the name (CMSIS-DAP, "USB Peripheral for CMSIS-DAP").
            _ => self.name.as_deref().filter(|name| name.contains("CMSIS-DAP")),
        }
    }

    /// Whether the probe is in a list already: one of its interfaces may have a driver, or the list shows it without one.
    pub(super) fn is_in<'a>(&self, mut listed: impl Iterator<Item = &'a DebugProbeInfo>) -> bool {
        listed.any(|probe| (probe.vendor_id, probe.product_id) == (self.vid, self.pid))
    }
}

/// The devices of this computer.
#[cfg(windows)]
pub(super) fn attached() -> Vec<Driverless> {
    let found = m365_drv_windows::driverless().unwrap_or_else(|error| {
        log::warn!("cannot look for devices without a driver: {error}");
        Vec::new()
    });
    let device = |device: m365_drv_windows::Driverless| {
        let m365_drv_windows::Driverless { vid, pid, name, serial } = device;
        Driverless { vid, pid, name, serial }
    };
    found.into_iter().map(device).collect()
}

/// Only Windows needs a driver for a probe.
#[cfg(not(windows))]
pub(super) fn attached() -> Vec<Driverless> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_debug_probes_are_told_of() {
        let kind = |vid, pid, name: Option<&str>| {
            Driverless { vid, pid, name: name.map(Into::into), serial: None }.kind().map(ToOwned::to_owned)
        };
        assert_eq!(kind(0x0483, 0x3748, Some("STM32 STLink")).as_deref(), Some("STLink V2"));
        assert_eq!(kind(0x0483, 0x374B, None).as_deref(), Some("STLink V2-1"));
        assert_eq!(kind(0x1366, 0x0101, None).as_deref(), Some("J-Link"));
        assert_eq!(kind(0xC251, 0xF001, Some("LPC CMSIS-DAP")).as_deref(), Some("LPC CMSIS-DAP"));
        // The bootloader of an STM32, and a printer.
        assert_eq!(kind(0x0483, 0xDF11, Some("STM32 BOOTLOADER")), None);
        assert_eq!(kind(0x03F0, 0x0001, None), None);
    }

    #[test]
    fn the_udev_rule_of_the_packages_lets_users_open_every_st_link() {
        let rule = concat!(env!("CARGO_MANIFEST_DIR"), "/release/70-m365-drv.rules");
        let rule = std::fs::read_to_string(rule).unwrap();
        let mut products: Vec<_> = ST_LINKS.iter().map(|(pid, _)| format!("{pid:04x}")).collect();
        products.sort();
        assert!(rule.contains(&format!("ATTRS{{idProduct}}==\"{}\"", products.join("|"))), "{rule}");
    }
}
