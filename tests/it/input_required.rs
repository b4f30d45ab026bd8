//! Tools that ask something back before they answer, and the way of the answer to who asked.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{
    McpClient, TestHub, TestProvider,
    client::Answer,
    eventually,
    provider::{text, tool},
};

const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";

/// A provider of the tool `ask`; several may share a name, and one may come back.
async fn asker(hub: &TestHub, user: Option<&str>, name: &str, instance: &str) -> TestProvider {
    let token = user.map(crate::support::hub::token);
    let mut provider = TestProvider::dial(hub, token.as_deref()).await.expect("let in");
    let about = json!({ "name": name, "version": "1", "instanceId": instance });
    let params = json!({ "provider": about, "tools": [tool("ask"), tool("other")] });
    provider
        .say(json!({ "jsonrpc": "2.0", "id": 1, "method": "providers/register", "params": params }))
        .await;
    let answer = provider.hear().await.expect("an answer");
    assert!(answer.get("result").is_some(), "{answer}");
    provider
}

fn form(message: &str) -> Value {
    let schema = json!({ "type": "object", "properties": {} });
    let params = json!({ "mode": "form", "message": message, "requestedSchema": schema });
    json!({ "method": "elicitation/create", "params": params })
}

fn url() -> Value {
    let params = json!({ "mode": "url", "url": "https://example.com/", "message": "Look." });
    json!({ "method": "elicitation/create", "params": params })
}

fn questions(requests: &Value, state: Option<&Value>) -> Value {
    let mut result = json!({ "resultType": "input_required", "inputRequests": requests });
    if let Some(state) = state {
        result["requestState"] = state.clone();
    }
    result
}

/// Calls `ask` as a client that can do `capabilities`, with `extra` parameters.
async fn call(client: &McpClient, capabilities: &Value, extra: Value) -> Answer {
    let mut params = extra;
    params["name"] = json!("ask");
    params["_meta"] = json!({ CAPABILITIES: capabilities });
    client.modern("tools/call", params).await
}

/// A first round: `provider` asks a question with `state`; returns what the client got.
async fn asked(client: &McpClient, provider: &mut TestProvider, state: Option<&Value>) -> Value {
    let capabilities = json!({ "elicitation": {} });
    let (answer, ()) = tokio::join!(call(client, &capabilities, json!({})), async {
        let (id, params) = provider.next_call().await;
        assert!(params.get("requestState").is_none(), "{params}");
        provider.answer(&id, questions(&json!({ "k": form("Name?") }), state)).await;
    });
    answer.result().clone()
}

/// The retry with an answer to the question.
async fn retried(client: &McpClient, state: &Value) -> Answer {
    let responses = json!({ "k": { "action": "accept", "content": { "name": "x" } } });
    let extra = json!({ "inputResponses": responses, "requestState": state });
    call(client, &json!({ "elicitation": {} }), extra).await
}

/// `provider` answers the retry, which carries `state` as it gave it.
async fn answers_retry(provider: &mut TestProvider, state: Option<&Value>, says: &str) {
    let (id, params) = provider.next_call().await;
    assert_eq!(params.get("requestState"), state);
    assert_eq!(params["inputResponses"]["k"]["content"], json!({ "name": "x" }));
    provider.answer(&id, text(says)).await;
}

#[tokio::test]
async fn a_question_passes_through_with_its_state_sealed() {
    let hub = TestHub::start().await;
    let mut provider = asker(&hub, None, "p", "p").await;
    let client = McpClient::new(&hub);
    for state in [None, Some(json!("secret-state")), Some(json!("")), Some(json!({ "odd": [1] }))] {
        let result = asked(&client, &mut provider, state.as_ref()).await;
        assert_eq!(result["resultType"], "input_required");
        assert_eq!(result["inputRequests"], json!({ "k": form("Name?") }));
        let sealed = &result["requestState"];
        assert!(!sealed.as_str().expect("a state").contains("secret"), "{sealed}");
        let (answer, ()) = tokio::join!(
            retried(&client, sealed),
            answers_retry(&mut provider, state.as_ref(), "thanks")
        );
        assert_eq!(answer.said(), "thanks", "{state:?}");
    }
}

