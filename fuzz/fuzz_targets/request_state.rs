//! Request states that clients bring back.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mcp_hub::fuzzing::request_state(bytes));
