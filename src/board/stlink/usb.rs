//! An ST-Link on USB.

use std::time::Duration;

use nusb::{
    Device, DeviceInfo, Endpoint, Interface, MaybeFuture as _,
    transfer::{Bulk, In, Out},
};
use probe_rs::probe::{
    DebugProbeError, Probe, ProbeCreationError,
    stlink::StlinkError,
    usb_util::{read_bulk_endpoint, write_bulk_endpoint},
};

use super::{
    arm::StLink,
    commands::{Commands, Wire},
};
use crate::board::usb;

const TIMEOUT: Duration = Duration::from_secs(1);
const INTERFACE: u8 = 0;
const ENDPOINT_IN: u8 = 0x81;
/// The product id of the V2, whose endpoint for commands differs from that of all later probes.
const PRODUCT_V2: u16 = 0x3748;
const ENDPOINT_OUT_V2: u8 = 0x02;
const ENDPOINT_OUT: u8 = 0x01;

/// Opens exactly this device. The system opens it by its address on the bus, which may belong to another device by now. So
/// once it is open, its place is looked up again, and then it has to answer: a device that was unplugged in between does not.
pub(in crate::board) fn open(device: &DeviceInfo) -> Result<Probe, DebugProbeError> {
    let wire = UsbWire::open(device)?;
    if !usb::is_where_it_was(device) {
        return Err(ProbeCreationError::NotFound.into());
    }
    Ok(Probe::new(StLink::new(Commands::new(Box::new(wire))?)?))
}

/// The version of a probe, as `V2J17`. Works for firmware that is too old for either driver.
pub(in crate::board) fn version(device: &DeviceInfo) -> Option<String> {
    let version = Commands::version_of(Box::new(UsbWire::open(device).ok()?)).ok()?;
    Some(format!("V{}J{}", version.hardware, version.firmware))
}

struct UsbWire {
    device: Device,
    /// Claimed for as long as its endpoints are used.
    _interface: Interface,
    commands: Endpoint<Bulk, Out>,
    answers: Endpoint<Bulk, In>,
}

impl std::fmt::Debug for UsbWire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("UsbWire")
    }
}

impl UsbWire {
    fn open(info: &DeviceInfo) -> Result<Self, ProbeCreationError> {
        let usb = |error: nusb::Error| ProbeCreationError::Usb(error.into());
        let device = info.open().wait().map_err(usb)?;
        let interface = device.claim_interface(INTERFACE).wait().map_err(usb)?;
        let out = if info.product_id() == PRODUCT_V2 { ENDPOINT_OUT_V2 } else { ENDPOINT_OUT };
        let commands = interface.endpoint(out).map_err(|_| StlinkError::EndpointNotFound)?;
        let answers = interface.endpoint(ENDPOINT_IN).map_err(|_| StlinkError::EndpointNotFound)?;
        Ok(Self { device, _interface: interface, commands, answers })
    }
}

impl Wire for UsbWire {
    fn exchange(&mut self, command: [u8; 16], data: &[u8], answer: &mut [u8]) -> Result<(), StlinkError> {
        for mut bytes in [&command, data] {
            while !bytes.is_empty() {
                let written = write_bulk_endpoint(&mut self.commands, bytes, TIMEOUT)?;
                bytes = &bytes[written..];
            }
        }
        let mut filled = 0;
        while filled < answer.len() {
            filled += read_bulk_endpoint(&mut self.answers, &mut answer[filled..], TIMEOUT)?;
        }
        Ok(())
    }

    fn reset(&mut self) -> Result<(), StlinkError> {
        self.device.reset().wait().map_err(|error| StlinkError::Usb(error.into()))
    }
}