/// The instance `middle` of `twin` goes away and comes back as the newest.
async fn came_back(hub: &TestHub, middle: TestProvider) -> TestProvider {
    let before = hub.hub().figures().providers;
    drop(middle);
    eventually("it is gone", || hub.hub().figures().providers == before - 1).await;
    asker(hub, None, "twin", "middle").await
}

#[tokio::test]
async fn a_retry_reaches_the_instance_that_asked_and_no_other() {
    let hub = TestHub::start().await;
    let client = McpClient::new(&hub);
    let (mut old, mut middle) =
        (asker(&hub, None, "twin", "old").await, asker(&hub, None, "twin", "middle").await);
    let state = json!("of the middle one");
    let result = asked(&client, &mut middle, Some(&state)).await;
    let _new = asker(&hub, None, "twin", "new").await;
    let sealed = &result["requestState"];
    let (answer, ()) =
        tokio::join!(retried(&client, sealed), answers_retry(&mut middle, Some(&state), "me"));
    assert_eq!(answer.said(), "me");

    // It went away and came back: it is still the one that asked.
    let mut middle = came_back(&hub, middle).await;
    let result = asked(&client, &mut middle, Some(&state)).await;
    let mut middle = came_back(&hub, middle).await;
    let _newest = asker(&hub, None, "twin", "newest").await;
    let sealed = &result["requestState"];
    let (answer, ()) =
        tokio::join!(retried(&client, sealed), answers_retry(&mut middle, Some(&state), "back"));
    assert_eq!(answer.said(), "back");

    // It fails: nobody else is asked what only it can know.
    let mut middle = came_back(&hub, middle).await;
    let result = asked(&client, &mut middle, Some(&state)).await;
    let (answer, ()) = tokio::join!(retried(&client, &result["requestState"]), async {
        let (id, _) = middle.next_call().await;
        middle.fail(&id, -1, "forgotten").await;
    });
    assert_eq!(answer.result()["isError"], true);
    assert!(answer.said().contains("forgotten"), "{}", answer.said());
    old.say(json!({ "jsonrpc": "2.0", "id": "idle", "method": "ping" })).await;
    assert_eq!(old.hear().await.expect("an answer")["id"], "idle", "no call came here");
}

#[tokio::test]
async fn a_retry_goes_to_a_namesake_when_the_asker_is_gone() {
    let hub = TestHub::start().await;
    let client = McpClient::new(&hub);
    let mut namesake = asker(&hub, None, "twin", "one").await;
    let mut gone = asker(&hub, None, "twin", "two").await;
    let state = json!("portable");
    let sealed = asked(&client, &mut gone, Some(&state)).await["requestState"].clone();
    let another = asked(&client, &mut gone, Some(&state)).await["requestState"].clone();
    let mut stranger = asker(&hub, None, "stranger", "three").await;
    drop(gone);
    eventually("the asker is gone", || hub.hub().figures().providers == 2).await;
    let (answer, ()) = tokio::join!(
        retried(&client, &sealed),
        answers_retry(&mut namesake, Some(&state), "I know of it")
    );
    assert_eq!(answer.said(), "I know of it");
    drop(namesake);
    eventually("the namesake is gone", || hub.hub().figures().providers == 1).await;
    // It reached nobody, so it may be tried again and again.
    for _ in 0..2 {
        let answer = retried(&client, &another).await;
        assert_eq!(answer.result()["isError"], true);
        assert!(answer.said().contains("no longer connected"), "{}", answer.said());
    }
    assert_eq!(retried(&client, &sealed).await.code(), -32602, "it was used");
    stranger.say(json!({ "jsonrpc": "2.0", "id": "idle", "method": "ping" })).await;
    assert_eq!(stranger.hear().await.expect("an answer")["id"], "idle", "no call came here");
}

