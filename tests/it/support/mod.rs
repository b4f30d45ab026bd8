//! What tests stand on: a hub of their own, and the witnesses that question it.

pub(crate) mod api;
pub(crate) mod binary;
pub(crate) mod bridge;
pub(crate) mod chance;
pub(crate) mod client;
pub(crate) mod collector;
pub(crate) mod exchange;
pub(crate) mod fake;
pub(crate) mod fixture_plugin;
pub(crate) mod fixtures;
pub(crate) mod guest;
pub(crate) mod hub;
pub(crate) mod identity;
pub(crate) mod keys;
pub(crate) mod plugins;
pub(crate) mod provider;
pub(crate) mod raw;
pub(crate) mod runner;
pub(crate) mod witness;

use std::time::Duration;

pub(crate) use self::{client::McpClient, hub::TestHub, provider::TestProvider};

/// The longest any test waits for something that is to happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until `condition` holds, or fails.
pub(crate) async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, waiting).await;
    assert!(waited.is_ok(), "never came true: {what}");
}

/// Resident memory of a process, in KiB.
pub(crate) fn resident(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"));
    let status = status.expect("Linux, and it runs");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a size");
    line.split_whitespace().nth(1).expect("a number").parse().expect("a number")
}
