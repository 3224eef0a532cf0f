//! USB details that the probe drivers do not report: the port, the program that uses the device, the firmware version.

use nusb::MaybeFuture as _;
use probe_rs::probe::DebugProbeInfo;

/// Finds the USB device of each probe, in order; `None` if it has none, as in a simulation. Probes with the same IDs
/// and serial number are matched in the order of the system's list, which is also the order of the drivers.
pub(super) fn devices<'a>(probes: impl Iterator<Item = &'a DebugProbeInfo>) -> Vec<Option<nusb::DeviceInfo>> {
    let mut devices: Vec<_> = nusb::list_devices().wait().map(Iterator::collect).unwrap_or_default();
    probes
        .map(|probe| {
            let is_it = |device: &nusb::DeviceInfo| UsbIdentity::of(device).is_of(probe);
            let at = devices.iter().position(is_it)?;
            Some(devices.remove(at))
        })
        .collect()
}

/// Which devices a driver finds that looks for one by its ids and serial number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kin {
    /// Only this one.
    None,
    /// This one and others.
    Twins,
    /// This one is no longer where it was.
    Gone,
}

/// Looks for a device, and for others with the same ids and serial number.
pub(super) fn kin(device: &nusb::DeviceInfo) -> Kin {
    let devices = nusb::list_devices().wait().map(Iterator::collect::<Vec<_>>).unwrap_or_default();
    UsbIdentity::of(device).kin(&devices.iter().map(UsbIdentity::of).collect::<Vec<_>>())
}

/// Whether a listed device still has the same address at the same place.
pub(super) fn is_where_it_was(device: &nusb::DeviceInfo) -> bool {
    kin(device) != Kin::Gone
}

/// What tells a device from others.
#[derive(Debug, Clone, PartialEq, Eq)]
struct UsbIdentity<I> {
    /// The system's own name for it, or its address.
    id: I,
    place: Option<String>,
    /// Vendor and product.
    ids: (u16, u16),
    serial: Option<String>,
}

impl UsbIdentity<nusb::DeviceId> {
    fn of(device: &nusb::DeviceInfo) -> Self {
        let ids = (device.vendor_id(), device.product_id());
        Self { id: device.id(), place: place(device), ids, serial: device.serial_number().map(Into::into) }
    }
}

impl<I: PartialEq> UsbIdentity<I> {
    fn is_of(&self, probe: &DebugProbeInfo) -> bool {
        self.ids == (probe.vendor_id, probe.product_id)
            && same_serial(self.serial.as_deref(), probe.serial_number.as_deref())
    }

    /// Which of these devices a driver finds.
    fn kin(&self, devices: &[Self]) -> Kin {
        let is_same = |other: &Self| (&other.id, &other.place, other.ids) == (&self.id, &self.place, self.ids);
        if !devices.iter().any(is_same) {
            return Kin::Gone;
        }
        // A driver takes any device with these ids if it has no serial number to look for.
        let has_serial = self.serial.as_ref().is_some_and(|serial| !serial.is_empty());
        let is_alike = |other: &&Self| other.ids == self.ids && (!has_serial || other.serial == self.serial);
        if devices.iter().filter(is_alike).count() == 1 { Kin::None } else { Kin::Twins }
    }
}

/// Compares serial numbers. The ST-Link driver shows short binary ones in hexadecimal.
fn same_serial(device: Option<&str>, probe: Option<&str>) -> bool {
    let (device, probe) = (device.unwrap_or(""), probe.unwrap_or(""));
    device == probe || hex::encode_upper(device) == probe
}

/// Where a device is plugged in, as `BUS-PORT.PORT`; `None` if the system does not report it.
#[cfg(any(target_os = "linux", target_os = "macos", target_os = "windows"))]
pub(super) fn place(device: &nusb::DeviceInfo) -> Option<String> {
    place_of(device.bus_id(), device.port_chain())
}

#[cfg(any(target_os = "linux", target_os = "macos", target_os = "windows"))]
fn place_of(bus: &str, ports: &[u8]) -> Option<String> {
    let ports: Vec<_> = ports.iter().map(u8::to_string).collect();
    let bus = bus.trim_start_matches('0');
    (!ports.is_empty()).then(|| format!("{}-{}", if bus.is_empty() { "0" } else { bus }, ports.join(".")))
}

#[cfg(not(any(target_os = "linux", target_os = "macos", target_os = "windows")))]
pub(super) fn place(_device: &nusb::DeviceInfo) -> Option<String> {
    None
}

/// Name and process ID of another program that has the device open; `None` if no other program has, or if the system
/// does not report it.
#[cfg(target_os = "linux")]
pub(super) fn holder(device: &nusb::DeviceInfo) -> Option<String> {
    holder_of(format!("/dev/bus/usb/{:03}/{:03}", device.busnum(), device.device_address()).as_ref())
}

