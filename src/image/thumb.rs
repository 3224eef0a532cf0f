//! Just enough of the Thumb-2 encoding (ARMv7-M ARM, chapters A5 and A7) to find constants in code and to follow it.

/// Length of the instruction that loads a constant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
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

/// The little-endian half-word at an offset.
pub(super) fn half(bytes: &[u8], at: usize) -> Option<u16> {
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
pub(super) fn constants_stored_at(bytes: &[u8], offset: u16, width: Encoding) -> Vec<u16> {
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
fn load(bytes: &[u8], at: usize, width: Encoding) -> Option<(usize, u16, u32)> {
    let first = half(bytes, at)?;
    match width {
        Encoding::Narrow => (first >> 11 == 0b00100).then(|| (2, first >> 8 & 7, u32::from(first & 0xFF))),
        Encoding::Wide => {
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

/// What an instruction does to the flow, and where it finds constants. Places are offsets into the image, and are missing
/// if they lie before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    /// The next instruction follows.
    Next,
    /// Erased flash or zeros: no instruction of any compiler.
    Blank,
    /// IT: so many instructions that follow are conditional.
    Skips(i32),
    /// The next instruction follows, or the one at this place: a conditional branch or a call.
    Branch(Option<usize>),
    /// The instruction at this place follows.
    Jump(Option<usize>),
    /// What follows is not known: a return, or a computed jump.
    Leave,
    /// The instruction that a register points to follows.
    JumpTo(u16),
    /// The function that a register points to is called.
    Call(u16),
    /// A word is loaded from the literal pool.
    Constant {
        /// Into this register.
        register: u16,
        /// From here.
        place: usize,
    },
    /// The address of a place is computed.
    Address(usize),
    /// A jump through a table of half offsets.
    Table {
        /// Where it begins.
        place: usize,
        /// Half-words, or else bytes.
        wide: bool,
    },
}

/// The instruction at an even offset: its length and what it does; none behind the end.
pub(super) fn flow_at(bytes: &[u8], at: usize) -> Option<(usize, Flow)> {
    let first = half(bytes, at)?;
    if first >> 11 < 0b11101 {
        let blank = first == 0 && half(bytes, at + 2) == Some(0);
        return Some((2, if blank { Flow::Blank } else { narrow(first, at) }));
    }
    let second = half(bytes, at + 2)?;
    Some((4, if first == 0xFFFF { Flow::Blank } else { wide(first, second, at) }))
}

/// Where a branch leads, relative to the instruction behind the next.
fn target(at: usize, distance: i32) -> Option<usize> {
    (at + 4).checked_add_signed(distance as isize)
}

/// The low `bits` of a number with their sign.
fn signed(value: u32, bits: u32) -> i32 {
    (value << (32 - bits)).cast_signed() >> (32 - bits)
}

/// A5.2: 16-bit instructions.
fn narrow(first: u16, at: usize) -> Flow {
    let pool = (at + 4) & !3;
    let low = usize::from(first & 0xFF);
    match first {
        // B T1; 0b1110 is UDF, 0b1111 SVC.
        0xD000..=0xDDFF => Flow::Branch(target(at, signed(u32::from(first) << 1, 9))),
        0xDE00..=0xDEFF | 0xBE00..=0xBEFF => Flow::Leave,
        0xE000..=0xE7FF => Flow::Jump(target(at, signed(u32::from(first) << 1, 12))),
        // CBZ, CBNZ.
        _ if first & 0xF500 == 0xB100 => {
            Flow::Branch(target(at, i32::from(first >> 9 & 1) << 6 | i32::from(first >> 3 & 0x1F) << 1))
        }
        // BX, BLX.
        _ if first & 0xFF87 == 0x4700 => match first >> 3 & 0xF {
            14 => Flow::Leave,
            register => Flow::JumpTo(register),
        },
        _ if first & 0xFF87 == 0x4780 => Flow::Call(first >> 3 & 0xF),
        // POP with PC; MOV and ADD to PC.
        0xBD00..=0xBDFF => Flow::Leave,
        _ if first & 0xFF87 == 0x4687 || first & 0xFF87 == 0x4487 => Flow::Leave,
        // LDR T1, ADR T1.
        0x4800..=0x4FFF => Flow::Constant { register: first >> 8 & 7, place: pool + 4 * low },
        0xA000..=0xA7FF => Flow::Address(pool + 4 * low),
        // IT: the lowest bit set of the mask tells how many of four it is for.
        0xBF00..=0xBFFF if first & 0xF != 0 => Flow::Skips(4 - (first & 0xF).trailing_zeros().cast_signed()),
        _ => Flow::Next,
    }
}

/// A5.3: 32-bit instructions.
fn wide(first: u16, second: u16, at: usize) -> Flow {
    let pool = (at + 4) & !3;
    let register = second >> 12;
    match first {
        0xF000..=0xF7FF if second & 0x8000 != 0 => branch(first, second, at),
        // LDR T2; bit 7 is the sign.
        0xF85F | 0xF8DF => {
            let distance = usize::from(second & 0xFFF);
            let place = if first == 0xF8DF { Some(pool + distance) } else { pool.checked_sub(distance) };
            match place {
                Some(place) => Flow::Constant { register, place },
                None => Flow::Next,
            }
        }
        // LDR to PC; LDM and POP with PC.
        _ if first & 0xFF70 == 0xF850 && register == 15 => Flow::Leave,
        _ if first & 0xFFD0 == 0xE890 && second & 0x8000 != 0 => Flow::Leave,
        0xE8DF if second & 0xFFE0 == 0xF000 => Flow::Table { place: at + 4, wide: second & 0x10 != 0 },
        _ => Flow::Next,
    }
}

/// A5.3.4: branches and miscellaneous control.
fn branch(first: u16, second: u16, at: usize) -> Flow {
    let (first, second) = (u32::from(first), u32::from(second));
    let sign = first >> 10 & 1;
    let (j1, j2) = (second >> 13 & 1, second >> 11 & 1);
    let far = || {
        let (i1, i2) = (1 ^ j1 ^ sign, 1 ^ j2 ^ sign);
        let distance = sign << 24 | i1 << 23 | i2 << 22 | (first & 0x3FF) << 12 | (second & 0x7FF) << 1;
        target(at, signed(distance, 25))
    };
    match second & 0xD000 {
        0xD000 => Flow::Branch(far()),
        0x9000 => Flow::Jump(far()),
        0x8000 if first >> 6 & 0xF < 14 => {
            let distance = sign << 20 | j2 << 19 | j1 << 18 | (first & 0x3F) << 12 | (second & 0x7FF) << 1;
            Flow::Branch(target(at, signed(distance, 21)))
        }
        // Hints, barriers, MSR and MRS.
        _ => Flow::Next,
    }
}

/// True if a compiler begins a function like this: it saves LR, or returns at once.
pub(super) fn begins_function(bytes: &[u8], at: usize) -> bool {
    match half(bytes, at) {
        Some(0xB500..=0xB5FF | 0x4770) => true,
        Some(0xE92D) => half(bytes, at + 2).is_some_and(|list| list & 0x4000 != 0),
        _ => false,
    }
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

    /// The flow of an instruction at 0x100.
    fn flow(code: &[u16]) -> (usize, Flow) {
        let mut bytes = vec![0; 0x100];
        bytes.extend(code.iter().flat_map(|half| half.to_le_bytes()));
        bytes.resize(0x200, 0x55);
        flow_at(&bytes, 0x100).unwrap()
    }

    #[test]
    fn branches_lead_where_the_assembler_says() {
        // GNU as: each line's instruction, placed at 0x100, with its target as objdump prints it.
        for (code, length, expected) in [
            (&[0xD0FE][..], 2, Flow::Branch(Some(0x100))),
            (&[0xDD02], 2, Flow::Branch(Some(0x108))),
            (&[0xE7FE], 2, Flow::Jump(Some(0x100))),
            (&[0xE3FF], 2, Flow::Jump(Some(0x902))),
            (&[0xB120], 2, Flow::Branch(Some(0x10C))),
            (&[0xBB08], 2, Flow::Branch(Some(0x146))),
            (&[0xF000, 0xF835], 4, Flow::Branch(Some(0x16E))),
            (&[0xF7FF, 0xFFFE], 4, Flow::Branch(Some(0x100))),
            (&[0xF000, 0xB802], 4, Flow::Jump(Some(0x108))),
            (&[0xF43F, 0xAFFE], 4, Flow::Branch(Some(0x100))),
            (&[0xF7FF, 0xBEFE], 4, Flow::Jump(None)),
        ] {
            let (expected, code_of) = (if matches!(expected, Flow::Jump(None)) { None } else { Some(expected) }, code);
            match expected {
                Some(expected) => assert_eq!(flow(code_of), (length, expected), "{code:04x?}"),
                None => assert!(matches!(flow(code_of), (4, Flow::Jump(_)))),
            }
        }
    }

    #[test]
    fn returns_and_tables_end_the_flow() {
        for code in [&[0x4770][..], &[0xBD10], &[0xE8BD, 0x8FF0], &[0xF85D, 0xFB04], &[0x4687], &[0xDE00]] {
            assert_eq!(flow(code).1, Flow::Leave, "{code:04x?}");
        }
        assert_eq!(flow(&[0x4718]).1, Flow::JumpTo(3));
        assert_eq!(flow(&[0x4798]).1, Flow::Call(3));
        assert_eq!(flow(&[0xE8DF, 0xF000]).1, Flow::Table { place: 0x104, wide: false });
        assert_eq!(flow(&[0xE8DF, 0xF011]).1, Flow::Table { place: 0x104, wide: true });
        assert_eq!(flow(&[0xBF08]).1, Flow::Skips(1));
        assert_eq!(flow(&[0xBF01]).1, Flow::Skips(4));
        assert_eq!(flow(&[0xBF00]).1, Flow::Next);
    }

    #[test]
    fn constants_are_loaded_from_the_pool() {
        assert_eq!(flow(&[0x4901]).1, Flow::Constant { register: 1, place: 0x108 });
        assert_eq!(flow(&[0xF8DF, 0x2010]).1, Flow::Constant { register: 2, place: 0x114 });
        assert_eq!(flow(&[0xF85F, 0x3004]).1, Flow::Constant { register: 3, place: 0x100 });
        assert_eq!(flow(&[0xA002]).1, Flow::Address(0x10C));
    }

    #[test]
    fn blank_bytes_are_no_instructions() {
        assert_eq!(flow(&[0xFFFF, 0xFFFF]).1, Flow::Blank);
        assert_eq!(flow(&[0, 0]).1, Flow::Blank);
        assert_eq!(flow(&[0, 0x4770]).1, Flow::Next);
        assert_eq!(flow_at(&[], 0), None);
    }
}
