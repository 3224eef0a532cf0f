//! The gates that ask what an image was made for: which scooter, which flash map, which board at all.

use super::{
    super::{Catalog, Entry, Kind},
    Answer, Case, fail, pass,
};

pub(super) fn scooter(case: &Case) -> Answer {
    let wanted = case.fit.scooter;
    match (&case.known, &case.near) {
        (Some(known), _) if known.entry.is_for(wanted) => pass(format!("{} is for {wanted}", known.entry)),
        (Some(known), _) if known.entry.scooters.is_empty() => {
            fail(format!("{} is for no scooter that is known here", known.entry))
        }
        (Some(known), _) => {
            fail(format!("{} is for {}, not for {wanted}", known.entry, known.entry.scooters.join(", ")))
        }
        (None, Some(near)) if is_of_other_boards(near.entry, wanted) => {
            fail(format!("made from {}, which is for {}, not for {wanted}", near.entry, near.entry.scooters.join(", ")))
        }
        (None, _) => pass("not in the catalog, so not known to be for another scooter"),
    }
}

/// Firmware builders put images of one Xiaomi onto another, where the controllers are alike.
fn is_of_other_boards(entry: &Entry, wanted: &str) -> bool {
    let catalog = Catalog::builtin();
    let Some(board) = catalog.board(wanted) else { return false };
    !entry.scooters.iter().any(|scooter| catalog.board(scooter) == Some(board))
}

pub(super) fn ident(case: &Case) -> Answer {
    if case.fit.kind != Kind::Drv {
        return None;
    }
    let (text, wanted) = (case.seen.ident.as_ref()?, case.fit.scooter);
    match Catalog::builtin().ident(text) {
        Some(scooters) if scooters.iter().any(|name| name == wanted) => pass(format!("calls itself {text}")),
        Some(scooters) => {
            fail(format!("calls itself {text}, as firmware of {} does, not of {wanted}", scooters.join(", ")))
        }
        None => fail(format!("calls itself {text}, as firmware of no known scooter does")),
    }
}

pub(super) fn layout(case: &Case) -> Answer {
    let wanted = case.layout.filter(|_| case.is_code())?;
    let unnamed = &case.seen.unnamed;
    match (case.seen.layout, case.fit.kind) {
        (Some(found), Kind::Drv) if found == wanted && case.known.is_none() && !unnamed.is_empty() => {
            let list: Vec<_> = unnamed.iter().map(|address| format!("{address:#010x}")).collect();
            fail(format!("does not name {}, as every DRV does: firmware of another board", list.join(", ")))
        }
        (Some(found), _) if found == wanted => pass(format!("linked for {wanted} of flash")),
        (Some(found), _) => fail(format!(
            "linked for {found} of flash, with its data at {:#010x} instead of {:#010x}",
            found.data_block(),
            wanted.data_block()
        )),
        // A catalogued image is what it is; our rehearsal images and the AT32 bootloader are among them.
        (None, _) if case.known.is_some() => pass("in the catalog"),
        (None, Kind::Drv) => {
            fail(format!("names no data block, neither at {:#010x} nor elsewhere", wanted.data_block()))
        }
        (None, _) => pass("names no address of either layout"),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Fit, RehearsalImages, gates},
        *,
    };
    use crate::image::{Image, Layout, sample::Sample};

    fn failed(bytes: &[u8], scooter: &str, layout: Layout) -> Vec<(&'static str, String)> {
        let fit = Fit {
            kind: Kind::Drv,
            region: 0x0800_1000..layout.staging(),
            sram: 0x2000_0000..0x2000_5000,
            data_block: layout.data_block(),
            scooter,
            chip: Some("stm32f103"),
            rehearsal: RehearsalImages::Refused,
        };
        let gates = gates(&Image::from_bytes(bytes).unwrap(), &fit);
        gates.into_iter().filter(|gate| !gate.passed).map(|gate| (gate.name, gate.detail)).collect()
    }

    #[test]
    fn firmware_made_from_that_of_another_board_is_told_from_that_of_another_xiaomi() {
        let made_from = |name: &str, wanted| {
            let entry = Catalog::builtin().entries().find(|entry| entry.name == name).unwrap();
            is_of_other_boards(entry, wanted)
        };
        assert!(!made_from("Pro DRV 1.5.5", "1s"));
        assert!(!made_from("Ninebot ES DRV 1.3.9", "es2"));
        for (name, wanted) in [("Pro DRV 1.5.5", "es2"), ("Ninebot Max DRV 1.5.4", "es2"), ("4 Pro DRV 0.2.2", "pro")] {
            assert!(made_from(name, wanted), "{name}");
        }
    }

    #[test]
    fn firmware_of_a_battery_is_no_drv_though_its_vectors_would_do() {
        let battery = Sample::drv(23_000).only_update_record(Layout::Kib64).bytes();
        let fault = "does not name 0x0800f800, 0x08008400, 0x1ffff7e8, as every DRV does: firmware of another board";
        assert_eq!(failed(&battery, "pro", Layout::Kib64), [("layout", fault.into())]);
    }

    #[test]
    fn an_image_that_calls_itself_another_scooter_is_refused() {
        let of = |ident| Sample::drv(27_000).ident(ident);
        for scooter in ["1s", "lite", "pro"] {
            assert_eq!(failed(&of("Scooter_Mi1S_V0").bytes(), scooter, Layout::Kib64), []);
        }
        let fault = "calls itself Scooter_Mi1S_V0, as firmware of 1s, lite, pro does, not of pro2";
        assert_eq!(failed(&of("Scooter_Mi1S_V0").bytes(), "pro2", Layout::Kib64), [("ident", fault.into())]);
        let other = of("Scooter_FF30_V0").layout(Layout::Kib128).bytes();
        let fault = "calls itself Scooter_FF30_V0, as firmware of f, d does, not of es2";
        assert_eq!(failed(&other, "es2", Layout::Kib128), [("ident", fault.into())]);
        let fault = "calls itself F32_F45_BMS_V0, as firmware of no known scooter does";
        assert_eq!(failed(&of("F32_F45_BMS_V0").bytes(), "pro", Layout::Kib64), [("ident", fault.into())]);
    }
}
