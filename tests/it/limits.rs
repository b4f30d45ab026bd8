//! Every bound takes effect where it says, and a refusal says which one it was.

use std::{num::NonZeroUsize, time::Duration};

use bytesize::ByteSize;
use mcp_hub::{config::Config, model::limits::Limits};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::{Instant, timeout},
};

use crate::support::{
    McpClient, PATIENCE, TestHub, TestProvider,
    client::{Answer, Events},
    eventually,
    provider::{read_only, text, tool},
};

fn count(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).expect("not zero")
}

async fn hub(change: impl FnOnce(&mut Limits)) -> TestHub {
    TestHub::with(|config: &mut Config| change(&mut config.limits)).await
}

fn tools(count: usize, prefix: &str) -> Vec<Value> {
    (0..count).map(|number| tool(&format!("{prefix}{number}"))).collect()
}

/// A refusal for a bound: HTTP 429, when to come back, and a JSON-RPC error that names the bound.
#[track_caller]
fn refused(answer: &Answer, bound: &str, max: u64) {
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS, "{answer:?}");
    let retry = answer.headers.get("retry-after").expect("Retry-After");
    let seconds: u64 = retry.to_str().expect("ASCII").parse().expect("seconds");
    assert!(seconds >= 1);
    assert_eq!(answer.error()["data"]["limit"], max);
    assert_eq!(answer.error()["data"]["retryAfterSeconds"], seconds);
    let message = answer.error()["message"].as_str().expect("a message");
    assert!(message.contains(bound) && message.contains(&max.to_string()), "{message}");
}

#[tokio::test]
async fn a_provider_may_declare_so_many_tools() {
    let hub = hub(|limits| limits.tools_per_provider = count(3)).await;
    let mut provider = TestProvider::dial(&hub, None).await.expect("let in");
    for (number, fits) in [(2, true), (3, true), (4, false), (3, true)] {
        let answer = provider.register("p", &tools(number, "t")).await;
        assert_eq!(answer.get("result").is_some(), fits, "{number} tools: {answer}");
        if !fits {
            let message =
                "4 tools were declared; a provider may have 3 (limits.tools_per_provider)";
            assert_eq!(answer["error"]["message"], message);
            assert_eq!(McpClient::new(&hub).tools().await.len(), 3, "what was there stays");
        }
    }
}

#[tokio::test]
async fn a_users_providers_may_declare_so_many_tools_together() {
    let hub = hub(|limits| limits.tools_per_user = count(5)).await;
    let _first = TestProvider::offering(&hub, "first", &tools(3, "a")).await;
    let mut second = TestProvider::dial(&hub, None).await.expect("let in");
    for (number, fits) in [(1, true), (2, true), (3, false), (2, true)] {
        let answer = second.register("second", &tools(number, "b")).await;
        assert_eq!(answer.get("result").is_some(), fits, "{number} tools: {answer}");
        if !fits {
            let message = answer["error"]["message"].as_str().expect("a message");
            assert!(message.contains("5 tools") && message.contains("make 6"), "{message}");
        }
    }
    assert_eq!(McpClient::new(&hub).tools().await.len(), 5);
}

#[tokio::test]
async fn a_user_may_have_so_many_providers() {
    let hub = hub(|limits| limits.providers_per_user = count(2)).await;
    let first = TestProvider::offering(&hub, "first", &[tool("a")]).await;
    let _second = TestProvider::offering(&hub, "second", &[tool("b")]).await;
    let mut third = TestProvider::dial(&hub, None).await.expect("let in");
    let answer = third.register("third", &[tool("c")]).await;
    assert_eq!(
        answer["error"]["message"],
        "a user may have 2 providers (limits.providers_per_user)"
    );
    let answer = third.register("second", &[tool("c")]).await;
    assert!(answer.get("result").is_some(), "one that reconnects takes its own place: {answer}");
    drop(first);
    eventually("the first is gone", || hub.hub().figures().providers == 1).await;
    let mut fourth = TestProvider::dial(&hub, None).await.expect("let in");
    let answer = fourth.register("fourth", &[tool("d")]).await;
    assert!(answer.get("result").is_some(), "the place was given back: {answer}");
}

