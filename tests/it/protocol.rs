//! What the hub answers, era by era: the ladder of checks, the headers, the handshake, the pages.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{
    McpClient, TestHub, TestProvider,
    client::{Answer, LegacySession, MODERN, names},
    provider::{text, tool},
};

const VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
const LEGACY: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];

type Headers<'a> = &'a [(&'a str, &'a str)];

/// `_meta` as a modern client sends it, claiming `version`.
fn meta(version: &str) -> Value {
    json!({ VERSION: version, CAPABILITIES: {} })
}

/// A request under an id that is easily lost: it must come back as it is.
fn request(method: &str, params: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": "listen:0", "method": method, "params": params })
}

async fn post(client: &McpClient, headers: Headers<'_>, body: &Value) -> Answer {
    let request = client.post(body.to_string());
    let with = |request: reqwest::RequestBuilder, (name, value): &(&str, &str)| {
        request.header(*name, *value)
    };
    McpClient::send(headers.iter().fold(request, with)).await
}

/// Posts, and expects the error `code` with `status`, told under the request's own id.
async fn refused(
    client: &McpClient,
    headers: Headers<'_>,
    body: &Value,
    (status, code): (u16, i64),
) -> Answer {
    let answer = post(client, headers, body).await;
    let context = format!("{headers:?} {body}: {answer:?}");
    assert_eq!(answer.status, status, "{context}");
    assert_eq!(answer.code(), code, "{context}");
    assert_eq!(answer.message().get("id"), body.get("id"), "{context}");
    answer
}

/// Posts, and expects a result.
async fn accepted(client: &McpClient, headers: Headers<'_>, body: &Value) -> Answer {
    let answer = post(client, headers, body).await;
    let context = format!("{headers:?} {body}: {answer:?}");
    assert_eq!(answer.status, StatusCode::OK, "{context}");
    assert!(answer.message().get("result").is_some(), "{context}");
    assert_eq!(answer.message()["id"], body["id"], "{context}");
    answer
}

/// A tool with arguments that clients repeat in headers.
fn regional(name: &str) -> Value {
    let properties = json!({
        "region": { "type": "string", "x-mcp-header": "Region" },
        "count": { "type": "integer", "x-mcp-header": "Count" },
        "dry": { "type": "boolean", "x-mcp-header": "Dry-Run" },
        "to": { "type": "object", "properties": { "id": { "type": "string", "x-mcp-header": "Id" } } },
    });
    json!({ "name": name, "inputSchema": { "type": "object", "properties": properties } })
}

#[tokio::test]
async fn the_first_fault_on_the_ladder_is_the_one_told() {
    let hub = TestHub::start().await;
    let provider = TestProvider::offering(&hub, "p", &[regional("go")]).await;
    let _serving = provider.serve(|_| text("went"));
    let client = McpClient::new(&hub);
    let arguments = json!({ "region": "eu" });
    let body = |meta: &Value| {
        request("tools/call", &json!({ "name": "go", "arguments": arguments, "_meta": meta }))
    };
    let future = "2099-01-01";
    let claims_only = json!({ VERSION: future });
    let (strange, modern) = (meta(future), meta(MODERN));
    let version = ("mcp-protocol-version", MODERN);
    let (method, name) = (("mcp-method", "tools/call"), ("mcp-name", "go"));
    // Each row mends what the row before was refused for, and nothing else.
    for (meta, headers, (status, code), says) in [
        (&claims_only, &[][..], (400, -32602), "clientCapabilities"),
        (&strange, &[], (400, -32020), "MCP-Protocol-Version is missing"),
        (&strange, &[version], (400, -32020), "MCP-Protocol-Version differs"),
        (&strange, &[("mcp-protocol-version", future)], (400, -32022), "not supported"),
        (&modern, &[version], (400, -32020), "Mcp-Method"),
        (&modern, &[version, method], (400, -32020), "Mcp-Name"),
        (&modern, &[version, method, name], (400, -32020), "mcp-param-region"),
    ] {
        let answer = refused(&client, headers, &body(meta), (status, code)).await;
        let message = answer.error()["message"].as_str().unwrap();
        assert!(message.contains(says), "{message} should speak of {says}");
    }
    let headers = [version, method, name, ("mcp-param-region", "eu")];
    let answer = accepted(&client, &headers, &body(&modern)).await;
    assert_eq!(answer.said(), "went");
}

