//! What becomes of a call when the first provider that could answer it does not.

use std::{sync::Arc, time::Duration};

use mcp_hub::{
    hub::{
        health,
        registry::{Audience, Registration},
        router::{AfterHandover, Options},
    },
    model::{
        call::Call,
        error::{AttemptError, CallError, Failed, NotHandedOver},
        limits::Limits,
    },
};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::{
    McpClient, TestHub, TestProvider, eventually,
    fake::{Bench, Does, Fake, parsed, user},
    provider::{read_only, text, tool},
};

/// Where a call ended.
#[derive(Debug, PartialEq, Eq)]
enum Ended {
    /// The first provider's answer was the answer.
    AtTheFirst,
    AtTheSecond,
    /// The first provider's error went to the client as it was.
    Refused(i64),
    /// The client is told that the tool may or may not have run.
    Unknown,
}

fn hinted(name: &str, hint: &str) -> Value {
    let mut tool = tool(name);
    tool["annotations"] = json!({ hint: true });
    tool
}

fn bench() -> Bench {
    Bench::new(Limits::default(), Options::default())
}

fn failed(outcome: Result<Value, CallError>) -> Failed {
    match outcome {
        Err(CallError::Failed(failed)) => failed,
        other => panic!("should have failed at every provider: {other:?}"),
    }
}

