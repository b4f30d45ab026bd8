//! Broken, hostile and careless input from either side: refused with a reason, and survived.

use std::time::Duration;

use bytes::Bytes;
use bytesize::ByteSize;
use futures_util::{SinkExt, StreamExt, stream};
use mcp_hub::config::Config;
use reqwest::{Body, RequestBuilder};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::{
        CloseFrame,
        frame::{
            Frame,
            coding::{Data, OpCode},
        },
    },
};

use crate::support::{
    McpClient, PATIENCE, TestHub, TestProvider,
    client::{Answer, MODERN},
    provider::{text, tool},
};

const CLAIM: &str = r#""io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}"#;

/// A modern request whose headers are right, whatever its body is.
fn request(client: &McpClient, method: &str, body: impl Into<Body>) -> RequestBuilder {
    client
        .post("")
        .header("mcp-protocol-version", MODERN)
        .header("mcp-method", method)
        .header("mcp-name", "go")
        .body(body)
}

fn call_body(arguments: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"go","arguments":{arguments},"_meta":{{{CLAIM}}}}}}}"#
    )
}

fn list_body(size: usize) -> String {
    let mut body = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{{"_meta":{{{CLAIM}}}}}}}"#
    );
    body.extend(std::iter::repeat_n(' ', size.saturating_sub(body.len())));
    body
}

