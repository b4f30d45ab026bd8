//! The command line, driven as people and scripts drive it: the real binary against a hub.

use std::{
    io::Write,
    process::{Output, Stdio},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    process::Command,
    sync::mpsc,
    task::JoinSet,
};
use tokio_tungstenite::{connect_async, tungstenite::Message};

use crate::support::TestHub;

#[tokio::test]
async fn tools_are_listed_for_people() {
    let (hub, _provider) = hub_with_tools().await;
    let seen = mcp_hub(hub.url(), &["tools"]).await;
    assert_eq!(seen.status.code(), Some(0), "{seen:?}");
    let list = stdout(&seen);
    let echo = list.lines().find(|line| line.starts_with("echo ")).expect("a line for echo");
    assert!(echo.ends_with("  Says it again"), "{list}");
    assert!(!list.contains("second line"), "only the first line is shown: {list}");
}

#[tokio::test]
async fn tools_are_listed_for_programs_as_the_provider_wrote_them() {
    let (hub, _provider) = hub_with_tools().await;
    let seen = mcp_hub(hub.url(), &["tools", "--json"]).await;
    let mut tools: Vec<Value> = serde_json::from_slice(&seen.stdout).expect("a JSON array");
    tools.sort_by_key(|tool| tool["name"].to_string());
    assert_eq!(Value::from(tools), tools_offered());
}

#[tokio::test]
async fn a_list_of_no_tools_says_so_and_is_no_failure() {
    let hub = TestHub::start().await;
    let seen = mcp_hub(hub.url(), &["tools"]).await;
    assert_eq!((seen.status.code(), stdout(&seen).as_str()), (Some(0), ""));
    assert!(stderr(&seen).contains("no tools yet"), "{seen:?}");
}

