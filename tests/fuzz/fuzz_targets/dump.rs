#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| m365_drv_fuzz::dump(bytes));
