//! The gate that looks for a missing piece: a gap in an Intel HEX file, or a run of 0xFF or 0x00 in code.

use std::ops::Range;

use super::{
    super::{
        DerivedFrom,
        derived_from::PAGE,
        reach::{Reach, Way},
        thumb,
    },
    Case, GateResult, fail, pass,
};

/// The shortest run that counts: one record of an Intel HEX file. The vendor's images have runs of 12 bytes at most, but
/// for the places of [`shortest`] (all of the catalog's were looked at).
const RECORD: usize = 16;
/// The shortest run that counts at the places where the vendor's images have runs of up to 28 bytes.
const LONG: usize = 32;
/// The shortest run of zeros that counts if nothing but its length speaks against it. Of 0xFF any run that counts at all
/// does: no image of the catalog and none of 700 patched ones has one.
const UNSEEN: usize = 64;

/// The vectors of faults and system calls with their offsets in the table (PM0056, 2.3.4). NMI and HardFault cannot be
/// switched off, so a table without them lacks a part. A zero in place of the others means that they are not used: some
/// public images of batteries have them so. No linker puts 0xFFFFFFFF into a table.
const SYSTEM: [(usize, &str); 8] = [
    (0x08, "NMI"),
    (0x0C, "HardFault"),
    (0x10, "MemManage"),
    (0x14, "BusFault"),
    (0x18, "UsageFault"),
    (0x2C, "SVCall"),
    (0x38, "PendSV"),
    (0x3C, "SysTick"),
];

/// Bytes that stand for nothing, or are not in the file at all.
#[derive(Debug)]
struct BlankRun {
    place: Range<usize>,
    /// None in a gap.
    value: Option<u8>,
}

pub(super) fn hole(case: &Case) -> GateResult {
    if !case.is_code() || case.image.is_dump() {
        return None;
    }
    if case.known.is_some() {
        return pass("no part is missing");
    }
    let found = runs(case);
    if let Some(words) = case.blank_vector(&found) {
        return fail(words);
    }
    let is_missing = |run: &&BlankRun| run.value.is_none() && run.place.len() >= RECORD && !case.is_as_known(run);
    if let Some(gap) = found.iter().find(is_missing) {
        return fail(case.words(gap, " are not in the file"));
    }
    if let Some((near, run)) = blank_page(case) {
        return fail(case.words(&run, &format!(", where {} has something else", near.entry)));
    }
    if found.is_empty() {
        return pass("no part is missing");
    }
    let reach = Reach::of(case.bytes());
    match found.iter().find_map(|run| Some((run, case.what_is_missing(run, &reach)?))) {
        Some((run, what)) => fail(case.words(run, &what)),
        None => pass("no part that the code needs is missing"),
    }
}

/// A page with nothing in it that the known image has something in: its last one may be shorter than any run that counts.
fn blank_page<'a>(case: &'a Case) -> Option<(&'a DerivedFrom, BlankRun)> {
    let near = case.near.as_ref().filter(|near| near.is_modified() || near.is_incomplete())?;
    let blank = near.changed_pages.iter().find_map(|page| {
        let place = page * PAGE..near.entry.size.min((page + 1) * PAGE);
        let bytes = case.bytes().get(place.clone())?;
        let value = bytes.first().copied().filter(|value| matches!(value, 0x00 | 0xFF))?;
        bytes.iter().all(|byte| *byte == value).then_some(BlankRun { place, value: Some(value) })
    });
    blank.map(|run| (near, run))
}

/// The gaps, then the runs of one blank value.
fn runs(case: &Case) -> Vec<BlankRun> {
    let gaps = case.image.gaps.iter().map(|gap| BlankRun { place: gap.clone(), value: None });
    let is_in_gap =
        |place: &Range<usize>| case.image.gaps.iter().any(|gap| gap.start <= place.start && place.end <= gap.end);
    let mut at = 0;
    let blank = case.bytes().chunk_by(|a, b| a == b).filter_map(|chunk| {
        let place = at..at + chunk.len();
        at = place.end;
        let is_long = place.len() >= RECORD && matches!(chunk[0], 0x00 | 0xFF);
        (is_long && !is_in_gap(&place)).then_some(BlankRun { place, value: Some(chunk[0]) })
    });
    gaps.chain(blank).collect()
}

/// The shortest run that counts without code that reaches it: there are zeros between and behind vectors, and erased
/// flash behind an ident at 0x400.
fn shortest(run: &BlankRun) -> usize {
    match (run.value, run.place.start) {
        (Some(0x00), 0..0x180) | (Some(0xFF), 0x400..0x440) => LONG,
        _ => RECORD,
    }
}

