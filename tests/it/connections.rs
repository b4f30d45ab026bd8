//! How many connections there may be, and how long they are waited for.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};

use bytesize::ByteSize;
use mcp_hub::model::limits::Limits;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    task::JoinSet,
    time::{Instant, timeout},
};

use crate::support::{
    McpClient, PATIENCE, TestHub, TestProvider,
    binary::Process,
    eventually,
    provider::{text, tool},
    raw::Raw,
};

/// A time that is over soon.
const SOON: Duration = Duration::from_millis(300);

/// Waits until a new connection is served.
async fn until_there_is_room(url: &str) -> Raw {
    let served = async {
        loop {
            let mut raw = Raw::open(url).await;
            if raw.get("/healthz").await.starts_with("HTTP/1.1 200 ") {
                return raw;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, served).await.expect("there is room again")
}

#[tokio::test]
async fn one_connection_too_many_is_told_so() {
    for (all, per_address, limit) in
        [(2, 9, "limits.connections)"), (9, 2, "limits.connections_per_address)")]
    {
        let hub = TestHub::with(|config| {
            config.limits.connections = NonZeroUsize::new(all).expect("not zero");
            config.limits.connections_per_address =
                NonZeroUsize::new(per_address).expect("not zero");
        })
        .await;
        let mut held = Vec::new();
        for _ in 0..2 {
            let mut raw = Raw::open(hub.url()).await;
            assert!(raw.get("/healthz").await.starts_with("HTTP/1.1 200 "));
            held.push(raw);
        }
        let refused = Raw::open(hub.url()).await.get("/healthz").await;
        assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
        assert!(refused.contains("retry-after: 5\r\n") && refused.contains(limit), "{refused}");
        assert!(held[0].get("/healthz").await.starts_with("HTTP/1.1 200 "), "the others stay");
        held.pop();
        until_there_is_room(hub.url()).await;
    }
}

#[tokio::test]
async fn an_open_websocket_is_a_connection() {
    let hub = TestHub::with(|config| {
        config.limits.connections = NonZeroUsize::new(1).expect("not zero");
    })
    .await;
    let provider = TestProvider::dial(&hub, None).await.expect("let in");
    let refused = TestProvider::dial(&hub, None).await.err();
    assert_eq!(refused, Some(StatusCode::SERVICE_UNAVAILABLE));
    drop(provider);
    until_there_is_room(hub.url()).await;
}

#[tokio::test]
async fn the_head_of_a_request_has_a_size() {
    const MAX: usize = 9 * 1024;
    let hub = TestHub::with(|config| {
        config.limits.request_head = ByteSize::b(MAX.try_into().expect("small"));
    })
    .await;
    for (length, expected) in
        [(MAX - 1, "200"), (MAX, "200"), (MAX + 1, "431"), (MAX * 2, "431"), (MAX * 9, "431")]
    {
        let mut head = "GET /healthz HTTP/1.1\r\nhost: localhost\r\nx: ".to_owned();
        head.extend(std::iter::repeat_n('x', length - head.len() - 4));
        head.push_str("\r\n\r\n");
        let mut raw = Raw::open(hub.url()).await;
        // It may be hung up on in the middle.
        drop(raw.socket.write_all(head.as_bytes()).await);
        let answer = raw.answer().await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {expected} ")), "{length}: {answer}");
        assert!(length != MAX + 1 || answer.contains("limits.request_head"), "{answer}");
    }
}

#[tokio::test]
async fn a_head_has_one_host_and_a_hundred_headers_at_most() {
    let hub = TestHub::start().await;
    let answer = async |headers: &str| {
        let mut raw = Raw::open(hub.url()).await;
        raw.say(&format!("GET /healthz HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n")).await;
        raw.answer().await
    };
    assert!(answer(&"x: 1\r\n".repeat(99)).await.starts_with("HTTP/1.1 200 "));
    assert!(answer(&"x: 1\r\n".repeat(100)).await.starts_with("HTTP/1.1 431 "));
    let refused = answer("host: localhost\r\n").await;
    assert!(refused.starts_with("HTTP/1.1 400 ") && refused.contains("Host"), "{refused}");
}

/// A hub whose connections are waited for no longer than `SOON`, for one reason or another.
async fn impatient() -> TestHub {
    TestHub::with(|config| {
        config.limits.request_head_time = SOON;
        config.limits.connection_idle = SOON * 2;
        config.limits.write_stall = SOON;
    })
    .await
}

#[tokio::test]
async fn half_a_head_is_not_waited_for() {
    let hub = impatient().await;
    for said in ["", "GET /healthz HTTP/1.1\r\nhost: local", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let begun = Instant::now();
        let mut raw = Raw::open(hub.url()).await;
        raw.say(said).await;
        raw.ended().await;
        assert!(begun.elapsed() >= SOON, "{said:?} was cut off after {:?}", begun.elapsed());
    }
    let mut raw = Raw::open(hub.url()).await;
    raw.get("/healthz").await;
    raw.say("GET ").await;
    assert_eq!(raw.ended().await, "", "nor that of a second request");
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_a_busy_one_is_not() {
    let hub = impatient().await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("t")]).await;
    let client = McpClient::new(&hub);
    let mut events = client.listen().await;
    let mut idle = Raw::open(hub.url()).await;
    idle.get("/healthz").await;
    let begun = Instant::now();
    let answering = async {
        let (id, _) = provider.next_call().await;
        assert_eq!(idle.ended().await, "");
        assert!(begun.elapsed() >= SOON * 2, "closed after {:?}", begun.elapsed());
        provider.answer(&id, text("late")).await;
        provider
    };
    let (answer, _provider) = tokio::join!(client.call("t", json!({})), answering);
    assert_eq!(answer.said(), "late");
    let _second = TestProvider::offering(&hub, "q", &[tool("u")]).await;
    let heard = events.next().await.expect("the stream goes on");
    assert_eq!(heard["method"], "notifications/tools/list_changed");
}

#[tokio::test]
async fn connections_that_are_closed_for_being_idle_are_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let environment = [
        ("MCP_HUB_LISTEN", "127.0.0.1:0"),
        ("MCP_HUB_LIMITS__REQUEST_HEAD_TIME", "500ms"),
        ("MCP_HUB_LIMITS__CONNECTION_IDLE", "500ms"),
    ];
    let hub = Process::start(folder.path(), &[], &environment).await;
    let counted =
        |hits: u64| format!("mcp_hub_limit_hits_total{{limit=\"limits.connection_idle\"}} {hits}");
    let mut idle = Raw::open(hub.url()).await;
    idle.get("/healthz").await;
    assert_eq!(idle.ended().await, "");
    hub.metrics_with(&[&counted(1)]).await;
    // One over HTTP/2 is told, and hung up on when it does not listen; that counts once as well.
    let mut deaf = Raw::open(hub.url()).await;
    let get = [&[0x82, 0x86, 0x04, 8][..], b"/healthz", &[0x01, 9], b"localhost"].concat();
    let frames = [
        &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"[..],
        &[0, 0, u8::try_from(get.len()).expect("short"), 1, 5, 0, 0, 0, 1],
        &get,
    ];
    deaf.socket.write_all(&frames.concat()).await.expect("the connection is open");
    deaf.ended().await;
    hub.metrics_with(&[&counted(2)]).await;
}