#[tokio::test]
async fn a_state_is_good_for_its_user_and_tool_only() {
    let hub = TestHub::with_users().await;
    let (alice, bob) = (McpClient::of_user(&hub, "alice"), McpClient::of_user(&hub, "bob"));
    let mut provider = asker(&hub, Some("alice"), "p", "p").await;
    let _bobs = asker(&hub, Some("bob"), "p", "p").await;
    let state = json!("s");
    let sealed = asked(&alice, &mut provider, Some(&state)).await["requestState"].clone();
    let good = sealed.as_str().unwrap();
    let changed = |at: usize| {
        let with = if good.as_bytes()[at] == b'A' { "B" } else { "A" };
        [&good[..at], with, &good[at + 1..]].concat()
    };
    let last = good.len() - 1;
    for bad in [
        changed(0),
        changed(good.len() / 2),
        changed(last),
        good[..last].to_owned(),
        format!("{good}A"),
        format!("{good}="),
        String::new(),
        "made up".to_owned(),
        "s".to_owned(),
        format!("{good}{good}"),
    ] {
        let answer = retried(&alice, &json!(bad)).await;
        assert_eq!((answer.status, answer.code()), (StatusCode::OK, -32602), "{bad}: {answer:?}");
    }
    assert_eq!(retried(&bob, &sealed).await.code(), -32602);
    let other = json!({ "name": "other", "requestState": sealed });
    assert_eq!(alice.modern("tools/call", other).await.code(), -32602);
    let (answer, ()) = tokio::join!(
        retried(&alice, &sealed),
        answers_retry(&mut provider, Some(&state), "still good")
    );
    assert_eq!(answer.said(), "still good");
    let replayed = retried(&alice, &sealed).await;
    assert_eq!(replayed.code(), -32602, "{replayed:?}");
    assert!(replayed.text.contains("used already"), "{}", replayed.text);
}

