//! Whole requests of MCP clients: headers and body, through the door.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mcp_hub::fuzzing::client_request(bytes));
