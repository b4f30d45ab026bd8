//! Permissions and limits of plugins, `NAME.toml`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mcp_hub::fuzzing::plugin_manifest(bytes));
