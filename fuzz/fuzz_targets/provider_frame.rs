//! Frames of remote providers.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mcp_hub::fuzzing::provider_frame(bytes));
