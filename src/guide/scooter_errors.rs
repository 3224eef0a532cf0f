//! The error codes that a scooter shows: by beeps, by flashes of the controller's LED, or on the dashboard.

use serde::Serialize;

use crate::image::Builder;

/// How certain an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    /// Found in the vendor's images, or agreed by several sources.
    Sure,
    /// One good source.
    Likely,
    /// A single remark, or unclear in the sources.
    Unsure,
}

/// An error code that a scooter shows.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ErrorCode {
    /// The number.
    pub code: u8,
    /// What it means.
    pub meaning: &'static str,
    /// How certain that is.
    pub confidence: Confidence,
    /// What causes it, if that has to do with a flashed board.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<&'static str>,
    /// How to get rid of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<&'static str>,
}

const fn code(code: u8, meaning: &'static str, confidence: Confidence) -> ErrorCode {
    ErrorCode { code, meaning, confidence, cause: None, remedy: None }
}

impl ErrorCode {
    const fn because(mut self, cause: &'static str, remedy: &'static str) -> Self {
        self.cause = Some(cause);
        self.remedy = Some(remedy);
        self
    }
}

use Confidence::{Likely, Sure, Unsure};

/// How the bootloader shows codes 1 to 6.
pub const BOOTLOADER_SHOWS: &str = "Shown by the bootloader: the tail light flashes this many times, pauses for \
                                           a second, repeats this five times, then the board switches off.";

/// The codes that the bootloader shows itself.
pub const BOOTLOADER: std::ops::RangeInclusive<u8> = 1..=6;