/// Posts each body and expects 400 and `code`; the hub goes on serving.
async fn refused(code: i64, bodies: &[&[u8]]) {
    let hub = TestHub::start().await;
    let client = McpClient::new(&hub);
    let mut wrong = Vec::new();
    for body in bodies {
        let answer = McpClient::send(request(&client, "tools/call", body.to_vec())).await;
        let actual = answer.messages.first().and_then(|message| message["error"]["code"].as_i64());
        if (answer.status.as_u16(), actual) != (400, Some(code)) {
            wrong.push(format!("{:?}: {answer:?}", String::from_utf8_lossy(body)));
        }
        assert_eq!(client.tools().await, [""; 0]);
    }
    assert!(wrong.is_empty(), "not refused with {code}:\n{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_body_that_is_not_json_is_a_parse_error() {
    let body = call_body("{}").into_bytes();
    let truncated = (1..body.len()).map(|end| &body[..end]);
    refused(-32700, &truncated.collect::<Vec<_>>()).await;
    let call = |arguments: &str| call_body(arguments).into_bytes();
    refused(
        -32700,
        &[
            b"",
            b"  \n",
            b"nonsense",
            b"{'a':1}",
            b"{}{}",
            b"{} x",
            b"\xef\xbb\xbf{}",
            b"{\0}",
            b"\xff",
            &call("{]"),
            &call("{\"a\":1,}"),
            &call("{\"a\":01}"),
            &call("{\"a\":NaN}"),
            &call("{\"a\":\"\\x\"}"),
            &call("{\"a\":\"line\nend\"}"),
            &call("{a:1}"),
            &[b"{\"jsonrpc\":\"\xc3\"}".as_slice()].concat(),
            &[call("{}"), call("{}")].concat(),
        ],
    )
    .await;
}

#[tokio::test]
async fn json_that_is_no_message_is_an_invalid_request() {
    refused(
        -32600,
        &[
            b"5",
            b"null",
            b"true",
            b"\"x\"",
            b"[]",
            b"{}",
            br#"{"jsonrpc":"2.0"}"#,
            br#"{"jsonrpc":"2.0","id":1}"#,
            br#"{"jsonrpc":"2.0","id":1,"method":5}"#,
            br#"{"jsonrpc":"2.0","id":1,"method":null}"#,
            br#"{"id":1,"method":"tools/list"}"#,
            br#"{"jsonrpc":"1.0","id":1,"method":"tools/list"}"#,
            br#"{"jsonrpc":2.0,"id":1,"method":"tools/list"}"#,
            br#"{"jsonrpc":null,"id":1,"method":"tools/list"}"#,
            br#"{"jsonrpc":"2.0","id":null,"method":"tools/list"}"#,
            br#"{"jsonrpc":"2.0","id":1.5,"method":"tools/list"}"#,
            br#"{"jsonrpc":"2.0","id":1e3,"method":"tools/list"}"#,
            br#"{"jsonrpc":"2.0","id":true,"method":"tools/list"}"#,
            br#"{"jsonrpc":"2.0","id":{},"method":"tools/list"}"#,
            br#"{"jsonrpc":"2.0","id":[1],"method":"tools/list"}"#,
            br#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
        ],
    )
    .await;
}

#[tokio::test]
async fn parameters_that_are_no_object_are_invalid() {
    refused(
        -32602,
        &[
            br#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":[]}"#,
            br#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":5}"#,
            br#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":"x"}"#,
        ],
    )
    .await;
}

#[tokio::test]
async fn a_key_named_twice_is_refused_wherever_it_stands() {
    let call = |arguments: &str| call_body(arguments).into_bytes();
    refused(
        -32700,
        &[
            br#"{"jsonrpc":"2.0","id":1,"id":2,"method":"tools/list"}"#,
            br#"{"jsonrpc":"2.0","id":1,"method":"tools/list","\u006dethod":"tools/call"}"#,
            br#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{},"params":{}}"#,
            br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","n\u0061me":"b"}}"#,
            br#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"a":1,"a":1}}}"#,
            br#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{},"_meta":{}}}"#,
            br#"{"jsonrpc":"2.0","id":1,"method":"tools/list","x":{"":1,"":1}}"#,
            &call(r#"{"a":1,"b":2,"a":3}"#),
            &call(r#"{"a":[{"b":{"c":1,"d":2,"\u0063":3}}]}"#),
            &call(r#"{"é":1,"\u00e9":2}"#),
            &call(r#"{"\ud83d\ude00":1,"😀":2}"#),
            &call(r#"{"a\/b":1,"a/b":2}"#),
        ],
    )
    .await;
}

/// A provider that answers every call of `go` with its arguments, as text.
async fn echo(hub: &TestHub) -> tokio::task::JoinSet<()> {
    let provider = TestProvider::offering(hub, "echo", &[tool("go")]).await;
    provider.serve(|params| text(&params["arguments"].to_string()))
}

#[tokio::test]
async fn nesting_is_bounded() {
    let hub = TestHub::with(|config| config.limits.json_depth = 20.try_into().unwrap()).await;
    let _serving = echo(&hub).await;
    let client = McpClient::new(&hub);
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    // The message, its parameters and the arguments are three levels of the 20.
    let fits = McpClient::send(request(
        &client,
        "tools/call",
        call_body(&format!("{{\"a\":{}}}", nested(17))),
    ));
    assert_eq!(fits.await.said(), format!("{{\"a\":{}}}", nested(17)));
    let too_deep = call_body(&format!("{{\"a\":{}}}", nested(18)));
    for body in [too_deep, "[".repeat(2_000_000), "{\"a\":".repeat(300_000)] {
        let answer = McpClient::send(request(&client, "tools/call", body)).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (400, -32700), "{answer:?}");
        assert!(answer.text.contains("deeper than 20 levels"), "{answer:?}");
    }
    assert_eq!(client.tools().await, ["go"]);
}

#[tokio::test]
async fn a_body_is_bounded_with_and_without_a_declared_length() {
    const MAX: usize = 4096;
    let hub = TestHub::with(|config| config.limits.request_body = ByteSize(MAX as u64)).await;
    let client = McpClient::new(&hub);
    for (size, status) in [
        (MAX - 1, 200),
        (MAX, 200),
        (MAX + 1, 413),
        (2 * MAX, 413),
        (2 * MAX + 1, 413),
        (100 * MAX, 413),
    ] {
        let body = list_body(size);
        assert_eq!(body.len(), size);
        let pieces: Vec<_> = body
            .as_bytes()
            .chunks(1000)
            .map(|piece| std::io::Result::Ok(Bytes::copy_from_slice(piece)))
            .collect();
        let chunked = Body::wrap_stream(stream::iter(pieces));
        for (body, how) in [(Body::from(body.clone()), "declared"), (chunked, "chunked")] {
            let answer = McpClient::send(request(&client, "tools/list", body)).await;
            assert_eq!(answer.status, status, "{size} bytes, {how}: {answer:?}");
            if status == 413 {
                assert_eq!(answer.code(), -32600);
                assert!(answer.text.contains("limits.request_body"), "{answer:?}");
            }
        }
    }
}

/// Sends `bytes` over a connection of its own and reads what comes until it is closed.
async fn raw(hub: &TestHub, bytes: &str) -> String {
    let mut socket =
        TcpStream::connect(hub.url().trim_start_matches("http://")).await.expect("a connection");
    socket.write_all(bytes.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    timeout(PATIENCE, socket.read_to_string(&mut answer)).await.expect("in time").expect("text");
    answer
}

fn head(length: &str) -> String {
    format!(
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         mcp-protocol-version: {MODERN}\r\nmcp-method: tools/list\r\n{length}\r\n\r\n"
    )
}

#[tokio::test]
async fn a_body_far_too_large_is_refused_before_it_is_sent() {
    let hub = TestHub::start().await;
    for length in ["1000000000", "1000000000000000"] {
        let answer = raw(&hub, &head(&format!("content-length: {length}"))).await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    }
    assert_eq!(McpClient::new(&hub).tools().await, [""; 0]);
}

#[tokio::test]
async fn a_body_that_comes_too_slowly_is_given_up() {
    let hub = TestHub::with(|config| {
        config.limits.request_body_time = Duration::from_millis(50);
    })
    .await;
    for body in [
        head("content-length: 100") + "{\"jsonrpc\"",
        head("content-length: 100"),
        head("transfer-encoding: chunked") + "3\r\n{\"j\r\n",
    ] {
        let answer = raw(&hub, &body).await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert!(answer.contains("limits.request_body_time"), "{answer}");
    }
    assert_eq!(McpClient::new(&hub).tools().await, [""; 0]);
}

#[tokio::test]
async fn a_client_that_breaks_off_does_no_harm() {
    let hub = TestHub::start().await;
    for start in ["POST /mcp HT", &head("content-length: 100"), &(head("content-length: 9") + "{")]
    {
        let address = hub.url().trim_start_matches("http://");
        let mut socket = TcpStream::connect(address).await.unwrap();
        socket.write_all(start.as_bytes()).await.unwrap();
        drop(socket);
        assert_eq!(McpClient::new(&hub).tools().await, [""; 0]);
    }
}

/// Registers, sends `messages`, and expects to be sent away with `code` and a `reason`.
async fn sent_away(hub: &TestHub, messages: &[Message], code: u16, reason: &str) {
    let mut provider = TestProvider::offering(hub, "bad", &[tool("go")]).await;
    for message in messages {
        // The hub may hang up before it has heard everything.
        if provider.socket.send(message.clone()).await.is_err() {
            break;
        }
    }
    let shown: String = format!("{messages:?}").chars().take(200).collect();
    let heard = provider.hear().await;
    assert!(matches!(heard, Err(Some(_))), "{shown} led to {heard:?}");
    let frame: CloseFrame = heard.expect_err("no message").expect("a close frame");
    assert_eq!(u16::from(frame.code), code, "{shown}: {frame:?}");
    assert!(frame.reason.contains(reason), "{shown}: {frame:?}");
    let client = McpClient::new(hub);
    crate::support::eventually("the tool is withdrawn", || hub.hub().figures().providers == 0)
        .await;
    assert_eq!(client.tools().await, [""; 0]);
}

#[tokio::test]
async fn a_provider_that_talks_nonsense_is_sent_away_with_1008() {
    let hub = TestHub::start().await;
    let deep = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{}{}}}"#,
        "[".repeat(128),
        "]".repeat(128)
    );
    for (frame, reason) in [
        ("", "not JSON"),
        ("nonsense", "not JSON"),
        (r#"{"jsonrpc":"2.0","#, "not JSON"),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping"}{}"#, "not JSON"),
        ("5", "not a JSON-RPC"),
        ("null", "not a JSON-RPC"),
        ("{}", "not a JSON-RPC"),
        ("[]", "not a JSON-RPC"),
        (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, "not a JSON-RPC"),
        (r#"{"id":1,"method":"ping"}"#, "not a JSON-RPC"),
        (r#"{"jsonrpc":"2.0","id":1}"#, "not a JSON-RPC"),
        (r#"{"jsonrpc":"2.0","id":1,"method":7}"#, "not a JSON-RPC"),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","id":2}"#, "\"id\" twice"),
        (r#"{"jsonrpc":"2.0","id":1,"method":"x","\u006dethod":"y"}"#, "\"method\" twice"),
        (r#"{"jsonrpc":"2.0","id":1,"result":{"a":[{"b":1,"b":2}]}}"#, "\"b\" twice"),
        (r#"{"jsonrpc":"2.0","method":"x","params":{"é":1,"\u00e9":1}}"#, "\"é\" twice"),
        (&deep, "deeper than 128"),
    ] {
        sent_away(&hub, &[Message::text(frame)], 1008, reason).await;
    }
    sent_away(&hub, &[Message::binary(&b"{}"[..])], 1008, "binary").await;
    let not_utf8 = Frame::message(&b"\"\xff\""[..], OpCode::Data(Data::Text), true);
    sent_away(&hub, &[Message::Frame(not_utf8)], 1008, "").await;
}

#[tokio::test]
async fn a_message_is_an_object_never_a_list_of_its_members() {
    let hub = TestHub::start().await;
    let listed = r#"["2.0",1,"ping",null,null,null]"#;
    sent_away(&hub, &[Message::text(listed)], 1008, "not a JSON-RPC").await;
}

#[tokio::test]
async fn a_message_too_large_ends_with_1009_that_the_provider_hears() {
    const MAX: usize = 64 * 1024;
    let hub = TestHub::with(|config| {
        config.limits.provider_message = ByteSize(MAX as u64);
        config.limits.tool_definition = ByteSize::kib(1);
    })
    .await;
    let large = |size: usize| Message::text("x".repeat(size));
    let piece = |opcode, is_final| {
        Message::Frame(Frame::message("x".repeat(MAX - 10), OpCode::Data(opcode), is_final))
    };
    for messages in [
        vec![large(MAX + 1)],
        vec![large(20 * MAX)],
        // Still sending while it is told to go.
        vec![large(100 * MAX), large(100 * MAX), large(100 * MAX)],
        vec![Message::binary(vec![0; MAX + 1])],
        vec![piece(Data::Text, false), piece(Data::Continue, false), piece(Data::Continue, true)],
    ] {
        sent_away(&hub, &messages, 1009, "too large").await;
    }
    let mut provider = TestProvider::offering(&hub, "p", &[tool("go")]).await;
    let ping = r#"{"jsonrpc":"2.0","id":"just fits","method":"ping"}"#;
    provider.say_text(&format!("{ping}{}", " ".repeat(MAX - ping.len()))).await;
    assert_eq!(provider.hear().await.unwrap()["result"], json!({}));
}

/// Tries to register `tools` over a set that is in use: all of them are refused, the set stays.
async fn faulty(tools: Value, expected: &[(usize, Option<&str>, &str)]) {
    let hub = TestHub::with(|config| config.limits.tool_definition = ByteSize::kib(1)).await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("keep")]).await;
    let answer = provider.register("p", tools.as_array().expect("tools")).await;
    assert_eq!(answer["error"]["code"], -32602, "{tools}: {answer}");
    let refused = answer["error"]["data"]["tools"].as_array();
    let refused = refused.expect("data.tools");
    assert_eq!(refused.len(), expected.len(), "{answer}");
    for (refused, (index, name, reason)) in refused.iter().zip(expected) {
        let actual = (refused["index"].as_u64().expect("an index"), refused["name"].as_str());
        assert_eq!(actual, (*index as u64, *name), "{answer}");
        assert!(refused["reason"].as_str().expect("a reason").contains(reason), "{answer}");
    }
    let client = McpClient::new(&hub);
    assert_eq!(client.tools().await, ["keep"]);
    let (answer, ()) = tokio::join!(client.call("keep", json!({})), async {
        let (id, _) = provider.next_call().await;
        provider.answer(&id, text("kept")).await;
    });
    assert_eq!(answer.said(), "kept");
}

#[tokio::test]
async fn a_faulty_tool_refuses_its_whole_set_and_the_set_before_stays() {
    let schema = json!({ "type": "object" });
    let long = "n".repeat(129);
    for (bad, name, reason) in [
        (json!(5), None, "not a tool object"),
        (json!(null), None, "not a tool object"),
        (json!({}), None, "`name`"),
        (json!({ "name": 5, "inputSchema": schema }), None, "`name`"),
        (json!({ "name": "", "inputSchema": schema }), Some(""), "`name`"),
        (json!({ "name": "a b", "inputSchema": schema }), Some("a b"), "`name`"),
        (json!({ "name": "a/b", "inputSchema": schema }), Some("a/b"), "`name`"),
        (json!({ "name": "é", "inputSchema": schema }), Some("é"), "`name`"),
        (json!({ "name": long, "inputSchema": schema }), Some(&long[1..]), "`name`"),
        (json!({ "name": "a" }), Some("a"), "`inputSchema`"),
        (json!({ "name": "a", "inputSchema": null }), Some("a"), "`inputSchema`"),
        (json!({ "name": "a", "inputSchema": [] }), Some("a"), "`inputSchema`"),
        (json!({ "name": "a", "inputSchema": {} }), Some("a"), "`inputSchema`"),
        (json!({ "name": "a", "inputSchema": { "type": "array" } }), Some("a"), "`inputSchema"),
        (
            json!({ "name": "a", "inputSchema": schema, "outputSchema": 5 }),
            Some("a"),
            "outputSchema",
        ),
        (json!({ "name": "a", "inputSchema": schema, "title": 5 }), Some("a"), "`title`"),
        (
            json!({ "name": "a", "inputSchema": schema, "description": "\u{202e}" }),
            Some("a"),
            "`description`",
        ),
        (
            json!({ "name": "a", "inputSchema": schema, "description": "\u{1b}[2J" }),
            Some("a"),
            "`description`",
        ),
        (
            json!({ "name": "a", "inputSchema": schema, "annotations": [] }),
            Some("a"),
            "`annotations`",
        ),
        (json!({ "name": "good", "inputSchema": schema }), Some("good"), "declared twice"),
        (
            json!({ "name": "a", "inputSchema": schema, "description": "x".repeat(1024) }),
            Some("a"),
            "the limit is 1024",
        ),
        (
            json!({ "name": "a", "inputSchema": { "type": "object", "properties":
                { "p": { "type": "number", "x-mcp-header": "P" } } } }),
            Some("a"),
            "x-mcp-header",
        ),
    ] {
        faulty(json!([tool("good"), bad]), &[(1, name, reason)]).await;
    }
    let many = json!([{ "name": "a" }, tool("good"), tool("good"), 7]);
    let expected = [
        (0, Some("a"), "`inputSchema`"),
        (2, Some("good"), "declared twice"),
        (3, None, "not a tool"),
    ];
    faulty(many, &expected).await;
}

#[tokio::test]
async fn a_tool_is_an_object_never_a_list_of_its_members() {
    let listed = json!(["go", "title", "description", { "type": "object" }, true, {}]);
    faulty(json!([listed]), &[(0, None, "not a tool object")]).await;
}

#[tokio::test]
async fn a_registration_is_an_object_never_a_list_of_its_members() {
    let hub = TestHub::start().await;
    let about = json!({ "name": "p", "version": "1", "instanceId": "p" });
    for params in [json!([about, []]), json!({ "provider": ["p", "1", "p"], "tools": [] })] {
        let mut provider = TestProvider::dial(&hub, None).await.unwrap();
        provider
            .say(json!({ "jsonrpc": "2.0", "id": 1, "method": "providers/register", "params": params }))
            .await;
        let answer = provider.hear().await.expect("an answer");
        assert_eq!(answer["error"]["code"], -32602, "{params}: {answer}");
    }
}

#[tokio::test]
async fn a_registration_that_cannot_be_read_is_refused_and_the_socket_stays() {
    let hub = TestHub::start().await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("keep")]).await;
    let long = "x".repeat(1000);
    let about = json!({ "name": "p", "version": "1", "instanceId": "p" });
    let mut wrong = Vec::new();
    for params in [
        json!(null),
        json!(5),
        json!({}),
        json!({ "provider": about }),
        json!({ "tools": [] }),
        json!({ "provider": about, "tools": {} }),
        json!({ "provider": about, "tools": "all" }),
        json!({ "provider": "p", "tools": [] }),
        json!({ "provider": { "instanceId": "p" }, "tools": [] }),
        json!({ "provider": { "name": 5, "instanceId": "p" }, "tools": [] }),
        json!({ "provider": { "name": "p", "instanceId": "" }, "tools": [] }),
        json!({ "provider": { "name": "p", "instanceId": long }, "tools": [] }),
        json!({ "provider": { "name": "p", "instanceId": "another" }, "tools": [] }),
    ] {
        let id = format!("{params}");
        let message =
            json!({ "jsonrpc": "2.0", "id": id, "method": "providers/register", "params": params });
        provider.say(message).await;
        let answer = provider.hear().await.expect("the socket stays");
        assert_eq!(answer["id"], json!(id));
        if answer["error"]["code"] != -32602 {
            wrong.push(format!("{params}: {answer}"));
        }
    }
    assert!(wrong.is_empty(), "taken in:\n{}", wrong.join("\n"));
    assert_eq!(McpClient::new(&hub).tools().await, ["keep"]);
    for name in ["", "a\nb", &long] {
        let mut other = TestProvider::dial(&hub, None).await.unwrap();
        let answer = other.register(name, &[]).await;
        assert_eq!(answer["error"]["code"], -32602, "{name:?}: {answer}");
    }
}

#[tokio::test]
async fn a_provider_that_asks_for_what_there_is_not_is_told_so() {
    let hub = TestHub::start().await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("keep")]).await;
    for (id, method, expected) in [
        (json!(1), "ping", json!({ "result": {} })),
        (json!("x"), "ping", json!({ "result": {} })),
        (json!(2), "tools/list", json!({ "error": { "code": -32601 } })),
        (json!(3), "no/such", json!({ "error": { "code": -32601 } })),
    ] {
        provider.say(json!({ "jsonrpc": "2.0", "id": id, "method": method })).await;
        let answer = provider.hear().await.expect("an answer");
        assert_eq!(answer["id"], id);
        assert_eq!(answer.get("result"), expected.get("result"), "{answer}");
        assert_eq!(answer["error"]["code"], expected["error"]["code"], "{answer}");
    }
    // Notifications are never answered, understood or not.
    for (method, params) in [
        ("notifications/progress", json!({ "progressToken": 99, "progress": 1 })),
        ("notifications/progress", json!({ "progressToken": "x", "progress": "y" })),
        ("notifications/progress", json!([])),
        ("notifications/message", json!({ "level": "loud", "data": 1 })),
        ("no/such", json!(5)),
    ] {
        provider.say(json!({ "jsonrpc": "2.0", "method": method, "params": params })).await;
    }
    provider.say(json!({ "jsonrpc": "2.0", "method": "ping" })).await;
    provider.say(json!({ "jsonrpc": "2.0", "id": "last", "method": "ping" })).await;
    assert_eq!(provider.hear().await.expect("an answer")["id"], "last");
}

/// Calls fail often here, and no provider is to be left alone for it.
fn patient(config: &mut Config) {
    config.failover.breaker.failures = 1000;
}

/// Calls `go`, lets `act` deal with it, and says what the client got.
async fn called(
    client: &McpClient,
    provider: &mut TestProvider,
    act: impl AsyncFnOnce(&mut TestProvider, Value),
) -> Answer {
    let (answer, ()) = tokio::join!(client.call("go", json!({})), async {
        let (id, _) = provider.next_call().await;
        act(provider, id).await;
    });
    answer
}

async fn still_serves(client: &McpClient, provider: &mut TestProvider) {
    let answer = called(client, provider, async |provider: &mut TestProvider, id| {
        provider.answer(&id, text("still here")).await;
    });
    assert_eq!(answer.await.said(), "still here");
}

#[tokio::test]
async fn only_the_first_answer_under_the_right_id_counts() {
    let hub = TestHub::start().await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("go")]).await;
    let client = McpClient::new(&hub);
    let answer = called(&client, &mut provider, async |provider: &mut TestProvider, id| {
        let number = id.as_u64().unwrap();
        let wrong = [
            json!(number + 1000),
            json!(0),
            json!(-1),
            json!(number.to_string()),
            json!(f64::from(u32::try_from(number).unwrap())),
            json!(null),
            json!([number]),
        ];
        for wrong in wrong {
            provider.answer(&wrong, text("wrong")).await;
        }
        provider.answer(&id, text("right")).await;
        provider.answer(&id, text("again")).await;
        provider.fail(&id, -1, "and again").await;
    });
    assert_eq!(answer.await.said(), "right");
    still_serves(&client, &mut provider).await;
}

#[tokio::test]
async fn an_answer_that_comes_too_late_or_never_is_not_waited_for() {
    let hub = TestHub::with(|config| {
        patient(config);
        config.limits.call_idle = Duration::from_millis(50);
    })
    .await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("go")]).await;
    let client = McpClient::new(&hub);
    let session = client.initialize("2025-06-18").await;
    let answer = session.call(1, "go", json!({})).await;
    assert_eq!(answer.result()["isError"], true);
    assert!(answer.said().contains("no answer"), "{}", answer.said());
    assert!(answer.said().contains("unknown"), "{}", answer.said());
    let (id, _) = provider.next_call().await;
    let cancelled = provider.next_notification().await;
    assert_eq!(cancelled["method"], "notifications/cancelled");
    assert_eq!(cancelled["params"]["requestId"], id);
    provider.answer(&id, text("too late")).await;
    still_serves(&client, &mut provider).await;
}

