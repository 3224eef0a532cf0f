//! A probe made of answers, for tests.

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Mutex},
};

use probe_rs::probe::stlink::StlinkError;

use super::commands::{Commands, Wire};

/// A command with its data, and the answer to it.
type Exchange = (Vec<u8>, Vec<u8>, Result<Vec<u8>, io::ErrorKind>);

/// Expects commands in this order and no others.
#[derive(Debug, Clone, Default)]
pub(super) struct Script(Arc<Mutex<VecDeque<Exchange>>>);

impl Script {
    pub(super) fn then(self, command: &[u8], data: &[u8], answer: &[u8]) -> Self {
        self.0.lock().unwrap().push_back((command.to_vec(), data.to_vec(), Ok(answer.to_vec())));
        self
    }

    pub(super) fn then_fails(self, command: &[u8], kind: io::ErrorKind) -> Self {
        self.0.lock().unwrap().push_back((command.to_vec(), Vec::new(), Err(kind)));
        self
    }

    /// A V2 with this debug firmware, idle in mass-storage mode, as after plugging in.
    pub(super) fn v2(firmware: u8) -> Self {
        let [high, low] = (2 << 12 | u16::from(firmware) << 6 | 7).to_be_bytes();
        Self::default().then(&[0xF5], &[], &[1, 0]).then(&[0xF1], &[], &[high, low, 0x83, 0x04, 0x48, 0x37])
    }

    pub(super) fn open(self) -> (Result<Commands, StlinkError>, Self) {
        (Commands::new(Box::new(self.clone())), self)
    }

    pub(super) fn opened(self) -> (Commands, Self) {
        let (commands, script) = self.open();
        (commands.unwrap(), script)
    }

    pub(super) fn is_over(&self) -> bool {
        self.0.lock().unwrap().is_empty()
    }
}

pub(super) const USB_RESET: &[u8] = b"usb reset";

impl Wire for Script {
    fn exchange(&mut self, command: [u8; 16], data: &[u8], answer: &mut [u8]) -> Result<(), StlinkError> {
        let (expected, expected_data, result) = self.0.lock().unwrap().pop_front().expect("another command");
        let mut padded = [0; 16];
        padded[..expected.len()].copy_from_slice(&expected);
        assert_eq!((command, data), (padded, &*expected_data));
        answer.copy_from_slice(&result.map_err(|kind| StlinkError::Usb(kind.into()))?);
        Ok(())
    }

    fn reset(&mut self) -> Result<(), StlinkError> {
        let (expected, ..) = self.0.lock().unwrap().pop_front().expect("a reset");
        assert_eq!(expected, USB_RESET);
        Ok(())
    }
}

/// The answer to "get memory status".
pub(super) fn memory_status(status: u8) -> [u8; 12] {
    let mut answer = [0; 12];
    answer[0] = status;
    answer
}

pub(super) const ASK_STATUS: [u8; 2] = [0xF2, 0x3E];