#[cfg(target_os = "linux")]
fn holder_of(node: &std::path::Path) -> Option<String> {
    use std::fs;
    let processes = fs::read_dir("/proc").ok()?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let others = processes.filter(|name| name.parse::<u32>().is_ok_and(|number| number != std::process::id()));
    others.into_iter().find_map(|number| {
        let mut open = fs::read_dir(format!("/proc/{number}/fd")).ok()?;
        open.any(|entry| entry.is_ok_and(|entry| fs::read_link(entry.path()).is_ok_and(|link| link == node))).then(
            || {
                let name = fs::read_to_string(format!("/proc/{number}/comm")).unwrap_or_default();
                format!("{} (process {number})", name.trim())
            },
        )
    })
}

#[cfg(not(target_os = "linux"))]
pub(super) fn holder(_device: &nusb::DeviceInfo) -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    use probe_rs::probe::stlink::StLinkFactory;

    use super::*;

    fn seen(id: u8, place: &str, serial: Option<&str>) -> UsbIdentity<u8> {
        UsbIdentity { id, place: Some(place.into()), ids: (0x0483, 0x3748), serial: serial.map(Into::into) }
    }

    #[test]
    fn a_device_that_a_driver_cannot_tell_from_another_has_a_twin() {
        let one = seen(1, "1-1", Some("A"));
        let kin = |device: &UsbIdentity<u8>, others: &[UsbIdentity<u8>]| {
            device.kin(&[std::slice::from_ref(device), others].concat())
        };
        assert_eq!(kin(&one, &[]), Kin::None);
        assert_eq!(kin(&one, &[seen(2, "1-2", Some("B")), seen(3, "1-3", None)]), Kin::None);
        assert_eq!(kin(&one, &[seen(2, "1-2", Some("A"))]), Kin::Twins);
        assert_eq!(kin(&one, &[UsbIdentity { ids: (0x0483, 0x374B), ..seen(2, "1-2", Some("A")) }]), Kin::None);
        for serial in [None, Some("")] {
            let blank = seen(1, "1-1", serial);
            assert_eq!(kin(&blank, &[]), Kin::None);
            assert_eq!(kin(&blank, &[seen(2, "1-2", Some("B"))]), Kin::Twins);
        }
    }

    #[test]
    fn a_device_in_whose_place_is_another_is_gone() {
        let one = seen(1, "1-1", Some("A"));
        for other in [
            seen(2, "1-1", Some("A")),
            seen(1, "1-2", Some("A")),
            UsbIdentity { ids: (0x0483, 0x374B), ..one.clone() },
            UsbIdentity { ids: (0x0484, 0x3748), ..one.clone() },
        ] {
            assert_eq!(one.kin(&[other]), Kin::Gone);
        }
        assert_eq!(one.kin(&[]), Kin::Gone);
    }

    #[test]
    fn a_probe_is_found_by_its_ids_and_by_its_serial_number_in_either_form() {
        let probe = |serial: &str| {
            DebugProbeInfo::new("STLink V2", 0x0483, 0x3748, Some(serial.into()), &StLinkFactory, None, false)
        };
        assert!(seen(1, "1-1", Some("066D")).is_of(&probe("066D")));
        assert!(seen(1, "1-1", Some("\u{1}\u{2}")).is_of(&probe("0102")));
        assert!(seen(1, "1-1", None).is_of(&probe("")));
        assert!(!seen(1, "1-1", Some("066E")).is_of(&probe("066D")));
        assert!(!UsbIdentity { ids: (0x0483, 0x374B), ..seen(1, "1-1", Some("066D")) }.is_of(&probe("066D")));
    }

    #[test]
    #[cfg(any(target_os = "linux", target_os = "macos", target_os = "windows"))]
    fn a_place_is_a_bus_and_the_ports_on_the_way() {
        assert_eq!(place_of("001", &[4, 2]).as_deref(), Some("1-4.2"));
        assert_eq!(place_of("000", &[1]).as_deref(), Some("0-1"));
        assert_eq!(place_of("1", &[]), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_program_that_has_a_device_open_is_named_with_its_process() {
        use std::{fs::File, process::Command};
        let file = tempfile::NamedTempFile::new().unwrap();
        // This process does not count.
        assert_eq!(holder_of(file.path()), None);
        let mut other = Command::new("sleep").arg("60").stdin(File::open(file.path()).unwrap()).spawn().unwrap();
        let found = holder_of(file.path());
        other.kill().unwrap();
        other.wait().unwrap();
        assert_eq!(found, Some(format!("sleep (process {})", other.id())));
    }
}
