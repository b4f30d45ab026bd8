//! How many calls a user may make, and what becomes of their places.

use serde_json::json;
use tokio::task::JoinSet;

use super::{count, hub, refused};
use crate::support::{
    McpClient, TestHub, TestProvider,
    exchange::{able, end, form, questions, said},
    provider::{text, tool},
};

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
        refused(&client.call("t", json!({})).await, "limits.calls_per_user", 2);
        refused(&session.call(2, "t", json!({})).await, "limits.calls_per_user", 2);
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
    for number in 1..=3 {
        let answer = alice.call("t", json!({})).await;
        assert_eq!(answer.code(), -32602, "call {number} of a burst of 3: there is no such tool");
    }
    refused(&alice.call("t", json!({})).await, "limits.calls_per_second", 1);
    // The burst has a key of its own, and is named beside the rate.
    let message = alice.call("t", json!({})).await.error()["message"].to_string();
    assert!(message.contains("limits.calls_burst"), "{message}");
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
async fn so_much_may_be_asked_back_at_once() {
    let hub = hub(|limits| limits.questions_per_round = count(2)).await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("ask")]).await;
    let session = able(&hub).await;
    for (number, fits) in [(1, true), (2, true), (3, false)] {
        let mut events = session.calling(1, "ask").await;
        let (id, _) = provider.next_call().await;
        let asked: serde_json::Map<_, _> =
            (0..number).map(|key| (key.to_string(), form("Name?"))).collect();
        provider.answer(&id, questions(&json!(asked), "s")).await;
        if fits {
            for _ in 0..number {
                let question = events.next().await.expect("a question");
                session.reply(&question, json!({ "action": "accept" })).await;
            }
            let (id, _) = provider.next_call().await;
            provider.answer(&id, text("done")).await;
        }
        let answer = end(&mut events).await;
        let expected = if fits { "done" } else { "limits.questions_per_round is 2" };
        assert!(said(&answer).contains(expected), "{number} questions: {answer}");
    }
}

#[tokio::test]
async fn so_often_may_be_asked_back_during_one_call() {
    let hub = hub(|limits| limits.question_rounds = count(2)).await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("ask")]).await;
    let session = able(&hub).await;
    for (rounds, fits) in [(1, true), (2, true), (3, false)] {
        let mut events = session.calling(1, "ask").await;
        for _ in 0..rounds {
            // A round without questions is one as well.
            let (id, _) = provider.next_call().await;
            let again = json!({ "resultType": "input_required", "requestState": "again" });
            provider.answer(&id, again).await;
        }
        if fits {
            let (id, params) = provider.next_call().await;
            assert_eq!(params["requestState"], "again");
            provider.answer(&id, text("done")).await;
        }
        let answer = end(&mut events).await;
        let expected = if fits { "done" } else { "more than 2 times (limits.question_rounds)" };
        assert!(said(&answer).contains(expected), "{rounds} rounds: {answer}");
    }
}
