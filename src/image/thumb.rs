//! Just enough of the Thumb-2 encoding (ARMv7-M ARM, chapter A7) to find constants in code.

/// Length of the instruction that loads a constant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Width {
    /// `MOVS Rd, #imm8`.
    Narrow,
    /// `MOVW Rd, #imm16` or `MOV.W Rd, #const`.
    Wide,
}

/// The little-endian word at an offset.
pub(super) fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes(*bytes))
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u16::from_le_bytes(*bytes))
}

/// True where code holds a constant, as an aligned literal or as `MOVW` and `MOVT` into one register close together.
pub(super) fn holds(bytes: &[u8], constant: u32) -> bool {
    let literal = constant.to_le_bytes();
    bytes.chunks_exact(4).any(|word| word == literal) || builds(bytes, constant)
}

fn builds(bytes: &[u8], constant: u32) -> bool {
    let halves = |at| Some((half(bytes, at)?, half(bytes, at + 2)?));
    let (low, high) = (constant as u16, (constant >> 16) as u16);
    (0..bytes.len()).step_by(2).any(|at| {
        let Some((0xF240, rd, value)) = halves(at).and_then(|(first, second)| immediate16(first, second)) else {
            return false;
        };
        // The compiler puts at most an instruction or two between.
        value == low
            && (2..=6).any(|gap| {
                halves(at + 2 * gap).and_then(|(first, second)| immediate16(first, second)) == Some((0xF2C0, rd, high))
            })
    })
}

/// `MOVW` (0xF240) and `MOVT` (0xF2C0): opcode, register, 16-bit immediate i:imm4... (A7.7.76 T3, A7.7.79 T1).
fn immediate16(first: u16, second: u16) -> Option<(u16, u16, u16)> {
    let opcode = first & 0xFBF0;
    if !matches!(opcode, 0xF240 | 0xF2C0) || second & 0x8000 != 0 {
        return None;
    }
    let value = (first & 0xF) << 12 | (first >> 10 & 1) << 11 | (second >> 12 & 7) << 8 | second & 0xFF;
    Some((opcode, second >> 8 & 0xF, value))
}

/// `MOV.W Rd, #const` (A7.7.76 T2): register and the modified immediate constant (A5.3.2).
fn modified_immediate(first: u16, second: u16) -> Option<(u16, u32)> {
    if first & 0xFBEF != 0xF04F || second & 0x8000 != 0 {
        return None;
    }
    let code = (first >> 10 & 1) << 11 | (second >> 12 & 7) << 8 | second & 0xFF;
    let byte = u32::from(code & 0xFF);
    let value = match code >> 8 {
        0 => byte,
        1 => byte << 16 | byte,
        2 => byte << 24 | byte << 8,
        3 => byte << 24 | byte << 16 | byte << 8 | byte,
        _ => (byte | 0x80).rotate_right(u32::from(code >> 7)),
    };
    Some((second >> 8 & 0xF, value))
}

/// Every constant that is loaded into a register and, within three half-words, stored as a half-word at `offset` of
/// some structure.
pub(super) fn constants_stored_at(bytes: &[u8], offset: u16, width: Width) -> Vec<u16> {
    let mut found = Vec::new();
    for at in (0..bytes.len()).step_by(2) {
        let Some((length, register, value)) = load(bytes, at, width) else { continue };
        let stored = (0..4).map(|skip| at + length + 2 * skip).any(|at| stores(bytes, at, register, offset));
        if let (true, Ok(value)) = (stored, u16::try_from(value)) {
            found.push(value);
        }
    }
    found
}

/// The load at an offset: its length in bytes, the register, the constant.
fn load(bytes: &[u8], at: usize, width: Width) -> Option<(usize, u16, u32)> {
    let first = half(bytes, at)?;
    match width {
        Width::Narrow => (first >> 11 == 0b00100).then(|| (2, first >> 8 & 7, u32::from(first & 0xFF))),
        Width::Wide => {
            let second = half(bytes, at + 2)?;
            match immediate16(first, second) {
                Some((0xF240, register, value)) => Some((4, register, value.into())),
                _ => modified_immediate(first, second).map(|(register, value)| (4, register, value)),
            }
        }
    }
}

/// True for `STRH Rt, [Rn, #offset]`, 16-bit (A7.7.170 T1) or 32-bit (T2).
fn stores(bytes: &[u8], at: usize, register: u16, offset: u16) -> bool {
    let Some(first) = half(bytes, at) else { return false };
    if first >> 11 == 0b10000 {
        return (first >> 6 & 0x1F) * 2 == offset && first & 7 == register;
    }
    first & 0xFFF0 == 0xF8A0
        && half(bytes, at + 2).is_some_and(|second| second & 0xFFF == offset && second >> 12 == register)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modified_immediates_expand_as_the_manual_says() {
        // mov.w r0, #...: 0x140, 0x00AB00AB, 0xAB00AB00, 0xABABABAB (assembled with GNU as).
        for (code, value) in [
            ([0xF44F, 0x70A0], 0x140),
            ([0xF04F, 0x10AB], 0x00AB_00AB),
            ([0xF04F, 0x20AB], 0xAB00_AB00),
            ([0xF04F, 0x30AB], 0xABAB_ABAB),
            ([0xF04F, 0x4280], 0x4000_0000),
        ] {
            assert_eq!(modified_immediate(code[0], code[1]).map(|(_, value)| value), Some(value), "{code:04x?}");
        }
    }

    #[test]
    fn a_literal_counts_only_where_it_is_aligned() {
        let mut bytes = vec![0; 16];
        bytes[8..12].copy_from_slice(&0x0800_F800u32.to_le_bytes());
        assert!(holds(&bytes, 0x0800_F800));
        bytes.rotate_right(2);
        assert!(!holds(&bytes, 0x0800_F800));
    }
}
