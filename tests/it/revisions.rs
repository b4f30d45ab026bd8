//! What differs between the revisions of the legacy era: batches, and what a tool may be.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{
    McpClient, TestHub, TestProvider,
    provider::{text, tool},
};

const BATCHES: &str = "2025-03-26";

#[tokio::test]
async fn a_batch_is_answered_as_one() {
    let hub = TestHub::start().await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("go")]).await;
    let session = McpClient::new(&hub).initialize(BATCHES).await;
    let call = |id: i64| json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": { "name": "go" } });
    let ping = json!({ "jsonrpc": "2.0", "id": "p", "method": "ping" });
    let notification = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    let faulty = json!({ "jsonrpc": "2.0", "id": 9 });
    let unknown = json!({ "jsonrpc": "2.0", "id": 8, "method": "no/such" });
    let batch = json!([call(1), ping, notification, faulty, unknown, call(2)]);
    let (answer, ()) = tokio::join!(McpClient::send(session.post(batch.to_string())), async {
        for _ in 0..2 {
            let (id, _) = provider.next_call().await;
            provider.answer(&id, text("went")).await;
        }
    });
    let answers = answer.message().as_array().expect("a batch").clone();
    let of = |id: Value| answers.iter().find(|answer| answer["id"] == id).expect("an answer");
    assert_eq!(answers.len(), 5, "{answers:?}");
    for id in [1, 2] {
        assert_eq!(of(json!(id))["result"], text("went"));
    }
    assert_eq!(of(json!("p"))["result"], json!({}));
    assert_eq!(of(json!(9))["error"]["code"], -32600);
    assert_eq!(of(json!(8))["error"]["code"], -32601);

    let quiet = json!([{ "jsonrpc": "2.0", "method": "notifications/initialized" }]);
    let answer = McpClient::send(session.post(quiet.to_string())).await;
    assert_eq!((answer.status, &*answer.text), (StatusCode::ACCEPTED, ""));
}

#[tokio::test]
async fn what_a_batch_begins_it_can_cancel() {
    let hub = TestHub::start().await;
    let _provider = TestProvider::offering(&hub, "p", &[tool("go")]).await;
    let session = McpClient::new(&hub).initialize(BATCHES).await;
    let batch = json!([
        { "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "go" } },
        { "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 1 } },
        { "jsonrpc": "2.0", "id": 2, "method": "ping" },
    ]);
    let answer = McpClient::send(session.post(batch.to_string())).await;
    assert_eq!(answer.message(), &json!([{ "jsonrpc": "2.0", "id": 2, "result": {} }]));
}

#[tokio::test]
async fn a_batch_with_something_to_tell_is_one_stream() {
    let hub = TestHub::start().await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("go")]).await;
    let session = McpClient::new(&hub).initialize(BATCHES).await;
    let call = |id: i64| {
        let params = json!({ "name": "go", "_meta": { "progressToken": id } });
        json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params })
    };
    let batch = json!([call(1), { "jsonrpc": "2.0", "id": 3, "method": "ping" }, call(2)]);
    let (answer, ()) = tokio::join!(McpClient::send(session.post(batch.to_string())), async {
        let mut calls = Vec::new();
        for _ in 0..2 {
            calls.push(provider.next_call().await.0);
        }
        let params = json!({ "progressToken": calls[0], "progress": 1 });
        provider
            .say(json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": params }))
            .await;
        for id in calls {
            provider.answer(&id, text("went")).await;
        }
    });
    assert_eq!(answer.headers["content-type"], "text/event-stream");
    let mut ids: Vec<_> = answer.messages.iter().filter_map(|m| m["id"].as_i64()).collect();
    ids.sort_unstable();
    assert_eq!((answer.messages.len(), ids), (4, vec![1, 2, 3]), "{:?}", answer.messages);
}

