//! The identification of Artery's AT32F415, which later scooters have in place of an STM32F103. The program asks a chip for
//! it, and looks in an image for the same test (g2 1.4.8, Max 1.8.11, F 5.8.4 and others, disassembled).

/// What the image catalog and packages call the chip.
pub const NAME: &str = "at32f415";
/// `DBGMCU_IDCODE` of the family, upper half-word (Artery's OpenOCD).
pub const FAMILY: u32 = 0x7003;
/// `DBGMCU_IDCODE` of the AT32F415CBT7, with which firmware for both chips compares.
pub const AT32F415CBT7: u32 = 0x7003_01C5;
