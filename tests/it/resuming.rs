//! Streams that break off, and clients that come back for the rest.

use std::time::Duration;

use serde_json::json;

use crate::support::{
    McpClient, TestHub, TestProvider,
    exchange::{VERSION, able as session, progress, quiet, rest, short, stage},
    provider::{text, tool},
};

async fn working(change: impl FnOnce(&mut mcp_hub::config::Config)) -> (TestHub, TestProvider) {
    stage("work", change).await
}

#[tokio::test]
async fn a_stream_that_was_cut_is_resumed_without_loss_or_repetition() {
    let (hub, mut provider) = working(|_| {}).await;
    let session = session(&hub).await;
    let mut events = session.calling(1, "work").await;
    let (id, _) = provider.next_call().await;
    progress(&mut provider, &id, 1).await;
    assert_eq!(short(&events.next().await.expect("progress")), "1");
    let last = events.last_id.clone().expect("an id");
    drop(events);

    // What happens while nobody reads is not lost, whether it was in flight or not.
    for n in 2..=4 {
        progress(&mut provider, &id, n).await;
    }
    let mut events = session.resume(&last).await;
    let mut read = Vec::new();
    for _ in 0..2 {
        read.push(short(&events.next().await.expect("progress")));
    }
    let last = events.last_id.clone().expect("an id");
    drop(events);
    provider.answer(&id, text("done")).await;
    quiet(&hub).await;
    read.extend(rest(&mut session.resume(&last).await).await);
    assert_eq!(read, ["2", "3", "4", "done"]);
    assert_eq!(rest(&mut session.resume(&last).await).await, ["4", "done"], "and once more");
    // To a stream that just ends, clients come back again and again.
    for ended in ["1_99", "7_0"] {
        let request = session.client.request(reqwest::Method::GET);
        let request = request.header("mcp-session-id", &session.id).header("last-event-id", ended);
        let answer = McpClient::send(request).await;
        assert_eq!(answer.status, reqwest::StatusCode::NO_CONTENT, "{ended}");
    }
}

#[tokio::test]
async fn a_question_that_was_not_read_is_asked_when_the_client_is_back() {
    let (hub, mut provider) = working(|_| {}).await;
    let session = session(&hub).await;
    let mut events = session.calling(1, "work").await;
    let (id, _) = provider.next_call().await;
    progress(&mut provider, &id, 1).await;
    events.next().await.expect("progress");
    let last = events.last_id.clone().expect("an id");
    drop(events);
    let form = json!({ "method": "elicitation/create", "params": { "message": "Name?" } });
    let asked = json!({ "resultType": "input_required", "inputRequests": { "k": form } });
    provider.answer(&id, asked).await;
    let mut events = session.resume(&last).await;
    let request = events.next().await.expect("a question");
    session.reply(&request, json!({ "action": "accept" })).await;
    let (id, _) = provider.next_call().await;
    provider.answer(&id, text("thanks")).await;
    assert_eq!(rest(&mut events).await, ["thanks"]);
}

#[tokio::test]
async fn a_long_call_gives_its_connection_back_and_its_client_comes_for_the_rest() {
    let (hub, mut provider) =
        working(|config| config.limits.call_stream_time = Duration::from_millis(200)).await;
    let session = session(&hub).await;
    // Nothing is told before the answer: the priming event alone says where to go on.
    let params = json!({ "name": "work" });
    let mut events = McpClient::events(session.prepared(1, "tools/call", &params)).await;
    assert_eq!(events.next().await, None, "the connection is given back");
    let last = events.last_id.clone().expect("the id of the priming event");
    let (id, _) = provider.next_call().await;
    let mut events = session.resume(&last).await;
    assert_eq!(events.next().await, None, "as often as need be");
    assert_eq!(events.last_id.as_deref(), Some(&*last));
    provider.answer(&id, text("done")).await;
    assert_eq!(rest(&mut session.resume(&last).await).await, ["done"]);

    // A client of an earlier revision would not come back.
    let old = McpClient::new(&hub).initialize("2025-06-18").await;
    let mut events = old.calling(2, "work").await;
    let (id, _) = provider.next_call().await;
    progress(&mut provider, &id, 1).await;
    assert_eq!(short(&events.next().await.expect("progress")), "1");
    let until = tokio::time::Instant::now() + Duration::from_millis(400);
    for n in 2.. {
        progress(&mut provider, &id, n).await;
        assert_eq!(short(&events.next().await.expect("progress")), n.to_string());
        if tokio::time::Instant::now() > until {
            break;
        }
    }
    provider.answer(&id, text("done")).await;
    assert_eq!(rest(&mut events).await, ["done"]);
}

