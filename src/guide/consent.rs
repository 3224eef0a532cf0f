//! What is asked before a protection is removed: what is lost, what is kept, and which word agrees.

use crate::{
    block::{Mileage, Serial},
    ops::{DataChange, Obstacle},
};

/// The word that agrees: what is done.
pub fn word(obstacle: Obstacle) -> &'static str {
    if obstacle.erases() { "erase" } else { "unlock" }
}

const UNREADABLE: &str = "The board's own serial number and mileage could not be read and will be lost.";

/// What stands in the way, and what removing it does.
pub fn removing(obstacle: Obstacle) -> String {
    let removing = match obstacle {
        Obstacle::ReadProtected | Obstacle::AboutToBeReadProtected => {
            "Unlocking it erases its whole flash: bootloader, firmware and data block, with all settings."
        }
        Obstacle::WriteProtected => "The write protection is removed first; this does not erase the chip.",
        Obstacle::HalfUnlocked => "The unlock is finished first; this does not erase the chip.",
    };
    format!("The chip is {obstacle}. {removing}")
}

/// What becomes of serial number and mileage if this is removed, a sentence for each.
pub fn at_stake(obstacle: Obstacle, DataChange { on_board, written }: DataChange) -> Vec<String> {
    let data = |serial: Option<Serial>, mileage: Mileage| {
        let serial = serial.map_or("no serial number".to_owned(), |serial| format!("serial number {serial}"));
        let mileage = if mileage.is_known() { format!("mileage {mileage}") } else { "mileage unknown".into() };
        format!("{serial}, {mileage}.")
    };
    let kept = |(serial, mileage)| data(Some(serial), mileage);
    match (on_board, written) {
        (Some((Some(serial), mileage)), Some(new)) if new == (serial, mileage) => {
            vec![format!("Kept and written back: {}", kept(new))]
        }
        (Some((serial, mileage)), Some(new)) => {
            vec![format!("Replaced: {}", data(serial, mileage)), format!("New: {}", kept(new))]
        }
        (None, Some(new)) if obstacle.erases() => vec![UNREADABLE.into(), format!("New: {}", kept(new))],
        (None, Some(new)) => vec![format!("New: {}", kept(new))],
        _ if !obstacle.erases() => vec![],
        (Some((serial, mileage)), None) => vec![format!("Lost: {}", data(serial, mileage))],
        (None, None) => vec![UNREADABLE.into()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_number_that_gets_lost_is_named() {
        let serial = |text| Serial::parse(text, "#####/########").unwrap();
        let mileage = Mileage::from_km(1234).unwrap();
        let (own, other) = ((serial("21886/00012345"), mileage), (serial("16133/00000001"), mileage));
        let lines = |on_board: Option<(Serial, Mileage)>, written| {
            let on_board = on_board.map(|(serial, mileage)| (Some(serial), mileage));
            at_stake(Obstacle::ReadProtected, DataChange { on_board, written })
        };
        let is = |label, serial| format!("{label}: serial number {serial}, mileage 1234.0 km.");
        assert_eq!(lines(Some(own), Some(own)), [is("Kept and written back", "21886/00012345")]);
        assert_eq!(lines(Some(own), Some(other)), [is("Replaced", "21886/00012345"), is("New", "16133/00000001")]);
        assert_eq!(lines(Some(own), None), [is("Lost", "21886/00012345")]);
        assert_eq!(lines(None, Some(own)), [UNREADABLE.to_owned(), is("New", "21886/00012345")]);
        assert_eq!(lines(None, None), [UNREADABLE]);
    }
}
