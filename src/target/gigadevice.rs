//! The product IDs of the GigaDevice chips on these boards, as the vendor's firmware tests for them (1S 3.1.9 and others,
//! disassembled). The program asks a chip for its ID, and looks in an image for the same test.

/// The register with the product ID in the flash controller (`FMC_PID`). An STM32F103 has no register there.
pub const PRODUCT_ID: u32 = 0x4002_2100;
/// Product ID of a GD32F103.
pub const GD32F103: u32 = 0x4142_4333;
/// Product ID of a GD32E103.
pub const GD32E103: u32 = 0x4842_4333;