#[tokio::test]
async fn text_goes_to_stdout_as_it_is() {
    let (hub, _provider) = hub_with_tools().await;
    let seen = mcp_hub(hub.url(), &["call", "echo", r#"{"text":"Grüße,\n  Ada"}"#]).await;
    assert_eq!((seen.status.code(), stdout(&seen).as_str()), (Some(0), "Grüße,\n  Ada\n"));
    assert_eq!(stderr(&seen), "");
}

#[tokio::test]
async fn the_address_may_be_that_of_the_endpoint() {
    let (hub, _provider) = hub_with_tools().await;
    let endpoint = format!("{}/mcp", hub.url());
    let seen = mcp_hub(&endpoint, &["call", "echo", r#"{"text":"hi"}"#]).await;
    assert_eq!(stdout(&seen), "hi\n", "{seen:?}");
}

#[tokio::test]
async fn arguments_may_come_from_a_file_or_stdin() {
    let (hub, _provider) = hub_with_tools().await;
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(br#"{"text":"from a file"}"#).unwrap();
    let source = format!("@{}", file.path().display());
    let seen = mcp_hub(hub.url(), &["call", "echo", &source]).await;
    assert_eq!(stdout(&seen), "from a file\n", "{seen:?}");

    let mut child = command(hub.url(), &["call", "echo", "-"]).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(br#"{"text":"from stdin"}"#).await.unwrap();
    drop(stdin);
    let seen = child.wait_with_output().await.unwrap();
    assert_eq!(stdout(&seen), "from stdin\n", "{seen:?}");
}

#[tokio::test]
async fn structured_content_is_shown_when_there_is_no_text() {
    let (hub, _provider) = hub_with_tools().await;
    let seen = mcp_hub(hub.url(), &["call", "data"]).await;
    assert_eq!(stdout(&seen), "[image, image/png, 3 B]\n{\"n\":1}\n", "{seen:?}");
}

#[tokio::test]
async fn progress_and_log_messages_go_to_stderr() {
    let (hub, _provider) = hub_with_tools().await;
    let seen = mcp_hub(hub.url(), &["call", "steps"]).await;
    assert_eq!(stdout(&seen), "done\n", "{seen:?}");
    assert_eq!(stderr(&seen), "progress 1/2 first\ninfo steps: halfway\nprogress 2/2\n");
}

#[tokio::test]
async fn arguments_a_tool_wants_as_headers_are_sent_so() {
    let (hub, _provider) = hub_with_tools().await;
    let seen = mcp_hub(hub.url(), &["call", "regional", r#"{"region":"Zürich"}"#]).await;
    assert_eq!((seen.status.code(), stdout(&seen).as_str()), (Some(0), "Zürich\n"), "{seen:?}");
}

#[tokio::test]
async fn an_error_of_the_tool_is_exit_code_1() {
    let (hub, _provider) = hub_with_tools().await;
    let seen = mcp_hub(hub.url(), &["call", "fail"]).await;
    assert_eq!((seen.status.code(), stdout(&seen).as_str()), (Some(1), "out of ink\n"));
}

#[tokio::test]
async fn faulty_arguments_are_exit_code_2() {
    for (arguments, reason) in [("{oops", "no valid JSON"), ("[1]", "has an array")] {
        let seen = mcp_hub("http://127.0.0.1:9", &["call", "echo", arguments]).await;
        assert_eq!(seen.status.code(), Some(2), "{seen:?}");
        assert!(stderr(&seen).contains(reason), "{seen:?}");
    }
    let seen = mcp_hub("ftp://somewhere", &["tools"]).await;
    assert_eq!(seen.status.code(), Some(2), "{seen:?}");
}

#[tokio::test]
async fn a_tool_that_asks_back_is_exit_code_3() {
    let (hub, _provider) = hub_with_tools().await;
    let seen = mcp_hub(hub.url(), &["call", "ask"]).await;
    assert_eq!((seen.status.code(), stdout(&seen).as_str()), (Some(3), ""), "{seen:?}");
    assert!(stderr(&seen).contains("who: Your name? (name: string)"), "{seen:?}");
}

#[tokio::test]
async fn an_unknown_tool_is_exit_code_4_and_close_ones_are_named() {
    let (hub, _provider) = hub_with_tools().await;
    let seen = mcp_hub(hub.url(), &["call", "ecko"]).await;
    assert_eq!(seen.status.code(), Some(4), "{seen:?}");
    assert!(stderr(&seen).contains("echo"), "{seen:?}");
}

#[tokio::test]
async fn a_hub_that_is_not_there_is_exit_code_4() {
    // Bound and dropped: nothing listens there now.
    let url =
        format!("http://{}", TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap());
    let seen = mcp_hub(&url, &["tools"]).await;
    assert_eq!(seen.status.code(), Some(4), "{seen:?}");
    assert!(stderr(&seen).contains("Start it with `mcp-hub`"), "{seen:?}");
}

#[tokio::test]
async fn refusals_name_the_way_out() {
    let check = async |arguments: &[&str], answer: &'static str, way_out: &str| {
        let (url, _server) = canned(answer).await;
        let seen = mcp_hub(&url, arguments).await;
        assert_eq!(seen.status.code(), Some(4), "{seen:?}");
        assert!(stderr(&seen).contains(way_out), "{way_out}: {seen:?}");
    };
    let with_token = &["tools", "--token", "a-secret"];
    check(&["tools"], "401 Unauthorized", "MCP_HUB_TOKEN").await;
    check(with_token, "401 Unauthorized", "does not accept this token").await;
    check(with_token, "403 Forbidden", "does not permit").await;
    check(&["tools"], "429 Too Many Requests\r\nretry-after: 7", "again in 7 s").await;
    check(&["tools"], "302 Found\r\nlocation: https://a.example/", "https://a.example/").await;
    check(&["tools"], "200 OK\r\ncontent-type: text/html", "not as an MCP hub").await;
    check(&["tools"], "200 OK\r\ncontent-type: text/event-stream", "connection broke").await;
}

#[tokio::test]
async fn ctrl_c_cancels_the_call() {
    let (hub, mut provider) = hub_with_tools().await;
    let child = command(hub.url(), &["call", "sleep"]).spawn().unwrap();
    assert_eq!(provider.heard.recv().await.as_deref(), Some("sleep"));
    let id = child.id().expect("it still runs").to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().await.unwrap().success());
    let seen = child.wait_with_output().await.unwrap();
    assert_eq!(seen.status.code(), Some(130), "{seen:?}");
    assert_eq!(provider.heard.recv().await.as_deref(), Some("cancelled"));
}

#[tokio::test]
async fn whoever_stops_reading_has_enough() {
    let (hub, _provider) = hub_with_tools().await;
    let mut child = command(hub.url(), &["tools"]).spawn().unwrap();
    drop(child.stdout.take());
    let seen = child.wait_with_output().await.unwrap();
    assert_eq!((seen.status.code(), stderr(&seen).as_str()), (Some(0), ""));
}

#[tokio::test]
async fn a_token_is_signed_with_the_secret_of_the_configuration() {
    let empty = tempfile::tempdir().unwrap();
    let mut token = command("", &["token", "--user", "alice", "--scope", "mcp:tools"]);
    token.current_dir(&empty).env("MCP_HUB_AUTH__SECRET", "a secret of at least 32 bytes it is");
    let seen = token.output().await.unwrap();
    assert_eq!(seen.status.code(), Some(0), "{seen:?}");
    let token = stdout(&seen);
    let claims = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let claims = json_of(str::from_utf8(&claims).unwrap());
    assert_eq!((&claims["sub"], &claims["scope"]), (&json!("alice"), &json!("mcp:tools")));

    let mut token = command("", &["token", "--user", "alice"]);
    let seen = token.current_dir(&empty).env_remove("MCP_HUB_AUTH__SECRET").output().await.unwrap();
    assert_eq!((seen.status.code(), stdout(&seen).as_str()), (Some(1), ""), "{seen:?}");
    assert!(stderr(&seen).contains("MCP_HUB_AUTH__SECRET"), "{seen:?}");
}

#[tokio::test]
async fn help_shows_examples_and_exit_codes() {
    let seen = mcp_hub("http://127.0.0.1:9", &["--help"]).await;
    assert!(stdout(&seen).contains("mcp-hub token --user alice"), "{seen:?}");
    let mut call = command("http://127.0.0.1:9", &["call", "--help"]);
    let seen = call.env("MCP_HUB_TOKEN", "a-secret").output().await.unwrap();
    assert!(stdout(&seen).contains("130  cancelled"), "{seen:?}");
    assert!(!stdout(&seen).contains("a-secret"), "{seen:?}");
}

async fn mcp_hub(url: &str, arguments: &[&str]) -> Output {
    let mut child = command(url, arguments).spawn().expect("the binary starts");
    drop(child.stdin.take());
    child.wait_with_output().await.expect("output")
}

fn command(url: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-hub"));
    command.args(arguments).env("MCP_HUB_URL", url).env_remove("MCP_HUB_TOKEN");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.kill_on_drop(true);
    command
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

/// A server that answers one request, whatever it is, with this status and no body.
async fn canned(answer: &'static str) -> (String, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let mut server = JoinSet::new();
    server.spawn(async move {
        let (mut socket, _) = listener.accept().await.expect("a connection");
        let read = socket.read(&mut [0; 4096]).await.expect("a request");
        assert!(read > 0, "a request");
        let answer = format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\n\r\n");
        socket.write_all(answer.as_bytes()).await.expect("the answer is sent");
        // Hanging up on what has not been read would take the answer back.
        while socket.read(&mut [0; 4096]).await.is_ok_and(|read| read > 0) {}
    });
    (url, server)
}

struct Provider {
    /// The calls that never end, and what became of them.
    heard: mpsc::Receiver<String>,
    _socket: JoinSet<()>,
}

async fn hub_with_tools() -> (TestHub, Provider) {
    let hub = TestHub::start().await;
    let url = format!("{}/clients/ws", hub.url().replacen("http", "ws", 1));
    let (mut socket, _) = connect_async(url).await.expect("the hub takes providers");
    let register = json!({"jsonrpc":"2.0","id":1,"method":"providers/register",
        "params":{"provider":{"name":"tests","version":"1"},"tools":tools_offered()}});
    socket.send(Message::text(register.to_string())).await.expect("it is sent");
    let registered = socket.next().await.expect("an answer").expect("a frame");
    let registered = json_of(registered.to_text().expect("text"));
    assert!(registered["result"].is_object(), "{registered}");

    let (tell, heard) = mpsc::channel(8);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        while let Some(Ok(frame)) = socket.next().await {
            let Message::Text(text) = frame else { continue };
            let message = json_of(&text);
            for answer in answers(&message, &tell).await {
                socket.send(Message::text(answer.to_string())).await.expect("it is sent");
            }
        }
    });
    (hub, Provider { heard, _socket: tasks })
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

fn tools_offered() -> Value {
    let any = json!({"type":"object"});
    let tool = |name, text| json!({"name":name,"description":text,"inputSchema":any});
    let regional = json!({"type":"object",
        "properties":{"region":{"type":"string","x-mcp-header":"Region"}}});
    json!([
        tool("ask", "Asks back"),
        tool("data", "Gives data and a picture"),
        tool("echo", "Says it again\nsecond line"),
        tool("fail", "Fails"),
        {"name":"regional","description":"Wants a header","inputSchema":regional},
        tool("sleep", "Never answers"),
        tool("steps", "Tells how far it is"),
    ])
}

async fn answers(message: &Value, tell: &mpsc::Sender<String>) -> Vec<Value> {
    let id = &message["id"];
    let answer = |result: Value| vec![json!({"jsonrpc":"2.0","id":id,"result":result})];
    let text = |text: &Value| json!({"content":[{"type":"text","text":text}]});
    let notice =
        |method: &str, params: Value| json!({"jsonrpc":"2.0","method":method,"params":params});
    if message["method"] == "notifications/cancelled" {
        tell.send("cancelled".into()).await.ok();
        return vec![];
    }
    let arguments = &message["params"]["arguments"];
    match message["params"]["name"].as_str() {
        Some("echo") => answer(text(&arguments["text"])),
        Some("regional") => answer(text(&arguments["region"])),
        Some("fail") => {
            answer(json!({"content":[{"type":"text","text":"out of ink"}],"isError":true}))
        }
        Some("data") => answer(json!({"structuredContent":{"n":1},
            "content":[{"type":"image","data":"AAAA","mimeType":"image/png"}]})),
        Some("ask") => answer(json!({"resultType":"input_required","requestState":"s",
            "inputRequests":{"who":{"method":"elicitation/create","params":{"mode":"form",
                "message":"Your name?","requestedSchema":{"type":"object",
                    "properties":{"name":{"type":"string"}},"required":["name"]}}}}})),
        Some("steps") => {
            let first = json!({"progressToken":id,"progress":1,"total":2,"message":"first"});
            let log = json!({"level":"info","logger":"steps","data":"halfway",
                "_meta":{"progressToken":id}});
            let second = json!({"progressToken":id,"progress":2,"total":2});
            let mut messages = vec![
                notice("notifications/progress", first),
                notice("notifications/message", log),
                notice("notifications/progress", second),
            ];
            messages.extend(answer(text(&"done".into())));
            messages
        }
        Some("sleep") => {
            tell.send("sleep".into()).await.ok();
            vec![]
        }
        _ => vec![],
    }
}
