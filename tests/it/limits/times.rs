//! How long everything is waited for: a little less is in time, and nobody is cut off before.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::json;
use tokio::time::{Instant, timeout};

use super::{hub, until_hit};
use crate::support::{
    McpClient, TestProvider,
    exchange::{able, end, form, next_request, progress, questions, quiet, rest, said},
    provider::{text, tool},
    raw::Raw,
};

/// A time that is over soon, and one that is not.
const SOON: Duration = Duration::from_millis(400);
const LATE: Duration = Duration::from_secs(30);

/// Lets time pass in which the hub says nothing to `provider`.
async fn silent(provider: &mut TestProvider, time: Duration) {
    let heard = timeout(time, provider.hear()).await;
    assert!(heard.is_err(), "the hub says {heard:?}");
}

#[tokio::test]
async fn a_call_may_be_silent_so_long_and_take_so_long_in_all() {
    for (idle, total, key) in [(SOON, LATE, "limits.call_idle"), (LATE, SOON, "limits.call_total")]
    {
        let hub = hub(|limits| (limits.call_idle, limits.call_total) = (idle, total)).await;
        let mut provider = TestProvider::offering(&hub, "p", &[tool("t")]).await;
        let client = McpClient::new(&hub);
        let (answer, ()) = tokio::join!(client.call("t", json!({})), async {
            let (id, _) = provider.next_call().await;
            silent(&mut provider, SOON / 2).await;
            provider.answer(&id, text("in time")).await;
        });
        assert_eq!(answer.said(), "in time");
        let begun = Instant::now();
        let answer = client.call("t", json!({})).await;
        assert!(begun.elapsed() >= SOON, "{key}: after {:?}", begun.elapsed());
        assert_eq!(answer.result()["isError"], true);
        assert!(answer.said().contains(&format!("({key})")), "{}", answer.said());
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

#[tokio::test]
async fn a_request_may_take_so_long_to_arrive() {
    let hub = hub(|limits| limits.request_body_time = SOON).await;
    let begin = async || {
        let mut raw = Raw::open(hub.url()).await;
        raw.say(
            "POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
             content-length: 2\r\n\r\n{",
        )
        .await;
        raw
    };
    let mut in_time = begin().await;
    let waiting = timeout(SOON / 2, in_time.answer()).await;
    assert!(waiting.is_err(), "it is waited for: {waiting:?}");
    in_time.say("}").await;
    let answer = in_time.answer().await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("-32600"), "{answer}");

    let begun = Instant::now();
    let answer = begin().await.answer().await;
    assert!(begun.elapsed() >= SOON, "after {:?}", begun.elapsed());
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("within 0.4s (limits.request_body_time)"), "{answer}");
    until_hit(&hub, "limits.request_body_time").await;
}

#[tokio::test]
async fn a_provider_may_take_so_long_to_register() {
    let hub = hub(|limits| limits.provider_registration = SOON).await;
    let mut provider = TestProvider::dial(&hub, None).await.expect("let in");
    silent(&mut provider, SOON / 2).await;
    provider.register("p", &[tool("t")]).await;
    silent(&mut provider, SOON).await;

    let begun = Instant::now();
    let mut late = TestProvider::dial(&hub, None).await.expect("let in");
    let reason = "no providers/register came in time (limits.provider_registration)";
    assert_eq!(late.closed().await, (1008, reason.to_owned()));
    assert!(begun.elapsed() >= SOON, "after {:?}", begun.elapsed());
    until_hit(&hub, "limits.provider_registration").await;
}

#[tokio::test]
async fn a_provider_may_leave_pings_unanswered_so_long() {
    let hub = hub(|limits| (limits.ping_interval, limits.ping_grace) = (SOON / 2, SOON / 2)).await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("t")]).await;
    // Reading answers pings.
    silent(&mut provider, SOON * 2).await;
    // Nobody reads from its socket until it is given up.
    let begun = Instant::now();
    until_hit(&hub, "limits.ping_grace").await;
    assert!(begun.elapsed() >= SOON / 2, "after {:?}", begun.elapsed());
    let reason = "no answer to pings (limits.ping_grace)";
    assert_eq!(provider.closed().await, (1008, reason.to_owned()));
}

#[tokio::test]
async fn what_is_asked_back_during_a_call_shares_its_time() {
    let hub = hub(|limits| limits.question_time = SOON).await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("ask")]).await;
    let session = able(&hub).await;
    let mut events = session.calling(1, "ask").await;
    let (id, _) = provider.next_call().await;
    provider.answer(&id, questions(&json!({ "k": form("Name?") }), "s")).await;
    let first = next_request(&mut events).await;
    silent(&mut provider, SOON / 2).await;
    session.reply(&first, json!({ "action": "accept" })).await;
    let (id, params) = provider.next_call().await;
    assert!(params["inputResponses"]["k"].is_object(), "it was in time: {params}");

    let begun = Instant::now();
    provider.answer(&id, questions(&json!({ "k": form("And?") }), "s")).await;
    let answer = end(&mut events).await;
    assert!(said(&answer).contains("(limits.question_time is "), "{answer}");
    assert!(begun.elapsed() < SOON, "the second has what the first left");

    // And a question that stands alone has all of it.
    let mut events = session.calling(2, "ask").await;
    let (id, _) = provider.next_call().await;
    let begun = Instant::now();
    provider.answer(&id, questions(&json!({ "k": form("Name?") }), "s")).await;
    assert!(said(&end(&mut events).await).contains("(limits.question_time is "));
    assert!(begun.elapsed() >= SOON, "after {:?}", begun.elapsed());
}

#[tokio::test]
async fn a_call_holds_its_connection_so_long() {
    let hub = hub(|limits| limits.call_stream_time = SOON).await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("t")]).await;
    let session = able(&hub).await;
    let mut events = session.calling(1, "t").await;
    let (id, _) = provider.next_call().await;
    silent(&mut provider, SOON / 2).await;
    provider.answer(&id, text("in time")).await;
    assert_eq!(rest(&mut events).await, ["in time"]);

    let begun = Instant::now();
    let mut events = session.calling(2, "t").await;
    assert_eq!(events.next().await, None);
    assert!(begun.elapsed() >= SOON, "after {:?}", begun.elapsed());
}

#[tokio::test]
async fn what_a_call_told_is_kept_so_long_after_its_end() {
    let hub = hub(|limits| limits.resume_time = SOON).await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("t")]).await;
    let session = able(&hub).await;
    let mut events = session.calling(1, "t").await;
    let (id, _) = provider.next_call().await;
    progress(&mut provider, &id, 1).await;
    events.next().await.expect("progress");
    let last = events.last_id.clone().expect("an id");
    let before = Instant::now();
    provider.answer(&id, text("done")).await;
    quiet(&hub).await;
    let after = Instant::now();
    loop {
        let asked = after.elapsed();
        let told = rest(&mut session.resume(&last).await).await;
        if told.is_empty() {
            assert!(before.elapsed() >= SOON, "gone after {:?}", before.elapsed());
            break;
        }
        assert_eq!(told, ["done"]);
        assert!(asked < SOON * 4, "kept for {asked:?}");
    }
}
