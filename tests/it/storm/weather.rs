//! Who takes part in a storm, and the bounds it blows within: low, so that they are hit.

use std::time::Duration;

use bytesize::ByteSize;
use mcp_hub::{hub::router, model::limits::Limits};
use serde_json::{Value, json};

/// All of them use the same names for everything: what a tool says shows whose it is.
pub(super) const USERS: [&str; 3] = ["alice", "bob", "carol"];
/// Somebody who looks in and calls nothing: to be forgotten.
pub(super) const PASSER_BY: &str = "dave";
/// Names that begin with `read` may be repeated.
pub(super) const TOOLS: [&str; 5] = ["read-a", "read-b", "write-a", "write-b", "ask"];

/// Of each user; more than may register.
pub(super) const PROVIDERS: usize = 5;
pub(super) const MODERN_CALLERS: usize = 3;
pub(super) const LEGACY_CALLERS: usize = 3;
pub(super) const LISTENERS: usize = 3;

pub(super) const CALL_IDLE: Duration = Duration::from_secs(2);
pub(super) const CALL_TOTAL: Duration = Duration::from_secs(5);
/// The longest that a provider does not look at its socket: too long for the hub's patience.
pub(super) const STALL_MAX: Duration = Duration::from_secs(6);
/// When the wind has died down and callers have their answers, everything else has been noticed too:
/// calls that nobody waits for, sockets that nobody reads.
pub(super) const SETTLING: Duration = Duration::from_secs(9);
/// About the longest that a calm takes.
pub(super) const CALM_MAX: Duration = Duration::from_secs(14);
pub(super) const SESSION_IDLE: Duration = Duration::from_secs(6);

pub(super) const MESSAGE_BYTES_MAX: usize = 4096;
pub(super) const BODY_BYTES_MAX: usize = 8192;
pub(super) const JSON_DEPTH_MAX: usize = 24;
pub(super) const STREAMS_MAX: usize = 4;
pub(super) const PROVIDERS_MAX: usize = 3;
/// Two for each provider.
pub(super) const SOCKETS_MAX: usize = 2 * PROVIDERS_MAX;

/// Each bound with its key in `[limits]`, as a file or the environment has it.
pub(super) fn settings() -> Value {
    json!({
        "request_body": format!("{BODY_BYTES_MAX} B"),
        "provider_message": format!("{MESSAGE_BYTES_MAX} B"),
        "json_depth": JSON_DEPTH_MAX,
        "tool_definition": "1 KiB",
        "tools_per_provider": 4,
        "tools_per_user": 11,
        "tools_per_page": 4,
        "providers_per_user": PROVIDERS_MAX,
        "sessions_per_user": 2,
        "streams_per_user": STREAMS_MAX,
        "session_idle": format!("{}s", SESSION_IDLE.as_secs()),
        "calls_per_user": 5,
        "calls_per_second": 20,
        "calls_burst": 20,
        "calls_per_provider": 3,
        "call_idle": format!("{}s", CALL_IDLE.as_secs()),
        "call_total": format!("{}s", CALL_TOTAL.as_secs()),
        "provider_registration": "1s",
        "ping_interval": "1s",
        "ping_grace": "1500ms",
    })
}

pub(super) fn limits() -> Limits {
    let limits: Limits = serde_json::from_value(settings()).expect("good settings");
    assert_eq!(limits.provider_message, ByteSize::b(4096));
    limits
}

pub(super) fn failover() -> router::Options {
    let mut options = router::Options::default();
    options.breaker.failures = 3;
    options.breaker.pause = Duration::from_secs(1);
    options.breaker.pause_max = Duration::from_secs(4);
    options
}

/// A tool as `instance` of `user` declares it the `version`th time.
pub(super) fn tool(name: &str, user: &str, instance: &str, version: usize, odd: bool) -> Value {
    let schema = if odd {
        json!({ "type": "object", "properties": { "odd": { "type": "string" } } })
    } else {
        json!({ "type": "object" })
    };
    json!({
        "name": name,
        "description": format!("{name} of {user}, by {instance}, version {version}"),
        "inputSchema": schema,
        "annotations": { "readOnlyHint": is_repeatable(name) },
    })
}

pub(super) fn is_repeatable(tool: &str) -> bool {
    tool.starts_with("read")
}
