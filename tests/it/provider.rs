//! The wire contract `mcp-hub.v1`, from a provider's side of the socket.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt, stream};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::{task::JoinSet, time::timeout};
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use crate::support::{
    McpClient, PATIENCE, TestHub, TestProvider, eventually,
    hub::token,
    provider::{read_only, text, tool},
};

/// `providers/register` as a frame with id 1.
fn registration(instance: &str, tools: &[Value]) -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": "providers/register",
        "params": { "provider": { "name": "p", "instanceId": instance }, "tools": tools } })
}

#[tokio::test]
async fn a_registration_is_answered_with_who_one_is_and_what_the_bounds_are() {
    let hub = TestHub::with(|config| {
        config.auth.secret = Some(crate::support::hub::SECRET.into());
        config.limits.provider_message = bytesize::ByteSize::mib(2);
        config.limits.calls_per_provider = 7.try_into().expect("not zero");
        config.limits.tools_per_provider = 9.try_into().expect("not zero");
    })
    .await;
    let _older = TestProvider::offering_as(&hub, Some("alice"), "older", &[tool("b")]).await;
    let _foreign = TestProvider::offering_as(&hub, Some("bob"), "foreign", &[tool("b")]).await;
    let mut provider = TestProvider::dial(&hub, Some(&token("alice"))).await.expect("let in");
    let answer = provider.register("p", &[tool("a"), tool("b")]).await;
    let result = &answer["result"];
    let id = result["providerId"].as_str().expect("an id");
    assert!(id.starts_with("prv_") && id.len() > 20, "{id}");
    assert_eq!(result["user"], "alice");
    assert_eq!(result["hub"], json!({ "name": "mcp-hub", "version": env!("CARGO_PKG_VERSION") }));
    let bytes = 2 * 1024 * 1024;
    let limits = json!({ "messageBytes": bytes, "callsInFlight": 7, "tools": 9, "jsonDepth": 128 });
    assert_eq!(result["limits"], limits);
    let places =
        json!([{ "name": "a", "position": 1, "of": 1 }, { "name": "b", "position": 1, "of": 2 }]);
    assert_eq!(result["tools"], places);
    assert_eq!(result.get("warnings"), None);
}

#[tokio::test]
async fn names_that_some_clients_cut_are_taken_in_with_a_warning() {
    let hub = TestHub::start().await;
    let mut provider = TestProvider::dial(&hub, None).await.expect("let in");
    let [fits, long, longest] = [64, 65, 128].map(|length| "n".repeat(length));
    let answer = provider.register("p", &[tool(&fits), tool(&long), tool(&longest)]).await;
    let warnings = answer["result"]["warnings"].as_array().expect("warnings");
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].as_str().is_some_and(|text| text.contains(&long)), "{warnings:?}");
    let answer = provider.register("p", &[tool(&"n".repeat(129))]).await;
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
}

#[tokio::test]
async fn a_registration_replaces_the_whole_set_at_once() {
    let hub = TestHub::start().await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("a"), tool("b")]).await;
    let client = McpClient::new(&hub);
    assert_eq!(client.tools().await, ["a", "b"]);
    let first = provider.register("p", &[tool("b"), tool("c")]).await;
    assert_eq!(client.tools().await, ["b", "c"]);
    let second = provider.register("p", &[]).await;
    assert!(client.tools().await.is_empty());
    let id = |answer: &Value| answer["result"]["providerId"].clone();
    assert_eq!(id(&first), id(&second), "it is the same provider still");
}

