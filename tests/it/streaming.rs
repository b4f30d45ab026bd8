//! Progress, log messages, cancellation and news of the list, on their way through the hub.

use std::time::Duration;

use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use crate::support::{
    McpClient, TestHub, TestProvider,
    client::{Answer, Events, LegacySession, MODERN},
    provider::{read_only, text, tool},
};

const LIST_CHANGED: &str = "notifications/tools/list_changed";
/// Longer than changes are gathered.
const A_WHILE: Duration = Duration::from_millis(250);

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
    let call = timeout(Duration::from_millis(300), request.send());
    let (gone, (id, _)) = tokio::join!(call, provider.next_call());
    gone.expect_err("the client gave up");
    let notification = provider.next_notification().await;
    assert_eq!(notification["method"], "notifications/cancelled");
    assert_eq!(notification["params"]["requestId"], id);
    provider.answer(&id, text("too late")).await;
}

/// A call of `go` in either era, with `meta` beside what the era demands.
fn modern_call(client: &McpClient, meta: &Value) -> RequestBuilder {
    client.modern_request("tools/call", json!({ "name": "go", "_meta": meta }))
}

fn legacy_call(session: &LegacySession, meta: &Value) -> RequestBuilder {
    session.prepared(1, "tools/call", &json!({ "name": "go", "_meta": meta }))
}

/// Makes the call, has the provider say `notices` and answer, and returns what the client got.
async fn told(
    request: RequestBuilder,
    provider: &mut TestProvider,
    notices: &[(&str, Value)],
) -> Answer {
    let (answer, ()) = tokio::join!(McpClient::send(request), async {
        let (id, _) = provider.next_call().await;
        for (method, params) in notices {
            say(provider, &id, method, params.clone()).await;
        }
        provider.answer(&id, text("done")).await;
    });
    assert_eq!(answer.said(), "done");
    answer
}

async fn say(provider: &mut TestProvider, id: &Value, method: &str, mut params: Value) {
    match method {
        "progress" => params["progressToken"] = id.clone(),
        _ => params["_meta"] = json!({ "progressToken": id }),
    }
    let method = format!("notifications/{method}");
    provider.say(json!({ "jsonrpc": "2.0", "method": method, "params": params })).await;
}

/// The parameters of the notifications before the response.
fn notices(answer: &Answer) -> Vec<&Value> {
    let (_, notices) = answer.messages.split_last().expect("a response");
    notices.iter().map(|notice| &notice["params"]).collect()
}

#[tokio::test]
async fn progress_comes_under_the_clients_own_token_and_only_when_asked_for() {
    let hub = TestHub::start().await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("go")]).await;
    let client = McpClient::new(&hub);
    let session = client.initialize("2025-11-25").await;
    let said = [
        ("progress", json!({ "progress": 1, "total": 2 })),
        ("progress", json!({ "progress": 2, "total": 2, "message": "there" })),
    ];
    for token in [json!("p-1"), json!("7"), json!(7), json!(0), json!(""), json!(null)] {
        let is_asked = !token.is_null();
        let meta = if is_asked { json!({ "progressToken": token }) } else { json!({}) };
        for request in [modern_call(&client, &meta), legacy_call(&session, &meta)] {
            let answer = told(request, &mut provider, &said).await;
            let expected = [
                json!({ "progressToken": token, "progress": 1, "total": 2 }),
                json!({ "progressToken": token, "progress": 2, "total": 2, "message": "there" }),
            ];
            let expected = if is_asked { expected.iter().collect() } else { Vec::new() };
            assert_eq!(notices(&answer), expected, "{token}");
        }
    }
}