impl Case<'_> {
    /// True if the known image that this was made from has the same there.
    fn is_as_known(&self, run: &BlankRun) -> bool {
        self.near.as_ref().is_some_and(|near| near.is_unchanged(&run.place))
    }

    /// What tells that something should stand in a run; none if nothing does.
    fn what_is_missing(&self, run: &BlankRun, reach: &Reach) -> Option<String> {
        let near = self.near.as_ref();
        if self.is_as_known(run) {
            return None;
        }
        // Behind the end there may be padding.
        let end = self.seen.length.or(near.map(|near| near.entry.size)).unwrap_or_else(|| self.last_byte());
        let inside = run.place.start..run.place.end.min(end);
        let is_inside = inside.len() >= shortest(run);
        if let Some(near) = near
            .filter(|near| is_inside && inside.len() > near.entry.blank && near.changes.is_none() && near.is_modified())
        {
            return Some(format!(", where {} has something else", near.entry));
        }
        match reach.way(&run.place) {
            Some(Way::Vector) => return Some(", where a vector is expected".into()),
            Some(Way::Code) => return Some(", where code is executed".into()),
            Some(Way::Constant) => return Some(", where code reads a constant".into()),
            Some(Way::StartUp) if is_inside => return Some(", where the start-up code reads".into()),
            Some(Way::Address) if is_inside && inside.len() >= UNSEEN => {
                return Some(", which the code points to".into());
            }
            _ => {}
        }
        let unseen = if run.value == Some(0xFF) { RECORD } else { UNSEEN };
        let is_unseen = self.seen.length.is_some() && is_inside && inside.len() >= unseen;
        is_unseen.then(|| ", inside the image, where there should be code or data".into())
    }

    /// A vector that cannot be blank and is.
    fn blank_vector(&self, found: &[BlankRun]) -> Option<String> {
        let base = self.image.base.unwrap_or(self.fit.region().start);
        SYSTEM.into_iter().find_map(|(at, name)| {
            let vector = thumb::word(self.bytes(), at)?;
            let is_blank = vector == u32::MAX || vector == 0 && at < 0x10;
            // A longer run is described as a whole.
            let is_alone = !found.iter().any(|run| run.place.contains(&at));
            let run = BlankRun { place: at..at + 4, value: None };
            let address = base + at as u32;
            (is_blank && is_alone && !self.is_as_known(&run))
                .then(|| format!("the {name} vector at {address:#010x} is blank ({vector:#010x})"))
        })
    }

    /// Behind the last byte that is not blank.
    fn last_byte(&self) -> usize {
        self.bytes().iter().rposition(|byte| !matches!(byte, 0x00 | 0xFF)).map_or(0, |last| last + 1)
    }

    fn words(&self, run: &BlankRun, what: &str) -> String {
        let base = self.image.base.unwrap_or(self.fit.region().start);
        let (len, address) = (run.place.len(), base + run.place.start as u32);
        match run.value {
            None => format!("{len} bytes at {address:#010x}{what}"),
            Some(value) => format!("{len} bytes of {value:#04x} at {address:#010x}{what}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Fit, RehearsalImages, gates};
    use crate::{
        image::{Image, Kind, sample::Sample},
        target::Target,
    };

    /// A sample whose code jumps from 0x100 to 0x800 and stays there.
    fn jump() -> Sample {
        Sample::drv(5000).put(0x100, &[0x7E, 0xE3]).put(0x800, &STAY)
    }

    /// B to itself.
    const STAY: [u8; 2] = [0xFE, 0xE7];

    /// What the gate says; none if it lets the image pass.
    fn refusal(image: &Image) -> Option<String> {
        let pro = Target::builtin("pro").unwrap();
        let fit = Fit { rehearsal: RehearsalImages::Allowed, ..Fit::new(pro, Kind::Drv) };
        let gate = gates(image, &fit).into_iter().find(|gate| gate.name == "hole").unwrap();
        (!gate.passed).then_some(gate.detail)
    }

    fn of(bytes: &[u8]) -> Option<String> {
        refusal(&Image::from_bytes(bytes).unwrap())
    }

    /// The sample with so many bytes of a value in it.
    fn punched(sample: Sample, value: u8, at: usize, len: usize) -> Vec<u8> {
        sample.put(at, &vec![value; len]).bytes()
    }

    #[test]
    fn a_record_missing_in_a_hex_file_is_a_hole_wherever_it_is() {
        let gap = |at: usize, len: usize| {
            let bytes = punched(jump(), 0xFF, at, len);
            let gaps = std::iter::once(at..at + len).collect();
            refusal(&Image { base: Some(0x0800_1000), gaps, ..Image::from_bytes(&bytes).unwrap() })
        };
        assert_eq!(gap(0xA00, 16).as_deref(), Some("16 bytes at 0x08001a00 are not in the file"));
        assert_eq!(gap(0x1000, 512).as_deref(), Some("512 bytes at 0x08002000 are not in the file"));
        assert_eq!(gap(0xA00, 4), None, "what a linker leaves out between two sections");
        assert_eq!(gap(0x800, 4).as_deref(), Some("4 bytes at 0x08001800, where code is executed"));
    }

    #[test]
    fn a_blank_run_is_a_hole_if_code_needs_it() {
        // ldr r0, [pc, #0x3FC], then to itself
        let load = || Sample::drv(5000).put(0x100, &[0xFF, 0x48, 0xFE, 0xE7]);
        for value in [0xFF, 0x00] {
            let found = |sample, at, len| of(&punched(sample, value, at, len));
            let text = |what: &str| Some(format!("16 bytes of {value:#04x} at {what}"));
            assert_eq!(found(jump(), 0x800, 16), text("0x08001800, where code is executed"));
            assert_eq!(found(load(), 0x500, 16), text("0x08001500, where code reads a constant"));
            assert_eq!(found(jump(), 0xA00, 512), None, "nothing tells that it should not be so");
        }
        let vectors = punched(jump(), 0xFF, 0x10, 16);
        assert_eq!(of(&vectors).as_deref(), Some("16 bytes of 0xff at 0x08001010, where a vector is expected"));
        assert_eq!(of(&punched(jump(), 0x00, 0x1C, 16)), None, "reserved vectors are zero");
    }

    #[test]
    fn a_blank_vector_is_a_hole_if_the_core_always_needs_it_or_if_it_is_erased_flash() {
        let found = |value, at| of(&punched(jump(), value, at, 4));
        let words = |name: &str, rest: &str| Some(format!("the {name} vector at {rest}"));
        assert_eq!(found(0xFF, 0x08), words("NMI", "0x08001008 is blank (0xffffffff)"));
        assert_eq!(found(0xFF, 0x0C), words("HardFault", "0x0800100c is blank (0xffffffff)"));
        assert_eq!(found(0x00, 0x0C), words("HardFault", "0x0800100c is blank (0x00000000)"));
        assert_eq!(found(0xFF, 0x18), words("UsageFault", "0x08001018 is blank (0xffffffff)"));
        assert_eq!(found(0x00, 0x18), None, "not used");
        assert_eq!(found(0xFF, 0x1C), None, "reserved");
        let mut changed = crate::sim::APP_64.to_vec();
        changed[0x0C..0x10].fill(0xFF);
        assert_eq!(of(&changed), words("HardFault", "0x0800100c is blank (0xffffffff)"), "made from a known image");
    }

    #[test]
    fn a_long_blank_run_is_a_hole_in_what_the_vendors_compiler_made() {
        let sample = || Sample::drv(5000).start_up_table().put(0x100, &STAY);
        let words = "512 bytes of 0xff at 0x08001a00, inside the image, where there should be code or data";
        assert_eq!(of(&punched(sample(), 0xFF, 0xA00, 512)).as_deref(), Some(words));
        assert_eq!(of(&punched(sample(), 0x00, 0xA00, 32)), None);
        let words = "16 bytes of 0xff at 0x08001a00, inside the image, where there should be code or data";
        assert_eq!(of(&punched(sample(), 0xFF, 0xA00, 16)).as_deref(), Some(words));
        assert_eq!(of(&punched(sample(), 0xFF, 0x420, 22)), None, "behind the ident of some Ninebots");
        let table = punched(sample(), 0x00, 4960, 32);
        assert_eq!(of(&table).as_deref(), Some("32 bytes of 0x00 at 0x08002360, where the start-up code reads"));
    }

    #[test]
    fn padding_is_no_hole() {
        for value in [0xFF, 0x00] {
            let mut bytes = Sample::drv(5000).start_up_table().bytes();
            bytes.extend([value; 600]);
            assert_eq!(of(&bytes), None);
        }
    }

    #[test]
    fn a_page_that_the_original_has_and_this_has_not_is_a_hole() {
        let with = |at: usize, patch: &[u8]| {
            let mut bytes = crate::sim::APP_64.to_vec();
            bytes[at..at + patch.len()].copy_from_slice(patch);
            of(&bytes)
        };
        assert_eq!(of(crate::sim::APP_64), None);
        assert_eq!(with(0x2000, &[1, 2, 3, 4, 5]), None, "changed, with all there is");
        assert_eq!(with(0x1C0, &[0; 8]), None, "its own zeros are longer");
        for value in [0xFF, 0x00] {
            let words = format!("1024 bytes of {value:#04x} at 0x08003000, where rehearsal DRV has something else");
            assert_eq!(with(0x2000, &[value; 1024]), Some(words));
        }
    }

    #[test]
    fn each_missing_kib_of_a_known_image_is_found() {
        let app = crate::sim::APP_64;
        for at in (0..app.len()).step_by(1024) {
            for value in [0xFF, 0x00] {
                let mut bytes = app.to_vec();
                bytes[at..at + 1024].fill(value);
                assert!(of(&bytes).is_some(), "{value:#04x} at {at:#x}");
            }
        }
    }
}
