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
/// The endpoint for commands: of the V2, whose product id this is, and of all later ones.
const ENDPOINT_OUT: (u8, u8) = (0x02, 0x01);
const PRODUCT_V2: u16 = 0x3748;

/// Opens this very device. A device is opened by its address on the bus, which another one may have been given since it was
/// listed: so once it is open the place of the address is read again, and then the probe has to answer. What is open and
/// answers after that has been at this place all the time.
pub(in crate::board) fn open(device: &DeviceInfo) -> Result<Probe, DebugProbeError> {
    let wire = UsbWire::open(device)?;
    if !usb::is_where_it_was(device) {
        return Err(ProbeCreationError::NotFound.into());
    }
    Ok(Probe::new(StLink::new(Commands::new(Box::new(wire))?)?))
}

struct UsbWire {
    device: Device,
    /// Held as long as its endpoints are.
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
        let out = if info.product_id() == PRODUCT_V2 { ENDPOINT_OUT.0 } else { ENDPOINT_OUT.1 };
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
