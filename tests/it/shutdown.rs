//! How the hub stops: nothing new is let in, what is under way may finish, everybody is told.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::json;
use tempfile::tempdir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout},
};

use crate::support::{
    McpClient, PATIENCE, TestHub, TestProvider,
    binary::Process,
    provider::{text, tool},
    raw::Raw,
};

async fn get(url: &str, path: &str) -> (StatusCode, String) {
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let response = timeout(PATIENCE, http.get(format!("{url}{path}")).send()).await;
    let response = response.expect("in time").expect("a response");
    (response.status(), response.text().await.expect("a body"))
}

/// Whether the hub at `url` can still be reached by a new connection and says it is ready.
async fn is_ready(url: &str) -> bool {
    let address = url.strip_prefix("http://").expect("a plain URL");
    let Ok(mut socket) = TcpStream::connect(address).await else { return false };
    let request = format!("GET /readyz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    let mut response = Vec::new();
    let asked = socket.write_all(request.as_bytes()).await.is_ok();
    let heard = timeout(Duration::from_secs(1), socket.read_to_end(&mut response)).await;
    asked && matches!(heard, Ok(Ok(_))) && response.starts_with(b"HTTP/1.1 200")
}

async fn until_draining(url: &str) {
    let waiting = async { while is_ready(url).await {} };
    timeout(PATIENCE, waiting).await.expect("the hub drains");
}

#[tokio::test]
async fn a_running_hub_is_well_ready_and_measured() {
    let hub = TestHub::start().await;
    let provider = TestProvider::offering(&hub, "p", &[tool("t")]).await;
    let _serving = provider.serve(|_| text("done"));
    assert_eq!(McpClient::new(&hub).call("t", json!({})).await.said(), "done");
    assert_eq!(get(hub.url(), "/healthz").await, (StatusCode::OK, "ok\n".into()));
    assert_eq!(get(hub.url(), "/readyz").await, (StatusCode::OK, "ready\n".into()));
    assert_eq!(get(hub.url(), "/metrics").await.0, StatusCode::OK);
}

#[tokio::test]
async fn metrics_count_calls_by_how_they_ended() {
    let folder = tempdir().expect("a folder");
    let hub = Process::start(folder.path(), &["--listen", "127.0.0.1:0"], &[]).await;
    let mut provider = TestProvider::dial_at(hub.url(), None).await.expect("let in");
    provider.register("p", &[tool("t")]).await;
    let _serving = provider.serve(|_| text("done"));
    let client = McpClient::at(hub.url());
    client.call("t", json!({})).await;
    client.call("t", json!({})).await;
    client.call("missing", json!({})).await;
    let _session = client.initialize("2025-11-25").await;
    let (_, metrics) = get(hub.url(), "/metrics").await;
    for line in [
        r#"mcp_hub_calls_total{outcome="ok",era="modern"} 2"#,
        r#"mcp_hub_calls_total{outcome="unknown_tool",era="modern"} 1"#,
        "mcp_hub_call_duration_seconds_count 3",
        "mcp_hub_calls_in_flight 0",
        "mcp_hub_providers 1",
        "mcp_hub_users 1",
        "mcp_hub_sessions 1",
    ] {
        assert!(metrics.lines().any(|have| have == line), "{line} in\n{metrics}");
    }
}

#[tokio::test]
async fn an_idle_hub_stops_at_once() {
    let hub = TestHub::start().await;
    let begun = Instant::now();
    hub.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(1), "it took {:?}", begun.elapsed());
}

#[tokio::test]
async fn a_call_in_flight_finishes_while_nothing_new_is_let_in() {
    let hub = TestHub::start().await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("t")]).await;
    let client = McpClient::new(&hub);
    let session = client.initialize("2025-11-25").await;
    let url = hub.url().to_owned();
    let modern = client.call("t", json!({}));
    let legacy = session.call(1, "t", json!({}));
    let stop = async {
        let (first, _) = provider.next_call().await;
        let (second, _) = provider.next_call().await;
        let answer = async {
            until_draining(&url).await;
            assert!(!is_ready(&url).await, "nor is it ready again");
            provider.answer(&first, text("finished")).await;
            provider.answer(&second, text("finished")).await;
            provider.close_code().await
        };
        tokio::join!(hub.stop(), answer).1
    };
    let (modern, legacy, code) = tokio::join!(modern, legacy, stop);
    assert_eq!((modern.said(), legacy.said()), ("finished", "finished"));
    assert_eq!(code, 1001, "the provider goes after the calls");
}

