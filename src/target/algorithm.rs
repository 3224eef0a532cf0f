//! The flash algorithm as the chip's description carries it.

use probe_rs_target::RawFlashAlgorithm;

/// Position-independent code for the chip's flash, with the offsets of what is used of it.
///
/// Source and memory layout: `targets/algorithm/stm32f1.s`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Algorithm {
    /// The code with its control words, to be loaded at any address that is a multiple of 4.
    pub code: Vec<u8>,
    /// Offset of the resident loop's entry.
    pub stream: u32,
    /// Offset of the entry that erases and programs the option bytes.
    pub options: u32,
    /// Offset of the entry that computes sums of pages; from here to the control words it needs nothing that stands before it.
    pub digest: u32,
    /// Offset of the control words that host and loop share.
    pub control: u32,
}

impl Algorithm {
    pub(super) fn from_description(raw: &RawFlashAlgorithm) -> Option<Self> {
        let offset = |name: &str| u32::try_from(*raw.vendor_functions.get(name)?).ok();
        Some(Self {
            code: raw.instructions.clone(),
            stream: offset("stream")?,
            options: offset("options")?,
            digest: offset("digest")?,
            control: offset("control")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{self, Write as _},
        path::Path,
        process::Command,
    };

    /// The blob is a build product; this is the only check that it belongs to the source beside it.
    #[test]
    fn the_blob_is_what_the_assembler_makes_of_the_source() {
        if Command::new("arm-none-eabi-as").arg("--version").output().is_err() {
            // Not captured, so that it shows in every test run.
            let _ = writeln!(
                io::stderr(),
                "skipped: the_blob_is_what_the_assembler_makes_of_the_source: no arm-none-eabi-as"
            );
            return;
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("targets/algorithm/build.sh");
        let output = Command::new("sh").arg(script).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let built = String::from_utf8(output.stdout).unwrap();
        let (blob, symbols) = built.split_once('\n').unwrap();
        let description = include_str!("../../targets/chips/stm32f1.yaml");
        assert!(description.contains(&format!("instructions: {blob}\n")), "rebuild with targets/algorithm/build.sh");
        for line in symbols.lines() {
            let (name, offset) = line.split_once(' ').unwrap();
            let key = if ["stream", "options", "digest", "control"].contains(&name) {
                name.to_owned()
            } else {
                format!("pc_{name}")
            };
            assert!(description.contains(&format!(" {key}: {offset}\n")), "{key}: {offset}");
        }
    }
}
