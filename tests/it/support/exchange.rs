//! A provider at work on a call of a session, and what both say on the way.

use mcp_hub::{config::Config, model::id::UserId};
use serde_json::{Value, json};

use super::{
    McpClient, TestHub, TestProvider,
    client::{Events, LegacySession},
    eventually,
    provider::tool,
};

/// The newest revision with sessions.
pub(crate) const VERSION: &str = "2025-11-25";

/// A hub with one provider of one tool.
pub(crate) async fn stage(name: &str, change: impl FnOnce(&mut Config)) -> (TestHub, TestProvider) {
    let hub = TestHub::with(change).await;
    let provider = TestProvider::offering(&hub, "p", &[tool(name)]).await;
    (hub, provider)
}

/// A session of a client that can be asked everything.
pub(crate) async fn able(hub: &TestHub) -> LegacySession {
    let all = json!({ "elicitation": { "form": {}, "url": {} }, "sampling": {}, "roots": {} });
    McpClient::new(hub).initialize_able(VERSION, all).await
}

/// Waits until no call of the one user there is is in flight.
pub(crate) async fn quiet(hub: &TestHub) {
    let user = hub.hub().user(&UserId::public());
    eventually("no call is in flight", || user.calls_in_flight() == 0).await;
}

/// A form for the user to fill in.
pub(crate) fn form(message: &str) -> Value {
    json!({ "method": "elicitation/create", "params": { "message": message, "requestedSchema": {} } })
}

/// The result by which a provider asks back.
pub(crate) fn questions(requests: &Value, state: &str) -> Value {
    json!({ "resultType": "input_required", "inputRequests": requests, "requestState": state })
}

/// Tells how far the call `id` has come.
pub(crate) async fn progress(provider: &mut TestProvider, id: &Value, progress: u64) {
    let params = json!({ "progressToken": id, "progress": progress });
    let notice = json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": params });
    provider.say(notice).await;
}

/// The hub's next request to the client, whatever else comes before.
pub(crate) async fn next_request(events: &mut Events) -> Value {
    loop {
        let message = events.next().await.expect("a request");
        if message.get("method").is_some() && message.get("id").is_some() {
            return message;
        }
    }
}

/// The last message of a call's stream.
pub(crate) async fn end(events: &mut Events) -> Value {
    let mut last = Value::Null;
    while let Some(message) = events.next().await {
        last = message;
    }
    last
}

/// The text of an answer.
pub(crate) fn said(answer: &Value) -> &str {
    answer["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("no text: {answer}"))
}

/// What a message of a call's stream says, in short.
pub(crate) fn short(message: &Value) -> String {
    match message["method"].as_str() {
        Some("notifications/progress") => message["params"]["progress"].to_string(),
        Some(method) => method.to_owned(),
        None => message["result"]["content"][0]["text"].as_str().unwrap_or("?").to_owned(),
    }
}

/// All that is left of a call's stream, in short.
pub(crate) async fn rest(events: &mut Events) -> Vec<String> {
    let mut all = Vec::new();
    while let Some(message) = events.next().await {
        all.push(short(&message));
    }
    all
}
