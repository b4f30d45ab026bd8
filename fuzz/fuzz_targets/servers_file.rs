//! Files in which clients keep their servers.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mcp_hub::fuzzing::servers_file(bytes));