/// A hub with room for a provider and one more, and that provider; each answer of its tool is large.
async fn stage() -> (TestHub, JoinSet<()>) {
    stage_with(|limits| {
        limits.write_stall = SOON;
        limits.connections = NonZeroUsize::new(2).expect("not zero");
    })
    .await
}

async fn stage_with(change: impl FnOnce(&mut Limits)) -> (TestHub, JoinSet<()>) {
    let hub = TestHub::with(|config| change(&mut config.limits)).await;
    let provider = TestProvider::offering(&hub, "p", &[tool("large")]).await;
    let large = "x".repeat(12 * 1024 * 1024);
    let serving = provider.serve(move |_| text(&large));
    (hub, serving)
}

/// Somebody who has called that tool, and reads nothing.
async fn calling_large(hub: &TestHub) -> Raw {
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"large","arguments":{},
        "_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}"#;
    let mut raw = Raw::narrow(hub.url()).await;
    raw.say(&format!(
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         accept: application/json, text/event-stream\r\nmcp-protocol-version: 2026-07-28\r\n\
         mcp-method: tools/call\r\nmcp-name: large\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    ))
    .await;
    raw
}

#[tokio::test]
async fn who_does_not_take_an_answer_is_hung_up_on() {
    let (hub, _serving) = stage().await;
    let raw = calling_large(&hub).await;
    let begun = Instant::now();
    until_there_is_room(hub.url()).await;
    assert!(begun.elapsed() >= SOON, "it had {:?}", begun.elapsed());
    let heard = raw.ended().await;
    assert!(heard.starts_with("HTTP/1.1 200 ") && heard.len() < 12 * 1024 * 1024);
}