#[tokio::test]
async fn a_user_may_hold_two_sockets_open_for_each_provider() {
    let hub = hub(|limits| limits.providers_per_user = count(1)).await;
    let first = TestProvider::dial(&hub, None).await.expect("let in");
    let _second = TestProvider::dial(&hub, None).await.expect("let in");
    let third = TestProvider::dial(&hub, None).await.err();
    assert_eq!(third.map(|status| status.as_u16()), Some(429));
    drop(first);
    let again = async { while TestProvider::dial(&hub, None).await.is_err() {} };
    timeout(PATIENCE, again).await.expect("the place is given back");
}

#[tokio::test]
async fn a_definition_may_have_so_many_bytes() {
    let sized = |bytes: usize| {
        let mut tool = tool("t");
        tool["description"] = json!("");
        let padding = bytes - tool.to_string().len();
        tool["description"] = json!("x".repeat(padding));
        assert_eq!(tool.to_string().len(), bytes);
        tool
    };
    let hub = hub(|limits| limits.tool_definition = ByteSize::b(500)).await;
    let mut provider = TestProvider::dial(&hub, None).await.expect("let in");
    for (bytes, fits) in [(499, true), (500, true), (501, false)] {
        let answer = provider.register("p", &[sized(bytes)]).await;
        assert_eq!(answer.get("result").is_some(), fits, "{bytes} bytes: {answer}");
        if !fits {
            let reason = "the definition has 501 bytes; the limit is 500 (limits.tool_definition)";
            assert_eq!(answer["error"]["data"]["tools"][0]["reason"], reason);
        }
    }
}

#[tokio::test]
async fn a_providers_message_may_have_so_many_bytes() {
    let hub = hub(|limits| {
        limits.provider_message = ByteSize::b(2_000);
        limits.tool_definition = ByteSize::b(1_000);
    })
    .await;
    let frame = |bytes: usize| {
        let empty = json!({ "jsonrpc": "2.0", "id": "", "method": "ping" }).to_string().len();
        json!({ "jsonrpc": "2.0", "id": "x".repeat(bytes - empty), "method": "ping" }).to_string()
    };
    for (bytes, fits) in [(1_999, true), (2_000, true), (2_001, false)] {
        let mut provider = TestProvider::dial(&hub, None).await.expect("let in");
        provider.say_text(&frame(bytes)).await;
        if fits {
            assert_eq!(provider.hear().await.expect("an answer")["result"], json!({}), "{bytes}");
        } else {
            assert_eq!(provider.close_code().await, 1009);
        }
    }
}

#[tokio::test]
async fn a_call_too_large_for_a_provider_is_not_handed_over() {
    let hub = hub(|limits| {
        limits.provider_message = ByteSize::kib(4);
        limits.tool_definition = ByteSize::kib(1);
    })
    .await;
    let provider = TestProvider::offering(&hub, "p", &[tool("t")]).await;
    let _serving = provider.serve(|_| text("done"));
    let client = McpClient::new(&hub);
    assert_eq!(client.call("t", json!({ "x": "x".repeat(3 * 1024) })).await.said(), "done");
    let answer = client.call("t", json!({ "x": "x".repeat(4 * 1024) })).await;
    assert!(answer.said().contains("larger than a provider's message may be"), "{}", answer.said());
    assert!(!answer.said().contains("unknown"));
}

#[tokio::test]
async fn a_request_may_have_so_many_bytes() {
    let hub = hub(|limits| limits.request_body = ByteSize::b(1_000)).await;
    let client = McpClient::new(&hub);
    let body = |bytes: usize| {
        let empty = json!({ "jsonrpc": "2.0", "id": 1, "method": "" }).to_string().len();
        json!({ "jsonrpc": "2.0", "id": 1, "method": "x".repeat(bytes - empty) }).to_string()
    };
    for (bytes, fits) in [(999, true), (1_000, true), (1_001, false), (1_000_000, false)] {
        let answer = McpClient::send(client.post(body(bytes))).await;
        assert_eq!(answer.status != StatusCode::PAYLOAD_TOO_LARGE, fits, "{bytes}: {answer:?}");
        if !fits {
            let message = "the body is larger than 1000 bytes (limits.request_body)";
            assert_eq!(answer.error()["message"], message);
        }
    }
}

