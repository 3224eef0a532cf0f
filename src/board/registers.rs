//! Register addresses and bits, each with the manual section that defines it. All register addresses of this module are
//! defined here.

/// Cortex-M system control space and debug: ARMv7-M ARM (DDI 0403E).
pub(super) mod core {
    /// CPUID: B3.2.3.
    pub(crate) const CPUID: u32 = 0xE000_ED00;
    /// ICSR, which holds the number of the active exception: B3.2.4.
    pub(crate) const ICSR: u32 = 0xE000_ED04;
    pub(crate) const ICSR_VECTACTIVE: u32 = 0x1FF;
    /// AIRCR: B3.2.6.
    pub(crate) const AIRCR: u32 = 0xE000_ED0C;
    pub(crate) const AIRCR_VECTKEY: u32 = 0x05FA << 16;
    pub(crate) const AIRCR_SYSRESETREQ: u32 = 1 << 2;
    /// DHCSR: C1.6.2.
    pub(crate) const DHCSR: u32 = 0xE000_EDF0;
    pub(crate) const DHCSR_DBGKEY: u32 = 0xA05F << 16;
    pub(crate) const DHCSR_C_DEBUGEN: u32 = 1 << 0;
    pub(crate) const DHCSR_C_HALT: u32 = 1 << 1;
    pub(crate) const DHCSR_S_REGRDY: u32 = 1 << 16;
    pub(crate) const DHCSR_S_HALT: u32 = 1 << 17;
    pub(crate) const DHCSR_S_SLEEP: u32 = 1 << 18;
    pub(crate) const DHCSR_S_LOCKUP: u32 = 1 << 19;
    pub(crate) const DHCSR_S_RESET_ST: u32 = 1 << 25;
    /// DCRSR: C1.6.3.
    pub(crate) const DCRSR: u32 = 0xE000_EDF4;
    pub(crate) const DCRSR_REGWNR: u32 = 1 << 16;
    pub(crate) const DCRSR_PC: u32 = 15;
    pub(crate) const DCRSR_XPSR: u32 = 16;
    /// DCRDR: C1.6.4.
    pub(crate) const DCRDR: u32 = 0xE000_EDF8;
    /// DEMCR: C1.6.5.
    pub(crate) const DEMCR: u32 = 0xE000_EDFC;
    pub(crate) const DEMCR_VC_CORERESET: u32 = 1 << 0;
    pub(crate) const DEMCR_TRCENA: u32 = 1 << 24;
    /// `DWT_PCSR`, which samples the program counter without disturbing the core: C1.8.6.
    pub(crate) const DWT_PCSR: u32 = 0xE000_101C;
    /// EPSR.T, set in Thumb state: B1.4.2.
    pub(crate) const XPSR_T: u32 = 1 << 24;
    /// The ROM table's component and peripheral ID registers, twelve words starting at PIDR4: ADIv5 (IHI 0031) D1.2.
    pub(crate) const ROM_TABLE_PIDR4: u32 = 0xE00F_FFD0;
}

/// MCU debug component: RM0008 31.16.
pub(super) mod dbgmcu {
    pub(crate) const IDCODE: u32 = 0xE004_2000;
    pub(crate) const CR: u32 = 0xE004_2004;
    /// Stops IWDG and WWDG while the core is halted.
    pub(crate) const CR_WATCHDOGS_STOP: u32 = 1 << 8 | 1 << 9;
    /// Stops TIM1 to TIM4 while the core is halted. TIM1 drives the motor bridge; its outputs go to their safe state.
    pub(crate) const CR_TIMERS_STOP: u32 = 0xF << 10;
}

/// Flash program and erase controller: PM0075 3 and 4.
pub(super) mod fpec {
    /// The first register; the others follow it, one word each.
    pub(crate) const ACR: u32 = 0x4002_2000;
    /// Number of words from ACR to WRPR.
    pub(crate) const WORDS: usize = 9;
    /// Index of SR in those words; CR follows it.
    pub(crate) const SR: usize = 3;
    /// Set while flash is locked against writing.
    pub(crate) const CR_LOCK: u32 = 1 << 7;
    /// Index of OBR in those words.
    pub(crate) const OBR: usize = 7;
    /// Index of WRPR in those words.
    pub(crate) const WRPR: usize = 8;
    pub(crate) const OBR_RDPRT: u32 = 1 << 1;
    /// Clear if the watchdog runs from each reset on.
    pub(crate) const OBR_WDG_SW: u32 = 1 << 2;
    /// Reserved bits of OBR, which read as zero.
    pub(crate) const OBR_RESERVED: u32 = 0xFC00_0000;
    pub(crate) const SR_BSY: u32 = 1 << 0;
    pub(crate) const SR_PGERR: u32 = 1 << 2;
    pub(crate) const SR_WRPRTERR: u32 = 1 << 4;
}

/// Device signature (flash size and UID) and option bytes.
pub(super) mod system {
    use crate::block::Uid;

    /// Flash size in KiB, lower half-word: RM0008 30.1.
    pub(crate) const FLASH_SIZE: u32 = 0x1FFF_F7E0;
    /// Number of words from the flash size to the end of the UID.
    pub(crate) const WORDS: usize = 5;
    /// Index of the UID in those words.
    pub(crate) const UID: usize = (Uid::ADDRESS - FLASH_SIZE) as usize / 4;
    /// Option bytes, 16 bytes: PM0075 2.5.
    pub(crate) const OPTION_BYTES: u32 = 0x1FFF_F800;
}
