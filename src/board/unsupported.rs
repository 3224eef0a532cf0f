//! Chips that are known and not supported.

/// A chip that is known and not supported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unsupported {
    /// The dashboard's Bluetooth chip; its board has the same three pads.
    #[error("this is the nRF51 of the dashboard, not the motor controller")]
    Dashboard,
    /// Artery's chip, of Ninebot's later scooters.
    #[error("this is an AT32F415, of a later Ninebot or Xiaomi scooter")]
    At32,
    /// As on Brightway's boards (Mi 4, 4 Lite and later).
    #[error("this is a Cortex-M0 chip, as on boards of the Mi 4 and later")]
    CortexM0,
    /// An STM32F1 of another density than any of these boards has.
    #[error("this is an STM32F1 with device ID {0:#05x}; these boards have one with 0x410")]
    OtherStm32(u32),
    /// A Cortex-M4 other than the GD32E103.
    #[error("this is an unknown Cortex-M4 chip (DBGMCU_IDCODE {0:#010x})")]
    CortexM4(u32),
    /// Another core.
    #[error("this is an unknown chip (CPUID {0:#010x})")]
    Core(u32),
}
