//! Values of headers that repeat a request's body.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mcp_hub::fuzzing::client_header(bytes));