#[tokio::test]
async fn a_request_may_take_so_long_to_arrive() {
    let hub = hub(|limits| limits.request_body_time = Duration::from_millis(100)).await;
    let address = hub.url().strip_prefix("http://").expect("a plain URL");
    let mut socket = TcpStream::connect(address).await.expect("connected");
    let head = format!(
        "POST /mcp HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
         content-length: 100\r\nconnection: close\r\n\r\n{{"
    );
    socket.write_all(head.as_bytes()).await.expect("sent");
    let mut response = String::new();
    let read = timeout(PATIENCE, socket.read_to_string(&mut response)).await;
    read.expect("in time").expect("a response");
    assert!(response.starts_with("HTTP/1.1 408"), "{response}");
    assert!(response.contains("limits.request_body_time"), "{response}");
}

/// JSON with so many levels, itself being one.
fn nested(levels: usize) -> String {
    format!("{}1{}", "[".repeat(levels), "]".repeat(levels))
}

#[tokio::test]
async fn a_clients_json_may_be_nested_so_deep() {
    let hub = hub(|limits| limits.json_depth = count(10)).await;
    let session = McpClient::new(&hub).initialize("2025-11-25").await;
    for (levels, fits) in [(9, true), (10, true), (11, false)] {
        let own = r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":"#;
        let answer =
            McpClient::send(session.post(format!("{own}{}}}}}", nested(levels - 2)))).await;
        assert_eq!(answer.message().get("result").is_some(), fits, "{levels}: {answer:?}");
        if !fits {
            assert_eq!(answer.code(), -32700);
            assert_eq!(answer.error()["message"], "the JSON is nested deeper than 10 levels");
        }
    }
}

#[tokio::test]
async fn a_providers_json_may_be_nested_so_deep() {
    let hub = hub(|limits| limits.json_depth = count(10)).await;
    for (levels, fits) in [(9, true), (10, true), (11, false)] {
        let mut provider = TestProvider::dial(&hub, None).await.expect("let in");
        let own = r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":"#;
        provider.say_text(&format!("{own}{}}}", nested(levels - 1))).await;
        if fits {
            assert_eq!(provider.hear().await.expect("an answer")["result"], json!({}), "{levels}");
        } else {
            assert_eq!(provider.close_code().await, 1008);
        }
    }
}

#[tokio::test]
async fn a_page_of_the_list_has_so_many_tools() {
    let hub = hub(|limits| limits.tools_per_page = count(2)).await;
    let client = McpClient::new(&hub);
    let mut provider = TestProvider::dial(&hub, None).await.expect("let in");
    for (number, pages) in [(1, vec![1]), (2, vec![2]), (3, vec![2, 1]), (5, vec![2, 2, 1])] {
        provider.register("p", &tools(number, "t")).await;
        let (mut sizes, mut params) = (Vec::new(), json!({}));
        loop {
            let answer = client.modern("tools/list", params).await;
            sizes.push(answer.result()["tools"].as_array().expect("tools").len());
            match answer.result().get("nextCursor") {
                Some(cursor) => params = json!({ "cursor": cursor }),
                None => break,
            }
        }
        assert_eq!(sizes, pages, "{number} tools");
    }
}

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
    refused(&answer, "sessions", 2);
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

#[tokio::test]
async fn a_session_lives_unused_so_long() {
    let hub = hub(|limits| limits.session_idle = Duration::from_millis(200)).await;
    let client = McpClient::new(&hub);
    let (used, streaming) =
        (client.initialize("2025-11-25").await, client.initialize("2025-11-25").await);
    let unused = client.initialize("2025-11-25").await;
    let _stream = streaming.stream().await;
    let begun = Instant::now();
    // Using one while waiting for the other keeps the one.
    while begun.elapsed() < Duration::from_millis(700) {
        assert_eq!(used.request(1, "ping", json!({})).await.status, StatusCode::OK);
    }
    assert_eq!(unused.request(1, "ping", json!({})).await.status, StatusCode::NOT_FOUND);
    assert_eq!(streaming.request(1, "ping", json!({})).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_call_that_runs_long_keeps_its_session() {
    let hub = hub(|limits| limits.session_idle = Duration::from_millis(100)).await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("t")]).await;
    let client = McpClient::new(&hub);
    let busy = client.initialize("2025-11-25").await;
    let answering = async {
        let (id, _) = provider.next_call().await;
        let other = client.initialize("2025-11-25").await;
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(500) {
            assert_eq!(other.request(1, "ping", json!({})).await.status, StatusCode::OK);
        }
        provider.answer(&id, text("done")).await;
    };
    let (answer, ()) = tokio::join!(busy.call(1, "t", json!({})), answering);
    assert_eq!(answer.said(), "done", "the session lives as long as its call");
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
    refused(&opened(&client).await, "streams", 2);
    let again = client.request(reqwest::Method::GET).header("mcp-session-id", &session.id);
    let again = McpClient::send(again.header("accept", "text/event-stream")).await;
    assert_eq!(again.status, StatusCode::TOO_MANY_REQUESTS);
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

#[tokio::test]
async fn a_user_may_have_so_many_calls_in_flight_in_either_era() {
    let hub = hub(|limits| limits.calls_per_user = count(2)).await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("t")]).await;
    let client = McpClient::new(&hub);
    let session = client.initialize("2025-11-25").await;
    let held = async { tokio::join!(client.call("t", json!({})), session.call(1, "t", json!({}))) };
    let meanwhile = async {
        let (first, _) = provider.next_call().await;
        let (second, _) = provider.next_call().await;
        refused(&client.call("t", json!({})).await, "calls", 2);
        refused(&session.call(2, "t", json!({})).await, "calls", 2);
        provider.answer(&first, text("done")).await;
        provider.answer(&second, text("done")).await;
        provider
    };
    let (_, provider) = tokio::join!(held, meanwhile);
    let _serving = provider.serve(|_| text("done"));
    assert_eq!(client.call("t", json!({})).await.said(), "done");
}

#[tokio::test]
async fn a_user_may_make_so_many_calls_at_once_and_another_as_many() {
    let hub = TestHub::with(|config| {
        config.auth.secret = Some(crate::support::hub::SECRET.into());
        config.limits.calls_per_second = 1.try_into().expect("not zero");
        config.limits.calls_burst = 3.try_into().expect("not zero");
    })
    .await;
    let [alice, bob] = ["alice", "bob"].map(|user| McpClient::of_user(&hub, user));
    let session = alice.initialize("2025-11-25").await;
    for _ in 0..3 {
        assert_eq!(alice.call("t", json!({})).await.code(), -32602, "there is no such tool");
    }
    refused(&alice.call("t", json!({})).await, "limits.calls_per_second", 1);
    refused(&session.call(1, "t", json!({})).await, "limits.calls_per_second", 1);
    assert_eq!(bob.call("t", json!({})).await.code(), -32602, "it is not his limit");
}

#[tokio::test]
async fn the_place_of_a_call_comes_back_however_it_ends() {
    let hub = hub(|limits| {
        limits.calls_per_user = count(1);
        limits.calls_per_provider = count(1);
    })
    .await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("t")]).await;
    let client = McpClient::new(&hub);
    let session = client.initialize("2025-11-25").await;
    for ending in ["success", "tool error", "error", "refusal", "cancel", "client leaves"] {
        let mut calls = JoinSet::new();
        let (own, params) = (client.clone(), json!({ "name": "t" }));
        let legacy = session.prepared(9, "tools/call", &params);
        calls.spawn(async move {
            match ending {
                "cancel" => drop(McpClient::send(legacy).await),
                _ => drop(own.call("t", json!({})).await),
            }
        });
        let (id, _) = provider.next_call().await;
        match ending {
            "success" => provider.answer(&id, text("done")).await,
            "tool error" => provider.answer(&id, json!({ "content": [], "isError": true })).await,
            "error" => provider.fail(&id, -32603, "broken").await,
            "refusal" => provider.fail(&id, -32602, "no").await,
            "cancel" => {
                session.notify("notifications/cancelled", json!({ "requestId": 9 })).await;
                provider.next_notification().await;
            }
            _ => {
                calls.shutdown().await;
                provider.next_notification().await;
            }
        }
        while calls.join_next().await.is_some() {}
        let call = client.call("t", json!({}));
        let answering = async {
            let (id, _) = provider.next_call().await;
            provider.answer(&id, text("next")).await;
        };
        let (answer, ()) = tokio::join!(call, answering);
        assert_eq!(answer.said(), "next", "after {ending}");
    }
}

