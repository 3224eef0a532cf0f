//! What `m365-drv` asks of Windows itself. It is a crate of its own because it needs `unsafe`, which `m365-drv` forbids.
//! On other systems only [`Driverless::of_instance`] exists.

#[cfg(windows)]
mod console;
#[cfg(windows)]
mod devices;

#[cfg(windows)]
pub use console::on_close;
#[cfg(windows)]
pub use devices::driverless;

/// A USB device that is attached and has no driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Driverless {
    /// USB vendor ID.
    pub vid: u16,
    /// USB product ID.
    pub pid: u16,
    /// The name that the device gives itself (its product string).
    pub name: Option<String>,
    /// Its serial number; `None` if it has none, or if this is one interface of a device with several.
    pub serial: Option<String>,
}

impl Driverless {
    /// Reads the IDs and the serial number from an instance ID, for example `USB\VID_0483&PID_3748\066DFF48`. Windows makes up the
    /// last part, with `&` in it, for a device without a serial number (Standard USB Identifiers, Microsoft Learn). `None` for
    /// anything else than a USB device.
    ///
    /// ```
    /// let device = m365_drv_windows::Driverless::of_instance(r"USB\VID_0483&PID_3748\066DFF48").unwrap();
    /// assert_eq!((device.vid, device.pid, device.serial.as_deref()), (0x0483, 0x3748, Some("066DFF48")));
    /// ```
    pub fn of_instance(id: &str) -> Option<Self> {
        let upper = id.to_ascii_uppercase();
        let mut parts = upper.split('\\');
        let (bus, ids) = (parts.next()?, parts.next()?);
        let number = |name: &str| {
            let digits = ids.split('&').find_map(|part| part.strip_prefix(name))?;
            u16::from_str_radix(digits, 16).ok()
        };
        let device = Self { vid: number("VID_")?, pid: number("PID_")?, name: None, serial: None };
        let is_interface = ids.contains("&MI_");
        let serial = id.splitn(3, '\\').nth(2).filter(|serial| !is_interface && !serial.contains('&'));
        (bus == "USB").then_some(Self { serial: serial.map(Into::into), ..device })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(id: &str) -> Option<(u16, u16, Option<String>)> {
        Driverless::of_instance(id).map(|device| (device.vid, device.pid, device.serial))
    }

    #[test]
    fn an_instance_id_tells_vendor_product_and_serial_number() {
        let serial = Some("066DFF48".to_owned());
        assert_eq!(parts(r"USB\VID_0483&PID_3748\066DFF48"), Some((0x0483, 0x3748, serial)));
        // Made up by Windows: the device has no serial number.
        assert_eq!(parts(r"USB\VID_0483&PID_3748\5&2E4C7B8&0&2"), Some((0x0483, 0x3748, None)));
        // One interface of an ST-Link V2-1.
        assert_eq!(parts(r"USB\VID_0483&PID_374B&MI_00\6&1A2B3C4&0&0000"), Some((0x0483, 0x374B, None)));
        assert_eq!(parts(r"usb\vid_1366&pid_0101\000123"), Some((0x1366, 0x0101, Some("000123".into()))));
    }

    #[test]
    fn anything_else_is_no_usb_device() {
        for id in ["", "USB", r"USB\ROOT_HUB30\4&1", r"HID\VID_0483&PID_3748\1", r"USB\VID_0483\1", r"PCI\VEN_8086\3"] {
            assert_eq!(parts(id), None, "{id}");
        }
    }
}
