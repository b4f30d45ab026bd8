//! Tools as providers declare them.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mcp_hub::fuzzing::tool_definition(bytes));
