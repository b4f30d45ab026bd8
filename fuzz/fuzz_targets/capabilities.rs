//! What a client says that it can do, and what it would be asked.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mcp_hub::fuzzing::capabilities(bytes));
