//! What providers and clients say to each other passes through the hub byte for byte.

use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use crate::support::{
    McpClient, PATIENCE, TestHub, TestProvider,
    client::{Answer, MODERN},
    provider::tool,
};

/// Whatever a parser and a printer could change between them: unknown members, keys out of order,
/// spaces, line ends, escapes, numbers too long and too precise.
const ODD: &str = "{ \"zeta\" :1.50,\n\t\"alpha\":\"\\u00e9\\/\\ud83d\\ude00é\" , \
                   \"big\":12345678901234567890123,\"e\":[1E+2,-0.0 , 1e300],\"\\u006bey\":{ } }";
const SERVER: &str = concat!(
    r#""io.modelcontextprotocol/serverInfo":{"name":"mcp-hub","version":""#,
    env!("CARGO_PKG_VERSION"),
    r#""}"#
);

/// Offers tools written out as text.
async fn offering(hub: &TestHub, tools: &str) -> TestProvider {
    let mut provider = TestProvider::dial(hub, None).await.expect("let in");
    let about = r#"{"name":"p","version":"1","instanceId":"p"}"#;
    let register = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"providers/register","params":{{"provider":{about},"tools":[{tools}]}}}}"#
    );
    provider.say_text(&register).await;
    let answer = provider.hear().await.expect("an answer");
    assert!(answer.get("result").is_some(), "{answer}");
    provider
}

/// The next call as it came: its text, and its id.
async fn next_call(provider: &mut TestProvider) -> (String, Value) {
    loop {
        let message = timeout(PATIENCE, provider.socket.next()).await.expect("in time");
        let Message::Text(text) = message.expect("open").expect("a message") else { continue };
        let frame: Value = serde_json::from_str(&text).expect("JSON");
        if frame["method"] == "tools/call" {
            return (text.as_str().to_owned(), frame["id"].clone());
        }
    }
}

async fn reply(provider: &mut TestProvider, id: &Value, result: &str) {
    let text = format!("{{\"jsonrpc\":\"2.0\",\n\"id\":{id} ,\"result\": {result} }}");
    provider.say_text(&text).await;
}

/// A modern request with parameters written out as text; `_meta` is closed after `meta`.
fn modern(client: &McpClient, params: &str, meta: &str) -> reqwest::RequestBuilder {
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"go"{params},"_meta":{{"io.modelcontextprotocol/protocolVersion":"{MODERN}","io.modelcontextprotocol/clientCapabilities":{{}}{meta}}}}}}}"#
    );
    client
        .post(body)
        .header("mcp-protocol-version", MODERN)
        .header("mcp-method", "tools/call")
        .header("mcp-name", "go")
}

#[tokio::test]
async fn a_definition_is_listed_as_it_was_declared() {
    let hub = TestHub::start().await;
    let strange = format!(
        "{{\n  \"x-unknown\":{ODD},\r\n\t\"inputSchema\" : {{\"type\":\"object\",\"$defs\":{ODD}}} ,\"execution\":{{}},\"\\u006eame\":\"g\\u006f\",\"_meta\":{ODD}}}"
    );
    let plain = r#"{"name":"zz","inputSchema":{"type":"object"}}"#;
    let _provider = offering(&hub, &format!("{plain} , {strange}")).await;
    let client = McpClient::new(&hub);
    let tools = format!(r#""tools":[{strange},{plain}]"#);
    let answer = client.modern("tools/list", json!({})).await;
    assert!(answer.text.contains(&tools), "{}", answer.text);
    for version in ["2024-11-05", "2025-11-25"] {
        let session = client.initialize(version).await;
        let answer = session.request(1, "tools/list", json!({})).await;
        assert_eq!(answer.text, format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{{tools}}}}}"#));
    }
}

