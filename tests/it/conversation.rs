//! A call that asks back within the hub: one call to all bounds, however many rounds it takes.

use std::time::Duration;

use mcp_hub::{
    hub::router::Options,
    model::{
        call::{Call, OutputKind},
        error::{CallError, NotHandedOver},
        json::Json,
        limits::Limits,
    },
};
use serde_json::{Value, json};
use tokio::time::advance;

use crate::support::{
    fake::{Bench, Does, Seen, user},
    provider::tool,
};

fn call() -> Call {
    Call { tool: "ask".into(), ..Call::default() }
}

fn answers(n: u32) -> Option<Json> {
    Some(Json::of(&json!({ "k": n })))
}

fn question(state: &str) -> Value {
    json!({
        "resultType": "input_required",
        "inputRequests": { "k": { "method": "roots/list" } },
        "requestState": state,
    })
}

fn asks(state: &str) -> Does {
    Does::Says(question(state))
}

#[tokio::test(start_paused = true)]
async fn rounds_lead_back_to_who_asked_with_its_own_state() {
    let bench = Bench::new(Limits::default(), Options::default());
    let alice = bench.hub.user(&user("alice"));
    let (asker, _a) = bench.offer("asker", asks("first"), &[tool("ask")]);
    let mut conversation = bench.hub.converse(&alice, call());
    let output = conversation.next(None).await.expect("a question");
    assert_eq!(output.kind, OutputKind::InputRequired);
    assert!(output.json.as_str().contains(r#""requestState":"first""#), "nothing was sealed");

    let (newer, _b) = bench.offer("newer", Does::Answers, &[tool("ask")]);
    asker.does(asks("second"));
    conversation.next(answers(1)).await.expect("another question");
    asker.does(Does::Answers);
    let output = conversation.next(answers(2)).await.expect("an answer");
    assert_eq!(output.kind, OutputKind::Unsaid);
    assert_eq!(newer.calls(), 0);
    let seen = |state: Option<&str>, responses: Option<&str>| Seen {
        request_state: state.map(|state| format!("{state:?}")),
        input_responses: responses.map(Into::into),
    };
    assert_eq!(
        asker.seen(),
        [
            seen(None, None),
            seen(Some("first"), Some(r#"{"k":1}"#)),
            seen(Some("second"), Some(r#"{"k":2}"#))
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn it_is_counted_once_and_holds_one_place_to_its_end() {
    let limits = Limits {
        calls_per_second: 1.try_into().unwrap(),
        calls_burst: 1.try_into().unwrap(),
        calls_per_user: 1.try_into().unwrap(),
        ..Limits::default()
    };
    let bench = Bench::new(limits, Options::default());
    let alice = bench.hub.user(&user("alice"));
    let (asker, _a) = bench.offer("asker", asks("s"), &[tool("ask")]);
    let mut conversation = bench.hub.converse(&alice, call());
    for n in 0..5 {
        conversation.next(answers(n)).await.expect("a question");
        assert_eq!(alice.calls_in_flight(), 1, "also while its client is asked");
    }
    let refused = bench.hub.call(&alice, call()).await;
    assert!(matches!(refused, Err(CallError::Limited(_))), "{refused:?}");
    drop(conversation);
    assert_eq!((alice.calls_in_flight(), asker.calls()), (0, 5));
    let too_soon = bench.hub.call(&alice, call()).await.expect_err("it was counted");
    assert!(too_soon.to_string().contains("limits.calls_per_second"), "{too_soon}");
}

#[tokio::test(start_paused = true)]
async fn its_time_is_what_providers_use_and_not_what_asking_takes() {
    let seconds = Duration::from_secs;
    let limits = Limits { call_total: seconds(100), call_idle: seconds(60), ..Limits::default() };
    let bench = Bench::new(limits, Options::default());
    let alice = bench.hub.user(&user("alice"));
    for (second, is_in_time) in [(49, true), (51, false)] {
        let first = Does::SaysAfter(seconds(50), question("s"));
        let (asker, _a) = bench.offer("asker", first, &[tool("ask")]);
        let mut conversation = bench.hub.converse(&alice, call());
        conversation.next(None).await.expect("a question");
        advance(seconds(3_600)).await;
        asker.does(Does::SaysAfter(seconds(second), json!({ "content": [] })));
        let outcome = conversation.next(answers(1)).await;
        assert_eq!(outcome.is_ok(), is_in_time, "{outcome:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_asked_and_has_gone_fails_the_call_and_nobody_else_is_told_the_answer() {
    let bench = Bench::new(Limits::default(), Options::default());
    let alice = bench.hub.user(&user("alice"));
    let (other, _b) = bench.offer("other", Does::Answers, &[tool("ask")]);
    let (asker, registration) = bench.offer("asker", asks("s"), &[tool("ask")]);
    let mut conversation = bench.hub.converse(&alice, call());
    conversation.next(None).await.expect("a question");
    asker.does(Does::Refuses(NotHandedOver::Gone));
    drop(registration);
    conversation.next(answers(1)).await.expect_err("nobody is left who asked");
    assert_eq!(other.calls(), 0);
}