async fn ended(first: Does, definition: Value, after_handover: AfterHandover) -> Ended {
    let bench = Bench::new(Limits::default(), Options { after_handover, ..Options::default() });
    let definitions = [definition];
    let (second, _b) = bench.offer("second", Does::Answers, &definitions);
    let (first, _a) = bench.offer("first", first, &definitions);
    let outcome = bench.call("t").await;
    assert_eq!(first.calls(), 1, "the newest is tried first, and once");
    match outcome {
        Ok(result) if second.calls() == 1 => {
            assert_eq!(result["content"][0]["text"], "second");
            Ended::AtTheSecond
        }
        Ok(_) => Ended::AtTheFirst,
        Err(CallError::Refused(error)) => {
            assert_eq!(second.calls(), 0);
            assert_eq!(&*error.message, "first says no");
            assert_eq!(error.data.expect("its data").as_str(), r#"{"from":"first"}"#);
            Ended::Refused(error.code)
        }
        Err(CallError::Failed(failed)) if failed.outcome_is_unknown() => {
            assert_eq!((second.calls(), failed.failures.len()), (0, 1));
            assert_eq!(&*failed.failures[0].provider, "first");
            assert_eq!(failed.failures[0].attempt, Some(1));
            Ended::Unknown
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn the_next_provider_is_tried_exactly_when_that_is_safe() {
    let complaint = json!({ "content": [{ "type": "text", "text": "no ink" }], "isError": true });
    for (first, hint, expected) in [
        (Does::Answers, None, Ended::AtTheFirst),
        (Does::Says(complaint.clone()), None, Ended::AtTheFirst),
        (Does::Says(complaint), Some("readOnlyHint"), Ended::AtTheFirst),
        (Does::Refuses(NotHandedOver::Gone), None, Ended::AtTheSecond),
        (Does::Refuses(NotHandedOver::QueueFull), None, Ended::AtTheSecond),
        (Does::Refuses(NotHandedOver::TooManyCalls), None, Ended::AtTheSecond),
        (Does::Errs(-32603), None, Ended::AtTheSecond),
        (Does::Errs(-32601), None, Ended::AtTheSecond),
        (Does::Errs(7), None, Ended::AtTheSecond),
        (Does::Errs(-32602), None, Ended::Refused(-32602)),
        (Does::Errs(-32602), Some("readOnlyHint"), Ended::Refused(-32602)),
        (Does::Errs(-32021), None, Ended::Refused(-32021)),
        (Does::Loses, None, Ended::Unknown),
        (Does::Loses, Some("destructiveHint"), Ended::Unknown),
        (Does::Loses, Some("readOnlyHint"), Ended::AtTheSecond),
        (Does::Loses, Some("idempotentHint"), Ended::AtTheSecond),
        (Does::Hangs, None, Ended::Unknown),
        (Does::Hangs, Some("readOnlyHint"), Ended::AtTheSecond),
        (Does::Hangs, Some("idempotentHint"), Ended::AtTheSecond),
        (Does::Babbles, None, Ended::Unknown),
        (Does::Babbles, Some("readOnlyHint"), Ended::AtTheSecond),
    ] {
        let definition = hint.map_or_else(|| tool("t"), |hint| hinted("t", hint));
        let case = format!("{first:?} with {hint:?}");
        assert_eq!(ended(first, definition, AfterHandover::Hinted).await, expected, "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn after_handover_always_tries_the_next_without_a_hint() {
    for first in [Does::Loses, Does::Hangs, Does::Babbles] {
        let case = format!("{first:?}");
        let ended = ended(first, tool("t"), AfterHandover::Always).await;
        assert_eq!(ended, Ended::AtTheSecond, "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_may_have_run_anywhere_has_an_unknown_outcome() {
    let always = Options { after_handover: AfterHandover::Always, ..Options::default() };
    let bench = Bench::new(Limits::default(), always);
    let (_, _b) = bench.offer("second", Does::Errs(-32603), &[tool("t")]);
    let (_, _a) = bench.offer("first", Does::Loses, &[tool("t")]);
    let failed = failed(bench.call("t").await);
    assert_eq!(failed.failures.len(), 2);
    assert!(failed.outcome_is_unknown(), "the first provider may have run it: {failed:?}");
}

#[tokio::test(start_paused = true)]
async fn at_most_attempts_providers_are_tried() {
    for attempts in [1, 2, 3] {
        let options =
            Options { attempts: attempts.try_into().expect("not zero"), ..Options::default() };
        let bench = Bench::new(Limits::default(), options);
        let offered: Vec<(Arc<Fake>, Registration)> = ["d", "c", "b", "a"]
            .map(|name| bench.offer(name, Does::Errs(-32603), &[tool("t")]))
            .into();
        let failed = failed(bench.call("t").await);
        let names: Vec<_> = failed.failures.iter().map(|failure| &*failure.provider).collect();
        assert_eq!(names, ["a", "b", "c"][..attempts]);
        let tried: Vec<_> = failed.failures.iter().filter_map(|failure| failure.attempt).collect();
        assert_eq!(tried, (1..=attempts).collect::<Vec<_>>());
        assert_eq!(offered.iter().map(|(fake, _)| fake.calls()).sum::<usize>(), attempts);
        assert!(!failed.outcome_is_unknown());
    }
}

#[tokio::test(start_paused = true)]
async fn silence_ends_an_attempt_and_the_deadline_ends_the_call() {
    let (call_idle, call_total) = (Duration::from_secs(60), Duration::from_secs(100));
    let bench =
        Bench::new(Limits { call_idle, call_total, ..Limits::default() }, Options::default());
    let tools = [read_only("t")];
    let (third, _c) = bench.offer("third", Does::Answers, &tools);
    let (second, _b) = bench.offer("second", Does::Hangs, &tools);
    let (first, _a) = bench.offer("first", Does::Hangs, &tools);
    let begun = Instant::now();
    let failed = failed(bench.call("t").await);
    assert_eq!(begun.elapsed().as_secs(), 100, "the second attempt had what was left");
    assert_eq!((first.calls(), second.calls(), third.calls()), (1, 1, 0));
    let waited = failed.failures.iter().map(|failure| match failure.cause {
        AttemptError::Silent(waited) | AttemptError::OutOfTime(waited) => waited.as_secs(),
        _ => panic!("{failure:?}"),
    });
    assert_eq!(waited.collect::<Vec<_>>(), [60, 100], "silent, then out of time");
}

#[tokio::test(start_paused = true)]
async fn progress_keeps_a_call_alive_until_its_deadline_and_no_longer() {
    let (call_idle, call_total) = (Duration::from_secs(60), Duration::from_secs(600));
    let bench =
        Bench::new(Limits { call_idle, call_total, ..Limits::default() }, Options::default());
    for (steps, apart, expected) in [(9, 59, Some(590)), (1, 61, None), (20, 59, None)] {
        let works = Does::Works(steps, Duration::from_secs(apart));
        let (_fake, _registration) = bench.offer("p", works, &[tool("t")]);
        let begun = Instant::now();
        let outcome = bench.call("t").await;
        let took = begun.elapsed().as_secs();
        match expected {
            Some(seconds) => assert_eq!((outcome.is_ok(), took), (true, seconds)),
            None => {
                assert!(failed(outcome).outcome_is_unknown());
                assert_eq!(took, if apart > 60 { 60 } else { 600 });
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn own_providers_come_before_shared_ones_and_the_newest_first() {
    let bench = bench();
    let stack = || -> Vec<String> {
        let view = bench.alice().view();
        let offers = &view.stack("t").expect("a stack").offers;
        offers.iter().map(|offer| offer.identity.name.to_string()).collect()
    };
    let everyone =
        |name: &str| bench.offer_to(Audience::Everyone, (name, name), Does::Answers, &[tool("t")]);
    let (_, _shared_old) = everyone("shared-old");
    let (_, own_old) = bench.offer("own-old", Does::Answers, &[tool("t")]);
    let (_, _own_new) = bench.offer("own-new", Does::Answers, &[tool("t")]);
    let (_, _shared_new) = everyone("shared-new");
    assert_eq!(stack(), ["own-new", "own-old", "shared-new", "shared-old"]);
    assert_eq!(bench.said("t").await, "own-new");

    let replaced = own_old.replace(vec![parsed(&tool("t")), parsed(&tool("u"))]);
    assert_eq!(replaced, Ok(true));
    assert_eq!(stack(), ["own-new", "own-old", "shared-new", "shared-old"], "not moved");

    let (_, _reconnected) = bench.offer("own-old", Does::Answers, &[tool("t")]);
    assert_eq!(stack(), ["own-old", "own-new", "shared-new", "shared-old"], "moved up");
    assert_eq!(own_old.replace(Vec::new()), Ok(false), "the old connection has no say any more");
    drop(own_old);
    assert_eq!(bench.said("t").await, "own-old", "nor does its end take anything away");
}

#[tokio::test(start_paused = true)]
async fn another_input_schema_is_never_a_silent_substitute_but_other_wording_is() {
    let schema = |schema: Value| {
        let mut tool = tool("t");
        tool["inputSchema"] = schema;
        tool
    };
    let listed = schema(json!({ "type": "object", "properties": { "q": { "type": "string" } } }));
    let reworded = schema(json!({ "type": "object", "title": "T", "description": "d",
        "properties": { "q": { "type": "string", "title": "Q", "description": "x",
            "examples": ["y"], "$comment": "z" } } }));
    let stricter = schema(json!({ "type": "object", "required": ["q"],
        "properties": { "q": { "type": "string" } } }));
    for (other, fits) in [(reworded, true), (stricter, false)] {
        let bench = bench();
        let (second, _b) = bench.offer("second", Does::Answers, &[other]);
        let (_, _a) = bench.offer("first", Does::Errs(-32603), std::slice::from_ref(&listed));
        let outcome = bench.call("t").await;
        assert_eq!(second.calls(), usize::from(fits));
        if !fits {
            let failed = failed(outcome);
            let last = failed.failures.last().expect("two failures");
            assert_eq!((&*last.provider, last.attempt), ("second", None));
            let cause = AttemptError::NotHandedOver(NotHandedOver::OtherSchema).to_string();
            assert_eq!(last.cause.to_string(), cause);
        }
    }
}

fn breaker(failures: u32, pause: u64) -> Options {
    let (pause, pause_max) = (Duration::from_secs(pause), Duration::from_secs(pause * 2));
    Options { breaker: health::Options { failures, pause, pause_max }, ..Options::default() }
}

fn described(name: &str, description: &str) -> Value {
    let mut tool = tool(name);
    tool["description"] = json!(description);
    tool
}

#[tokio::test(start_paused = true)]
async fn a_breaker_opens_probes_and_closes_and_the_list_follows() {
    let bench = Bench::new(Limits::default(), breaker(2, 10));
    let (_, _b) = bench.offer("second", Does::Answers, &[described("t", "by second")]);
    let (first, _a) = bench.offer("first", Does::Errs(-32603), &[described("t", "by first")]);
    let description = || bench.listed(&user("alice"))[0]["description"].clone();
    let mut changes = bench.alice().watch();
    for _ in 0..2 {
        assert_eq!(description(), "by first");
        assert_eq!(bench.said("t").await, "second");
    }
    assert_eq!(description(), "by second", "open");
    changes.changed().await.expect("listeners are told");
    bench.said("t").await;
    assert_eq!(first.calls(), 2, "skipped while open");

    tokio::time::advance(Duration::from_secs(10)).await;
    eventually("it counts as well again once it may be probed", || description() == "by first")
        .await;
    assert_eq!(bench.said("t").await, "second");
    assert_eq!((first.calls(), description()), (3, json!("by second")), "the probe failed");
    tokio::time::advance(Duration::from_secs(19)).await;
    bench.said("t").await;
    assert_eq!(first.calls(), 3, "the pause has doubled");

    first.does(Does::Answers);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(bench.said("t").await, "first", "the probe succeeded");
    assert_eq!((bench.said("t").await.as_str(), description()), ("first", json!("by first")));
}

#[tokio::test(start_paused = true)]
async fn callers_mistakes_and_full_queues_do_not_open_a_breaker() {
    let says_no = json!({ "content": [], "isError": true });
    for does in [
        Does::Errs(-32602),
        Does::Errs(-32021),
        Does::Refuses(NotHandedOver::TooManyCalls),
        Does::Says(says_no),
    ] {
        let bench = Bench::new(Limits::default(), breaker(1, 10));
        let (fake, _registration) = bench.offer("p", does.clone(), &[tool("t")]);
        for _ in 0..3 {
            drop(bench.call("t").await);
        }
        assert_eq!(fake.calls(), 3, "{does:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_blames_its_caller_is_well() {
    let bench = Bench::new(Limits::default(), breaker(2, 10));
    let (fake, _registration) = bench.offer("p", Does::Errs(-32603), &[tool("t")]);
    for code in [-32603, -32602, -32603, -32602, -32603] {
        fake.does(Does::Errs(code));
        drop(bench.call("t").await);
    }
    assert_eq!(fake.calls(), 5, "no two failures were running");
}

#[tokio::test(start_paused = true)]
async fn one_users_calls_do_not_shut_a_shared_provider_to_another() {
    let bench = Bench::new(Limits::default(), breaker(1, 10));
    let shared = |name: &str, does: Does| {
        let tool = described("t", &format!("by {name}"));
        bench.offer_to(Audience::Everyone, (name, name), does, &[tool])
    };
    let (_, _b) = shared("second", Does::Answers);
    let (_, _a) = shared("first", Does::Errs(-32603));
    let (alice, bob) = (user("alice"), user("bob"));
    let _bob_is_there = bench.hub.user(&bob);
    assert_eq!(bench.said("t").await, "second");
    assert_eq!(bench.listed(&alice)[0]["description"], "by second");
    assert_eq!(bench.listed(&bob)[0]["description"], "by first", "nothing happened to bob");
}

#[tokio::test(start_paused = true)]
async fn a_single_provider_whose_breaker_is_open_is_still_listed_and_the_refusal_says_why() {
    let bench = Bench::new(Limits::default(), breaker(1, 10));
    let (_, _registration) = bench.offer("only", Does::Errs(-32603), &[tool("t")]);
    failed(bench.call("t").await);
    assert_eq!(bench.listed(&user("alice"))[0]["name"], "t");
    let failed = failed(bench.call("t").await);
    assert!(!failed.outcome_is_unknown());
    assert_eq!(failed.failures[0].attempt, None);
    let why = failed.failures[0].cause.to_string();
    assert!(why.contains("left alone for a while"), "{why}");
}

fn asks() -> Does {
    Does::Says(json!({ "resultType": "input_required", "requestState": "own state",
        "inputRequests": { "who": { "method": "elicitation/create" } } }))
}

/// The retry of a call that `bench` answered with questions.
async fn retry(bench: &Bench) -> Call {
    let questions = bench.call("t").await.expect("questions");
    let sealed = questions["requestState"].as_str().expect("a state");
    assert_ne!(sealed, "own state", "the provider's own state is not shown");
    let answers = serde_json::from_str::<Value>(r#"{"who":{"action":"accept"}}"#).expect("JSON");
    Call {
        tool: "t".into(),
        request_state: Some(sealed.into()),
        input_responses: Some(mcp_hub::model::json::Json::of(&answers)),
        ..Call::default()
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_goes_to_the_provider_that_asked_though_a_newer_one_came() {
    let bench = bench();
    let (asker, _a) = bench.offer("asker", asks(), &[tool("t")]);
    let retry = retry(&bench).await;
    let (newer, _b) = bench.offer("newer", Does::Answers, &[tool("t")]);
    asker.does(Does::Answers);
    let result = bench.call_with(retry).await.expect("an answer");
    assert_eq!(result["content"][0]["text"], "asker");
    assert_eq!((asker.calls(), newer.calls()), (2, 0));
    let seen = asker.seen().pop().expect("the retry");
    assert_eq!(seen.request_state.as_deref(), Some(r#""own state""#), "its own state came back");
    assert_eq!(seen.input_responses.as_deref(), Some(r#"{"who":{"action":"accept"}}"#));
}

#[tokio::test(start_paused = true)]
async fn a_retry_finds_its_provider_reconnected_or_one_of_the_same_name_or_none() {
    let everyone = || Audience::One(user("alice"));
    for (name, instance, newer, expected) in [
        ("asker", "i-1", "x", Some("asker")),
        ("asker", "i-2", "x", Some("asker")),
        ("other", "i-2", "x", None),
    ] {
        let bench = bench();
        let (_, asker) = bench.offer_to(everyone(), ("asker", "i-1"), asks(), &[tool("t")]);
        let retry = retry(&bench).await;
        drop(asker);
        let (back, _back) =
            bench.offer_to(everyone(), (name, instance), Does::Answers, &[tool("t")]);
        let (newer, _newer) =
            bench.offer_to(everyone(), (newer, newer), Does::Answers, &[tool("t")]);
        let outcome = bench.call_with(retry).await;
        assert_eq!((back.calls(), newer.calls()), (usize::from(expected.is_some()), 0));
        match expected {
            Some(said) => assert_eq!(outcome.expect("an answer")["content"][0]["text"], said),
            None => assert!(failed(outcome).failures.is_empty(), "nobody was even asked"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_fails_at_its_provider_is_tried_nowhere_else() {
    let bench = bench();
    let (_, _b) = bench.offer("second", Does::Answers, &[read_only("t")]);
    let (asker, _a) = bench.offer("asker", asks(), &[read_only("t")]);
    let retry = retry(&bench).await;
    asker.does(Does::Errs(-32603));
    assert_eq!(failed(bench.call_with(retry).await).failures.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_retry_reaches_its_provider_though_the_listed_schema_is_now_anothers() {
    let bench = bench();
    let (asker, _a) = bench.offer("asker", asks(), &[tool("t")]);
    let retry = retry(&bench).await;
    let mut stricter = tool("t");
    stricter["inputSchema"] = json!({ "type": "object", "required": ["q"] });
    let (_, _b) = bench.offer("newer", Does::Answers, &[stricter]);
    asker.does(Does::Answers);
    let result = bench.call_with(retry).await.expect("its arguments fitted when it asked");
    assert_eq!(result["content"][0]["text"], "asker");
}

#[tokio::test(start_paused = true)]
async fn the_same_instance_registering_again_supersedes_the_old_one_only_for_its_user() {
    let bench = bench();
    let (old, _old) = bench.offer("p", Does::Answers, &[tool("t")]);
    let bobs = Audience::One(user("bob"));
    let (of_bob, _of_bob) = bench.offer_to(bobs, ("p", "p"), Does::Answers, &[tool("t")]);
    assert_eq!((old.superseded(), of_bob.superseded()), (0, 0), "another user's is another");
    let (new, _new) = bench.offer("p", Does::Answers, &[tool("t")]);
    assert_eq!((old.superseded(), new.superseded(), of_bob.superseded()), (1, 0, 0));
    assert_eq!(bench.alice().view().stack("t").expect("a stack").offers.len(), 1);
}

#[tokio::test]
async fn a_provider_killed_during_a_read_only_call_is_replaced_within_that_call() {
    let hub = TestHub::start().await;
    let older = TestProvider::offering(&hub, "older", &[read_only("t")]).await;
    let _serving = older.serve(|_| text("older"));
    let mut newest = TestProvider::offering(&hub, "newest", &[read_only("t")]).await;
    let client = McpClient::new(&hub);
    let kill = async {
        newest.next_call().await;
        drop(newest);
    };
    let (answer, ()) = tokio::join!(client.call("t", json!({})), kill);
    assert_eq!(answer.said(), "older");
    assert_eq!(answer.result().get("isError"), None);
}

#[tokio::test]
async fn a_provider_killed_during_an_unhinted_call_leaves_an_outcome_that_is_said_to_be_unknown() {
    let hub = TestHub::start().await;
    let mut older = TestProvider::offering(&hub, "older", &[tool("pay"), tool("after")]).await;
    let mut newest = TestProvider::offering(&hub, "newest", &[tool("pay")]).await;
    let client = McpClient::new(&hub);
    let kill = async {
        let (_, params) = newest.next_call().await;
        assert_eq!(params["name"], "pay");
        drop(newest);
    };
    let (answer, ()) = tokio::join!(client.call("pay", json!({})), kill);
    assert_eq!(answer.result()["isError"], true);
    let said = answer.said();
    for part in ["outcome", "unknown", "\"pay\"", "\"newest\"", "Check before you call it again"] {
        assert!(said.contains(part), "{part} in {said}");
    }
    // Had the call gone to the older one as well, it would come before this.
    let (_, (_, params)) = tokio::join!(
        McpClient::send(client.modern_request("tools/call", json!({ "name": "after" }))),
        async {
            let (id, params) = older.next_call().await;
            older.answer(&id, text("done")).await;
            (id, params)
        }
    );
    assert_eq!(params["name"], "after", "the tool ran once");
}

#[tokio::test]
async fn a_name_that_has_just_gone_is_answered_with_close_matches() {
    let hub = TestHub::start().await;
    let mut provider =
        TestProvider::offering(&hub, "p", &[tool("search_web"), tool("paint")]).await;
    provider.register("p", &[tool("search_wiki"), tool("paint")]).await;
    let client = McpClient::new(&hub);
    let answer = client.call("search_web", json!({})).await;
    assert_eq!(answer.code(), -32602);
    let message = answer.error()["message"].as_str().expect("a message");
    assert!(message.contains("\"search_web\" was withdrawn"), "{message}");
    assert!(message.contains("\"search_wiki\"") && !message.contains("paint"), "{message}");
    assert_eq!(answer.error()["data"]["closeMatches"], json!(["search_wiki"]));
    let answer = client.call("never_there", json!({})).await;
    assert_eq!(answer.code(), -32602);
    assert_eq!(answer.error()["message"], "there is no tool \"never_there\"");
}