#[tokio::test]
async fn a_list_is_never_seen_half_replaced() {
    let hub = TestHub::start().await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("a1"), tool("a2")]).await;
    let client = McpClient::new(&hub);
    let replacing = async {
        for round in 0..50 {
            let names = if round % 2 == 0 { ["b1", "b2"] } else { ["a1", "a2"] };
            provider.register("p", &names.map(tool)).await;
        }
    };
    tokio::pin!(replacing);
    loop {
        tokio::select! {
            () = &mut replacing => break,
            seen = client.tools() => {
                assert!(seen == ["a1", "a2"] || seen == ["b1", "b2"], "{seen:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_faulty_set_is_refused_whole_and_the_one_before_stays() {
    let hub = TestHub::start().await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("before")]).await;
    let faulty = [tool("fine"), json!({ "name": "bad name", "inputSchema": {} }), tool("fine")];
    let answer = provider.register("p", &faulty).await;
    assert_eq!(answer["error"]["code"], -32602);
    assert_eq!(answer["error"]["message"], "2 of 3 tools are faulty; none was taken in");
    let refused = &answer["error"]["data"]["tools"];
    assert_eq!(refused[0]["index"], 1);
    assert_eq!(refused[0]["name"], "bad name");
    assert!(refused[0]["reason"].as_str().is_some_and(|why| why.contains("[A-Za-z0-9_.-]")));
    assert_eq!(refused[1], json!({ "index": 2, "name": "fine", "reason": "declared twice" }));
    assert_eq!(McpClient::new(&hub).tools().await, ["before"]);
}

#[tokio::test]
async fn registrations_without_the_needed_members_are_refused_with_a_reason() {
    let hub = TestHub::start().await;
    let provider = |provider: Value| json!({ "provider": provider, "tools": [] });
    for (params, reason) in [
        (Value::Null, "missing"),
        (json!({}), "provider"),
        (json!({ "provider": { "name": "p" } }), "tools"),
        (provider(json!({ "version": "1" })), "name"),
        (provider(json!({ "name": "" })), "`provider.name`"),
        (provider(json!({ "name": "n".repeat(129) })), "`provider.name`"),
        (provider(json!({ "name": "a\u{7}b" })), "`provider.name`"),
        (provider(json!({ "name": "p", "version": "" })), "`provider.version`"),
        (provider(json!({ "name": "p", "instanceId": "" })), "`provider.instanceId`"),
        (provider(json!({ "name": "p", "instanceId": "i".repeat(129) })), "`provider.instanceId`"),
    ] {
        let mut socket = TestProvider::dial(&hub, None).await.expect("let in");
        let mut request = json!({ "jsonrpc": "2.0", "id": 1, "method": "providers/register" });
        if !params.is_null() {
            request["params"] = params.clone();
        }
        socket.say(request).await;
        let answer = socket.hear().await.expect("an answer");
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(1), &json!(-32602)));
        let message = answer["error"]["message"].as_str().expect("a message");
        assert!(message.contains(reason), "{params}: {message}");
    }
}

#[tokio::test]
async fn the_same_instance_takes_the_place_of_its_old_socket_and_calls_there_are_lost() {
    let hub = TestHub::start().await;
    let mut old = TestProvider::offering(&hub, "p", &[tool("t")]).await;
    let client = McpClient::new(&hub);
    let reconnect = async {
        old.next_call().await;
        let new = TestProvider::offering(&hub, "p", &[tool("t")]).await;
        (old.close_code().await, new)
    };
    let (answer, (code, new)) = tokio::join!(client.call("t", json!({})), reconnect);
    assert_eq!(code, 4409);
    assert_eq!(answer.result()["isError"], true);
    assert!(answer.said().contains("connection was lost"), "{}", answer.said());
    assert_eq!(hub.hub().figures().providers, 1);
    let _serving = new.serve(|_| text("new"));
    assert_eq!(client.call("t", json!({})).await.said(), "new");
}

#[tokio::test]
async fn the_hub_hangs_up_as_soon_as_its_farewell_is_answered() {
    let hub = TestHub::start().await;
    let mut old = TestProvider::offering(&hub, "p", &[tool("t")]).await;
    let _new = TestProvider::offering(&hub, "p", &[tool("t")]).await;
    assert_eq!(old.close_code().await, 4409);
    // A peer that leaves hanging up to the server, as RFC 6455 §7.1.1 would have it, is not kept
    // waiting for the hub's patience to end.
    let hung_up = timeout(Duration::from_secs(1), old.socket.next()).await;
    assert!(hung_up.expect("at once").is_none());
}

