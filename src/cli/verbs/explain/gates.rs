//! What `explain` says about each gate that `--force` overrides, in the order in which they are asked.

use m365_drv::{image::GATES, ops::OTHER_SCOOTER};
use serde::Serialize;

/// A gate: what it passes, and what it means to override it.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct GatePage {
    pub(crate) name: &'static str,
    pub(crate) passes_if: &'static str,
    pub(crate) forced: &'static str,
}

/// The page on a gate.
pub(crate) fn find(name: &str) -> Option<&'static GatePage> {
    TABLE.iter().find(|page| page.name == name)
}

/// If what the gate found out is certain.
const NEVER: &str = "Overriding it does not help: the image cannot run.";
/// If the image may be of another scooter that can run it.
const LIMITS: &str = "If overridden: scooters with the same controller can run each other's firmware, with the other one's limits \
                      and current.";
/// If the package may be wrong about what is in it.
const PACKAGE: &str = "Override it only if you know that the package is wrong about the image in it.";

const fn page(name: &'static str, passes_if: &'static str, forced: &'static str) -> GatePage {
    GatePage { name, passes_if, forced }
}

/// The pages, in the order in which the gates are asked.
pub(crate) const TABLE: [GatePage; GATES.len() + 1] = [
    page("blank", "the image has at least one byte that is not 0xff or 0x00", NEVER),
    page(
        "kind",
        "the image is of the kind asked for: firmware (DRV) for --drv, a bootloader for --boot",
        "Override it only if the program takes your image for another kind, and you are sure.",
    ),
    page("encrypted", "the image is plain code, or an update that could be decrypted", NEVER),
    page("package-type", "the package is DRV firmware, for the motor controller", PACKAGE),
    page("package-members", "everything that the package lists is in it", PACKAGE),
    page(
        "package-md5",
        "the image has the MD5 that its package gives",
        "The image is damaged or was changed after it was packed: fetch the package again instead.",
    ),
    page("package-model", "the package is for the scooter named, or names none", PACKAGE),
    page("package-compatible", "the package lists this scooter and this chip as compatible", PACKAGE),
    page(
        "rehearsal",
        "the image is not one of this program's own, which are for the simulated board",
        "If overridden: this program's own images cannot drive a motor.",
    ),
    page("scooter", "the image, or the known image that it was made from, is for the scooter named", LIMITS),
    page("ident", "the name of a scooter in the image fits the scooter named", LIMITS),
    page(
        "layout",
        "the image was linked for this scooter's flash map: its data block is where the scooter keeps it",
        "If overridden: the firmware does not find its data, and writes to the wrong pages.",
    ),
    page(
        "chip",
        "the image is for the chip on the board",
        "If overridden: the image may not start, or not save, on this chip.",
    ),
    page(
        "gd32",
        "the board has no GD32 chip, or the firmware can write the flash of one",
        "If overridden: the firmware may run, but cannot save mileage and settings.",
    ),
    page(
        "size",
        "the image fits the space that it goes to",
        "Even if overridden, an image that overlaps other data is refused.",
    ),
    page(
        "truncated",
        "the image is complete to its end",
        "If overridden: firmware without its end starts wrongly or not at all.",
    ),
    page(
        "hole",
        "no part is missing in the middle: no gap in an Intel HEX file, no run of 0xff or 0x00 where code is reached, no blank vector",
        "If overridden: firmware with a hole crashes as soon as it gets there. Override it only if you made the \
         image and know what is blank in it.",
    ),
    page("address", "the image begins at the address that it goes to", NEVER),
    page("stack-pointer", "the first word of the image is an address in the chip's SRAM", NEVER),
    page("reset-vector", "the first instruction lies inside the image, and is Thumb code", NEVER),
    page(
        "boot-known",
        "the bootloader is a known one, byte for byte",
        "If overridden: with a bad bootloader the scooter never starts again until it is flashed over SWD.",
    ),
    page(
        "data-block",
        "the data block is 512 bytes long and begins with 0x515c",
        "If overridden: the firmware replaces such a block with its own template.",
    ),
    page(
        OTHER_SCOOTER,
        "what is on the board fits the scooter named: firmware, serial number and data block",
        "It fails if all that is known belongs to another scooter, or if anything belongs to one with another \
         controller. If only a part belongs to a scooter with the same controller, there is a warning: people swap \
         both firmware and serial numbers. Check the name of the scooter first. Override it if the board is to become another \
         scooter, or if you know that somebody flashed the wrong firmware.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_gate_has_a_page_in_the_order_in_which_they_are_asked() {
        assert_eq!(TABLE.map(|page| page.name).to_vec(), [&GATES[..], &[OTHER_SCOOTER]].concat());
    }
}