#[tokio::test]
async fn progress_that_does_not_move_forward_is_dropped() {
    let hub = TestHub::start().await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("go")]).await;
    let client = McpClient::new(&hub);
    let session = client.initialize("2025-11-25").await;
    let said =
        [json!(1), json!(1), json!(0.5), json!(-1), json!("x"), json!(1.5), json!(1), json!(3)]
            .map(|progress| ("progress", json!({ "progress": progress })));
    let meta = json!({ "progressToken": "t" });
    for request in [modern_call(&client, &meta), legacy_call(&session, &meta)] {
        let answer = told(request, &mut provider, &said).await;
        let seen: Vec<_> = notices(&answer).iter().map(|params| &params["progress"]).collect();
        assert_eq!(seen, [&json!(1), &json!(1.5), &json!(3)]);
    }
}

#[tokio::test]
async fn progress_moves_forward_from_one_provider_to_the_next() {
    let hub = TestHub::start().await;
    let mut second = TestProvider::offering(&hub, "second", &[read_only("go")]).await;
    let mut first = TestProvider::offering(&hub, "first", &[read_only("go")]).await;
    let request = modern_call(&McpClient::new(&hub), &json!({ "progressToken": "t" }));
    let (answer, ()) = tokio::join!(McpClient::send(request), async {
        let (id, _) = first.next_call().await;
        say(&mut first, &id, "progress", json!({ "progress": 5 })).await;
        first.fail(&id, -1, "broke down half-way").await;
        let (id, _) = second.next_call().await;
        for progress in [1, 6] {
            say(&mut second, &id, "progress", json!({ "progress": progress })).await;
        }
        second.answer(&id, text("done")).await;
    });
    assert_eq!(answer.said(), "done");
    let seen: Vec<_> = notices(&answer).iter().map(|params| &params["progress"]).collect();
    assert_eq!(seen, [&json!(5), &json!(6)], "MCP demands that progress grows");
}

#[tokio::test]
async fn log_messages_come_at_the_wanted_level_and_above() {
    let hub = TestHub::start().await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("go")]).await;
    let client = McpClient::new(&hub);
    let session = client.initialize("2025-11-25").await;
    let levels = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];
    let said = levels.map(|level| ("message", json!({ "level": level, "data": { "at": level } })));
    let heard = |answer: &Answer| -> Vec<String> {
        let notices = notices(answer);
        assert!(notices.iter().all(|params| params["data"]["at"] == params["level"]));
        notices.iter().map(|params| params["level"].as_str().unwrap().to_owned()).collect()
    };
    let answer = told(modern_call(&client, &json!({})), &mut provider, &said).await;
    assert_eq!(heard(&answer), [""; 0], "nobody asked");
    for (index, level) in levels.iter().enumerate() {
        let meta = json!({ "io.modelcontextprotocol/logLevel": level });
        let answer = told(modern_call(&client, &meta), &mut provider, &said).await;
        assert_eq!(heard(&answer), levels[index..], "modern, {level}");
        session.request(2, "logging/setLevel", json!({ "level": level })).await.result();
        let answer = told(legacy_call(&session, &json!({})), &mut provider, &said).await;
        assert_eq!(heard(&answer), levels[index..], "legacy, {level}");
    }
    let other = client.initialize("2025-11-25").await;
    let answer = told(legacy_call(&other, &json!({})), &mut provider, &said[..1]).await;
    assert_eq!(heard(&answer), [""; 0], "a level is one session's own");
}

#[tokio::test]
async fn a_provider_learns_which_level_is_wanted() {
    let hub = TestHub::start().await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("go")]).await;
    let client = McpClient::new(&hub);
    let session = client.initialize("2025-11-25").await;
    session.request(2, "logging/setLevel", json!({ "level": "error" })).await.result();
    let meta = json!({ "io.modelcontextprotocol/logLevel": "error" });
    for request in [modern_call(&client, &meta), legacy_call(&session, &json!({}))] {
        let (_, params) = tokio::join!(McpClient::send(request), async {
            let (id, params) = provider.next_call().await;
            provider.answer(&id, text("done")).await;
            params
        });
        assert_eq!(params["_meta"]["io.modelcontextprotocol/logLevel"], "error");
    }
}

