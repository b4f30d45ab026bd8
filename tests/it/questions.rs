//! What a provider asks back, put to clients of sessions: each is asked on its own call's stream.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{
    McpClient, TestHub, TestProvider, eventually,
    exchange::{VERSION, able, end, form, next_request, questions, said, stage},
    provider::{text, tool},
};

async fn asking(change: impl FnOnce(&mut mcp_hub::config::Config)) -> (TestHub, TestProvider) {
    stage("ask", change).await
}

#[tokio::test]
async fn questions_go_to_the_client_and_the_answers_back_to_who_asked() {
    let (hub, mut provider) = asking(|_| {}).await;
    let session = able(&hub).await;
    let mut events = session.calling(7, "ask").await;

    let (id, params) = provider.next_call().await;
    assert_eq!(params["arguments"], Value::Null);
    let sampling = json!({ "method": "sampling/createMessage", "params": { "maxTokens": 1 } });
    let round =
        json!({ "name": form("Name?"), "words": sampling, "where": { "method": "roots/list" } });
    provider.answer(&id, questions(&round, "first")).await;
    let mut responses = json!({});
    // In the order in which they stand there.
    for (key, method) in [
        ("name", "elicitation/create"),
        ("where", "roots/list"),
        ("words", "sampling/createMessage"),
    ] {
        let request = next_request(&mut events).await;
        assert_eq!(request["method"], method);
        assert_eq!(request.get("params"), round[key].get("params"), "as it was asked");
        responses[key] = json!({ "answer to": key, "n": [1, 2] });
        assert_eq!(session.reply(&request, responses[key].clone()).await, StatusCode::ACCEPTED);
    }

    let (id, params) = provider.next_call().await;
    assert_eq!(params["inputResponses"], responses);
    assert_eq!(params["requestState"], "first");
    provider.answer(&id, questions(&json!({ "more": form("More?") }), "second")).await;
    let request = next_request(&mut events).await;
    session.reply(&request, json!({ "action": "decline" })).await;
    let (id, params) = provider.next_call().await;
    assert_eq!(params["inputResponses"], json!({ "more": { "action": "decline" } }));
    assert_eq!(params["requestState"], "second");
    provider.answer(&id, text("done")).await;
    let answer = end(&mut events).await;
    assert_eq!((&answer["id"], said(&answer)), (&json!(7), "done"));
    assert_eq!(hub.hub().user(&mcp_hub::model::id::UserId::public()).calls_in_flight(), 0);
}

#[tokio::test]
async fn only_what_the_client_can_do_is_asked() {
    let (hub, mut provider) = asking(|_| {}).await;
    let page = json!({ "method": "elicitation/create", "params": { "mode": "url", "url": "https://example.com" } });
    for (capabilities, asked, lacks) in [
        (json!({}), form("Name?"), "elicitation"),
        (json!({ "sampling": {} }), json!({ "method": "roots/list" }), "roots"),
        (json!({ "elicitation": {} }), page, "url"),
        (
            json!({ "roots": {} }),
            json!({ "method": "tools/list" }),
            "by which clients are not asked",
        ),
    ] {
        let session = McpClient::new(&hub).initialize_able(VERSION, capabilities).await;
        let (answer, ()) = tokio::join!(session.call(1, "ask", json!({})), async {
            let (id, _) = provider.next_call().await;
            provider.answer(&id, questions(&json!({ "k": asked }), "s")).await;
        });
        assert_eq!(answer.result()["isError"], true);
        assert!(answer.said().contains(lacks), "{}", answer.said());
    }
}

#[tokio::test]
async fn a_client_that_reads_no_streams_cannot_be_asked() {
    let (hub, mut provider) = asking(|_| {}).await;
    let session = able(&hub).await;
    let body =
        json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "ask" } });
    let request = session
        .client
        .request(reqwest::Method::POST)
        .header("content-type", "application/json")
        .header("accept", "application/json")
        .header("mcp-session-id", &session.id)
        .body(body.to_string());
    let (answer, ()) = tokio::join!(McpClient::send(request), async {
        let (id, _) = provider.next_call().await;
        provider.answer(&id, questions(&json!({ "k": form("Name?") }), "s")).await;
    });
    assert!(answer.said().contains("text/event-stream"), "{}", answer.said());
}