#[tokio::test]
async fn every_rung_of_the_ladder_holds() {
    let hub = TestHub::start().await;
    let client = McpClient::new(&hub);
    let version = ("mcp-protocol-version", MODERN);
    let list = ("mcp-method", "tools/list");
    let with = |meta: Value| request("tools/list", &json!({ "_meta": meta }));
    // 1: `_meta` and its required members
    for meta in [
        json!(null),
        json!([]),
        json!("x"),
        json!({}),
        json!({ VERSION: MODERN }),
        json!({ CAPABILITIES: {} }),
        json!({ VERSION: 20_260_728, CAPABILITIES: {} }),
        json!({ VERSION: null, CAPABILITIES: {} }),
        json!({ VERSION: MODERN, CAPABILITIES: [] }),
        json!({ VERSION: MODERN, CAPABILITIES: null }),
        json!({ VERSION: MODERN, CAPABILITIES: {}, "progressToken": {} }),
        json!({ VERSION: MODERN, CAPABILITIES: {}, "progressToken": 1.5 }),
        json!({ VERSION: MODERN, CAPABILITIES: {}, "io.modelcontextprotocol/logLevel": "loud" }),
    ] {
        refused(&client, &[version, list], &with(meta), (400, -32602)).await;
    }
    let bare = json!({ "jsonrpc": "2.0", "id": 0, "method": "tools/list" });
    refused(&client, &[version, list], &bare, (400, -32602)).await;
    // 2 and 3: the version header
    refused(&client, &[list], &with(meta(MODERN)), (400, -32020)).await;
    for other in ["2025-11-25", "2099-01-01", "v1", ""] {
        let headers = [("mcp-protocol-version", other), list];
        refused(&client, &headers, &with(meta(MODERN)), (400, -32020)).await;
        if !other.is_empty() {
            refused(&client, &[version, list], &with(meta(other)), (400, -32020)).await;
        }
    }
    // 4: the version itself
    for other in ["2026-07-29", "2099-01-01", "2025-11-25", "v999"] {
        let headers = [("mcp-protocol-version", other), list];
        let answer = refused(&client, &headers, &with(meta(other)), (400, -32022)).await;
        assert_eq!(answer.error()["data"], json!({ "supported": [MODERN], "requested": other }));
    }
    // 5: the method header, letter for letter, before the method is looked at
    for wrong in ["Tools/List", "tools/call", ""] {
        let headers = [version, ("mcp-method", wrong)];
        refused(&client, &headers, &with(meta(MODERN)), (400, -32020)).await;
    }
    let unknown = request("no/such", &json!({ "_meta": meta(MODERN) }));
    refused(&client, &[version, list], &unknown, (400, -32020)).await;
    let twice = [version, list, list];
    refused(&client, &twice, &with(meta(MODERN)), (400, -32020)).await;
}

#[tokio::test]
async fn what_handling_brings_to_light_is_told_within_http_200() {
    let hub = TestHub::start().await;
    let client = McpClient::new(&hub);
    for (method, params) in [
        ("tools/call", json!({ "name": "nobody" })),
        ("tools/list", json!({ "cursor": "made up" })),
        ("tools/list", json!({ "cursor": "" })),
        ("subscriptions/listen", json!({})),
    ] {
        let answer = client.modern(method, params.clone()).await;
        let actual = (answer.status.as_u16(), answer.code());
        assert_eq!(actual, (200, -32602), "{method} {params}: {answer:?}");
    }
}