#[tokio::test]
async fn batches_belong_to_one_revision_and_have_a_bound() {
    let hub = TestHub::with(|config| config.limits.batch = 2.try_into().unwrap()).await;
    let client = McpClient::new(&hub);
    let ping = |id: i64| json!({ "jsonrpc": "2.0", "id": id, "method": "ping" });
    let session = client.initialize(BATCHES).await;
    let sent = async |batch: Value| McpClient::send(session.post(batch.to_string())).await;
    for (batch, status) in [
        (json!([ping(1)]), StatusCode::OK),
        (json!([ping(1), ping(2)]), StatusCode::OK),
        (json!([ping(1), ping(2), ping(3)]), StatusCode::PAYLOAD_TOO_LARGE),
        (json!([]), StatusCode::BAD_REQUEST),
        (
            json!([{ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {} }]),
            StatusCode::BAD_REQUEST,
        ),
    ] {
        let answer = sent(batch.clone()).await;
        assert_eq!(answer.status, status, "{batch} {answer:?}");
    }
    assert!(sent(json!([ping(1), ping(2), ping(3)])).await.text.contains("limits.batch"));
    let claim = json!({ "_meta": { "io.modelcontextprotocol/protocolVersion": "2026-07-28" } });
    let modern = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": claim });
    assert_eq!(sent(json!([ping(1), modern])).await.code(), -32600);
    for version in ["2024-11-05", "2025-06-18", "2025-11-25"] {
        let session = client.initialize(version).await;
        let answer = McpClient::send(session.post(json!([ping(1)]).to_string())).await;
        assert_eq!((answer.status, answer.code()), (StatusCode::BAD_REQUEST, -32600), "{version}");
        assert!(answer.text.contains(BATCHES), "{}", answer.text);
    }
    let nobody = McpClient::send(client.post(json!([ping(1)]).to_string())).await;
    assert_eq!(nobody.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn each_revision_is_told_of_tools_and_results_in_its_own_words() {
    let hub = TestHub::start().await;
    let mut count = tool("count");
    count["title"] = json!("Count");
    count["outputSchema"] = json!({ "type": "number" });
    count["annotations"] = json!({ "readOnlyHint": true });
    let mut provider = TestProvider::offering(&hub, "p", &[count.clone()]).await;
    let client = McpClient::new(&hub);
    let wrapped = json!({ "type": "object", "properties": { "result": { "type": "number" } }, "required": ["result"] });
    for (version, title, schema, annotated, structured) in [
        ("2024-11-05", None, None, false, None),
        ("2025-03-26", None, None, true, None),
        ("2025-06-18", Some("Count"), Some(&wrapped), true, Some(json!({ "result": 7 }))),
        ("2025-11-25", Some("Count"), Some(&wrapped), true, Some(json!({ "result": 7 }))),
    ] {
        let session = client.initialize(version).await;
        let listed = session.request(1, "tools/list", json!({})).await;
        let listed = &listed.result()["tools"][0];
        assert_eq!(listed.get("title").and_then(Value::as_str), title, "{version}");
        assert_eq!(listed.get("outputSchema"), schema, "{version}");
        assert_eq!(listed.get("annotations").is_some(), annotated, "{version}");
        let (answer, ()) = tokio::join!(session.call(2, "count", json!({})), async {
            let (id, _) = provider.next_call().await;
            let result = json!({ "content": [], "structuredContent": 7, "resultType": "complete" });
            provider.answer(&id, result).await;
        });
        assert_eq!(answer.result().get("structuredContent"), structured.as_ref(), "{version}");
        assert_eq!(answer.result().get("resultType"), None, "{version}");
    }
    let listed = client.modern("tools/list", json!({})).await;
    assert_eq!(listed.result()["tools"][0], count, "as it was declared");
}

#[tokio::test]
async fn a_result_is_worded_by_what_was_listed_when_its_call_began() {
    let hub = TestHub::start().await;
    let mut any = tool("any");
    any["outputSchema"] = json!({ "type": ["object", "null"] });
    let mut provider = TestProvider::offering(&hub, "p", &[any.clone()]).await;
    let session = McpClient::new(&hub).initialize("2025-11-25").await;
    let (answer, _newer) = tokio::join!(session.call(1, "any", json!({})), async {
        let (id, _) = provider.next_call().await;
        // The newest is listed, and says nothing of what comes out.
        let newer = TestProvider::offering(&hub, "q", &[tool("any")]).await;
        let listed = session.request(2, "tools/list", json!({})).await;
        assert_eq!(listed.result()["tools"][0].get("outputSchema"), None);
        provider.answer(&id, json!({ "content": [], "structuredContent": { "a": 1 } })).await;
        newer
    });
    assert_eq!(answer.result()["structuredContent"], json!({ "result": { "a": 1 } }));
}

#[tokio::test]
async fn structured_content_reaches_revisions_that_do_not_know_it() {
    let hub = TestHub::start().await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("count")]).await;
    let said = |text: &str| json!({ "type": "text", "text": text });
    for version in ["2024-11-05", "2025-03-26"] {
        let session = McpClient::new(&hub).initialize(version).await;
        for (content, expected) in [
            (json!(null), json!([said(r#"{"n":7}"#)])),
            (json!([said("seven")]), json!([said("seven"), said(r#"{"n":7}"#)])),
            (json!([said(r#"{ "n": 7 }"#)]), json!([said(r#"{ "n": 7 }"#)])),
        ] {
            let (answer, ()) = tokio::join!(session.call(1, "count", json!({})), async {
                let (id, _) = provider.next_call().await;
                let result = json!({ "content": content, "structuredContent": { "n": 7 } });
                provider.answer(&id, result).await;
            });
            assert_eq!(*answer.result(), json!({ "content": expected }), "{version}");
        }
    }
}

#[tokio::test]
async fn an_unknown_version_is_refused_whatever_is_sent_with_it() {
    let hub = TestHub::start().await;
    let session = McpClient::new(&hub).initialize(BATCHES).await;
    let ping = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" });
    let notification = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    let response = json!({ "jsonrpc": "2.0", "id": "hub-0", "result": {} });
    for body in [json!([ping]), ping, json!([notification]), notification, response] {
        let sent = async |version: &str| {
            let request = session.post(body.to_string()).header("mcp-protocol-version", version);
            McpClient::send(request).await
        };
        let answer = sent("v999").await;
        assert_eq!((answer.status, answer.code()), (StatusCode::BAD_REQUEST, -32600), "{body}");
        assert!(answer.text.contains("v999") && answer.text.contains(BATCHES), "{}", answer.text);
        assert!(sent(BATCHES).await.status.is_success(), "{body}");
    }
    for (version, status) in [("v999", StatusCode::BAD_REQUEST), (BATCHES, StatusCode::NO_CONTENT)]
    {
        let request = session.client.request(Method::DELETE).header("mcp-session-id", &session.id);
        let answer = McpClient::send(request.header("mcp-protocol-version", version)).await;
        assert_eq!(answer.status, status, "{version}");
    }
}

#[tokio::test]
async fn answers_to_questions_are_no_parameters_of_a_session() {
    let hub = TestHub::start().await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("go")]).await;
    let session = McpClient::new(&hub).initialize("2025-11-25").await;
    let params = json!({ "name": "go", "inputResponses": { "k": {} }, "requestState": 7 });
    let (answer, ()) = tokio::join!(session.request(1, "tools/call", params), async {
        let (id, params) = provider.next_call().await;
        assert_eq!((params.get("inputResponses"), params.get("requestState")), (None, None));
        provider.answer(&id, text("went")).await;
    });
    assert_eq!(answer.said(), "went");
}

#[tokio::test]
async fn a_header_of_another_era_is_overlooked_only_where_the_operator_says_so() {
    for lenient in [false, true] {
        let hub = TestHub::with(|config| config.lenient_version_header = lenient).await;
        let client = McpClient::new(&hub);
        let sent = async |version: &str, method: Option<&str>| {
            let meta = json!({
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities": {},
            });
            let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": { "_meta": meta } });
            let mut request = client.post(body.to_string()).header("mcp-protocol-version", version);
            if let Some(method) = method {
                request = request.header("mcp-method", method);
            }
            McpClient::send(request).await
        };
        for method in [None, Some("tools/list")] {
            let answer = sent("2025-11-25", method).await;
            match lenient {
                true => assert_eq!(answer.result()["resultType"], "complete"),
                false => assert_eq!(answer.code(), -32020),
            }
        }
        assert_eq!(sent("2025-11-25", Some("tools/call")).await.code(), -32020, "it is wrong");
        assert_eq!(sent("2027-01-01", Some("tools/list")).await.code(), -32020);
        assert_eq!(sent("2026-07-28", None).await.code(), -32020, "the right one excuses nothing");
    }
}
