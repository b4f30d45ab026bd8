//! What fuzzers call: for each parser that sees bytes from outside, one function that feeds it and
//! panics when it breaks its word. Not for use, and no part of the library's interface.
//!
//! `fuzz/` runs them under libFuzzer, `tests/it/fuzz.rs` with each test run.

mod client;
mod hub;
mod model;
mod provider;
mod server;

pub use self::{
    client::{capabilities, client_header, client_message, client_request, cursor},
    hub::{request_state, token},
    model::{json, tool_definition, tool_result},
    provider::{component, plugin_manifest, provider_frame},
    server::{event_stream, servers_file},
};

/// Takes any bytes whatever.
pub type Target = fn(&[u8]);

/// All of them, by name.
pub const TARGETS: &[(&str, Target)] = &[
    ("capabilities", capabilities),
    ("client_header", client_header),
    ("client_message", client_message),
    ("client_request", client_request),
    ("component", component),
    ("cursor", cursor),
    ("event_stream", event_stream),
    ("json", json),
    ("plugin_manifest", plugin_manifest),
    ("provider_frame", provider_frame),
    ("request_state", request_state),
    ("servers_file", servers_file),
    ("token", token),
    ("tool_definition", tool_definition),
    ("tool_result", tool_result),
];

/// Levels of nesting that are let in; fewer than serde_json itself takes.
const DEPTH_MAX: usize = 32;

/// The bytes as a text, if they are one: whoever calls the parsers has seen to that.
fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// Whoever is refused has to be told why.
fn is_told(why: &impl std::fmt::Display) {
    assert!(!why.to_string().trim().is_empty(), "a refusal without a reason");
}