#[tokio::test]
async fn a_client_that_reads_no_events_gets_plain_json() {
    let hub = TestHub::start().await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("go")]).await;
    let client = McpClient::new(&hub);
    let session = client.initialize("2025-11-25").await;
    let said = [
        ("progress", json!({ "progress": 1 })),
        ("message", json!({ "level": "error", "data": "x" })),
    ];
    let meta = json!({ "progressToken": 1, "io.modelcontextprotocol/logLevel": "debug" });
    for request in [modern_call(&client, &meta), legacy_call(&session, &meta)] {
        let (http, request) = request.build_split();
        let mut request = request.expect("a request");
        request.headers_mut().insert("accept", "application/json".parse().unwrap());
        let request = RequestBuilder::from_parts(http, request);
        let answer = told(request, &mut provider, &said).await;
        assert_eq!(answer.headers["content-type"], "application/json");
        assert_eq!(answer.messages.len(), 1);
    }
}

#[tokio::test]
async fn event_streams_say_how_they_are_to_be_treated() {
    let hub = TestHub::start().await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("go")]).await;
    let meta = json!({ "progressToken": 1 });
    let request = modern_call(&McpClient::new(&hub), &meta);
    let answer = told(request, &mut provider, &[("progress", json!({ "progress": 1 }))]).await;
    assert_eq!(answer.headers["content-type"], "text/event-stream");
    assert_eq!(answer.headers["cache-control"], "no-cache");
    assert_eq!(answer.headers["x-accel-buffering"], "no");
    for absent in ["id:", "retry:"] {
        assert!(!answer.text.lines().any(|line| line.starts_with(absent)), "{}", answer.text);
    }
}

#[tokio::test]
async fn a_legacy_client_cancels_by_saying_so_and_hears_no_more() {
    let hub = TestHub::start().await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("go")]).await;
    let client = McpClient::new(&hub);
    let session = client.initialize("2025-11-25").await;
    let stranger = client.initialize("2025-11-25").await;
    for (id, progress) in [(json!(7), false), (json!("seven"), false), (json!(8), true)] {
        let params = json!({ "name": "go", "_meta": { "progressToken": 1 } });
        let body = json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params });
        let request = session.post(body.to_string());
        let (answer, ()) = tokio::join!(McpClient::send(request), async {
            let (call, _) = provider.next_call().await;
            if progress {
                say(&mut provider, &call, "progress", json!({ "progress": 1 })).await;
            }
            let params = json!({ "requestId": id, "reason": "enough" });
            // Ids are a session's own, and one nobody uses is no reason to complain.
            stranger.notify("notifications/cancelled", params.clone()).await;
            session.notify("notifications/cancelled", json!({ "requestId": "other" })).await;
            let answer = session.notify("notifications/cancelled", params).await;
            assert_eq!((answer.status.as_u16(), &*answer.text), (202, ""));
            let heard = provider.next_notification().await;
            assert_eq!(heard["method"], "notifications/cancelled");
            assert_eq!(heard["params"]["requestId"], call);
            provider.answer(&call, text("too late")).await;
        });
        assert_eq!(answer.status, StatusCode::OK);
        let responses = answer.messages.iter().filter(|message| message.get("id").is_some());
        assert_eq!(responses.count(), 0, "{answer:?}");
    }
    told(legacy_call(&session, &json!({})), &mut provider, &[]).await;
}

#[tokio::test]
async fn another_sessions_cancellation_is_of_no_effect() {
    let hub = TestHub::start().await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("go")]).await;
    let client = McpClient::new(&hub);
    let session = client.initialize("2025-11-25").await;
    let stranger = client.initialize("2025-11-25").await;
    let (answer, ()) = tokio::join!(session.call(7, "go", json!({})), async {
        let (call, _) = provider.next_call().await;
        stranger.notify("notifications/cancelled", json!({ "requestId": 7 })).await;
        provider.answer(&call, text("done")).await;
    });
    assert_eq!(answer.said(), "done");
}