type Row<'a> = (Value, Value, &'a [&'a str]);

/// A client that can do the first is asked the second and lacks the third, if anything.
async fn check_capabilities(rows: &[Row<'_>]) {
    let hub = TestHub::start().await;
    let mut provider = asker(&hub, None, "p", "p").await;
    let client = McpClient::new(&hub);
    let mut wrong = Vec::new();
    for (capabilities, requests, missing) in rows {
        let (answer, ()) = tokio::join!(call(&client, capabilities, json!({})), async {
            let (id, params) = provider.next_call().await;
            assert_eq!(&params["_meta"][CAPABILITIES], capabilities);
            provider.answer(&id, questions(requests, None)).await;
        });
        let required = answer.message().pointer("/error/data/requiredCapabilities");
        let is_right = match missing {
            [] => answer.status == 200 && answer.message().get("result").is_some(),
            missing => {
                answer.status == 400
                    && answer.message()["error"]["code"] == -32021
                    && required
                        .is_some_and(|r| missing.iter().all(|path| r.pointer(path).is_some()))
            }
        };
        if !is_right {
            wrong.push(format!(
                "{capabilities} asked {requests} lacks {missing:?}: {}",
                answer.text
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn only_what_the_client_can_do_is_asked_of_it() {
    let sampling =
        json!({ "method": "sampling/createMessage", "params": { "messages": [], "maxTokens": 1 } });
    let mut equipped = sampling.clone();
    equipped["params"]["tools"] = json!([{ "name": "x", "inputSchema": { "type": "object" } }]);
    let roots = json!({ "method": "roots/list" });
    let mut plain_form = form("Name?");
    plain_form["params"].as_object_mut().unwrap().remove("mode");
    check_capabilities(&[
        (json!({ "elicitation": {} }), json!({ "a": form("?") }), &[][..]),
        (json!({ "elicitation": { "form": {} } }), json!({ "a": form("?") }), &[]),
        (json!({ "elicitation": {} }), json!({ "a": plain_form }), &[]),
        (json!({ "elicitation": { "url": {} } }), json!({ "a": url() }), &[]),
        (
            json!({ "elicitation": { "form": {}, "url": {} } }),
            json!({ "a": url(), "b": form("?") }),
            &[],
        ),
        (json!({ "sampling": {}, "roots": {} }), json!({ "a": sampling, "b": roots }), &[]),
        (json!({}), json!({}), &[]),
        (json!({}), json!({ "a": form("?") }), &["/elicitation"]),
        (json!({ "sampling": { "tools": {} } }), json!({ "a": sampling, "b": equipped }), &[]),
        (json!({}), json!({ "a": sampling }), &["/sampling"]),
        (json!({ "sampling": {} }), json!({ "a": equipped }), &["/sampling/tools"]),
        (json!({}), json!({ "a": sampling, "b": equipped }), &["/sampling/tools"]),
        (json!({}), json!({ "a": roots }), &["/roots"]),
        (json!({ "elicitation": {} }), json!({ "a": url() }), &["/elicitation/url"]),
        (json!({ "elicitation": { "form": {} } }), json!({ "a": url() }), &["/elicitation/url"]),
        (json!({ "elicitation": {} }), json!({ "a": form("?"), "b": roots }), &["/roots"]),
        (
            json!({ "extensions": {} }),
            json!({ "a": sampling, "b": roots }),
            &["/roots", "/sampling"],
        ),
    ])
    .await;
}

#[tokio::test]
async fn forms_and_urls_are_asked_of_those_who_can_show_them() {
    check_capabilities(&[
        (json!({}), json!({ "a": url(), "b": form("?") }), &["/elicitation/url"]),
        (json!({ "elicitation": { "url": {} } }), json!({ "a": form("?") }), &["/elicitation"]),
    ])
    .await;
}

#[tokio::test]
async fn a_provider_may_say_itself_what_the_client_lacks() {
    let hub = TestHub::start().await;
    let mut provider = asker(&hub, None, "p", "p").await;
    let client = McpClient::new(&hub);
    let session = client.initialize("2025-11-25").await;
    let data = json!({ "requiredCapabilities": { "sampling": {} } });
    let error = json!({ "code": -32021, "message": "cannot sample", "data": data });
    let legacy = session.prepared(1, "tools/call", &json!({ "name": "ask" }));
    let modern = client.modern_request("tools/call", json!({ "name": "ask" }));
    // Within a session every answer is HTTP 200.
    for (request, status) in [(modern, 400), (legacy, 200)] {
        let (answer, ()) = tokio::join!(McpClient::send(request), async {
            let (id, _) = provider.next_call().await;
            provider.say(json!({ "jsonrpc": "2.0", "id": id, "error": error })).await;
        });
        assert_eq!(answer.error(), &error);
        assert_eq!(answer.status, status, "{answer:?}");
    }
}

#[tokio::test]
async fn a_legacy_client_is_told_that_it_cannot_be_asked() {
    let hub = TestHub::start().await;
    let mut provider = asker(&hub, None, "p", "p").await;
    let session = McpClient::new(&hub).initialize("2025-11-25").await;
    let (answer, ()) = tokio::join!(session.call(1, "ask", json!({})), async {
        let (id, _) = provider.next_call().await;
        let requests = json!({ "k": form("Name?") });
        provider.answer(&id, questions(&requests, Some(&json!("s")))).await;
    });
    assert_eq!(answer.status, StatusCode::OK);
    let result = answer.result();
    assert_eq!(result["isError"], true);
    assert!(answer.said().contains("ask"), "{}", answer.said());
    for absent in ["resultType", "inputRequests", "requestState"] {
        assert!(result.get(absent).is_none(), "{absent} in {result}");
    }
}
