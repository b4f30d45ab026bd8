//! How many sessions and event streams a user may have.

use reqwest::StatusCode;
use serde_json::json;
use tokio::time::timeout;

use super::{count, hits, hub, refused};
use crate::support::{
    McpClient, PATIENCE, TestHub,
    client::{Answer, Events},
};

#[tokio::test]
async fn a_user_may_have_so_many_sessions_and_loses_the_idlest() {
    let hub = hub(|limits| limits.sessions_per_user = count(2)).await;
    let client = McpClient::new(&hub);
    let first = client.initialize("2025-11-25").await;
    let second = client.initialize("2025-11-25").await;
    assert_eq!(first.request(1, "ping", json!({})).await.status, StatusCode::OK);
    let third = client.initialize("2025-11-25").await;
    let gone = second.request(1, "ping", json!({})).await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND, "the idlest made room");
    for session in [&first, &third] {
        assert_eq!(session.request(1, "ping", json!({})).await.status, StatusCode::OK);
    }
    let _streams = (first.stream().await, third.stream().await);
    let hello = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize",
        "params": { "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {} } });
    let answer = McpClient::send(client.post(hello.to_string())).await;
    refused(&answer, "limits.sessions_per_user", 2);
    assert_eq!(answer.headers["retry-after"], "30");
    assert_eq!(hits(&hub, "limits.sessions_per_user").await, 1);
    assert_eq!(third.delete().await, StatusCode::NO_CONTENT);
    client.initialize("2025-11-25").await;
}

#[tokio::test]
async fn one_users_sessions_do_not_cost_another_theirs() {
    let hub = TestHub::with(|config| {
        config.auth.secret = Some(crate::support::hub::SECRET.into());
        config.limits.sessions_per_user = count(1);
    })
    .await;
    let alice = McpClient::of_user(&hub, "alice").initialize("2025-11-25").await;
    for _ in 0..3 {
        McpClient::of_user(&hub, "bob").initialize("2025-11-25").await;
    }
    assert_eq!(alice.request(1, "ping", json!({})).await.status, StatusCode::OK);
}

async fn opened(client: &McpClient) -> Answer {
    let wanted = json!({ "notifications": { "toolsListChanged": true } });
    McpClient::send(client.modern_request("subscriptions/listen", wanted)).await
}

#[tokio::test]
async fn a_user_may_hold_so_many_streams_open() {
    let hub = hub(|limits| limits.streams_per_user = count(2)).await;
    let client = McpClient::new(&hub);
    let session = client.initialize("2025-11-25").await;
    let (first, _second): (Events, Events) = (client.listen().await, session.stream().await);
    refused(&opened(&client).await, "limits.streams_per_user", 2);
    let again = client.request(reqwest::Method::GET).header("mcp-session-id", &session.id);
    let again = McpClient::send(again.header("accept", "text/event-stream")).await;
    refused(&again, "limits.streams_per_user", 2);
    assert_eq!(hits(&hub, "limits.streams_per_user").await, 2);
    drop(first);
    let freed = async {
        loop {
            let wanted = json!({ "notifications": { "toolsListChanged": true } });
            let request = client.modern_request("subscriptions/listen", wanted);
            let response = request.send().await.expect("a response");
            if response.status() == StatusCode::OK {
                break;
            }
        }
    };
    timeout(PATIENCE, freed).await.expect("the place is given back");
}