#[tokio::test]
async fn a_legacy_client_that_leaves_does_not_cancel_its_call() {
    let hub = TestHub::start().await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("go")]).await;
    let client = McpClient::new(&hub);
    let session = client.initialize("2025-11-25").await;
    let leave = async |request: RequestBuilder, provider: &mut TestProvider| {
        let mut request = Box::pin(request.send());
        tokio::select! {
            _ = &mut request => panic!("answered by nobody"),
            (id, _) = provider.next_call() => id,
        }
    };
    let kept = leave(legacy_call(&session, &json!({})), &mut provider).await;
    let lost = leave(modern_call(&client, &json!({})), &mut provider).await;
    // By now the hub has noticed both, and only the modern call is cancelled.
    let heard = provider.next_notification().await;
    assert_eq!(heard["params"]["requestId"], lost);
    provider.answer(&kept, text("for nobody")).await;
    let (answer, ()) = tokio::join!(session.call(2, "go", json!({})), async {
        let next = provider.hear().await.expect("a message");
        assert_eq!(next["method"], "tools/call", "{next}");
        provider.answer(&next["id"], text("next")).await;
    });
    assert_eq!(answer.said(), "next");
}

async fn expect_news(stream: &mut Events) {
    let news = stream.next().await.expect("the stream is open");
    assert_eq!(news["method"], LIST_CHANGED, "{news}");
}

async fn expect_quiet(stream: &mut Events, why: &str) {
    let heard = timeout(A_WHILE, stream.next()).await;
    assert!(heard.is_err(), "{why}: {heard:?}");
}

#[tokio::test]
async fn a_registration_that_changes_no_byte_is_no_news() {
    let hub = TestHub::start().await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("a"), tool("b")]).await;
    let client = McpClient::new(&hub);
    let session = client.initialize("2025-11-25").await;
    let (mut modern, mut legacy) = (client.listen().await, session.stream().await);
    provider.register("p", &[tool("b"), tool("a")]).await;
    let second = TestProvider::offering(&hub, "twin", &[tool("a")]).await;
    expect_quiet(&mut modern, "the list is the same").await;
    expect_quiet(&mut legacy, "the list is the same").await;
    drop(second);
    provider.register("p", &[tool("a")]).await;
    expect_news(&mut modern).await;
    expect_news(&mut legacy).await;
}

#[tokio::test]
async fn many_quick_changes_are_told_once() {
    let hub = TestHub::start().await;
    let mut provider = TestProvider::offering(&hub, "p", &[]).await;
    let client = McpClient::new(&hub);
    let session = client.initialize("2025-11-25").await;
    let (mut modern, mut legacy) = (client.listen().await, session.stream().await);
    for name in ["a", "b", "c", "d", "e"] {
        provider.register("p", &[tool(name)]).await;
    }
    for stream in [&mut modern, &mut legacy] {
        expect_news(stream).await;
        expect_quiet(stream, "once is enough").await;
    }
    assert_eq!(client.tools().await, ["e"]);
    assert_eq!(session.tools().await, ["e"]);
}

#[tokio::test]
async fn users_hear_of_their_own_tools_only() {
    let hub = TestHub::with_users().await;
    let (alice, bob) = (McpClient::of_user(&hub, "alice"), McpClient::of_user(&hub, "bob"));
    let session = bob.initialize("2025-11-25").await;
    let mut streams = [alice.listen().await, bob.listen().await, session.stream().await];
    let _provider = TestProvider::offering_as(&hub, Some("alice"), "p", &[tool("a")]).await;
    expect_news(&mut streams[0]).await;
    expect_quiet(&mut streams[1], "not bob's").await;
    expect_quiet(&mut streams[2], "not bob's").await;
}

#[tokio::test]
async fn what_a_session_missed_is_told_once_when_its_stream_opens() {
    let hub = TestHub::start().await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("a")]).await;
    let client = McpClient::new(&hub);
    let session = client.initialize("2025-11-25").await;
    let mut witness = client.listen().await;
    for name in ["b", "c"] {
        provider.register("p", &[tool(name)]).await;
        expect_news(&mut witness).await;
    }
    let mut stream = session.stream().await;
    expect_news(&mut stream).await;
    expect_quiet(&mut stream, "two changes are one piece of news").await;
    drop(stream);
    let mut stream = session.stream().await;
    expect_quiet(&mut stream, "that was told already").await;
    provider.register("p", &[tool("d")]).await;
    expect_news(&mut stream).await;
}