#[tokio::test]
async fn one_reads_a_stream_and_only_its_session_can() {
    let hub = TestHub::with_users().await;
    let mut provider = TestProvider::offering_as(&hub, Some("alice"), "p", &[tool("work")]).await;
    let alice = McpClient::of_user(&hub, "alice").initialize(VERSION).await;
    let bob = McpClient::of_user(&hub, "bob").initialize(VERSION).await;
    let other = McpClient::of_user(&hub, "alice").initialize(VERSION).await;
    let mut first = alice.calling(1, "work").await;
    let (id, _) = provider.next_call().await;
    progress(&mut provider, &id, 1).await;
    first.next().await.expect("progress");
    let last = first.last_id.clone().expect("an id");
    for foreign in [&bob, &other] {
        assert!(rest(&mut foreign.resume(&last).await).await.is_empty());
    }
    let mut second = alice.resume(&last).await;
    assert_eq!(first.next().await, None, "another took its place");
    provider.answer(&id, text("hers")).await;
    assert_eq!(rest(&mut second).await, ["hers"]);
    assert_eq!(alice.delete().await, reqwest::StatusCode::NO_CONTENT);
    let gone = alice.client.request(reqwest::Method::GET).header("mcp-session-id", &alice.id);
    let answer = McpClient::send(gone.header("last-event-id", last)).await;
    assert_eq!(answer.status, reqwest::StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_is_kept_is_bounded_in_number_and_time() {
    let (hub, mut provider) = working(|config| {
        config.limits.events_per_session = 3.try_into().unwrap();
        config.limits.resume_time = Duration::from_millis(400);
    })
    .await;
    let session = session(&hub).await;
    let mut events = session.calling(1, "work").await;
    let (id, _) = provider.next_call().await;
    progress(&mut provider, &id, 1).await;
    events.next().await.expect("progress");
    let last = events.last_id.clone().expect("an id");
    drop(events);
    for n in 2..=9 {
        progress(&mut provider, &id, n).await;
    }
    provider.answer(&id, text("done")).await;
    quiet(&hub).await;
    let read = rest(&mut session.resume(&last).await).await;
    assert!(read.len() <= 3 && read.last().is_some_and(|last| last == "done"), "{read:?}");
    let deadline = tokio::time::Instant::now() + crate::support::PATIENCE;
    while !rest(&mut session.resume(&last).await).await.is_empty() {
        assert!(tokio::time::Instant::now() < deadline, "it is kept too long");
    }
}

#[tokio::test]
async fn a_change_of_the_list_that_was_lost_on_the_way_is_told_again() {
    let (hub, mut provider) = working(|_| {}).await;
    let session = session(&hub).await;
    let mut events = session.stream().await;
    provider.register("p", &[tool("work"), tool("more")]).await;
    let told = events.next().await.expect("news");
    assert_eq!(told["method"], "notifications/tools/list_changed");
    let second = events.last_id.clone().expect("an id");
    drop(events);
    // It never heard of the change.
    let first = "0_0";
    assert_ne!(first, second);
    let mut events = session.resume(first).await;
    assert_eq!(events.next().await.expect("news")["method"], told["method"]);
    drop(events);
    // It did.
    let mut events = session.resume(&second).await;
    provider.register("p", &[tool("work")]).await;
    events.next().await.expect("news");
    let third = events.last_id.clone().expect("an id");
    assert_ne!(third, second, "the one after it");
    drop(events);
    // Of one that is yet to come it cannot have heard: it goes on after the last there was.
    let request = session.client.request(reqwest::Method::GET);
    let request = request.header("mcp-session-id", &session.id).header("last-event-id", "0_99999");
    let mut response = request.send().await.expect("a stream");
    let priming = response.chunk().await.expect("a connection").expect("a priming event");
    let priming = String::from_utf8_lossy(&priming);
    assert!(priming.contains(&format!("id: {third}\n")), "{priming}");
}

#[tokio::test]
async fn what_is_read_along_is_not_lost_however_large_it_is() {
    let (hub, mut provider) = working(|config| {
        config.limits.event_bytes_per_session = bytesize::ByteSize::kib(64);
    })
    .await;
    let session = session(&hub).await;
    let mut both = [session.calling(1, "work").await, session.calling(2, "work").await];
    let (first, second) = (provider.next_call().await.0, provider.next_call().await.0);
    for id in [&first, &second] {
        progress(&mut provider, id, 1).await;
    }
    for events in &mut both {
        assert_eq!(short(&events.next().await.expect("progress")), "1");
    }
    let large = ["a", "b"].map(|letter| letter.repeat(1024 * 1024));
    provider.answer(&first, text(&large[0])).await;
    provider.answer(&second, text(&large[1])).await;
    for (events, large) in both.iter_mut().zip(&large) {
        assert!(rest(events).await == [large.clone()], "all of it");
    }
}