#[tokio::test]
async fn so_is_who_takes_frames_but_no_answer_over_http2() {
    let (hub, _serving) = stage().await;
    let http = reqwest::Client::builder().no_proxy().http2_prior_knowledge();
    let http = http.http2_initial_stream_window_size(65_535).build().expect("a client");
    let client = McpClient::over(http.clone(), hub.url());
    let request = client.modern_request("tools/call", json!({ "name": "large", "arguments": {} }));
    let mut response = request.send().await.expect("the head of an answer");
    // The connection itself is alive, and answers.
    let ping = http.get(format!("{}/healthz", hub.url())).send().await.expect("an answer");
    assert_eq!(ping.status(), StatusCode::OK);
    until_there_is_room(hub.url()).await;
    let reading = async { while let Ok(Some(_)) = response.chunk().await {} };
    timeout(PATIENCE, reading).await.expect("it has been cut off");
}

/// A frame of HTTP/2 (RFC 9113 §4.1).
fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("small").to_be_bytes();
    [&length[1..], &[kind, flags, 0, 0, 0, stream], payload].concat()
}

#[tokio::test]
async fn so_is_who_takes_a_byte_now_and_then() {
    let (hub, _serving) = stage().await;
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"large","arguments":{},
        "_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}"#;
    let mut head = Vec::new();
    for (name, value) in [
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", "localhost"),
        (":path", "/mcp"),
        ("content-type", "application/json"),
        ("accept", "application/json"),
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "tools/call"),
        ("mcp-name", "large"),
    ] {
        // Literal, not indexed (RFC 7541 §6.2.2).
        head.push(0);
        for text in [name, value] {
            head.push(u8::try_from(text.len()).expect("short"));
            head.extend_from_slice(text.as_bytes());
        }
    }
    let mut raw = Raw::open(hub.url()).await;
    let asked = [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        // SETTINGS_INITIAL_WINDOW_SIZE is 0.
        frame(4, 0, 0, &[0, 4, 0, 0, 0, 0]),
        frame(1, 4, 1, &head),
        frame(0, 1, 1, body.as_bytes()),
    ]
    .concat();
    let begun = Instant::now();
    raw.socket.write_all(&asked).await.expect("the connection is open");
    let (mut reader, mut writer) = raw.socket.split();
    let mut heard = Vec::new();
    let hearing = async { while matches!(reader.read_buf(&mut heard).await, Ok(1..)) {} };
    let asking = async {
        // WINDOW_UPDATE, of one byte each.
        while writer.write_all(&frame(8, 0, 1, &[0, 0, 0, 1])).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let ended = async { tokio::join!(hearing, asking) };
    timeout(PATIENCE, ended).await.expect("it is hung up on");
    assert!(begun.elapsed() >= SOON, "it had {:?}", begun.elapsed());
    let first = frame(0, 0, 1, b"{");
    assert!(heard.windows(first.len()).any(|part| part == first), "the answer had begun");
}

#[tokio::test]
async fn so_is_a_provider_that_does_not_take_its_calls() {
    let hub = TestHub::with(|config| config.limits.write_stall = SOON).await;
    let raw = Raw::narrow(hub.url()).await;
    let url = format!("{}/clients/ws", hub.url().replacen("http", "ws", 1));
    let (socket, _) =
        tokio_tungstenite::client_async(url, tokio_tungstenite::MaybeTlsStream::Plain(raw.socket))
            .await
            .expect("let in");
    let mut provider = TestProvider::on(socket);
    provider.register("p", &[tool("t")]).await;
    let mut calls = JoinSet::new();
    for _ in 0..4 {
        let client = McpClient::new(&hub);
        let large = json!({ "text": "x".repeat(3 * 1024 * 1024) });
        calls.spawn(async move { client.call("t", large).await });
    }
    eventually("the provider is given up", || hub.hub().figures().providers == 0).await;
    for answer in calls.join_all().await {
        assert_eq!(answer.result()["isError"], true, "{}", answer.text);
    }
}