#[tokio::test]
async fn a_result_reaches_a_legacy_client_as_it_was_given() {
    let hub = TestHub::start().await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("go")]).await;
    let session = McpClient::new(&hub).initialize("2025-11-25").await;
    let odd_block = format!(r#"{{"content":[{{"type":"new","x":{ODD}}}],"odd":{ODD}}}"#);
    // Those revisions do not know `resultType`.
    let typed = r#"{"resultType":"complete","isError":null}"#;
    let same = [ODD, "{}", "{ }", &odd_block].map(|result| (result, result));
    for (result, expected) in same.into_iter().chain([(typed, r#"{"isError":null}"#)]) {
        let (answer, ()) = tokio::join!(session.call(1, "go", json!({})), async {
            let (_, id) = next_call(&mut provider).await;
            reply(&mut provider, &id, result).await;
        });
        assert_eq!(answer.text, format!(r#"{{"jsonrpc":"2.0","id":1,"result":{expected}}}"#));
    }
}

#[tokio::test]
async fn a_modern_client_gets_the_same_bytes_and_what_its_revision_wants() {
    let hub = TestHub::start().await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("go")]).await;
    let client = McpClient::new(&hub);
    let said_all =
        format!(r#"{{"a":{ODD},"_meta":{{{SERVER},"x":{ODD}}},"resultType":"complete"}}"#);
    for (result, expected) in [
        (
            ODD.to_owned(),
            format!(r#"{{"resultType":"complete","_meta":{{{SERVER}}},{}"#, &ODD[1..]),
        ),
        (
            format!(r#"{{"a":{ODD} ,"_meta": {{ "x":{ODD}}} }}"#),
            format!(r#"{{"resultType":"complete","a":{ODD} ,"_meta": {{{SERVER}, "x":{ODD}}} }}"#),
        ),
        (said_all.clone(), said_all),
    ] {
        let (answer, ()) = tokio::join!(McpClient::send(modern(&client, "", "")), async {
            let (_, id) = next_call(&mut provider).await;
            reply(&mut provider, &id, &result).await;
        });
        assert_eq!(answer.text, format!(r#"{{"jsonrpc":"2.0","id":1,"result":{expected}}}"#));
    }
}

#[tokio::test]
async fn a_provider_that_names_itself_is_not_named_twice_however_it_writes_the_key() {
    let hub = TestHub::start().await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("go")]).await;
    let client = McpClient::new(&hub);
    // Some JSON writers escape every slash.
    for key in ["io.modelcontextprotocol/serverInfo", r"io.modelcontextprotocol\/serverInfo"] {
        let result =
            format!(r#"{{"content":[],"_meta":{{"{key}":{{"name":"own","version":"1"}}}}}}"#);
        let (answer, ()) = tokio::join!(McpClient::send(modern(&client, "", "")), async {
            let (_, id) = next_call(&mut provider).await;
            reply(&mut provider, &id, &result).await;
        });
        assert_eq!(answer.text.matches("serverInfo").count(), 1, "{}", answer.text);
    }
}

#[tokio::test]
async fn a_large_result_comes_whole() {
    let hub = TestHub::start().await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("go")]).await;
    let session = McpClient::new(&hub).initialize("2025-11-25").await;
    for size in [8_000, 8_192, 70_000, 1_000_000] {
        let result =
            format!(r#"{{"content":[{{"type":"text","text":"{}"}}]}}"#, "é".repeat(size / 2));
        let (answer, ()) = tokio::join!(session.call(1, "go", json!({})), async {
            let (_, id) = next_call(&mut provider).await;
            reply(&mut provider, &id, &result).await;
        });
        let expected = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#);
        assert!(answer.text == expected, "{size} bytes came back as {}", answer.text.len());
    }
}

#[tokio::test]
async fn arguments_and_meta_reach_the_provider_as_they_were_sent() {
    let hub = TestHub::start().await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("go")]).await;
    let client = McpClient::new(&hub);
    let session = client.initialize("2025-11-25").await;
    let meta = format!(r#""com.example/\u006bey\"" : {ODD},"traceparent":"00-\u0061" ,"n":null"#);
    let passed_on = format!(r#""com.example/key\"":{ODD},"traceparent":"00-\u0061","n":null"#);
    let legacy = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"arguments" : {ODD} ,"name":"go","_meta":{{{meta}}}}}}}"#
    );
    let modern = modern(&client, &format!(r#","arguments": {ODD}"#), &format!(",{meta}"));
    for request in [modern, session.post(legacy)] {
        let (answer, frame) = tokio::join!(McpClient::send(request), async {
            let (frame, id) = next_call(&mut provider).await;
            reply(&mut provider, &id, "{}").await;
            frame
        });
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(frame.contains(&format!(r#""arguments":{ODD}"#)), "{frame}");
        assert!(frame.contains(&passed_on), "{frame}");
    }
}

#[tokio::test]
async fn what_a_client_leaves_out_the_provider_does_not_see() {
    let hub = TestHub::start().await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("go")]).await;
    let client = McpClient::new(&hub);
    let session = client.initialize("2025-11-25").await;
    let bare = session.prepared(1, "tools/call", &json!({ "name": "go" }));
    for (request, about) in [(modern(&client, "", ""), None), (bare, Some("test"))] {
        let (_, params) = tokio::join!(McpClient::send(request), async {
            let (id, params) = provider.next_call().await;
            assert_eq!(params["_meta"]["progressToken"], id);
            reply(&mut provider, &id, "{}").await;
            params
        });
        let keys: Vec<_> = params.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["_meta", "name"]);
        let meta = &params["_meta"];
        assert_eq!(meta["io.modelcontextprotocol/clientCapabilities"], json!({}));
        // A legacy client said who it is in its handshake.
        let client = meta.get("io.modelcontextprotocol/clientInfo").map(|info| &info["name"]);
        assert_eq!(client, about.map(Value::from).as_ref());
        assert!(meta.get("io.modelcontextprotocol/logLevel").is_none(), "{meta}");
    }
}

#[tokio::test]
async fn notices_keep_the_text_of_their_numbers() {
    let hub = TestHub::start().await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("go")]).await;
    let client = McpClient::new(&hub);
    let session = client.initialize("2025-11-25").await;
    let legacy = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"go","_meta":{"progressToken":"t\u0031"}}}"#;
    let wishes = r#","progressToken":"t\u0031","io.modelcontextprotocol/logLevel":"debug""#;
    for request in [modern(&client, "", wishes), session.post(legacy)] {
        let (answer, ()) = tokio::join!(McpClient::send(request), async {
            let (_, id) = next_call(&mut provider).await;
            let progress = format!(
                r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"message":"\u00e9 é","total":1E+2,"progress":1.50,"progressToken":{id}}}}}"#
            );
            provider.say_text(&progress).await;
            let log = format!(
                r#"{{"jsonrpc":"2.0","method":"notifications/message","params":{{"data":{ODD},"logger":"\u006c","level":"info","_meta":{{"progressToken":{id}}}}}}}"#
            );
            provider.say_text(&log).await;
            reply(&mut provider, &id, ODD).await;
        });
        let events = answer.text.split("\n\n").filter(|event| !event.ends_with("data: "));
        // Only a session's client can come back for what follows an event.
        let said = |event: &str| event.split("\nid: ").next().unwrap().replace("\ndata: ", "\n");
        let events: Vec<_> = events.map(said).collect();
        let progress =
            r#"{"progressToken":"t\u0031","progress":1.50,"total":1E+2,"message":"\u00e9 é"}"#;
        let log = format!(r#"{{"level":"info","logger":"\u006c","data":{ODD}}}"#);
        let event = |method: &str, params: &str| {
            format!(
                r#"data: {{"jsonrpc":"2.0","method":"notifications/{method}","params":{params}}}"#
            )
        };
        assert_eq!(events[0], event("progress", progress));
        assert_eq!(events[1], event("message", &log));
        assert!(events[2].ends_with(&format!("{}}}", &ODD[1..])), "{}", events[2]);
    }
}