#[tokio::test]
async fn a_refusal_to_answer_fails_the_call_and_says_why() {
    let (hub, mut provider) = asking(|_| {}).await;
    let session = able(&hub).await;
    let mut events = session.calling(1, "ask").await;
    let (id, _) = provider.next_call().await;
    provider.answer(&id, questions(&json!({ "a": form("A?"), "b": form("B?") }), "s")).await;
    let (first, second) = (next_request(&mut events).await, next_request(&mut events).await);
    let error = json!({ "code": -1, "message": "User rejected it" });
    let body = json!({ "jsonrpc": "2.0", "id": second["id"], "error": error });
    McpClient::send(session.post(body.to_string())).await;
    let withdrawn = events.next().await.expect("a notification");
    assert_eq!(withdrawn["method"], "notifications/cancelled");
    assert_eq!(withdrawn["params"]["requestId"], first["id"]);
    let answer = end(&mut events).await;
    assert!(said(&answer).contains("User rejected it"), "{answer}");
    // Whoever says nothing has answered as well.
    let mut silent = session.calling(2, "ask").await;
    let (id, _) = provider.next_call().await;
    provider.answer(&id, questions(&json!({ "k": form("Name?") }), "s")).await;
    let request = next_request(&mut silent).await;
    let body = json!({ "jsonrpc": "2.0", "id": request["id"] });
    let answer = McpClient::send(session.post(body.to_string())).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert!(said(&end(&mut silent).await).contains("neither `result` nor `error`"));
    // Too late, and of no use to anybody.
    assert_eq!(session.reply(&first, json!({})).await, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn a_call_that_waits_for_its_client_is_in_flight_until_it_is_cancelled() {
    let (hub, mut provider) = asking(|config| {
        config.limits.calls_per_user = 1.try_into().unwrap();
    })
    .await;
    let session = able(&hub).await;
    let mut events = session.calling(1, "ask").await;
    let (id, _) = provider.next_call().await;
    provider.answer(&id, questions(&json!({ "k": form("Name?") }), "s")).await;
    let request = next_request(&mut events).await;
    let user = hub.hub().user(&mcp_hub::model::id::UserId::public());
    assert_eq!(user.calls_in_flight(), 1);
    let refused = session.call(2, "ask", json!({})).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS, "{refused:?}");

    session.notify("notifications/cancelled", json!({ "requestId": 1 })).await;
    let last = end(&mut events).await;
    assert_eq!(last["method"], "notifications/cancelled", "who cancels hears no more of the call");
    assert_eq!(last["params"]["requestId"], request["id"], "and owes no answer");
    eventually("its place is given back", || user.calls_in_flight() == 0).await;
    session.reply(&request, json!({ "action": "accept" })).await;
    provider.say(json!({ "jsonrpc": "2.0", "id": "idle", "method": "ping" })).await;
    assert_eq!(provider.hear().await.expect("an answer")["id"], "idle", "it is not called again");
}

#[tokio::test]
async fn nobody_answers_what_another_was_asked() {
    let hub = TestHub::with_users().await;
    let mut provider = TestProvider::offering_as(&hub, Some("alice"), "p", &[tool("ask")]).await;
    let can = json!({ "elicitation": {} });
    let alice = McpClient::of_user(&hub, "alice").initialize_able(VERSION, can.clone()).await;
    let other = McpClient::of_user(&hub, "alice").initialize_able(VERSION, can.clone()).await;
    let bob = McpClient::of_user(&hub, "bob").initialize_able(VERSION, can).await;
    let mut events = alice.calling(1, "ask").await;
    let (id, _) = provider.next_call().await;
    provider.answer(&id, questions(&json!({ "k": form("Name?") }), "s")).await;
    let request = next_request(&mut events).await;
    for foreign in [&other, &bob] {
        assert_eq!(foreign.reply(&request, json!({ "stolen": 1 })).await, StatusCode::ACCEPTED);
    }
    let smuggled = bob.client.request(reqwest::Method::POST).header("mcp-session-id", &alice.id);
    let body = json!({ "jsonrpc": "2.0", "id": request["id"], "result": { "stolen": 1 } });
    let smuggled = smuggled.header("content-type", "application/json").body(body.to_string());
    assert_eq!(McpClient::send(smuggled).await.status, StatusCode::NOT_FOUND);
    alice.reply(&request, json!({ "action": "accept" })).await;
    let (id, params) = provider.next_call().await;
    assert_eq!(params["inputResponses"], json!({ "k": { "action": "accept" } }));
    provider.answer(&id, text("hers")).await;
    assert_eq!(said(&end(&mut events).await), "hers");
}

#[tokio::test]
async fn an_answer_that_is_no_object_fails_the_call_at_once() {
    let (hub, mut provider) = asking(|_| {}).await;
    let session = able(&hub).await;
    for answer in [json!([1]), json!("yes")] {
        let mut events = session.calling(1, "ask").await;
        let (id, _) = provider.next_call().await;
        provider.answer(&id, questions(&json!({ "k": form("Name?") }), "s")).await;
        let request = next_request(&mut events).await;
        session.reply(&request, answer).await;
        let answer = end(&mut events).await;
        assert!(said(&answer).contains("elicitation/create is no object"), "{answer}");
    }
}

#[tokio::test]
async fn the_answers_of_a_round_are_bounded_together() {
    let (hub, mut provider) =
        asking(|config| config.limits.request_body = bytesize::ByteSize::kib(64)).await;
    let session = able(&hub).await;
    // Each is small enough to come in.
    let both = json!({ "a": form("A?"), "b": form("B?") });
    for (large, fits) in [(30 * 1024, true), (40 * 1024, false)] {
        let mut events = session.calling(1, "ask").await;
        let (id, _) = provider.next_call().await;
        provider.answer(&id, questions(&both, "s")).await;
        for _ in 0..2 {
            let request = next_request(&mut events).await;
            session.reply(&request, json!({ "x": "x".repeat(large) })).await;
        }
        if fits {
            let (id, _) = provider.next_call().await;
            provider.answer(&id, text("done")).await;
            assert_eq!(said(&end(&mut events).await), "done");
        } else {
            let answer = end(&mut events).await;
            assert!(said(&answer).contains("limits.request_body"), "{answer}");
        }
    }
}

#[tokio::test]
async fn a_call_that_waits_for_its_client_ends_when_the_hub_stops() {
    let (hub, mut provider) = asking(|_| {}).await;
    let session = able(&hub).await;
    let mut events = session.calling(1, "ask").await;
    let (id, _) = provider.next_call().await;
    provider.answer(&id, questions(&json!({ "k": form("Name?") }), "s")).await;
    next_request(&mut events).await;
    let (answer, ()) = tokio::join!(end(&mut events), hub.stop());
    assert!(said(&answer).contains("the hub is stopping"), "{answer}");
}
