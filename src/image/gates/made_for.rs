//! The gates that ask what an image was made for: which scooter, which flash map, which board at all.

use super::{
    super::{Catalog, Kind},
    Case, GateResult, fail, pass,
};

pub(super) fn scooter(case: &Case) -> GateResult {
    let wanted = case.fit.scooter;
    let source = case.known.map(|known| known.entry).or(case.near.as_ref().map(|near| near.entry));
    if let Some((entry, reason)) = source.and_then(|entry| Some((entry, entry.refused.as_ref()?))) {
        return fail(format!("{entry} is {reason}"));
    }
    let (what, scooters) = match (&case.known, &case.near) {
        (Some(known), _) => (known.entry.to_string(), known.entry.scooters.iter().map(String::as_str).collect()),
        // What is made from an image is for its scooters.
        (None, Some(near)) => (format!("made from {}, which", near.source()), near.scooters()),
        (None, None) => return pass("not in the catalog; no sign that it is for another scooter"),
    };
    if scooters.contains(&wanted) && is_supported(wanted) {
        return pass(format!("{what} is for {wanted}"));
    }
    if scooters.is_empty() {
        return fail(format!("{what} is not for any scooter supported here"));
    }
    fail(format!("{what} is for {}, not for {}", in_words(&scooters), a_supported(wanted)))
}

fn is_supported(scooter: &str) -> bool {
    Catalog::builtin().board(scooter).is_some()
}

/// The scooter asked for, or any if that is not one of those supported.
fn a_supported(wanted: &str) -> &str {
    if is_supported(wanted) { wanted } else { "any scooter supported here" }
}

/// The scooters by their names on the command line; those that have none there by their full name.
fn in_words(scooters: &[&str]) -> String {
    let catalog = Catalog::builtin();
    scooters.iter().map(|name| catalog.other(name).unwrap_or(name)).collect::<Vec<_>>().join(", ")
}

pub(super) fn ident(case: &Case) -> GateResult {
    if case.fit.kind != Kind::Drv {
        return None;
    }
    let (text, wanted) = (case.seen.ident.as_ref()?, case.fit.scooter);
    let Some(scooters) = Catalog::builtin().ident(text) else {
        return fail(format!("its ident {text} is not that of any scooter supported here"));
    };
    let scooters: Vec<_> = scooters.iter().map(String::as_str).collect();
    if scooters.contains(&wanted) && is_supported(wanted) {
        return pass(format!("its ident is {text}"));
    }
    fail(format!("its ident {text} is that of {}, not of {}", in_words(&scooters), a_supported(wanted)))
}

pub(super) fn layout(case: &Case) -> GateResult {
    let wanted = Some(case.fit.map).filter(|_| case.is_code())?;
    let unnamed = &case.seen.unnamed;
    match (case.seen.layout, case.fit.kind) {
        (Some(found), Kind::Drv) if found == wanted && case.known.is_none() && !unnamed.is_empty() => {
            let list: Vec<_> = unnamed.iter().map(|address| format!("{address:#010x}")).collect();
            fail(format!("does not contain {}, which all DRV firmware does: it is for another board", list.join(", ")))
        }
        (Some(found), _) if found == wanted => pass(format!("linked for {wanted} of flash")),
        (Some(found), _) => fail(format!(
            "linked for {found} of flash, with its data at {:#010x} instead of {:#010x}",
            found.regions.data.start, wanted.regions.data.start
        )),
        // A catalogued image is what it is; our rehearsal images and the AT32 bootloader are among them.
        (None, _) if case.known.is_some() => pass("in the catalog"),
        (None, Kind::Drv) => {
            fail(format!("contains no data block address, neither {:#010x} nor another one", wanted.regions.data.start))
        }
        (None, _) => pass("contains no address of either flash layout"),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Fit, gates},
        *,
    };
    use crate::{
        image::{Image, sample::Sample},
        target::{FlashMap, Target},
    };

    fn failed(bytes: &[u8], scooter: &str) -> Vec<(&'static str, String)> {
        let fit = Fit { chip: Some("stm32f103"), ..Fit::new(Target::builtin(scooter).unwrap(), Kind::Drv) };
        let gates = gates(&Image::from_bytes(bytes).unwrap(), &fit);
        gates.into_iter().filter(|gate| !gate.passed).map(|gate| (gate.name, gate.detail)).collect()
    }

    #[test]
    fn firmware_of_a_battery_is_not_a_drv_although_its_vectors_would_do() {
        let battery = Sample::drv(23_000).only_update_record(FlashMap::smallest()).bytes();
        let fault =
            "does not contain 0x0800f800, 0x08008400, 0x1ffff7e8, which all DRV firmware does: it is for another board";
        assert_eq!(failed(&battery, "pro"), [("layout", fault.into())]);
    }

    #[test]
    fn an_image_that_calls_itself_another_scooter_is_refused() {
        let of = |ident| Sample::drv(27_000).ident(ident);
        for scooter in ["1s", "lite", "pro"] {
            assert_eq!(failed(&of("Scooter_Mi1S_V0").bytes(), scooter), []);
        }
        let fault = "its ident Scooter_Mi1S_V0 is that of 1s, lite, pro, not of pro2";
        assert_eq!(failed(&of("Scooter_Mi1S_V0").bytes(), "pro2"), [("ident", fault.into())]);
        let other = of("Scooter_FF30_V0").layout(FlashMap::largest()).bytes();
        let fault = "its ident Scooter_FF30_V0 is that of f, Ninebot D, not of es2";
        assert_eq!(failed(&other, "es2"), [("ident", fault.into())]);
        let fault = "its ident F32_F45_BMS_V0 is not that of any scooter supported here";
        assert_eq!(failed(&of("F32_F45_BMS_V0").bytes(), "pro"), [("ident", fault.into())]);
    }
}