#[tokio::test]
async fn line_ends_in_a_result_survive_every_kind_of_answer() {
    let hub = TestHub::start().await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("go")]).await;
    let client = McpClient::new(&hub);
    let session = client.initialize("2025-11-25").await;
    let pretty = json!({ "content": [{ "type": "text", "text": "a\n\nb\r\n" }], "n": [1, 2] });
    let pretty = serde_json::to_string_pretty(&pretty).unwrap();
    let variants = [pretty.clone(), pretty.replace('\n', "\r\n"), pretty.replace('\n', "\n\n")];
    let legacy = |token: bool| {
        let meta = if token { json!({ "progressToken": 5 }) } else { json!({}) };
        session.prepared(1, "tools/call", &json!({ "name": "go", "_meta": meta }))
    };
    for result in variants {
        for (request, is_stream) in [
            (modern(&client, "", ""), false),
            (modern(&client, "", r#","progressToken":5"#), true),
            (legacy(false), false),
            (legacy(true), true),
        ] {
            let (answer, ()) = tokio::join!(McpClient::send(request), async {
                let (id, _) = provider.next_call().await;
                let params = json!({ "progressToken": id, "progress": 1 });
                provider
                    .say(json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": params }))
                    .await;
                reply(&mut provider, &id, &result).await;
            });
            check_text(&answer, is_stream, &result);
        }
    }
}

#[track_caller]
fn check_text(answer: &Answer, is_stream: bool, result: &str) {
    let kind = if is_stream { "text/event-stream" } else { "application/json" };
    assert_eq!(answer.headers["content-type"], kind);
    assert_eq!(answer.messages.len(), if is_stream { 2 } else { 1 }, "{}", answer.text);
    assert_eq!(answer.said(), "a\n\nb\r\n");
    assert_eq!(answer.result()["n"], json!([1, 2]));
    if !is_stream {
        assert!(answer.text.ends_with(&format!("{}}}", &result[1..])), "{}", answer.text);
    }
}

#[tokio::test]
async fn an_error_that_blames_the_caller_keeps_its_data() {
    let hub = TestHub::start().await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("go")]).await;
    let client = McpClient::new(&hub);
    let session = client.initialize("2025-11-25").await;
    let bare = session.prepared(1, "tools/call", &json!({ "name": "go" }));
    for request in [modern(&client, "", ""), bare] {
        let (answer, ()) = tokio::join!(McpClient::send(request), async {
            let (_, id) = next_call(&mut provider).await;
            let error = format!(r#"{{"message":"no \"x\"","data" : {ODD},"code":-32602}}"#);
            let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#);
            provider.say_text(&text).await;
        });
        let error = format!(r#"{{"code":-32602,"message":"no \"x\"","data":{ODD}}}"#);
        assert_eq!(answer.status, 200);
        assert_eq!(answer.text, format!(r#"{{"jsonrpc":"2.0","id":1,"error":{error}}}"#));
    }
}