#[tokio::test]
async fn requests_of_a_provider_are_answered() {
    let hub = TestHub::start().await;
    let mut provider = TestProvider::dial(&hub, None).await.expect("let in");
    for id in [json!(0), json!("p-1"), json!(-3)] {
        provider.say(json!({ "jsonrpc": "2.0", "id": id, "method": "ping" })).await;
        let expected = json!({ "jsonrpc": "2.0", "id": id, "result": {} });
        assert_eq!(provider.hear().await.expect("an answer"), expected);
    }
    provider.say(json!({ "jsonrpc": "2.0", "id": 9, "method": "tools/list" })).await;
    let answer = provider.hear().await.expect("an answer");
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(9), &json!(-32601)));
    let message = answer["error"]["message"].as_str().expect("a message");
    assert!(message.contains("\"tools/list\""), "{message}");
}

#[tokio::test]
async fn what_is_no_json_rpc_closes_the_socket_with_a_reason() {
    let hub = TestHub::with(|config| {
        config.limits.provider_message = bytesize::ByteSize::kib(64);
        config.limits.tool_definition = bytesize::ByteSize::kib(1);
    })
    .await;
    let deep = format!(r#"{{"jsonrpc":"2.0","method":"m","params":{}}}"#, "[".repeat(200));
    let large = format!(r#"{{"jsonrpc":"2.0","method":"{}"}}"#, "m".repeat(64 * 1024));
    for (frame, code, reason) in [
        (Message::text("{"), 1008, "JSON"),
        (Message::text("[]"), 1008, "JSON-RPC"),
        (Message::text(r#"{"id":1,"method":"ping"}"#), 1008, "JSON-RPC"),
        (Message::text(r#"{"jsonrpc":"2.0","id":1}"#), 1008, "JSON-RPC"),
        (Message::text(r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#), 1008, "\"id\""),
        (Message::text(deep), 1008, "128"),
        (Message::text(large), 1009, "too large"),
        (Message::binary(b"{}".to_vec()), 1008, "binary"),
    ] {
        let mut provider = TestProvider::offering(&hub, "p", &[tool("t")]).await;
        let case = format!("{frame:.60?}");
        provider.socket.send(frame).await.expect("sent");
        let Err(Some(close)) = provider.hear().await else { panic!("{case}: no close frame") };
        assert_eq!(u16::from(close.code), code, "{case}");
        assert!(close.reason.contains(reason), "{case}: {}", close.reason);
    }
}

#[tokio::test]
async fn a_provider_that_takes_its_leave_is_answered_in_kind() {
    let hub = TestHub::start().await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("t")]).await;
    let close = CloseFrame { code: CloseCode::Normal, reason: "done".into() };
    provider.socket.send(Message::Close(Some(close))).await.expect("sent");
    let echoed = provider.hear().await.expect_err("no message any more");
    assert_eq!(echoed.map(|frame| u16::from(frame.code)), Some(1000), "a clean close");
    eventually("its tools are gone", || hub.hub().figures().providers == 0).await;
}

#[tokio::test]
async fn a_call_carries_what_the_client_said_and_nothing_else() {
    let hub = TestHub::with_users().await;
    let mut provider = TestProvider::offering_as(&hub, Some("alice"), "p", &[tool("t")]).await;
    let token = token("alice");
    let client = McpClient::new(&hub).with_token(token.clone());
    let meta = json!({
        "progressToken": "the client's own",
        "io.modelcontextprotocol/clientCapabilities": { "sampling": {} },
        "io.modelcontextprotocol/clientInfo": { "name": "c", "version": "1" },
        "io.modelcontextprotocol/logLevel": "info",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "com.example/own": { "deep": [1, 2.50] },
    });
    let params = json!({ "name": "t", "arguments": { "q": 1 }, "_meta": meta });
    let request = McpClient::send(client.modern_request("tools/call", params));
    let answering = async {
        let (id, params) = provider.next_call().await;
        provider.answer(&id, text("done")).await;
        (id, params)
    };
    let (answer, (id, params)) = tokio::join!(request, answering);
    assert_eq!(answer.said(), "done");
    assert!(id.is_u64(), "{id}");
    assert_eq!(params["_meta"]["progressToken"], id, "always the hub's own");
    for (key, value) in meta.as_object().expect("an object") {
        if key != "progressToken" {
            assert_eq!(&params["_meta"][key], value, "{key}");
        }
    }
    assert_eq!(params["arguments"], json!({ "q": 1 }));
    let members: Vec<_> = params.as_object().expect("an object").keys().collect();
    assert_eq!(members, ["_meta", "arguments", "name"], "no others unless the client sent them");
    assert!(!params.to_string().contains(&token), "the client's token is its own");
}

#[tokio::test]
async fn a_legacy_call_carries_what_its_session_said() {
    let hub = TestHub::start().await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("t")]).await;
    let session = McpClient::new(&hub).initialize("2025-11-25").await;
    session.request(5, "logging/setLevel", json!({ "level": "warning" })).await;
    let call = session.call(6, "t", json!({}));
    let answering = async {
        let (id, params) = provider.next_call().await;
        provider.answer(&id, text("done")).await;
        (id, params["_meta"].clone())
    };
    let (answer, (id, meta)) = tokio::join!(call, answering);
    assert_eq!(answer.said(), "done");
    let expected = json!({
        "progressToken": id,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
        "io.modelcontextprotocol/logLevel": "warning",
    });
    assert_eq!(meta, expected);
}

#[tokio::test]
async fn the_result_reaches_the_client_byte_for_byte() {
    let hub = TestHub::start().await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("t")]).await;
    let session = McpClient::new(&hub).initialize("2025-11-25").await;
    let result = r#"{ "content":[ ],"structuredContent":{"n":12345678901234567890123,"x":1.50},"_meta":{"b":1, "a":"\u00e9"} }"#;
    let answering = async {
        let (id, _) = provider.next_call().await;
        let frame = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#);
        provider.say_text(&frame).await;
    };
    let (answer, ()) = tokio::join!(session.call(6, "t", json!({})), answering);
    assert!(answer.text.contains(result), "{}", answer.text);
}

#[tokio::test]
async fn a_provider_hears_why_nobody_waits_any_more() {
    let hub = TestHub::with(|config| config.limits.call_idle = Duration::from_millis(50)).await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("t")]).await;
    let client = McpClient::new(&hub);
    let hears = async {
        let (id, _) = provider.next_call().await;
        (id, provider.next_notification().await)
    };
    let (answer, (id, notification)) = tokio::join!(client.call("t", json!({})), hears);
    assert_eq!(answer.result()["isError"], true);
    assert_eq!(notification["method"], "notifications/cancelled");
    let expected = json!({ "requestId": id, "reason": "the call ran out of time" });
    assert_eq!(notification["params"], expected);

    // A late answer is ignored, and the connection goes on.
    provider.answer(&id, text("late")).await;
    let _serving = provider.serve(|_| text("in time"));
    assert_eq!(client.call("t", json!({})).await.said(), "in time");
}

