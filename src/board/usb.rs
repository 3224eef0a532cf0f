//! Where a probe is plugged in, which the probe drivers do not tell.

use nusb::MaybeFuture as _;
use probe_rs::probe::DebugProbeInfo;

/// For each probe, in order, its place as `BUS-PORT.PORT`, or `None` where the system does not tell. Probes with equal ids
/// and serial numbers are taken in the order of the system's list, which is also the drivers' order.
pub(super) fn places<'a>(probes: impl Iterator<Item = &'a DebugProbeInfo>) -> Vec<Option<String>> {
    let mut devices: Vec<_> = nusb::list_devices().wait().map(Iterator::collect).unwrap_or_default();
    probes
        .map(|probe| {
            let is_it = |device: &nusb::DeviceInfo| {
                device.vendor_id() == probe.vendor_id
                    && device.product_id() == probe.product_id
                    && same_serial(device.serial_number(), probe.serial_number.as_deref())
            };
            let device = devices.remove(devices.iter().position(is_it)?);
            place(&device)
        })
        .collect()
}

/// The ST-Link driver shows short, binary serial numbers in hexadecimal.
fn same_serial(device: Option<&str>, probe: Option<&str>) -> bool {
    let (device, probe) = (device.unwrap_or(""), probe.unwrap_or(""));
    device == probe || device.chars().map(|c| format!("{:02X}", u32::from(c))).collect::<String>() == probe
}

#[cfg(any(target_os = "linux", target_os = "macos", target_os = "windows"))]
fn place(device: &nusb::DeviceInfo) -> Option<String> {
    let ports: Vec<_> = device.port_chain().iter().map(u8::to_string).collect();
    let bus = device.bus_id().trim_start_matches('0');
    (!ports.is_empty()).then(|| format!("{}-{}", if bus.is_empty() { "0" } else { bus }, ports.join(".")))
}

#[cfg(not(any(target_os = "linux", target_os = "macos", target_os = "windows")))]
fn place(_device: &nusb::DeviceInfo) -> Option<String> {
    None
}
