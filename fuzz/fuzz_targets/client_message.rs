//! Bodies that MCP clients post.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mcp_hub::fuzzing::client_message(bytes));