#[tokio::test]
async fn a_result_that_is_none_is_told_as_a_failure() {
    let hub = TestHub::with(patient).await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("go")]).await;
    let client = McpClient::new(&hub);
    for result in [
        json!(5),
        json!("done"),
        json!([]),
        json!(true),
        json!({ "resultType": "task" }),
        json!({ "resultType": 5 }),
        json!({ "_meta": [] }),
        json!({ "resultType": "input_required" }),
    ] {
        let answer = called(&client, &mut provider, async |provider: &mut TestProvider, id| {
            provider.answer(&id, result.clone()).await;
        });
        let answer = answer.await;
        assert_eq!(answer.status, 200, "{result}: {answer:?}");
        assert_eq!(answer.result()["isError"], true, "{result}: {answer:?}");
        assert!(answer.said().contains("provider \"p\""), "{result}: {}", answer.said());
        still_serves(&client, &mut provider).await;
    }
}

#[tokio::test]
async fn a_result_of_null_is_told_as_a_failure_and_the_socket_stays() {
    let hub = TestHub::start().await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("go")]).await;
    let client = McpClient::new(&hub);
    let answer = called(&client, &mut provider, async |provider: &mut TestProvider, id| {
        provider.answer(&id, json!(null)).await;
    });
    let answer = answer.await;
    assert_eq!(answer.result()["isError"], true, "{answer:?}");
    still_serves(&client, &mut provider).await;
}

