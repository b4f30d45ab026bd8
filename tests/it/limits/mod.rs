//! Every bound takes effect where it says, and a refusal says which one it was: one below passes, at it
//! passes, one above does not. Those of connections are in `connections.rs`.

mod calls;
mod clients;
mod plugins;
mod providers;
mod sessions;
mod times;

use std::num::NonZeroUsize;

use mcp_hub::{config::Config, model::limits::Limits};
use reqwest::StatusCode;
use serde_json::Value;
use tokio::time::timeout;

use crate::support::{PATIENCE, TestHub, api::Looker, client::Answer, provider::tool};

fn count(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).expect("not zero")
}

async fn hub(change: impl FnOnce(&mut Limits)) -> TestHub {
    TestHub::with(|config: &mut Config| change(&mut config.limits)).await
}

fn tools(count: usize, prefix: &str) -> Vec<Value> {
    (0..count).map(|number| tool(&format!("{prefix}{number}"))).collect()
}

/// JSON with so many levels, itself being one.
fn nested(levels: usize) -> String {
    format!("{}1{}", "[".repeat(levels), "]".repeat(levels))
}

/// A text that makes the JSON of what `of` builds around it so many bytes long.
fn padded(bytes: usize, of: impl Fn(&str) -> Value) -> String {
    let padding = bytes - of("").to_string().len();
    let whole = of(&"x".repeat(padding)).to_string();
    assert_eq!(whole.len(), bytes);
    whole
}

/// A refusal for a bound: HTTP 429, when to come back, and a JSON-RPC error that begins with the key
/// of the configuration.
#[track_caller]
fn refused(answer: &Answer, key: &str, max: u64) {
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS, "{answer:?}");
    let retry = answer.headers.get("retry-after").expect("Retry-After");
    let seconds: u64 = retry.to_str().expect("ASCII").parse().expect("seconds");
    assert!(seconds >= 1);
    assert_eq!(answer.error()["data"]["limit"], max);
    assert_eq!(answer.error()["data"]["retryAfterSeconds"], seconds);
    let message = answer.error()["message"].as_str().expect("a message");
    assert!(message.starts_with(&format!("{key}, ")), "{message} does not name {key}");
    assert!(message.contains(&format!(" is {max};")), "{message}");
}

/// How often the limit `key` was in the way of the one user there is.
async fn hits(hub: &TestHub, key: &str) -> u64 {
    let health = Looker::new(hub).get("/health").await;
    let limits = health["limits"].as_array().expect("limits");
    let hit = limits.iter().find(|limit| limit["limit"] == key);
    hit.map_or(0, |limit| limit["hits"].as_u64().expect("a count"))
}

/// Waits until it was: a connection counts as closed after its farewell.
async fn until_hit(hub: &TestHub, key: &str) {
    let counted = async { while hits(hub, key).await == 0 {} };
    timeout(PATIENCE, counted).await.expect("it is counted");
}