/// Every code known, in order. Sources: disassembly of bootloader and DRV 1.4.0 to 2.5.2; etransport/ninebot-docs wiki
/// "M365ESC" and "ES2ESC"; wiki.scooterhacking.org "nberrorcodes"; electro.club, foxstudio and m365.now.sh error
/// tables.
pub const TABLE: &[ErrorCode] = &[
    code(1, "the update stored in flash has an invalid size", Sure),
    code(2, "erasing flash for an update failed", Sure),
    code(3, "programming an update failed", Sure),
    code(4, "writing the update record failed", Sure),
    code(5, "no valid firmware in flash", Sure).because(
        "The word at 0x08001000 is not a stack pointer: the firmware is missing or was written to another address.",
        "`m365-drv info` shows what is on the board. Fetch firmware with `m365-drv firmware get SCOOTER` and flash the board \
         again.",
    ),
    code(6, "the update stored in flash is not firmware", Sure),
    code(10, "no communication with the dashboard", Sure).because(
        "The dashboard is not connected, its cable is damaged, or it runs the firmware of another scooter. On the \
         bench, with only probe and board, this error is normal.",
        "Connect the dashboard. If the error stays, check the four-wire cable to the handlebar.",
    ),
    code(11, "motor phase A: current out of range", Sure),
    code(12, "motor phase B: current out of range", Sure),
    code(13, "motor phase C: current out of range", Sure),
    code(14, "throttle sensor out of range", Sure),
    code(15, "brake sensor out of range", Sure),
    code(16, "internal battery: charge MOSFET fault (Ninebot)", Likely),
    code(17, "external battery: charge MOSFET fault (Ninebot)", Likely),
    code(18, "motor hall sensor fault", Sure).because(
        "The motor's five-wire sensor plug is not connected, or a sensor is dead. On the bench, with no motor \
         connected, this error is normal: the firmware runs and its self-test finds no motor.",
        "Connect the motor's sensor plug. If the error stays, check its wires for a break at the axle.",
    ),
    code(19, "internal battery: voltage out of range (Ninebot)", Likely),
    code(20, "external battery: voltage out of range (Ninebot)", Likely),
    code(NO_BATTERY_DATA, "no communication with the battery (BMS)", Sure).because(
        "The controller gets no valid answer from the battery's electronics: a loose or broken data line, burned \
         line resistors on the BMS (R83, R84), or a third-party pack without a data line. The scooter then rides in a \
         limp mode.",
        "Check the data wires to the battery first. A pack that has no data line needs firmware without BMS communication, \
         from one of the web builders. Flash the file with `m365-drv flash SCOOTER --drv FILE`, or with `m365-drv guide`, \
         which waits for the download. The controller then has no battery-temperature protection and no charge \
         interlock.",
    ),
    code(22, "the battery's configuration is invalid", Sure),
    code(23, "the battery has a default serial number, or is not activated", Sure),
    code(24, "supply voltage out of range", Sure).because(
        "The controller measures a battery voltage outside its range. On the bench, with 5 V from the probe, this \
         error is normal.",
        "Connect the battery. If the error stays, the battery is empty, or the firmware expects another battery \
         voltage.",
    ),
    code(25, "communication failed during a firmware update", Likely),
    code(26, "saving to flash failed", Sure),
    code(27, "the data block belongs to another chip", Sure).because(
        "At startup the firmware compares the UID in its data block with the UID of the chip. They differ if the \
         block was copied from another board, or if it is blank. Firmware without GD32E103 support also shows this \
         error on a GD32E103 board. If 27 and 35 alternate, the data block is blank. Some firmware never shows this error, \
         because it takes the UID of the chip by itself: 1S 3.0.4, Pro 2 2.3.6, Lite 2.4.5 and newer, Mi 3, 4 Pro; Ninebot E \
         2.6.7 and newer, F, Max 1.8.11.",
        "Flash the board again with this program: it always writes the UID of the connected chip.",
    ),
    code(28, "short on the high side of the motor bridge", Likely),
    code(29, "short on the low side of the motor bridge", Likely),
    code(31, "jump to the firmware failed (Ninebot)", Likely),
    code(32, "no communication with the rental unit", Unsure),
    code(35, "the controller has a factory default serial number", Sure).because(
        "The serial number in the data block is the default that the firmware writes into an empty block: \
         M1GCA1601C0001, M5GCA1901C0001 on the Lite, M1GCA1601C0000000001 on the 4 Pro; N2GEA1601C0001 on the Ninebot ES, \
         N2GDA1501C0001 on the E, N4GEA1601C0001 on the Max, N5GEA1601C0001 on the F, N3GEA1901C0001 on the Air T15.",
        "Flash the board again with the serial number from the sticker under the deck: `--serial`. This program \
         never writes a default.",
    ),
    code(36, "battery output fault (sources are unclear)", Unsure),
    code(37, "battery output fault (sources are unclear)", Unsure),
    code(38, "charging current or battery 1 temperature out of range", Unsure),
    code(39, "battery too hot", Sure),
    code(40, "controller too hot, or its temperature sensor faulty", Sure),
    code(41, "external battery too hot (Ninebot)", Likely),
    code(42, "external battery: no communication (Ninebot)", Likely),
    code(43, "external battery: configuration invalid (Ninebot)", Likely),
    code(44, "external battery: default serial number (Ninebot)", Likely),
    code(45, "internal battery: status bit 14 (Ninebot)", Unsure),
    code(46, "external battery: status bit 14 (Ninebot)", Unsure),
    code(49, "internal battery: firmware does not match (Ninebot)", Unsure),
    code(50, "external battery: firmware does not match (Ninebot)", Unsure),
];

/// The error code of a controller that gets no data from the battery.
pub const NO_BATTERY_DATA: u8 = 21;

/// What firmware without BMS communication lacks.
pub const WITHOUT_BMS: &str =
    "Without BMS communication the scooter has no battery-temperature protection and no charge interlock.";

/// The web builders whose firmware cures an error.
pub fn builders(code: u8) -> &'static [Builder] {
    if code == NO_BATTERY_DATA { Builder::all() } else { &[] }
}

/// The row of a code.
pub fn find(code: u8) -> Option<&'static ErrorCode> {
    TABLE.iter().find(|row| row.code == code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_in_order_and_each_stands_once() {
        assert!(TABLE.windows(2).all(|pair| pair[0].code < pair[1].code));
    }

    #[test]
    fn what_a_flashed_board_shows_has_a_cause_and_a_remedy() {
        for code in [5, 10, 18, 21, 24, 27, 35] {
            let row = find(code).unwrap();
            assert!(row.cause.is_some() && row.remedy.is_some(), "{code}");
        }
    }
}
