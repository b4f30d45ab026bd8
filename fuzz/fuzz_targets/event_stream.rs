//! Event streams of servers that are bridged.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mcp_hub::fuzzing::event_stream(bytes));
