//! The total mileage.

use std::fmt;

use serde::Serialize;

/// Total mileage in metres. What is made here stays below 2^31, because some readers of the register take it as signed
/// (ninebot-docs wiki, "ES2ESC", register 0x29).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Mileage(u32);

/// A mileage that the register cannot hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MileageError {
    /// In whole kilometres.
    #[error("a mileage of {0} km is more than the {max} km that the scooter can hold", max = Mileage::MAX_KM)]
    Km(u64),
    /// In metres.
    #[error("a mileage of {0} m is more than the {max} m that the scooter can hold", max = i32::MAX)]
    Metres(u64),
}

impl Mileage {
    /// The most kilometres that fit.
    pub const MAX_KM: u32 = i32::MAX as u32 / 1000;

    /// Takes whole kilometres.
    pub fn from_km(km: u32) -> Result<Self, MileageError> {
        if km > Self::MAX_KM {
            return Err(MileageError::Km(km.into()));
        }
        Ok(Self(km * 1000))
    }

    /// Takes metres.
    pub fn from_metres(metres: u32) -> Result<Self, MileageError> {
        if i32::try_from(metres).is_err() {
            return Err(MileageError::Metres(metres.into()));
        }
        Ok(Self(metres))
    }

    /// What a block holds, whatever it is: an impossible mileage of a damaged block is shown, not hidden.
    pub(super) fn stored(metres: u32) -> Self {
        Self(metres)
    }

    /// The mileage in metres.
    pub fn metres(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Mileage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{} km", self.0 / 1000, self.0 % 1000 / 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kilometres_become_metres_up_to_the_signed_bound() {
        assert_eq!(Mileage::from_km(1234).unwrap().metres(), 1_234_000);
        assert_eq!(Mileage::from_km(2_147_483).unwrap().metres(), 2_147_483_000);
        assert_eq!(Mileage::from_km(2_147_484), Err(MileageError::Km(2_147_484)));
        assert_eq!(Mileage::from_km(u32::MAX), Err(MileageError::Km(u32::MAX.into())));
        assert!(Mileage::from_metres(i32::MAX as u32).is_ok());
        let error = Mileage::from_metres(i32::MAX as u32 + 1).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a mileage of 2147483648 m is more than the 2147483647 m that the scooter can hold"
        );
    }

    #[test]
    fn it_prints_in_kilometres_and_serialises_in_metres() {
        let mileage = Mileage::from_metres(1_234_567).unwrap();
        assert_eq!(mileage.to_string(), "1234.5 km");
        assert_eq!(Mileage::from_km(1234).unwrap().to_string(), "1234.0 km");
        assert_eq!(serde_json::to_string(&mileage).unwrap(), "1234567");
    }
}
