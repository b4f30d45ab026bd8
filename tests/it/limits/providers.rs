//! What a provider may declare, say and be asked.

use bytesize::ByteSize;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{count, hits, hub, nested, padded, tools, until_hit};
use crate::support::{
    McpClient, PATIENCE, TestHub, TestProvider, eventually,
    provider::{read_only, text, tool},
};

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
    assert_eq!(hits(&hub, "limits.tools_per_provider").await, 1);
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
            assert!(
                message.contains("may offer 5 tools together (limits.tools_per_user)"),
                "{message}"
            );
            assert!(message.contains("make 6"), "{message}");
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
    assert_eq!(third, Some(StatusCode::TOO_MANY_REQUESTS));
    // A WebSocket's client is told no more than the status; an ordinary request is told all.
    let asked = reqwest::get(format!("{}/clients/ws", hub.url())).await.expect("an answer");
    assert_eq!(asked.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(asked.headers()["retry-after"], "5");
    let why = asked.text().await.expect("a reason");
    assert!(why.contains("2 provider connections") && why.contains("limits.providers_per_user"));
    drop(first);
    let again = async { while TestProvider::dial(&hub, None).await.is_err() {} };
    timeout(PATIENCE, again).await.expect("the place is given back");
}

#[tokio::test]
async fn a_definition_may_have_so_many_bytes() {
    let sized = |bytes: usize| {
        let described = |description: &str| json!({ "name": "t", "description": description, "inputSchema": { "type": "object" } });
        format!("[{}]", padded(bytes, described))
    };
    let hub = hub(|limits| limits.tool_definition = ByteSize::b(500)).await;
    let mut provider = TestProvider::dial(&hub, None).await.expect("let in");
    for (bytes, fits) in [(499, true), (500, true), (501, false)] {
        let answer = provider.register_text("p", &sized(bytes)).await;
        assert_eq!(answer.get("result").is_some(), fits, "{bytes} bytes: {answer}");
        if !fits {
            let reason = "the definition has 501 bytes; the limit is 500 (limits.tool_definition)";
            assert_eq!(answer["error"]["data"]["tools"][0]["reason"], reason);
        }
    }
    assert_eq!(hits(&hub, "limits.tool_definition").await, 1);
    // Once for a set, however much of it is too large; what is faulty otherwise is no hit.
    let (large, nameless) = (sized(501), r#"{ "inputSchema": { "type": "object" } }"#);
    let large = large.trim_matches(['[', ']']);
    for (tools, counted) in
        [(format!("[{large},{large},{nameless}]"), 2), (format!("[{nameless}]"), 2)]
    {
        let answer = provider.register_text("p", &tools).await;
        assert!(answer.get("error").is_some(), "{answer}");
        assert_eq!(hits(&hub, "limits.tool_definition").await, counted, "{tools}");
    }
}

#[tokio::test]
async fn a_providers_message_may_have_so_many_bytes() {
    let hub = hub(|limits| {
        limits.provider_message = ByteSize::b(2_000);
        limits.tool_definition = ByteSize::b(1_000);
    })
    .await;
    let ping = |id: &str| json!({ "jsonrpc": "2.0", "id": id, "method": "ping" });
    for (bytes, fits) in [(1_999, true), (2_000, true), (2_001, false)] {
        let mut provider = TestProvider::dial(&hub, None).await.expect("let in");
        provider.say_text(&padded(bytes, ping)).await;
        if fits {
            assert_eq!(provider.hear().await.expect("an answer")["result"], json!({}), "{bytes}");
        } else {
            let reason = "the message is too large (limits.provider_message)";
            assert_eq!(provider.closed().await, (1009, reason.to_owned()));
            until_hit(&hub, "limits.provider_message").await;
        }
    }
}

#[tokio::test]
async fn a_call_too_large_for_a_provider_is_not_handed_over() {
    const MAX: usize = 4_000;
    let hub = hub(|limits| {
        limits.provider_message = ByteSize::b(MAX.try_into().expect("small"));
        limits.tool_definition = ByteSize::b(1_000);
    })
    .await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("t")]).await;
    let client = McpClient::new(&hub);
    let call = |padding: usize| client.call("t", json!({ "x": "x".repeat(padding) }));
    let mut handed_over = async || {
        let frame = provider.hear_text().await.expect("a call");
        let id = serde_json::from_str::<Value>(&frame).expect("JSON")["id"].take();
        provider.answer(&id, text("done")).await;
        frame.len()
    };
    let (_, around) = tokio::join!(call(0), handed_over());
    for bytes in [MAX - 1, MAX] {
        let (answer, length) = tokio::join!(call(bytes - around), handed_over());
        assert_eq!((answer.said(), length), ("done", bytes));
    }
    let answer = call(MAX + 1 - around).await;
    let why = "the call is larger than a provider's message may be (limits.provider_message)";
    assert!(answer.said().contains(why), "{}", answer.said());
    assert!(!answer.said().contains("unknown"), "it was not handed over");
    assert_eq!(hits(&hub, "limits.provider_message").await, 1);
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
            let reason = "the JSON is nested deeper than 10 levels (limits.json_depth)";
            assert_eq!(provider.closed().await, (1008, reason.to_owned()));
            until_hit(&hub, "limits.json_depth").await;
        }
    }
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
async fn a_provider_may_have_so_many_calls_in_flight() {
    let hub = hub(|limits| limits.calls_per_provider = count(2)).await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("t")]).await;
    let client = McpClient::new(&hub);
    let call = || client.call("t", json!({}));
    let meanwhile = async {
        let (first, second) = (provider.next_call().await.0, provider.next_call().await.0);
        let third = call().await;
        assert_eq!(third.result()["isError"], true);
        let why = "not handed over: it has too many calls in flight (limits.calls_per_provider)";
        assert!(third.said().contains(why), "{}", third.said());
        provider.answer(&first, text("done")).await;
        provider.answer(&second, text("done")).await;
    };
    let (first, second, ()) = tokio::join!(call(), call(), meanwhile);
    assert_eq!((first.said(), second.said()), ("done", "done"));
    assert_eq!(hits(&hub, "limits.calls_per_provider").await, 1);
}