#[tokio::test]
async fn over_http2_so_many_requests_are_under_way_at_once() {
    let hub = TestHub::with(|config| {
        config.limits.requests_per_connection = NonZeroU32::new(2).expect("not zero");
    })
    .await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("t")]).await;
    let http = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build();
    let client = McpClient::over(http.expect("a client"), hub.url());
    // The first tells the client of the bound.
    client.tools().await;
    let mut calls = JoinSet::new();
    for _ in 0..3 {
        let client = client.clone();
        calls.spawn(async move { client.call("t", json!({})).await });
    }
    let first = [provider.next_call().await.0, provider.next_call().await.0];
    let third = timeout(SOON, provider.next_call()).await;
    assert!(third.is_err(), "a third request got through: {third:?}");
    provider.answer(&first[0], text("done")).await;
    let (third, _) = provider.next_call().await;
    provider.answer(&first[1], text("done")).await;
    provider.answer(&third, text("done")).await;
    assert!(calls.join_all().await.iter().all(|answer| answer.said() == "done"));
}

#[tokio::test]
async fn answers_that_are_not_taken_have_a_bound_together() {
    let (hub, _serving) = stage_with(|limits| limits.answers = ByteSize::mib(20)).await;
    let greedy = calling_large(&hub).await;
    // The head of an answer is there when its body is held.
    greedy.socket.readable().await.expect("an answer");
    let client = McpClient::new(&hub);
    let request =
        || client.modern_request("tools/call", json!({ "name": "large", "arguments": {} }));
    let refused = request().send().await.expect("an answer");
    // The tool has run: nothing is to make the client call it again.
    assert_eq!(refused.status(), StatusCode::OK);
    assert_eq!(refused.headers().get("retry-after"), None);
    let refused: Value = refused.json().await.expect("JSON");
    assert_eq!((&refused["id"], &refused["error"]["code"]), (&json!(1), &json!(-31000)));
    let why = refused["error"]["message"].as_str().expect("a text");
    assert!(why.contains("carried out") && why.contains("limits.answers"), "{why}");
    assert_eq!(client.tools().await, ["large"], "small answers get through");
    drop(greedy);
    let answered =
        async { while McpClient::send(request()).await.messages[0]["error"].is_object() {} };
    timeout(PATIENCE, answered).await.expect("there is room again");
}

#[tokio::test]
async fn bodies_that_do_not_come_to_their_end_have_a_bound_together() {
    let hub = TestHub::with(|config| {
        config.limits.request_body = ByteSize::kib(256);
        config.limits.request_bodies = ByteSize::kib(256);
    })
    .await;
    let head = "POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                content-length: 262144\r\n\r\n";
    let mut held = Vec::new();
    let refused = async {
        loop {
            // In two pieces, the second of which is more than what fits in beside others.
            let mut raw = Raw::open(hub.url()).await;
            raw.say(head).await;
            drop(raw.socket.write_all(&vec![b' '; 150 * 1024]).await);
            if let Ok(answer) = timeout(Duration::from_millis(100), raw.answer()).await {
                break answer;
            }
            held.push(raw);
        }
    };
    let refused = timeout(PATIENCE, refused).await.expect("they are bounded");
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    assert!(refused.contains("limits.request_bodies"), "{refused}");
    assert!(refused.contains("retry-after: 5\r\n"), "{refused}");
    assert!(McpClient::new(&hub).tools().await.is_empty(), "small ones get in");
    held.clear();
    let client = McpClient::new(&hub);
    let accepted = async {
        let large = || client.post(" ".repeat(200 * 1024));
        while McpClient::send(large()).await.status == StatusCode::SERVICE_UNAVAILABLE {}
    };
    timeout(PATIENCE, accepted).await.expect("there is room again");
}