#[tokio::test]
async fn a_legacy_clients_cancellation_reaches_the_provider_with_a_reason() {
    let hub = TestHub::start().await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("t")]).await;
    let session = McpClient::new(&hub).initialize("2025-11-25").await;
    let cancel = async {
        let (id, _) = provider.next_call().await;
        let params = json!({ "requestId": 7, "reason": "changed my mind" });
        session.notify("notifications/cancelled", params).await;
        (id, provider.next_notification().await)
    };
    let (_, (id, notification)) = tokio::join!(session.call(7, "t", json!({})), cancel);
    assert_eq!(notification["params"]["requestId"], id);
    assert_eq!(notification["params"]["reason"], "the client cancelled the call");
}

#[tokio::test]
async fn a_silent_peer_is_dropped_and_one_that_answers_pings_is_not() {
    let hub = TestHub::with(|config| {
        config.limits.ping_interval = Duration::from_millis(100);
        config.limits.ping_grace = Duration::from_millis(200);
    })
    .await;
    let lively = TestProvider::offering(&hub, "lively", &[tool("t")]).await;
    let _serving = lively.serve(|_| text("alive"));
    // Nobody reads from its socket, so nobody answers pings.
    let mut silent = TestProvider::offering(&hub, "silent", &[tool("u")]).await;
    assert_eq!(hub.hub().figures().providers, 2);
    eventually("the silent one is dropped", || hub.hub().figures().providers == 1).await;
    let client = McpClient::new(&hub);
    assert_eq!(client.call("t", json!({})).await.said(), "alive");
    assert_eq!(client.tools().await, ["t"]);
    assert_eq!(silent.close_code().await, 1008);
}