#[tokio::test]
async fn a_second_stream_takes_the_place_of_the_first() {
    let hub = TestHub::start().await;
    let session = McpClient::new(&hub).initialize("2025-11-25").await;
    let mut first = session.stream().await;
    let mut second = session.stream().await;
    assert_eq!(first.next().await, None);
    let _provider = TestProvider::offering(&hub, "p", &[tool("a")]).await;
    expect_news(&mut second).await;
    expect_quiet(&mut second, "once is enough").await;
}

/// `subscriptions/listen` under the given id.
async fn listen(client: &McpClient, id: &Value, wanted: &Value) -> Events {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let params = json!({ "notifications": wanted, "_meta": meta });
    let method = "subscriptions/listen";
    let body = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
    let request = client.post(body.to_string()).header("mcp-protocol-version", MODERN);
    McpClient::events(request.header("mcp-method", method)).await
}

#[tokio::test]
async fn a_subscription_is_known_by_the_id_of_its_request() {
    const KEY: &str = "io.modelcontextprotocol/subscriptionId";
    let hub = TestHub::start().await;
    let client = McpClient::new(&hub);
    let ids = [json!("sub-1"), json!("1"), json!(1), json!(0)];
    let mut streams = Vec::new();
    for id in &ids {
        let wanted = json!({ "toolsListChanged": true, "promptsListChanged": true, "other": 1 });
        let mut stream = listen(&client, id, &wanted).await;
        let first = stream.next().await.expect("an acknowledgement");
        assert_eq!(first["method"], "notifications/subscriptions/acknowledged");
        let expected =
            json!({ "_meta": { KEY: id }, "notifications": { "toolsListChanged": true } });
        assert_eq!(first["params"], expected);
        streams.push(stream);
    }
    let mut provider = TestProvider::offering(&hub, "p", &[tool("a")]).await;
    for (id, stream) in ids.iter().zip(&mut streams) {
        let news = stream.next().await.expect("news");
        assert_eq!(news["method"], LIST_CHANGED);
        assert_eq!(news["params"], json!({ "_meta": { KEY: id } }));
    }
    let (ends, (), code) = tokio::join!(
        async {
            let mut ends = Vec::new();
            for stream in &mut streams {
                ends.push((stream.next().await, stream.next().await));
            }
            ends
        },
        hub.stop(),
        async move { provider.close_code().await },
    );
    assert_eq!(code, 1001);
    for (id, (end, after)) in ids.iter().zip(ends) {
        let end = end.expect("a farewell");
        assert_eq!((&end["id"], &end["result"]["resultType"]), (id, &json!("complete")));
        assert_eq!(&end["result"]["_meta"][KEY], id);
        assert_eq!(after, None);
    }
}

#[tokio::test]
async fn nothing_is_told_that_was_not_asked_for() {
    let hub = TestHub::start().await;
    let client = McpClient::new(&hub);
    for wanted in [json!({}), json!({ "toolsListChanged": false, "promptsListChanged": true })] {
        let mut stream = listen(&client, &json!("s"), &wanted).await;
        let first = stream.next().await.expect("an acknowledgement");
        assert_eq!(first["params"]["notifications"], json!({}));
        let _provider = TestProvider::offering(&hub, "p", &[tool("a")]).await;
        expect_quiet(&mut stream, "tools were not asked for").await;
    }
}

#[tokio::test]
async fn a_sessions_stream_ends_when_the_hub_stops() {
    let hub = TestHub::start().await;
    let session = McpClient::new(&hub).initialize("2025-11-25").await;
    let mut stream = session.stream().await;
    let (end, ()) = tokio::join!(stream.next(), hub.stop());
    assert_eq!(end, None);
}
