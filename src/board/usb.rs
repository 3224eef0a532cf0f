//! USB details that the probe drivers do not report: the port, the program that uses the device, the firmware version.

use nusb::MaybeFuture as _;
use probe_rs::probe::DebugProbeInfo;

/// Finds the USB device of each probe, in order; `None` if it has none, as in a simulation. Probes with the same IDs
/// and serial number are matched in the order of the system's list, which is also the order of the drivers.
pub(super) fn devices<'a>(probes: impl Iterator<Item = &'a DebugProbeInfo>) -> Vec<Option<nusb::DeviceInfo>> {
    let mut devices: Vec<_> = nusb::list_devices().wait().map(Iterator::collect).unwrap_or_default();
    probes
        .map(|probe| {
            let is_it = |device: &nusb::DeviceInfo| {
                device.vendor_id() == probe.vendor_id
                    && device.product_id() == probe.product_id
                    && same_serial(device.serial_number(), probe.serial_number.as_deref())
            };
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
    if !devices.iter().any(|other| is_same(other, device)) {
        return Kin::Gone;
    }
    // A driver takes any device with these ids if it has no serial number to look for.
    let serial = device.serial_number().unwrap_or_default();
    let alike = |other: &&nusb::DeviceInfo| {
        (other.vendor_id(), other.product_id()) == (device.vendor_id(), device.product_id())
            && (serial.is_empty() || other.serial_number() == Some(serial))
    };
    if devices.iter().filter(alike).count() == 1 { Kin::None } else { Kin::Twins }
}

/// Whether a listed device still has the same address at the same place.
pub(super) fn is_where_it_was(device: &nusb::DeviceInfo) -> bool {
    kin(device) != Kin::Gone
}

fn is_same(one: &nusb::DeviceInfo, other: &nusb::DeviceInfo) -> bool {
    one.id() == other.id()
        && place(one) == place(other)
        && (one.vendor_id(), one.product_id()) == (other.vendor_id(), other.product_id())
}

/// Compares serial numbers. The ST-Link driver shows short binary ones in hexadecimal.
fn same_serial(device: Option<&str>, probe: Option<&str>) -> bool {
    let (device, probe) = (device.unwrap_or(""), probe.unwrap_or(""));
    device == probe || hex::encode_upper(device) == probe
}

/// Where a device is plugged in, as `BUS-PORT.PORT`; `None` if the system does not report it.
#[cfg(any(target_os = "linux", target_os = "macos", target_os = "windows"))]
pub(super) fn place(device: &nusb::DeviceInfo) -> Option<String> {
    let ports: Vec<_> = device.port_chain().iter().map(u8::to_string).collect();
    let bus = device.bus_id().trim_start_matches('0');
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
    use std::{fs, path::PathBuf};
    let node = PathBuf::from(format!("/dev/bus/usb/{:03}/{:03}", device.busnum(), device.device_address()));
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