#[tokio::test]
async fn a_connection_that_never_registers_is_closed() {
    let hub = TestHub::with(|config| {
        config.limits.provider_registration = Duration::from_millis(50);
    })
    .await;
    let mut talks = TestProvider::dial(&hub, None).await.expect("let in");
    talks.say(json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" })).await;
    assert_eq!(talks.close_code().await, 1008);
    let mut refused = TestProvider::dial(&hub, None).await.expect("let in");
    refused.register("p", &[json!({})]).await;
    assert_eq!(refused.close_code().await, 1008, "a refused registration is none");
    let mut registered = TestProvider::offering(&hub, "p", &[tool("t")]).await;
    talks = TestProvider::dial(&hub, None).await.expect("let in");
    assert_eq!(talks.close_code().await, 1008);
    registered.say(json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" })).await;
    assert_eq!(registered.hear().await.expect("still there")["result"], json!({}));
}

#[tokio::test]
async fn calls_beyond_a_providers_bound_go_to_the_next() {
    let hub =
        TestHub::with(|config| config.limits.calls_per_provider = 2.try_into().expect("not zero"))
            .await;
    let older = TestProvider::offering(&hub, "older", &[tool("t")]).await;
    let _serving = older.serve(|_| text("older"));
    let mut newest = TestProvider::offering(&hub, "newest", &[tool("t")]).await;
    let client = McpClient::new(&hub);
    let held = async { tokio::join!(client.call("t", json!({})), client.call("t", json!({}))) };
    let meanwhile = async {
        let (first, _) = newest.next_call().await;
        let (second, _) = newest.next_call().await;
        assert_eq!(client.call("t", json!({})).await.said(), "older", "the newest is full");
        newest.answer(&first, text("newest")).await;
        newest.answer(&second, text("newest")).await;
        newest
    };
    let ((first, second), newest) = tokio::join!(held, meanwhile);
    assert_eq!((first.said(), second.said()), ("newest", "newest"));
    let _serving = newest.serve(|_| text("newest"));
    assert_eq!(client.call("t", json!({})).await.said(), "newest", "places are given back");
}

#[tokio::test]
async fn a_provider_that_does_not_read_holds_up_nobody_else() {
    let hub = TestHub::with(|config| {
        config.limits.calls_per_provider = 16.try_into().expect("not zero");
        config.limits.call_idle = Duration::from_secs(2);
    })
    .await;
    let lively = TestProvider::offering(&hub, "lively", &[tool("quick")]).await;
    let _serving = lively.serve(|_| text("quick"));
    let _stuck = TestProvider::offering(&hub, "stuck", &[tool("stuck")]).await;
    let client = McpClient::new(&hub);
    let arguments = json!({ "padding": "x".repeat(2 * 1024 * 1024) });
    let stuck = stream::iter(0..24).map(|_| client.call("stuck", arguments.clone()));
    let mut stuck = stuck.buffer_unordered(24);
    let refused = stuck.next().await.expect("an answer");
    assert!(refused.said().contains("too many calls in flight"), "{}", refused.said());
    let quick = timeout(Duration::from_secs(1), client.call("quick", json!({})));
    assert_eq!(quick.await.expect("at once").said(), "quick");
    let rest: Vec<_> = stuck.collect().await;
    assert_eq!(rest.len(), 23);
    assert!(rest.iter().all(|answer| answer.result()["isError"] == true));
}

#[tokio::test]
async fn a_provider_that_asks_without_reading_the_answers_is_not_read_for_ever() {
    const CHUNK: usize = 256 * 1024;
    const CHUNKS: usize = 256;
    let hub = TestHub::start().await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("t")]).await;
    let ping = json!({ "jsonrpc": "2.0", "id": "x".repeat(CHUNK), "method": "ping" }).to_string();
    let mut sent = 0;
    while sent < CHUNKS {
        let sending = provider.socket.send(Message::text(ping.clone()));
        match timeout(Duration::from_secs(1), sending).await {
            Ok(Ok(())) => sent += 1,
            // The hub has stopped reading, or has had enough.
            Err(_) | Ok(Err(_)) => break,
        }
    }
    assert!(sent < CHUNKS, "the hub keeps {} MiB of answers nobody reads", (sent * CHUNK) >> 20);
}

