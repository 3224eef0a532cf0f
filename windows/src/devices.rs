//! USB devices without a driver, from the Plug and Play manager. Programs that open USB devices do not list them.

use std::{io, mem, ptr};

use windows_sys::{
    Win32::{
        Devices::{
            DeviceAndDriverInstallation::{
                CM_Get_DevNode_Status, CM_PROB_FAILED_INSTALL, CM_PROB_NOT_CONFIGURED, CM_PROB_REINSTALL, CR_SUCCESS,
                DIGCF_ALLCLASSES, DIGCF_PRESENT, HDEVINFO, SP_DEVINFO_DATA, SetupDiDestroyDeviceInfoList,
                SetupDiEnumDeviceInfo, SetupDiGetClassDevsW, SetupDiGetDeviceInstanceIdW, SetupDiGetDevicePropertyW,
            },
            Properties::{DEVPKEY_Device_BusReportedDeviceDesc, DEVPROP_TYPE_STRING},
        },
        Foundation::{ERROR_NO_MORE_ITEMS, INVALID_HANDLE_VALUE},
    },
    w,
};

use crate::Driverless;

/// The longest instance ID (`MAX_DEVICE_ID_LEN` in cfgmgr32.h), in UTF-16 units.
const MAX_ID: usize = 200;
/// The longest string descriptor of a device has 126 UTF-16 units (USB 2.0, 9.6.7).
const MAX_NAME: usize = 128;

/// All devices of the USB bus, freed at the end.
struct Devices(HDEVINFO);

impl Drop for Devices {
    fn drop(&mut self) {
        // SAFETY: the list was made by `SetupDiGetClassDevsW` and nothing else frees it.
        unsafe { SetupDiDestroyDeviceInfoList(self.0) };
    }
}

/// The USB devices that are attached and have no driver.
pub fn driverless() -> io::Result<Vec<Driverless>> {
    // SAFETY: the class may be null with DIGCF_ALLCLASSES, the enumerator is a string that ends in 0.
    let list =
        unsafe { SetupDiGetClassDevsW(ptr::null(), w!("USB"), ptr::null_mut(), DIGCF_ALLCLASSES | DIGCF_PRESENT) };
    if list == INVALID_HANDLE_VALUE as HDEVINFO {
        return Err(io::Error::last_os_error());
    }
    let list = Devices(list);
    let mut found = Vec::new();
    for index in 0.. {
        let mut device = SP_DEVINFO_DATA { cbSize: mem::size_of::<SP_DEVINFO_DATA>() as u32, ..Default::default() };
        // SAFETY: the list is valid, and `device` has the size that it states.
        if unsafe { SetupDiEnumDeviceInfo(list.0, index, &raw mut device) } == 0 {
            let error = io::Error::last_os_error();
            let is_end = error.raw_os_error() == Some(ERROR_NO_MORE_ITEMS as i32);
            return if is_end { Ok(found) } else { Err(error) };
        }
        if lacks_driver(&device)
            && let Some(entry) = instance(&list, &device).as_deref().and_then(Driverless::of_instance)
        {
            found.push(Driverless { name: name(&list, &device), ..entry });
        }
    }
    Ok(found)
}

/// Whether Windows has no driver for the device: none was found, or none was chosen yet.
fn lacks_driver(device: &SP_DEVINFO_DATA) -> bool {
    let (mut status, mut problem) = (0, 0);
    // SAFETY: both pointers are to variables on the stack.
    let answer = unsafe { CM_Get_DevNode_Status(&raw mut status, &raw mut problem, device.DevInst, 0) };
    let is_driver = [CM_PROB_FAILED_INSTALL, CM_PROB_NOT_CONFIGURED, CM_PROB_REINSTALL].contains(&problem);
    answer == CR_SUCCESS && is_driver
}

fn instance(list: &Devices, device: &SP_DEVINFO_DATA) -> Option<String> {
    let mut id = [0_u16; MAX_ID];
    // SAFETY: the buffer has as many units as is stated, and the required size is not asked for.
    let done = unsafe { SetupDiGetDeviceInstanceIdW(list.0, device, id.as_mut_ptr(), MAX_ID as u32, ptr::null_mut()) };
    (done != 0).then(|| text(&id))
}

/// The product string of the device, which Windows keeps.
fn name(list: &Devices, device: &SP_DEVINFO_DATA) -> Option<String> {
    let mut name = [0_u16; MAX_NAME];
    let (mut kind, size) = (0, mem::size_of_val(&name) as u32);
    let (key, into) = (DEVPKEY_Device_BusReportedDeviceDesc, name.as_mut_ptr().cast());
    // SAFETY: the buffer has as many bytes as is stated, and the required size is not asked for.
    let done = unsafe {
        SetupDiGetDevicePropertyW(list.0, device, &raw const key, &raw mut kind, into, size, ptr::null_mut(), 0)
    };
    (done != 0 && kind == DEVPROP_TYPE_STRING).then(|| text(&name)).filter(|name| !name.is_empty())
}

/// The text before the first 0.
fn text(units: &[u16]) -> String {
    let end = units.iter().position(|unit| *unit == 0).unwrap_or(units.len());
    String::from_utf16_lossy(&units[..end])
}