#[tokio::test]
async fn an_answer_with_both_result_and_error_or_neither_ends_the_connection() {
    for members in [
        json!({ "result": {}, "error": { "code": -1, "message": "x" } }),
        json!({ "result": {}, "method": "tools/call" }),
        json!({}),
        json!({ "error": "x" }),
        json!({ "error": { "message": "x" } }),
        json!({ "error": { "code": "x", "message": "x" } }),
    ] {
        let hub = TestHub::start().await;
        let mut provider = TestProvider::offering(&hub, "p", &[tool("go")]).await;
        let client = McpClient::new(&hub);
        let answer = called(&client, &mut provider, async |provider: &mut TestProvider, id| {
            let mut message = members.clone();
            message["jsonrpc"] = json!("2.0");
            message["id"] = id;
            provider.say(message).await;
            assert_eq!(provider.close_code().await, 1008, "{members}");
        });
        let answer = answer.await;
        assert_eq!(answer.result()["isError"], true, "{members}: {answer:?}");
        let mut provider = TestProvider::offering(&hub, "p", &[tool("go")]).await;
        still_serves(&client, &mut provider).await;
    }
}

#[tokio::test]
async fn a_provider_that_vanishes_leaves_its_caller_with_an_answer() {
    let hub = TestHub::start().await;
    let client = McpClient::new(&hub);
    let mut provider = TestProvider::offering(&hub, "p", &[tool("go")]).await;
    let (answer, ()) = tokio::join!(client.call("go", json!({})), async move {
        provider.next_call().await;
        drop(provider);
    });
    assert_eq!(answer.result()["isError"], true);
    assert!(answer.said().contains("connection was lost"), "{}", answer.said());
    assert_eq!(client.call("go", json!({})).await.code(), -32602);
}

#[tokio::test]
async fn large_calls_and_large_answers_at_once_do_not_lock_up() {
    const SIZE: usize = 512 * 1024;
    let hub = TestHub::start().await;
    // It reads nothing while it writes, as simple providers do.
    let provider = TestProvider::offering(&hub, "p", &[tool("go")]).await;
    let _serving = provider.serve(|_| text(&"y".repeat(SIZE)));
    let client = McpClient::new(&hub);
    let arguments = json!({ "a": "x".repeat(SIZE) });
    let calls = stream::iter(0..32).map(|_| client.call("go", arguments.clone()));
    let answers: Vec<Answer> = calls.buffer_unordered(32).collect().await;
    for answer in answers {
        assert_eq!(answer.said().len(), SIZE);
    }
}
