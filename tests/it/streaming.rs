//! Progress, log messages, cancellation and news of the list, on their way through the hub.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use crate::support::{
    McpClient, TestHub, TestProvider,
    provider::{text, tool},
};

#[tokio::test]
async fn a_listening_client_and_a_session_hear_of_a_registration_at_once() {
    let hub = TestHub::start().await;
    let client = McpClient::new(&hub);
    let session = client.initialize("2025-11-25").await;
    let (mut modern, mut legacy) = (client.listen().await, session.stream().await);
    let registered = Instant::now();
    let _provider = TestProvider::offering(&hub, "p", &[tool("a")]).await;
    for stream in [&mut modern, &mut legacy] {
        let news = stream.next().await.expect("news");
        assert_eq!(news["method"], "notifications/tools/list_changed");
        assert!(registered.elapsed() < Duration::from_millis(300), "{:?}", registered.elapsed());
    }
}

#[tokio::test]
async fn a_modern_client_that_leaves_cancels_its_call() {
    let hub = TestHub::start().await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("slow")]).await;
    let client = McpClient::new(&hub);
    let request = client.modern_request("tools/call", json!({ "name": "slow" }));
    let call = tokio::time::timeout(Duration::from_millis(300), request.send());
    let (gone, (id, _)) = tokio::join!(call, provider.next_call());
    gone.expect_err("the client gave up");
    let notification = provider.next_notification().await;
    assert_eq!(notification["method"], "notifications/cancelled");
    assert_eq!(notification["params"]["requestId"], id);
    provider.answer(&id, text("too late")).await;
}
