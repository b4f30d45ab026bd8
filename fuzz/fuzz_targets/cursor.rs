//! Cursors of `tools/list`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mcp_hub::fuzzing::cursor(bytes));