#[tokio::test]
async fn a_call_may_be_silent_so_long_and_take_so_long_in_all() {
    for (idle, total, expected) in [(100, 10_000, 100), (10_000, 100, 100)] {
        let hub = hub(|limits| {
            limits.call_idle = Duration::from_millis(idle);
            limits.call_total = Duration::from_millis(total);
        })
        .await;
        let _provider = TestProvider::offering(&hub, "p", &[tool("t")]).await;
        let begun = Instant::now();
        let answer = McpClient::new(&hub).call("t", json!({})).await;
        let took = begun.elapsed();
        assert_eq!(answer.result()["isError"], true);
        let (least, most) = (Duration::from_millis(expected), Duration::from_secs(5));
        assert!((least..most).contains(&took), "{idle} and {total}: {took:?}");
    }
}

#[tokio::test]
async fn progress_over_the_wire_keeps_a_call_alive() {
    let hub = hub(|limits| limits.call_idle = Duration::from_millis(300)).await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("t")]).await;
    let client = McpClient::new(&hub);
    let working = async {
        let (id, _) = provider.next_call().await;
        let mut tick = tokio::time::interval(Duration::from_millis(100));
        for step in 0..6 {
            tick.tick().await;
            let params = json!({ "progressToken": id, "progress": step });
            provider
                .say(json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": params }))
                .await;
        }
        provider.answer(&id, text("done")).await;
    };
    let (answer, ()) = tokio::join!(client.call("t", json!({})), working);
    assert_eq!(answer.said(), "done", "it took longer than it may be silent");
}