#[tokio::test]
async fn providers_are_told_when_the_hub_stops() {
    let hub = TestHub::start().await;
    let mut registered = TestProvider::offering(&hub, "p", &[tool("t")]).await;
    let mut fresh = TestProvider::dial(&hub, None).await.expect("let in");
    let codes = async { (registered.close_code().await, fresh.close_code().await) };
    let ((), codes) = tokio::join!(hub.stop(), codes);
    assert_eq!(codes, (1001, 1001));
}

#[tokio::test]
async fn a_request_that_is_no_websocket_is_told_what_this_is() {
    let hub = TestHub::start().await;
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let request = http.request(Method::GET, format!("{}/clients/ws", hub.url()));
    let response = timeout(PATIENCE, request.send()).await.expect("in time").expect("a response");
    assert_eq!(response.status(), 400);
    let text = response.text().await.expect("a body");
    assert!(text.contains("WebSocket"), "{text}");
}

#[tokio::test]
async fn a_second_registration_cannot_change_the_instance() {
    let hub = TestHub::start().await;
    let mut provider = TestProvider::dial(&hub, None).await.expect("let in");
    for (instance, is_refused) in [("i-1", false), ("i-1", false), ("i-2", true)] {
        provider.say(registration(instance, &[tool("t")])).await;
        let answer = provider.hear().await.expect("an answer");
        assert_eq!(answer.get("error").is_some(), is_refused, "{answer}");
    }
    assert_eq!(McpClient::new(&hub).tools().await, ["t"]);
}

#[tokio::test]
async fn many_calls_share_one_socket_and_answers_may_come_in_any_order() {
    let hub = TestHub::start().await;
    let mut provider = TestProvider::offering(&hub, "p", &[read_only("t")]).await;
    let client = McpClient::new(&hub);
    let mut calls = JoinSet::new();
    for number in 0..20 {
        let client = client.clone();
        calls.spawn(async move {
            let answer = client.call("t", json!({ "number": number })).await;
            assert_eq!(answer.said(), number.to_string());
        });
    }
    let mut received = Vec::new();
    while received.len() < 20 {
        received.push(provider.next_call().await);
    }
    for (id, params) in received.iter().rev() {
        provider.answer(id, text(&params["arguments"]["number"].to_string())).await;
    }
    while let Some(call) = calls.join_next().await {
        call.expect("its own answer");
    }
}