#[tokio::test]
async fn over_http2_calls_finish_too_and_idle_connections_hold_nothing_up() {
    let hub = TestHub::start().await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("t")]).await;
    let http2 = || {
        let http = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build();
        McpClient::over(http.expect("a client"), hub.url())
    };
    let (busy, idle, idle_over_http1) = (http2(), http2(), McpClient::new(&hub));
    for client in [&idle, &idle_over_http1] {
        client.tools().await;
    }
    let url = hub.url().to_owned();
    let stop = async {
        let (id, _) = provider.next_call().await;
        let answer = async {
            until_draining(&url).await;
            provider.answer(&id, text("finished")).await;
            let answered = Instant::now();
            assert_eq!(provider.close_code().await, 1001, "as soon as no request is left");
            answered.elapsed()
        };
        tokio::join!(hub.stop(), answer).1
    };
    let (answer, took) = tokio::join!(busy.call("t", json!({})), stop);
    assert_eq!(answer.said(), "finished");
    assert!(took < Duration::from_secs(2), "requests were waited for another {took:?}");
}

#[tokio::test]
async fn who_asks_nothing_holds_nothing_up() {
    // Half a head, half of a second one, and somebody over HTTP/2 who is deaf to all that he hears.
    let deaf = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    for said in ["", "GET /healthz HT", deaf] {
        let hub = TestHub::start().await;
        let mut first = Raw::open(hub.url()).await;
        first.say(said).await;
        let mut second = Raw::open(hub.url()).await;
        second.get("/healthz").await;
        second.say("GET ").await;
        let begun = Instant::now();
        hub.stop().await;
        assert!(begun.elapsed() < Duration::from_secs(4), "{said:?} held it {:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn a_call_beyond_the_grace_is_given_up() {
    let hub = TestHub::with(|config| config.grace = Duration::from_millis(100)).await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("t")]).await;
    let client = McpClient::new(&hub);
    let stop = async {
        provider.next_call().await;
        let begun = Instant::now();
        let ((), code) = tokio::join!(hub.stop(), provider.close_code());
        (code, begun.elapsed())
    };
    let (answer, (code, took)) = tokio::join!(client.call("t", json!({})), stop);
    assert_eq!(code, 1001);
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert_eq!(answer.result()["isError"], true);
    assert!(answer.said().contains("unknown"), "{}", answer.said());
}

#[tokio::test]
async fn streams_end_in_good_order() {
    let hub = TestHub::start().await;
    let client = McpClient::new(&hub);
    let session = client.initialize("2025-11-25").await;
    let (mut modern, mut legacy) = (client.listen().await, session.stream().await);
    let ends = async {
        let farewell = modern.next().await.expect("the result of its request");
        assert_eq!(farewell["id"], 1);
        assert_eq!(farewell["result"]["resultType"], "complete");
        assert_eq!(modern.next().await, None);
        assert_eq!(legacy.next().await, None);
    };
    tokio::join!(hub.stop(), ends);
}

#[tokio::test]
async fn a_signal_lets_the_process_finish_its_calls_and_end_well() {
    for signal in ["TERM", "INT"] {
        let folder = tempdir().expect("a folder");
        let hub = Process::start(folder.path(), &["--listen", "127.0.0.1:0"], &[]).await;
        let mut provider = TestProvider::dial_at(hub.url(), None).await.expect("let in");
        provider.register("p", &[tool("t")]).await;
        let client = McpClient::at(hub.url());
        let mut events = client.listen().await;
        let stopping = async {
            let (id, _) = provider.next_call().await;
            hub.signal(signal).await;
            let farewell = events.next().await.expect("the result of its request");
            assert_eq!(farewell["result"]["resultType"], "complete");
            provider.answer(&id, text("finished")).await;
            assert_eq!(provider.close_code().await, 1001);
        };
        let (answer, ()) = tokio::join!(client.call("t", json!({})), stopping);
        assert_eq!(answer.said(), "finished");
        let ended = hub.ended().await;
        assert_eq!(ended.code, Some(0), "SIG{signal}: {ended:?}");
    }
}