#[tokio::test]
async fn faulty_parameters_of_a_known_method_are_told_within_http_200() {
    let hub = TestHub::start().await;
    let client = McpClient::new(&hub);
    let session = client.initialize("2025-11-25").await;
    let mut wrong = Vec::new();
    for (is_modern, method, params) in [
        (true, "tools/call", json!({})),
        (true, "tools/call", json!({ "name": 5 })),
        (true, "tools/call", json!({ "name": "nobody", "arguments": [] })),
        (true, "tools/list", json!({ "cursor": 5 })),
        (true, "subscriptions/listen", json!({ "notifications": 5 })),
        (false, "tools/call", json!({ "arguments": {} })),
        (false, "tools/call", json!({ "name": "nobody", "arguments": 5 })),
        (false, "tools/list", json!({ "cursor": 7 })),
        (false, "logging/setLevel", json!({ "level": 3 })),
        (false, "logging/setLevel", json!({})),
    ] {
        let answer = match is_modern {
            true => client.modern(method, params.clone()).await,
            false => session.request(3, method, params.clone()).await,
        };
        if (answer.status.as_u16(), answer.code()) != (200, -32602) {
            let era = if is_modern { "modern" } else { "legacy" };
            wrong.push(format!("{era} {method} {params}: {} {}", answer.status, answer.text));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn an_id_comes_back_as_it_was_written() {
    let hub = TestHub::start().await;
    let client = McpClient::new(&hub);
    for id in ["0", "-7", "\"\"", "\"listen:0\"", "\"\\u0031\"", "9007199254740993"] {
        for (method, status) in [("tools/list", 200), ("no/such", 404)] {
            let meta = meta(MODERN);
            let body = format!(
                r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{{"_meta":{meta}}}}}"#
            );
            let request = client.post(body).header("mcp-protocol-version", MODERN);
            let answer = McpClient::send(request.header("mcp-method", method)).await;
            assert_eq!(answer.status, status, "{answer:?}");
            assert!(answer.text.contains(&format!(r#""id":{id},"#)), "{id}: {}", answer.text);
        }
    }
}

#[tokio::test]
async fn methods_this_era_does_not_know_are_404() {
    let hub = TestHub::start().await;
    let client = McpClient::new(&hub);
    for method in [
        "initialize",
        "ping",
        "logging/setLevel",
        "prompts/list",
        "resources/list",
        "resources/templates/list",
        "resources/subscribe",
        "tasks/list",
        "Tools/list",
        "tools/list ",
        "notifications/cancelled",
        "x",
    ] {
        let body = request(method, &json!({ "_meta": meta(MODERN) }));
        let headers = [("mcp-protocol-version", MODERN), ("mcp-method", method)];
        if method.ends_with(' ') {
            // A header value cannot end in a space, so this one can only differ.
            refused(&client, &headers, &body, (400, -32020)).await;
        } else {
            refused(&client, &headers, &body, (404, -32601)).await;
        }
    }
}

#[tokio::test]
async fn a_name_header_says_the_name_plainly_or_in_base64() {
    let hub = TestHub::start().await;
    let provider = TestProvider::offering(&hub, "p", &[tool("go")]).await;
    let _serving = provider.serve(|_| text("went"));
    let client = McpClient::new(&hub);
    let body = request("tools/call", &json!({ "name": "go", "_meta": meta(MODERN) }));
    let with = |name: &'static [u8]| {
        let request = client
            .post(body.to_string())
            .header("mcp-protocol-version", MODERN)
            .header("mcp-method", "tools/call");
        request.header("mcp-name", reqwest::header::HeaderValue::from_bytes(name).unwrap())
    };
    for (value, fits) in [
        (&b"go"[..], true),
        (b"  go\t ", true),
        (b"=?base64?Z28=?=", true),
        (b"  =?base64?Z28=?= ", true),
        (b"Go", false),
        (b"", false),
        (b"g o", false),
        (b"Z28=", false),
        (b"=?base64?Z28?=", false),
        (b"=?base64?Z28=", false),
        (b"=?BASE64?Z28=?=", false),
        (b"=?base64?Z 28=?=", false),
        (b"=?base64?Z2-=?=", false),
        (b"=?base64?/w==?=", false),
        (b"=?base64??=", false),
        (b"go\xff", false),
        (b"\xc3\xa9", false),
    ] {
        let answer = McpClient::send(with(value)).await;
        let shown = String::from_utf8_lossy(value);
        if fits {
            assert_eq!(answer.said(), "went", "{shown:?}");
        } else {
            assert_eq!((answer.status.as_u16(), answer.code()), (400, -32020), "{shown:?}");
        }
    }
    let twice = with(b"go").header("mcp-name", "go");
    assert_eq!(McpClient::send(twice).await.code(), -32020);
}

/// Calls a tool whose arguments go into headers, with these arguments and headers: it is either
/// run or refused for a mismatch.
async fn check_parameters(rows: &[(&str, Headers<'_>, bool)]) {
    let hub = TestHub::start().await;
    let provider = TestProvider::offering(&hub, "p", &[regional("go")]).await;
    let _serving = provider.serve(|_| text("went"));
    let client = McpClient::new(&hub);
    let mut wrong = Vec::new();
    for (arguments, headers, fits) in rows {
        let meta = meta(MODERN);
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"go","arguments":{arguments},"_meta":{meta}}}}}"#
        );
        let request = client
            .post(body)
            .header("mcp-protocol-version", MODERN)
            .header("mcp-method", "tools/call")
            .header("mcp-name", "go");
        let request =
            headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let answer = McpClient::send(request).await;
        let is_right = match fits {
            true => answer.status == 200 && answer.message().get("result").is_some(),
            false => answer.status == 400 && answer.message()["error"]["code"] == -32020,
        };
        if !is_right {
            wrong.push(format!("{arguments} with {headers:?} should {fits}: {}", answer.text));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn parameter_headers_repeat_the_arguments_exactly() {
    let region = |value| ("mcp-param-region", value);
    let count = |value| ("mcp-param-count", value);
    let dry = |value| ("Mcp-Param-Dry-Run", value);
    let rows: &[(&str, Headers<'_>, bool)] = &[
        (r"{}", &[], true),
        (r#"{"region":null,"other":1}"#, &[], true),
        (r#"{"region":"eu"}"#, &[region("eu")], true),
        (r#"{"region":"eu"}"#, &[region(" eu ")], true),
        (r#"{"region":"Zürich"}"#, &[region("=?base64?WsO8cmljaA==?=")], true),
        (r#"{"region":" eu"}"#, &[region("=?base64?IGV1?=")], true),
        (r#"{"region":""}"#, &[region("")], true),
        (r#"{"region":"e\u0075"}"#, &[region("eu")], true),
        (r#"{"count":42}"#, &[count("42")], true),
        (r#"{"count":42}"#, &[count("42.0")], true),
        (r#"{"count":42.0}"#, &[count("42")], true),
        (r#"{"count":-3}"#, &[count("-3")], true),
        (r#"{"count":9007199254740993}"#, &[count("9007199254740993")], true),
        (r#"{"count":12345678901234567890123}"#, &[count("12345678901234567890123")], true),
        (r#"{"dry":true}"#, &[dry("true")], true),
        (r#"{"dry":false}"#, &[dry("false")], true),
        (r#"{"to":{"id":"7"}}"#, &[("mcp-param-id", "7")], true),
        (r#"{"to":{}}"#, &[("mcp-param-unrelated", "x")], true),
        (r#"{"region":"eu","count":1}"#, &[region("eu"), count("1")], true),
        // missing
        (r#"{"region":"eu"}"#, &[], false),
        (r#"{"region":"eu","count":1}"#, &[region("eu")], false),
        (r#"{"to":{"id":"7"}}"#, &[], false),
        // for nothing
        (r"{}", &[region("eu")], false),
        (r#"{"region":null}"#, &[region("null")], false),
        // different
        (r#"{"region":"eu"}"#, &[region("EU")], false),
        (r#"{"region":"eu"}"#, &[region("eu"), region("eu")], false),
        (r#"{"region":"Zürich"}"#, &[region("=?base64?WsO8cmljaA?=")], false),
        (r#"{"count":42}"#, &[count("43")], false),
        (r#"{"count":42}"#, &[count("x")], false),
        (r#"{"count":42}"#, &[count("")], false),
        (r#"{"dry":true}"#, &[dry("True")], false),
        (r#"{"dry":true}"#, &[dry("1")], false),
        (r#"{"to":{"id":"7"}}"#, &[("mcp-param-id", "8")], false),
    ];
    check_parameters(rows).await;
}

#[tokio::test]
async fn integers_in_headers_are_compared_to_the_last_digit() {
    let count = |value| ("mcp-param-count", value);
    check_parameters(&[
        (r#"{"count":9007199254740993}"#, &[count("9007199254740992")], false),
        (r#"{"count":12345678901234567890123}"#, &[count("12345678901234567890124")], false),
    ])
    .await;
}

#[tokio::test]
async fn parameter_headers_follow_the_schema_listed_to_that_user() {
    let hub = TestHub::with_users().await;
    let mut older = TestProvider::offering_as(&hub, Some("alice"), "old", &[tool("go")]).await;
    let strict = TestProvider::offering_as(&hub, Some("alice"), "new", &[regional("go")]).await;
    let plain = TestProvider::offering_as(&hub, Some("bob"), "p", &[tool("go")]).await;
    let _serving = plain.serve(|_| text("bob's"));
    let serving = strict.serve(|_| text("alice's"));
    let (alice, bob) = (McpClient::of_user(&hub, "alice"), McpClient::of_user(&hub, "bob"));
    let call = |client: &McpClient| {
        let arguments = json!({ "region": "eu" });
        client.modern_request("tools/call", json!({ "name": "go", "arguments": arguments }))
    };
    assert_eq!(McpClient::send(call(&bob)).await.said(), "bob's");
    assert_eq!(McpClient::send(call(&alice)).await.code(), -32020);
    let with_header = call(&alice).header("mcp-param-region", "eu");
    assert_eq!(McpClient::send(with_header).await.said(), "alice's");
    // The older declaration is listed once the newer is gone, and asks for no header.
    drop(serving);
    let user = mcp_hub::model::id::UserId::parse("alice").unwrap();
    crate::support::eventually("the newer provider is gone", || {
        hub.hub().user(&user).view().stack("go").is_some_and(|stack| stack.offers.len() == 1)
    })
    .await;
    let (answer, ()) = tokio::join!(McpClient::send(call(&alice)), async {
        let (id, _) = older.next_call().await;
        older.answer(&id, text("the older")).await;
    });
    assert_eq!(answer.said(), "the older");
}

#[tokio::test]
async fn discovery_tells_all_there_is() {
    let hub = TestHub::with(|config| config.instructions = Some("Ask \"away\"!".into())).await;
    let answer = McpClient::new(&hub).modern("server/discover", json!({})).await;
    assert_eq!(
        (answer.status, &answer.headers["content-type"]),
        (StatusCode::OK, &"application/json".parse().unwrap())
    );
    let result = answer.result();
    assert_eq!(result["resultType"], "complete");
    assert_eq!(result["supportedVersions"], json!([MODERN]));
    assert_eq!(result["capabilities"]["tools"], json!({ "listChanged": true }));
    assert_eq!(result["instructions"], "Ask \"away\"!");
    assert!(result["ttlMs"].is_u64(), "{result}");
    assert_eq!(result["cacheScope"], "private");
    let server = &result["_meta"]["io.modelcontextprotocol/serverInfo"];
    assert_eq!(server["name"], "mcp-hub");
    assert!(server["version"].is_string(), "{server}");
    assert!(answer.headers.get("mcp-session-id").is_none());
    let bare = TestHub::start().await;
    let answer = McpClient::new(&bare).modern("server/discover", json!({})).await;
    assert!(answer.result().get("instructions").is_none());
}

#[tokio::test]
async fn a_modern_list_says_how_long_it_holds() {
    let hub = TestHub::start().await;
    let _provider = TestProvider::offering(&hub, "p", &[tool("b"), tool("a")]).await;
    let request = McpClient::new(&hub).modern_request("tools/list", json!({}));
    // A session of the other era is nothing to this one, and none is handed out.
    let answer =
        McpClient::send(request.header("mcp-session-id", "x").header("last-event-id", "1"));
    let answer = answer.await;
    assert!(answer.headers.get("mcp-session-id").is_none());
    let result = answer.result();
    assert_eq!(names(result), ["a", "b"]);
    assert_eq!(result["resultType"], "complete");
    assert_eq!((&result["ttlMs"], &result["cacheScope"]), (&json!(0), &json!("private")));
    assert!(result["_meta"]["io.modelcontextprotocol/serverInfo"].is_object());
}

#[tokio::test]
async fn notifications_are_accepted_and_answered_with_nothing() {
    let hub = TestHub::start().await;
    let client = McpClient::new(&hub);
    let version = ("mcp-protocol-version", MODERN);
    let claim = json!({ "requestId": 1, "_meta": meta(MODERN) });
    for (headers, method, params) in [
        (&[version][..], "notifications/cancelled", claim.clone()),
        (&[version, ("mcp-method", "notifications/cancelled")], "notifications/cancelled", claim),
        (&[version], "notifications/cancelled", json!({ "requestId": "x" })),
        (&[version], "notifications/made/up", json!({})),
    ] {
        let body = json!({ "jsonrpc": "2.0", "method": method, "params": params });
        let answer = post(&client, headers, &body).await;
        assert_eq!((answer.status.as_u16(), &*answer.text), (202, ""), "{body}");
    }
}

#[tokio::test]
async fn other_http_methods_are_told_what_is_allowed() {
    let hub = TestHub::start().await;
    let client = McpClient::new(&hub);
    for (method, version, status, allow) in [
        (Method::GET, Some(MODERN), 405, Some("POST")),
        (Method::DELETE, Some(MODERN), 405, Some("POST")),
        (Method::GET, Some("2099-01-01"), 405, Some("POST")),
        (Method::PUT, None, 405, Some("GET, POST, DELETE")),
        (Method::PATCH, Some("2025-11-25"), 405, Some("GET, POST, DELETE")),
        (Method::HEAD, None, 405, Some("GET, POST, DELETE")),
        (Method::GET, None, 400, None),
        (Method::DELETE, Some("2025-11-25"), 400, None),
    ] {
        let mut request = client.request(method.clone());
        if let Some(version) = version {
            request = request.header("mcp-protocol-version", version);
        }
        let answer = McpClient::send(request).await;
        let allowed = answer.headers.get("allow").map(|value| value.to_str().unwrap());
        assert_eq!((answer.status.as_u16(), allowed), (status, allow), "{method} {version:?}");
    }
}

#[tokio::test]
async fn what_answers_head_has_no_body() {
    let hub = TestHub::with_users().await;
    let http = || reqwest::Client::builder().no_proxy();
    for http in [http(), http().http2_prior_knowledge()] {
        let asked = http.build().expect("a client").head(format!("{}/mcp", hub.url()));
        let answer = asked.send().await.expect("an answer");
        assert_eq!(answer.status(), 401);
        assert_ne!(answer.headers()["content-length"], "0", "what GET is told has one");
        assert_eq!(answer.bytes().await.expect("its end"), "");
    }
}

#[tokio::test]
async fn a_stream_is_opened_for_whoever_may_want_one() {
    let hub = TestHub::start().await;
    let session = McpClient::new(&hub).initialize("2025-11-25").await;
    for (accept, status) in [
        ("text/event-stream", 200),
        ("application/json, Text/Event-Stream;q=0.5", 200),
        ("text/*", 200),
        ("*/*", 200),
        ("application/json", 406),
        ("", 406),
    ] {
        let request = session.client.request(Method::GET).header("mcp-session-id", &session.id);
        let response = request.header("accept", accept).send().await.expect("an answer");
        assert_eq!(response.status().as_u16(), status, "{accept}");
        if status == 406 {
            assert!(response.text().await.expect("a text").contains("text/event-stream"));
        }
    }
}

#[tokio::test]
async fn header_and_body_settle_the_era_together() {
    let hub = TestHub::start().await;
    let client = McpClient::new(&hub);
    let session = client.initialize("2025-11-25").await;
    let version = |version| ("mcp-protocol-version", version);
    let of_session = ("mcp-session-id", &*session.id);
    let method = ("mcp-method", "tools/list");
    let bare = request("tools/list", &json!({}));
    let claim = request("tools/list", &json!({ "_meta": meta(MODERN) }));
    let handshake =
        request("initialize", &json!({ "protocolVersion": MODERN, "capabilities": {} }));
    let claimed = request("initialize", &json!({ "_meta": meta(MODERN) }));
    let initialize = ("mcp-method", "initialize");
    for (headers, body, expected) in [
        // the handshake, whatever it names, unless the header contradicts
        (&[][..], &handshake, None),
        (&[version("2025-06-18")], &handshake, None),
        (&[version("v999")], &handshake, None),
        (&[version(MODERN)], &handshake, Some((400, -32020))),
        (&[version(MODERN), initialize], &claimed, Some((404, -32601))),
        (&[initialize], &claimed, Some((400, -32020))),
        // a claim makes it modern, a header too
        (&[version(MODERN), method], &claim, None),
        (&[version(MODERN), method, of_session], &claim, None),
        (&[method, of_session], &claim, Some((400, -32020))),
        (&[version("2025-11-25"), method, of_session], &claim, Some((400, -32020))),
        (&[version(MODERN), method, of_session], &bare, Some((400, -32602))),
        (&[version("2099-01-01"), method, of_session], &bare, Some((400, -32602))),
        // an unknown version: refused within a session, told what there is without
        (&[version("v999"), of_session], &bare, Some((400, -32600))),
        (&[version("1999-01-01"), of_session], &bare, Some((400, -32600))),
        (&[version("v999")], &bare, Some((400, -32602))),
        // the rest belongs to a session
        (&[of_session], &bare, None),
        (&[version("2024-11-05"), of_session], &bare, None),
        (&[version(" 2025-03-26 "), of_session], &bare, None),
        (&[], &bare, Some((400, -32600))),
        (&[version("2025-11-25")], &bare, Some((400, -32600))),
    ] {
        match expected {
            Some(expected) => drop(refused(&client, headers, body, expected).await),
            None => drop(accepted(&client, headers, body).await),
        }
    }
}

#[tokio::test]
async fn two_version_headers_are_refused_whatever_they_say() {
    let hub = TestHub::start().await;
    let client = McpClient::new(&hub);
    let session = client.initialize("2025-11-25").await;
    let version = |version| ("mcp-protocol-version", version);
    let of_session = ("mcp-session-id", &*session.id);
    let bare = request("tools/list", &json!({}));
    let note = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    let batch = json!([bare]);
    for second in ["2025-11-25", "2025-06-18", MODERN, "v999"] {
        let headers = [version("2025-11-25"), version(second), of_session];
        for body in [&bare, &note, &batch] {
            let answer = post(&client, &headers, body).await;
            assert_eq!(answer.status, 400, "{second}: {body}");
            assert!(answer.text.contains("twice"), "{second}: {}", answer.text);
        }
        for method in [Method::GET, Method::DELETE] {
            let request = headers.iter().fold(client.request(method), |request, (name, value)| {
                request.header(*name, *value)
            });
            let answer = McpClient::send(request.header("accept", "text/event-stream")).await;
            assert_eq!(answer.status, 400, "{second}");
            assert!(answer.text.contains("twice"), "{second}: {}", answer.text);
        }
    }
}

#[tokio::test]
async fn responses_belong_to_sessions_only() {
    let hub = TestHub::start().await;
    let client = McpClient::new(&hub);
    let session = client.initialize("2025-11-25").await;
    let response = json!({ "jsonrpc": "2.0", "id": "srv-1", "result": {} });
    let of_session = ("mcp-session-id", &*session.id);
    for (headers, status) in [
        (&[of_session][..], 202),
        (&[], 400),
        (&[("mcp-protocol-version", MODERN)], 400),
        (&[("mcp-protocol-version", MODERN), of_session], 400),
    ] {
        let answer = post(&client, headers, &response).await;
        assert_eq!(answer.status, status, "{headers:?} {answer:?}");
    }
}

#[tokio::test]
async fn batches_are_refused() {
    let hub = TestHub::start().await;
    let client = McpClient::new(&hub);
    let session = client.initialize("2025-11-25").await;
    let ping = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" });
    for batch in [json!([]), json!([ping]), json!([ping, 5])] {
        for headers in [&[][..], &[("mcp-session-id", &*session.id)]] {
            let answer = post(&client, headers, &batch).await;
            assert_eq!((answer.status.as_u16(), answer.code()), (400, -32600), "{batch}");
            assert!(answer.message().get("id").is_none(), "{answer:?}");
        }
    }
}

#[tokio::test]
async fn foreign_hosts_and_origins_are_403() {
    let hub = TestHub::start().await;
    let client = McpClient::new(&hub);
    let body = request("tools/list", &json!({ "_meta": meta(MODERN) }));
    let good = [("mcp-protocol-version", MODERN), ("mcp-method", "tools/list")];
    for (header, status) in [
        (("origin", "http://evil.example"), 403),
        (("origin", "null"), 403),
        (("host", "evil.example"), 403),
        (("host", "localhost.evil.example"), 403),
        (("host", "localhost:1"), 200),
        (("origin", "http://localhost:5173"), 200),
    ] {
        let answer = post(&client, &[good[0], good[1], header], &body).await;
        assert_eq!(answer.status, status, "{header:?} {answer:?}");
    }
}

#[tokio::test]
async fn pages_of_listed_origins_are_let_read_and_no_others() {
    const APP: &str = "https://app.example.com";
    let hub = TestHub::with(|config| config.allowed_origins = vec![APP.into()]).await;
    let http = reqwest::Client::new();
    let sent = "content-type, authorization, mcp-session-id, Mcp-Param-Region";
    let told = |answer: &reqwest::Response, name: &str| {
        answer.headers().get(name).map(|value| value.to_str().expect("ASCII").to_owned())
    };
    let asks = async |path: &str, origin: &str| {
        let request = http.request(Method::OPTIONS, format!("{}{path}", hub.url()));
        let request =
            request.header("origin", origin).header("access-control-request-method", "GET");
        request.header("access-control-request-headers", sent).send().await.expect("an answer")
    };
    for (path, methods) in
        [("/mcp", "GET,POST,DELETE"), ("/api/v1/tools", "GET"), ("/api/v1/plugins/x", "GET")]
    {
        let answer = asks(path, APP).await;
        assert_eq!(answer.status(), 200, "{path}");
        assert_eq!(told(&answer, "access-control-allow-origin").as_deref(), Some(APP), "{path}");
        let allowed = told(&answer, "access-control-allow-methods");
        assert_eq!(allowed.as_deref(), Some(methods), "{path}");
        let headers = told(&answer, "access-control-allow-headers").expect("some headers");
        assert_eq!(headers, sent, "{path}: never `*`");
        for other in ["https://evil.example", "http://localhost:5173", "null"] {
            let answer = asks(path, other).await;
            assert_eq!(told(&answer, "access-control-allow-origin"), None, "{path} {other}");
        }
    }

    let client = McpClient::new(&hub);
    let initialize = request("initialize", &json!({ "protocolVersion": "2025-11-25" }));
    let listed = client.post(initialize.to_string()).header("origin", APP);
    let refused = client.request(Method::GET).header("origin", APP);
    let facts = http.get(format!("{}/api/v1/tools", hub.url())).header("origin", APP);
    for (request, status) in [(listed, 200), (refused, 400), (facts, 200)] {
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), status);
        assert_eq!(told(&answer, "access-control-allow-origin").as_deref(), Some(APP));
        let read = told(&answer, "access-control-expose-headers").expect("some headers");
        assert!(read.contains("mcp-session-id") && read.contains("www-authenticate"), "{read}");
        let varies = answer.headers().get_all("vary").iter();
        let varies: Vec<_> = varies.filter_map(|value| value.to_str().ok()).collect();
        assert!(varies.join(",").contains("origin"), "{varies:?}");
    }
    let foreign = client.post(initialize.to_string()).header("origin", "https://evil.example");
    let answer = foreign.send().await.expect("an answer");
    assert_eq!(answer.status(), 403);
    assert_eq!(told(&answer, "access-control-allow-origin"), None);
}

#[tokio::test]
async fn only_json_is_read_whatever_its_parameters() {
    let hub = TestHub::start().await;
    let client = McpClient::new(&hub);
    let body = request("tools/list", &json!({ "_meta": meta(MODERN) })).to_string();
    for (kind, status) in [
        (Some("application/json"), 200),
        (Some("application/json; charset=utf-8"), 200),
        (Some("Application/JSON ;charset=utf-8"), 200),
        (Some("text/plain"), 415),
        (Some("application/jsonl"), 415),
        (Some("application/x-www-form-urlencoded"), 415),
        (Some(""), 415),
        (None, 415),
    ] {
        let mut request = client
            .request(Method::POST)
            .header("mcp-protocol-version", MODERN)
            .header("mcp-method", "tools/list")
            .body(body.clone());
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        assert_eq!(McpClient::send(request).await.status, status, "{kind:?}");
    }
}

#[tokio::test]
async fn any_accept_header_gets_json() {
    let hub = TestHub::start().await;
    let provider = TestProvider::offering(&hub, "p", &[tool("go")]).await;
    let _serving = provider.serve(|_| text("went"));
    let client = McpClient::new(&hub);
    let session = client.initialize("2025-11-25").await;
    let params = json!({ "name": "go", "_meta": meta(MODERN) });
    let modern = request("tools/call", &params).to_string();
    let legacy = request("tools/call", &json!({ "name": "go" })).to_string();
    for accept in [Some("application/json"), Some("*/*"), Some("text/html"), None] {
        for (is_modern, body) in [(true, &modern), (false, &legacy)] {
            let mut request = client
                .request(Method::POST)
                .header("content-type", "application/json")
                .body(body.clone());
            if is_modern {
                let headers = [("mcp-protocol-version", MODERN), ("mcp-method", "tools/call")];
                let with = |r: reqwest::RequestBuilder, (name, value)| r.header(name, value);
                request = headers.into_iter().fold(request, with).header("mcp-name", "go");
            } else {
                request = request.header("mcp-session-id", &session.id);
            }
            if let Some(accept) = accept {
                request = request.header("accept", accept);
            }
            let answer = McpClient::send(request).await;
            assert_eq!(answer.status, StatusCode::OK, "{accept:?}");
            assert_eq!(answer.headers["content-type"], "application/json", "{accept:?}");
            assert_eq!(answer.said(), "went", "{accept:?}");
        }
    }
}

#[tokio::test]
async fn the_handshake_settles_on_a_revision_both_know() {
    let hub = TestHub::with(|config| config.instructions = Some("Ask away.".into())).await;
    let client = McpClient::new(&hub);
    let newest = "2025-11-25";
    let known = LEGACY.map(|version| (version, version));
    let other = [MODERN, "2024-10-07", "2099-01-01", "v1", ""].map(|version| (version, newest));
    for (asked, settled) in known.into_iter().chain(other) {
        let session = client.initialize(asked).await;
        let result = &session.initialized;
        assert_eq!(result["protocolVersion"], settled, "asked for {asked:?}");
        assert_eq!(result["capabilities"]["tools"]["listChanged"], true);
        assert_eq!(result["serverInfo"]["name"], "mcp-hub");
        assert_eq!(result["instructions"], "Ask away.");
        for absent in ["resultType", "supportedVersions", "ttlMs"] {
            assert!(result.get(absent).is_none(), "{absent} in {result}");
        }
        assert!(session.id.bytes().all(|byte| byte.is_ascii_graphic()), "{}", session.id);
        assert!(session.id.len() >= 20, "{} can be guessed", session.id);
        let answer = session.notify("notifications/initialized", json!({})).await;
        assert_eq!((answer.status.as_u16(), &*answer.text), (202, ""));
        assert_eq!(session.request(1, "ping", json!({})).await.result(), &json!({}));
    }
}

#[tokio::test]
async fn every_handshake_makes_a_session_of_its_own() {
    let hub = TestHub::start().await;
    let client = McpClient::new(&hub);
    let (one, two) = (client.initialize("2025-06-18").await, client.initialize("2025-06-18").await);
    assert_ne!(one.id, two.id);
    assert_eq!(one.delete().await, StatusCode::NO_CONTENT);
    assert_eq!(two.request(1, "ping", json!({})).await.status, StatusCode::OK);
}

/// The same session, as another client would try to use it.
fn borrowed(session: &LegacySession, client: &McpClient, id: &str) -> LegacySession {
    LegacySession {
        client: client.clone(),
        id: id.to_owned(),
        initialized: session.initialized.clone(),
    }
}

#[tokio::test]
async fn a_session_serves_its_own_user_until_it_is_deleted() {
    let hub = TestHub::with_users().await;
    let (alice, bob) = (McpClient::of_user(&hub, "alice"), McpClient::of_user(&hub, "bob"));
    let session = alice.initialize("2025-11-25").await;
    let check = async |session: &LegacySession, expected: u16| {
        let answer = session.request(7, "ping", json!({})).await;
        assert_eq!(answer.status, expected, "{answer:?}");
        assert_eq!(answer.message()["id"], 7, "{answer:?}");
        let get = session.client.request(Method::GET).header("mcp-session-id", &session.id);
        assert_eq!(get.send().await.unwrap().status(), expected);
    };
    check(&session, 200).await;
    check(&borrowed(&session, &bob, &session.id), 404).await;
    check(&borrowed(&session, &alice, "made-up"), 404).await;
    check(&borrowed(&session, &alice, ""), 404).await;
    assert_eq!(borrowed(&session, &bob, &session.id).delete().await, 404);
    check(&session, 200).await;
    assert_eq!(session.delete().await, StatusCode::NO_CONTENT);
    check(&session, 404).await;
    assert_eq!(session.delete().await, StatusCode::NOT_FOUND);
    let notification = session.notify("notifications/initialized", json!({})).await;
    assert_eq!(notification.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn deleting_a_session_ends_its_stream() {
    let hub = TestHub::start().await;
    let session = McpClient::new(&hub).initialize("2025-11-25").await;
    let mut stream = session.stream().await;
    session.delete().await;
    assert_eq!(stream.next().await, None);
}

#[tokio::test]
async fn legacy_requests_are_answered_within_http_200() {
    let hub = TestHub::start().await;
    let session = McpClient::new(&hub).initialize("2025-11-25").await;
    let mut wrong = Vec::new();
    for (method, params, code) in [
        ("ping", json!({}), None),
        ("tools/list", json!({}), None),
        ("logging/setLevel", json!({ "level": "debug" }), None),
        ("logging/setLevel", json!({ "level": "emergency" }), None),
        ("logging/setLevel", json!({ "level": "loud" }), Some(-32602)),
        ("logging/setLevel", json!({ "level": "Debug" }), Some(-32602)),
        ("tools/call", json!({ "name": "nobody" }), Some(-32602)),
        ("tools/list", json!({ "cursor": "made up" }), Some(-32602)),
        ("resources/list", json!({}), Some(-32601)),
        ("resources/templates/list", json!({}), Some(-32601)),
        ("prompts/list", json!({}), Some(-32601)),
        ("server/discover", json!({}), Some(-32601)),
        ("subscriptions/listen", json!({}), Some(-32601)),
        ("no/such", json!({}), Some(-32601)),
    ] {
        let answer = session.request(3, method, params.clone()).await;
        let actual = answer.message()["error"]["code"].as_i64();
        let id = &answer.message()["id"];
        let expected = (StatusCode::OK, code, &json!(3));
        if (answer.status, actual, id) != expected {
            wrong.push(format!("{method} {params} should give {expected:?}: {answer:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_tool_that_is_not_there_is_named_with_its_like() {
    let hub = TestHub::start().await;
    let mut provider =
        TestProvider::offering(&hub, "p", &[tool("web_search"), tool("web_fetch")]).await;
    let client = McpClient::new(&hub);
    let answer = client.call("web_serach", json!({})).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (200, -32602));
    assert_eq!(answer.error()["data"]["closeMatches"][0], "web_search");
    provider.register("p", &[tool("web_fetch")]).await;
    let answer = client.call("web_search", json!({})).await;
    let message = answer.error()["message"].as_str().unwrap();
    assert!(message.contains("withdrawn"), "{message}");
}

/// Every page of the list, in the era that `ask` speaks.
async fn pages(ask: impl AsyncFn(Value) -> Answer) -> Vec<Vec<String>> {
    let (mut pages, mut params) = (Vec::new(), json!({}));
    loop {
        let answer = ask(params).await;
        pages.push(names(answer.result()));
        match answer.result().get("nextCursor") {
            Some(cursor) => params = json!({ "cursor": cursor }),
            None => return pages,
        }
    }
}

#[tokio::test]
async fn pages_join_up_in_both_eras() {
    for (size, expected) in
        [(1, vec![1, 1, 1, 1, 1]), (2, vec![2, 2, 1]), (4, vec![4, 1]), (5, vec![5]), (9, vec![5])]
    {
        let hub = TestHub::with(|config| {
            config.limits.tools_per_page = size.try_into().unwrap();
        })
        .await;
        let tools = ["e", "B", "a", "d-1", "c.2"].map(tool);
        let _provider = TestProvider::offering(&hub, "p", &tools).await;
        let client = McpClient::new(&hub);
        let session = client.initialize("2025-06-18").await;
        let modern = pages(async |params| client.modern("tools/list", params).await).await;
        let legacy = pages(async |params| session.request(1, "tools/list", params).await).await;
        assert_eq!(modern, legacy);
        assert_eq!(modern.iter().map(Vec::len).collect::<Vec<_>>(), expected);
        assert_eq!(modern.concat(), ["B", "a", "c.2", "d-1", "e"]);
    }
}

#[tokio::test]
async fn an_empty_list_is_one_empty_page() {
    let hub = TestHub::start().await;
    let client = McpClient::new(&hub);
    let pages = pages(async |params| client.modern("tools/list", params).await).await;
    assert_eq!(pages, [Vec::<String>::new()]);
}

#[tokio::test]
async fn a_page_goes_on_after_a_name_that_has_gone() {
    let hub = TestHub::with(|config| {
        config.limits.tools_per_page = 2.try_into().unwrap();
    })
    .await;
    let mut provider = TestProvider::offering(&hub, "p", &["a", "b", "c", "d"].map(tool)).await;
    let client = McpClient::new(&hub);
    let first = client.modern("tools/list", json!({})).await;
    assert_eq!(names(first.result()), ["a", "b"]);
    let cursor = first.result()["nextCursor"].clone();
    provider.register("p", &["a", "bb", "c"].map(tool)).await;
    let second = client.modern("tools/list", json!({ "cursor": cursor })).await;
    assert_eq!(names(second.result()), ["bb", "c"]);
    assert!(second.result().get("nextCursor").is_none());
    provider.register("p", &[]).await;
    let third = client.modern("tools/list", json!({ "cursor": cursor })).await;
    assert_eq!(names(third.result()), [""; 0]);
}

#[tokio::test]
async fn a_parameter_that_is_null_counts_as_absent() {
    let hub = TestHub::start().await;
    let provider = TestProvider::offering(&hub, "p", &[tool("go")]).await;
    let _serving = provider.serve(|params| text(&params.to_string()));
    let client = McpClient::new(&hub);
    let session = client.initialize("2025-06-18").await;
    let call = json!({ "name": "go", "arguments": null });
    for answer in [
        client.modern("tools/call", call.clone()).await,
        session.request(1, "tools/call", call).await,
    ] {
        assert!(!answer.said().contains("arguments"), "{}", answer.said());
    }
    let listed = client.modern("tools/list", json!({ "cursor": null })).await;
    assert_eq!(names(listed.result()), ["go"]);

    // So it is in `_meta`, but for what every request has to say there.
    let method = ("mcp-method", "tools/list");
    let headers = [("mcp-protocol-version", MODERN), method];
    let with = |key: &str| {
        let mut meta = meta(MODERN);
        meta[key] = Value::Null;
        request("tools/list", &json!({ "_meta": meta }))
    };
    let modern = |name: &str| format!("io.modelcontextprotocol/{name}");
    for key in ["progressToken", "traceparent", &modern("logLevel"), &modern("clientInfo")] {
        accepted(&client, &headers, &with(key)).await;
    }
    for key in [modern("protocolVersion"), modern("clientCapabilities")] {
        refused(&client, &headers, &with(&key), (400, -32602)).await;
    }
    let legacy = json!({ "_meta": { "progressToken": null } });
    session.request(2, "tools/list", legacy).await.result();
}
