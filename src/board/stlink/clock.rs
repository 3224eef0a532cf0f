//! The SWD clocks of an ST-Link V2, which are set as delays.

/// Clocks in kHz and the delay for each, fastest first. The numbers are those of probe-rs, so that a clock has the same name
/// with both drivers. Source: OpenOCD 0.12 `stlink_khz_to_speed_map_swd`, which calls the fastest 4000.
const CLOCKS: [(u32, u8); 12] = [
    (4600, 0),
    (1800, 1),
    (1200, 2),
    (950, 3),
    (650, 5),
    (480, 7),
    (400, 9),
    (360, 10),
    (240, 15),
    (150, 25),
    (125, 31),
    (100, 40),
];

/// The clock after power-up, in kHz.
pub(super) const DEFAULT_KHZ: u32 = 1800;

/// The fastest clock that is not faster than `khz`, with its delay.
pub(super) fn at_most(khz: u32) -> Option<(u32, u8)> {
    CLOCKS.into_iter().find(|(clock, _)| *clock <= khz)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_rounded_down_to_one_that_the_probe_has() {
        for (khz, expected) in [
            (u32::MAX, Some((4600, 0))),
            (4600, Some((4600, 0))),
            (4599, Some((1800, 1))),
            (1000, Some((950, 3))),
            (125, Some((125, 31))),
            (100, Some((100, 40))),
            (99, None),
        ] {
            assert_eq!(at_most(khz), expected, "{khz} kHz");
        }
    }
}