#[tokio::test]
async fn so_many_providers_are_tried() {
    let hub = TestHub::with(|config| config.failover.attempts = count(2)).await;
    let tools = [read_only("t")];
    let third = TestProvider::offering(&hub, "third", &tools).await;
    let _serving = third.serve(|_| text("third"));
    let mut second = TestProvider::offering(&hub, "second", &tools).await;
    let mut first = TestProvider::offering(&hub, "first", &tools).await;
    let failing = async {
        for provider in [&mut first, &mut second] {
            let (id, _) = provider.next_call().await;
            provider.fail(&id, -32603, "broken").await;
        }
    };
    let client = McpClient::new(&hub);
    let (answer, ()) = tokio::join!(client.call("t", json!({})), failing);
    let said = answer.said();
    assert!(said.contains("Attempt 1, provider \"first\": it answered with error -32603: broken."));
    assert!(said.contains("Attempt 2, provider \"second\"") && !said.contains("third"), "{said}");
}

#[tokio::test]
async fn what_a_client_says_of_itself_has_a_bound() {
    let hub = TestHub::start().await;
    let client = McpClient::new(&hub);
    for (bytes, is_taken) in [(16 * 1024, true), (16 * 1024 + 1, false)] {
        let name = "x".repeat(bytes - r#"{"name":""}"#.len());
        let params = json!({ "protocolVersion": "2025-11-25", "clientInfo": { "name": name } });
        let body = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params });
        let answer = McpClient::send(client.post(body.to_string())).await;
        assert_eq!(answer.headers.contains_key("mcp-session-id"), is_taken, "{bytes} bytes");
        assert_eq!(answer.message().get("error").is_none(), is_taken, "{bytes} bytes");
    }
}

#[tokio::test]
async fn a_request_id_has_a_bound() {
    let hub = TestHub::start().await;
    let session = McpClient::new(&hub).initialize("2025-11-25").await;
    for (letters, status) in [(1022, 200), (1023, 400)] {
        let id = "x".repeat(letters);
        let ping = json!({ "jsonrpc": "2.0", "id": id, "method": "ping" });
        let answer = McpClient::send(session.post(ping.to_string())).await;
        assert_eq!(answer.status.as_u16(), status, "{letters} letters and two quotes");
    }
}
